//! Ours beside the real daemon: the same configuration in both, the same LAN, the same bytes.
//!
//! Owns the comparison: what either puts on the wire, into the kernel and into its log for the
//! same configuration, and that they elect one master in every pairing. Never compares with
//! recorded data: the real daemon runs in the same test. Needs root and both binaries
//! (KEEPALIVED_OURS, KEEPALIVED_REAL), else says `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use compat_tests::bed::{Result, needs_root, wait_until};
use compat_tests::routers::{Instance, PATIENCE, Router, Segment, both_daemons};

/// Bursts of gratuitous ARP: five packets for each address (`garp_master_repeat`).
const BURST: usize = 5;
/// How much later than in theory a takeover may be here. The goal is 20 ms; a loaded test machine
/// is allowed more, and the benchmark shows the true figure.
const SLACK: Duration = Duration::from_millis(150);

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

/// What one master alone showed to the world.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    /// The first advert and the first of each other kind, whole frames.
    adverts: BTreeSet<Vec<u8>>,
    /// Gratuitous ARPs of the first burst, whole frames in their order.
    announcements: Vec<Vec<u8>>,
    /// What `ip addr` prints while it is master.
    as_master: Vec<String>,
    /// What `ip addr` prints after it has stopped.
    afterwards: Vec<String>,
    /// What it has logged about the instance and its addresses.
    log: BTreeSet<String>,
}

/// IPv4's identification field: the kernel's choice or a counter, not the protocol's business.
fn without_identification(mut frame: Vec<u8>) -> Vec<u8> {
    // Ethernet 14 bytes; the identification is bytes 4 and 5 of the header, its sum 10 and 11.
    for index in [18, 19, 24, 25] {
        if let Some(byte) = frame.get_mut(index) {
            *byte = 0;
        }
    }
    frame
}

/// The lines of a log that operators look for, without time, and without what differs by intent:
/// a line for each ARP packet needs `-D -D` since 2.4, and ours says when no peer was ever heard.
fn messages(log: &str) -> BTreeSet<String> {
    ordered_messages(log).into_iter().collect()
}

/// The same in their order.
fn ordered_messages(log: &str) -> Vec<String> {
    let wanted = ["(VI_1)", "Assigned address"];
    let intended = ["no other router has ever been heard"];
    let message = |line: &str| {
        // `Sun Nov 22 13:14:45 2026: text`
        let (_, text) = line.split_at_checked(26)?;
        let counts = wanted.iter().any(|word| text.contains(word))
            && !intended.iter().any(|word| text.contains(word));
        counts.then(|| text.trim().to_owned())
    };
    log.lines().filter_map(message).collect()
}

/// Lets the first router of a segment be master alone, then stops it.
fn trace(segment: &mut Segment, instance: &Instance) -> Result<Trace> {
    let begin = SystemTime::now();
    let configuration = instance.configuration();
    segment.routers[0].configure(&configuration)?;
    segment.routers[0].start()?;
    segment.wait_for_master(0, begin)?;
    let burst = BURST * instance.addresses.len();
    wait_until(PATIENCE, "the first burst", || {
        segment.announcements(&segment.routers[0], begin).len() >= burst
    })?;
    wait_until(PATIENCE, "a second advert", || {
        segment.adverts(&segment.routers[0], begin).len() >= 2
    })?;
    let announcements = segment.announcements(&segment.routers[0], begin);
    let as_master = segment.routers[0].addresses()?;
    segment.routers[0].stop()?;
    let resigned = |segment: &Segment| {
        segment
            .adverts(&segment.routers[0], begin)
            .iter()
            .any(|(_, advert)| advert.priority == 0)
    };
    wait_until(PATIENCE, "the advert that resigns", || resigned(segment))?;
    let adverts = segment.adverts(&segment.routers[0], begin);
    Ok(Trace {
        adverts: adverts
            .into_iter()
            .map(|(frame, _)| without_identification(frame.bytes))
            .collect(),
        announcements: announcements
            .into_iter()
            .take(burst)
            .map(|(frame, _)| frame.bytes)
            .collect(),
        as_master,
        afterwards: segment.routers[0].addresses()?,
        log: messages(&segment.routers[0].log()?),
    })
}

/// The configurations compared, each with what it is about.
fn configurations() -> Vec<(&'static str, Instance)> {
    let plain = Instance::with_addresses(1);
    let lines = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    vec![
        ("one address", plain.clone()),
        (
            "two addresses and a password",
            Instance {
                password: Some("1111"),
                ..Instance::with_addresses(2)
            },
        ),
        ("twenty addresses", Instance::with_addresses(20)),
        (
            "a long password, another router, two seconds",
            Instance {
                password: Some("longer than eight"),
                vrid: 255,
                interval: 2,
                priority: 254,
                ..plain.clone()
            },
        ),
        (
            "initial state MASTER",
            Instance {
                state: "MASTER",
                priority: 1,
                ..plain.clone()
            },
        ),
        (
            "masks, labels, devices and scopes",
            Instance {
                addresses: lines(&[
                    "10.1.0.1/24",
                    "10.1.0.2/24 dev eth0",
                    "10.1.0.3 label eth0:vip",
                    "10.1.0.4/16 brd 10.1.255.255",
                    "10.1.0.5/32 scope link",
                    "10.1.0.6/28 brd + scope site label eth0:6",
                    "127.1.0.7/8 dev lo scope host",
                ]),
                ..plain.clone()
            },
        ),
        (
            "the owner of the addresses",
            Instance {
                priority: 255,
                state: "MASTER",
                ..plain
            },
        ),
    ]
}

/// Runs one configuration in both daemons at once, each on a LAN of its own.
fn both_traces(daemons: &Daemons, instance: &Instance) -> [Trace; 2] {
    let run = |daemon: &PathBuf| -> Result<Trace> {
        trace(&mut Segment::new([daemon, daemon])?, instance)
    };
    std::thread::scope(|scope| {
        let real = scope.spawn(|| run(&daemons.real).expect("the real daemon's trace"));
        let ours = run(&daemons.ours).expect("our trace");
        [ours, real.join().expect("the real daemon's side")]
    })
}

/// Input: the same configuration in both. Output: the same adverts, announcements and addresses,
/// byte for byte.
#[test]
fn both_put_the_same_bytes_on_the_wire_and_the_same_addresses_into_the_kernel() {
    let Some(daemons) = daemons() else { return };
    let mut differences = Vec::new();
    for (name, instance) in configurations() {
        let [ours, real] = both_traces(&daemons, &instance);
        for (what, same) in [
            ("adverts", ours.adverts == real.adverts),
            ("gratuitous ARPs", ours.announcements == real.announcements),
            ("addresses of the master", ours.as_master == real.as_master),
            ("addresses left behind", ours.afterwards == real.afterwards),
        ] {
            if !same {
                differences.push(format!("{name}: {what}\nours: {ours:#?}\nreal: {real:#?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// Input: start, mastership and stop of the same configuration. Output: the same lines about the
/// instance, except those that 2.4.3 words otherwise than the 2.2.7 beside us.
#[test]
fn both_log_the_same_about_an_instance() {
    let Some(daemons) = daemons() else { return };
    let [ours, real] = both_traces(&daemons, &Instance::with_addresses(2));
    let missing: Vec<_> = real.log.difference(&ours.log).collect();
    let extra: Vec<_> = ours.log.difference(&real.log).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "ours lacks {missing:#?}\nours has besides {extra:#?}"
    );
}

/// Input: a backup of either kind beside the same real master, which stops, comes back and is
/// killed. Output: both log the same, in the same order.
#[test]
fn both_log_the_same_about_takeovers() {
    let Some(Daemons { ours, real }) = daemons() else {
        return;
    };
    let story = |backup: &Path| -> Result<Vec<String>> {
        let mut segment = Segment::new([&real, backup])?;
        takeovers(&mut segment)?;
        let mut lines = ordered_messages(&segment.routers[1].log()?);
        // The real one says at its start that it removes addresses even if there are none.
        let start = lines.iter().position(|line| line.ends_with("(init)"));
        let before = lines
            .drain(..start.unwrap_or(0))
            .filter(|line| !line.ends_with("removing VIPs."));
        Ok(before
            .collect::<Vec<_>>()
            .into_iter()
            .chain(lines)
            .collect())
    };
    let (ours, reals) = std::thread::scope(|scope| {
        let reals = scope.spawn(|| story(&real).expect("the real daemon's story"));
        (
            story(&ours).expect("our story"),
            reals.join().expect("the real daemon's side"),
        )
    });
    assert_eq!(ours, reals);
}

/// A stop, a return and a power failure of the first router, seen by the second.
fn takeovers(segment: &mut Segment) -> Result<()> {
    let instance = Instance::with_addresses(1);
    segment.routers[0].configure(&instance.state("MASTER").configuration())?;
    segment.routers[1].configure(&instance.priority(90).configuration())?;
    for kill in [false, true] {
        let start = SystemTime::now();
        segment.routers[0].start()?;
        segment.wait_for_master(0, start)?;
        if !kill {
            // Not earlier: their first timers are only 39 ms apart.
            segment.routers[1].start()?;
        }
        wait_until(PATIENCE, "three adverts", || {
            segment.adverts(&segment.routers[0], start).len() >= 3
        })?;
        let end = SystemTime::now();
        if kill {
            segment.routers[0].kill_all()?;
        } else {
            segment.routers[0].stop()?;
        }
        segment.wait_for_master(1, end)?;
        // The second burst ends what a takeover logs.
        wait_until(PATIENCE, "both bursts", || {
            segment.announcements(&segment.routers[1], end).len() >= 2 * BURST
        })?;
    }
    segment.routers[1].stop()
}

/// Input: a master that was killed with all its processes and starts again as a backup. Output:
/// the address that it left behind is gone before any election. The real one keeps it (unless
/// told `-X`), so that two routers answer for it.
#[test]
fn ours_removes_what_a_killed_daemon_left_behind() {
    let Some(Daemons { ours, real }) = daemons() else {
        return;
    };
    let mut segment = Segment::new([&ours, &real]).unwrap();
    let router = &mut segment.routers[0];
    router
        .configure(&Instance::with_addresses(1).state("MASTER").configuration())
        .unwrap();
    router.start().unwrap();
    wait_until(PATIENCE, "the address", || router.has("10.1.0.1").unwrap()).unwrap();
    router.kill_all().unwrap();
    assert!(router.has("10.1.0.1").unwrap(), "nothing was left behind");
    let long = Instance {
        interval: 5,
        ..Instance::with_addresses(1)
    };
    router.configure(&long.configuration()).unwrap();
    let start = SystemTime::now();
    router.start().unwrap();
    let gone = wait_until(PATIENCE, "its removal", || !router.has("10.1.0.1").unwrap());
    gone.unwrap_or_else(|error| panic!("{error}\n{}", router.log_tail()));
    assert!(
        start.elapsed().unwrap() < Duration::from_secs(5),
        "only by an election"
    );
}

/// Whether exactly this router has the address.
fn only(segment: &Segment, index: usize) -> bool {
    let has = |router: &Router| router.has("10.1.0.1").unwrap_or(false);
    has(&segment.routers[index]) && !has(&segment.routers[1 - index])
}

/// Election, stop, return and power failure of a master and a backup of any kind.
fn fail_over(name: &str, master: &Path, backup: &Path) -> Result<String> {
    let mut segment = Segment::new([master, backup])?;
    let instance = Instance {
        password: Some("1111"),
        ..Instance::with_addresses(1)
    };
    let low = instance.priority(90);
    segment.routers[0].configure(&instance.state("MASTER").configuration())?;
    segment.routers[1].configure(&low.configuration())?;

    let begin = SystemTime::now();
    // The better one first: on a slow machine the other would be alone for longer than it waits.
    segment.routers[0].start()?;
    segment.routers[1].start()?;
    segment.wait_for_master(0, begin)?;
    wait_until(PATIENCE, "one master at the start", || only(&segment, 0))?;
    assert!(
        segment.adverts(&segment.routers[1], begin).is_empty(),
        "{name}: the backup spoke before it was asked"
    );

    // TERM: the master resigns, so the backup waits only its skew.
    let stopped = SystemTime::now();
    segment.routers[0].stop()?;
    let resigned = segment
        .adverts(&segment.routers[0], stopped)
        .pop()
        .expect("an advert that resigns")
        .0;
    let taken = segment.wait_for_master(1, stopped)?;
    let skew = low.master_down() - 3 * Duration::from_secs(1);
    let stop_took = taken
        .at
        .duration_since(resigned.at)
        .expect("after the resignation");
    assert!(
        stop_took >= skew - Duration::from_millis(5),
        "{name}: took over {stop_took:?} after the resignation, skew {skew:?}"
    );
    assert!(
        stop_took <= skew + SLACK,
        "{name}: took over {stop_took:?} after the resignation, skew {skew:?}"
    );
    wait_until(PATIENCE, "the backup to have the address", || {
        only(&segment, 1)
    })?;

    // Its return: it has the higher priority and takes the address back.
    let returned = SystemTime::now();
    segment.routers[0].start()?;
    segment.wait_for_master(0, returned)?;
    wait_until(PATIENCE, "the master to have the address back", || {
        only(&segment, 0)
    })?;
    let back = SystemTime::now();
    wait_until(PATIENCE, "adverts of the old master only", || {
        segment.adverts(&segment.routers[0], back).len() >= 3
    })?;
    assert!(
        segment.adverts(&segment.routers[1], back).is_empty(),
        "{name}: two masters after the return"
    );

    // Power failure: the backup waits the whole master down time.
    segment.routers[0].kill_all()?;
    let killed = SystemTime::now();
    let last = segment
        .adverts(&segment.routers[0], back)
        .pop()
        .expect("an advert before the end")
        .0;
    let taken = segment.wait_for_master(1, killed)?;
    let kill_took = taken
        .at
        .duration_since(last.at)
        .expect("after the last advert");
    let theory = low.master_down();
    assert!(
        kill_took >= theory - Duration::from_millis(5),
        "{name}: took over {kill_took:?} after the last advert, theory {theory:?}"
    );
    assert!(
        kill_took <= theory + SLACK,
        "{name}: took over {kill_took:?} after the last advert, theory {theory:?}"
    );
    wait_until(PATIENCE, "the backup to have the address", || {
        segment.routers[1].has("10.1.0.1").unwrap_or(false)
    })?;
    wait_until(PATIENCE, "the backup's announcements", || {
        segment.announcements(&segment.routers[1], killed).len() >= BURST
    })?;
    Ok(format!(
        "{name}: took over {:.1} ms after skew at a stop, {:.1} ms after master down time at kill -9",
        (stop_took.as_secs_f64() - skew.as_secs_f64()) * 1e3,
        (kill_took.as_secs_f64() - theory.as_secs_f64()) * 1e3
    ))
}

/// Input: every pairing of ours and the real one, the two real ones as the reference. Output: one
/// master at a time, and takeovers when RFC 3768 has them.
#[test]
fn every_pairing_elects_one_master_and_fails_over_in_time() {
    let Some(Daemons { ours, real }) = daemons() else {
        return;
    };
    let pairings = [
        ("real, real", &real, &real),
        ("ours, real", &ours, &real),
        ("real, ours", &real, &ours),
        ("ours, ours", &ours, &ours),
    ];
    let reports = std::thread::scope(|scope| {
        let run = |(name, master, backup): (&'static str, &'_ PathBuf, &'_ PathBuf)| {
            let (master, backup) = (master.clone(), backup.clone());
            scope.spawn(move || fail_over(name, &master, &backup))
        };
        let running: Vec<_> = pairings.into_iter().map(run).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a pairing"))
            .collect::<Vec<_>>()
    });
    for report in reports {
        println!("{}", report.expect("a pairing"));
    }
}

/// Input: both at once on the LAN with different passwords. Output: the peer's adverts are refused
/// by either, so both are master, and both say why.
#[test]
fn both_refuse_the_adverts_of_a_router_with_another_password() {
    let Some(Daemons { ours, real }) = daemons() else {
        return;
    };
    let mut segment = Segment::new([&ours, &real]).unwrap();
    let instance = Instance::with_addresses(1);
    let begin = SystemTime::now();
    for (router, password) in segment.routers.iter_mut().zip(["1111", "2222"]) {
        router
            .configure(
                &Instance {
                    password: Some(password),
                    ..instance.clone()
                }
                .configuration(),
            )
            .unwrap();
        router.start().unwrap();
    }
    for index in [0, 1] {
        segment.wait_for_master(index, begin).unwrap();
        let router = &segment.routers[index];
        // 2.4.3, and so ours, names the peer as well: `... from 10.1.255.2!`
        let text = "(VI_1) received an invalid passwd";
        let said = wait_until(PATIENCE, text, || {
            router.log().unwrap_or_default().contains(text)
        });
        said.unwrap_or_else(|error| panic!("router {index}: {error}\n{}", router.log_tail()));
    }
}
