//! The link that an instance brings with it, and what the firewall does for it.
//!
//! Owns: when such a link is asked for and given back, when it counts as missing, and which
//! addresses the firewall keeps traffic from (`no_accept`, strict mode). Never does: make one.
//! Driven by: `domain`, whenever the links of the host change, and `instance` at its transitions.

use std::net::IpAddr;

use super::addresses::{Kind, RETRY_DELAY, tag};
use super::instance::{Cx, Instance, InstanceId, Timer};
use super::messages::{Line, Note, note, say};
use crate::base::{IfIndex, Instant};
use crate::conf::model::{OwnLink, OwnLinkKind, VrrpInstance};
use crate::ops::{Blocked, Effect, FirewallOp, KernelOp, LinkKind, LinkSpec};

/// In operation tags: the link itself, and the firewall. Addresses count from 1.
pub(super) const LINK_SLOT: u32 = 0;
pub(super) const FIREWALL_SLOT: u32 = u32::MAX >> 1;

const ENODEV: i32 = 19;

/// Where the link of an instance stands.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// When it was last asked for, while it has not come.
    asked: Option<Instant>,
    /// It is there, and by our doing or taken over.
    there: Option<IfIndex>,
    /// The kernel refused to make it.
    refused: Option<i32>,
    /// The firewall was told of it, with these links.
    reports: Option<(IfIndex, IfIndex)>,
    /// What the firewall keeps traffic from.
    blocked: Vec<Blocked>,
    complained: bool,
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

impl Instance {
    /// Name of the link that it runs on and that carries its addresses.
    pub(super) fn home(&self) -> &str {
        home(&self.config)
    }

    pub(super) fn own_link_state(&self) -> OwnLinkState {
        match (&self.config.own_link, self.own.there, self.own.refused) {
            (None, _, _) | (Some(_), Some(_), _) => OwnLinkState::Settled,
            (Some(_), None, None) if self.own.asked.is_some() => OwnLinkState::Coming,
            (Some(_), None, _) => OwnLinkState::Missing,
        }
    }

    /// Asks for the link where it is missing and can be made, and takes notice of it where it is
    /// there.
    pub(super) fn settle_own_link(&mut self, cx: &mut Cx<'_>) {
        let Some(own) = &self.config.own_link else {
            return;
        };
        let below = cx.links.by_name(&self.config.interface);
        let base = below.map(|facts| facts.index);
        let found = cx.links.by_name(&own.name);
        let ours = found.filter(|facts| match own.kind {
            OwnLinkKind::Vmac(mac) => facts.mac == Some(mac),
            OwnLinkKind::Ipvlan => true,
        });
        let there = ours.map(|facts| facts.index);
        if found.is_some() && there.is_none() {
            self.own.there = None;
            self.own.asked = None;
            if !std::mem::replace(&mut self.own.complained, true) {
                note(cx.style, &self.config.name, Note::OwnLinkTaken(&own.name));
            }
            return;
        }
        // A new link is down for a moment; the kernel tells when it is not.
        if let Some(asked) = self.own.asked
            && ours.is_some_and(|facts| !facts.up)
            && below.is_some_and(|facts| facts.up)
            && cx.now < asked + RETRY_DELAY
        {
            cx.arm(self.id, Timer::Retry, asked + RETRY_DELAY);
            return;
        }
        if let Some(index) = there {
            if self.own.there != there && self.own.asked.is_some() {
                say(cx.style, &self.config.name, Line::OwnLinkMade(own));
            }
            self.own.there = there;
            self.own.asked = None;
            self.own.refused = None;
            self.own.complained = false;
            self.let_reports_leave_below(cx, index, base);
            return;
        }
        self.own.there = None;
        self.own.reports = None;
        let Some(spec) = self.own_link_spec(cx, base) else {
            self.own.asked = None;
            return;
        };
        // One that does not last is asked for once a second, not faster.
        if let Some(asked) = self.own.asked
            && cx.now < asked + RETRY_DELAY
        {
            cx.arm(self.id, Timer::Retry, asked + RETRY_DELAY);
            return;
        }
        self.own.asked = Some(cx.now);
        let tag = tag(self.id, LINK_SLOT, Kind::Add);
        cx.effect(Effect::Kernel(KernelOp::LinkAdd(spec), tag));
    }

    fn own_link_spec(&self, cx: &Cx<'_>, base: Option<IfIndex>) -> Option<LinkSpec> {
        let own = self.config.own_link.as_ref()?;
        let base = base?;
        let link_local = match cx.links.source(base, self.config.family) {
            Some(IpAddr::V6(address)) => Some(address),
            Some(IpAddr::V4(_)) | None => None,
        };
        Some(LinkSpec {
            name: own.name.clone(),
            base,
            kind: match own.kind {
                OwnLinkKind::Vmac(mac) => LinkKind::Macvlan(mac),
                OwnLinkKind::Ipvlan => LinkKind::Ipvlan,
            },
            family: self.config.family,
            link_local,
        })
    }

    /// The kernel refused to make or to remove the link.
    pub(super) fn own_link_refused(&mut self, cx: &mut Cx<'_>, kind: Kind, errno: i32) {
        let Some(own) = &self.config.own_link else {
            return;
        };
        match kind {
            // Its removal is asked for when the instance goes; nobody waits for it.
            Kind::Del => {}
            Kind::Add => {
                self.own.asked = None;
                self.own.refused = Some(errno);
                // The interface below is on its way out; that is told next.
                let going = errno == ENODEV;
                if !going && !std::mem::replace(&mut self.own.complained, true) {
                    let refused = Note::OwnLinkRefused {
                        link: own,
                        interface: &self.config.interface,
                        errno,
                    };
                    note(cx.style, &self.config.name, refused);
                }
                cx.arm(self.id, Timer::Retry, cx.now + RETRY_DELAY);
            }
        }
    }

    /// Takes the link away for good.
    pub(super) fn give_own_link_up(&mut self, cx: &mut Cx<'_>) {
        let base = cx.links.by_name(&self.config.interface);
        let base = base.map(|facts| facts.index);
        if let Some((vmac, _)) = self.own.reports.take() {
            let family = self.config.family;
            self.firewall(cx, FirewallOp::ForgetVmac { vmac, family });
        }
        if self.own.there.take().is_none() && self.own.asked.take().is_none() {
            return;
        }
        if let Some(spec) = self.own_link_spec(cx, base)
            && let Some(own) = &self.config.own_link
        {
            let tag = tag(self.id, LINK_SLOT, Kind::Del);
            cx.effect(Effect::Kernel(KernelOp::LinkDel(spec), tag));
            say(cx.style, &self.config.name, Line::OwnLinkRemoved(own));
        }
    }

    fn let_reports_leave_below(&mut self, cx: &mut Cx<'_>, vmac: IfIndex, base: Option<IfIndex>) {
        let family = self.config.family;
        let vmac_link = self
            .config
            .own_link
            .as_ref()
            .is_some_and(|own| match own.kind {
                OwnLinkKind::Vmac(_) => true,
                OwnLinkKind::Ipvlan => false,
            });
        if let Some(base) = base
            && vmac_link
            && self.own.reports != Some((vmac, base))
        {
            if let Some((vmac, _)) = self.own.reports.replace((vmac, base)) {
                self.firewall(cx, FirewallOp::ForgetVmac { vmac, family });
            }
            self.firewall(cx, FirewallOp::ReportsBelow { vmac, base, family });
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
            self.firewall(cx, FirewallOp::Block(blocked));
        }
        for blocked in gone {
            self.firewall(cx, FirewallOp::Unblock(blocked));
        }
    }

    /// The firewall refused; said once, because nothing can be done about it here.
    pub(super) fn firewall_refused(&mut self, cx: &Cx<'_>, errno: i32) {
        if !std::mem::replace(&mut self.own.complained, true) {
            note(cx.style, &self.config.name, Note::FirewallRefused(errno));
        }
    }

    fn firewall(&self, cx: &mut Cx<'_>, op: FirewallOp) {
        let tag = tag(self.id, FIREWALL_SLOT, Kind::Add);
        cx.effect(Effect::Kernel(KernelOp::Firewall(op), tag));
    }
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
    use crate::base::{Family, Mac};
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
