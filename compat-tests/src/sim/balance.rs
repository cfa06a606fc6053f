//! What IPVS should hold, worked out anew from the configuration and the servers.
//!
//! Owns: the rule "a server serves if every one of its checks would succeed", and how long a check
//! may need to find that out. Never does: use the daemon's own tables. Driven by: the shadow.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use keepalived_rs::base::Duration;
use keepalived_rs::conf::model::{
    Config, Forwarding, GroupEntry, Protocol, RealServer, ServiceKey, TcpCheck, TunnelChecksum,
    TunnelKind, VirtualServer,
};
use keepalived_rs::ops::{DestinationSpec, ForwardMethod, ServiceName, ServiceSpec};

use super::world::Server;

/// A service and its destinations as they should be.
pub type Wanted = (ServiceSpec, BTreeMap<SocketAddr, DestinationSpec>);

/// From a change of a server to its consequence in IPVS, at most.
#[must_use]
pub fn settle_time(config: &Config) -> Duration {
    let checks = config
        .virtual_servers
        .iter()
        .flat_map(|service| &service.real_servers)
        .flat_map(|server| &server.tcp_checks);
    checks.map(check_time).max().unwrap_or_default() + Duration::from_secs(1)
}

fn check_time(check: &TcpCheck) -> Duration {
    let attempt = check.connect_timeout + check.delay_before_retry;
    // The first check comes a second after the start at the earliest.
    Duration::from_secs(1) + check.warmup + check.delay_loop + attempt * (check.retries + 1)
}

/// The whole table. Without hysteresis, that is: with it the table depends on what was before.
#[must_use]
pub fn expected(
    config: &Config,
    servers: &BTreeMap<SocketAddr, Server>,
) -> BTreeMap<ServiceName, Wanted> {
    let mut table = BTreeMap::new();
    for service in &config.virtual_servers {
        for name in names(service) {
            let wanted = wanted(service, name, servers);
            // Of two services that ask for the same packets the first has them.
            table.entry(name).or_insert(wanted);
        }
    }
    table
}

fn names(service: &VirtualServer) -> Vec<ServiceName> {
    match &service.key {
        ServiceKey::Address(key) => vec![ServiceName::Address {
            address: key.address,
            port: key.port,
            protocol: key.protocol.number(),
        }],
        ServiceKey::Fwmark { mark, family } => vec![ServiceName::Mark {
            mark: *mark,
            family: *family,
        }],
        ServiceKey::Group { protocol, .. } => {
            let of = |entry: &GroupEntry| match *entry {
                GroupEntry::Addresses { first, last, port } => between(first, last)
                    .map(|address| ServiceName::Address {
                        address,
                        port,
                        protocol: protocol.map_or(17, Protocol::number),
                    })
                    .collect(),
                GroupEntry::Fwmark { mark, family } => vec![ServiceName::Mark {
                    mark,
                    family: family.unwrap_or(service.family),
                }],
            };
            service.entries.iter().flat_map(of).collect()
        }
    }
}

/// The simulator's groups are of IPv4.
fn between(first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
    let number = |address| match address {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => panic!("{address} in a simulated group"),
    };
    (number(first)..=number(last)).map(|number| IpAddr::V4(number.into()))
}

fn wanted(
    service: &VirtualServer,
    name: ServiceName,
    servers: &BTreeMap<SocketAddr, Server>,
) -> Wanted {
    let policy = &service.policy;
    let spec = ServiceSpec {
        name,
        scheduler: service.scheduler.name(),
        persistence: service.persistence.map(|p| (p.timeout, p.granularity)),
        flags: u32::from(policy.scheduler_flags) << 3 | u32::from(policy.one_packet) << 2,
        engine: policy.persistence_engine.clone(),
    };
    let alive = service.real_servers.iter().filter(|s| serves(s, servers));
    let weight: u32 = alive.map(|server| server.weight).sum();
    // Servers without weight take no connections.
    let quorum = weight >= policy.quorum.max(1);
    let open = quorum || policy.sorry_server.is_none();
    let destination = |ip, port, weight, forwarding: Forwarding| {
        let port = match (&service.key, forwarding, name) {
            (ServiceKey::Group { .. }, Forwarding::Dr | Forwarding::Tun(_), name) => match name {
                ServiceName::Address { port, .. } => port,
                ServiceName::Mark { .. } => 0,
            },
            _ => port,
        };
        DestinationSpec {
            address: SocketAddr::new(ip, port),
            weight,
            method: method(forwarding),
            upper_threshold: 0,
            lower_threshold: 0,
        }
    };
    let mut destinations = BTreeMap::new();
    for server in &service.real_servers {
        let limits = server.policy.as_deref().cloned().unwrap_or_default();
        let weight = if open && serves(server, servers) {
            server.weight
        } else if limits.inhibit_on_failure {
            0
        } else {
            continue;
        };
        let mut found = destination(
            server.key.address,
            server.key.port,
            weight,
            server.forwarding,
        );
        found.upper_threshold = limits.upper_threshold;
        found.lower_threshold = limits.lower_threshold;
        destinations.insert(found.address, found);
    }
    if let Some(sorry) = &policy.sorry_server
        && (!quorum || sorry.inhibit)
    {
        let forwarding = sorry.forwarding.unwrap_or(service.forwarding);
        let port = match &service.key {
            ServiceKey::Address(key) => sorry.port.unwrap_or(key.port),
            ServiceKey::Fwmark { .. } | ServiceKey::Group { .. } => sorry.port.unwrap_or(0),
        };
        let found = destination(sorry.address, port, u32::from(!quorum), forwarding);
        destinations.insert(found.address, found);
    }
    (spec, destinations)
}

fn serves(server: &RealServer, servers: &BTreeMap<SocketAddr, Server>) -> bool {
    server.tcp_checks.iter().all(|check| {
        match servers
            .get(&check.target)
            .copied()
            .unwrap_or(Server::Silent)
        {
            Server::Up => true,
            Server::Refusing | Server::Silent => false,
            Server::Slow(time) => time < check.connect_timeout,
        }
    })
}

fn method(forwarding: Forwarding) -> ForwardMethod {
    let flags = |checksum| match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Full => 1,
        TunnelChecksum::Remote => 2,
    };
    match forwarding {
        Forwarding::Nat => ForwardMethod::Masquerade,
        Forwarding::Dr => ForwardMethod::DirectRoute,
        Forwarding::Tun(TunnelKind::Ipip) => ForwardMethod::Tunnel {
            kind: 0,
            port: 0,
            flags: 0,
        },
        Forwarding::Tun(TunnelKind::Gue { port, checksum }) => ForwardMethod::Tunnel {
            kind: 1,
            port,
            flags: flags(checksum),
        },
        Forwarding::Tun(TunnelKind::Gre { checksum }) => ForwardMethod::Tunnel {
            kind: 2,
            port: 0,
            flags: flags(checksum),
        },
    }
}
