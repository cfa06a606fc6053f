//! `Interfaces`: the links of this host as the daemon knows them.

use std::fmt::{self, Write};
use std::net::IpAddr;

use super::page::{heading, short_seconds};
use super::{Cursor, Page};
use crate::base::{Duration, IfIndex};
use crate::conf::model::{OwnLinkKind, VrrpInstance};
use crate::node::snapshot::{AddressChange, Interface, LinkState};

/// What marks addresses that this daemon added (`IFA_PROTO`).
const KEEPALIVED: u8 = 18;

/// `Interfaces`, one at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    // The cursor is the index of the interface before.
    let next = u32::try_from(cursor.item)
        .ok()
        .and_then(|last| last.checked_add(1));
    let next = next.and_then(IfIndex::new);
    let Some((interface, state)) = next.and_then(|next| page.snapshot.interface_from(next)) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "Interfaces")?;
    }
    cursor.item = usize::try_from(interface.index.get()).unwrap_or(usize::MAX);
    write_interface(page, interface, state, out)?;
    Ok(true)
}

fn write_interface(
    page: &Page<'_>,
    interface: &Interface,
    state: LinkState,
    out: &mut String,
) -> fmt::Result {
    writeln!(out, " Name = {}", interface.name)?;
    writeln!(out, "   index = {}", interface.index.get())?;
    // Virtual addresses are not the interface's own.
    let own = |address: &AddressChange| address.protocol != KEEPALIVED;
    let addresses = page.snapshot.addresses(interface.index).filter(own);
    let addresses: Vec<AddressChange> = addresses.collect();
    let first = |wanted: fn(&AddressChange) -> bool| {
        let found = addresses.iter().find(|address| wanted(address));
        found.map_or("(none)".to_owned(), |found| found.address.to_string())
    };
    let v4 = first(|address| address.address.is_ipv4() && !address.secondary);
    writeln!(out, "   IPv4 address = {v4}")?;
    let v6 = first(|address| match address.address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    });
    writeln!(out, "   IPv6 address = {v6}")?;
    if let Some(mac) = state.mac.filter(|_| !state.loopback) {
        writeln!(out, "   MAC = {mac}")?;
        writeln!(out, "   MAC broadcast = ff:ff:ff:ff:ff:ff")?;
    }
    write!(out, "   State = {}", up_and_running(state))?;
    if state.loopback {
        write!(out, ", no broadcast, loopback, no multicast")?;
    }
    writeln!(out)?;
    writeln!(out, "   Seen up = {}", u8::from(interface.up))?;
    let (up, down, waits) = page.snapshot.link_delays(interface.index, &interface.name);
    writeln!(out, "   Delayed state change running = {waits}")?;
    let micros = |delay: Duration| (delay + Duration::from_nanos(500)).as_micros();
    writeln!(out, "   Up debounce timer = {}us", micros(up))?;
    writeln!(out, "   Down debounce timer = {}us", micros(down))?;
    write_own_link(page, interface, out)?;
    writeln!(out, "   MTU = {}", interface.mtu)?;
    let kind = match (state.loopback, state.mac) {
        (true, _) => "LOOPBACK",
        (false, Some(_)) => "ETHERNET",
        (false, None) => "UNKNOWN",
    };
    writeln!(out, "   HW Type = {kind}")?;
    writeln!(out, "   NIC netlink status update")?;
    write_pace(page, interface, out)?;
    write_watchers(page, interface, out)
}

/// How fast it may announce addresses, of itself and as a member of a `garp_group`.
fn write_pace(page: &Page<'_>, interface: &Interface, out: &mut String) -> fmt::Result {
    let groups = page.snapshot.config().links.garp_groups.iter();
    let mut groups = groups.enumerate();
    let Some((place, group)) = groups.find(|(_, group)| group.interfaces.contains(&interface.name))
    else {
        return Ok(());
    };
    for (what, interval) in [("ARP", group.garp_interval), ("NA", group.gna_interval)] {
        if let Some(interval) = interval {
            let millis = interval.as_millis();
            writeln!(out, "   Gratuitous {what} interval {millis}ms")?;
        }
    }
    writeln!(out, "   Gratuitous ARP aggregation group {}", place + 1)
}

/// `Gratuitous ARP delays`: the groups of interfaces that share a pace.
pub(super) fn delays(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(group) = page.snapshot.config().links.garp_groups.get(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "Gratuitous ARP delays")?;
    }
    cursor.next_item();
    heading(out, &format!("GARP delay group {}", cursor.item))?;
    for (what, interval) in [("GARP", group.garp_interval), ("GNA", group.gna_interval)] {
        if let Some(interval) = interval {
            writeln!(out, " {what} interval = {}", short_seconds(interval))?;
        }
    }
    writeln!(out, " Interfaces")?;
    for name in &group.interfaces {
        writeln!(out, "  {name}")?;
    }
    Ok(true)
}

fn up_and_running(state: LinkState) -> String {
    let admin = if state.admin_up { "UP" } else { "not UP" };
    let running = if state.running {
        "RUNNING"
    } else {
        "not RUNNING"
    };
    format!("{admin}, {running}")
}

/// What a link is on that an instance or an address brings with it.
fn write_own_link(page: &Page<'_>, interface: &Interface, out: &mut String) -> fmt::Result {
    let instances = page.snapshot.config().vrrp_instances.iter();
    let mut sites = instances.flat_map(|instance| {
        let home = instance.own_link.as_ref();
        let home = home.map(|own| (own, instance.interface.as_str()));
        let excluded = instance.options.excluded.iter();
        let addresses = instance.addresses.iter().chain(excluded);
        let others = addresses.filter_map(|vip| {
            let below = vip.interface.as_deref().unwrap_or(&instance.interface);
            Some((vip.options.own_link.as_ref()?, below))
        });
        home.into_iter().chain(others)
    });
    let Some((own, below)) = sites.find(|(own, _)| own.name == interface.name) else {
        return Ok(());
    };
    let what = match own.kind {
        OwnLinkKind::Vmac(_) => "VMAC type private",
        OwnLinkKind::Ipvlan => "IPVLAN",
    };
    let found = page.snapshot.interface_named(below);
    let found = found.and_then(|link| page.snapshot.interface_from(link.index));
    let state = found.map_or("not UP, not RUNNING".to_owned(), |(_, state)| {
        up_and_running(state)
    });
    writeln!(
        out,
        "   {what}, underlying interface = {below}, state = {state}"
    )?;
    writeln!(out, "   I/f created by keepalived")
}

/// The instances whose state depends on the interface.
fn write_watchers(page: &Page<'_>, interface: &Interface, out: &mut String) -> fmt::Result {
    let mut first = true;
    for instance in &page.snapshot.config().vrrp_instances {
        let Some(weight) = watches(instance, &interface.name) else {
            continue;
        };
        if std::mem::take(&mut first) {
            writeln!(out, "   Tracking VRRP instances :")?;
        }
        writeln!(out, "     {}, {weight}", instance.name)?;
    }
    Ok(())
}

/// How an instance depends on an interface: by a weight, or by going to FAULT (weight 0).
fn watches(instance: &VrrpInstance, name: &str) -> Option<String> {
    let options = &instance.options;
    let carries = instance.addresses.iter().any(|vip| {
        let own = vip.options.own_link.as_ref().map(|own| own.name.as_str());
        own.or(vip.interface.as_deref()) == Some(name)
    });
    let own = instance.own_link.as_ref();
    if own.is_some_and(|own| own.name == name) {
        return Some("weight 0".to_owned());
    }
    if carries || (instance.interface == name && !options.ignore_own_interface) {
        return Some("weight 0".to_owned());
    }
    let mut tracked = options.tracking.interfaces.iter();
    if let Some(tracked) = tracked.find(|tracked| tracked.name == name) {
        return Some(super::instance::weight(tracked.weight.unwrap_or_default()));
    }
    // keepalived's number for an interface that does not count.
    (instance.interface == name).then(|| "weight 255".to_owned())
}
