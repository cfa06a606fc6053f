//! A virtual service with its real servers.
//!
//! Owns: which servers are alive (every check of theirs is up), their weights, the quorum, whether
//! the sorry server stands in, and with it how the service should look in IPVS. Never does:
//! schedule or log. Driven by: `pool`, `domain` and `reload`.
//!
//! A service has one name in the kernel or, if it is for a group, one for each of its addresses
//! and marks; all of them look alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{WantedService, marks};
use crate::base::{Family, Shared};
use crate::conf::model::{
    Forwarding, GroupEntry, Protocol, RealServer, RealServerKey, ServiceAddress, ServiceKey,
    SorryServer, TunnelChecksum, TunnelKind, VirtualServer,
};
use crate::ops::{DestinationSpec, ForwardMethod, ServiceName, ServiceSpec};
use crate::wire::ipvs::{SERVICE_ONE_PACKET, SERVICE_SCHEDULER_1};

/// The place of a checker in the domain's table.
pub(super) type CheckerIndex = usize;

/// The place of a service in the domain's table.
pub(super) type ServiceIndex = usize;

/// A virtual service.
#[derive(Debug)]
pub(super) struct Service {
    /// As configured; its servers as they run are in `servers`.
    pub(super) config: Shared<VirtualServer>,
    /// Its place in the configuration.
    pub(super) place: usize,
    /// In the order of the configuration.
    pub(super) servers: Vec<Server>,
    /// What it is called in the kernel.
    pub(super) names: Vec<ServiceName>,
    /// The mark that stands for all addresses of its group (`nftables_ipvs`).
    pub(super) mark: Option<u32>,
    /// Names that another service had first.
    pub(super) denied: Vec<ServiceName>,
    /// Sum of the weights of the servers that are alive.
    pub(super) alive_weight: u64,
    /// Enough servers are alive.
    pub(super) quorum_up: bool,
    /// `ha_suspend`: its address is not here, so its checks rest.
    pub(super) suspended: bool,
    /// It was there before the last reload.
    pub(super) reloaded: bool,
    /// Entries of its group that came with the last reload.
    pub(super) new_entries: Vec<GroupEntry>,
}

/// A real server.
#[derive(Debug)]
pub(super) struct Server {
    /// As configured.
    pub(super) config: Shared<RealServer>,
    /// Its weight while it is alive: the configured one, or what a check or an operator has set.
    pub(super) weight: u32,
    /// Its checkers, in the order of the configuration.
    pub(super) checkers: Vec<CheckerIndex>,
    /// How many of them are down.
    pub(super) failing: usize,
    /// Its weight before the last reload, if it was there.
    pub(super) weight_before: Option<u32>,
}

/// What became of the quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quorum {
    /// It is as it was.
    Same,
    /// Enough servers are alive now.
    Gained,
    /// Too few are.
    Lost,
}

impl Server {
    pub(super) const fn is_alive(&self) -> bool {
        self.failing == 0
    }

    pub(super) fn key(&self) -> RealServerKey {
        self.config.key
    }

    /// `inhibit_on_failure`: it stays in the table with weight 0 when it fails.
    pub(super) fn is_inhibited(&self) -> bool {
        let policy = self.config.policy.as_ref();
        policy.is_some_and(|policy| policy.inhibit_on_failure)
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.config.key.address, self.config.key.port)
    }

    /// The destination in IPVS, if it should be there; `open`: servers that are alive take part.
    fn destination(&self, open: bool) -> Option<DestinationSpec> {
        let weight = if open && self.is_alive() {
            self.weight
        } else if self.is_inhibited() {
            0
        } else {
            return None;
        };
        let policy = self.config.policy.as_ref();
        Some(DestinationSpec {
            address: self.address(),
            weight,
            method: method(self.config.forwarding),
            upper_threshold: policy.map_or(0, |policy| policy.upper_threshold),
            lower_threshold: policy.map_or(0, |policy| policy.lower_threshold),
        })
    }
}

impl Service {
    /// A service without servers; they are pushed to `servers`, then `recount` is due.
    pub(super) fn new(config: &Shared<VirtualServer>) -> Self {
        Self {
            config: config.clone(),
            place: 0,
            servers: Vec::with_capacity(config.real_servers.len()),
            names: Vec::new(),
            mark: None,
            denied: Vec::new(),
            alive_weight: 0,
            quorum_up: false,
            suspended: false,
            reloaded: false,
            new_entries: Vec::new(),
        }
    }

    /// The address that has to be here for its checks to run; `None`: nothing has to be. That of a
    /// group, which has many, never is.
    pub(super) fn waits_for(&self) -> Option<Option<IpAddr>> {
        if !self.config.policy.ha_suspend {
            return None;
        }
        match &self.config.key {
            ServiceKey::Address(service) => Some(Some(service.address)),
            ServiceKey::Group { .. } => Some(None),
            ServiceKey::Fwmark { .. } => None,
        }
    }

    pub(super) fn key(&self) -> &ServiceKey {
        &self.config.key
    }

    /// `virtualhost` of checks that set none.
    pub(super) fn virtual_host(&self) -> Option<&str> {
        self.config.policy.virtual_host.as_deref()
    }

    pub(super) const fn is_quorum_up(&self) -> bool {
        self.quorum_up
    }

    /// Takes the settings of `config`, not its servers.
    pub(super) fn set_config(&mut self, config: &Shared<VirtualServer>) {
        self.config = config.clone();
    }

    /// Sums the weights of the servers up that are alive.
    pub(super) fn recount(&mut self) -> Quorum {
        let alive = self.servers.iter().filter(|server| server.is_alive());
        self.alive_weight = alive.map(|server| u64::from(server.weight)).sum();
        self.judge()
    }

    /// One server came with this weight, or went.
    pub(super) fn weigh(&mut self, weight: u32, came: bool) -> Quorum {
        let weight = u64::from(weight);
        self.alive_weight = if came {
            self.alive_weight + weight
        } else {
            self.alive_weight.saturating_sub(weight)
        };
        self.judge()
    }

    /// The weight that has to be alive for the quorum to be gained, but for a quorum of nothing.
    pub(super) fn to_gain(&self) -> u64 {
        let policy = &self.config.policy;
        u64::from(policy.quorum) + u64::from(policy.hysteresis)
    }

    /// The weight below which it is lost.
    pub(super) fn to_keep(&self) -> u64 {
        let policy = &self.config.policy;
        u64::from(policy.quorum.saturating_sub(policy.hysteresis))
    }

    fn judge(&mut self) -> Quorum {
        let enough = if self.quorum_up {
            self.to_keep()
        } else {
            self.to_gain()
        };
        // Servers without weight take no connections, alive or not: the sorry server is for them too.
        let up = self.alive_weight >= enough.max(1);
        if up == self.quorum_up {
            return Quorum::Same;
        }
        self.quorum_up = up;
        if up { Quorum::Gained } else { Quorum::Lost }
    }

    /// Its sorry server, if it has one.
    pub(super) fn sorry(&self) -> Option<&SorryServer> {
        self.config.policy.sorry_server.as_ref()
    }

    /// What identifies its sorry server, if it has one.
    pub(super) fn sorry_key(&self) -> Option<RealServerKey> {
        let sorry = self.sorry()?;
        Some(sorry.key(match &self.config.key {
            ServiceKey::Address(address) => address.port,
            ServiceKey::Fwmark { .. } | ServiceKey::Group { .. } => 0,
        }))
    }

    /// Whether servers that are alive take part: without quorum the sorry server alone does.
    pub(super) fn is_open(&self) -> bool {
        self.quorum_up || self.sorry().is_none()
    }

    /// How the server at `place` should look in IPVS; `None`: not be there.
    pub(super) fn destination(&self, place: usize) -> Option<DestinationSpec> {
        self.servers.get(place)?.destination(self.is_open())
    }

    /// How many destinations it has under each of its names.
    pub(super) fn destinations(&self) -> usize {
        let open = self.is_open();
        let servers = self.servers.iter();
        let set = servers.filter(|server| server.destination(open).is_some());
        set.count() + usize::from(self.sorry_destination().is_some())
    }

    /// A reload begins: what is there now was there before it.
    pub(super) fn note_reload(&mut self) {
        self.reloaded = true;
        self.new_entries.clear();
        for server in &mut self.servers {
            server.weight_before = Some(server.weight);
        }
    }

    /// Hands what one destination should look like under each name to `each`.
    pub(super) fn under_each_name(
        &self,
        (address, wanted): (SocketAddr, Option<DestinationSpec>),
        forwarding: Forwarding,
        mut each: impl FnMut(ServiceName, SocketAddr, Option<DestinationSpec>),
    ) {
        for &name in &self.names {
            let address = self.address_under(name, address, forwarding);
            let wanted = wanted.map(|wanted| DestinationSpec { address, ..wanted });
            each(name, address, wanted);
        }
    }

    /// Only NAT rewrites the port: a group's other servers have that of the entry.
    fn address_under(
        &self,
        name: ServiceName,
        mut address: SocketAddr,
        forwarding: Forwarding,
    ) -> SocketAddr {
        if matches!(self.config.key, ServiceKey::Group { .. }) && forwarding != Forwarding::Nat {
            address.set_port(match name {
                ServiceName::Address { port, .. } => port,
                ServiceName::Mark { .. } => 0,
            });
        }
        address
    }

    /// How packets get to the sorry server.
    pub(super) fn sorry_forwarding(&self) -> Forwarding {
        let own = self.sorry().and_then(|sorry| sorry.forwarding);
        own.unwrap_or(self.config.forwarding)
    }

    /// How the sorry server should look in IPVS; `None`: not be there.
    pub(super) fn sorry_destination(&self) -> Option<DestinationSpec> {
        let (sorry, key) = (self.sorry()?, self.sorry_key()?);
        let weight = match (self.quorum_up, sorry.inhibit) {
            (false, true | false) => 1,
            (true, true) => 0,
            (true, false) => return None,
        };
        Some(DestinationSpec {
            address: SocketAddr::new(key.address, key.port),
            weight,
            method: method(self.sorry_forwarding()),
            upper_threshold: 0,
            lower_threshold: 0,
        })
    }

    /// The service in IPVS under one of its names, with every destination.
    pub(super) fn wanted(&self, name: ServiceName) -> WantedService {
        let open = self.is_open();
        let under = |wanted: DestinationSpec, forwarding| DestinationSpec {
            address: self.address_under(name, wanted.address, forwarding),
            ..wanted
        };
        let servers = self.servers.iter().filter_map(|server| {
            let wanted = server.destination(open)?;
            Some(under(wanted, server.config.forwarding))
        });
        let mut destinations: Vec<DestinationSpec> = servers.collect();
        if let Some(sorry) = self.sorry_destination() {
            let sorry = under(sorry, self.sorry_forwarding());
            // One that is one of the servers as well has the sorry server's weight.
            destinations.retain(|server| server.address != sorry.address);
            destinations.push(sorry);
        }
        WantedService {
            spec: self.spec(name),
            destinations,
        }
    }

    fn spec(&self, name: ServiceName) -> ServiceSpec {
        let policy = &self.config.policy;
        let one_packet = if policy.one_packet {
            SERVICE_ONE_PACKET
        } else {
            0
        };
        ServiceSpec {
            name,
            scheduler: self.config.scheduler.name(),
            persistence: self.config.persistence.map(|persistence| {
                let bits = name.family().bits();
                // A single client is one in either family.
                let whole = persistence.granularity >= self.config.family.bits();
                let prefix = if whole { bits } else { persistence.granularity };
                (persistence.timeout, prefix.min(bits))
            }),
            flags: one_packet | (u32::from(policy.scheduler_flags) * SERVICE_SCHEDULER_1),
            engine: policy.persistence_engine.clone(),
        }
    }
}

/// What a service is called in the kernel; `mark`: that which stands for its addresses.
pub(super) fn names(config: &VirtualServer, mark: Option<u32>) -> Vec<ServiceName> {
    if let Some(mark) = mark {
        return marks::names(config, mark);
    }
    match &config.key {
        ServiceKey::Address(ServiceAddress {
            address,
            port,
            protocol,
        }) => vec![ServiceName::Address {
            address: *address,
            port: *port,
            protocol: protocol.number(),
        }],
        ServiceKey::Fwmark { mark, family } => vec![ServiceName::Mark {
            mark: *mark,
            family: *family,
        }],
        ServiceKey::Group { protocol, .. } => {
            let mut names = Vec::new();
            for entry in &config.entries {
                match *entry {
                    GroupEntry::Addresses { first, last, port } => {
                        let protocol = protocol.unwrap_or(Protocol::Udp).number();
                        names.extend(addresses(first, last).map(|address| ServiceName::Address {
                            address,
                            port,
                            protocol,
                        }));
                    }
                    GroupEntry::Fwmark { mark, family } => names.push(ServiceName::Mark {
                        mark,
                        family: family.unwrap_or(config.family),
                    }),
                }
            }
            names
        }
    }
}

/// All addresses from the first to the last, which are of one family.
fn addresses(first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let family = Family::of(first);
    (number(first)..=number(last)).map(move |number| match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    })
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
