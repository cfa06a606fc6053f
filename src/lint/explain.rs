//! `keepalived check --explain KEYWORD`.
//!
//! Owns: the form of the answer. The facts are those of the keyword table. Driven by: `main`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::conf::{Activity, KeywordFacts, keyword_facts, near_keyword};

/// How far this version goes with a keyword, in words.
const fn activity(facts: Activity) -> &'static str {
    match facts {
        Activity::Active => "active",
        Activity::Read => "read and checked, but not active in this version",
        Activity::Skipped => "not active in this version",
    }
}

/// Whose keyword it is.
const fn origin(ours: bool) -> &'static str {
    if ours {
        "this program; keepalived does not know it here"
    } else {
        "keepalived"
    }
}

/// What a keyword means in each block that takes it, for people; `None` if no block does.
#[must_use]
pub fn human(name: &str) -> Option<String> {
    let mut text = String::new();
    // Blocks that take it in the same way are told of together.
    for (blocks, facts) in grouped(name) {
        let _ = writeln!(text, "{name}, in {}", blocks.join(", "));
        let _ = writeln!(text, "    {}.", facts.meaning);
        let _ = writeln!(text, "    usage:    {}", facts.usage());
        for (title, value) in [("range:", facts.range), ("default:", facts.default)] {
            if !value.is_empty() {
                let _ = writeln!(text, "    {title:<9} {value}");
            }
        }
        let _ = writeln!(text, "    origin:   {}", origin(facts.ours));
        let _ = writeln!(text, "    state:    {}\n", activity(facts.activity()));
    }
    (!text.is_empty()).then_some(text)
}

fn grouped(name: &str) -> Vec<(Vec<&'static str>, KeywordFacts)> {
    let mut groups: Vec<(Vec<&'static str>, KeywordFacts)> = Vec::new();
    for facts in keyword_facts().filter(|facts| facts.name == name) {
        let same = |known: &KeywordFacts| {
            let alike = KeywordFacts {
                block: known.block,
                ..facts
            };
            alike == *known && known.activity() == facts.activity()
        };
        match groups.iter_mut().find(|(_, known)| same(known)) {
            Some((blocks, _)) => blocks.push(facts.place()),
            None => groups.push((vec![facts.place()], facts)),
        }
    }
    groups
}

#[derive(Serialize)]
struct Item {
    keyword: &'static str,
    blocks: Vec<&'static str>,
    meaning: &'static str,
    usage: String,
    range: &'static str,
    default: &'static str,
    origin: &'static str,
    state: &'static str,
}

/// The same as JSON.
#[must_use]
pub fn json(name: &str) -> Option<String> {
    let items: Vec<Item> = grouped(name)
        .into_iter()
        .map(|(blocks, facts)| Item {
            keyword: facts.name,
            blocks,
            meaning: facts.meaning,
            usage: facts.usage(),
            range: facts.range,
            default: facts.default,
            origin: origin(facts.ours),
            state: activity(facts.activity()),
        })
        .collect();
    if items.is_empty() {
        return None;
    }
    // Strings only: this cannot fail.
    Some(serde_json::to_string_pretty(&items).unwrap_or_default() + "\n")
}

/// What is said of a name that is no keyword.
#[must_use]
pub fn unknown(name: &str) -> String {
    match near_keyword(name) {
        Some(near) => format!("`{name}` is no keyword; did you mean `{near}`?\n"),
        None => format!("`{name}` is no keyword of any block\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a keyword of two blocks that differ, and one of many that do not. Output: a paragraph
    // for each kind.
    #[test]
    fn keywords_are_explained_by_block() {
        let text = human("inhibit_on_failure").unwrap();
        assert_eq!(text.matches("usage:").count(), 2, "{text}");
        let text = human("connect_ip").unwrap();
        assert!(text.contains("TCP_CHECK"), "{text}");
        let text = human("virtual_router_id").unwrap();
        assert!(
            text.contains("range:    1 to 255\n    default:  needed"),
            "{text}"
        );
        assert_eq!(human("bogus"), None);
        assert_eq!(
            unknown("vrrp_instanc"),
            "`vrrp_instanc` is no keyword; did you mean `vrrp_instance`?\n"
        );
        let json: serde_json::Value = serde_json::from_str(&json("priority").unwrap()).unwrap();
        assert_eq!(json[0]["blocks"][0], "vrrp_instance");
    }

    /// Words for which a range says which numbers they may be.
    const NUMBERS: [&str; 12] = [
        "SECONDS",
        "MILLISECONDS",
        "MICROSECONDS",
        "COUNT",
        "NUMBER",
        "PORT",
        "BYTES",
        "TTL",
        "PRIORITY",
        "WEIGHT",
        "NICE",
        "ID",
    ];

    // Input: every keyword. Output: what it means in words that stand alone, how it is written, the
    // range of its numbers, what goes without it, and whose it is.
    #[test]
    fn every_keyword_is_explained_whole() {
        let mut poor = Vec::new();
        for facts in keyword_facts() {
            let text = human(facts.name).unwrap();
            let block = facts.words.contains('{');
            let first = facts.words.trim_matches(['[', ']']).split(' ').next();
            let number = first.is_some_and(|word| NUMBERS.contains(&word.trim_matches(['[', ']'])));
            let leans = ["Its ", "Where to ", "Name there", "The name for that"];
            for (lacks, what) in [
                (facts.meaning.split(' ').count() < 2, "a meaning"),
                (facts.meaning.ends_with('.'), "no point at the end"),
                (
                    leans.iter().any(|lean| facts.meaning.starts_with(lean)),
                    "a meaning of its own",
                ),
                (number && facts.range.is_empty(), "a range"),
                (!block && facts.default.is_empty(), "a default"),
                (!text.contains(facts.meaning), "its meaning"),
                (!text.contains("    origin:   "), "an origin"),
                (
                    !text.contains(&format!("usage:    {}", facts.usage())),
                    "a usage",
                ),
            ] {
                if lacks {
                    poor.push(format!("{} in {} lacks {what}", facts.name, facts.block));
                }
            }
        }
        assert!(poor.is_empty(), "{}", poor.join("\n"));
    }
}
