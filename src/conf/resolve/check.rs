//! Rules of `virtual_server` that need the whole block.
//!
//! Owns: defaults of a service, its servers and their checks, and what they inherit. Driven by:
//! `resolve`.

use std::collections::HashSet;

use super::super::diag::Class;
use super::super::draft::{CheckDefaults, RealServerDraft, ServiceDraft};
use super::super::model::{
    Forwarding, Persistence, Protocol, RealServer, RealServerKey, Scheduler, ServiceKey,
    VirtualServer,
};
use super::{Context, probes};
use crate::base::{Duration, Family};

/// What a bare `persistence_timeout` means, and one that only a granularity asks for.
const DEFAULT_PERSISTENCE: Duration = Duration::from_secs(360);

/// The services that can run.
pub(super) fn services(drafts: Vec<ServiceDraft>, cx: &mut Context<'_>) -> Vec<VirtualServer> {
    let mut services = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if draft.real_servers.is_empty() {
            let message = format!(
                "Virtual server [{}]:{}:{} has no real servers - ignoring",
                draft.address,
                draft.protocol.map_or("none", Protocol::name),
                draft.port
            );
            cx.report(Class::General, message, draft.place);
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
    let mut policy = std::mem::take(&mut draft.policy);
    probes::one_packet(&mut policy, key, place, cx);
    let inherited = Inherited {
        key,
        forwarding,
        weight: draft.weight,
        checks: draft.checks,
        inhibit: draft.inhibit,
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
    probes::quorum(&mut policy, key, &real_servers, place, cx);
    probes::unchecked(key, &real_servers, place, cx);
    VirtualServer {
        key,
        scheduler,
        persistence,
        real_servers,
        policy,
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
    inhibit: bool,
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
    let above = probes::inherit(draft.checks, service.checks);
    let (tcp_checks, probes) = probes::checks(draft.probes, key, above);
    let mut policy = draft.policy;
    if draft.inhibit.unwrap_or(service.inhibit) {
        policy.get_or_insert_default().inhibit_on_failure = true;
    }
    RealServer {
        key,
        weight: draft.weight.unwrap_or(service.weight),
        forwarding,
        tcp_checks,
        probes,
        policy,
    }
}
