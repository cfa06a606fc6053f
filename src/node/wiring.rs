//! Which action of a domain is which event of another.
//!
//! Owns: that table, and nothing else. Domains do not know of each other.

use super::Node;
use crate::base::Instant;
use crate::conf::model::BfdAudience;
use crate::ops::{Asker, ChildId, Effect, Event, OpOwner};
use crate::{bfd, check, iface, ipvs, notify, track, vrrp};

/// How many actions a queue keeps room for.
const KEPT: usize = 256;

/// Actions that wait to be handed on; kept to reuse their memory.
#[derive(Debug, Default)]
pub(super) struct Queues {
    pub(super) vrrp: Vec<vrrp::Action>,
    pub(super) check: Vec<check::Action>,
    pub(super) ipvs: Vec<ipvs::Action>,
    pub(super) iface: Vec<iface::Action>,
    pub(super) notify: Vec<notify::Action>,
    pub(super) track: Vec<track::Action>,
    pub(super) bfd: Vec<bfd::Action>,
}

impl Node {
    /// Hands an event of the world to the domain that it concerns.
    pub(super) fn dispatch(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Effect>) {
        match event {
            Event::Link(change) => self.iface.link(now, &change, &mut self.queues.iface),
            Event::LinkAsked {
                index,
                how,
                carrier,
            } => self
                .iface
                .answer(index, how, carrier, &mut self.queues.iface),
            Event::Address(change) => self.iface.address(now, &change, &mut self.queues.iface),
            Event::Routing(news) => {
                self.vrrp
                    .handle(now, vrrp::Event::Routing(news), &mut self.queues.vrrp);
            }
            Event::Packet {
                socket,
                meta,
                bytes,
            } => {
                let event = vrrp::Event::Packet {
                    socket,
                    meta,
                    bytes,
                };
                self.vrrp.handle(now, event, &mut self.queues.vrrp);
            }
            Event::Datagram(datagram) => self.tell_bfd(now, bfd::Event::Datagram(datagram)),
            Event::SocketFailed { socket, errno } if socket.is_bfd() => {
                self.tell_bfd(now, bfd::Event::SocketFailed(socket, errno));
            }
            Event::SocketFailed { socket, errno } => {
                let event = vrrp::Event::SocketFailed(socket, errno);
                self.vrrp.handle(now, event, &mut self.queues.vrrp);
            }
            Event::Probe { id, what } => match id.mail() {
                Some(number) => self.notify.mail(now, number, what, &mut self.queues.notify),
                None => {
                    self.check
                        .handle(now, check::Event::Probe(id, what), &mut self.queues.check);
                }
            },
            Event::Refused { tag, errno } => match tag.owner {
                OpOwner::Vrrp => {
                    self.vrrp
                        .handle(now, vrrp::Event::Refused(tag, errno), &mut self.queues.vrrp);
                }
                OpOwner::Ipvs => {
                    self.ipvs
                        .handle(now, ipvs::Event::Refused(tag, errno), &mut self.queues.ipvs);
                }
            },
            Event::IpvsLook(found) => {
                self.ipvs
                    .handle(now, ipvs::Event::Look(found), &mut self.queues.ipvs);
            }
            Event::IpvsTimeouts(timeouts) => {
                self.ipvs
                    .handle(now, ipvs::Event::Timeouts(timeouts), &mut self.queues.ipvs);
            }
            Event::IpvsTable(table) => {
                self.ipvs
                    .handle(now, ipvs::Event::Table(table), &mut self.queues.ipvs);
            }
            Event::Child { id, end } => match id.asker {
                Asker::Track => {
                    let event = track::Event::Child(id.number, end);
                    self.track.handle(now, event, &mut self.queues.track);
                }
                Asker::Check => {
                    let event = check::Event::Child(id.number, end);
                    self.check.handle(now, event, &mut self.queues.check);
                }
                Asker::Notify => {
                    let event = notify::Event::Child(id.number, end);
                    self.notify.handle(now, event, &mut self.queues.notify);
                }
            },
            Event::Processes(processes) => {
                let event = track::Event::Processes(processes);
                self.track.handle(now, event, &mut self.queues.track);
            }
            Event::ProcessNews(news) => {
                let event = track::Event::ProcessNews(news);
                self.track.handle(now, event, &mut self.queues.track);
            }
            Event::File { id, content } => match id.asker {
                Asker::Track => {
                    let event = track::Event::File(id.number, content);
                    self.track.handle(now, event, &mut self.queues.track);
                }
                // They watch none.
                Asker::Notify | Asker::Check => {}
            },
            Event::Fifo { id, what } => {
                let event = notify::Event::Fifo(id, what);
                self.notify.handle(now, event, &mut self.queues.notify);
            }
            Event::Stop => self.stop(now, out),
        }
    }

    fn tell_bfd(&mut self, now: Instant, event: bfd::Event<'_>) {
        self.bfd.handle(now, event, &mut self.queues.bfd);
    }

    /// Resigns, then takes addresses and services away, in the order that operators know: priority
    /// 0, addresses, services.
    fn stop(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.notify
            .handle(now, notify::Event::Stopping, &mut self.queues.notify);
        self.track
            .handle(now, track::Event::Stop, &mut self.queues.track);
        self.bfd.handle(now, bfd::Event::Stop, &mut self.queues.bfd);
        self.vrrp
            .handle(now, vrrp::Event::Stop, &mut self.queues.vrrp);
        self.drain(now, out);
        self.check
            .handle(now, check::Event::Stop, &mut self.queues.check);
        self.drain(now, out);
        self.ipvs
            .handle(now, ipvs::Event::Stop, &mut self.queues.ipvs);
        self.drain(now, out);
        self.notify
            .handle(now, notify::Event::Stop, &mut self.queues.notify);
        self.drain(now, out);
    }

    /// A script that names nobody runs as the script user of the configuration.
    fn on_behalf(&self, mut effect: Effect) -> Effect {
        if let Effect::Spawn(_, command) = &mut effect
            && command.user.is_none()
        {
            let scripts = &self.config.global.scripts;
            command.user.clone_from(&scripts.user);
            command.group.clone_from(&scripts.group);
        }
        effect
    }

    /// Lets the daemon that copies connections know whether its instance is master.
    fn follow(&mut self, now: Instant) {
        // Its last role ends with everything else.
        if self.stopping {
            return;
        }
        let Some(key) = &self.sync_instance else {
            return;
        };
        let master = self
            .vrrp
            .instance(key)
            .map(|view| view.state == vrrp::State::Master);
        if master != self.sync_master {
            self.sync_master = master;
            self.ipvs
                .handle(now, ipvs::Event::Follow(master), &mut self.queues.ipvs);
        }
    }

    /// Hands actions on until none is left.
    pub(super) fn drain(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for action in std::mem::take(&mut self.queues.iface) {
            let event = match action {
                iface::Action::Changed(interface) => vrrp::Event::Interface(vrrp::InterfaceFacts {
                    index: interface.index,
                    name: interface.name,
                    up: interface.up,
                    polled: interface.polled,
                    mac: interface.mac,
                    mtu: interface.mtu,
                    forwards_v6: interface.forwards_v6,
                    vrf: interface.vrf,
                }),
                iface::Action::World(effect) => {
                    out.push(effect);
                    continue;
                }
                iface::Action::Gone(index) => vrrp::Event::InterfaceGone(index),
                iface::Action::Address(change) => {
                    let event = check::Event::Address(change.index, change.address, change.present);
                    self.check.handle(now, event, &mut self.queues.check);
                    vrrp::Event::Address(change)
                }
            };
            self.vrrp.handle(now, event, &mut self.queues.vrrp);
        }
        self.drain_trackers(now, out);
        self.drain_sessions(now, out);
        for action in self.queues.check.drain(..) {
            match action {
                check::Action::Probe(id, command) => out.push(Effect::Probe(id, command)),
                check::Action::Spawn(number, command) => {
                    out.push(Effect::Spawn(program(number), command));
                }
                check::Action::Kill(number, signal) => {
                    out.push(Effect::Kill(program(number), signal));
                }
                check::Action::Want(wanted) => {
                    let event = ipvs::Event::Want(wanted.spec, wanted.destinations);
                    self.ipvs.handle(now, event, &mut self.queues.ipvs);
                }
                check::Action::Notice(notice) => {
                    let event = notify::Event::Notice(notice);
                    self.notify.handle(now, event, &mut self.queues.notify);
                }
                check::Action::Mark(marked, mark) => out.push(Effect::Mark(marked, mark)),
                check::Action::Unwant(name) => {
                    self.ipvs
                        .handle(now, ipvs::Event::Unwant(name), &mut self.queues.ipvs);
                }
                check::Action::WantDestination(key, address, wanted) => {
                    let event = ipvs::Event::WantDestination(key, address, wanted);
                    self.ipvs.handle(now, event, &mut self.queues.ipvs);
                }
            }
        }
        for action in self.queues.vrrp.drain(..) {
            match action {
                vrrp::Action::World(effect) => out.push(effect),
                vrrp::Action::Notice(notice) => {
                    let event = notify::Event::Notice(notice);
                    self.notify.handle(now, event, &mut self.queues.notify);
                }
            }
        }
        self.follow(now);
        for action in self.queues.ipvs.drain(..) {
            match action {
                ipvs::Action::World(effect) => out.push(effect),
            }
        }
        for action in std::mem::take(&mut self.queues.notify) {
            match action {
                notify::Action::World(effect) => out.push(self.on_behalf(effect)),
                notify::Action::Done => out.push(Effect::Exit(0)),
            }
        }
        // A start with many services, or a takeover of many addresses, fills these with more than
        // they hold at other times.
        self.queues.check.shrink_to(KEPT);
        self.queues.ipvs.shrink_to(KEPT);
        self.queues.vrrp.shrink_to(KEPT);
    }

    /// Hands what BFD sessions say to whom their configuration names.
    fn drain_sessions(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for action in std::mem::take(&mut self.queues.bfd) {
            match action {
                bfd::Action::World(effect) => out.push(effect),
                bfd::Action::State { name, audience, up } => {
                    if audience != BfdAudience::Checker {
                        let verdict = if up {
                            vrrp::Verdict::Up
                        } else {
                            vrrp::Verdict::Down
                        };
                        let event = vrrp::Event::Tracker(vrrp::TrackerKind::Bfd, &name, verdict);
                        self.vrrp.handle(now, event, &mut self.queues.vrrp);
                    }
                    if audience != BfdAudience::Vrrp {
                        let event = check::Event::Session(&name, up);
                        self.check.handle(now, event, &mut self.queues.check);
                    }
                }
            }
        }
    }

    /// Gives back what a lot of work at once has made the queues grow to.
    pub(super) fn shrink_queues(&mut self) {
        self.queues.iface.shrink_to(KEPT);
    }

    /// Hands what trackers say to VRRP, and what files say to checks.
    fn drain_trackers(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for action in std::mem::take(&mut self.queues.track) {
            match action {
                track::Action::World(effect) => out.push(self.on_behalf(effect)),
                track::Action::Verdict(kind, name, verdict) => {
                    let kind = match kind {
                        track::Kind::Script => vrrp::TrackerKind::Script,
                        track::Kind::File => vrrp::TrackerKind::File,
                        track::Kind::Process => vrrp::TrackerKind::Process,
                    };
                    let verdict = match verdict {
                        track::Verdict::Unknown => vrrp::Verdict::Unknown,
                        track::Verdict::Up => vrrp::Verdict::Up,
                        track::Verdict::Down => vrrp::Verdict::Down,
                        track::Verdict::Value(value) => vrrp::Verdict::Value(value),
                    };
                    if kind == vrrp::TrackerKind::File {
                        let value = match verdict {
                            vrrp::Verdict::Value(value) => Some(value),
                            vrrp::Verdict::Unknown | vrrp::Verdict::Up | vrrp::Verdict::Down => {
                                None
                            }
                        };
                        let event = check::Event::File(&name, value);
                        self.check.handle(now, event, &mut self.queues.check);
                    }
                    let event = vrrp::Event::Tracker(kind, &name, verdict);
                    self.vrrp.handle(now, event, &mut self.queues.vrrp);
                }
            }
        }
    }
}

/// A program that a check runs.
const fn program(number: u64) -> ChildId {
    ChildId {
        asker: Asker::Check,
        number,
    }
}
