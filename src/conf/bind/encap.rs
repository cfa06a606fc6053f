//! Light weight tunnels: `encap ip|ip6|mpls|ila …` of routes and their hops.
//!
//! Owns: the reading of one. What is wrong with it is reported, the route goes on without it, and
//! what is left of its words is tried as words of the route, as by keepalived. Driven by:
//! `bind::route`, behind the word `encap`.

use std::net::IpAddr;

use super::super::model::routing::Encap;
use super::super::names::{NameTable, base0};
use super::super::source::to_display;
use super::words::Words;

/// The most labels of a path.
const MAX_LABELS: usize = 2;
/// A label has twenty bits.
const MAX_LABEL: u64 = (1 << 20) - 1;

/// What the two tunnels in IP have in common.
#[derive(Default)]
struct Tunnel {
    id: u64,
    destination: Option<IpAddr>,
    source: Option<IpAddr>,
    class: u8,
    hops: u8,
    flags: u16,
}

/// The encapsulation behind the word `encap`.
pub(super) fn encap(words: &mut Words<'_, '_>) -> Option<Encap> {
    let Some(kind) = words.peek() else {
        words.error("Missing encap type");
        return None;
    };
    words.at += 1;
    match kind {
        "ip" => {
            let found = tunnel(words, false)?;
            Some(Encap::Ip {
                id: found.id,
                destination: found.destination.and_then(v4),
                source: found.source.and_then(v4),
                tos: found.class,
                ttl: found.hops,
                flags: found.flags,
            })
        }
        "ip6" => {
            let found = tunnel(words, true)?;
            Some(Encap::Ip6 {
                id: found.id,
                destination: found.destination.and_then(v6),
                source: found.source.and_then(v6),
                traffic_class: found.class,
                hop_limit: found.hops,
                flags: found.flags,
            })
        }
        "mpls" => mpls(words),
        "ila" => ila(words),
        _ => {
            words.error(format!("Unknown encap type - {}", to_display(kind)));
            // A type has a value, whatever it is.
            words.at += 1;
            None
        }
    }
}

const fn v4(address: IpAddr) -> Option<std::net::Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

const fn v6(address: IpAddr) -> Option<std::net::Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}

/// `[id N] [dst ADDRESS] [src ADDRESS] [tos T] [ttl N] [flags N]`
fn tunnel(words: &mut Words<'_, '_>, six: bool) -> Option<Tunnel> {
    let mut found = Tunnel::default();
    while let (Some(option), Some(value)) = (words.peek(), words.st.word(words.at + 1)) {
        let class = if six { "tc" } else { "tos" };
        let hops = if six { "hoplimit" } else { "ttl" };
        if ![class, hops, "id", "dst", "src", "flags"].contains(&option) {
            break;
        }
        words.at += 2;
        if !tunnel_option(words, six, option, value, &mut found) {
            words.at -= 2;
            return None;
        }
    }
    if found.id == 0 && found.destination.is_none() && found.source.is_none() {
        let name = if six { "ip6" } else { "ip" };
        words.error(format!("address or id missing for {name} encapsulation"));
        return None;
    }
    Some(found)
}

/// One option; false: reported that it is bad.
fn tunnel_option(
    words: &mut Words<'_, '_>,
    six: bool,
    option: &str,
    value: &str,
    found: &mut Tunnel,
) -> bool {
    let shown = to_display(value);
    let index = words.at - 1;
    let problem = match option {
        "id" => match words.wide(value) {
            Some(id) => {
                found.id = id;
                return true;
            }
            None if six => format!("id {shown} value invalid for IPv6 encapsulation"),
            None => format!("encap id {shown} value is invalid"),
        },
        "dst" | "src" => return end(words, six, option, value, found),
        "tos" | "tc" => match words.named(NameTable::DsField, value) {
            Some(class) => {
                found.class = u8::try_from(class).unwrap_or_default();
                return true;
            }
            // keepalived prints the keyword here.
            None if six => "tc value tc is invalid for ip6 encapsulation".to_owned(),
            None => format!("dsfield {shown} not valid for ip encapsulation"),
        },
        "ttl" | "hoplimit" => match words.st.number_in(value, index, 0, 255) {
            Some(hops) => {
                found.hops = u8::try_from(hops).unwrap_or_default();
                return true;
            }
            None if six => format!("Invalid hoplimit {shown} specified for ip6 encapsulation"),
            None => format!("ttl {shown} is not valid for ip encapsulation"),
        },
        _ => match words.st.number_in(value, index, 0, 65535) {
            Some(flags) => {
                found.flags = u16::try_from(flags).unwrap_or_default();
                return true;
            }
            None if six => format!("flags {shown} is not valid for ip6 encapsulation"),
            None => format!("flags {shown} is not valid for ip encapsulation"),
        },
    };
    words.error(problem);
    false
}

/// An end of the tunnel; false: reported that it is bad.
fn end(
    words: &mut Words<'_, '_>,
    six: bool,
    option: &str,
    value: &str,
    found: &mut Tunnel,
) -> bool {
    let name = if six { "ip6" } else { "ip" };
    let shown = to_display(value);
    let Some(address) = words.parse(value) else {
        words.error(format!("Invalid encap {name} {option} {shown}"));
        return false;
    };
    if address.is_ipv6() != six {
        let other = if six { 4 } else { 6 };
        words.error(format!(
            "IPv{other} address {shown} not valid for {name} encapsulation"
        ));
        return false;
    }
    if option == "dst" {
        found.destination = Some(address);
    } else {
        found.source = Some(address);
    }
    true
}

/// `LABEL[/LABEL]`
fn mpls(words: &mut Words<'_, '_>) -> Option<Encap> {
    let Some(value) = words.peek() else {
        words.error("missing address for MPLS encapsulation");
        return None;
    };
    words.at += 1;
    let label = |part: &str| {
        let number = base0(part).filter(|label| *label <= MAX_LABEL)?;
        u32::try_from(number).ok()
    };
    let labels: Option<Vec<u32>> = value.split('/').map(label).collect();
    let labels = labels.filter(|labels| labels.len() <= MAX_LABELS);
    if labels.is_none() {
        let shown = to_display(value);
        words.error(format!("invalid mpls address {shown} for encapsulation"));
    }
    labels.map(Encap::Mpls)
}

/// Four groups of sixteen bits, in hexadecimal.
fn ila(words: &mut Words<'_, '_>) -> Option<Encap> {
    let Some(value) = words.peek() else {
        words.error("missing locator for ILA encapsulation");
        return None;
    };
    words.at += 1;
    let groups: Option<Vec<u64>> = value
        .split(':')
        .map(|part| u16::from_str_radix(part, 16).ok().map(u64::from))
        .collect();
    match groups.as_deref() {
        Some(&[a, b, c, d]) => Some(Encap::Ila(a << 48 | b << 32 | c << 16 | d)),
        Some(_) | None => {
            let shown = to_display(value);
            words.error(format!("invalid locator {shown} for ila encapsulation"));
            None
        }
    }
}
