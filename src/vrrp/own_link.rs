//! The links that an instance and its addresses bring with them, and what the firewall does for it.
//!
//! Owns: when such a link is asked for and given back, when it counts as missing, and which
//! addresses the firewall keeps traffic from (`no_accept`, strict mode). Never does: make one.
//! Driven by: `domain`, whenever the links of the host change, and `instance` at its transitions.

use std::net::IpAddr;

use super::addresses::{Kind, RETRY_DELAY, tag};
use super::instance::{Cx, FaultReason, Instance, InstanceId, Timer};
use super::messages::{Line, Note, note, say};
use crate::base::{Blank, Family, IfIndex, Instant};
use crate::conf::model::{OwnLink, OwnLinkKind, VirtualAddress, VrrpInstance};
use crate::ops::{Blocked, Effect, FirewallOp, KernelOp, LinkKind, LinkSpec};

/// In operation tags: the link itself, and the firewall. Addresses count from 1.
pub(super) const LINK_SLOT: u32 = 0;
pub(super) const FIREWALL_SLOT: u32 = u32::MAX >> 1;
/// Of what needs no answer: the kernel tells of the VRFs of links.
const VRF_SLOT: u32 = FIREWALL_SLOT - 1;

const ENODEV: i32 = 19;

/// What the link that an instance runs on needs of the host.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// The link that it runs on.
    home: Brought,
    /// Those that carry addresses (`use_vmac` of an address, `use_vmac_addr`).
    others: Vec<(Site, Brought)>,
    /// What the firewall keeps traffic from.
    blocked: Vec<Blocked>,
    complained: bool,
}

/// A link that addresses bring with them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Site {
    link: OwnLink,
    /// Name of the interface below it.
    below: String,
    family: Family,
    /// Names it in operation tags.
    slot: u32,
}

/// Where a link that an instance brings with it stands.
#[derive(Debug, Default)]
struct Brought {
    /// When it was last asked for, while it has not come.
    asked: Option<Instant>,
    /// It is there, and by our doing or taken over.
    there: Option<IfIndex>,
    /// The kernel refused to make it.
    refused: Option<i32>,
    /// The VRF that it was put into last, while the kernel has not told that it is there.
    moved: Option<Option<IfIndex>>,
    /// The firewall was told of it, with these links.
    reports: Option<(IfIndex, IfIndex)>,
    complained: bool,
}

impl Blank for Own {
    const BLANK: &'static Self = &Self {
        home: Brought {
            asked: None,
            there: None,
            refused: None,
            moved: None,
            reports: None,
            complained: false,
        },
        others: Vec::new(),
        blocked: Vec::new(),
        complained: false,
    };
}

/// What an instance on a link of its own has to wait for, or cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnLinkState {
    /// It needs none, or has it.
    Settled,
    /// It was asked for and is about to come.
    Coming,
    /// There is none.
    Missing,
}

impl Brought {
    const fn state(&self) -> OwnLinkState {
        match (self.there, self.refused) {
            (Some(_), _) => OwnLinkState::Settled,
            (None, None) if self.asked.is_some() => OwnLinkState::Coming,
            (None, _) => OwnLinkState::Missing,
        }
    }

    /// Asks for the link where it is missing and can be made, and takes notice of it where it is
    /// there.
    fn settle(&mut self, cx: &mut Cx<'_>, (id, name): (InstanceId, &str), site: &Site) {
        let own = &site.link;
        let below = cx.links.by_name(&site.below);
        let base = below.map(|facts| facts.index);
        let found = cx.links.by_name(&own.name);
        let ours = found.filter(|facts| match own.kind {
            OwnLinkKind::Vmac(mac) => facts.mac == Some(mac),
            OwnLinkKind::Ipvlan => true,
        });
        let there = ours.map(|facts| facts.index);
        if found.is_some() && there.is_none() {
            self.there = None;
            self.asked = None;
            if !std::mem::replace(&mut self.complained, true) {
                note(cx.style, name, Note::OwnLinkTaken(&own.name));
            }
            return;
        }
        // A new link is down for a moment; the kernel tells when it is not.
        if let Some(asked) = self.asked
            && ours.is_some_and(|facts| !facts.up)
            && below.is_some_and(|facts| facts.up)
            && cx.now < asked + RETRY_DELAY
        {
            cx.arm(id, Timer::Retry, asked + RETRY_DELAY);
            return;
        }
        if let Some(index) = there {
            if self.there != there && self.asked.is_some() {
                say(cx.style, name, Line::OwnLinkMade(own));
            }
            self.there = there;
            self.asked = None;
            self.refused = None;
            self.complained = false;
            self.follow_vrf(cx, id, site, index);
            self.let_reports_leave_below(cx, id, site, (index, base));
            return;
        }
        self.there = None;
        self.reports = None;
        let Some(spec) = site.spec(cx, base) else {
            self.asked = None;
            return;
        };
        // One that does not last is asked for once a second, not faster.
        if let Some(asked) = self.asked
            && cx.now < asked + RETRY_DELAY
        {
            cx.arm(id, Timer::Retry, asked + RETRY_DELAY);
            return;
        }
        self.asked = Some(cx.now);
        let tag = tag(id, site.slot, Kind::Add);
        cx.effect(Effect::Kernel(KernelOp::LinkAdd(spec), tag));
    }

    /// The link belongs to the VRF of the interface below it; asked for once for each that it gets.
    fn follow_vrf(&mut self, cx: &mut Cx<'_>, id: InstanceId, site: &Site, index: IfIndex) {
        let below = cx.links.by_name(&site.below).map(|facts| facts.vrf);
        let own = cx.links.by_index(index).map(|facts| facts.vrf);
        let (Some(wanted), Some(vrf)) = (below, own) else {
            return;
        };
        if wanted == vrf {
            self.moved = None;
        } else if self.moved.replace(wanted) != Some(wanted) {
            let tag = tag(id, VRF_SLOT, Kind::Add);
            cx.effect(Effect::Kernel(KernelOp::SetVrf(index, wanted), tag));
        }
    }

    /// The kernel refused to make the link.
    fn refused(
        &mut self,
        cx: &mut Cx<'_>,
        (id, name): (InstanceId, &str),
        site: &Site,
        errno: i32,
    ) {
        self.asked = None;
        self.refused = Some(errno);
        // The interface below is on its way out; that is told next.
        let going = errno == ENODEV;
        if !going && !std::mem::replace(&mut self.complained, true) {
            let refused = Note::OwnLinkRefused {
                link: &site.link,
                interface: &site.below,
                errno,
            };
            note(cx.style, name, refused);
        }
        cx.arm(id, Timer::Retry, cx.now + RETRY_DELAY);
    }

    /// Takes the link away for good.
    fn give_up(&mut self, cx: &mut Cx<'_>, (id, name): (InstanceId, &str), site: &Site) {
        let base = cx.links.by_name(&site.below);
        let base = base.map(|facts| facts.index);
        if let Some((vmac, _)) = self.reports.take() {
            let family = site.family;
            firewall(cx, id, FirewallOp::ForgetVmac { vmac, family });
        }
        if self.there.take().is_none() && self.asked.take().is_none() {
            return;
        }
        if let Some(spec) = site.spec(cx, base) {
            let tag = tag(id, site.slot, Kind::Del);
            cx.effect(Effect::Kernel(KernelOp::LinkDel(spec), tag));
            say(cx.style, name, Line::OwnLinkRemoved(&site.link));
        }
    }

    fn let_reports_leave_below(
        &mut self,
        cx: &mut Cx<'_>,
        id: InstanceId,
        site: &Site,
        (vmac, base): (IfIndex, Option<IfIndex>),
    ) {
        let family = site.family;
        let vmac_link = match site.link.kind {
            OwnLinkKind::Vmac(_) => true,
            OwnLinkKind::Ipvlan => false,
        };
        if let Some(base) = base
            && vmac_link
            && self.reports != Some((vmac, base))
        {
            if let Some((vmac, _)) = self.reports.replace((vmac, base)) {
                firewall(cx, id, FirewallOp::ForgetVmac { vmac, family });
            }
            firewall(cx, id, FirewallOp::ReportsBelow { vmac, base, family });
        }
    }
}

impl Site {
    /// The link as it is asked of the kernel.
    fn spec(&self, cx: &Cx<'_>, base: Option<IfIndex>) -> Option<LinkSpec> {
        let base = base?;
        let link_local = match cx.links.source(base, self.family) {
            Some(IpAddr::V6(address)) => Some(address),
            Some(IpAddr::V4(_)) | None => None,
        };
        Some(LinkSpec {
            name: self.link.name.clone(),
            base,
            kind: match self.link.kind {
                OwnLinkKind::Vmac(mac) => LinkKind::Macvlan(mac),
                OwnLinkKind::Ipvlan => LinkKind::Ipvlan,
            },
            family: self.family,
            link_local,
            vrf: cx.links.by_index(base).and_then(|facts| facts.vrf),
        })
    }
}

/// The link that an instance of this configuration runs on, if it brings one with it.
fn home_site(config: &VrrpInstance) -> Option<Site> {
    Some(Site {
        link: config.own_link.clone()?,
        below: config.interface.clone(),
        family: config.family,
        slot: LINK_SLOT,
    })
}

impl Instance {
    /// Name of the link that it runs on and that carries its addresses.
    pub(super) fn home(&self) -> &str {
        home(&self.config)
    }

    /// Where the link that it runs on stands.
    pub(super) fn home_state(&self) -> OwnLinkState {
        match &self.config.own_link {
            None => OwnLinkState::Settled,
            Some(_) => self.own.home.state(),
        }
    }

    /// Whether one of the links that it brings with it is about to come.
    pub(super) fn waits_for_links(&self) -> bool {
        let mut others = self.own.others.iter();
        self.home_state() == OwnLinkState::Coming
            || others.any(|(_, link)| link.state() == OwnLinkState::Coming)
    }

    /// The links that addresses bring with them, each with the interface below it.
    pub(super) fn address_links(&self) -> impl Iterator<Item = (&str, &str)> {
        let others = self.own.others.iter();
        others.map(|(site, _)| (site.link.name.as_str(), site.below.as_str()))
    }

    /// The reason for FAULT that links of addresses are; one that is about to come is none.
    pub(super) fn address_links_fault(&self, cx: &Cx<'_>) -> Option<FaultReason> {
        self.own.others.iter().find_map(|(site, link)| {
            let facts = cx.links.by_name(&site.link.name);
            let addresses = self.config.addresses.iter();
            let mut addresses = addresses.chain(&self.config.options.excluded);
            let on_it = |vip: &&VirtualAddress| vip.options.own_link.as_ref() == Some(&site.link);
            let tracked = addresses.any(|vip| on_it(&vip) && !vip.options.untracked);
            match link.state() {
                OwnLinkState::Settled if facts.is_some_and(|facts| facts.up) => None,
                OwnLinkState::Coming => None,
                _ if !tracked => None,
                OwnLinkState::Settled => Some(FaultReason::OwnLinkDown),
                OwnLinkState::Missing => Some(FaultReason::NoOwnLink),
            }
        })
    }

    /// Makes the list of links that addresses bring with them that of the configuration; what it no
    /// longer names goes. The addresses are gone by then.
    pub(super) fn adopt_address_links(&mut self, cx: &mut Cx<'_>) {
        let old = self.own.present();
        let mut old = old
            .map(|own| std::mem::take(&mut own.others))
            .unwrap_or_default();
        let addresses = self.config.addresses.iter();
        for vip in addresses.chain(&self.config.options.excluded) {
            let Some(link) = &vip.options.own_link else {
                continue;
            };
            let below = vip.interface.as_ref().unwrap_or(&self.config.interface);
            let same = |(site, _): &(Site, Brought)| site.link == *link && site.below == *below;
            if self.own.others.iter().any(same) {
                continue;
            }
            let kept = old.iter().position(same).map(|at| old.remove(at));
            let next = &mut self.next_slot;
            self.own.others.push(kept.unwrap_or_else(|| {
                *next += 1;
                let site = Site {
                    link: link.clone(),
                    below: below.clone(),
                    family: Family::of(vip.address),
                    slot: *next,
                };
                (site, Brought::default())
            }));
        }
        for (site, mut gone) in old {
            gone.give_up(cx, (self.id, &self.config.name), &site);
        }
    }

    /// Asks for the links that are missing and can be made, and takes notice of those that are there.
    pub(super) fn settle_own_links(&mut self, cx: &mut Cx<'_>) {
        let whose = (self.id, self.config.name.as_str());
        if let Some(site) = home_site(&self.config) {
            self.own.home.settle(cx, whose, &site);
        }
        let own = self.own.present();
        for (site, link) in own.into_iter().flat_map(|own| &mut own.others) {
            link.settle(cx, whose, site);
        }
    }

    /// Whether an operation with this slot was one on a link.
    pub(super) fn has_link_slot(&self, slot: u32) -> bool {
        let mut others = self.own.others.iter();
        slot == LINK_SLOT || others.any(|(site, _)| site.slot == slot)
    }

    /// The kernel refused to make or to remove a link. Removals are asked for when the instance goes;
    /// nobody waits for them.
    pub(super) fn own_link_refused(&mut self, cx: &mut Cx<'_>, slot: u32, kind: Kind, errno: i32) {
        if kind == Kind::Del {
            return;
        }
        let whose = (self.id, self.config.name.as_str());
        if slot == LINK_SLOT
            && let Some(site) = home_site(&self.config)
        {
            self.own.home.refused(cx, whose, &site, errno);
        }
        let mut others = self.own.others.iter_mut();
        if let Some((site, link)) = others.find(|(site, _)| site.slot == slot) {
            link.refused(cx, whose, site, errno);
        }
    }

    /// Takes its links away for good.
    pub(super) fn give_own_links_up(&mut self, cx: &mut Cx<'_>) {
        let whose = (self.id, self.config.name.as_str());
        if let Some(site) = home_site(&self.config) {
            self.own.home.give_up(cx, whose, &site);
        }
        let own = self.own.present();
        for (site, link) in own.into_iter().flat_map(|own| &mut own.others) {
            link.give_up(cx, whose, site);
        }
    }

    /// Whether packets to its addresses are for this host: RFC 9568 §6.1 Accept_Mode, which
    /// keepalived has on unless it is strict.
    fn accepts(&self) -> bool {
        let accept = self.config.options.accept;
        self.owns_addresses() || accept.unwrap_or(!self.config.strict)
    }

    /// Makes the firewall keep traffic from the addresses of a master, or let it through again.
    pub(super) fn settle_firewall(&mut self, cx: &mut Cx<'_>, master: bool) {
        let wanted: Vec<Blocked> = if master && !self.accepts() {
            let present = self.vips.iter().filter_map(|vip| {
                let address = vip.config.address;
                let local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
                Some(Blocked {
                    address,
                    on: if local { Some(vip.on?) } else { None },
                })
            });
            present.collect()
        } else {
            Vec::new()
        };
        match (self.own.blocked.is_empty(), wanted.is_empty()) {
            (true, true) => return,
            (true, false) => say(cx.style, &self.config.name, Line::SettingDropRule),
            (false, true) => say(cx.style, &self.config.name, Line::RemovingDropRule),
            (false, false) => {}
        }
        let old = std::mem::replace(&mut self.own.blocked, wanted);
        let gone: Vec<Blocked> = old
            .iter()
            .filter(|blocked| !self.own.blocked.contains(blocked))
            .copied()
            .collect();
        let new: Vec<Blocked> = self
            .own
            .blocked
            .iter()
            .filter(|blocked| !old.contains(blocked))
            .copied()
            .collect();
        for blocked in new {
            firewall(cx, self.id, FirewallOp::Block(blocked));
        }
        for blocked in gone {
            firewall(cx, self.id, FirewallOp::Unblock(blocked));
        }
    }

    /// The firewall refused; said once, because nothing can be done about it here.
    pub(super) fn firewall_refused(&mut self, cx: &Cx<'_>, errno: i32) {
        if !std::mem::replace(&mut self.own.complained, true) {
            note(cx.style, &self.config.name, Note::FirewallRefused(errno));
        }
    }
}

fn firewall(cx: &mut Cx<'_>, id: InstanceId, op: FirewallOp) {
    let tag = tag(id, FIREWALL_SLOT, Kind::Add);
    cx.effect(Effect::Kernel(KernelOp::Firewall(op), tag));
}

/// Name of the link that an instance of this configuration runs on.
pub(super) fn home(config: &VrrpInstance) -> &str {
    let own = config.own_link.as_ref();
    own.map_or(config.interface.as_str(), |own| own.name.as_str())
}

/// Instances that have not started, because their own link is about to come.
pub(super) type Waiting = std::collections::BTreeSet<InstanceId>;

/// The link as an operator calls it.
pub(super) const fn kind_name(own: &OwnLink) -> &'static str {
    match own.kind {
        OwnLinkKind::Vmac(_) => "VMAC",
        OwnLinkKind::Ipvlan => "ipvlan",
    }
}

/// Whether adverts go by the interface below an own link: with unicast, or if asked for.
pub(super) fn transmits_below(config: &VrrpInstance) -> bool {
    let unicast = match config.transport {
        crate::conf::model::Transport::Unicast => true,
        crate::conf::model::Transport::Multicast(_) => false,
    };
    let vmac = matches!(
        config.own_link.as_ref().map(|own| own.kind),
        Some(OwnLinkKind::Vmac(_))
    );
    vmac && (unicast || config.options.transmit_on_base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Mac;
    use crate::conf::model::Vrid;

    // Input: what `accept`, strict mode and the link say. Output: where adverts go.
    #[test]
    fn adverts_go_below_a_vmac_only_if_asked_for() {
        let mut config = VrrpInstance::new("VI", Vrid::new(1).unwrap(), "eth0");
        assert_eq!(config.family, Family::V4);
        assert!(!transmits_below(&config));
        assert_eq!(home(&config), "eth0");
        config.options.transmit_on_base = true;
        assert!(!transmits_below(&config));
        config.own_link = Some(OwnLink {
            name: "vrrp.1".to_owned(),
            kind: OwnLinkKind::Vmac(Mac([0, 0, 0x5e, 0, 1, 1])),
        });
        assert!(transmits_below(&config));
        config.options.transmit_on_base = false;
        assert!(!transmits_below(&config));
        assert_eq!(home(&config), "vrrp.1");
    }
}
