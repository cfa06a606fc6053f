//! The command line beside the real daemon's: exit statuses, what goes to which stream, and where
//! pid files are.
//!
//! Owns the cases. The real daemon runs in the same test; what this program does otherwise on
//! purpose is in the table with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use compat_tests::bed::{Host, Proc, Syslog, needs_root, wait_for, wait_until};
use compat_tests::routers::both_daemons;
use nix::sys::signal::{Signal, kill};
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
    ("-v -n --bogus", Streams),
    ("--bogus -v", Streams),
    ("-z -h", Streams),
    ("--bogus --signum DATA", FirstLine),
    ("--signum=DATA -z", FirstLine),
    ("--signum=DATA --signum=STOP", FirstLine),
    ("--signum=", FirstLine),
    ("-z --bogus=1 -y word", FirstLine),
    ("--vrrp=1", FirstLine),
    ("--dump-conf=3 -n", FirstLine),
    ("-nz", FirstLine),
    ("-n=", FirstLine),
    ("-W word", FirstLine),
    ("--vrrp-pid /x", FirstLine),
    ("--h", Streams),
    ("--config", FirstLine),
    ("--umask=", FirstLine),
    ("--log-facility=", FirstLine),
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
    ("-f", FirstLine),
    ("--pid=", FirstLine),
    ("--use-file=", FirstLine),
    ("-s", FirstLine),
    ("-i", FirstLine),
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
    (
        "-t --log-file=/dev/null -f GOOD",
        Differs(0, "a build that can log to files"),
    ),
    (
        "-t --flush-log-file -f GOOD",
        Differs(0, "a build that can log to files"),
    ),
    ("-t --vrrp --check --no_bfd -f GOOD", Streams),
    ("-t --log-console --log-detail -f GOOD", Streams),
    ("-t --log-facility=3 -f GOOD", Streams),
    ("-t --no-syslog --umask=022 -f GOOD", Streams),
    ("-t --release-vips --dont-release-vrrp -f GOOD", Streams),
    ("-t --dont-release-ipvs --dont-respawn -f GOOD", Streams),
    ("-t --dont-fork --dump-conf -f GOOD", Streams),
    ("-t --pid=/p --vrrp_pid=/r -f GOOD", Streams),
    ("-t --checkers_pid=/c --bfd_pid=/b -f GOOD", Streams),
    ("-t --address-monitoring --core-dump -f GOOD", Streams),
    ("-t --core-dump-pattern=core -f GOOD", Streams),
    ("-t --all-config --config-id=one -f GOOD", Streams),
    (
        "-t --snmp -f GOOD",
        Differs(0, "there is no SNMP here, which is said"),
    ),
    (
        "-t --snmp-agent-socket=unix:/x -f GOOD",
        Differs(0, "there is no SNMP here, which is said"),
    ),
    ("-t --namespace=none -f GOOD", Streams),
    ("-t -s none -f GOOD", Streams),
    (
        "-t --ignore-sigint -f GOOD",
        Differs(0, "2.4.3 knows it in every build"),
    ),
    ("--mem-check-log", FirstLine),
    ("--openssl-mem-check", FirstLine),
    ("-O", FirstLine),
    ("-T", Streams),
    ("-T -h", Streams),
    ("--genhash", Streams),
    ("--genhash --bogus", Streams),
    (
        "--config-fd=99 -t -f GOOD",
        Differs(1, "a descriptor that is not open is told of"),
    ),
    // The last of an option counts.
    ("-t -f BAD -f GOOD", Streams),
    ("-t -f GOOD --use-file=BAD", Streams),
    ("-n -n -t -t -D -D -D -P -P -S 1 -S 9 -f GOOD", Streams),
    ("-t -S 9 -S 1 -f GOOD", Streams),
    ("-t -S EMPTY -f GOOD", Streams),
    ("-t -u -1 -f GOOD", FirstLine),
    ("-t -u 9x -u 022 -f GOOD", FirstLine),
    ("-t -p EMPTY -f GOOD", Streams),
    ("-t -i EMPTY -f GOOD", Streams),
    (
        "-t -f BAD -f EMPTY",
        Differs(0, "it is told that there is no such file"),
    ),
    ("-t --config-id EMPTY -f GOOD", FirstLine),
    ("-t --config-test= -f BAD", Streams),
    ("-t/nonexistent/log -f GOOD", FirstLine),
    ("-t -f GOOD -- -z", Streams),
    ("-t -fGOOD -", Streams),
    ("-t --pi /p -f GOOD", Streams),
    ("-t -f /nonexistent/a.conf", FirstLine),
    ("-t -e -f /nonexistent/a.conf", FirstLine),
    ("-t -f /nonexistent/*.conf", Streams),
    ("-t -p /a -p /b -u 022 -u 077 -f GOOD", Streams),
];

/// Every option of keepalived 2.4.3, short and long (the table of its manual and `--help`).
const OPTIONS: &str = "-f --use-file -P --vrrp -C --check -B --no_bfd --all -l --log-console -D \
    --log-detail -S --log-facility -g --log-file --flush-log-file -G --no-syslog -u --umask -X \
    --release-vips -V --dont-release-vrrp -I --dont-release-ipvs -R --dont-respawn -n --dont-fork \
    -d --dump-conf -p --pid -r --vrrp_pid -c --checkers_pid -b --bfd_pid -T --genhash -a \
    --address-monitoring -x --snmp -A --snmp-agent-socket -s --namespace -m --core-dump -M \
    --core-dump-pattern -e --all-config -i --config-id --signum -t --config-test --config-fd \
    --ignore-sigint --perf --debug --no-mem-check -L --mem-check-log -O --openssl-mem-check -v \
    --version -h --help";

/// Input: the options of keepalived, and those of this program's help. Output: each has a case.
#[test]
fn every_option_has_a_case() {
    let lines = || CASES.iter().map(|(line, _)| *line);
    let has = |option: &str| {
        let mut words = lines().flat_map(|line| line.split(' '));
        let letter = option.strip_prefix('-').filter(|rest| rest.len() == 1);
        words.any(|word| match letter {
            // Letters stand together, or before what belongs to them.
            Some(letter) => {
                !word.starts_with("--") && word.starts_with('-') && word.contains(letter)
            }
            None => word.split('=').next() == Some(option),
        })
    };
    let missing: Vec<&str> = OPTIONS
        .split_whitespace()
        .filter(|option| !has(option))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let Some(daemons) = daemons() else { return };
    let help = Command::new(&daemons.ours)
        .arg("-h")
        .output()
        .unwrap()
        .stderr;
    let help = String::from_utf8(help).unwrap();
    // Of this program alone.
    let own = ["--log-style", "--hand-over"];
    for word in help.split([' ', ',', '\n', '=', '[', '.']) {
        let option = word.starts_with("--") || (word.len() == 2 && word.starts_with('-'));
        if option && !own.contains(&word) {
            assert!(
                OPTIONS.split_whitespace().any(|known| known == word),
                "{word}"
            );
        }
    }
}

fn run(program: &PathBuf, line: &str, good: &str, bad: &str) -> Output {
    let words = line.split(' ').map(|word| match word {
        "GOOD" => good.to_owned(),
        "BAD" => bad.to_owned(),
        "EMPTY" => String::new(),
        word => word
            .replace("=GOOD", &format!("={good}"))
            .replace("-fGOOD", &format!("-f{good}")),
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

/// What comes of both daemons, ours and the real one, side by side.
fn both<T: Send>(daemons: &Daemons, run: impl Fn(&PathBuf) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let ours = scope.spawn(|| run(&daemons.ours));
        let real = run(&daemons.real);
        [ours.join().unwrap(), real]
    })
}

/// A host with the link of [`INSTANCE`], in a namespace below it if one is named.
fn router(settings: &str, blue: bool) -> Host {
    let host = Host::new("router").unwrap();
    if blue {
        host.must(&["ip", "netns", "add", "blue"]).unwrap();
    }
    let place: &[&str] = if blue { &["-n", "blue"] } else { &[] };
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
    host
}

/// Input: what moves pid files, in the configuration and on the command line, and what leaves out
/// parts of the daemon. Output: the same files in both, a second start that says so and ends with 0,
/// nothing left after the stop.
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
        ("", &["--all", "-P"]),
        ("", &["--all", "-P", "-C"]),
        ("", &["-P"]),
        ("", &["-C"]),
        ("", &["-P", "-C", "-B"]),
        (
            "",
            &[
                "--all",
                "-C",
                "-c",
                "/run/own-c.pid",
                "-b",
                "/run/own-b.pid",
            ],
        ),
    ] {
        let found = both(&daemons, |program| {
            let blue = options.contains(&"blue") || settings.contains("blue");
            let host = router(settings, blue);
            let folder = tempfile::tempdir().unwrap();
            let start = |log: &str| {
                let log = std::fs::File::create(folder.path().join(log)).unwrap();
                let mut command = Command::new(program);
                command.args(["-n", "-l"]).args(options);
                host.spawn({
                    command.stdin(Stdio::null()).stderr(log);
                    command
                })
                .unwrap()
            };
            let log =
                |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
            let mut daemon = start("first");
            wait_until(SOON, "the start", || {
                let nothing = "keepalived has no configuration to run";
                log("first").contains("Startup complete") || log("first").contains(nothing)
            })
            .unwrap_or_else(|error| panic!("{options:?}: {error}: {}", log("first")));
            let files = pid_files(&host, daemon.pid());
            let mut second = start("second");
            let status = second.wait(SOON).unwrap();
            let running = log("second").contains("daemon is already running");
            stop(&mut daemon);
            let left = pid_files(&host, Pid::from_raw(0));
            (files, status.code(), running, left)
        });
        assert_eq!(found[0], found[1], "{settings:?} {options:?}: ours, real");
        assert_eq!((found[0].1, found[0].2), (Some(0), true));
        assert!(found[0].3.is_empty());
    }
}

/// Input: each way to say where the log goes, in the foreground and not. Output: the same: whether
/// there is anything on standard error, and which idents syslog hears with which facility.
#[test]
fn the_log_goes_where_the_real_one_sends_it() {
    if !needs_root() {
        return;
    }
    let Some(daemons) = daemons() else { return };
    for options in [
        "-n",
        "-n -l",
        "-nlDG",
        "-n -G",
        "-D",
        "-G",
        "-S 3 -n",
        "-n -S local5 -D",
        "-S 9 -n",
        "--log-facility=7 -n --dump-conf",
        "-n -l -G -d",
        "-a -n -l -G",
        "-u 0 -n -l",
    ] {
        let heard = both(&daemons, |program| {
            let host = router("", false);
            let syslog = Syslog::start(&host).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let errors = folder.path().join("errors");
            let mut command = Command::new(program);
            command.args(options.split(' ')).stdin(Stdio::null());
            command.stderr(std::fs::File::create(&errors).unwrap());
            let mut launched = host.spawn(command).unwrap();
            let pid = || {
                let text = host.read("/run/keepalived.pid").ok()?;
                Some(Pid::from_raw(text.trim().parse().ok()?))
            };
            let (parent, _) = wait_for(SOON, "the pid file", pid).unwrap();
            let vrrp = || {
                host.read("/run/vrrp.pid")
                    .is_ok_and(|text| !text.trim().is_empty())
            };
            wait_until(SOON, "the start", vrrp).unwrap();
            kill(parent, Signal::SIGTERM).unwrap();
            let status = launched.wait(SOON).unwrap();
            wait_until(SOON, "the end", || host.processes().is_empty()).unwrap();
            let text = std::fs::read_to_string(&errors).unwrap();
            let lines = syslog.lines();
            let idents: BTreeSet<(String, u8)> = lines
                .iter()
                // 2.2.7 says its first lines before it has read -S.
                .skip_while(|line| {
                    !line.text.contains("onfiguration file") && !line.text.starts_with("Opening")
                })
                .map(|line| (line.ident.clone(), line.priority >> 3))
                .collect();
            (status.code(), text.is_empty(), idents)
        });
        assert_eq!(heard[0], heard[1], "{options}: ours, real");
    }
}
