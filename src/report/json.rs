//! `keepalived.json`: VRRP for programs, in both versions of its form.
//!
//! Owns: names, order and types of the fields, which are keepalived's. A number is written as the
//! real one writes it, and so is a slash in a string.

use std::fmt::{self, Write};

use super::instance::{accepts, answers, hopes, mails, skips_check};
use super::page::{command, short_seconds};
use super::trackers::{fewest, matching};
use super::{Cursor, Page, address};
use crate::base::Duration;
use crate::conf::model::VrrpInstance;
use crate::conf::model::options::{TrackProcess, Version};
use crate::node::snapshot::{InstanceView, State, Stats};

/// An array with an object for each instance; nothing at all if there is none.
pub(super) fn version_1(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let count = page.snapshot.config().vrrp_instances.len();
    if cursor.item >= count {
        return Ok(false);
    }
    out.push(if cursor.item == 0 { '[' } else { ',' });
    write_instance(page, cursor.item, out)?;
    cursor.next_item();
    if cursor.item == count {
        out.push_str("]\n");
    }
    Ok(true)
}

/// An object with that array and one of the tracked processes.
pub(super) fn version_2(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let config = page.snapshot.config();
    let count = config.vrrp_instances.len();
    if cursor.item >= count {
        return Ok(false);
    }
    out.push_str(if cursor.item == 0 { "{\"vrrp\":[" } else { "," });
    write_instance(page, cursor.item, out)?;
    cursor.next_item();
    if cursor.item < count {
        return Ok(true);
    }
    out.push(']');
    if !config.trackers.processes.is_empty() {
        out.push_str(",\"track_process\":[");
        for (place, process) in config.trackers.processes.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            write_process(page, process, out)?;
        }
        out.push(']');
    }
    out.push_str("}\n");
    Ok(true)
}

/// An object under way: the commas.
struct Fields<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Fields<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn value(&mut self, name: &str, value: impl fmt::Display) -> fmt::Result {
        self.name(name);
        write!(self.out, "{value}")
    }

    fn number(&mut self, name: &str, value: bool) -> fmt::Result {
        self.value(name, u8::from(value))
    }

    fn text(&mut self, name: &str, value: &str) -> fmt::Result {
        self.name(name);
        quote(value, self.out)
    }

    /// Left out if it is empty.
    fn list(&mut self, name: &str, values: &[String]) -> fmt::Result {
        if values.is_empty() {
            return Ok(());
        }
        self.name(name);
        for (place, value) in values.iter().enumerate() {
            self.out.push(if place == 0 { '[' } else { ',' });
            quote(value, self.out)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn close(self) {
        self.out.push('}');
    }
}

/// A string with the escapes of RFC 8259 §7.
fn quote(value: &str, out: &mut String) -> fmt::Result {
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' | '\\' | '/' => {
                out.push('\\');
                out.push(letter);
            }
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control))?,
            other => out.push(other),
        }
    }
    out.push('"');
    Ok(())
}

fn write_instance(page: &Page<'_>, place: usize, out: &mut String) -> fmt::Result {
    let config = page.snapshot.config();
    let Some(instance) = config.vrrp_instances.get(place) else {
        return Ok(());
    };
    let view = page.snapshot.instance(&instance.key());
    out.push_str("{\"data\":");
    let mut data = Fields::open(out);
    write_head(page, instance, view.as_ref(), &mut data)?;
    write_rules(page, instance, view.as_ref(), &mut data)?;
    write_scripts(instance, &mut data)?;
    write_lists(page, instance, view.as_ref(), &mut data)?;
    let auth = instance.auth.is_some() && instance.version == Version::V2;
    // 2: the authentication header.
    data.value("auth_type", u8::from(auth) + u8::from(auth && instance.ah))?;
    if auth {
        data.text("auth_data", "********")?;
    }
    data.close();
    out.push_str(",\"stats\":");
    let stats = view.map(|view| view.stats).unwrap_or_default();
    write_stats(&stats, Fields::open(out))?;
    out.push('}');
    Ok(())
}

fn write_head(
    page: &Page<'_>,
    config: &VrrpInstance,
    view: Option<&InstanceView>,
    data: &mut Fields<'_>,
) -> fmt::Result {
    let options = &config.options;
    data.text("iname", &config.name)?;
    data.number("dont_track_primary", options.ignore_own_interface)?;
    data.number("skip_check_adv_addr", skips_check(page, config))?;
    data.number("strict_mode", config.strict)?;
    let own = config.own_link.as_ref().map(|own| own.name.as_str());
    data.text("vmac_ifname", own.unwrap_or_default())?;
    data.text("ifp_ifname", own.unwrap_or(&config.interface))?;
    let master = view.and_then(|view| view.detail.master);
    data.value(
        "master_priority",
        master.map_or(0, |(_, priority)| priority.0),
    )?;
    let since = view.and_then(|view| view.detail.since);
    let since = since.map(|since| page.facts.moment(since));
    match since {
        Some(since) => {
            let (seconds, micros) = (since.seconds, since.micros);
            data.value("last_transition", format_args!("{seconds}.{micros:06}"))
        }
        None => data.value("last_transition", "0.000000"),
    }
}

fn write_rules(
    page: &Page<'_>,
    config: &VrrpInstance,
    view: Option<&InstanceView>,
    data: &mut Fields<'_>,
) -> fmt::Result {
    let garp = &config.garp;
    let options = &config.options;
    let (lower, higher) = answers(page, config);
    let effective = view.map_or(config.priority, |view| view.priority);
    let state = view.map_or(State::Init, |view| view.state);
    data.value("garp_delay", number(garp.delay))?;
    data.value("garp_refresh", garp.refresh.as_secs())?;
    data.value("garp_rep", garp.repeat)?;
    data.value("garp_refresh_rep", garp.refresh_repeat)?;
    let strict = config.strict;
    let (delay, repeat) = if strict {
        (0, 0)
    } else {
        let delay = garp.lower_priority_delay.as_secs();
        (delay, garp.lower_priority_repeat)
    };
    data.value("garp_lower_prio_delay", delay)?;
    data.value("garp_lower_prio_rep", repeat)?;
    data.number("lower_prio_no_advert", !lower)?;
    data.number("higher_prio_send_advert", higher)?;
    data.value("vrid", config.vrid.get())?;
    data.value("base_priority", config.priority)?;
    data.value("effective_priority", effective)?;
    data.value("vipset", state == State::Master)?;
    data.value("promote_secondaries", options.promote_secondaries)?;
    data.value("adver_int", number(config.advert_interval))?;
    let heard = view.map_or(config.advert_interval, |view| view.detail.master_interval);
    data.value("master_adver_int", number(heard))?;
    data.number("accept", accepts(config))?;
    data.value("nopreempt", config.no_preempt)?;
    data.value("preempt_delay", config.preempt_delay.as_secs())?;
    data.value("state", state_number(state))?;
    let hopes = hopes(page, config);
    let fresh = view.is_none_or(|view| view.stats.become_master == 0);
    let wanted = if state == State::Backup && hopes && fresh {
        State::Master
    } else {
        state
    };
    data.value("wantstate", state_number(wanted))?;
    let version = match config.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    data.value("version", version)?;
    data.value("smtp_alert", mails(page, &options.notify))?;
    data.value("notify_deleted", options.notify.deleted.is_some())
}

/// Seconds, with a fraction if there is one.
fn number(duration: Duration) -> String {
    short_seconds(duration)
}

const fn state_number(state: State) -> u8 {
    match state {
        State::Init => 0,
        State::Backup => 1,
        State::Master => 2,
        State::Fault => 3,
    }
}

fn write_scripts(config: &VrrpInstance, data: &mut Fields<'_>) -> fmt::Result {
    let notify = &config.options.notify;
    for (name, script) in [
        ("script_backup", &notify.backup),
        ("script_master", &notify.master),
        ("script_fault", &notify.fault),
        ("script_stop", &notify.stop),
        ("script_deleted", &notify.deleted),
        ("script", &notify.any),
        ("script_master_rx_lower_pri", &notify.lower_priority),
    ] {
        if let Some(script) = script {
            data.text(name, &command(&script.argv))?;
        }
    }
    Ok(())
}

fn write_lists(
    page: &Page<'_>,
    instance: &VrrpInstance,
    view: Option<&InstanceView>,
    data: &mut Fields<'_>,
) -> fmt::Result {
    let config = page.snapshot.config();
    let present = view.map_or(&[] as &[bool], |view| view.detail.present.as_slice());
    let vips = instance.addresses.iter().enumerate().map(|(place, vip)| {
        let set = present.get(place).copied().unwrap_or(false);
        address::text(vip, instance, set)
    });
    data.list("vips", &vips.collect::<Vec<_>>())?;
    let options = &instance.options;
    let excluded = options.excluded.iter();
    let first = instance.addresses.len();
    let set = |place: usize| {
        view.is_some_and(|view| view.detail.present.get(first + place) == Some(&true))
    };
    let excluded = excluded.enumerate();
    let excluded = excluded.map(|(place, vip)| address::text(vip, instance, set(place)));
    data.list("evips", &excluded.collect::<Vec<_>>())?;
    let routes = options.routes.iter().map(ToString::to_string);
    data.list("vroutes", &routes.collect::<Vec<_>>())?;
    let rules = options.rules.iter().map(ToString::to_string);
    data.list("vrules", &rules.collect::<Vec<_>>())?;
    let tracking = &options.tracking;
    let interfaces = tracking.interfaces.iter();
    let interfaces = interfaces.map(|tracked| tracked.name.clone());
    data.list("track_ifp", &interfaces.collect::<Vec<_>>())?;
    let scripts = tracking.scripts.iter().filter_map(|tracked| {
        let known = config.trackers.scripts.iter();
        let script = known
            .into_iter()
            .find(|script| script.name == tracked.name)?;
        Some(command(&script.script.argv))
    });
    data.list("track_script", &scripts.collect::<Vec<_>>())?;
    let processes = tracking.processes.iter();
    let processes = processes.map(|tracked| tracked.name.clone());
    data.list("track_process", &processes.collect::<Vec<_>>())
}

fn write_stats(stats: &Stats, mut fields: Fields<'_>) -> fmt::Result {
    for (name, count) in [
        ("advert_rcvd", stats.advert_rcvd),
        ("advert_sent", stats.advert_sent),
        ("become_master", stats.become_master),
        ("release_master", stats.release_master),
        ("packet_len_err", stats.errors.packet_len_err),
        ("advert_interval_err", stats.errors.advert_interval_err),
        ("ip_ttl_err", stats.errors.ip_ttl_err),
        ("invalid_type_rcvd", stats.errors.invalid_type_rcvd),
        ("addr_list_err", stats.errors.addr_list_err),
        ("invalid_authtype", stats.errors.invalid_authtype),
        ("authtype_mismatch", stats.errors.authtype_mismatch),
        ("auth_failure", stats.errors.auth_failure),
        ("auth_ext_missing", stats.errors.auth_ext_missing),
        ("auth_ext_malformed", stats.errors.auth_ext_malformed),
        ("auth_ext_unknown_key", stats.errors.auth_ext_unknown_key),
        ("auth_ext_invalid_hmac", stats.errors.auth_ext_invalid_hmac),
        ("auth_ext_stale", stats.errors.auth_ext_stale),
        ("auth_ext_replay", stats.errors.auth_ext_replay),
        ("pri_zero_rcvd", stats.pri_zero_rcvd),
        ("pri_zero_sent", stats.pri_zero_sent),
    ] {
        fields.value(name, count)?;
    }
    fields.close();
    Ok(())
}

fn write_process(page: &Page<'_>, process: &TrackProcess, out: &mut String) -> fmt::Result {
    let is = page.snapshot.process(&process.name);
    let way = matching(process);
    let mut fields = Fields::open(out);
    // The block's name, which `track_process` of an instance repeats.
    fields.text("process", &process.name)?;
    if !process.arguments.is_empty() {
        fields.text("parameters", &process.arguments.join(" "))?;
    }
    fields.text("param_match", way.unwrap_or("none"))?;
    fields.value("min_processes", fewest(process))?;
    if let Some(most) = process.quorum_max {
        fields.value("max_processes", most)?;
    }
    fields.value("current_processes", is.count)?;
    let enough = is.enough || (is.count == 0 && fewest(process) == 0);
    fields.value("have_quorum", enough)?;
    let weight = process.weight;
    let sign = if weight.reverse { -1 } else { 1 };
    fields.value("weight", weight.value * sign)?;
    fields.value("terminate_delay", number(process.terminate_delay))?;
    fields.value("fork_delay", number(process.fork_delay))?;
    fields.value("fork_delay_timer_running", is.gaining)?;
    fields.value("terminate_delay_timer_running", is.losing)?;
    fields.value("full_command", process.full_command || way.is_some())?;
    fields.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        quote("a\"b\\c/d\n\u{1}é", &mut out).unwrap();
        assert_eq!(out, "\"a\\\"b\\\\c\\/d\\n\\u0001é\"");
    }
}
