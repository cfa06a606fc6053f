//! What is said about wrong configurations, word for word: cases/diagnostics/*/expect.txt.
//!
//! `UPDATE=1` writes the expectations anew; read the difference before it is committed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;

use compat_tests::cases::{Case, read};
use keepalived_rs::conf::{Loaded, render};

/// Everything an operator can see of a load.
fn text(loaded: &Loaded) -> String {
    let mut out = String::new();
    for finding in &loaded.diagnostics {
        out.push_str(&format!("{finding}\n"));
    }
    out.push_str("\n--- the same with excerpts ---\n");
    for finding in &loaded.diagnostics {
        out.push_str(&render(finding, false));
        out.push_str("\n\n");
    }
    let found = &loaded.diagnostics;
    out.push_str(&format!("-t: {}\n", found.exit_status()));
    out.push_str(&match found.blocks_start() {
        None => "start: goes ahead\n".to_owned(),
        Some(status) => format!("start: refused with status {status}\n"),
    });
    out.push_str(&match found.blocks_reload() {
        None => "reload: goes ahead\n".to_owned(),
        Some(finding) => format!("reload: refused because of: {finding}\n"),
    });
    out
}

#[test]
fn every_case_says_what_is_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let cases = Case::all("diagnostics");
    assert!(cases.len() > 30, "only {} cases", cases.len());
    for case in cases {
        let text = text(&read(&case));
        let path = case.directory.join("expect.txt");
        if update {
            fs::write(&path, &text).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if text != expected {
            wrong.push(format!(
                "== {}\n{}",
                case.name,
                difference(&expected, &text)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE=1 rewrites these\n{}",
        wrong.join("\n")
    );
}

/// The lines that only one of the two has.
fn difference(expected: &str, text: &str) -> String {
    let only = |a: &str, b: &str, mark: &str| -> String {
        let b: Vec<&str> = b.lines().collect();
        a.lines()
            .filter(|line| !b.contains(line))
            .map(|line| format!("{mark} {line}\n"))
            .collect()
    };
    only(expected, text, "-") + &only(text, expected, "+")
}
