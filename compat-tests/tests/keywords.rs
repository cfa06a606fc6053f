//! Guard: every keyword of the table is read somewhere, means something, and is told of.
//!
//! A keyword needs a case that uses it (`cases/config`, `cases/reports`, `cases/diagnostics`), a
//! field of the model that changes with it (that each field has a change class is the guard
//! `fields`), and a place in a report. What lacks one of these stands in `cases/keywords`, with the
//! reason.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use compat_tests::cases::{Case, MAIN, read_text};
use compat_tests::reports::{started, whole};
use keepalived_rs::conf::laws;
use keepalived_rs::conf::model::Config;
use keepalived_rs::conf::{Activity, keyword_facts};
use keepalived_rs::report::{Kind, Part};

/// Larger than any report here.
const WHOLE: usize = 1 << 24;

/// A keyword in a block.
type Slot = (String, String);

/// A statement of a case: its slot, its line, and whether a block begins there.
struct Statement {
    slot: Slot,
    line: usize,
    block: bool,
}

/// Blocks that have two names.
fn block_name(keyword: &str) -> &str {
    match keyword {
        "track_process" => "vrrp_track_process",
        other => other,
    }
}

/// The statements of a text, whatever they mean.
fn statements(text: &str) -> Vec<Statement> {
    let mut open = vec!["-".to_owned()];
    let mut found: Vec<Statement> = Vec::new();
    for (line, words) in text.lines().enumerate() {
        let words = words.split(['#', '!']).next().unwrap_or_default();
        let words = words.replace('{', " { ").replace('}', " } ");
        let mut first = None;
        for word in words.split_whitespace() {
            match word {
                "{" => {
                    if let Some(statement) = found.last_mut().filter(|_| first.is_some()) {
                        statement.block = true;
                    }
                    open.push(block_name(first.take().unwrap_or("?")).to_owned());
                }
                "}" => {
                    if open.len() > 1 {
                        open.pop();
                    }
                    first = None;
                }
                _ if first.is_some() => {}
                keyword => {
                    first = Some(keyword);
                    found.push(Statement {
                        slot: (open.last().unwrap().clone(), keyword.to_owned()),
                        line,
                        block: false,
                    });
                }
            }
        }
    }
    found
}

/// Every keyword that is read.
fn slots() -> BTreeSet<Slot> {
    keyword_facts()
        .filter(|facts| facts.activity() != Activity::Skipped)
        .map(|facts| (facts.block.to_owned(), facts.name.to_owned()))
        .collect()
}

/// The rows of a list in `cases/keywords`: block, keyword, reason.
fn list(name: &str) -> BTreeMap<Slot, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/keywords");
    let text = fs::read_to_string(path.join(name)).unwrap_or_default();
    let rows = text
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'));
    rows.map(|row| {
        let fields: Vec<&str> = row.split('\t').collect();
        let [block, keyword, reason] = fields[..] else {
            panic!("{name}: {row}");
        };
        assert!(!reason.trim().is_empty(), "{name}: no reason: {row}");
        ((block.to_owned(), keyword.to_owned()), reason.to_owned())
    })
    .collect()
}

/// Fails with what lacks something and is not listed. What is listed for nothing is printed: it may
/// have been mended by whoever made a keyword act.
fn settle(name: &str, lacking: &BTreeSet<Slot>) {
    let listed = list(name);
    let new: Vec<_> = lacking
        .iter()
        .filter(|slot| !listed.contains_key(*slot))
        .map(|(block, keyword)| format!("{block}\t{keyword}\t"))
        .collect();
    for (block, keyword) in listed.keys().filter(|slot| !lacking.contains(*slot)) {
        println!("{name}: the row of {keyword} in {block} can go");
    }
    assert!(new.is_empty(), "not in {name}:\n{}", new.join("\n"));
}

// Input: the table. Output: every keyword stands in a case, in its block.
#[test]
fn every_keyword_has_a_case() {
    let mut seen = BTreeSet::new();
    for group in ["config", "reports", "diagnostics"] {
        for case in Case::all(group) {
            let bytes = fs::read(case.directory.join(MAIN)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            seen.extend(statements(&text).into_iter().map(|found| found.slot));
        }
    }
    let missing: BTreeSet<Slot> = slots().difference(&seen).cloned().collect();
    settle("no-case.tsv", &missing);
}

/// All reports of a configuration.
fn told(config: &Config) -> Vec<String> {
    let node = started(config);
    let kinds = [
        Kind::Data(Part::Parent),
        Kind::Data(Part::Vrrp),
        Kind::Data(Part::Check),
        Kind::Data(Part::Bfd),
        Kind::Json(2),
    ];
    kinds
        .into_iter()
        .map(|kind| whole(&node, kind, true, WHOLE))
        .collect()
}

// Input: the cases that hold all settings, each time without one statement. Output: the model is
// another one, and printed and read again it still means the same; a report differs. A keyword that
// stands there several times is judged by whichever makes a difference.
#[test]
fn every_keyword_means_something_and_is_told_of() {
    let known = slots();
    let mut meant = BTreeSet::new();
    let mut told_of = BTreeSet::new();
    let mut tried = BTreeSet::new();
    let mut broken = Vec::new();
    for case in Case::all("config") {
        let text = fs::read_to_string(case.directory.join(MAIN)).unwrap();
        let config = read_text(&case, &text).config;
        let reports = told(&config);
        for statement in statements(&text) {
            if statement.block || !known.contains(&statement.slot) {
                continue;
            }
            tried.insert(statement.slot.clone());
            if told_of.contains(&statement.slot) {
                continue;
            }
            let without: Vec<&str> = text
                .lines()
                .enumerate()
                .map(|(index, line)| if index == statement.line { "" } else { line })
                .collect();
            let other = read_text(&case, &without.join("\n")).config;
            if other != config {
                if let Err(law) = laws::print_and_read(&other) {
                    let differs: Vec<&str> = law.lines().skip_while(|l| *l != ":").collect();
                    broken.push(format!(
                        "{}: {:?}\n{}",
                        case.name,
                        statement.slot,
                        differs.join("\n")
                    ));
                }
                meant.insert(statement.slot.clone());
            }
            if told(&other) != reports {
                told_of.insert(statement.slot);
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    settle(
        "no-meaning.tsv",
        &tried.difference(&meant).cloned().collect(),
    );
    settle("untold.tsv", &tried.difference(&told_of).cloned().collect());
}

/// Input: README and the table. Output: README names each keyword that does not act yet, in its
/// block, and no other; `UPDATE=1` writes that list.
#[test]
fn readme_names_every_keyword_that_does_not_act() {
    let mut waiting: BTreeMap<(Activity, &str), Vec<&str>> = BTreeMap::new();
    for facts in keyword_facts() {
        let activity = facts.activity();
        if activity != Activity::Active {
            let names = waiting.entry((activity, facts.block)).or_default();
            if !names.contains(&facts.name) {
                names.push(facts.name);
            }
        }
    }
    let mut list = String::new();
    for ((activity, block), names) in waiting {
        let how = match activity {
            Activity::Active => continue,
            Activity::Read => "read and checked",
            Activity::Skipped => "skipped",
        };
        let block = match block {
            "-" => "at the top level".to_owned(),
            block => format!("in `{block}`"),
        };
        list.push_str(&format!("* {how}, {block}: `{}`\n", names.join("`, `")));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        "<!-- keywords that do not act -->\n",
        "<!-- end of keywords -->\n",
    );
    let (before, rest) = readme.split_once(begin).expect("README has the list");
    let (told, after) = rest.split_once(end).expect("README's list ends");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, [before, begin, &list, end, after].concat()).unwrap();
        return;
    }
    assert_eq!(told, list, "UPDATE=1 writes the list");
}
