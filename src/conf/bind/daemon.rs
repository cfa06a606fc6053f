//! Handlers of the settings of the daemon as a whole: most of `global_defs`, and the keywords that
//! stand outside of any block.
//!
//! Owns: the table of what each takes, its range, and keepalived's words about anything else.
//! Never does: act on them. Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::Setting;
use super::super::source::{to_bytes, to_display};
use super::{Outcome, Statement};
use crate::base::Duration;

/// The longest name of a process, in bytes.
const MAX_PROCESS_NAME: usize = 15;

/// What a keyword takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Nothing; what follows does not matter.
    Flag,
    /// A boolean; the text is about anything else.
    Switch(&'static str),
    /// A word, without which reading ends.
    Needed,
    /// A word; the text is about there being none.
    Word(&'static str),
    /// A word or none.
    Optional,
    /// A number in a range; the text is about anything else.
    Number(i32, i32, &'static str),
    /// A number without sign.
    Unsigned(u32, u32, &'static str),
    /// Seconds in a range, in microseconds; the text is about anything else.
    Seconds(u64, u64, &'static str),
}

/// Every keyword with what it takes; `{}` in a text is the word, `{k}` the keyword.
fn takes(keyword: &str) -> Takes {
    const SIZE: &str = "{k} size ({}) invalid";
    const GLOBAL: &str = "Invalid value '{}' for global {k} specified";
    const RANGE: &str = "{k} '{}' must be in [1, 1000] - ignoring";
    const MAX: u64 = 4_294_967_295;
    match keyword {
        "smtp_alert" | "smtp_alert_vrrp" | "smtp_alert_checker" => {
            Takes::Switch("Invalid value '{}' for global {k} specified")
        }
        "vrrp_min_garp"
        | "vrrp_lower_prio_no_advert"
        | "vrrp_higher_prio_send_advert"
        | "vrrp_owner_ignore_adverts" => Takes::Switch("Invalid value for {k} specified"),
        // keepalived says nothing of anything else here.
        "vrrp_skip_check_adv_addr" => Takes::Switch(""),
        "vrrp_notify_priority_changes"
        | "rs_init_notifies"
        | "no_checker_emails"
        | "checker_log_all_failures"
        | "use_symlink_paths"
        | "set_supplementary_groups"
        | "vrrp_netlink_cmd_rcv_bufs_force"
        | "vrrp_netlink_monitor_rcv_bufs_force"
        | "process_monitor_rcv_bufs_force"
        | "lvs_netlink_cmd_rcv_bufs_force"
        | "lvs_netlink_monitor_rcv_bufs_force" => Takes::Switch(GLOBAL),
        // keepalived spells the name like this.
        "data_use_instance" => {
            Takes::Switch("Invalid value '{}' for global date_use_instance specified")
        }
        "notification_email_from" => Takes::Word("emailfrom missing - ignoring"),
        "snmp_socket" => Takes::Word("SNMP error : snmp socket name missing"),
        "dbus_service_name" | "dbus_no_interface_name" => Takes::Word("{k} missing - ignoring"),
        "default_interface" => Takes::Word("default_interface requires interface name"),
        "reload_time_file" => Takes::Word("reload_time_file invalid"),
        "tmp_config_directory" => Takes::Word("tmp_config_directory missing directory name"),
        "instance" | "net_namespace" => Takes::Word("{k} name missing - ignoring"),
        "config_save_dir" | "vmac_prefix" | "vmac_addr_prefix" => Takes::Needed,
        "smtp_helo_name" | "reload_file" | "nftables" | "nftables_ipvs" | "net_namespace_ipvs" => {
            Takes::Optional
        }
        "startup_script_timeout" | "shutdown_script_timeout" => Takes::Number(1, 1000, RANGE),
        "vrrp_priority" => Takes::Number(-20, 19, "Invalid vrrp process priority specified"),
        "checker_priority" => Takes::Number(-20, 19, "Invalid checker process priority specified"),
        "bfd_priority" => Takes::Number(-20, 19, "Invalid bfd process priority specified"),
        "min_auto_priority_delay" => Takes::Number(
            1,
            10_000_000,
            "{k} '{}' must be in [1, 10000000] - ignoring",
        ),
        "vrrp_down_timer_adverts" => Takes::Number(1, 100, "Invalid {k} [1:100] '{}'"),
        "nftables_priority" | "nftables_ipvs_priority" => {
            Takes::Number(i32::MIN, i32::MAX, "invalid nftables chain priority '{}'")
        }
        "nftables_ipvs_start_fwmark" => Takes::Unsigned(
            1,
            u32::MAX,
            "invalid ipvs nftables start_fwmark priority '{}'",
        ),
        "vrrp_rlimit_rttime" | "vrrp_rlimit_rtime" => {
            Takes::Unsigned(1, u32::MAX, "Invalid vrrp real-time limit - {}")
        }
        "checker_rlimit_rttime" | "checker_rlimit_rtime" => {
            Takes::Unsigned(1, u32::MAX, "Invalid checker real-time limit - {}")
        }
        "bfd_rlimit_rttime" | "bfd_rlimit_rtime" => {
            Takes::Unsigned(1, u32::MAX, "Invalid bfd real-time limit - {}")
        }
        "vrrp_netlink_cmd_rcv_bufs"
        | "vrrp_netlink_monitor_rcv_bufs"
        | "process_monitor_rcv_bufs"
        | "lvs_netlink_cmd_rcv_bufs"
        | "lvs_netlink_monitor_rcv_bufs" => Takes::Unsigned(0, u32::MAX, SIZE),
        "vrrp_rx_bufs_multiplier" => Takes::Unsigned(1, u32::MAX, "Invalid {k} {}"),
        "random_seed" => Takes::Unsigned(0, u32::MAX, "{k} {} invalid"),
        "child_wait_time" => Takes::Unsigned(0, u32::MAX, "Invalid {k} {}"),
        "vrrp_garp_interval" | "vrrp_gna_interval" => Takes::Seconds(1, MAX, "{k} '{}' is invalid"),
        "vrrp_startup_delay" | "vrrp_delay_after_boot" => {
            Takes::Seconds(1000, MAX, "{k} '{}' is invalid")
        }
        _ => Takes::Flag,
    }
}

/// Any keyword of the table.
pub(in super::super) fn setting(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let value = match takes(keyword) {
        Takes::Flag => Ok(Setting::Switch(true)),
        Takes::Switch(problem) => st.boolean(1).map(Setting::Switch).ok_or(problem),
        Takes::Needed => Ok(Setting::Text(st.need(1)?.to_owned())),
        Takes::Optional => Ok(st
            .word(1)
            .map_or(Setting::Switch(true), |word| Setting::Text(word.to_owned()))),
        Takes::Word(problem) => st
            .word(1)
            .map(|word| Setting::Text(word.to_owned()))
            .ok_or(problem),
        Takes::Number(min, max, problem) => {
            let number = st.signed(1, min, max)?;
            number
                .map(|number| Setting::Number(i64::from(number)))
                .ok_or(problem)
        }
        Takes::Unsigned(min, max, problem) => {
            let number = st.number(1, min, max)?;
            number
                .map(|number| Setting::Number(i64::from(number)))
                .ok_or(problem)
        }
        Takes::Seconds(min, max, problem) => {
            let (min, max) = (Duration::from_micros(min), Duration::from_micros(max));
            let junk = !st.need(1)?.bytes().any(|byte| byte.is_ascii_digit());
            let time = st.seconds(1, min, max)?.filter(|_| !junk);
            time.map(Setting::Time).ok_or(problem)
        }
    };
    match value {
        Ok(value) => {
            draft.pending.settings.insert(keyword.to_owned(), value);
        }
        Err("") => {}
        Err(problem) => {
            let word = to_display(st.word(1).unwrap_or_default());
            let message = problem.replace("{k}", keyword).replace("{}", &word);
            let index = usize::from(st.word(1).is_some());
            st.error(Class::General, message, Some(index));
        }
    }
    Ok(())
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
    let name = Setting::Text(name.chars().take(MAX_PROCESS_NAME).collect());
    draft.pending.settings.insert(keyword.to_owned(), name);
    Ok(())
}

/// A line of `notification_email`: addresses.
pub(in super::super) fn email(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let addresses = st.words(0).map(str::to_owned);
    draft.pending.mail_to.extend(addresses);
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
    let settings = &mut draft.pending.settings;
    settings.insert("smtp_server".to_owned(), Setting::Text(server.to_owned()));
    if let Some(port) = port {
        settings.insert("smtp_port".to_owned(), Setting::Number(i64::from(port)));
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
    let time = Setting::Time(Duration::from_secs(u64::from(seconds)));
    let keyword = "smtp_connect_timeout".to_owned();
    draft.pending.settings.insert(keyword, time);
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
            let value = Setting::Text(address.to_string());
            draft.pending.settings.insert(keyword.to_owned(), value);
            return Ok(());
        }
    };
    st.error(Class::General, problem, Some(1));
    Ok(())
}

/// `dynamic_interfaces [allow_if_changes]`
pub(in super::super) fn dynamic(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    match st.word(1) {
        None | Some("allow_if_changes") => {
            let changes = Setting::Switch(st.word(1).is_some());
            let keyword = "dynamic_interfaces".to_owned();
            draft.pending.settings.insert(keyword, changes);
        }
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
    let nftables = Setting::Switch(true);
    draft
        .pending
        .settings
        .insert("nftables".to_owned(), nftables);
    Ok(())
}
