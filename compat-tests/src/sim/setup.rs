//! Building blocks of configurations and machines for scenarios.
//!
//! Owns: a plain instance, service and host, to be edited by struct update. Never does: choose at
//! random (`random` does). Driven by: `random` and `tests/simulate.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use keepalived_rs::base::{Duration, Rare};
use keepalived_rs::conf::model::{
    AuthPass, Config, Forwarding, Priority, Protocol, RealServer, RealServerKey, Scheduler, Scope,
    ServiceKey, TcpCheck, VirtualAddress, VirtualServer, Vrid, VrrpInstance,
};

use super::kernel::Traits;
use super::world::{HostSetup, Plug};
use keepalived_rs::conf::model::signing::{Signing, SigningKey};

/// The address of host `host` on segment `segment`.
#[must_use]
pub const fn host_address(segment: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2 + segment, 10 + host)
}

/// The link-local address of host `host` on segment `segment`.
#[must_use]
pub const fn link_local(segment: u8, host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 2 + segment as u16, 10 + host as u16)
}

/// IPv6 virtual address `n` of virtual router `vrid`.
#[must_use]
pub const fn virtual_address_v6(vrid: u8, n: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, vrid as u16, 0, 0, 0, 0, 1 + n as u16)
}

/// Virtual address `n` of virtual router `vrid`, outside of every interface's subnet.
#[must_use]
pub const fn virtual_address(vrid: u8, n: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, vrid, 1 + n)
}

/// A virtual address as one line of the configuration.
#[must_use]
pub fn vip(address: impl Into<IpAddr>, prefix_len: u8) -> VirtualAddress {
    VirtualAddress {
        address: address.into(),
        prefix_len,
        interface: None,
        scope: Scope::GLOBAL,
        broadcast: None,
        label: None,
        options: Rare::default(),
    }
}

/// A virtual router on eth0 with one address, an advert each second, and a password.
///
/// # Panics
/// For `vrid` 0.
#[must_use]
pub fn instance(vrid: u8, priority: u8) -> VrrpInstance {
    let Some(id) = Vrid::new(vrid) else {
        panic!("VRID 0")
    };
    VrrpInstance {
        priority: Priority(priority),
        auth: Some(AuthPass(*b"1111\0\0\0\0")),
        addresses: vec![vip(virtual_address(vrid, 0), 32)],
        ..VrrpInstance::new(format!("VI_{vrid}"), id, "eth0")
    }
}

/// Signatures with these keys, each of its own bytes; the last one signs.
#[must_use]
pub fn signing(keys: &[u8]) -> Signing {
    let key = |&id: &u8| SigningKey {
        id,
        secret: vec![b'a' + id; 32],
        file: None,
    };
    Signing {
        keys: keys.iter().map(key).collect(),
        active: keys.last().copied().unwrap_or(0),
        ..Signing::default()
    }
}

/// A TCP service without servers.
#[must_use]
pub const fn service(address: Ipv4Addr, port: u16) -> VirtualServer {
    let key = ServiceKey::address(IpAddr::V4(address), port, Protocol::Tcp);
    VirtualServer::new(key, Scheduler::Wrr)
}

/// A server with one TCP check each 6 s, as the document has them.
#[must_use]
pub fn real_server(address: Ipv4Addr, port: u16) -> RealServer {
    let address = IpAddr::V4(address);
    RealServer {
        key: RealServerKey { address, port },
        weight: 1,
        forwarding: Forwarding::Dr,
        tcp_checks: vec![tcp_check(SocketAddr::new(address, port))],
        probes: Vec::new(),
        policy: None,
    }
}

/// A check each 6 s with a timeout of 3 s, 3 retries 3 s apart.
#[must_use]
pub const fn tcp_check(target: SocketAddr) -> TcpCheck {
    TcpCheck {
        target,
        bind: None,
        bind_interface: None,
        fwmark: 0,
        connect_timeout: Duration::from_secs(3),
        retries: 3,
        delay_before_retry: Duration::from_secs(3),
        delay_loop: Duration::from_secs(6),
        warmup: Duration::ZERO,
        alpha: false,
        log_all_failures: false,
    }
}

/// A host `r1`, `r2`… with eth0 on segment 0 and, where the world has them, eth1 on segment 1 and
/// so on.
#[must_use]
pub fn host(number: u8, segments: u8, config: Config) -> HostSetup {
    HostSetup {
        name: format!("r{}", number + 1),
        interfaces: (0..segments)
            .map(|segment| Plug {
                name: format!("eth{segment}"),
                segment: usize::from(segment),
                addresses: vec![
                    (host_address(segment, number).into(), 24),
                    (link_local(segment, number).into(), 64),
                ],
            })
            .collect(),
        traits: Traits::default(),
        config,
        lateness: Duration::ZERO,
    }
}

/// A configuration of these instances alone.
#[must_use]
pub fn config(instances: Vec<VrrpInstance>) -> Config {
    Config {
        vrrp_instances: instances.into_iter().map(Into::into).collect(),
        ..Config::default()
    }
}
