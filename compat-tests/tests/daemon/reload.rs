//! HUP: what a new configuration changes in a running daemon, and that nothing else changes.

use std::time::SystemTime;

use compat_tests::bed::{Arp, needs_root, wait_until};
use nix::sys::signal::Signal;

use super::setup::{Bed, CONFIG, FILE, SOON, VIP};

/// Input: somebody removes the virtual address until the master gives up; then HUP with the same
/// file. Output: it takes part again at once, not after a minute.
#[test]
fn a_reload_ends_a_fight_over_an_address() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let daemon = bed.daemon();
    let address = format!("{VIP}/32");
    for _ in 0..6 {
        bed.wait_address(VIP, true);
        let remove = ["ip", "addr", "del", &address, "dev", "eth0"];
        bed.host.must(&remove).unwrap();
    }
    bed.wait_log("(VI_1) Entering FAULT STATE");
    let now = SystemTime::now();
    daemon.signal(Signal::SIGHUP).unwrap();
    let backup = "(VI_1) Entering BACKUP STATE";
    bed.log.wait_for(SOON, now, backup).unwrap();
    bed.wait_address(VIP, true);
}

/// Input: HUP with the same file, with another comment in it, and three times at once. Output: a
/// line that says so; no gratuitous ARP, no transition, and adverts at their usual pace.
#[test]
fn a_reload_without_a_change_sends_nothing() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let daemon = bed.daemon();
    bed.wait_address(VIP, true);
    // The second burst comes five seconds after the first; it is not the reload's.
    let bursts = || {
        bed.wire
            .frames()
            .iter()
            .filter(|frame| frame.packet().arp().is_some_and(Arp::is_gratuitous))
            .count()
    };
    wait_until(SOON, "both bursts", || bursts() >= 10).unwrap();
    let from = SystemTime::now();
    for text in [CONFIG.to_owned(), format!("# a comment\n{CONFIG}")] {
        bed.host.write(FILE, text).unwrap();
        let now = SystemTime::now();
        daemon.signal(Signal::SIGHUP).unwrap();
        bed.log
            .wait_for(SOON, now, "configuration unchanged")
            .unwrap();
    }
    for _ in 0..3 {
        daemon.signal(Signal::SIGHUP).unwrap();
    }
    wait_until(SOON, "three adverts", || {
        bed.wire
            .since(from)
            .iter()
            .filter(|frame| frame.packet().advert().is_some())
            .count()
            >= 3
    })
    .unwrap();
    let frames = bed.wire.since(from);
    assert!(
        !frames
            .iter()
            .any(|frame| frame.packet().arp().is_some_and(Arp::is_gratuitous))
    );
    let adverts: Vec<_> = frames
        .iter()
        .filter(|frame| frame.packet().advert().is_some())
        .collect();
    for pair in adverts.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at).unwrap().as_millis();
        assert!((900..1100).contains(&gap), "{gap} ms between adverts");
    }
    let texts: Vec<_> = bed
        .log
        .since(from)
        .into_iter()
        .map(|line| line.text)
        .collect();
    assert!(
        !texts.iter().any(|text| text.contains("STATE")),
        "{texts:#?}"
    );
}

/// Input: HUP with a brace too few, and with an address that is none. Output: the first is refused
/// with file and line and changes nothing.
#[test]
fn a_broken_file_leaves_everything_as_it_is() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let daemon = bed.daemon();
    bed.wait_address(VIP, true);
    let broken = CONFIG
        .replace("192.0.2.100", "192.0.2.101")
        .trim_end()
        .trim_end_matches('}')
        .to_owned();
    bed.host.write(FILE, broken).unwrap();
    let from = SystemTime::now();
    daemon.signal(Signal::SIGHUP).unwrap();
    let line = bed
        .log
        .wait_for(SOON, from, "the running configuration stays")
        .unwrap();
    assert!(line.text.contains(FILE), "{}", line.text);
    assert!(line.text.contains("Line "), "{}", line.text);
    assert!(bed.has(VIP) && !bed.has("192.0.2.101"));
    bed.host.write(FILE, CONFIG).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    bed.log
        .wait_for(SOON, from, "configuration unchanged")
        .unwrap();
}

/// Input: HUP with another address. Output: the new one comes, the old one goes, no new election.
#[test]
fn a_changed_address_is_exchanged_in_place() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let daemon = bed.daemon();
    bed.wait_address(VIP, true);
    let worker = bed.pid("vrrp");
    let from = SystemTime::now();
    bed.host
        .write(FILE, CONFIG.replace("192.0.2.100", "192.0.2.101"))
        .unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    bed.wait_address("192.0.2.101", true);
    bed.wait_address(VIP, false);
    assert_eq!(bed.pid("vrrp"), worker);
    let texts: Vec<_> = bed
        .log
        .since(from)
        .into_iter()
        .map(|line| line.text)
        .collect();
    assert!(
        !texts.iter().any(|text| text.contains("BACKUP STATE")),
        "{texts:#?}"
    );
}

/// Input: HUP with a file that has no VRRP any more. Output: it resigns, and its pid file goes.
#[test]
fn a_removed_instance_resigns() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let daemon = bed.daemon();
    bed.wait_address(VIP, true);
    bed.host
        .write(FILE, "global_defs {\n router_id x\n}\n")
        .unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    bed.wait_address(VIP, false);
    wait_until(SOON, "no pid file", || {
        bed.host.read("/run/vrrp.pid").is_err()
    })
    .unwrap();
    let resigned = |frame: &compat_tests::bed::Frame| {
        frame
            .packet()
            .advert()
            .is_some_and(|advert| advert.priority == 0)
    };
    assert!(bed.wire.frames().iter().any(resigned));
    bed.host.write(FILE, CONFIG).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    bed.wait_address(VIP, true);
}
