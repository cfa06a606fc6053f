//! What IPVS should hold, worked out anew from the configuration and the servers.
//!
//! Owns: the rule "a server serves if every one of its checks would succeed", and how long a check
//! may need to find that out. Never does: use the daemon's own tables. Driven by: the shadow.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keepalived_rs::base::Duration;
use keepalived_rs::conf::model::{
    Config, Forwarding, RealServer, TcpCheck, TunnelChecksum, TunnelKind, VirtualServer,
};
use keepalived_rs::ops::{DestinationSpec, ForwardMethod, ServiceSpec};

use super::ipvs::ServiceId;
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

/// The whole table.
#[must_use]
pub fn expected(
    config: &Config,
    servers: &BTreeMap<SocketAddr, Server>,
) -> BTreeMap<ServiceId, Wanted> {
    let wanted = |service: &VirtualServer| {
        let spec = ServiceSpec {
            address: service.key.address,
            port: service.key.port,
            protocol: service.key.protocol.number(),
            scheduler: service.scheduler.name(),
            persistence: service.persistence.map(|p| (p.timeout, p.granularity)),
        };
        let destinations = service
            .real_servers
            .iter()
            .filter(|server| serves(server, servers))
            .map(|server| {
                let address = SocketAddr::new(server.key.address, server.key.port);
                let destination = DestinationSpec {
                    address,
                    weight: server.weight,
                    method: method(server.forwarding),
                    upper_threshold: 0,
                    lower_threshold: 0,
                };
                (address, destination)
            })
            .collect();
        (super::ipvs::id(&spec), (spec, destinations))
    };
    config.virtual_servers.iter().map(wanted).collect()
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
