//! Network namespaces that `ip netns` has named.
//!
//! Owns: nothing; the namespace of a process is the kernel's. Never does: make or remove one.
//! Driven by: `supervisor` and `worker` at their start, `genl` for an IPVS table elsewhere.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::sched::{CloneFlags, setns};

use crate::conf::source;

/// Where `ip netns` keeps them; the second on systems without `/run`.
const DIRECTORIES: [&str; 2] = ["/run/netns", "/var/run/netns"];

static ORIGIN: OnceLock<Namespace> = OnceLock::new();

/// A namespace that can be entered.
#[derive(Debug)]
pub(super) struct Namespace(File);

impl Namespace {
    /// That of this name.
    ///
    /// # Errors
    /// There is none, or this process may not look.
    pub(super) fn named(name: &str) -> io::Result<Self> {
        let name = source::to_path(name);
        // A name is no path: `../../proc/1/ns/net` is none.
        if name.components().count() != 1 || name.file_name().is_none() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let path = |directory: &str| Path::new(directory).join(&name);
        let found: Option<PathBuf> = DIRECTORIES.map(path).into_iter().find(|path| path.exists());
        let found = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        File::open(found).map(Self)
    }

    /// That of this process, to come back to.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub(super) fn current() -> io::Result<Self> {
        File::open("/proc/self/ns/net").map(Self)
    }

    /// Notes where the daemon was started, once, before it moves.
    pub(super) fn remember_origin() {
        if let Ok(here) = Self::current() {
            // A later call changes nothing.
            drop(ORIGIN.set(here));
        }
    }

    /// Where the daemon was started.
    ///
    /// # Errors
    /// `/proc` was not there.
    pub(super) fn origin() -> io::Result<&'static Self> {
        let origin = ORIGIN.get();
        origin.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Moves this process into it; what is open stays where it was opened.
    ///
    /// # Errors
    /// What the kernel refuses, mostly for want of `CAP_SYS_ADMIN`.
    pub(super) fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.0, CloneFlags::CLONE_NEWNET)?)
    }

    /// Does something in there, and comes back.
    ///
    /// # Errors
    /// As [`Namespace::enter`]; and those of `what`.
    pub(super) fn within<T>(&self, what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let here = Self::current()?;
        self.enter()?;
        let result = what();
        here.enter()?;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_taken() {
        for name in ["no-such-namespace-here", "", ".", "..", "../netns/x", "a/b"] {
            assert!(Namespace::named(name).is_err(), "{name:?}");
        }
    }
}
