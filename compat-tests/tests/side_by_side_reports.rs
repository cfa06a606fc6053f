//! The files that a signal asks for, beside the real daemon's, line by line.
//!
//! Owns: the stages, and what of a line depends on the moment. Both daemons run on hosts of the
//! same kind, with a neighbour that is master of some of the virtual routers, and get the same
//! signals and events; what they write has to be equal once times and descriptors are out of the
//! way. What differs on purpose stands in cases/files/differs.txt with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use compat_tests::bed::{Host, Proc, needs_root, wait_until};
use compat_tests::exporters::{self, Published};
use compat_tests::routers::both_daemons;
use compat_tests::sim::wire::{self, Advert};
use compat_tests::tables::differs::{Differs, Speaker};
use compat_tests::text_diff::differing;
use keepalived_rs::base::Duration as Interval;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};

/// On a loaded machine a daemon may need long for its start.
const SOON: Duration = Duration::from_secs(30);
/// The reports, and the signal that asks for each.
const FILES: [(&str, &str); 4] = [
    ("keepalived_parent.data", "DATA"),
    ("keepalived.data", "DATA"),
    ("keepalived.stats", "STATS"),
    ("keepalived.json", "JSON"),
];

fn daemons() -> Option<[PathBuf; 2]> {
    both_daemons().filter(|_| needs_root())
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/files")
}

/// A daemon on its host, with its neighbour.
struct Site {
    host: Host,
    neighbour: Host,
    daemon: Proc,
    _master: Proc,
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(program: &Path, real: &Path, case: &str) -> Self {
        let neighbour = Host::new("node2").unwrap();
        let host = Host::new("node1").unwrap();
        let near = neighbour.thread();
        host.ip_batch(&format!(
            "link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 netns {near}\n\
             link add eth1 address 02:00:00:00:00:02 type veth peer name eth1 netns {near}\n\
             link set eth0 up\nlink set eth1 up\naddr add 192.0.2.1/24 dev eth0\n\
             addr add 198.51.100.1/24 dev eth1\n"
        ))
        .unwrap();
        neighbour
            .ip_batch("link set eth0 up\naddr add 192.0.2.2/24 dev eth0\n")
            .unwrap();
        // Without a link-local address there is no source for IPv6.
        wait_until(SOON, "the address of eth0", || {
            let words = ["ip", "-6", "addr", "show", "dev", "eth0", "-tentative"];
            host.must(&words).is_ok_and(|text| text.contains("fe80"))
        })
        .unwrap();
        let text = |name: &str| std::fs::read_to_string(cases().join(case).join(name)).unwrap();
        host.write("/run/value", "3\n").unwrap();
        let file = "/etc/keepalived/keepalived.conf";
        host.write(file, text("keepalived.conf")).unwrap();
        neighbour.write(file, text("peer.conf")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let start = |host: &Host, program: &Path, log: &str| {
            let mut command = Command::new(program);
            command.args(["-n", "-l", "-G", "-D", "-P"]);
            command.env("TMPDIR", folder.path()).stdin(Stdio::null());
            command.stderr(std::fs::File::create(folder.path().join(log)).unwrap());
            host.spawn(command).unwrap()
        };
        let master = start(&neighbour, real, "neighbour");
        wait_until(SOON, "the neighbour", || {
            let text = neighbour.must(&["ip", "-4", "addr", "show", "dev", "eth0"]);
            text.is_ok_and(|text| text.contains("192.0.2.102"))
        })
        .unwrap();
        let daemon = start(&host, program, "log");
        Self {
            host,
            neighbour,
            daemon,
            _master: master,
            program: program.to_owned(),
            folder,
        }
    }

    /// Sends one of keepalived's signals by its name.
    fn ask(&self, name: &str) {
        let option = format!("--signum={name}");
        let output = Command::new(&self.program).arg(option).output().unwrap();
        let number: i32 = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap();
        let pid = self.daemon.pid().as_raw();
        // Real-time signals have no name.
        self.host
            .must(&["kill", &format!("-{number}"), &pid.to_string()])
            .unwrap();
    }

    /// What it writes now.
    fn report(&self, (name, signal): (&str, &str)) -> String {
        let path = self.folder.path().join(name);
        std::fs::remove_file(&path).ok();
        self.ask(signal);
        let mut text = String::new();
        // The real one writes in place: complete is what has not grown.
        let complete = || {
            let before = std::mem::take(&mut text);
            text = std::fs::read_to_string(&path).unwrap_or_default();
            !text.is_empty() && text == before
        };
        wait_until(SOON, name, complete)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.program.display(), self.log()));
        text
    }

    /// The state of each instance.
    fn states(&self) -> BTreeMap<String, String> {
        let mut states = BTreeMap::new();
        let mut name = String::new();
        for line in self.report(FILES[1]).lines() {
            if let Some(found) = line.strip_prefix(" VRRP Instance = ") {
                found.clone_into(&mut name);
            } else if let Some(state) = line.strip_prefix("   State = ") {
                states.entry(name.clone()).or_insert(state.to_owned());
            }
        }
        states
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Signals that come before the daemon listens end it.
    fn wait_for_start(&self) {
        let pid = || {
            let vrrp = self.host.read("/run/vrrp.pid").unwrap_or_default();
            vrrp.trim().parse()
        };
        wait_until(SOON, "the start", || pid().is_ok_and(listens))
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.program.display(), self.log()));
    }
}

/// Whether a process handles USR1, or has it blocked to read it.
fn listens(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let usr1 = 1u64 << (Signal::SIGUSR1 as u32 - 1);
    ["SigCgt:", "SigBlk:"].iter().any(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & usr1 != 0)
    })
}

/// A line without what depends on the moment.
fn normal(line: &str) -> String {
    let line = line
        .replace("/usr/bin/", "/bin/")
        .replace("\\/usr\\/bin\\/", "\\/bin\\/");
    for start in [
        "   Last transition = ",
        "   Read timeout = ",
        "   Master down timer = ",
        " GARP next time ",
        " GNA next time ",
        "   Not IPv6 forwarding. Last checked ",
        "\"last_transition\":",
        // Adverts are counted when the signal comes.
        "\"advert_sent\":",
        "\"advert_rcvd\":",
        "    Sent: ",
        "    Received: ",
    ] {
        if let Some(rest) = line.strip_prefix(start) {
            let nothing = ["0", "DISABLED"].into_iter().find(|word| *word == rest);
            return format!("{start}{}", nothing.unwrap_or("N"));
        }
    }
    // Descriptors.
    let mut words: Vec<&str> = line.split(' ').collect();
    if line.trim_start().starts_with("fd_in ") {
        for word in &mut words {
            if word.trim_end_matches(',').parse::<u32>().is_ok() {
                *word = "N";
            }
        }
    }
    words.join(" ")
}

/// The lines of a report; each field of JSON is one.
fn lines(name: &str, text: &str) -> Vec<String> {
    let broken = if name.ends_with("json") {
        text.replace(",\"", ",\n\"").replace("{\"", "{\n\"")
    } else {
        text.to_owned()
    };
    broken.lines().map(normal).collect()
}

/// Both daemons of a case, and what may differ.
struct Pair {
    case: &'static str,
    ours: Site,
    real: Site,
    differs: Differs,
}

impl Pair {
    fn new(case: &'static str, [ours, real]: &[PathBuf; 2]) -> Self {
        let pair = Self {
            case,
            ours: Site::new(ours, real, case),
            real: Site::new(real, real, case),
            differs: Differs::read(&cases().join("differs.txt")).unwrap(),
        };
        pair.ours.wait_for_start();
        pair.real.wait_for_start();
        pair
    }

    /// Waits until both have these states, then until they write the same.
    fn expect(&mut self, stage: &str, states: &[(&str, &str)]) {
        for site in [&self.ours, &self.real] {
            let mut found = BTreeMap::new();
            let reached = || {
                found = site.states();
                let has =
                    |&(name, state): &(&str, &str)| found.get(name).is_some_and(|is| is == state);
                states.iter().all(has)
            };
            if let Err(error) = wait_until(SOON, stage, reached) {
                panic!("{}: {error}: {found:?}", site.program.display());
            }
        }
        for file in FILES {
            let mut wrong = Vec::new();
            let alike = || {
                wrong = self.wrong(file);
                wrong.is_empty()
            };
            // What is on its way at the first look, a result of a script, has come at the second.
            if wait_until(Duration::from_secs(12), file.0, alike).is_err() {
                panic!("{}, {stage}, {}:\n{}", self.case, file.0, wrong.join("\n"));
            }
        }
        self.expect_published(stage);
    }

    /// What the usual exporters publish: of both the same, from every file the same.
    fn expect_published(&self, stage: &str) {
        let [ours, real] = self.both().map(|site| {
            published(site).unwrap_or_else(|error| {
                panic!("{stage}: {}: {error}", site.program.display());
            })
        });
        assert_eq!(ours, real, "{stage}: what exporters publish");
    }

    fn wrong(&mut self, file: (&str, &str)) -> Vec<String> {
        let ours = lines(file.0, &self.ours.report(file));
        let real = lines(file.0, &self.real.report(file));
        let mut wrong = Vec::new();
        for (who, line) in differing(&ours, &real) {
            if !self.differs.allows(who, self.case, line) {
                let sign = if who == Speaker::Ours { "ours" } else { "real" };
                wrong.push(format!("{sign} {line}"));
            }
        }
        wrong
    }

    fn both(&self) -> [&Site; 2] {
        [&self.ours, &self.real]
    }

    fn signal(&self, signal: Signal) {
        for site in self.both() {
            kill(Pid::from_raw(site.daemon.pid().as_raw()), signal).unwrap();
        }
    }
}

/// What exporters make of a site's files, without what depends on the moment. Its adverts are
/// counted and its states have begun, though.
fn published(site: &Site) -> Result<Published, String> {
    let [_, data, stats, json] = FILES.map(|file| site.report(file));
    let mut found = Published {
        data: exporters::data(&data)?,
        counters: exporters::counters(&stats)?,
        scripts: exporters::scripts(&data)?,
    };
    let told = exporters::json(&json)?;
    if !told.counters.keys().eq(found.counters.keys()) {
        return Err(format!("{told:?}\n{found:?}"));
    }
    for (name, data) in &mut found.data {
        // Behind the interface is what it is a VMAC of, which JSON does not tell.
        let alone = data.interface.split(',').next();
        let alone = alone.unwrap_or_default().to_owned();
        let interface = std::mem::replace(&mut data.interface, alone);
        if told.data.get(name) != Some(data) {
            return Err(format!("{:?}\n{data:?}", told.data.get(name)));
        }
        data.interface = interface;
        if data.since <= 1e9 {
            return Err(format!("{name}: {}", data.since));
        }
        data.since = 0.0;
    }
    for counters in found.counters.values_mut() {
        counters.retain(|name, _| !name.starts_with("Advertisements/"));
    }
    // A script runs now, or does not.
    found
        .scripts
        .values_mut()
        .for_each(|script| script.1.clear());
    Ok(found)
}

/// Input: instances in all states; then a file changes, a link comes, and the configuration.
/// Output: the files of the real one at every stage.
#[test]
fn the_reports_of_all_states_are_the_real_ones() {
    let Some(daemons) = daemons() else { return };
    let mut pair = Pair::new("states", &daemons);
    let mut states = vec![
        ("VI_M", "MASTER"),
        ("VI_3", "MASTER"),
        ("VI_B", "BACKUP"),
        ("VI_F", "FAULT"),
        ("VI_F2", "FAULT"),
        ("VI_S", "FAULT"),
        ("VI_U", "BACKUP"),
        ("VI_6", "MASTER"),
        ("VI_V", "MASTER"),
    ];
    pair.expect("start", &states);
    for site in pair.both() {
        site.host.write("/run/value", "7\n").unwrap();
        site.neighbour.ip_batch("link set eth1 up\n").unwrap();
    }
    states[3].1 = "MASTER";
    states[4].1 = "MASTER";
    pair.expect("link", &states);
    let second = std::fs::read_to_string(cases().join("states/second.conf")).unwrap();
    for site in pair.both() {
        site.host
            .write("/etc/keepalived/keepalived.conf", second.as_str())
            .unwrap();
    }
    pair.signal(Signal::SIGHUP);
    pair.expect("reload", &states);
    for site in pair.both() {
        let cleared = site.report(("keepalived.stats", "STATS_CLEAR"));
        assert!(cleared.contains("Became master: 1"), "{cleared}");
        wait_until(SOON, "cleared counters", || {
            let stats = site.report(FILES[2]);
            !stats.contains("Became master: 1")
        })
        .unwrap();
    }
    pair.expect("clear", &states);
    for site in pair.both() {
        site.neighbour.enter(send_bad_adverts).unwrap().unwrap();
    }
    pair.expect("bad adverts", &states);
    let heard = pair.ours.report(FILES[2]);
    for line in [
        "TTL: 1",
        "Address List: 2",
        "Type Mismatch: 1",
        "Failure: 1",
    ] {
        let mut lines = heard.lines();
        assert!(lines.any(|found| found.trim() == line), "{line}\n{heard}");
    }
}

/// Adverts to `VI_M`, each wrong in one way, and one that gives the addresses up. Not one with
/// another interval, which the real one does not count.
fn send_bad_adverts() -> std::io::Result<()> {
    let (group, from) = (Ipv4Addr::new(224, 0, 0, 18), Ipv4Addr::new(192, 0, 2, 2));
    let good = Advert {
        ends: (from.into(), group.into()),
        version: 2,
        vrid: 51,
        priority: 10,
        interval: Interval::from_secs(1),
        auth: (1, *b"s3cret\0\0"),
        addresses: vec![
            Ipv4Addr::new(192, 0, 2, 100).into(),
            Ipv4Addr::new(192, 0, 2, 111).into(),
        ],
    };
    let bad = |change: fn(&mut Advert)| {
        let mut advert = good.clone();
        change(&mut advert);
        advert.write()
    };
    let mut packets = vec![
        bad(|advert| advert.auth.1 = *b"wrong\0\0\0"),
        bad(|advert| advert.auth.0 = 0),
        bad(|advert| advert.addresses.truncate(1)),
        bad(|advert| advert.addresses[1] = Ipv4Addr::new(192, 0, 2, 9).into()),
        bad(|advert| advert.priority = 0),
        good.write(),
        good.write()[..24].to_vec(),
    ];
    packets[5][8] = 64;
    for packet in &mut packets {
        wire::complete_ip_header(packet, None, 1);
    }
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
    socket.set_header_included_v4(true)?;
    socket.set_multicast_if_v4(&from)?;
    socket.set_multicast_loop_v4(false)?;
    let to = SocketAddrV4::new(group, 0).into();
    packets
        .iter()
        .try_for_each(|packet| socket.send_to(packet, &to).map(drop))
}

/// Input: instances on links of their own, with delays, scripts that have not ended, preemption
/// that waits. Output: the files of the real one.
#[test]
fn the_reports_of_links_and_delays_are_the_real_ones() {
    let Some(daemons) = daemons() else { return };
    let mut pair = Pair::new("links", &daemons);
    pair.expect(
        "start",
        &[
            ("VI_A", "FAULT"),
            ("VI_3", "FAULT"),
            ("VI_B", "BACKUP"),
            ("VI_B3", "BACKUP"),
            ("VI_P", "BACKUP"),
            ("VI_U", "MASTER"),
            ("VI_V", "MASTER"),
            ("VI_O", "MASTER"),
            ("VI_S", "MASTER"),
        ],
    );
}
