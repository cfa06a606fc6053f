//! Who becomes master, when, and what it says.

use super::super::{Event, State};
use super::{Bench, config, facts, ms};
use crate::base::Duration;
use crate::conf::model::{InitialState, Priority};

// Output: 3 × 1 s + (256 - 100) / 256 s of silence, then advert, address, announcement; then an
// advert a second.
#[test]
fn a_backup_takes_over_after_the_master_down_interval() {
    let mut bench = Bench::with(config());
    assert_eq!(bench.state(), State::Backup);
    assert_eq!(bench.run(ms(3609)), [""; 0]);
    assert_eq!(
        bench.run(ms(3000)),
        [
            "375 advert 100",
            "375 +192.0.2.101/32",
            "375 garp 192.0.2.101",
            "1000375 advert 100",
            "2000375 advert 100",
        ]
    );
    assert_eq!(bench.state(), State::Master);
}

#[test]
fn a_hopeful_master_listens_for_one_interval_and_the_least_skew() {
    let mut hopeful = config();
    hopeful.initial_state = InitialState::Master;
    let mut bench = Bench::with(hopeful);
    assert_eq!(bench.state(), State::Backup);
    let lines = bench.run(ms(2000));
    assert_eq!(lines.first().unwrap(), "1003906 advert 100");
}

// Input: an instance that is master by another process of this host, with its address there; then
// the same instance started again by a later reload. Output: master at once, nothing removed; then
// a backup, as the inheritance is used up.
#[test]
fn the_heir_of_a_master_is_master_at_once() {
    let mut bench = Bench::new();
    bench.tell(Event::Address(super::address("192.0.2.101", 32, true)));
    bench.domain.inherit(["VI_1".to_owned()]);
    let said = bench.apply(vec![super::Step::Add(config())]);
    assert_eq!(bench.state(), State::Master);
    assert!(said.contains(&"advert 100".to_owned()), "{said:?}");
    assert!(said.iter().all(|line| !line.starts_with('-')), "{said:?}");
    bench.apply(vec![super::Step::Remove(config())]);
    bench.apply(vec![super::Step::Add(config())]);
    assert_eq!(bench.state(), State::Backup);
}

// Input: an owner with `state BACKUP`; one with `state MASTER` whose link goes and comes. Output: both
// wait for the master down interval first, as with keepalived 2.2.7 and 2.3.4.
#[test]
fn an_owner_may_have_to_listen() {
    let mut owner = config();
    owner.priority = Priority::OWNER;
    let mut bench = Bench::with(owner.clone());
    assert_eq!(bench.state(), State::Backup);
    bench.run(ms(3010));
    assert_eq!(bench.state(), State::Master);
    owner.initial_state = InitialState::Master;
    let mut bench = Bench::with(owner);
    assert_eq!(bench.state(), State::Master);
    bench.tell(Event::Interface(facts(false)));
    bench.tell(Event::Interface(facts(true)));
    assert_eq!(bench.state(), State::Backup);
    bench.run(ms(3010));
    assert_eq!(bench.state(), State::Master);
}

#[test]
fn the_owner_is_master_at_once() {
    let mut owner = config();
    owner.priority = Priority::OWNER;
    owner.initial_state = InitialState::Master;
    let mut bench = Bench::new();
    assert_eq!(
        bench.apply(vec![super::Step::Add(owner)]),
        [
            "open",
            "open",
            "advert 255",
            "+192.0.2.101/32",
            "garp 192.0.2.101"
        ]
    );
}

#[test]
fn a_master_that_stops_resigns_and_takes_its_addresses_away() {
    let mut bench = Bench::master(config());
    assert_eq!(bench.tell(Event::Stop), ["advert 0", "-192.0.2.101/32"]);
    assert_eq!(bench.tell(Event::Stop), [""; 0]);
    assert_eq!(bench.domain.next_deadline(), None);
}

#[test]
fn a_backup_that_stops_says_nothing() {
    let mut bench = Bench::with(config());
    assert_eq!(bench.tell(Event::Stop), [""; 0]);
}

// Input: adverts of priority 200 every second, then silence. Output: master 3.609375 s after the
// last one.
#[test]
fn a_higher_advert_restarts_the_master_down_timer() {
    let mut bench = Bench::with(config());
    for _ in 0..5 {
        bench.run(ms(1000));
        assert_eq!(bench.hear("192.0.2.2", 200), [""; 0]);
    }
    assert_eq!(bench.run(ms(4000)).first().unwrap(), "3609375 advert 100");
}

// RFC 3768 §6.4.2 compares with >=.
#[test]
fn an_equal_advert_restarts_the_master_down_timer() {
    let mut bench = Bench::with(config());
    bench.run(ms(3000));
    bench.hear("192.0.2.0", 100);
    assert_eq!(bench.run(ms(4000)).first().unwrap(), "3609375 advert 100");
}

#[test]
fn a_lower_advert_leaves_the_master_down_timer_alone() {
    let mut bench = Bench::with(config());
    for _ in 0..3 {
        bench.run(ms(1000));
        bench.hear("192.0.2.2", 50);
    }
    assert_eq!(bench.run(ms(1000)).first().unwrap(), "609375 advert 100");
}

#[test]
fn with_nopreempt_a_lower_master_is_kept() {
    let mut patient = config();
    patient.no_preempt = true;
    let mut bench = Bench::with(patient);
    for _ in 0..9 {
        assert_eq!(bench.run(ms(1000)), [""; 0]);
        bench.hear("192.0.2.2", 50);
    }
    assert_eq!(bench.run(ms(4000)).first().unwrap(), "3609375 advert 100");
}

// RFC 3768 §6.4.2: a resigning master is followed after the skew alone.
#[test]
fn priority_zero_shortens_the_wait_to_the_skew() {
    let mut bench = Bench::with(config());
    bench.hear("192.0.2.2", 200);
    bench.run(ms(500));
    bench.hear("192.0.2.2", 0);
    assert_eq!(bench.run(ms(1000)).first().unwrap(), "609375 advert 100");
}

// Input: preempt_delay 3 s, lower adverts at 0.5, 1.5, 2.5, 3.5, 4.5, 5.5 s. Output: the last one
// before the delay ends (2.5 s) counts as a master's, so that the takeover is at 6.109 s;
// keepalived 2.2.7 took over 0.001 s after that in a run with the same adverts.
#[test]
fn a_lower_master_is_tolerated_for_the_preempt_delay() {
    let mut patient = config();
    patient.preempt_delay = ms(3000);
    let mut bench = Bench::with(patient);
    bench.run(ms(500));
    for _ in 0..6 {
        bench.hear("192.0.2.2", 50);
        let lines = bench.run(ms(1000));
        if let Some(line) = lines.first() {
            assert_eq!(line, "609375 advert 100");
            return;
        }
    }
    panic!("no takeover");
}

#[test]
fn a_higher_master_ends_the_preempt_delay() {
    let mut patient = config();
    patient.preempt_delay = ms(3000);
    let mut bench = Bench::with(patient);
    bench.hear("192.0.2.2", 50);
    bench.run(ms(1000));
    bench.hear("192.0.2.3", 200);
    for _ in 0..5 {
        assert_eq!(bench.run(ms(1000)), [""; 0]);
        bench.hear("192.0.2.3", 200);
    }
    // The next lower master gets the whole delay again, even after one has run out.
    for _ in 0..5 {
        assert_eq!(bench.run(ms(900)), [""; 0]);
        bench.hear("192.0.2.2", 50);
    }
    bench.hear("192.0.2.3", 200);
    for _ in 0..3 {
        assert_eq!(bench.run(ms(900)), [""; 0]);
        bench.hear("192.0.2.2", 50);
    }
    assert_eq!(bench.run(ms(3600)), [""; 0]);
}

#[test]
fn the_periods_of_a_master_do_not_drift_when_it_is_woken_late() {
    let mut bench = Bench::master(config());
    let next = bench.domain.next_deadline().unwrap();
    bench.now = next;
    assert_eq!(bench.stall(ms(300)), ["advert 100"]);
    assert_eq!(bench.domain.next_deadline(), Some(next + ms(1000)));
    // More than a period late: counted from now, no burst of adverts to catch up.
    bench.now = next + ms(1000);
    assert_eq!(bench.stall(ms(1500)), ["advert 100"]);
    assert_eq!(bench.domain.next_deadline(), Some(bench.now + ms(1000)));
}

// A suspended host wakes: the peer may have taken over after 3.004 s at the earliest.
#[test]
fn a_master_that_stood_still_listens_before_it_speaks() {
    let mut bench = Bench::master(config());
    assert_eq!(bench.stall(ms(10_000)), ["-192.0.2.101/32"]);
    assert_eq!(bench.state(), State::Backup);
    // Nobody there: back after one interval and the least skew.
    assert_eq!(bench.run(ms(2000)).first().unwrap(), "1003906 advert 100");
}

#[test]
fn a_master_that_stood_still_does_not_answer_the_advert_that_it_wakes_to() {
    let mut bench = Bench::master(config());
    bench.now += ms(10_000);
    assert_eq!(bench.hear("192.0.2.2", 50), ["-192.0.2.101/32"]);
    assert_eq!(bench.state(), State::Backup);
}

#[test]
fn a_backup_that_stood_still_listens_before_it_takes_over() {
    let mut bench = Bench::with(config());
    assert_eq!(bench.stall(ms(60_000)), [""; 0]);
    assert_eq!(bench.hear("192.0.2.2", 200), [""; 0]);
    assert_eq!(bench.run(ms(3600)), [""; 0]);
    assert_eq!(bench.state(), State::Backup);
    // 3.609 s were due: up to one interval late is just late.
    let mut bench = Bench::with(config());
    assert_eq!(bench.stall(ms(4600)).first().unwrap(), "advert 100");
    let mut bench = Bench::with(config());
    assert_eq!(bench.stall(ms(4620)), [""; 0]);
    assert_eq!(bench.run(ms(1010)).first().unwrap(), "1003906 advert 100");
}

// raw(7): with 0 the kernel would put an identification of its own into the header.
#[test]
fn the_identification_counts_from_one_and_leaves_zero_out() {
    let mut bench = Bench::master(config());
    let mut last = bench.identification();
    for _ in 0..=u16::MAX {
        let next = bench.identification();
        assert_eq!(next, last.checked_add(1).unwrap_or(1));
        last = next;
    }
}

// Output: frames in keepalived's order, and the two further bursts of its defaults: one 5 s after
// the takeover, one 5 s after the answer to a lower advert.
#[test]
fn bursts_go_round_by_round_and_are_repeated() {
    let mut two = config();
    two.addresses.push(super::vip("192.0.2.102"));
    two.garp = crate::conf::model::Garp {
        repeat: 2,
        lower_priority_repeat: 1,
        ..crate::conf::model::Garp::default()
    };
    let mut bench = Bench::with(two);
    let round = ["garp 192.0.2.101", "garp 192.0.2.102"];
    let lines = bench.run(ms(4000));
    let said: Vec<&str> = lines
        .iter()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    let takeover = [
        "advert 100",
        "+192.0.2.101/32",
        "garp 192.0.2.101",
        "+192.0.2.102/32",
        "garp 192.0.2.102",
        "garp 192.0.2.101",
        "garp 192.0.2.102",
    ];
    assert_eq!(said, takeover);
    bench.run(ms(600));
    assert_eq!(
        bench.hear("192.0.2.2", 50),
        ["advert 100", round[0], round[1]]
    );
    let lines = bench.run(ms(6000));
    let garps = |after: &str| {
        let of = lines.iter().filter(|line| line.starts_with(after));
        of.filter(|line| line.contains("garp")).count()
    };
    // 3.609375 + 5 s and 4.6 + 5 s, seen from 4.6 s on.
    assert_eq!(garps("4009375 "), 4);
    assert_eq!(garps("5000000 "), 2);
    assert_eq!(lines.iter().filter(|line| line.contains("garp")).count(), 6);
}

#[test]
fn periodic_bursts_come_if_asked_for() {
    let mut fresh = config();
    fresh.garp.refresh = ms(10_000);
    fresh.garp.refresh_repeat = 3;
    let mut bench = Bench::master(fresh);
    let lines = bench.run(ms(20_000));
    let garps = lines.iter().filter(|line| line.contains("garp")).count();
    assert_eq!(garps, 6);
}

// Input: a hundred lower adverts in 100 ms, as a spoofer or a loop makes them. Output: an answer each
// 5 ms, but the addresses are announced once, and once more 5 s after the last.
#[test]
fn a_flood_of_lower_adverts_is_not_answered_by_a_flood_of_announcements() {
    let mut calm = config();
    calm.garp.lower_priority_delay = ms(5000);
    let mut bench = Bench::master(calm);
    let mut said = Vec::new();
    for _ in 0..100 {
        bench.now += ms(1);
        said.extend(bench.hear("192.0.2.2", 50));
    }
    let garps = |lines: &[String]| lines.iter().filter(|line| line.contains("garp")).count();
    assert_eq!(garps(&said), 1);
    assert_eq!(said.len(), 21);
    assert_eq!(garps(&bench.run(ms(4999))), 0);
    assert_eq!(garps(&bench.run(ms(1))), 1);
}

// Input: a master that resigns, and resigns again every 50 ms (skew: 0.609 s). Output: the takeover
// comes a skew after the first time; who is master answers each 5 ms at most.
#[test]
fn who_resigns_for_ever_puts_nothing_off() {
    let mut bench = Bench::with(config());
    assert_eq!(bench.hear("192.0.2.2", 200), [""; 0]);
    for _ in 0..12 {
        assert_eq!(bench.hear("192.0.2.2", 0), [""; 0]);
        assert_eq!(bench.run(ms(50)), [""; 0]);
    }
    let lines = bench.run(ms(10));
    assert!(
        lines.iter().any(|line| line.contains("advert 100")),
        "{lines:?}"
    );
    let answers: usize = (0..20)
        .map(|_| {
            bench.now += ms(1);
            bench.hear("192.0.2.2", 0).len()
        })
        .sum();
    assert_eq!(answers, 4);
}

// Input: a start at one hour with 2 s of delay, one after boot that is long over; then 3,605 s after
// boot. Output: BACKUP two, and five seconds later; until then a stop says nothing.
#[test]
fn a_start_can_be_delayed_from_now_and_from_boot() {
    for (after_start, after_boot, seconds) in [(2, 60, 2), (0, 3605, 5), (0, 60, 0)] {
        let mut bench = Bench::new();
        let delay = |seconds| Duration::from_secs(seconds);
        bench
            .domain
            .hold(bench.now, delay(after_start), delay(after_boot));
        bench.apply(vec![super::Step::Add(config())]);
        let held = seconds > 0;
        assert_eq!(bench.state() == State::Init, held);
        assert_eq!(bench.hear("192.0.2.2", 0), [""; 0]);
        bench.run(ms(1000 * seconds));
        assert_eq!(bench.state(), State::Backup);
    }
    let mut bench = Bench::new();
    bench.domain.hold(bench.now, ms(9000), ms(0));
    bench.apply(vec![super::Step::Add(config())]);
    assert_eq!(bench.tell(Event::Stop), [""; 0]);
    assert_eq!(bench.domain.next_deadline(), None);
}
