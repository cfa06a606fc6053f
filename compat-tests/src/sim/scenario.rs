//! What directed scenarios have in common.
//!
//! Owns: the usual pair of routers, questions to the trace, and recorded traces. Never does: assert
//! a behaviour of its own. Driven by: `tests/sim_*.rs`.

use std::net::IpAddr;

use keepalived_rs::base::{Duration, Instant};
use keepalived_rs::conf::model::{Config, VrrpInstance};

use super::random::guarded;
use super::setup::{self, config, host, instance};
use super::trace;
use super::world::World;

/// The virtual router of the scenarios.
pub const ROUTER: (usize, u8) = (0, 51);
/// The first host.
pub const R1: usize = 0;
/// The second host.
pub const R2: usize = 1;

/// Milliseconds.
#[must_use]
pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Seconds.
#[must_use]
pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// (256 - priority) / 256 s.
pub fn skew(priority: u64) -> Duration {
    Duration::from_micros((256 - priority) * 1_000_000 / 256)
}

/// Runs a scenario; a failure shows its trace.
pub fn scenario(run: impl FnOnce()) {
    if let Err(failure) = guarded(0, true, run) {
        panic!("{failure}");
    }
}

/// Hosts r1, r2… on one segment with these configurations; none runs.
#[must_use]
pub fn world(configs: Vec<Config>) -> World {
    let mut world = World::new(7, 1);
    for (number, config) in (0..).zip(configs) {
        world.add_host(host(number, 1, config));
    }
    world
}

/// Hosts r1, r2… on one segment with one instance each; none runs.
#[must_use]
pub fn routers(instances: Vec<VrrpInstance>) -> World {
    world(instances.into_iter().map(|i| config(vec![i])).collect())
}

/// Two routers of priority 200 and 100 that run and have settled: the first is master.
pub fn pair() -> World {
    settled(vec![instance(51, 200), instance(51, 100)])
}

/// Hosts that run and have settled: the first is master.
#[must_use]
pub fn settled(instances: Vec<VrrpInstance>) -> World {
    let mut world = routers(instances);
    start_all(&mut world);
    assert_eq!(world.owners(ROUTER), [R1]);
    world
}

/// Starts every host, and waits.
pub fn start_all(world: &mut World) {
    for host in 0..world.hosts.len() {
        world.start(host);
    }
    world.settle();
}

/// When `host` (from 0) sent adverts of VRID 51 with `priority`.
pub fn adverts(host: usize, priority: u8) -> Vec<Instant> {
    let name = format!(" r{} ", host + 1);
    let advert = format!("advert vrid 51 prio {priority}");
    let mut times = trace::times(&[&name, &advert]);
    // "prio 1" is also in "prio 100".
    let longer: Vec<_> = (0..=9)
        .flat_map(|digit| trace::times(&[&name, &format!("{advert}{digit}")]))
        .collect();
    times.retain(|at| !longer.contains(at));
    times
}

/// Asserts that something happened `after` a frame that was sent at `sent` and had to travel.
pub fn assert_after(happened: Instant, sent: Instant, after: Duration) {
    let earliest = sent + after + Duration::from_micros(60);
    let latest = sent + after + Duration::from_micros(100);
    assert!(
        (earliest..=latest).contains(&happened),
        "{happened:?} is not {after:?} after {sent:?} and its way"
    );
}

/// The first address of a virtual router.
pub fn vip_of(vrid: u8) -> IpAddr {
    IpAddr::V4(setup::virtual_address(vrid, 0))
}

/// Events and effects of a trace, with the transitions of the log but not its other texts, which
/// are tested where they are written; compared with a file in `cases/sim`. `UPDATE=1` writes it.
pub fn assert_golden(name: &str, trace: &[String]) {
    let log = |line: &String| {
        [" debug: ", " info: ", " warn: "]
            .iter()
            .any(|l| line.contains(l))
    };
    let trace = trace
        .iter()
        .filter(|line| !log(line) || line.contains("Entering"));
    let path = format!("{}/cases/sim/{name}.trace", env!("CARGO_MANIFEST_DIR"));
    let mut text: String = trace.map(|line| format!("{line}\n")).collect();
    text = text.replace("IfIndex(2)", "eth0");
    if std::env::var_os("UPDATE").is_some() {
        let written = std::fs::write(&path, &text);
        assert!(written.is_ok(), "{path}: {written:?}");
    }
    let wanted = match std::fs::read_to_string(&path) {
        Ok(wanted) => wanted,
        Err(error) => panic!("{path}: {error}; UPDATE=1 writes it"),
    };
    let differs = wanted.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert_eq!(differs, None, "{path}: wanted, got; UPDATE=1 accepts");
    assert_eq!(wanted.lines().count(), text.lines().count(), "{path}");
}

/// Runs a scenario; returns its trace.
pub fn traced(run: impl FnOnce()) -> Vec<String> {
    match guarded(0, true, run) {
        Ok(((), summary)) => summary.all,
        Err(failure) => panic!("{failure}"),
    }
}
