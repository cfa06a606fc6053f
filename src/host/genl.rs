//! The kernel's IPVS table over generic netlink.
//!
//! Owns: the socket, the number that the kernel gave the IPVS family, and how the operations of
//! the node are said in its messages. Never does: decide what should be in the table. Driven by:
//! `exec`, and `supervisor` when it cleans up.
//!
//! The module `ip_vs` may come and go while we run, so the number is looked up again after it
//! failed; `modprobe` is called once.

use std::io;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, ParseableParametrized};
use netlink_packet_generic::GenlHeader;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_sys::protocols::NETLINK_GENERIC;

use super::request::{self, Raw, Requester};
use crate::base::{Duration, ident};
use crate::ops::{DestinationSpec, ForwardMethod, IpvsOp, IpvsService, ServiceSpec};
use crate::wire::ipvs::{
    self, Destination, FORWARD_DIRECT, FORWARD_MASQUERADE, FORWARD_TUNNEL, Reply, Request,
    SERVICE_PERSISTENT, Service, ServiceId, Tunnel,
};

/// `GENL_ID_CTRL`: the family that knows the others.
const CONTROL: u16 = 16;
/// Length of the header of every generic netlink message.
const GENL_HEADER: usize = 4;

/// The way to the table.
#[derive(Debug)]
pub(super) struct Ipvs {
    requester: Requester,
    family: Option<u16>,
    asked_for_module: bool,
}

impl Ipvs {
    /// Opens the socket; whether the kernel has IPVS shows at the first use.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            requester: Requester::open(NETLINK_GENERIC)?,
            family: None,
            asked_for_module: false,
        })
    }

    /// Carries out `ops` in order; returns the error number of each, 0 for success. `ENOENT` or
    /// `EOPNOTSUPP` for all of them: the kernel has no IPVS.
    pub(super) fn carry_out(&mut self, ops: &[&IpvsOp], buffer: &mut [u8]) -> Vec<i32> {
        let requests: Vec<_> = ops.iter().map(|op| request_of(op)).collect();
        self.requests(&requests, buffer)
    }

    /// Removes a service with its destinations; returns the error number.
    pub(super) fn remove(
        &mut self,
        (address, port, protocol): (IpAddr, u16, u8),
        buffer: &mut [u8],
    ) -> i32 {
        let id = ServiceId {
            address,
            port,
            protocol,
        };
        self.requests(&[Request::DelService(id)], buffer)
            .first()
            .copied()
            .unwrap_or(libc::EIO)
    }

    fn requests(&mut self, requests: &[Request], buffer: &mut [u8]) -> Vec<i32> {
        let family = match self.family(buffer) {
            Ok(family) => family,
            Err(error) => return vec![error.raw_os_error().unwrap_or(libc::EIO); requests.len()],
        };
        self.requester
            .batch(requests, buffer, |request, sequence, out| {
                let flags = NLM_F_REQUEST | NLM_F_ACK;
                request.clone().append(family, flags, sequence, out);
            })
    }

    /// Reads the whole table. Services that firewall marks name are left out: they are not ours.
    ///
    /// # Errors
    /// What the kernel says; `ENOENT` where it has no IPVS.
    pub(super) fn table(&mut self, buffer: &mut [u8]) -> io::Result<Vec<IpvsService>> {
        let family = self.family(buffer)?;
        let mut services = Vec::new();
        for reply in self.dump(family, &Request::GetServices, buffer)? {
            if let Reply::Service(service) = reply {
                services.push(service);
            }
        }
        let mut table = Vec::with_capacity(services.len());
        for service in services {
            let request = Request::GetDestinations(service.id);
            let destinations = self
                .dump(family, &request, buffer)?
                .into_iter()
                .filter_map(|reply| match reply {
                    Reply::Destination(destination) => destination_found(&destination),
                    Reply::Service(_) | Reply::MarkService(_) => None,
                })
                .collect();
            table.push(service_found(service, destinations));
        }
        Ok(table)
    }

    fn dump(
        &mut self,
        family: u16,
        request: &Request,
        buffer: &mut [u8],
    ) -> io::Result<Vec<Reply>> {
        let mut replies = Vec::new();
        let append = |sequence, out: &mut Vec<u8>| {
            let flags = NLM_F_REQUEST | NLM_F_DUMP;
            request.clone().append(family, flags, sequence, out);
        };
        self.requester
            .query(buffer, append, |_, payload| match reply_of(payload) {
                Some(reply) => replies.push(reply),
                None => {
                    log::debug!(target: ident::CHECK, "IPVS: skipping a reply that cannot be read");
                }
            })?;
        Ok(replies)
    }

    /// The number of the family, with the module loaded if need be.
    fn family(&mut self, buffer: &mut [u8]) -> io::Result<u16> {
        if let Some(family) = self.family {
            return Ok(family);
        }
        let mut found = self.look_up(buffer);
        if found.is_err() && !self.asked_for_module {
            self.asked_for_module = true;
            load_module();
            found = self.look_up(buffer);
        }
        let family = found?;
        self.family = Some(family);
        Ok(family)
    }

    fn look_up(&mut self, buffer: &mut [u8]) -> io::Result<u16> {
        let control = GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(ipvs::FAMILY_NAME.to_owned())],
        };
        let mut payload = vec![0; GENL_HEADER];
        GenlHeader { cmd: 3, version: 2 }.emit(&mut payload);
        payload.extend(request::bytes_of(&control));
        let raw = Raw {
            kind: CONTROL,
            payload: &payload,
        };
        let mut family = None;
        let append = |sequence, out: &mut Vec<u8>| {
            request::append(out, raw, NLM_F_REQUEST | NLM_F_ACK, sequence);
        };
        self.requester.query(buffer, append, |_, payload| {
            family = family.or_else(|| family_in(payload));
        })?;
        family.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

fn family_in(payload: &[u8]) -> Option<u16> {
    let header = header_of(payload)?;
    let control = GenlCtrl::parse_with_param(payload.get(GENL_HEADER..)?, header).ok()?;
    control.nlas.iter().find_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(family) => Some(*family),
        _ => None,
    })
}

fn reply_of(payload: &[u8]) -> Option<Reply> {
    let header = header_of(payload)?;
    Reply::parse_with_param(payload.get(GENL_HEADER..)?, header).ok()
}

fn header_of(payload: &[u8]) -> Option<GenlHeader> {
    GenlHeader::parse(payload).ok()
}

/// As keepalived does it: quietly, and without believing in success.
fn load_module() {
    let status = Command::new("/sbin/modprobe")
        .args(["-s", "--", "ip_vs"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => log::debug!(target: ident::CHECK, "modprobe ip_vs: {status}"),
        Err(error) => log::debug!(target: ident::CHECK, "/sbin/modprobe: {error}"),
    }
}

fn id_of(spec: &ServiceSpec) -> ServiceId {
    ServiceId {
        address: spec.address,
        port: spec.port,
        protocol: spec.protocol,
    }
}

fn service_of(spec: &ServiceSpec) -> Service {
    let (flags, timeout, client_prefix) = match spec.persistence {
        Some((timeout, prefix)) => (
            SERVICE_PERSISTENT,
            u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX),
            prefix,
        ),
        None => (0, 0, spec.family().bits()),
    };
    Service {
        id: id_of(spec),
        scheduler: spec.scheduler.to_owned(),
        flags,
        timeout,
        client_prefix,
    }
}

fn destination_of(spec: &DestinationSpec) -> Destination {
    let (forward, tunnel) = match spec.method {
        ForwardMethod::Masquerade => (FORWARD_MASQUERADE, Tunnel::default()),
        ForwardMethod::DirectRoute => (FORWARD_DIRECT, Tunnel::default()),
        ForwardMethod::Tunnel { kind, port, flags } => {
            (FORWARD_TUNNEL, Tunnel { kind, port, flags })
        }
    };
    Destination {
        address: spec.address,
        forward,
        weight: spec.weight,
        tunnel,
    }
}

fn request_of(op: &IpvsOp) -> Request {
    match op {
        IpvsOp::ServiceAdd(service) => Request::NewService(service_of(service)),
        IpvsOp::ServiceSet(service) => Request::SetService(service_of(service)),
        IpvsOp::ServiceDel(service) => Request::DelService(id_of(service)),
        IpvsOp::DestAdd(service, destination) => {
            Request::NewDestination(id_of(service), destination_of(destination))
        }
        IpvsOp::DestSet(service, destination) => {
            Request::SetDestination(id_of(service), destination_of(destination))
        }
        IpvsOp::DestDel(service, destination) => {
            Request::DelDestination(id_of(service), destination.address)
        }
    }
}

fn service_found(service: Service, destinations: Vec<DestinationSpec>) -> IpvsService {
    let persistent = service.flags & SERVICE_PERSISTENT != 0;
    IpvsService {
        address: service.id.address,
        port: service.id.port,
        protocol: service.id.protocol,
        scheduler: service.scheduler,
        persistence: persistent.then(|| {
            let timeout = Duration::from_secs(u64::from(service.timeout));
            (timeout, service.client_prefix)
        }),
        destinations,
    }
}

/// `None` for ways of forwarding that a configuration cannot ask for.
fn destination_found(destination: &Destination) -> Option<DestinationSpec> {
    let method = match destination.forward {
        // A server on the director itself is shown as local whatever it was added as.
        FORWARD_MASQUERADE | ipvs::FORWARD_LOCAL => ForwardMethod::Masquerade,
        FORWARD_DIRECT => ForwardMethod::DirectRoute,
        FORWARD_TUNNEL => ForwardMethod::Tunnel {
            kind: destination.tunnel.kind,
            port: destination.tunnel.port,
            flags: destination.tunnel.flags,
        },
        _ => return None,
    };
    Some(DestinationSpec {
        address: destination.address,
        weight: destination.weight,
        method,
    })
}

/// The service that an operation concerns, as the ledger names it.
pub(super) fn service_name(op: &IpvsOp) -> (IpAddr, u16, u8) {
    let (IpvsOp::ServiceAdd(service)
    | IpvsOp::ServiceSet(service)
    | IpvsOp::ServiceDel(service)
    | IpvsOp::DestAdd(service, _)
    | IpvsOp::DestSet(service, _)
    | IpvsOp::DestDel(service, _)) = op;
    (service.address, service.port, service.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn service() -> ServiceSpec {
        ServiceSpec {
            address: "192.0.2.1".parse().unwrap(),
            port: 3306,
            protocol: 6,
            scheduler: "wrr",
            persistence: Some((Duration::from_secs(50), 32)),
        }
    }

    // Input: a persistent service and a tunnelled server. Output: what the dump of the same says.
    #[test]
    fn what_is_asked_for_is_what_is_found() {
        let spec = service();
        let destination = DestinationSpec {
            address: SocketAddr::from(([192, 0, 2, 7], 3306)),
            weight: 3,
            method: ForwardMethod::Tunnel {
                kind: 1,
                port: 4754,
                flags: 1,
            },
        };
        let found = destination_found(&destination_of(&destination)).unwrap();
        assert_eq!(found, destination);
        let table = service_found(service_of(&spec), vec![found]);
        assert_eq!(table.persistence, spec.persistence);
        assert_eq!(table.scheduler, "wrr");
        let plain = ServiceSpec {
            persistence: None,
            ..spec
        };
        assert_eq!(
            service_found(service_of(&plain), Vec::new()).persistence,
            None
        );
    }

    // The control family is there on every kernel and answers in the same way for all families.
    #[test]
    fn a_family_that_the_kernel_lacks_is_told_as_enoent() {
        let mut ipvs = Ipvs::open().unwrap();
        ipvs.asked_for_module = true;
        let mut buffer = vec![0; 65536];
        match ipvs.family(&mut buffer) {
            Ok(family) => assert!(family > CONTROL),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
                let op = IpvsOp::ServiceDel(service());
                assert_eq!(ipvs.carry_out(&[&op], &mut buffer), [libc::ENOENT]);
            }
        }
    }

    #[test]
    fn operations_name_their_service_for_the_ledger() {
        assert_eq!(
            service_name(&IpvsOp::ServiceSet(service())),
            ("192.0.2.1".parse().unwrap(), 3306, 6)
        );
    }
}
