//! A mirror of the host's links and addresses.
//!
//! Owns: which links exist, their state and their addresses, as the kernel last said; turns the
//! kernel's repetitive messages into changes. Never does: change any of them, judge them, or know
//! who cares. Driven by: `node`, which hands the changes on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::base::{IfIndex, Instant, Mac};
use crate::ops::{AddressChange, LinkChange, LinkState};

/// What changed, for whoever cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// An interface is new or one of these facts changed.
    Changed(Interface),
    /// An interface is gone; its addresses were reported gone before.
    Gone(IfIndex),
    /// An address appeared, changed its flags, or went.
    Address(AddressChange),
}

/// An interface as the mirror knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's index.
    pub index: IfIndex,
    /// Name.
    pub name: String,
    /// Switched on and with a carrier.
    pub up: bool,
    /// Ethernet address.
    pub mac: Option<Mac>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it forwards IPv6.
    pub forwards_v6: bool,
}

/// The mirror.
#[derive(Debug, Default)]
pub struct Domain {
    links: BTreeMap<IfIndex, Interface>,
    /// What the kernel said last, for reports.
    states: BTreeMap<IfIndex, LinkState>,
    addresses: BTreeMap<(IfIndex, IpAddr, u8), AddressChange>,
}

impl Domain {
    /// The first interface whose index is not below `index`, with what the kernel said of it last.
    #[must_use]
    pub fn interface_from(&self, index: IfIndex) -> Option<(&Interface, LinkState)> {
        let (_, link) = self.links.range(index..).next()?;
        Some((link, *self.states.get(&link.index)?))
    }

    /// The interface of that name.
    #[must_use]
    pub fn interface_named(&self, name: &str) -> Option<&Interface> {
        self.links.values().find(|link| link.name == name)
    }

    /// The addresses of an interface.
    pub fn addresses(&self, index: IfIndex) -> impl Iterator<Item = &AddressChange> {
        let first = (index, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let addresses = self.addresses.range(first..);
        addresses
            .take_while(move |((on, ..), _)| *on == index)
            .map(|(_, address)| address)
    }

    /// Takes a change of a link.
    pub fn link(&mut self, now: Instant, change: &LinkChange, out: &mut Vec<Action>) {
        let _ = now;
        match change.state {
            Some(state) => self.link_is(change, state, out),
            None => self.link_gone(change.index, out),
        }
    }

    fn link_is(&mut self, change: &LinkChange, state: LinkState, out: &mut Vec<Action>) {
        self.states.insert(change.index, state);
        let interface = Interface {
            index: change.index,
            name: change.name.clone(),
            up: state.admin_up && state.running,
            mac: state.mac,
            mtu: state.mtu,
            forwards_v6: state.forwards_v6,
        };
        if self.links.get(&change.index) != Some(&interface) {
            self.links.insert(change.index, interface.clone());
            out.push(Action::Changed(interface));
        }
    }

    /// The kernel reports the addresses gone too, but after a lost message it may not have.
    fn link_gone(&mut self, index: IfIndex, out: &mut Vec<Action>) {
        let left: Vec<_> = self
            .addresses
            .keys()
            .filter(|&&(on, ..)| on == index)
            .copied()
            .collect();
        for key in left {
            if let Some(gone) = self.addresses.remove(&key) {
                let present = false;
                out.push(Action::Address(AddressChange { present, ..gone }));
            }
        }
        self.states.remove(&index);
        if self.links.remove(&index).is_some() {
            out.push(Action::Gone(index));
        }
    }

    /// Takes a change of an address.
    pub fn address(&mut self, now: Instant, change: &AddressChange, out: &mut Vec<Action>) {
        let _ = now;
        let key = (change.index, change.address, change.prefix_len);
        if change.present {
            let old = self.addresses.insert(key, change.clone());
            if old.as_ref() != Some(change) {
                out.push(Action::Address(change.clone()));
            }
        } else if self.addresses.remove(&key).is_some() {
            out.push(Action::Address(change.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ZERO;

    fn index() -> IfIndex {
        IfIndex::new(2).unwrap()
    }

    fn link(running: bool) -> LinkChange {
        LinkChange {
            index: index(),
            name: "eth0".into(),
            state: Some(LinkState {
                admin_up: true,
                running,
                loopback: false,
                mac: Some(Mac([2, 0, 0, 0, 0, 1])),
                mtu: 1500,
                forwards_v6: false,
            }),
        }
    }

    fn address(present: bool) -> AddressChange {
        AddressChange {
            index: index(),
            address: IpAddr::from([192, 0, 2, 1]),
            prefix_len: 24,
            secondary: false,
            protocol: 0,
            present,
        }
    }

    // Input: up, up again, carrier lost. Output: two changes; the repetition says nothing new.
    #[test]
    fn only_changes_are_reported() {
        let mut mirror = Domain::default();
        let mut out = Vec::new();
        mirror.link(NOW, &link(true), &mut out);
        mirror.link(NOW, &link(true), &mut out);
        mirror.link(NOW, &link(false), &mut out);
        let ups: Vec<_> = out
            .iter()
            .map(|action| matches!(action, Action::Changed(interface) if interface.up))
            .collect();
        assert_eq!(ups, [true, false]);
        out.clear();
        mirror.address(NOW, &address(true), &mut out);
        mirror.address(NOW, &address(true), &mut out);
        mirror.address(NOW, &address(false), &mut out);
        mirror.address(NOW, &address(false), &mut out);
        assert_eq!(
            out,
            [
                Action::Address(address(true)),
                Action::Address(address(false))
            ]
        );
    }

    #[test]
    fn a_link_takes_its_addresses_along() {
        let mut mirror = Domain::default();
        let mut out = Vec::new();
        mirror.link(NOW, &link(true), &mut out);
        mirror.address(NOW, &address(true), &mut out);
        out.clear();
        let gone = LinkChange {
            state: None,
            ..link(true)
        };
        mirror.link(NOW, &gone, &mut out);
        mirror.link(NOW, &gone, &mut out);
        assert_eq!(
            out,
            [Action::Address(address(false)), Action::Gone(index())]
        );
    }
}
