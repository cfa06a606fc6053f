//! The laws of a reload: where one comes from leaves no trace.
//!
//! Owns: start(b) = start(a) + reload(b), and a -> b -> a = a, of the kernel's state. Never does:
//! look at the way there; a changed service may blink. Driven by: `tests/simulate.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keepalived_rs::base::Rng;
use keepalived_rs::conf::model::Config;
use keepalived_rs::ops::{AddressSpec, DestinationSpec, ServiceSpec};

use super::edit;
use super::random::{Failure, build, guarded};
use super::world::{Server, World};

type Table = Vec<(ServiceSpec, BTreeMap<SocketAddr, DestinationSpec>)>;

/// Kernel state, in an order that does not depend on its history.
#[derive(Debug, PartialEq, Eq)]
struct Image {
    addresses: Vec<(String, AddressSpec)>,
    services: Table,
}

fn image(world: &World) -> Image {
    let kernel = &world.hosts[0].kernel;
    let addresses = kernel.addresses().iter();
    let mut addresses: Vec<_> = addresses
        .map(|a| (format!("{:?}", a.spec), a.spec.clone()))
        .collect();
    addresses.sort_by(|a, b| a.0.cmp(&b.0));
    let services = kernel.ipvs.services().values();
    Image {
        addresses,
        services: services
            .map(|s| (s.spec.clone(), s.destinations.clone()))
            .collect(),
    }
}

/// A lone router with `config`, whose servers answer or do not, by address.
fn world(seed: u64, configs: [&Config; 2]) -> World {
    let mut world = build(seed);
    world.hosts.truncate(1);
    world.hosts[0].config = super::text::through(configs[0]);
    for config in configs {
        for server in config.virtual_servers.iter().flat_map(|s| &s.real_servers) {
            for check in &server.tcp_checks {
                let last = server.key.address.to_string();
                let up = !last.ends_with('2');
                let state = if up { Server::Up } else { Server::Refusing };
                world.servers.insert(check.target, state);
            }
        }
    }
    world.start(0);
    world.settle();
    world
}

/// Checks both laws for the two configurations of `seed`.
///
/// # Errors
/// Where the kernel ended up differently.
pub fn run(seed: u64) -> Result<(), Failure> {
    let laws = || {
        let a = build(seed).hosts.swap_remove(0).config;
        let mut b = a.clone();
        let mut rng = Rng::new(seed);
        for _ in 0..2 {
            edit::config(&mut b, &a, &mut rng);
        }
        let from_a = image(&world(seed, [&a, &b]));
        let from_b = image(&world(seed, [&b, &a]));
        let mut reloaded = world(seed, [&a, &b]);
        reloaded.reload(0, &b);
        reloaded.settle();
        assert_eq!(
            image(&reloaded),
            from_b,
            "start(a) + reload(b) is not start(b)"
        );
        reloaded.reload(0, &a);
        reloaded.settle();
        assert_eq!(image(&reloaded), from_a, "a -> b -> a is not a");
        reloaded.stop(0);
    };
    match guarded(seed, false, laws) {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.of_test("where_a_reload_comes_from_leaves_no_trace")),
    }
}
