//! A mirror of the host's links and addresses.
//!
//! Owns: which links exist, their state and their addresses, as the kernel last said or their
//! drivers answered; turns repetitive messages into changes. Never does: change any of them, judge
//! them, or know who cares. Driven by: `node`, which hands the changes on.

mod linkbeat;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use self::linkbeat::Linkbeat;
use crate::base::{IfIndex, Instant, Mac};
use crate::conf::model::Config;
use crate::ops::{AddressChange, Effect, LinkChange, LinkProbe, LinkState};

/// What changed, for whoever cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// An interface is new or one of these facts changed.
    Changed(Interface),
    /// An interface is gone; its addresses were reported gone before.
    Gone(IfIndex),
    /// An address appeared, changed its flags, or went.
    Address(AddressChange),
    /// A question for the world.
    World(Effect),
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
    /// Its carrier is asked for instead of being told.
    pub polled: bool,
    /// Ethernet address.
    pub mac: Option<Mac>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it forwards IPv6.
    pub forwards_v6: bool,
    /// The VRF that it belongs to.
    pub vrf: Option<IfIndex>,
}

/// The mirror.
#[derive(Debug, Default)]
pub struct Domain {
    links: BTreeMap<IfIndex, Interface>,
    /// What the kernel said last, for reports.
    states: BTreeMap<IfIndex, LinkState>,
    /// By link, address and length of its prefix: whether it is a secondary one, and its protocol.
    addresses: BTreeMap<(IfIndex, IpAddr, u8), (bool, u8)>,
    linkbeat: Linkbeat,
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
    pub fn addresses(&self, index: IfIndex) -> impl Iterator<Item = AddressChange> + '_ {
        let first = (index, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let addresses = self.addresses.range(first..);
        addresses
            .take_while(move |((on, ..), _)| *on == index)
            .map(|(&key, &is)| address_change(key, is, true))
    }

    /// Takes a change of a link.
    pub fn link(&mut self, now: Instant, change: &LinkChange, out: &mut Vec<Action>) {
        let _ = now;
        match change.state {
            Some(state) => self.link_is(change.index, &change.name, state, out),
            None => self.link_gone(change.index, out),
        }
    }

    fn link_is(&mut self, index: IfIndex, name: &str, state: LinkState, out: &mut Vec<Action>) {
        let new = self.states.insert(index, state).is_none();
        let polled = self.linkbeat.wants(name);
        if new && polled {
            self.ask(index, name, out);
        }
        // Until there is an answer, the kernel is believed.
        let carrier = self.linkbeat.carrier(index).filter(|_| polled);
        let interface = Interface {
            index,
            name: name.to_owned(),
            up: state.admin_up && carrier.unwrap_or(state.running),
            polled,
            mac: state.mac,
            mtu: state.mtu,
            forwards_v6: state.forwards_v6,
            vrf: state.vrf,
        };
        if self.links.get(&index) != Some(&interface) {
            self.links.insert(index, interface.clone());
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
            if let Some(was) = self.addresses.remove(&key) {
                out.push(Action::Address(address_change(key, was, false)));
            }
        }
        self.states.remove(&index);
        self.linkbeat.forget(index);
        if self.links.remove(&index).is_some() {
            out.push(Action::Gone(index));
        }
    }

    /// Takes over which links are to be asked for.
    pub fn configure(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) {
        if self.linkbeat.configure(now, config) {
            self.handle_timeout(now, out);
            self.look_again(out);
        }
    }

    /// Asks for the links that are due to be asked for.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.linkbeat.next_deadline().is_some_and(|at| at <= now) {
            let links = self.links.values();
            let links = links.map(|link| (link.index, link.name.clone()));
            for (index, name) in links.collect::<Vec<_>>() {
                self.ask(index, &name, out);
            }
            self.linkbeat.rest(now);
        }
    }

    /// When `handle_timeout` is needed next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.linkbeat.next_deadline()
    }

    fn ask(&mut self, index: IfIndex, name: &str, out: &mut Vec<Action>) {
        if let Some(how) = self.linkbeat.question(index, name) {
            let name = name.to_owned();
            out.push(Action::World(Effect::AskLink { index, name, how }));
        }
    }

    /// Takes an answer; `None`: the driver does not know this way of asking.
    pub fn answer(
        &mut self,
        index: IfIndex,
        how: LinkProbe,
        carrier: Option<bool>,
        out: &mut Vec<Action>,
    ) {
        let Some(name) = self.links.get(&index).map(|link| link.name.clone()) else {
            return;
        };
        if self.linkbeat.answer(index, &name, how, carrier).is_some() {
            self.ask(index, &name, out);
        } else if let Some(&state) = self.states.get(&index) {
            self.link_is(index, &name, state, out);
        }
    }

    /// Other links are asked for than before: what was told counts for the rest.
    fn look_again(&mut self, out: &mut Vec<Action>) {
        let links = self.links.values();
        let links = links.map(|link| (link.index, link.name.clone()));
        for (index, name) in links.collect::<Vec<_>>() {
            if let Some(&state) = self.states.get(&index) {
                self.link_is(index, &name, state, out);
            }
        }
    }

    /// Takes a change of an address.
    pub fn address(&mut self, now: Instant, change: &AddressChange, out: &mut Vec<Action>) {
        let _ = now;
        let key = (change.index, change.address, change.prefix_len);
        if change.present {
            let is = (change.secondary, change.protocol);
            if self.addresses.insert(key, is) != Some(is) {
                out.push(Action::Address(change.clone()));
            }
        } else if self.addresses.remove(&key).is_some() {
            out.push(Action::Address(change.clone()));
        }
    }
}

/// The change of the address of this name.
const fn address_change(
    (index, address, prefix_len): (IfIndex, IpAddr, u8),
    (secondary, protocol): (bool, u8),
    present: bool,
) -> AddressChange {
    AddressChange {
        index,
        address,
        prefix_len,
        secondary,
        protocol,
        present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::model::options::LinkPoll;

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
                vrf: None,
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

    fn polled(how: LinkPoll) -> Config {
        let mut config = Config::default();
        config.links.polled.push(("eth0".into(), how));
        config
    }

    /// What is asked, and whether the link is up after each change.
    fn told(out: &mut Vec<Action>) -> Vec<String> {
        let tell = |action| match action {
            Action::World(Effect::AskLink { how, .. }) => format!("{how:?}?"),
            Action::Changed(interface) => format!("up {}", interface.up),
            other => format!("{other:?}"),
        };
        out.drain(..).map(tell).collect()
    }

    // Input: a link that is to be asked for by MII, of which its driver knows nothing; then it is lost
    // without the kernel noticing, the daemon asks again, and it is no longer to be asked for. Output:
    // the next way is tried at once and kept, every second; the answer beats what the kernel says.
    #[test]
    fn a_link_is_asked_for_until_a_way_is_found() {
        let mut mirror = Domain::default();
        let mut out = Vec::new();
        mirror.link(NOW, &link(true), &mut out);
        out.clear();
        mirror.configure(NOW, &polled(LinkPoll::Mii), &mut out);
        assert_eq!(told(&mut out), ["Mii?", "up true"]);
        mirror.answer(index(), LinkProbe::Mii, None, &mut out);
        assert_eq!(told(&mut out), ["Ethtool?"]);
        mirror.answer(index(), LinkProbe::Ethtool, Some(true), &mut out);
        assert_eq!(told(&mut out), [""; 0]);
        let next = mirror.next_deadline().unwrap();
        assert_eq!(next, NOW + crate::base::Duration::from_secs(1));
        mirror.handle_timeout(next, &mut out);
        assert_eq!(told(&mut out), ["Ethtool?"]);
        mirror.answer(index(), LinkProbe::Ethtool, Some(false), &mut out);
        assert_eq!(told(&mut out), ["up false"]);
        mirror.link(next, &link(true), &mut out);
        assert_eq!(told(&mut out), [""; 0]);
        mirror.configure(next, &Config::default(), &mut out);
        assert_eq!(told(&mut out), ["up true"]);
        assert_eq!(mirror.next_deadline(), None);
    }
}
