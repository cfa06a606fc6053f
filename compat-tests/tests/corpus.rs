//! Real configurations through our config test, beside what keepalived says of them.
//!
//! What must hold of every file whatever it says, and a ratchet: as many files as ever before get
//! the exit status of the real one. The files are no part of this repository: `KEEPALIVED_CORPUS`
//! names their folder. `UPDATE=1`, without `KEEPALIVED_REAL`, raises the ratchet. The command `compat-tests/corpus` shows what
//! differs and why.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};

use compat_tests::bed::needs_root;
use compat_tests::corpus::{Binaries, Differences, Library, Reason, Report, Verdict, survey};
use compat_tests::routers::daemon_from;

/// Ours, as built beside these tests or as named.
fn ours() -> PathBuf {
    let beside = || {
        let tests = std::env::current_exe().unwrap();
        tests.parent().unwrap().with_file_name("keepalived")
    };
    let path = daemon_from("KEEPALIVED_OURS").unwrap_or_else(beside);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

fn verdicts() -> Option<Vec<Verdict>> {
    let Some(library) = Library::from_environment().unwrap() else {
        println!("skipped: no corpus");
        return None;
    };
    if !needs_root() {
        return None;
    }
    let binaries = Binaries {
        ours: ours(),
        real: daemon_from("KEEPALIVED_REAL"),
    };
    let differences = Differences::load().unwrap();
    let surveyed = survey(&library.entries, &binaries).unwrap();
    let verdicts = surveyed.iter().map(|one| Verdict::of(one, &differences));
    Some(verdicts.collect())
}

/// The numbers that must not fall, by name.
fn ratchet(report: &Report) -> [(&'static str, usize); 3] {
    let counts = report.counts();
    [
        ("exit status", counts.exit_recorded),
        ("messages", counts.messages),
        ("settled", counts.settled),
    ]
}

fn ratchet_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/corpus/ratchet.txt")
}

fn recorded(name: &str) -> usize {
    let text = std::fs::read_to_string(ratchet_file()).unwrap();
    let row = text.lines().find_map(|line| line.strip_prefix(name));
    row.and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("no number for {name}"))
}

// Input: every file. Output: an end in time, by itself, with a status of a config test; no message
// that has lost its line; and no fewer equal verdicts than before.
#[test]
fn real_configurations_are_judged_as_keepalived_does() {
    let Some(verdicts) = verdicts() else {
        return;
    };
    let mut wrong = Vec::new();
    for verdict in &verdicts {
        let id = &verdict.id;
        match verdict.reason {
            Some(reason @ (Reason::Crash | Reason::Hang)) => wrong.push(format!("{id}: {reason}")),
            _ if !verdict.exit_is_sane() => wrong.push(format!("{id}: exit {}", verdict.ours)),
            _ => {}
        }
        for message in &verdict.placeless {
            wrong.push(format!("{id}: without its line: {message}"));
        }
    }
    let report = Report { verdicts };
    let numbers = ratchet(&report);
    if std::env::var_os("UPDATE").is_some() {
        let rows = numbers.map(|(name, number)| format!("{name} {number}\n"));
        std::fs::write(ratchet_file(), rows.concat()).unwrap();
    }
    for (name, number) in numbers {
        let before = recorded(name);
        if number < before {
            wrong.push(format!("{name}: {number} files agree, {before} did before"));
        }
    }
    assert!(wrong.is_empty(), "{}\n\n{report}", wrong.join("\n"));
}
