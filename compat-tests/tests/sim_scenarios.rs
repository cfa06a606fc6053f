//! Directed scenarios in the simulator, whose outcome is known beforehand.
//!
//! Owns: times and effects of every fault that the document's reader may cause, to the microsecond
//! where the protocol fixes it. Never does: choose at random; `simulate` does. The shadow's
//! invariants are checked in each of them as well.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;

use compat_tests::sim::network::Place;
use compat_tests::sim::noise::{self, Flaw};
use compat_tests::sim::scenario::{
    R1, R2, ROUTER, adverts, assert_after, ms, pair, routers, scenario, secs, settled, skew,
    start_all, vip_of, world,
};
use compat_tests::sim::setup::{self, config, instance, vip};
use compat_tests::sim::shadow::Holding;
use compat_tests::sim::world::World;
use compat_tests::sim::{trace, wire};
use keepalived_rs::base::{Duration, Family};
use keepalived_rs::conf::model::options::{SyncGroup, Version};
use keepalived_rs::conf::model::{
    Garp, InitialState, Priority, Transport, VRRP_GROUP_V6, VrrpInstance,
};

#[test]
fn a_lone_router_becomes_master_after_the_master_down_interval() {
    scenario(|| {
        let mut world = routers(vec![instance(51, 100)]);
        let start = world.now;
        world.start(R1);
        world.settle();
        assert_eq!(adverts(R1, 100)[0], start + secs(3) + skew(100));
        assert_eq!(world.owners(ROUTER), [R1]);
    });
}

#[test]
fn adverts_keep_their_period_to_the_microsecond() {
    scenario(|| {
        let mut world = settled(vec![instance(51, 100)]);
        world.run_for(secs(100));
        let times = adverts(R1, 100);
        assert!(times.len() > 100);
        for pair in times.windows(2) {
            assert_eq!(pair[1].saturating_since(pair[0]), secs(1));
        }
    });
}

#[test]
fn a_crashed_master_is_replaced_after_three_adverts_and_skew() {
    scenario(|| {
        let mut world = pair();
        world.kill(R1);
        let last = *adverts(R1, 200).last().unwrap();
        world.settle();
        assert_after(adverts(R2, 100)[0], last, secs(3) + skew(100));
        assert_eq!(trace::count(&["advert vrid 51 prio 0"]), 0);
    });
}

#[test]
fn a_stopped_master_resigns_and_is_replaced_after_skew() {
    scenario(|| {
        let mut world = pair();
        let stop = world.now;
        world.stop(R1);
        world.settle();
        assert_eq!(adverts(R1, 0), [stop]);
        assert_after(adverts(R2, 100)[0], stop, skew(100));
        assert_eq!(world.owners(ROUTER), [R2]);
    });
}

#[test]
fn a_stopped_backup_says_nothing() {
    scenario(|| {
        let mut world = pair();
        world.stop(R2);
        world.settle();
        assert_eq!(trace::count(&[" r2 advert"]), 0);
    });
}

#[test]
fn a_better_router_that_starts_later_preempts() {
    scenario(|| {
        let mut world = routers(vec![instance(51, 200), instance(51, 100)]);
        world.start(R2);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
        let start = world.now;
        world.start(R1);
        world.settle();
        assert_eq!(adverts(R1, 200)[0], start + secs(3) + skew(200));
        assert_eq!(world.owners(ROUTER), [R1]);
        // The lesser one yields without a word.
        assert_eq!(adverts(R2, 0), []);
        let yielded = trace::times(&[" r2 ", "kernel - 198.51.51.1"]);
        assert_after(yielded[0], adverts(R1, 200)[0], Duration::ZERO);
    });
}

#[test]
fn state_master_waits_one_advert_only() {
    scenario(|| {
        let mut hopeful = instance(51, 200);
        hopeful.initial_state = InitialState::Master;
        let mut world = routers(vec![hopeful, instance(51, 100)]);
        world.start(R2);
        world.settle();
        let start = world.now;
        world.start(R1);
        world.settle();
        // One advert interval and the least skew, (256 - 255) / 256 s.
        assert_eq!(adverts(R1, 200)[0], start + secs(1) + skew(255));
    });
}

#[test]
fn nopreempt_leaves_a_lesser_master_alone() {
    scenario(|| {
        let mut patient = instance(51, 200);
        patient.no_preempt = true;
        let mut world = routers(vec![patient, instance(51, 100)]);
        world.start(R2);
        world.settle();
        world.start(R1);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
        world.stop(R2);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
    });
}

#[test]
fn preempt_delay_tolerates_a_lesser_master_for_that_long() {
    scenario(|| {
        let mut slow = instance(51, 200);
        slow.preempt_delay = secs(20);
        let mut world = routers(vec![slow, instance(51, 100)]);
        world.start(R2);
        world.settle();
        let start = world.now;
        world.start(R1);
        world.run_for(secs(60));
        assert_eq!(world.owners(ROUTER), [R1]);
        let took = adverts(R1, 200)[0].saturating_since(start);
        // The delay begins with the first advert heard; a down time follows the last one obeyed.
        assert!(
            took >= secs(20) + skew(200) && took <= secs(24) + skew(200),
            "{took:?}"
        );
    });
}

// Two masters of equal priority meet: the higher address wins (RFC 3768 §6.4.3), and whoever has
// won says so to the segment.
#[test]
fn of_equals_the_higher_address_wins() {
    scenario(|| {
        let mut world = routers(vec![instance(51, 100), instance(51, 100)]);
        world.cut(0, &[Place::Host(R1)], &[Place::Host(R2)], true);
        start_all(&mut world);
        assert_eq!(world.owners(ROUTER), [R1, R2]);
        world.mend(0);
        world.run_for(secs(1) + ms(1));
        assert_eq!(world.owners(ROUTER), [R2]);
        world.settle();
    });
}

fn owner() -> VrrpInstance {
    let mut owner = instance(51, 255);
    owner.initial_state = InitialState::Master;
    owner
}

// Two owners meet after a partition: the lower address yields with the first advert.
#[test]
fn of_two_owners_the_higher_address_stays() {
    scenario(|| {
        let mut world = routers(vec![owner(), owner()]);
        world.cut(0, &[Place::Host(R1)], &[Place::Host(R2)], true);
        start_all(&mut world);
        assert_eq!(world.owners(ROUTER), [R1, R2]);
        world.mend(0);
        world.run_for(secs(1) + ms(1));
        assert_eq!(world.owners(ROUTER), [R2]);
        world.settle();
        assert_eq!(trace::count(&["reducing our priority"]), 0);
    });
}

// Input: the owner with the lower address does not hear the other. Output: that one gives in after
// more than two intervals, and is an owner again when the first one has gone.
#[test]
fn an_owner_gives_in_to_one_that_cannot_hear_it() {
    scenario(|| {
        let mut world = routers(vec![owner(), owner()]);
        world.cut(0, &[Place::Host(R2)], &[Place::Host(R1)], false);
        start_all(&mut world);
        assert_eq!(world.owners(ROUTER), [R1]);
        assert_eq!(trace::count(&[" r2 ", "reducing our priority"]), 1);
        assert_eq!(adverts(R2, 254), []);
        let stop = world.now;
        world.stop(R1);
        world.run_for(secs(4));
        assert_eq!(world.owners(ROUTER), [R2]);
        assert_eq!(trace::count(&[" r2 ", "Restoring our priority to 255"]), 1);
        let again = adverts(R2, 255).into_iter().find(|at| *at > stop);
        assert_after(again.unwrap(), stop, skew(255));
        world.mend(0);
        world.settle();
    });
}

#[test]
fn the_owner_is_master_at_once_and_keeps_its_own_address() {
    scenario(|| {
        let mut owner = owner();
        owner.addresses = vec![vip(setup::host_address(0, 0), 24)];
        let mut backup = instance(51, 100);
        backup.addresses.clone_from(&owner.addresses);
        let mut world = routers(vec![owner, backup]);
        world.start(R2);
        let start = world.now;
        world.start(R1);
        world.settle();
        assert!(adverts(R1, 255)[0].saturating_since(start) <= Duration::from_micros(1));
        assert_eq!(trace::count(&[" r1 kernel"]), 0);
        world.stop(R1);
        assert!(
            world.hosts[R1]
                .kernel
                .has(IpAddr::V4(setup::host_address(0, 0)))
        );
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
    });
}

#[test]
fn a_master_without_a_link_lets_go_and_comes_back() {
    scenario(|| {
        let mut world = pair();
        let cut = world.now;
        world.set_link(R1, "eth0", true, false);
        world.run_for(ms(1));
        assert_eq!(world.owners(ROUTER), Vec::<usize>::new());
        assert_eq!(trace::count(&[" r1 ", "Entering FAULT STATE"]), 1);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
        let took = adverts(R2, 100)[0].saturating_since(cut);
        assert!(took <= secs(3) + skew(100), "{took:?}");
        world.set_link(R1, "eth0", true, true);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
    });
}

#[test]
fn an_interface_that_comes_back_under_another_index_serves_again() {
    scenario(|| {
        let mut world = pair();
        let unplugged = world.unplug(R1, "eth0").unwrap();
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
        world.replug(R1, unplugged);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
    });
}

// The loser has heard the winner first or last, over IPv4 or IPv6, alone or with a group that follows one
// member: what is announced last is where the winner is, and so the client believes.
#[test]
fn after_a_partition_the_winner_announces_last() {
    for (wait, six, grouped) in [
        (ms(20_000), false, false),
        (ms(20_550), false, false),
        (ms(20_000), true, false),
        (ms(20_550), false, true),
    ] {
        scenario(|| {
            let mut world = partitioned(six, grouped);
            let lost = world.now;
            let (client, both) = (Place::Client, [Place::Host(R1), Place::Host(R2)]);
            // The client is on the loser's side.
            world.cut(0, &[both[0]], &[client, both[1]], true);
            world.run_for(wait);
            assert_eq!(world.owners(ROUTER), [R1, R2]);
            world.mend(0);
            let mended = world.now;
            world.run_for(secs(1) + ms(1));
            assert_eq!(world.owners(ROUTER), [R1]);
            world.settle();
            let announced = |host: &str| {
                let frames = trace::times(&[host, if six { "na " } else { "arp " }]);
                frames.last().copied().unwrap()
            };
            assert!(announced(" r1 ") > mended.max(announced(" r2 ")));
            let mac = world.hosts[R1].kernel.link_named("eth0").unwrap().1.mac;
            for (believed, _) in world.segments[0].arp.values() {
                assert_eq!(*believed, mac);
            }
            // Adverts went on all the time, at their period.
            let since = adverts(R1, 200).into_iter().filter(|at| *at > lost);
            let since: Vec<_> = since.collect();
            let gaps = since.windows(2).map(|w| w[1].saturating_since(w[0]));
            assert!(gaps.max().unwrap() <= secs(1));
        });
    }
}

/// A pair in calm, the first one better; with a second virtual router in one group.
fn partitioned(six: bool, grouped: bool) -> World {
    let hosts = [200, 100].map(|priority| {
        let mut instances = vec![instance(51, priority)];
        if six {
            instances[0].family = Family::V6;
            instances[0].version = Version::V3;
            instances[0].options.version = Some(Version::V3);
            instances[0].auth = None;
            instances[0].transport = Transport::Multicast(VRRP_GROUP_V6);
            instances[0].addresses = vec![vip(setup::virtual_address_v6(51, 0), 64)];
        }
        if grouped {
            instances.push(instance(52, priority));
        }
        let mut config = config(instances);
        if grouped {
            config.sync_groups = vec![SyncGroup {
                name: "G".to_owned(),
                members: vec!["VI_51".to_owned(), "VI_52".to_owned()],
                ..SyncGroup::default()
            }];
        }
        config
    });
    let mut world = world(hosts.to_vec());
    start_all(&mut world);
    world.settle();
    world
}

// A master that a stray lesser advert contradicts answers at once and announces its addresses.
#[test]
fn a_master_that_hears_a_lesser_one_insists() {
    scenario(|| {
        let mut world = pair();
        world.cut(0, &[Place::Host(R1)], &[Place::Host(R2)], false);
        world.run_for(secs(10));
        assert_eq!(world.owners(ROUTER), [R1, R2]);
        let heard = *adverts(R2, 100).last().unwrap();
        let arps = trace::times(&[" r1 ", "arp 198.51.51.1"]);
        let answer = arps.iter().find(|at| **at > heard).copied().unwrap();
        assert_after(answer, heard, Duration::ZERO);
        world.mend(0);
        world.settle();
    });
}

#[test]
fn a_master_that_slept_listens_before_it_speaks() {
    for (own, other) in [(200, 100), (100, 100)] {
        scenario(|| {
            let mut world = routers(vec![instance(51, own), instance(51, other)]);
            world.start(R1);
            world.run_for(secs(5));
            world.start(R2);
            world.settle();
            let slept = world.now;
            assert_eq!(world.owners(ROUTER), [R1]);
            world.pause(R1, secs(10));
            world.run_for(secs(10));
            assert_eq!(world.owners(ROUTER), [R2]);
            world.settle();
            let best = if own > other { R1 } else { R2 };
            assert_eq!(world.owners(ROUTER), [best]);
            if best == R2 {
                assert!(adverts(R1, own).iter().all(|at| *at <= slept));
            }
        });
    }
}

// The rival's adverts were lost while the machine was suspended: nothing waits to be read.
#[test]
fn a_master_on_a_machine_that_was_suspended_listens_before_it_speaks() {
    scenario(|| {
        let mut world = routers(vec![instance(51, 100), instance(51, 100)]);
        world.start(R1);
        world.run_for(secs(5));
        world.start(R2);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
        world.suspend(R1, secs(10));
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
        assert_eq!(trace::count(&[" r1 ", "Entering MASTER"]), 1);
    });
}

#[test]
fn a_short_nap_changes_nothing() {
    scenario(|| {
        let mut world = pair();
        world.pause(R1, ms(1500));
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
        assert_eq!(trace::count(&["Entering"]), 3, "two starts and one master");
    });
}

#[test]
fn a_worker_that_dies_leaves_no_second_master() {
    scenario(|| {
        let mut world = pair();
        world.crash_worker(R1, secs(0));
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
        world.crash_worker(R1, secs(10));
        world.run_for(secs(9));
        assert_eq!(world.owners(ROUTER), [R2]);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
    });
}

// The ledger is lost as well: the node finds the addresses of an earlier run.
#[test]
fn leftovers_of_a_killed_daemon_are_taken_away_at_the_next_start() {
    for address_protocol in [false, true] {
        scenario(|| {
            let mut world = pair();
            world.hosts[R1].kernel.traits.address_protocol = address_protocol;
            world.hosts[R1].ledger_lost = true;
            world.kill(R1);
            world.settle();
            assert_eq!(world.owners(ROUTER), [R1, R2]);
            world.start(R1);
            world.run_for(ms(1));
            assert_eq!(world.owners(ROUTER), [R2]);
            world.settle();
            assert_eq!(world.owners(ROUTER), [R1]);
        });
    }
}

#[test]
fn an_address_that_somebody_removes_is_back_within_50_ms() {
    scenario(|| {
        let mut world = pair();
        world.remove_address(R1, vip_of(51));
        assert_eq!(world.owners(ROUTER), Vec::<usize>::new());
        world.run_for(ms(50));
        assert_eq!(world.owners(ROUTER), [R1]);
        assert_eq!(trace::count(&[" r2 ", "Entering MASTER"]), 0);
    });
}

// Input: .101 and .102 in one subnet; somebody removes the first, which takes the second along.
#[test]
fn secondary_addresses_that_went_with_their_primary_come_back() {
    scenario(|| {
        let mut two = instance(51, 200);
        two.addresses = (0..3)
            .map(|n| vip(setup::virtual_address(51, n), 24))
            .collect();
        let mut other = two.clone();
        other.priority = Priority(100);
        let mut world = settled(vec![two.clone(), other]);
        world.remove_address(R1, vip_of(51));
        assert_eq!(world.holding(R1, &two), Holding::Nothing);
        world.settle();
        assert_eq!(world.holding(R1, &two), Holding::All);
        // A reload that drops the first does the same.
        let mut less = two.clone();
        less.addresses.remove(0);
        world.reload(
            R2,
            &config(vec![VrrpInstance {
                priority: Priority(100),
                ..less.clone()
            }]),
        );
        world.reload(R1, &config(vec![less.clone()]));
        world.settle();
        assert_eq!(world.holding(R1, &less), Holding::All);
        assert_eq!(world.owners(ROUTER), [R1]);
        assert_eq!(trace::count(&[" r2 ", "Entering MASTER"]), 0);
    });
}

#[test]
fn a_reload_of_the_priority_moves_the_addresses_without_a_gap_in_adverts() {
    scenario(|| {
        let mut world = pair();
        world.reload(R1, &config(vec![instance(51, 50)]));
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
        world.reload(R1, &config(vec![instance(51, 250)]));
        world.settle();
        assert_eq!(world.owners(ROUTER), [R1]);
        assert_eq!(trace::count(&["advert vrid 51 prio 0"]), 0);
    });
}

#[test]
fn an_instance_that_a_reload_removes_resigns_and_leaves_nothing() {
    scenario(|| {
        let mut both = config(vec![instance(51, 200), instance(52, 200)]);
        let other = config(vec![instance(51, 100), instance(52, 100)]);
        let mut world = world(vec![both.clone(), other]);
        start_all(&mut world);
        both.vrrp_instances.remove(0);
        let reload = world.now;
        world.reload(R1, &both);
        world.settle();
        assert_eq!(adverts(R1, 0), [reload]);
        assert!(!world.hosts[R1].kernel.has(vip_of(51)));
        assert_eq!(world.owners(ROUTER), [R2]);
        assert_eq!(world.owners((0, 52)), [R1]);
        assert_after(adverts(R2, 100)[0], reload, skew(100));
    });
}

#[test]
fn flawed_packets_change_nothing() {
    scenario(|| {
        let mut world = pair();
        let before = trace::count(&["Entering"]);
        for flaw in Flaw::ALL {
            for priority in [0, 254, 255] {
                world.inject(
                    0,
                    &noise::packet(
                        &instance(51, 1),
                        setup::host_address(0, 0).into(),
                        priority,
                        flaw,
                    ),
                );
                world.run_for(ms(300));
            }
        }
        world.settle();
        assert_eq!(trace::count(&["Entering"]), before);
        assert_eq!(world.owners(ROUTER), [R1]);
    });
}

// The check on that test: the same packet without a flaw is obeyed.
#[test]
fn a_sound_packet_of_a_stranger_is_obeyed() {
    scenario(|| {
        let mut world = pair();
        let mut packet = noise::packet(
            &instance(51, 1),
            setup::host_address(0, 0).into(),
            254,
            Flaw::Ttl,
        );
        packet[8] = 255;
        wire::complete_ip_header(&mut packet, None, 1);
        world.set_link(R2, "eth0", true, false);
        world.inject(0, &packet);
        world.run_for(ms(1));
        assert_eq!(world.owners(ROUTER), Vec::<usize>::new());
        world.set_link(R2, "eth0", true, true);
        world.settle();
    });
}

#[test]
fn gratuitous_arps_come_in_two_bursts() {
    scenario(|| {
        let mut careful = instance(51, 200);
        careful.garp = Garp {
            repeat: 3,
            delay: secs(4),
            refresh: secs(10),
            refresh_repeat: 2,
            ..Garp::default()
        };
        let mut world = routers(vec![careful]);
        world.start(R1);
        world.run_for(secs(30));
        let master = adverts(R1, 200)[0];
        let arps: Vec<_> = trace::times(&["arp 198.51.51.1"])
            .iter()
            .map(|at| at.saturating_since(master).as_secs())
            .collect();
        assert_eq!(arps, [0, 0, 0, 4, 4, 4, 10, 10, 20, 20]);
    });
}
