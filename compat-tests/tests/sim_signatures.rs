//! Directed scenarios of signatures (`auth_hmac`) in the simulator.
//!
//! Owns: what becomes of a pair whose keys, clocks or modes differ, of repeated adverts, and of a
//! change of keys and modes under way. Never does: look at bytes (`wire::signature` does).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use compat_tests::sim::network::Weather;
use compat_tests::sim::scenario::{R1, R2, ROUTER, adverts, routers, scenario, secs, settled};
use compat_tests::sim::setup::{config, instance, signing};
use compat_tests::sim::trace;
use compat_tests::sim::world::World;
use keepalived_rs::conf::model::VrrpInstance;
use keepalived_rs::conf::model::signing::{Signing, SigningMode};

fn unsigned(priority: u8) -> VrrpInstance {
    let mut instance = instance(51, priority);
    instance.auth = None;
    instance
}

fn signed(priority: u8, signing: Signing) -> VrrpInstance {
    let mut instance = unsigned(priority);
    instance.options.signing = Some(Box::new(signing));
    instance
}

/// Two routers with one key; the first is master.
fn pair() -> World {
    settled(vec![signed(200, signing(&[1])), signed(100, signing(&[1]))])
}

fn owners(world: &World) -> Vec<usize> {
    world.owners(ROUTER)
}

#[test]
fn routers_with_one_key_elect_fail_over_and_return() {
    scenario(|| {
        let mut world = pair();
        assert_eq!(owners(&world), [R1]);
        world.stop(R1);
        world.settle();
        assert_eq!(owners(&world), [R2]);
        world.start(R1);
        world.settle();
        assert_eq!(owners(&world), [R1]);
        assert_eq!(trace::count(&["authentication"]), 0);
    });
}

/// Two routers that do not accept each other: for once two masters are right. Each of them says
/// why, once in each state.
fn at_odds(one: VrrpInstance, other: VrrpInstance, lines: [&str; 2]) {
    scenario(|| {
        let mut world = routers(vec![one, other]);
        world.start(R1);
        world.start(R2);
        world.run_for(secs(4) + secs(1));
        assert_eq!(owners(&world), [R1, R2]);
        for (host, line) in [" r1 ", " r2 "].into_iter().zip(lines) {
            // Once as a backup, once more as a master.
            let count = trace::count(&[host, line]);
            assert!((1..=2).contains(&count), "{line}: {count}");
        }
    });
}

#[test]
fn another_key_or_none_is_refused_and_said() {
    let mut other = signing(&[1]);
    other.keys[0].secret = vec![b'z'; 32];
    let ours = || signed(200, signing(&[1]));
    let wrong = "invalid authentication HMAC from";
    at_odds(ours(), signed(100, other), [wrong; 2]);
    let unknown = "unknown authentication key id";
    at_odds(ours(), signed(100, signing(&[2])), [unknown; 2]);
    let missing = "missing authentication trailer from";
    at_odds(ours(), unsigned(100), [missing, "too long"]);
}

// Input: a clock that is off by 3 s of 5, by an hour, and right again. Output: a warning; refused;
// heard again at once, without a restart.
#[test]
fn clocks_that_differ_are_told_and_forgiven() {
    scenario(|| {
        let mut world = pair();
        world.hosts[R1].clock_ahead = 3_000_000;
        world.run_for(secs(3));
        assert_eq!(owners(&world), [R1]);
        assert_eq!(trace::count(&[" r2 ", "approaching window 5 sec"]), 1);
        world.disturb();
        world.hosts[R1].clock_ahead = 3_600_000_000;
        world.run_for(secs(5));
        assert_eq!(owners(&world), [R1, R2]);
        let line = "clock skew 3600 sec exceeds window 5 sec";
        assert!(trace::count(&[" r2 ", line]) > 0);
        world.disturb();
        world.hosts[R1].clock_ahead = 0;
        world.settle();
        assert_eq!(owners(&world), [R1]);
    });
}

// Input: every frame comes twice. Output: the second one is a repetition; nothing follows from it.
#[test]
fn a_repeated_advert_changes_nothing() {
    scenario(|| {
        let mut world = pair();
        let weather = Weather {
            duplication: 1000,
            ..Weather::default()
        };
        world.set_weather(0, weather);
        world.run_for(secs(20));
        assert_eq!(owners(&world), [R1]);
        assert_eq!(
            trace::count(&[" r2 ", "replayed authentication trailer"]),
            1
        );
        assert_eq!(adverts(R2, 100), []);
        world.set_weather(0, Weather::default());
    });
}

// Input: a pair without signatures that is changed over one router at a time: receive-only,
// permissive, enforce; then a second key, which signs, and the first one goes. Output: the
// backup never takes over.
#[test]
fn keys_and_modes_change_without_a_failover() {
    scenario(|| {
        let mut world = settled(vec![unsigned(200), unsigned(100)]);
        let staged = |mode, keys: &[u8], active| Signing {
            mode,
            active,
            ..signing(keys)
        };
        for stage in [
            staged(SigningMode::ReceiveOnly, &[1], 1),
            staged(SigningMode::Permissive, &[1], 1),
            staged(SigningMode::Enforce, &[1], 1),
            staged(SigningMode::Enforce, &[1, 2], 1),
            staged(SigningMode::Enforce, &[1, 2], 2),
            staged(SigningMode::Enforce, &[2], 2),
        ] {
            for (host, priority) in [(R1, 200), (R2, 100)] {
                let wanted = config(vec![signed(priority, stage.clone())]);
                world.reload(host, &wanted);
                world.run_for(secs(5));
                assert_eq!(owners(&world), [R1], "{stage:?}");
            }
        }
        assert_eq!(adverts(R2, 100), []);
        assert_eq!(trace::count(&["authentication"]), 0);
    });
}
