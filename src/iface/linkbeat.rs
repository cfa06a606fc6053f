//! Links that are asked for instead of being told (`linkbeat_interfaces`, `linkbeat_use_polling`).
//!
//! Owns: which they are, when to ask and in which way, and what was answered. Never does: ask.
//! Driven by: the mirror beside it.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Duration, IfIndex, Instant, ident};
use crate::conf::model::options::{LinkPoll, Tracked};
use crate::conf::model::{Config, VrrpInstance};
use crate::ops::LinkProbe;

/// From question to question, as keepalived does.
const PERIOD: Duration = Duration::from_secs(1);

/// What is known of a link that is asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    how: LinkProbe,
    /// Whether that way has answered once: then another is never tried.
    settled: bool,
    carrier: Option<bool>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Linkbeat {
    wanted: BTreeMap<String, LinkPoll>,
    asked: BTreeMap<IfIndex, Asked>,
    next: Option<Instant>,
}

impl Linkbeat {
    /// Takes a configuration over; returns whether links are asked for that were not, or the other
    /// way around.
    pub(super) fn configure(&mut self, now: Instant, config: &Config) -> bool {
        let wanted = wanted(config);
        if wanted == self.wanted {
            return false;
        }
        if self.wanted.is_empty() {
            log::info!(target: ident::VRRP, "Using MII-BMSR/ETHTOOL NIC polling thread(s)...");
        }
        self.next = (!wanted.is_empty()).then_some(now);
        self.wanted = wanted;
        self.asked.clear();
        true
    }

    /// Whether the link of this name is asked for.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.wanted.contains_key(name)
    }

    /// Whether it had a carrier when it was last asked for.
    pub(super) fn carrier(&self, index: IfIndex) -> Option<bool> {
        self.asked.get(&index)?.carrier
    }

    /// When to ask next.
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// How to ask for the link of this name now.
    pub(super) fn question(&mut self, index: IfIndex, name: &str) -> Option<LinkProbe> {
        let first = match self.wanted.get(name)? {
            LinkPoll::Any | LinkPoll::Mii => LinkProbe::Mii,
            LinkPoll::Ethtool => LinkProbe::Ethtool,
            LinkPoll::Ioctl => LinkProbe::Flags,
        };
        let asked = self.asked.entry(index).or_insert(Asked {
            how: first,
            settled: false,
            carrier: None,
        });
        Some(asked.how)
    }

    /// All were asked at `now`.
    pub(super) fn rest(&mut self, now: Instant) {
        self.next = Some(now + PERIOD);
    }

    /// A link is gone: one that comes with its index is another.
    pub(super) fn forget(&mut self, index: IfIndex) {
        self.asked.remove(&index);
    }

    /// Takes an answer for the link of this name; returns how to ask again at once, if this way is
    /// none.
    pub(super) fn answer(
        &mut self,
        index: IfIndex,
        name: &str,
        how: LinkProbe,
        carrier: Option<bool>,
    ) -> Option<LinkProbe> {
        let asked = self
            .asked
            .get_mut(&index)
            .filter(|asked| asked.how == how)?;
        if carrier.is_some() {
            asked.carrier = carrier;
            asked.settled = true;
            return None;
        }
        if asked.settled {
            // It answered before: a link that is being taken away.
            return None;
        }
        let (next, shown) = match how {
            LinkProbe::Mii => (LinkProbe::Ethtool, "ETHTOOL"),
            LinkProbe::Ethtool => (LinkProbe::Flags, "IOCTL"),
            LinkProbe::Flags => return None,
        };
        asked.how = next;
        let configured = match self.wanted.get(name) {
            Some(LinkPoll::Mii) => "MII",
            Some(LinkPoll::Ethtool) => "ETHTOOL",
            Some(LinkPoll::Any | LinkPoll::Ioctl) | None => return Some(next),
        };
        log::info!(
            target: ident::VRRP,
            "({name}): Configured linkbeat type {configured} not supported, using {shown}"
        );
        Some(next)
    }
}

/// The links that are to be asked for. `linkbeat_use_polling` means every one that matters to an
/// instance.
fn wanted(config: &Config) -> BTreeMap<String, LinkPoll> {
    let mut wanted: BTreeMap<String, LinkPoll> = BTreeMap::new();
    let instances = config.vrrp_instances.iter();
    if config.global.interfaces.poll_links {
        let names: BTreeSet<&str> = instances.clone().flat_map(|one| used(one)).collect();
        let groups = config.sync_groups.iter();
        let tracked = groups.flat_map(|group| &group.tracking.interfaces);
        let names = names.into_iter().chain(tracked.map(name_of));
        wanted.extend(names.map(|name| (name.to_owned(), LinkPoll::Any)));
    }
    let alone = instances.filter(|instance| instance.options.poll_link);
    wanted.extend(alone.map(|instance| (instance.interface.clone(), LinkPoll::Any)));
    wanted.extend(config.links.polled.iter().cloned());
    wanted
}

fn used(instance: &VrrpInstance) -> impl Iterator<Item = &str> {
    let options = &instance.options;
    let addresses = instance.addresses.iter().chain(&options.excluded);
    let carriers = addresses.filter_map(|vip| vip.interface.as_deref());
    let tracked = options.tracking.interfaces.iter().map(name_of);
    carriers.chain(tracked).chain([instance.interface.as_str()])
}

fn name_of(tracked: &Tracked) -> &str {
    &tracked.name
}
