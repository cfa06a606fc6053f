//! Rules of `virtual_server` that need the whole block.
//!
//! Owns: defaults of a service, its servers and their checks, and what they inherit. Driven by:
//! `resolve`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::diag::Class;
use super::super::draft::{CheckDefaults, RealServerDraft, ServiceDraft, TcpCheckDraft};
use super::super::model::{
    Forwarding, Persistence, Protocol, RealServer, RealServerKey, Scheduler, ServiceKey, TcpCheck,
    VirtualServer,
};
use super::Context;
use crate::base::{Duration, Family};

/// What a bare `persistence_timeout` means, and one that only a granularity asks for.
const DEFAULT_PERSISTENCE: Duration = Duration::from_secs(360);

/// The services that can run.
pub(super) fn services(drafts: Vec<ServiceDraft>, cx: &mut Context<'_>) -> Vec<VirtualServer> {
    let mut services = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if draft.real_servers.is_empty() {
            // Its block was never closed.
            cx.report(Class::General, draft.without_servers(), draft.place);
        } else {
            services.push(service(draft, cx));
        }
    }
    services
}

fn service(mut draft: ServiceDraft, cx: &mut Context<'_>) -> VirtualServer {
    let place = draft.place;
    let (address, port) = (draft.address, draft.port);
    let protocol = draft.protocol.unwrap_or_else(|| {
        let message =
            format!("Virtual server [{address}]:none:{port}: no protocol set - defaulting to UDP");
        cx.report(Class::General, message, place);
        Protocol::Udp
    });
    let key = ServiceKey {
        address,
        port,
        protocol,
    };
    if port == 0 && draft.persistence_timeout.is_none() && draft.granularity.is_none() {
        let message =
            format!("Virtual server {key}: zero port only valid for persistent services - setting");
        cx.report(Class::General, message, place);
        draft.persistence_timeout = Some(DEFAULT_PERSISTENCE);
    }
    let scheduler = draft.scheduler.unwrap_or_else(|| {
        let message = format!("Virtual server {key}: no scheduler set, setting default 'wlc'");
        cx.report(Class::General, message, place);
        Scheduler::Wlc
    });
    let all_set = draft
        .real_servers
        .iter()
        .all(|server| server.forwarding.is_some());
    let forwarding = draft.forwarding.unwrap_or_else(|| {
        if !all_set {
            let message =
                format!("Virtual server {key}: no forwarding method set, setting default NAT");
            cx.report(Class::General, message, place);
        }
        Forwarding::Nat
    });
    let persistence = persistence(&draft);
    let inherited = Inherited {
        key,
        forwarding,
        weight: draft.weight,
        checks: draft.checks,
    };
    let mut seen = HashSet::new();
    let mut real_servers = Vec::with_capacity(draft.real_servers.len());
    for server in draft.real_servers {
        let place = server.place;
        let server = real_server(server, &inherited, cx);
        if seen.insert(server.key) {
            real_servers.push(server);
        } else {
            let message = format!(
                "VS {key}: real server [{}]:{}:{} is duplicated - removing second rs",
                server.key.address,
                protocol.name(),
                server.key.port
            );
            cx.report(Class::General, message, place);
        }
    }
    VirtualServer {
        key,
        scheduler,
        persistence,
        real_servers,
    }
}

fn persistence(draft: &ServiceDraft) -> Option<Persistence> {
    let timeout = match (draft.persistence_timeout, draft.granularity) {
        (Some(timeout), _) => timeout,
        (None, Some(_)) => DEFAULT_PERSISTENCE,
        (None, None) => return None,
    };
    Some(Persistence {
        timeout,
        granularity: draft
            .granularity
            .unwrap_or(Family::of(draft.address).bits()),
    })
}

/// What a server gets from its service.
struct Inherited {
    key: ServiceKey,
    forwarding: Forwarding,
    weight: u32,
    checks: CheckDefaults,
}

fn real_server(draft: RealServerDraft, service: &Inherited, cx: &mut Context<'_>) -> RealServer {
    let forwarding = draft.forwarding.unwrap_or(service.forwarding);
    let mut port = draft.port.unwrap_or(service.key.port);
    // Only NAT rewrites the port; the others deliver the packet with the service's.
    if port != service.key.port && forwarding != Forwarding::Nat {
        let message = format!(
            "WARNING - virtual server {} and real server [{}]:{}:{port} ports don't match - \
             resetting",
            service.key,
            draft.address,
            service.key.protocol.name(),
        );
        cx.report(Class::General, message, draft.place);
        port = service.key.port;
    }
    let key = RealServerKey {
        address: draft.address,
        port,
    };
    let checks = inherit(draft.checks, service.checks);
    RealServer {
        key,
        weight: draft.weight.unwrap_or(service.weight),
        forwarding,
        tcp_checks: draft
            .tcp_checks
            .into_iter()
            .map(|check| tcp_check(check, key, checks))
            .collect(),
    }
}

/// What is set here, else what is set above.
fn inherit(own: CheckDefaults, above: CheckDefaults) -> CheckDefaults {
    CheckDefaults {
        retries: own.retries.or(above.retries),
        delay_before_retry: own.delay_before_retry.or(above.delay_before_retry),
        delay_loop: own.delay_loop.or(above.delay_loop),
        warmup: own.warmup.or(above.warmup),
        connect_timeout: own.connect_timeout.or(above.connect_timeout),
        alpha: own.alpha.or(above.alpha),
    }
}

fn tcp_check(draft: TcpCheckDraft, server: RealServerKey, above: CheckDefaults) -> TcpCheck {
    let checks = inherit(draft.checks, above);
    let target = SocketAddr::new(
        draft.connect_ip.unwrap_or(server.address),
        draft.connect_port.unwrap_or(server.port),
    );
    let any = match Family::of(target.ip()) {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let bind = (draft.bind_ip.is_some() || draft.bind_port.is_some())
        .then(|| SocketAddr::new(draft.bind_ip.unwrap_or(any), draft.bind_port.unwrap_or(0)));
    let delay_loop = checks.delay_loop.unwrap_or(Duration::from_secs(60));
    TcpCheck {
        target,
        bind,
        bind_interface: draft.bind_interface,
        fwmark: draft.fwmark,
        connect_timeout: checks.connect_timeout.unwrap_or(Duration::from_secs(5)),
        retries: checks.retries.unwrap_or(1),
        delay_before_retry: checks.delay_before_retry.unwrap_or(Duration::from_secs(1)),
        delay_loop,
        warmup: checks.warmup.unwrap_or(delay_loop),
        alpha: checks.alpha.unwrap_or(false),
        log_all_failures: draft.log_all_failures,
    }
}
