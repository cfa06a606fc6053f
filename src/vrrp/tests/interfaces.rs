//! Links that flap, links that are renamed, and announcements where no advert goes.

use super::super::{Event, InterfaceFacts, State};
use super::{Bench, Step, address, config, facts, ms, vip};
use crate::base::{Duration, IfIndex};
use crate::conf::model::VrrpInstance;
use crate::conf::model::options::LinkDelay;

fn delays(interface: &str, down: u64, up: u64) -> Vec<LinkDelay> {
    vec![LinkDelay {
        interface: interface.into(),
        down: ms(down),
        up: ms(up),
    }]
}

fn bench(down: u64, up: u64) -> Bench {
    let mut bench = Bench::new();
    bench.config.links.delays = delays("eth0", down, up);
    bench.apply(vec![Step::Add(config())]);
    bench.run(ms(5000));
    assert_eq!(bench.state(), State::Master);
    bench
}

// Input: a delay of 1.5 s; the link goes for 1 s, then for good, then it is back. Output: nothing;
// FAULT 1.5 s after the loss; with 0.5 s for the way up BACKUP so long after it came back.
#[test]
fn a_link_that_flaps_is_let_flap() {
    let mut bench = bench(1500, 500);
    bench.tell(Event::Interface(facts(false)));
    bench.run(ms(1000));
    bench.tell(Event::Interface(facts(true)));
    bench.run(ms(3000));
    assert_eq!(bench.state(), State::Master);
    bench.tell(Event::Interface(facts(false)));
    bench.run(ms(1499));
    assert_eq!(bench.state(), State::Master);
    bench.run(ms(1));
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::Interface(facts(true)));
    bench.run(ms(499));
    assert_eq!(bench.state(), State::Fault);
    bench.run(ms(1));
    assert_eq!(bench.state(), State::Backup);
}

// Input: a delay of 200 s for the interface of an instance that advertises every second. Output: FAULT
// before a backup of priority 255 would take over, 2 s less its skew after the loss.
#[test]
fn a_delay_ends_before_a_backup_would_take_over() {
    let mut bench = bench(200_000, 0);
    bench.tell(Event::Interface(facts(false)));
    bench.run(Duration::from_micros(1_996_093));
    assert_eq!(bench.state(), State::Master);
    bench.run(ms(1));
    assert_eq!(bench.state(), State::Fault);
}

// Input: while a loss waits for its delay, another MTU comes with it, then the interface goes.
// Output: what else changed counts at once, a deleted interface too, and no timer stays.
#[test]
fn only_the_link_waits() {
    let mut bench = bench(1500, 0);
    bench.tell(Event::Interface(InterfaceFacts {
        mtu: 900,
        ..facts(false)
    }));
    assert_eq!(bench.state(), State::Master);
    let known = bench.domain.links.by_name("eth0").unwrap();
    assert_eq!((known.up, known.mtu), (true, 900));
    bench.tell(Event::InterfaceGone(super::index()));
    assert_eq!(bench.state(), State::Fault);
    assert_eq!(bench.domain.debounce.next_deadline(), None);
}

fn eth1() -> InterfaceFacts {
    InterfaceFacts {
        index: IfIndex::new(3).unwrap(),
        name: "eth1".into(),
        ..facts(true)
    }
}

fn with_two(extra: Option<(Duration, bool)>) -> VrrpInstance {
    let mut config = config();
    for last in [111, 112] {
        let mut vip = vip(&format!("192.0.2.{last}"));
        vip.interface = Some("eth1".into());
        config.addresses.push(vip);
    }
    config.options.garp_extra = extra;
    config
}

// Input: two addresses on eth1, with `garp_extra_if all 2`, with `garp_extra_if 2`, without. Output:
// the first of them every 2 s; nothing, as eth1 has no virtual MAC address.
#[test]
fn links_without_adverts_are_told_again() {
    let every = Some((ms(2000), true));
    for (extra, count) in [(every, 2), (Some((ms(2000), false)), 0), (None, 0)] {
        let mut bench = Bench::new();
        bench.tell(Event::Interface(eth1()));
        bench.apply(vec![Step::Add(with_two(extra))]);
        let master = bench.run(ms(3700));
        assert!(master.iter().any(|said| said.contains("garp 192.0.2.112")));
        let later = bench.run(ms(4000));
        let garps: Vec<&String> = later.iter().filter(|said| said.contains("garp")).collect();
        assert_eq!(garps.len(), count, "{extra:?}: {later:?}");
        assert!(garps.iter().all(|said| said.ends_with("garp 192.0.2.111")));
    }
}

// Input: a master's interface gets another name, then its old one again; its address stays.
// Output: the virtual address is taken away with the name; FAULT, and the way back.
#[test]
fn a_renamed_interface_is_another() {
    let mut bench = Bench::master(config());
    let said = bench.tell(Event::Interface(InterfaceFacts {
        name: "lan0".into(),
        ..facts(true)
    }));
    assert!(said.contains(&"-192.0.2.101/32".to_owned()), "{said:?}");
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::Interface(facts(true)));
    assert_eq!(bench.state(), State::Backup);
}

// Input: an instance whose interface is not there yet; it comes, down, without an address, then up
// with one. Output: FAULT until everything is there; after it was deleted and made anew with another
// index, the same.
#[test]
fn an_interface_may_come_later_and_again() {
    let mut bench = Bench::new();
    let config = VrrpInstance {
        interface: "eth1".into(),
        ..config()
    };
    bench.apply(vec![Step::Add(config)]);
    for index in [3, 4] {
        let facts = InterfaceFacts {
            index: IfIndex::new(index).unwrap(),
            ..eth1()
        };
        assert_eq!(bench.state(), State::Fault);
        bench.tell(Event::Interface(InterfaceFacts {
            up: false,
            ..facts.clone()
        }));
        assert_eq!(bench.state(), State::Fault);
        bench.tell(Event::Interface(facts.clone()));
        assert_eq!(bench.state(), State::Fault);
        let mut there = address("192.0.2.7", 24, true);
        there.index = facts.index;
        bench.tell(Event::Address(there));
        assert_eq!(bench.state(), State::Backup);
        bench.run(ms(4000));
        assert_eq!(bench.state(), State::Master);
        bench.tell(Event::InterfaceGone(facts.index));
    }
    assert_eq!(bench.state(), State::Fault);
}
