//! Checks and policies of servers: what they inherit, their defaults, what they need.
//!
//! Owns: the settings that a check gets from its server and service, and the rules of
//! `virtual_server` about quorum and sorry server. Driven by: `resolve::check`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::diag::Class;
use super::super::draft::{KindDraft, MiscDraft, ProbeDraft, TcpCheckDraft};
use super::super::model::{
    CheckDefaults, CheckScript, MiscProbe, Probe, ProbeKind, Protocol, RealServer, RealServerKey,
    ServicePolicy, TcpCheck,
};
use super::super::reader::Place;
use super::Context;
use crate::base::{Duration, Family, Shared};

/// What is set here, else what is set above.
pub(super) fn inherit(own: CheckDefaults, above: CheckDefaults) -> CheckDefaults {
    CheckDefaults {
        retries: own.retries.or(above.retries),
        delay_before_retry: own.delay_before_retry.or(above.delay_before_retry),
        delay_loop: own.delay_loop.or(above.delay_loop),
        warmup: own.warmup.or(above.warmup),
        connect_timeout: own.connect_timeout.or(above.connect_timeout),
        alpha: own.alpha.or(above.alpha),
    }
}

/// What a check of this kind falls back to.
fn defaults(kind: &KindDraft, delay_loop: Option<Duration>) -> CheckDefaults {
    let delay_loop = delay_loop.unwrap_or(DELAY_LOOP);
    let (retries, delay_before_retry) = match kind {
        KindDraft::Http(_) => (1, Duration::from_secs(3)),
        KindDraft::Dns(_) => (3, delay_loop),
        KindDraft::Misc(_) => (0, Duration::from_secs(1)),
        KindDraft::Smtp(_)
        | KindDraft::Udp(_)
        | KindDraft::Ping
        | KindDraft::File(_)
        | KindDraft::Bfd(_) => (1, Duration::from_secs(1)),
    };
    CheckDefaults {
        retries: Some(retries),
        delay_before_retry: Some(delay_before_retry),
        ..CheckDefaults::default()
    }
}

/// `delay_loop` if nobody sets it.
const DELAY_LOOP: Duration = Duration::from_secs(60);

/// The checks of a server: those of TCP, and the others.
pub(super) fn checks(
    drafts: Vec<ProbeDraft>,
    server: RealServerKey,
    above: CheckDefaults,
) -> (Vec<TcpCheck>, Vec<Probe>) {
    let tcp = drafts.iter().filter(|draft| draft.kind.is_none()).count();
    let mut checks = Vec::with_capacity(tcp);
    let mut probes = Vec::with_capacity(drafts.len() - tcp);
    for draft in drafts {
        match draft.kind {
            None => checks.push(connect(draft.connect, server, above)),
            Some(kind) => {
                let known = probes.len();
                probe(*kind, draft.connect, (server, above), &mut probes);
                let before = u16::try_from(checks.len()).unwrap_or(u16::MAX);
                for probe in probes.iter_mut().skip(known) {
                    probe.tcp_before = before;
                }
            }
        }
    }
    (checks, probes)
}

fn probe(
    kind: KindDraft,
    draft: TcpCheckDraft,
    (server, above): (RealServerKey, CheckDefaults),
    probes: &mut Vec<Probe>,
) {
    let delay_loop = draft.checks.delay_loop.or(above.delay_loop);
    let above = inherit(above, defaults(&kind, delay_loop));
    let own = draft.checks;
    let kind = match kind {
        KindDraft::Smtp(smtp) => {
            // With hosts it is these that are asked; what the block says holds for them.
            let alone = smtp.hosts.is_empty();
            for host in smtp.hosts {
                probes.push(Probe {
                    connect: connect(host, server, inherit(own, above)),
                    kind: ProbeKind::Smtp(smtp.probe.clone()),
                    tcp_before: 0,
                });
            }
            if !alone {
                return;
            }
            ProbeKind::Smtp(smtp.probe)
        }
        KindDraft::Misc(misc) => ProbeKind::Misc(misc_probe(misc)),
        KindDraft::Http(probe) => ProbeKind::Http(probe),
        KindDraft::Dns(probe) => ProbeKind::Dns(probe),
        KindDraft::Udp(probe) => ProbeKind::Udp(probe),
        KindDraft::Ping => ProbeKind::Ping,
        KindDraft::File(probe) => ProbeKind::File(probe),
        KindDraft::Bfd(bfd) => ProbeKind::Bfd(bfd.probe),
    };
    probes.push(Probe {
        connect: connect(draft, server, above),
        kind,
        tcp_before: 0,
    });
}

fn misc_probe(draft: MiscDraft) -> MiscProbe {
    let (user, group) = draft
        .user
        .map_or((None, None), |(user, group)| (Some(user), group));
    MiscProbe {
        script: CheckScript {
            command: draft.command.unwrap_or_default(),
            user,
            group,
        },
        // No time at all is that of the period.
        timeout: draft.timeout.filter(|time| *time > Duration::ZERO),
        dynamic: draft.dynamic,
    }
}

fn connect(draft: TcpCheckDraft, server: RealServerKey, above: CheckDefaults) -> TcpCheck {
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
    let delay_loop = checks.delay_loop.unwrap_or(DELAY_LOOP);
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

/// One-packet scheduling is for UDP.
pub(super) fn one_packet(
    policy: &mut ServicePolicy,
    (label, protocol): (&str, Option<Protocol>),
    place: Place,
    cx: &mut Context<'_>,
) {
    if policy.one_packet && protocol.is_some_and(|protocol| protocol != Protocol::Udp) {
        let message =
            format!("Virtual server {label}: one packet scheduling requires UDP - resetting");
        cx.report(Class::General, message, place);
        policy.one_packet = false;
    }
}

/// A quorum that the servers can reach, and a hysteresis below it.
pub(super) fn quorum(
    policy: &mut ServicePolicy,
    label: &str,
    servers: &[Shared<RealServer>],
    place: Place,
    cx: &mut Context<'_>,
) {
    let total: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
    if u64::from(policy.quorum) > total {
        let message = format!(
            "Warning - quorum {} for {label} exceeds total weight of real servers {total}, reducing \
             quorum to {total}",
            policy.quorum
        );
        cx.report(Class::General, message, place);
        policy.quorum = u32::try_from(total).unwrap_or(u32::MAX);
    }
    if policy.hysteresis >= policy.quorum {
        // keepalived counts below zero where servers have no weight at all; nothing follows from it,
        // as that quorum is never lost.
        let message = format!(
            "Virtual server {label}: hysteresis {} >= quorum {}; setting hysteresis to {}",
            policy.hysteresis,
            policy.quorum,
            policy.quorum.wrapping_sub(1)
        );
        cx.report(Class::General, message, place);
        policy.hysteresis = policy.quorum.saturating_sub(1);
    }
}

/// Says of how many servers nobody looks after the health, for their checks do nothing yet.
pub(super) fn unchecked(
    label: &str,
    servers: &[Shared<RealServer>],
    place: Place,
    cx: &mut Context<'_>,
) {
    let count = servers
        .iter()
        .filter(|server| server.checks().next().is_none() && !server.probes.is_empty())
        .count();
    if count > 0 {
        let message = format!(
            "Virtual server {label}: real servers without a check that is active in this version: \
             {count}; they count as up whatever happens to them"
        );
        cx.report(Class::Advice, message, place);
    }
}
