//! Virtual addresses: wanted by the state, against installed as far as this domain knows.
//!
//! Owns: what stands where, and the kernel operations that lead from one to the other. Never
//! does: touch an address that was there before and is not ours to move. Driven by: `instance`
//! at its transitions, `domain` when the kernel refuses an operation.

use std::net::IpAddr;

use super::instance::{Cx, Instance, InstanceId, State};
use super::links::AddressKey;
use super::messages::{Line, say};
use crate::base::IfIndex;
use crate::conf::model::VirtualAddress;
use crate::ops::{AddressSpec, Effect, KernelOp, OpOwner, OpTag};

/// Where a virtual address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not in the kernel by our doing.
    Absent,
    /// In the kernel; we take it away again.
    Ours,
    /// In the kernel before us, on an interface whose owner we are: never touched.
    Owned,
    /// The kernel refused it; tried again at the next transition.
    Refused,
}

impl Standing {
    /// Whether the address answers on this host.
    pub(super) const fn is_there(self) -> bool {
        match self {
            Self::Ours | Self::Owned => true,
            Self::Absent | Self::Refused => false,
        }
    }
}

/// A virtual address of an instance.
#[derive(Debug)]
pub(super) struct Vip {
    pub(super) config: VirtualAddress,
    /// Names it in operation tags; never used twice within the instance.
    pub(super) slot: u32,
    /// The interface that carries it, while that exists.
    pub(super) on: Option<IfIndex>,
    pub(super) standing: Standing,
}

impl Vip {
    /// The kernel's name for it.
    pub(super) fn key(&self) -> Option<AddressKey> {
        Some(AddressKey {
            on: self.on?,
            address: self.config.address,
            prefix_len: self.config.prefix_len,
        })
    }

    /// The address as it is asked of the kernel.
    pub(super) fn spec(&self) -> Option<AddressSpec> {
        Some(AddressSpec {
            interface: self.on?,
            address: self.config.address,
            prefix_len: self.config.prefix_len,
            scope: self.config.scope.0,
            broadcast: self.config.broadcast,
            label: self.config.label.clone(),
        })
    }
}

/// What an operation was, from its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Del,
}

/// The tag of an operation on one address.
pub(super) fn tag(id: InstanceId, slot: u32, kind: Kind) -> OpTag {
    let kind = match kind {
        Kind::Add => 0,
        Kind::Del => 1 << 31,
    };
    OpTag {
        owner: OpOwner::Vrrp,
        serial: u64::from(id.0) << 32 | u64::from(slot | kind),
    }
}

/// What a tag says.
pub(super) fn untag(tag: OpTag) -> (InstanceId, u32, Kind) {
    let [a, b, c, d, e, f, g, h] = tag.serial.to_be_bytes();
    let id = InstanceId(u32::from_be_bytes([a, b, c, d]));
    let low = u32::from_be_bytes([e, f, g, h]);
    let kind = if low >> 31 == 0 { Kind::Add } else { Kind::Del };
    (id, low & (u32::MAX >> 1), kind)
}

impl Instance {
    /// Makes the list of addresses that of the configuration, keeping those that are in both.
    pub(super) fn adopt_addresses(&mut self) {
        let mut old = std::mem::take(&mut self.vips);
        for config in &self.config.addresses {
            let kept = old.iter().position(|vip| vip.config == *config);
            let vip = match kept {
                Some(at) => old.remove(at),
                None => {
                    self.next_slot += 1;
                    Vip {
                        config: config.clone(),
                        slot: self.next_slot,
                        on: None,
                        standing: Standing::Absent,
                    }
                }
            };
            self.vips.push(vip);
        }
    }

    /// Looks up the interfaces that carry the addresses, and claims them there.
    pub(super) fn place_addresses(&mut self, cx: &mut Cx<'_>) {
        let owner = self.priority().is_owner();
        for index in 0..self.vips.len() {
            let vip = &self.vips[index];
            let name = vip.config.interface.as_ref();
            let name = name.unwrap_or(&self.config.interface);
            let on = cx.links.by_name(name).map(|facts| facts.index);
            if on == vip.on {
                continue;
            }
            if let Some(key) = vip.key() {
                cx.links.unclaim(key, self.id);
            }
            let vip = &mut self.vips[index];
            // Addresses go with their interface.
            vip.standing = Standing::Absent;
            vip.on = on;
            if let Some(key) = vip.key() {
                cx.links.claim(key, self.id, owner);
            }
        }
    }

    /// Gives every claim up.
    pub(super) fn unclaim_addresses(&mut self, cx: &mut Cx<'_>) {
        for vip in &mut self.vips {
            if let Some(key) = vip.key() {
                cx.links.unclaim(key, self.id);
            }
            vip.on = None;
        }
    }

    /// Adds every address, and announces each as soon as it is there.
    pub(super) fn add_addresses(&mut self, cx: &mut Cx<'_>) {
        if !self.vips.is_empty() {
            say(cx.style, &self.config.name, Line::SettingVips);
        }
        for index in 0..self.vips.len() {
            if self.vips[index].standing.is_there() {
                continue;
            }
            self.add_address(cx, index);
            if self.vips[index].standing.is_there() {
                self.announce_one(cx, index, true);
            }
        }
    }

    fn add_address(&mut self, cx: &mut Cx<'_>, index: usize) {
        let owner = self.priority().is_owner();
        let vip = &mut self.vips[index];
        let (Some(on), Some(spec)) = (vip.on, vip.spec()) else {
            return;
        };
        // RFC 3768 §1.4: the owner has the address as its own; whatever its prefix length there,
        // it is neither added nor, later, removed.
        if owner && cx.links.has_any(on, vip.config.address) {
            vip.standing = Standing::Owned;
            return;
        }
        vip.standing = Standing::Ours;
        let tag = tag(self.id, vip.slot, Kind::Add);
        cx.effect(Effect::Kernel(KernelOp::AddressAdd(spec), tag));
    }

    /// Removes every address that is ours.
    pub(super) fn remove_addresses(&mut self, cx: &mut Cx<'_>) {
        if !self.vips.is_empty() {
            say(cx.style, &self.config.name, Line::RemovingVips);
        }
        for index in 0..self.vips.len() {
            self.remove_address(cx, index);
        }
    }

    pub(super) fn remove_address(&mut self, cx: &mut Cx<'_>, index: usize) {
        let vip = &mut self.vips[index];
        match vip.standing {
            Standing::Ours => {
                if let Some(spec) = vip.spec() {
                    let tag = tag(self.id, vip.slot, Kind::Del);
                    cx.effect(Effect::Kernel(KernelOp::AddressDel(spec), tag));
                }
            }
            Standing::Absent | Standing::Owned | Standing::Refused => {}
        }
        vip.standing = Standing::Absent;
    }

    /// At its start an instance takes away what an earlier run left: exactly its own addresses,
    /// as keepalived does, unless it owns them or another instance has them as well.
    pub(super) fn take_leftovers_away(&mut self, cx: &mut Cx<'_>) {
        if self.priority().is_owner() {
            return;
        }
        for index in 0..self.vips.len() {
            let Some(key) = self.vips[index].key() else {
                continue;
            };
            if cx.links.has(key) && cx.links.claimants(key).eq([self.id]) {
                self.vips[index].standing = Standing::Ours;
            }
        }
        if self.vips.iter().any(|vip| vip.standing == Standing::Ours) {
            self.remove_addresses(cx);
        }
    }

    /// The kernel refused an operation on the address with this slot.
    pub(super) fn refused(&mut self, cx: &mut Cx<'_>, slot: u32, kind: Kind, errno: i32) {
        let Some(vip) = self.vips.iter_mut().find(|vip| vip.slot == slot) else {
            return;
        };
        let address: IpAddr = vip.config.address;
        let interface = vip.config.interface.as_ref();
        let interface = interface.unwrap_or(&self.config.interface);
        match kind {
            // It was there already, exactly so: it is what we wanted, and we take it away.
            Kind::Add if errno == EEXIST => {}
            Kind::Add => {
                vip.standing = Standing::Refused;
                let line = Line::AddressRefused {
                    address,
                    interface,
                    errno,
                };
                say(cx.style, &self.config.name, line);
            }
            // It was gone already, maybe with its interface.
            Kind::Del if matches!(errno, EADDRNOTAVAIL | ENODEV) => {}
            Kind::Del => {
                let line = Line::AddressNotRemoved {
                    address,
                    interface,
                    errno,
                };
                say(cx.style, &self.config.name, line);
            }
        }
    }

    /// The addresses that should be on this host now.
    pub(super) fn wanted(&self) -> impl Iterator<Item = AddressSpec> + '_ {
        let master = self.state == State::Master;
        self.vips
            .iter()
            .filter(move |_| master)
            .filter_map(Vip::spec)
    }
}

/// Linux error numbers, the same on every architecture that Rust's standard library runs on but
/// MIPS and SPARC for the second.
const EEXIST: i32 = 17;
const EADDRNOTAVAIL: i32 = 99;
const ENODEV: i32 = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_what_it_was_made_of() {
        for id in [InstanceId::MIN, InstanceId(7), InstanceId::MAX] {
            for slot in [0, 1, u32::MAX >> 1] {
                for kind in [Kind::Add, Kind::Del] {
                    assert_eq!(untag(tag(id, slot, kind)), (id, slot, kind));
                }
            }
        }
    }
}
