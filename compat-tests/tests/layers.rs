//! Guard of the walls: reads the sources and fails when one of them is breached.
//!
//! Owns: who may import whom, which words pure layers never use, where `unsafe` and the clock may be,
//! how long a file may get, and that no file names the machine it was written on. Never does: compile
//! or run the code. Each rule is a function from a source text to complaints; its tests show it bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file in lines; what is longer has a seam somewhere.
const MAX_LINES: usize = 800;

/// The domains: each a value of its own, none knows of another.
const DOMAINS: [&str; 7] = ["vrrp", "check", "ipvs", "iface", "notify", "track", "bfd"];

/// What each layer may import, as path prefixes below `crate::`. A layer may always import itself.
fn allowed(layer: &str) -> Option<&'static [&'static str]> {
    Some(match layer {
        "base" => &[],
        "wire" | "conf" => &["base"],
        "ops" => &["base", "wire"],
        domain if DOMAINS.contains(&domain) => &["base", "wire", "ops", "conf::model"],
        "node" => &[
            "base",
            "ops",
            "conf::model",
            "conf::diff",
            "vrrp",
            "check",
            "ipvs",
            "iface",
            "notify",
            "track",
            "bfd",
        ],
        "report" => &["base", "conf::model", "node::snapshot"],
        "lint" => &["base", "conf"],
        "host" => &["base", "wire", "ops", "conf", "lint", "node", "report"],
        "cli" => &["base", "conf"],
        _ => return None,
    })
}

/// Layers that may touch the system; all others are pure.
const IMPURE: [&str; 4] = ["host", "cli", "main", "lib"];

/// Words (paths, as token sequences) that pure layers never use.
const BANNED: [&[&str]; 17] = [
    &["std", "time", "Instant"],
    &["SystemTime"],
    &["TcpStream"],
    &["TcpListener"],
    &["UdpSocket"],
    &["std", "process"],
    &["std", "fs"],
    &["std", "env"],
    &["mio"],
    &["libc"],
    &["nix"],
    &["socket2"],
    &["rand"],
    &["std", "thread"],
    &["thread_local"],
    &["RefCell"],
    &["println"],
];

/// Words that read a monotonic clock.
const CLOCK: [&[&str]; 2] = [&["Instant", "now"], &["clock_gettime"]];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// Cuts a source into words and marks, without comments, strings, characters and lifetimes.
/// `::` is one mark.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let start = i;
        let word = |c: char| c.is_alphanumeric() || c == '_';
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => i = end_of_block_comment(&chars, i),
            '"' => i = end_of_string(&chars, i),
            'r' | 'b' | 'c' if raw_string(&chars, i).is_some() => {
                i = raw_string(&chars, i).unwrap_or(i + 1);
            }
            '\'' => i = end_of_quote(&chars, i),
            c if word(c) => {
                while word(at(i)) {
                    i += 1;
                }
                let text = chars[start..i].iter().collect();
                found.push(Token { text, line });
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                let text = "::".to_owned();
                found.push(Token { text, line });
            }
            c => {
                i += 1;
                if !c.is_whitespace() {
                    let text = c.to_string();
                    found.push(Token { text, line });
                }
            }
        }
        line += chars[start..i].iter().filter(|&&c| c == '\n').count();
    }
    found
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0_usize, start);
    while i < chars.len() {
        match chars.get(i..i + 2) {
            Some(['/', '*']) => (depth, i) = (depth + 1, i + 2),
            Some(['*', '/']) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// The end of a raw or prefixed string that starts at `start`, if one does.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    if start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_') {
        return None;
    }
    let mut i = start;
    let mut raw = false;
    while matches!(chars.get(i), Some('r' | 'b' | 'c')) && i < start + 2 {
        raw |= chars[i] == 'r';
        i += 1;
    }
    let first_hash = i;
    while raw && chars.get(i) == Some(&'#') {
        i += 1;
    }
    let hashes = i - first_hash;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    if !raw {
        return Some(end_of_string(chars, i));
    }
    i += 1;
    while i < chars.len() {
        let closes =
            chars[i] == '"' && chars[i + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
        i += 1;
        if closes {
            return Some(i + hashes);
        }
    }
    Some(i)
}

/// The end of a character or lifetime that starts at `start`.
fn end_of_quote(chars: &[char], start: usize) -> usize {
    if chars.get(start + 1) == Some(&'\\') {
        let mut i = start + 3;
        while i < chars.len() && chars[i] != '\'' {
            i += 1;
        }
        return (i + 1).min(chars.len());
    }
    if chars.get(start + 2) == Some(&'\'') {
        return start + 3;
    }
    start + 1
}

/// The tokens without what only tests compile: items behind `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let here = &tokens[i..];
        if here.len() > marker.len() && here.iter().zip(marker).all(|(t, m)| t.text == m) {
            i += marker.len();
            // To the end of the item: a `;` or the brace that closes its body.
            let mut depth = 0_usize;
            while let Some(token) = tokens.get(i) {
                i += 1;
                match token.text.as_str() {
                    "{" => depth += 1,
                    "}" if depth == 1 => break,
                    "}" => depth -= 1,
                    ";" if depth == 0 => break,
                    _ => {}
                }
            }
        } else {
            kept.push(tokens[i].clone());
            i += 1;
        }
    }
    kept
}

/// Every path below `crate::`, groups flattened, from the tokens of the module at `module`.
fn crate_paths(tokens: &[Token], module: &[String]) -> Vec<(Vec<String>, usize)> {
    let mut paths = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let line = tokens[i].line;
        let follows = |i: usize| tokens.get(i).is_some_and(|t| t.text == "::");
        if tokens[i].text == "crate" && follows(i + 1) {
            i = path_tree(tokens, i + 2, &[], line, &mut paths);
        } else if tokens[i].text == "super" && follows(i + 1) {
            let mut ups = 0;
            while tokens.get(i).is_some_and(|t| t.text == "super") && follows(i + 1) {
                ups += 1;
                i += 2;
            }
            let keep = module.len().saturating_sub(ups);
            i = path_tree(tokens, i, &module[..keep], line, &mut paths);
        } else {
            i += 1;
        }
    }
    paths
}

/// Reads the rest of a path or group; returns where it ends.
fn path_tree(
    tokens: &[Token],
    mut i: usize,
    prefix: &[String],
    line: usize,
    paths: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(i).map(|t| t.text.as_str()) {
            Some("{") => {
                i += 1;
                while let Some(token) = tokens.get(i) {
                    match token.text.as_str() {
                        "}" => return i + 1,
                        "," => i += 1,
                        _ => {
                            let before = i;
                            i = path_tree(tokens, i, &path, token.line, paths);
                            if i == before {
                                i += 1;
                            }
                        }
                    }
                }
                return i;
            }
            Some(word) if word.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                if word != "self" {
                    path.push(word.to_owned());
                }
                i += 1;
            }
            _ => {
                paths.push((path, line));
                return i;
            }
        }
        if tokens.get(i).is_some_and(|t| t.text == "::") {
            i += 1;
        } else {
            paths.push((path, line));
            return if tokens.get(i).is_some_and(|t| t.text == "as") {
                i + 2
            } else {
                i
            };
        }
    }
}

/// The module that a file below `src` is: `vrrp/mod.rs` is `vrrp`, `vrrp/garp.rs` is `vrrp::garp`.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// Whether only tests compile a file: `tests.rs` and what lies in `tests/`.
fn is_test_file(file: &Path) -> bool {
    module_of(file).iter().any(|part| part == "tests")
}

/// Imports across a wall.
fn check_imports(file: &Path, source: &str) -> Vec<String> {
    let module = module_of(file);
    let layer = module[0].as_str();
    if matches!(layer, "main" | "lib") || is_test_file(file) {
        return Vec::new();
    }
    let Some(mut may) = allowed(layer) else {
        return vec![format!(
            "{}: layer `{layer}` has no row in this guard's table",
            file.display()
        )];
    };
    // The model is below the rest of `conf`: domains see it alone.
    let model = module.len() > 1 && layer == "conf" && module[1] == "model";
    if model {
        may = &["base"];
    }
    let own = if model {
        vec!["conf", "model"]
    } else {
        vec![layer]
    };
    let under = |path: &[String], prefix: &[&str]| {
        path.len() >= prefix.len() && path.iter().zip(prefix).all(|(a, b)| a == b)
    };
    crate_paths(&without_tests(&tokens(source)), &module)
        .into_iter()
        .filter(|(path, _)| {
            !path.is_empty()
                && !under(path, &own)
                && !may
                    .iter()
                    .any(|prefix| under(path, &prefix.split("::").collect::<Vec<_>>()))
        })
        .map(|(path, line)| {
            let path = path.join("::");
            format!("{}:{line}: `{layer}` imports crate::{path}", file.display())
        })
        .collect()
}

/// Lines at which the path `words` stands, alone or within a group (`std::{fs, net}`).
fn lines_with(tokens: &[Token], words: &[&str]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.text != words[0] {
            continue;
        }
        let mut paths = Vec::new();
        path_tree(tokens, i, &[], token.line, &mut paths);
        for (path, line) in paths {
            if path.len() >= words.len() && path.iter().zip(words).all(|(a, b)| a == b) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Words that a pure layer never uses.
fn check_pure(file: &Path, source: &str) -> Vec<String> {
    if IMPURE.contains(&module_of(file)[0].as_str()) || is_test_file(file) {
        return Vec::new();
    }
    let tokens = without_tests(&tokens(source));
    BANNED
        .iter()
        .flat_map(|words| {
            let path = words.join("::");
            let name = file.display();
            lines_with(&tokens, words)
                .into_iter()
                .map(move |line| format!("{name}:{line}: `{path}` in a pure layer"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// `unsafe` outside of the one file that may have it, and more than one `allow` of it there.
fn check_unsafe(file: &Path, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let name = file.display();
    let allows = lines_with(&tokens, &["unsafe_code"]);
    let part = file.starts_with("host/sys"); // it lives by that file's allowance
    if part || file == Path::new("host/sys.rs") {
        if allows.len() > usize::from(!part) {
            return vec![format!(
                "{name}: allows unsafe code at lines {allows:?}, once is enough"
            )];
        }
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for line in lines_with(&tokens, &["unsafe"]) {
        complaints.push(format!("{name}:{line}: `unsafe` outside host/sys.rs"));
    }
    for line in allows {
        complaints.push(format!("{name}:{line}: `unsafe_code` outside host/sys.rs"));
    }
    // The lints in Cargo.toml refuse it too; a file could still allow it for itself.
    complaints
}

/// Lines of a file that read a monotonic clock.
fn clock_reads(file: &Path, source: &str) -> Vec<String> {
    if is_test_file(file) {
        return Vec::new();
    }
    let tokens = without_tests(&tokens(source));
    let mut found: Vec<String> = CLOCK
        .iter()
        .flat_map(|words| lines_with(&tokens, words))
        .map(|line| format!("{}:{line}", file.display()))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Length and header.
fn check_form(file: &Path, source: &str) -> Vec<String> {
    let name = file.display();
    let mut complaints = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES {
        complaints.push(format!("{name}: {lines} lines, the limit is {MAX_LINES}"));
    }
    let header = source
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|rest| rest.trim().len() >= 10);
    if !header {
        complaints.push(format!(
            "{name}:1: no `//!` header that says what the file owns"
        ));
    }
    complaints
}

/// Absolute paths that exist on somebody's machine only. Built from pieces, for this file is read
/// as well.
fn machine_paths() -> Vec<String> {
    [
        ["/wo", "rk"],
        ["/ro", "ot"],
        ["/ho", "me"],
        ["/opt", "/ka"],
        ["/tmp", "/wt"],
        ["/Us", "ers"],
    ]
    .iter()
    .map(|pieces| pieces.concat())
    .collect()
}

/// Machine names in any text of the repository.
fn check_names(file: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for path in machine_paths() {
            for (at, _) in line.match_indices(&path) {
                let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}');
                let starts = !line[..at].chars().next_back().is_some_and(word);
                let ends = !line[at + path.len()..]
                    .chars()
                    .next()
                    .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
                if starts && ends {
                    complaints.push(format!(
                        "{}:{}: names a path of one machine: {path}",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    complaints
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below `directory` that `keep` accepts, with their path from there, in order.
fn files(directory: &Path, keep: &dyn Fn(&Path) -> bool) -> Vec<(PathBuf, String)> {
    fn walk(
        directory: &Path,
        base: &Path,
        keep: &dyn Fn(&Path) -> bool,
        found: &mut Vec<(PathBuf, String)>,
    ) {
        let mut entries: Vec<PathBuf> = fs::read_dir(directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .map(|entry| entry.expect("directory entry").path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_symlink() || name == "target" || name == ".git" {
                continue;
            }
            if path.is_dir() {
                walk(&path, base, keep, found);
            } else if keep(&path) {
                // What is not text names nothing.
                if let Ok(text) = fs::read_to_string(&path) {
                    let short = path.strip_prefix(base).expect("walked from there");
                    found.push((short.to_path_buf(), text));
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, keep, &mut found);
    found
}

fn rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn source_files() -> Vec<(PathBuf, String)> {
    let found = files(&repository().join("src"), &rust);
    assert!(
        found.len() > 20,
        "the guard reads too few files: {}",
        found.len()
    );
    found
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn layers_import_only_what_lies_below_them() {
    let complaints: Vec<_> = source_files()
        .iter()
        .flat_map(|(file, source)| check_imports(file, source))
        .collect();
    assert_none(&complaints);
}

#[test]
fn pure_layers_do_not_touch_the_system() {
    let complaints: Vec<_> = source_files()
        .iter()
        .flat_map(|(file, source)| check_pure(file, source))
        .collect();
    assert_none(&complaints);
}

#[test]
fn unsafe_code_is_in_one_file() {
    let complaints: Vec<_> = source_files()
        .iter()
        .flat_map(|(file, source)| check_unsafe(file, source))
        .collect();
    assert_none(&complaints);
}

#[test]
fn one_place_reads_the_clock() {
    let mut places: Vec<(PathBuf, Vec<String>)> = source_files()
        .iter()
        .map(|(file, source)| (file.clone(), clock_reads(file, source)))
        .filter(|(_, reads)| !reads.is_empty())
        .collect();
    places.sort();
    assert!(places.len() <= 1, "the clock is read in {places:#?}");
    assert!(
        places.iter().all(|(file, _)| file.starts_with("host")),
        "the clock is read in {places:#?}"
    );
}

#[test]
fn files_are_short_and_have_a_header() {
    let mut complaints: Vec<_> = source_files()
        .iter()
        .flat_map(|(file, source)| check_form(file, source))
        .collect();
    for (file, source) in files(&repository().join("compat-tests"), &rust) {
        complaints.extend(check_form(&Path::new("compat-tests").join(file), &source));
    }
    assert_none(&complaints);
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let complaints: Vec<_> = files(&repository(), &|_| true)
        .iter()
        .flat_map(|(file, text)| check_names(file, text))
        .collect();
    assert_none(&complaints);
}

/// Made-up sources: every rule must refuse what it is there to refuse.
mod the_guard_itself {
    use super::*;

    fn imports(file: &str, source: &str) -> usize {
        check_imports(Path::new(file), source).len()
    }

    #[test]
    fn refuses_an_import_upwards_or_sideways() {
        assert_eq!(imports("vrrp/domain.rs", "use crate::base::Instant;"), 0);
        assert_eq!(imports("vrrp/domain.rs", "use crate::check::Domain;"), 1);
        assert_eq!(imports("vrrp/domain.rs", "fn f() { crate::node::x(); }"), 1);
        assert_eq!(imports("vrrp/mod.rs", "use super::ipvs::Domain;"), 1);
        assert_eq!(
            imports("vrrp/a/b.rs", "use super::super::super::ipvs::Domain;"),
            1
        );
        assert_eq!(imports("vrrp/a/b.rs", "use super::super::Domain;"), 0);
        assert_eq!(imports("base/net.rs", "use crate::ops::Effect;"), 1);
        assert_eq!(
            imports("wire/arp.rs", "use crate::{base::Mac, ops::Frame};"),
            1
        );
        assert_eq!(
            imports("wire/arp.rs", "use crate::{self, host as h, base};"),
            1
        );
        assert_eq!(
            imports("node/mod.rs", "use crate::{check, vrrp, ipvs, host};"),
            1
        );
        assert_eq!(imports("main.rs", "use crate::anything;"), 0);
    }

    #[test]
    fn lets_domains_see_of_the_configuration_the_model_alone() {
        assert_eq!(
            imports(
                "check/mod.rs",
                "use crate::conf::model::{Config, plan::Step};"
            ),
            0
        );
        assert_eq!(
            imports("check/mod.rs", "use crate::conf::{model::Config, reader};"),
            1
        );
        assert_eq!(imports("check/mod.rs", "use crate::conf::load;"), 1);
        assert_eq!(
            imports("conf/model/mod.rs", "use crate::conf::reader::Line;"),
            1
        );
        assert_eq!(
            imports("conf/model/vrrp.rs", "use super::super::reader::Line;"),
            1
        );
        assert_eq!(
            imports("conf/bind/mod.rs", "use crate::conf::reader::Line;"),
            0
        );
    }

    #[test]
    fn knows_every_layer() {
        assert_eq!(imports("surprise/mod.rs", ""), 1);
        for domain in DOMAINS {
            for other in DOMAINS {
                let source = format!("use crate::{other}::Domain;");
                let expected = usize::from(domain != other);
                assert_eq!(imports(&format!("{domain}/mod.rs"), &source), expected);
            }
        }
    }

    #[test]
    fn reads_code_and_not_words_in_comments_strings_or_tests() {
        let source = r##"
            // use crate::host::x;
            /* use crate::host::x; /* nested */ crate::host */
            const A: &str = "crate::host::x \" crate::host";
            const B: &str = r#"crate::host" "#;
            const C: &[u8] = b"crate::host";
            const D: char = '"'; const E: char = '\''; fn f<'a>(x: &'a str) {}
            #[cfg(test)]
            mod tests { use crate::host::x; fn f() { {} } }
            #[cfg(test)]
            use crate::host::y;
        "##;
        assert_eq!(imports("base/net.rs", source), 0);
        let after = format!("{source}\nuse crate::host::z;");
        assert_eq!(imports("base/net.rs", &after), 1);
        assert_eq!(imports("vrrp/tests.rs", "use crate::host::z;"), 0);
    }

    #[test]
    fn refuses_the_system_in_a_pure_layer() {
        let pure = |file: &str, source: &str| check_pure(Path::new(file), source).len();
        assert_eq!(
            pure(
                "vrrp/mod.rs",
                "use std::time::Duration; use std::net::IpAddr;"
            ),
            0
        );
        assert_eq!(
            pure("vrrp/mod.rs", "use std::time::{Duration, Instant};"),
            1
        );
        assert_eq!(
            pure("node/mod.rs", "use std::{collections::BTreeMap, fs};"),
            1
        );
        assert_eq!(
            pure("check/mod.rs", "let s = std::net::TcpStream::connect(a);"),
            1
        );
        assert_eq!(pure("ops/mod.rs", "use libc::c_int;"), 1);
        assert_eq!(pure("conf/mod.rs", "let t = SystemTime::now();"), 1);
        assert_eq!(pure("base/rng.rs", "let x = rand::random();"), 1);
        assert_eq!(pure("iface/mod.rs", "let operand = 1; let nixed = 2;"), 0);
        assert_eq!(pure("host/mod.rs", "use std::fs; use libc::c_int;"), 0);
    }

    #[test]
    fn refuses_unsafe_code_but_in_its_file() {
        let found = |file: &str, source: &str| check_unsafe(Path::new(file), source).len();
        assert_eq!(found("host/netlink.rs", "fn f() { unsafe { g() } }"), 1);
        assert_eq!(found("host/netlink.rs", "#![allow(unsafe_code)]"), 1);
        assert_eq!(found("vrrp/tests.rs", "unsafe fn f() {}"), 1);
        assert_eq!(
            found("host/sys.rs", "#![allow(unsafe_code)] unsafe fn f() {}"),
            0
        );
        let twice = "#![allow(unsafe_code)]\n#[allow(unsafe_code)] fn f() {}";
        assert_eq!(found("host/sys.rs", twice), 1);
        assert_eq!(found("base/mod.rs", "// unsafe\nlet s = \"unsafe\";"), 0);
    }

    #[test]
    fn sees_a_clock_that_is_read() {
        let reads = |source: &str| clock_reads(Path::new("host/x.rs"), source).len();
        assert_eq!(reads("let t = std::time::Instant::now();"), 1);
        assert_eq!(
            reads("use std::time::Instant as Clock;\nlet t = Instant::now();"),
            1
        );
        assert_eq!(reads("let t = clock_gettime(id)?;"), 1);
        assert_eq!(reads("fn f(now: Instant) {}"), 0);
    }

    #[test]
    fn refuses_long_files_and_missing_headers() {
        let found = |source: &str| check_form(Path::new("base/x.rs"), source).len();
        assert_eq!(found("//! Owns: something.\n"), 0);
        assert_eq!(found("//!\n//! Owns: something.\n"), 1);
        assert_eq!(found("// A comment.\n"), 1);
        assert_eq!(found(""), 1);
        let long = format!("//! Owns: something.\n{}", "\n".repeat(MAX_LINES - 1));
        assert_eq!(found(&long), 0);
        assert_eq!(found(&format!("{long}\n")), 1);
    }

    #[test]
    fn refuses_the_paths_of_one_machine() {
        let found = |text: &str| check_names(Path::new("README.md"), text).len();
        for path in machine_paths() {
            assert_eq!(found(&format!("see {path}/x.txt")), 1, "{path}");
            assert_eq!(found(&format!("\"{path}\"")), 1, "{path}");
        }
        let piece = machine_paths()[0].clone();
        assert_eq!(found(&format!("{piece}er net{piece} ${{dir}}{piece}")), 0);
        assert_eq!(found("/etc/keepalived/keepalived.conf"), 0);
    }
}
