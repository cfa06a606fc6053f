//! The config test of the real daemon beside ours, over cases/diagnostics and the document's files.
//!
//! Exit statuses and messages are compared; the real daemon repeats a message for each of its
//! processes, so messages are compared as sets. What is known to differ stands in `differs.txt`
//! beside the case, `-` for what only the real one says and `+` for what only ours says;
//! `UPDATE=1` writes it anew. Needs `KEEPALIVED_REAL`, root, and network namespaces.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;

use compat_tests::bed::{Host, needs_root};
use compat_tests::cases::{Case, MAIN, read};

fn real() -> Option<String> {
    let path = std::env::var("KEEPALIVED_REAL").ok();
    if path.is_none() {
        println!("skipped: KEEPALIVED_REAL is not set");
    }
    path.filter(|_| needs_root())
}

/// The host that the cases are about.
fn node1() -> Host {
    let host = Host::new("node1").unwrap();
    host.ip_batch(
        "link add eth0 type veth peer name eth1\naddr add 192.0.2.250/24 dev eth0\n\
         link set eth0 up\nlink set eth1 up\n",
    )
    .unwrap();
    host
}

/// `(FILE: Line N) text` and `(Line N) text` as `N text`; the real one's parent says no file.
fn normal(line: &str) -> String {
    let place = line
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(") "))
        .and_then(|(place, text)| Some((place.rsplit_once("Line ")?.1, text)));
    match place {
        Some((number, text)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{number} {text}")
        }
        _ => line.to_owned(),
    }
}

/// What the real daemon says, and its exit status.
fn ask_real(host: &Host, real: &str, directory: &str) -> (BTreeSet<String>, i32) {
    let line = format!("cd '{directory}' && exec '{real}' -t -f {MAIN}");
    let output = host.shell(&line).unwrap();
    let lines = output.stderr.lines().chain(output.stdout.lines());
    (lines.map(normal).collect(), output.code)
}

/// Advice that only ours gives: the README tells of it, so that no case has to.
const PENDING: &str = "is read and checked, but not active in this version";

fn differences(case: &Case, host: &Host, real: &str) -> String {
    let (theirs, their_status) = ask_real(host, real, case.directory.to_str().unwrap());
    let loaded = read(case);
    let ours: BTreeSet<String> = loaded
        .diagnostics
        .iter()
        .map(|finding| normal(&finding.to_string()))
        .filter(|line| !line.ends_with(PENDING))
        .collect();
    let mut out = String::new();
    let our_status = i32::from(loaded.diagnostics.exit_status());
    if their_status != our_status {
        out.push_str(&format!("status: real {their_status}, ours {our_status}\n"));
    }
    for line in theirs.difference(&ours) {
        out.push_str(&format!("- {line}\n"));
    }
    for line in ours.difference(&theirs) {
        out.push_str(&format!("+ {line}\n"));
    }
    out
}

// Input: every case. Output: the real daemon's exit status and messages, but for what is written
// down beside the case.
#[test]
fn config_tests_agree() {
    let Some(real) = real() else {
        return;
    };
    let update = std::env::var_os("UPDATE").is_some();
    let host = node1();
    let mut wrong = Vec::new();
    for case in Case::all("diagnostics") {
        let differs = differences(&case, &host, &real);
        let path = case.directory.join("differs.txt");
        if update {
            if differs.is_empty() {
                drop(fs::remove_file(&path));
            } else {
                fs::write(&path, &differs).unwrap();
            }
            continue;
        }
        let known = fs::read_to_string(&path).unwrap_or_default();
        if differs != known {
            wrong.push(format!("== {}\nknown:\n{known}seen:\n{differs}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// Input: the document's files with plain spaces. Output: the real daemon objects to nothing but
// `nb_get_retry`, as ours does.
#[test]
fn the_document_s_files_mean_the_same_to_both() {
    let Some(real) = real() else {
        return;
    };
    let host = node1();
    for name in ["director-master", "director-backup"] {
        let source = format!("{}/cases/lab/{name}/{MAIN}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(source).unwrap().replace('\u{a0}', " ");
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(MAIN), text).unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        let (messages, status) = ask_real(&host, &real, &path);
        let case = Case {
            name: name.to_owned(),
            directory: directory.path().to_owned(),
        };
        let ours = read(&case);
        assert_eq!(i32::from(ours.diagnostics.exit_status()), status);
        assert_eq!(
            messages.len(),
            ours.diagnostics.iter().count(),
            "{messages:?}"
        );
        assert!(messages.iter().all(|line| line.contains("nb_get_retry")));
    }
}

/// Input: the example configurations of the packages. Output: both config tests end with 0 and say
/// nothing; `check` finds nothing that is ignored or refused.
#[test]
fn the_examples_are_good_for_both() {
    let Some(real) = real() else { return };
    let Some(ours) = compat_tests::routers::daemon_from("KEEPALIVED_OURS") else {
        println!("skipped: KEEPALIVED_OURS is not set");
        return;
    };
    let ours = ours.to_str().unwrap();
    let host = node1();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let path = path.to_str().unwrap();
        for program in [real.as_str(), ours] {
            let output = host.run(&[program, "-t", "-f", path]).unwrap();
            let said = format!("{}{}", output.stdout, output.stderr);
            assert_eq!((output.code, said.as_str()), (0, ""), "{program} {path}");
        }
        let output = host.run(&[ours, "check", path]).unwrap();
        assert!(output.code <= 1, "{path}: {}", output.stdout);
        count += 1;
    }
    assert!(count >= 3, "{count}");
}
