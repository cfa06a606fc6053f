//! The language, end to end in memory: lines, expansion, blocks, totality.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::ast::{Kind, Slice, Store};
use super::diag::{Class, Diagnostics};
use super::include::{self, Demanded};
use super::reader::{Context, Reader};
use super::source::{Access, FileError, Files, HostFacts, Identity};
use super::{LoadOptions, Loaded, laws, load};

/// Files in memory.
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    fn one(text: &[u8]) -> Self {
        Self(BTreeMap::from([(
            PathBuf::from("/etc/k.conf"),
            text.to_vec(),
        )]))
    }

    fn many(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
                .collect(),
        )
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.0.get(path).cloned().ok_or(FileError::Missing)
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::default()
        };
        let pattern = glob::Pattern::new(&pattern.to_string_lossy()).unwrap();
        self.0
            .keys()
            .filter(|path| pattern.matches_path_with(path, options))
            .cloned()
            .collect()
    }
}

/// A host with eth0 and eth1.
struct Host;

impl HostFacts for Host {
    fn interface_exists(&self, name: &str) -> bool {
        matches!(name, "eth0" | "eth1")
    }
    fn node_name(&self) -> String {
        "node1.example".to_owned()
    }
    fn environment(&self, name: &str) -> Option<String> {
        (name == "SITE").then(|| "paris".to_owned())
    }
    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
    fn access(&self, name: &str) -> Option<Access> {
        let owner = Identity { uid: 7, gid: 8 };
        let mode = u32::from_str_radix(name.rsplit('-').next()?, 8).ok()?;
        Some(Access { owner, mode })
    }
    fn identity(&self, user: Option<&str>, group: Option<&str>) -> Option<Identity> {
        let uid = user.map_or(Some(0), |user| user.parse().ok())?;
        let gid = group.map_or(Some(uid), |group| group.parse().ok())?;
        Some(Identity { uid, gid })
    }
}

fn read_files(files: &Memory) -> Loaded {
    load(
        Path::new("/etc/k.conf"),
        LoadOptions::default(),
        files,
        &Host,
    )
}

fn read(text: &str) -> Loaded {
    read_files(&Memory::one(text.as_bytes()))
}

/// The findings as log lines, without the name of the file.
fn log(loaded: &Loaded) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .map(|finding| finding.to_string().replace("/etc/k.conf: ", ""))
        .collect()
}

/// The logical lines as `NUMBER:word|word`, `NUMBER:{`, `NUMBER:}`.
fn logical(files: &Memory, careful: bool, lines: usize) -> (Vec<String>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut reader = Reader::new("node1".to_owned(), 1, false);
    reader.careful = careful;
    let mut cx = Context {
        files,
        facts: &Host,
        slice: Slice::default(),
        findings: Vec::new(),
    };
    let demanded = Demanded {
        matched: false,
        readable: false,
    };
    include::open(
        &mut reader,
        &mut cx,
        None,
        PathBuf::from("/etc/k.conf"),
        demanded,
    );
    let mut out = Vec::new();
    loop {
        cx.slice.clear();
        let more = reader.fill(&mut cx, lines);
        let slice = &cx.slice;
        for line in &slice.lines {
            let store = match line.store {
                Store::File => &reader.sources[line.source.0 as usize].text[..],
                Store::Arena | Store::Expanded => &slice.text,
            };
            let words: Vec<&str> = slice
                .words(line)
                .iter()
                .map(|word| &store[word.start as usize..word.end as usize])
                .collect();
            let text = match line.kind {
                Kind::Open => "{".to_owned(),
                Kind::Close => "}".to_owned(),
                Kind::Text => words.join("|"),
            };
            out.push(format!("{}:{text}", line.number));
        }
        if !more {
            for (_, finding) in cx.findings {
                diagnostics.push(finding);
            }
            return (out, diagnostics);
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    logical(&Memory::one(text.as_bytes()), false, 1000).0
}

// Input: the forms of the language. Output: the logical lines.
#[test]
fn lines_are_cut_at_braces_comments_and_quotes() {
    for (text, expected) in [
        ("a b\n c\n", &["1:a|b", "2:c"][..]),
        ("a { b 1 } c 2", &["1:a", "1:{", "1:b|1", "1:}", "1:c|2"]),
        ("a{b}c", &["1:a", "1:{", "1:b", "1:}", "1:c"]),
        ("a\n{\n}\n", &["1:a", "2:{", "3:}"]),
        ("a#b\n!c\n d ! e\n", &["1:a", "3:d"]),
        ("a \"b c\" d", &["1:a|b c|d"]),
        ("ab\"c d\"e", &["1:ab|c d|e"]),
        ("a \"{ } # ! b\" }", &["1:a|{ } # ! b", "1:}"]),
        ("a \"\" b", &["1:a||b"]),
        ("a 'b c'", &["1:a|'b|c'"]),
        ("a\u{a0}b\u{3000}c \"d\u{a0}e\"", &["1:a|b|c|d\u{a0}e"]),
        ("a\u{a0}\u{a0} # 中文\n", &["1:a"]),
        ("\u{feff}a 中文 b", &["1:a|中文|b"]),
        ("a\r\nb\tc\u{b}d\u{c}e\n", &["1:a", "2:b|c|d|e"]),
        ("a b\\c", &["1:a|b\\c"]),
        ("a \"b\\\" # c\" d", &["1:a|b\\|#|c"]),
    ] {
        assert_eq!(lines(text), expected, "{text:?}");
    }
    assert_eq!(
        lines("a \\# b\\!")[0].chars().count(),
        "1:a|#|b!".chars().count()
    );
}

// Input: definitions and their uses. Output: the lines after substitution.
#[test]
fn definitions_are_replaced() {
    for (text, expected) in [
        ("$A=1\nx $A ${A}y $A.0 a$A\n", &["2:x|1|1y|$A.0|a1"][..]),
        ("$A=1\n$B=$A.0.${A}\nx $B\n", &["3:x|$A.0.1"]),
        ("$A=1\n$A=2\nx $A", &["3:x|2"]),
        ("$A=\nx ${A}y", &["2:x|y"]),
        ("$A=b c\nx \"${A}\" \"$A d\"", &["2:x|b c|b c d"]),
        ("x $NO ${NO}", &["1:x|$NO|$", "1:{", "1:NO", "1:}"]),
        ("$A = 1", &["1:$A|=|1"]),
        (
            "$A=l1 \\\n l2 {\\\n l3 }\nx $A\ny\n",
            &["4:x|l1", "4:l2", "4:{", "4:l3", "4:}", "5:y"],
        ),
        ("$A=a { b }\nx\n$A\n", &["2:x", "3:a", "3:{", "3:b", "3:}"]),
        ("$A=b # c\nx $A", &["2:x|b"]),
        ("$A=$B\n$B=5\nx $A,$B)", &["3:x|5,5)"]),
        (
            "x ${_ENV SITE}${_ENV NO} ${_INSTANCE} ${_PWD}",
            &["1:x|paris|node1|/etc"],
        ),
        ("x \"a${_HASH}b\" ${_BANG} y", &["1:x|a#b"]),
        ("x ${_RANDOM 7 7}", &["1:x|7"]),
    ] {
        assert_eq!(lines(text), expected, "{text:?}");
    }
}

// Input: a block made of definitions that repeat other definitions. Output: all of its lines.
#[test]
fn definitions_of_several_lines_may_repeat_others() {
    let text = "$RS= \\\nreal 10.0.0.$N { \\\n  weight 1 \\\n}\n$VS= \\\nvirtual $H { \\\n  \
                ~SEQ(N,$A,$B) $RS \\\n}\n$A=2\n$B=3\n$H=9\n$VS\nend\n";
    let expected = [
        "12:virtual|9",
        "12:{",
        "12:real|10.0.0.2",
        "12:{",
        "12:weight|1",
        "12:}",
        "12:real|10.0.0.3",
        "12:{",
        "12:weight|1",
        "12:}",
        "12:}",
        "13:end",
    ];
    assert_eq!(lines(text), expected);
}

// Input: uses of a definition of several lines, as 2.4.3 was seen to take them. Output: its first
// line of text goes where it is used, and is neither definition nor repetition there; in the middle
// of a line it is not replaced; a comment ends it.
#[test]
fn a_definition_of_several_lines_ends_the_line() {
    for (text, expected) in [
        ("$A= \\\n\\\nb \\\nc\nx $A\n", &["5:x|b", "5:c"][..]),
        ("$A=b \\\nc\nx ${A} # y\n", &["3:x|b", "3:c"]),
        ("$A=b \\\nc\n$A x\n", &["3:$A|x"]),
        ("$A=b \\\nc\nx \"${A}\"\n", &["3:x|${A}"]),
        ("$A=b \\\nc\n$B=1 $A 2\nx $B\n", &["4:x|1|$A|2"]),
        (
            "$A=b${I} \\\nc${I}\n$R=~SEQ(I,1,2) $A\n~SEQ(J,1,1) $R\n",
            &["4:~SEQ(I,1,2)|$A"],
        ),
        ("$A=b \\\n# c \\\nd\n$A\n", &["3:d", "4:b"]),
        ("$A= \\\n$B=1 \\\n$C=2\n$A\n$B $C\n", &["4:$B=1", "5:$B|2"]),
        (
            "$A=b \\\n~SEQ(I,1,2) c$I\n$A\nx { ~SEQ(I,1,2) d $I\n",
            &["3:b", "3:c1", "3:c2", "4:x", "4:{", "4:d|1", "4:d|2"],
        ),
    ] {
        assert_eq!(lines(text), expected, "{text:?}");
    }
}

// Input: a definition that contains itself. Output: an error, the line as it stands, no hang.
#[test]
fn a_definition_of_itself_ends() {
    let files = Memory::one(b"$A=$A x\ny $A\n$B=${B}${B}\nz ${B}\nw\n");
    let (lines, diagnostics) = logical(&files, false, 100);
    assert_eq!(lines.last().map(String::as_str), Some("5:w"));
    assert_eq!(
        diagnostics
            .iter()
            .filter(|d| d.class == Class::General)
            .count(),
        2
    );
}

// Input: conditions. Output: the lines for the config id `node1`.
#[test]
fn conditions_choose_lines() {
    let text =
        "@node1 a\n@other b\n@^node1 c\n@^other d {\n@node1\n$N=node1\n@$N e\n@node1 @x f\n}";
    let expected = ["1:a", "4:d", "4:{", "7:e", "8:@x|f", "9:}"];
    assert_eq!(lines(text), expected);
}

// Input: repetitions. Output: the lines they stand for.
#[test]
fn repetitions_repeat() {
    for (text, expected) in [
        (
            "~SEQ(i,3) a$i b${i}c",
            &["1:a1|b1c", "1:a2|b2c", "1:a3|b3c"][..],
        ),
        ("~SEQ(i,3,1) a $i", &["1:a|3", "1:a|2", "1:a|1"]),
        ("~SEQ(i,0,5,12) a $i", &["1:a|0", "1:a|5", "1:a|10"]),
        ("~SEQ(i,-2) a $i", &["1:a|-1", "1:a|-2"]),
        ("~SEQx(i,9,11) a $i", &["1:a|9", "1:a|a", "1:a|b"]),
        (
            "$E=2\n~SEQ(i,$E) a $i { b }",
            &["2:a|1", "2:{", "2:b", "2:}", "2:a|2", "2:{", "2:b", "2:}"],
        ),
        (
            "~SEQ(i,2) ~SEQ(j,2) a $i $j",
            &["1:a|1|1", "1:a|1|2", "1:a|2|1", "1:a|2|2"],
        ),
        ("~LST(i,x,y) a $i", &["1:a|x", "1:a|y"]),
        ("$i=7\n~SEQ(i,2) a $i\nb $i", &["2:a|1", "2:a|2", "3:b|7"]),
        (
            "~LST({i,j},{1,2},{3}) a ${i}-${j}.",
            &["1:a|1-2.", "1:a|3-."],
        ),
        ("~SEQ(i,5,1,3) a $i\nb", &["2:b"]),
        ("~SEQ(i,1,0,3) a $i\nb", &["2:b"]),
        ("~SEQ(i,1,3 a $i\nb", &["2:b"]),
        ("~LST({i,j},{1,2,3}) a\nb", &["2:b"]),
    ] {
        assert_eq!(lines(text), expected, "{text:?}");
    }
    let messages = log(&read("~SEQ(i,5,1,3) a\n"));
    assert_eq!(
        messages,
        [
            "(Line 1) Invalid ~SEQ values '~SEQ(i,5,1,3) a'",
            "(Line 1) Invalid ~SEQ specification '~SEQ(i,5,1,3) a'"
        ]
    );
}

// Input: includes relative to the including file, by pattern, with braces, in a block. Output:
// their lines in order, and the rest of the including file after them.
#[test]
fn includes_are_read_where_they_stand() {
    let files = Memory::many(&[
        (
            "/etc/k.conf",
            "a {\n include d/*.conf\n b\n}\ninclude {y,x}.inc\nc\n",
        ),
        ("/etc/d/1.conf", "one\ninclude sub/z.conf\nafter\n"),
        ("/etc/d/2.conf", "two"),
        ("/etc/d/sub/z.conf", "deep\n"),
        ("/etc/x.inc", "x\n"),
        ("/etc/y.inc", "y\n"),
    ]);
    let (lines, diagnostics) = logical(&files, false, 1);
    let expected = [
        "1:a", "1:{", "1:one", "1:deep", "3:after", "1:two", "3:b", "4:}", "1:y", "1:x", "6:c",
    ];
    assert_eq!(lines, expected);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}

// Input: files that include each other. Output: an error, no hang.
#[test]
fn include_loops_end() {
    let files = Memory::many(&[
        ("/etc/k.conf", "include b\na\n"),
        ("/etc/b", "include k.conf\nb\n"),
    ]);
    let (lines, diagnostics) = logical(&files, false, 100);
    assert_eq!(lines, ["2:b", "2:a"]);
    let fatal: Vec<_> = diagnostics.iter().map(|d| d.class).collect();
    assert_eq!(fatal, [Class::Fatal]);
}

// Input: missing includes with and without a demand. Output: the exit status of `-t`, and whether
// a daemon starts.
#[test]
fn a_missing_include_counts_if_it_is_demanded() {
    for (text, status, start) in [
        ("include no.conf\n", 0, None),
        ("includem no.conf\n", 6, Some(6)),
        ("includer no.conf\n", 0, None),
        ("include no*.conf\n", 0, None),
        ("includem no*.conf\n", 0, None),
        ("includew no*.conf\n", 6, Some(6)),
        ("includew no.conf\n", 6, Some(6)),
        ("includem {no,none}.conf\n", 0, None),
        ("includea no.conf\n", 6, Some(6)),
        ("includeb {no,none}.conf\n", 6, Some(6)),
        (
            "global_defs {\n include_check match\n}\ninclude no.conf\n",
            6,
            Some(6),
        ),
    ] {
        let loaded = read(text);
        assert_eq!(loaded.diagnostics.exit_status(), status, "{text}");
        assert_eq!(loaded.diagnostics.blocks_start(), start, "{text}");
    }
    // A folder that is still empty is nothing to talk about.
    assert!(read("include no*.conf\n").diagnostics.is_empty());
}

// Input: no main file. Output: `-t` is content, a daemon does not start (status 6), a running one
// keeps what it has.
#[test]
fn a_missing_main_file() {
    let loaded = read_files(&Memory(BTreeMap::new()));
    assert_eq!(loaded.diagnostics.exit_status(), 0);
    assert_eq!(loaded.diagnostics.blocks_start(), Some(6));
    assert!(loaded.diagnostics.blocks_reload().is_some());
}

// Input: an unknown block inside of an instance. Output: keepalived's outcome, line by line.
#[test]
fn an_unknown_block_ends_the_enclosing_one() {
    let text = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n nosuch { x 1 }\n \
                priority 20\n}\n";
    assert_eq!(
        log(&read(text)),
        [
            "(Line 4) Unknown keyword 'nosuch'",
            "(Line 4) Unexpected '{' - ignoring",
            "(Line 4) Unknown keyword 'x'",
            "(Line 5) Unknown keyword 'priority'",
            "(Line 6) Unknown keyword '}'",
            "(VI_1) No VIP specified; at least one is sensible",
        ]
    );
}

// Input: keys as text, in hex, too short, twice, one that is not active, one that is not there.
// Output: told, without a key in any message; the instance runs, and signs if it can.
#[test]
fn keys_of_signatures_are_read_and_judged() {
    let text = "0123456789abcdef0123456789abcdef";
    let block = |lines: &str| {
        "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n auth_hmac {\nLINES\n }\n \
         virtual_ipaddress { 192.0.2.1 }\n}\n"
            .replace("LINES", lines)
    };
    let hex = "hex:".to_owned() + &"0aF3".repeat(16);
    let good = format!(
        "key 1 {text}\nkey 2 {hex}\nactive_key 2\nmode permissive\ntime_window 9\nanti_replay monotonic"
    );
    let loaded = read(&block(&good));
    let signing = loaded.config.vrrp_instances[0].options.signing.clone();
    let signing = signing.unwrap();
    assert_eq!((signing.active, signing.keys.len()), (2, 2));
    assert_eq!(signing.keys[0].secret, text.as_bytes());
    assert_eq!(signing.keys[1].secret, [0x0a, 0xf3].repeat(16));
    assert_eq!(loaded.diagnostics.exit_status(), 0);
    let not_used = "(VI_1) auth_hmac has no usable key - not using it";
    for (lines, expected) in [
        (
            "key 1 secret".to_owned(),
            vec![
                "(VI_1) auth_hmac key 1: has 6 bytes, a key has 32 to 64 - ignoring",
                not_used,
            ],
        ),
        (
            "key 1 hex:0".to_owned(),
            vec![
                "(VI_1) auth_hmac key 1: not an even number of hex digits - ignoring",
                not_used,
            ],
        ),
        (
            format!("key 1 {text}\nactive_key 3"),
            vec!["(VI_1) auth_hmac active_key 3 is not defined - not using it"],
        ),
        (
            format!("key 1 {text}\nkey 2 {text}"),
            vec!["(VI_1) auth_hmac has no active_key - not using it"],
        ),
    ] {
        let loaded = read(&block(&lines));
        assert!(
            loaded.config.vrrp_instances[0].options.signing.is_none(),
            "{lines}"
        );
        let said = log(&loaded).join("\n");
        for line in expected {
            assert!(said.contains(line), "{said}");
        }
        assert!(!said.contains("secret") && !said.contains(text), "{said}");
    }
}

// Input: a tracker, an instance with a mail that does not act yet, and one with unicast. Output: no
// error; both instances run.
#[test]
fn what_is_pending_changes_no_verdict_and_keeps_nothing_from_running() {
    let text = "global_defs {\n enable_script_security\n script_user root\n}\n\
                vrrp_script chk {\n script \"/bin/true\"\n}\nvrrp_instance VI_1 {\n interface \
                eth0\n virtual_router_id 51\n track_script {\n chk weight 5\n }\n smtp_alert\n \
                virtual_ipaddress { 192.0.2.1 }\n}\nvrrp_instance VI_2 {\n interface eth0\n \
                virtual_router_id 52\n unicast_peer {\n 198.51.100.2\n }\n virtual_ipaddress { \
                192.0.2.2 }\n}\n";
    let loaded = read(text);
    assert_eq!(loaded.diagnostics.exit_status(), 0, "{:?}", log(&loaded));
    let running: Vec<_> = loaded
        .config
        .vrrp_instances
        .iter()
        .map(|i| &i.name)
        .collect();
    assert_eq!(running, ["VI_1", "VI_2"]);
    assert_eq!(loaded.config.trackers.scripts.len(), 1);
    let options = &loaded.config.vrrp_instances[0].options;
    assert_eq!(options.tracking.scripts[0].weight.unwrap().value, 5);
}

// Input: findings of each kind. Output: what they mean for `-t`, a start and a reload.
#[test]
fn findings_have_consequences() {
    for (text, test, start, reload) in [
        ("global_defs {\n router_id a\n}\n", 0, None, false),
        ("nosuch\n", 5, None, false),
        ("global_defs {\n", 5, None, true),
        ("}\n", 5, None, true),
        ("global_defs\nrouter_id a\n}\n", 5, None, true),
        ("global_defs {\n router_id \"a\n}\n", 5, None, true),
        ("vrrp_instance A {\n state\n}\n", 2, Some(2), true),
        ("vrrp_instance A {\n interface eth0\n}\n", 5, Some(2), true),
        (
            "vrrp_instance A {\n interface eth7\n virtual_router_id 1\n}\n",
            5,
            Some(2),
            true,
        ),
    ] {
        let found = read(text).diagnostics;
        assert_eq!(found.exit_status(), test, "{text}");
        assert_eq!(found.blocks_start(), start, "{text}");
        assert_eq!(found.blocks_reload().is_some(), reload, "{text}");
    }
}

// Input: a line with a NUL byte. Output: an error, the line dropped, the rest read.
#[test]
fn a_line_with_nul_is_dropped() {
    let (lines, diagnostics) = logical(&Memory::one(b"a\nb\0c\nd \"\0\"\ne\n"), false, 100);
    assert_eq!(lines, ["1:a", "4:e"]);
    assert_eq!(diagnostics.iter().count(), 2);
}

// Input: a million blocks in one line, and as many odd quotes. Output: in the end, little memory:
// the findings are limited in number and in what they show of the line.
#[test]
fn garbage_costs_little() {
    let deep = read(&"a { ".repeat(100_000));
    assert_eq!(deep.diagnostics.iter().count(), 10_001);
    assert!(deep.diagnostics.dropped() > 100_000);
    let shown = deep
        .diagnostics
        .iter()
        .filter_map(|finding| finding.at.as_ref());
    assert!(shown.map(|span| span.text.len()).max().unwrap() <= 2048);
    let last = deep.diagnostics.iter().last().unwrap();
    assert_eq!(last.class, Class::MissingClose);
    let quotes = read(&"\"a\n".repeat(20_000));
    assert_eq!(quotes.diagnostics.iter().count(), 10_000);
    assert_eq!(quotes.diagnostics.exit_status(), 5);
}

/// Pieces that mean something to the language, and some that do not.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ \t]{0,3}",
        4 => "[a-z]{1,4}",
        2 => Just("\n".to_owned()),
        1 => "[{}\"#!$@~\\\\(),.=^]",
        1 => prop_oneof![
            Just("vrrp_instance".to_owned()), Just("virtual_ipaddress {".to_owned()),
            Just("virtual_server 192.0.2.1 80 {".to_owned()), Just("real_server".to_owned()),
            Just("TCP_CHECK {".to_owned()), Just("include".to_owned()),
            Just("include k.conf".to_owned()), Just("$a=b\\\n".to_owned()),
            Just("${a}".to_owned()), Just("$a".to_owned()), Just("~SEQ(a,3)".to_owned()),
            Just("~LST(a,b)".to_owned()), Just("@node1".to_owned()), Just("\u{a0}".to_owned()),
            Just("\u{3000}".to_owned()), Just("\r\n".to_owned()), Just("\\#".to_owned()),
            Just("\0".to_owned()), Just("interface eth0".to_owned()), Just("日".to_owned()),
        ],
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(fragment(), 0..40).prop_map(|parts| parts.concat())
}

// Input: a name that is used, defined and used again. Output: the finding about the second use alone
// tells where the name is defined, in slices of any size.
#[test]
fn only_an_earlier_definition_explains_a_line() {
    let files = Memory::one(b"${a}\n$a=b\n${a} c\n");
    let whole = read_files(&files);
    let told: Vec<(u32, usize)> = whole
        .diagnostics
        .iter()
        .filter_map(|finding| {
            let notes = finding.notes.iter();
            let defined = notes.filter(|(text, _)| text.contains("is defined here"));
            Some((finding.at.as_ref()?.line, defined.count()))
        })
        .collect();
    assert!(told.contains(&(3, 1)), "{told:?}");
    assert!(
        told.iter().all(|(line, notes)| *line == 3 || *notes == 0),
        "{told:?}"
    );
    let mut loader = super::Loader::new(Path::new("/etc/k.conf"), LoadOptions::default());
    while loader.step(&files, &Host, 1) == super::Progress::More {}
    assert_eq!(loader.finish(), whole);
}

proptest! {
    #![proptest_config(laws::cases(100))]

    #[test]
    fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(laws::reader(&bytes), Ok(()));
        prop_assert_eq!(laws::binder(&bytes), Ok(()));
    }

    #[test]
    fn any_pieces_can_be_read(text in text()) {
        prop_assert_eq!(laws::reader(text.as_bytes()), Ok(()));
        prop_assert_eq!(laws::binder(text.as_bytes()), Ok(()));
        prop_assert_eq!(laws::printer(text.as_bytes()), Ok(()));
    }

    #[test]
    fn every_rule_is_total(text in "\\PC{0,60}|[ -~\t\n]{0,60}") {
        prop_assert_eq!(laws::grammar(&text), Ok(()));
    }

    #[test]
    fn every_value_is_in_its_range(
        word in "[0-9]{1,20}|[+-]?[0-9]{0,4}[.][0-9]{0,8}|[0-9.:/a-f-]{0,20}|\\PC{0,8}",
    ) {
        prop_assert_eq!(laws::values(&word), Ok(()));
    }
}

// Input: many lines, and a line that is repeated more often still, read in slices of 1, 10 and 100.
// Output: no slice has more than its budget of either, lines of the file and lines that they come to.
#[test]
fn a_slice_has_no_more_lines_than_its_budget() {
    const MOST: usize = 4;
    let mut text = String::from("vrrp_instance V {\n virtual_ipaddress {\n");
    text.push_str("  ~SEQ(i,0,19) ~SEQ(j,1,100) 10.0.${i}.${j}\n");
    for number in 0..1_000 {
        text.push_str(&format!("  10.1.{}.{}\n", number / 250, number % 250));
    }
    text.push_str(" }\n}\n");
    let files = Memory::one(text.as_bytes());
    for budget in [1, 10, 100] {
        let mut reader = Reader::new("node1".to_owned(), 1, false);
        let mut cx = Context {
            files: &files,
            facts: &Host,
            slice: Slice::default(),
            findings: Vec::new(),
        };
        let demanded = Demanded {
            matched: false,
            readable: true,
        };
        let main = PathBuf::from("/etc/k.conf");
        include::open(&mut reader, &mut cx, None, main, demanded);
        let mut all = 0;
        loop {
            cx.slice.clear();
            let more = reader.fill(&mut cx, budget);
            let count = cx.slice.lines.len();
            assert!(count <= 2 * budget + MOST, "{count} of {budget}");
            all += count;
            if !more {
                break;
            }
        }
        assert!(all >= 3_000, "{all}");
    }
}

// Input: a script of user 7 and group 8 with a mode, and whom it runs as: by its own words, by those of
// `script_user`, or by none. Output: the trackers that stay, and what is said of those that go.
#[test]
fn whom_a_script_runs_as_has_to_be_allowed_to() {
    let read = |mode: &str, user: &str, own: &str| {
        let text = format!(
            "global_defs {{\n enable_script_security\n {user}\n}}\nvrrp_script chk {{\n script \
             \"/bin/chk-{mode} x\"\n {own}\n}}\nvrrp_instance A {{\n interface eth0\n \
             virtual_router_id 5\n track_script {{\n chk\n }}\n virtual_ipaddress {{\n 192.0.2.1\n \
             }}\n}}\n"
        );
        let loaded = read(&text);
        (loaded.config.trackers.scripts.len(), log(&loaded))
    };
    let refused = |mode: &str, who: &str| {
        let line = format!(
            "WARNING - script '/bin/chk-{mode}' is not executable for uid:gid {who} - disabling."
        );
        (0, vec![line])
    };
    let fine = (1, Vec::new());
    assert_eq!(read("001", "", ""), fine);
    assert_eq!(read("644", "", ""), refused("644", "0:0"));
    assert_eq!(read("700", "script_user 7", ""), fine);
    assert_eq!(read("700", "script_user 9", ""), refused("700", "9:9"));
    assert_eq!(read("710", "script_user 9 8", ""), fine);
    assert_eq!(
        read("700", "script_user 7", "user 9 8"),
        refused("700", "9:8")
    );
    assert_eq!(
        read("601", "script_user 9", "user 7"),
        refused("601", "7:7")
    );
}

// Input: `misc_timeout` of nothing, of 0 and of 3 seconds. Output: a timeout of its own in the last
// alone; a program without one has the period of its check, it is never ended at once.
#[test]
fn a_program_without_time_has_that_of_its_period() {
    let timeout = |line: &str| {
        let text = format!(
            "virtual_server 192.0.2.1 80 {{\nreal_server 192.0.2.2 80 {{\nMISC_CHECK {{\n\
             misc_path /bin/true\n{line}\n}}\n}}\n}}\n"
        );
        let read = read(&text);
        let service = read.config.virtual_servers.first().unwrap();
        match &service.real_servers[0].probes[0].kind {
            super::model::ProbeKind::Misc(misc) => misc.timeout,
            other => panic!("{other:?}"),
        }
    };
    let three = Some(crate::base::Duration::from_secs(3));
    let found = ["", "misc_timeout 0", "misc_timeout 3"].map(timeout);
    assert_eq!(found, [None, None, three]);
}
