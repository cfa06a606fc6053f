//! IPVS operations as requests to the kernel, and dumps as tables.
//!
//! Owns: the translation between the objects of [`super::kernel`] and those of [`crate::wire`].
//! Never does: send or read. Driven by: the host's driver and the simulator's kernel.

use std::net::SocketAddr;

use super::kernel::{DestinationSpec, ForwardMethod, IpvsOp, IpvsService, ServiceSpec};
use crate::base::Duration;
use crate::wire::ipvs::{
    Destination, FORWARD_BYPASS, FORWARD_DIRECT, FORWARD_LOCAL, FORWARD_MASQUERADE, FORWARD_TUNNEL,
    Request, SERVICE_HASHED, SERVICE_PERSISTENT, Service, Tunnel,
};

impl IpvsOp {
    /// The request that carries the operation out.
    #[must_use]
    pub fn request(&self) -> Request {
        match self {
            Self::ServiceAdd(spec) => Request::NewService(spec.to_wire()),
            Self::ServiceSet(spec) => Request::SetService(spec.to_wire()),
            Self::ServiceDel(name) => Request::DelService(*name),
            Self::DestAdd(name, server) => Request::NewDestination(*name, server.to_wire()),
            Self::DestSet(name, server) => Request::SetDestination(*name, server.to_wire()),
            Self::DestDel(name, server) => Request::DelDestination(*name, *server),
            Self::Flush => Request::Flush,
            Self::Timeouts(timeouts) => Request::SetTimeouts(*timeouts),
            Self::DaemonStart(role, daemon) => Request::NewDaemon(*role, daemon.clone()),
            Self::DaemonStop(role) => Request::DelDaemon(*role),
        }
    }
}

impl ServiceSpec {
    fn to_wire(&self) -> Service {
        // As ipvsadm does, a service without persistence gets the mask of a single client.
        let (flags, timeout, client_prefix) = match self.persistence {
            None => (0, 0, self.name.family().bits()),
            Some((timeout, prefix)) => (SERVICE_PERSISTENT, seconds(timeout), prefix),
        };
        Service {
            id: self.name,
            scheduler: self.scheduler.to_owned(),
            engine: self.engine.clone(),
            flags: flags | self.flags,
            timeout,
            client_prefix,
        }
    }
}

impl DestinationSpec {
    fn to_wire(self) -> Destination {
        let (forward, tunnel) = match self.method {
            ForwardMethod::Masquerade => (FORWARD_MASQUERADE, Tunnel::default()),
            ForwardMethod::DirectRoute => (FORWARD_DIRECT, Tunnel::default()),
            ForwardMethod::Tunnel { kind, port, flags } => {
                (FORWARD_TUNNEL, Tunnel { kind, port, flags })
            }
        };
        Destination {
            address: self.address,
            forward,
            weight: self.weight,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
            tunnel,
        }
    }
}

impl From<Destination> for DestinationSpec {
    fn from(found: Destination) -> Self {
        let Tunnel { kind, port, flags } = found.tunnel;
        let method = match found.forward {
            FORWARD_TUNNEL => ForwardMethod::Tunnel { kind, port, flags },
            // Kernels before 4.0 show a server that is the director itself as LOCAL whatever was
            // asked for, and nobody asks for BYPASS: both need no frame rewritten, as direct
            // routing.
            FORWARD_DIRECT | FORWARD_LOCAL | FORWARD_BYPASS => ForwardMethod::DirectRoute,
            _ => ForwardMethod::Masquerade,
        };
        Self {
            address: found.address,
            weight: found.weight,
            method,
            upper_threshold: found.upper_threshold,
            lower_threshold: found.lower_threshold,
        }
    }
}

impl IpvsService {
    /// A table entry from the kernel's two dumps: of the services, and of this service's
    /// destinations.
    #[must_use]
    pub fn from_dump(found: Service, destinations: Vec<DestinationSpec>) -> Self {
        let persistence = (found.flags & SERVICE_PERSISTENT != 0).then(|| {
            (
                Duration::from_secs(u64::from(found.timeout)),
                found.client_prefix,
            )
        });
        Self {
            name: found.id,
            scheduler: found.scheduler,
            persistence,
            flags: found.flags & !(SERVICE_PERSISTENT | SERVICE_HASHED),
            engine: found.engine,
            destinations,
        }
    }

    /// The destination of that address.
    #[must_use]
    pub fn destination(&self, address: SocketAddr) -> Option<&DestinationSpec> {
        self.destinations
            .iter()
            .find(|found| found.address == address)
    }
}

/// Whole seconds, as IPVS counts them; what does not fit saturates.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Family;
    use crate::ops::ServiceName;
    use crate::wire::ipvs::SERVICE_ONE_PACKET;

    // Input: a service with and without persistence, and a server behind each kind of forwarding.
    // Output: what a dump of the same says.
    #[test]
    fn what_is_asked_for_is_what_is_found() {
        let plain = ServiceSpec {
            name: ServiceName::Address {
                address: "2001:db8::1".parse().unwrap(),
                port: 3306,
                protocol: 6,
            },
            scheduler: "wrr",
            persistence: None,
            flags: 0,
            engine: None,
        };
        let persistent = ServiceSpec {
            persistence: Some((Duration::from_secs(50), 64)),
            ..plain.clone()
        };
        let tunnel = ForwardMethod::Tunnel {
            kind: 1,
            port: 4754,
            flags: 1,
        };
        let marked = ServiceSpec {
            name: ServiceName::Mark {
                mark: 7,
                family: Family::V6,
            },
            flags: SERVICE_ONE_PACKET,
            engine: Some("sip".to_owned()),
            ..plain.clone()
        };
        for spec in [plain, persistent, marked] {
            let table = IpvsService::from_dump(spec.to_wire(), Vec::new());
            assert_eq!(table.name, spec.name);
            assert_eq!((table.flags, &table.engine), (spec.flags, &spec.engine));
            assert_eq!(table.scheduler, spec.scheduler);
            assert_eq!(table.persistence, spec.persistence);
        }
        for method in [
            ForwardMethod::Masquerade,
            ForwardMethod::DirectRoute,
            tunnel,
        ] {
            let server = DestinationSpec {
                address: SocketAddr::from(([192, 0, 2, 7], 3306)),
                weight: 3,
                method,
                upper_threshold: 1000,
                lower_threshold: 800,
            };
            assert_eq!(DestinationSpec::from(server.to_wire()), server);
        }
    }

    // Input: IP_VS_SVC_F_HASHED, which the kernel adds to every service, and _ONEPACKET.
    #[test]
    fn flags_that_nobody_asked_for_are_seen() {
        let spec = ServiceSpec {
            name: ServiceName::Mark {
                mark: 7,
                family: Family::V4,
            },
            scheduler: "sh",
            persistence: None,
            flags: 0,
            engine: None,
        };
        for (flags, seen) in [(SERVICE_HASHED, 0), (SERVICE_HASHED | 4, 4)] {
            let found = Service {
                flags,
                ..spec.to_wire()
            };
            let table = IpvsService::from_dump(found, Vec::new());
            assert_eq!(table.flags, seen);
        }
    }
}
