//! What holds of any input, as functions that property tests and fuzzers drive alike.
//!
//! Owns: the laws of the reader, of the grammar's entry rules, of the binder, of values and of the
//! printer. Never does: run in a daemon. Driven by: the property tests of this module and the
//! targets in `compat-tests/fuzz`.

use std::path::{Path, PathBuf};

use super::ast::{Kind, Slice, Store};
use super::diag::{Class, Diagnostic};
use super::include::{self, Demanded};
use super::model::{
    CheckDefaults, Config, GroupEntry, ProbeKind, RealServer, ServerPolicy, ServicePolicy,
};
use super::reader::{self, Context, Reader};
use super::source::{FileError, Files, HostFacts, Link, to_bytes, to_text};
use super::{LoadOptions, Loaded, Loader, Progress, inspect, load, print, render, syntax};
use crate::base::{Duration, Family, Shared};

/// What did not hold, with the input cut down to what matters.
pub type Law = Result<(), String>;

/// The name of the one file that there is.
const MAIN: &str = "/k.conf";

/// One file; everything else is missing.
struct One<'a>(&'a [u8]);

impl Files for One<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        if path == Path::new(MAIN) {
            Ok(self.0.to_vec())
        } else {
            Err(FileError::Missing)
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new(MAIN)
    }

    fn glob(&self, _: &Path) -> Vec<PathBuf> {
        vec![PathBuf::from(MAIN)]
    }
}

/// A host that has what is asked for.
struct Anywhere;

impl HostFacts for Anywhere {
    // Names that instances give to their own links are free.
    fn link(&self, _: &str) -> Option<Link> {
        None
    }

    fn interface_exists(&self, _: &str) -> bool {
        true
    }

    fn node_name(&self) -> String {
        "node1".to_owned()
    }

    fn environment(&self, name: &str) -> Option<String> {
        (name == "SITE").then(|| "paris".to_owned())
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
}

fn read(bytes: &[u8]) -> Loaded {
    load(
        Path::new(MAIN),
        LoadOptions::default(),
        &One(bytes),
        &Anywhere,
    )
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, one: &T, other: &T) -> Law {
    if one == other {
        Ok(())
    } else {
        // Where they part; the whole of both would be pages.
        let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
        let same = one
            .lines()
            .zip(other.lines())
            .take_while(|(a, b)| a == b)
            .count();
        let part = |text: &str| -> String {
            text.lines()
                .skip(same.saturating_sub(3))
                .take(8)
                .collect::<Vec<_>>()
                .join("\n")
        };
        Err(format!("{what}:\n{}\nis not\n{}", part(&one), part(&other)))
    }
}

/// Every entry rule of the grammar takes any text whole, and what it cuts out lies within it.
///
/// # Errors
/// A piece that does not.
pub fn grammar(text: &str) -> Law {
    let mut outside = None;
    let mut check = |piece: &syntax::Piece| {
        let (start, end) = reader::extent(*piece);
        if start > end || text.get(start..end).is_none() {
            outside = Some(format!("{start}..{end} is no part of {text:?}"));
        }
    };
    syntax::chunk(text, |piece| {
        check(&piece);
        true
    });
    syntax::statement(text, |piece| check(&piece));
    syntax::physical(text);
    syntax::directive(text);
    syntax::references(text);
    outside.map_or(Ok(()), Err)
}

/// The logical lines of a text, and what was found.
fn logical(bytes: &[u8], careful: bool, slice_size: usize) -> (Vec<String>, Vec<Diagnostic>) {
    let mut reader = Reader::new("node1".to_owned(), 1, false);
    reader.careful = careful;
    let mut cx = Context {
        files: &One(bytes),
        facts: &Anywhere,
        slice: Slice::default(),
        findings: Vec::new(),
    };
    let demanded = Demanded {
        matched: false,
        readable: true,
    };
    include::open(&mut reader, &mut cx, None, PathBuf::from(MAIN), demanded);
    let mut lines = Vec::new();
    loop {
        cx.slice.clear();
        let more = reader.fill(&mut cx, slice_size);
        for line in &cx.slice.lines {
            let store = match line.store {
                Store::File => reader
                    .sources
                    .get(line.source.0 as usize)
                    .map_or("", |s| &s.text),
                Store::Arena | Store::Expanded => &cx.slice.text,
            };
            let words = cx.slice.words(line).iter();
            let words: Vec<&str> = words
                .map(|word| {
                    store
                        .get(word.start as usize..word.end as usize)
                        .unwrap_or("?")
                })
                .collect();
            lines.push(match line.kind {
                Kind::Text => format!("{}:{}", line.number, words.join("|")),
                Kind::Open => format!("{}:{{", line.number),
                Kind::Close => format!("{}:}}", line.number),
            });
        }
        if !more {
            break;
        }
    }
    let findings = cx.findings.into_iter().map(|(_, finding)| finding);
    (lines, findings.collect())
}

/// Any bytes can be read; the fast way, the rules line by line, and slices of any size come to the
/// same lines and findings.
///
/// # Errors
/// The first difference.
pub fn reader(bytes: &[u8]) -> Law {
    let text = to_text(bytes.to_vec());
    if !bytes.contains(&b'\r') {
        equal("bytes", &&*to_bytes(&text), &bytes)?;
    }
    let fast = logical(bytes, false, 10_000);
    equal("line by line", &fast, &logical(bytes, true, 10_000))?;
    equal("in slices", &fast, &logical(bytes, false, 1))
}

/// Any bytes come to a configuration and findings, each of which can be shown; at once, in steps
/// and with the outline kept it is the same one, and a running daemon keeps what it has if the
/// structure is broken.
///
/// # Errors
/// The first difference.
pub fn binder(bytes: &[u8]) -> Law {
    let whole = read(bytes);
    for finding in &whole.diagnostics {
        if render(finding, false).is_empty() || render(finding, true).is_empty() {
            return Err(format!("nothing is shown of {finding:?}"));
        }
    }
    let mut loader = Loader::new(Path::new(MAIN), LoadOptions::default());
    while loader.step(&One(bytes), &Anywhere, 1) == Progress::More {}
    equal("in steps", &whole, &loader.finish())?;
    let options = LoadOptions::default();
    let (kept, outline) = inspect(Path::new(MAIN), options, &One(bytes), &Anywhere);
    equal("with its outline", &whole, &kept)?;
    for statement in outline.all() {
        for (index, word) in outline.words(statement).iter().enumerate() {
            let Some(span) = outline.span(statement, index) else {
                return Err(format!("{word:?} is nowhere"));
            };
            if span.text.get(span.columns.clone()).is_none() {
                return Err(format!("{span:?} is outside of its line"));
            }
        }
    }
    in_range(&whole.config)
}

/// A word where numbers, times, addresses and ranges are expected never makes a value out of
/// range.
///
/// # Errors
/// The value.
pub fn values(word: &str) -> Law {
    let word: String = word
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !"{}\"#!$@~\\".contains(*c))
        .collect();
    let text = format!(
        "global_defs {{\n vrrp_garp_master_delay {word}\n vrrp_garp_interval {word}\n}}\n\
         vrrp_script s {{\n script /bin/true\n interval {word}\n weight {word}\n rise {word}\n}}\n\
         vrrp_instance V {{\n interface eth0\n virtual_router_id 1\n virtual_router_id {word}\n \
         priority {word}\n advert_int {word}\n preempt_delay {word}\n garp_master_repeat {word}\n \
         virtual_ipaddress {{\n {word}\n {word}/{word}\n 192.0.2.1 brd {word}\n \
         192.0.2.1/{word} label {word}\n }}\n}}\n\
         virtual_server_group G {{\n {word} 80\n 192.0.2.1-{word} {word}\n fwmark {word}\n}}\n\
         virtual_server {word} {word} {{\n}}\nvirtual_server 192.0.2.1 80 {{\n delay_loop {word}\n \
         persistence_timeout {word}\n persistence_granularity {word}\n quorum {word}\n \
         hysteresis {word}\n protocol tcp\n lb_algo {word}\n lb_kind DR\n \
         real_server {word} {word} {{\n}}\n real_server 192.0.2.2 80 {{\n weight {word}\n \
         retry {word}\n TCP_CHECK {{\n connect_ip {word}\n connect_port {word}\n \
         connect_timeout {word}\n warmup {word}\n fwmark {word}\n }}\n }}\n}}\n"
    );
    in_range(&read(text.as_bytes()).config)
}

/// Whether every value of a model is one that its documentation allows.
fn in_range(config: &Config) -> Law {
    let wrong = |what: &str, value: &dyn std::fmt::Debug| Err(format!("{what} is {value:?}"));
    for instance in &config.vrrp_instances {
        if instance.priority.0 == 0 {
            return wrong("priority", &instance.priority);
        }
        let interval = instance.advert_interval;
        if interval.is_zero() || interval.as_secs() > 255 {
            return wrong("advert_int", &interval);
        }
        if instance.garp.repeat == 0 {
            return wrong("garp_master_repeat", &instance.garp.repeat);
        }
        for address in &instance.addresses {
            let family = Family::of(address.address);
            if family != instance.family || address.prefix_len > family.bits() {
                return wrong("address", address);
            }
            if address
                .label
                .as_ref()
                .is_some_and(|label| to_bytes(label).len() > 15)
            {
                return wrong("label", address);
            }
        }
    }
    for group in &config.server_groups {
        for entry in &group.entries {
            if let GroupEntry::Addresses { first, last, .. } = entry
                && (first > last || Family::of(*first) != Family::of(*last))
            {
                return wrong("range", entry);
            }
        }
    }
    for service in &config.virtual_servers {
        // Where all weights are 0 no quorum is left.
        let weights = service
            .real_servers
            .iter()
            .map(|server| u64::from(server.weight));
        let (quorum, hysteresis) = (service.policy.quorum, service.policy.hysteresis);
        if quorum == 0 && weights.sum::<u64>() > 0 || hysteresis > 0 && hysteresis >= quorum {
            return wrong("quorum", &service.policy);
        }
        let bits = service.family.bits();
        if service
            .persistence
            .is_some_and(|p| p.granularity > bits || p.timeout.is_zero())
        {
            return wrong("persistence", &service.persistence);
        }
        for server in &service.real_servers {
            if server.weight > i32::MAX.unsigned_abs() {
                return wrong("weight", &server.weight);
            }
        }
    }
    Ok(())
}

/// What a model is printed as means that model again.
///
/// # Errors
/// The text, and what it means instead.
pub fn print_and_read(config: &Config) -> Law {
    let text = print(config);
    let mut again = read(&to_bytes(&text));
    again.config.files.clone_from(&config.files);
    equal(
        &format!("the model, printed as\n{text}"),
        &meaning(config),
        &meaning(&again.config),
    )
    .map_err(|error| {
        let found: Vec<String> = again.diagnostics.iter().map(ToString::to_string).collect();
        format!("{error}\n{}", found.join("\n"))
    })
}

/// The configuration without what tells where a value was inherited from: whoever inherits has it.
fn meaning(config: &Config) -> Config {
    fn service(policy: &mut ServicePolicy, servers: &mut [Shared<RealServer>]) {
        policy.checks = CheckDefaults::NONE;
        policy.inhibit = false;
        for server in servers {
            if let Some(policy) = &mut server.policy {
                policy.checks = CheckDefaults::NONE;
            }
            server
                .policy
                .take_if(|policy| **policy == ServerPolicy::default());
            // A program connects to nothing.
            for probe in &mut server.probes {
                if matches!(probe.kind, ProbeKind::Misc(_)) {
                    probe.connect.connect_timeout = Duration::ZERO;
                }
            }
        }
    }
    let mut config = config.clone();
    for one in &mut config.virtual_servers {
        let one = &mut **one;
        service(&mut one.policy, &mut one.real_servers);
    }
    config
}

/// A text with which nothing is wrong is printed and read again as what it means.
///
/// # Errors
/// The difference.
pub fn printer(bytes: &[u8]) -> Law {
    let loaded = read(bytes);
    let fine = |finding: &Diagnostic| finding.class == Class::Advice;
    if !loaded.diagnostics.iter().all(fine) {
        return Ok(());
    }
    print_and_read(&loaded.config)
}

/// How often a property is tried: `usual` times, or as often as `PROPTEST_CASES` says.
#[cfg(test)]
pub(super) fn cases(usual: u32) -> proptest::test_runner::Config {
    let config = proptest::test_runner::Config {
        // What failed is in the message; nothing is written beside the sources.
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => proptest::test_runner::Config {
            cases: usual,
            ..config
        },
    }
}
