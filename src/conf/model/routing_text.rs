//! Routes and rules as keepalived writes them, in its dump and in its log.
//!
//! Owns: that one line of each.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use super::routing::{
    Encap, Insertion, MAIN_TABLE, Metric, NextHop, Prefix, Route, RouteKind, RouteMetrics, Rule,
    RuleAction,
};
use crate::base::Family;

impl Display for Prefix {
    /// Without its length where it is a host.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if self.len == Family::of(self.address).bits() {
            return Ok(());
        }
        write!(f, "/{}", self.len)
    }
}

const fn kind(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "",
        RouteKind::Local => "local ",
        RouteKind::Broadcast => "broadcast ",
        RouteKind::Anycast => "anycast ",
        RouteKind::Multicast => "multicast ",
        RouteKind::Blackhole => "blackhole ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        RouteKind::Throw => "throw ",
        RouteKind::Nat => "nat ",
        RouteKind::Xresolve => "xresolve ",
    }
}

fn via(f: &mut Formatter<'_>, gateway: IpAddr) -> fmt::Result {
    let family = match gateway {
        IpAddr::V4(_) => "inet",
        IpAddr::V6(_) => "inet6",
    };
    write!(f, " via {family} {gateway}")
}

impl Display for Route {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.insertion {
            Insertion::Prepend => "prepend ",
            Insertion::Append => "append ",
            Insertion::Add => "add ",
        })?;
        let Prefix { address, len } = self.destination;
        write!(f, "{}{address}", kind(self.kind))?;
        if len != Family::of(address).bits() {
            write!(f, "/{len}")?;
        }
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        if self.tos != 0 {
            write!(f, " tos {}", self.tos)?;
        }
        if let Some(encap) = &self.encap {
            write!(f, "{encap}")?;
        }
        if let Some(gateway) = self.gateway {
            via(f, gateway)?;
        }
        if let Some(name) = &self.interface {
            write!(f, " dev {name}")?;
        }
        if self.table != MAIN_TABLE {
            write!(f, " table {}", self.table)?;
        }
        if self.protocol != 0 {
            write!(f, " proto {}", self.protocol)?;
        }
        if let Some(scope) = self.scope {
            write!(f, " scope {}", scope.0)?;
        }
        self.write_rest(f)
    }
}

impl Route {
    fn write_rest(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        if self.on_link {
            f.write_str(" onlink")?;
        }
        if let Some(realms) = self.realms {
            write_realms(f, realms)?;
        }
        if let Some(expires) = self.expires {
            write!(f, " expires {expires}sec")?;
        }
        if let Some(preference) = self.preference {
            let name = match preference {
                0 => "medium",
                1 => "high",
                3 => "low",
                _ => "invalid",
            };
            write!(f, " pref {name}")?;
        }
        write!(f, "{}", self.metrics)?;
        if let Some(propagate) = self.ttl_propagate {
            let state = if propagate { "enabled" } else { "disabled" };
            write!(f, " ttl-propagate {state}")?;
        }
        for hop in &self.hops {
            write!(f, "{hop}")?;
        }
        write_watch(f, self.tracked, self.group.as_deref())
    }
}

fn write_watch(f: &mut Formatter<'_>, tracked: bool, group: Option<&str>) -> fmt::Result {
    if !tracked {
        f.write_str(" no_track")?;
    }
    match group {
        Some(group) => write!(f, " track_group {group}"),
        None => Ok(()),
    }
}

fn write_realms(f: &mut Formatter<'_>, realms: u32) -> fmt::Result {
    let (source, destination) = (realms >> 16, realms & 0xffff);
    if source == 0 {
        return write!(f, " realms {destination}");
    }
    write!(f, " realms {source}/{destination}")
}

impl Display for NextHop {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(" nexthop")?;
        if let Some(gateway) = self.gateway {
            via(f, gateway)?;
        }
        if let Some(name) = &self.interface {
            write!(f, " dev {name}")?;
        }
        if self.weight > 1 {
            write!(f, " weight {}", self.weight)?;
        }
        if self.on_link {
            f.write_str(" onlink")?;
        }
        if let Some(realms) = self.realms {
            write!(f, " realm {realms}")?;
        }
        match &self.encap {
            Some(encap) => encap.fmt(f),
            None => Ok(()),
        }
    }
}

impl Display for Encap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mpls(labels) => {
                f.write_str(" encap mpls")?;
                for (place, label) in labels.iter().enumerate() {
                    write!(f, "{}{label}", if place == 0 { " " } else { "/" })?;
                }
                Ok(())
            }
            Self::Ila(locator) => write!(f, " encap ila {locator:x}"),
            Self::Ip {
                id,
                destination,
                source,
                tos,
                ttl,
                flags,
            } => {
                write!(f, " encap ip id {id}")?;
                write_end(f, "dst", *destination)?;
                write_end(f, "src", *source)?;
                write!(f, " tos {tos} ttl {ttl} flags {flags:#x}")
            }
            Self::Ip6 {
                id,
                destination,
                source,
                traffic_class,
                hop_limit,
                flags,
            } => {
                write!(f, " encap ip6 id {id}")?;
                write_end(f, "dst", *destination)?;
                write_end(f, "src", *source)?;
                write!(
                    f,
                    " tc {traffic_class} hoplimit {hop_limit} flags {flags:#x}"
                )
            }
        }
    }
}

fn write_end(f: &mut Formatter<'_>, name: &str, end: Option<impl Display>) -> fmt::Result {
    match end {
        Some(end) => write!(f, " {name} {end}"),
        None => Ok(()),
    }
}

/// The order of the dump, with the names there.
const METRICS: [(Metric, &str); 15] = [
    (Metric::Rtt, "rtt"),
    (Metric::RttVariance, "rttvar"),
    (Metric::MinimumTimeout, "rto_min"),
    (Metric::Features, "features"),
    (Metric::Mtu, "mtu"),
    (Metric::Window, "window"),
    (Metric::SlowStartThreshold, "ssthresh"),
    (Metric::CongestionWindow, "cwnd"),
    (Metric::AdvertisedMss, "advmss"),
    (Metric::Reordering, "reordering"),
    (Metric::HopLimit, "hoplimit"),
    (Metric::InitialWindow, "initcwnd"),
    (Metric::InitialReceiveWindow, "initrwnd"),
    (Metric::QuickAck, "quickack"),
    (Metric::FastOpenWithoutCookie, "fastopen_no_cookie"),
];

impl Display for RouteMetrics {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(algorithm) = &self.congestion_control {
            let lock = if self.congestion_locked { "lock " } else { "" };
            write!(f, " congctl {lock}{algorithm}")?;
        }
        for (metric, name) in METRICS {
            let Some(value) = self.values.get(&metric) else {
                continue;
            };
            write!(f, " {name}")?;
            if self.locked.contains(&metric) {
                f.write_str(" lock")?;
            }
            match metric {
                Metric::Rtt => write!(f, " {}ms", value / 8)?,
                Metric::RttVariance => write!(f, " {}ms", value / 4)?,
                Metric::MinimumTimeout => write!(f, " {value}ms")?,
                Metric::Features if *value == 1 => f.write_str(" ecn")?,
                Metric::Features
                | Metric::Mtu
                | Metric::Window
                | Metric::SlowStartThreshold
                | Metric::CongestionWindow
                | Metric::AdvertisedMss
                | Metric::Reordering
                | Metric::HopLimit
                | Metric::InitialWindow
                | Metric::InitialReceiveWindow
                | Metric::QuickAck
                | Metric::FastOpenWithoutCookie => write!(f, " {value}")?,
            }
        }
        Ok(())
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.inverted {
            f.write_str("not ")?;
        }
        match self.from {
            Some(from) => write!(f, "from {from}")?,
            None if self.to.is_none() => write!(f, "from {}", Prefix::any(self.family))?,
            None => f.write_str("from all")?,
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        write!(f, " priority {} tos {:#x}", self.preference, self.tos)?;
        if let Some(mark) = self.mark {
            write!(f, " fwmark {mark:#x}")?;
            if let Some(mask) = self.mark_mask {
                write!(f, "/{mask:#x}")?;
            }
        }
        if let Some(name) = &self.input {
            write!(f, " iif {name}")?;
        }
        if let Some(name) = &self.output {
            write!(f, " oif {name}")?;
        }
        if let Some(len) = self.suppress_prefix_len {
            write!(f, " suppress_prefixlen {len}")?;
        }
        if let Some(group) = self.suppress_group {
            write!(f, " suppress_ifgroup {group}")?;
        }
        if let Some(tunnel) = self.tunnel {
            write!(f, " tunnel-id {tunnel}")?;
        }
        if let Some((first, last)) = self.users {
            write!(f, " uidrange {first}-{last}")?;
        }
        if self.action == RuleAction::Vrf {
            f.write_str(" l3mdev")?;
        }
        if self.protocol != 0 {
            write!(f, " protocol {}", self.protocol)?;
        }
        if let Some(protocol) = self.ip_protocol {
            write!(f, " ipproto {protocol}")?;
        }
        for (name, ports) in [
            ("sport", self.source_ports),
            ("dport", self.destination_ports),
        ] {
            if let Some((first, last)) = ports {
                write!(f, " {name} {first}-{last}")?;
            }
        }
        if let Some(realms) = self.realms {
            write_realms(f, realms)?;
        }
        match self.action {
            RuleAction::Table(table) => write!(f, " lookup {table}")?,
            RuleAction::Vrf => f.write_str(" lookup 0")?,
            RuleAction::Goto(target) => write!(f, " goto {target}")?,
            RuleAction::Nop => f.write_str(" nop")?,
            RuleAction::Blackhole => f.write_str(" type blackhole")?,
            RuleAction::Unreachable => f.write_str(" type unreachable")?,
            RuleAction::Prohibit => f.write_str(" type prohibit")?,
        }
        write_watch(f, self.tracked, self.group.as_deref())
    }
}
