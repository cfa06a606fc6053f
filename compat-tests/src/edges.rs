//! The ranges and defaults of the table of keywords, as lines that stand at their ends.
//!
//! Owns: what the texts of `src/conf/schema/keywords.tsv` say as numbers. Never does: judge what
//! comes out. Driven by: the guard that the table tells the truth, and the comparison with the real
//! daemon.

use keepalived_rs::conf::{Activity, keyword_facts};

/// A keyword with a number behind it.
#[derive(Debug, Clone)]
pub struct Edges {
    /// The block that takes it.
    pub block: &'static str,
    /// Its name.
    pub keyword: &'static str,
    /// The least and the largest value, and the next ones outside.
    pub least: Ends,
    /// The same above; not there where the range is open.
    pub largest: Option<Ends>,
    /// The value that goes without the keyword, if it is a plain number.
    pub default: Option<String>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// The last value that is in it.
    pub inside: String,
    /// The next one that is not.
    pub outside: String,
}

/// Decimals that count, in the unit of the smallest.
const MILLIONTHS: i64 = 1_000_000;

/// A decimal number in millionths.
fn millionths(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(sign * (whole * MILLIONTHS + fraction))
}

fn shown(millionths: i64) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let (whole, rest) = (millionths.abs() / MILLIONTHS, millionths.abs() % MILLIONTHS);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    format!(
        "{sign}{whole}.{}",
        format!("{rest:06}").trim_end_matches('0')
    )
}

/// The smallest unit that an end is told in: `0.001` is told in thousandths.
fn step(end: &str) -> i64 {
    let places = end.split_once('.').map_or(0, |(_, places)| places.len());
    let places = u32::try_from(places).unwrap_or(0);
    MILLIONTHS / 10_i64.pow(places)
}

/// `A to B`, `A and more`, `A or B`, with anything behind it.
fn ends(range: &str) -> Option<(Ends, Option<Ends>)> {
    let mut words = range.split([' ', ',', ';']);
    let (least, how, largest) = (words.next()?, words.next()?, words.next()?);
    let low = millionths(least)?;
    let least_ends = Ends {
        inside: least.to_owned(),
        outside: shown(low - step(least)),
    };
    match how {
        "to" | "or" => {
            let high = millionths(largest)?;
            let largest_ends = Ends {
                inside: largest.to_owned(),
                outside: shown(high + step(largest)),
            };
            Some((least_ends, Some(largest_ends)))
        }
        "and" => Some((least_ends, None)),
        _ => None,
    }
}

/// The number in a default: `3`, `0, which is off`, `that of the server or service, 60`.
fn default(text: &str) -> Option<String> {
    let parts = text.split(", ").map(str::trim);
    parts
        .filter(|part| millionths(part).is_some())
        .map(str::to_owned)
        .next()
}

/// Whether the number stands behind the keyword itself.
fn takes_a_number(words: &str) -> bool {
    let first = words.split_whitespace().next().unwrap_or_default();
    !words.contains('{') && !first.is_empty() && !first.starts_with("[tcp")
}

/// Every keyword that is read, whose range is one of numbers.
#[must_use]
pub fn edges() -> Vec<Edges> {
    let read = keyword_facts().filter(|facts| facts.activity() != Activity::Skipped);
    read.filter(|facts| takes_a_number(facts.words))
        .filter_map(|facts| {
            let (least, largest) = ends(facts.range)?;
            Some(Edges {
                block: facts.block,
                keyword: facts.name,
                least,
                largest,
                default: default(facts.default),
            })
        })
        .collect()
}
