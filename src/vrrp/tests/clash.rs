//! Two routers of priority 255.

use super::super::State;
use super::{Bench, Step, config, ms, vip};
use crate::conf::model::plan::Change;
use crate::conf::model::{InitialState, Priority, VrrpInstance};
use crate::tests::logged;

fn owner() -> VrrpInstance {
    let mut owner = config();
    owner.priority = Priority::OWNER;
    owner.initial_state = InitialState::Master;
    owner
}

/// A bench whose owner (192.0.2.1) has given in to 192.0.2.0.
fn reduced() -> Bench {
    let mut bench = Bench::with(owner());
    bench.hear("192.0.2.0", 255);
    for _ in 0..3 {
        bench.run(ms(1000));
        bench.hear("192.0.2.0", 255);
    }
    assert_eq!(bench.domain.view()[0].priority, Priority(254));
    bench
}

// Output: keepalived's line, once, and no advert.
#[test]
fn the_owner_with_the_lower_address_yields_at_once() {
    let mut bench = Bench::with(owner());
    let lines = logged(|| assert_eq!(bench.hear("192.0.2.2", 255), ["-192.0.2.101/32"]));
    assert_eq!(bench.state(), State::Backup);
    assert_eq!(bench.domain.view()[0].priority, Priority::OWNER);
    let clash = "(VI_1) CONFIGURATION ERROR: local instance and 192.0.2.2 are both configured as address owner, please resolve";
    let count = lines.iter().filter(|line| line.ends_with(clash)).count();
    assert_eq!(count, 1, "{lines:?}");
    // It stays there while the other advertises, also through a reload.
    for _ in 0..5 {
        assert_eq!(bench.run(ms(1000)), [""; 0]);
        assert_eq!(bench.hear("192.0.2.2", 255), [""; 0]);
    }
    let mut edited = owner();
    edited.addresses.push(vip("192.0.2.102"));
    let reload = vec![Step::Update(edited, Change::Live)];
    assert_eq!(bench.apply(reload), [""; 0]);
    assert_eq!(bench.state(), State::Backup);
}

// Input: another owner with a lower address that goes on each second. Output: it is answered and
// borne for more than two intervals, then we give in.
#[test]
fn the_owner_with_the_higher_address_gives_in_to_one_that_goes_on() {
    let mut bench = Bench::with(owner());
    let answer = ["advert 255", "garp 192.0.2.101"];
    let lines = logged(|| {
        for _ in 0..3 {
            assert_eq!(bench.hear("192.0.2.0", 255), answer);
            bench.run(ms(1000));
        }
        assert_eq!(bench.hear("192.0.2.0", 255), ["-192.0.2.101/32"]);
    });
    assert_eq!(bench.state(), State::Backup);
    assert_eq!(bench.domain.view()[0].priority, Priority(254));
    let ends = |end: &str| lines.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!(ends("please resolve"), 1, "{lines:?}");
    let gives_in = "(VI_1) 192.0.2.0 is still advertising as address owner, please resolve - reducing our priority";
    assert_eq!(ends(gives_in), 1, "{lines:?}");
    let higher = "(VI_1) Master received advert from 192.0.2.0 with higher priority 255, ours 254";
    assert_eq!(ends(higher), 1, "{lines:?}");
}

// Input: a few adverts at once, and one 10 s later. Output: no reason to give in.
#[test]
fn an_owner_that_falls_silent_is_no_reason_to_give_in() {
    let mut bench = Bench::with(owner());
    for _ in 0..5 {
        bench.hear("192.0.2.0", 255);
    }
    bench.run(ms(10_000));
    bench.hear("192.0.2.0", 255);
    assert_eq!(bench.state(), State::Master);
    assert_eq!(bench.domain.view()[0].priority, Priority::OWNER);
}

// Input: the other owner falls silent, resigns, or is reconfigured. Output: 255 again, and master
// when the timer says so.
#[test]
fn the_priority_is_restored_when_the_other_owner_has_gone() {
    let mut bench = reduced();
    let lines = logged(|| assert!(bench.run(ms(3100))[0].ends_with("advert 255")));
    let restored = "(VI_1) Restoring our priority to 255 since 192.0.2.0";
    assert!(
        lines.iter().any(|line| line.contains(restored)),
        "{lines:?}"
    );
    for priority in [0, 100] {
        let mut bench = reduced();
        bench.hear("192.0.2.0", priority);
        assert_eq!(bench.domain.view()[0].priority, Priority::OWNER);
        bench.run(ms(3100));
        assert_eq!(bench.state(), State::Master);
    }
}

#[test]
fn a_new_priority_ends_the_clash() {
    let mut bench = reduced();
    let mut edited = owner();
    edited.priority = Priority(200);
    bench.apply(vec![Step::Update(edited, Change::Rearm)]);
    assert_eq!(bench.domain.view()[0].priority, Priority(200));
    bench.apply(vec![Step::Update(owner(), Change::Rearm)]);
    assert_eq!(bench.domain.view()[0].priority, Priority::OWNER);
    bench.run(ms(0));
    assert_eq!(bench.state(), State::Master);
}
