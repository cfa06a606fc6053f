//! All trackers of this host.
//!
//! Owns: the scripts, files and processes that somebody tracks, and the numbers of their children
//! and watches. Never does: run what nobody tracks. Driven by: `node`.

use std::collections::{BTreeMap, HashSet};

use super::process::Tracked;
use super::script::{Run, Script, Step};
use super::{Action, Event, Kind, Verdict};
use crate::base::ident::VRRP;
use crate::base::{Duration, Instant};
use crate::conf::model::options::{TrackFile, Tracking};
use crate::conf::model::{Config, LogStyle, ProbeKind};
use crate::ops::{Asker, ChildEnd, ChildId, ChildSignal, Command, Effect, ProcessNews, WatchId};

/// How often the host's processes are looked through while some are tracked and nobody tells of
/// them.
const LOOK: Duration = Duration::from_millis(500);

/// Whether the world tells of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// It was not asked to.
    No,
    /// It was asked to, and has not said that it does.
    Asked,
    /// It does.
    Yes,
}

/// All trackers.
#[derive(Debug)]
pub struct Domain {
    style: LogStyle,
    pub(super) scripts: BTreeMap<String, Script>,
    pub(super) files: BTreeMap<String, File>,
    pub(super) processes: BTreeMap<String, Tracked>,
    /// When the processes are looked through next.
    look: Option<Instant>,
    watch: Watch,
    next: u64,
    /// What scripts have come to for another process; true: well.
    before: BTreeMap<String, bool>,
    stopped: bool,
}

/// A watched file.
#[derive(Debug)]
pub(super) struct File {
    config: TrackFile,
    watch: u64,
    pub(super) verdict: Verdict,
}

/// The names that somebody tracks.
fn names<'a>(
    config: &'a Config,
    of: impl Fn(&'a Tracking) -> &'a [crate::conf::model::options::Tracked] + 'a,
) -> impl Iterator<Item = &'a str> {
    let instances = config.vrrp_instances.iter();
    let instances = instances.map(|instance| &instance.options.tracking);
    let groups = config.sync_groups.iter().map(|group| &group.tracking);
    instances
        .chain(groups)
        .flat_map(of)
        .map(|tracked| tracked.name.as_str())
}

/// The files that checks go by.
fn checked_files(config: &Config) -> impl Iterator<Item = &str> {
    let servers = config.virtual_servers.iter();
    let servers = servers.flat_map(|service| &service.real_servers);
    let checks = servers.flat_map(|server| server.checks());
    checks.filter_map(|check| match check.kind {
        Some(ProbeKind::File(probe)) => probe.track_file.as_deref(),
        Some(
            ProbeKind::Http(_)
            | ProbeKind::Smtp(_)
            | ProbeKind::Dns(_)
            | ProbeKind::Misc(_)
            | ProbeKind::Udp(_)
            | ProbeKind::Ping
            | ProbeKind::Bfd(_),
        )
        | None => None,
    })
}

impl Domain {
    /// A domain that tracks nothing.
    #[must_use]
    pub const fn new(style: LogStyle) -> Self {
        Self {
            style,
            scripts: BTreeMap::new(),
            files: BTreeMap::new(),
            processes: BTreeMap::new(),
            watch: Watch::No,
            look: None,
            next: 0,
            before: BTreeMap::new(),
            stopped: false,
        }
    }

    /// What scripts have come to, by their names; true: well.
    #[must_use]
    pub fn script_verdicts(&self) -> Vec<(String, bool)> {
        let scripts = self.scripts.iter();
        let known = scripts.filter_map(|(name, script)| match script.verdict {
            Verdict::Up => Some((name.clone(), true)),
            Verdict::Down => Some((name.clone(), false)),
            Verdict::Unknown | Verdict::Value(_) => None,
        });
        known.collect()
    }

    /// Before the first start: what scripts of these names have come to for a process that is about
    /// to end holds until they have run here.
    pub fn inherit(&mut self, verdicts: impl IntoIterator<Item = (String, bool)>) {
        self.before.extend(verdicts);
    }

    const fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes a configuration over; what is tracked as before keeps its state and its run.
    pub fn apply(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        self.apply_scripts(now, config, out);
        self.apply_files(config, out);
        self.apply_processes(now, config, out);
        self.handle_timeout(now, out);
    }

    fn apply_scripts(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) {
        let mut old = std::mem::take(&mut self.scripts);
        let used: Vec<&str> = names(config, |tracking| &tracking.scripts).collect();
        for wanted in &config.trackers.scripts {
            if !used.contains(&wanted.name.as_str()) {
                continue;
            }
            let before = old.remove(&wanted.name);
            let script = match before {
                Some(mut script) if script.config.script == wanted.script => {
                    if script.config != *wanted {
                        script.reconfigure(now, wanted.clone());
                    }
                    script.say_kept();
                    script
                }
                before => {
                    let mut new = Script::new(now, wanted.clone());
                    if let Some(up) = self.before.remove(&wanted.name) {
                        new.verdict = if up { Verdict::Up } else { Verdict::Down };
                    }
                    match before {
                        // The last word of the old command holds until the new one has spoken.
                        Some(script) => end(&script, out),
                        None => {
                            let name = wanted.name.clone();
                            out.push(Action::Verdict(Kind::Script, name, new.verdict));
                        }
                    }
                    new
                }
            };
            self.scripts.insert(wanted.name.clone(), script);
        }
        for script in old.values() {
            end(script, out);
        }
    }

    fn apply_files(&mut self, config: &Config, out: &mut Vec<Action>) {
        let mut old = std::mem::take(&mut self.files);
        let used: HashSet<&str> = names(config, |tracking| &tracking.files)
            .chain(checked_files(config))
            .collect();
        for wanted in &config.trackers.files {
            let Some(path) = wanted.file.as_ref() else {
                continue;
            };
            if !used.contains(wanted.name.as_str()) {
                continue;
            }
            let before = old.remove(&wanted.name);
            let file = match before {
                Some(file) if file.config.file == wanted.file => File {
                    config: wanted.clone(),
                    ..file
                },
                before => {
                    if let Some(file) = before {
                        out.push(unwatch(&file));
                    }
                    if let Some(value) = wanted.initial {
                        out.push(Action::World(Effect::InitFile {
                            path: path.clone(),
                            value,
                            overwrite: wanted.overwrite,
                        }));
                    }
                    let watch = self.fresh();
                    let id = WatchId {
                        asker: Asker::Track,
                        number: watch,
                    };
                    out.push(Action::World(Effect::Watch(id, path.clone())));
                    let verdict = Verdict::Unknown;
                    out.push(Action::Verdict(Kind::File, wanted.name.clone(), verdict));
                    File {
                        config: wanted.clone(),
                        watch,
                        verdict,
                    }
                }
            };
            self.files.insert(wanted.name.clone(), file);
        }
        out.extend(old.values().map(unwatch));
    }

    fn apply_processes(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) {
        let mut old = std::mem::take(&mut self.processes);
        let mut unknown = false;
        let used: Vec<&str> = names(config, |tracking| &tracking.processes).collect();
        for wanted in &config.trackers.processes {
            if !used.contains(&wanted.name.as_str()) {
                continue;
            }
            let tracked = match old.remove(&wanted.name) {
                Some(tracked)
                    if tracked.config.process == wanted.process
                        && tracked.config.arguments == wanted.arguments =>
                {
                    Tracked {
                        config: wanted.clone(),
                        ..tracked
                    }
                }
                Some(_) | None => {
                    unknown = true;
                    let verdict = Verdict::Unknown;
                    out.push(Action::Verdict(Kind::Process, wanted.name.clone(), verdict));
                    Tracked::new(wanted.clone())
                }
            };
            self.processes.insert(wanted.name.clone(), tracked);
        }
        let look = self.look.filter(|_| !unknown).unwrap_or(now);
        self.look = (!self.processes.is_empty()).then_some(look);
        match (self.watch, self.processes.is_empty()) {
            (Watch::No, false) => {
                self.watch = Watch::Asked;
                out.push(Action::World(Effect::WatchProcesses(true)));
            }
            (Watch::Asked | Watch::Yes, true) => {
                self.watch = Watch::No;
                out.push(Action::World(Effect::WatchProcesses(false)));
            }
            (Watch::No, true) | (Watch::Asked | Watch::Yes, false) => {}
        }
    }

    fn process_news(&mut self, now: Instant, news: &ProcessNews, out: &mut Vec<Action>) {
        // What was under way when nobody was interested any more.
        if self.watch == Watch::No {
            return;
        }
        match news {
            ProcessNews::Watched => (self.watch, self.look) = (Watch::Yes, Some(now)),
            ProcessNews::Lost => self.look = Some(now),
            ProcessNews::Unwatched => (self.watch, self.look) = (Watch::Asked, Some(now)),
            ProcessNews::Forked { .. } | ProcessNews::Became(_) | ProcessNews::Ended(_) => {}
        }
        for (name, tracked) in &mut self.processes {
            if tracked.hear(now, news) {
                let verdict = tracked.verdict;
                out.push(Action::Verdict(Kind::Process, name.clone(), verdict));
            }
        }
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Child(number, end) => self.child(number, end, out),
            Event::File(number, content) => self.file(number, content, out),
            Event::Processes(processes) => {
                for (name, tracked) in &mut self.processes {
                    if tracked.look(now, processes) {
                        out.push(Action::Verdict(
                            Kind::Process,
                            name.clone(),
                            tracked.verdict,
                        ));
                    }
                }
            }
            Event::ProcessNews(news) => self.process_news(now, news, out),
            Event::Stop => {
                self.stopped = true;
                for script in self.scripts.values() {
                    end(script, out);
                }
                out.extend(self.files.values().map(unwatch));
                self.scripts.clear();
                self.files.clear();
                self.processes.clear();
                self.look = None;
                if self.watch != Watch::No {
                    self.watch = Watch::No;
                    out.push(Action::World(Effect::WatchProcesses(false)));
                }
            }
        }
    }

    fn child(&mut self, number: u64, end: ChildEnd, out: &mut Vec<Action>) {
        let style = self.style;
        let mut scripts = self.scripts.iter_mut();
        let found = scripts.find(|(_, script)| script.run.child() == Some(number));
        // Else of a script that is no longer tracked.
        if let Some((name, script)) = found {
            let before = script.verdict;
            script.ended(end, style);
            if script.verdict != before {
                out.push(Action::Verdict(Kind::Script, name.clone(), script.verdict));
            }
        }
    }

    fn file(&mut self, number: u64, content: Option<&[u8]>, out: &mut Vec<Action>) {
        let mut files = self.files.iter_mut();
        let Some((name, file)) = files.find(|(_, file)| file.watch == number) else {
            return;
        };
        // keepalived takes a file that is not there or cannot be read for 0.
        let content = content.unwrap_or_default();
        let Some(value) = value(content) else {
            let path = file.config.file.as_deref().unwrap_or_default();
            let text = String::from_utf8_lossy(content);
            let word = text.split_whitespace().next().unwrap_or_default();
            log::info!(target: VRRP, "Invalid number {word} read from {path} - ignoring");
            // Whoever waits for the first number is told one.
            if file.verdict == Verdict::Unknown {
                file.verdict = Verdict::Value(0);
                out.push(Action::Verdict(Kind::File, name.clone(), file.verdict));
            }
            return;
        };
        let is = Verdict::Value(value);
        if file.verdict != is {
            file.verdict = is;
            out.push(Action::Verdict(Kind::File, name.clone(), is));
        }
    }

    /// Lets everything happen that is due at `now`; harmless if nothing is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        let style = self.style;
        let mut next = self.next;
        for (name, script) in &mut self.scripts {
            while script.deadline() <= now {
                let before = script.verdict;
                let step = script.tick(now, style);
                if script.verdict != before {
                    out.push(Action::Verdict(Kind::Script, name.clone(), script.verdict));
                }
                let effect = match step {
                    Step::Nothing => continue,
                    Step::Start => {
                        next += 1;
                        script.run = Run::Running(next);
                        Effect::Spawn(child(next), command(script))
                    }
                    Step::Terminate(number) => Effect::Kill(child(number), ChildSignal::Term),
                    Step::Kill(number) => Effect::Kill(child(number), ChildSignal::Kill),
                };
                out.push(Action::World(effect));
            }
        }
        self.next = next;
        for (name, tracked) in &mut self.processes {
            if tracked.settle(now) {
                out.push(Action::Verdict(
                    Kind::Process,
                    name.clone(),
                    tracked.verdict,
                ));
            }
        }
        if self.look.is_some_and(|at| at <= now) {
            self.look = (self.watch != Watch::Yes).then_some(now + LOOK);
            let arguments = self.processes.values().any(Tracked::needs_arguments);
            out.push(Action::World(Effect::ListProcesses { arguments }));
        }
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let scripts = self.scripts.values().map(Script::deadline);
        let pending = self
            .processes
            .values()
            .filter_map(|tracked| tracked.pending);
        let pending = pending.map(|(at, _)| at);
        scripts.chain(pending).chain(self.look).min()
    }
}

const fn child(number: u64) -> ChildId {
    ChildId {
        asker: Asker::Track,
        number,
    }
}

fn command(script: &Script) -> Command {
    let script = &script.config.script;
    Command {
        argv: script.argv.clone(),
        user: script.user.clone(),
        group: script.group.clone(),
        environment: Vec::new(),
    }
}

/// Ends the process of a script that is no longer tracked.
fn end(script: &Script, out: &mut Vec<Action>) {
    if let Some(number) = script.run.child() {
        let kill = Effect::Kill(child(number), ChildSignal::Kill);
        out.push(Action::World(kill));
    }
}

fn unwatch(file: &File) -> Action {
    Action::World(Effect::Unwatch(WatchId {
        asker: Asker::Track,
        number: file.watch,
    }))
}

/// The number that a file begins with, as C's `strtol` reads it in base 0; 0 if it begins with
/// none. `None`: it is larger than a C `int`. As runs of keepalived 2.2.7 show it.
fn value(content: &[u8]) -> Option<i64> {
    let text = content.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', rest @ ..] => (8, rest),
        _ => (10, digits),
    };
    let mut value: i64 = 0;
    for &byte in digits {
        let Some(digit) = char::from(byte).to_digit(radix) else {
            break;
        };
        value = value * i64::from(radix) + i64::from(digit);
        if value > 1 << 32 {
            return None;
        }
    }
    let value = if negative { -value } else { value };
    i32::try_from(value).is_ok().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::value;

    // Input: contents of files. Output: what keepalived 2.2.7 was seen to make of them.
    #[test]
    fn a_number_is_read_as_strtol_does() {
        for (text, expected) in [
            ("5\n", Some(5)),
            ("", Some(0)),
            ("abc", Some(0)),
            ("7x", Some(7)),
            (" -3", Some(-3)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("-2147483648", Some(-2_147_483_648)),
            ("2147483648", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(value(text.as_bytes()), expected, "{text}");
        }
    }
}
