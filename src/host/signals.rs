//! Signals as events of the loop.
//!
//! Owns: which signal means what (keepalived's table), and the pipe that makes them readable.
//! Never does: act on them. Driven by: `event_loop` in the worker, `supervisor` in the parent.

use std::io;

use mio::{Interest, Registry, Token};
use nix::sys::signal::Signal as Unix;

use super::sys;
use crate::base::ident;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// TERM, INT: an orderly end.
    Stop,
    /// HUP: a new configuration.
    Reload,
    /// USR1: configuration and state to files.
    Data,
    /// USR2: the counters of VRRP to a file; `clear`: and then back to zero.
    Stats {
        /// RTMAX-1.
        clear: bool,
    },
    /// RTMIN+2: VRRP to a file, for programs.
    Json,
    /// RTMAX: keepalived dumps its threads, in debug builds alone.
    Threads,
}

/// The functions that `--signum` knows, with the number of the signal.
#[must_use]
pub fn functions() -> [(&'static str, i32); 7] {
    let (first, last) = sys::realtime_signals();
    [
        ("STOP", Unix::SIGTERM as i32),
        ("RELOAD", Unix::SIGHUP as i32),
        ("DATA", Unix::SIGUSR1 as i32),
        ("STATS", Unix::SIGUSR2 as i32),
        ("STATS_CLEAR", last - 1),
        ("JSON", first + 2),
        ("TDUMP", last),
    ]
}

/// Every signal that the daemon listens to.
pub(super) fn all() -> Vec<i32> {
    let mut signals: Vec<i32> = functions().iter().map(|&(_, signal)| signal).collect();
    signals.push(Unix::SIGINT as i32);
    signals
}

/// What a signal asks for; `None`: nothing.
pub(super) fn meaning(signal: i32) -> Option<Signal> {
    if signal == Unix::SIGINT as i32 {
        return Some(Signal::Stop);
    }
    let functions = functions();
    let (name, _) = functions.iter().find(|&&(_, number)| number == signal)?;
    Some(match *name {
        "STOP" => Signal::Stop,
        "RELOAD" => Signal::Reload,
        "DATA" => Signal::Data,
        "STATS" => Signal::Stats { clear: false },
        "STATS_CLEAR" => Signal::Stats { clear: true },
        "JSON" => Signal::Json,
        _ => Signal::Threads,
    })
}

/// The worker's signals.
pub(super) struct Signals(signal_hook_mio::v1_0::Signals);

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals")
    }
}

impl Signals {
    /// Listens from now on, also for the end of children if nothing else announces it.
    pub(super) fn new(children: bool) -> io::Result<Self> {
        let none: [i32; 0] = [];
        let signals = signal_hook_mio::v1_0::Signals::new(none)?;
        for signal in all() {
            match (signals.add_signal(signal), meaning(signal)) {
                (Ok(()), _) => {}
                // Valgrind, for one, keeps the last real-time signal (TDUMP) to itself.
                (Err(error), Some(Signal::Threads)) => {
                    log::debug!(target: ident::DAEMON, "no signal {signal} for TDUMP here: {error}");
                }
                (Err(error), _) => return Err(error),
            }
        }
        if children {
            signals.add_signal(Unix::SIGCHLD as i32)?;
        }
        Ok(Self(signals))
    }

    /// What arrived since the last call.
    pub(super) fn pending(&mut self) -> Vec<Signal> {
        self.0.pending().filter_map(meaning).collect()
    }
}

impl mio::event::Source for Signals {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_scripts_use() {
        assert_eq!(
            functions()[..4],
            [("STOP", 15), ("RELOAD", 1), ("DATA", 10), ("STATS", 12)]
        );
        assert_eq!(meaning(2), Some(Signal::Stop));
        assert_eq!(meaning(1), Some(Signal::Reload));
        assert_eq!(meaning(10), Some(Signal::Data));
        assert_eq!(meaning(13), None);
    }
}
