//! Handlers of `virtual_server_group`: addresses, ranges and marks that share servers.
//!
//! Owns: the forms of an entry. Driven by: `bind` through the schema.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::diag::{Class, Consequence};
use super::super::draft::Draft;
use super::super::model::{GroupEntry, ServerGroup};
use super::super::source::to_display;
use super::{Mark, Outcome, Statement, Stop, one_address};
use crate::base::Family;

/// The keyword of such a block.
pub(super) const KEYWORD: &str = "virtual_server_group";

/// What keepalived says where it looks for entries and finds something else.
const NO_ENTRIES: &str = "*** Configuration line starting `***MISSING ***` is missing a parameter \
                          at word position 1";

/// Says that a group has no block: keepalived stops reading there.
pub(super) fn nameless(st: &mut Statement<'_>, group: Mark) {
    let finding = st
        .finding(Class::MissingParameter, NO_ENTRIES, Some(0))
        .note(
            "`virtual_server_group` needs a block; keepalived stops reading here",
            None,
        )
        .note("the group", Some(st.span_at(group)))
        .consequence(Consequence::RefuseStart(2));
    st.diagnostics.push(finding);
}

/// `virtual_server_group NAME {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?.to_owned();
    if st.count() > 2 {
        let finding = st
            .finding(Class::MissingParameter, NO_ENTRIES, Some(2))
            .note(
                "nothing may follow the name of a group; keepalived stops reading here",
                None,
            )
            .consequence(Consequence::RefuseStart(2));
        st.diagnostics.push(finding);
        return Err(Stop::Abort);
    }
    draft.groups.push(ServerGroup {
        name,
        entries: Vec::new(),
    });
    Ok(())
}

/// `}`: a group has entries.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    if let Some(group) = draft.groups.pop_if(|group| group.entries.is_empty()) {
        let message = format!(
            "virtual server group {} has no entries - removing",
            to_display(&group.name)
        );
        st.error(Class::General, message, None);
    }
    let families = |group: &ServerGroup| {
        let of = |family| {
            let mut entries = group.entries.iter();
            entries.any(|entry| {
                matches!(entry, GroupEntry::Addresses { first, .. } if Family::of(*first) == family)
            })
        };
        let mut entries = group.entries.iter();
        let unclear = |entry| matches!(entry, &GroupEntry::Fwmark { family: None, .. });
        of(Family::V4) && of(Family::V6) && entries.any(unclear)
    };
    if let Some(group) = draft.groups.pop_if(|group| families(group)) {
        let message = format!(
            "virtual server group {} cannot have IPv4, IPv6 and fwmark without family - removing",
            to_display(&group.name)
        );
        st.error(Class::General, message, None);
    }
}

/// `ADDRESS[/MASK|-END] [PORT]` or `fwmark NUMBER [inet|inet6]`
pub(in super::super) fn entry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(group) = draft.groups.last_mut() else {
        return Ok(());
    };
    if st.word(0) == Some("fwmark") {
        return fwmark(group, st);
    }
    let word = st.need(0)?;
    let shown = to_display(word);
    // A port of zero, however it is written, is none.
    let none = |word: &str| word.parse() == Ok(0_u32);
    let port = match st.word(1) {
        None => Some(0),
        Some(word) if none(word) => Some(0),
        Some(_) => st
            .number(1, 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok()),
    };
    match (range(word), port) {
        (Ok((first, last)), Some(port)) => {
            group
                .entries
                .push(GroupEntry::Addresses { first, last, port });
        }
        (Err(Wrong::Text(text)), Some(_)) => st.error(Class::General, text, Some(0)),
        _ => {
            let port = st
                .word(1)
                .filter(|word| !none(word))
                .map_or(String::new(), |port| format!("/port/{}", to_display(port)));
            let message =
                format!("Invalid virtual server group IP address {shown} {port} - skipping");
            st.error(Class::General, message, Some(0));
        }
    }
    Ok(())
}

fn fwmark(group: &mut ServerGroup, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, u32::MAX)?;
    let word = to_display(st.need(1)?);
    let name = to_display(&group.name).into_owned();
    let family = match st.word(2) {
        None => None,
        Some("inet") => Some(Family::V4),
        Some("inet6") => Some(Family::V6),
        Some(family) => {
            let message = format!(
                "({name}): fwmark '{word}' family {} unknown - ignoring",
                to_display(family)
            );
            st.error(Class::General, message, Some(2));
            return Ok(());
        }
    };
    match number {
        Some(mark) => group.entries.push(GroupEntry::Fwmark { mark, family }),
        None => {
            let message = format!(
                "({name}): fwmark '{word}' must be in [0, {}] - ignoring",
                u32::MAX
            );
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// Why an entry is none.
enum Wrong {
    /// It is no address.
    Address,
    /// Something else, in words.
    Text(String),
}

/// First and last address of an entry.
fn range(word: &str) -> Result<(IpAddr, IpAddr), Wrong> {
    if let Some((address, mask)) = word.split_once('/') {
        return network(word, address, mask);
    }
    let Some((first, end)) = word.split_once('-') else {
        let address = one_address(word).ok_or(Wrong::Address)?;
        return Ok((address, address));
    };
    let first: IpAddr = first.parse().map_err(|_| Wrong::Address)?;
    if let Ok(last) = end.parse::<IpAddr>() {
        if Family::of(first) != Family::of(last) {
            return Err(Wrong::Address);
        }
        if last < first {
            return Err(Wrong::Text(format!(
                "Address range end is less than address range start - {} - skipping",
                to_display(word)
            )));
        }
        return Ok((first, last));
    }
    let (radix, limit) = match first {
        IpAddr::V4(_) => (10, 255),
        IpAddr::V6(_) => (16, 0xffff),
    };
    let digits = end
        .bytes()
        .take_while(|b| char::from(*b).is_digit(radix))
        .count();
    let (number, rest) = end.split_at(digits);
    if number.is_empty() && rest.is_empty() {
        // Nothing counts as zero.
        return Err(Wrong::Text(format!(
            "Address range end is not greater than address range start - {} - skipping",
            to_display(word)
        )));
    }
    if number.is_empty() || !rest.is_empty() {
        return Err(Wrong::Text(format!(
            "Virtual server group range '{}' has extra characters at end '{}'",
            to_display(word),
            to_display(rest)
        )));
    }
    let number = u32::from_str_radix(number, radix).unwrap_or(u32::MAX);
    if number > limit {
        return Err(Wrong::Text(format!(
            "Virtual server group range '{}' end '{}' too large",
            to_display(word),
            to_display(end)
        )));
    }
    let last = match first {
        IpAddr::V4(first) => IpAddr::V4(Ipv4Addr::from(u32::from(first) & !limit | number)),
        IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from(
            u128::from(first) & !u128::from(limit) | u128::from(number),
        )),
    };
    if last <= first {
        return Err(Wrong::Text(format!(
            "Address range end is not greater than address range start - {} - skipping",
            to_display(word)
        )));
    }
    Ok((first, last))
}

/// First and last address of a network.
fn network(word: &str, address: &str, mask: &str) -> Result<(IpAddr, IpAddr), Wrong> {
    let address = one_address(address).ok_or(Wrong::Address)?;
    let bits = u32::from(Family::of(address).bits());
    let length = mask.parse().ok().filter(|length| *length <= bits);
    let Some(length) = length else {
        let message = format!("Invalid netmask - {} - skipping", to_display(word));
        return Err(Wrong::Text(message));
    };
    let (dirty, last) = match address {
        IpAddr::V4(first) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            let first = u32::from(first);
            (first & host != 0, IpAddr::V4(Ipv4Addr::from(first | host)))
        }
        IpAddr::V6(first) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            let first = u128::from(first);
            (first & host != 0, IpAddr::V6(Ipv6Addr::from(first | host)))
        }
    };
    if dirty {
        return Err(Wrong::Text(format!(
            "Address mask bits not empty - {} - skipping",
            to_display(word)
        )));
    }
    Ok((address, last))
}
