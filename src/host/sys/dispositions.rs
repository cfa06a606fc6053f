//! What signals do that nobody waits for.
//!
//! Owns: the calls that set it for this process. Never does: install code of ours as a handler, nor
//! touch programs that are started, which get all defaults back. Driven by: `main`, `supervisor`.

use nix::sys::signal::{SigHandler, Signal, signal};

/// Gives SIGPIPE back its default, for the modes of a command-line tool: `-t | head` then ends
/// quietly, as every other tool in a pipe does.
pub(in crate::host) fn default_sigpipe() {
    // SAFETY: setting a disposition to SIG_DFL installs no code of ours.
    let _before = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

/// Lets every signal pass by that is neither among `listened` nor tells of a fault of the program:
/// keepalived ignores them too, and a script that has a number wrong ends no router. ABRT keeps its
/// meaning, with which a service manager ends what hangs, and so does TRAP for debuggers.
pub(in crate::host) fn ignore_others(listened: &[i32]) {
    let faults = [
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGABRT,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGSEGV,
        Signal::SIGSYS,
        Signal::SIGCHLD,
    ]
    .map(|signal| signal as i32);
    // Those between are the C library's own.
    let libraries = 32..libc::SIGRTMIN();
    for number in (1..=libc::SIGRTMAX()).filter(|number| !libraries.contains(number)) {
        if !listened.contains(&number) && !faults.contains(&number) {
            // SAFETY: setting a disposition to SIG_IGN installs no code of ours. KILL and STOP
            // refuse.
            unsafe {
                libc::signal(number, libc::SIG_IGN);
            }
        }
    }
}

/// Gives crashes back their default too. The standard library's handler, which tells a stack
/// overflow from other faults, takes a SIGSEGV that somebody sent for none and goes on.
pub(in crate::host) fn default_crashes() {
    for number in [Signal::SIGSEGV, Signal::SIGBUS] {
        // SAFETY: as above.
        let _before = unsafe { signal(number, SigHandler::SigDfl) };
    }
}
