//! Marks that stand for the addresses of groups (`nftables_ipvs`).
//!
//! Owns: which services get a mark, and what is told of it. Never does: speak to nftables. Driven
//! by: `reload` and `domain`.
//!
//! With `nftables_ipvs` a service for a group is one service in IPVS, by a mark that the firewall
//! gives all packets for its addresses; without, it is one for each address. A group that has marks
//! of its own stays as it is. A mark is a service's as long as that exists, and is never given
//! again.

use std::collections::BTreeSet;

use super::Action;
use super::service::Service;
use crate::base::Family;
use crate::conf::model::{GroupEntry, ServiceKey, VirtualServer};
use crate::ops::{Marked, ServiceName};

/// The mark of a service that had `before`: the same, a new one, or none.
pub(super) fn choose(
    next: &mut Option<u32>,
    before: Option<u32>,
    config: &VirtualServer,
) -> Option<u32> {
    let first = (*next)?;
    let addresses = |entry: &GroupEntry| matches!(entry, GroupEntry::Addresses { .. });
    if config.entries.is_empty() || !config.entries.iter().all(addresses) {
        return None;
    }
    Some(before.unwrap_or_else(|| {
        *next = Some(first.checked_add(1).unwrap_or(1));
        first
    }))
}

/// The addresses of a service that has a mark.
fn marked(config: &VirtualServer) -> impl Iterator<Item = Marked> {
    let protocol = match &config.key {
        ServiceKey::Group { protocol, .. } => *protocol,
        ServiceKey::Address(_) | ServiceKey::Fwmark { .. } => None,
    };
    config.entries.iter().filter_map(move |entry| match *entry {
        GroupEntry::Addresses { first, last, port } => Some(Marked {
            first,
            last,
            port,
            protocol: protocol?.number(),
        }),
        GroupEntry::Fwmark { .. } => None,
    })
}

/// What a service with a mark is called in the kernel: it has one name in each family.
pub(super) fn names(config: &VirtualServer, mark: u32) -> Vec<ServiceName> {
    let mut names = Vec::new();
    for entry in marked(config) {
        let name = ServiceName::Mark {
            mark,
            family: Family::of(entry.first),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Tells what becomes of the addresses of a service that is new.
pub(super) fn give(service: &Service, out: &mut Vec<Action>) {
    if service.mark.is_some() {
        out.extend(marked(&service.config).map(|entry| Action::Mark(entry, service.mark)));
    }
}

/// The same of one that goes.
pub(super) fn take_back(service: &Service, out: &mut Vec<Action>) {
    if service.mark.is_some() {
        out.extend(marked(&service.config).map(|entry| Action::Mark(entry, None)));
    }
}

/// The same of one that is to look like `config` and has `mark` from then on.
pub(super) fn change(
    service: &Service,
    (config, mark): (&VirtualServer, Option<u32>),
    out: &mut Vec<Action>,
) {
    let before: BTreeSet<Marked> = marked(&service.config)
        .filter(|_| service.mark.is_some())
        .collect();
    let after: BTreeSet<Marked> = marked(config).filter(|_| mark.is_some()).collect();
    let gone = before.difference(&after);
    out.extend(gone.map(|entry| Action::Mark(*entry, None)));
    let same = mark == service.mark;
    let new = after
        .iter()
        .filter(|entry| !same || !before.contains(entry));
    out.extend(new.map(|entry| Action::Mark(*entry, mark)));
}
