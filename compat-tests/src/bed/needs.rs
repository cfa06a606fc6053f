//! What a test needs from the machine, and how it says that it is missing.
//!
//! Owns the wording `skipped: <reason>`, which `compat-tests/run` counts; never installs
//! anything. Driven by the first line of every test that needs a kernel or a program.

use std::sync::OnceLock;

use nix::sched::{CloneFlags, unshare};

/// True if this process may make network and mount namespaces; else says why not.
#[must_use]
pub fn needs_root() -> bool {
    static WHY_NOT: OnceLock<Option<String>> = OnceLock::new();
    let why_not = WHY_NOT.get_or_init(|| {
        if !nix::unistd::geteuid().is_root() {
            return Some("not root: no network namespaces".to_owned());
        }
        // Being root inside a container is not enough; a thread tries and is gone.
        let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
        match std::thread::spawn(move || unshare(flags)).join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the kernel refuses namespaces: {error}")),
            Err(_) => Some("the thread that tries namespaces died".to_owned()),
        }
    });
    match why_not {
        None => needs("ip"),
        Some(reason) => skip(reason),
    }
}

/// True if `program` is in the search path; else says that it is missing.
#[must_use]
pub fn needs(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).exists());
    found || skip(&format!("{program} is not installed"))
}

/// On standard output, where the test framework keeps it with the test's name.
fn skip(reason: &str) -> bool {
    println!("skipped: {reason}");
    false
}
