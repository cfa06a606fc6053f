//! Ours beside the real daemon over every version, family, transport and authentication.
//!
//! Owns a table of scenarios and two experiments: the same configuration in both, each alone, whose
//! frames and addresses have to be equal; and one of each on a LAN, which have to elect, fail over
//! and return. Never compares with recorded data. Needs root and both binaries (KEEPALIVED_OURS,
//! KEEPALIVED_REAL), else says `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use compat_tests::bed::{Error, Frame, Result, needs_root, priority_of, wait_until};
use compat_tests::routers::{PATIENCE, Router, Segment, both_daemons};

/// Scenarios that run at the same time, each in namespaces of its own.
const WORKERS: usize = 8;
/// Announcements in a burst.
const BURST: usize = 5;

/// One configuration, but for what differs between the two routers.
#[derive(Debug, Clone)]
struct Scenario {
    name: String,
    /// Lines of `vrrp_instance`.
    lines: String,
    /// Lines that name the other router; `{peer}` is its number.
    to_peer: &'static str,
    addresses: &'static [&'static str],
    interval: Duration,
    no_preempt: bool,
}

impl Scenario {
    fn configuration(&self, number: u8, priority: u8) -> String {
        let to_peer = self
            .to_peer
            .replace("{peer}", &(3 - number).to_string())
            .replace("{own}", &number.to_string());
        let preempt = if self.no_preempt { "nopreempt\n" } else { "" };
        format!(
            "global_defs {{\nrouter_id x\n}}\nvrrp_instance VI_1 {{\nstate BACKUP\ninterface eth0\n\
             virtual_router_id 51\npriority {priority}\nadvert_int {}\n{preempt}{}\n{to_peer}\n\
             virtual_ipaddress {{\n{}\n}}\n}}\n",
            self.interval.as_secs_f64(),
            self.lines,
            self.addresses.join("\n")
        )
    }
}

const V4: &[&str] = &["10.1.0.1/24", "10.1.0.2/24"];
const V6: &[&str] = &["fe80::51:1/64", "fd00::51:2/64"];
const UNICAST_4: &str = "unicast_peer {\n10.1.255.{peer}\n}";
const UNICAST_6: &str = "unicast_src_ip fd00::{own}\nunicast_peer {\nfd00::{peer}\n}";
const UNICAST_6_LINK: &str = "unicast_peer {\nfe80::ff:fe00:{peer}\n}";

/// Name, lines, lines to the peer, addresses, interval in milliseconds.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    u64,
);

const ROWS: &[Row] = &[
    ("v2 multicast", "", "", V4, 1000),
    (
        "v2 multicast PASS",
        "authentication {\nauth_type PASS\nauth_pass 1111\n}",
        "",
        V4,
        1000,
    ),
    (
        "v2 multicast AH",
        "authentication {\nauth_type AH\nauth_pass 1111\n}",
        "",
        V4,
        1000,
    ),
    (
        "v2 multicast other group",
        "mcast_dst_ip 224.0.0.77",
        "",
        V4,
        1000,
    ),
    ("v2 unicast", "", UNICAST_4, V4, 1000),
    (
        "v2 unicast PASS",
        "authentication {\nauth_type PASS\nauth_pass secret\n}",
        UNICAST_4,
        V4,
        1000,
    ),
    (
        "v2 unicast AH",
        "authentication {\nauth_type AH\nauth_pass secret\n}",
        UNICAST_4,
        V4,
        1000,
    ),
    ("v3 multicast", "version 3", "", V4, 300),
    (
        "v3 multicast other group",
        "version 3\nmcast_dst_ip 224.0.0.77",
        "",
        V4,
        300,
    ),
    ("v3 multicast slow", "version 3", "", V4, 1000),
    ("v3 unicast", "version 3", UNICAST_4, V4, 300),
    (
        "v3 unicast TTL",
        "version 3\nunicast_ttl 7",
        UNICAST_4,
        V4,
        300,
    ),
    (
        "v3 unicast old checksum",
        "version 3\nold_unicast_checksum",
        UNICAST_4,
        V4,
        300,
    ),
    (
        "v3 unicast checked source",
        "version 3\ncheck_unicast_src",
        UNICAST_4,
        V4,
        300,
    ),
    ("v6 multicast", "native_ipv6", "", V6, 300),
    (
        "v6 multicast other group",
        "mcast_dst_ip ff02::77",
        "",
        V6,
        300,
    ),
    ("v6 unicast", "", UNICAST_6, V6, 300),
    ("v6 unicast TTL", "unicast_ttl 9", UNICAST_6, V6, 300),
    ("v6 unicast link-local", "", UNICAST_6_LINK, V6, 300),
];

fn scenarios(no_preempt: bool) -> Vec<Scenario> {
    let scenario = |&(name, lines, to_peer, addresses, millis): &Row| Scenario {
        name: format!("{name}{}", if no_preempt { " nopreempt" } else { "" }),
        lines: lines.to_owned(),
        to_peer,
        addresses,
        interval: Duration::from_millis(millis),
        no_preempt,
    };
    ROWS.iter().map(scenario).collect()
}

struct Daemons {
    ours: PathBuf,
    real: PathBuf,
}

/// Both daemons, or the reason why the test cannot run, printed.
fn daemons() -> Option<Daemons> {
    if !needs_root() {
        return None;
    }
    let [ours, real] = both_daemons()?;
    Some(Daemons { ours, real })
}

/// Runs `jobs`, some at a time; returns what went wrong, by name.
fn run_all<T: Sync>(jobs: &[(String, T)], run: impl Fn(&T) -> Result<()> + Sync) -> Vec<String> {
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
                    let Some((name, job)) = jobs.get(index) else {
                        return;
                    };
                    if let Err(error) = run(job) {
                        failures.lock().unwrap().push(format!("{name}: {error}"));
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// The VRRP frames of a router, told by its hardware address.
fn adverts(segment: &Segment, router: &Router, from: SystemTime) -> Vec<(Frame, u8)> {
    let mine = |frame: Frame| {
        (frame.packet().source_mac == router.mac()).then_some(())?;
        let priority = priority_of(&frame.bytes)?;
        Some((frame, priority))
    };
    let frames = segment.capture.since(from);
    frames.into_iter().filter_map(mine).collect()
}

/// Gratuitous ARPs and unsolicited neighbour advertisements of a router for virtual addresses.
fn announcements(segment: &Segment, router: &Router, from: SystemTime) -> Vec<Vec<u8>> {
    let frames = segment.capture.since(from).into_iter();
    let mine = frames.filter(|frame| frame.packet().source_mac == router.mac());
    mine.map(|frame| frame.bytes)
        .filter(|bytes| match bytes.get(12..14) {
            Some([8, 6]) => bytes.get(28..32) == bytes.get(38..42) && bytes.get(30) == Some(&0),
            // ICMPv6 type 136 of one of the virtual addresses, which have 51 in them.
            Some([0x86, 0xdd]) => {
                bytes.get(20) == Some(&58)
                    && bytes.get(54) == Some(&136)
                    && bytes.get(74..76) == Some(&[0, 0x51])
            }
            _ => false,
        })
        .collect()
}

/// A frame without what the kernel or a counter chooses: IPv4's identification with its sum,
/// IPv6's flow label.
fn essence(mut frame: Vec<u8>) -> Vec<u8> {
    let places: &[usize] = match frame.get(12..14) {
        Some([8, 0]) => &[18, 19, 24, 25],
        Some([0x86, 0xdd]) => &[16, 17],
        _ => &[],
    };
    for &index in places {
        frame[index] = 0;
    }
    if frame.get(12..14) == Some(&[0x86, 0xdd]) {
        frame[15] &= 0xf0;
    }
    // With an authentication header the identification is in the check value as well.
    if frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&51) {
        frame[42..58].fill(0);
    }
    frame
}

fn addresses(router: &Router) -> Result<Vec<String>> {
    let text = router.host().must(&["ip", "-o", "addr", "show"])?;
    let tidy = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        words.join(" ").replace('\\', "")
    };
    let mut lines: Vec<String> = text.lines().map(tidy).collect();
    // The order of IPv6 addresses is not the daemon's doing.
    lines.sort();
    Ok(lines)
}

/// Whether the router has the virtual addresses.
fn holds(router: &Router) -> bool {
    let lines = addresses(router).unwrap_or_default();
    lines
        .iter()
        .any(|line| line.contains(" 10.1.0.1/") || line.contains(" fd00::51:2/"))
}

fn wait_for_advert(segment: &Segment, index: usize, from: SystemTime) -> Result<()> {
    let router = &segment.routers[index];
    let what = format!("an advert of router {}", index + 1);
    wait_until(PATIENCE, &what, || {
        adverts(segment, router, from)
            .iter()
            .any(|(_, priority)| *priority > 0)
    })
    .map(drop)
    .map_err(|error| Error::new(format!("{error}\n{}", router.log_tail())))
}

/// What one router alone shows to the world.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    adverts: BTreeSet<Vec<u8>>,
    announcements: Vec<Vec<u8>>,
    as_master: Vec<String>,
    afterwards: Vec<String>,
}

fn trace(daemon: &Path, scenario: &Scenario) -> Result<Trace> {
    let mut segment = Segment::dual_stack([daemon, daemon])?;
    let begin = SystemTime::now();
    segment.routers[0].configure(&scenario.configuration(1, 150))?;
    segment.routers[0].start()?;
    wait_for_advert(&segment, 0, begin)?;
    let burst = BURST * scenario.addresses.len();
    wait_until(PATIENCE, "the first burst", || {
        announcements(&segment, &segment.routers[0], begin).len() >= burst
    })?;
    wait_until(PATIENCE, "a second advert", || {
        adverts(&segment, &segment.routers[0], begin).len() >= 2
    })?;
    let as_master = addresses(&segment.routers[0])?;
    segment.routers[0].stop()?;
    wait_until(PATIENCE, "the advert that resigns", || {
        let said = adverts(&segment, &segment.routers[0], begin);
        said.iter().any(|(_, priority)| *priority == 0)
    })?;
    let said = adverts(&segment, &segment.routers[0], begin);
    Ok(Trace {
        adverts: said
            .into_iter()
            .map(|(frame, _)| essence(frame.bytes))
            .collect(),
        announcements: announcements(&segment, &segment.routers[0], begin)
            .into_iter()
            .take(burst)
            .collect(),
        as_master,
        afterwards: addresses(&segment.routers[0])?,
    })
}

/// Input: each scenario in both daemons, alone. Output: equal adverts (but for identification and
/// flow label), equal announcements, the same addresses as master and after the stop.
#[test]
fn every_protocol_puts_the_same_frames_on_the_wire() {
    let Some(daemons) = daemons() else { return };
    let jobs: Vec<(String, Scenario)> = scenarios(false)
        .into_iter()
        .map(|scenario| (scenario.name.clone(), scenario))
        .collect();
    let failures = run_all(&jobs, |scenario| {
        let ours = trace(&daemons.ours, scenario)?;
        let real = trace(&daemons.real, scenario)?;
        let differ = [
            ("adverts", ours.adverts != real.adverts),
            ("announcements", ours.announcements != real.announcements),
            ("addresses of the master", ours.as_master != real.as_master),
            ("addresses left behind", ours.afterwards != real.afterwards),
        ];
        let differ: Vec<&str> = differ
            .into_iter()
            .filter_map(|(what, differs)| differs.then_some(what))
            .collect();
        if differ.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!(
            "{differ:?} differ\nours: {ours:02x?}\nreal: {real:02x?}"
        )))
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Only this router has the addresses.
fn only(segment: &Segment, index: usize) -> bool {
    holds(&segment.routers[index]) && !holds(&segment.routers[1 - index])
}

fn settle(segment: &Segment, index: usize, what: &str) -> Result<()> {
    wait_until(PATIENCE, what, || only(segment, index))
        .map(drop)
        .map_err(|error| {
            let logs: Vec<String> = segment.routers.iter().map(Router::log_tail).collect();
            Error::new(format!("{error}\n{}", logs.join("\n--\n")))
        })
}

/// Election, stop of the master, its return, stop of both.
fn story((scenario, first, second): &(Scenario, PathBuf, PathBuf)) -> Result<()> {
    let mut segment = Segment::dual_stack([first, second])?;
    segment.routers[0].configure(&scenario.configuration(1, 200))?;
    segment.routers[1].configure(&scenario.configuration(2, 90))?;
    let begin = SystemTime::now();
    segment.routers[0].start()?;
    wait_for_advert(&segment, 0, begin)?;
    segment.routers[1].start()?;
    settle(&segment, 0, "one master at the start")?;

    // It listens before it speaks: the other goes on for as long as it takes to time out.
    let joined = SystemTime::now();
    let patience = scenario.interval * 5 + Duration::from_secs(1);
    wait_until(PATIENCE, "the backup's patience", || {
        joined.elapsed().is_ok_and(|time| time >= patience)
    })?;
    let early = adverts(&segment, &segment.routers[1], begin);
    if !early.is_empty() {
        return Err(Error::new(format!(
            "the backup spoke beside a master\n{}",
            segment.routers[1].log_tail()
        )));
    }

    let stopped = SystemTime::now();
    segment.routers[0].stop()?;
    wait_for_advert(&segment, 1, stopped)?;
    settle(&segment, 1, "the backup to take over")?;

    let returned = SystemTime::now();
    segment.routers[0].start()?;
    if scenario.no_preempt {
        wait_until(PATIENCE, "the first router's patience", || {
            returned.elapsed().is_ok_and(|time| time >= patience)
        })?;
        if !adverts(&segment, &segment.routers[0], returned).is_empty() {
            return Err(Error::new("the first router preempts".to_owned()));
        }
        settle(&segment, 1, "the second router to stay master")?;
    } else {
        wait_for_advert(&segment, 0, returned)?;
        settle(&segment, 0, "the first router to return")?;
    }
    for router in &mut segment.routers {
        router.stop()?;
    }
    if segment.routers.iter().any(holds) {
        return Err(Error::new("addresses are left behind".to_owned()));
    }
    Ok(())
}

/// Input: each scenario, with and without preemption, ours as the better router and as the lesser
/// one. Output: one elects, fails over to and returns beside the other.
#[test]
fn mixed_pairs_of_every_protocol_elect_fail_over_and_return() {
    let Some(Daemons { ours, real }) = daemons() else {
        return;
    };
    let mut jobs = Vec::new();
    for scenario in [scenarios(false), scenarios(true)].concat() {
        for (how, first, second) in [("ours first", &ours, &real), ("real first", &real, &ours)] {
            let name = format!("{}, {how}", scenario.name);
            jobs.push((name, (scenario.clone(), first.clone(), second.clone())));
        }
    }
    let failures = run_all(&jobs, story);
    println!("{} scenarios, {} failed", jobs.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
