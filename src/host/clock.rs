//! The clock, and one timer for the node's next deadline.
//!
//! Owns: the reading of `CLOCK_BOOTTIME` (`CLOCK_MONOTONIC` on kernels before 3.15) and a timerfd.
//! Never does: know whose deadline it is. Driven by: `event_loop`, which reads the clock once a turn.
//!
//! `CLOCK_BOOTTIME` goes on while the machine sleeps: a router that wakes up knows at once that
//! its time as master is over, before it sends anything. The wait of epoll has a resolution of a
//! millisecond, too coarse for takeover times; a timerfd has the kernel's own.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::OnceLock;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::clock_gettime;

use crate::base::{Duration, Instant};

/// Whether the kernel has `CLOCK_BOOTTIME` (2.6.39) and timers that run by it (3.15); else
/// `CLOCK_MONOTONIC` has to do, which stands still while the machine sleeps.
fn runs_while_asleep() -> bool {
    static RUNS: OnceLock<bool> = OnceLock::new();
    *RUNS.get_or_init(|| {
        clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).is_ok()
            && TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC).is_ok()
    })
}

/// The time now.
pub(super) fn now() -> Instant {
    let clock = if runs_while_asleep() {
        nix::time::ClockId::CLOCK_BOOTTIME
    } else {
        nix::time::ClockId::CLOCK_MONOTONIC
    };
    // Neither call can fail on a kernel that has the clock.
    clock_gettime(clock).map_or(Instant::ZERO, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        let micros = u64::try_from(now.tv_nsec()).unwrap_or(0) / 1000;
        Instant::from_micros(seconds * 1_000_000 + micros)
    })
}

/// The processor's time that this thread has had.
pub(super) fn thread_time() -> Duration {
    let time = clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(Duration::ZERO, Duration::from)
}

/// Microseconds since 1970.
pub(super) fn wall_micros() -> u64 {
    let now = clock_gettime(nix::time::ClockId::CLOCK_REALTIME);
    now.map_or(0, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0) / 1000
    })
}

/// Microseconds of `CLOCK_MONOTONIC`, which service managers count by.
pub(super) fn monotonic_micros() -> i64 {
    let now = clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| now.tv_sec() * 1_000_000 + now.tv_nsec() / 1000)
}

/// A timer that wakes the loop; it is never read, as only its edge counts.
#[derive(Debug)]
pub(super) struct Timer {
    fd: TimerFd,
    armed: Option<Instant>,
}

impl Timer {
    /// A timer that is not armed.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let clock = if runs_while_asleep() {
            ClockId::CLOCK_BOOTTIME
        } else {
            ClockId::CLOCK_MONOTONIC
        };
        Ok(Self {
            fd: TimerFd::new(clock, flags)?,
            armed: None,
        })
    }

    /// Makes sure that the loop wakes at `deadline`, or a little early but then again.
    pub(super) fn arm(&mut self, now: Instant, deadline: Option<Instant>) -> io::Result<()> {
        if !needs_arming(now, self.armed, deadline) {
            return Ok(());
        }
        match deadline {
            Some(deadline) => {
                let micros = i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX);
                let at = TimeSpec::new(micros / 1_000_000, (micros % 1_000_000) * 1000);
                self.fd.set(
                    Expiration::OneShot(at),
                    TimerSetTimeFlags::TFD_TIMER_ABSTIME,
                )?;
            }
            None => self.fd.unset()?,
        }
        self.armed = deadline;
        Ok(())
    }
}

/// Whether a timer that is armed for `armed` has to be set for `deadline`.
///
/// A backup's deadline moves with every advert that it hears, and each setting is a system call.
/// So a deadline that moves later by less than the timer still has to run is left alone: should
/// nothing more be heard, the timer wakes the loop once in vain and is set then. Over a stream of
/// adverts this halves the calls and wakes nobody; a single move by much is set at once.
fn needs_arming(now: Instant, armed: Option<Instant>, deadline: Option<Instant>) -> bool {
    let (Some(armed), Some(deadline)) = (armed, deadline) else {
        return armed != deadline;
    };
    if deadline <= armed {
        // Also past deadlines need the timer: it fires at once.
        return deadline != armed || armed <= now;
    }
    deadline.saturating_since(armed) >= armed.saturating_since(now)
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Option<Instant> {
        Some(Instant::from_micros(micros))
    }

    // Input: now, what the timer is armed for, the new deadline. Output: whether it has to be set.
    #[test]
    fn the_timer_is_set_only_when_that_is_cheaper_than_waking_in_vain() {
        let cases = [
            (0, None, None, false),
            (0, None, at(5), true),
            (0, at(5), None, true),
            (0, at(5), at(5), false),
            (0, at(5), at(4), true),
            // It fired, and the same deadline is asked for again.
            (5, at(5), at(5), true),
            // A backup at 3,600 ms after the first advert hears one each second.
            (1000, at(3600), at(4600), false),
            (2000, at(3600), at(5600), true),
            // It fired: whatever comes next is set.
            (3600, at(3600), at(4600), true),
        ];
        for (now, armed, deadline, expected) in cases {
            let now = Instant::from_micros(now);
            assert_eq!(
                needs_arming(now, armed, deadline),
                expected,
                "{now:?} {armed:?} {deadline:?}"
            );
        }
    }

    #[test]
    fn the_clock_advances() {
        let first = now();
        let second = now();
        assert!(first > Instant::ZERO && second >= first);
    }
}
