//! The whole daemon minus system calls, as one value.
//!
//! Owns: the domains, the running configuration, and (in `wiring`) the only table that turns one
//! domain's action into another's event. Never does: read a clock, open anything, block. Driven
//! by: `host` against the kernel, the simulator against a virtual world; the compiled code is the
//! same.
//!
//! The contract of the five methods: `handle`, `handle_timeout` and `apply` take the time and
//! append the effects to carry out, in order; `next_deadline` is when `handle_timeout` is needed
//! next, and may change after each of the three; calling `handle_timeout` early is harmless.

pub mod snapshot;
#[cfg(test)]
mod tests;
mod wiring;

use crate::base::Instant;
use crate::conf::model::plan::Plan;
use crate::conf::model::{Config, LogStyle};
use crate::ops::{Effect, Event};
use crate::{check, iface, ipvs, notify, track, vrrp};

/// What the node has to know before it starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Seed of everything random (warm-up of checks).
    pub seed: u64,
    /// Which log texts to write.
    pub log_style: LogStyle,
}

/// The daemon.
#[derive(Debug)]
pub struct Node {
    config: Config,
    vrrp: vrrp::Domain,
    check: check::Domain,
    ipvs: ipvs::Domain,
    iface: iface::Domain,
    notify: notify::Domain,
    track: track::Domain,
    queues: wiring::Queues,
    /// Counts the configurations.
    generation: u64,
    stopping: bool,
}

impl Node {
    /// A node without configuration; links and addresses come as events, then `apply`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            config: Config::default(),
            vrrp: vrrp::Domain::new(options.log_style),
            check: check::Domain::new(options.log_style, options.seed),
            ipvs: ipvs::Domain::default(),
            iface: iface::Domain::default(),
            notify: notify::Domain::default(),
            track: track::Domain::new(options.log_style),
            queues: wiring::Queues::default(),
            generation: 0,
            stopping: false,
        }
    }

    /// The configuration that runs.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Every VRRP instance as it stands.
    #[must_use]
    pub fn vrrp_view(&self) -> Vec<vrrp::InstanceView> {
        self.vrrp.view()
    }

    /// Makes `plan`, which leads from [`Node::config`] to `config`, happen. The first start is a
    /// plan from the empty configuration.
    pub fn apply(&mut self, now: Instant, plan: Plan, config: Config, out: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        self.notify.apply(&config.global, &mut self.queues.notify);
        if self.generation == 0 {
            let vrrp = &config.global.vrrp;
            self.vrrp
                .hold(now, vrrp.startup_delay, vrrp.delay_after_boot);
        }
        self.vrrp
            .log_unknown_vrids(config.global.vrrp.log_unknown_vrids);
        if let Some(statics) = &plan.statics {
            self.vrrp.apply_statics(now, statics, &mut self.queues.vrrp);
        }
        self.track.apply(now, &config, &mut self.queues.track);
        self.vrrp
            .apply(now, plan.vrrp, &config, &mut self.queues.vrrp);
        self.check.apply(now, plan.services, &mut self.queues.check);
        self.config = config;
        self.generation += 1;
        self.drain(now, out);
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Effect>) {
        self.dispatch(now, event, out);
        self.drain(now, out);
    }

    /// Lets everything that is due at `now` happen; harmless if nothing is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.track.handle_timeout(now, &mut self.queues.track);
        self.vrrp.handle_timeout(now, &mut self.queues.vrrp);
        self.check.handle_timeout(now, &mut self.queues.check);
        self.ipvs.handle_timeout(now, &mut self.queues.ipvs);
        self.notify.handle_timeout(now, &mut self.queues.notify);
        self.drain(now, out);
    }

    /// When `handle_timeout` is needed next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        [
            self.vrrp.next_deadline(),
            self.track.next_deadline(),
            self.check.next_deadline(),
            self.ipvs.next_deadline(),
            self.notify.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
