//! Start and first election, as the document's first half.
//!
//! Owns the steps up to the point where clients can be let in. Driven by [`super::all`].

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::super::director::VIP;
use super::{BOTH, Lab, PATIENCE, Result, Seen, Step, check, passed, texts};
use crate::bed::{Frame, wait_until};

/// The step that everything else rests on.
pub(super) const START: &str = "both directors start through the init script";
/// The document shows this.
const STARTED: &str = "Starting keepalived:                                       [  OK  ]\n";
/// keepalived's garp_master_delay, after which it repeats the announcement.
const GARP_DELAY: Duration = Duration::from_secs(5);
/// keepalived's garp_master_repeat.
const GARP_REPEAT: usize = 5;

pub(super) const STEPS: &[Step] = &[
    Step {
        name: START,
        expected: "Starting keepalived: [  OK  ], exit status 0, twice",
        run: start,
    },
    Step {
        name: "VIP on the master's eth0 only",
        expected: "182.148.15.239/32 on LVS_Master's eth0, not on LVS_Backup, after an advert_int and the least skew (state MASTER)",
        run: vip_on_master,
    },
    Step {
        name: "ipvsadm -ln on both directors equals the document's table",
        expected: "TCP 182.148.15.239:3306 wrr persistent 50, .233 and .238 Route 3, on both",
        run: tables,
    },
    Step {
        name: "five gratuitous ARPs seen by the client",
        expected: "5 broadcasts for the VIP with LVS_Master's hardware address, 5 more after 5 s",
        run: gratuitous_arps,
    },
];

fn start(lab: &mut Lab) -> Result<Seen> {
    let start = SystemTime::now();
    lab.started = start;
    let mut seen = STARTED.to_owned();
    for director in lab.town.directors() {
        let begin = SystemTime::now();
        let said = director.must("start")?;
        let took = passed(begin, SystemTime::now()).as_secs_f64();
        let name = director.host.name();
        check(said == STARTED, || format!("{name} printed “{said}”"))?;
        let status = director.must("status")?;
        write!(seen, "{name}: after {took:.3} s, then {status}").ok();
    }
    let timing = lab.timing("both scripts", start, SystemTime::now(), PATIENCE);
    Ok(Seen::new(seen).with(timing))
}

fn vip_on_master(lab: &mut Lab) -> Result<Seen> {
    let announced = lab.announced(&lab.town.master, lab.started)?;
    wait_until(PATIENCE, "the VIP on LVS_Master only", || {
        lab.town.master.has_vip() && !lab.town.backup.has_vip()
    })?;
    let shown = lab
        .town
        .master
        .host
        .must(&["ip", "addr", "show", "dev", "eth0"])?;
    let line = shown
        .lines()
        .find(|line| line.contains("182.148.15.239/"))
        .unwrap_or_default();
    // As the document shows it for keepalived's own address.
    check(
        line.trim() == "inet 182.148.15.239/32 scope global eth0",
        || format!("ip addr says “{line}”"),
    )?;
    let log = texts::heard(
        &lab.town.master.log,
        lab.started,
        &texts::master(lab.town.flavour),
    )?;
    let limit = lab.first_wait() + Duration::from_millis(200);
    let backup = Lab::timer_started(&lab.town.master, lab.started)?;
    let timing = lab.timing("backup to first ARP", backup, announced.at, limit);
    Ok(Seen::new(format!("{}\n{log}", line.trim())).with(timing))
}

fn tables(lab: &mut Lab) -> Result<Seen> {
    let mut seen = String::new();
    for director in lab.town.directors() {
        seen = lab.expect_table(director, &BOTH)?;
    }
    Ok(Seen::new(seen))
}

fn gratuitous_arps(lab: &mut Lab) -> Result<Seen> {
    let first = lab.announced(&lab.town.master, lab.started)?.at;
    let again = lab.announced(&lab.town.master, first + GARP_DELAY / 2)?.at;
    let burst = |from: SystemTime| {
        let near = |frame: &&Frame| passed(from, frame.at) < Duration::from_secs(1);
        let frames = lab.town.wire.since(from);
        frames
            .iter()
            .filter(near)
            .filter(|frame| is_announcement(lab, frame))
            .count()
    };
    wait_until(Duration::from_secs(2), "the second burst", || {
        burst(again) >= GARP_REPEAT
    })?;
    let (one, two) = (burst(first), burst(again));
    check(one == GARP_REPEAT && two == GARP_REPEAT, || {
        format!("{one}, then {two}")
    })?;
    let timing = lab.timing(
        "first to second burst",
        first,
        again,
        GARP_DELAY + Duration::from_millis(50),
    );
    Ok(Seen::new(format!("{one}, then {two}")).with(timing))
}

/// A broadcast that tells everybody that the master has the VIP.
fn is_announcement(lab: &Lab, frame: &Frame) -> bool {
    let packet = frame.packet();
    packet.target_mac == [0xff; 6]
        && packet.arp().is_some_and(|arp| {
            arp.is_gratuitous() && arp.sender == VIP && arp.sender_mac == lab.town.master.mac
        })
}
