//! Trackers, sync groups and notifications as text.
//!
//! Owns: the blocks that define trackers, those that use them, and those of groups. Never does: read
//! them back. Driven by: `text`.

use std::fmt::Display;

use keepalived_rs::base::Duration;
use keepalived_rs::conf::model::options::{
    Notify, Script, SyncGroup, Tracked, Trackers, Tracking, Weight,
};

use super::text::line;

/// `vrrp_script`, `track_file` and `vrrp_track_process`.
pub(super) fn definitions(text: &mut String, trackers: &Trackers) {
    for script in &trackers.scripts {
        line(text, 0, format_args!("vrrp_script {} {{", script.name));
        let mut key = |name: &str, value: &dyn Display| {
            line(text, 1, format_args!("{name} {value}"));
        };
        key("script", &quoted(&script.script));
        key("interval", &seconds(script.interval));
        if let Some(timeout) = script.timeout {
            key("timeout", &seconds(timeout));
        }
        key("weight", &weight(script.weight));
        key("rise", &script.rise);
        key("fall", &script.fall);
        if script.init_fail {
            key("init_fail", &"");
        }
        line(text, 0, format_args!("}}"));
    }
    for file in &trackers.files {
        line(text, 0, format_args!("track_file {} {{", file.name));
        let path = file.file.as_deref().unwrap_or_default();
        line(text, 1, format_args!("file {path}"));
        if let Some(value) = file.weight {
            line(text, 1, format_args!("weight {}", weight(value)));
        }
        line(text, 0, format_args!("}}"));
    }
    for process in &trackers.processes {
        line(
            text,
            0,
            format_args!("vrrp_track_process {} {{", process.name),
        );
        let mut key = |name: &str, value: &dyn Display| {
            line(text, 1, format_args!("{name} {value}"));
        };
        key("process", &process.process.as_deref().unwrap_or_default());
        if let Some(quorum) = process.quorum {
            key("quorum", &quorum);
        }
        let delays = [
            ("terminate_delay", process.terminate_delay),
            ("fork_delay", process.fork_delay),
        ];
        for (name, delay) in delays.iter().filter(|(_, delay)| !delay.is_zero()) {
            key(name, &seconds(*delay));
        }
        key("weight", &weight(process.weight));
        line(text, 0, format_args!("}}"));
    }
}

/// `vrrp_sync_group`
pub(super) fn group(text: &mut String, group: &SyncGroup) {
    line(text, 0, format_args!("vrrp_sync_group {} {{", group.name));
    line(text, 1, format_args!("group {{"));
    for member in &group.members {
        line(text, 2, format_args!("{member}"));
    }
    line(text, 1, format_args!("}}"));
    if group.weights_apply {
        line(text, 1, format_args!("sync_group_tracking_weight"));
    }
    notify(text, &group.notify);
    tracked(text, &group.tracking);
    line(text, 0, format_args!("}}"));
}

/// The scripts that are told of everything.
pub(super) fn notify(text: &mut String, notify: &Notify) {
    if let Some(script) = &notify.any {
        line(text, 1, format_args!("notify {}", quoted(script)));
    }
}

/// `track_interface` and its like.
pub(super) fn tracked(text: &mut String, tracking: &Tracking) {
    for (block, all) in [
        ("track_interface", &tracking.interfaces),
        ("track_script", &tracking.scripts),
        ("track_file", &tracking.files),
        ("track_process", &tracking.processes),
        ("track_bfd", &tracking.bfd),
    ] {
        if all.is_empty() {
            continue;
        }
        line(text, 1, format_args!("{block} {{"));
        for Tracked { name, weight: own } in all {
            // Without a word the direction is that of the tracker's own weight.
            let forth = own.is_some_and(|own| !own.reverse) && block != "track_interface";
            let forth = if forth { " noreverse" } else { "" };
            let own = own.map_or_else(String::new, |own| format!(" weight {}", weight(own)));
            line(text, 2, format_args!("{name}{own}{forth}"));
        }
        line(text, 1, format_args!("}}"));
    }
}

fn quoted(script: &Script) -> String {
    format!("\"{}\"", script.argv.join(" "))
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn weight(weight: Weight) -> String {
    let reverse = if weight.reverse { " reverse" } else { "" };
    format!("{}{reverse}", weight.value)
}
