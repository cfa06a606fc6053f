//! A virtual kernel: links, addresses, IPVS, with the errors and the news of the real one.
//!
//! Owns: the state that `KernelOp`s change, and the netlink news that changes make. Never does:
//! know whose an address is; the shadow does. Driven by: `world`, which executes effects here and
//! delivers the news a little later, also those of a node's own changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use keepalived_rs::base::{Family, IfIndex, Mac};
use keepalived_rs::ops::{
    AddressChange, AddressSpec, Blocked, FirewallOp, KernelOp, LinkChange, LinkKind, LinkSpec,
    LinkState, RoutingChange, RoutingOp,
};

use keepalived_rs::wire::rtnl::{self, Kind};

use super::ipvs::Table;

/// Error numbers of Linux.
pub mod errno {
    /// No such file; IPVS: no such destination, or no IPVS at all.
    pub const ENOENT: i32 = 2;
    /// No such process; IPVS: no such service.
    pub const ESRCH: i32 = 3;
    /// Out of memory.
    pub const ENOMEM: i32 = 12;
    /// Already there.
    pub const EEXIST: i32 = 17;
    /// No such device.
    pub const ENODEV: i32 = 19;
    /// Out of descriptors.
    pub const EMFILE: i32 = 24;
    /// No such address.
    pub const EADDRNOTAVAIL: i32 = 99;
    /// Connection refused.
    pub const ECONNREFUSED: i32 = 111;
    /// Nobody is there.
    pub const EHOSTUNREACH: i32 = 113;
}

/// `IFA_PROTO` of addresses that keepalived adds.
const PROTO_KEEPALIVED: u8 = 18;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name.
    pub name: String,
    /// Switched on.
    pub admin_up: bool,
    /// Has a carrier.
    pub carrier: bool,
    /// Hardware address.
    pub mac: Mac,
    /// Which segment it is plugged into.
    pub segment: usize,
    /// A link of the daemon's own: the one below it, without which it does not work or exist.
    pub base: Option<IfIndex>,
}

impl Link {
    /// Whether frames pass.
    #[must_use]
    pub const fn works(&self) -> bool {
        self.admin_up && self.carrier
    }
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where it is and what it looks like.
    pub spec: AddressSpec,
    /// Another one of the same subnet came first.
    pub secondary: bool,
    /// Who added it (`IFA_PROTO`).
    pub protocol: u8,
}

/// What netlink tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Of a link.
    Link(LinkChange),
    /// Of an address.
    Address(AddressChange),
    /// Of a route or rule that somebody else removed.
    RoutingGone(Kind, Vec<u8>),
}

/// How this kernel differs from others.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// `net.ipv4.conf.*.promote_secondaries`.
    pub promote_secondaries: bool,
    /// Since Linux 5.18 addresses carry who added them.
    pub address_protocol: bool,
    /// Whether the ip_vs module is there.
    pub ipvs: bool,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            promote_secondaries: false,
            address_protocol: true,
            ipvs: true,
        }
    }
}

/// The kernel of one host.
#[derive(Debug)]
pub struct Kernel {
    /// How it differs from others.
    pub traits: Traits,
    links: BTreeMap<IfIndex, Link>,
    addresses: Vec<Address>,
    /// Link-local addresses of links that are switched off.
    asleep: Vec<Address>,
    /// Addresses that the firewall keeps traffic from.
    pub blocked: BTreeSet<Blocked>,
    /// VMACs whose membership reports leave by the link below.
    pub reports_below: BTreeSet<(IfIndex, Family)>,
    /// Routes and rules, by what identifies them.
    pub routing: BTreeSet<(Kind, Vec<u8>)>,
    /// Services; meaningless without the module.
    pub ipvs: Table,
    news: Vec<News>,
    next_index: u32,
    /// Raised by every change; the shadow looks again when it moved.
    pub generation: u64,
}

/// The network part of an IPv4 address.
fn subnet(address: IpAddr, prefix_len: u8) -> u128 {
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    bits.checked_shr(width - u32::from(prefix_len)).unwrap_or(0)
}

impl Kernel {
    /// A kernel without interfaces.
    #[must_use]
    pub fn new(traits: Traits) -> Self {
        Self {
            traits,
            links: BTreeMap::new(),
            addresses: Vec::new(),
            asleep: Vec::new(),
            blocked: BTreeSet::new(),
            reports_below: BTreeSet::new(),
            routing: BTreeSet::new(),
            ipvs: Table::default(),
            news: Vec::new(),
            next_index: 2,
            generation: 0,
        }
    }

    /// Plugs an interface in; its index is new.
    pub fn add_link(&mut self, link: Link) -> IfIndex {
        let Some(index) = IfIndex::new(self.next_index) else {
            unreachable!("indexes start at 2 and only grow")
        };
        self.next_index += 1;
        self.links.insert(index, link);
        self.tell_link(index);
        index
    }

    /// The links of the daemon's own on top of another.
    fn above(&self, base: IfIndex) -> Vec<IfIndex> {
        let above = self
            .links
            .iter()
            .filter(|(_, link)| link.base == Some(base));
        above.map(|(index, _)| *index).collect()
    }

    /// Unplugs an interface; what is on top of it and its addresses go first.
    pub fn remove_link(&mut self, index: IfIndex) -> Option<Link> {
        for above in self.above(index) {
            self.remove_link(above);
        }
        let removed = self.links.remove(&index)?;
        self.asleep.retain(|a| a.spec.interface != index);
        let (gone, kept) = std::mem::take(&mut self.addresses)
            .into_iter()
            .partition(|address| address.spec.interface == index);
        self.addresses = kept;
        for address in gone {
            self.tell_address(&address, false);
        }
        self.generation += 1;
        self.news.push(News::Link(LinkChange {
            index,
            name: removed.name.clone(),
            state: None,
        }));
        Some(removed)
    }

    /// Changes a link's state. One that is switched off loses its IPv6 addresses; the link-local
    /// one comes back when it is switched on.
    pub fn set_link(&mut self, index: IfIndex, admin_up: bool, carrier: bool) {
        let Some(link) = self.links.get_mut(&index) else {
            return;
        };
        if (link.admin_up, link.carrier) != (admin_up, carrier) {
            let switched = link.admin_up != admin_up;
            (link.admin_up, link.carrier) = (admin_up, carrier);
            let works = link.works();
            self.tell_link(index);
            if switched && admin_up {
                self.wake_v6(index);
            } else if switched {
                self.forget_v6(index);
            }
            for above in self.above(index) {
                let up = self.links.get(&above).is_some_and(|link| link.admin_up);
                self.set_link(above, up, works);
            }
        }
    }

    fn forget_v6(&mut self, index: IfIndex) {
        let (gone, kept) = std::mem::take(&mut self.addresses)
            .into_iter()
            .partition(|a| a.spec.interface == index && a.spec.address.is_ipv6());
        self.addresses = kept;
        for address in gone {
            self.tell_address(&address, false);
            if address.protocol == 0 {
                self.asleep.push(address);
            }
        }
    }

    fn wake_v6(&mut self, index: IfIndex) {
        let (awake, asleep) = std::mem::take(&mut self.asleep)
            .into_iter()
            .partition(|a| a.spec.interface == index);
        self.asleep = asleep;
        for address in awake {
            self.tell_address(&address, true);
            self.addresses.push(address);
        }
    }

    /// An interface.
    #[must_use]
    pub fn link(&self, index: IfIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The interface of that name.
    #[must_use]
    pub fn link_named(&self, name: &str) -> Option<(IfIndex, &Link)> {
        self.links
            .iter()
            .find(|(_, link)| link.name == name)
            .map(|(index, link)| (*index, link))
    }

    /// The interfaces on a segment that work.
    #[must_use]
    pub fn links_on(&self, segment: usize) -> Vec<IfIndex> {
        self.links
            .iter()
            .filter(|(_, link)| link.segment == segment && link.works())
            .map(|(index, _)| *index)
            .collect()
    }

    /// The interfaces that there are.
    #[must_use]
    pub fn indexes(&self) -> Vec<IfIndex> {
        self.links.keys().copied().collect()
    }

    /// All addresses, in the order in which the kernel would list them.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Whether any interface carries `address`.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|a| a.spec.address == address)
    }

    /// The address that the kernel takes as a source on an interface: in IPv4 the first one, in
    /// IPv6 a link-local one.
    #[must_use]
    pub fn primary(&self, index: IfIndex, family: Family) -> Option<IpAddr> {
        let addresses = self.addresses.iter();
        addresses
            .filter(|a| a.spec.interface == index && !a.secondary)
            .map(|a| a.spec.address)
            .find(|address| match address {
                IpAddr::V4(_) => family == Family::V4,
                IpAddr::V6(address) => family == Family::V6 && address.is_unicast_link_local(),
            })
    }

    /// Whether this interface carries `address`.
    #[must_use]
    pub fn carries(&self, index: IfIndex, address: IpAddr) -> bool {
        let on = |a: &Address| a.spec.interface == index && a.spec.address == address;
        self.addresses.iter().any(on)
    }

    /// Carries out an operation of a node.
    ///
    /// # Errors
    /// The error number that the real kernel would give.
    pub fn execute(&mut self, op: &KernelOp) -> Result<(), i32> {
        match op {
            KernelOp::AddressAdd(spec) => self.add_address(spec, PROTO_KEEPALIVED),
            KernelOp::AddressDel(spec) => self.remove_address(spec),
            KernelOp::Ipvs(op) => {
                if !self.traits.ipvs {
                    return Err(errno::ENOENT);
                }
                self.generation += 1;
                self.ipvs.execute(op)
            }
            KernelOp::LinkAdd(spec) => self.add_own_link(spec),
            // There are none here.
            KernelOp::SetVrf(..) => Err(errno::ENODEV),
            KernelOp::LinkDel(spec) => {
                let own = self.link_named(&spec.name).map(|(index, _)| index);
                let removed = own.and_then(|index| self.remove_link(index));
                removed.map(|_| ()).ok_or(errno::ENODEV)
            }
            KernelOp::Routing(op) => self.change_routing(op),
            KernelOp::PromoteSecondaries(_, wanted) => {
                self.traits.promote_secondaries = *wanted;
                Ok(())
            }
            KernelOp::Firewall(op) => {
                self.generation += 1;
                self.change_firewall(*op);
                Ok(())
            }
        }
    }

    fn change_routing(&mut self, op: &RoutingOp) -> Result<(), i32> {
        self.generation += 1;
        let key = (op.what, rtnl::identity(op.what, &op.message));
        let (done, errno) = match op.change {
            RoutingChange::Add(_) => (self.routing.insert(key), errno::EEXIST),
            RoutingChange::Remove => (self.routing.remove(&key), errno::ESRCH),
        };
        if done { Ok(()) } else { Err(errno) }
    }

    /// Removes a route or a rule in somebody else's name; whether there was one.
    pub fn remove_some_routing(&mut self) -> bool {
        let Some((what, message)) = self.routing.pop_first() else {
            return false;
        };
        self.generation += 1;
        self.news.push(News::RoutingGone(what, message));
        true
    }

    fn add_own_link(&mut self, spec: &LinkSpec) -> Result<(), i32> {
        if self.link_named(&spec.name).is_some() {
            return Err(errno::EEXIST);
        }
        let base = self.links.get(&spec.base).ok_or(errno::ENODEV)?;
        self.add_link(Link {
            name: spec.name.clone(),
            admin_up: true,
            carrier: base.works(),
            mac: match spec.kind {
                LinkKind::Macvlan(mac) => mac,
                LinkKind::Ipvlan => base.mac,
            },
            segment: base.segment,
            base: Some(spec.base),
        });
        Ok(())
    }

    fn change_firewall(&mut self, op: FirewallOp) {
        match op {
            FirewallOp::Block(blocked) => {
                self.blocked.insert(blocked);
            }
            FirewallOp::Unblock(blocked) => {
                self.blocked.remove(&blocked);
            }
            FirewallOp::ReportsBelow { vmac, family, .. } => {
                self.reports_below.insert((vmac, family));
            }
            FirewallOp::ForgetVmac { vmac, family } => {
                self.reports_below.remove(&(vmac, family));
            }
        }
    }

    /// Adds an address, in anybody's name.
    ///
    /// # Errors
    /// `ENODEV`, `EEXIST`.
    pub fn add_address(&mut self, spec: &AddressSpec, protocol: u8) -> Result<(), i32> {
        if !self.links.contains_key(&spec.interface) {
            return Err(errno::ENODEV);
        }
        let mut secondary = false;
        for address in self.addresses.iter().map(|a| &a.spec) {
            if address.interface == spec.interface
                && address.prefix_len == spec.prefix_len
                && subnet(address.address, address.prefix_len)
                    == subnet(spec.address, spec.prefix_len)
            {
                if address.address == spec.address {
                    return Err(errno::EEXIST);
                }
                secondary = matches!(spec.address, IpAddr::V4(_));
            }
        }
        let address = Address {
            spec: spec.clone(),
            secondary,
            protocol,
        };
        self.tell_address(&address, true);
        self.addresses.push(address);
        Ok(())
    }

    /// Removes an address, in anybody's name. A primary one takes its secondaries along, unless
    /// `promote_secondaries` is set.
    ///
    /// # Errors
    /// `ENODEV`, `EADDRNOTAVAIL`.
    pub fn remove_address(&mut self, spec: &AddressSpec) -> Result<(), i32> {
        if !self.links.contains_key(&spec.interface) {
            return Err(errno::ENODEV);
        }
        let at = self
            .addresses
            .iter()
            .position(|a| {
                a.spec.interface == spec.interface
                    && a.spec.address == spec.address
                    && a.spec.prefix_len == spec.prefix_len
                    && (spec.label.is_none() || a.spec.label == spec.label)
            })
            .ok_or(errno::EADDRNOTAVAIL)?;
        let removed = self.addresses.remove(at);
        self.tell_address(&removed, false);
        if removed.secondary {
            return Ok(());
        }
        let same_subnet = |a: &Address| {
            a.secondary
                && a.spec.interface == removed.spec.interface
                && a.spec.prefix_len == removed.spec.prefix_len
                && subnet(a.spec.address, a.spec.prefix_len)
                    == subnet(removed.spec.address, removed.spec.prefix_len)
        };
        if self.traits.promote_secondaries {
            if let Some(address) = self.addresses.iter_mut().find(|a| same_subnet(a)) {
                address.secondary = false;
                let promoted = address.clone();
                self.tell_address(&promoted, true);
            }
        } else {
            let (gone, kept) = std::mem::take(&mut self.addresses)
                .into_iter()
                .partition(same_subnet);
            self.addresses = kept;
            for address in gone {
                self.tell_address(&address, false);
            }
        }
        Ok(())
    }

    /// What happened since the last call.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Everything that there is, as a netlink dump tells it at a daemon's start: links, then
    /// addresses.
    #[must_use]
    pub fn dump(&self) -> Vec<News> {
        let links = self.links.keys().filter_map(|index| self.link_news(*index));
        let addresses = self.addresses.iter().map(|a| self.address_news(a, true));
        links.chain(addresses).collect()
    }

    /// Whether a link has a carrier, as its driver says.
    #[must_use]
    pub fn carrier(&self, index: IfIndex) -> Option<bool> {
        Some(self.links.get(&index)?.works())
    }

    fn link_news(&self, index: IfIndex) -> Option<News> {
        let link = self.links.get(&index)?;
        Some(News::Link(LinkChange {
            index,
            name: link.name.clone(),
            state: Some(LinkState {
                admin_up: link.admin_up,
                running: link.works(),
                loopback: false,
                mac: Some(link.mac),
                mtu: 1500,
                forwards_v6: false,
                vrf: None,
            }),
        }))
    }

    fn address_news(&self, address: &Address, present: bool) -> News {
        News::Address(AddressChange {
            index: address.spec.interface,
            address: address.spec.address,
            prefix_len: address.spec.prefix_len,
            secondary: address.secondary,
            protocol: if self.traits.address_protocol {
                address.protocol
            } else {
                0
            },
            present,
        })
    }

    fn tell_link(&mut self, index: IfIndex) {
        self.generation += 1;
        self.news.extend(self.link_news(index));
    }

    fn tell_address(&mut self, address: &Address, present: bool) {
        self.generation += 1;
        let news = self.address_news(address, present);
        self.news.push(news);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn kernel(promote_secondaries: bool) -> (Kernel, IfIndex) {
        let mut kernel = Kernel::new(Traits {
            promote_secondaries,
            ..Traits::default()
        });
        let index = kernel.add_link(Link {
            name: "eth0".to_owned(),
            admin_up: true,
            carrier: true,
            mac: Mac([2, 0, 0, 0, 0, 1]),
            segment: 0,
            base: None,
        });
        (kernel, index)
    }

    fn spec(interface: IfIndex, address: &str, prefix_len: u8) -> AddressSpec {
        AddressSpec {
            interface,
            address: address.parse().unwrap(),
            prefix_len,
            scope: 0,
            broadcast: None,
            label: None,
            more: keepalived_rs::ops::AddressTraits::default(),
        }
    }

    // Input: .1/24 and .2/24, .1 removed. Output: both gone, or .2 promoted, as the sysctl says.
    #[test]
    fn a_primary_takes_its_secondaries_along_unless_they_are_promoted() {
        for promote in [false, true] {
            let (mut kernel, eth0) = kernel(promote);
            let first = spec(eth0, "192.0.2.1", 24);
            let second = spec(eth0, "192.0.2.2", 24);
            assert_eq!(kernel.add_address(&first, 0), Ok(()));
            assert_eq!(kernel.add_address(&second, 18), Ok(()));
            assert!(kernel.addresses()[1].secondary);
            assert_eq!(kernel.remove_address(&first), Ok(()));
            assert_eq!(kernel.has(second.address), promote);
            assert_eq!(kernel.primary(eth0, Family::V4).is_some(), promote);
        }
    }

    #[test]
    fn errors_are_the_kernel_s() {
        let (mut kernel, eth0) = kernel(false);
        let address = spec(eth0, "192.0.2.1", 32);
        let elsewhere = spec(IfIndex::new(9).unwrap(), "192.0.2.1", 32);
        assert_eq!(kernel.add_address(&elsewhere, 0), Err(errno::ENODEV));
        assert_eq!(kernel.add_address(&address, 0), Ok(()));
        assert_eq!(kernel.add_address(&address, 0), Err(errno::EEXIST));
        assert_eq!(kernel.add_address(&spec(eth0, "192.0.2.1", 24), 0), Ok(()));
        assert_eq!(kernel.remove_address(&address), Ok(()));
        assert_eq!(kernel.remove_address(&address), Err(errno::EADDRNOTAVAIL));
    }

    #[test]
    fn an_unplugged_interface_takes_its_addresses_along() {
        let (mut kernel, eth0) = kernel(false);
        kernel.add_address(&spec(eth0, "192.0.2.1", 32), 0).unwrap();
        drop(kernel.take_news());
        assert!(kernel.remove_link(eth0).is_some());
        let news = kernel.take_news();
        assert!(matches!(&news[0], News::Address(change) if !change.present));
        assert!(matches!(&news[1], News::Link(change) if change.state.is_none()));
        assert!(kernel.addresses().is_empty());
    }
}
