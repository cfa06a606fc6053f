//! Ours beside the real daemon on a real IPVS kernel: tables, logs and FIFOs of every
//! configuration in `cases/ipvs`.
//!
//! Owns the look at what is there to run it with, else says `skipped:` with the reason;
//! `compat_tests::tables` does the work in a process of its own, on this kernel or in user-mode
//! Linux.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use compat_tests::bed::{needs, needs_root};
use compat_tests::routers::daemon_from;

/// There are so many configurations at least.
const CASES: usize = 60;

/// So many of them may be looked at once more.
const FEW: usize = 5;

/// The daemon of that variable, with a path that holds everywhere; else says that it is missing.
fn daemon(variable: &str) -> Option<PathBuf> {
    let Some(daemon) = daemon_from(variable) else {
        println!("skipped: {variable} is not set");
        return None;
    };
    Some(std::fs::canonicalize(daemon).unwrap())
}

/// Runs the comparison with more arguments; whether nothing differs, and what it printed.
fn compare(ours: &Path, real: &Path, arguments: &[&str]) -> (bool, String) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/ipvs");
    let output = Command::new(env!("CARGO_BIN_EXE_tables"))
        .args(["--ours".as_ref(), ours.as_os_str()])
        .args(["--real".as_ref(), real.as_os_str()])
        .args(["--cases".as_ref(), cases.as_os_str()])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}");
    (output.status.success(), text)
}

/// Held by the test that runs: more of these kernels than processors are late.
static TURN: Mutex<()> = Mutex::new(());

/// Configurations with checks of every kind, whose reports are compared as well.
const REPORTED: &str = "dns-and-udp,file-weights,group-mixed,group-v6,http-variants,\
                        inhibit-and-sorry,misc,older-words,ping,reload-weight,smtp,tunnel-g";

/// Input: a signal at each stage of checks of every kind. Output: `keepalived_check.data` as that of the
/// real daemon, line by line.
#[test]
fn reports_of_checks_are_the_same() {
    if !needs_root() || !needs("linux.uml") {
        return;
    }
    let (Some(ours), Some(real)) = (daemon("KEEPALIVED_OURS"), daemon("KEEPALIVED_REAL")) else {
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let run = || compare(&ours, &real, &["--only", REPORTED, "--reports"]).0;
    // A small kernel is late now and then: what differs has to differ twice.
    assert!(run() || run());
}

#[test]
fn tables_logs_and_fifos_are_the_same() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/ipvs");
    let files = std::fs::read_dir(&cases).unwrap();
    let configurations = files.filter(|file| {
        file.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "conf")
    });
    assert!(configurations.count() >= CASES);
    if !needs_root() || !needs("linux.uml") {
        return;
    }
    let (Some(ours), Some(real)) = (daemon("KEEPALIVED_OURS"), daemon("KEEPALIVED_REAL")) else {
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let run = |only: &str, part: &str| compare(&ours, &real, &["--only", only, "--part", part]);
    // Half of them on a kernel of its own: each such kernel has one processor.
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| run("", "1/2"));
        (run("", "0/2"), second.join().unwrap())
    });
    if first.0 && second.0 {
        return;
    }
    // Dozens of daemons on one small kernel are late now and then: what differs has to differ alone
    // as well.
    let text = [first.1, second.1].concat();
    let failed = text.lines().filter_map(|line| line.strip_prefix("FAILED"));
    let failed: Vec<&str> = failed.map(str::trim).collect();
    assert!(!failed.is_empty() && failed.len() <= FEW, "{failed:?}");
    let alone = |name: &&str| !run(name, "0/1").0;
    let again: Vec<&str> = failed.into_iter().filter(alone).collect();
    assert!(again.is_empty(), "{again:?}");
}
