//! What is told outside of servers and quorums.
//!
//! Owns: the scripts that run and the lines for FIFOs, as keepalived writes them: `RS [server]
//! [service] UP`, `VS [service] DOWN`. Never does: run or write anything. Driven by: `pool` and
//! `domain`.

use super::Action;
use super::messages::Subject;
use super::service::Service;
use crate::conf::model::{CheckScript, LogStyle, RealServer};
use crate::ops::{Command, Lasting, Line, Notice, Speaker};

/// A script as a command. It is started without a shell; quotes hold words together.
fn command(script: &CheckScript) -> Option<Command> {
    Some(Command {
        argv: script.argv()?,
        user: script.user.clone(),
        group: script.group.clone(),
        environment: Vec::new(),
    })
}

fn notice(script: Option<&CheckScript>, object: String, up: bool) -> Action {
    let state = if up { "UP" } else { "DOWN" };
    Action::Notice(Notice {
        scripts: script.and_then(command).into_iter().collect(),
        line: Some(Line {
            object,
            state: state.to_owned(),
            lasting: Lasting::State,
        }),
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
    notice(script, object, up)
}

/// The quorum of a service was gained, or lost.
pub(super) fn quorum(service: &Service, up: bool) -> Action {
    let policy = &service.config.policy;
    let script = if up {
        policy.quorum_up.as_ref()
    } else {
        policy.quorum_down.as_ref()
    };
    notice(script, format!("VS {}", service.key()), up)
}

/// The last words of a service with `omega`: the scripts for everything of it that is up run as if
/// it went down. FIFOs hear nothing of it, as with keepalived.
pub(super) fn omega(service: &Service, out: &mut Vec<Action>) {
    let alive = service.servers.iter().filter(|server| server.is_alive());
    let mut last: Vec<Action> = alive
        .map(|alive| server(service, &alive.config, false))
        .collect();
    if service.quorum_up {
        last.push(quorum(service, false));
    }
    for action in last {
        if let Action::Notice(mut notice) = action {
            notice.line = None;
            if !notice.scripts.is_empty() {
                out.push(Action::Notice(notice));
            }
        }
    }
}
