//! Handlers of the settings of the daemon as a whole: most of `global_defs`, and the keywords that
//! stand outside of any block.
//!
//! Owns: how each value is read, and those of more than one word. Never does: act on them. Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::{Class, Consequence};
use super::super::draft::Draft;
use super::super::model::{Dynamic, ExtraGarp, Fifo, Fifos, Firewall, OnOff, ReceivePolicy};
use super::super::source::{to_bytes, to_display, to_path};
use super::slots::{Slot, again, missing, slot, too_many};
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
    let empty = st.word(1) == Some("") && matches!(slot, Slot::NeededPath(_));
    let problem = if (st.word(1).is_none() || empty)
        && let Some(problem) = missing(keyword)
    {
        Some(problem.to_owned())
    } else if st.count() > 2
        && let Some(problem) = too_many(keyword)
    {
        Some(problem.to_owned())
    } else if let Some(problem) = again(keyword)
        && let Some(first) = slot.first()
    {
        if problem.contains("{}") {
            st.need(1)?;
        }
        Some(problem.replace("{o}", &to_display(&first)))
    } else {
        fill(slot, st)?.err().map(str::to_owned)
    };
    if let Some(problem) = problem.filter(|problem| !problem.is_empty()) {
        let word = to_display(st.word(1).unwrap_or_default());
        let message = problem.replace("{k}", keyword).replace("{}", &word);
        let index = usize::from(st.word(1).is_some());
        st.error(Class::General, message, Some(index));
    }
    Ok(())
}

/// `net_namespace NAME`. Without the namespace keepalived's test ends after `global_defs` with
/// status 0, and its start fails: what the other blocks name is to be found in there.
pub(in super::super) fn net_namespace(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    setting(draft, st)?;
    let Some(name) = &draft.global.process.net_namespace else {
        return Ok(());
    };
    if !draft.elsewhere && !draft.of_child && !st.facts.namespace_exists(name) {
        draft.elsewhere = true;
        let message = format!(
            "there is no network namespace '{}'; nothing but global_defs is looked at, and \
             keepalived does not start",
            to_display(name)
        );
        let finding = st
            .finding(Class::Advice, message, Some(1))
            .consequence(Consequence::RefuseStart(1))
            .help("make it with `ip netns add`, or leave net_namespace out");
        st.diagnostics.push(finding);
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
            put(field, st.seconds(1, min, max)?, problem)
        }
        Slot::Interval(field, min, max, problem) => {
            let (min, max) = (Duration::from_micros(min), Duration::from_micros(max));
            put(field, st.seconds(1, min, max)?.map(Some), problem)
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

/// The end of `notification_email`
pub(in super::super) fn emails(draft: &mut Draft, st: &mut Statement<'_>) {
    if draft.global.mail.to.is_empty() {
        let message = "Warning - empty notification_email block";
        st.error(Class::General, message, None);
    }
}

/// `notification_email {`
pub(in super::super) fn emails_open(_: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    super::reports_extra(st);
    Ok(())
}

/// A line of `notification_email`: addresses.
pub(in super::super) fn email(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let addresses = st.words(0).map(str::to_owned);
    draft.global.mail.to.extend(addresses);
    Ok(())
}

/// `smtp_server ADDRESS [PORT]`. A name is looked up by a config test; else when a mail is sent.
pub(in super::super) fn smtp_server(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let server = st.need(1)?;
    let port = match st.word(2) {
        Some(_) => st.number(2, 1, 65_535)?,
        None => Some(25),
    };
    if port.is_none() || !st.facts.server_exists(server) {
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
    // As it were `nftables` alone, whatever was said of that above.
    firewall.nftables = OnOff::On;
    firewall.priority = Firewall::default().priority;
    Ok(())
}

/// `vrrp_rx_bufs_policy MTU|ADVERT|BYTES`, several of them: bytes before MTU before ADVERT
pub(in super::super) fn receive_policy(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if st.word(1).is_none() {
        st.error(Class::General, "vrrp_rx_bufs_policy missing", Some(0));
        return Ok(());
    }
    let policy = &mut draft.global.vrrp.receive_policy;
    for index in 1..st.count() {
        let word = st.need(index)?;
        let new = if word.eq_ignore_ascii_case("MTU") {
            ReceivePolicy::Mtu
        } else if word.eq_ignore_ascii_case("ADVERT") {
            ReceivePolicy::Advert
        } else if st.count() == 2
            && let Some(bytes) = st.number(index, 0, u32::MAX)?
        {
            ReceivePolicy::Bytes(bytes)
        } else {
            let message = format!("Invalid vrrp_rx_bufs_policy {}", to_display(word));
            st.error(Class::General, message, Some(index));
            continue;
        };
        let (kept, conflict) = match (*policy, new) {
            (ReceivePolicy::Kernel, new) => (new, None),
            (ReceivePolicy::Bytes(_), ReceivePolicy::Bytes(bytes)) => {
                (ReceivePolicy::Bytes(bytes), None)
            }
            (ReceivePolicy::Bytes(bytes), _) | (_, ReceivePolicy::Bytes(bytes)) => {
                let message = "Cannot set vrrp_rx_bufs_policy size and policy, ignoring policy";
                (ReceivePolicy::Bytes(bytes), Some(message))
            }
            (ReceivePolicy::Mtu, ReceivePolicy::Advert)
            | (ReceivePolicy::Advert, ReceivePolicy::Mtu) => {
                let message = "Cannot set both vrrp_rx_bufs_policy MTU and ADVERT, ignoring ADVERT";
                (ReceivePolicy::Mtu, Some(message))
            }
            (ReceivePolicy::Mtu | ReceivePolicy::Advert, same) => (same, None),
        };
        *policy = kept;
        if let Some(message) = conflict {
            st.error(Class::General, message, Some(index));
        }
    }
    Ok(())
}

/// `vrrp_garp_extra_if [all] SECONDS`; of old `vrrp_vmac_garp_intvl`
pub(in super::super) fn extra_garp(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    if keyword == "vrrp_vmac_garp_intvl" {
        let message = "Keyword \"vrrp_vmac_garp_intvl\" is deprecated - please use \
                       \"vrrp_garp_extra_if\"";
        st.error(Class::Deprecated, message, Some(0));
    }
    if let Some((period, all)) = super::options::extra_period(st, "", 1)? {
        draft.global.vrrp.extra_garp = Some(ExtraGarp { all, period });
    }
    Ok(())
}

/// `vrrp_ipsets [NAME…]`: sets of iptables. A keepalived that is built without iptables does not
/// know them.
pub(in super::super) fn ipsets(_: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    st.error(
        Class::UnknownKeyword,
        "Unknown keyword 'vrrp_ipsets'",
        Some(0),
    );
    Ok(())
}

/// `json_version 1|2`
pub(in super::super) fn json_version(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if st.word(1).is_none() {
        st.error(Class::General, "json_version requires version", Some(0));
        return Ok(());
    }
    match st.number(1, 1, 2)? {
        Some(2) => draft.global.dumps.json_version = 2,
        Some(_) => draft.global.dumps.json_version = 1,
        None => st.error(Class::General, "Invalid JSON version", Some(1)),
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
    if fifo.path.is_some() {
        let message = format!(
            "{keyword} already specified - ignoring {}",
            to_display(path)
        );
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
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
