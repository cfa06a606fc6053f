//! Two BFD speakers in the simulator: sessions through loss, partitions, crashes and pauses, and
//! what an instance that tracks them does.
//!
//! Owns: bounds that follow from RFC 5880 §6.8 and the configuration. Never does: look into a
//! session's timers; the machine's own tests do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;

use compat_tests::sim::network::{Place, Weather};
use compat_tests::sim::scenario::{R1, R2, ms, scenario, secs, start_all, world};
use compat_tests::sim::setup::{config, host_address, instance};
use compat_tests::sim::trace;
use compat_tests::sim::world::World;
use keepalived_rs::conf::model::options::Tracked;
use keepalived_rs::conf::model::{BfdAudience, BfdInstance, Config};
use keepalived_rs::wire::bfd::State;

/// A session of `host` with the other one: 50 ms each way, five packets may be lost.
fn session(host: u8) -> BfdInstance {
    let address = |host| IpAddr::V4(host_address(0, host));
    BfdInstance {
        name: "peer".into(),
        source: Some(address(host)),
        neighbor: address(1 - host),
        min_rx: ms(50),
        min_tx: ms(50),
        idle_tx: ms(1000),
        multiplier: 5,
        passive: false,
        ttl: 255,
        max_hops: Some(0),
        multihop: false,
        weight: 0,
        reverse: false,
        audience: BfdAudience::Both,
    }
}

/// A host whose instance is a fault without the session.
fn speaker(host: u8) -> Config {
    let mut router = instance(51, 200 - host);
    router.options.tracking.bfd.push(Tracked {
        name: "peer".into(),
        weight: None,
    });
    Config {
        bfd_instances: vec![session(host)],
        ..config(vec![router])
    }
}

fn speakers() -> World {
    let mut world = world(vec![speaker(0), speaker(1)]);
    start_all(&mut world);
    assert_eq!(states(&world), [State::Up, State::Up]);
    world
}

fn state(world: &World, host: usize) -> State {
    let node = &world.hosts[host].process.as_ref().unwrap().node;
    let key = node.config().bfd_instances[0].key();
    node.snapshot().session(&key).unwrap().state
}

fn states(world: &World) -> [State; 2] {
    [R1, R2].map(|host| state(world, host))
}

fn told(what: &str) -> usize {
    trace::count(&[&format!("Tracked BFD instance peer is {what}")])
}

// Input: a start. Output: both up within a second and a bit, the instances take part.
#[test]
fn sessions_come_up_and_let_instances_take_part() {
    scenario(|| {
        let mut world = world(vec![speaker(0), speaker(1)]);
        world.start(R1);
        world.start(R2);
        world.run_for(ms(1200));
        assert_eq!(states(&world), [State::Up, State::Up]);
        assert_eq!(told("UP"), 2);
        world.settle();
        assert_eq!(world.owners((0, 51)), [R1]);
    });
}

// Input: the neighbour crashes. Output: FAULT after the detection time of 5 × 50 ms, no sooner than
// that less an interval and no later; back when it is back.
#[test]
fn a_crashed_neighbour_is_noticed_within_the_detection_time() {
    scenario(|| {
        let mut world = speakers();
        world.kill(R2);
        world.run_for(ms(200));
        assert_eq!(state(&world, R1), State::Up);
        world.run_for(ms(51));
        assert_eq!(state(&world, R1), State::Down);
        assert_eq!(told("DOWN"), 1);
        assert!(world.owners((0, 51)).is_empty());
        world.start(R2);
        world.settle();
        assert_eq!(states(&world), [State::Up, State::Up]);
        assert_eq!(world.owners((0, 51)), [R1]);
    });
}

// Input: a cut, of both ways or of one, for ten seconds. Output: both ends down within the
// detection time and one packet; up again after it is mended.
#[test]
fn a_partition_takes_both_ends_down() {
    for both in [true, false] {
        scenario(move || {
            let mut world = speakers();
            world.cut(0, &[Place::Host(R1)], &[Place::Host(R2)], both);
            world.run_for(ms(310));
            assert!(!states(&world).contains(&State::Up), "both ways: {both}");
            world.run_for(secs(10));
            assert!(!states(&world).contains(&State::Up));
            assert_eq!(told("DOWN"), 2);
            world.mend(0);
            world.run_for(ms(2500));
            assert_eq!(states(&world), [State::Up, State::Up]);
        });
    }
}

// Input: a fifth of all packets lost, others twice, damaged, out of order, for a minute. Output:
// whatever happens, both ends agree three seconds after it has ended.
#[test]
fn bad_weather_passes() {
    scenario(|| {
        let mut world = speakers();
        let weather = Weather {
            loss: 200,
            duplication: 100,
            damage: 20,
            jitter: ms(20),
        };
        world.set_weather(0, weather);
        world.run_for(secs(60));
        world.set_weather(0, Weather::default());
        world.run_for(secs(3));
        assert_eq!(states(&world), [State::Up, State::Up]);
        assert_eq!(told("UP"), told("DOWN") + 2);
    });
}

// Input: one packet in ten lost, for ten minutes. Output: five in a row are rare: with this seed the
// session stays.
#[test]
fn single_losses_do_no_harm() {
    scenario(|| {
        let mut world = speakers();
        let weather = Weather {
            loss: 30,
            ..Weather::default()
        };
        world.set_weather(0, weather);
        world.run_for(secs(600));
        assert_eq!(states(&world), [State::Up, State::Up]);
        assert_eq!(told("DOWN"), 0);
    });
}

// Input: the neighbour ends in order. Output: no word of it, as from keepalived, so whoever tracks
// the session hears of it by the detection time.
#[test]
fn an_orderly_stop_is_a_loss_too() {
    scenario(|| {
        let mut world = speakers();
        world.stop(R2);
        world.run_for(ms(260));
        assert_eq!(state(&world, R1), State::Down);
        assert_eq!(told("DOWN"), 1);
    });
}

// Input: a reload with another pace while up, then one that drops the session. Output: it stays up
// through the first; the instance is on its own after the second.
#[test]
fn a_reload_keeps_the_session() {
    scenario(|| {
        let mut world = speakers();
        let mut slower = speaker(0);
        slower.bfd_instances[0].min_tx = ms(200);
        slower.bfd_instances[0].min_rx = ms(300);
        slower.bfd_instances[0].name = "peer".into();
        world.reload(R1, &slower);
        world.run_for(secs(20));
        assert_eq!(states(&world), [State::Up, State::Up]);
        assert_eq!(told("DOWN"), 0);
        world.reload(R1, &config(vec![instance(51, 200)]));
        world.run_for(secs(10));
        assert_eq!(state(&world, R2), State::Down);
        assert_eq!(world.owners((0, 51)), [R1]);
    });
}
