//! Modes that run nothing; no root needed.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::setup::binary;

fn run(options: &[&str]) -> Output {
    Command::new(binary()).args(options).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn config(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_version_goes_to_standard_error() {
    for option in ["-v", "--version"] {
        let output = run(&[option]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stderr(&output).starts_with("Keepalived v"),
            "{}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_goes_to_standard_error_and_names_every_option_of_keepalived() {
    let output = run(&["-h"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stderr(&output);
    for option in [
        "-f,", "-P,", "-C,", "-l,", "-D,", "-S,", "-G,", "-u,", "-X,", "-V,", "-I,", "-R,", "-n,",
        "-d,", "-p,", "-r,", "-T,", "-c,", "-a,", "-b,", "-x,", "-A,", "-s,", "-m,", "-M,", "-e,",
        "-i,", "--signum", "-t,", "-v,", "-h,",
    ] {
        assert!(text.contains(option), "{option} is missing in {text}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_1() {
    for options in [&["--bogus"][..], &["-f"], &["-S"], &["--signum", "NOTHING"]] {
        assert_eq!(run(options).status.code(), Some(1), "{options:?}");
    }
}

#[test]
fn signal_numbers_are_told_to_scripts() {
    for (name, number) in [
        ("STOP", "15\n"),
        ("RELOAD", "1\n"),
        ("DATA", "10\n"),
        ("JSON", "36\n"),
    ] {
        let output = run(&[&format!("--signum={name}")]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), number, "{name}");
    }
}

/// Input: a good file, one with a word that nobody knows, none. Output: the statuses of
/// keepalived, and the line in its form.
#[test]
fn a_config_test_says_where_and_ends_with_keepaliveds_status() {
    let good = config("global_defs {\n router_id LVS_Master\n}\n");
    let path = good.path().to_str().unwrap();
    let output = run(&["-t", "-f", path]);
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(0), "")
    );
    let bad = config("global_defs {\n bogus_word 1\n}\n");
    let path = bad.path().to_str().unwrap();
    let output = run(&["-t", "-f", path]);
    assert_eq!(output.status.code(), Some(5));
    assert!(
        stderr(&output).contains(&format!("({path}: Line 2)")),
        "{}",
        stderr(&output)
    );
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = run(&[&format!("-t{}", log.path().display()), "-f", path]);
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(5), "")
    );
    assert!(
        std::fs::read_to_string(log.path())
            .unwrap()
            .contains("Line 2")
    );
}

/// Input: thousands of findings into a pipe that is closed after the first bytes. Output: an end
/// by SIGPIPE, as with any other tool, and nothing else.
#[test]
fn output_that_is_cut_off_is_no_panic() {
    let bad = config(&"bogus 1\n".repeat(9000));
    let mut child = Command::new(binary())
        .args(["-t", "-f", bad.path().to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let status = child.wait().unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!((status.code(), status.signal()), (None, Some(13)));
}

#[test]
fn an_option_that_does_nothing_yet_is_named() {
    let good = config("");
    let path = good.path().to_str().unwrap();
    let output = run(&["-t", "--snmp", "-f", path]);
    assert!(
        stderr(&output).contains("--snmp is not active in this version"),
        "{}",
        stderr(&output)
    );
}
