//! Guard: every item of the RFCs and every fault has its tests, or a reason why not.
//!
//! Owns: the list of items that there are, against which `cases/conformance/*.tsv` are held, and
//! the check that the tests named there exist. Never runs them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The items of a table: groups, and how many each has.
type Groups = [(&'static str, usize)];

/// What the RFCs demand.
const RFCS: &Groups = &[("V3-T", 10), ("V3-R", 14), ("V3-S", 21), ("V2-", 11)];

/// What can happen to a router.
const FAULTS: &Groups = &[("F", 38)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Names of the functions that follow `#[test]` in a source, those within `proptest!` too.
fn tests_in(source: &str) -> impl Iterator<Item = String> + '_ {
    let mut armed = false;
    source.lines().filter_map(move |line| {
        let line = line.trim();
        if line == "#[test]" {
            armed = true;
            return None;
        }
        let name = line.strip_prefix("fn ").filter(|_| armed)?;
        armed = false;
        Some(name.split(['(', '<']).next()?.to_owned())
    })
}

fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for directory in ["src", "compat-tests/src", "compat-tests/tests"] {
        sources(&root().join(directory), &mut files);
    }
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts
        .flat_map(|text| tests_in(&text).collect::<Vec<_>>())
        .collect()
}

/// What is wrong with a table that should have these items.
fn complaints(table: &str, groups: &Groups, tests: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ids = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [id, item, positive, negative, reason] = line.split('\t').collect::<Vec<_>>()[..]
        else {
            wrong.push(format!("not five columns: {line}"));
            continue;
        };
        ids.push(id.to_owned());
        if item.is_empty() {
            wrong.push(format!("{id} says nothing"));
        }
        for test in [positive, negative] {
            if test == "-" {
                if reason.is_empty() {
                    wrong.push(format!("{id} has neither a test nor a reason"));
                }
            } else if !tests.contains(test) {
                wrong.push(format!("{id}: there is no test {test}"));
            }
        }
    }
    let wanted: Vec<String> = groups
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")))
        .collect();
    if ids != wanted {
        let missing: Vec<&String> = wanted.iter().filter(|id| !ids.contains(id)).collect();
        wrong.push(format!(
            "items are missing, twice or out of order: {missing:?}"
        ));
    }
    wrong
}

fn check(name: &str, groups: &Groups) {
    let table = root().join("compat-tests/cases/conformance").join(name);
    let wrong = complaints(&fs::read_to_string(table).unwrap(), groups, &tests());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_item_of_the_rfcs_has_its_tests_or_a_reason() {
    check("vrrp.tsv", RFCS);
}

#[test]
fn every_fault_has_its_tests_or_a_reason() {
    check("faults.tsv", FAULTS);
}

// Input: a table with one item, without reason, with a test that does not exist. Output: all of it.
#[test]
fn the_guard_sees_what_is_missing() {
    let tests = BTreeSet::from(["there".to_owned()]);
    let wrong = complaints(
        "V3-T1\tsomething\tthere\t-\t\nV3-T2\tmore\tgone\tthere\t\nodd",
        RFCS,
        &tests,
    );
    assert_eq!(wrong.len(), 4, "{wrong:?}");
}
