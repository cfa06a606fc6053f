//! `virtual_server`, `real_server` and their health checks.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Probe, ServerPolicy, ServicePolicy};
use crate::base::{Duration, Family};

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

/// What identifies a virtual service in IPVS and across a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The virtual address.
    pub address: IpAddr,
    /// The virtual port; 0 takes all ports (needs persistence).
    pub port: u16,
    /// `protocol`.
    pub protocol: Protocol,
}

impl ServiceKey {
    /// Family of the virtual address.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.address)
    }
}

impl fmt::Display for ServiceKey {
    /// As keepalived 2.x prints it: `[192.0.2.1]:tcp:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}]:{}:{}",
            self.address,
            self.protocol.name(),
            self.port
        )
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
    /// Address, port and protocol.
    pub key: ServiceKey,
    /// `lb_algo` / `lvs_sched`.
    pub scheduler: Scheduler,
    /// `persistence_timeout` and `persistence_granularity`.
    pub persistence: Option<Persistence>,
    /// The `real_server` blocks in the order of the file.
    pub real_servers: Vec<RealServer>,
    /// Quorum, sorry server and more; no domain carries it out yet.
    pub policy: ServicePolicy,
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
    /// Its other checks; [`ProbeKind::is_active`](super::ProbeKind::is_active) says which kinds are
    /// carried out.
    pub probes: Vec<Probe>,
    /// What happens to it beyond its weight; `None`: nothing. No domain carries it out yet.
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
