//! The IPVS table of a virtual kernel.
//!
//! Owns: services and destinations, with the errors that the kernel gives. Never does: balance
//! anything. Driven by: `kernel`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keepalived_rs::ops::{
    DestinationSpec, IpvsOp, IpvsService, ServiceName, ServiceSpec, Timeouts,
};

use super::kernel::{Kernel, errno};

/// How long a kernel keeps connections of IPVS at first.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    tcp: 900,
    tcp_fin: 120,
    udp: 300,
};

impl Kernel {
    /// The services of the table that `wanted` picks; an error where there is no IPVS.
    pub(super) fn ipvs_table(
        &self,
        wanted: impl Fn(&IpvsService) -> bool,
    ) -> Result<Vec<IpvsService>, i32> {
        if !self.traits.ipvs {
            return Err(errno::ENOENT);
        }
        let mut table = self.ipvs.dump();
        table.retain(wanted);
        Ok(table)
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What was asked for.
    pub spec: ServiceSpec,
    /// Its destinations.
    pub destinations: BTreeMap<SocketAddr, DestinationSpec>,
    /// Raised by whatever would break connections: a service or destination that is made anew.
    pub born: u64,
}

/// All services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    services: BTreeMap<ServiceName, Service>,
    births: u64,
}

impl Table {
    /// Carries out an operation, or says the error number that the kernel would.
    ///
    /// # Errors
    /// `EEXIST`, `ESRCH` (no such service) or `ENOENT` (no such destination).
    pub fn execute(&mut self, op: &IpvsOp) -> Result<(), i32> {
        match op {
            IpvsOp::ServiceAdd(spec) => {
                if self.services.contains_key(&spec.name) {
                    return Err(errno::EEXIST);
                }
                self.births += 1;
                let service = Service {
                    spec: spec.clone(),
                    destinations: BTreeMap::new(),
                    born: self.births,
                };
                self.services.insert(spec.name, service);
            }
            IpvsOp::ServiceSet(spec) => self.service(spec.name)?.spec = spec.clone(),
            IpvsOp::ServiceDel(name) => {
                self.services.remove(name).ok_or(errno::ESRCH)?;
            }
            IpvsOp::DestAdd(name, destination) => {
                let destinations = &mut self.service(*name)?.destinations;
                if destinations.contains_key(&destination.address) {
                    return Err(errno::EEXIST);
                }
                destinations.insert(destination.address, *destination);
            }
            IpvsOp::DestSet(name, destination) => {
                let destinations = &mut self.service(*name)?.destinations;
                let present = destinations.get_mut(&destination.address);
                *present.ok_or(errno::ENOENT)? = *destination;
            }
            IpvsOp::DestDel(name, address) => {
                let destinations = &mut self.service(*name)?.destinations;
                destinations.remove(address).ok_or(errno::ENOENT)?;
            }
            IpvsOp::Flush => self.services.clear(),
            // Nobody in the simulator looks at these.
            IpvsOp::Timeouts(_) | IpvsOp::DaemonStart(..) | IpvsOp::DaemonStop(_) => {}
        }
        Ok(())
    }

    fn service(&mut self, name: ServiceName) -> Result<&mut Service, i32> {
        self.services.get_mut(&name).ok_or(errno::ESRCH)
    }

    /// All services by their names.
    #[must_use]
    pub const fn services(&self) -> &BTreeMap<ServiceName, Service> {
        &self.services
    }

    /// Takes a service away without asking whose it is, as `ipvsadm -D` does.
    pub fn remove(&mut self, service: ServiceName) {
        self.services.remove(&service);
    }

    /// The whole table as the kernel tells it.
    #[must_use]
    pub fn dump(&self) -> Vec<IpvsService> {
        self.services
            .values()
            .map(|service| IpvsService {
                name: service.spec.name,
                scheduler: service.spec.scheduler.to_owned(),
                persistence: service.spec.persistence,
                flags: service.spec.flags,
                engine: service.spec.engine.clone(),
                destinations: service.destinations.values().copied().collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use keepalived_rs::base::Family;
    use keepalived_rs::ops::ForwardMethod;

    use super::*;

    const NAME: ServiceName = ServiceName::Mark {
        mark: 7,
        family: Family::V4,
    };

    fn spec() -> ServiceSpec {
        ServiceSpec {
            name: NAME,
            scheduler: "rr",
            persistence: None,
            flags: 0,
            engine: None,
        }
    }

    fn destination(weight: u32) -> DestinationSpec {
        DestinationSpec {
            address: "198.51.100.1:80".parse().unwrap(),
            weight,
            method: ForwardMethod::Masquerade,
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }

    #[test]
    fn errors_are_the_kernel_s() {
        let mut table = Table::default();
        let add = IpvsOp::DestAdd(NAME, destination(1));
        assert_eq!(table.execute(&add), Err(errno::ESRCH));
        assert_eq!(table.execute(&IpvsOp::ServiceAdd(spec())), Ok(()));
        assert_eq!(
            table.execute(&IpvsOp::ServiceAdd(spec())),
            Err(errno::EEXIST)
        );
        let set = IpvsOp::DestSet(NAME, destination(2));
        assert_eq!(table.execute(&set), Err(errno::ENOENT));
        assert_eq!(table.execute(&add), Ok(()));
        assert_eq!(table.execute(&add), Err(errno::EEXIST));
        assert_eq!(table.execute(&set), Ok(()));
        assert_eq!(table.dump()[0].destinations, [destination(2)]);
        assert_eq!(table.execute(&IpvsOp::ServiceDel(NAME)), Ok(()));
        assert_eq!(table.execute(&IpvsOp::ServiceDel(NAME)), Err(errno::ESRCH));
        assert!(table.dump().is_empty());
    }
}
