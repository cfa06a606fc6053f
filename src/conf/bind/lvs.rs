//! Handlers of the settings of IPVS as a whole.
//!
//! Owns: timeouts, the sync daemon, what is flushed at the stop. Never does: set them. Driven by:
//! `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::{FlushOnStop, SyncDaemon};
use super::super::source::{to_bytes, to_display};
use super::{Outcome, Statement};
use crate::base::Duration;

/// The longest timeout: 31 days.
const MAX_TIMEOUT: u32 = 2_678_400;
/// The longest name of an interface (`IFNAMSIZ` without its NUL).
const MAX_INTERFACE: usize = 15;
/// The largest payload of a UDP packet.
const MAX_PAYLOAD: u32 = 65_507;

/// `lvs_timeouts [tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]`
pub(in super::super) fn timeouts(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if st.count() < 3 {
        let message = "lvs_timeouts requires at least one option";
        st.error(Class::General, message, Some(0));
        return Ok(());
    }
    let timeouts = &mut draft.global.lvs.timeouts;
    let mut index = 1;
    while let Some(option) = st.word(index) {
        let slot = match option {
            "tcp" => &mut timeouts.tcp,
            "tcpfin" => &mut timeouts.tcp_fin,
            "udp" => &mut timeouts.udp,
            _ => {
                let message = format!(
                    "Unknown option {} specified for lvs_timeouts",
                    to_display(option)
                );
                st.error(Class::General, message, Some(index));
                index += 1;
                continue;
            }
        };
        let Some(value) = st.word(index + 1) else {
            let message = format!("No value specified for lvs_timeout {option} - ignoring");
            st.error(Class::General, message, Some(index));
            break;
        };
        match st.number(index + 1, 0, MAX_TIMEOUT)? {
            // As with the kernel, zero leaves what there is.
            Some(0) => *slot = None,
            Some(seconds) => *slot = Some(Duration::from_secs(u64::from(seconds))),
            None => {
                let message = format!(
                    "Invalid lvs_timeout {option} ({}) - ignoring",
                    to_display(value)
                );
                st.error(Class::General, message, Some(index + 1));
            }
        }
        index += 2;
    }
    Ok(())
}

/// `lvs_flush_on_stop [VS]`
pub(in super::super) fn flush_on_stop(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    draft.global.lvs.flush_on_stop = match st.word(1) {
        None => FlushOnStop::All,
        Some("VS") => FlushOnStop::Services,
        Some(kind) => {
            let message = format!("Unknown lvs_flush_on_stop type {}", to_display(kind));
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
    };
    Ok(())
}

/// Options of `lvs_sync_daemon` that take a value.
const OPTIONS: [&str; 6] = ["inst", "id", "maxlen", "port", "ttl", "group"];

/// `lvs_sync_daemon INTERFACE [inst INSTANCE] [id ID] [maxlen BYTES] [port PORT] [ttl TTL]
/// [group ADDRESS]`, or of old `lvs_sync_daemon INTERFACE INSTANCE [ID]…`
pub(in super::super) fn sync_daemon(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if let Some(daemon) = &draft.global.lvs.sync_daemon {
        let message = format!(
            "lvs_sync_daemon has already been specified as {} {} - ignoring",
            to_display(&daemon.interface),
            to_display(daemon.instance.as_deref().unwrap_or_default())
        );
        st.error(Class::General, message, Some(st.count() - 1));
        return Ok(());
    }
    let Some(interface) = st.word(1) else {
        st.error(
            Class::General,
            "lvs_sync_daemon requires interface",
            Some(0),
        );
        return Ok(());
    };
    if to_bytes(interface).len() > MAX_INTERFACE {
        let message = format!(
            "lvs_sync_daemon interface name '{}' too long - ignoring",
            to_display(interface)
        );
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    let mut daemon = SyncDaemon {
        interface: interface.to_owned(),
        ..SyncDaemon::default()
    };
    let mut index = 2;
    if let Some(name) = st.word(index).filter(|word| !OPTIONS.contains(word)) {
        daemon.instance = Some(name.to_owned());
        index += 1;
        if st.word(index).is_some_and(|word| !OPTIONS.contains(&word)) {
            id(&mut daemon, index, st)?;
            if daemon.id.is_some() {
                let message = "Please use keyword \"id\" before lvs_sync_daemon SYNCID";
                st.error(Class::General, message, Some(index));
            }
            index += 1;
        }
    }
    while let Some(option) = st.word(index) {
        if OPTIONS.contains(&option) {
            sync_option(&mut daemon, option, index + 1, st)?;
            index += 2;
        } else {
            let message = format!(
                "Unknown option {} specified for lvs_sync_daemon",
                to_display(option)
            );
            st.error(Class::General, message, Some(index));
            index += 1;
        }
    }
    draft.global.lvs.sync_daemon = Some(daemon);
    Ok(())
}

/// The option whose value stands at `index`.
fn sync_option(
    daemon: &mut SyncDaemon,
    option: &str,
    index: usize,
    st: &mut Statement<'_>,
) -> Outcome {
    if option == "inst" {
        let name = st.need(index)?;
        if let Some(known) = &daemon.instance {
            let message = format!(
                "lvs_sync_daemon vrrp instance has already been specified as {} - ignoring",
                to_display(known)
            );
            st.error(Class::General, message, Some(index));
        } else {
            daemon.instance = Some(name.to_owned());
        }
        return Ok(());
    }
    let Some(word) = st.word(index) else {
        let message = if option == "id" {
            "No value specified for lvs_sync_daemon id, defaulting to vrid".to_owned()
        } else {
            format!("No value specified for lvs_sync_daemon {option} - ignoring")
        };
        st.error(Class::General, message, Some(index - 1));
        return Ok(());
    };
    if option == "id" {
        return id(daemon, index, st);
    }
    if option == "group" {
        let problem = match word.parse::<IpAddr>() {
            Ok(group) if group.is_multicast() => {
                daemon.group = Some(group);
                return Ok(());
            }
            Ok(_) => format!(
                "lvs_sync_daemon group address {} is not multicast - ignoring",
                to_display(word)
            ),
            Err(_) => format!(
                "Invalid lvs_sync_daemon group ({}) - ignoring",
                to_display(word)
            ),
        };
        st.error(Class::General, problem, Some(index));
        return Ok(());
    }
    let max = match option {
        "maxlen" => MAX_PAYLOAD,
        "port" => 65_535,
        _ => 255,
    };
    match st.number(index, 1, max)?.map(u16::try_from) {
        Some(Ok(number)) => match option {
            "maxlen" => daemon.max_length = Some(number),
            "port" => daemon.port = Some(number),
            _ => daemon.ttl = u8::try_from(number).ok(),
        },
        Some(Err(_)) | None => {
            let message = format!(
                "Invalid lvs_sync_daemon {option} ({}) - ignoring",
                to_display(word)
            );
            st.error(Class::General, message, Some(index));
        }
    }
    Ok(())
}

fn id(daemon: &mut SyncDaemon, index: usize, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(index)?;
    daemon.id = st
        .number(index, 0, 255)?
        .and_then(|number| u8::try_from(number).ok());
    if daemon.id.is_none() {
        let message = format!("Invalid syncid ({}) - defaulting to vrid", to_display(word));
        st.error(Class::General, message, Some(index));
    }
    Ok(())
}
