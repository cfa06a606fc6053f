//! Directed scenarios of real servers and IPVS in the simulator, and whole lives on record.
//!
//! Owns: when a server leaves and enters the table, what a reload, a stop and a crash do to
//! services, and the recorded traces. Never does: choose at random; `simulate` does. The shadow's
//! invariants are checked in each of them as well.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use compat_tests::sim::kernel::Traits;
use compat_tests::sim::network::Place;
use compat_tests::sim::scenario::{
    R1, R2, ROUTER, assert_golden, ms, pair, scenario, secs, start_all, traced, world,
};
use compat_tests::sim::setup::{config, host, instance, real_server, service};
use compat_tests::sim::trace;
use compat_tests::sim::world::{HostSetup, Server, World};
use keepalived_rs::conf::model::Config;
use keepalived_rs::ops::ServiceName;

const VIRTUAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const SERVICE: ServiceName = ServiceName::Address {
    address: IpAddr::V4(VIRTUAL),
    port: 3306,
    protocol: 6,
};

fn server(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

fn socket(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(server(number)), 3306)
}

fn service_config(priority: u8) -> Config {
    let mut service = service(VIRTUAL, 3306);
    service.real_servers = vec![
        real_server(server(1), 3306).into(),
        real_server(server(2), 3306).into(),
    ];
    Config {
        virtual_servers: vec![service.into()],
        ..config(vec![instance(51, priority)])
    }
}

/// The pair with a service of two servers on both.
fn with_service() -> World {
    let mut world = world(vec![service_config(200), service_config(100)]);
    world.servers.insert(socket(1), Server::Up);
    world.servers.insert(socket(2), Server::Up);
    start_all(&mut world);
    world
}

fn destinations(world: &World, host: usize) -> Vec<SocketAddr> {
    let table = world.hosts[host].kernel.ipvs.services();
    table[&SERVICE].destinations.keys().copied().collect()
}

#[test]
fn both_directors_have_the_whole_table() {
    scenario(|| {
        let world = with_service();
        for host in [R1, R2] {
            assert_eq!(destinations(&world, host), [socket(1), socket(2)]);
        }
    });
}

// delay_loop 6, connect_timeout 3, retry 3, delay_before_retry 3. A refused connection is known at
// once: 3 retries 3 s apart. A silent server costs the timeout in addition, each time.
#[test]
fn a_broken_server_is_out_when_its_retries_are_used_up_and_in_at_the_next_success() {
    for (how, least, most) in [(Server::Refusing, 9, 15), (Server::Silent, 21, 27)] {
        scenario(|| {
            let mut world = with_service();
            let broken = world.now;
            world.set_server(socket(2), how);
            world.settle();
            let removed = trace::times(&[" r1 kernel DestDel"]);
            assert_eq!(removed.len(), 1);
            let took = removed[0].saturating_since(broken);
            assert!(
                took >= secs(least) && took <= secs(most) + ms(1),
                "{took:?}"
            );
            assert_eq!(destinations(&world, R1), [socket(1)]);
            let repaired = world.now;
            world.set_server(socket(2), Server::Up);
            world.settle();
            let added = trace::times(&[" r1 kernel DestAdd"]);
            let took = added.last().unwrap().saturating_since(repaired);
            assert!(took <= secs(6) + ms(1), "{took:?}");
            assert_eq!(destinations(&world, R1), [socket(1), socket(2)]);
        });
    }
}

#[test]
fn a_server_that_stumbles_once_stays() {
    scenario(|| {
        let mut world = with_service();
        world.set_server(socket(2), Server::Refusing);
        world.run_for(secs(7));
        world.set_server(socket(2), Server::Up);
        world.settle();
        assert_eq!(trace::count(&["kernel DestDel"]), 0);
    });
}

#[test]
fn a_reload_without_a_change_does_nothing() {
    scenario(|| {
        let mut world = with_service();
        for host in [R1, R2] {
            let config = world.hosts[host].config.clone();
            // The world itself asserts that there is not one effect.
            world.reload(host, &config);
        }
        world.settle();
    });
}

#[test]
fn a_reloaded_weight_is_edited_in_place() {
    scenario(|| {
        let mut world = with_service();
        let born = world.hosts[R1].kernel.ipvs.services()[&SERVICE].born;
        let mut config = service_config(200);
        config.virtual_servers[0].real_servers[1].weight = 7;
        world.reload(R1, &config);
        assert_eq!(trace::count(&[" r1 kernel DestSet", "weight: 7"]), 1);
        world.settle();
        assert_eq!(
            trace::count(&["DestDel"]) + trace::count(&["ServiceDel"]),
            0
        );
        assert_eq!(trace::count(&["ServiceSet"]), 0);
        let service = &world.hosts[R1].kernel.ipvs.services()[&SERVICE];
        assert_eq!(
            (service.born, service.destinations[&socket(2)].weight),
            (born, 7)
        );
    });
}

#[test]
fn a_stop_takes_priority_then_addresses_then_services() {
    scenario(|| {
        let mut world = with_service();
        world.stop(R1);
        let summary: Vec<_> = [
            "advert vrid 51 prio 0",
            "kernel - 198.51.51.1",
            "ServiceDel",
            "exit 0",
        ]
        .iter()
        .map(|part| trace::count(&[" r1 ", part]))
        .collect();
        assert_eq!(summary, [1, 1, 1, 1]);
        // A service takes its destinations along: one message for each service is enough.
        assert_eq!(trace::count(&["DestDel"]), 0);
    });
}

#[test]
fn services_of_a_killed_daemon_are_adopted() {
    scenario(|| {
        let mut world = with_service();
        world.hosts[R1].ledger_lost = true;
        let born = world.hosts[R1].kernel.ipvs.services()[&SERVICE].born;
        world.kill(R1);
        world.set_server(socket(2), Server::Refusing);
        world.start(R1);
        world.settle();
        assert_eq!(destinations(&world, R1), [socket(1)]);
        // Open connections through the director have survived.
        assert_eq!(world.hosts[R1].kernel.ipvs.services()[&SERVICE].born, born);
    });
}

#[test]
fn without_ipvs_in_the_kernel_vrrp_runs_on() {
    scenario(|| {
        let mut world = World::new(7, 1);
        for (number, priority) in [(0, 200), (1, 100)] {
            world.add_host(HostSetup {
                traits: Traits {
                    ipvs: false,
                    ..Traits::default()
                },
                ..host(number, 1, service_config(priority))
            });
        }
        start_all(&mut world);
        world.run_for(secs(120));
        assert_eq!(world.owners(ROUTER), [R1]);
        assert_eq!(trace::count(&[" r1 error"]), 1, "one clear error");
        world.stop(R1);
        world.settle();
        assert_eq!(world.owners(ROUTER), [R2]);
    });
}

// The life of the document's two directors, from the first start to the last stop.
#[test]
fn the_life_of_two_directors_is_as_recorded() {
    let trace = traced(|| {
        let mut world = world(vec![service_config(100), service_config(99)]);
        world.servers.insert(socket(1), Server::Up);
        world.servers.insert(socket(2), Server::Up);
        world.start(R1);
        world.start(R2);
        world.run_for(secs(12));
        world.stop(R1);
        world.run_for(secs(4));
        world.start(R1);
        world.run_for(secs(6));
        world.stop(R1);
        world.stop(R2);
    });
    assert_golden("two-directors", &trace);
}

// A partition and its end, with a lossless wire: who says what, in order.
#[test]
fn a_partition_and_its_end_are_as_recorded() {
    let trace = traced(|| {
        let mut world = pair();
        world.cut(0, &[Place::Host(R1)], &[Place::Host(R2)], true);
        world.run_for(secs(6));
        world.mend(0);
        world.run_for(secs(3));
    });
    assert_golden("partition", &trace);
}
