//! `MISC_CHECK`: a program that says with its exit status whether the server is well.
//!
//! Owns: what a status means, and how a program that takes too long is ended: asked to first, then
//! made to. Never does: run it; that is an effect. Driven by: `domain`.

use super::{Detail, Outcome, Verdict};
use crate::base::Duration;
use crate::conf::model::MiscProbe;
use crate::ops::{ChildEnd, ChildSignal, Command};

/// How long a program may take to end after `SIGTERM`, and after `SIGKILL`.
pub(in crate::check) const GRACE: Duration = Duration::from_secs(2);

/// With `misc_dynamic` this status and those after it are weights, from 0 on.
const FIRST_WEIGHT: u32 = 2;

/// How far a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::check) enum Phase {
    /// It runs.
    #[default]
    Running,
    /// It was asked to end.
    Terminating,
    /// It was made to.
    Killed,
}

/// What the end of a program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum MiscEnd {
    /// It ended by itself.
    Ended(ChildEnd),
    /// It found the server well, and worth this weight.
    Weighed(u32),
    /// Its time was over.
    TimedOut,
}

/// The program to run; `None`: nothing is named, or a quote is open.
pub(in crate::check) fn command(probe: &MiscProbe) -> Option<Command> {
    let argv = probe.script.argv()?;
    Some(Command {
        argv,
        user: probe.script.user.clone(),
        group: probe.script.group.clone(),
        environment: Vec::new(),
    })
}

/// The time is over: the signal to send, or that no more is waited for.
pub(in crate::check) const fn late(phase: Phase) -> Option<(ChildSignal, Phase)> {
    match phase {
        Phase::Running => Some((ChildSignal::Term, Phase::Terminating)),
        Phase::Terminating => Some((ChildSignal::Kill, Phase::Killed)),
        // Stuck in the kernel, where no signal reaches it; its server is judged all the same.
        Phase::Killed => None,
    }
}

/// What the end says of the server.
pub(in crate::check) fn judge(probe: &MiscProbe, phase: Phase, end: ChildEnd) -> Verdict {
    let of = |outcome, end| Verdict {
        outcome,
        detail: Detail::Misc(end),
    };
    if phase != Phase::Running {
        return timed_out();
    }
    match end {
        ChildEnd::Exited(0) => Verdict::plain(Outcome::Success),
        ChildEnd::Exited(status @ 2..) if probe.dynamic => of(
            Outcome::Success,
            MiscEnd::Weighed(u32::from(status) - FIRST_WEIGHT),
        ),
        // No process, no memory, no descriptor: tells nothing of the server.
        ChildEnd::NotStarted(errno @ (11 | 12 | 23 | 24)) => Verdict::unknown(errno),
        ChildEnd::Exited(_) | ChildEnd::Killed(_) | ChildEnd::NotStarted(_) => {
            of(Outcome::Failure, MiscEnd::Ended(end))
        }
    }
}

/// It took too long.
pub(in crate::check) const fn timed_out() -> Verdict {
    Verdict {
        outcome: Outcome::Timeout,
        detail: Detail::Misc(MiscEnd::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::model::CheckScript;

    fn probe(dynamic: bool) -> MiscProbe {
        MiscProbe {
            script: CheckScript {
                command: "/usr/bin/check 'one word' two".to_owned(),
                user: Some("nobody".to_owned()),
                group: None,
            },
            timeout: Some(Duration::from_secs(5)),
            dynamic,
        }
    }

    #[test]
    fn the_command_is_split_like_a_shell_would() {
        let command = command(&probe(false)).unwrap();
        assert_eq!(command.argv, ["/usr/bin/check", "one word", "two"]);
        assert_eq!(command.user.as_deref(), Some("nobody"));
    }

    // Input: ends of a program. Output: 0 is success; 2 and more only where they are a weight; a
    // shortage of this host says nothing.
    #[test]
    fn the_status_is_the_verdict() {
        let outcome = |dynamic, end| judge(&probe(dynamic), Phase::Running, end).outcome;
        assert_eq!(outcome(false, ChildEnd::Exited(0)), Outcome::Success);
        assert_eq!(outcome(false, ChildEnd::Exited(1)), Outcome::Failure);
        assert_eq!(outcome(false, ChildEnd::Exited(7)), Outcome::Failure);
        assert_eq!(outcome(true, ChildEnd::Exited(7)), Outcome::Success);
        let weight = |status| judge(&probe(true), Phase::Running, ChildEnd::Exited(status)).detail;
        assert_eq!(weight(0), Detail::None);
        assert_eq!(weight(2), Detail::Misc(MiscEnd::Weighed(0)));
        assert_eq!(weight(255), Detail::Misc(MiscEnd::Weighed(253)));
        assert_eq!(outcome(true, ChildEnd::Exited(1)), Outcome::Failure);
        assert_eq!(outcome(true, ChildEnd::Killed(10)), Outcome::Failure);
        assert_eq!(outcome(false, ChildEnd::NotStarted(2)), Outcome::Failure);
        assert_eq!(
            outcome(false, ChildEnd::NotStarted(11)),
            Outcome::Unknown(11)
        );
    }

    // Input: a program that ignores SIGTERM. Output: TERM, KILL, then it is given up.
    #[test]
    fn a_program_is_asked_first_then_made_to() {
        let (signal, phase) = late(Phase::Running).unwrap();
        assert_eq!(signal, ChildSignal::Term);
        let (signal, phase) = late(phase).unwrap();
        assert_eq!(signal, ChildSignal::Kill);
        assert_eq!(late(phase), None);
        let verdict = judge(&probe(false), phase, ChildEnd::Killed(9));
        assert_eq!(verdict, timed_out());
    }
}
