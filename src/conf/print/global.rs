//! The settings of the daemon as a whole as text.
//!
//! Owns: `global_defs` and the settings outside of any block. Most are printed from the table that
//! they are read by, so that a new row is printed too. Driven by: `print`.

use std::path::Path;

use super::super::bind::slots::{Slot, slot};
use super::super::model::options::{Script, Version};
use super::super::model::{
    Dumps, Dynamic, Fifo, FlushOnStop, GarpSettings, Global, Lvs, LvsTimeouts, Mail, OnOff,
    Process, ReceivePolicy, Scheduling, Scripts, VrrpDefaults,
};
use super::super::schema::facts;
use super::super::source::to_text;
use super::{Printer, on_or_off, quoted, seconds};
use crate::base::Duration;

/// Other spellings of keywords, which would be printed twice.
const ALIASES: [&str; 6] = [
    "bfd_rlimit_rtime",
    "checker_rlimit_rtime",
    "enable_snmp_keepalived",
    // Both of these come to the two that follow them.
    "enable_snmp_rfc",
    "lvs_flush_onstop",
    "vrrp_rlimit_rtime",
];

pub(super) fn settings(out: &mut Printer, global: &Global) {
    let (mut own, mut usual) = (global.clone(), Global::default());
    let mut lines = |block: &str| -> Vec<String> {
        let mut names: Vec<_> = facts::all()
            .filter(|facts| facts.block == block && !ALIASES.contains(&facts.name))
            .map(|facts| facts.name)
            .collect();
        names.sort_unstable();
        names
            .into_iter()
            .filter_map(|name| {
                let usual = slot(name, &mut usual).and_then(|slot| value(&slot));
                let own = slot(name, &mut own).and_then(|slot| value(&slot));
                own.filter(|own| Some(own) != usual.as_ref())
                    .map(|own| format!("{name} {own}").trim_end().to_owned())
            })
            .collect()
    };
    for line in lines("-") {
        out.line(line);
    }
    let lines = lines("global_defs");
    out.block("global_defs", |out| {
        out.word("router_id", global.router_id.as_ref());
        for line in lines {
            out.line(line);
        }
        process(out, &global.process);
        let version = global.dumps.json_version;
        out.value(
            "json_version",
            (version != Dumps::default().json_version).then_some(version),
        );
        mail(out, &global.mail);
        scripts(out, &global.scripts);
        let fifos = &global.fifos;
        fifo(out, "notify_fifo", &fifos.all);
        fifo(out, "vrrp_notify_fifo", &fifos.vrrp);
        fifo(out, "lvs_notify_fifo", &fifos.lvs);
        match global.interfaces.dynamic {
            Dynamic::No => {}
            Dynamic::Yes => out.line("dynamic_interfaces"),
            Dynamic::AllowChanges => out.line("dynamic_interfaces allow_if_changes"),
        }
        lvs(out, &global.lvs);
        vrrp(out, &global.vrrp);
    });
}

/// What a slot holds, as words; `None` if there is nothing to say.
fn value(slot: &Slot<'_>) -> Option<String> {
    let path = |path: &Path| {
        use std::os::unix::ffi::OsStrExt as _;
        quoted(&to_text(path.as_os_str().as_bytes().to_vec()))
    };
    match slot {
        Slot::Flag(on) => on.then(String::new),
        Slot::Flags(one, other) => (**one && **other).then(String::new),
        Slot::Switch(on, _) => Some(on_or_off(**on).to_owned()),
        Slot::Choice(said, _) => said.map(|on| on_or_off(on).to_owned()),
        Slot::Needed(word) | Slot::Word(word, _) | Slot::Name(word) => {
            word.as_ref().map(|word| quoted(word))
        }
        Slot::NeededPath(word) | Slot::Path(word, _) => word.as_ref().map(|word| path(word)),
        Slot::Optional(word) => on_off(word),
        Slot::Number(number, ..) => Some(number.to_string()),
        Slot::Chosen(number, ..) => number.map(|number| number.to_string()),
        Slot::Unsigned(number, ..) => Some(number.to_string()),
        Slot::Size(number, ..) => number.map(|number| number.to_string()),
        Slot::Small(number, ..) => Some(number.to_string()),
        Slot::WholeSeconds(time, ..) | Slot::Seconds(time, ..) => Some(seconds(**time)),
        Slot::Interval(time, ..) => time.map(seconds),
        Slot::Micros(time, ..) => Some(micros(**time).to_string()),
    }
}

fn on_off(word: &OnOff) -> Option<String> {
    match word {
        OnOff::Off => None,
        OnOff::On => Some(String::new()),
        OnOff::Named(name) => Some(quoted(name)),
    }
}

fn micros(time: Duration) -> u64 {
    time.as_secs() * 1_000_000 + u64::from(time.subsec_micros())
}

fn process(out: &mut Printer, process: &Process) {
    out.word("process_name", process.name.as_ref());
    out.value("umask", process.umask.map(|mask| format!("0{mask:o}")));
    let automatic = process.max_auto_priority;
    out.value(
        "max_auto_priority",
        (automatic != Process::default().max_auto_priority).then_some(automatic),
    );
    for (which, scheduling) in [
        ("vrrp", &process.vrrp),
        ("checker", &process.checker),
        ("bfd", &process.bfd),
    ] {
        let Scheduling {
            name,
            realtime,
            cpus,
            ..
        } = scheduling;
        out.word(&format!("{which}_process_name"), name.as_ref());
        out.value(&format!("{which}_rt_priority"), *realtime);
        if !cpus.is_empty() {
            let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
            out.line(format!("{which}_cpu_affinity {}", cpus.join(" ")));
        }
    }
}

fn mail(out: &mut Printer, mail: &Mail) {
    out.list("notification_email", mail.to.iter().map(|to| quoted(to)));
    if let Some(server) = &mail.server {
        out.line(format!("smtp_server {} {}", quoted(server), mail.port));
    }
    let timeout = mail.connect_timeout;
    let usual = Mail::default().connect_timeout;
    out.value(
        "smtp_connect_timeout",
        (timeout != usual).then(|| seconds(timeout)),
    );
}

fn scripts(out: &mut Printer, scripts: &Scripts) {
    out.flag("enable_script_security", scripts.security);
    if let Some(user) = &scripts.user {
        out.line(format!(
            "script_user {}",
            super::vrrp::owner(user, scripts.group.as_ref())
        ));
    }
    script(out, "startup_script", scripts.startup.as_ref());
    script(out, "shutdown_script", scripts.shutdown.as_ref());
}

fn script(out: &mut Printer, keyword: &str, script: Option<&Script>) {
    out.value(keyword, script.map(super::vrrp::command_and_owner));
}

fn fifo(out: &mut Printer, keyword: &str, fifo: &Fifo) {
    if let Some(path) = &fifo.path {
        use std::os::unix::ffi::OsStrExt as _;
        let path = quoted(&to_text(path.as_os_str().as_bytes().to_vec()));
        let owner = fifo.user.as_ref().map_or(String::new(), |user| {
            format!(" {}", super::vrrp::owner(user, fifo.group.as_ref()))
        });
        out.line(format!("{keyword} {path}{owner}"));
    }
    script(out, &format!("{keyword}_script"), fifo.script.as_ref());
}

/// What of IPVS as a whole is more than a flag.
fn lvs(out: &mut Printer, lvs: &Lvs) {
    match lvs.flush_on_stop {
        FlushOnStop::Own => {}
        FlushOnStop::Services => out.line("lvs_flush_on_stop VS"),
        FlushOnStop::All => out.line("lvs_flush_on_stop"),
    }
    let LvsTimeouts { tcp, tcp_fin, udp } = lvs.timeouts;
    let timeouts: String = [("tcp", tcp), ("tcpfin", tcp_fin), ("udp", udp)]
        .into_iter()
        .filter_map(|(name, time)| Some(format!(" {name} {}", time?.as_secs())))
        .collect();
    if !timeouts.is_empty() {
        out.line(format!("lvs_timeouts{timeouts}"));
    }
    if let Some(daemon) = &lvs.sync_daemon {
        let mut line = format!("lvs_sync_daemon {}", quoted(&daemon.interface));
        let options = [
            ("inst", daemon.instance.as_deref().map(quoted)),
            ("id", daemon.id.map(|id| id.to_string())),
            ("maxlen", daemon.max_length.map(|bytes| bytes.to_string())),
            ("port", daemon.port.map(|port| port.to_string())),
            ("ttl", daemon.ttl.map(|ttl| ttl.to_string())),
            ("group", daemon.group.map(|group| group.to_string())),
        ];
        for (name, value) in options {
            line.extend(value.map(|value| format!(" {name} {value}")));
        }
        out.line(line);
    }
}

fn vrrp(out: &mut Printer, vrrp: &VrrpDefaults) {
    out.flag("vrrp_version 3", vrrp.version == Version::V3);
    let usual = VrrpDefaults::default();
    out.value(
        "vrrp_mcast_group4",
        Some(vrrp.group4).filter(|group| *group != usual.group4),
    );
    out.value(
        "vrrp_mcast_group6",
        Some(vrrp.group6).filter(|group| *group != usual.group6),
    );
    let GarpSettings {
        repeat,
        delay,
        refresh,
        refresh_repeat,
        lower_priority_repeat,
        lower_priority_delay,
    } = vrrp.garp;
    out.value("vrrp_garp_master_repeat", repeat);
    out.value("vrrp_garp_master_delay", delay.map(seconds));
    out.value("vrrp_garp_master_refresh", refresh.map(seconds));
    out.value("vrrp_garp_master_refresh_repeat", refresh_repeat);
    out.value("vrrp_garp_lower_prio_repeat", lower_priority_repeat);
    out.value(
        "vrrp_garp_lower_prio_delay",
        lower_priority_delay.map(seconds),
    );
    if let Some(extra) = vrrp.extra_garp {
        let all = if extra.all { "all " } else { "" };
        out.line(format!("vrrp_garp_extra_if {all}{}", seconds(extra.period)));
    }
    match vrrp.receive_policy {
        ReceivePolicy::Kernel => {}
        ReceivePolicy::Mtu => out.line("vrrp_rx_bufs_policy MTU"),
        ReceivePolicy::Advert => out.line("vrrp_rx_bufs_policy ADVERT"),
        ReceivePolicy::Bytes(bytes) => out.line(format!("vrrp_rx_bufs_policy {bytes}")),
    }
}
