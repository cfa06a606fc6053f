//! What holds for any configurations, answers and reloads.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::conf::model::plan::diff;

/// A domain, and what its wishes add up to.
struct World {
    bench: Bench,
    wanted: BTreeMap<ServiceName, WantedService>,
    probes: Vec<(ProbeId, SocketAddr)>,
}

impl World {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            wanted: BTreeMap::new(),
            probes: Vec::new(),
        }
    }

    fn reload(&mut self, old: &[Shared<VirtualServer>], new: &[Shared<VirtualServer>]) -> usize {
        let bench = &mut self.bench;
        bench
            .domain
            .apply(bench.now, diff(old, new), &mut bench.out);
        let actions = std::mem::take(&mut bench.out);
        self.take(actions)
    }

    /// Takes the actions as IPVS and the host do; gives their number.
    fn take(&mut self, actions: Vec<Action>) -> usize {
        let told = |action: &&Action| !matches!(action, Action::Notice(_));
        let number = actions.iter().filter(told).count();
        for action in actions {
            match action {
                Action::Probe(id, ProbeCmd::Connect(spec)) => self.probes.push((id, spec.to)),
                Action::Probe(id, ProbeCmd::Close) => self.probes.retain(|(open, _)| *open != id),
                // A bare connection says nothing.
                Action::Probe(
                    _,
                    ProbeCmd::Write(_)
                    | ProbeCmd::Dial(_)
                    | ProbeCmd::WriteFact(_)
                    | ProbeCmd::Search(_),
                )
                | Action::Spawn(..)
                | Action::Kill(..)
                | Action::Mark(..) => {
                    panic!("TCP_CHECK only connects")
                }
                Action::Want(wanted) => {
                    self.wanted.insert(wanted.spec.name, wanted);
                }
                Action::Notice(_) => {}
                Action::Unwant(name) => {
                    assert!(self.wanted.remove(&name).is_some(), "{name} was not wanted");
                }
                Action::WantDestination(key, address, wanted) => {
                    let service = self.wanted.get_mut(&key).unwrap();
                    let before = service.destinations.len();
                    service.destinations.retain(|d| d.address != address);
                    let was_there = service.destinations.len() < before;
                    assert_ne!(was_there, wanted.is_some(), "{address} changes nothing");
                    service.destinations.extend(wanted);
                }
            }
        }
        number
    }

    /// Lets `steps` timers fire; every attempt is answered as `up` says, or not at all.
    fn run(&mut self, steps: usize, up: impl Fn(SocketAddr) -> Option<bool>) {
        for _ in 0..steps {
            if self.bench.domain.next_deadline().is_none() {
                return;
            }
            let actions = self.bench.tick();
            self.take(actions);
            for (id, to) in self.probes.clone() {
                let what = match up(to) {
                    None => continue,
                    Some(true) => ProbeIo::Connected,
                    Some(false) => ProbeIo::Failed(ProbeFailure::Remote(111)),
                };
                self.probes.retain(|(open, _)| *open != id);
                let actions = self.bench.handle(Event::Probe(id, what));
                self.take(actions);
            }
        }
    }

    /// The wishes, with destinations in the order of their addresses.
    fn table(&self) -> BTreeMap<ServiceName, WantedService> {
        let mut table = self.wanted.clone();
        for service in table.values_mut() {
            service.destinations.sort_by_key(|found| found.address);
        }
        table
    }
}

fn any_server() -> impl Strategy<Value = RealServer> {
    let checks = proptest::collection::vec((80_u16..83, 0_u32..3, any::<bool>()), 0..3);
    (1_u8..6, 0_u32..4, any::<bool>(), checks).prop_map(|(last, weight, nat, checks)| {
        let address = IpAddr::from([10, 1, 1, last]);
        RealServer {
            forwarding: if nat { Forwarding::Nat } else { Forwarding::Dr },
            tcp_checks: checks
                .into_iter()
                .map(|(port, retries, alpha)| TcpCheck {
                    retries,
                    alpha,
                    warmup: 2 * SECOND,
                    ..check(&SocketAddr::new(address, port).to_string())
                })
                .collect(),
            ..server(&address.to_string(), weight).into_inner()
        }
    })
}

fn any_config() -> impl Strategy<Value = Vec<Shared<VirtualServer>>> {
    let scheduler = prop_oneof![Just(Scheduler::Rr), Just(Scheduler::Wlc)];
    let servers = proptest::collection::vec(any_server(), 0..5);
    let service = (1_u16..4, scheduler, servers).prop_map(|(port, scheduler, servers)| {
        let mut seen = BTreeSet::new();
        Shared::new(VirtualServer {
            real_servers: servers
                .into_iter()
                .filter(|server| seen.insert(server.key))
                .map(Shared::new)
                .collect(),
            ..VirtualServer::new(key(port), scheduler)
        })
    });
    proptest::collection::vec(service, 0..4).prop_map(|services| {
        let mut seen = BTreeSet::new();
        services
            .into_iter()
            .filter(|service| seen.insert(service.key.clone()))
            .collect()
    })
}

/// A server that answers, refuses or is silent, by its address and the phase of the test.
fn mood(seed: u8, to: SocketAddr) -> Option<bool> {
    let IpAddr::V4(address) = to.ip() else {
        return None;
    };
    match (address.octets()[3] ^ seed).wrapping_add(u8::try_from(to.port() % 7).unwrap()) % 3 {
        0 => None,
        1 => Some(true),
        _ => Some(false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    // Input: two configurations and any moods of the servers. Output: after the reload, and once
    // all servers answer, the wishes are those of a start with the second; then a reload of the
    // same does nothing, and at the end nothing is wanted and no connection is open.
    #[test]
    fn a_reload_comes_to_the_same_as_a_start(
        first in any_config(),
        second in any_config(),
        seed in any::<u8>(),
        steps in 0_usize..40,
    ) {
        let mut world = World::new();
        world.reload(&[], &first);
        world.run(steps, |to| mood(seed, to));
        world.reload(&first, &second);
        world.run(steps, |to| mood(seed.wrapping_add(1), to));
        prop_assert_eq!(world.reload(&second, &second), 0);
        world.run(400, |_| Some(true));

        let mut fresh = World::new();
        fresh.reload(&[], &second);
        fresh.run(400, |_| Some(true));
        prop_assert_eq!(world.table(), fresh.table());

        let alive = world.bench.domain.view().servers().filter(|server| server.alive).count();
        let wanted: usize = world.wanted.values().map(|service| service.destinations.len()).sum();
        prop_assert_eq!(alive, wanted);

        let actions = world.bench.handle(Event::Stop);
        world.take(actions);
        prop_assert!(world.wanted.is_empty());
        prop_assert!(world.probes.is_empty());
        prop_assert_eq!(world.bench.domain.next_deadline(), None);
    }

    // Input: a reload and its reverse while servers have moods. Output: whoever is up and was not
    // touched is up after both.
    #[test]
    fn there_and_back_changes_nothing_for_what_stays(
        first in any_config(),
        second in any_config(),
        seed in any::<u8>(),
    ) {
        let mut world = World::new();
        world.reload(&[], &first);
        world.run(30, |to| mood(seed, to));
        let before: Vec<_> = world.bench.domain.view().servers().collect();
        world.reload(&first, &second);
        world.reload(&second, &first);
        let stays = |server: &ServerView| {
            second.iter().any(|service| {
                service.key == server.service
                    && service.real_servers.iter().any(|other| {
                        first.iter().any(|old| {
                            old.key == service.key && old.real_servers.contains(other)
                        }) && other.key == server.server
                    })
            })
        };
        let after: Vec<_> = world.bench.domain.view().servers().collect();
        for server in before.into_iter().filter(stays) {
            prop_assert!(after.contains(&server), "{server:?}");
        }
    }
}
