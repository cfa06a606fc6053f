//! What right configurations mean: cases/config/*/model.txt, the model as Rust prints it.
//!
//! `UPDATE=1` writes the expectations anew; read the difference before it is committed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;

use compat_tests::cases::{Case, MAIN, read};
use keepalived_rs::conf::{keywords, laws};

#[test]
fn every_case_means_what_is_expected() {
    let cases = Case::all("config");
    assert!(cases.len() >= 4, "only {} cases", cases.len());
    for case in cases {
        let loaded = read(&case);
        assert_eq!(loaded.diagnostics.blocks_start(), None, "{}", case.name);
        let text = format!("{:#?}\n", loaded.config);
        let path = case.directory.join("model.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, text).unwrap();
        } else {
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                text == expected,
                "{}: UPDATE=1 and read the difference",
                case.name
            );
        }
    }
}

// Input: the configuration of each case. Output: printed and read again it means the same.
#[test]
fn every_case_is_read_as_it_is_printed() {
    let wrong: Vec<String> = Case::all("config")
        .into_iter()
        .filter_map(|case| {
            let law = laws::print_and_read(&read(&case).config);
            law.err().map(|error| format!("== {}\n{error}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// Input: the schema. Output: every active keyword stands in a case, in its block.
#[test]
fn every_active_keyword_has_a_case() {
    let case = Case::all("config")
        .into_iter()
        .find(|case| case.name == "every-keyword")
        .unwrap();
    let text = fs::read_to_string(case.directory.join(MAIN)).unwrap();
    let mut blocks: Vec<&str> = vec!["the top level"];
    let mut seen = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(&first) = words.first() else {
            continue;
        };
        match first {
            "}" => drop(blocks.pop()),
            _ => {
                seen.push((*blocks.last().unwrap(), first));
                if words.contains(&"{") && !words.contains(&"}") {
                    blocks.push(first);
                }
            }
        }
    }
    for keyword in keywords() {
        assert!(
            seen.contains(&(keyword.block, keyword.name)),
            "{} of {} has no case",
            keyword.name,
            keyword.block
        );
    }
}
