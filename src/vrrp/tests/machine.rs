//! Every pair of state and input, one row each.

use super::super::State::{self, Backup, Fault, Init, Master};
use super::super::instance::{FaultReason, Heard, Input, Timer};
use super::{Bench, Event, config, facts, ms};
use crate::conf::model::Priority;

const NOTHING: &[&str] = &[];

pub(super) fn heard(last: u8, priority: u8) -> Input {
    Input::Advert(Heard {
        from: [192, 0, 2, last].into(),
        priority: Priority(priority),
        interval: ms(1000),
    })
}

/// A bench whose only instance, 192.0.2.1 with priority 100, is in `state`.
fn bench(state: State) -> Bench {
    match state {
        Init => {
            let mut bench = Bench::with(config());
            bench.step(Input::Stop);
            bench
        }
        Backup => Bench::with(config()),
        Master => Bench::master(config()),
        Fault => {
            let mut bench = Bench::with(config());
            bench.tell(Event::Interface(facts(false)));
            bench
        }
    }
}

const TIMERS: [Timer; 10] = [
    Timer::MasterDown,
    Timer::Advert,
    Timer::PreemptDelay,
    Timer::SecondBurst,
    Timer::LowerBurst,
    Timer::Refresh,
    Timer::Elsewhere,
    Timer::Repair,
    Timer::Truce,
    Timer::Retry,
];

// Input: each input in each state. Output: the new state and the effects, in order.
#[test]
fn every_pair_of_state_and_input_does_what_it_should() {
    let down = Input::Unable(FaultReason::InterfaceDown);
    let slept = Input::Overslept(ms(9000));
    let start: &[&str] = &["advert 100", "+192.0.2.101/32", "garp 192.0.2.101"];
    let resign: &[&str] = &["advert 0", "-192.0.2.101/32"];
    let yields: &[&str] = &["-192.0.2.101/32"];
    let insists: &[&str] = &["advert 100", "garp 192.0.2.101"];
    let rows: &[(State, Input, State, &[&str])] = &[
        (Init, Input::Start, Backup, NOTHING),
        (Init, Input::Able, Init, NOTHING),
        (Init, down, Init, NOTHING),
        (Init, Input::AddressLost(0), Init, NOTHING),
        (Init, heard(2, 0), Init, NOTHING),
        (Init, heard(2, 50), Init, NOTHING),
        (Init, heard(2, 200), Init, NOTHING),
        (Init, slept, Init, NOTHING),
        (Init, Input::Stop, Init, NOTHING),
        (Backup, Input::Start, Backup, NOTHING),
        (Backup, Input::Able, Backup, NOTHING),
        (Backup, down, Fault, NOTHING),
        (Backup, Input::AddressLost(0), Backup, NOTHING),
        (Backup, heard(2, 0), Backup, NOTHING),
        (Backup, heard(2, 50), Backup, NOTHING),
        (Backup, heard(2, 100), Backup, NOTHING),
        (Backup, heard(2, 200), Backup, NOTHING),
        (Backup, slept, Backup, NOTHING),
        (Backup, Input::Stop, Init, NOTHING),
        (Master, Input::Start, Master, NOTHING),
        (Master, Input::Able, Master, NOTHING),
        (Master, down, Fault, resign),
        (Master, Input::AddressLost(0), Master, NOTHING),
        (Master, heard(2, 0), Master, &["advert 100"]),
        (Master, heard(2, 50), Master, insists),
        (Master, heard(0, 100), Master, insists),
        (Master, heard(2, 100), Backup, yields),
        (Master, heard(0, 200), Backup, yields),
        (Master, slept, Backup, yields),
        (Master, Input::Stop, Init, resign),
        (Fault, Input::Start, Fault, NOTHING),
        (Fault, Input::Able, Backup, NOTHING),
        (Fault, down, Fault, NOTHING),
        (Fault, Input::AddressLost(0), Fault, NOTHING),
        (Fault, heard(2, 0), Fault, NOTHING),
        (Fault, heard(2, 50), Fault, NOTHING),
        (Fault, heard(2, 200), Fault, NOTHING),
        (Fault, slept, Fault, NOTHING),
        (Fault, Input::Stop, Init, NOTHING),
    ];
    for &(state, input, after, effects) in rows {
        let mut bench = bench(state);
        assert_eq!(bench.state(), state);
        let said = bench.step(input);
        assert_eq!(said, effects, "{state:?} {input:?}");
        assert_eq!(bench.state(), after, "{state:?} {input:?}");
    }
    for timer in TIMERS {
        for state in [Init, Backup, Master, Fault] {
            let (after, effects): (State, &[&str]) = match (state, timer) {
                (Backup, Timer::MasterDown) => (Master, start),
                (Master, Timer::Advert) => (Master, &["advert 100"]),
                (Master, Timer::SecondBurst | Timer::LowerBurst | Timer::Refresh) => {
                    (Master, &["garp 192.0.2.101"])
                }
                // Nothing was lost, so that there is nothing to add.
                (Master, Timer::Repair) => (Master, NOTHING),
                (same, _) => (same, NOTHING),
            };
            let mut bench = bench(state);
            let due = bench.now;
            let said = bench.step(Input::Timer(timer, due));
            assert_eq!(said, effects, "{state:?} {timer:?}");
            assert_eq!(bench.state(), after, "{state:?} {timer:?}");
        }
    }
}
