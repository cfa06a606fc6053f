//! The domain against a model of the kernel's table.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::base::{Duration, Instant};
use crate::conf::model::Protocol;
use crate::ops::{ForwardMethod, IpvsOp, KernelOp};

const EEXIST: i32 = 17;
const ESRCH: i32 = 3;
const ENOENT: i32 = 2;

/// The kernel's table and its answers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Kernel {
    services: BTreeMap<(IpAddr, u16, u8), IpvsService>,
    /// Services with this scheduler are refused.
    without_scheduler: Option<&'static str>,
    ops: Vec<IpvsOp>,
}

impl Kernel {
    fn carry_out(&mut self, op: &IpvsOp) -> Result<(), i32> {
        self.ops.push(op.clone());
        match op {
            IpvsOp::ServiceAdd(spec) => {
                if self.services.contains_key(&name(spec)) {
                    return Err(EEXIST);
                }
                self.put(spec, Vec::new())
            }
            IpvsOp::ServiceSet(spec) => {
                let old = self.services.get(&name(spec)).ok_or(ESRCH)?;
                let destinations = old.destinations.clone();
                self.put(spec, destinations)
            }
            IpvsOp::ServiceDel(spec) => {
                self.services.remove(&name(spec)).ok_or(ESRCH)?;
                Ok(())
            }
            IpvsOp::DestAdd(spec, destination) => {
                let service = self.services.get_mut(&name(spec)).ok_or(ESRCH)?;
                if service.destination(destination.address).is_some() {
                    return Err(EEXIST);
                }
                service.destinations.push(*destination);
                Ok(())
            }
            IpvsOp::DestSet(spec, destination) => {
                let service = self.services.get_mut(&name(spec)).ok_or(ESRCH)?;
                let slot = service
                    .destinations
                    .iter_mut()
                    .find(|found| found.address == destination.address)
                    .ok_or(ENOENT)?;
                *slot = *destination;
                Ok(())
            }
            IpvsOp::DestDel(spec, destination) => {
                let service = self.services.get_mut(&name(spec)).ok_or(ESRCH)?;
                let before = service.destinations.len();
                service
                    .destinations
                    .retain(|found| found.address != destination.address);
                if service.destinations.len() == before {
                    return Err(ENOENT);
                }
                Ok(())
            }
        }
    }

    fn put(&mut self, spec: &ServiceSpec, destinations: Vec<DestinationSpec>) -> Result<(), i32> {
        if self.without_scheduler == Some(spec.scheduler) {
            return Err(ENOENT);
        }
        let service = IpvsService {
            address: spec.address,
            port: spec.port,
            protocol: spec.protocol,
            scheduler: spec.scheduler.to_owned(),
            persistence: spec.persistence,
            destinations,
        };
        self.services.insert(name(spec), service);
        Ok(())
    }
}

fn name(spec: &ServiceSpec) -> (IpAddr, u16, u8) {
    (spec.address, spec.port, spec.protocol)
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
        let mut read = false;
        for action in actions {
            let Action::World(effect) = action;
            match effect {
                Effect::ReadIpvs => read = true,
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
        if !caused.is_empty() {
            self.exec(caused);
        }
    }

    fn ops(&mut self) -> Vec<IpvsOp> {
        std::mem::take(&mut self.kernel.ops)
    }
}

const KEY: ServiceKey = ServiceKey {
    address: IpAddr::V4(std::net::Ipv4Addr::new(182, 148, 15, 239)),
    port: 3306,
    protocol: Protocol::Tcp,
};

fn spec(scheduler: &'static str) -> ServiceSpec {
    ServiceSpec {
        address: KEY.address,
        port: KEY.port,
        protocol: KEY.protocol.number(),
        scheduler,
        persistence: Some((Duration::from_secs(50), 32)),
    }
}

fn server(last: u8, weight: u32) -> DestinationSpec {
    DestinationSpec {
        address: SocketAddr::from(([182, 148, 15, last], 3306)),
        weight,
        method: ForwardMethod::DirectRoute,
    }
}

fn want(scheduler: &'static str, servers: &[DestinationSpec]) -> Event<'static> {
    Event::Want(KEY, Some((spec(scheduler), servers.to_vec())))
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
            IpvsOp::DestAdd(spec("wrr"), server(238, 3)),
            IpvsOp::DestAdd(spec("wrr"), server(233, 3)),
        ]
    );
    assert_eq!(bench.reads, 1);
    assert!(bench.domain.view().settled());
    bench.tell(Event::Want(KEY, None));
    assert_eq!(bench.ops(), [IpvsOp::ServiceDel(spec("wrr"))]);
    assert_eq!(bench.kernel.services.len(), 0);
    assert_eq!(bench.domain.next_deadline(), None);
}

#[test]
fn a_destination_goes_and_comes_with_one_operation_each() {
    let mut bench = Bench::default();
    bench.tell(want("wrr", &[server(233, 3), server(238, 3)]));
    bench.ops();
    let address = server(238, 3).address;
    bench.tell(Event::WantDestination(KEY, address, None));
    assert_eq!(bench.ops(), [IpvsOp::DestDel(spec("wrr"), server(238, 3))]);
    bench.tell(Event::WantDestination(KEY, address, Some(server(238, 3))));
    assert_eq!(bench.ops(), [IpvsOp::DestAdd(spec("wrr"), server(238, 3))]);
    bench.tell(want("wrr", &[server(233, 3), server(238, 7)]));
    assert_eq!(bench.ops(), [IpvsOp::DestSet(spec("wrr"), server(238, 7))]);
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
