//! A process that a test started and that ends with it.
//!
//! Owns the child and its end: killed by its own pid and reaped on drop. Never touches another
//! process. Driven by [`super::Host::spawn`].

use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Context, Error, Result, wait_for};

/// A running child of ours inside a host.
pub struct Proc {
    child: Child,
    what: String,
}

impl Proc {
    pub(super) fn new(child: Child, what: String) -> Self {
        Self { child, what }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        // A pid comes from the kernel's pid_t, so it fits; 0 would mean our own group.
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).context(|| format!("{signal} to {}", self.what))
    }

    /// Its standard input, if it was asked for with `Stdio::piped()`; once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, if it was asked for with `Stdio::piped()`; once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the kernel does not know it.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// When it runs on past `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("end of {}", self.what);
        let child = &mut self.child;
        let (ended, _) = wait_for(deadline, &what, || child.try_wait().transpose())?;
        ended.map_err(|error| Error::new(format!("{what}: {error}")))
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Either may only fail because it ended this moment.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
