//! The IPVS table of a virtual kernel.
//!
//! Owns: services and destinations, with the errors that the kernel gives. Never does: balance
//! anything. Driven by: `kernel`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use keepalived_rs::ops::{DestinationSpec, IpvsOp, IpvsService, ServiceSpec};

use super::kernel::errno;

/// Address, port, protocol.
pub type ServiceId = (IpAddr, u16, u8);

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
    services: BTreeMap<ServiceId, Service>,
    births: u64,
}

/// What names a service.
#[must_use]
pub const fn id(spec: &ServiceSpec) -> ServiceId {
    (spec.address, spec.port, spec.protocol)
}

impl Table {
    /// Carries out an operation, or says the error number that the kernel would.
    ///
    /// # Errors
    /// `EEXIST`, `ESRCH` (no such service) or `ENOENT` (no such destination).
    pub fn execute(&mut self, op: &IpvsOp) -> Result<(), i32> {
        match op {
            IpvsOp::ServiceAdd(spec) => {
                if self.services.contains_key(&id(spec)) {
                    return Err(errno::EEXIST);
                }
                self.births += 1;
                let service = Service {
                    spec: spec.clone(),
                    destinations: BTreeMap::new(),
                    born: self.births,
                };
                self.services.insert(id(spec), service);
            }
            IpvsOp::ServiceSet(spec) => self.service(spec)?.spec = spec.clone(),
            IpvsOp::ServiceDel(spec) => {
                self.services.remove(&id(spec)).ok_or(errno::ESRCH)?;
            }
            IpvsOp::DestAdd(spec, destination) => {
                let destinations = &mut self.service(spec)?.destinations;
                if destinations.contains_key(&destination.address) {
                    return Err(errno::EEXIST);
                }
                destinations.insert(destination.address, *destination);
            }
            IpvsOp::DestSet(spec, destination) => {
                let destinations = &mut self.service(spec)?.destinations;
                let present = destinations.get_mut(&destination.address);
                *present.ok_or(errno::ENOENT)? = *destination;
            }
            IpvsOp::DestDel(spec, destination) => {
                let destinations = &mut self.service(spec)?.destinations;
                destinations
                    .remove(&destination.address)
                    .ok_or(errno::ENOENT)?;
            }
        }
        Ok(())
    }

    fn service(&mut self, spec: &ServiceSpec) -> Result<&mut Service, i32> {
        self.services.get_mut(&id(spec)).ok_or(errno::ESRCH)
    }

    /// All services by their names.
    #[must_use]
    pub const fn services(&self) -> &BTreeMap<ServiceId, Service> {
        &self.services
    }

    /// Takes a service away without asking whose it is, as `ipvsadm -D` does.
    pub fn remove(&mut self, service: ServiceId) {
        self.services.remove(&service);
    }

    /// The whole table as the kernel tells it.
    #[must_use]
    pub fn dump(&self) -> Vec<IpvsService> {
        self.services
            .values()
            .map(|service| IpvsService {
                address: service.spec.address,
                port: service.spec.port,
                protocol: service.spec.protocol,
                scheduler: service.spec.scheduler.to_owned(),
                persistence: service.spec.persistence,
                other_flags: 0,
                destinations: service.destinations.values().copied().collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use keepalived_rs::ops::ForwardMethod;

    use super::*;

    fn spec() -> ServiceSpec {
        ServiceSpec {
            address: "192.0.2.1".parse().unwrap(),
            port: 80,
            protocol: 6,
            scheduler: "rr",
            persistence: None,
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
        let add = IpvsOp::DestAdd(spec(), destination(1));
        assert_eq!(table.execute(&add), Err(errno::ESRCH));
        assert_eq!(table.execute(&IpvsOp::ServiceAdd(spec())), Ok(()));
        assert_eq!(
            table.execute(&IpvsOp::ServiceAdd(spec())),
            Err(errno::EEXIST)
        );
        let set = IpvsOp::DestSet(spec(), destination(2));
        assert_eq!(table.execute(&set), Err(errno::ENOENT));
        assert_eq!(table.execute(&add), Ok(()));
        assert_eq!(table.execute(&add), Err(errno::EEXIST));
        assert_eq!(table.execute(&set), Ok(()));
        assert_eq!(table.dump()[0].destinations, [destination(2)]);
        assert_eq!(table.execute(&IpvsOp::ServiceDel(spec())), Ok(()));
        assert_eq!(
            table.execute(&IpvsOp::ServiceDel(spec())),
            Err(errno::ESRCH)
        );
        assert!(table.dump().is_empty());
    }
}
