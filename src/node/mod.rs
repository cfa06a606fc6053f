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

use crate::base::{Instant, ident};
use crate::conf::diff;
use crate::conf::model::plan::Plan;
use crate::conf::model::{Config, FlushOnStop, InstanceKey, LogStyle, OnOff};
use crate::ops::{Effect, Event, ServiceName};
use crate::{bfd, check, iface, ipvs, notify, track, vrrp};

/// What the node has to know before it starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Seed of everything random (warm-up of checks).
    pub seed: u64,
    /// Which log texts to write.
    pub log_style: LogStyle,
}

/// What a process leaves to the one that goes on with its work on the same host: what the kernel
/// does not know. Addresses and IPVS services are found there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Estate {
    /// Names of VRRP instances that are masters.
    pub masters: Vec<String>,
    /// Real servers that are down, each as its service and itself.
    pub down: Vec<(String, String)>,
    /// Scripts of trackers, and whether they have gone well.
    pub scripts: Vec<(String, bool)>,
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
    bfd: bfd::Domain,
    queues: wiring::Queues,
    /// The instance that the daemon which copies connections follows.
    sync_instance: Option<InstanceKey>,
    /// Whether that is master, as it was told last.
    sync_master: Option<bool>,
    /// Counts the configurations.
    generation: u64,
    /// Another process did this work until now.
    inherits: bool,
    /// `-I`
    leaves_services: bool,
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
            // Not the numbers that checks spread themselves by.
            bfd: bfd::Domain::new(options.seed.rotate_left(32)),
            queues: wiring::Queues::default(),
            sync_instance: None,
            sync_master: None,
            generation: 0,
            inherits: false,
            leaves_services: false,
            stopping: false,
        }
    }

    /// The configuration that runs.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether it has to be told the time of day before events and timers.
    #[must_use]
    pub const fn wants_wall_clock(&self) -> bool {
        self.vrrp.wants_wall_clock()
    }

    /// Tells the time of day: so many microseconds since 1970 at `now`.
    pub const fn set_wall_clock(&mut self, now: Instant, micros: u64) {
        self.vrrp.set_wall_clock(now, micros);
    }

    /// Every VRRP instance as it stands.
    #[must_use]
    pub fn vrrp_view(&self) -> Vec<vrrp::InstanceView> {
        self.vrrp.view()
    }

    /// What another process needs in order to go on with the work of this one.
    #[must_use]
    pub fn estate(&self) -> Estate {
        let masters = self.vrrp.view().into_iter();
        let masters = masters.filter(|instance| instance.state == vrrp::State::Master);
        let servers = self.check.view().servers();
        let down = servers.filter(|server| !server.alive);
        Estate {
            masters: masters.map(|instance| instance.name).collect(),
            scripts: self.track.script_verdicts(),
            down: down
                .map(|server| (server.service.to_string(), server.server.to_string()))
                .collect(),
        }
    }

    /// Before the first [`Node::apply`]: goes on with the work of another process.
    pub fn inherit(&mut self, estate: Estate) {
        self.vrrp.inherit(estate.masters);
        self.check.inherit(estate.down);
        self.track.inherit(estate.scripts);
        self.inherits = true;
    }

    /// Whether an IPVS service of that name should be in the kernel.
    #[must_use]
    pub fn wants_service(&self, name: ServiceName) -> bool {
        self.ipvs.wants(name)
    }

    /// Makes `plan`, which leads from [`Node::config`] to `config`, happen. The first start is a
    /// plan from the empty configuration.
    pub fn apply(&mut self, now: Instant, plan: Plan, config: Config, out: &mut Vec<Effect>) {
        self.begin(now, plan, config, out);
        while self.go_on(now, usize::MAX, out) {}
    }

    /// The same, but the services wait for [`Node::go_on`]: there may be very many of them.
    pub fn begin(&mut self, now: Instant, plan: Plan, config: Config, out: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        self.notify.apply(&config.global, &mut self.queues.notify);
        // Who takes over has waited already.
        if self.generation == 0 && !self.inherits {
            let vrrp = &config.global.vrrp;
            self.vrrp
                .hold(now, vrrp.startup_delay, vrrp.delay_after_boot);
        }
        self.vrrp
            .log_unknown_vrids(config.global.vrrp.log_unknown_vrids);
        let mut all = config.vrrp_instances.iter();
        let signs = all.any(|instance| instance.options.signing.is_some());
        self.vrrp.expect_signatures(signs);
        if let Some(statics) = &plan.statics {
            self.vrrp.apply_statics(now, statics, &mut self.queues.vrrp);
        }
        self.follow_instance_of(now, &config);
        self.iface.configure(now, &config, &mut self.queues.iface);
        self.track.apply(now, &config, &mut self.queues.track);
        self.bfd.apply(now, plan.bfd, &mut self.queues.bfd);
        self.vrrp
            .apply(now, plan.vrrp, &config, &mut self.queues.vrrp);
        self.check
            .tell_initial_states(config.global.checks.notify_initial);
        self.check
            .log_all_failures(config.global.checks.log_all_failures);
        let firewall = &config.global.firewall;
        let marks = firewall.ipvs != OnOff::Off;
        self.check
            .mark_groups(marks.then_some(firewall.ipvs_first_mark));
        let whole = config.global.lvs.flush_on_stop != FlushOnStop::Own;
        self.check.end_quietly(whole || self.leaves_services);
        self.check.begin(plan.services);
        self.config = config;
        self.generation += 1;
        self.drain(now, out);
    }

    /// Takes about `items` more services and servers on; whether there are more.
    pub fn go_on(&mut self, now: Instant, items: usize, out: &mut Vec<Effect>) -> bool {
        let (_, more) = self.check.go_on(now, items, &mut self.queues.check);
        self.drain(now, out);
        more
    }

    /// What a reload does that leads to the configuration that runs: nothing of it is gone through
    /// but what may have been in FAULT for a cause that is gone.
    pub fn apply_again(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let mut config = std::mem::take(&mut self.config);
        let services = std::mem::take(&mut config.virtual_servers);
        let plan = diff::plan(&config, &config);
        config.virtual_servers = services;
        self.apply(now, plan, config, out);
    }

    /// Gives memory back that a start or a reload has needed.
    pub fn tidy(&mut self) {
        self.shrink_queues();
    }

    /// Services stay in the kernel when the daemon stops, on the operator's wish.
    pub const fn leave_services(&mut self) {
        self.leaves_services = true;
        self.check.end_quietly(true);
    }

    /// Hands the settings of IPVS on, with the instance whose state its daemon follows.
    fn follow_instance_of(&mut self, now: Instant, config: &Config) {
        let lvs = &config.global.lvs;
        let name = lvs
            .sync_daemon
            .as_ref()
            .and_then(|daemon| daemon.instance.as_ref());
        let instance = config
            .vrrp_instances
            .iter()
            .find(|instance| Some(&instance.name) == name);
        if let (Some(name), None) = (name, instance) {
            log::info!(
                target: ident::VRRP,
                "Unable to find vrrp instance {name} for lvs_syncd - clearing lvs_syncd config"
            );
        }
        let followed = instance.map(|instance| instance.key());
        if followed != self.sync_instance {
            self.sync_instance = followed;
            self.sync_master = None;
            self.ipvs
                .handle(now, ipvs::Event::Follow(None), &mut self.queues.ipvs);
        }
        let router_id = instance.map(|instance| instance.vrid.get());
        self.ipvs.apply(now, lvs, router_id, &mut self.queues.ipvs);
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Effect>) {
        self.dispatch(now, event, out);
        self.drain(now, out);
    }

    /// Lets everything that is due at `now` happen; harmless if nothing is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.iface.handle_timeout(now, &mut self.queues.iface);
        self.track.handle_timeout(now, &mut self.queues.track);
        self.bfd.handle_timeout(now, &mut self.queues.bfd);
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
            self.iface.next_deadline(),
            self.track.next_deadline(),
            self.bfd.next_deadline(),
            self.check.next_deadline(),
            self.ipvs.next_deadline(),
            self.notify.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
