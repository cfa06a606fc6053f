//! Lines of `virtual_ipaddress`: `ADDRESS[/PREFIX] [brd ADDRESS|+|-] [dev NAME] [scope S] [label L]`.
//!
//! Owns: the reading of one such line. Driven by: `bind` through the schema.

use std::net::{IpAddr, Ipv4Addr};

use super::super::diag::Class;
use super::super::draft::{Draft, broadcast};
use super::super::model::routing::Prefix;
use super::super::model::{Scope, VirtualAddress};
use super::super::names::NameTable;
use super::super::source::{to_bytes, to_display};
use super::words::named;
use super::{Outcome, Statement};
use crate::base::{Family, Rare};

/// Options of an address line beyond those of `option_at`.
const FURTHER: [&str; 9] = [
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "no_track",
    "preferred_lft",
    "use_vmac",
];

/// The longest label of an address, in bytes.
const MAX_LABEL: usize = 15;
/// A network that is smaller has no broadcast address.
const MAX_BROADCAST_PREFIX: u8 = 30;

/// One line of `virtual_ipaddress`.
pub(in super::super) fn virtual_ipaddress(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(parsed) = parsed(draft, st) else {
        return Ok(());
    };
    let Some(instance) = draft.instances.last_mut() else {
        return Ok(());
    };
    let family = Family::of(parsed.address);
    match instance.family {
        Some(known) if known != family => {
            let message = format!(
                "({}): address family must match VRRP instance [{}] - ignoring",
                instance.name,
                to_display(st.need(0)?)
            );
            st.error(Class::General, message, Some(0));
        }
        Some(_) | None => {
            instance.family = Some(family);
            if let Err(what) = instance.taken.take(&parsed) {
                let message = duplicate(&instance.name, "VIP", what, st.need(0)?);
                st.error(Class::General, message, Some(0));
                return Ok(());
            }
            instance.addresses.push(parsed);
        }
    }
    Ok(())
}

/// What is said of an address that the instance has already.
pub(super) fn duplicate(instance: &str, kind: &str, of: &str, word: &str) -> String {
    let word = to_display(word);
    format!("({instance}): {kind} duplicates {of} {word} - ignoring")
}

/// The address of a line; `None` if it is none, or its device does not exist.
pub(super) fn parsed(draft: &mut Draft, st: &mut Statement<'_>) -> Option<VirtualAddress> {
    let (parsed, _) = line(draft, st, false)?;
    has_interface(draft, st, &parsed).then_some(parsed)
}

/// The address of a line of `static_ipaddress`, with the name of its track group.
pub(super) fn fixed(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Option<(VirtualAddress, Option<String>)> {
    let (parsed, group) = line(draft, st, true)?;
    has_interface(draft, st, &parsed).then_some((parsed, group))
}

/// Whether the device of an address is there, or may come later.
fn has_interface(draft: &mut Draft, st: &Statement<'_>, parsed: &VirtualAddress) -> bool {
    let name = parsed.interface.as_ref();
    name.is_none_or(|name| !draft.misses(name, st.facts))
}

/// Reads the line; `None`, reported, if the address is skipped.
fn line(
    draft: &Draft,
    st: &mut Statement<'_>,
    fixed: bool,
) -> Option<(VirtualAddress, Option<String>)> {
    let word = st.word(0)?;
    let text = word;
    let Prefix {
        address,
        len: prefix_len,
    } = prefix(st, 0, word)?;
    let mut parsed = VirtualAddress {
        address,
        prefix_len,
        interface: None,
        scope: Scope::GLOBAL,
        broadcast: None,
        label: None,
        options: Rare::default(),
    };
    let mut group = None;
    let mut index = 1;
    while let Some(option) = st.word(index) {
        index += match option {
            "track_group" if fixed => {
                group = Some(value(st, option, index, text)?.to_owned());
                2
            }
            _ if FURTHER.contains(&option) && !(fixed && option == "use_vmac") => {
                further(st, option, index, text, &mut parsed)?
            }
            // It may come later.
            "dev" if draft.is_dynamic() && parsed.interface.is_none() => {
                parsed.interface = Some(value(st, option, index, text)?.to_owned());
                2
            }
            _ => option_at(st, option, index, text, &mut parsed)?,
        };
    }
    Some((parsed, group))
}

/// What is said of a word that is no address.
pub(super) fn no_address(word: &str) -> String {
    format!(
        "VRRP parsed invalid IP {}. skipping IP...",
        to_display(word)
    )
}

/// `ADDRESS[/LENGTH]`, the word at `index`; `None`, reported, if it is none.
pub(super) fn prefix(st: &mut Statement<'_>, index: usize, word: &str) -> Option<Prefix> {
    let (text, length) = match word.split_once('/') {
        Some((text, length)) => (text, Some(length)),
        None => (word, None),
    };
    let Ok(address) = text.parse::<IpAddr>() else {
        // keepalived looks at the length first.
        if let Some(length) = length {
            let bits = if text.contains(':') { 128 } else { 32 };
            prefix_length(st, index, word, length, bits);
        }
        st.error(Class::General, no_address(word), Some(index));
        return None;
    };
    let bits = Family::of(address).bits();
    let len = length.map_or(bits, |length| prefix_length(st, index, word, length, bits));
    Some(Prefix { address, len })
}

/// The number after the slash; a bad one counts as the address alone, nothing as 0.
fn prefix_length(st: &mut Statement<'_>, index: usize, word: &str, prefix: &str, bits: u8) -> u8 {
    let number = st.number_in(prefix, index, 0, u32::from(bits));
    number
        .and_then(|length| u8::try_from(length).ok())
        .unwrap_or_else(|| {
            let message = format!(
                "Invalid address prefix len {} for address {} - using {bits}",
                to_display(prefix),
                to_display(word)
            );
            st.error(Class::General, message, Some(index));
            bits
        })
}

/// Takes the option at `index`; returns how many words it takes, or `None` if the whole address is
/// skipped because of it.
fn option_at(
    st: &mut Statement<'_>,
    option: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) -> Option<usize> {
    if !matches!(option, "dev" | "scope" | "brd" | "broadcast" | "label") {
        let message = format!(
            "Unknown configuration entry '{}' for ip address - ignoring",
            to_display(option)
        );
        st.error(Class::General, message, Some(index));
        return Some(1);
    }
    let value = value(st, option, index, text)?;
    match option {
        // Without its interface nothing more of it is looked at.
        "dev" if !device(st, value, index, text, parsed)? => return Some(st.count()),
        "dev" => {}
        "scope" => set_scope(st, value, index, text, parsed),
        "label" => label(st, value, index, text, parsed)?,
        _ => set_broadcast(st, value, index, text, parsed)?,
    }
    Some(2)
}

/// The word behind an option; reported if there is none.
fn value<'s>(st: &mut Statement<'s>, option: &str, index: usize, text: &str) -> Option<&'s str> {
    let value = st.word(index + 1);
    if value.is_none() {
        let message = format!("No {option} parameter specified for {text}");
        st.error(Class::General, message, Some(index));
    }
    value
}

/// Takes one of [`FURTHER`]; returns how many words it takes, or `None` as above.
fn further(
    st: &mut Statement<'_>,
    option: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) -> Option<usize> {
    let options = &mut parsed.options;
    match option {
        "home" => options.home = true,
        "-nodad" => options.detect_duplicates = true,
        "mngtmpaddr" => options.manage_temporary = true,
        "noprefixroute" => options.no_prefix_route = true,
        "autojoin" => options.auto_join = true,
        "no_track" => options.untracked = true,
        "use_vmac" => options.vmac = true,
        _ => {
            let value = value(st, option, index, text)?;
            if option == "peer" {
                options.peer = peer(st, value, index, parsed.address);
            } else if value == "forever" {
                options.preferred_lifetime = Some(u32::MAX);
            } else {
                options.preferred_lifetime = st.number_in(value, index + 1, 0, u32::MAX);
                if options.preferred_lifetime.is_none() {
                    let message = format!("preferred_lft {} is invalid", to_display(value));
                    st.error(Class::General, message, Some(index + 1));
                }
            }
            return Some(2);
        }
    }
    Some(1)
}

fn peer(st: &mut Statement<'_>, value: &str, index: usize, address: IpAddr) -> Option<Prefix> {
    let shown = to_display(value);
    let message = match prefix(st, index + 1, value) {
        None => format!("Invalid peer address {shown}"),
        Some(peer) if Family::of(peer.address) != Family::of(address) => {
            format!("Peer address {shown} does not match address family")
        }
        Some(peer) => return Some(peer),
    };
    st.error(Class::General, message, Some(index + 1));
    None
}

/// Takes the interface; false: there is none of that name; `None`: the address has one already.
fn device(
    st: &mut Statement<'_>,
    value: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) -> Option<bool> {
    if parsed.interface.is_some() {
        let message = format!("Cannot specify ipaddress device more than once for {text}");
        st.error(Class::General, message, Some(index));
        return None;
    }
    let exists = st.facts.interface_exists(value);
    if !exists {
        let message = format!(
            "WARNING - interface {} for ip address {} doesn't exist",
            to_display(value),
            to_display(st.word(0).unwrap_or(text))
        );
        st.error(Class::General, message, Some(index + 1));
    }
    parsed.interface = Some(value.to_owned());
    Some(exists)
}

fn set_scope(
    st: &mut Statement<'_>,
    value: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) {
    if parsed.address.is_ipv6() {
        let message = format!("Cannot specify scope for IPv6 addresses ({text}) - ignoring scope");
        st.error(Class::General, message, Some(index));
        return;
    }
    let number = named(st, NameTable::Scopes, value);
    match number.and_then(|number| u8::try_from(number).ok()) {
        Some(scope) => parsed.scope = Scope(scope),
        None => {
            let message = format!(
                "Invalid scope '{}' specified for {text} - ignoring",
                to_display(value)
            );
            st.error(Class::General, message, Some(index + 1));
        }
    }
}

fn label(
    st: &mut Statement<'_>,
    value: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) -> Option<()> {
    if parsed.address.is_ipv6() {
        let message = format!("Cannot specify label for IPv6 addresses ({text}) - ignoring label");
        st.error(Class::General, message, Some(index));
    } else if to_bytes(value).len() > MAX_LABEL {
        let message = format!(
            "Address label {} is longer than maximum length {MAX_LABEL} - removing address",
            to_display(value)
        );
        st.error(Class::General, message, Some(index + 1));
        return None;
    } else {
        parsed.label = Some(value.to_owned());
    }
    Some(())
}

fn set_broadcast(
    st: &mut Statement<'_>,
    value: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) -> Option<()> {
    let IpAddr::V4(address) = parsed.address else {
        let message = format!(
            "VRRP is trying to assign a broadcast {} to the IPv6 address {text} !!?? WTF... \
             skipping VIP...",
            st.word(index).unwrap_or_default()
        );
        st.error(Class::General, message, Some(index));
        return None;
    };
    if matches!(value, "+" | "-") && parsed.prefix_len > MAX_BROADCAST_PREFIX {
        let length = parsed.prefix_len;
        let message = format!("Address prefix length {length} too long for broadcast");
        st.error(Class::General, message, Some(index));
        return Some(());
    }
    parsed.broadcast = match value {
        "+" => Some(broadcast(address, parsed.prefix_len, true)),
        "-" => Some(broadcast(address, parsed.prefix_len, false)),
        _ => value.parse::<Ipv4Addr>().ok(),
    };
    if parsed.broadcast.is_none() {
        let message = format!(
            "VRRP is trying to assign invalid broadcast {}. skipping VIP...",
            to_display(value)
        );
        st.error(Class::General, message, Some(index + 1));
        return None;
    }
    Some(())
}
