//! `bfd_instance` and `SSL`.
//!
//! Owns: what they say; every value has its unit in its type. Never does: act. Driven by:
//! `conf::resolve` fills it; `bfd` carries sessions out, `check` shows the certificate.

use std::net::IpAddr;

use crate::base::Duration;

/// `bfd_instance`: one BFD session (RFC 5880).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BfdInstance {
    /// Its name, up to 31 bytes.
    pub name: String,
    /// `source_ip`; any if not given.
    pub source: Option<IpAddr>,
    /// `neighbor_ip`, `neighbour_ip`
    pub neighbor: IpAddr,
    /// `min_rx`: required minimum interval between received packets, 1 to 4294967 ms.
    pub min_rx: Duration,
    /// `min_tx`: desired minimum interval between sent packets, 1 to 4294967 ms.
    pub min_tx: Duration,
    /// `idle_tx`: interval while the session is down, 1000 to 4294967 ms.
    pub idle_tx: Duration,
    /// `multiplier`: packets that may be lost, 1 to 255.
    pub multiplier: u8,
    /// `passive`: the neighbor has to begin.
    pub passive: bool,
    /// `ttl`, `hoplimit` of what is sent.
    pub ttl: u8,
    /// `max_hops` that a packet may have come; `None`: any number.
    pub max_hops: Option<u8>,
    /// `multihop` (RFC 5883).
    pub multihop: bool,
    /// `weight` for VRRP, -253 to 253.
    pub weight: i16,
    /// `reverse`: the weight counts while the session is down.
    pub reverse: bool,
    /// Who is told of it.
    pub audience: BfdAudience,
}

/// What makes a session the same one after a reload (RFC 5881 §3: one for each path).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BfdKey {
    /// `neighbor_ip`
    pub neighbor: IpAddr,
    /// `multihop`
    pub multihop: bool,
    /// `source_ip`
    pub source: Option<IpAddr>,
}

impl BfdInstance {
    /// What stays the same when it is edited.
    #[must_use]
    pub const fn key(&self) -> BfdKey {
        BfdKey {
            neighbor: self.neighbor,
            multihop: self.multihop,
            source: self.source,
        }
    }
}

/// `vrrp`, `checker`: who is told of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BfdAudience {
    /// Both, the default.
    #[default]
    Both,
    /// VRRP alone.
    Vrrp,
    /// The health checks alone.
    Checker,
}

/// `SSL`: what `SSL_GET` shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsClient {
    /// `password` of the key.
    pub password: Option<String>,
    /// `ca`: file of certificates.
    pub ca: Option<String>,
    /// `certificate`: file.
    pub certificate: Option<String>,
    /// `key`: file.
    pub key: Option<String>,
}
