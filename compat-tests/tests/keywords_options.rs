//! Guard: every option within a line means something and is printed as it is read.
//!
//! The table is `cases/keywords/options.tsv`; that the real daemon agrees about each line is
//! `side_by_side_options`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;

use compat_tests::cases::{Case, read_text};
use compat_tests::options::{configuration, rows};
use keepalived_rs::conf::{keyword_facts, laws};

// Input: each line with its option and without. Output: two models, each of which means the same
// after it is printed and read again; or one, with the reason in the table.
#[test]
fn every_option_means_something() {
    // Any will do: its text is replaced.
    let case = Case::all("config").swap_remove(0);
    let rows = rows();
    assert!(rows.len() > 600, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let with = read_text(&case, &configuration(&row.block, &row.with)).config;
        let without = read_text(&case, &configuration(&row.block, &row.without)).config;
        if (with == without) != row.same.is_some() {
            let how = if with == without { "same" } else { "differ" };
            wrong.push(format!(
                "{how}: {}\t{}\t{}",
                row.block, row.with, row.without
            ));
        }
        if let Err(law) = laws::print_and_read(&with) {
            wrong.push(format!("printed: {}\t{}\n{law}", row.block, row.with));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a keyword may be followed by, where its range is a list of words: `A, B or C`. Behind the
/// first semicolon stands what else is to be known.
fn choices(range: &str) -> Vec<&str> {
    let list = range.split(';').next().unwrap_or_default();
    let words: Vec<&str> = list
        .split(", ")
        .flat_map(|part| part.split(" or "))
        .collect();
    let plain = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    if words.len() > 1 && words.iter().all(plain) {
        words
    } else {
        Vec::new()
    }
}

/// The beginnings of words that mean something, as in `hex:...` and `file:PATH`.
fn prefixes(range: &str) -> impl Iterator<Item = &str> {
    let words = range.split([' ', ',']);
    words.filter_map(|word| {
        let (name, rest) = word.split_once(':')?;
        word.get(..=name.len())
            .filter(|_| !name.is_empty() && !rest.is_empty())
    })
}

// Input: the ranges of the table of keywords that are lists of words. Output: each word stands in
// the table of options.
#[test]
fn every_choice_has_an_option() {
    let mut given: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for row in rows() {
        let block = row.block.rsplit('/').next().unwrap().to_owned();
        for line in row.with.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            let keyword = words.next().unwrap();
            given
                .entry((block.clone(), keyword))
                .or_default()
                .extend(words);
        }
    }
    let (mut missing, mut count) = (Vec::new(), 0);
    for facts in keyword_facts() {
        let key = (facts.block.to_owned(), facts.name.to_owned());
        let words = given.get(&key).map_or(&[][..], Vec::as_slice);
        for choice in choices(facts.range) {
            count += 1;
            if !words.iter().any(|word| word == choice) {
                missing.push(format!("{}\t{} {choice}", facts.block, facts.name));
            }
        }
        for prefix in prefixes(facts.range) {
            count += 1;
            if !words.iter().any(|word| word.starts_with(prefix)) {
                missing.push(format!("{}\t{} {prefix}", facts.block, facts.name));
            }
        }
    }
    assert!(missing.is_empty(), "no row for\n{}", missing.join("\n"));
    assert!(count > 50, "{count} choices");
}
