//! A daemon that does not get to run for a while.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use compat_tests::bed::{Packet, needs_root, wait_until};
use nix::sys::signal::Signal;

use super::setup::{Bed, SOON, signal};

/// More than a socket may read in one turn.
const INSTANCES: usize = 60;

fn instances(state: &str, priority: u8) -> String {
    let mut text = String::new();
    for vrid in 1..=INSTANCES {
        writeln!(
            text,
            "vrrp_instance V{vrid} {{\n state {state}\n interface eth0\n virtual_router_id {vrid}\n \
             priority {priority}\n virtual_ipaddress {{\n 198.51.100.{vrid}\n }}\n}}"
        )
        .unwrap();
    }
    text
}

/// Input: a backup of 60 virtual routers that stands still for longer than their master down time,
/// while their master goes on. Output: on waking it reads the adverts first and takes nothing over.
#[test]
fn a_backup_that_slept_listens_before_it_acts() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&instances("BACKUP", 100));
    let (_peer, _master) = bed.peer(&instances("MASTER", 150));
    wait_until(SOON, "adverts of all", || {
        let frames = bed.wire.frames();
        let packets = frames.iter().map(compat_tests::bed::Frame::packet);
        let heard: BTreeSet<u8> = packets
            .filter_map(|packet| packet.advert().map(|advert| advert.vrid))
            .collect();
        heard.len() == INSTANCES
    })
    .unwrap();
    let _daemon = bed.daemon();
    bed.wait_log("Startup complete");
    let worker = bed.pid("vrrp");
    // Right after a round of adverts, so that its timers are late by less than an advert interval:
    // a router that is later than that begins anew in any case.
    let now = SystemTime::now();
    let last = u8::try_from(INSTANCES).unwrap();
    let is_last = |packet: &Packet| packet.advert().is_some_and(|advert| advert.vrid == last);
    bed.wire
        .wait_for(SOON, "the end of a round", now, is_last)
        .unwrap();
    let asleep = SystemTime::now();
    signal(worker, Signal::SIGSTOP);
    // The condition is that time passes: 4.2 s, against a master down time of 3.6.
    wait_until(SOON, "some seconds", || {
        asleep.elapsed().unwrap_or_default() >= Duration::from_millis(4200)
    })
    .unwrap();
    let awake = SystemTime::now();
    signal(worker, Signal::SIGCONT);
    wait_until(SOON, "two more rounds of adverts", || {
        let frames = bed.wire.since(awake);
        let adverts = frames
            .iter()
            .filter(|frame| frame.packet().advert().is_some());
        adverts.count() >= 2 * INSTANCES
    })
    .unwrap();
    let lines = bed.log.since(awake);
    let masters: Vec<_> = lines
        .iter()
        .filter(|line| line.text.contains("MASTER STATE"))
        .collect();
    assert!(masters.is_empty(), "{masters:#?}");
}
