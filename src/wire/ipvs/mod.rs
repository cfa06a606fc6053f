//! The generic netlink family `IPVS`: requests to the kernel and its replies to dumps.
//!
//! Owns: commands, attributes, and which number has which byte order (the kernel mixes them: see
//! [`attr`]). Never does: look up the family's number, send, or judge what it reads by anything
//! but its form; [`Reply`] takes any bytes and never panics. Driven by: `ops`, which turns
//! operations into requests and dumps into tables, and the host's netlink driver, which frames,
//! sends and reads acknowledgements.
//!
//! ```text
//! nlmsghdr | genlmsghdr: command, version 1 | 1 SERVICE { attributes } | 2 DEST { attributes }
//! ```
//!
//! Numbers and layouts: `include/uapi/linux/ip_vs.h`. A service is named by family, protocol,
//! address and port (or by a firewall mark); a request about a destination needs the name of its
//! service only, and the reply to a dump of destinations does not repeat it.

mod attr;
mod control;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{DecodeError, Emitable, NetlinkHeader, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

use crate::base::Family;
use attr::{Address, DestinationAttr, ServiceAttr};
pub use control::{SyncDaemon, SyncRole, Timeouts};

/// Name of the family, for the look-up of its number.
pub const FAMILY_NAME: &str = "IPVS";
/// Version of the family; there has only ever been this one.
pub const VERSION: u8 = 1;

/// `IP_VS_SVC_F_PERSISTENT`.
pub const SERVICE_PERSISTENT: u32 = 0x0001;
/// `IP_VS_SVC_F_ONEPACKET`: each packet is scheduled by itself.
pub const SERVICE_ONE_PACKET: u32 = 0x0004;
/// `IP_VS_SVC_F_SCHED1`; the second and third flag of the scheduler are the next two bits.
pub const SERVICE_SCHEDULER_1: u32 = 0x0008;
/// `IP_VS_SVC_F_HASHED`: the kernel's own mark that a service is in its table.
pub const SERVICE_HASHED: u32 = 0x0002;

/// `IP_VS_CONN_F_MASQ`: addresses are translated.
pub const FORWARD_MASQUERADE: u32 = 0;
/// `IP_VS_CONN_F_LOCALNODE`: old kernels show this for a server that is the director itself.
pub const FORWARD_LOCAL: u32 = 1;
/// `IP_VS_CONN_F_TUNNEL`: packets are wrapped.
pub const FORWARD_TUNNEL: u32 = 2;
/// `IP_VS_CONN_F_DROUTE`: frames go to the server's MAC address.
pub const FORWARD_DIRECT: u32 = 3;
/// `IP_VS_CONN_F_BYPASS`: for cache clusters.
pub const FORWARD_BYPASS: u32 = 4;
/// `IP_VS_CONN_F_FWD_MASK`.
const FORWARD_MASK: u32 = 7;

const CMD_NEW_SERVICE: u8 = 1;
const CMD_SET_SERVICE: u8 = 2;
const CMD_DEL_SERVICE: u8 = 3;
const CMD_GET_SERVICE: u8 = 4;
const CMD_NEW_DEST: u8 = 5;
const CMD_SET_DEST: u8 = 6;
const CMD_DEL_DEST: u8 = 7;
const CMD_GET_DEST: u8 = 8;
const CMD_NEW_DAEMON: u8 = 9;
const CMD_DEL_DAEMON: u8 = 10;
const CMD_SET_CONFIG: u8 = 12;
const CMD_GET_CONFIG: u8 = 13;
const CMD_FLUSH: u8 = 17;

/// `IPVS_CMD_ATTR_SERVICE`, `IPVS_CMD_ATTR_DEST` and `IPVS_CMD_ATTR_DAEMON`.
const ATTR_SERVICE: u16 = 1;
const ATTR_DEST: u16 = 2;
const ATTR_DAEMON: u16 = 3;

/// What names a virtual service in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceName {
    /// Packets to an address.
    Address {
        /// Virtual address.
        address: IpAddr,
        /// Virtual port; 0 takes all ports.
        port: u16,
        /// IP protocol number.
        protocol: u8,
    },
    /// Packets with a firewall mark.
    Mark {
        /// The mark.
        mark: u32,
        /// Their family.
        family: Family,
    },
}

impl ServiceName {
    /// Family of its packets.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Mark { family, .. } => *family,
        }
    }
}

impl fmt::Display for ServiceName {
    /// As the log names services: `[192.0.2.1]:tcp:80`, `FWM 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                address,
                port,
                protocol,
            } => {
                let protocol: &dyn fmt::Display = match protocol {
                    6 => &"tcp",
                    17 => &"udp",
                    132 => &"sctp",
                    other => other,
                };
                write!(f, "[{address}]:{protocol}:{port}")
            }
            Self::Mark { mark, .. } => write!(f, "FWM {mark}"),
        }
    }
}

/// A service with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub id: ServiceName,
    /// Name of the scheduler.
    pub scheduler: String,
    /// Name of the persistence engine, if there is one.
    pub engine: Option<String>,
    /// `IP_VS_SVC_F_*`.
    pub flags: u32,
    /// Persistence timeout in seconds; 0 if not persistent.
    pub timeout: u32,
    /// Length of the prefix that makes one client. In a reply 0 also stands for an IPv4 mask that
    /// is no prefix (the kernel takes any).
    pub client_prefix: u8,
}

/// A destination of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Address and port of the server.
    pub address: SocketAddr,
    /// `FORWARD_*`.
    pub forward: u32,
    /// Weight, 0 to 2^31-1.
    pub weight: u32,
    /// Connections from which on it gets no new ones; 0 is no limit.
    pub upper_threshold: u32,
    /// Connections below which it gets new ones again; 0 is three quarters of the upper one.
    pub lower_threshold: u32,
    /// How packets are wrapped, for [`FORWARD_TUNNEL`]; zeros otherwise.
    pub tunnel: Tunnel,
}

/// `IPVS_DEST_ATTR_TUN_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tunnel {
    /// `IP_VS_CONN_F_TUNNEL_TYPE_*`: 0 IPIP, 1 GUE, 2 GRE.
    pub kind: u8,
    /// UDP port (GUE).
    pub port: u16,
    /// 0 no checksum, 1 checksum, 2 remote checksum offload.
    pub flags: u16,
}

/// What the kernel can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Adds a service; EEXIST if there is one of that name.
    NewService(Service),
    /// Gives a service new settings, keeps its destinations and connections; ESRCH if there is none.
    SetService(Service),
    /// Removes a service with its destinations; ESRCH if there is none.
    DelService(ServiceName),
    /// Adds a destination; EEXIST if the service has it, ESRCH if there is no such service.
    NewDestination(ServiceName, Destination),
    /// Gives a destination new settings; ENOENT if the service has none of that name.
    SetDestination(ServiceName, Destination),
    /// Removes a destination; ENOENT if the service has none of that name.
    DelDestination(ServiceName, SocketAddr),
    /// Removes all services.
    Flush,
    /// Changes timeouts.
    SetTimeouts(Timeouts),
    /// Starts a daemon; EEXIST if it runs.
    NewDaemon(SyncRole, SyncDaemon),
    /// Stops a daemon; ESRCH if it does not run.
    DelDaemon(SyncRole),
    /// Asks for the timeouts.
    GetTimeouts,
    /// Asks for one service; ESRCH if there is none.
    GetService(ServiceName),
    /// Asks for all services (needs `NLM_F_DUMP`).
    GetServices,
    /// Asks for the destinations of a service (needs `NLM_F_DUMP`).
    GetDestinations(ServiceName),
}

/// What the kernel says in a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A service.
    Service(Service),
    /// A destination of the service that was asked for.
    Destination(Destination),
    /// How long connections are kept.
    Timeouts(Timeouts),
}

impl Request {
    /// Appends the whole netlink message to `out`, so that many of them make one send. `family`
    /// is the number that the kernel gave the family, `flags` are `NLM_F_*`.
    pub fn append(&self, family: u16, flags: u16, sequence: u32, out: &mut Vec<u8>) {
        let genl = GenlHeader {
            cmd: self.command(),
            version: VERSION,
        };
        let mut header = NetlinkHeader::default();
        let own = self.attributes();
        let length = header.buffer_len() + genl.buffer_len() + own.buffer_len();
        // Not even the longest request comes near 4 GiB.
        header.length = u32::try_from(length).unwrap_or(u32::MAX);
        header.message_type = family;
        header.flags = flags;
        header.sequence_number = sequence;
        let start = out.len();
        out.resize(start + length, 0);
        let (_, message) = out.split_at_mut(start);
        header.emit(message);
        let (_, rest) = message.split_at_mut(header.buffer_len());
        genl.emit(rest);
        let (_, attributes) = rest.split_at_mut(genl.buffer_len());
        own.emit(attributes);
    }

    fn attributes(&self) -> Attributes {
        let (service, destination) = self.nests();
        Attributes {
            service: service.map(|attrs| attr::Nest(ATTR_SERVICE, attrs)),
            destination: destination.map(|attrs| attr::Nest(ATTR_DEST, attrs)),
            daemon: self.daemon().map(|attrs| attr::Nest(ATTR_DAEMON, attrs)),
            bare: self.bare(),
        }
    }

    /// The attributes of the two nests; `None` where the command has no such nest.
    fn nests(&self) -> (Option<Vec<ServiceAttr>>, Option<Vec<DestinationAttr>>) {
        match self {
            Self::NewService(service) | Self::SetService(service) => {
                (Some(service_attrs(service)), None)
            }
            Self::DelService(id) | Self::GetDestinations(id) | Self::GetService(id) => {
                (Some(id_attrs(id)), None)
            }
            Self::NewDestination(id, destination) | Self::SetDestination(id, destination) => {
                (Some(id_attrs(id)), Some(destination_attrs(destination)))
            }
            Self::DelDestination(id, address) => {
                (Some(id_attrs(id)), Some(destination_id_attrs(*address)))
            }
            Self::GetServices
            | Self::GetTimeouts
            | Self::Flush
            | Self::SetTimeouts(_)
            | Self::NewDaemon(..)
            | Self::DelDaemon(_) => (None, None),
        }
    }

    /// The attributes of the nest of a daemon, if the command has one.
    fn daemon(&self) -> Option<Vec<control::ControlAttr>> {
        match self {
            Self::NewDaemon(role, daemon) => Some(control::daemon_attrs(*role, daemon)),
            Self::DelDaemon(role) => Some(control::role_attrs(*role)),
            Self::NewService(_)
            | Self::SetService(_)
            | Self::DelService(_)
            | Self::NewDestination(..)
            | Self::SetDestination(..)
            | Self::DelDestination(..)
            | Self::Flush
            | Self::SetTimeouts(_)
            | Self::GetService(_)
            | Self::GetTimeouts
            | Self::GetServices
            | Self::GetDestinations(_) => None,
        }
    }

    /// The attributes that stand in no nest.
    fn bare(&self) -> Vec<control::ControlAttr> {
        if let Self::SetTimeouts(timeouts) = self {
            control::timeout_attrs(*timeouts)
        } else {
            Vec::new()
        }
    }
}

impl GenlFamily for Request {
    fn family_name() -> &'static str {
        FAMILY_NAME
    }

    fn command(&self) -> u8 {
        match self {
            Self::NewService(_) => CMD_NEW_SERVICE,
            Self::SetService(_) => CMD_SET_SERVICE,
            Self::DelService(_) => CMD_DEL_SERVICE,
            Self::NewDestination(..) => CMD_NEW_DEST,
            Self::SetDestination(..) => CMD_SET_DEST,
            Self::DelDestination(..) => CMD_DEL_DEST,
            Self::Flush => CMD_FLUSH,
            Self::SetTimeouts(_) => CMD_SET_CONFIG,
            Self::GetTimeouts => CMD_GET_CONFIG,
            Self::NewDaemon(..) => CMD_NEW_DAEMON,
            Self::DelDaemon(_) => CMD_DEL_DAEMON,
            Self::GetServices | Self::GetService(_) => CMD_GET_SERVICE,
            Self::GetDestinations(_) => CMD_GET_DEST,
        }
    }

    fn version(&self) -> u8 {
        VERSION
    }
}

/// What stands behind the two headers of a request.
struct Attributes {
    service: Option<attr::Nest<ServiceAttr>>,
    destination: Option<attr::Nest<DestinationAttr>>,
    daemon: Option<attr::Nest<control::ControlAttr>>,
    bare: Vec<control::ControlAttr>,
}

impl Emitable for Attributes {
    fn buffer_len(&self) -> usize {
        self.service.as_ref().map_or(0, Emitable::buffer_len)
            + self.destination.as_ref().map_or(0, Emitable::buffer_len)
            + self.daemon.as_ref().map_or(0, Emitable::buffer_len)
            + self.bare.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let mut rest = buffer;
        if let Some(nest) = &self.service {
            rest = nest.emit_into(rest);
        }
        if let Some(nest) = &self.destination {
            rest = nest.emit_into(rest);
        }
        if let Some(nest) = &self.daemon {
            rest = nest.emit_into(rest);
        }
        self.bare.as_slice().emit(rest);
    }
}

fn id_attrs(id: &ServiceName) -> Vec<ServiceAttr> {
    let family = ServiceAttr::Family(attr::family_number(id.family()));
    match *id {
        ServiceName::Address {
            address,
            port,
            protocol,
        } => vec![
            family,
            ServiceAttr::Protocol(u16::from(protocol)),
            ServiceAttr::Address(Address::from(address)),
            ServiceAttr::Port(port),
        ],
        ServiceName::Mark { mark, .. } => vec![family, ServiceAttr::Mark(mark)],
    }
}

fn service_attrs(service: &Service) -> Vec<ServiceAttr> {
    let mut attrs = id_attrs(&service.id);
    attrs.extend(service.engine.clone().map(ServiceAttr::Engine));
    attrs.extend([
        ServiceAttr::Scheduler(service.scheduler.clone()),
        // The mask says which flags the value decides: all of them.
        ServiceAttr::Flags {
            value: service.flags,
            mask: u32::MAX,
        },
        ServiceAttr::Timeout(service.timeout),
        ServiceAttr::Netmask(attr::netmask(service.id.family(), service.client_prefix)),
    ]);
    attrs
}

fn destination_id_attrs(address: SocketAddr) -> Vec<DestinationAttr> {
    vec![
        DestinationAttr::Family(attr::family_number(Family::of(address.ip()))),
        DestinationAttr::Address(Address::from(address.ip())),
        DestinationAttr::Port(address.port()),
    ]
}

fn destination_attrs(destination: &Destination) -> Vec<DestinationAttr> {
    let mut attrs = destination_id_attrs(destination.address);
    attrs.extend([
        DestinationAttr::Forward(destination.forward),
        DestinationAttr::Weight(destination.weight),
    ]);
    // Kernels before 5.3 do not know these; they are sent only where they say something.
    if destination.tunnel != Tunnel::default() {
        attrs.extend([
            DestinationAttr::TunnelKind(destination.tunnel.kind),
            DestinationAttr::TunnelPort(destination.tunnel.port),
            DestinationAttr::TunnelFlags(destination.tunnel.flags),
        ]);
    }
    // The kernel demands both, 0 or not.
    attrs.extend([
        DestinationAttr::UpperThreshold(destination.upper_threshold),
        DestinationAttr::LowerThreshold(destination.lower_threshold),
    ]);
    attrs
}

impl ParseableParametrized<[u8], GenlHeader> for Reply {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        // The kernel answers a question for the settings with the command that sets them.
        if header.cmd == CMD_SET_CONFIG {
            return control::timeouts_in(bytes).map(Self::Timeouts);
        }
        for (kind, value) in attr::each(bytes) {
            match (header.cmd, kind) {
                (CMD_NEW_SERVICE, ATTR_SERVICE) => return parse_service(value),
                (CMD_NEW_DEST, ATTR_DEST) => {
                    return parse_destination(value).map(Self::Destination);
                }
                // A later kernel may say more than we ask for.
                (_, _) => {}
            }
        }
        Err(DecodeError::from(format!(
            "IPVS command {} without a service or destination",
            header.cmd
        )))
    }
}

/// The value of an attribute that has to be there.
fn needed<T>(value: Option<T>, what: &str) -> Result<T, DecodeError> {
    value.ok_or_else(|| DecodeError::from(format!("IPVS reply without {what}")))
}

fn parse_service(bytes: &[u8]) -> Result<Reply, DecodeError> {
    let (mut family, mut protocol, mut address, mut port, mut mark) =
        (None, None, None, None, None);
    let (mut scheduler, mut flags, mut timeout, mut netmask) = (None, None, None, None);
    let mut engine = None;
    for (kind, value) in attr::each(bytes) {
        match ServiceAttr::parse(kind, value)? {
            Some(ServiceAttr::Family(number)) => family = attr::family(number),
            Some(ServiceAttr::Protocol(number)) => protocol = u8::try_from(number).ok(),
            Some(ServiceAttr::Address(raw)) => address = Some(raw),
            Some(ServiceAttr::Port(number)) => port = Some(number),
            Some(ServiceAttr::Mark(number)) => mark = Some(number),
            Some(ServiceAttr::Scheduler(name)) => scheduler = Some(name),
            Some(ServiceAttr::Engine(name)) => engine = Some(name),
            Some(ServiceAttr::Flags { value, mask: _ }) => flags = Some(value),
            Some(ServiceAttr::Timeout(seconds)) => timeout = Some(seconds),
            Some(ServiceAttr::Netmask(raw)) => netmask = Some(raw),
            None => {}
        }
    }
    let family = needed(family, "a known address family")?;
    let id = match mark {
        Some(mark) => ServiceName::Mark { mark, family },
        None => ServiceName::Address {
            address: needed(address, "an address")?.of_family(family),
            port: needed(port, "a port")?,
            protocol: needed(protocol, "a protocol")?,
        },
    };
    Ok(Reply::Service(Service {
        id,
        engine,
        scheduler: needed(scheduler, "a scheduler")?,
        flags: needed(flags, "flags")?,
        timeout: timeout.unwrap_or(0),
        client_prefix: netmask.map_or(0, |raw| attr::prefix(family, raw)),
    }))
}

fn parse_destination(bytes: &[u8]) -> Result<Destination, DecodeError> {
    let (mut family, mut address, mut port) = (None, None, None);
    let (mut forward, mut weight, mut tunnel) = (None, None, Tunnel::default());
    let (mut upper_threshold, mut lower_threshold) = (0, 0);
    for (kind, value) in attr::each(bytes) {
        match DestinationAttr::parse(kind, value)? {
            Some(DestinationAttr::Family(number)) => family = attr::family(number),
            Some(DestinationAttr::Address(raw)) => address = Some(raw),
            Some(DestinationAttr::Port(number)) => port = Some(number),
            Some(DestinationAttr::Forward(number)) => forward = Some(number & FORWARD_MASK),
            Some(DestinationAttr::Weight(number)) => weight = Some(number),
            Some(DestinationAttr::TunnelKind(kind)) => tunnel.kind = kind,
            Some(DestinationAttr::TunnelPort(port)) => tunnel.port = port,
            Some(DestinationAttr::TunnelFlags(flags)) => tunnel.flags = flags,
            Some(DestinationAttr::UpperThreshold(limit)) => upper_threshold = limit,
            Some(DestinationAttr::LowerThreshold(limit)) => lower_threshold = limit,
            None => {}
        }
    }
    let address: Address = needed(address, "an address")?;
    // Kernels before 3.18 do not say the family: servers then have the family of their service.
    // Only an IPv4 address leaves the last twelve bytes zero.
    let family = family.unwrap_or_else(|| address.likely_family());
    let forward = needed(forward, "a forwarding method")?;
    Ok(Destination {
        address: SocketAddr::new(address.of_family(family), needed(port, "a port")?),
        forward,
        weight: needed(weight, "a weight")?,
        upper_threshold,
        lower_threshold,
        tunnel: if forward == FORWARD_TUNNEL {
            tunnel
        } else {
            Tunnel::default()
        },
    })
}
