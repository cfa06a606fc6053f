//! The two halves of the comparison: the one that finds a kernel, and the one that runs on it.
//!
//! Owns: the scratch folder, the waves of cases that run at the same time, and the count. Driven
//! by `src/bin/tables.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::case;
use super::differs::Differs;
use super::run as stages;
use crate::bed::Result;
use crate::lab::ground::{BEGIN, END, block_signals, start, supervise};

/// Cases that run at the same time: two daemons each.
const WAVE: usize = 29;

/// Megabytes for user-mode Linux: networks and what daemons map add up over the waves.
const MEMORY: u32 = 1536;

/// What the caller wants.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our daemon.
    pub ours: PathBuf,
    /// The real one.
    pub real: PathBuf,
    /// The folder with the cases.
    pub cases: PathBuf,
    /// Only cases whose name contains one of these, separated by commas; all if empty.
    pub only: String,
    /// Only one share of them, as `(which, of how many)`, counted from 0.
    pub part: (usize, usize),
    /// Print what was seen, not only what differs.
    pub show: bool,
    /// Compare what the checks' part tells of itself at every stage as well. It costs a wait for
    /// every stage, so that the tests do without.
    pub reports: bool,
}

/// Runs the comparison on a kernel that has IPVS; true if no case failed.
///
/// # Errors
/// When there is no such kernel, or it does not come to its end.
pub fn run(options: &Options) -> Result<bool> {
    let signals = block_signals()?;
    let scratch = tempfile::Builder::new()
        .prefix("keepalived-tables.")
        .tempdir()?;
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
    let mut inside = vec![std::env::current_exe()?.display().to_string()];
    inside.extend(["--inside".to_owned(), scratch.path().display().to_string()]);
    for (word, path) in [
        ("--ours", &options.ours),
        ("--real", &options.real),
        ("--cases", &options.cases),
    ] {
        inside.extend([word.to_owned(), path.display().to_string()]);
    }
    if !options.only.is_empty() {
        inside.extend(["--only".to_owned(), options.only.clone()]);
    }
    let (which, parts) = options.part;
    inside.extend(["--part".to_owned(), format!("{which}/{parts}")]);
    for (word, wanted) in [("--show", options.show), ("--reports", options.reports)] {
        if wanted {
            inside.push(word.to_owned());
        }
    }
    let mut child = start((false, false, MEMORY), scratch.path(), &inside)?;
    let outcome = supervise(&mut child, false, signals);
    // Ends the pid namespace and with it everything that runs in it.
    drop(child.kill());
    drop(child.wait());
    outcome
}

/// Runs a script (`compat-tests/traffic`, `compat-tests/devices`) on a kernel that has IPVS, with the paths
/// of these daemons and of a scratch folder; true if no step failed.
///
/// # Errors
/// When there is no such kernel, or it does not come to its end.
pub fn traffic(script: &Path, daemons: &[&Path]) -> Result<bool> {
    let signals = block_signals()?;
    let scratch = tempfile::Builder::new()
        .prefix("keepalived-traffic.")
        .tempdir()?;
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
    let words = ["bash".as_ref(), script].into_iter();
    let words = words.chain(daemons.iter().copied()).chain([scratch.path()]);
    let inside: Vec<String> = words.map(|word| word.display().to_string()).collect();
    let mut child = start((false, false, 512), scratch.path(), &inside)?;
    let outcome = supervise(&mut child, false, signals);
    // Ends the pid namespace and with it everything that runs in it.
    drop(child.kill());
    drop(child.wait());
    outcome
}

/// The half that runs on a kernel with IPVS.
///
/// # Errors
/// When a case cannot be read or brought up.
pub fn inside(options: &Options, scratch: &Path) -> Result<bool> {
    println!("{BEGIN}");
    let good = all(options, scratch);
    if let Err(error) = &good {
        println!("{error}\n0 passed, 1 failed, 0 skipped");
    }
    println!("{END}");
    good
}

fn all(options: &Options, scratch: &Path) -> Result<bool> {
    let cases = case::all(&options.cases, &options.only)?;
    let (which, parts) = options.part;
    let cases: Vec<case::Case> = cases.into_iter().skip(which).step_by(parts).collect();
    let mut differs = Differs::read(&options.cases.join("differs.txt"))?;
    let (mut passed, mut failed) = (0, 0);
    for wave in cases.chunks(WAVE) {
        for outcome in stages::wave(
            wave,
            (&options.ours, &options.real),
            scratch,
            (options.show, options.reports),
        )? {
            let name = outcome.name.clone();
            let wrong = outcome.wrong(&mut differs);
            if wrong.is_empty() {
                passed += 1;
                println!("ok      {name}");
            } else {
                failed += 1;
                println!("FAILED  {name}");
            }
            for line in wrong {
                println!("        {line}");
            }
        }
    }
    if options.only.is_empty() && parts == 1 {
        for line in differs.unused() {
            println!("remark: differs.txt: nothing is like `{line}` any more");
        }
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    Ok(failed == 0)
}
