//! Guard: every feature of services and checks is tried beside the real daemon, or somewhere else.
//!
//! Owns: which blocks and words make those features. Each keyword of them has to be in a
//! configuration of `cases/ipvs`, which both daemons run with on a real IPVS kernel, in the block that
//! it belongs to; so has each scheduler, method and kind of tunnel. What is not there stands in
//! `cases/conformance/services.tsv` with the test that tries it and the reason. Never runs anything.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use keepalived_rs::conf::{Activity, keyword_facts};

/// Blocks of services and checks.
const BLOCKS: [&str; 17] = [
    "virtual_server",
    "virtual_server_group",
    "real_server",
    "TCP_CHECK",
    "HTTP_GET",
    "SSL_GET",
    "url",
    "SMTP_CHECK",
    "host",
    "DNS_CHECK",
    "UDP_CHECK",
    "PING_CHECK",
    "FILE_CHECK",
    "MISC_CHECK",
    "BFD_CHECK",
    "SSL",
    "CHECKS",
];

/// What all checks have in common counts once, as `check KEYWORD`; so does what both that ask for pages
/// have, as `HTTP_GET KEYWORD`.
const COMMON: [&str; 14] = [
    "alpha",
    "bind_if",
    "bind_port",
    "bindto",
    "connect_ip",
    "connect_port",
    "connect_timeout",
    "delay_before_retry",
    "delay_loop",
    "fwmark",
    "log_all_failures",
    "nb_get_retry",
    "retry",
    "warmup",
];
const OF_TLS: [&str; 3] = ["enable_sni", "sni_name", "tls_compliant"];

/// The block under which a keyword of a block counts.
fn counted<'a>(block: &'a str, keyword: &str) -> &'a str {
    let check = block.ends_with("_CHECK") || block.ends_with("_GET") || block == "host";
    match block {
        _ if check && COMMON.contains(&keyword) => "check",
        "SSL_GET" if !OF_TLS.contains(&keyword) => "HTTP_GET",
        "HTTP_GET" if OF_TLS.contains(&keyword) => "SSL_GET",
        other => other,
    }
}

/// What settings of these beginnings concern, among those of the whole daemon.
const GLOBAL: [&str; 8] = [
    "lvs_",
    "checker_log_all",
    "nftables_ipvs",
    "nftables_ipvs_",
    "rs_init_notifies",
    "smtp_alert_checker",
    "smtp_connection",
    "smtp_helo",
];

/// Words that are features of their own, with the keywords that they may follow.
const WORDS: [(&[&str], &[&str]); 3] = [
    (
        &["lb_algo", "lvs_sched"],
        &[
            "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq",
        ],
    ),
    (&["lb_kind", "lvs_method"], &["NAT", "DR", "TUN"]),
    (&["type"], &["ipip", "gue", "gre"]),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cases")
        .join(name)
}

/// What the cases use: block, keyword, and the words behind it.
fn used() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut used: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir(folder("ipvs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "conf") {
            continue;
        }
        let mut open: Vec<String> = Vec::new();
        for line in fs::read_to_string(path).unwrap().lines() {
            let line = line.split(['#', '!']).next().unwrap_or_default();
            let line = line.replace('{', " { ").replace('}', " } ");
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut first: Option<&str> = None;
            for word in words {
                match word {
                    "{" => open.push(first.take().unwrap_or("?").to_owned()),
                    "}" => {
                        open.pop();
                        first = None;
                    }
                    word => match first {
                        None => {
                            first = Some(word);
                            let block = open.last().cloned().unwrap_or_default();
                            used.entry((block, word.to_owned())).or_default();
                        }
                        Some(keyword) => {
                            let block = open.last().cloned().unwrap_or_default();
                            let words = used.entry((block, keyword.to_owned())).or_default();
                            words.insert(word.to_owned());
                        }
                    },
                }
            }
        }
    }
    used
}

/// The features that there are, as `block keyword` or `word`.
fn features() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = keyword_facts()
        .filter(|facts| facts.activity() == Activity::Active)
        .filter(|facts| {
            let of_services = GLOBAL.iter().any(|begin| facts.name.starts_with(begin));
            BLOCKS.contains(&facts.block) || (facts.block == "global_defs" && of_services)
        })
        .map(|facts| format!("{} {}", counted(facts.block, facts.name), facts.name))
        .collect();
    all.extend(
        WORDS
            .iter()
            .flat_map(|(_, words)| words.iter().map(|word| (*word).to_owned())),
    );
    all
}

fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            let functions = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("fn "));
            let name = |line: &str| line.split(['(', '<']).next().unwrap_or_default().to_owned();
            names.extend(functions.map(name));
        }
    }
    names
}

#[test]
fn every_feature_of_services_is_tried() {
    let used = used();
    let text = fs::read_to_string(folder("conformance").join("services.tsv")).unwrap();
    let tests = tests();
    let mut wrong = Vec::new();
    let mut elsewhere = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [feature, test, reason] = line.split('\t').collect::<Vec<_>>()[..] else {
            wrong.push(format!("not three columns: {line}"));
            continue;
        };
        if !tests.contains(test) {
            wrong.push(format!("{feature}: there is no test {test}"));
        }
        if reason.is_empty() {
            wrong.push(format!("{feature}: no reason"));
        }
        elsewhere.insert(feature.to_owned());
    }
    let features = features();
    for feature in &features {
        let beside = match feature.split_once(' ') {
            Some((block, keyword)) => used.keys().any(|(place, word)| {
                let place = counted(place, word);
                word == keyword && (place == block || keyword.starts_with(block))
            }),
            None => WORDS
                .iter()
                .filter(|(_, words)| words.contains(&feature.as_str()))
                .any(|(keywords, _)| {
                    used.iter().any(|((_, keyword), words)| {
                        words.contains(feature)
                            && (keywords.contains(&keyword.as_str())
                                || feature.starts_with('g')
                                || feature == "ipip")
                    })
                }),
        };
        match (beside, elsewhere.contains(feature)) {
            (true, true) => wrong.push(format!("{feature}: is in cases/ipvs by now")),
            (false, false) => wrong.push(format!("{feature}: is tried nowhere")),
            (true, false) | (false, true) => {}
        }
    }
    for feature in elsewhere.difference(&features) {
        wrong.push(format!("{feature}: there is no such feature"));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
