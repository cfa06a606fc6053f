//! Any sequence of events: nothing panics, nothing is armed for the past, a stop leaves nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::super::addresses::{Kind, tag};
use super::super::instance::InstanceId;
use super::super::{Event, State};
use super::{Bench, Step, US, address, config, facts, index, ms, vip};
use crate::conf::model::plan::Change;
use crate::conf::model::{Priority, VrrpInstance};

#[derive(Debug, Clone)]
enum Happening {
    Run(u64),
    Stall(u64),
    Hear(u8, u8),
    Noise(Vec<u8>),
    Link(bool),
    Gone,
    Own(bool),
    Virtual(u8, bool),
    Refused(u32, bool, i32),
    SocketFailed(u64),
    Reload(u8, Vec<u8>, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0_u64..5000).prop_map(Happening::Run),
        1 => (0_u64..20_000).prop_map(Happening::Stall),
        4 => (0_u8..4, prop_oneof![Just(0), Just(50), Just(100), Just(200), Just(255)])
            .prop_map(|(last, priority)| Happening::Hear(last, priority)),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Happening::Noise),
        2 => any::<bool>().prop_map(Happening::Link),
        1 => Just(Happening::Gone),
        2 => any::<bool>().prop_map(Happening::Own),
        3 => (101_u8..104, any::<bool>()).prop_map(|(last, on)| Happening::Virtual(last, on)),
        2 => (0_u32..6, any::<bool>(), prop_oneof![Just(17), Just(99), Just(12)])
            .prop_map(|(slot, del, errno)| Happening::Refused(slot, del, errno)),
        1 => (0_u64..5).prop_map(Happening::SocketFailed),
        1 => (
            prop_oneof![Just(1_u8), Just(100), Just(255)],
            proptest::collection::vec(101_u8..104, 0..4),
            any::<bool>(),
        )
            .prop_map(|(priority, list, preempt)| Happening::Reload(priority, list, preempt)),
    ]
}

fn edited(priority: u8, list: &[u8], preempt: bool) -> VrrpInstance {
    let mut new = config();
    new.priority = Priority(priority);
    new.no_preempt = !preempt;
    new.preempt_delay = ms(if preempt { 1500 } else { 0 });
    let list: BTreeSet<u8> = list.iter().copied().collect();
    new.addresses = list
        .iter()
        .map(|last| vip(&format!("192.0.2.{last}")))
        .collect();
    new
}

fn happen(bench: &mut Bench, happening: &Happening) -> Vec<String> {
    match happening {
        Happening::Run(millis) => bench.run(ms(*millis)),
        Happening::Stall(millis) => bench.stall(ms(*millis)),
        Happening::Hear(last, priority) => bench.hear(&format!("192.0.2.{last}"), *priority),
        Happening::Noise(bytes) => bench.receive(bytes),
        Happening::Link(up) => bench.tell(Event::Interface(facts(*up))),
        Happening::Gone => bench.tell(Event::InterfaceGone(index())),
        Happening::Own(present) => bench.tell(Event::Address(address(US, 24, *present))),
        Happening::Virtual(last, present) => {
            let text = IpAddr::from([192, 0, 2, *last]).to_string();
            bench.tell(Event::Address(address(&text, 32, *present)))
        }
        Happening::Refused(slot, del, errno) => {
            let kind = if *del { Kind::Del } else { Kind::Add };
            bench.tell(Event::Refused(tag(InstanceId::MIN, *slot, kind), *errno))
        }
        Happening::SocketFailed(id) => {
            bench.tell(Event::SocketFailed(crate::ops::SocketId(*id), 24))
        }
        Happening::Reload(priority, list, preempt) => {
            let new = edited(*priority, list, *preempt);
            bench.apply(vec![Step::Update(new, Change::Live)])
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // Invariants of the machine are checked inside, after every step; here what shows outside.
    #[test]
    fn any_sequence_of_events_keeps_the_rules(
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let mut bench = Bench::with(config());
        for happening in &happenings {
            let before = bench.state();
            let said = happen(&mut bench, happening);
            // One who is not master, before or after, neither advertises nor adds.
            let advertises = |line: &String| line.contains("advert ") && !line.ends_with("advert 0");
            let speaks = said.iter().any(advertises);
            let ran = matches!(happening, Happening::Run(_));
            prop_assert!(
                !speaks || ran || before == State::Master || bench.state() == State::Master,
                "{happening:?} {said:?}"
            );
            if let Some(next) = bench.domain.next_deadline() {
                prop_assert!(next >= bench.now || matches!(happening, Happening::Stall(_)));
            }
        }
        bench.tell(Event::Stop);
        prop_assert_eq!(bench.domain.next_deadline(), None);
        prop_assert_eq!(bench.state(), State::Init);
        prop_assert!(bench.domain.view()[0].wanted.is_empty());
    }

    // Input: any events, then a quiet time on a link that is whole. Output: a lone router is
    // master in the end, whatever happened to it.
    #[test]
    fn a_lone_router_becomes_master_when_all_is_well_again(
        happenings in proptest::collection::vec(happening(), 1..40),
    ) {
        let mut bench = Bench::with(config());
        for happening in &happenings {
            happen(&mut bench, happening);
        }
        bench.tell(Event::Interface(facts(true)));
        bench.tell(Event::Address(address(US, 24, true)));
        // A truce lasts 60 s.
        bench.run(ms(70_000));
        prop_assert_eq!(bench.state(), State::Master);
    }
}
