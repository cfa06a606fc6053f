//! `VRRP Topology` and `VRRP Sockpool`: the virtual routers and their sockets.

use std::fmt::{self, Write};
use std::net::IpAddr;

use super::page::{heading, short_seconds, yes};
use super::trackers::{self, Kind};
use super::{Cursor, Page, address};
use crate::base::Family;
use crate::conf::model::options::{
    InstanceOptions, Notify, Peer, SyncGroup, Tracked, Tracking, Version, Weight,
};
use crate::conf::model::signing::{AntiReplay, Signing, SigningMode};
use crate::conf::model::{InitialState, OwnLinkKind, Transport, VrrpInstance};
use crate::node::snapshot::{Detail, InstanceView, SocketId, State};

/// `VRRP Topology`, an instance at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let instances = &page.snapshot.config().vrrp_instances;
    let Some(instance) = instances.get(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Topology")?;
    }
    cursor.next_item();
    let view = page.snapshot.instance(&instance.key());
    write_instance(page, instance, view.as_ref(), out)?;
    Ok(true)
}

/// The name of a state in dumps.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
        State::Fault => "FAULT",
    }
}

fn write_instance(
    page: &Page<'_>,
    config: &VrrpInstance,
    view: Option<&InstanceView>,
    out: &mut String,
) -> fmt::Result {
    writeln!(out, " VRRP Instance = {}", config.name)?;
    writeln!(out, "   VRRP Version = {}", version(config.version))?;
    let group = group_of(page, config);
    if let Some(group) = group {
        writeln!(out, "   Sync group = {}", group.name)?;
    }
    if config.family == Family::V6 {
        writeln!(out, "   Using Native IPv6")?;
    }
    let running = view.filter(|_| page.running);
    if let Some(view) = running {
        write_election(config, view, out)?;
    }
    write_flags(page, config, out)?;
    let hoped = if hopes(page, config) {
        "MASTER"
    } else {
        "BACKUP"
    };
    let fresh = |view: &InstanceView| view.state == State::Backup && view.stats.become_master == 0;
    let reached = running.filter(|view| !fresh(view));
    let wanted = reached.map_or(hoped, |view| state(view.state));
    writeln!(out, "   Wantstate = {wanted}")?;
    writeln!(out, "   Number of config faults = 0")?;
    if let Some(view) = running {
        write_faults(page, config, &view.detail, out)?;
        write_timers(page, &view.detail, out)?;
    }
    write_interface(page, config, view, out)?;
    write_settings(page, config, out)?;
    write_priority(page, config, running, out)?;
    write_addresses(config, view, out)?;
    write_unicast(config, out)?;
    match view.and_then(|view| view.detail.socket) {
        Some(socket) if page.running => {
            let fd = descriptor(page, Some(socket));
            writeln!(out, "   fd_in {fd}, fd_out {fd}")?;
        }
        None if page.running => writeln!(out, "   fd_in -1, fd_out -1")?,
        Some(_) | None => writeln!(out, "   No sockets allocated")?,
    }
    write_fixtures(&config.options, out)?;
    write_tracking(page, &config.options.tracking, out)?;
    write_notify(page, config, out)
}

/// The group that an instance is a member of.
fn group_of<'a>(page: &Page<'a>, config: &VrrpInstance) -> Option<&'a SyncGroup> {
    let mut groups = page.snapshot.config().sync_groups.iter();
    groups.find(|group| group.members.contains(&config.name))
}

fn descriptor(page: &Page<'_>, socket: Option<SocketId>) -> i32 {
    socket
        .and_then(|socket| page.facts.descriptor(socket))
        .unwrap_or(-1)
}

const fn version(version: Version) -> u8 {
    match version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

/// What a backup knows of its master.
fn write_election(config: &VrrpInstance, view: &InstanceView, out: &mut String) -> fmt::Result {
    writeln!(out, "   State = {}", state(view.state))?;
    if view.state != State::Backup {
        return Ok(());
    }
    match view.detail.master {
        Some((router, priority)) => {
            writeln!(out, "   Master router = {router}")?;
            writeln!(out, "   Master priority = {priority}")?;
        }
        None => {
            let nobody = match config.family {
                Family::V4 => "0.0.0.0",
                Family::V6 => "::",
            };
            writeln!(out, "   Master router = {nobody}")?;
            writeln!(out, "   Master priority = 0")?;
        }
    }
    if config.version == Version::V3 {
        let centis = view.detail.master_interval.as_millis() / 10;
        let (whole, rest) = (centis / 100, centis % 100);
        writeln!(out, "   Master advert int = {whole}.{rest:02} sec")?;
    }
    Ok(())
}

/// Whether it hopes to be master at its start: in a group, only if all members do.
pub(super) fn hopes(page: &Page<'_>, config: &VrrpInstance) -> bool {
    let running = page.snapshot.config();
    let hopes = |instance: &VrrpInstance| instance.initial_state == InitialState::Master;
    let mut groups = running.sync_groups.iter();
    match groups.find(|group| group.members.contains(&config.name)) {
        None => hopes(config),
        Some(group) => running
            .vrrp_instances
            .iter()
            .filter(|instance| group.members.contains(&instance.name))
            .all(|instance| hopes(instance)),
    }
}

/// Whether the addresses in adverts go unchecked.
pub(super) fn skips_check(page: &Page<'_>, config: &VrrpInstance) -> bool {
    config.options.skip_address_check || page.snapshot.config().global.vrrp.skip_address_check
}

fn write_flags(page: &Page<'_>, config: &VrrpInstance, out: &mut String) -> fmt::Result {
    let options = &config.options;
    let quiet = skips_check(page, config)
        || config.strict
        || config.no_preempt
        || config.own_link.is_some()
        || options.check_source
        || options.notify.priority_changes.is_some();
    let loud = options.unicast || options.fault_without_peer;
    if !quiet && !loud {
        return writeln!(out, "   Flags: none");
    }
    writeln!(out, "   Flags:")?;
    if options.unicast {
        writeln!(out, "     Using unicast")?;
    }
    if options.fault_without_peer {
        writeln!(out, "     If unicast go to fault state if no peers")?;
    }
    Ok(())
}

/// What keeps it from taking part: trackers by their number, and which kinds of interfaces.
fn write_faults(
    page: &Page<'_>,
    config: &VrrpInstance,
    detail: &Detail,
    out: &mut String,
) -> fmt::Result {
    let trackers = detail.trackers;
    writeln!(out, "   Number of tracker faults = {}", trackers.faults)?;
    let down = |name: &str| {
        let found = page.snapshot.interface_named(name);
        found.is_none_or(|link| !link.up)
    };
    let base = !config.interface.is_empty() && down(&config.interface);
    let own = config.own_link.as_ref();
    let flags = [
        (trackers.faults > 0, "unspecified"),
        (
            trackers.link_down || own.map_or(base, |own| down(&own.name)),
            "i/f down",
        ),
        (own.is_some() && base, "base i/f down"),
        (detail.source.is_none(), "no source IP address"),
    ];
    if flags.iter().any(|(set, _)| *set) {
        writeln!(out, "   Flags of interface faults:")?;
        for (_, name) in flags.iter().filter(|(set, _)| *set) {
            writeln!(out, "     {name}")?;
        }
    } else {
        writeln!(out, "   Flags of interface faults - (none)")?;
    }
    let unknown = trackers.scripts_unknown;
    writeln!(out, "   Number of track scripts init = {unknown}")
}

fn write_timers(page: &Page<'_>, detail: &Detail, out: &mut String) -> fmt::Result {
    if let Some(since) = detail.since {
        writeln!(out, "   Last transition = {}", page.facts.moment(since))?;
    }
    match detail.deadline {
        Some(deadline) => writeln!(out, "   Read timeout = {}", page.facts.moment(deadline))?,
        None => writeln!(out, "   Read timeout = DISABLED")?,
    }
    let micros = detail.master_down.as_micros();
    writeln!(out, "   Master down timer = {micros} usecs")
}

/// The interface, and the one of its own that it brings with it.
fn write_link(page: &Page<'_>, config: &VrrpInstance, out: &mut String) -> fmt::Result {
    let Some(own) = &config.own_link else {
        return writeln!(out, "   Interface = {}", config.interface);
    };
    let found = page.snapshot.interface_named(&own.name);
    let up = found.is_some_and(|link| link.up);
    let (what, short) = match own.kind {
        OwnLinkKind::Vmac(_) => ("VMAC", "vmac"),
        OwnLinkKind::Ipvlan => ("IPVLAN", "ipvlan"),
    };
    let options = &config.options;
    writeln!(
        out,
        "   Use {what}, i/f name {}, is_up = {up}, xmit_base = {}",
        own.name, options.transmit_on_base
    )?;
    if options.vmac_for_addresses {
        writeln!(out, "   Use VMAC for VIPs on other interfaces")?;
    }
    let base = if way(config).interface == own.name {
        ""
    } else {
        ", xmit base i/f"
    };
    writeln!(
        out,
        "   Interface = {}, {short} on {}{base}",
        own.name, config.interface
    )
}

fn write_interface(
    page: &Page<'_>,
    config: &VrrpInstance,
    view: Option<&InstanceView>,
    out: &mut String,
) -> fmt::Result {
    let options = &config.options;
    if let Some(vrf) = &options.vrf {
        writeln!(out, "   Interface = not configured")?;
        writeln!(out, "   VRF = {vrf}")?;
    } else {
        write_link(page, config, out)?;
    }
    if options.ignore_own_interface && options.vrf.is_none() {
        writeln!(out, "   VRRP interface tracking disabled")?;
    }
    if skips_check(page, config) {
        writeln!(out, "   Skip checking advert IP addresses")?;
    }
    if config.strict {
        writeln!(out, "   Enforcing strict VRRP compliance")?;
    }
    match (options.source, view.and_then(|view| view.detail.source)) {
        (Some(source), _) => writeln!(out, "   Using src_ip = {source} (from configuration)")?,
        (None, Some(source)) => writeln!(out, "   Using src_ip = {source}")?,
        (None, None) => writeln!(out, "   Using src_ip = (none)")?,
    }
    let Transport::Multicast(group) = config.transport else {
        return Ok(());
    };
    write!(out, "   Multicast address {group}")?;
    if config.family == Family::V6 {
        let interface = page.snapshot.interface_named(&config.interface);
        let index = interface.map_or(0, |interface| interface.index.get());
        write!(out, ", ifindex {index}")?;
    }
    writeln!(out)
}

fn write_settings(page: &Page<'_>, config: &VrrpInstance, out: &mut String) -> fmt::Result {
    let global = &page.snapshot.config().global.vrrp;
    let garp = &config.garp;
    let options = &config.options;
    let delay = garp.delay.as_secs();
    writeln!(out, "   Gratuitous ARP delay = {delay}")?;
    writeln!(out, "   Gratuitous ARP repeat = {}", garp.repeat)?;
    let refresh = garp.refresh.as_secs();
    writeln!(out, "   Gratuitous ARP refresh = {refresh}")?;
    writeln!(
        out,
        "   Gratuitous ARP refresh repeat = {}",
        garp.refresh_repeat
    )?;
    let (lower_delay, lower_repeat) = if config.strict {
        (0, 0)
    } else {
        let repeat = garp.lower_priority_repeat;
        (garp.lower_priority_delay.as_secs(), repeat)
    };
    writeln!(
        out,
        "   Gratuitous ARP lower priority delay = {lower_delay}"
    )?;
    writeln!(
        out,
        "   Gratuitous ARP lower priority repeat = {lower_repeat}"
    )?;
    let adverts = options.down_timer_adverts;
    let adverts = adverts.unwrap_or(global.down_timer_adverts);
    writeln!(out, "   Down timer adverts = {adverts}")?;
    let all = global.extra_garp.map(|extra| extra.period);
    if let Some(period) = options.garp_extra.map(|(period, _)| period).or(all) {
        let period = period.as_secs();
        writeln!(out, "   Gratuitous ARP for each secondary i/f = {period}")?;
    }
    let (lower, higher) = answers(page, config);
    writeln!(
        out,
        "   Send advert after receive lower priority advert = {lower}"
    )?;
    writeln!(
        out,
        "   Send advert after receive higher priority advert = {higher}"
    )?;
    if !config.priority.is_owner() {
        return Ok(());
    }
    let deaf = config.options.owner_ignores.unwrap_or_default();
    writeln!(out, "   Address owner ignores received adverts = {deaf}")
}

/// Whether it answers adverts of lower and of higher priority.
pub(super) fn answers(page: &Page<'_>, config: &VrrpInstance) -> (bool, bool) {
    let options = &config.options;
    let global = &page.snapshot.config().global.vrrp;
    let silent = options.lower_no_advert.unwrap_or(global.lower_no_advert);
    let lower = !silent && !config.strict;
    let higher = options
        .higher_send_advert
        .unwrap_or(global.higher_send_advert);
    let higher = higher && !config.strict;
    (lower, higher)
}

/// Whether packets to the addresses are let in.
pub(super) fn accepts(config: &VrrpInstance) -> bool {
    config
        .options
        .accept
        .unwrap_or(!config.strict || config.priority.is_owner())
}

fn write_priority(
    page: &Page<'_>,
    config: &VrrpInstance,
    running: Option<&InstanceView>,
    out: &mut String,
) -> fmt::Result {
    writeln!(out, "   Virtual Router ID = {}", config.vrid.get())?;
    writeln!(out, "   Priority = {}", config.priority)?;
    if let Some(view) = running {
        writeln!(out, "   Effective priority = {}", view.priority)?;
        let total = view.detail.total_priority;
        writeln!(out, "   Total priority = {total}")?;
    }
    if let Some(rival) = config.options.expired_backup {
        writeln!(out, "   Highest other priority = {rival}")?;
    }
    match config.version {
        Version::V2 => {
            let interval = config.advert_interval.as_secs();
            writeln!(out, "   Advert interval = {interval} sec")?;
        }
        Version::V3 => {
            let interval = config.advert_interval.as_millis();
            writeln!(out, "   Advert interval = {interval} milli-sec")?;
            if let Some(view) = running.filter(|view| view.state == State::Backup) {
                let interval = view.detail.master_interval.as_millis();
                writeln!(out, "   Master advert interval = {interval} milli-sec")?;
            }
        }
    }
    if let Some(view) = running {
        let sent = view.detail.sent.map(|sent| page.facts.moment(sent));
        let (seconds, micros) = sent.map_or((0, 0), |sent| (sent.seconds, sent.micros));
        writeln!(out, "   Last advert sent = {seconds}.{micros:06}")?;
    }
    let enabled = super::page::enabled;
    writeln!(out, "   Accept = {}", enabled(accepts(config)))?;
    writeln!(out, "   Preempt = {}", enabled(!config.no_preempt))?;
    if !config.preempt_delay.is_zero() {
        let delay = short_seconds(config.preempt_delay);
        writeln!(out, "   Preempt delay = {delay} secs")?;
    }
    let promote = config.options.promote_secondaries;
    writeln!(out, "   Promote_secondaries = {}", enabled(promote))?;
    if config.version == Version::V2 {
        match config.auth {
            Some(_) if config.ah => writeln!(out, "   Authentication type = IPSEC_AH")?,
            // Version 2.4.3 masks it, and so does everything of ours.
            Some(_) => writeln!(
                out,
                "   Authentication type = SIMPLE_PASSWORD\n   Password = ********"
            )?,
            None => writeln!(out, "   Authentication type = none")?,
        }
    } else if config.family == Family::V4 {
        let old = enabled(config.options.old_checksum_v3.unwrap_or_default());
        writeln!(out, "   VRRPv3 uses VRRPv2 checksum = {old}")?;
    }
    if let Some(signing) = &config.options.signing {
        let window = signing.window(config.advert_interval).as_secs();
        write_signing(signing, window, out)?;
    }
    if let Some(bytes) = config.options.receive_buffer {
        writeln!(out, "   Kernel rx buffer size = {bytes}")?;
    }
    if let Some(level) = config.options.debug {
        writeln!(out, "   Debug level = {level}")?;
    }
    Ok(())
}

/// `auth_hmac`; keepalived 2.2.7, whose layout the report has, does not know it.
fn write_signing(signing: &Signing, window: u64, out: &mut String) -> fmt::Result {
    let mode = match signing.mode {
        SigningMode::Enforce => "enforce",
        SigningMode::Permissive => "permissive",
        SigningMode::ReceiveOnly => "receive-only",
    };
    let replay = match signing.replay {
        AntiReplay::Time => "time",
        AntiReplay::Monotonic => "monotonic",
    };
    writeln!(out, "   Authentication HMAC mode = {mode}")?;
    for key in &signing.keys {
        writeln!(out, "     Key {} = ********", key.id)?;
    }
    writeln!(out, "     Active key = {}", signing.active)?;
    writeln!(out, "     Time window = {window} secs")?;
    writeln!(out, "     Anti-replay = {replay}")
}

fn write_addresses(
    config: &VrrpInstance,
    view: Option<&InstanceView>,
    out: &mut String,
) -> fmt::Result {
    let present = view.map_or(&[] as &[bool], |view| view.detail.present.as_slice());
    if !config.addresses.is_empty() {
        writeln!(out, "   Virtual IP ({}):", config.addresses.len())?;
    }
    for (place, vip) in config.addresses.iter().enumerate() {
        let set = present.get(place).copied().unwrap_or(false);
        let text = address::text(vip, config, set);
        writeln!(out, "     {text}")?;
    }
    if !config.options.excluded.is_empty() {
        writeln!(out, "   Virtual IP Excluded :")?;
    }
    let first = config.addresses.len();
    for (place, vip) in config.options.excluded.iter().enumerate() {
        let set = present.get(first + place).copied().unwrap_or(false);
        writeln!(out, "     {}", address::text(vip, config, set))?;
    }
    Ok(())
}

fn write_fixtures(options: &InstanceOptions, out: &mut String) -> fmt::Result {
    if !options.routes.is_empty() {
        writeln!(out, "   Virtual Routes :")?;
    }
    for route in &options.routes {
        writeln!(out, "     {route}")?;
    }
    if !options.rules.is_empty() {
        writeln!(out, "   Virtual Rules :")?;
    }
    for rule in &options.rules {
        writeln!(out, "     {rule}")?;
    }
    Ok(())
}

fn write_unicast(config: &VrrpInstance, out: &mut String) -> fmt::Result {
    let options: &InstanceOptions = &config.options;
    if !options.unicast {
        return Ok(());
    }
    writeln!(out, "   Unicast TTL = {}", options.ttl.unwrap_or(255))?;
    writeln!(out, "   Check unicast src : {}", yes(options.check_source))?;
    if !options.peers.is_empty() {
        writeln!(out, "   Unicast Peer :")?;
    }
    for Peer {
        address,
        min_ttl,
        max_ttl,
    } in &options.peers
    {
        writeln!(out, "     {address} min_ttl {min_ttl} max_ttl {max_ttl}")?;
    }
    let compatible = match options.old_checksum_unicast {
        None => "no",
        Some(true) => "config",
        Some(false) => "never",
    };
    writeln!(out, "   Unicast checksum compatibility = {compatible}")
}

/// A weight with its sign turned around or not.
pub(super) fn weight(weight: Weight) -> String {
    let reverse = if weight.reverse { " reverse" } else { "" };
    format!("weight {}{reverse}", weight.value)
}

/// The trackers of an instance or a group.
pub(super) fn write_tracking(
    page: &Page<'_>,
    tracking: &Tracking,
    out: &mut String,
) -> fmt::Result {
    for (title, kind, comma) in [
        ("interfaces", Kind::Interface, ""),
        ("scripts", Kind::Script, ""),
        ("files", Kind::File, ","),
        ("processes", Kind::Process, ","),
        ("BFDs", Kind::Bfd, ":"),
    ] {
        let trackers = trackers::of(kind, tracking);
        if !trackers.is_empty() {
            writeln!(out, "   Tracked {title} :")?;
        }
        for Tracked {
            name,
            weight: given,
        } in trackers
        {
            let own = || trackers::own_weight(page.snapshot.config(), kind, name);
            let weight = weight(given.unwrap_or_else(own));
            writeln!(out, "     {name}{comma} {weight}")?;
        }
    }
    Ok(())
}

/// Whether changes of state are mailed.
pub(super) fn mails(page: &Page<'_>, notify: &Notify) -> bool {
    let mail = &page.snapshot.config().global.mail;
    let all = mail.alert_vrrp.or(mail.alert).unwrap_or(false);
    notify.mail.unwrap_or(all)
}

/// Mails and scripts of an instance.
fn write_notify(page: &Page<'_>, config: &VrrpInstance, out: &mut String) -> fmt::Result {
    let notify = &config.options.notify;
    let mail = mails(page, notify);
    writeln!(out, "   Using smtp notification = {}", yes(mail))?;
    let deleted = if notify.deleted.is_some() {
        "Deleted"
    } else {
        "Fault"
    };
    writeln!(out, "   Notify deleted = {deleted}")?;
    write_scripts(page, notify, out)?;
    let fifos = &page.snapshot.config().global.fifos;
    let group = group_of(page, config).and_then(|group| group.notify.priority_changes);
    let changes = notify.priority_changes.or(group);
    let changes = changes.unwrap_or(fifos.priority_changes);
    writeln!(out, "   Notify priority changes = {changes}")
}

/// The scripts of an instance or a group.
pub(super) fn write_scripts(page: &Page<'_>, notify: &Notify, out: &mut String) -> fmt::Result {
    for (script, title) in [
        (&notify.backup, "Backup state"),
        (&notify.master, "Master state"),
        (&notify.fault, "Fault state"),
        (&notify.stop, "Stop state"),
        (&notify.deleted, "Deleted state"),
        (&notify.any, "Generic state"),
        (&notify.lower_priority, "Master rx lower pri state"),
    ] {
        if let Some(script) = script {
            let script = page.script(script);
            writeln!(out, "   {title} transition script = {script}")?;
        }
    }
    Ok(())
}

/// What adverts come and go by.
#[derive(PartialEq)]
struct Way<'a> {
    interface: &'a str,
    family: Family,
    /// The own address, with unicast.
    unicast: Option<Option<IpAddr>>,
    ah: bool,
}

fn way(config: &VrrpInstance) -> Way<'_> {
    let own = config.own_link.as_ref();
    let below = config.options.unicast || config.options.transmit_on_base;
    let own = own.filter(|own| !below || own.kind == OwnLinkKind::Ipvlan);
    Way {
        interface: own.map_or(&config.interface, |own| &own.name),
        family: config.family,
        unicast: config.options.unicast.then_some(config.options.source),
        ah: config.ah && config.auth.is_some(),
    }
}

/// `VRRP Sockpool`: one socket for each interface and family.
pub(super) fn sockets(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let instances = &page.snapshot.config().vrrp_instances;
    let Some(instance) = instances.get(cursor.item).filter(|_| page.running) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Sockpool")?;
    }
    let shares = |other: &VrrpInstance| way(other) == way(instance);
    let mut before = instances.iter().take(cursor.item);
    let told = before.any(|other| shares(other));
    cursor.next_item();
    if told {
        return Ok(true);
    }
    let view = page.snapshot.instance(&instance.key());
    let fd = descriptor(page, view.and_then(|view| view.detail.socket));
    writeln!(out, " fd_in {fd} fd_out = {fd}")?;
    writeln!(out, "   Interface = {}", way(instance).interface)?;
    let family = match instance.family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    writeln!(out, "   Family = {family}")?;
    let protocol = if way(instance).ah { "AH" } else { "VRRP" };
    writeln!(out, "   Protocol = {protocol}")?;
    if instance.options.unicast {
        writeln!(out, "   Type = Unicast")?;
        if let Some(source) = instance.options.source {
            writeln!(out, "   Address = {source}")?;
        }
    } else {
        writeln!(out, "   Type = Multicast")?;
    }
    let buffer = instance.options.receive_buffer.unwrap_or(0);
    writeln!(out, "   Rx buf size = {buffer}")?;
    writeln!(out, "   VRRP instances")?;
    let mut sharers: Vec<_> = instances.iter().filter(|other| shares(other)).collect();
    sharers.sort_by_key(|other| other.vrid);
    for other in sharers {
        writeln!(out, "     {} vrid {}", other.name, other.vrid.get())?;
    }
    Ok(true)
}
