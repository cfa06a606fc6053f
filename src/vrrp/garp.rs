//! Telling the segment where the virtual addresses are now.
//!
//! Owns: bursts of gratuitous ARP, or unsolicited neighbour advertisements for IPv6: which addresses, how many frames, in keepalived's order (round
//! by round over all addresses). Never does: decide that a burst is due. Driven by: `instance`
//! at its transitions and timers, and `addresses`, which announces each address as it is added.

use std::net::IpAddr;

use super::instance::{Cx, Instance, Timer};
use super::messages::{Line, say};
use crate::base::{Duration, Family};
use crate::conf::model::LogStyle;
use crate::ops::{Effect, Frame};
use crate::wire::{arp, ndisc};

impl Instance {
    /// Announces every address `rounds` times, with the line that says so for each.
    pub(super) fn announce(&self, cx: &mut Cx<'_>, rounds: u32) {
        for round in 0..rounds {
            for index in 0..self.vips.len() {
                self.announce_one(cx, index, round == 0);
            }
        }
    }

    /// Sends the rounds of a burst that follow after these addresses have been announced once.
    pub(super) fn announce_further(&self, cx: &mut Cx<'_>, which: &[usize]) {
        for _ in 1..self.config.garp.repeat {
            for &index in which {
                self.announce_one(cx, index, false);
            }
        }
    }

    /// Sends one frame for one address, if it is there; `first` writes the line that a burst begins.
    pub(super) fn announce_one(&self, cx: &mut Cx<'_>, index: usize, first: bool) {
        let vip = &self.vips[index];
        if !vip.standing.is_there() {
            return;
        }
        let address = vip.config.address;
        let Some(on) = vip.on else {
            return;
        };
        let Some(facts) = cx.links.by_index(on) else {
            return;
        };
        if facts.mac.is_none() {
            // No Ethernet, no ARP: a tunnel or point-to-point link has nobody to tell.
            return;
        }
        let interface = facts.name.as_str();
        let burst = Line::AnnouncingOn { interface, address };
        let frame = Line::Announced { interface, address };
        match cx.style {
            LogStyle::Current => {
                if first {
                    say(cx.style, &self.config.name, burst);
                }
                say(cx.style, &self.config.name, frame);
            }
            // 1.3.5 said so after the first frame.
            LogStyle::V1_3 => {
                say(cx.style, &self.config.name, frame);
                if first {
                    say(cx.style, &self.config.name, burst);
                }
            }
        }
        let lane = (interface, Family::of(address));
        if cx.pace.admits(cx.now, lane, (self.id, vip.slot)) {
            self.announce_slot(cx, vip.slot, !first);
        }
    }

    /// Sends one frame for the address with this slot, if it is there; whether it did. `again`: others
    /// go first.
    pub(super) fn announce_slot(&self, cx: &mut Cx<'_>, slot: u32, again: bool) -> bool {
        let mut vips = self.vips.iter();
        let vip = vips.find(|vip| vip.slot == slot && vip.standing.is_there());
        let Some((vip, facts)) = vip.and_then(|vip| Some((vip, cx.links.by_index(vip.on?)?)))
        else {
            return false;
        };
        let Some(mac) = facts.mac else {
            return false;
        };
        let bytes = match vip.config.address {
            IpAddr::V4(address) => arp::gratuitous_request(mac, address),
            IpAddr::V6(address) => ndisc::unsolicited_advert(mac, address, facts.forwards_v6),
        };
        let frame = Frame::Link {
            interface: facts.index,
            bytes,
            again,
        };
        let socket = cx.link_socket;
        cx.effect(Effect::Send(socket, frame));
        true
    }

    /// Arms the burst that `timer` brings after `delay`, if there is to be one.
    pub(super) fn arm_burst(&self, cx: &mut Cx<'_>, timer: Timer, delay: Duration) {
        if !delay.is_zero() {
            cx.arm(self.id, timer, cx.now + delay);
        }
    }

    /// Arms the next of the periodic bursts, if there are to be any.
    pub(super) fn arm_refresh(&self, cx: &mut Cx<'_>) {
        let period = self.config.garp.refresh;
        if !period.is_zero() {
            cx.arm(self.id, Timer::Refresh, cx.now + period);
        }
    }

    /// One frame for each link that carries addresses and that no advert of this instance leaves by,
    /// so that switches go on knowing where its MAC address is: the links with a virtual one, or
    /// all of them.
    pub(super) fn announce_elsewhere(&self, cx: &mut Cx<'_>) {
        let every = self.config.options.garp_extra.is_some_and(|(_, all)| all);
        let mut told = Vec::new();
        for index in 0..self.vips.len() {
            let vip = &self.vips[index];
            let Some(on) = vip.on.filter(|&on| Some(on) != self.link) else {
                continue;
            };
            if (every || vip.config.options.own_link.is_some())
                && vip.standing.is_there()
                && !told.contains(&on)
            {
                told.push(on);
                self.announce_one(cx, index, false);
            }
        }
    }

    /// Arms the next of these announcements, if there are to be any.
    pub(super) fn arm_elsewhere(&self, cx: &mut Cx<'_>) {
        let period = self.config.options.garp_extra.map(|(period, _)| period);
        if let Some(period) = period.filter(|period| !period.is_zero()) {
            cx.arm(self.id, Timer::Elsewhere, cx.now + period);
        }
    }
}
