//! Routes and rules of the configuration as the kernel is asked for them.
//!
//! Owns: the meaning of each option in messages of the kernel. Never does: ask. Driven by:
//! `fixtures`, which looks interfaces up.

use std::net::IpAddr;

use crate::base::{Family, IfIndex};
use crate::conf::model::routing::{
    Encap, Insertion, KEEPALIVED, NextHop, Prefix, Route, RouteKind, RouteMetrics, Rule, RuleAction,
};
use crate::ops::Place;
use crate::wire::rtnl::{Header, Writer, route as rta, rule as fra};

// linux/rtnetlink.h, linux/lwtunnel.h, linux/fib_rules.h
const RTAX_LOCK: u16 = 1;
const RTAX_CC_ALGO: u16 = 16;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;
const ENCAP_MPLS: u16 = 1;
const ENCAP_IP: u16 = 2;
const ENCAP_ILA: u16 = 3;
const ENCAP_IP6: u16 = 4;
const ACT_TABLE: u8 = 1;
const ACT_GOTO: u8 = 2;
const ACT_NOP: u8 = 3;
const ACT_BLACKHOLE: u8 = 6;
const ACT_UNREACHABLE: u8 = 7;
const ACT_PROHIBIT: u8 = 8;

/// Where a new route goes among its kin.
pub(super) const fn place(route: &Route) -> Place {
    match route.insertion {
        Insertion::Prepend => Place::First,
        Insertion::Append => Place::Last,
        Insertion::Add => Place::Alone,
    }
}

/// The names of the interfaces that a route goes through.
pub(super) fn interfaces(route: &Route) -> impl Iterator<Item = &str> {
    let hops = route.hops.iter().filter_map(|hop| hop.interface.as_deref());
    route.interface.as_deref().into_iter().chain(hops)
}

/// The route as a message; `None` while an interface that it names does not exist.
pub(super) fn route_message(
    route: &Route,
    index: impl Fn(&str) -> Option<IfIndex>,
) -> Option<Vec<u8>> {
    let mut writer = Writer::new(&Header {
        family: route.family,
        destination_len: route.destination.len,
        source_len: route.from.map_or(0, |from| from.len),
        tos: route.tos,
        table: route.table,
        protocol: match route.protocol {
            0 => KEEPALIVED,
            given => given,
        },
        scope: scope(route),
        kind: route.kind as u8,
        flags: u32::from(if route.on_link { rta::ON_LINK } else { 0 }),
    });
    if route.destination.len > 0 {
        writer.address(rta::DST, route.destination.address);
    }
    if let Some(from) = route.from {
        writer.address(rta::SRC, from.address);
    }
    if let Some(source) = route.source {
        writer.address(rta::PREFSRC, source);
    }
    if let Some(gateway) = route.gateway {
        writer.gateway(route.family, gateway);
    }
    if let Some(name) = &route.interface {
        writer.u32(rta::OIF, index(name)?.get());
    }
    if let Some(metric) = route.metric {
        writer.u32(rta::PRIORITY, metric);
    }
    if let Some(realms) = route.realms {
        writer.u32(rta::FLOW, realms);
    }
    if let Some(preference) = route.preference {
        writer.u8(rta::PREF, preference);
    }
    if let Some(expires) = route.expires {
        writer.u32(rta::EXPIRES, expires);
    }
    if let Some(propagate) = route.ttl_propagate {
        writer.u8(rta::TTL_PROPAGATE, u8::from(propagate));
    }
    if let Some(encap) = &route.encap {
        put_encap(&mut writer, encap);
    }
    put_metrics(&mut writer, &route.metrics);
    if !route.hops.is_empty() {
        let mut hops = Writer::default();
        for hop in &route.hops {
            put_hop(&mut hops, route.family, hop, &index)?;
        }
        writer.put(rta::MULTIPATH, &hops.finish());
    }
    Some(writer.finish())
}

/// The scope: that given, or the only one that the kernel takes for this kind of route.
fn scope(route: &Route) -> u8 {
    let needed = match (route.kind, route.family) {
        (_, Family::V6) => 0,
        (RouteKind::Local | RouteKind::Nat, Family::V4) => SCOPE_HOST,
        (RouteKind::Broadcast | RouteKind::Anycast, Family::V4) => SCOPE_LINK,
        (
            RouteKind::Unicast
            | RouteKind::Multicast
            | RouteKind::Blackhole
            | RouteKind::Unreachable
            | RouteKind::Prohibit
            | RouteKind::Throw
            | RouteKind::Xresolve,
            Family::V4,
        ) => 0,
    };
    route.scope.map_or(needed, |scope| scope.0)
}

fn put_hop(
    hops: &mut Writer,
    family: Family,
    hop: &NextHop,
    index: impl Fn(&str) -> Option<IfIndex>,
) -> Option<()> {
    let mut inner = Writer::default();
    if let Some(gateway) = hop.gateway {
        inner.gateway(family, gateway);
    }
    if let Some(realms) = hop.realms {
        inner.u32(rta::FLOW, realms);
    }
    if let Some(encap) = &hop.encap {
        put_encap(&mut inner, encap);
    }
    let interface = match &hop.interface {
        Some(name) => index(name)?.get(),
        None => 0,
    };
    let flags = if hop.on_link { rta::ON_LINK } else { 0 };
    let less_one = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    hops.next_hop(flags, less_one, interface, &inner);
    Some(())
}

fn put_metrics(writer: &mut Writer, metrics: &RouteMetrics) {
    let mut inner = Writer::default();
    let locked = metrics.locked.iter().map(|metric| 1 << *metric as u32);
    let congestion = u32::from(metrics.congestion_locked) << RTAX_CC_ALGO;
    let locks = locked.fold(congestion, |all, one: u32| all | one);
    if locks != 0 {
        inner.u32(RTAX_LOCK, locks);
    }
    for (metric, value) in &metrics.values {
        inner.u32(*metric as u16, *value);
    }
    if let Some(algorithm) = &metrics.congestion_control {
        inner.text(RTAX_CC_ALGO, algorithm);
    }
    if inner != Writer::default() {
        writer.nest(rta::METRICS, &inner);
    }
}

fn put_encap(writer: &mut Writer, encap: &Encap) {
    let mut inner = Writer::default();
    let kind = match encap {
        Encap::Mpls(labels) => {
            inner.labels(1, labels);
            ENCAP_MPLS
        }
        Encap::Ip {
            id,
            destination,
            source,
            tos,
            ttl,
            flags,
        } => {
            let ends = (destination.map(IpAddr::V4), source.map(IpAddr::V4));
            // linux/lwtunnel.h: 4 is the TTL, 5 the TOS.
            put_tunnel(&mut inner, *id, ends, *flags, [*ttl, *tos]);
            ENCAP_IP
        }
        Encap::Ip6 {
            id,
            destination,
            source,
            traffic_class,
            hop_limit,
            flags,
        } => {
            let ends = (destination.map(IpAddr::V6), source.map(IpAddr::V6));
            put_tunnel(&mut inner, *id, ends, *flags, [*hop_limit, *traffic_class]);
            ENCAP_IP6
        }
        Encap::Ila(locator) => {
            inner.u64_be(1, *locator);
            ENCAP_ILA
        }
    };
    writer.u16(rta::ENCAP_TYPE, kind);
    writer.nest(rta::ENCAP, &inner);
}

/// `LWTUNNEL_IP_*` and `LWTUNNEL_IP6_*`, which have the same numbers.
fn put_tunnel(
    inner: &mut Writer,
    id: u64,
    (destination, source): (Option<IpAddr>, Option<IpAddr>),
    flags: u16,
    bytes: [u8; 2],
) {
    if id != 0 {
        inner.u64_be(1, id);
    }
    if let Some(destination) = destination {
        inner.address(2, destination);
    }
    if let Some(source) = source {
        inner.address(3, source);
    }
    for (kind, value) in [4, 5].into_iter().zip(bytes) {
        if value != 0 {
            inner.u8(kind, value);
        }
    }
    if flags != 0 {
        inner.u16_be(6, flags);
    }
}

/// The rule as a message.
pub(super) fn rule_message(rule: &Rule) -> Vec<u8> {
    let (table, action) = match rule.action {
        RuleAction::Table(table) => (table, ACT_TABLE),
        RuleAction::Vrf => (0, ACT_TABLE),
        RuleAction::Goto(_) => (0, ACT_GOTO),
        RuleAction::Nop => (0, ACT_NOP),
        RuleAction::Blackhole => (0, ACT_BLACKHOLE),
        RuleAction::Unreachable => (0, ACT_UNREACHABLE),
        RuleAction::Prohibit => (0, ACT_PROHIBIT),
    };
    let len = |prefix: Option<Prefix>| prefix.map_or(0, |prefix| prefix.len);
    let mut writer = Writer::new(&Header {
        family: rule.family,
        destination_len: len(rule.to),
        source_len: len(rule.from),
        tos: rule.tos,
        table,
        protocol: 0,
        scope: 0,
        kind: action,
        flags: if rule.inverted { fra::INVERT } else { 0 },
    });
    for (kind, prefix) in [(fra::DST, rule.to), (fra::SRC, rule.from)] {
        if let Some(prefix) = prefix.filter(|prefix| prefix.len > 0) {
            writer.address(kind, prefix.address);
        }
    }
    for (kind, name) in [(fra::IIFNAME, &rule.input), (fra::OIFNAME, &rule.output)] {
        if let Some(name) = name {
            writer.text(kind, name);
        }
    }
    if let RuleAction::Goto(target) = rule.action {
        writer.u32(fra::GOTO, target);
    }
    if rule.action == RuleAction::Vrf {
        writer.u8(fra::L3MDEV, 1);
    }
    let numbers = [
        (fra::PRIORITY, Some(rule.preference)),
        (fra::FWMARK, rule.mark),
        (fra::FWMASK, rule.mark_mask),
        (fra::FLOW, rule.realms),
        (fra::SUPPRESS_PREFIXLEN, rule.suppress_prefix_len),
        (fra::SUPPRESS_IFGROUP, rule.suppress_group),
    ];
    for (kind, value) in numbers {
        if let Some(value) = value {
            writer.u32(kind, value);
        }
    }
    if let Some(tunnel) = rule.tunnel {
        writer.u64_be(fra::TUN_ID, tunnel);
    }
    if let Some(users) = rule.users {
        writer.u32_pair(fra::UID_RANGE, users);
    }
    if rule.protocol != 0 {
        writer.u8(fra::PROTOCOL, rule.protocol);
    }
    if let Some(protocol) = rule.ip_protocol {
        writer.u8(fra::IP_PROTO, protocol);
    }
    for (kind, ports) in [
        (fra::SPORT_RANGE, rule.source_ports),
        (fra::DPORT_RANGE, rule.destination_ports),
    ] {
        if let Some(ports) = ports {
            writer.u16_pair(kind, ports);
        }
    }
    writer.finish()
}
