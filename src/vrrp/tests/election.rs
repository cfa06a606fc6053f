//! Who becomes master, when, and what it says.

use super::super::{Event, State};
use super::{Bench, config, ms};
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

#[test]
fn the_owner_is_master_at_once() {
    let mut owner = config();
    owner.priority = Priority::OWNER;
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
