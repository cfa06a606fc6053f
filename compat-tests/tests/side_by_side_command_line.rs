//! The command line beside the real daemon's: exit statuses, what goes to which stream, and where
//! pid files are.
//!
//! Owns the cases. The real daemon runs in the same test; what this program does otherwise on
//! purpose is in the table with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use compat_tests::bed::{Host, Proc, needs_root, wait_until};
use compat_tests::routers::both_daemons;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

const SOON: Duration = Duration::from_secs(10);

struct Daemons {
    ours: PathBuf,
    real: PathBuf,
}

fn daemons() -> Option<Daemons> {
    let [ours, real] = both_daemons()?;
    Some(Daemons { ours, real })
}

/// How much of what both print has to be equal.
#[derive(Clone, Copy, PartialEq)]
enum Same {
    /// Status and standard output; standard error is empty in both or in neither.
    Streams,
    /// And the first line of standard error.
    FirstLine,
    /// Nothing: on purpose, with the status that ours has.
    Differs(i32, &'static str),
}
use Same::{Differs, FirstLine, Streams};

/// Command lines that run nothing. `GOOD` and `BAD` are files.
const CASES: &[(&str, Same)] = &[
    ("-v", Streams),
    ("--version", Streams),
    ("-h", Streams),
    ("--help", Streams),
    (
        "-v -n --bogus",
        Differs(1, "a wrong option is told before the version"),
    ),
    ("--signum STOP", Streams),
    ("--signum RELOAD", Streams),
    ("--signum DATA", Streams),
    ("--signum=STATS", Streams),
    ("--signum=STATS_CLEAR", Streams),
    ("--signum=JSON", Streams),
    (
        "--signum=TDUMP",
        Differs(0, "2.4.3 knows it in every build"),
    ),
    ("--signum stop", FirstLine),
    ("--signum=TERM", FirstLine),
    ("--bogus", FirstLine),
    ("-z", FirstLine),
    ("-n -z", FirstLine),
    ("--perf", FirstLine),
    ("--debug", FirstLine),
    ("--no-mem-check", FirstLine),
    ("-L", FirstLine),
    ("--dont", FirstLine),
    ("-f", Differs(1, "the long name stands in the message")),
    ("--pid=", FirstLine),
    ("--use-file=", FirstLine),
    ("-s", Differs(1, "the long name stands in the message")),
    ("-i", Differs(1, "the long name stands in the message")),
    ("-t -f GOOD", Streams),
    ("--config-test -f GOOD", Streams),
    ("-t --use-file=GOOD", Streams),
    ("-t --use-f GOOD", Streams),
    ("-t -f BAD", Streams),
    ("-t -f GOOD stray words", Streams),
    ("-t -S 9 -f GOOD", Streams),
    ("-t -S local8 -f GOOD", Streams),
    (
        "-t -S user -f GOOD",
        Differs(0, "2.2.7 names `user` in its help and does not take it"),
    ),
    ("-t -S 7 -f GOOD", Streams),
    ("-t -u 022 -f GOOD", Streams),
    ("-t -u 0x12 -f GOOD", Streams),
    ("-t -u 08 -f GOOD", FirstLine),
    ("-t -PCB -f GOOD", Streams),
    ("-t --all -f GOOD", Streams),
    ("-t -lDDd -f GOOD", Streams),
    ("-t -GXVIRn -f GOOD", Streams),
    ("-t -p /p -r /r -c /c -b /b -f GOOD", Streams),
    ("-t -aem -f GOOD", Streams),
    (
        "-t -x -f GOOD",
        Differs(0, "there is no SNMP here, which is said"),
    ),
    (
        "-t -A unix:/x -f GOOD",
        Differs(0, "there is no SNMP here, which is said"),
    ),
    ("-t -Mcore -f GOOD", Streams),
    ("-t -M -f GOOD", Streams),
    ("-t -i one -f GOOD", Streams),
    ("-t -g -f GOOD", Differs(0, "a build that can log to files")),
];

fn run(program: &PathBuf, line: &str, good: &str, bad: &str) -> Output {
    let words = line.split(' ').map(|word| match word {
        "GOOD" => good.to_owned(),
        "BAD" => bad.to_owned(),
        word => word.replace("=GOOD", &format!("={good}")),
    });
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    command.output().unwrap()
}

/// Input: each case, to both. Output: the same status and streams, but where the table says not.
#[test]
fn statuses_and_streams_are_the_real_ones() {
    let Some(daemons) = daemons() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.conf", "global_defs {\n router_id A\n}\n");
    let bad = file("bad.conf", "global_defs {\n bogus 1\n}\n");
    let mut wrong = Vec::new();
    for &(line, same) in CASES {
        let [ours, real] = [&daemons.ours, &daemons.real].map(|daemon| {
            let output = run(daemon, line, &good, &bad);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = error.lines().next().unwrap_or_default().to_owned();
            // What a version prints is its own; that it goes to this stream is not.
            let out = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code(), out, error.is_empty(), first)
        });
        let equal = match same {
            Streams => (ours.0, &ours.1, ours.2) == (real.0, &real.1, real.2),
            FirstLine => ours == real,
            Differs(status, _) => ours.0 == Some(status),
        };
        if !equal {
            wrong.push(format!("{line}\n  ours {ours:?}\n  real {real:?}"));
        }
        let nothing_differs = ours == real;
        if let (Differs(..), true) = (same, nothing_differs) {
            wrong.push(format!("{line}: is listed as different, and is not"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const INSTANCE: &str = "\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress { 192.0.2.100 }
}
";

/// Ends a daemon as an operator would.
fn stop(daemon: &mut Proc) {
    daemon.signal(Signal::SIGTERM).unwrap();
    daemon.wait(SOON).unwrap();
}

/// The pid files on a host, each with whether it names the daemon itself.
fn pid_files(host: &Host, daemon: Pid) -> Vec<String> {
    let found = host
        .run(&["find", "/run", "-name", "*.pid"])
        .unwrap()
        .stdout;
    let mut files: Vec<String> = found
        .lines()
        .map(|path| {
            let pid: i32 = host
                .read(path)
                .unwrap_or_default()
                .trim()
                .parse()
                .unwrap_or(0);
            format!(
                "{path} {}",
                if pid == daemon.as_raw() {
                    "parent"
                } else {
                    "child"
                }
            )
        })
        .collect();
    files.sort();
    files
}

/// Input: what moves pid files, in the configuration and on the command line. Output: the same
/// files in both, a second start that says so and ends with 0, nothing left after the stop.
#[test]
fn pid_files_are_where_the_real_one_has_them() {
    if !needs_root() {
        return;
    }
    let Some(daemons) = daemons() else { return };
    for (settings, options) in [
        ("", &[][..]),
        ("use_pid_dir\n", &[]),
        ("instance foo\n", &[]),
        (
            "instance foo\n",
            &["-p", "/run/own.pid", "-r", "/run/own-vrrp.pid"],
        ),
        ("net_namespace blue\n", &[]),
        ("", &["-s", "blue"]),
        ("instance foo\n", &["-s", "blue"]),
        ("", &["--all", "-B"]),
        ("", &["--all", "-C"]),
    ] {
        let mut found = Vec::new();
        for program in [&daemons.ours, &daemons.real] {
            let host = Host::new("router").unwrap();
            let elsewhere = options.contains(&"blue") || settings.contains("blue");
            if elsewhere {
                host.must(&["ip", "netns", "add", "blue"]).unwrap();
            }
            let place: &[&str] = if elsewhere { &["-n", "blue"] } else { &[] };
            for line in [
                &["link", "add", "eth0", "type", "veth", "peer", "name", "far"][..],
                &["addr", "add", "192.0.2.1/24", "dev", "eth0"],
                &["link", "set", "eth0", "up"],
                &["link", "set", "far", "up"],
            ] {
                host.must(&[&["ip"], place, line].concat()).unwrap();
            }
            let file = host.write(
                "/etc/keepalived/keepalived.conf",
                format!("{settings}{INSTANCE}"),
            );
            file.unwrap();
            let start = || {
                let mut command = Command::new(program);
                command.arg("-n").args(options).stdin(Stdio::null());
                command
            };
            let mut daemon = host.spawn(start()).unwrap();
            let there = |name: &str| {
                pid_files(&host, daemon.pid())
                    .iter()
                    .any(|file| file.contains(name))
            };
            wait_until(SOON, "pid files", || {
                let second = if options.contains(&"-C") {
                    "checkers"
                } else {
                    "vrrp"
                };
                there("parent") && there(second)
            })
            .unwrap();
            let files = pid_files(&host, daemon.pid());
            let mut second = host.spawn(start()).unwrap();
            let status = second.wait(SOON).unwrap();
            stop(&mut daemon);
            let left = pid_files(&host, Pid::from_raw(0));
            found.push((files, status.code(), left));
        }
        assert_eq!(found[0], found[1], "{settings:?} {options:?}: ours, real");
        assert_eq!(found[0].1, Some(0));
        assert!(found[0].2.is_empty());
    }
}
