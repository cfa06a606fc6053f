//! What each keyword is, for people: words, range, default, meaning.
//!
//! Owns: the facts beside the rows of the tables, in `keywords.tsv`: blocks, keyword, words behind
//! it, their range, default, meaning, separated by tabs, and `ours` behind them where keepalived
//! does not know the keyword. Messages, `check --explain` and the manual page read them; tests
//! demand one for each row and no other. Never does: decide what is accepted. Driven by: `bind` and
//! `lint`.

use super::{Level, nearest, pending, row};

/// One keyword in one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeywordFacts {
    /// Its name.
    pub name: &'static str,
    /// The block that takes it; `-` is the top level.
    pub block: &'static str,
    /// What follows it; empty if nothing does.
    pub words: &'static str,
    /// The range of that; empty if there is none to tell.
    pub range: &'static str,
    /// What goes without it; empty if nothing does, `needed` if it has to be there.
    pub default: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// keepalived does not know it.
    pub ours: bool,
}

/// How far this version goes with a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// It does what it says.
    Active,
    /// It is read and checked, and nothing comes of it.
    Read,
    /// It is known and skipped.
    Skipped,
}

static TABLE: &str = include_str!("keywords.tsv");

/// Every keyword in every block that takes it.
pub fn all() -> impl Iterator<Item = KeywordFacts> {
    TABLE.lines().flat_map(|line| {
        let mut fields = line.split('\t');
        let mut next = move || fields.next().unwrap_or_default();
        let blocks = next();
        let facts = KeywordFacts {
            name: next(),
            block: "",
            words: next(),
            range: next(),
            default: next(),
            meaning: next(),
            ours: next() == "ours",
        };
        blocks
            .split(',')
            .map(move |block| KeywordFacts { block, ..facts })
    })
}

/// The facts of a keyword in a block.
pub(in super::super) fn of(level: Level, name: &str) -> Option<KeywordFacts> {
    let block = block_of(level);
    all().find(|facts| facts.name == name && facts.block == block)
}

fn block_of(level: Level) -> &'static str {
    match level {
        Level::Root => "-",
        _ => level.name(),
    }
}

impl KeywordFacts {
    /// The block as an operator calls it.
    #[must_use]
    pub fn place(&self) -> &'static str {
        if self.block == "-" {
            Level::Root.name()
        } else {
            self.block
        }
    }

    /// The keyword with what follows it.
    #[must_use]
    pub fn usage(&self) -> String {
        if self.words.is_empty() {
            self.name.to_owned()
        } else {
            format!("{} {}", self.name, self.words)
        }
    }

    /// What would have been right, in one line.
    #[must_use]
    pub fn expected(&self) -> String {
        let mut text = format!("expected `{}`", self.usage());
        if !self.range.is_empty() {
            text.push_str(&format!(", {}", self.range));
        }
        if !matches!(self.default, "" | "needed") {
            text.push_str(&format!("; default: {}", self.default));
        }
        text
    }

    /// How far this version goes with it.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let block = match self.block {
            // The older name of the same block.
            "vrrp_track_file" => "track_file",
            block => block,
        };
        let levels = Level::ALL.into_iter().filter(|l| block_of(*l) == block);
        levels
            .map(|level| {
                if row(level.table(), self.name).is_some() {
                    Activity::Active
                } else if pending(level, self.name).is_some() {
                    Activity::Read
                } else {
                    Activity::Skipped
                }
            })
            .min()
            .unwrap_or(Activity::Skipped)
    }
}

/// The keyword meant by a name that is none.
#[must_use]
pub fn near(name: &str) -> Option<&'static str> {
    Level::ALL
        .into_iter()
        .find_map(|level| nearest(level, name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Form, find, names};
    use super::*;

    /// A block that has a level under another name.
    const SKIPPED_BLOCKS: [&str; 1] = ["vrrp_track_file"];

    // Input: the tables. Output: facts for each row, and no facts of a keyword that is in no table.
    #[test]
    fn each_keyword_has_facts_and_the_other_way_round() {
        let facts: BTreeSet<(&str, &str)> = all().map(|facts| (facts.block, facts.name)).collect();
        let mut wrong = Vec::new();
        for level in Level::ALL {
            for name in names(level) {
                let obsolete = matches!(find(level, name), Some(Form::Obsolete(_)));
                let known = facts.contains(&(block_of(level), name));
                if known == obsolete {
                    wrong.push(format!("{name} of {}, obsolete: {obsolete}", level.name()));
                }
            }
        }
        for (block, name) in facts {
            let mut levels = Level::ALL.into_iter().filter(|l| block_of(*l) == block);
            let known = levels.any(|level| find(level, name).is_some());
            if !known && !SKIPPED_BLOCKS.contains(&block) {
                wrong.push(format!("{name} of {block} is in no table"));
            }
        }
        assert!(wrong.is_empty(), "keywords.tsv: {wrong:#?}");
    }

    #[test]
    fn each_row_is_complete_and_stands_once() {
        let mut seen = BTreeSet::new();
        for line in TABLE.lines() {
            let fields = line.split('\t').count();
            assert!(
                fields == 6 || fields == 7 && line.ends_with("\tours"),
                "{line}"
            );
        }
        for facts in all() {
            assert!(seen.insert((facts.block, facts.name)), "{facts:?}");
            assert!(!facts.meaning.is_empty(), "{facts:?}");
        }
        assert!(seen.len() > 500, "{}", seen.len());
    }

    #[test]
    fn what_would_have_been_right_is_one_line() {
        let priority = of(Level::Instance, "priority").unwrap();
        assert_eq!(
            priority.expected(),
            "expected `priority PRIORITY`, 1 to 255; default: 100, or 255 with state MASTER"
        );
        assert_eq!(priority.activity(), Activity::Active);
        assert_eq!(near("prioritty"), Some("priority"));
    }
}
