//! Links that instances bring with them, and what the firewall does for instances.

use super::super::instance::InstanceId;
use super::super::{Event, InterfaceFacts, State};
use super::{Bench, Step, config, facts, ms, vip};
use crate::base::{IfIndex, Mac};
use crate::conf::model::{OwnLink, OwnLinkKind, VrrpInstance};
use crate::ops::{OpOwner, OpTag};

const VIRTUAL: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);

fn with_vmac() -> VrrpInstance {
    VrrpInstance {
        own_link: Some(OwnLink {
            name: "vrrp.51".to_owned(),
            kind: OwnLinkKind::Vmac(VIRTUAL),
        }),
        ..config()
    }
}

fn vmac(up: bool, mac: Mac) -> Event<'static> {
    Event::Interface(InterfaceFacts {
        index: IfIndex::new(7).unwrap(),
        name: "vrrp.51".into(),
        mac: Some(mac),
        ..facts(up)
    })
}

// Input: an instance with a VMAC; the kernel tells of the link, first down, then up. Output: it
// asks for the link, starts once that is up, without a trip through FAULT, speaks and announces
// from it, and takes it away after its addresses.
#[test]
fn an_instance_waits_for_its_link_and_takes_it_away_last() {
    let mut bench = Bench::new();
    let asked = bench.apply(vec![Step::Add(with_vmac())]);
    assert_eq!(asked, ["open", "+link vrrp.51"]);
    assert_eq!(bench.state(), State::Init);
    assert_eq!(bench.tell(vmac(false, VIRTUAL)), [""; 0]);
    assert_eq!(bench.state(), State::Init);
    assert_eq!(bench.tell(vmac(true, VIRTUAL)), ["reports below 7", "open"]);
    assert_eq!(bench.state(), State::Backup);
    let master = bench.run(ms(3700));
    let expected = ["advert 100", "+192.0.2.101/32", "garp 192.0.2.101"];
    assert_eq!(master.len(), 3, "{master:?}");
    assert!(
        master
            .iter()
            .zip(expected)
            .all(|(said, end)| said.ends_with(end))
    );
    assert_eq!(
        bench.tell(Event::Stop),
        ["advert 0", "-192.0.2.101/32", "forget 7", "-link vrrp.51"]
    );
}

// Input: the kernel refuses the link, then has it. Output: FAULT, one question a second, and the
// way back.
#[test]
fn a_link_that_is_refused_is_asked_for_each_second() {
    let mut bench = Bench::new();
    bench.apply(vec![Step::Add(with_vmac())]);
    let tag = OpTag {
        owner: OpOwner::Vrrp,
        serial: u64::from(InstanceId::MIN.0) << 32,
    };
    bench.tell(Event::Refused(tag, 95));
    assert_eq!(bench.state(), State::Fault);
    let asked = bench.run(ms(1100));
    assert_eq!(asked, ["1000000 +link vrrp.51"]);
    bench.tell(vmac(true, VIRTUAL));
    assert_eq!(bench.state(), State::Backup);
}

// Input: somebody removes the link of a master. Output: it is asked for again, and the master
// takes part anew when it is there; a foreign link of the name is left alone.
#[test]
fn a_link_that_was_removed_is_made_again() {
    let mut bench = Bench::new();
    bench.apply(vec![Step::Add(with_vmac())]);
    bench.tell(vmac(true, VIRTUAL));
    bench.run(ms(5000));
    assert_eq!(bench.state(), State::Master);
    let gone = bench.tell(Event::InterfaceGone(IfIndex::new(7).unwrap()));
    assert!(gone.contains(&"+link vrrp.51".to_owned()), "{gone:?}");
    assert_eq!(bench.state(), State::Fault);
    let foreign = bench.tell(vmac(true, Mac([2, 0, 0, 0, 0, 9])));
    assert_eq!(foreign, [""; 0]);
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::InterfaceGone(IfIndex::new(7).unwrap()));
    bench.run(ms(1000));
    bench.tell(vmac(true, VIRTUAL));
    assert_eq!(bench.state(), State::Backup);
}

// Input: a master that does not accept, whose list of addresses a reload changes, then the stop.
// Output: the firewall follows the list, and lets everything through at the end.
#[test]
fn the_firewall_follows_the_addresses_of_a_master_that_does_not_accept() {
    let mut guarded = config();
    guarded.options.accept = Some(false);
    let mut bench = Bench::with(guarded.clone());
    let master = bench.run(ms(3700));
    assert!(master[1].ends_with("block 192.0.2.101"), "{master:?}");
    let mut more = guarded;
    more.addresses.push(vip("192.0.2.102"));
    let reloaded = bench.apply(vec![Step::Update(
        more,
        crate::conf::model::plan::Change::Live,
    )]);
    assert!(
        reloaded.contains(&"block 192.0.2.102".to_owned()),
        "{reloaded:?}"
    );
    let stopped = bench.tell(Event::Stop);
    let unblocked: Vec<&String> = stopped
        .iter()
        .filter(|said| said.starts_with("unblock"))
        .collect();
    assert_eq!(unblocked, ["unblock 192.0.2.101", "unblock 192.0.2.102"]);
}

fn address_vmac(up: bool) -> Event<'static> {
    Event::Interface(InterfaceFacts {
        index: IfIndex::new(8).unwrap(),
        name: "vrrp1.51".into(),
        mac: Some(VIRTUAL),
        ..facts(up)
    })
}

fn eth1() -> Event<'static> {
    Event::Interface(InterfaceFacts {
        index: IfIndex::new(3).unwrap(),
        name: "eth1".into(),
        ..facts(true)
    })
}

fn with_address_vmac() -> VrrpInstance {
    let mut elsewhere = vip("192.0.2.111");
    elsewhere.interface = Some("eth1".to_owned());
    elsewhere.options.own_link = Some(OwnLink {
        name: "vrrp1.51".to_owned(),
        kind: OwnLinkKind::Vmac(VIRTUAL),
    });
    let mut config = config();
    config.addresses.push(elsewhere);
    config
}

// Input: an address with `use_vmac`; its link comes, something removes it from the master, then it
// is there again. Output: the instance waits for the link, and it is asked for again; FAULT while it
// is missing; at the stop it goes after the addresses.
#[test]
fn an_address_brings_its_link_with_it() {
    let mut bench = Bench::new();
    bench.tell(eth1());
    let asked = bench.apply(vec![Step::Add(with_address_vmac())]);
    assert_eq!(asked, ["open", "+link vrrp1.51", "open"]);
    assert_eq!(bench.state(), State::Init);
    assert_eq!(bench.tell(address_vmac(true)), ["reports below 8"]);
    assert_eq!(bench.state(), State::Backup);
    let master = bench.run(ms(3700));
    let has = |lines: &[String], end: &str| lines.iter().any(|line| line.ends_with(end));
    assert!(has(&master, "+192.0.2.111/32") && has(&master, "garp 192.0.2.111"));
    let gone = bench.tell(Event::InterfaceGone(IfIndex::new(8).unwrap()));
    assert!(has(&gone, "+link vrrp1.51"), "{gone:?}");
    let tag = OpTag {
        owner: OpOwner::Vrrp,
        serial: 1,
    };
    bench.tell(Event::Refused(tag, 95));
    bench.run(ms(1));
    let again = bench.run(ms(1100));
    assert!(has(&again, "+link vrrp1.51"), "{again:?}");
    assert_eq!(bench.state(), State::Master);
    bench.tell(address_vmac(true));
    bench.run(ms(100));
    assert_eq!(bench.state(), State::Master);
    let stop = bench.tell(Event::Stop);
    let expected = [
        "advert 0",
        "-192.0.2.101/32",
        "-192.0.2.111/32",
        "forget 8",
        "-link vrrp1.51",
    ];
    assert_eq!(stop, expected);
}

// Input: a reload takes `use_vmac` from the address of a master, another gives it back. Output: the
// address moves to the interface and back without a change of state; the link goes and comes.
#[test]
fn a_reload_moves_an_address_off_its_link() {
    let mut bench = Bench::new();
    bench.tell(eth1());
    bench.apply(vec![Step::Add(with_address_vmac())]);
    bench.tell(address_vmac(true));
    bench.run(ms(3700));
    let mut without = with_address_vmac();
    without.addresses[1].options.own_link = None;
    let live = crate::conf::model::plan::Change::Live;
    let said = bench.apply(vec![Step::Update(without, live)]);
    let expected = [
        "-192.0.2.111/32",
        "forget 8",
        "-link vrrp1.51",
        "+192.0.2.111/32",
        "garp 192.0.2.111",
    ];
    assert_eq!(said, expected);
    bench.tell(Event::InterfaceGone(IfIndex::new(8).unwrap()));
    let said = bench.apply(vec![Step::Update(with_address_vmac(), live)]);
    assert_eq!(said, ["-192.0.2.111/32", "+link vrrp1.51"]);
    let said = bench.tell(address_vmac(true));
    assert!(said.contains(&"+192.0.2.111/32".to_owned()), "{said:?}");
    assert_eq!(bench.state(), State::Master);
}

// Input: the interface below a VMAC comes into a VRF, the kernel tells that the VMAC is there too, and both
// leave it. Output: the link is put there and taken away once each.
#[test]
fn a_vmac_follows_the_interface_below_it_into_its_vrf() {
    let mut bench = Bench::with(with_vmac());
    bench.tell(vmac(true, VIRTUAL));
    let vrf = IfIndex::new(9);
    let below = |vrf, up| Event::Interface(InterfaceFacts { vrf, ..facts(up) });
    let own = |vrf| {
        let Event::Interface(facts) = vmac(true, VIRTUAL) else {
            unreachable!()
        };
        Event::Interface(InterfaceFacts { vrf, ..facts })
    };
    let moved = |said: Vec<String>| said.iter().filter(|line| line.starts_with("vrf")).count();
    assert_eq!(moved(bench.tell(below(vrf, true))), 1);
    assert_eq!(moved(bench.tell(below(vrf, false))), 0);
    assert_eq!(moved(bench.tell(below(vrf, true))), 0);
    assert_eq!(moved(bench.tell(own(vrf))), 0);
    assert_eq!(moved(bench.tell(below(None, true))), 1);
    assert_eq!(moved(bench.tell(own(None))), 0);
    assert_eq!(bench.state(), State::Backup);
}
