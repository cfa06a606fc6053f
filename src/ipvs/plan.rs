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
            out.push(IpvsOp::ServiceDel(entry.spec.clone()));
            return;
        }
        (true, Settings::Absent) => out.push(IpvsOp::ServiceAdd(entry.spec.clone())),
        (true, Settings::Other) => out.push(IpvsOp::ServiceSet(entry.spec.clone())),
        (true, Settings::AsWanted) => {}
    }
    let mut missing: Vec<(u32, DestinationSpec)> = Vec::new();
    let mut surplus: Vec<DestinationSpec> = Vec::new();
    for slot in entry.slots() {
        match difference(slot) {
            None => {}
            Some(Difference::Missing(wanted)) => missing.push((slot.place, wanted)),
            Some(Difference::Differs(wanted)) => {
                out.push(IpvsOp::DestSet(entry.spec.clone(), wanted));
            }
            Some(Difference::Surplus(there)) => surplus.push(there),
        }
    }
    missing.sort_by_key(|&(place, _)| place);
    let adds = missing
        .into_iter()
        .map(|(_, wanted)| IpvsOp::DestAdd(entry.spec.clone(), wanted));
    out.extend(adds);
    let dels = surplus
        .into_iter()
        .map(|there| IpvsOp::DestDel(entry.spec.clone(), there));
    out.extend(dels);
}

/// The operation, if any, that makes one destination of an installed service as wanted.
pub(super) fn destination(entry: &Entry, address: SocketAddr) -> Option<IpvsOp> {
    let spec = entry.spec.clone();
    difference(entry.slot(address)?).map(|difference| match difference {
        Difference::Missing(wanted) => IpvsOp::DestAdd(spec, wanted),
        Difference::Differs(wanted) => IpvsOp::DestSet(spec, wanted),
        Difference::Surplus(there) => IpvsOp::DestDel(spec, there),
    })
}

/// How a destination is not as it should be.
enum Difference {
    Missing(DestinationSpec),
    Differs(DestinationSpec),
    Surplus(DestinationSpec),
}

fn difference(slot: &Slot) -> Option<Difference> {
    match (slot.wanted(), slot.installed()) {
        (None, None) => None,
        (Some(wanted), None) => Some(Difference::Missing(wanted)),
        (None, Some(there)) => Some(Difference::Surplus(there)),
        (Some(wanted), Some(there)) => (wanted != there).then_some(Difference::Differs(wanted)),
    }
}
