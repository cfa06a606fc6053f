//! A virtual service with its real servers.
//!
//! Owns: which servers are alive (every check of theirs is up), the quorum, and how the service
//! should look in IPVS. Never does: schedule or log. Driven by: `domain` and `reload`.

use std::net::SocketAddr;

use super::WantedService;
use crate::conf::model::{
    Forwarding, RealServer, RealServerKey, ServiceKey, TunnelChecksum, TunnelKind, VirtualServer,
};
use crate::ops::{DestinationSpec, ForwardMethod, ServiceSpec};

/// The place of a checker in the domain's table.
pub(super) type CheckerIndex = usize;

/// A virtual service.
#[derive(Debug)]
pub(super) struct Service {
    /// As configured, without its servers: those are in `servers`.
    config: VirtualServer,
    /// Its place in the configuration.
    pub(super) place: usize,
    /// In the order of the configuration.
    pub(super) servers: Vec<Server>,
    /// Sum of the weights of the servers that are alive.
    alive_weight: u64,
    /// Sum of all weights.
    total_weight: u64,
    /// Enough servers are alive.
    quorum_up: bool,
}

/// A real server.
#[derive(Debug)]
pub(super) struct Server {
    /// As configured.
    pub(super) config: RealServer,
    /// Its checkers, in the order of the configuration.
    pub(super) checkers: Vec<CheckerIndex>,
    /// How many of them are down.
    pub(super) failing: usize,
}

/// What became of the quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quorum {
    /// It is as it was.
    Same,
    /// Enough servers are alive now; the sum of their weights.
    Gained(u64),
    /// Too few are; the sum of their weights.
    Lost(u64),
}

impl Server {
    pub(super) const fn is_alive(&self) -> bool {
        self.failing == 0
    }

    pub(super) const fn key(&self) -> RealServerKey {
        self.config.key
    }

    /// The destination in IPVS.
    pub(super) fn destination(&self) -> DestinationSpec {
        DestinationSpec {
            address: self.address(),
            weight: self.config.weight,
            method: method(self.config.forwarding),
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.config.key.address, self.config.key.port)
    }
}

impl Service {
    /// A service without servers; they are pushed to `servers`, then `recount` is due.
    pub(super) fn new(config: &VirtualServer) -> Self {
        Self {
            config: without_servers(config),
            place: 0,
            servers: Vec::with_capacity(config.real_servers.len()),
            alive_weight: 0,
            total_weight: 0,
            quorum_up: false,
        }
    }

    pub(super) const fn key(&self) -> ServiceKey {
        self.config.key
    }

    pub(super) const fn is_quorum_up(&self) -> bool {
        self.quorum_up
    }

    /// Takes the settings of `config`, not its servers.
    pub(super) fn set_config(&mut self, config: &VirtualServer) {
        self.config = without_servers(config);
    }

    /// One server came or went.
    pub(super) fn weigh(&mut self, weight: u32, alive: bool) -> Quorum {
        if alive {
            self.alive_weight += u64::from(weight);
        } else {
            self.alive_weight = self.alive_weight.saturating_sub(u64::from(weight));
        }
        self.judge()
    }

    /// Sums the weights up after servers were exchanged or edited.
    pub(super) fn recount(&mut self) -> Quorum {
        let weight = |server: &Server| u64::from(server.config.weight);
        self.total_weight = self.servers.iter().map(weight).sum();
        self.alive_weight = self
            .servers
            .iter()
            .filter(|server| server.is_alive())
            .map(weight)
            .sum();
        self.judge()
    }

    /// The weight that has to be alive: 1, the default of `quorum`, or nothing where no weight
    /// can be had.
    fn quorum(&self) -> u64 {
        self.total_weight.min(1)
    }

    fn judge(&mut self) -> Quorum {
        debug_assert!(self.alive_weight <= self.total_weight);
        // Where no quorum is asked for there is none to gain or lose.
        let up = self.alive_weight >= self.quorum() && self.quorum() > 0;
        if up == self.quorum_up {
            return Quorum::Same;
        }
        self.quorum_up = up;
        if up {
            Quorum::Gained(self.alive_weight)
        } else if self.quorum() == 0 {
            Quorum::Same
        } else {
            Quorum::Lost(self.alive_weight)
        }
    }

    /// The service in IPVS.
    pub(super) fn spec(&self) -> ServiceSpec {
        ServiceSpec {
            address: self.config.key.address,
            port: self.config.key.port,
            protocol: self.config.key.protocol.number(),
            scheduler: self.config.scheduler.name(),
            persistence: self
                .config
                .persistence
                .map(|persistence| (persistence.timeout, persistence.granularity)),
        }
    }

    /// The service in IPVS with every server that is alive.
    pub(super) fn wanted(&self) -> WantedService {
        WantedService {
            spec: self.spec(),
            destinations: self
                .servers
                .iter()
                .filter(|server| server.is_alive())
                .map(Server::destination)
                .collect(),
        }
    }
}

fn without_servers(config: &VirtualServer) -> VirtualServer {
    VirtualServer {
        key: config.key,
        scheduler: config.scheduler,
        persistence: config.persistence,
        real_servers: Vec::new(),
        policy: config.policy.clone(),
    }
}

/// The kernel's numbers for the forwarding methods (`IP_VS_CONN_F_TUNNEL_TYPE_*` and
/// `IP_VS_TUNNEL_ENCAP_FLAG_*`).
const fn method(forwarding: Forwarding) -> ForwardMethod {
    const IPIP: u8 = 0;
    const GUE: u8 = 1;
    const GRE: u8 = 2;
    match forwarding {
        Forwarding::Nat => ForwardMethod::Masquerade,
        Forwarding::Dr => ForwardMethod::DirectRoute,
        Forwarding::Tun(TunnelKind::Ipip) => ForwardMethod::Tunnel {
            kind: IPIP,
            port: 0,
            flags: 0,
        },
        Forwarding::Tun(TunnelKind::Gue { port, checksum }) => ForwardMethod::Tunnel {
            kind: GUE,
            port,
            flags: checksum_flags(checksum),
        },
        Forwarding::Tun(TunnelKind::Gre { checksum }) => ForwardMethod::Tunnel {
            kind: GRE,
            port: 0,
            flags: checksum_flags(checksum),
        },
    }
}

const fn checksum_flags(checksum: TunnelChecksum) -> u16 {
    match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Full => 1,
        TunnelChecksum::Remote => 2,
    }
}
