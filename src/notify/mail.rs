//! Mails about what is told.
//!
//! Owns: which notices become mails, the mails that wait for a connection or are on one, and their
//! deadlines. Never does: speak SMTP (`smtp` does), keep a mail that could not be delivered: as
//! with keepalived a mail is tried once. Driven by: `domain`.
//!
//! A server that is slow or gone costs a bounded number of connections and of waiting mails, and a
//! line a minute.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::Action;
use super::smtp::{Dialogue, News};
use crate::base::{Duration, Instant, ident};
use crate::conf::model::{Global, Mail};
use crate::ops::{
    Alert, AlertKind, ConnectSpec, Dial, Effect, ProbeCmd, ProbeId, ProbeIo, Speaker, Transport,
};

/// Mails on a connection at once.
const AT_ONCE: usize = 8;
/// Mails that wait for one of these; of more the oldest are dropped.
const WAITING: usize = 256;
/// A failure is said this often at most.
const SAID_AGAIN: Duration = Duration::from_secs(60);
/// The longest subject in bytes, as with keepalived.
const SUBJECT: usize = 255;

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// How this host introduces itself; its name if not given.
    pub(super) helo: Option<String>,
    /// Who sends it; the daemon's user at this host if not given.
    pub(super) from: Option<String>,
    /// Who gets it.
    pub(super) to: Vec<String>,
    /// Which router speaks; the host's name if not given.
    pub(super) router: Option<String>,
    /// The subject behind that.
    pub(super) subject: String,
    /// What it says.
    pub(super) body: String,
}

/// A mail on a connection.
#[derive(Debug)]
struct Session {
    dialogue: Dialogue,
    from: Speaker,
    /// Until when the step under way may take.
    until: Instant,
}

/// All mails.
#[derive(Debug, Default)]
pub(super) struct Postbox {
    settings: Mail,
    router: Option<String>,
    waiting: VecDeque<(Speaker, Letter)>,
    sessions: BTreeMap<u64, Session>,
    next: u64,
    /// The state of which the last mail about something told.
    told: BTreeMap<String, String>,
    failures: Failures,
}

/// Keeps the log from being filled by a server that does not work.
#[derive(Debug, Default)]
struct Failures {
    silent_until: Option<Instant>,
    skipped: u64,
}

impl Postbox {
    /// Takes the settings over; what is under way goes on as it was.
    pub(super) fn apply(&mut self, global: &Global) {
        self.settings.clone_from(&global.mail);
        self.router.clone_from(&global.router_id);
    }

    /// Whether no mail waits or is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sessions.is_empty()
    }

    /// How many mails wait or are under way.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sessions.len()
    }

    /// Mails an alert, if it is wanted.
    pub(super) fn post(
        &mut self,
        now: Instant,
        from: Speaker,
        alert: Alert,
        out: &mut Vec<Action>,
    ) {
        if !self.is_wanted(from, &alert) {
            return;
        }
        let mut subject = format!("{} - {}", alert.about, alert.state);
        let router = self.router.as_ref().map_or(0, String::len) + "[] ".len();
        let room = SUBJECT.saturating_sub(router);
        while subject.len() > room {
            subject.pop();
        }
        let letter = Letter {
            helo: self.settings.helo_name.clone(),
            from: self.settings.from.clone(),
            to: self.settings.to.clone(),
            router: self.router.clone(),
            subject,
            body: alert.body,
        };
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
            let what = format!(
                "more than {WAITING} mails wait for {}; the oldest is dropped",
                self.server_name()
            );
            self.failures.say(now, from, &what);
        }
        self.waiting.push_back((from, letter));
        self.send(now, out);
    }

    fn is_wanted(&mut self, from: Speaker, alert: &Alert) -> bool {
        let mail = &self.settings;
        let (general, otherwise) = match (from, alert.kind) {
            (Speaker::Vrrp, _) => (mail.alert_vrrp, false),
            (Speaker::Check, AlertKind::Server { .. }) => (mail.alert_checker, true),
            (Speaker::Check, AlertKind::Service | AlertKind::Router { .. }) => {
                (mail.alert_checker, false)
            }
        };
        if mail.server.is_none() || mail.to.is_empty() {
            return false;
        }
        if !alert.asked.or(general).or(mail.alert).unwrap_or(otherwise) {
            return false;
        }
        match alert.kind {
            AlertKind::Service => true,
            AlertKind::Server { turned } => turned || !mail.no_checkers,
            AlertKind::Router { fault } => {
                if fault && mail.no_faults {
                    return false;
                }
                // A state is mailed once, however often it is entered.
                let before = self.told.insert(alert.about.clone(), alert.state.clone());
                before.as_ref() != Some(&alert.state)
            }
        }
    }

    fn server_name(&self) -> String {
        let server = self.settings.server.as_deref().unwrap_or_default();
        format!("SMTP server [{server}]:{}", self.settings.port)
    }

    /// Starts connections as long as there are mails and room.
    fn send(&mut self, now: Instant, out: &mut Vec<Action>) {
        while self.sessions.len() < AT_ONCE {
            let Some(server) = self.settings.server.clone() else {
                self.waiting.clear();
                return;
            };
            let Some((from, letter)) = self.waiting.pop_front() else {
                return;
            };
            let number = self.next;
            self.next += 1;
            let port = self.settings.port;
            let command = match server.parse::<IpAddr>() {
                Ok(address) => ProbeCmd::Connect(ConnectSpec {
                    to: SocketAddr::new(address, port),
                    from: None,
                    interface: None,
                    mark: 0,
                    transport: Transport::Stream,
                }),
                Err(_) => ProbeCmd::Dial(Dial { server, port }),
            };
            probe(number, command, out);
            let session = Session {
                dialogue: Dialogue::new(letter),
                from,
                until: now + self.settings.connect_timeout,
            };
            self.sessions.insert(number, session);
        }
    }

    /// Takes what happened to the connection of a mail.
    pub(super) fn on(
        &mut self,
        now: Instant,
        number: u64,
        what: ProbeIo<'_>,
        out: &mut Vec<Action>,
    ) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let (mut commands, mut news) = (Vec::new(), Vec::new());
        let goes_on = session.dialogue.on(what, &mut commands, &mut news);
        session.until = now + self.settings.connect_timeout;
        let from = session.from;
        for command in commands {
            probe(number, command, out);
        }
        self.say(now, from, &news);
        if !goes_on {
            self.sessions.remove(&number);
            if !matches!(what, ProbeIo::Failed(_)) {
                probe(number, ProbeCmd::Close, out);
            }
            self.send(now, out);
        }
    }

    /// Ends what has taken too long.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        let late = self.sessions.iter().filter(|(_, one)| one.until <= now);
        let late: Vec<u64> = late.map(|(number, _)| *number).collect();
        for number in late {
            let Some(session) = self.sessions.remove(&number) else {
                continue;
            };
            let (mut commands, mut news) = (Vec::new(), Vec::new());
            session.dialogue.late(&mut commands, &mut news);
            commands.push(ProbeCmd::Close);
            for command in commands {
                probe(number, command, out);
            }
            self.say(now, session.from, &news);
            self.send(now, out);
        }
    }

    /// When `handle_timeout` is next needed.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.sessions.values().map(|session| session.until).min()
    }

    fn say(&mut self, now: Instant, from: Speaker, news: &[News]) {
        let server = self.server_name();
        let target = target(from);
        for &what in news {
            let text = match what {
                News::Connected => {
                    log::info!(target: target, "Remote {server} connected.");
                    continue;
                }
                News::Sent => {
                    log::info!(target: target, "SMTP alert successfully sent.");
                    continue;
                }
                News::Refused(step, code) => format!(
                    "Error processing {} cmd on {server}. SMTP status code = {code}",
                    step.name()
                ),
                News::Nonsense(step) => format!(
                    "Error processing {} cmd on {server}: it does not answer as a mail server does",
                    step.name()
                ),
                News::Closed => format!("Remote {server} has closed the connection."),
                News::Late => format!("Timeout reading data to remote {server}."),
                News::ConnectTimeout => {
                    format!("Timeout opening connection to remote {server}.")
                }
                News::Unreachable(errno) => format!(
                    "A mail could not be sent: no connection to {server} (error {errno}). Check \
                     smtp_server and that a mail server listens there"
                ),
            };
            self.failures.say(now, from, &text);
        }
    }
}

impl Failures {
    fn say(&mut self, now: Instant, from: Speaker, text: &str) {
        if self.silent_until.is_some_and(|until| now < until) {
            self.skipped += 1;
            return;
        }
        let others = match std::mem::take(&mut self.skipped) {
            0 => String::new(),
            more => format!(" ({more} more failures of mails in the last minute)"),
        };
        log::warn!(target: target(from), "{text}{others}");
        self.silent_until = Some(now + SAID_AGAIN);
    }
}

const fn target(from: Speaker) -> &'static str {
    match from {
        Speaker::Vrrp => ident::VRRP,
        Speaker::Check => ident::CHECK,
    }
}

fn probe(number: u64, command: ProbeCmd, out: &mut Vec<Action>) {
    let id = ProbeId::of_mail(number);
    out.push(Action::World(Effect::Probe(id, command)));
}
