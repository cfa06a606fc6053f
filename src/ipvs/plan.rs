//! The difference between a wanted and an installed service, as operations.
//!
//! Owns: which operations, and their order. Never does: more than the difference needs; equal
//! services give none. Driven by: `domain`.
//!
//! A service that stays is edited in place, so its connections and counters survive. New
//! destinations come before old ones go, so that a service whose servers are all replaced is at
//! no moment without one. Deleting a service takes its destinations along.

use std::net::SocketAddr;

use super::table::{Installed, Wanted};
use crate::ops::{IpvsOp, ServiceSpec};

/// Appends the operations that lead from `installed` to `wanted`; `spec` names a service that is
/// no longer wanted.
pub(super) fn service(
    spec: &ServiceSpec,
    wanted: Option<&Wanted>,
    installed: Option<&Installed>,
    out: &mut Vec<IpvsOp>,
) {
    match (wanted, installed) {
        (None, None) => {}
        (None, Some(_)) => out.push(IpvsOp::ServiceDel(spec.clone())),
        (Some(wanted), None) => {
            out.push(IpvsOp::ServiceAdd(wanted.spec.clone()));
            add_missing(wanted, None, out);
        }
        (Some(wanted), Some(installed)) => {
            if installed.spec.as_ref() != Some(&wanted.spec) {
                out.push(IpvsOp::ServiceSet(wanted.spec.clone()));
            }
            for (address, (_, destination)) in &wanted.destinations {
                let there = installed.destinations.get(address);
                if there.is_some_and(|there| there != destination) {
                    out.push(IpvsOp::DestSet(wanted.spec.clone(), *destination));
                }
            }
            add_missing(wanted, Some(installed), out);
            for (address, destination) in &installed.destinations {
                if !wanted.destinations.contains_key(address) {
                    out.push(IpvsOp::DestDel(wanted.spec.clone(), *destination));
                }
            }
        }
    }
}

/// Appends the operation, if any, that makes one destination of an installed service as wanted.
pub(super) fn destination(
    wanted: &Wanted,
    installed: &Installed,
    address: SocketAddr,
) -> Option<IpvsOp> {
    let spec = wanted.spec.clone();
    match (
        wanted.destinations.get(&address),
        installed.destinations.get(&address),
    ) {
        (None, None) => None,
        (None, Some(there)) => Some(IpvsOp::DestDel(spec, *there)),
        (Some((_, wanted)), None) => Some(IpvsOp::DestAdd(spec, *wanted)),
        (Some((_, wanted)), Some(there)) => {
            (wanted != there).then_some(IpvsOp::DestSet(spec, *wanted))
        }
    }
}

/// Adds what is wanted and not there, in the order of the configuration.
fn add_missing(wanted: &Wanted, installed: Option<&Installed>, out: &mut Vec<IpvsOp>) {
    let mut missing: Vec<_> = wanted
        .destinations
        .iter()
        .filter(|(address, _)| {
            installed.is_none_or(|installed| !installed.destinations.contains_key(address))
        })
        .map(|(_, &placed)| placed)
        .collect();
    missing.sort_by_key(|&(place, _)| place);
    for (_, destination) in missing {
        out.push(IpvsOp::DestAdd(wanted.spec.clone(), destination));
    }
}
