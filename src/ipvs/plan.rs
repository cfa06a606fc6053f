//! The difference between a wanted and an installed service, as operations.
//!
//! Owns: which operations, and their order. Never does: more than the difference needs; equal
//! services give none. Driven by: `domain`.
//!
//! A service that stays is edited in place, so its connections and counters survive. New
//! destinations come before old ones go, so that a service whose servers are all replaced is at
//! no moment without one. Deleting a service takes its destinations along.

use std::net::SocketAddr;

use super::table::{Entry, Settings, Slot};
use crate::ops::{DestinationSpec, IpvsOp};

/// Appends the operations that make the service as wanted.
pub(super) fn service(entry: &Entry, out: &mut Vec<IpvsOp>) {
    match (entry.wanted, entry.installed) {
        (false, Settings::Absent) => return,
        (false, Settings::AsWanted | Settings::Other) => {
            out.push(IpvsOp::ServiceDel(entry.spec.name));
            return;
        }
        (true, Settings::Absent) => out.push(IpvsOp::ServiceAdd(entry.spec.clone())),
        (true, Settings::Other) => out.push(IpvsOp::ServiceSet(entry.spec.clone())),
        (true, Settings::AsWanted) => {}
    }
    let mut missing: Vec<(u32, DestinationSpec)> = Vec::new();
    let mut surplus: Vec<SocketAddr> = Vec::new();
    for slot in entry.slots() {
        match difference(slot) {
            None => {}
            Some(Difference::Missing(wanted)) => missing.push((slot.place, wanted)),
            Some(Difference::Differs(wanted)) => {
                out.push(IpvsOp::DestSet(entry.spec.name, wanted));
            }
            Some(Difference::Surplus) => surplus.push(slot.address),
        }
    }
    missing.sort_by_key(|&(place, _)| place);
    let adds = missing
        .into_iter()
        .map(|(_, wanted)| IpvsOp::DestAdd(entry.spec.name, wanted));
    out.extend(adds);
    let dels = surplus
        .into_iter()
        .map(|there| IpvsOp::DestDel(entry.spec.name, there));
    out.extend(dels);
}

/// The operation, if any, that makes one destination of an installed service as wanted.
pub(super) fn destination(entry: &Entry, address: SocketAddr) -> Option<IpvsOp> {
    let name = entry.spec.name;
    difference(entry.slot(address)?).map(|difference| match difference {
        Difference::Missing(wanted) => IpvsOp::DestAdd(name, wanted),
        Difference::Differs(wanted) => IpvsOp::DestSet(name, wanted),
        Difference::Surplus => IpvsOp::DestDel(name, address),
    })
}

/// How a destination is not as it should be.
enum Difference {
    Missing(DestinationSpec),
    Differs(DestinationSpec),
    Surplus,
}

fn difference(slot: &Slot) -> Option<Difference> {
    match (slot.wanted(), slot.installed()) {
        (None, None) => None,
        (Some(wanted), None) => Some(Difference::Missing(wanted)),
        (None, Some(_)) => Some(Difference::Surplus),
        (Some(wanted), Some(there)) => (wanted != there).then_some(Difference::Differs(wanted)),
    }
}
