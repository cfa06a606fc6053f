//! How fast announcements may follow each other (`vrrp_garp_interval`, `vrrp_gna_interval`,
//! `garp_group`).
//!
//! Owns: for each interface, or group of them, when the next frame may go, and the addresses that
//! wait. Never does: build a frame. Driven by: `garp`, which asks before each, and `domain`'s timers.

use std::collections::{BTreeMap, VecDeque};

use super::Action;
use super::domain::Domain;
use super::instance::InstanceId;
use crate::base::{Duration, Family, Instant};
use crate::conf::model::Config;

/// More waiting announcements than this are dropped: the periodic ones come again.
const MOST: usize = 1 << 16;

/// Frames of one kind on one interface, or on those of one group.
#[derive(Debug, Default)]
struct Lane {
    interval: Duration,
    next: Instant,
    waiting: VecDeque<(InstanceId, u32)>,
}

/// Of gratuitous ARP, of neighbour advertisements.
type Lanes = [Lane; 2];

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Where no group says otherwise.
    usual: [Duration; 2],
    lanes: Vec<Lanes>,
    by_interface: BTreeMap<String, usize>,
    configured: Option<([Duration; 2], Vec<crate::conf::model::options::GarpGroup>)>,
}

fn lanes([garp, gna]: [Duration; 2]) -> Lanes {
    let lane = |interval| Lane {
        interval,
        ..Lane::default()
    };
    [lane(garp), lane(gna)]
}

impl Pace {
    /// Takes a configuration over. What waits is kept unless a pace changes.
    pub(super) fn configure(&mut self, config: &Config) {
        let usual = [
            config.global.vrrp.garp_interval,
            config.global.vrrp.gna_interval,
        ];
        let wanted = (usual, config.links.garp_groups.clone());
        if self.configured.as_ref() == Some(&wanted) {
            return;
        }
        self.usual = usual;
        self.lanes.clear();
        self.by_interface.clear();
        for group in &wanted.1 {
            let intervals = [group.garp_interval, group.gna_interval];
            self.lanes
                .push(lanes(intervals.map(Option::unwrap_or_default)));
            for name in &group.interfaces {
                self.by_interface.insert(name.clone(), self.lanes.len() - 1);
            }
        }
        self.configured = Some(wanted);
    }

    /// Whether an announcement may go now; else it waits for its turn.
    pub(super) fn admits(
        &mut self,
        now: Instant,
        (interface, family): (&str, Family),
        who: (InstanceId, u32),
    ) -> bool {
        let at = match self.by_interface.get(interface) {
            Some(&at) => at,
            None if self.usual == [Duration::ZERO; 2] => return true,
            None => {
                self.lanes.push(lanes(self.usual));
                let at = self.lanes.len() - 1;
                self.by_interface.insert(interface.to_owned(), at);
                at
            }
        };
        let Some(lane) = self.lanes.get_mut(at).map(|lanes| match family {
            Family::V4 => &mut lanes[0],
            Family::V6 => &mut lanes[1],
        }) else {
            return true;
        };
        if lane.interval.is_zero() {
            return true;
        }
        if lane.waiting.is_empty() && lane.next <= now {
            lane.next = now + lane.interval;
            return true;
        }
        if lane.waiting.len() < MOST {
            lane.waiting.push_back(who);
        }
        false
    }

    /// When the next of those that wait may go.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let lanes = self.lanes.iter().flatten();
        lanes
            .filter(|lane| !lane.waiting.is_empty())
            .map(|lane| lane.next)
            .min()
    }
}

impl Domain {
    /// Sends what has waited long enough; what is no longer there costs no time.
    pub(super) fn announce_waiting(&mut self, now: Instant, out: &mut Vec<Action>) {
        let mut lanes = std::mem::take(&mut self.pace.lanes);
        for lane in lanes.iter_mut().flatten() {
            while lane.next <= now
                && let Some((id, slot)) = lane.waiting.pop_front()
            {
                if let Some((instance, mut cx)) = self.split(now, id, out)
                    && instance.announce_slot(&mut cx, slot, false)
                {
                    lane.next = now + lane.interval;
                }
            }
        }
        self.pace.lanes = lanes;
    }
}
