//! Taking away what a process that died has left in the kernel.
//!
//! Owns: the order, and what is said of what cannot be removed. Never does: know who died. Driven
//! by: `supervisor`, with what the ledger names, and `exec`, with what nobody asked for again.

use std::io;

use super::firewall::Firewall;
use super::genl::Ipvs;
use super::ledger::{Entry, Ledger};
use super::links::OwnLinks;
use super::netlink::{AddressOp, Addresses};
use super::routing::Routing;
use super::sys;
use super::terms::Terms;
use crate::base::ident;
use crate::ops::{AddressSpec, AddressTraits, RoutingChange, RoutingOp};
use crate::wire::rtnl::Kind;

/// Removes everything that the ledger names.
pub(super) fn clean_up(ledger: &mut Ledger, terms: &Terms, whose: &str) {
    let read = ledger
        .entries()
        .and_then(|entries| Ok((entries, ledger.routing_entries()?)));
    let (entries, routing) = match read {
        Ok(read) => read,
        Err(error) => {
            log::error!(target: ident::DAEMON, "the list of installed addresses cannot be read: {error}");
            return;
        }
    };
    if entries.is_empty() && routing.is_empty() {
        return;
    }
    log::warn!(
        target: ident::DAEMON,
        "Removing {} addresses, services, routes and rules that {whose} left behind",
        entries.len() + routing.len()
    );
    let mut buffer = vec![0; 32 * 1024];
    if let Err(error) =
        remove(&entries, terms, &mut buffer).and_then(|()| remove_routing(routing, &mut buffer))
    {
        log::error!(target: ident::DAEMON, "cleaning up: {error}");
    }
    if let Err(error) = ledger.clear() {
        log::error!(target: ident::DAEMON, "the list of installed addresses cannot be written: {error}");
    }
}

/// Removes what `entries` name from the kernel.
///
/// # Errors
/// What opening the sockets for it gives.
pub(super) fn remove(entries: &[Entry], terms: &Terms, buffer: &mut [u8]) -> io::Result<()> {
    // Addresses first: they are what a second master would fight over.
    let specs: Vec<AddressSpec> = entries
        .iter()
        .filter_map(|entry| match *entry {
            Entry::Address {
                interface,
                address,
                prefix_len,
            } => Some(AddressSpec {
                interface,
                address,
                prefix_len,
                scope: 0,
                broadcast: None,
                label: None,
                more: AddressTraits::default(),
            }),
            Entry::Service(_) | Entry::Link(_) | Entry::Firewall(_) | Entry::Marks(_) => None,
        })
        .collect();
    let ops: Vec<_> = specs.iter().map(AddressOp::Remove).collect();
    if !ops.is_empty() {
        let results = Addresses::open()?.carry_out(&ops, buffer);
        for (spec, errno) in specs.iter().zip(results) {
            if !matches!(errno, 0 | libc::EADDRNOTAVAIL | libc::ENODEV) {
                log::error!(
                    target: ident::DAEMON,
                    "{} cannot be removed: {}",
                    spec.address,
                    sys::error_text(errno)
                );
            }
        }
    }
    remove_links_and_tables(entries, terms, buffer)?;
    let mut services = entries.iter().filter_map(|entry| match *entry {
        Entry::Service(name) => Some(name),
        Entry::Address { .. } | Entry::Link(_) | Entry::Firewall(_) | Entry::Marks(_) => None,
    });
    if let Some(first) = services.next() {
        let mut ipvs = Ipvs::open(&terms.namespace_ipvs)?;
        for service in std::iter::once(first).chain(services) {
            let errno = ipvs.remove(service, buffer);
            // Somebody else may have removed it, or the whole table with its module.
            if !matches!(errno, 0 | libc::ESRCH | libc::ENOENT) {
                log::error!(
                    target: ident::DAEMON,
                    "IPVS service {service} cannot be removed: {}",
                    sys::error_text(errno)
                );
            }
        }
    }
    Ok(())
}

fn remove_routing(entries: Vec<(Kind, Vec<u8>)>, buffer: &mut [u8]) -> io::Result<()> {
    let ops: Vec<RoutingOp> = entries
        .into_iter()
        .map(|(what, message)| RoutingOp {
            what,
            change: RoutingChange::Remove,
            message,
        })
        .collect();
    if ops.is_empty() {
        return Ok(());
    }
    let results = Routing::open()?.carry_out(&ops.iter().collect::<Vec<_>>(), buffer);
    for errno in results {
        // Routes go with their source address.
        if !matches!(errno, 0 | libc::ESRCH | libc::ENOENT | libc::ENODEV) {
            let why = sys::error_text(errno);
            log::error!(target: ident::DAEMON, "a route or rule cannot be removed: {why}");
        }
    }
    Ok(())
}

fn remove_links_and_tables(entries: &[Entry], terms: &Terms, buffer: &mut [u8]) -> io::Result<()> {
    for entry in entries {
        match entry {
            Entry::Link(name) => {
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = String::from_utf8_lossy(name);
                let errno = OwnLinks::open()?.remove_by_name(&name, buffer);
                if !matches!(errno, 0 | libc::ENODEV) {
                    let why = sys::error_text(errno);
                    log::error!(target: ident::DAEMON, "the interface {name} cannot be removed: {why}");
                }
            }
            Entry::Firewall(family) | Entry::Marks(family) => {
                let table = match entry {
                    Entry::Marks(_) => &terms.marks_table,
                    _ => &terms.table,
                };
                let errno = Firewall::remove_table(table, *family, buffer);
                if !matches!(errno, 0 | libc::ENOENT) {
                    let why = sys::error_text(errno);
                    log::error!(target: ident::DAEMON, "the nftables table {table} of {family:?} cannot be removed: {why}");
                }
            }
            Entry::Address { .. } | Entry::Service { .. } => {}
        }
    }
    Ok(())
}
