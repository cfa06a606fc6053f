//! Files that nobody should have: each ends with a clear message, in time, and with what it meant.
//!
//! Input: bytes that are no UTF-8, CRLF, a BOM, NUL, no final line feed, unbalanced quotes and
//! braces, include loops, files that are huge, deep or expand without end.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keepalived_rs::conf::{
    Class, FileError, Files, HostFacts, LoadOptions, Loaded, Loader, Progress, load,
};

/// Nothing here may take longer, in a debug build on a busy machine.
const IN_TIME: Duration = Duration::from_secs(60);

struct Memory(BTreeMap<&'static str, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let name = path.to_str().unwrap_or_default();
        match name {
            "/huge.conf" => Err(FileError::TooLarge),
            _ => self.0.get(name).cloned().ok_or(FileError::Missing),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("/huge.conf") || self.0.contains_key(path.to_str().unwrap_or_default())
    }

    fn glob(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

struct Host;

impl HostFacts for Host {
    fn interface_exists(&self, _: &str) -> bool {
        true
    }
    fn node_name(&self) -> String {
        "node1".to_owned()
    }
    fn environment(&self, _: &str) -> Option<String> {
        None
    }
    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
}

fn read_files(main: &'static str, files: &Memory) -> Loaded {
    let began = Instant::now();
    let loaded = load(Path::new(main), LoadOptions::default(), files, &Host);
    assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
    loaded
}

fn read(bytes: &[u8]) -> Loaded {
    read_files(
        "/k.conf",
        &Memory(BTreeMap::from([("/k.conf", bytes.to_vec())])),
    )
}

/// The messages that keepalived has too.
fn said(loaded: &Loaded) -> Vec<String> {
    let real = loaded.diagnostics.iter();
    real.filter(|finding| finding.class != Class::Advice)
        .map(|finding| finding.to_string().replace("/k.conf: ", ""))
        .collect()
}

const PLAIN: &str = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    \
                     virtual_ipaddress {\n        192.0.2.1\n    }\n}\n";

// Input: the same configuration with CRLF, with a BOM, without the last line feed. Output: the same
// meaning and no complaint.
#[test]
fn ends_of_lines_and_the_begin_of_the_file_mean_nothing() {
    let expected = read(PLAIN.as_bytes());
    assert_eq!(said(&expected), [""; 0]);
    let crlf = PLAIN.replace('\n', "\r\n");
    let bom = format!("\u{feff}{PLAIN}");
    let cut = PLAIN.trim_end();
    for text in [&crlf, &bom, cut] {
        let loaded = read(text.as_bytes());
        assert_eq!(said(&loaded), [""; 0], "{text:?}");
        assert_eq!(loaded.config, expected.config, "{text:?}");
    }
}

// Input: bytes that are no text, in a name and as a keyword. Output: the name with its bytes; the
// keyword is unknown, with its line.
#[test]
fn bytes_that_are_no_utf8_are_bytes() {
    let mut bytes = PLAIN.replace("VI_1", "VI_\u{e9}").into_bytes();
    let at = bytes.iter().position(|byte| *byte == 0xc3).unwrap();
    bytes.remove(at);
    let loaded = read(&bytes);
    assert_eq!(said(&loaded), [""; 0]);
    assert_eq!(loaded.config.vrrp_instances.len(), 1);
    let loaded = read(b"\xff\xfe\n");
    assert_eq!(
        said(&loaded),
        ["(Line 1) Unknown keyword '\u{fffd}\u{fffd}'"]
    );
}

// Input: a line with NUL among good ones. Output: that line is named and dropped, no other.
#[test]
fn a_line_with_nul_is_dropped_alone() {
    let text = PLAIN.replace(
        "    interface eth0\n",
        "    interface eth0\n    prio\0rity 9\n",
    );
    let loaded = read(text.as_bytes());
    assert_eq!(
        said(&loaded),
        ["(Line 3) Line contains a NUL byte - ignoring"]
    );
    assert_eq!(loaded.config.vrrp_instances.len(), 1);
}

// Input: a quote and braces without their partners. Output: a message each, and no start is
// refused for it.
#[test]
fn what_is_not_balanced_is_named() {
    for (text, expected) in [
        ("global_defs {\n router_id \"a b\n}\n", "Unterminated quote"),
        (
            "global_defs {\n router_id a\n",
            "There are 1 missing '}'s or extra '{'s",
        ),
        ("global_defs {\n}\n}\n", "(Line 3) Extra '}' found"),
        ("{\n}\n", "(Line 1) Unexpected '{' - ignoring"),
        (
            "vrrp_instance a\nstate MASTER\n",
            "Missing '{' at beginning of configuration block",
        ),
    ] {
        let loaded = read(text.as_bytes());
        let said = said(&loaded);
        assert!(
            said.iter().any(|line| line.contains(expected)),
            "{text:?}: {said:#?}"
        );
        assert_eq!(loaded.diagnostics.exit_status(), 5, "{text:?}");
    }
}

// Input: a file that includes itself, and two that include each other. Output: one message for
// each place, and the rest of the file.
#[test]
fn include_loops_are_named_and_end() {
    let files = BTreeMap::from([
        (
            "/k.conf",
            b"include k.conf\ninclude a.conf\nuse_pid_dir\n".to_vec(),
        ),
        ("/a.conf", b"include b.conf\n".to_vec()),
        ("/b.conf", b"include a.conf\n".to_vec()),
    ]);
    let loaded = read_files("/k.conf", &Memory(files));
    let loops = said(&loaded);
    let count = loops
        .iter()
        .filter(|line| line.contains("is a loop"))
        .count();
    assert_eq!(count, 2, "{loops:#?}");
}

// Input: a file beyond the limit. Output: a refusal that says why.
#[test]
fn a_file_that_is_too_large_is_refused() {
    let loaded = read_files("/huge.conf", &Memory(BTreeMap::new()));
    let said = said(&loaded);
    assert!(
        said.iter().any(|line| line.contains("too large")),
        "{said:#?}"
    );
    assert_eq!(loaded.diagnostics.blocks_start(), Some(6));
}

// Input: 20,000 blocks in each other, a line of a megabyte, a megabyte of garbage. Output: an end,
// and no more findings than anybody reads.
#[test]
fn deep_long_and_senseless_files_end() {
    let deep = "a {\n".repeat(20_000);
    assert_eq!(read(deep.as_bytes()).diagnostics.exit_status(), 5);
    let long = format!("global_defs {{\n router_id {}\n}}\n", "x".repeat(1 << 20));
    let loaded = read(long.as_bytes());
    assert_eq!(
        loaded.config.global.router_id.map(|id| id.len()),
        Some(1 << 20)
    );
    let mut state = 1_u32;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(1 << 18)
    .collect();
    let loaded = read(&garbage);
    assert!(loaded.diagnostics.iter().count() <= 20_000);
}

// Input: definitions that double each other thirty times, and repetitions in each other. Output: an
// end with a message, and what stands behind them.
#[test]
fn what_expands_without_end_is_cut() {
    let mut text = String::from("$A0=x\n");
    for level in 1..=30 {
        text.push_str(&format!("$A{level}=${{A{0}}} ${{A{0}}}\n", level - 1));
    }
    text.push_str("y ${A30}\nuse_pid_dir\n");
    let loaded = read(text.as_bytes());
    let said = said(&loaded);
    assert!(
        said.iter().any(|line| line.contains("expands to too much")),
        "{said:#?}"
    );
    assert!(loaded.config.global.process.pid_directory);
}

// Input: one line that makes 30,000. Output: no slice of reading holds more than it was asked for,
// and the same meaning as in one piece.
#[test]
fn a_line_that_makes_thousands_is_read_in_slices() {
    let text = "virtual_server 192.0.2.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n \
                ~SEQ(A,100) ~SEQ(B,100) real_server 10.0.${A}.${B} 80 { weight 2 }\n}\n";
    let files = Memory(BTreeMap::from([("/k.conf", text.as_bytes().to_vec())]));
    let mut loader = Loader::new(Path::new("/k.conf"), LoadOptions::default());
    let mut slices = 0;
    while loader.step(&files, &Host, 100) == Progress::More {
        slices += 1;
    }
    let loaded = loader.finish();
    assert_eq!(loaded.config, read(text.as_bytes()).config);
    assert_eq!(loaded.config.virtual_servers[0].real_servers.len(), 10_000);
    // Ten thousand lines by hundreds, and as many servers.
    assert!(slices >= 190, "{slices} slices");
}
