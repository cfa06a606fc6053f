//! What can be done to the world.
//!
//! Owns: every fault and every act of an administrator, with the checks that belong to the act
//! itself (a clean stop leaves nothing, a reload without a change does nothing). Never does:
//! choose; scenarios and `random` do. Driven by: these two.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use keepalived_rs::base::{Duration, IfIndex};
use keepalived_rs::conf::diff;
use keepalived_rs::conf::model::Config;
use keepalived_rs::ops::{Event, IpvsOp, KernelOp, Process, ServiceSpec};

use super::host::Refusal;
use super::kernel::Link;
use super::network::{Place, Weather};
use super::outside::Conduct;
use super::shadow::Router;
use super::text;
use super::transcript::unaffected;
use super::world::{Cause, Server, World};

impl World {
    /// SIGTERM: the daemon resigns from what it masters, once each, takes everything away, ends.
    pub fn stop(&mut self, host: usize) {
        if !self.hosts[host].awake() {
            return;
        }
        self.note(format_args!("stop {}", self.hosts[host].name));
        self.disturb();
        let mastered: BTreeSet<Router> = self.mastered(host).into_iter().collect();
        // The stop itself makes news.
        let machine = &self.hosts[host];
        let uninformed = machine.overflow || machine.netlink_clock >= self.now;
        self.turn(host, Cause::Stop, |host, now, out| {
            if let Some(process) = &mut host.process {
                process.node.handle(now, Event::Stop, out);
            }
        });
        let machine = &self.hosts[host];
        if machine.refusal.is_some() {
            // What the kernel did not let go stays, as after a crash.
            self.shadow.killed(host);
            return;
        }
        if uninformed {
            return;
        }
        let resigned = self.shadow.resignations();
        let name = &self.hosts[host].name;
        assert_eq!(
            resigned, mastered,
            "{name} resigned from the left, mastered the right"
        );
        if self.hosts[host].process.is_none() {
            self.check_left_clean(host);
            return;
        }
        // It waits for the scripts that it told, for a second at most.
        let epoch = self.hosts[host].epoch;
        self.plan(self.now + Duration::from_millis(1_100), move |world| {
            let machine = &world.hosts[host];
            if machine.process.is_none() && machine.refusal.is_none() {
                world.check_left_clean(host);
            } else if !machine.paused {
                assert_ne!(machine.epoch, epoch, "{} does not end", machine.name);
            }
        });
    }

    /// `kill -9` of the worker: the supervisor takes addresses and services away and starts a new
    /// one after `backoff`.
    pub fn crash_worker(&mut self, host: usize, backoff: Duration) {
        if self.hosts[host].process.is_none() {
            return;
        }
        self.note(format_args!("worker of {} dies", self.hosts[host].name));
        self.die(host);
        self.clean_up(host);
        self.start_later(host, backoff);
    }

    /// What the supervisor does by its ledger: addresses and services that are the daemon's go.
    pub(super) fn clean_up(&mut self, host: usize) {
        let kernel = &mut self.hosts[host].kernel;
        for address in kernel.addresses().to_vec() {
            if address.protocol != 0 {
                // It may have gone with its primary address just now.
                kernel.remove_address(&address.spec).ok();
            }
        }
        let foreign = self.shadow.foreign.get(&host);
        let kernel = &mut self.hosts[host].kernel;
        for id in kernel.ipvs.services().keys().copied().collect::<Vec<_>>() {
            if foreign.is_none_or(|foreign| !foreign.contains_key(&id)) {
                kernel.ipvs.remove(id);
            }
        }
        drop(self.hosts[host].kernel.take_news());
    }

    /// `kill -9` of worker and supervisor: addresses and services stay until the next start, which
    /// takes them away by the ledger, if that is not lost as well.
    pub fn kill(&mut self, host: usize) {
        if self.hosts[host].process.is_none() {
            return;
        }
        self.note(format_args!("kill {}", self.hosts[host].name));
        self.die(host);
        self.shadow.killed(host);
    }

    fn die(&mut self, host: usize) {
        self.disturb();
        let host = &mut self.hosts[host];
        if host.paused {
            self.shadow.fault_ends();
        }
        host.process = None;
        host.outside.forget_process();
        host.paused = false;
        host.suspended = false;
        host.inbox.clear();
        host.epoch += 1;
    }

    /// SIGHUP with `config` on the disk. One that changes nothing does nothing.
    pub fn reload(&mut self, host: usize, config: &Config) {
        let config = text::through(config);
        if self.hosts[host].paused {
            return;
        }
        if self.hosts[host].process.is_none() {
            // Without the ledger nobody would know what of the old configuration is left over.
            if !self.hosts[host].ledger_lost {
                self.hosts[host].config = config;
            }
            return;
        }
        // What is due at this very moment is not what the reload does.
        let process = self.hosts[host].process.as_ref();
        let due = process.and_then(|process| process.node.next_deadline());
        if due.is_some_and(|due| due <= self.now) {
            self.run_timers(host);
        }
        let before = self.hosts[host].config.clone();
        let changed = before != config;
        self.note(format_args!(
            "reload {} changed: {changed}",
            self.hosts[host].name
        ));
        if changed {
            self.disturb();
        }
        let plan = diff::plan(&before, &config);
        assert_eq!(
            plan.is_empty(),
            !changed,
            "the plan misses or invents a change"
        );
        let kept = unaffected(&before, &config);
        let groups = before.sync_groups.clone();
        self.shadow.reloading(Some(before));
        self.hosts[host].config = config.clone();
        let told = self.told(host);
        self.turn(host, Cause::Reload, |host, now, out| {
            if let Some(process) = &mut host.process {
                process.node.apply(now, plan, config, out);
            }
        });
        self.shadow.reloading(None);
        self.check_kept(host, &kept, &told);
        self.masters_find_together(host, &groups);
        if !changed {
            let name = &self.hosts[host].name;
            assert_eq!(
                self.shadow.last_effects(),
                0,
                "{name}: a reload without a change acts"
            );
        }
    }

    /// Switches a link on or off, or takes its carrier.
    pub fn set_link(&mut self, host: usize, name: &str, admin_up: bool, carrier: bool) {
        let Some((index, _)) = self.hosts[host].kernel.link_named(name) else {
            return;
        };
        self.note(format_args!(
            "{} {name} admin {admin_up} carrier {carrier}",
            self.hosts[host].name
        ));
        self.disturb();
        if !admin_up {
            // Its IPv6 addresses go as well, and the daemon may not hear of it yet.
            self.shadow.tolerate(host);
        }
        self.hosts[host].kernel.set_link(index, admin_up, carrier);
        self.tell_news(host);
    }

    /// Unplugs an interface, with its addresses; [`World::replug`] takes what this returns.
    pub fn unplug(&mut self, host: usize, name: &str) -> Option<Unplugged> {
        let (index, _) = self.hosts[host].kernel.link_named(name)?;
        self.note(format_args!("{} {name} unplugged", self.hosts[host].name));
        self.disturb();
        self.shadow.tolerate(host);
        let own = |a: &&super::kernel::Address| a.spec.interface == index && a.protocol == 0;
        let kernel = &mut self.hosts[host].kernel;
        let addresses = kernel.addresses().iter().filter(own).cloned().collect();
        let link = kernel.remove_link(index)?;
        self.tell_news(host);
        Some(Unplugged { link, addresses })
    }

    /// Plugs an interface in again; it gets a new index.
    pub fn replug(&mut self, host: usize, unplugged: Unplugged) -> IfIndex {
        let name = unplugged.link.name.clone();
        self.note(format_args!("{} {name} plugged in", self.hosts[host].name));
        self.disturb();
        let kernel = &mut self.hosts[host].kernel;
        let link = Link {
            admin_up: true,
            carrier: true,
            ..unplugged.link
        };
        let index = kernel.add_link(link);
        for mut address in unplugged.addresses {
            address.spec.interface = index;
            let added = kernel.add_address(&address.spec, address.protocol);
            assert_eq!(added, Ok(()), "a new interface takes an address");
        }
        self.tell_news(host);
        index
    }

    /// An administrator, or another program, takes an address away.
    pub fn remove_address(&mut self, host: usize, address: IpAddr) {
        let kernel = &mut self.hosts[host].kernel;
        let found = kernel
            .addresses()
            .iter()
            .find(|a| a.spec.address == address);
        let Some(spec) = found.map(|a| a.spec.clone()) else {
            return;
        };
        self.note(format_args!("{} loses {address}", self.hosts[host].name));
        self.disturb();
        self.shadow.tolerate(host);
        let removed = self.hosts[host].kernel.remove_address(&spec);
        assert_eq!(removed, Ok(()), "the address is there");
        self.tell_news(host);
    }

    /// Adds a service that is none of the daemon's business.
    pub fn add_foreign_service(&mut self, host: usize, spec: &ServiceSpec) {
        let op = KernelOp::Ipvs(IpvsOp::ServiceAdd(spec.clone()));
        let added = self.hosts[host].kernel.execute(&op);
        assert_eq!(added, Ok(()), "the table is empty");
        let table = self.hosts[host].kernel.ipvs.services().clone();
        self.shadow.foreign.insert(host, table);
    }

    /// Lets a kernel refuse operations, or obey again.
    pub fn refuse(&mut self, host: usize, refusal: Option<Refusal>) {
        let was = self.hosts[host].refusal;
        self.note(format_args!(
            "{} refuses {refusal:?}",
            self.hosts[host].name
        ));
        self.disturb();
        self.shadow.tolerate(host);
        self.hosts[host].refusal = refusal;
        match (was, refusal) {
            (None, Some(_)) => self.shadow.fault_begins(),
            (Some(_), None) => {
                self.shadow.fault_ends();
                self.shadow.refused_until(host, self.now);
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// The kernel drops its netlink messages, or no longer; then the daemon lists everything.
    pub fn set_overflow(&mut self, host: usize, overflow: bool) {
        if self.hosts[host].overflow == overflow {
            return;
        }
        self.note(format_args!(
            "{} overflow {overflow}",
            self.hosts[host].name
        ));
        self.disturb();
        self.hosts[host].overflow = overflow;
        if overflow {
            self.shadow.fault_begins();
        } else {
            self.shadow.fault_ends();
            self.relist(host);
        }
    }

    /// Changes what the wire does to frames.
    pub fn set_weather(&mut self, segment: usize, weather: Weather) {
        let was = self.segments[segment].weather;
        self.note(format_args!("segment {segment}: {weather:?}"));
        self.disturb();
        self.segments[segment].weather = weather;
        let clear = Weather::default();
        if was == clear && weather != clear {
            self.shadow.fault_begins();
        } else if was != clear && weather == clear {
            self.shadow.fault_ends();
        }
    }

    /// Cuts frames between two groups of places, in both directions or from `one` to `other` only,
    /// until [`World::mend`].
    pub fn cut(&mut self, segment: usize, one: &[Place], other: &[Place], both: bool) {
        self.note(format_args!(
            "segment {segment}: cut {one:?} {other:?} both {both}"
        ));
        self.disturb();
        if self.segments[segment].is_whole() {
            self.shadow.fault_begins();
        }
        if both {
            self.segments[segment].divide(one, other);
        } else {
            for &from in one {
                for &to in other {
                    self.segments[segment].cut(from, to);
                }
            }
        }
    }

    /// Ends all cuts of a segment.
    pub fn mend(&mut self, segment: usize) {
        self.note(format_args!("segment {segment}: mended"));
        self.disturb();
        if !self.segments[segment].is_whole() {
            self.segments[segment].mend();
            self.shadow.fault_ends();
        }
    }

    /// Puts a packet that no host sent on a segment; it reaches those that it is for.
    pub fn inject(&mut self, segment: usize, bytes: &[u8]) {
        for host in 0..self.hosts.len() {
            for index in self.hosts[host].kernel.links_on(segment) {
                if self.hosts[host].takes(index, bytes) {
                    self.frame_arrives(host, index, bytes);
                }
            }
        }
    }

    /// A real server changes.
    pub fn set_server(&mut self, address: SocketAddr, server: Server) {
        self.note(format_args!("server {address} {server:?}"));
        self.disturb();
        self.servers.insert(address, server);
    }

    /// A program behaves otherwise from its next run on.
    pub fn set_conduct(&mut self, host: usize, program: &str, conduct: Conduct) {
        let name = &self.hosts[host].name;
        self.note(format_args!("{name}: {program} does {conduct:?}"));
        self.disturb();
        let all = &mut self.hosts[host].outside.conduct;
        all.insert(program.to_owned(), conduct);
    }

    /// Somebody writes a file, or removes it.
    pub fn write_file(&mut self, host: usize, path: &str, content: Option<&[u8]>) {
        let name = &self.hosts[host].name;
        let text = content.map(String::from_utf8_lossy);
        self.note(format_args!("{name}: {path} holds {text:?}"));
        self.disturb();
        for (delay, arrival) in self.hosts[host].outside.write(path, content) {
            self.answer(host, delay, arrival);
        }
    }

    /// Other processes run.
    pub fn set_processes(&mut self, host: usize, processes: Vec<Process>) {
        let name = &self.hosts[host].name;
        self.note(format_args!("{name}: {} processes", processes.len()));
        self.disturb();
        self.hosts[host].outside.processes = processes;
    }

    /// Ends every fault that goes on, and starts every daemon that does not run.
    pub fn heal(&mut self) {
        for segment in 0..self.segments.len() {
            self.set_weather(segment, Weather::default());
            self.mend(segment);
        }
        for host in 0..self.hosts.len() {
            self.set_overflow(host, false);
            if self.hosts[host].refusal.is_some() {
                self.refuse(host, None);
            }
            if self.hosts[host].process.is_none() {
                self.start(host);
            }
        }
    }
}

/// An interface that is unplugged, with the administrator's addresses of it.
#[derive(Debug)]
pub struct Unplugged {
    link: Link,
    addresses: Vec<super::kernel::Address>,
}
