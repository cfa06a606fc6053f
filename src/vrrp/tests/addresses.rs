//! Which addresses are touched, and which are not.

use super::super::addresses::{Kind, spec, tag};
use super::super::instance::{Input, InstanceId, Timer};
use super::super::{Event, State};
use super::machine::heard;
use super::{Bench, Step, address, config, facts, index, ms, vip};
use crate::conf::model::routing::Prefix;
use crate::conf::model::{InitialState, Priority};

#[test]
fn exactly_the_own_leftovers_of_a_crashed_run_are_taken_away_at_the_start() {
    let mut bench = Bench::new();
    bench.tell(Event::Address(address("192.0.2.101", 32, true)));
    bench.tell(Event::Address(address("192.0.2.102", 24, true)));
    bench.tell(Event::Address(address("192.0.2.103", 32, true)));
    let mut two = config();
    two.addresses.push(vip("192.0.2.102"));
    let said = bench.apply(vec![Step::Add(two)]);
    assert_eq!(said, ["open", "open", "-192.0.2.101/32"]);
    // The report of that removal is no news.
    let gone = Event::Address(address("192.0.2.101", 32, false));
    assert_eq!(bench.tell(gone), [""; 0]);
}

// Input: a second instance with the address that the first one, a master, holds.
#[test]
fn an_address_on_behalf_of_another_instance_is_no_leftover() {
    let mut bench = Bench::master(config());
    bench.tell(Event::Address(address("192.0.2.101", 32, true)));
    let mut other = config();
    other.vrid = crate::conf::model::Vrid::new(52).unwrap();
    assert_eq!(bench.apply(vec![Step::Add(other)]), [""; 0]);
}

/// The same address in another virtual router, of that VRID.
fn twin(vrid: u8) -> crate::conf::model::VrrpInstance {
    let mut twin = config();
    twin.name = format!("VI_{vrid}");
    twin.vrid = crate::conf::model::Vrid::new(vrid).unwrap();
    twin
}

// Input: two masters with one address; one leaves its state, then the other does. Output: the
// address stays until the last one goes.
#[test]
fn an_address_of_two_masters_goes_with_the_last_of_them() {
    let two = || {
        let mut bench = Bench::master(config());
        bench.apply(vec![Step::Add(twin(52))]);
        bench.run(ms(4000));
        bench
    };
    let mut bench = two();
    assert_eq!(bench.step(heard(2, 200)), [""; 0]);
    let said = bench.apply(vec![Step::Remove(twin(52))]);
    assert_eq!(said, ["advert 0", "-192.0.2.101/32"]);
    let mut bench = two();
    let said = bench.apply(vec![Step::Remove(config())]);
    assert_eq!(said, ["advert 0"]);
    assert_eq!(bench.tell(Event::Stop), ["advert 0", "-192.0.2.101/32"]);
    // All at once.
    assert_eq!(
        two().tell(Event::Stop),
        ["advert 0", "advert 0", "-192.0.2.101/32"]
    );
}

#[test]
fn a_leftover_that_two_instances_have_is_taken_away_once() {
    let mut bench = Bench::new();
    bench.tell(Event::Address(address("192.0.2.101", 32, true)));
    let said = bench.apply(vec![Step::Add(config()), Step::Add(twin(52))]);
    assert_eq!(said, ["open", "open", "-192.0.2.101/32"]);
}

// keepalived 2.2.7 takes the owner's address off the interface and goes to FAULT for want of one.
#[test]
fn the_owners_own_address_is_neither_added_nor_removed() {
    let mut owner = config();
    owner.priority = Priority::OWNER;
    owner.initial_state = InitialState::Master;
    owner.addresses = vec![vip("192.0.2.1")];
    let mut bench = Bench::new();
    let said = bench.apply(vec![Step::Add(owner)]);
    assert_eq!(said, ["open", "open", "advert 255", "garp 192.0.2.1"]);
    assert_eq!(bench.tell(Event::Stop), ["advert 0"]);
}

// Input: the owner's virtual address is a crashed run's, by its mark. Output: it is ours.
#[test]
fn what_an_owner_left_behind_is_not_taken_for_the_hosts_own() {
    let mut owner = config();
    owner.priority = Priority::OWNER;
    owner.initial_state = InitialState::Master;
    let mut bench = Bench::new();
    let mut left = address("192.0.2.101", 32, true);
    left.protocol = 18;
    bench.tell(Event::Address(left));
    let said = bench.apply(vec![Step::Add(owner)]);
    assert!(said.contains(&"+192.0.2.101/32".to_owned()), "{said:?}");
    bench.tell(Event::Refused(tag(InstanceId::MIN, 1, Kind::Add), 17));
    assert_eq!(bench.tell(Event::Stop), ["advert 0", "-192.0.2.101/32"]);
}

// Input: a takeover with five addresses. Output: the first is announced before the others are added,
// the others follow in groups that double.
#[test]
fn the_first_address_is_announced_before_the_others_are_added() {
    let mut many = config();
    many.addresses = (101..106).map(|n| vip(&format!("192.0.2.{n}"))).collect();
    let mut bench = Bench::with(many);
    let lines = bench.run(ms(3700));
    let order: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once(' ').map(|(_, what)| what))
        .collect();
    assert_eq!(
        order,
        [
            "advert 100",
            "+192.0.2.101/32",
            "garp 192.0.2.101",
            "+192.0.2.102/32",
            "+192.0.2.103/32",
            "garp 192.0.2.102",
            "garp 192.0.2.103",
            "+192.0.2.104/32",
            "+192.0.2.105/32",
            "garp 192.0.2.104",
            "garp 192.0.2.105",
        ]
    );
}

// Input: an owner whose interface is down at the start, with a crashed run's address on it; one
// with the mark, one without (a kernel before 5.18, or the host's own). Output: the first goes.
#[test]
fn an_owner_in_fault_takes_only_marked_leftovers_away() {
    for (protocol, expected) in [(18, Some("-192.0.2.101/32".to_owned())), (0, None)] {
        let mut owner = config();
        owner.priority = Priority::OWNER;
        owner.initial_state = InitialState::Master;
        let mut bench = Bench::new();
        let mut left = address("192.0.2.101", 32, true);
        left.protocol = protocol;
        bench.tell(Event::Address(left));
        bench.tell(Event::Interface(facts(false)));
        let said = bench.apply(vec![Step::Add(owner)]);
        let removed = said.into_iter().find(|line| line.starts_with('-'));
        assert_eq!(removed, expected);
    }
}

#[test]
fn an_address_that_is_there_already_is_taken_over() {
    let mut bench = Bench::master(config());
    let added = tag(InstanceId::MIN, 1, Kind::Add);
    assert_eq!(bench.tell(Event::Refused(added, 17)), [""; 0]);
    assert_eq!(bench.tell(Event::Stop), ["advert 0", "-192.0.2.101/32"]);
}

// Input: the kernel refuses the address twice. Output: it is asked each second, the address is
// announced as it comes, and a stop takes it away.
#[test]
fn an_address_that_the_kernel_refuses_is_asked_for_again() {
    let mut bench = Bench::master(config());
    let added = tag(InstanceId::MIN, 1, Kind::Add);
    for _ in 0..2 {
        assert_eq!(bench.tell(Event::Refused(added, 12)), [""; 0]);
        let lines = bench.run(ms(1000));
        assert!(
            lines.contains(&"1000000 +192.0.2.101/32".to_owned()),
            "{lines:?}"
        );
        assert!(
            lines.contains(&"1000000 garp 192.0.2.101".to_owned()),
            "{lines:?}"
        );
    }
    let lines = bench.run(ms(3000));
    assert!(lines.iter().all(|line| !line.contains('+')), "{lines:?}");
    // Nor does it disturb when the refusal was for an address that is gone from the list.
    assert_eq!(
        bench.tell(Event::Refused(tag(InstanceId(9), 4, Kind::Del), 99)),
        [""; 0]
    );
    assert_eq!(bench.tell(Event::Stop), ["advert 0", "-192.0.2.101/32"]);
}

#[test]
fn an_address_that_is_still_refused_at_the_stop_is_not_removed() {
    let mut bench = Bench::master(config());
    bench.tell(Event::Refused(tag(InstanceId::MIN, 1, Kind::Add), 12));
    assert_eq!(bench.tell(Event::Stop), ["advert 0"]);
}

// Input: the kernel refuses to remove the address of a former master. Output: it is asked again
// until it does, at the latest at the stop.
#[test]
fn an_address_that_the_kernel_does_not_let_go_is_removed_again() {
    let mut bench = Bench::master(config());
    let removed = || Event::Refused(tag(InstanceId::MIN, 1, Kind::Del), 12);
    assert_eq!(bench.step(heard(2, 200)), ["-192.0.2.101/32"]);
    assert_eq!(bench.tell(removed()), [""; 0]);
    assert_eq!(bench.run(ms(1000)), ["1000000 -192.0.2.101/32"]);
    assert_eq!(bench.tell(removed()), [""; 0]);
    assert_eq!(bench.tell(Event::Stop), ["-192.0.2.101/32"]);
}

// Input: removal refused, then, master again, the addition as well, though it is still there.
// Output: it is removed once more when the other master returns.
#[test]
fn an_address_that_is_still_there_is_removed_although_its_addition_was_refused() {
    let mut bench = Bench::master(config());
    bench.tell(Event::Address(address("192.0.2.101", 32, true)));
    bench.step(heard(2, 200));
    bench.tell(Event::Refused(tag(InstanceId::MIN, 1, Kind::Del), 12));
    bench.step(Input::Timer(Timer::MasterDown, bench.now));
    assert_eq!(bench.state(), State::Master);
    bench.tell(Event::Refused(tag(InstanceId::MIN, 1, Kind::Add), 12));
    let said = bench.step(heard(2, 200));
    assert_eq!(said.last().map(String::as_str), Some("-192.0.2.101/32"));
}

#[test]
fn an_address_that_somebody_removes_is_put_back_within_50_ms() {
    let mut bench = Bench::master(config());
    let gone = || Event::Address(address("192.0.2.101", 32, false));
    assert_eq!(bench.tell(gone()), [""; 0]);
    let lines = bench.run(ms(50));
    assert_eq!(lines, ["10000 +192.0.2.101/32", "10000 garp 192.0.2.101"]);
    assert_eq!(bench.state(), State::Master);
}

// Input: the address is removed each second. Output: five repairs, then FAULT with a resignation;
// after a minute of truce the instance takes part again.
#[test]
fn a_fight_over_an_address_is_given_up_after_five_rounds_in_a_minute() {
    let mut bench = Bench::master(config());
    for _ in 0..5 {
        bench.tell(Event::Address(address("192.0.2.101", 32, false)));
        let lines = bench.run(ms(1000));
        assert!(lines.iter().any(|line| line.ends_with("+192.0.2.101/32")));
    }
    bench.tell(Event::Address(address("192.0.2.101", 32, false)));
    assert_eq!(bench.run(ms(20)), ["10000 advert 0"]);
    assert_eq!(bench.state(), State::Fault);
    // A link that flaps meanwhile does not end the truce.
    bench.tell(Event::Interface(facts(false)));
    bench.tell(Event::Interface(facts(true)));
    bench.run(ms(59_000));
    assert_eq!(bench.state(), State::Fault);
    bench.run(ms(2000));
    assert_eq!(bench.state(), State::Backup);
    bench.run(ms(4000));
    assert_eq!(bench.state(), State::Master);
}

// Input: an instance that has given up; a reload of the same file, and one while the link is down.
// Output: it takes part at once, or as soon as the link is up again.
#[test]
fn a_reload_ends_the_truce() {
    for link in [true, false] {
        let mut bench = Bench::master(config());
        for _ in 0..6 {
            bench.tell(Event::Address(address("192.0.2.101", 32, false)));
            bench.run(ms(20));
        }
        assert_eq!(bench.state(), State::Fault);
        bench.tell(Event::Interface(facts(link)));
        assert_eq!(bench.apply(vec![Step::Keep(config())]), [""; 0]);
        assert_eq!(bench.state() == State::Backup, link);
        bench.tell(Event::Interface(facts(true)));
        assert_eq!(bench.state(), State::Backup);
        bench.run(ms(4000));
        assert_eq!(bench.state(), State::Master);
    }
}

#[test]
fn repairs_that_are_far_apart_are_no_fight() {
    let mut bench = Bench::master(config());
    for _ in 0..20 {
        bench.tell(Event::Address(address("192.0.2.101", 32, false)));
        bench.run(ms(15_000));
        assert_eq!(bench.state(), State::Master);
    }
}

#[test]
fn a_removal_that_goes_with_the_interface_is_not_repaired() {
    let mut bench = Bench::master(config());
    bench.tell(Event::Address(address("192.0.2.101", 32, false)));
    bench.tell(Event::Address(address(super::US, 24, false)));
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::InterfaceGone(index()));
    assert_eq!(bench.run(ms(9000)), [""; 0]);
}

// Input: a tool adds and removes the address while we hold it not. Output: nothing.
#[test]
fn a_backup_does_not_care_about_its_addresses() {
    let mut bench = Bench::with(config());
    for present in [true, false] {
        let change = address("192.0.2.101", 32, present);
        assert_eq!(bench.tell(Event::Address(change)), [""; 0]);
    }
}

#[test]
fn an_address_on_another_interface_follows_that_interface() {
    let mut elsewhere = config();
    elsewhere.addresses[0].interface = Some("eth1".into());
    elsewhere.addresses[0].options.untracked = true;
    let mut bench = Bench::master(elsewhere);
    let eth1 = |index: u32| {
        let mut facts = facts(true);
        facts.name = "eth1".into();
        facts.index = crate::base::IfIndex::new(index).unwrap();
        facts
    };
    let added = ["+192.0.2.101/32", "garp 192.0.2.101"];
    assert_eq!(bench.tell(Event::Interface(eth1(3))), added);
    bench.tell(Event::InterfaceGone(eth1(3).index));
    assert_eq!(bench.tell(Event::Interface(eth1(4))), added);
    assert_eq!(bench.tell(Event::Stop), ["advert 0", "-192.0.2.101/32"]);
}

// 300 addresses: the count has eight bits (RFC 3768 §5.3.5), but all are held.
#[test]
fn more_addresses_than_an_advert_can_name_are_held_all_the_same() {
    let mut many = config();
    many.addresses = (0..300)
        .map(|n| vip(&format!("10.0.{}.{}", n / 250, n % 250 + 1)))
        .collect();
    let bench = Bench::master(many);
    let view = bench.domain.view();
    assert_eq!(view[0].wanted.len(), 300);
}

// Input: an address in adverts, one of the other family that is not, one that nobody tracks; the
// last two are lost. Output: announced in this order, removed in it; the tracked one comes back.
#[test]
fn excluded_addresses_follow_the_others_and_are_repaired_unless_untracked() {
    let mut config = config();
    let mut untracked = vip("192.0.2.103");
    untracked.options.untracked = true;
    config.options.excluded = vec![vip("192.0.2.102"), untracked];
    let mut bench = Bench::new();
    bench.apply(vec![Step::Add(config)]);
    let said = bench.run(ms(4000));
    let added: Vec<&str> = said
        .iter()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(_, said)| said.starts_with('+').then_some(said))
        .collect();
    assert_eq!(
        added,
        ["+192.0.2.101/32", "+192.0.2.102/32", "+192.0.2.103/32"]
    );
    for last in ["192.0.2.101", "192.0.2.102", "192.0.2.103"] {
        bench.tell(Event::Address(address(last, 32, true)));
    }
    bench.tell(Event::Address(address("192.0.2.102", 32, false)));
    bench.tell(Event::Address(address("192.0.2.103", 32, false)));
    let said = bench.run(ms(20));
    let said = said.join("\n");
    assert!(said.contains("+192.0.2.102/32"), "{said}");
    assert!(!said.contains("+192.0.2.103/32"), "{said}");
    assert_eq!(
        bench.tell(Event::Stop),
        [
            "advert 0",
            "-192.0.2.101/32",
            "-192.0.2.102/32",
            "-192.0.2.103/32"
        ]
    );
}

// Input: what is said of an address, in both families. Output: as it is asked of the kernel.
#[test]
fn options_of_an_address_reach_the_kernel_where_it_knows_them() {
    let mut v4 = vip("192.0.2.101");
    v4.options.peer = Some(Prefix {
        address: "192.0.2.7".parse().unwrap(),
        len: 24,
    });
    v4.options.home = true;
    v4.options.preferred_lifetime = Some(9);
    let asked = spec(&v4, index());
    assert_eq!(
        (asked.prefix_len, asked.more.peer),
        (24, v4.options.peer.map(|peer| peer.address))
    );
    assert_eq!(
        (
            asked.more.home,
            asked.more.preferred,
            asked.more.no_detection
        ),
        (false, None, false)
    );
    let mut v6 = vip("2001:db8::1");
    v6.prefix_len = 128;
    assert_eq!(spec(&v6, index()).more.preferred, Some(0));
    assert!(spec(&v6, index()).more.no_detection);
    v6.options.preferred_lifetime = Some(9);
    v6.options.detect_duplicates = true;
    v6.options.home = true;
    let asked = spec(&v6, index());
    assert_eq!(
        (
            asked.more.home,
            asked.more.preferred,
            asked.more.no_detection
        ),
        (true, Some(9), false)
    );
}

// Input: two instances of one interface with `promote_secondaries`. Output: asked once for each,
// given back when each goes.
#[test]
fn secondaries_are_promoted_from_start_to_stop() {
    let mut first = config();
    first.options.promote_secondaries = true;
    let mut bench = Bench::new();
    let said = bench.apply(vec![Step::Add(first.clone())]);
    assert!(said.contains(&"promote true".to_owned()), "{said:?}");
    let said = bench.apply(vec![Step::Remove(first)]);
    assert!(said.contains(&"promote false".to_owned()), "{said:?}");
}
