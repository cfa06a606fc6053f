//! What is told outside of servers and quorums.
//!
//! Owns: the scripts that run, the lines for FIFOs and the mails, as keepalived writes them: `RS
//! [server] [service] UP`, `VS [service] DOWN`. Never does: run, write or send anything. Driven by: `pool` and
//! `domain`.

use super::Action;
use super::messages::Subject;
use super::service::{Server, Service};
use crate::conf::model::{CheckScript, LogStyle, RealServer};
use crate::ops::{Alert, AlertKind, Command, Lasting, Line, Notice, Speaker};

/// A script as a command. It is started without a shell; quotes hold words together.
fn command(script: &CheckScript) -> Option<Command> {
    Some(Command {
        argv: script.argv()?,
        user: script.user.clone(),
        group: script.group.clone(),
        environment: Vec::new(),
    })
}

const fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

fn notice(script: Option<&CheckScript>, object: String, up: bool, alert: Option<Alert>) -> Action {
    Action::Notice(Notice {
        scripts: script.and_then(command).into_iter().collect(),
        line: Some(Line {
            object,
            state: state(up).to_owned(),
            lasting: Lasting::State,
        }),
        alert,
        ..Notice::new(Speaker::Check)
    })
}

/// A server has become alive, or has ceased to be.
pub(super) fn server(service: &Service, config: &RealServer, up: bool) -> Action {
    let subject = Subject {
        style: LogStyle::Current,
        service: service.key(),
        server: config.key,
    };
    let script = config.policy.as_deref().and_then(|policy| {
        if up {
            policy.notify_up.as_ref()
        } else {
            policy.notify_down.as_ref()
        }
    });
    let object = format!("RS {} {}", subject.real(), service.key());
    notice(script, object, up, None)
}

/// What the quorum of a service came to, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// The service is new.
    AtStart,
    /// It was gained or lost.
    Since,
}

/// The quorum of a service was gained, or lost.
pub(super) fn quorum(service: &Service, up: bool, came: Came) -> Action {
    let policy = &service.config.policy;
    let script = if up {
        policy.quorum_up.as_ref()
    } else {
        policy.quorum_down.as_ref()
    };
    let alert = quorum_alert(service, up, came);
    notice(script, format!("VS {}", service.key()), up, Some(alert))
}

fn quorum_alert(service: &Service, up: bool, came: Came) -> Alert {
    let what = match (came, up) {
        (Came::AtStart, true) => "Starting with quorum up",
        (Came::AtStart, false) => "Starting with quorum down",
        (Came::Since, true) => "Gained quorum",
        (Came::Since, false) => "Lost quorum",
    };
    let policy = &service.config.policy;
    Alert {
        about: format!("Virtualserver {}", service.key()),
        state: state(up).to_owned(),
        // keepalived writes a plus and "at most" in each of these.
        body: format!(
            "=> {what} {}+{}={} <= {} <=",
            policy.quorum,
            policy.hysteresis,
            if up {
                service.to_gain()
            } else {
                service.to_keep()
            },
            service.alive_weight
        ),
        asked: policy.smtp_alert,
        kind: AlertKind::Service,
    }
}

/// A check of a server has come up or gone down; `turned`: the server with it. The subject tells how
/// the server is.
pub(super) fn check(
    service: &Service,
    server: &Server,
    (up, turned): (bool, bool),
    body: String,
) -> Action {
    let subject = Subject {
        style: LogStyle::Current,
        service: service.key(),
        server: server.key(),
    };
    let policy = server.config.policy.as_deref();
    Action::Notice(Notice {
        alert: Some(Alert {
            about: format!(
                "Realserver {} of virtual server {}",
                subject.real(),
                service.key()
            ),
            state: state(up && server.is_alive()).to_owned(),
            body,
            asked: policy.and_then(|policy| policy.smtp_alert),
            kind: AlertKind::Server { turned },
        }),
        ..Notice::new(Speaker::Check)
    })
}

/// A server that is alive leaves the configuration.
pub(super) fn removed(service: &Service, server: &Server) -> Action {
    check(service, server, (false, true), "=> Removing <=".to_owned())
}

/// A service leaves the configuration: mails tell of everything of it that is up, and the scripts
/// run as if it went down, with `omega` or without. FIFOs hear nothing of it, as with keepalived.
pub(super) fn service_removed(service: &mut Service, out: &mut Vec<Action>) {
    let mut tell = |action| {
        if let Action::Notice(mut notice) = action {
            notice.line = None;
            if !notice.scripts.is_empty() || notice.alert.is_some() {
                out.push(Action::Notice(notice));
            }
        }
    };
    for alive in service.servers.iter().filter(|server| server.is_alive()) {
        tell(removed(service, alive));
        tell(server(service, &alive.config, false));
    }
    if service.quorum_up {
        // By then none of its servers is left.
        service.alive_weight = 0;
        tell(quorum(service, false, Came::Since));
    }
}

/// The last words of a service with `omega`: the scripts for everything of it that is up run as if
/// it went down. FIFOs hear nothing of it, as with keepalived.
pub(super) fn omega(service: &Service, out: &mut Vec<Action>) {
    let alive = service.servers.iter().filter(|server| server.is_alive());
    let mut last: Vec<Action> = alive
        .map(|alive| server(service, &alive.config, false))
        .collect();
    if service.quorum_up {
        last.push(quorum(service, false, Came::Since));
    }
    for action in last {
        if let Action::Notice(mut notice) = action {
            notice.line = None;
            if !notice.scripts.is_empty() || notice.alert.is_some() {
                out.push(Action::Notice(notice));
            }
        }
    }
}
