//! One service as it is wanted and as it is installed.
//!
//! Owns: the two forms and how the kernel's table becomes the second. Driven by: `domain`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::ops::{DestinationSpec, IpvsOp, IpvsService, ServiceSpec};

/// A service as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its settings.
    pub(super) spec: ServiceSpec,
    /// Its destinations. The number is the place in the configuration: the kernel's schedulers
    /// start from its order of destinations, so they are added in this one.
    pub(super) destinations: BTreeMap<SocketAddr, (usize, DestinationSpec)>,
}

impl Wanted {
    pub(super) fn new(spec: ServiceSpec, destinations: Vec<DestinationSpec>) -> Self {
        let destinations = destinations
            .into_iter()
            .enumerate()
            .map(|(place, destination)| (destination.address, (place, destination)))
            .collect();
        Self { spec, destinations }
    }

    /// Takes the wish for one destination.
    pub(super) fn set(&mut self, address: SocketAddr, wanted: Option<DestinationSpec>) {
        match wanted {
            None => {
                self.destinations.remove(&address);
            }
            Some(destination) => {
                // One that comes back is added behind the others whatever its place was.
                let place = self
                    .destinations
                    .get(&address)
                    .map_or(self.destinations.len(), |&(place, _)| place);
                self.destinations.insert(address, (place, destination));
            }
        }
    }
}

/// A service as it is in the kernel, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    /// Its settings; `None` if they are not those of any specification of ours.
    pub(super) spec: Option<ServiceSpec>,
    /// Its destinations.
    pub(super) destinations: BTreeMap<SocketAddr, DestinationSpec>,
}

impl Installed {
    /// What the kernel's table says of a service that should look like `spec`.
    pub(super) fn found(spec: &ServiceSpec, found: &IpvsService) -> Self {
        let same = found.scheduler == spec.scheduler && found.persistence == spec.persistence;
        Self {
            spec: same.then(|| spec.clone()),
            destinations: found
                .destinations
                .iter()
                .map(|destination| (destination.address, *destination))
                .collect(),
        }
    }

    /// Takes an operation that is about to be carried out.
    pub(super) fn track(installed: &mut Option<Self>, op: &IpvsOp) {
        match op {
            IpvsOp::ServiceAdd(spec) => {
                *installed = Some(Self {
                    spec: Some(spec.clone()),
                    destinations: BTreeMap::new(),
                });
            }
            IpvsOp::ServiceSet(spec) => {
                if let Some(service) = installed {
                    service.spec = Some(spec.clone());
                }
            }
            IpvsOp::ServiceDel(_) => *installed = None,
            IpvsOp::DestAdd(_, destination) | IpvsOp::DestSet(_, destination) => {
                if let Some(service) = installed {
                    service
                        .destinations
                        .insert(destination.address, *destination);
                }
            }
            IpvsOp::DestDel(_, destination) => {
                if let Some(service) = installed {
                    service.destinations.remove(&destination.address);
                }
            }
        }
    }
}
