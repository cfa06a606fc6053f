//! Two routers that both say that they own the addresses (priority 255).
//!
//! Owns: how long the other is borne, and the priority that is reduced because of it. Never does:
//! change state; an owner whose priority is reduced meets the next advert as any lesser router
//! does. Driven by: `instance`, when an owner hears another one and when that falls silent.
//!
//! The RFCs do not provide for this error. As of equals the higher address wins, the lower one
//! yields with the first advert. If it does not, it cannot hear us, and two masters are worse than
//! either: then the higher one gives in.

use std::net::IpAddr;

use super::instance::{Cx, Heard, Instance};
use super::messages::{Line, say};
use crate::base::{Blank, Duration, Instant};
use crate::conf::model::Priority;

/// What is known of another owner.
#[derive(Debug, Default)]
pub(super) struct Clash {
    rival: Option<Rival>,
    /// Our priority is reduced because this router went on.
    reduced_for: Option<IpAddr>,
}

/// An owner that is heard while we are master.
#[derive(Debug, Clone, Copy)]
struct Rival {
    from: IpAddr,
    /// When it was first heard; our answer went out then.
    since: Instant,
    /// When it was last heard.
    last: Instant,
}

impl Blank for Clash {
    const BLANK: &'static Self = &Self {
        rival: None,
        reduced_for: None,
    };
}

/// What an owner advertises that has given in.
const REDUCED: Priority = Priority(254);
/// On top of the two intervals: an advert of ours may be late and have to travel.
const SLACK: Duration = Duration::from_millis(100);

impl Clash {
    /// The priority in effect.
    pub(super) const fn limit(&self, priority: Priority) -> Priority {
        if self.reduced_for.is_some() {
            REDUCED
        } else {
            priority
        }
    }

    /// Whether an advert shows that the router that we gave in to is no owner any more.
    pub(super) fn is_over(&self, heard: Heard) -> bool {
        self.reduced_for == Some(heard.from) && !heard.priority.is_owner()
    }

    /// We are not master any more: the next meeting is a new one.
    pub(super) const fn forget_rival(&mut self) {
        self.rival = None;
    }
}

impl Instance {
    /// A master that is an owner hears another owner. With the higher address it answers, and
    /// gives in only if that one goes on after two more of our adverts and the time to hear them.
    pub(super) fn meet_owner(&mut self, cx: &Cx<'_>, from: IpAddr) {
        if !self.priority().is_owner() {
            return;
        }
        let now = cx.now;
        let silence = self.quickest_takeover();
        let known = self
            .clash
            .rival
            .filter(|rival| rival.from == from && now.saturating_since(rival.last) <= silence);
        let since = known.map_or(now, |rival| rival.since);
        let last = now;
        self.clash.rival = Some(Rival { from, since, last });
        if known.is_none() {
            say(cx.style, &self.config.name, Line::TwoOwners { from });
        }
        let patience = self.config.advert_interval * 2 + SLACK;
        if now.saturating_since(since) >= patience {
            say(cx.style, &self.config.name, Line::OwnerStays { from });
            self.clash.reduced_for = Some(from);
        }
    }

    /// The other owner has gone, or is none any more.
    pub(super) fn restore_priority(&mut self, cx: &Cx<'_>) {
        let clash = self.clash.present();
        if let Some(from) = clash.and_then(|clash| clash.reduced_for.take()) {
            say(cx.style, &self.config.name, Line::OwnerGone { from });
        }
    }
}
