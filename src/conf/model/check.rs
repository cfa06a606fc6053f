//! `virtual_server`, `real_server` and their health checks.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use super::{GroupEntry, Probe, ServerPolicy, ServicePolicy};
use crate::base::{Duration, Family, Shared};

/// Transport protocol of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// keepalived's spelling in log lines: `tcp`, `udp`, `sctp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// The protocol number in the IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// What identifies a virtual service across a reload and in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// `virtual_server ADDRESS PORT`
    Address(ServiceAddress),
    /// `virtual_server fwmark MARK`
    Fwmark {
        /// The mark of its packets.
        mark: u32,
        /// Their family.
        family: Family,
    },
    /// `virtual_server group NAME`; the kernel has a service for each of its addresses and marks.
    Group {
        /// Name of the `virtual_server_group`.
        name: String,
        /// How many services of this group stand before it.
        nth: Nth,
        /// `None` if the group has marks alone.
        protocol: Option<Protocol>,
    },
}

/// A number by which the log tells services of one group apart. It is no part of the identity: a
/// service stays itself when one before it goes.
#[derive(Debug, Clone, Copy)]
pub struct Nth(pub u32);

impl PartialEq for Nth {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Nth {}

impl PartialOrd for Nth {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Nth {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Nth {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A virtual service that has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceAddress {
    /// The virtual address.
    pub address: IpAddr,
    /// The virtual port; 0 takes all ports (needs persistence).
    pub port: u16,
    /// `protocol`.
    pub protocol: Protocol,
}

impl ServiceKey {
    /// The key of a service that has an address.
    #[must_use]
    pub const fn address(address: IpAddr, port: u16, protocol: Protocol) -> Self {
        Self::Address(ServiceAddress {
            address,
            port,
            protocol,
        })
    }

    /// `protocol`; a mark has none.
    #[must_use]
    pub const fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Address(address) => Some(address.protocol),
            Self::Fwmark { .. } => None,
            Self::Group { protocol, .. } => *protocol,
        }
    }
}

impl fmt::Display for ServiceKey {
    /// As keepalived 2.x prints it: `[192.0.2.1]:tcp:80`, `FWM 7`, `[group]:0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ServiceAddress {
                address,
                port,
                protocol,
            }) => write!(f, "[{address}]:{}:{port}", protocol.name()),
            Self::Fwmark { mark, .. } => write!(f, "FWM {mark}"),
            Self::Group { name, nth, .. } => write!(f, "[{name}]:{}", nth.0),
        }
    }
}

/// What identifies a real server within its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealServerKey {
    /// Its address.
    pub address: IpAddr,
    /// Its port; the service's where none is given.
    pub port: u16,
}

impl fmt::Display for RealServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.address, self.port)
    }
}

/// A scheduling algorithm of the kernel (`lb_algo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The names are the kernel's own.
pub enum Scheduler {
    Rr,
    Wrr,
    Lc,
    Wlc,
    Lblc,
    Lblcr,
    Dh,
    Sh,
    Mh,
    Sed,
    Nq,
    Fo,
    Ovf,
    Twos,
}

impl Scheduler {
    /// Every scheduler, in the order of keepalived's manual.
    pub const ALL: [Self; 14] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Lblc,
        Self::Sh,
        Self::Mh,
        Self::Dh,
        Self::Fo,
        Self::Ovf,
        Self::Lblcr,
        Self::Sed,
        Self::Nq,
        Self::Twos,
    ];

    /// The name in the configuration and in the kernel.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Mh => "mh",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Twos => "twos",
        }
    }

    /// The scheduler of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scheduler| scheduler.name() == name)
    }
}

/// How a packet reaches the real server (`lb_kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forwarding {
    /// Addresses are translated; replies come back through the director.
    Nat,
    /// The frame is sent on to the server's MAC address; replies go directly.
    Dr,
    /// The packet is wrapped; replies go directly.
    Tun(TunnelKind),
}

/// How `lb_kind TUN` wraps a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    /// IP in IP, the default.
    Ipip,
    /// Generic UDP encapsulation.
    Gue {
        /// UDP port at the real server.
        port: u16,
        /// Checksums (`nocsum`, `csum`, `remcsum`).
        checksum: TunnelChecksum,
    },
    /// Generic routing encapsulation.
    Gre {
        /// Checksums (`nocsum`, `csum`).
        checksum: TunnelChecksum,
    },
}

/// Checksum mode of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TunnelChecksum {
    /// None, the default.
    #[default]
    None,
    /// Over the whole packet.
    Full,
    /// Remote checksum offload, GUE only.
    Remote,
}

/// A client stays with the server that it got first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Persistence {
    /// How long after its last connection; whole seconds.
    pub timeout: Duration,
    /// Clients that share this prefix count as one; 32 or 128 is one host.
    pub granularity: u8,
}

/// One `virtual_server` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualServer {
    /// What it is for.
    pub key: ServiceKey,
    /// The entries of its group, in the order of the file; empty if it is for no group.
    pub entries: Vec<GroupEntry>,
    /// The family of its marks that say none.
    pub family: Family,
    /// `lb_kind` / `lvs_method`, for its sorry server.
    pub forwarding: Forwarding,
    /// `lb_algo` / `lvs_sched`.
    pub scheduler: Scheduler,
    /// `persistence_timeout` and `persistence_granularity`.
    pub persistence: Option<Persistence>,
    /// The `real_server` blocks in the order of the file.
    pub real_servers: Vec<Shared<RealServer>>,
    /// Quorum, sorry server and more.
    pub policy: ServicePolicy,
}

impl VirtualServer {
    /// A service of that key without servers that says nothing else.
    #[must_use]
    pub const fn new(key: ServiceKey, scheduler: Scheduler) -> Self {
        let family = match &key {
            ServiceKey::Address(key) => Family::of(key.address),
            ServiceKey::Fwmark { family, .. } => *family,
            ServiceKey::Group { .. } => Family::V4,
        };
        Self {
            key,
            entries: Vec::new(),
            family,
            forwarding: Forwarding::Nat,
            scheduler,
            persistence: None,
            real_servers: Vec::new(),
            policy: ServicePolicy::new(),
        }
    }
}

/// One `real_server` block, with all that it inherits from its service filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealServer {
    /// Address and port.
    pub key: RealServerKey,
    /// `weight`, 0 to 2^31-1.
    pub weight: u32,
    /// `lb_kind` of the service as it stood when this block opened, or `lvs_method`.
    pub forwarding: Forwarding,
    /// The `TCP_CHECK` blocks. A server is up when every one of its checks is.
    pub tcp_checks: Vec<TcpCheck>,
    /// Its other checks.
    pub probes: Vec<Probe>,
    /// What happens to it beyond its weight; `None`: nothing.
    pub policy: Option<Box<ServerPolicy>>,
}

/// One `TCP_CHECK` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpCheck {
    /// `connect_ip`, `connect_port`: where to connect to.
    pub target: SocketAddr,
    /// `bindto`, `bind_port`: where to connect from.
    pub bind: Option<SocketAddr>,
    /// `bind_if`: the interface to connect through.
    pub bind_interface: Option<String>,
    /// `fwmark` of the packets; 0 is none.
    pub fwmark: u32,
    /// `connect_timeout`.
    pub connect_timeout: Duration,
    /// `retry` / `nb_get_retry`: further attempts before the server counts as failed.
    pub retries: u32,
    /// `delay_before_retry`.
    pub delay_before_retry: Duration,
    /// `delay_loop`: period of the check.
    pub delay_loop: Duration,
    /// `warmup`: the first check comes at a random time up to this; zero: at once.
    pub warmup: Duration,
    /// `alpha`: the server counts as failed until the first success.
    pub alpha: bool,
    /// `log_all_failures`.
    pub log_all_failures: bool,
}
