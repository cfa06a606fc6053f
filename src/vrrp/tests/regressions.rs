//! What reloads of keepalived are known to have lost or disturbed, one test each. The sources are
//! its issues (K#) and the fixes that its history lists.

use super::routing::route;
use super::tracking::{script, tracked};
use super::{Bench, Event, Step, US, address, config, facts, ms, vip};
use crate::base::{IfIndex, Mac};
use crate::conf::model::options::{Script, TrackScript};
use crate::conf::model::plan::Change;
use crate::conf::model::{InitialState, OwnLink, OwnLinkKind, Priority, Vrid, VrrpInstance};
use crate::vrrp::addresses::{Kind, tag};
use crate::vrrp::instance::InstanceId;
use crate::vrrp::{InterfaceFacts, State, TrackerKind, Verdict};

const NOTHING: [&str; 0] = [];

/// Reloads with `new`, of the same key.
fn reload(bench: &mut Bench, new: VrrpInstance) -> Vec<String> {
    bench.apply(vec![Step::Update(new, Change::Live)])
}

/// A master of priority 100 that tracks a script of this weight, which is up.
fn tracker(weight: i16) -> (Bench, VrrpInstance) {
    let mut bench = Bench::new();
    bench.config.trackers.scripts.push(script(weight));
    let mut config = config();
    config.options.tracking.scripts = tracked("chk");
    bench.apply(vec![Step::Add(config.clone())]);
    let up = Event::Tracker(TrackerKind::Script, "chk", Verdict::Up);
    bench.tell(up);
    bench.run(ms(5000));
    assert_eq!(bench.state(), State::Master);
    (bench, config)
}

/// Every instance as it stands: name and state.
fn states(bench: &Bench) -> Vec<(String, State)> {
    let views = bench.domain.view().into_iter();
    views.map(|view| (view.name, view.state)).collect()
}

// K#2159, 00827c20. Input: of two masters one gets another address. Output: that address alone is
// touched; both stay masters.
#[test]
fn an_edit_of_one_instance_moves_no_address_of_another() {
    let other = VrrpInstance {
        name: "VI_2".into(),
        vrid: Vrid::new(52).unwrap(),
        addresses: vec![vip("192.0.2.201")],
        ..config()
    };
    let mut bench = Bench::new();
    bench.apply(vec![Step::Add(config()), Step::Add(other.clone())]);
    bench.run(ms(5000));
    let mut more = config();
    more.addresses.push(vip("192.0.2.102"));
    let said = bench.apply(vec![Step::Update(more, Change::Live), Step::Keep(other)]);
    assert_eq!(said, ["+192.0.2.102/32", "garp 192.0.2.102"]);
    let masters = states(&bench);
    assert!(masters.iter().all(|(_, state)| *state == State::Master));
}

// K#349. Input: of three masters a reload drops the first. Output: its addresses go, it resigns; the
// others say and do nothing, and go on as masters.
#[test]
fn an_instance_that_goes_takes_no_other_along() {
    let other = |number: u8| VrrpInstance {
        name: format!("VI_{number}"),
        vrid: Vrid::new(50 + number).unwrap(),
        addresses: vec![vip(&format!("192.0.2.20{number}"))],
        ..config()
    };
    let mut bench = Bench::new();
    let all = [config(), other(2), other(3)];
    bench.apply(all.into_iter().map(Step::Add).collect());
    bench.run(ms(5000));
    bench.told.clear();
    let said = bench.apply(vec![
        Step::Remove(config()),
        Step::Keep(other(2)),
        Step::Keep(other(3)),
    ]);
    assert!(
        said.iter().any(|line| line == "-192.0.2.101/32"),
        "{said:?}"
    );
    assert!(
        !said.iter().any(|line| line.contains("192.0.2.20")),
        "{said:?}"
    );
    assert!(bench.told.iter().all(|line| line.contains("VI_1")));
    let expected = [2, 3].map(|number| (format!("VI_{number}"), State::Master));
    assert_eq!(states(&bench), expected);
}

// K#1425. Input: a reload without a change, of a master and of a backup that hears one. Output:
// neither says, does or waits for anything else than before.
#[test]
fn nobody_begins_again_as_a_backup() {
    let mut master = Bench::master(config());
    assert_eq!(master.apply(vec![Step::Keep(config())]), NOTHING);
    assert_eq!(master.state(), State::Master);
    let mut backup = Bench::with(config());
    backup.hear("192.0.2.2", 200);
    let due = backup.domain.next_deadline();
    assert_eq!(backup.apply(vec![Step::Keep(config())]), NOTHING);
    assert_eq!(backup.domain.next_deadline(), due);
}

// K#1009, a747cf3f, e17da8a4, 37d6b3bc. Input: a script adds 11; three reloads, then one that makes
// 90 of the priority, then one back. Output: 111 throughout, 101, 111.
#[test]
fn priorities_do_not_add_up() {
    let (mut bench, config) = tracker(11);
    for _ in 0..3 {
        bench.apply(vec![Step::Keep(config.clone())]);
        assert_eq!(bench.priority(), 111);
    }
    let lower = VrrpInstance {
        priority: Priority(90),
        ..config.clone()
    };
    reload(&mut bench, lower);
    assert_eq!(bench.priority(), 101);
    reload(&mut bench, config);
    assert_eq!(bench.priority(), 111);
}

// 663f30f5, 4127af50. Input: a reload gives the script another weight. Output: the new weight counts,
// without a change of state.
#[test]
fn a_new_weight_counts_at_once() {
    let (mut bench, config) = tracker(11);
    bench.config.trackers.scripts = vec![script(20)];
    bench.apply(vec![Step::Keep(config)]);
    assert_eq!((bench.priority(), bench.state()), (120, State::Master));
}

// K#1941. Input: a reload gives a master a script to track, that has not run. Output: it stays
// master, also when the script succeeds.
#[test]
fn a_new_script_is_no_reason_to_step_back() {
    let mut bench = Bench::master(config());
    bench.config.trackers.scripts.push(script(0));
    let mut tracking = config();
    tracking.options.tracking.scripts = tracked("chk");
    assert_eq!(reload(&mut bench, tracking), NOTHING);
    bench.tell(Event::Tracker(TrackerKind::Script, "chk", Verdict::Up));
    assert_eq!(bench.state(), State::Master);
}

// K#2357, 317abdc2. Input: an instance in FAULT because of a script; a reload takes the script away;
// the same with a reload without a change, and then the script succeeds. Output: BACKUP each time.
#[test]
fn nobody_is_left_in_fault() {
    for drops in [true, false] {
        let (mut bench, config) = tracker(0);
        bench.tell(Event::Tracker(TrackerKind::Script, "chk", Verdict::Down));
        assert_eq!(bench.state(), State::Fault);
        if drops {
            reload(&mut bench, super::config());
        } else {
            bench.apply(vec![Step::Keep(config)]);
            assert_eq!(bench.state(), State::Fault);
            bench.tell(Event::Tracker(TrackerKind::Script, "chk", Verdict::Up));
        }
        assert_eq!(bench.state(), State::Backup);
    }
}

// K#1311, 6c8b51c8. Input: reloads of a master with notify scripts, without a change and with another
// priority. Output: nobody is told anything.
#[test]
fn a_reload_notifies_nobody() {
    let mut config = config();
    config.options.notify.any = Some(Script {
        argv: vec!["any".into()],
        ..Script::default()
    });
    let mut bench = Bench::master(config.clone());
    bench.told.clear();
    bench.apply(vec![Step::Keep(config.clone())]);
    let priority = Priority(120);
    reload(&mut bench, VrrpInstance { priority, ..config });
    assert_eq!(bench.told, NOTHING);
}

// K#2012. Input: a reload with and without `fifo_write_vrrp_states_on_reload`. Output: the state is
// repeated to the FIFO, or nothing; never to scripts.
#[test]
fn states_are_repeated_on_demand() {
    for repeats in [true, false] {
        let mut bench = Bench::master(config());
        bench.told.clear();
        bench.config.global.fifos.states_on_reload = repeats;
        bench.apply(vec![Step::Keep(config())]);
        let expected: &[&str] = if repeats {
            &["INSTANCE \"VI_1\" MASTER 100"]
        } else {
            &[]
        };
        assert_eq!(bench.told, expected);
    }
}

// 98aefe14, dc5c6e89, b737c417. Input: a master with two routes; a reload without a change, one that
// drops the second, one that brings it back. Output: nothing; that route alone goes and comes.
#[test]
fn routes_survive() {
    let mut both = config();
    both.options.routes = vec![route(1), route(2)];
    let mut one = config();
    one.options.routes = vec![route(1)];
    let mut bench = Bench::master(both.clone());
    assert_eq!(bench.apply(vec![Step::Keep(both.clone())]), NOTHING);
    assert_eq!(reload(&mut bench, one), ["-Route"]);
    assert_eq!(reload(&mut bench, both), ["+Route"]);
    assert_eq!(bench.state(), State::Master);
}

// 7059abac, c3e6d023, 8181c5de. Input: a master on a VMAC; reloads without a change and with another
// address. Output: the VMAC is neither asked for nor taken away.
#[test]
fn vmacs_survive() {
    let mac = Mac([0, 0, 0x5e, 0, 1, 51]);
    let kind = OwnLinkKind::Vmac(mac);
    let name = "vrrp.51".to_owned();
    let on_vmac = VrrpInstance {
        own_link: Some(OwnLink { name, kind }),
        ..config()
    };
    let mut bench = Bench::new();
    bench.apply(vec![Step::Add(on_vmac.clone())]);
    bench.tell(Event::Interface(InterfaceFacts {
        index: IfIndex::new(7).unwrap(),
        name: "vrrp.51".into(),
        mac: Some(mac),
        ..facts(true)
    }));
    bench.run(ms(5000));
    assert_eq!(bench.apply(vec![Step::Keep(on_vmac.clone())]), NOTHING);
    let addresses = vec![vip("192.0.2.102")];
    let said = reload(
        &mut bench,
        VrrpInstance {
            addresses,
            ..on_vmac
        },
    );
    assert!(said.iter().all(|said| !said.contains("link")), "{said:?}");
    assert_eq!(bench.state(), State::Master);
}

// ddbc34d3, 38d99766. Input: a master that does not accept; a reload without a change, one that
// swaps its address. Output: the firewall is left alone; then the new one is blocked, the old one let
// go.
#[test]
fn the_firewall_survives() {
    let mut guarded = config();
    guarded.options.accept = Some(false);
    let mut bench = Bench::master(guarded.clone());
    assert_eq!(bench.apply(vec![Step::Keep(guarded.clone())]), NOTHING);
    guarded.addresses = vec![vip("192.0.2.102")];
    let said = reload(&mut bench, guarded);
    let mut firewall = said.iter().filter(|said| said.contains("block"));
    assert_eq!(firewall.next().unwrap(), "block 192.0.2.102");
    assert_eq!(firewall.next().unwrap(), "unblock 192.0.2.101");
    assert_eq!(firewall.next(), None);
}

// 5e55c0da. Input: a script that adds 11 is up; a reload changes its interval. Output: what it said
// counts on.
#[test]
fn what_a_script_said_is_remembered() {
    let (mut bench, config) = tracker(11);
    let interval = ms(7000);
    let slower = TrackScript {
        interval,
        ..script(11)
    };
    bench.config.trackers.scripts = vec![slower];
    bench.apply(vec![Step::Keep(config)]);
    assert_eq!((bench.priority(), bench.state()), (111, State::Master));
}

// K#2387, 5835fb8b. Input: a backup is reloaded within its first master down interval, and goes on
// hearing a master of higher priority. Output: it stays a backup; the adverts are still processed.
#[test]
fn a_reload_before_the_first_election_deafens_nobody() {
    let mut bench = Bench::with(config());
    for _ in 0..10 {
        bench.run(ms(900));
        let priority = Priority(101);
        let edited = VrrpInstance {
            priority,
            ..config()
        };
        reload(&mut bench, edited);
        reload(&mut bench, config());
        bench.hear("192.0.2.2", 200);
        assert_eq!(bench.state(), State::Backup);
    }
}

// 15cfac1. Input: an instance is removed and added again by two reloads. Output: each transition is
// told once.
#[test]
fn nothing_is_told_twice() {
    let mut bench = Bench::master(config());
    bench.told.clear();
    bench.apply(vec![Step::Remove(config())]);
    assert_eq!(bench.told.len(), 1, "{:?}", bench.told);
    bench.told.clear();
    bench.apply(vec![Step::Add(config())]);
    assert_eq!(bench.told, ["INSTANCE \"VI_1\" BACKUP 100"]);
}

// Input: an instance in FAULT leaves the configuration. Output: as it was told of FAULT before,
// nothing (so runs of keepalived 2.2.7).
#[test]
fn an_instance_in_fault_goes_without_a_second_word() {
    let (mut bench, config) = tracker(0);
    bench.tell(Event::Tracker(TrackerKind::Script, "chk", Verdict::Down));
    assert_eq!(bench.state(), State::Fault);
    bench.told.clear();
    bench.apply(vec![Step::Remove(config)]);
    assert_eq!(bench.told, NOTHING);
}

// Input: a lone address that the host had and the daemon removes; then a reload makes the router the
// owner. Output: not one advert of a master that has nothing to speak from.
#[test]
fn a_new_owner_looks_before_it_speaks() {
    let mut without = config();
    without.addresses.clear();
    let mut bench = Bench::with(config());
    bench.tell(Event::Address(address(US, 24, false)));
    bench.apply(vec![Step::Update(without.clone(), Change::Live)]);
    bench.tell(Event::Address(address("192.0.2.101", 32, true)));
    bench.tell(Event::Refused(tag(InstanceId::MIN, 1, Kind::Del), 17));
    bench.run(ms(1000));
    without.priority = Priority::OWNER;
    without.initial_state = InitialState::Master;
    let said = bench.apply(vec![Step::Update(without, Change::Live)]);
    assert_eq!(said, NOTHING);
    assert_eq!(bench.run(ms(0)), NOTHING);
    assert_eq!(bench.state(), State::Fault);
}
