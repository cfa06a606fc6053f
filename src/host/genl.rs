//! The kernel's IPVS table over generic netlink.
//!
//! Owns: the socket, the number that the kernel gave the IPVS family, and how the operations of
//! the node are said in its messages. Never does: decide what should be in the table. Driven by:
//! `exec`, and `supervisor` when it cleans up.
//!
//! The module `ip_vs` may come and go while we run, so the number is looked up again after it
//! failed; `modprobe` is called once.

use std::io;
use std::process::{Command, Stdio};

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, ParseableParametrized};
use netlink_packet_generic::GenlHeader;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_sys::protocols::NETLINK_GENERIC;

use super::namespace::Namespace;
use super::request::{self, Raw, Requester};
use super::terms::Ipvs as Place;
use crate::base::ident;
use crate::conf::model::Buffer;
use crate::ops::{DestinationSpec, IpvsOp, IpvsService, Timeouts};
use crate::wire::ipvs::{self, Reply, Request, ServiceName};

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
    /// A socket belongs to the namespace that it was opened in.
    ///
    /// # Errors
    /// What the system refuses; there is no such namespace.
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        let open = || Requester::open(NETLINK_GENERIC);
        let requester = match place {
            Place::Here => open(),
            Place::Origin => Namespace::origin()?.within(open),
            Place::Named(name) => Namespace::named(name)?.within(open),
        };
        Ok(Self {
            requester: requester?,
            family: None,
            asked_for_module: false,
        })
    }

    /// Sets the size of the socket's receive buffer (`lvs_netlink_cmd_rcv_bufs`).
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        self.requester.set_buffer(wanted);
    }

    /// Carries out `ops` in order; returns the error number of each, 0 for success. `ENOENT` or
    /// `EOPNOTSUPP` for all of them: the kernel has no IPVS.
    pub(super) fn carry_out(&mut self, ops: &[&IpvsOp], buffer: &mut [u8]) -> Vec<i32> {
        let requests: Vec<_> = ops.iter().map(|op| op.request()).collect();
        self.requests(&requests, buffer)
    }

    /// Removes a service with its destinations; returns the error number.
    pub(super) fn remove(&mut self, service: ServiceName, buffer: &mut [u8]) -> i32 {
        self.requests(&[Request::DelService(service)], buffer)
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
            .batch(requests, buffer, |request, flags, sequence, out| {
                request.append(family, flags, sequence, out);
            })
    }

    /// Reads the whole table.
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
            table.push(self.with_destinations(family, service, buffer)?);
        }
        Ok(table)
    }

    /// Reads those of the services that there are.
    ///
    /// # Errors
    /// What the kernel says; `ENOENT` where it has no IPVS.
    pub(super) fn look(
        &mut self,
        names: &[ServiceName],
        buffer: &mut [u8],
    ) -> io::Result<Vec<IpvsService>> {
        let family = self.family(buffer)?;
        let mut found = Vec::with_capacity(names.len());
        for &name in names {
            let request = Request::GetService(name);
            match self.ask(family, (&request, NLM_F_REQUEST | NLM_F_ACK), buffer) {
                Ok(replies) => {
                    for reply in replies {
                        if let Reply::Service(service) = reply {
                            found.push(self.with_destinations(family, service, buffer)?);
                        }
                    }
                }
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Reads how long connections are kept; `None` where that cannot be had.
    pub(super) fn timeouts(&mut self, buffer: &mut [u8]) -> Option<Timeouts> {
        let family = self.family(buffer).ok()?;
        let request = Request::GetTimeouts;
        let replies = self.ask(family, (&request, NLM_F_REQUEST | NLM_F_ACK), buffer);
        let mut replies = replies.ok()?.into_iter();
        replies.find_map(|reply| match reply {
            Reply::Timeouts(timeouts) => Some(timeouts),
            Reply::Service(_) | Reply::Destination(_) => None,
        })
    }

    fn with_destinations(
        &mut self,
        family: u16,
        service: ipvs::Service,
        buffer: &mut [u8],
    ) -> io::Result<IpvsService> {
        let request = Request::GetDestinations(service.id);
        let destinations = self
            .dump(family, &request, buffer)?
            .into_iter()
            .filter_map(|reply| match reply {
                Reply::Destination(found) => Some(DestinationSpec::from(found)),
                Reply::Service(_) | Reply::Timeouts(_) => None,
            })
            .collect();
        Ok(IpvsService::from_dump(service, destinations))
    }

    fn dump(
        &mut self,
        family: u16,
        request: &Request,
        buffer: &mut [u8],
    ) -> io::Result<Vec<Reply>> {
        self.ask(family, (request, NLM_F_REQUEST | NLM_F_DUMP), buffer)
    }

    fn ask(
        &mut self,
        family: u16,
        (request, flags): (&Request, u16),
        buffer: &mut [u8],
    ) -> io::Result<Vec<Reply>> {
        let mut replies = Vec::new();
        let append = |sequence, out: &mut Vec<u8>| {
            request.append(family, flags, sequence, out);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Family;

    const SERVICE: ServiceName = ServiceName::Mark {
        mark: 7,
        family: Family::V4,
    };

    // The control family is there on every kernel and answers in the same way for all families.
    #[test]
    fn a_family_that_the_kernel_lacks_is_told_as_enoent() {
        let mut ipvs = Ipvs::open(&Place::Here).unwrap();
        ipvs.asked_for_module = true;
        let mut buffer = vec![0; 65536];
        match ipvs.family(&mut buffer) {
            Ok(family) => assert!(family > CONTROL),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
                let op = IpvsOp::ServiceDel(SERVICE);
                assert_eq!(ipvs.carry_out(&[&op], &mut buffer), [libc::ENOENT]);
            }
        }
    }
}
