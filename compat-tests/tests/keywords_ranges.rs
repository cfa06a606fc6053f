//! Guard: the ranges and defaults that the table of keywords tells are those that are read.
//!
//! `check --explain`, every message about a bad value, and the manual page tell them. That the real
//! daemon has the same ends is `side_by_side_strangers`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use compat_tests::cases::{Case, read_text};
use compat_tests::edges::{Ends, edges};
use compat_tests::options::configuration;
use compat_tests::reports::{started, whole};
use keepalived_rs::conf::model::Config;
use keepalived_rs::report::{Kind, Part};

/// Values within the range of which something is said: block, keyword, value, why.
const TOLD: [(&str, &str, &str, &str); 4] = [
    ("auth_hmac", "key", "1", "the secret is missing"),
    ("auth_hmac", "key", "255", "the secret is missing"),
    ("global_defs", "smtp_connect_timeout", "0", "taken as 1"),
    ("vrrp_script", "timeout", "0", "taken as 1"),
];

/// Keywords whose default can be told from their absence: block, keyword, why.
const OTHER_DEFAULT: [(&str, &str, &str); 3] = [
    ("bfd_instance", "hoplimit", "the file has an IPv4 neighbour"),
    ("garp_group", "garp_interval", "a group without any is none"),
    ("vrrp_instance", "debug", "told where it is given"),
];

/// What is said of a line in its block, as one text; empty if nothing is.
fn said(case: &Case, block: &str, line: &str) -> String {
    let text = configuration(block, line);
    let number = 1 + text.lines().position(|l| l == line).expect("the line");
    let loaded = read_text(case, &text);
    let texts = loaded.diagnostics.iter().map(ToString::to_string);
    let here = format!("Line {number})");
    texts
        .filter(|text| text.contains(&here) && !text.contains("not active in this version"))
        .filter(|text| !text.contains("deprecated") && !text.contains("please replace"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn told_of(block: &str, keyword: &str, value: &str) -> bool {
    TOLD.iter()
        .any(|(b, k, v, _)| (*b, *k, *v) == (block, keyword, value))
}

// Input: each keyword with the ends of its range, and what is next to them. Output: nothing is said
// of the ones, and something of the others.
#[test]
fn the_ends_of_every_range_are_what_the_table_says() {
    let case = Case::all("config").swap_remove(0);
    let edges = edges();
    assert!(edges.len() > 150, "{}", edges.len());
    let mut wrong = Vec::new();
    for edge in &edges {
        let (block, keyword) = (edge.block, edge.keyword);
        let ends: Vec<&Ends> = [&edge.least].into_iter().chain(&edge.largest).collect();
        for Ends { inside, outside } in ends {
            let inner = said(&case, block, &format!("{keyword} {inside}"));
            if inner.is_empty() == told_of(block, keyword, inside) {
                wrong.push(format!("inside {block} {keyword} {inside}: {inner}"));
            }
            let outer = said(&case, block, &format!("{keyword} {outside}"));
            if outer.is_empty() {
                wrong.push(format!("outside {block} {keyword} {outside}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All reports of a configuration.
fn told(config: &Config) -> String {
    let node = started(config);
    let parts = [Part::Parent, Part::Vrrp, Part::Check, Part::Bfd];
    let told = parts.map(|part| whole(&node, Kind::Data(part), true, 1 << 24));
    told.concat()
}

// Input: each keyword with its default, and without it. Output: the same reports.
#[test]
fn every_default_is_what_the_table_says() {
    let case = Case::all("config").swap_remove(0);
    let mut wrong = Vec::new();
    for edge in edges() {
        let Some(default) = &edge.default else {
            continue;
        };
        let (block, keyword) = (edge.block, edge.keyword);
        let read = |line: &str| told(&read_text(&case, &configuration(block, line)).config);
        let same = read(&format!("{keyword} {default}")) == read("");
        let other = OTHER_DEFAULT
            .iter()
            .any(|(b, k, _)| (*b, *k) == (block, keyword));
        if same == other {
            wrong.push(format!("{block} {keyword} {default}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
