//! Lines of `static_routes` and `virtual_routes`.
//!
//! Owns: the reading of a route as iproute2 writes one. A line with an error in it makes no route.
//! Never does: look at the kernel's tables. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::Scope;
use super::super::model::routing::{
    Insertion, KEEPALIVED, MAIN_TABLE, NextHop, Prefix, Route, RouteKind, RouteMetrics,
};
use super::super::names::{NameTable, base0};
use super::super::source::{Link, to_display};
use super::encap::encap;
use super::instance::current;
use super::words::{Fail, Network, Step, Words};
use super::{Outcome, Statement, metrics};
use crate::base::Family;

/// Said of addresses of both families in one route.
const MIXED: &str = "Cannot mix IPv4 and IPv6 addresses for route";

/// A route while it is being read.
struct RouteDraft {
    family: Option<Family>,
    /// The outer `None`: nothing was said.
    destination: Option<Network>,
    /// Gateways behind `or`.
    others: Vec<std::net::IpAddr>,
    route: Route,
}

/// A line of `static_routes`
pub(in super::super) fn static_route(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let route = line(draft, st, true)?;
    draft.statics.routes.extend(route);
    Ok(())
}

/// A line of `virtual_routes`
pub(in super::super) fn virtual_route(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let route = line(draft, st, false)?;
    current(draft, |instance| {
        instance.options.routes.extend(route);
        Ok(())
    })
}

/// The route of a line; `None`, reported, if it is none.
fn line(
    draft: &mut Draft,
    st: &mut Statement<'_>,
    fixed: bool,
) -> Result<Option<Route>, super::Stop> {
    let mut found = RouteDraft {
        family: None,
        destination: None,
        others: Vec::new(),
        route: blank(),
    };
    let mut words = Words { st, at: 0 };
    let mut read = || -> Step<Route> {
        while let Some(word) = words.peek() {
            words.at += 1;
            option(draft, &mut words, word, fixed, &mut found)?;
        }
        finish(&mut words, &mut found)
    };
    match read() {
        Ok(route) => Ok(Some(route)),
        Err(Fail::Skip) => Ok(None),
        Err(Fail::Stop(stop)) => Err(stop),
    }
}

fn blank() -> Route {
    Route {
        family: Family::V4,
        destination: Prefix::any(Family::V4),
        kind: RouteKind::Unicast,
        source: None,
        from: None,
        gateway: None,
        interface: None,
        on_link: false,
        table: MAIN_TABLE,
        protocol: 0,
        scope: None,
        tos: 0,
        metric: None,
        realms: None,
        preference: None,
        expires: None,
        ttl_propagate: None,
        encap: None,
        metrics: RouteMetrics::default(),
        insertion: Insertion::Prepend,
        hops: Vec::new(),
        tracked: true,
        group: None,
    }
}

fn finish(words: &mut Words<'_, '_>, found: &mut RouteDraft) -> Step<Route> {
    let Some(destination) = found.destination else {
        return words.skip("Route must have a destination");
    };
    let family = found.family.unwrap_or(Family::V4);
    let mut route = std::mem::replace(&mut found.route, blank());
    route.family = family;
    route.destination = destination.unwrap_or_else(|| Prefix::any(family));
    if !found.others.is_empty() {
        let gateways = route
            .gateway
            .take()
            .into_iter()
            .chain(found.others.drain(..));
        let hops = gateways.map(|gateway| NextHop {
            gateway: Some(gateway),
            interface: route.interface.clone(),
            ..no_hop()
        });
        route.hops = hops.collect();
    }
    // keepalived adds what has no way of its own, unless told otherwise.
    if route.kind != RouteKind::Unicast && route.insertion == Insertion::Prepend {
        route.insertion = Insertion::Add;
    }
    if route.tracked {
        if !matches!(route.protocol, 0 | KEEPALIVED) {
            words.error(
                "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol",
            );
        }
        route.protocol = KEEPALIVED;
    }
    Ok(route)
}

/// One option, its keyword taken.
fn option(
    draft: &mut Draft,
    words: &mut Words<'_, '_>,
    word: &str,
    fixed: bool,
    found: &mut RouteDraft,
) -> Step {
    if metrics::option(words, word, &mut found.route.metrics)? {
        return Ok(());
    }
    if let Some(kind) = kind(word) {
        found.route.kind = kind;
        let word = words.next()?;
        return destination(words, word, found);
    }
    if let Some(number) = base0(word).filter(|number| *number <= 255) {
        let next = words.next()?;
        let Some(kind) = KINDS.into_iter().find(|kind| *kind as u64 == number) else {
            // keepalived asks the kernel for it, which refuses it.
            return words.leave_out(format!(
                "the kernel has no kind of route with the number {number}: the route is left out"
            ));
        };
        found.route.kind = kind;
        return destination(words, next, found);
    }
    match word {
        "inet" | "inet6" => family(words, word, found)?,
        "add" => found.route.insertion = Insertion::Add,
        "prepend" => found.route.insertion = Insertion::Prepend,
        "append" => found.route.insertion = Insertion::Append,
        "onlink" => found.route.on_link = true,
        "no_track" => found.route.tracked = false,
        "encap" => found.route.encap = encap(words),
        "to" => {
            let word = words.next()?;
            destination(words, word, found)?;
        }
        "src" | "via" | "gw" | "or" => address(words, word, found)?,
        "from" => from(words, found)?,
        "as" => {
            words.at += usize::from(words.next()? == "to");
            words.error("\"as to\" for MPLS only - ignoring");
        }
        "dev" | "oif" => found.route.interface = Some(device(draft, words)?),
        "nexthop" => hops(draft, words, found)?,
        "track_group" if fixed => found.route.group = super::statics::track_group(draft, words)?,
        "table" | "vrf" | "tos" | "dsfield" | "protocol" | "scope" | "realms" => {
            named(words, word, found)?;
        }
        "metric" | "priority" | "preference" | "expires" | "pref" | "ttl-propagate" => {
            number(words, word, found)?;
        }
        _ => destination(words, word, found)?,
    }
    Ok(())
}

/// Every kind, which a line may name by its number as well.
const KINDS: [RouteKind; 11] = [
    RouteKind::Unicast,
    RouteKind::Local,
    RouteKind::Broadcast,
    RouteKind::Anycast,
    RouteKind::Multicast,
    RouteKind::Blackhole,
    RouteKind::Unreachable,
    RouteKind::Prohibit,
    RouteKind::Throw,
    RouteKind::Nat,
    RouteKind::Xresolve,
];

pub(super) fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" | "brd" => RouteKind::Broadcast,
        "anycast" => RouteKind::Anycast,
        "multicast" => RouteKind::Multicast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        "nat" => RouteKind::Nat,
        "xresolve" => RouteKind::Xresolve,
        _ => return None,
    })
}

fn family(words: &mut Words<'_, '_>, word: &str, found: &mut RouteDraft) -> Step {
    let (family, other) = if word == "inet" {
        (Family::V4, "IPv6")
    } else {
        (Family::V6, "IPv4")
    };
    if found.family.is_some_and(|known| known != family) {
        return words.skip(format!("{word} specified for {other} route"));
    }
    found.family = Some(family);
    // keepalived overlooks the word behind it.
    words.at += 1;
    Ok(())
}

fn destination(words: &mut Words<'_, '_>, word: &str, found: &mut RouteDraft) -> Step {
    let shown = to_display(word);
    let Ok(network) = words.network(word) else {
        return words.skip(format!("unknown route keyword {shown}"));
    };
    // Without a family of its own it fits no other than the default one.
    let family = network.map(|network| Family::of(network.address));
    let fits = match (found.family, family) {
        (None, _) => true,
        (Some(known), Some(family)) => known == family,
        (Some(known), None) => known == Family::V4,
    };
    if !fits {
        return words.skip(format!("{MIXED} ({shown})"));
    }
    found.family = found.family.or(family);
    found.destination = Some(network);
    Ok(())
}

/// Whether an address is of the route's family, which the first one decides.
fn fits(words: &mut Words<'_, '_>, family: Family, found: &mut RouteDraft) -> Step {
    if *found.family.get_or_insert(family) != family {
        return words.skip(MIXED);
    }
    Ok(())
}

fn address(words: &mut Words<'_, '_>, word: &str, found: &mut RouteDraft) -> Step {
    if word == "src" {
        let source = words.address("invalid route src address {}")?;
        fits(words, Family::of(source), found)?;
        found.route.source = Some(source);
        return Ok(());
    }
    let successor = match word {
        "gw" => Some("via"),
        "or" => Some("nexthop"),
        _ => None,
    };
    if let Some(successor) = successor {
        let message = format!("\"{word}\" for routes is deprecated. Please use \"{successor}\"");
        let index = words.at - 1;
        words.st.error(Class::Deprecated, message, Some(index));
    }
    if word == "or" {
        let other = words.address("Invalid \"or\" address {}")?;
        fits(words, Family::of(other), found)?;
        found.others.push(other);
        return Ok(());
    }
    if words.take("inet") {
        fits(words, Family::V4, found)?;
    } else if words.take("inet6") {
        fits(words, Family::V6, found)?;
    }
    let gateway = words.address("invalid route via address {}")?;
    fits(words, Family::of(gateway), found)?;
    found.route.gateway = Some(gateway);
    Ok(())
}

fn from(words: &mut Words<'_, '_>, found: &mut RouteDraft) -> Step {
    let word = words.next()?;
    let shown = to_display(word);
    let Ok(network) = words.network(word) else {
        return words.skip(format!("invalid route from address {shown}"));
    };
    let Some(network) = network.filter(|network| network.address.is_ipv6()) else {
        return words.skip(format!(
            "route from address only supported with IPv6 ({shown})"
        ));
    };
    fits(words, Family::V6, found)?;
    found.route.from = Some(network);
    Ok(())
}

/// An interface, which has to be there.
fn device(draft: &mut Draft, words: &mut Words<'_, '_>) -> Step<String> {
    let name = words.next()?;
    if !draft.misses(name, words.st.facts) {
        return Ok(name.to_owned());
    }
    let shown = to_display(name);
    words.skip(format!(
        "WARNING - interface {shown} for VROUTE nexthop doesn't exist"
    ))
}

/// Options whose values have names.
fn named(words: &mut Words<'_, '_>, option: &str, found: &mut RouteDraft) -> Step {
    let word = words.next()?;
    let shown = to_display(word);
    let route = &mut found.route;
    let byte = |table| words.named(table, word).and_then(|n| u8::try_from(n).ok());
    let problem = match option {
        "table" => match words.named(NameTable::Tables, word) {
            Some(table) => {
                route.table = table;
                return Ok(());
            }
            None => format!("Routing table {shown} not found for route"),
        },
        "vrf" => match words.st.facts.link(word) {
            Some(Link::Vrf(table)) => {
                route.table = table;
                return Ok(());
            }
            Some(_) => format!("Route specified VRF {shown} is not a VRF"),
            None => format!("VRF {shown} not found for route"),
        },
        "protocol" => match byte(NameTable::Protocols) {
            Some(protocol) => {
                route.protocol = protocol;
                return Ok(());
            }
            None => format!("Protocol {shown} not found or invalid for route"),
        },
        "scope" => match byte(NameTable::Scopes) {
            Some(scope) => {
                route.scope = Some(Scope(scope));
                return Ok(());
            }
            None => format!("Scope {shown} not found or invalid for route"),
        },
        "realms" if found.family == Some(Family::V6) => "realms are only valid for IPv4".to_owned(),
        "realms" => match words.realms(word) {
            Some(realms) => {
                found.family = Some(Family::V4);
                route.realms = Some(realms);
                return Ok(());
            }
            None => format!("Invalid realms {shown} for route"),
        },
        _ => match byte(NameTable::DsField) {
            Some(tos) => {
                route.tos = tos;
                return Ok(());
            }
            None => format!("TOS value {shown} is invalid"),
        },
    };
    words.skip(problem)
}

/// Options with numbers that are no measures.
fn number(words: &mut Words<'_, '_>, option: &str, found: &mut RouteDraft) -> Step {
    let v4 = found.family == Some(Family::V4);
    match option {
        "expires" | "pref" if v4 => {
            words.at += 1;
            return words.skip(format!("{option} is only valid for IPv6"));
        }
        "expires" => {
            let problem = "Invalid expires time {} specified for route";
            found.family = Some(Family::V6);
            found.route.expires = Some(words.number(0, u32::MAX, problem)?);
        }
        "pref" => {
            let preference = match words.peek() {
                Some("low") => 3,
                Some("medium") => 0,
                Some("high") => 1,
                Some(_) | None => {
                    let problem = "Invalid pref value {} specified for route";
                    let number = words.number(0, 255, problem)?;
                    words.at -= 1;
                    u8::try_from(number).unwrap_or_default()
                }
            };
            words.at += 1;
            found.family = Some(Family::V6);
            found.route.preference = Some(preference);
        }
        "ttl-propagate" => match words.next()? {
            "enabled" => found.route.ttl_propagate = Some(true),
            "disabled" => found.route.ttl_propagate = Some(false),
            other => {
                let shown = to_display(other);
                words.error(format!("ttl-propagate value {shown} not recognised"));
            }
        },
        _ => {
            let problem = "Invalid metric {} specified for route";
            found.route.metric = Some(words.number(0, u32::MAX, problem)?);
        }
    }
    Ok(())
}

const fn no_hop() -> NextHop {
    NextHop {
        gateway: None,
        interface: None,
        weight: 1,
        on_link: false,
        realms: None,
        encap: None,
    }
}

/// `nexthop … [nexthop …]`, the first of these words taken. A bad one ends the line, but not the
/// route.
fn hops(draft: &mut Draft, words: &mut Words<'_, '_>, found: &mut RouteDraft) -> Step {
    loop {
        let mut hop = no_hop();
        let whole = match one_hop(draft, words, found.family, &mut hop) {
            Ok(whole) => whole,
            Err(Fail::Skip) => {
                words.at = words.st.count();
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        if hop != no_hop() {
            if let Some(gateway) = hop.gateway {
                found.family.get_or_insert(Family::of(gateway));
            }
            found.route.hops.push(hop);
        }
        if !whole || !words.take("nexthop") {
            words.at = words.st.count();
            return Ok(());
        }
    }
}

/// One hop; false: something follows that belongs to none.
fn one_hop(
    draft: &mut Draft,
    words: &mut Words<'_, '_>,
    family: Option<Family>,
    hop: &mut NextHop,
) -> Step<bool> {
    while let Some(word) = words.peek().filter(|word| *word != "nexthop") {
        words.at += 1;
        match word {
            "via" => hop.gateway = Some(gateway(words, family)?),
            "dev" => hop.interface = Some(device(draft, words)?),
            "weight" => {
                let problem = "Invalid weight {} specified for route";
                let weight = words.number(0, 256, problem)?;
                if weight == 0 {
                    return words.skip(problem.replace("{}", "0"));
                }
                hop.weight = u16::try_from(weight).unwrap_or(1);
            }
            "onlink" => hop.on_link = true,
            "encap" => hop.encap = encap(words),
            "realms" => {
                let value = words.next()?;
                if family == Some(Family::V6) {
                    return words.skip("realms are only supported for IPv4");
                }
                let Some(realms) = words.realms(value) else {
                    let shown = to_display(value);
                    return words.skip(format!("Invalid realms {shown} for route"));
                };
                hop.realms = Some(realms);
            }
            "as" => return words.skip("'as [to]' (nat) not supported"),
            _ => {
                let shown = to_display(word);
                words.error(format!(
                    "Route has trailing nonsense after nexthops - {shown}"
                ));
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn gateway(words: &mut Words<'_, '_>, family: Option<Family>) -> Step<std::net::IpAddr> {
    let named = match words.peek() {
        Some("inet") => Some(Family::V4),
        Some("inet6") => Some(Family::V6),
        Some(_) | None => None,
    };
    if let Some(named) = named {
        words.at += 1;
        if family.is_some_and(|family| family != named) {
            return words.skip("IPv4/6 mismatch for nexthop");
        }
    }
    let gateway = words.address("invalid nexthop address {}")?;
    if family.is_some_and(|family| family != Family::of(gateway)) {
        return words.skip("Address family mismatch for next hop");
    }
    Ok(gateway)
}
