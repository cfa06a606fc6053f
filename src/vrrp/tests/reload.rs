//! A reload touches the difference only.

use super::super::State;
use super::super::addresses::{Kind, tag};
use super::super::instance::InstanceId;
use super::{Bench, Step, config, ms, vip};
use crate::conf::model::plan::Change;
use crate::conf::model::{AuthPass, InitialState, Priority, VrrpInstance};

fn edited(edit: impl FnOnce(&mut VrrpInstance)) -> VrrpInstance {
    let mut new = config();
    edit(&mut new);
    new
}

fn update(bench: &mut Bench, change: Change, edit: impl FnOnce(&mut VrrpInstance)) -> Vec<String> {
    bench.apply(vec![Step::Update(edited(edit), change)])
}

#[test]
fn what_is_kept_is_not_touched() {
    for mut bench in [Bench::with(config()), Bench::master(config())] {
        let before = (bench.state(), bench.domain.next_deadline());
        assert_eq!(bench.apply(vec![Step::Keep(config())]), [""; 0]);
        assert_eq!((bench.state(), bench.domain.next_deadline()), before);
    }
}

// Input: .101 is replaced by .102, .103 is new. Output: those three are touched; still master.
#[test]
fn a_master_touches_the_difference_of_its_addresses() {
    let two = edited(|new| new.addresses.push(vip("192.0.2.104")));
    let mut bench = Bench::master(two);
    let due = bench.domain.next_deadline();
    let said = update(&mut bench, Change::Live, |new| {
        new.addresses = ["192.0.2.102", "192.0.2.104", "192.0.2.103"]
            .map(vip)
            .to_vec();
    });
    assert_eq!(
        said,
        [
            "-192.0.2.101/32",
            "+192.0.2.102/32",
            "garp 192.0.2.102",
            "+192.0.2.103/32",
            "garp 192.0.2.103",
        ]
    );
    assert_eq!(bench.state(), State::Master);
    assert_eq!(bench.domain.next_deadline(), due);
}

// The rest of the burst is for the new address alone.
#[test]
fn only_a_new_address_is_announced() {
    let mut twice = config();
    twice.garp.repeat = 2;
    let mut bench = Bench::master(twice);
    let said = update(&mut bench, Change::Live, |new| {
        new.garp.repeat = 2;
        new.addresses.push(vip("192.0.2.102"));
    });
    assert_eq!(
        said,
        ["+192.0.2.102/32", "garp 192.0.2.102", "garp 192.0.2.102"]
    );
}

#[test]
fn an_edited_address_is_removed_before_it_is_added() {
    let mut bench = Bench::master(config());
    let said = update(&mut bench, Change::Live, |new| {
        new.addresses[0].label = Some("eth0:1".into());
    });
    assert_eq!(
        said,
        ["-192.0.2.101/32", "+192.0.2.101/32", "garp 192.0.2.101"]
    );
    // The kernel's reports of both are no news.
    for present in [false, true] {
        let change = super::address("192.0.2.101", 32, present);
        assert_eq!(bench.tell(super::Event::Address(change)), [""; 0]);
    }
    assert_eq!(bench.run(ms(50)), [""; 0]);
}

#[test]
fn a_new_priority_and_password_go_out_with_the_next_advert() {
    let mut bench = Bench::master(config());
    let due = bench.domain.next_deadline();
    let said = update(&mut bench, Change::Live, |new| {
        new.priority = Priority(77);
        new.auth = Some(AuthPass(*b"secret\0\0"));
    });
    assert_eq!(said, [""; 0]);
    assert_eq!(bench.domain.next_deadline(), due);
    assert!(bench.run(ms(1000))[0].ends_with("advert 77"));
}

#[test]
fn a_backup_that_becomes_the_owner_takes_over() {
    let mut bench = Bench::with(config());
    let said = update(&mut bench, Change::Live, |new| {
        new.priority = Priority::OWNER;
        new.initial_state = InitialState::Master;
    });
    assert_eq!(said, [""; 0]);
    let said = ["0 advert 255", "0 +192.0.2.101/32", "0 garp 192.0.2.101"];
    assert_eq!(bench.run(ms(0)), said);
}

// Input: interval 1 s to 5 s, 0.4 s after the last advert; and back. Output: the next advert is
// 5 s after the last one; 1 s after it is past, so at once.
#[test]
fn a_new_interval_counts_from_the_last_advert() {
    let mut bench = Bench::master(config());
    bench.now = bench.domain.next_deadline().unwrap();
    assert_eq!(bench.stall(ms(0)), ["advert 100"]);
    let last = bench.now;
    bench.run(ms(400));
    update(&mut bench, Change::Rearm, |new| {
        new.advert_interval = ms(5000);
    });
    assert_eq!(bench.domain.next_deadline(), Some(last + ms(5000)));
    bench.run(ms(2000));
    update(&mut bench, Change::Rearm, |_| {});
    assert_eq!(bench.domain.next_deadline(), Some(bench.now));
}

#[test]
fn a_backup_waits_the_new_master_down_interval_from_the_reload_on() {
    let mut bench = Bench::with(config());
    bench.run(ms(2000));
    let now = bench.now;
    update(&mut bench, Change::Rearm, |new| {
        new.advert_interval = ms(2000);
    });
    let expected = now + ms(6000) + crate::base::Duration::from_micros(609_375);
    assert_eq!(bench.domain.next_deadline(), Some(expected));
}

#[test]
fn a_removed_master_resigns_and_closes_its_sockets() {
    let mut bench = Bench::master(config());
    let said = bench.apply(vec![Step::Remove(config())]);
    assert_eq!(said, ["advert 0", "-192.0.2.101/32", "close", "close"]);
    assert_eq!(bench.domain.next_deadline(), None);
    assert_eq!(bench.domain.view(), []);
}

// Input: an address moves from an instance that goes to a new one. Output: removed once; its
// report does not disturb the new one.
#[test]
fn an_address_can_move_between_instances() {
    let mut bench = Bench::master(config());
    let there = super::address("192.0.2.101", 32, true);
    bench.tell(super::Event::Address(there));
    let new = edited(|new| {
        new.vrid = crate::conf::model::Vrid::new(52).unwrap();
        new.priority = Priority::OWNER;
        new.initial_state = InitialState::Master;
    });
    let said = bench.apply(vec![Step::Remove(config()), Step::Add(new)]);
    assert_eq!(
        said,
        [
            "advert 0",
            "-192.0.2.101/32",
            "close",
            "open",
            "advert 255",
            "+192.0.2.101/32",
            "garp 192.0.2.101"
        ]
    );
    let gone = super::address("192.0.2.101", 32, false);
    assert_eq!(bench.tell(super::Event::Address(gone)), [""; 0]);
    assert_eq!(bench.run(ms(50)), [""; 0]);
}

fn not_removed(slot: u32) -> super::Event<'static> {
    let tag = tag(InstanceId::MIN, slot, Kind::Del);
    super::Event::Refused(tag, 12)
}

// Input: a reload drops an address, or the instance whole, and the kernel refuses the removal,
// twice. Output: it is asked again each second until it does.
#[test]
fn what_a_reload_drops_is_removed_again_until_it_is_gone() {
    let two = || edited(|new| new.addresses.push(vip("192.0.2.102")));
    let edit: fn(&mut Bench) -> Vec<String> = |bench| update(bench, Change::Live, |_| {});
    let drop_all: fn(&mut Bench) -> Vec<String> = |bench| bench.apply(vec![Step::Remove(config())]);
    for act in [edit, drop_all] {
        let mut bench = Bench::master(two());
        let said = act(&mut bench);
        assert!(said.contains(&"-192.0.2.102/32".to_owned()), "{said:?}");
        for _ in 0..2 {
            assert_eq!(bench.tell(not_removed(2)), [""; 0]);
            let lines = bench.run(ms(1000));
            let again = "1000000 -192.0.2.102/32".to_owned();
            assert!(lines.contains(&again), "{lines:?}");
        }
        let lines = bench.run(ms(3000));
        assert!(lines.iter().all(|line| !line.contains('-')), "{lines:?}");
    }
}

#[test]
fn what_a_reload_could_not_drop_is_removed_at_the_stop() {
    let mut bench = Bench::master(config());
    bench.apply(vec![Step::Remove(config())]);
    bench.tell(not_removed(1));
    assert_eq!(bench.tell(super::Event::Stop), ["-192.0.2.101/32"]);
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: the address that the kernel would not let go is back in the configuration. Output: the
// new master keeps it.
#[test]
fn what_a_reload_could_not_drop_stays_if_it_is_wanted_again() {
    let mut bench = Bench::master(config());
    bench.apply(vec![Step::Remove(config())]);
    bench.tell(not_removed(1));
    let owner = edited(|new| {
        new.priority = Priority::OWNER;
        new.initial_state = InitialState::Master;
    });
    let said = bench.apply(vec![Step::Add(owner)]);
    assert!(said.contains(&"+192.0.2.101/32".to_owned()), "{said:?}");
    let lines = bench.run(ms(3000));
    assert!(lines.iter().all(|line| !line.contains('-')), "{lines:?}");
}

#[test]
fn instances_on_one_interface_share_a_socket() {
    let mut bench = Bench::with(config());
    let other = edited(|new| new.vrid = crate::conf::model::Vrid::new(52).unwrap());
    assert_eq!(bench.apply(vec![Step::Add(other.clone())]), [""; 0]);
    assert_eq!(bench.apply(vec![Step::Remove(config())]), [""; 0]);
    assert_eq!(bench.apply(vec![Step::Remove(other)]), ["close", "close"]);
}
