//! Simulation: many routers, every fault, one seed; and directed scenarios.
//!
//! Owns: which seeds run, and scenarios whose outcome is known to the microsecond. Never does:
//! need anything of the machine. `SIM_SEED=n` runs one seed (`SIM_TRACE=1` prints its trace),
//! `SIM_SEEDS=n` that many, from `SIM_FIRST` on. Millions, with every check of the code switched on:
//!
//! ```sh
//! SIM_SEEDS=1000000 cargo test --profile simulation -p compat-tests --test simulate seeds -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::thread;

use compat_tests::sim::network::Place;
use compat_tests::sim::world::World;
use compat_tests::sim::{converge, noise, random, setup, wire};
use keepalived_rs::base::{Duration, Instant};
use keepalived_rs::conf::model::Config;
use keepalived_rs::ops::AddressSpec;

/// Seeds of the ordinary run.
const SEEDS: u64 = 256;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// `SIM_SEEDS` seeds, or these many, from `SIM_FIRST` on.
fn from_first(count: u64) -> RangeInclusive<u64> {
    let first = number("SIM_FIRST").unwrap_or(1);
    first..=first + number("SIM_SEEDS").unwrap_or(count).saturating_sub(1)
}

/// Runs `seeds`, as many at a time as the machine has processors; returns the failures in the order
/// of their seeds, and how often the invariants were looked at. A run knows nothing of others: what
/// it keeps outside of its world it keeps by thread.
fn run(seeds: impl Iterator<Item = u64> + Send) -> (Vec<random::Failure>, u64) {
    let seeds = Mutex::new(seeds);
    let next = || {
        let seed = seeds.lock().unwrap().next()?;
        if seed.is_multiple_of(10_000) {
            println!("seed {seed}");
        }
        Some(seed)
    };
    let some = || {
        let (mut failures, mut checks) = (Vec::new(), 0);
        while let Some(seed) = next() {
            match random::run(seed) {
                Ok(report) => checks += report.calm_checks,
                Err(failure) => failures.push((seed, failure)),
            }
        }
        (failures, checks)
    };
    let count = thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(some)).collect();
        let ends = threads.into_iter().map(|thread| thread.join().unwrap());
        ends.collect()
    });
    let checks = parts.iter().map(|(_, checks)| checks).sum();
    let mut failures: Vec<_> = parts
        .into_iter()
        .flat_map(|(failures, _)| failures)
        .collect();
    failures.sort_by_key(|(seed, _)| *seed);
    let failures = failures.into_iter().map(|(_, failure)| failure);
    (failures.collect(), checks)
}

#[test]
fn seeds_keep_every_invariant() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..=seed,
        None => from_first(SEEDS),
    };
    let count = seeds.clone().count();
    let (failures, checks) = run(seeds);
    println!(
        "{count} seeds, {} failures, {checks} checks in calm",
        failures.len()
    );
    for failure in &failures {
        println!("{}", failure.headline());
    }
    for failure in failures.iter().take(2) {
        println!("\n{failure}");
    }
    assert!(failures.is_empty(), "{} of {count} seeds", failures.len());
    // Invariants that are never looked at hold.
    assert!(checks > 50 * u64::try_from(count).unwrap());
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [1, 2, 3] {
        let first = random::run(seed);
        let second = random::run(seed);
        match (first, second) {
            (Ok(first), Ok(second)) => assert_eq!(first, second),
            (first, second) => assert_eq!(
                first.unwrap_err().to_string(),
                second.unwrap_err().to_string()
            ),
        }
    }
}

#[test]
fn where_a_reload_comes_from_leaves_no_trace() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..=seed,
        None => from_first(64),
    };
    let failures: Vec<_> = seeds.filter_map(|seed| converge::run(seed).err()).collect();
    for failure in failures.iter().take(2) {
        println!("{failure}\n");
    }
    let seeds: Vec<_> = failures.iter().map(random::Failure::headline).collect();
    assert!(seeds.is_empty(), "{seeds:#?}");
}

/// What the shadow says when `sabotage` is done behind its back to a calm pair of routers with a
/// service; the first is master.
fn after(sabotage: impl FnOnce(&mut World)) -> String {
    let run = || {
        let mut world = World::new(1, 1);
        for (number, priority) in [(0, 200), (1, 100)] {
            let mut service = setup::service(Ipv4Addr::new(203, 0, 113, 1), 80);
            let server = setup::real_server(Ipv4Addr::new(10, 0, 0, 1), 80);
            service.real_servers.push(server.into());
            for server in &mut service.real_servers {
                server.tcp_checks.clear();
            }
            let config = Config {
                virtual_servers: vec![service.into()],
                ..setup::config(vec![setup::instance(51, priority)])
            };
            world.add_host(setup::host(number, 1, config));
        }
        world.start(0);
        world.start(1);
        world.settle();
        sabotage(&mut world);
        world.settle();
    };
    match random::guarded(0, false, run) {
        Ok(_) => "nothing".to_owned(),
        Err(failure) => failure.headline(),
    }
}

/// The first host's virtual address.
fn virtual_address(world: &World) -> AddressSpec {
    let addresses = world.hosts[0].kernel.addresses();
    let ours = addresses.iter().find(|address| address.protocol != 0);
    ours.expect("it is master").spec.clone()
}

// Invariants that cannot fail prove nothing.
#[test]
fn the_shadow_sees_what_is_wrong() {
    let (r1, r2) = (Place::Host(0), Place::Host(1));
    assert_eq!(after(|_| {}), "nothing");
    let said = after(|world| world.segments[0].cut(r1, r2));
    assert!(said.contains("two masters"), "{said}");
    let said = after(|world| {
        let vip = virtual_address(world);
        world.hosts[1].kernel.add_address(&vip, 0).unwrap();
    });
    assert!(said.contains("two masters"), "{said}");
    let said = after(|world| {
        let vip = virtual_address(world);
        world.hosts[0].kernel.remove_address(&vip).unwrap();
        drop(world.hosts[0].kernel.take_news());
    });
    assert!(said.contains("nobody has the addresses"), "{said}");
    let said = after(|world| world.hosts[0].process = None);
    assert!(said.contains("cannot be master"), "{said}");
    let said = after(|world| {
        let service = *world.hosts[1].kernel.ipvs.services().keys().next().unwrap();
        world.hosts[1].kernel.ipvs.remove(service);
    });
    assert!(said.contains("is not in IPVS"), "{said}");
    let said = after(|world| {
        // The master hears a lesser one, and answers; but what the client heard was older.
        world.inject(0, &lesser());
        world.run_for(Duration::from_millis(1));
        let mac = world.hosts[1].kernel.link_named("eth0").unwrap().1.mac;
        for belief in world.segments[0].arp.values_mut() {
            *belief = (mac, Instant::ZERO);
        }
    });
    assert!(said.contains("the client believes"), "{said}");
    let said = after(|world| world.hosts[0].paused = true);
    assert!(said.contains("cannot be master"), "{said}");
}

/// An advert of a router with priority 1, without a flaw.
fn lesser() -> Vec<u8> {
    let mut packet = noise::packet(
        &setup::instance(51, 1),
        setup::host_address(0, 0).into(),
        1,
        noise::Flaw::Ttl,
    );
    packet[8] = 255;
    wire::complete_ip_header(&mut packet, None, 1);
    packet
}
