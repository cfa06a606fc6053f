//! Lines of `virtual_ipaddress`: `ADDRESS[/PREFIX] [brd ADDRESS|+|-] [dev NAME] [scope S] [label L]`.
//!
//! Owns: the reading of one such line. Driven by: `bind` through the schema.

use std::net::{IpAddr, Ipv4Addr};

use super::super::diag::Class;
use super::super::draft::{Draft, broadcast};
use super::super::model::{Scope, VirtualAddress};
use super::super::source::to_display;
use super::{Outcome, Statement};
use crate::base::Family;

/// Options of an address line that keepalived knows and this version does nothing with yet, with
/// the number of words that follow each.
const INACTIVE: [(&str, usize); 9] = [
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

/// One line of `virtual_ipaddress`.
pub(in super::super) fn virtual_ipaddress(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(instance) = draft.instances.last_mut() else {
        return Ok(());
    };
    let Some(parsed) = line(st) else {
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

/// The number after the slash; a bad one counts as the address alone.
fn prefix_length(st: &mut Statement<'_>, word: &str, prefix: &str, bits: u8) -> u8 {
    match prefix.parse::<u8>() {
        Ok(length) if length <= bits => length,
        parsed => {
            let problem = if parsed.is_ok()
                || prefix.bytes().all(|b| b.is_ascii_digit()) && !prefix.is_empty()
            {
                format!("number '{prefix}' outside range [0, {bits}]")
            } else {
                format!("invalid number '{}'", to_display(prefix))
            };
            st.error(Class::InvalidNumber, problem, Some(0));
            let message = format!(
                "Invalid address prefix len {} for address {} - using {bits}",
                to_display(prefix),
                to_display(word)
            );
            st.error(Class::General, message, Some(0));
            bits
        }
    }
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
    if let Some((_, words)) = INACTIVE.iter().find(|(name, _)| *name == option) {
        let message = format!(
            "option '{option}' is known to keepalived but not active in this version; ignored"
        );
        st.error(Class::Warning, message, Some(index));
        return Some(1 + words);
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
        "dev" => {
            if !st.facts.interface_exists(value) {
                let message = format!(
                    "WARNING - interface {} for ip address {text} doesn't exist",
                    to_display(value)
                );
                st.missing_interface(message, index + 1);
            }
            parsed.interface = Some(value.to_owned());
        }
        "scope" => match scope(value) {
            Some(scope) => parsed.scope = scope,
            None => {
                let message = format!(
                    "Invalid scope '{}' specified for {text} - ignoring",
                    to_display(value)
                );
                st.error(Class::General, message, Some(index + 1));
            }
        },
        "label" => parsed.label = Some(value.to_owned()),
        _ => match (parsed.address, value) {
            (IpAddr::V4(address), "+") => {
                parsed.broadcast = Some(broadcast(address, parsed.prefix_len, true));
            }
            (IpAddr::V4(address), "-") => {
                parsed.broadcast = Some(broadcast(address, parsed.prefix_len, false));
            }
            (IpAddr::V4(_), _) if value.parse::<Ipv4Addr>().is_ok() => {
                parsed.broadcast = value.parse().ok();
            }
            (IpAddr::V4(_) | IpAddr::V6(_), _) => {
                let message = format!(
                    "VRRP is trying to assign invalid broadcast {}. skipping VIP...",
                    to_display(value)
                );
                st.error(Class::General, message, Some(index + 1));
                return None;
            }
        },
    }
    Some(2)
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
