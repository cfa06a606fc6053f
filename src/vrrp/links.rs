//! What the VRRP domain knows of interfaces, and which addresses on them are virtual.
//!
//! Owns: a copy of the interfaces' facts and addresses, who claims which address, and the choice
//! of an advert's source address. Never does: change an address. Driven by: `domain`, which
//! stores what it is told before any instance looks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::InterfaceFacts;
use super::instance::InstanceId;
use crate::base::{Duration, Family, IfIndex, Instant};
use crate::ops::AddressChange;

/// `IFA_PROTO` of addresses that keepalived, and so this daemon, added.
pub(super) const IFA_PROTO_KEEPALIVED: u8 = 18;

/// What the kernel takes for one address: the same on the same interface with another prefix
/// length is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressKey {
    pub(super) on: IfIndex,
    pub(super) address: IpAddr,
    pub(super) prefix_len: u8,
}

#[derive(Debug)]
struct Link {
    facts: InterfaceFacts,
    addresses: BTreeMap<(IpAddr, u8), Present>,
    /// Usable as a source unless claimed, in the order in which the kernel told of them.
    candidates: BTreeMap<u64, IpAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Present {
    order: u64,
    protocol: u8,
}

/// What an instance has to do with an address in its list.
#[derive(Debug, Clone, Copy, Default)]
struct Claim {
    /// It owns the address (priority 255), which may then be a source.
    owner: bool,
    /// It is master and wants the address to be there. Several instances may: the address goes
    /// with the last of them.
    held: bool,
}

/// Interfaces by index and name, and the claims on addresses.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_index: BTreeMap<IfIndex, Link>,
    by_name: BTreeMap<String, IfIndex>,
    claims: BTreeMap<(AddressKey, InstanceId), Claim>,
    /// Removals that we asked for and whose echo has not come yet: how many, the last one when.
    removals: BTreeMap<AddressKey, (u32, Instant)>,
    /// For each interface, the last sender for a VRID that is not configured there.
    strangers: BTreeMap<IfIndex, (u8, IpAddr)>,
    next_order: u64,
}

/// The kernel reports what it did within microseconds; an echo that has not come after this is
/// lost (a full socket buffer), and must not make us blind for a removal by somebody else.
const ECHO_PATIENCE: Duration = Duration::from_secs(2);

impl Links {
    /// Stores the facts of an interface; returns the name that it had before, if another.
    pub(super) fn set(&mut self, facts: InterfaceFacts) -> Option<String> {
        let renamed = match self.by_index.get(&facts.index) {
            Some(link) if link.facts.name != facts.name => Some(link.facts.name.clone()),
            Some(_) | None => None,
        };
        if let Some(old) = &renamed {
            self.by_name.remove(old);
        }
        self.by_name.insert(facts.name.clone(), facts.index);
        match self.by_index.get_mut(&facts.index) {
            Some(link) => link.facts = facts,
            None => {
                let link = Link {
                    facts,
                    addresses: BTreeMap::new(),
                    candidates: BTreeMap::new(),
                };
                self.by_index.insert(link.facts.index, link);
            }
        }
        renamed
    }

    /// Forgets an interface; returns its name.
    pub(super) fn remove(&mut self, index: IfIndex) -> Option<String> {
        let link = self.by_index.remove(&index)?;
        self.strangers.remove(&index);
        self.removals.retain(|key, _| key.on != index);
        // A new interface may have taken the name before the old one's end was told.
        if self.by_name.get(&link.facts.name) == Some(&index) {
            self.by_name.remove(&link.facts.name);
        }
        Some(link.facts.name)
    }

    /// Stores that an address is there or gone; returns whether one that may be a source came or
    /// went.
    pub(super) fn address(&mut self, change: &AddressChange) -> bool {
        let sources = |links: &Self| {
            [Family::V4, Family::V6].map(|family| links.source(change.index, family))
        };
        let before = sources(self);
        self.store(change);
        sources(self) != before
    }

    fn store(&mut self, change: &AddressChange) {
        let Some(link) = self.by_index.get_mut(&change.index) else {
            return;
        };
        let key = (change.address, change.prefix_len);
        let old = link.addresses.remove(&key);
        if let Some(old) = old {
            link.candidates.remove(&old.order);
        }
        if !change.present {
            return;
        }
        let order = old.map_or(self.next_order, |old| old.order);
        self.next_order = self.next_order.max(order + 1);
        let protocol = change.protocol;
        link.addresses.insert(key, Present { order, protocol });
        let usable = match change.address {
            IpAddr::V4(_) => !change.secondary,
            // RFC 9568 §5.1.2.1: adverts come from the link-local address.
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        if usable && protocol != IFA_PROTO_KEEPALIVED {
            link.candidates.insert(order, change.address);
        }
    }

    /// Notes that we ask the kernel to remove an address: it is as good as gone, and the report
    /// of that is no news.
    pub(super) fn removing(&mut self, key: AddressKey, now: Instant) {
        if let Some(link) = self.by_index.get_mut(&key.on)
            && let Some(old) = link.addresses.remove(&(key.address, key.prefix_len))
        {
            link.candidates.remove(&old.order);
        }
        let (count, last) = self.removals.entry(key).or_insert((0, now));
        *count += 1;
        *last = now;
    }

    /// Whether the removal that the kernel reports, or refuses, is one that we asked for.
    pub(super) fn removal_was_ours(&mut self, key: AddressKey, now: Instant) -> bool {
        let Some((count, last)) = self.removals.get_mut(&key) else {
            return false;
        };
        let fresh = now.saturating_since(*last) <= ECHO_PATIENCE;
        *count -= 1;
        if *count == 0 || !fresh {
            self.removals.remove(&key);
        }
        fresh
    }

    /// Notes that `from` advertises a VRID that is not configured on this interface.
    pub(super) fn set_stranger(&mut self, on: IfIndex, vrid: u8, from: IpAddr) {
        self.strangers.insert(on, (vrid, from));
    }

    /// The last such sender.
    pub(super) fn stranger(&self, on: IfIndex) -> Option<(u8, IpAddr)> {
        self.strangers.get(&on).copied()
    }

    /// The facts of the interface of that name.
    pub(super) fn by_name(&self, name: &str) -> Option<&InterfaceFacts> {
        let index = self.by_name.get(name)?;
        self.by_index.get(index).map(|link| &link.facts)
    }

    /// The facts of the interface of that index.
    pub(super) fn by_index(&self, index: IfIndex) -> Option<&InterfaceFacts> {
        self.by_index.get(&index).map(|link| &link.facts)
    }

    /// Whether exactly this address is there.
    pub(super) fn has(&self, key: AddressKey) -> bool {
        self.by_index
            .get(&key.on)
            .is_some_and(|link| link.addresses.contains_key(&(key.address, key.prefix_len)))
    }

    /// Whether exactly this address is there and carries keepalived's mark (Linux 5.18 and newer
    /// keep it).
    pub(super) fn is_marked(&self, key: AddressKey) -> bool {
        let link = self.by_index.get(&key.on);
        let there = link.and_then(|link| link.addresses.get(&(key.address, key.prefix_len)));
        there.is_some_and(|present| present.protocol == IFA_PROTO_KEEPALIVED)
    }

    /// Whether the host has the address by somebody else's doing, with any prefix length.
    pub(super) fn is_hosts_own(&self, on: IfIndex, address: IpAddr) -> bool {
        self.by_index.get(&on).is_some_and(|link| {
            let range = (address, 0)..=(address, u8::MAX);
            let mut there = link.addresses.range(range);
            there.any(|(_, present)| present.protocol != IFA_PROTO_KEEPALIVED)
        })
    }

    /// Addresses on `on` that carry keepalived's mark and that no instance claims.
    pub(super) fn strays(&self, on: IfIndex) -> impl Iterator<Item = IpAddr> + '_ {
        let addresses = self.by_index.get(&on).map(|link| &link.addresses);
        addresses
            .into_iter()
            .flatten()
            .filter(move |((address, prefix_len), present)| {
                let key = AddressKey {
                    on,
                    address: *address,
                    prefix_len: *prefix_len,
                };
                present.protocol == IFA_PROTO_KEEPALIVED && self.claimants(key).next().is_none()
            })
            .map(|((address, _), _)| *address)
    }

    /// The source of adverts on `on`: the first address that the kernel takes as a primary one (for
    /// IPv6: the first link-local one) and that is not virtual. A virtual address is none even if
    /// it is all that is left, because it goes away with the master state that it would speak for.
    pub(super) fn source(&self, on: IfIndex, family: Family) -> Option<IpAddr> {
        let link = self.by_index.get(&on)?;
        link.candidates
            .values()
            .copied()
            .find(|&address| Family::of(address) == family && !self.is_virtual(on, address))
    }

    /// Whether the address is there, with any prefix length.
    pub(super) fn has_address(&self, on: IfIndex, address: IpAddr) -> bool {
        self.by_index.get(&on).is_some_and(|link| {
            let range = (address, 0)..=(address, u8::MAX);
            link.addresses.range(range).next().is_some()
        })
    }

    /// Whether any interface has the address, with any prefix length.
    pub(super) fn anywhere(&self, address: IpAddr) -> bool {
        let mut all = self.by_index.keys();
        all.any(|on| self.has_address(*on, address))
    }

    /// Whether an instance has the address, with any prefix length, in its list without owning it.
    fn is_virtual(&self, on: IfIndex, address: IpAddr) -> bool {
        let key = |prefix_len| AddressKey {
            on,
            address,
            prefix_len,
        };
        let mut claims = self
            .claims
            .range((key(0), InstanceId::MIN)..=(key(u8::MAX), InstanceId::MAX))
            .peekable();
        claims.peek().is_some() && claims.all(|(_, claim)| !claim.owner)
    }

    /// Notes that `by` has this address in its list.
    pub(super) fn claim(&mut self, key: AddressKey, by: InstanceId, owner: bool) {
        self.claims.entry((key, by)).or_default().owner = owner;
    }

    /// Notes whether `by`, which claims the address, is one of those that hold it.
    pub(super) fn hold(&mut self, key: AddressKey, by: InstanceId, held: bool) {
        if let Some(claim) = self.claims.get_mut(&(key, by)) {
            claim.held = held;
        }
    }

    /// Whether any instance holds the address.
    pub(super) fn is_held(&self, key: AddressKey) -> bool {
        self.claims_on(key).any(|(_, claim)| claim.held)
    }

    /// Whether an instance other than `by` holds the address or owns it.
    pub(super) fn is_of_another(&self, key: AddressKey, by: InstanceId) -> bool {
        let mut claims = self.claims_on(key);
        claims.any(|(other, claim)| other != by && (claim.held || claim.owner))
    }

    /// Notes that it no longer has.
    pub(super) fn unclaim(&mut self, key: AddressKey, by: InstanceId) {
        self.claims.remove(&(key, by));
    }

    /// The instances that have this address in their lists.
    pub(super) fn claimants(&self, key: AddressKey) -> impl Iterator<Item = InstanceId> + '_ {
        self.claims_on(key).map(|(by, _)| by)
    }

    fn claims_on(&self, key: AddressKey) -> impl Iterator<Item = (InstanceId, Claim)> + '_ {
        self.claims
            .range((key, InstanceId::MIN)..=(key, InstanceId::MAX))
            .map(|(&(_, by), &claim)| (by, claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> IfIndex {
        IfIndex::new(2).unwrap()
    }

    fn links() -> Links {
        let mut links = Links::default();
        links.set(InterfaceFacts {
            index: on(),
            name: "eth0".into(),
            up: true,
            polled: false,
            mac: None,
            mtu: 1500,
            forwards_v6: false,
            vrf: None,
        });
        links
    }

    fn address(last: u8, prefix_len: u8) -> AddressChange {
        AddressChange {
            index: on(),
            address: IpAddr::from([192, 0, 2, last]),
            prefix_len,
            secondary: false,
            protocol: 0,
            present: true,
        }
    }

    // Input: .9, .1 (secondary), .5, in this order; then .9 goes. Output: .9, then .5.
    #[test]
    fn the_source_is_the_first_primary_address_in_the_kernels_order() {
        let mut links = links();
        links.address(&address(9, 24));
        links.address(&AddressChange {
            secondary: true,
            ..address(1, 24)
        });
        links.address(&address(5, 24));
        assert_eq!(links.source(on(), Family::V4), Some([192, 0, 2, 9].into()));
        links.address(&AddressChange {
            present: false,
            ..address(9, 24)
        });
        assert_eq!(links.source(on(), Family::V4), Some([192, 0, 2, 5].into()));
    }

    // On kernels before 5.18 a leftover virtual address carries no mark; the claim tells it.
    #[test]
    fn a_virtual_address_is_no_source_unless_it_is_owned() {
        let mut links = links();
        links.address(&address(100, 32));
        let key = AddressKey {
            on: on(),
            address: IpAddr::from([192, 0, 2, 100]),
            prefix_len: 32,
        };
        let by = InstanceId::MIN;
        links.claim(key, by, false);
        assert_eq!(links.source(on(), Family::V4), None);
        links.claim(key, by, true);
        assert_eq!(
            links.source(on(), Family::V4),
            Some([192, 0, 2, 100].into())
        );
    }

    // Input: two removals of ours, three reports; then one of ours whose report comes late.
    #[test]
    fn the_echo_of_each_own_removal_is_expected_once_and_not_for_ever() {
        let mut links = links();
        let now = Instant::from_micros(5_000_000);
        let key = AddressKey {
            on: on(),
            address: IpAddr::from([192, 0, 2, 100]),
            prefix_len: 32,
        };
        links.removing(key, now);
        links.removing(key, now);
        assert!(links.removal_was_ours(key, now));
        assert!(links.removal_was_ours(key, now));
        assert!(!links.removal_was_ours(key, now));
        links.removing(key, now);
        let late = now + Duration::from_secs(3);
        assert!(!links.removal_was_ours(key, late));
        assert!(!links.removal_was_ours(key, now));
    }

    #[test]
    fn an_interface_that_is_made_anew_under_the_same_name_is_found() {
        let mut links = links();
        let new = IfIndex::new(7).unwrap();
        links.set(InterfaceFacts {
            index: new,
            name: "eth0".into(),
            up: true,
            polled: false,
            mac: None,
            mtu: 1500,
            forwards_v6: false,
            vrf: None,
        });
        assert_eq!(links.remove(on()), Some("eth0".into()));
        assert_eq!(links.by_name("eth0").map(|facts| facts.index), Some(new));
    }
}
