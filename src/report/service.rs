//! `SSL definitions` and `LVS Topology`: groups, virtual servers and their real servers.

use std::fmt::{self, Write};
use std::net::Ipv4Addr;

use super::page::{command, enabled, heading, seconds, upper_on, yes};
use super::{Cursor, Page};
use crate::base::{Duration, Family, Shared};
use crate::conf::model::{
    CheckDefaults, CheckScript, Config, Forwarding, GroupEntry, Persistence, ProbeKind, Protocol,
    RealServer, Scheduler, ServerGroup, ServiceKey, SorryServer, TunnelChecksum, TunnelKind,
    VirtualServer,
};
use crate::node::snapshot::ServiceView;

/// `SSL definitions`.
pub(super) fn tls(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    if cursor.item > 0 {
        return Ok(false);
    }
    cursor.next_item();
    let config = page.snapshot.config();
    let services = config.virtual_servers.iter();
    let servers = services.flat_map(|service| &service.real_servers);
    let mut probes = servers.flat_map(|server| &server.probes);
    let secure = |kind: &ProbeKind| matches!(kind, ProbeKind::Http(http) if http.secure);
    if config.tls.is_none() && !probes.any(|probe| secure(&probe.kind)) {
        return Ok(true);
    }
    heading(out, "SSL definitions")?;
    let Some(tls) = &config.tls else {
        writeln!(out, " Using autogen SSL context")?;
        return Ok(true);
    };
    for (what, value) in [
        ("CA", &tls.ca),
        ("Certificate", &tls.certificate),
        ("Key", &tls.key),
    ] {
        if let Some(value) = value {
            writeln!(out, " {what} file = {value}")?;
        }
    }
    if tls.password.is_some() {
        writeln!(out, " Password = ********")?;
    }
    Ok(true)
}

/// `LVS Topology`: first the groups, then a service or a real server at a time.
pub(super) fn topology(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let config = page.snapshot.config();
    let groups = config.server_groups.len();
    if cursor.item == 0 && cursor.part == 0 {
        heading(out, "LVS Topology")?;
        writeln!(out, " System is compiled with LVS v1.2.1")?;
    }
    if let Some(group) = config.server_groups.get(cursor.item) {
        writeln!(out, " ------< Virtual server group >------")?;
        cursor.next_item();
        write_group(page, group, out)?;
        return Ok(true);
    }
    let Some(service) = config.virtual_servers.get(cursor.item - groups) else {
        return Ok(false);
    };
    match cursor.part.checked_sub(1) {
        None => write_service(page, service, out)?,
        Some(place) => {
            let Some(server) = service.real_servers.get(place) else {
                cursor.next_item();
                return Ok(true);
            };
            write_server(page, service, place, server, out)?;
        }
    }
    cursor.part += 1;
    Ok(true)
}

/// What the services of a group have in IPVS, under each of its entries.
#[derive(Debug, Clone, Copy, Default)]
struct Alive {
    tcp: usize,
    udp: usize,
    sctp: usize,
    v4: usize,
    v6: usize,
}

fn alive_in(page: &Page<'_>, group: &ServerGroup) -> Alive {
    let mut alive = Alive::default();
    for service in users(page, group) {
        let Some(view) = page.snapshot.service(&service.key) else {
            continue;
        };
        let count = view.destinations;
        match service.key.protocol() {
            Some(Protocol::Tcp) => alive.tcp += count,
            Some(Protocol::Udp) => alive.udp += count,
            Some(Protocol::Sctp) => alive.sctp += count,
            None => {}
        }
        match service.family {
            Family::V4 if !is_mixed(service) => alive.v4 += count,
            Family::V4 | Family::V6 => alive.v6 += count,
        }
    }
    alive
}

/// The services that use a group.
fn users<'a>(
    page: &Page<'a>,
    group: &ServerGroup,
) -> impl Iterator<Item = &'a Shared<VirtualServer>> {
    let services = page.snapshot.config().virtual_servers.iter();
    services.filter(
        |service| matches!(&service.key, ServiceKey::Group { name, .. } if *name == group.name),
    )
}

/// Whether an entry was there before the last reload.
fn was_there(page: &Page<'_>, group: &ServerGroup, entry: &GroupEntry) -> bool {
    users(page, group).any(|service| page.snapshot.had_entry(&service.key, entry))
}

fn write_group(page: &Page<'_>, group: &ServerGroup, out: &mut String) -> fmt::Result {
    let has = |wanted: Family| {
        group.entries.iter().any(|entry| match entry {
            GroupEntry::Addresses { first, .. } => Family::of(*first) == wanted,
            GroupEntry::Fwmark { family, .. } => *family == Some(wanted),
        })
    };
    writeln!(
        out,
        " Virtual Server Group = {}, IPv4 = {}, IPv6 = {}",
        group.name,
        yes(has(Family::V4)),
        yes(has(Family::V6))
    )?;
    let alive = alive_in(page, group);
    // Addresses first, then marks, whatever the file's order is.
    let marks = |entry: &&GroupEntry| matches!(entry, GroupEntry::Fwmark { .. });
    let addresses = group.entries.iter().filter(|entry| !marks(entry));
    for entry in addresses.chain(group.entries.iter().filter(marks)) {
        match entry {
            GroupEntry::Addresses { first, last, port } => {
                if first == last {
                    writeln!(out, "   VIP = {first}, VPORT = {port}")?;
                } else {
                    writeln!(out, "   VIP Range = {first}-{last}, VPORT = {port}")?;
                }
                let Alive { tcp, udp, sctp, .. } = alive;
                writeln!(out, "     Alive: {tcp} tcp, {udp} udp, {sctp} sctp")?;
            }
            GroupEntry::Fwmark { mark, family } => {
                let suffix = match family {
                    Some(Family::V4) => " IPv4",
                    Some(Family::V6) => " IPv6",
                    None => "",
                };
                writeln!(out, "   FWMARK = {mark}{suffix}")?;
                let Alive { v4, v6, .. } = alive;
                writeln!(out, "     Alive: {v4} IPv4, {v6} IPv6")?;
            }
        }
        let reloaded = was_there(page, group, entry);
        let reloaded = if reloaded { "True" } else { "False" };
        writeln!(out, "     reloaded = {reloaded}")?;
    }
    Ok(())
}

fn name_of(protocol: Option<Protocol>) -> &'static str {
    match protocol {
        Some(Protocol::Tcp) => "TCP",
        Some(Protocol::Udp) => "UDP",
        Some(Protocol::Sctp) => "SCTP",
        None => "none",
    }
}

/// Whether a service is for addresses, or marks, of both families.
fn is_mixed(service: &VirtualServer) -> bool {
    let has = |wanted: Family| {
        service.entries.iter().any(|entry| match entry {
            GroupEntry::Addresses { first, .. } => Family::of(*first) == wanted,
            GroupEntry::Fwmark { family, .. } => *family == Some(wanted),
        })
    };
    has(Family::V4) && has(Family::V6)
}

fn family(service: &VirtualServer) -> &'static str {
    let given = service.policy.family;
    let address = match &service.key {
        ServiceKey::Address(key) => Some(key.address),
        ServiceKey::Fwmark { .. } | ServiceKey::Group { .. } => None,
    };
    let server = service.real_servers.first();
    let server = server.map(|server| server.key.address);
    let family = address.or(server).map(Family::of);
    match given.or(family) {
        None | Some(_) if is_mixed(service) => "IPv4 & IPv6",
        Some(Family::V4) => "inet",
        Some(Family::V6) => "inet6",
        None => "unspecified",
    }
}

fn write_service(page: &Page<'_>, service: &VirtualServer, out: &mut String) -> fmt::Result {
    writeln!(out, " ------< Virtual server >------")?;
    match &service.key {
        ServiceKey::Address(key) => {
            writeln!(out, " VS VIP = {}, VPORT = {}", key.address, key.port)?;
        }
        ServiceKey::Fwmark { mark, .. } => writeln!(out, " VS FWMARK = {mark}")?,
        key @ ServiceKey::Group { .. } => writeln!(out, " VS GROUP = {key}")?,
    }
    let policy = &service.policy;
    if let Some(host) = &policy.virtual_host {
        writeln!(out, "   VirtualHost = {host}")?;
    }
    writeln!(out, "   Address family = {}", family(service))?;
    let checks = policy.checks;
    writeln!(out, "   connection timeout = {}", seconds(timeout(checks)))?;
    writeln!(out, "   delay_loop = {}", seconds(delay_loop(checks)))?;
    write_scheduling(service, out)?;
    if let Some(persistence) = service.persistence {
        write_persistence(service, persistence, out)?;
    }
    writeln!(out, "   protocol = {}", name_of(service.key.protocol()))?;
    let alpha = checks.alpha.unwrap_or(false);
    writeln!(out, "   alpha is {}", upper_on(alpha))?;
    writeln!(out, "   omega is {}", upper_on(policy.omega))?;
    write_retries(checks, out)?;
    let inhibit = upper_on(policy.inhibit);
    writeln!(out, "   Inhibit on failure is {inhibit}")?;
    let (quorum, hysteresis) = (policy.quorum, policy.hysteresis);
    writeln!(out, "   quorum = {quorum}, hysteresis = {hysteresis}")?;
    for (script, title) in [(&policy.quorum_up, "up"), (&policy.quorum_down, "down")] {
        if let Some(script) = script {
            let script = check_script(page, script);
            writeln!(out, "   Quorum {title} notify script = {script}")?;
        }
    }
    if policy.ha_suspend {
        writeln!(out, "   Using HA suspend")?;
    }
    let mails = &page.snapshot.config().global.mail;
    let all = mails.alert_checker.or(mails.alert).unwrap_or(false);
    let mail = policy.smtp_alert.unwrap_or(all);
    writeln!(out, "   Using smtp notification = {}", yes(mail))?;
    let default = match service.forwarding {
        Forwarding::Nat | Forwarding::Dr | Forwarding::Tun(TunnelKind::Ipip) => "default ",
        Forwarding::Tun(TunnelKind::Gue { .. } | TunnelKind::Gre { .. }) => "",
    };
    let method = forwarding(service.forwarding);
    writeln!(out, "   {default}forwarding method = {method}")?;
    let view = page.snapshot.service(&service.key);
    if let Some(sorry) = &policy.sorry_server {
        write_sorry(service, sorry, view, out)?;
    }
    if let Some(view) = view {
        writeln!(out, "   VS alive = 1")?;
        writeln!(out, "   quorum_state_up = {}", u8::from(view.quorum_up))?;
        writeln!(out, "   reloaded = {}", u8::from(view.reloaded))?;
    }
    Ok(())
}

/// How long a check waits for a connection.
fn timeout(checks: CheckDefaults) -> Duration {
    checks.connect_timeout.unwrap_or(Duration::from_secs(5))
}

/// The period of checks.
fn delay_loop(checks: CheckDefaults) -> Duration {
    checks.delay_loop.unwrap_or(Duration::from_secs(60))
}

/// What is said of retries.
fn write_retries(checks: CheckDefaults, out: &mut String) -> fmt::Result {
    if let Some(retries) = checks.retries {
        writeln!(out, "   Retry count = {retries}")?;
    }
    if let Some(delay) = checks.delay_before_retry {
        writeln!(out, "   Retry delay = {}", seconds(delay))?;
    }
    if let Some(warmup) = checks.warmup {
        writeln!(out, "   Warmup = {}", seconds(warmup))?;
    }
    Ok(())
}

/// What a server's checks inherit from it, or from its service.
fn inherited(service: &VirtualServer, server: &RealServer) -> CheckDefaults {
    let above = service.policy.checks;
    let own = server.policy.as_ref().map(|policy| policy.checks);
    let own = own.unwrap_or_default();
    CheckDefaults {
        retries: own.retries.or(above.retries),
        delay_before_retry: own.delay_before_retry.or(above.delay_before_retry),
        delay_loop: own.delay_loop.or(above.delay_loop),
        warmup: own.warmup.or(above.warmup),
        connect_timeout: own.connect_timeout.or(above.connect_timeout),
        alpha: own.alpha.or(above.alpha),
    }
}

fn write_scheduling(service: &VirtualServer, out: &mut String) -> fmt::Result {
    writeln!(out, "   lvs_sched = {}", service.scheduler.name())?;
    writeln!(out, "   Hashed = disabled")?;
    let flags = service.policy.scheduler_flags;
    let flag = |bit: u8| enabled(flags & (1 << bit) != 0);
    match service.scheduler {
        Scheduler::Sh => {
            writeln!(out, "   sh-port = {}", flag(1))?;
            writeln!(out, "   sh-fallback = {}", flag(0))?;
        }
        Scheduler::Mh => {
            writeln!(out, "   mh-port = {}", flag(1))?;
            writeln!(out, "   mh-fallback = {}", flag(0))?;
        }
        Scheduler::Rr
        | Scheduler::Wrr
        | Scheduler::Lc
        | Scheduler::Wlc
        | Scheduler::Lblc
        | Scheduler::Lblcr
        | Scheduler::Dh
        | Scheduler::Sed
        | Scheduler::Nq
        | Scheduler::Fo
        | Scheduler::Ovf
        | Scheduler::Twos => {
            for bit in 0..3 {
                writeln!(out, "   flag-{} = {}", bit + 1, flag(bit))?;
            }
        }
    }
    let ops = service.policy.one_packet;
    writeln!(out, "   One packet scheduling = {}", enabled(ops))
}

fn write_persistence(
    service: &VirtualServer,
    persistence: Persistence,
    out: &mut String,
) -> fmt::Result {
    let timeout = persistence.timeout.as_secs();
    writeln!(out, "   persistence timeout = {timeout}")?;
    let prefix = persistence.granularity;
    let v6 = family(service) == "inet6";
    if v6 && prefix != 128 {
        writeln!(out, "   persistence granularity = {prefix}")?;
    } else if !v6 && prefix != 32 {
        let mask = u32::MAX
            .checked_shl(32 - u32::from(prefix.min(32)))
            .unwrap_or(0);
        let mask = Ipv4Addr::from(mask);
        writeln!(out, "   persistence granularity = {mask}")?;
    }
    Ok(())
}

/// A forwarding method with the options of its tunnel.
pub(super) fn forwarding(forwarding: Forwarding) -> String {
    let checksum = |checksum| match checksum {
        TunnelChecksum::None => "no checksum",
        TunnelChecksum::Full => "checksum",
        TunnelChecksum::Remote => "remote checksum",
    };
    match forwarding {
        Forwarding::Nat => "NAT".to_owned(),
        Forwarding::Dr => "DR".to_owned(),
        Forwarding::Tun(TunnelKind::Ipip) => "TUN, type = IPIP".to_owned(),
        Forwarding::Tun(TunnelKind::Gue {
            port,
            checksum: sum,
        }) => {
            format!("TUN, type = GUE, port = {port}, {}", checksum(sum))
        }
        Forwarding::Tun(TunnelKind::Gre { checksum: sum }) => {
            format!("TUN, type = GRE, {}", checksum(sum))
        }
    }
}

fn write_sorry(
    service: &VirtualServer,
    sorry: &SorryServer,
    view: Option<ServiceView>,
    out: &mut String,
) -> fmt::Result {
    let port = match &service.key {
        ServiceKey::Address(key) => key.port,
        ServiceKey::Fwmark { .. } | ServiceKey::Group { .. } => 0,
    };
    let key = sorry.key(port);
    let protocol = service.key.protocol().map_or("none", Protocol::name);
    writeln!(
        out,
        "   sorry server = [{}]:{protocol}:{}",
        key.address, key.port
    )?;
    let method = forwarding(sorry.forwarding.unwrap_or(service.forwarding));
    writeln!(out, "     forwarding method = {method}")?;
    let inhibit = upper_on(sorry.inhibit);
    writeln!(out, "     Inhibit on failure is {inhibit}")?;
    if let Some(view) = view {
        writeln!(out, "     set = {}", u8::from(view.sorry_set))?;
        writeln!(out, "     alive = {}", u8::from(!view.quorum_up))?;
    }
    Ok(())
}

/// A script of checks with whom it runs as.
pub(super) fn check_script(page: &Page<'_>, script: &CheckScript) -> String {
    let words = script.argv().unwrap_or_default();
    let (user, group) = page
        .facts
        .ids(script.user.as_deref(), script.group.as_deref());
    format!("{}, uid:gid {user}:{group}", command(&words))
}

fn write_server(
    page: &Page<'_>,
    service: &VirtualServer,
    place: usize,
    server: &RealServer,
    out: &mut String,
) -> fmt::Result {
    let view = page.snapshot.server(&service.key, place);
    let (ip, port, weight) = (server.key.address, server.key.port, server.weight);
    let effective = view.map_or(weight, |view| view.weight);
    writeln!(out, "   ------< Real server >------")?;
    writeln!(
        out,
        "   RIP = {ip}, RPORT = {port}, WEIGHT = {effective} EFF WEIGHT = {effective}"
    )?;
    let method = forwarding(server.forwarding);
    writeln!(out, "   forwarding method = {method}")?;
    let checks = inherited(service, server);
    let alpha = checks.alpha.unwrap_or(false);
    writeln!(out, "   Alpha is {}", upper_on(alpha))?;
    writeln!(out, "   connection timeout = {}", seconds(timeout(checks)))?;
    let policy = server.policy.as_deref();
    let (lower, upper) = policy.map_or((0, 0), |policy| {
        (policy.lower_threshold, policy.upper_threshold)
    });
    writeln!(out, "   connection limit range = {lower} -> {upper}")?;
    writeln!(out, "   Delay loop = {}", seconds(delay_loop(checks)))?;
    write_retries(checks, out)?;
    let inhibit = policy.is_some_and(|policy| policy.inhibit_on_failure);
    writeln!(out, "   Inhibit on failure is {}", upper_on(inhibit))?;
    if let Some(policy) = policy {
        for (script, title) in [(&policy.notify_up, "up"), (&policy.notify_down, "down")] {
            if let Some(script) = script {
                let script = check_script(page, script);
                writeln!(out, "     RS {title} notify script = {script}")?;
            }
        }
        if let Some(host) = &policy.virtual_host {
            writeln!(out, "    VirtualHost = '{host}'")?;
        }
    }
    let mail = policy.and_then(|policy| policy.smtp_alert);
    let mail = mail.or(service.policy.smtp_alert).unwrap_or(true);
    writeln!(out, "   Using smtp notification = {}", yes(mail))?;
    writeln!(out, "   initial weight = {weight}")?;
    writeln!(out, "   effective weight = {effective}")?;
    let before = view.and_then(|view| view.weight_before);
    writeln!(
        out,
        "   previous effective_weight = {}",
        before.unwrap_or(0)
    )?;
    if let Some(view) = view {
        writeln!(out, "   alive = {}", u8::from(view.alive))?;
        writeln!(out, "   num failed checkers = {}", view.failing)?;
        writeln!(out, "   RS set = {}", u8::from(view.set))?;
        writeln!(out, "   reloaded = {}", u8::from(before.is_some()))?;
    }
    write_trackers(page.snapshot.config(), server, out)
}

/// The files and sessions that a server depends on.
fn write_trackers(config: &Config, server: &RealServer, out: &mut String) -> fmt::Result {
    let mut first = true;
    for probe in &server.probes {
        if let ProbeKind::File(file) = &probe.kind {
            if std::mem::take(&mut first) {
                writeln!(out, "   Tracked Files")?;
            }
            let name = file.track_file.as_deref().unwrap_or_default();
            let mut files = config.trackers.files.iter();
            let own = files
                .find(|known| known.name == name)
                .and_then(|known| known.weight);
            let own = own.map_or(1, |weight| i32::from(weight.value));
            let weight = file.weight.unwrap_or(own);
            let reverse = if file.reverse { " reverse" } else { "" };
            writeln!(out, "     {name}, weight {weight}{reverse}")?;
        }
    }
    let mut first = true;
    for probe in &server.probes {
        if let ProbeKind::Bfd(session) = &probe.kind {
            if std::mem::take(&mut first) {
                writeln!(out, "   Tracked BFDs")?;
            }
            let name = session.name.as_deref().unwrap_or_default();
            writeln!(out, "     {name}")?;
        }
    }
    Ok(())
}
