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

use netlink_packet_core::{DecodeError, ParseableParametrized};
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
        // Written in one pass: of a table of ten thousand entries each is such a message.
        let start = out.len();
        out.extend([0; LENGTH]);
        out.extend(family.to_ne_bytes());
        out.extend(flags.to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        // The port: that of the socket.
        out.extend([0; 4]);
        out.extend([self.command(), VERSION, 0, 0]);
        self.append_attributes(out);
        // Not even the longest request comes near 4 GiB.
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(start..start + LENGTH) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn append_attributes(&self, out: &mut Vec<u8>) {
        let name = |id: &ServiceName, out: &mut Vec<u8>| {
            attr::nest(ATTR_SERVICE, out, |out| put_id(id, out));
        };
        match self {
            Self::NewService(service) | Self::SetService(service) => {
                attr::nest(ATTR_SERVICE, out, |out| put_service(service, out));
            }
            Self::DelService(id) | Self::GetDestinations(id) | Self::GetService(id) => {
                name(id, out);
            }
            Self::NewDestination(id, destination) | Self::SetDestination(id, destination) => {
                name(id, out);
                attr::nest(ATTR_DEST, out, |out| put_destination(destination, out));
            }
            Self::DelDestination(id, address) => {
                name(id, out);
                attr::nest(ATTR_DEST, out, |out| put_destination_id(*address, out));
            }
            Self::NewDaemon(role, daemon) => attr::nest(ATTR_DAEMON, out, |out| {
                attr::put_all(&control::daemon_attrs(*role, daemon), out);
            }),
            Self::DelDaemon(role) => attr::nest(ATTR_DAEMON, out, |out| {
                attr::put_all(&control::role_attrs(*role), out);
            }),
            // These stand in no nest.
            Self::SetTimeouts(timeouts) => attr::put_all(&control::timeout_attrs(*timeouts), out),
            Self::GetServices | Self::GetTimeouts | Self::Flush => {}
        }
    }
}

/// Length of `nlmsg_len`.
const LENGTH: usize = 4;

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

fn put_id(id: &ServiceName, out: &mut Vec<u8>) {
    let family = ServiceAttr::Family(attr::family_number(id.family()));
    attr::put(&family, out);
    match *id {
        ServiceName::Address {
            address,
            port,
            protocol,
        } => {
            attr::put(&ServiceAttr::Protocol(u16::from(protocol)), out);
            attr::put(&ServiceAttr::Address(Address::from(address)), out);
            attr::put(&ServiceAttr::Port(port), out);
        }
        ServiceName::Mark { mark, .. } => attr::put(&ServiceAttr::Mark(mark), out),
    }
}

fn put_service(service: &Service, out: &mut Vec<u8>) {
    put_id(&service.id, out);
    if let Some(engine) = &service.engine {
        attr::put(&ServiceAttr::Engine(engine.clone()), out);
    }
    attr::put(&ServiceAttr::Scheduler(service.scheduler.clone()), out);
    // The mask says which flags the value decides: all of them.
    let (value, mask) = (service.flags, u32::MAX);
    attr::put(&ServiceAttr::Flags { value, mask }, out);
    attr::put(&ServiceAttr::Timeout(service.timeout), out);
    let mask = attr::netmask(service.id.family(), service.client_prefix);
    attr::put(&ServiceAttr::Netmask(mask), out);
}

fn put_destination_id(address: SocketAddr, out: &mut Vec<u8>) {
    let family = attr::family_number(Family::of(address.ip()));
    attr::put(&DestinationAttr::Family(family), out);
    attr::put(&DestinationAttr::Address(Address::from(address.ip())), out);
    attr::put(&DestinationAttr::Port(address.port()), out);
}

fn put_destination(destination: &Destination, out: &mut Vec<u8>) {
    put_destination_id(destination.address, out);
    attr::put(&DestinationAttr::Forward(destination.forward), out);
    attr::put(&DestinationAttr::Weight(destination.weight), out);
    // Kernels before 5.3 do not know these; they are sent only where they say something.
    let tunnel = destination.tunnel;
    if tunnel != Tunnel::default() {
        attr::put(&DestinationAttr::TunnelKind(tunnel.kind), out);
        attr::put(&DestinationAttr::TunnelPort(tunnel.port), out);
        attr::put(&DestinationAttr::TunnelFlags(tunnel.flags), out);
    }
    // The kernel demands both, 0 or not.
    let upper = DestinationAttr::UpperThreshold(destination.upper_threshold);
    attr::put(&upper, out);
    let lower = DestinationAttr::LowerThreshold(destination.lower_threshold);
    attr::put(&lower, out);
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
