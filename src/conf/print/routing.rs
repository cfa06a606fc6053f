//! Routes and rules as lines of a configuration.
//!
//! Owns: their words, in an order in which each is read. Driven by: `print`.

use std::fmt::Display;

use super::super::model::routing::{
    Encap, Insertion, MAIN_TABLE, Metric, NextHop, Route, RouteKind, RouteMetrics, Rule,
    RuleAction, StaticAddress, Statics,
};
use super::vrrp::address;
use super::{Printer, decimal, quoted};
use crate::base::Family;

/// `track_group`, then what may name one.
pub(super) fn statics(out: &mut Printer, statics: &Statics) {
    for group in &statics.groups {
        out.block(format!("track_group {}", quoted(&group.name)), |out| {
            out.list("group", group.members.iter().map(|name| quoted(name)));
        });
    }
    let with_group = |fixed: &StaticAddress| {
        let mut words = Words(vec![address(&fixed.address)]);
        words.name("track_group", fixed.group.as_deref());
        words.join()
    };
    out.list("static_ipaddress", statics.addresses.iter().map(with_group));
    out.list("static_routes", statics.routes.iter().map(route));
    out.list("static_rules", statics.rules.iter().map(rule));
}

/// The words of a line.
struct Words(Vec<String>);

impl Words {
    fn word(&mut self, word: &str, said: bool) {
        if said {
            self.0.push(word.to_owned());
        }
    }

    fn value(&mut self, word: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.push(format!("{word} {value}"));
        }
    }

    fn number<T: Display + PartialEq + Default>(&mut self, word: &str, value: T) {
        self.value(word, Some(value).filter(|value| *value != T::default()));
    }

    fn name(&mut self, word: &str, name: Option<&str>) {
        self.value(word, name.map(quoted));
    }

    fn realms(&mut self, realms: Option<u32>) {
        let text = |realms: u32| match realms >> 16 {
            0 => realms.to_string(),
            source => format!("{source}/{}", realms & 0xffff),
        };
        self.value("realms", realms.map(text));
    }

    fn join(self) -> String {
        self.0.join(" ")
    }
}

const fn kind(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "unicast",
        RouteKind::Local => "local",
        RouteKind::Broadcast => "broadcast",
        RouteKind::Anycast => "anycast",
        RouteKind::Multicast => "multicast",
        RouteKind::Blackhole => "blackhole",
        RouteKind::Unreachable => "unreachable",
        RouteKind::Prohibit => "prohibit",
        RouteKind::Throw => "throw",
        RouteKind::Nat => "nat",
        RouteKind::Xresolve => "xresolve",
    }
}

pub(super) fn route(route: &Route) -> String {
    let insertion = match route.insertion {
        Insertion::Prepend => "prepend",
        Insertion::Append => "append",
        Insertion::Add => "add",
    };
    let mut words = Words(vec![insertion.to_owned()]);
    let to = route.destination;
    words.value(kind(route.kind), Some(format!("{}/{}", to.address, to.len)));
    let from = route
        .from
        .map(|from| format!("{}/{}", from.address, from.len));
    words.value("from", from);
    words.value("src", route.source);
    words.number("tos", route.tos);
    encap(&mut words, route.encap.as_ref());
    words.value("via", route.gateway);
    words.name("dev", route.interface.as_deref());
    words.value(
        "table",
        Some(route.table).filter(|&table| table != MAIN_TABLE),
    );
    words.number("protocol", route.protocol);
    words.value("scope", route.scope.map(|scope| scope.0));
    words.value("metric", route.metric);
    words.word("onlink", route.on_link);
    words.realms(route.realms);
    words.value("expires", route.expires);
    words.value(
        "pref",
        route.preference.map(|preference| match preference {
            0 => "medium".to_owned(),
            1 => "high".to_owned(),
            3 => "low".to_owned(),
            other => other.to_string(),
        }),
    );
    metrics(&mut words, &route.metrics);
    words.value(
        "ttl-propagate",
        route
            .ttl_propagate
            .map(|on| if on { "enabled" } else { "disabled" }),
    );
    words.word("no_track", !route.tracked);
    words.name("track_group", route.group.as_deref());
    // The rest of the line is theirs.
    for hop in &route.hops {
        next_hop(&mut words, hop);
    }
    words.join()
}

fn next_hop(words: &mut Words, hop: &NextHop) {
    words.word("nexthop", true);
    words.value("via", hop.gateway);
    words.name("dev", hop.interface.as_deref());
    words.value("weight", Some(hop.weight).filter(|&weight| weight != 1));
    words.word("onlink", hop.on_link);
    words.realms(hop.realms);
    encap(words, hop.encap.as_ref());
}

fn encap(words: &mut Words, encap: Option<&Encap>) {
    match encap {
        None => {}
        Some(Encap::Mpls(labels)) => {
            let labels: Vec<String> = labels.iter().map(u32::to_string).collect();
            words.value("encap mpls", Some(labels.join("/")));
        }
        Some(Encap::Ila(locator)) => {
            let [a, b, c, d] = [48, 32, 16, 0].map(|shift| locator >> shift & 0xffff);
            let locator = format!("{a:x}:{b:x}:{c:x}:{d:x}");
            words.value("encap ila", Some(locator));
        }
        Some(Encap::Ip {
            id,
            destination,
            source,
            tos,
            ttl,
            flags,
        }) => {
            words.word("encap ip", true);
            words.number("id", *id);
            words.value("dst", *destination);
            words.value("src", *source);
            words.number("tos", *tos);
            words.number("ttl", *ttl);
            words.number("flags", *flags);
        }
        Some(Encap::Ip6 {
            id,
            destination,
            source,
            traffic_class,
            hop_limit,
            flags,
        }) => {
            words.word("encap ip6", true);
            words.number("id", *id);
            words.value("dst", *destination);
            words.value("src", *source);
            words.number("tc", *traffic_class);
            words.number("hoplimit", *hop_limit);
            words.number("flags", *flags);
        }
    }
}

fn metrics(words: &mut Words, metrics: &RouteMetrics) {
    for (metric, value) in &metrics.values {
        let (name, text) = match metric {
            Metric::Mtu => ("mtu", value.to_string()),
            Metric::Window => ("window", value.to_string()),
            Metric::Rtt => ("rtt", milliseconds(*value, 8)),
            Metric::RttVariance => ("rttvar", milliseconds(*value, 4)),
            Metric::SlowStartThreshold => ("ssthresh", value.to_string()),
            Metric::CongestionWindow => ("cwnd", value.to_string()),
            Metric::AdvertisedMss => ("advmss", value.to_string()),
            Metric::Reordering => ("reordering", value.to_string()),
            Metric::HopLimit => ("hoplimit", value.to_string()),
            Metric::InitialWindow => ("initcwnd", value.to_string()),
            Metric::Features => ("features", "ecn".to_owned()),
            Metric::MinimumTimeout => ("rto_min", milliseconds(*value, 1)),
            Metric::InitialReceiveWindow => ("initrwnd", value.to_string()),
            Metric::QuickAck => ("quickack", value.to_string()),
            Metric::FastOpenWithoutCookie => ("fastopen_no_cookie", value.to_string()),
        };
        let lock = if metrics.locked.contains(metric) {
            "lock "
        } else {
            ""
        };
        words.value(name, Some(format!("{lock}{text}")));
    }
    let lock = if metrics.congestion_locked {
        "congctl lock"
    } else {
        "congctl"
    };
    words.name(lock, metrics.congestion_control.as_deref());
}

/// A time that the kernel counts in parts of a millisecond.
fn milliseconds(value: u32, parts: u32) -> String {
    let rest = value % parts * (1_000_000 / parts);
    format!("{}ms", decimal(u64::from(value / parts), rest))
}

pub(super) fn rule(rule: &Rule) -> String {
    let mut words = Words(Vec::new());
    words.word("not", rule.inverted);
    if rule.from.is_none() && rule.to.is_none() && rule.family == Family::V6 {
        // The word behind it is overlooked.
        words.word("inet6 inet6", true);
    }
    for (word, prefix) in [("from", rule.from), ("to", rule.to)] {
        let text = prefix.map(|prefix| format!("{}/{}", prefix.address, prefix.len));
        words.value(word, text);
    }
    words.value("preference", Some(rule.preference));
    words.number("tos", rule.tos);
    let mark = rule.mark.map(|mark| match rule.mark_mask {
        Some(mask) => format!("{mark}/{mask}"),
        None => mark.to_string(),
    });
    words.value("fwmark", mark);
    words.realms(rule.realms);
    words.name("iif", rule.input.as_deref());
    words.name("oif", rule.output.as_deref());
    words.value("suppress_prefixlength", rule.suppress_prefix_len);
    words.value("suppress_ifgroup", rule.suppress_group);
    words.value("tunnel-id", rule.tunnel);
    let span = |(first, last): (u32, u32)| format!("{first}-{last}");
    words.value("uidrange", rule.users.map(span));
    words.number("protocol", rule.protocol);
    words.value("ipproto", rule.ip_protocol);
    let ports = |(first, last): (u16, u16)| span((first.into(), last.into()));
    words.value("sport", rule.source_ports.map(ports));
    words.value("dport", rule.destination_ports.map(ports));
    match rule.action {
        RuleAction::Table(table) => words.value("table", Some(table)),
        RuleAction::Goto(target) => words.value("goto", Some(target)),
        RuleAction::Nop => words.word("nop", true),
        RuleAction::Blackhole => words.word("blackhole", true),
        RuleAction::Unreachable => words.word("unreachable", true),
        RuleAction::Prohibit => words.word("prohibit", true),
        RuleAction::Vrf => words.word("l3mdev", true),
    }
    words.word("no_track", !rule.tracked);
    words.name("track_group", rule.group.as_deref());
    words.join()
}
