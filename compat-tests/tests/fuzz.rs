//! The laws of `conf::laws` over mutated files: of the seeds in `fuzz/seeds` and of the cases.
//!
//! An ordinary run takes a hundred inputs a law, always the same ones. `KEEPALIVED_FUZZ_SECONDS`
//! makes it go on with others for so long a law; what fails is printed, with the input.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use compat_tests::cases::{Case, MAIN};
use keepalived_rs::base::Rng;
use keepalived_rs::conf::{keyword_facts, laws};

/// Inputs a law in an ordinary run.
const USUAL: usize = 100;
/// Larger inputs than this find nothing that smaller ones do not.
const LARGEST: usize = 4096;
/// What the language is made of, beside its keywords.
const WORDS: [&str; 30] = [
    "{",
    "}",
    "\"",
    "\n",
    " ",
    "\t",
    "#",
    "!",
    "\\",
    "\\\n",
    "\r\n",
    "\0",
    "$A=",
    "$A",
    "${A}",
    "${_PWD}",
    "${_RANDOM 1 2}",
    "~SEQ(A,1,3) ",
    "~SEQx(A,9,11) ",
    "~LST({A,B},{1,2}) ",
    "@node1 ",
    "@^x ",
    "include /k.conf\n",
    "\u{feff}",
    "\u{a0}",
    "-1",
    "4294967296",
    "0.5",
    "192.0.2.1/24",
    "2001:db8::1",
];

type Law = fn(&[u8]) -> Result<(), String>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pick(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length.max(1) as u64)).unwrap()
}

/// A range of a text that has at most `most` bytes.
fn range(rng: &mut Rng, length: usize, most: usize) -> std::ops::Range<usize> {
    let start = pick(rng, length + 1);
    start..(start + pick(rng, most)).min(length)
}

/// Another input, not far from one of the seeds.
fn mutated(rng: &mut Rng, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = seeds[pick(rng, seeds.len())].clone();
    for _ in 0..=pick(rng, 8) {
        match rng.below(6) {
            0 => {
                let at = pick(rng, bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            1 => drop(bytes.drain(range(rng, bytes.len(), 40))),
            2 => {
                let copy = bytes[range(rng, bytes.len(), 80)].to_vec();
                let at = pick(rng, bytes.len() + 1);
                bytes.splice(at..at, copy);
            }
            3 => {
                let other = &seeds[pick(rng, seeds.len())];
                let part = other[range(rng, other.len(), 200)].to_vec();
                let at = pick(rng, bytes.len() + 1);
                bytes.splice(at..at, part);
            }
            _ => {
                let word = words[pick(rng, words.len())];
                let at = pick(rng, bytes.len() + 1);
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    bytes.truncate(LARGEST);
    bytes
}

fn seeds(law: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut names: Vec<_> = fs::read_dir(folder.join(law))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let mut seeds: Vec<Vec<u8>> = names.iter().map(|name| fs::read(name).unwrap()).collect();
    if !matches!(law, "grammar" | "values") {
        for group in ["config", "diagnostics"] {
            let cases = Case::all(group).into_iter();
            seeds.extend(cases.filter_map(|case| fs::read(case.directory.join(MAIN)).ok()));
        }
    }
    seeds
}

fn hold(name: &str, law: Law) {
    let seeds = seeds(name);
    let words: Vec<&str> = keyword_facts()
        .map(|facts| facts.name)
        .chain(WORDS)
        .collect();
    let longer = std::env::var("KEEPALIVED_FUZZ_SECONDS").ok();
    let longer = longer.map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let began = Instant::now();
    let seed = longer.map_or(1, |_| {
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap().as_nanos() & 0xffff_ffff).unwrap()
    });
    let mut rng = Rng::new(seed);
    let mut count = 0;
    while longer.map_or(count < USUAL, |longer| began.elapsed() < longer) {
        let bytes = match seeds.get(count) {
            Some(seed) => seed.clone(),
            None => mutated(&mut rng, &seeds, &words),
        };
        count += 1;
        let input = || format!("{name}, seed {seed}, input {count}:\n{:?}", text(&bytes));
        match catch_unwind(|| law(&bytes)) {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => panic!("{}\n{broken}", input()),
            Err(_) => panic!("{}", input()),
        }
    }
    println!("{name}: {count} inputs");
}

#[test]
fn any_input_is_read_alike_in_every_way() {
    hold("reader", laws::reader);
}

#[test]
fn any_input_comes_to_one_configuration() {
    hold("binder", laws::binder);
}

#[test]
fn what_is_understood_is_printed_and_read_again() {
    hold("printer", laws::printer);
}

#[test]
fn every_rule_takes_any_input() {
    hold("grammar", |bytes| laws::grammar(&text(bytes)));
}

#[test]
fn no_input_makes_a_value_out_of_range() {
    hold("values", |bytes| laws::values(&text(bytes)));
}
