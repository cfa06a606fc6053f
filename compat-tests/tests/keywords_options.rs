//! Guard: every option within a line means something and is printed as it is read.
//!
//! The table is `cases/keywords/options.tsv`; that the real daemon agrees about each line is
//! `side_by_side_options`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use compat_tests::cases::{Case, read_text};
use compat_tests::options::{configuration, rows};
use keepalived_rs::conf::laws;

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
