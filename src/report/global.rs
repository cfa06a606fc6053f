//! `Global definitions`: the settings of the daemon as a whole.

use std::fmt::{self, Write};
use std::path::Path;

use super::instance::accepts;
use super::page::{heading, on, seconds};
use super::{Cursor, Page};
use crate::base::Duration;
use crate::conf::model::{
    Buffer, Dynamic, Fifo, Firewall, FlushOnStop, Global, Mail, OnOff, ReceivePolicy, Scheduling,
    SyncDaemon, VrrpDefaults,
};

use crate::conf::model::options::{Script, Version};

/// The whole of it: it is never long.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    write_all(page, false, cursor, out)
}

/// The same as the part that has VRRP knows it.
pub(super) fn of_vrrp(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    write_all(page, needs_firewall(page), cursor, out)
}

fn write_all(
    page: &Page<'_>,
    firewall: bool,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    if cursor.item > 0 {
        return Ok(false);
    }
    cursor.next_item();
    let global = &page.snapshot.config().global;
    heading(out, "Global definitions")?;
    write_process(page, global, out)?;
    write_mail(page, &global.mail, out)?;
    write_scripts(page, global, out)?;
    write_reload(global, out)?;
    write_interfaces(global, out)?;
    write_lvs(global, out)?;
    write_fifos(page, global, out)?;
    write_vrrp(&global.vrrp, out)?;
    write_firewall(&global.firewall, firewall, out)?;
    write_vrrp_rules(&global.vrrp, out)?;
    write_scheduling(global, out)?;
    write_agents(global, out)?;
    write_end(page, global, out)?;
    Ok(true)
}

fn write_process(page: &Page<'_>, global: &Global, out: &mut String) -> fmt::Result {
    let process = &global.process;
    if let Some(directory) = &global.dumps.configurations {
        writeln!(out, " Config save dir = {}", directory.display())?;
    }
    let (own, ipvs) = page.facts.namespaces();
    writeln!(
        out,
        " Network namespace = {}",
        own.as_deref().unwrap_or("(default)")
    )?;
    writeln!(
        out,
        " Network namespace ipvs = {}",
        ipvs.as_deref().unwrap_or("(main namespace)")
    )?;
    let links = if global.scripts.keep_symlinks {
        "Keep"
    } else {
        "Replace"
    };
    writeln!(out, " {links} symlinks in script paths")?;
    if let Some(instance) = &process.instance {
        writeln!(out, " Instance name = {instance}")?;
    }
    if process.pid_directory {
        writeln!(out, " Use pid directory")?;
    }
    for (name, own, title) in [
        (&process.name, "keepalived", "Parent"),
        (&process.vrrp.name, "keepalived_vrrp", "VRRP"),
        (&process.checker.name, "keepalived_lvs", "LVS"),
        (&process.bfd.name, "keepalived_bfd", "BFD"),
    ] {
        match name {
            Some(name) => writeln!(out, " {title} process name = {name}")?,
            None if process.own_names && title != "Parent" => {
                writeln!(out, " {title} process name = {own}")?;
            }
            None => {}
        }
    }
    let name = page.facts.host_name();
    let router = global.router_id.as_deref().unwrap_or(&name);
    writeln!(out, " Router ID = {router}")
}

/// What of a mail server and its readers is set.
fn write_mail(page: &Page<'_>, mail: &Mail, out: &mut String) -> fmt::Result {
    if let Some(server) = &mail.server {
        writeln!(out, " Smtp server = {server}")?;
        writeln!(out, " Smtp server port = {}", mail.port)?;
    }
    let has_server = mail.server.is_some();
    let own = page.facts.host_name();
    if let Some(name) = mail.helo_name.as_deref().or(has_server.then_some(&*own)) {
        writeln!(out, " Smtp HELO name = {name}")?;
    }
    if has_server {
        let timeout = mail.connect_timeout.as_secs();
        writeln!(out, " Smtp server connection timeout = {timeout}")?;
    }
    if let Some(from) = &mail.from {
        writeln!(out, " Email notification from = {from}")?;
    }
    if !mail.to.is_empty() {
        writeln!(out, " Email notification to:")?;
    }
    for to in &mail.to {
        writeln!(out, "   {to}")?;
    }
    for (alert, name) in [
        (mail.alert, "smtp_alert"),
        (mail.alert_vrrp, "smtp_alert_vrrp"),
        (mail.alert_checker, "smtp_alert_checker"),
    ] {
        let alert = alert.map_or("unset", on);
        writeln!(out, " Default {name} = {alert}")?;
    }
    Ok(())
}

fn write_scripts(page: &Page<'_>, global: &Global, out: &mut String) -> fmt::Result {
    let scripts = &global.scripts;
    let timed = |script: &Script, comma: &str, timeout: Duration| {
        let text = page.script(script);
        format!("{text}{comma} timeout {}", timeout.as_secs())
    };
    if let Some(script) = &scripts.startup {
        let text = timed(script, ",", scripts.startup_timeout);
        writeln!(out, " Startup script = {text}")?;
    }
    if let Some(script) = &scripts.shutdown {
        // keepalived has no comma here.
        let text = timed(script, "", scripts.shutdown_timeout);
        writeln!(out, " Shutdown script = {text}")?;
    }
    let all = global.checks.log_all_failures;
    writeln!(out, " Checkers log all failures = {all}")
}

fn write_reload(global: &Global, out: &mut String) -> fmt::Result {
    let reload = &global.reload;
    match &reload.check {
        OnOff::Off => writeln!(out, " No test config before reload")?,
        OnOff::On => writeln!(out, " Test config before reload, log to /dev/null")?,
        OnOff::Named(log) => writeln!(out, " Test config before reload, log to {log}")?,
    }
    if let Some(file) = &reload.time_file {
        let repeat = if reload.repeat { " (repeat)" } else { "" };
        writeln!(out, " Reload time file = {}{repeat}", file.display())?;
        writeln!(out, " No reload scheduled")?;
    }
    match &reload.file {
        OnOff::Off => {}
        OnOff::On => writeln!(out, " Reload_file = /run/keepalived.reload")?,
        OnOff::Named(file) => writeln!(out, " Reload_file = {file}")?,
    }
    if let Some(directory) = &global.process.config_directory {
        let directory = directory.display();
        writeln!(out, " config save directory = {directory}")?;
    }
    if global.dumps.with_instance {
        writeln!(out, " Use instance name in data dumps")?;
    }
    for (file, name) in [
        (&global.dumps.state, "State"),
        (&global.dumps.stats, "Stats"),
        (&global.dumps.json, "JSON"),
    ] {
        if let Some(file) = file {
            writeln!(out, " {name} dump file = {}", file.display())?;
        }
    }
    let links = global.scripts.keep_symlinks;
    writeln!(out, " keep script symlinks = {links}")
}

fn write_interfaces(global: &Global, out: &mut String) -> fmt::Result {
    let interfaces = &global.interfaces;
    let dynamic = interfaces.dynamic != Dynamic::No;
    writeln!(out, " Dynamic interfaces = {dynamic}")?;
    if dynamic {
        let changes = interfaces.dynamic == Dynamic::AllowChanges;
        writeln!(out, " Allow interface changes = {changes}")?;
    }
    if global.mail.no_faults {
        writeln!(out, " Send emails for fault transitions = off")?;
    }
    if let Some(interface) = &interfaces.default {
        writeln!(out, " Default interface = {interface}")?;
    }
    let quiet = super::page::yes(interfaces.no_local_igmp);
    writeln!(out, " Disable local IGMP = {quiet}")?;
    let old = super::page::yes(global.vrrp.old_checksum_v3);
    writeln!(out, " Use VRRPv2 checksum for VRRPv3 IPv4 = {old}")
}

fn write_lvs(global: &Global, out: &mut String) -> fmt::Result {
    let lvs = &global.lvs;
    for (time, name) in [
        (lvs.timeouts.tcp, "TCP"),
        (lvs.timeouts.tcp_fin, "TCP FIN"),
        (lvs.timeouts.udp, "UDP"),
    ] {
        if let Some(time) = time {
            writeln!(out, " LVS {name} timeout = {}", time.as_secs())?;
        }
    }
    if let Some(daemon) = &lvs.sync_daemon {
        write_sync_daemon(daemon, out)?;
    }
    writeln!(out, " LVS flush = {}", lvs.flush)?;
    let on_stop = match lvs.flush_on_stop {
        FlushOnStop::Own => "disabled",
        FlushOnStop::Services => "VS",
        FlushOnStop::All => "full",
    };
    writeln!(out, " LVS flush on stop = {on_stop}")
}

fn write_sync_daemon(daemon: &SyncDaemon, out: &mut String) -> fmt::Result {
    write!(out, " LVS syncd interface = {}", daemon.interface)?;
    if let Some(instance) = &daemon.instance {
        write!(out, ", vrrp_instance = {instance}")?;
    }
    if let Some(id) = daemon.id {
        write!(out, ", syncid = {id}")?;
    }
    if let Some(length) = daemon.max_length {
        write!(out, ", maxlen = {length}")?;
    }
    if let Some(group) = daemon.group {
        write!(out, ", mcast group = {group}")?;
    }
    if let Some(port) = daemon.port {
        write!(out, ", port = {port}")?;
    }
    if let Some(ttl) = daemon.ttl {
        write!(out, ", ttl = {ttl}")?;
    }
    writeln!(out)
}

fn write_fifos(page: &Page<'_>, global: &Global, out: &mut String) -> fmt::Result {
    let fifos = &global.fifos;
    for (fifo, title) in [
        (&fifos.all, "Global"),
        (&fifos.vrrp, "VRRP"),
        (&fifos.lvs, "LVS"),
    ] {
        write_fifo(page, fifo, title, out)?;
    }
    let states = fifos.states_on_reload;
    writeln!(out, " FIFO write vrrp states on reload = {states}")?;
    let changes = fifos.priority_changes;
    writeln!(out, " VRRP notify priority changes = {changes}")
}

fn write_fifo(page: &Page<'_>, fifo: &Fifo, title: &str, out: &mut String) -> fmt::Result {
    let Some(path) = &fifo.path else {
        return Ok(());
    };
    let (user, group) = page.facts.ids(fifo.user.as_deref(), fifo.group.as_deref());
    writeln!(
        out,
        " {title} notify fifo = {}, uid:gid {user}:{group}",
        path.display()
    )?;
    if let Some(script) = &fifo.script {
        let text = page.script(script);
        writeln!(out, " {title} notify fifo script = {text}")?;
    }
    Ok(())
}

fn write_vrrp(vrrp: &VrrpDefaults, out: &mut String) -> fmt::Result {
    let garp = &vrrp.announcements();
    let seconds_or = |time: Option<Duration>, or: u64| time.map_or(or, |time| time.as_secs());
    writeln!(out, " VRRP IPv4 mcast group = {}", vrrp.group4)?;
    writeln!(out, " VRRP IPv6 mcast group = {}", vrrp.group6)?;
    let delay = seconds_or(garp.delay, 5);
    let repeat = garp.repeat.unwrap_or(5);
    writeln!(out, " Gratuitous ARP delay = {delay}")?;
    writeln!(out, " Gratuitous ARP repeat = {repeat}")?;
    let refresh = seconds_or(garp.refresh, 0);
    writeln!(out, " Gratuitous ARP refresh timer = {refresh}")?;
    let refresh = garp.refresh_repeat.unwrap_or(1);
    writeln!(out, " Gratuitous ARP refresh repeat = {refresh}")?;
    let lower = seconds_or(garp.lower_priority_delay, delay);
    writeln!(out, " Gratuitous ARP lower priority delay = {lower}")?;
    let lower = garp.lower_priority_repeat.unwrap_or(repeat);
    writeln!(out, " Gratuitous ARP lower priority repeat = {lower}")?;
    writeln!(
        out,
        " Num adverts before down = {}",
        vrrp.down_timer_adverts
    )?;
    let (what, period) = match vrrp.extra_garp {
        Some(extra) if extra.all => ("i/f", extra.period.as_secs()),
        Some(extra) => ("VMAC", extra.period.as_secs()),
        None => ("VMAC", 0),
    };
    writeln!(out, " Gratuitous ARP for each secondary {what} = {period}s")?;
    let lower = !vrrp.lower_no_advert;
    writeln!(
        out,
        " Send advert after receive lower priority advert = {lower}"
    )?;
    let higher = vrrp.higher_send_advert;
    writeln!(
        out,
        " Send advert after receive higher priority advert = {higher}"
    )?;
    let interval = seconds(vrrp.garp_interval);
    writeln!(out, " Gratuitous ARP interval = {interval}")?;
    let interval = seconds(vrrp.gna_interval);
    writeln!(out, " Gratuitous NA interval = {interval}")?;
    if vrrp.min_garp {
        writeln!(out, " Gratuitous ARP minimum = true")?;
    }
    let version = match vrrp.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    writeln!(out, " VRRP default protocol version = {version}")
}

/// Whether instances have the firewall do something: for links of their own, or because packets to
/// their addresses are not let in.
fn needs_firewall(page: &Page<'_>) -> bool {
    let mut instances = page.snapshot.config().vrrp_instances.iter();
    instances.any(|instance| instance.own_link.is_some() || !accepts(instance))
}

/// `needed`: the tables are there whatever the settings say.
fn write_firewall(firewall: &Firewall, needed: bool, out: &mut String) -> fmt::Result {
    if needed || firewall.nftables != OnOff::Off {
        let table = match &firewall.nftables {
            OnOff::Named(table) => table,
            OnOff::On | OnOff::Off => "keepalived",
        };
        writeln!(out, " nftables table name = {table}")?;
        writeln!(out, " nftables base chain priority = {}", firewall.priority)?;
        let by_index = if firewall.by_index { "" } else { "don't " };
        writeln!(
            out,
            " nftables {by_index}force use ifindex for link local IPv6"
        )?;
    }
    match &firewall.ipvs {
        OnOff::Off => {}
        OnOff::On | OnOff::Named(_) => {
            let table = match &firewall.ipvs {
                OnOff::Named(table) => table,
                OnOff::On | OnOff::Off => "keepalived_ipvs",
            };
            let (priority, mark) = (firewall.ipvs_priority, firewall.ipvs_first_mark);
            writeln!(out, " nftables ipvs table name = {table}")?;
            writeln!(out, " nftables ipvs base chain priority = {priority}")?;
            writeln!(out, " nftables ipvs start fwmark = {mark}")?;
        }
    }
    let counters = if firewall.counters { "with" } else { "without" };
    writeln!(out, " nftables {counters} counters")
}

fn write_vrrp_rules(vrrp: &VrrpDefaults, out: &mut String) -> fmt::Result {
    let check = vrrp.check_unicast_source;
    writeln!(out, " VRRP check unicast_src = {check}")?;
    let skip = vrrp.skip_address_check;
    writeln!(out, " VRRP skip check advert addresses = {skip}")?;
    writeln!(out, " VRRP strict mode = {}", vrrp.strict)?;
    if vrrp.owner_ignores {
        writeln!(out, " VRRP owner ignore adverts = true")?;
    }
    for (prefix, name) in [
        (&vrrp.vmac_prefix, "VMAC prefix"),
        (&vrrp.vmac_address_prefix, "VMAC address prefix"),
    ] {
        if let Some(prefix) = prefix {
            writeln!(out, " {name} = {prefix}")?;
        }
    }
    Ok(())
}

fn write_scheduling(global: &Global, out: &mut String) -> fmt::Result {
    let process = &global.process;
    let most = process.max_auto_priority.max(0);
    writeln!(out, " Max auto priority = {most}")?;
    let delay = process.min_auto_priority_delay.as_micros();
    writeln!(out, " Min auto priority delay = {delay} usecs")?;
    for (scheduling, title) in [
        (&process.vrrp, "VRRP"),
        (&process.checker, "Checker"),
        (&process.bfd, "BFD"),
    ] {
        write_process_scheduling(scheduling, title, out)?;
    }
    Ok(())
}

fn write_process_scheduling(of: &Scheduling, title: &str, out: &mut String) -> fmt::Result {
    let nice = of.nice.unwrap_or(0);
    writeln!(out, " {title} process priority = {nice}")?;
    writeln!(out, " {title} don't swap = {}", of.no_swap)?;
    let realtime = of.realtime.unwrap_or(0);
    writeln!(out, " {title} realtime priority = {realtime}")?;
    if !of.cpus.is_empty() {
        write!(out, " {title} CPU Affinity =")?;
        for cpu in &of.cpus {
            write!(out, " {cpu}")?;
        }
        writeln!(out)?;
    }
    let limit = of.realtime_limit_micros.unwrap_or(10_000);
    writeln!(out, " {title} realtime limit = {limit}")
}

fn write_agents(global: &Global, out: &mut String) -> fmt::Result {
    let snmp = &global.snmp;
    // SNMP and D-Bus are no part of this daemon, whatever is asked for.
    for name in ["vrrp", "checker", "RFCv2", "RFCv3"] {
        writeln!(out, " SNMP {name} disabled")?;
    }
    let traps = if snmp.traps { "enabled" } else { "disabled" };
    writeln!(out, " SNMP traps {traps}")?;
    let socket = snmp.socket.as_deref();
    let socket = socket.unwrap_or("default (unix:/var/agentx/master)");
    writeln!(out, " SNMP socket = {socket}")?;
    let services = snmp.service_figures.unwrap_or(Duration::from_secs(5));
    let servers = snmp.server_figures.unwrap_or(services);
    for (name, interval) in [("VS", services), ("RS", servers)] {
        let (seconds, micros) = (interval.as_secs(), interval.subsec_micros());
        let interval = format!("{seconds}.{micros:06}");
        writeln!(out, " SNMP {name} stats update interval = {interval}")?;
    }
    writeln!(out, " DBus disabled")?;
    let service = global.dbus.service.as_deref().unwrap_or_default();
    writeln!(out, " DBus service name = {service}")?;
    let nameless = global.dbus.no_interface.as_deref().unwrap_or("none");
    writeln!(out, " DBus no interface name = {nameless}")
}

fn write_end(page: &Page<'_>, global: &Global, out: &mut String) -> fmt::Result {
    let security = if global.scripts.security {
        "enabled"
    } else {
        "disabled"
    };
    writeln!(out, " Script security {security}")?;
    let (user, group) = page.facts.ids(None, None);
    writeln!(out, " Default script uid:gid {user}:{group}")?;
    let buffers = &global.buffers;
    for (buffer, name) in [
        (buffers.vrrp_command, "vrrp_netlink_cmd_rcv_bufs"),
        (buffers.vrrp_monitor, "vrrp_netlink_monitor_rcv_bufs"),
        (buffers.processes, "process_monitor_rcv_bufs"),
        (buffers.lvs_command, "lvs_netlink_cmd_rcv_bufs"),
        (buffers.lvs_monitor, "lvs_netlink_monitor_rcv_bufs"),
    ] {
        let Buffer { bytes, force } = buffer;
        writeln!(out, " {name} = {}", bytes.unwrap_or(0))?;
        writeln!(out, " {name}_force = {}", u8::from(force))?;
    }
    let notify = u8::from(global.checks.notify_initial);
    writeln!(out, " rs_init_notifies = {notify}")?;
    let quiet = u8::from(global.mail.no_checkers);
    writeln!(out, " no_checker_emails = {quiet}")?;
    match global.vrrp.receive_policy {
        ReceivePolicy::Kernel => {}
        ReceivePolicy::Mtu => writeln!(out, " rx_bufs_policy = MTU")?,
        ReceivePolicy::Advert => writeln!(out, " rx_bufs_policy = ADVERT")?,
        ReceivePolicy::Bytes(bytes) => writeln!(out, " rx_bufs_size = {bytes}")?,
    }
    let multiple = global.vrrp.receive_multiplier;
    writeln!(out, " rx_bufs_multiples = {multiple}")?;
    writeln!(out, " umask = 0{:02o}", page.facts.umask())?;
    for (delay, name) in [
        (global.vrrp.startup_delay, "vrrp_startup_delay"),
        (global.vrrp.delay_after_boot, "vrrp_delay_after_boot"),
    ] {
        if !delay.is_zero() {
            let delay = super::page::short_seconds(delay);
            writeln!(out, " {name} = {delay}")?;
        }
    }
    if global.vrrp.log_unknown_vrids {
        writeln!(out, " log_unknown_vrids")?;
    }
    writeln!(out, " json_version {}", global.dumps.json_version)?;
    let interfaces = &global.interfaces;
    for (directory, usual, name) in [
        (&interfaces.iproute_usr, "/usr/share/iproute2", "usr"),
        (&interfaces.iproute_etc, "/etc/iproute2", "etc"),
    ] {
        let directory = directory.as_deref().unwrap_or(Path::new(usual)).display();
        writeln!(out, " iproute {name} directory {directory}")?;
    }
    Ok(())
}
