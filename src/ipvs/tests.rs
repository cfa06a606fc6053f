//! The domain against a model of the kernel's table.

#[path = "control_tests.rs"]
mod control_tests;
#[path = "refusal_tests.rs"]
mod refusal_tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::base::{Duration, Instant};
use crate::conf::model::{self, FlushOnStop, Lvs, LvsTimeouts};
use crate::ops::{ForwardMethod, IpvsOp, KernelOp, SyncDaemon, SyncRole, Timeouts};
use crate::tests::logged;

const EEXIST: i32 = 17;
const ESRCH: i32 = 3;
const ENOENT: i32 = 2;
const ENOMEM: i32 = 12;

/// The kernel's table and its answers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Kernel {
    services: BTreeMap<ServiceName, IpvsService>,
    /// Services with this scheduler are refused.
    without_scheduler: Option<&'static str>,
    daemons: BTreeMap<SyncRole, SyncDaemon>,
    /// Services are not deleted.
    stubborn: bool,
    ops: Vec<IpvsOp>,
}

impl Kernel {
    fn carry_out(&mut self, op: &IpvsOp) -> Result<(), i32> {
        self.ops.push(op.clone());
        match op {
            IpvsOp::ServiceAdd(spec) => {
                if self.services.contains_key(&spec.name) {
                    return Err(EEXIST);
                }
                self.put(spec, Vec::new())
            }
            IpvsOp::ServiceSet(spec) => {
                let old = self.services.get(&spec.name).ok_or(ESRCH)?;
                let destinations = old.destinations.clone();
                self.put(spec, destinations)
            }
            IpvsOp::ServiceDel(_) if self.stubborn => Err(ENOMEM),
            IpvsOp::ServiceDel(name) => {
                self.services.remove(name).ok_or(ESRCH)?;
                Ok(())
            }
            IpvsOp::DestAdd(name, destination) => {
                let service = self.services.get_mut(name).ok_or(ESRCH)?;
                if service.destination(destination.address).is_some() {
                    return Err(EEXIST);
                }
                service.destinations.push(*destination);
                Ok(())
            }
            IpvsOp::DestSet(name, destination) => {
                let service = self.services.get_mut(name).ok_or(ESRCH)?;
                let slot = service
                    .destinations
                    .iter_mut()
                    .find(|found| found.address == destination.address)
                    .ok_or(ENOENT)?;
                *slot = *destination;
                Ok(())
            }
            IpvsOp::DestDel(name, address) => {
                let service = self.services.get_mut(name).ok_or(ESRCH)?;
                let before = service.destinations.len();
                service
                    .destinations
                    .retain(|found| found.address != *address);
                if service.destinations.len() == before {
                    return Err(ENOENT);
                }
                Ok(())
            }
            IpvsOp::Flush => {
                self.services.clear();
                Ok(())
            }
            IpvsOp::Timeouts(_) => Ok(()),
            IpvsOp::DaemonStart(role, daemon) => {
                if self.daemons.contains_key(role) {
                    return Err(EEXIST);
                }
                self.daemons.insert(*role, daemon.clone());
                Ok(())
            }
            IpvsOp::DaemonStop(role) => self.daemons.remove(role).map(drop).ok_or(ESRCH),
        }
    }

    fn put(&mut self, spec: &ServiceSpec, destinations: Vec<DestinationSpec>) -> Result<(), i32> {
        if self.without_scheduler == Some(spec.scheduler) {
            return Err(ENOENT);
        }
        let service = IpvsService {
            name: spec.name,
            scheduler: spec.scheduler.to_owned(),
            persistence: spec.persistence,
            flags: spec.flags,
            engine: spec.engine.clone(),
            destinations,
        };
        self.services.insert(spec.name, service);
        Ok(())
    }
}

/// A domain, its kernel and the time.
#[derive(Default)]
struct Bench {
    domain: Domain,
    kernel: Kernel,
    now: Instant,
    /// The error of reading the table.
    missing: Option<i32>,
    reads: usize,
}

impl Bench {
    fn tell(&mut self, event: Event<'_>) {
        let mut actions = Vec::new();
        self.domain.handle(self.now, event, &mut actions);
        self.exec(actions);
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
        let mut actions = Vec::new();
        self.domain.handle_timeout(self.now, &mut actions);
        self.exec(actions);
    }

    /// Carries a batch out as the host does: all of it, then the answers, then what they cause.
    fn exec(&mut self, actions: Vec<Action>) {
        let mut refused = Vec::new();
        let (mut read, mut timeouts) = (false, false);
        let mut look = None;
        for action in actions {
            let Action::World(effect) = action;
            match effect {
                Effect::ReadIpvs => read = true,
                Effect::ReadIpvsTimeouts => timeouts = true,
                Effect::LookIpvs(names) => {
                    let table = self.kernel.services.values();
                    let found = table.filter(|service| names.contains(&service.name));
                    look = Some(found.cloned().collect::<Vec<_>>());
                }
                Effect::Kernel(KernelOp::Ipvs(op), tag) => {
                    if let Err(errno) = self.kernel.carry_out(&op) {
                        refused.push((tag, errno));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        let mut caused = Vec::new();
        for (tag, errno) in refused {
            self.domain
                .handle(self.now, Event::Refused(tag, errno), &mut caused);
        }
        if read {
            self.reads += 1;
            let table: Vec<_> = self.kernel.services.values().cloned().collect();
            let table = self.missing.map_or(Ok(table.as_slice()), Err);
            self.domain
                .handle(self.now, Event::Table(table), &mut caused);
        }
        if timeouts {
            self.domain
                .handle(self.now, Event::Timeouts(KERNELS_OWN), &mut caused);
        }
        if let Some(found) = look {
            self.domain
                .handle(self.now, Event::Look(Ok(&found)), &mut caused);
        }
        if !caused.is_empty() {
            self.exec(caused);
        }
    }

    fn ops(&mut self) -> Vec<IpvsOp> {
        std::mem::take(&mut self.kernel.ops)
    }
}

/// The timeouts that the kernel begins with.
const KERNELS_OWN: Timeouts = Timeouts {
    tcp: 900,
    tcp_fin: 120,
    udp: 300,
};

const KEY: ServiceName = at(3306);

const fn at(port: u16) -> ServiceName {
    ServiceName::Address {
        address: IpAddr::V4(std::net::Ipv4Addr::new(182, 148, 15, 239)),
        port,
        protocol: 6,
    }
}

fn spec(scheduler: &'static str) -> ServiceSpec {
    ServiceSpec {
        name: KEY,
        scheduler,
        persistence: Some((Duration::from_secs(50), 32)),
        flags: 0,
        engine: None,
    }
}

fn server(last: u8, weight: u32) -> DestinationSpec {
    DestinationSpec {
        address: SocketAddr::from(([182, 148, 15, last], 3306)),
        weight,
        method: ForwardMethod::DirectRoute,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn want(scheduler: &'static str, servers: &[DestinationSpec]) -> Event<'static> {
    Event::Want(spec(scheduler), servers.to_vec())
}

// Input: the document's service, on an empty table. Output: the table is read first, then the
// service and its servers are added in order; at the end it is deleted with one operation.
#[test]
fn a_service_is_added_after_a_look_at_the_table_and_deleted_whole() {
    let mut bench = Bench::default();
    bench.tell(want("wrr", &[server(238, 3), server(233, 3)]));
    assert_eq!(
        bench.ops(),
        [
            IpvsOp::ServiceAdd(spec("wrr")),
            IpvsOp::DestAdd(KEY, server(238, 3)),
            IpvsOp::DestAdd(KEY, server(233, 3)),
        ]
    );
    assert_eq!(bench.reads, 1);
    assert!(bench.domain.view().settled());
    bench.tell(Event::Unwant(KEY));
    assert_eq!(bench.ops(), [IpvsOp::ServiceDel(KEY)]);
    assert_eq!(bench.kernel.services.len(), 0);
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: the kernel refuses to delete the service, once more at the second attempt. Output: it is
// asked until the service is gone, or wanted again.
#[test]
fn a_service_that_the_kernel_does_not_delete_is_deleted_later() {
    let mut bench = Bench::default();
    bench.tell(want("wrr", &[server(233, 3)]));
    bench.kernel.stubborn = true;
    bench.tell(Event::Unwant(KEY));
    bench.wait(RETRY_AFTER);
    assert_eq!(bench.kernel.services.len(), 1);
    bench.kernel.stubborn = false;
    bench.wait(RETRY_AFTER);
    assert_eq!(bench.kernel.services.len(), 0);
    assert_eq!(bench.domain.next_deadline(), None);

    bench.tell(want("wrr", &[server(233, 3)]));
    bench.kernel.stubborn = true;
    bench.tell(Event::Unwant(KEY));
    bench.tell(want("wrr", &[server(233, 7)]));
    bench.kernel.stubborn = false;
    bench.wait(RETRY_AFTER);
    let service = &bench.kernel.services[&KEY];
    assert_eq!(service.destinations, [server(233, 7)]);
}

#[test]
fn a_destination_goes_and_comes_with_one_operation_each() {
    let mut bench = Bench::default();
    bench.tell(want("wrr", &[server(233, 3), server(238, 3)]));
    bench.ops();
    let address = server(238, 3).address;
    bench.tell(Event::WantDestination(KEY, address, None));
    assert_eq!(bench.ops(), [IpvsOp::DestDel(KEY, server(238, 0).address)]);
    bench.tell(Event::WantDestination(KEY, address, Some(server(238, 3))));
    assert_eq!(bench.ops(), [IpvsOp::DestAdd(KEY, server(238, 3))]);
    bench.tell(want("wrr", &[server(233, 3), server(238, 7)]));
    assert_eq!(bench.ops(), [IpvsOp::DestSet(KEY, server(238, 7))]);
    bench.tell(want("wrr", &[server(233, 3), server(238, 7)]));
    assert_eq!(bench.ops(), []);
    assert_eq!(bench.reads, 1);
}

// Input: a kernel without IPVS, which gets it later. Output: nothing is sent until a slow look
// finds it, then everything.
#[test]
fn without_ipvs_the_table_is_looked_for_again() {
    let mut bench = Bench {
        missing: Some(ENOENT),
        ..Bench::default()
    };
    bench.tell(want("wrr", &[server(233, 3)]));
    bench.tell(want("rr", &[server(233, 3)]));
    assert_eq!((bench.reads, bench.ops().len()), (1, 0));
    bench.wait(RETRY_AFTER);
    assert_eq!((bench.reads, bench.ops().len()), (2, 0));
    bench.missing = None;
    assert_eq!(bench.domain.next_deadline(), Some(bench.now + RETRY_AFTER));
    bench.wait(RETRY_AFTER);
    assert_eq!(bench.ops().len(), 2);
    assert!(bench.domain.view().settled());
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: a table as a crash left it: our service with another timeout and weight and a server too
// many, and a service of somebody else. Output: ours is edited in place, the other is not touched.
#[test]
fn what_is_there_is_adopted_and_foreign_services_are_left_alone() {
    let mut bench = Bench::default();
    let old = ServiceSpec {
        persistence: None,
        ..spec("wrr")
    };
    let other = ServiceSpec {
        name: at(80),
        ..spec("rr")
    };
    let left = [server(233, 1), server(234, 3), server(238, 3)];
    bench.kernel.put(&old, left.to_vec()).unwrap();
    bench.kernel.put(&other, vec![server(1, 1)]).unwrap();
    let foreign = bench.kernel.services[&other.name].clone();
    bench.tell(want(
        "wrr",
        &[server(233, 3), server(238, 3), server(240, 3)],
    ));
    assert_eq!(
        bench.ops(),
        [
            IpvsOp::ServiceSet(spec("wrr")),
            IpvsOp::DestSet(KEY, server(233, 3)),
            IpvsOp::DestAdd(KEY, server(240, 3)),
            IpvsOp::DestDel(KEY, server(234, 0).address),
        ]
    );
    bench.tell(Event::Unwant(KEY));
    assert_eq!(bench.kernel.services.len(), 1);
    assert_eq!(bench.kernel.services[&other.name], foreign);
}

// Input: somebody deletes our service, then a server of ours fails. Output: the refusal is answered
// by one look and one repair, which the log says.
#[test]
fn a_refusal_is_answered_by_one_repair() {
    let mut bench = Bench::default();
    bench.tell(want("wrr", &[server(233, 3), server(238, 3)]));
    bench.kernel.services.clear();
    bench.ops();
    let address = server(238, 3).address;
    let log = logged(|| bench.tell(Event::WantDestination(KEY, address, None)));
    assert_eq!(
        bench.ops(),
        [
            IpvsOp::DestDel(KEY, server(238, 0).address),
            IpvsOp::ServiceAdd(spec("wrr")),
            IpvsOp::DestAdd(KEY, server(233, 3)),
        ]
    );
    assert_eq!(bench.reads, 2);
    assert!(bench.domain.view().settled());
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("setting it anew"), "{log:?}");
}

// Input: a service that appears between our look and our reload. Output: EEXIST, then adopted.
#[test]
fn a_service_that_somebody_was_quicker_to_add_is_adopted() {
    let mut bench = Bench::default();
    bench.tell(want("wrr", &[server(233, 3)]));
    let new = ServiceSpec {
        name: at(80),
        ..spec("rr")
    };
    bench.kernel.put(&new, vec![server(233, 1)]).unwrap();
    bench.ops();
    bench.tell(Event::Want(new.clone(), vec![server(233, 3)]));
    assert_eq!(
        bench.ops(),
        [
            IpvsOp::ServiceAdd(new.clone()),
            IpvsOp::DestAdd(new.name, server(233, 3)),
            IpvsOp::DestSet(new.name, server(233, 3)),
        ]
    );
    assert!(bench.domain.view().settled());
}

// Input: a scheduler that the kernel does not have, loaded a while later. Output: one error that
// names the module, slow attempts without a word, one line when it is taken; no loop.
#[test]
fn a_scheduler_that_is_missing_is_said_once_and_tried_slowly() {
    let mut bench = Bench::default();
    bench.kernel.without_scheduler = Some("mh");
    let log = logged(|| bench.tell(want("mh", &[server(233, 3), server(238, 3)])));
    assert_eq!((bench.reads, bench.ops().len()), (2, 6));
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[1].contains("modprobe ip_vs_mh"), "{log:?}");
    let quiet = logged(|| {
        bench.wait(RETRY_AFTER);
        bench.wait(RETRY_AFTER);
    });
    assert_eq!((bench.reads, bench.ops().len()), (4, 6));
    assert_eq!(quiet, Vec::<String>::new());
    bench.kernel.without_scheduler = None;
    let log = logged(|| {
        bench.wait(RETRY_AFTER);
        bench.wait(RETRY_AFTER);
    });
    assert_eq!(bench.ops().len(), 3);
    assert!(bench.domain.view().settled());
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(bench.domain.next_deadline(), None);
}

#[test]
fn a_missing_ipvs_is_one_clear_error() {
    let mut bench = Bench {
        missing: Some(ENOENT),
        ..Bench::default()
    };
    let log = logged(|| {
        bench.tell(want("wrr", &[server(233, 3)]));
        bench.tell(want("rr", &[server(233, 3)]));
        bench.wait(RETRY_AFTER);
        bench.tell(Event::Unwant(KEY));
    });
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[0].ends_with("Initializing ipvs"), "{log:?}");
    for word in ["ip_vs", "modprobe", "VRRP is not affected"] {
        assert!(log[1].contains(word), "{log:?}");
    }
    assert_eq!(bench.ops(), []);
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: a service with one-packet scheduling (flag 4), and two servers of which one has an upper
// threshold, all else as wanted. Output: the service and that server are edited, nothing is added.
#[test]
fn what_differs_in_flags_or_thresholds_only_is_edited() {
    let mut bench = Bench::default();
    let limited = DestinationSpec {
        upper_threshold: 100,
        ..server(233, 3)
    };
    let left = vec![limited, server(238, 3)];
    bench.kernel.put(&spec("wrr"), left).unwrap();
    for service in bench.kernel.services.values_mut() {
        service.flags = 4;
    }
    bench.tell(want("wrr", &[server(233, 3), server(238, 3)]));
    assert_eq!(
        bench.ops(),
        [
            IpvsOp::ServiceSet(spec("wrr")),
            IpvsOp::DestSet(KEY, server(233, 3)),
        ]
    );
}

/// Any state of up to three services with up to five servers each, as wishes.
fn any_wishes() -> impl Strategy<Value = Vec<Wish>> {
    let scheduler = prop_oneof![Just("rr"), Just("wlc")];
    let persistence = proptest::option::of((1_u64..3, prop_oneof![Just(24_u8), Just(32)]))
        .prop_map(|found| found.map(|(s, prefix)| (Duration::from_secs(s), prefix)));
    let method = prop_oneof![
        Just(ForwardMethod::DirectRoute),
        Just(ForwardMethod::Masquerade)
    ];
    let servers = proptest::collection::btree_map(1_u8..6, (0_u32..3, method), 0..5);
    let service = (1_u16..4, scheduler, persistence, servers);
    proptest::collection::vec(service, 0..4).prop_map(|wishes| {
        let mut seen = std::collections::BTreeSet::new();
        wishes
            .into_iter()
            .filter(|(port, ..)| seen.insert(*port))
            .map(|(port, scheduler, persistence, servers)| {
                let spec = ServiceSpec {
                    name: at(port),
                    persistence,
                    ..spec(scheduler)
                };
                let servers = servers
                    .into_iter()
                    .map(|(last, (weight, method))| DestinationSpec {
                        method,
                        ..server(last, weight)
                    })
                    .collect();
                (spec, servers)
            })
            .collect()
    })
}

type Wish = (ServiceSpec, Vec<DestinationSpec>);

/// The table that wishes describe, with destinations in the order of their addresses.
fn table_of(wishes: &[Wish]) -> BTreeMap<ServiceName, IpvsService> {
    let mut kernel = Kernel::default();
    for (spec, servers) in wishes {
        kernel.put(spec, servers.clone()).unwrap();
    }
    sorted(kernel.services)
}

fn sorted(mut table: BTreeMap<ServiceName, IpvsService>) -> BTreeMap<ServiceName, IpvsService> {
    for service in table.values_mut() {
        service.destinations.sort_by_key(|found| found.address);
    }
    table
}

/// The least number of operations that lead from one table to the other.
fn least(old: &[Wish], new: &[Wish]) -> usize {
    let (old, new) = (table_of(old), table_of(new));
    let gone = old.keys().filter(|key| !new.contains_key(key)).count();
    let rest: usize = new
        .iter()
        .map(|(key, service)| match old.get(key) {
            None => 1 + service.destinations.len(),
            Some(was) => {
                let settings =
                    was.scheduler != service.scheduler || was.persistence != service.persistence;
                let kept = |found: &&DestinationSpec| was.destinations.contains(found);
                let there = |found: &&DestinationSpec| service.destination(found.address).is_none();
                usize::from(settings) + service.destinations.len()
                    - service.destinations.iter().filter(kept).count()
                    + was.destinations.iter().filter(there).count()
            }
        })
        .sum();
    gone + rest
}

fn tell_all(bench: &mut Bench, old: &[Wish], new: &[Wish]) {
    for (spec, _) in old {
        if new.iter().all(|(other, _)| other.name != spec.name) {
            bench.tell(Event::Unwant(spec.name));
        }
    }
    for (spec, servers) in new {
        bench.tell(Event::Want(spec.clone(), servers.clone()));
    }
}

proptest! {
    // Input: any two configurations. Output: the kernel's table is the second, with the fewest
    // operations, none refused, and telling it again does nothing.
    #[test]
    fn operations_lead_to_the_wanted_table_and_are_as_few_as_can_be(
        first in any_wishes(),
        second in any_wishes(),
    ) {
        let mut bench = Bench::default();
        tell_all(&mut bench, &[], &first);
        prop_assert_eq!(bench.ops().len(), least(&[], &first));
        tell_all(&mut bench, &first, &second);
        prop_assert_eq!(bench.ops().len(), least(&first, &second));
        prop_assert_eq!(sorted(bench.kernel.services.clone()), table_of(&second));
        tell_all(&mut bench, &second, &second);
        prop_assert_eq!(bench.ops(), vec![]);
        prop_assert!(bench.reads <= 1);
    }

    // Input: any table left by another, any change behind our back, any configuration. Output: the
    // table is as wanted; what is not ours is as it was.
    #[test]
    fn whatever_others_do_the_table_ends_as_wanted(
        left in any_wishes(),
        flags in prop_oneof![Just(0_u32), Just(4)],
        upper_threshold in 0_u32..2,
        wanted in any_wishes(),
        meddled in any_wishes(),
    ) {
        let mut bench = Bench::default();
        for (spec, servers) in &left {
            bench.kernel.put(spec, servers.clone()).unwrap();
        }
        for service in bench.kernel.services.values_mut() {
            service.flags = flags;
            for server in &mut service.destinations {
                server.upper_threshold = upper_threshold;
            }
        }
        let foreign = bench.kernel.services.clone();
        tell_all(&mut bench, &[], &wanted);
        let is_ours = |name: &ServiceName| wanted.iter().any(|(spec, _)| spec.name == *name);
        let mut expected = table_of(&wanted);
        expected.extend(sorted(foreign).into_iter().filter(|(key, _)| !is_ours(key)));
        prop_assert_eq!(sorted(bench.kernel.services.clone()), expected);
        // Somebody puts a whole other table there; our next change finds out.
        bench.kernel.services = table_of(&meddled);
        for (spec, _) in &wanted {
            let change = server(9, 77); // one that nobody has
            bench.tell(Event::WantDestination(spec.name, change.address, Some(change)));
            bench.tell(Event::WantDestination(spec.name, change.address, None));
        }
        prop_assert!(bench.reads <= 1 + 2 * wanted.len());
        prop_assert_eq!(bench.domain.next_deadline(), None);
        for key in table_of(&meddled).keys().filter(|key| !is_ours(key)) {
            prop_assert!(bench.kernel.services.contains_key(key));
        }
        // A look at the table repairs all of it.
        let table: Vec<_> = bench.kernel.services.values().cloned().collect();
        bench.tell(Event::Table(Ok(&table)));
        let mut ours = sorted(bench.kernel.services.clone());
        ours.retain(|key, _| is_ours(key));
        prop_assert_eq!(ours, table_of(&wanted));
    }
}
