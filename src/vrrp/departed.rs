//! Addresses that have left the configuration, until the kernel has let them go.
//!
//! Owns: what a reload dropped (an address of an instance, or an instance whole) and the kernel
//! refused to remove. Never does: remove the first time; `addresses` does, and forgets what it no
//! longer has a list for. Driven by: `domain`, which hands on the refusals that concern no address
//! of any instance, and lets it ask again each second and at the stop.

use std::collections::BTreeMap;

use super::Action;
use super::addresses::{Kind, RETRY_DELAY, tag};
use super::instance::InstanceId;
use super::links::{AddressKey, Links};
use super::messages::{Note, note};
use crate::base::Instant;
use crate::conf::model::LogStyle;
use crate::ops::{AddressSpec, Effect, KernelOp};

/// An address that was in an instance.
#[derive(Debug)]
pub(super) struct Former {
    /// Name of the instance.
    pub(super) instance: String,
    /// Name of the interface that carried it.
    pub(super) interface: String,
    pub(super) key: AddressKey,
    pub(super) spec: AddressSpec,
    /// The refusal that goes on was said.
    pub(super) complained: bool,
}

/// What the reloads so far have dropped.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// By the names in operation tags: dropped, not known to be refused.
    asked: BTreeMap<(InstanceId, u32), Former>,
    /// Refused, and not asked for again yet.
    refused: BTreeMap<(InstanceId, u32), Former>,
    retry_at: Option<Instant>,
}

impl Departed {
    /// Remembers an address whose removal may be refused.
    pub(super) fn note(&mut self, id: InstanceId, slot: u32, former: Former) {
        self.asked.insert((id, slot), former);
    }

    /// Forgets what was not refused. A refusal follows its operation before the next reload.
    pub(super) fn forget_done(&mut self) {
        self.asked.clear();
    }

    /// The kernel did not remove it; it is asked again.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        style: LogStyle,
        (id, slot): (InstanceId, u32),
        errno: i32,
        links: &mut Links,
    ) {
        let Some(mut former) = self.asked.remove(&(id, slot)) else {
            return;
        };
        links.removal_was_ours(former.key, now);
        if super::addresses::is_gone(errno) {
            return;
        }
        if !std::mem::replace(&mut former.complained, true) {
            let trouble = Note::AddressNotRemoved {
                address: former.spec.address,
                interface: &former.interface,
                errno,
            };
            note(style, &former.instance, trouble);
        }
        self.refused.insert((id, slot), former);
        self.retry_at.get_or_insert(now + RETRY_DELAY);
    }

    /// Asks again for everything that was refused, but leaves alone what a master holds by now.
    pub(super) fn retry(&mut self, now: Instant, links: &mut Links, out: &mut Vec<Action>) {
        self.retry_at = None;
        self.asked.clear();
        for ((id, slot), former) in std::mem::take(&mut self.refused) {
            if links.is_held(former.key) {
                continue;
            }
            links.removing(former.key, now);
            let op = KernelOp::AddressDel(former.spec.clone());
            let tag = tag(id, slot, Kind::Del);
            out.push(Action::World(Effect::Kernel(op, tag)));
            self.asked.insert((id, slot), former);
        }
    }

    /// When [`Departed::retry`] is due.
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.retry_at
    }
}
