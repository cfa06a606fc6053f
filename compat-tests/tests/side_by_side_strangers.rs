//! The config test of the real daemon beside ours, over what strangers might write.
//!
//! `cases/strangers/files.txt` holds small files of our own making in the styles of all releases,
//! with the mistakes that people make; `cases/keywords/options.tsv` every option within a line; the
//! table of keywords every range, of which the ends and what is next to them are asked. Exit
//! statuses and messages are compared as sets. What differs on purpose stands with its reason in
//! `cases/strangers/differences.tsv`; where such a message is said, the statuses may differ too.
//! Where the real one crashes there is nothing to compare. Needs `KEEPALIVED_REAL`, root, and
//! network namespaces.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use compat_tests::bed::{Host, needs_root};
use compat_tests::corpus::{Differences, Message, Messages};
use compat_tests::edges::edges;
use compat_tests::options::{configuration, rows};

/// Interfaces of the host, each with an address: 192.168.1.1 is that of the first one.
const INTERFACES: [&str; 8] = [
    "eth0", "eth1", "eth2", "eth3", "ens3", "bond0", "ens192", "enp0s3",
];

/// Begins a file, followed by its name.
const HEAD: &str = "==== ";

/// What a shell says of a process that a signal ended is more than this.
const SIGNALLED: i32 = 128;

fn host() -> Host {
    let host = Host::new("node1").unwrap();
    let mut lines = String::from("link set lo up\n");
    for (index, name) in INTERFACES.iter().enumerate() {
        let number = index + 1;
        lines.push_str(&format!(
            "link add {name} type veth peer name far{number}\n\
             addr add 192.168.{number}.1/24 dev {name}\n\
             link set {name} up\nlink set far{number} up\n"
        ));
    }
    host.ip_batch(&lines).unwrap();
    host
}

/// All files by name.
fn files() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/strangers/files.txt");
    let text = fs::read_to_string(path).unwrap();
    let strangers = text.split(HEAD).skip(1).map(|part| {
        let (name, text) = part.split_once('\n').unwrap();
        (name.to_owned(), text.to_owned())
    });
    let known = rows().into_iter().filter(|row| row.block != SIGNING);
    let options = known.map(|row| {
        let text = configuration(&row.block, &row.with);
        (
            format!("{} {}", row.block, row.with.replace('\n', "; ")),
            text,
        )
    });
    strangers.chain(options).chain(ends()).collect()
}

/// A block that 2.2.7 does not know.
const SIGNING: &str = "auth_hmac";

/// Keywords with ranges that 2.2.7 does not know in that block.
const NEWER: [&str; 7] = [
    "json_version",
    "snmp_rs_stats_update_interval",
    "snmp_vs_stats_update_interval",
    "thread_timer_expired",
    "timer_expired_backup",
    "vrrp_delay_after_boot",
    "nb_get_retry",
];

/// The ends of all ranges, and what is next to them: a file for each block.
fn ends() -> impl Iterator<Item = (String, String)> {
    let mut blocks: BTreeMap<&str, String> = BTreeMap::new();
    for edge in edges() {
        if NEWER.contains(&edge.keyword) || edge.block == SIGNING {
            continue;
        }
        let lines = blocks.entry(edge.block).or_default();
        for end in [edge.least].iter().chain(&edge.largest) {
            for value in [&end.inside, &end.outside] {
                lines.push_str(&format!("{} {value}\n", edge.keyword));
            }
        }
    }
    blocks
        .into_iter()
        .map(|(block, lines)| (format!("ends of {block}"), configuration(block, &lines)))
}

/// The config test of all files, a hundred at a time; output and status lie beside them.
fn test_all(host: &Host, binary: &Path, directory: &Path, end: &str, count: usize) {
    for hundred in 0..count.div_ceil(100) {
        let line = format!(
            "cd '{}' && for f in {hundred:03}*.conf; do timeout 20 '{}' -t -f $f >$f.{end} 2>&1; \
             echo $? >$f.{end}.status; done",
            directory.display(),
            binary.display()
        );
        host.shell(&line).unwrap();
    }
}

fn status(directory: &Path, file: &str, end: &str) -> i32 {
    let text = fs::read_to_string(directory.join(format!("{file}.{end}.status"))).unwrap();
    text.trim().parse().unwrap()
}

fn output(directory: &Path, file: &str, end: &str) -> String {
    let bytes = fs::read(directory.join(format!("{file}.{end}"))).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn said(mark: char, one: &Messages, other: &Messages) -> String {
    let line = |message: &Message| format!("{mark} {message}\n");
    one.without(other).map(line).collect()
}

// Input: every file. Output: the real daemon's messages and exit status.
#[test]
fn what_strangers_write_is_judged_alike() {
    let Some(real) = std::env::var_os("KEEPALIVED_REAL").map(PathBuf::from) else {
        println!("skipped: KEEPALIVED_REAL is not set");
        return;
    };
    if !needs_root() {
        return;
    }
    let tests = std::env::current_exe().unwrap();
    let ours = std::env::var_os("KEEPALIVED").map_or_else(
        || tests.parent().unwrap().with_file_name("keepalived"),
        PathBuf::from,
    );
    let folder = tempfile::tempdir().unwrap();
    let files = files();
    assert!(files.len() > 1000, "{}", files.len());
    for (index, (_, text)) in files.iter().enumerate() {
        fs::write(folder.path().join(format!("{index:05}.conf")), text).unwrap();
    }
    let host = host();
    std::thread::scope(|scope| {
        scope.spawn(|| test_all(&host, &real, folder.path(), "real", files.len()));
        test_all(&host, &ours, folder.path(), "ours", files.len());
    });
    let differences = Differences::of_group("strangers").unwrap();
    let mut wrong = Vec::new();
    for (index, (name, _)) in files.iter().enumerate() {
        let file = format!("{index:05}.conf");
        let (theirs, our) = (
            status(folder.path(), &file, "real"),
            status(folder.path(), &file, "ours"),
        );
        assert!(our < SIGNALLED, "{name}: ours ends with {our}");
        if theirs >= SIGNALLED || differences.of_file(name).is_some() {
            continue;
        }
        let real = Messages::of_lines(output(folder.path(), &file, "real").lines());
        let mine = Messages::of_ours(&output(folder.path(), &file, "ours"));
        let (mine_left, real_left) = differences.leave(&mine, &real);
        let mut differs = said('-', &real_left, &mine_left) + &said('+', &mine_left, &real_left);
        let all_compared = (&mine, &real) == (&mine_left, &real_left);
        if all_compared && theirs != our && differences.of_exit(name).is_none() {
            differs.push_str(&format!("status: real {theirs}, ours {our}\n"));
        }
        if !differs.is_empty() {
            wrong.push(format!("== {name}\n{differs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join(""));
}
