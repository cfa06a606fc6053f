//! What is written about a configuration: each case of cases/reports with its reports.
//!
//! Input: cases/reports/*/keepalived.conf. Output: the reports beside it; `UPDATE=1` writes them
//! anew.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;

use compat_tests::cases::{Case, read};
use compat_tests::reports::{started, whole};
use keepalived_rs::report::{Kind, Part};

const REPORTS: [(&str, Kind); 7] = [
    ("parent.data", Kind::Data(Part::Parent)),
    ("vrrp.data", Kind::Data(Part::Vrrp)),
    ("check.data", Kind::Data(Part::Check)),
    ("bfd.data", Kind::Data(Part::Bfd)),
    ("stats", Kind::Stats),
    ("1.json", Kind::Json(1)),
    ("2.json", Kind::Json(2)),
];

/// Larger than any report here.
const WHOLE: usize = 1 << 24;

#[test]
fn reports_are_as_written_down() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for case in Case::all("reports") {
        let node = started(&read(&case).config);
        for (name, kind) in REPORTS {
            let text = whole(&node, kind, true, WHOLE);
            let path = case.directory.join(name);
            if update {
                fs::write(&path, &text).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != text {
                wrong.push(format!("{}/{name}:\n{text}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// Input: the same reports, once whole and once in the smallest pieces. Output: the same text.
#[test]
fn pieces_make_the_same_report() {
    for case in Case::all("reports") {
        let node = started(&read(&case).config);
        for (_, kind) in REPORTS {
            let whole_text = whole(&node, kind, true, WHOLE);
            assert_eq!(whole(&node, kind, true, 1), whole_text, "{}", case.name);
        }
    }
}

// Input: a configuration with a password, all reports. Output: it is in none.
#[test]
fn no_report_shows_a_password() {
    for case in Case::all("reports") {
        let node = started(&read(&case).config);
        for (name, kind) in REPORTS {
            let text = whole(&node, kind, true, WHOLE);
            assert!(!text.contains("s3cret"), "{}/{name}", case.name);
        }
    }
}
