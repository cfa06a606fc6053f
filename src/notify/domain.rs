//! Notices in, scripts and lines out.
//!
//! Owns: which FIFOs are open for whom, the scripts that read them, the children of notices, and
//! how long the last ones are waited for. Never does: hold a notice back: scripts start in the
//! order of the notices and are not awaited, so that one that hangs delays nobody. Driven by:
//! `node`.

use std::collections::{BTreeMap, BTreeSet};

use super::fifo::Queue;
use super::mail::Postbox;
use super::{Action, Event};
use crate::base::{Duration, Instant, ident};
use crate::conf::model::{Fifo, Global};
use crate::ops::{
    Asker, ChildEnd, ChildId, ChildSignal, Command, Effect, FifoCmd, FifoFailure, FifoId, FifoIo,
    Notice, ProbeIo, Speaker,
};

/// How long the end of the scripts of a stop is waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    Common,
    Vrrp,
    Check,
}

const CHANNELS: [Channel; 3] = [Channel::Common, Channel::Vrrp, Channel::Check];

impl Channel {
    /// Whether it gets what `speaker` says.
    const fn hears(self, speaker: Speaker) -> bool {
        match (self, speaker) {
            (Self::Common, _) | (Self::Vrrp, Speaker::Vrrp) | (Self::Check, Speaker::Check) => true,
            (Self::Vrrp, Speaker::Check) | (Self::Check, Speaker::Vrrp) => false,
        }
    }

    /// How keepalived calls it, before "notify fifo".
    const fn name(self) -> &'static str {
        match self {
            Self::Common => "",
            Self::Vrrp => "vrrp ",
            Self::Check => "lvs ",
        }
    }

    const fn target(self) -> &'static str {
        match self {
            Self::Common | Self::Vrrp => ident::VRRP,
            Self::Check => ident::CHECK,
        }
    }

    /// The FIFO as it should be, with its path.
    fn wanted(self, global: &Global) -> Option<(String, Fifo)> {
        let fifos = &global.fifos;
        let fifo = match self {
            Self::Common => &fifos.all,
            Self::Vrrp => &fifos.vrrp,
            Self::Check => &fifos.lvs,
        };
        let path = fifo.path.as_ref()?.to_str()?.to_owned();
        let mut fifo = fifo.clone();
        if fifo.user.is_none() {
            fifo.user.clone_from(&global.scripts.user);
            fifo.group.clone_from(&global.scripts.group);
        }
        Some((path, fifo))
    }
}

/// A FIFO that is configured.
#[derive(Debug)]
struct Outlet {
    path: String,
    fifo: Fifo,
    /// The script that reads it, while it runs.
    reader: Option<u64>,
    queue: Queue,
}

/// What a child that was started is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// A notify script.
    Script { name: String, target: &'static str },
    /// The reader of a FIFO.
    Reader(Channel),
}

/// The domain.
#[derive(Debug, Default)]
pub struct Domain {
    outlets: BTreeMap<Channel, Outlet>,
    children: BTreeMap<u64, Role>,
    next_child: u64,
    next_fifo: u64,
    mails: Postbox,
    stopping: bool,
    /// Scripts of the stop that have not ended.
    awaited: BTreeSet<u64>,
    /// Until when they are waited for.
    patience: Option<Instant>,
}

impl Domain {
    /// Takes the settings over: a FIFO whose settings are the same stays open.
    pub fn apply(&mut self, global: &Global, out: &mut Vec<Action>) {
        self.mails.apply(global);
        let wanted = CHANNELS.map(|channel| channel.wanted(global));
        for (index, channel) in CHANNELS.into_iter().enumerate() {
            let (before, rest) = wanted.split_at(index);
            let mut wanted = rest.first().cloned().flatten();
            if let Some((path, _)) = &wanted
                && before.iter().flatten().any(|(other, _)| other == path)
            {
                log::info!(
                    target: channel.target(),
                    "notify FIFO {path} has been specified twice - ignoring it as {}FIFO",
                    channel.name()
                );
                wanted = None;
            }
            let current = self.outlets.get(&channel).map(|outlet| &outlet.fifo);
            if current != wanted.as_ref().map(|(_, fifo)| fifo) {
                self.close(channel, out);
                if let Some((path, fifo)) = wanted {
                    self.open(channel, path, fifo, out);
                }
            }
        }
    }

    fn open(&mut self, channel: Channel, path: String, fifo: Fifo, out: &mut Vec<Action>) {
        let id = FifoId(self.next_fifo);
        self.next_fifo += 1;
        let open = FifoCmd::Open {
            path: path.clone(),
            user: fifo.user.clone(),
            group: fifo.group.clone(),
        };
        out.push(Action::World(Effect::Fifo(id, open)));
        let outlet = Outlet {
            path,
            fifo,
            reader: None,
            queue: Queue::new(id),
        };
        self.outlets.insert(channel, outlet);
    }

    fn close(&mut self, channel: Channel, out: &mut Vec<Action>) {
        let Some(mut outlet) = self.outlets.remove(&channel) else {
            return;
        };
        let id = outlet.queue.id;
        let last = outlet.queue.last_words();
        out.extend(last.map(|command| Action::World(Effect::Fifo(id, command))));
        if let Some(number) = outlet.reader {
            let id = child(number);
            out.push(Action::World(Effect::Kill(id, ChildSignal::Term)));
        }
        out.push(Action::World(Effect::Fifo(id, FifoCmd::Close)));
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Notice(notice) => self.notice(now, notice, out),
            Event::Child(number, end) => self.child(number, end, out),
            Event::Fifo(id, what) => self.fifo(id, what, out),
            Event::Stopping => self.stopping = true,
            Event::Stop => {
                // Killed before the FIFOs are closed, as a reader would else wait for ever.
                for channel in CHANNELS {
                    self.close(channel, out);
                }
                if self.awaited.is_empty() && self.mails.is_empty() {
                    out.push(Action::Done);
                } else {
                    self.patience = Some(now + LAST_WORDS);
                }
            }
        }
    }

    fn notice(&mut self, now: Instant, notice: Notice, out: &mut Vec<Action>) {
        let Notice {
            from,
            scripts,
            line,
            alert,
        } = notice;
        let (target, end): (_, &[u8]) = match from {
            Speaker::Vrrp => (ident::VRRP, b"\n"),
            // keepalived writes the end of its string along.
            Speaker::Check => (ident::CHECK, b"\n\0"),
        };
        if let Some(line) = line {
            for (_, outlet) in self.outlets.iter_mut().filter(|(to, _)| to.hears(from)) {
                let id = outlet.queue.id;
                let command = outlet.queue.push(&line, end);
                out.extend(command.map(|command| Action::World(Effect::Fifo(id, command))));
            }
        }
        for command in scripts {
            let name = command.argv.first().cloned().unwrap_or_default();
            let number = self.spawn(Role::Script { name, target }, command, out);
            if self.stopping {
                self.awaited.insert(number);
            }
        }
        if let Some(alert) = alert {
            self.mails.post(now, from, alert, out);
        }
    }

    /// Something happened to the connection of a mail.
    pub fn mail(&mut self, now: Instant, number: u64, what: ProbeIo<'_>, out: &mut Vec<Action>) {
        self.mails.on(now, number, what, out);
        self.end_if_told(out);
    }

    /// Ends the daemon if it is to end and everybody has heard of it.
    fn end_if_told(&mut self, out: &mut Vec<Action>) {
        if self.patience.is_some() && self.awaited.is_empty() && self.mails.is_empty() {
            self.patience = None;
            out.push(Action::Done);
        }
    }

    fn spawn(&mut self, role: Role, command: Command, out: &mut Vec<Action>) -> u64 {
        let number = self.next_child;
        self.next_child += 1;
        self.children.insert(number, role);
        out.push(Action::World(Effect::Spawn(child(number), command)));
        number
    }

    fn child(&mut self, number: u64, end: ChildEnd, out: &mut Vec<Action>) {
        match self.children.remove(&number) {
            Some(Role::Script { name, target }) => match end {
                // A script that fails is its author's business, as with keepalived.
                ChildEnd::Exited(_) | ChildEnd::Killed(_) => {}
                ChildEnd::NotStarted(errno) => log::error!(
                    target: target,
                    "Notify script {name} could not be started: error {errno}"
                ),
            },
            Some(Role::Reader(channel)) => self.reader_ended(channel, number, end),
            None => {}
        }
        if self.awaited.remove(&number) {
            self.end_if_told(out);
        }
    }

    fn reader_ended(&mut self, channel: Channel, number: u64, end: ChildEnd) {
        let target = channel.target();
        let name = channel.name();
        // One that was ended because its FIFO is closed is not news.
        let Some(outlet) = self
            .outlets
            .get_mut(&channel)
            .filter(|outlet| outlet.reader == Some(number))
        else {
            return;
        };
        outlet.reader = None;
        match end {
            ChildEnd::NotStarted(errno) => log::error!(
                target: target,
                "{name}notify fifo script could not be started: error {errno}"
            ),
            ChildEnd::Exited(_) | ChildEnd::Killed(_) => {
                log::info!(target: target, "{name}notify fifo script terminated");
            }
        }
    }

    fn fifo(&mut self, id: FifoId, what: FifoIo, out: &mut Vec<Action>) {
        let mut outlets = self.outlets.iter_mut();
        let Some((&channel, outlet)) = outlets.find(|(_, outlet)| outlet.queue.id == id) else {
            return;
        };
        let (target, name, path) = (channel.target(), channel.name(), &outlet.path);
        let (command, lost) = outlet.queue.on(what);
        if lost > 0 {
            log::warn!(
                target: target,
                "{name}notify fifo {path}: {lost} lines were lost because nobody read it; the \
                 present states follow"
            );
        }
        out.extend(command.map(|command| Action::World(Effect::Fifo(id, command))));
        match what {
            FifoIo::Open => self.start_reader(channel, out),
            FifoIo::Failed(failure) => {
                let why = match failure {
                    FifoFailure::NoFifo => "something that is no FIFO is there".to_owned(),
                    FifoFailure::Foreign => "a FIFO of another user is there, who could read and \
                                             write it; remove it"
                        .to_owned(),
                    FifoFailure::NoUser => "its user or group does not exist".to_owned(),
                    FifoFailure::System(errno) => format!("error {errno}"),
                };
                log::error!(target: target, "Unable to open {name}notify fifo {path}: {why}");
            }
            FifoIo::Wrote(_) | FifoIo::Room => {}
        }
    }

    fn start_reader(&mut self, channel: Channel, out: &mut Vec<Action>) {
        let Some(outlet) = self.outlets.get(&channel) else {
            return;
        };
        let Some(script) = &outlet.fifo.script else {
            return;
        };
        let mut argv = script.argv.clone();
        argv.push(outlet.path.clone());
        let command = Command {
            argv,
            user: script.user.clone(),
            group: script.group.clone(),
            environment: Vec::new(),
        };
        let number = self.spawn(Role::Reader(channel), command, out);
        if let Some(outlet) = self.outlets.get_mut(&channel) {
            outlet.reader = Some(number);
        }
    }

    /// Ends the wait for the last scripts and mails, and for servers that do not answer.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.mails.handle_timeout(now, out);
        self.end_if_told(out);
        if self.patience.is_some_and(|until| until <= now) {
            self.patience = None;
            log::info!(
                target: ident::DAEMON,
                "{} notify scripts and {} mails of the stop are not done yet; ending without them",
                self.awaited.len(),
                self.mails.len()
            );
            out.push(Action::Done);
        }
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let mails = self.mails.next_deadline();
        self.patience.into_iter().chain(mails).min()
    }
}

const fn child(number: u64) -> ChildId {
    ChildId {
        asker: Asker::Notify,
        number,
    }
}
