//! The startup and the shutdown script.
//!
//! Owns: running one of them and waiting for its end, with nothing else going on. Never does: run
//! anything while the worker works. Driven by: `supervisor`.

use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use super::child::Children;
use super::terms::Program;
use super::{clock, sys};
use crate::base::ident;
use crate::ops::{Asker, ChildEnd, ChildId, ChildSignal, Command};

/// How long a script has to end after it was told to.
const GRACE: Duration = Duration::from_secs(2);

/// Runs `program` to its end, or until it has had its time. `signals` are blocked and include
/// SIGCHLD; those that ask the daemon for something stay pending, but for one that ends it: then
/// the script ends as well.
pub(super) fn run(which: &str, program: &Program, signals: &SigSet) {
    let mut children = Children::new();
    children.take_on(program.ways);
    let id = ChildId {
        asker: Asker::Notify,
        number: 0,
    };
    let command = Command {
        argv: program.argv.clone(),
        user: program.user.clone(),
        group: program.group.clone(),
        environment: Vec::new(),
    };
    if let Err(errno) = children.spawn(id, &command) {
        log::error!(
            target: ident::DAEMON,
            "{which} script cannot be run: {}",
            sys::error_text(errno)
        );
        return;
    }
    let mut deadline = clock::now() + Duration::from_micros(program.timeout);
    let mut told = None;
    let end = loop {
        if let Some((end, _)) = children.end(id) {
            break end;
        }
        let patience = deadline.saturating_since(clock::now());
        if patience.is_zero() {
            let signal = match told {
                None => {
                    log::error!(target: ident::DAEMON, "{which} script timed out");
                    ChildSignal::Term
                }
                Some(_) => ChildSignal::Kill,
            };
            children.kill(id, signal);
            told = Some(signal);
            deadline = clock::now() + GRACE;
            continue;
        }
        match sys::wait_signal(signals, Some(patience)) {
            Ok(Some(signal))
                if [Signal::SIGTERM as i32, Signal::SIGINT as i32].contains(&signal) =>
            {
                deadline = clock::now();
                // For whoever waits for it next.
                drop(sys::send_signal(nix::unistd::getpid(), signal));
                if told.is_some() {
                    children.kill(id, ChildSignal::Kill);
                }
            }
            Ok(_) => {}
            Err(error) => {
                log::error!(target: ident::DAEMON, "waiting for the {which} script: {error}");
                return;
            }
        }
    };
    match end {
        ChildEnd::Exited(0) => {
            log::info!(target: ident::DAEMON, "{which} script script succeeded");
        }
        ChildEnd::Exited(status) => {
            log::info!(target: ident::DAEMON, "{which} script script failed, status {status}");
        }
        ChildEnd::Killed(signal) => {
            log::info!(target: ident::DAEMON, "{which} script script killed by signal {signal}");
        }
        ChildEnd::NotStarted(errno) => log::error!(
            target: ident::DAEMON,
            "{which} script: its end was not seen: {}",
            sys::error_text(errno)
        ),
    }
}
