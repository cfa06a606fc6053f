//! Lines of `virtual_ipaddress`: `ADDRESS[/PREFIX] [brd ADDRESS|+|-] [dev NAME] [scope S] [label L]`.
//!
//! Owns: the reading of one such line. Driven by: `bind` through the schema.

use std::net::{IpAddr, Ipv4Addr};

use super::super::diag::Class;
use super::super::draft::{Draft, broadcast};
use super::super::model::{Scope, VirtualAddress};
use super::super::source::{to_bytes, to_display};
use super::{Outcome, Statement};
use crate::base::Family;

/// Options of an address line that are read and checked, but on which nothing acts yet, with the
/// number of words that follow each.
const PENDING: [(&str, usize); 9] = [
    ("peer", 1),
    ("home", 0),
    ("-nodad", 0),
    ("mngtmpaddr", 0),
    ("noprefixroute", 0),
    ("autojoin", 0),
    ("no_track", 0),
    ("preferred_lft", 1),
    ("use_vmac", 0),
];

/// The longest label of an address, in bytes.
const MAX_LABEL: usize = 15;

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
            instance.addresses.push(parsed);
        }
    }
    Ok(())
}

/// The address of a line; a device that does not exist is noted.
pub(super) fn parsed(draft: &mut Draft, st: &mut Statement<'_>) -> Option<VirtualAddress> {
    let parsed = line(st)?;
    if let Some(name) = &parsed.interface {
        draft.missing_interface |= !st.facts.interface_exists(name);
    }
    Some(parsed)
}

/// Reads the line; `None`, reported, if the address is skipped.
fn line(st: &mut Statement<'_>) -> Option<VirtualAddress> {
    let word = st.word(0)?;
    let (text, prefix) = match word.split_once('/') {
        Some((text, prefix)) => (text, Some(prefix)),
        None => (word, None),
    };
    let Ok(address) = text.parse::<IpAddr>() else {
        let message = format!(
            "VRRP parsed invalid IP {}. skipping IP...",
            to_display(word)
        );
        st.error(Class::General, message, Some(0));
        return None;
    };
    let bits = Family::of(address).bits();
    let prefix_len = match prefix {
        None => bits,
        Some(prefix) => prefix_length(st, word, prefix, bits),
    };
    let mut parsed = VirtualAddress {
        address,
        prefix_len,
        interface: None,
        scope: Scope::GLOBAL,
        broadcast: None,
        label: None,
    };
    let mut index = 1;
    while let Some(option) = st.word(index) {
        index += option_at(st, option, index, text, &mut parsed)?;
    }
    Some(parsed)
}

/// The number after the slash; a bad one counts as the address alone, nothing as 0.
fn prefix_length(st: &mut Statement<'_>, word: &str, prefix: &str, bits: u8) -> u8 {
    let number = st.number_in(prefix, 0, 0, u32::from(bits));
    number
        .and_then(|length| u8::try_from(length).ok())
        .unwrap_or_else(|| {
            let message = format!(
                "Invalid address prefix len {} for address {} - using {bits}",
                to_display(prefix),
                to_display(word)
            );
            st.error(Class::General, message, Some(0));
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
    if let Some((_, words)) = PENDING.iter().find(|(name, _)| *name == option) {
        return Some(pending(st, option, *words, index, text, parsed.address));
    }
    if !matches!(option, "dev" | "scope" | "brd" | "broadcast" | "label") {
        let message = format!(
            "Unknown configuration entry '{}' for ip address - ignoring",
            to_display(option)
        );
        st.error(Class::General, message, Some(index));
        return Some(1);
    }
    let Some(value) = st.word(index + 1) else {
        let message = format!("No {option} parameter specified for {text}");
        st.error(Class::General, message, Some(index));
        return Some(1);
    };
    match option {
        // Without its interface nothing more of it is looked at.
        "dev" if !device(st, value, index, text, parsed) => return Some(st.count()),
        "dev" => {}
        "scope" => set_scope(st, value, index, text, parsed),
        "label" => label(st, value, index, text, parsed)?,
        _ => set_broadcast(st, value, index, text, parsed)?,
    }
    Some(2)
}

/// Checks an option on which nothing acts yet; returns how many words it takes.
fn pending(
    st: &mut Statement<'_>,
    option: &str,
    words: usize,
    index: usize,
    text: &str,
    address: IpAddr,
) -> usize {
    let message = format!("option '{option}' is read and checked, but not active in this version");
    st.error(Class::Advice, message, Some(index));
    if words == 0 {
        return 1;
    }
    let Some(value) = st.word(index + 1) else {
        let message = format!("No {option} parameter specified for {text}");
        st.error(Class::General, message, Some(index));
        return 1;
    };
    let shown = to_display(value);
    if option == "peer" {
        let peer = value.split('/').next().and_then(|text| text.parse().ok());
        match peer {
            None => {
                let message = format!("VRRP parsed invalid IP {shown}. skipping IP...");
                st.error(Class::General, message, Some(index + 1));
                let message = format!("Invalid peer address {shown}");
                st.error(Class::General, message, Some(index + 1));
            }
            Some(peer) if Family::of(peer) != Family::of(address) => {
                let message = format!("Peer address {shown} does not match address family");
                st.error(Class::General, message, Some(index + 1));
            }
            Some(_) => {}
        }
    } else if value != "forever" && st.number_in(value, index + 1, 0, u32::MAX).is_none() {
        let message = format!("preferred_lft {shown} is invalid");
        st.error(Class::General, message, Some(index + 1));
    }
    2
}

/// Takes the interface; false: there is none of that name.
fn device(
    st: &mut Statement<'_>,
    value: &str,
    index: usize,
    text: &str,
    parsed: &mut VirtualAddress,
) -> bool {
    if parsed.interface.is_some() {
        let message = format!("Cannot specify ipaddress device more than once for {text}");
        st.error(Class::General, message, Some(index));
        return true;
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
    exists
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
    match scope(value) {
        Some(scope) => parsed.scope = scope,
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

/// A scope by its usual name or by number.
fn scope(word: &str) -> Option<Scope> {
    match word {
        "global" => Some(Scope::GLOBAL),
        "site" => Some(Scope(200)),
        "link" => Some(Scope(253)),
        "host" => Some(Scope(254)),
        "nowhere" => Some(Scope(255)),
        _ => word.parse().ok().map(Scope),
    }
}
