//! Handlers of the settings of the daemon as a whole: most of `global_defs`, and the keywords that
//! stand outside of any block.
//!
//! Owns: how each value is read, and those of more than one word. Never does: act on them. Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::{Dynamic, Fifo, Fifos, OnOff};
use super::super::source::{to_bytes, to_display, to_path};
use super::slots::{Slot, slot};
use super::{Outcome, Statement, Stop};
use crate::base::Duration;

/// The longest name of a process, in bytes.
const MAX_PROCESS_NAME: usize = 15;

/// Any keyword of the table.
pub(in super::super) fn setting(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let Some(slot) = slot(keyword, &mut draft.global) else {
        // A row of the schema without a slot; a test looks for it.
        return Ok(());
    };
    if let Err(problem) = fill(slot, st)?
        && !problem.is_empty()
    {
        let word = to_display(st.word(1).unwrap_or_default());
        let message = problem.replace("{k}", keyword).replace("{}", &word);
        let index = usize::from(st.word(1).is_some());
        st.error(Class::General, message, Some(index));
    }
    Ok(())
}

/// Puts what a line says where it belongs; else the text about it.
fn fill(slot: Slot<'_>, st: &mut Statement<'_>) -> Result<Result<(), &'static str>, Stop> {
    /// Sets the field if there is a value; else the text is said.
    fn put<T>(field: &mut T, value: Option<T>, problem: &'static str) -> Result<(), &'static str> {
        *field = value.ok_or(problem)?;
        Ok(())
    }
    let micros = |value: u32| Duration::from_micros(u64::from(value));
    let seconds = |value: u32| Duration::from_secs(u64::from(value));
    let word = st.word(1);
    Ok(match slot {
        Slot::Flag(field) => put(field, Some(true), ""),
        Slot::Flags(one, other) => {
            (*one, *other) = (true, true);
            Ok(())
        }
        Slot::Switch(field, problem) => put(field, st.boolean(1), problem),
        Slot::Choice(field, problem) => put(field, st.boolean(1).map(Some), problem),
        Slot::Needed(field) => put(field, Some(Some(st.need(1)?.to_owned())), ""),
        Slot::NeededPath(field) => put(field, Some(Some(to_path(st.need(1)?))), ""),
        Slot::Word(field, problem) => put(field, word.map(|word| Some(word.to_owned())), problem),
        Slot::Path(field, problem) => put(field, word.map(|word| Some(to_path(word))), problem),
        Slot::Name(field) => put(field, Some(word.map(str::to_owned)), ""),
        Slot::Optional(field) => {
            let named = |word: &str| OnOff::Named(word.to_owned());
            put(field, Some(word.map_or(OnOff::On, named)), "")
        }
        Slot::Number(field, min, max, problem) => put(field, st.signed(1, min, max)?, problem),
        Slot::Chosen(field, min, max, problem) => {
            put(field, st.signed(1, min, max)?.map(Some), problem)
        }
        Slot::Unsigned(field, min, max, problem) => put(field, st.number(1, min, max)?, problem),
        Slot::Size(field, min, max, problem) => {
            put(field, st.number(1, min, max)?.map(Some), problem)
        }
        Slot::Small(field, min, max, problem) => {
            let number = st.number(1, u32::from(min), u32::from(max))?;
            put(
                field,
                number.and_then(|number| u8::try_from(number).ok()),
                problem,
            )
        }
        Slot::WholeSeconds(field, min, max, problem) => {
            put(field, st.number(1, min, max)?.map(seconds), problem)
        }
        Slot::Micros(field, min, max, problem) => {
            put(field, st.number(1, min, max)?.map(micros), problem)
        }
        Slot::Seconds(field, min, max, problem) => {
            let (min, max) = (Duration::from_micros(min), Duration::from_micros(max));
            let junk = !st.need(1)?.bytes().any(|byte| byte.is_ascii_digit());
            put(field, st.seconds(1, min, max)?.filter(|_| !junk), problem)
        }
    })
}

/// `process_name NAME` and its kin: what does not fit is cut off.
pub(in super::super) fn process_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (keyword, name) = (st.need(0)?, st.need(1)?);
    if to_bytes(name).len() > MAX_PROCESS_NAME {
        let message = format!(
            "Process name {} more than {MAX_PROCESS_NAME} characters, truncating",
            to_display(name)
        );
        st.error(Class::General, message, Some(1));
    }
    let name = name.chars().take(MAX_PROCESS_NAME).collect();
    let process = &mut draft.global.process;
    let field = match keyword {
        "vrrp_process_name" => &mut process.vrrp.name,
        "checker_process_name" | "lvs_process_name" => &mut process.checker.name,
        "bfd_process_name" => &mut process.bfd.name,
        _ => &mut process.name,
    };
    *field = Some(name);
    Ok(())
}

/// A line of `notification_email`: addresses.
pub(in super::super) fn email(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let addresses = st.words(0).map(str::to_owned);
    draft.global.mail.to.extend(addresses);
    Ok(())
}

/// `smtp_server ADDRESS [PORT]`. A name is looked up when a mail is sent.
pub(in super::super) fn smtp_server(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let server = st.need(1)?;
    let port = match st.word(2) {
        Some(_) => st.number(2, 1, 65_535)?,
        None => Some(25),
    };
    let looks_numeric = server
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if port.is_none() || looks_numeric && server.parse::<IpAddr>().is_err() {
        let shown = to_display(st.word(2).unwrap_or("25"));
        let message = format!("Invalid smtp server {} {shown}", to_display(server));
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    let mail = &mut draft.global.mail;
    mail.server = Some(server.to_owned());
    if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
        mail.port = port;
    }
    Ok(())
}

/// `smtp_connect_timeout SECONDS`
pub(in super::super) fn smtp_timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = to_display(st.need(1)?);
    let seconds = match st.number(1, 0, 4294)? {
        Some(0) => {
            // keepalived spells it like this.
            let message = "smtp_conect_timeout must be greater than 0, setting to 1";
            st.error(Class::General, message, Some(1));
            1
        }
        Some(seconds) => seconds,
        None => {
            let message = format!("smtp_connect_timeout '{word}' must be in [0, 4294] - ignoring");
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
    };
    draft.global.mail.connect_timeout = Duration::from_secs(u64::from(seconds));
    Ok(())
}

/// `vrrp_mcast_group4 ADDRESS`, `vrrp_mcast_group6 ADDRESS`
pub(in super::super) fn multicast(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let address = st.address(1)?;
    let shown = to_display(st.need(1)?);
    let six = keyword.ends_with('6');
    let problem = match address {
        None => format!("Can't parse {keyword} [{shown}]. Skipping"),
        Some(address) if address.is_ipv6() != six => {
            let family = if six { "IPv6" } else { "IPv4" };
            format!("{keyword} [{shown}] is not {family}. Skipping")
        }
        Some(address) if !address.is_multicast() => {
            format!("{keyword} [{shown}] is not multicast. Skipping")
        }
        Some(address) => {
            if let IpAddr::V6(group) = address
                && group.segments()[0] & 0xf != 2
            {
                let message = format!("{keyword} [{shown}] should be link-local multicast.");
                st.error(Class::General, message, Some(1));
            }
            match address {
                IpAddr::V4(group) => draft.global.vrrp.group4 = group,
                IpAddr::V6(group) => draft.global.vrrp.group6 = group,
            }
            return Ok(());
        }
    };
    st.error(Class::General, problem, Some(1));
    Ok(())
}

/// `dynamic_interfaces [allow_if_changes]`
pub(in super::super) fn dynamic(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    match st.word(1) {
        None => draft.global.interfaces.dynamic = Dynamic::Yes,
        Some("allow_if_changes") => draft.global.interfaces.dynamic = Dynamic::AllowChanges,
        Some(option) => {
            let message = format!("Unknown dynamic_interfaces option '{}'", to_display(option));
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `vrrp_iptables [INPUT [OUTPUT]]`
pub(in super::super) fn iptables(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let message = "iptables not supported, using nftables instead. Please replace 'vrrp_iptables \
                   and 'vrrp_ipsets' with 'nftables' config option";
    st.error(Class::General, message, Some(0));
    let firewall = &mut draft.global.firewall;
    firewall.iptables = true;
    if firewall.nftables == OnOff::Off {
        firewall.nftables = OnOff::On;
    }
    Ok(())
}

/// `notify_fifo PATH [USER [GROUP]]` and its kin
pub(in super::super) fn fifo(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let Some(path) = st.word(1) else {
        st.error(
            Class::General,
            format!("No {keyword} name specified"),
            Some(0),
        );
        return Ok(());
    };
    let fifo = fifo_of(keyword, &mut draft.global.fifos);
    fifo.path = Some(to_path(path));
    fifo.user = st.word(2).map(str::to_owned);
    fifo.group = st.word(3).map(str::to_owned);
    Ok(())
}

/// The FIFO that a keyword is about.
pub(super) fn fifo_of<'f>(keyword: &str, fifos: &'f mut Fifos) -> &'f mut Fifo {
    if keyword.starts_with("vrrp_") {
        &mut fifos.vrrp
    } else if keyword.starts_with("lvs_") {
        &mut fifos.lvs
    } else {
        &mut fifos.all
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::model::Global;
    use super::super::super::schema;
    use super::*;

    // Input: every row that `setting` handles. Output: a field for each.
    #[test]
    fn every_plain_setting_has_a_field() {
        let names: Vec<_> = schema::settings().collect();
        let fieldless = names
            .iter()
            .filter(|name| slot(name, &mut Global::default()).is_none());
        assert_eq!(fieldless.collect::<Vec<_>>(), Vec::<&&str>::new());
        assert!(names.len() > 60, "{}", names.len());
    }
}
