//! `Interfaces`: the links of this host as the daemon knows them.

use std::fmt::{self, Write};
use std::net::IpAddr;

use super::page::heading;
use super::{Cursor, Page};
use crate::base::IfIndex;
use crate::conf::model::VrrpInstance;
use crate::node::snapshot::{AddressChange, Interface, LinkState};

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
    let addresses: Vec<&AddressChange> = page.snapshot.addresses(interface.index).collect();
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
    let admin = if state.admin_up { "UP" } else { "not UP" };
    let running = if state.running {
        "RUNNING"
    } else {
        "not RUNNING"
    };
    write!(out, "   State = {admin}, {running}")?;
    if state.loopback {
        write!(out, ", no broadcast, loopback, no multicast")?;
    }
    writeln!(out)?;
    writeln!(out, "   Seen up = {}", u8::from(interface.up))?;
    writeln!(out, "   Delayed state change running = false")?;
    writeln!(out, "   Up debounce timer = 0us")?;
    writeln!(out, "   Down debounce timer = 0us")?;
    writeln!(out, "   MTU = {}", interface.mtu)?;
    let kind = match (state.loopback, state.mac) {
        (true, _) => "LOOPBACK",
        (false, Some(_)) => "ETHERNET",
        (false, None) => "UNKNOWN",
    };
    writeln!(out, "   HW Type = {kind}")?;
    writeln!(out, "   NIC netlink status update")?;
    write_watchers(page, interface, out)
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
    let tracked = &options.tracking.interfaces;
    if let Some(tracked) = tracked.iter().find(|tracked| tracked.name == name) {
        return Some(super::instance::weight(tracked.weight.unwrap_or_default()));
    }
    let own = instance.interface == name && !options.ignore_own_interface;
    let carries = instance
        .addresses
        .iter()
        .any(|vip| vip.interface.as_deref() == Some(name));
    (own || carries).then(|| "weight 0".to_owned())
}
