//! `--hand-over`: from one daemon to the next without a gap.
//!
//! Owns: the socket at which a worker that was told to stop waits for its successor, and the
//! conversation of the two. Never does: change anything in the kernel; the old worker simply goes
//! on with its work until the new one does it. Driven by: `worker` on both sides, `supervisor`,
//! which looks whether somebody waits.
//!
//! ```text
//! old worker                          new worker
//!   told to stop; waits, works on
//!   ◀──────────────────── connects ──   has read its configuration
//!   ── Estate ──────────────────────▶   takes over: masters stay masters
//!   ◀──────────────────────── done ──   works
//!   ends, and touches nothing
//! ```
//!
//! Where no successor comes, the old worker stops as it would have without the option, a few
//! seconds later. A successor without the option says `stop` instead, and waits for that.

use std::fs::Permissions;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Instant, ident};
use crate::node::Estate;

/// How long a worker waits for its successor. Debian's scripts and systemd take less than a second
/// from the stop to the start.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How often it looks for one.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// How long the locks of a worker that has ended may stay.
pub(super) const UNLOCK: Duration = Duration::from_millis(500);

/// How long either side waits for the other's next word.
const ANSWER: Duration = Duration::from_secs(2);

/// How long the stop of a worker may take that was told to stop after all.
const STOP: Duration = Duration::from_secs(6);

/// What is handed over, on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Letter {
    masters: Vec<String>,
    down: Vec<(String, String)>,
    #[serde(default)]
    scripts: Vec<(String, bool)>,
}

/// What a successor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// It works: the old worker may go.
    Done,
    /// The old worker is to stop as usual.
    Stop,
}

/// The old worker's side.
#[derive(Debug)]
pub(super) struct Waiting {
    listener: UnixListener,
    path: PathBuf,
    successor: Option<UnixStream>,
    /// When nobody is expected any more.
    pub(super) until: Instant,
}

impl Waiting {
    /// Waits at `path` from `now` on.
    ///
    /// # Errors
    /// What the system refuses: then there is no way but to stop.
    pub(super) fn at(path: &Path, now: Instant) -> io::Result<Self> {
        // Left by somebody who was killed while waiting.
        drop(std::fs::remove_file(path));
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            successor: None,
            until: now + PATIENCE,
        })
    }

    /// Looks whether a successor has come, tells it what there is, and listens to it; `estate` is
    /// what it is told.
    pub(super) fn look(&mut self, now: Instant, estate: impl FnOnce() -> Estate) -> Option<Wish> {
        if self.successor.is_none() {
            let (stream, _) = self.listener.accept().ok()?;
            // A successor that reads its configuration has time for that.
            self.until = self.until.max(now + PATIENCE);
            self.successor = told(stream, estate());
        }
        let mut word = [0; 8];
        match self.successor.as_mut()?.read(&mut word) {
            Ok(0) => self.successor = None,
            Ok(count) if word[..count].starts_with(b"done") => return Some(Wish::Done),
            Ok(count) if word[..count].starts_with(b"stop") => return Some(Wish::Stop),
            Ok(_) => self.successor = None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.successor = None,
        }
        None
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // The successor does not need it any more.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Hands the letter to whoever came; `None`: it is gone again.
fn told(mut stream: UnixStream, estate: Estate) -> Option<UnixStream> {
    let letter = Letter {
        masters: estate.masters,
        down: estate.down,
        scripts: estate.scripts,
    };
    let mut line = serde_json::to_vec(&letter).ok()?;
    line.push(b'\n');
    stream.set_nonblocking(false).ok()?;
    stream.set_write_timeout(Some(ANSWER)).ok()?;
    stream.write_all(&line).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// The new worker's side.
#[derive(Debug)]
pub(super) struct Predecessor {
    stream: BufReader<UnixStream>,
}

impl Predecessor {
    /// Whoever waits at `path`; `None`: nobody.
    pub(super) fn find(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(ANSWER)).ok()?;
        Some(Self {
            stream: BufReader::new(stream),
        })
    }

    /// What it leaves.
    ///
    /// # Errors
    /// It is gone, or does not speak as this version does.
    pub(super) fn estate(&mut self) -> io::Result<Estate> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let letter: Letter = serde_json::from_str(&line)?;
        Ok(Estate {
            masters: letter.masters,
            down: letter.down,
            scripts: letter.scripts,
        })
    }

    /// Lets it go, and waits until it is gone.
    pub(super) fn done(self) {
        self.end("done\n", ANSWER);
    }

    /// Has it stop, and waits until it has.
    pub(super) fn stop(self) {
        self.end("stop\n", STOP);
    }

    fn end(mut self, word: &str, patience: Duration) {
        let stream = self.stream.get_mut();
        let said = stream
            .write_all(word.as_bytes())
            .and_then(|()| stream.set_read_timeout(Some(patience)));
        let mut rest = Vec::new();
        // The end of the stream is the end of the process: nothing else closes it.
        if let Err(error) = said.and_then(|()| self.stream.read_to_end(&mut rest)) {
            log::warn!(target: ident::DAEMON, "the daemon before this one does not end: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estate() -> Estate {
        Estate {
            masters: vec!["VI_1".to_owned()],
            down: vec![(
                "[192.0.2.1]:tcp:80".to_owned(),
                "[192.0.2.9]:tcp:80".to_owned(),
            )],
            scripts: vec![("chk".to_owned(), true)],
        }
    }

    // Input: a worker that waits; somebody who looks and goes; a successor. Output: the first
    // changes nothing, the second gets what there is, and its word arrives.
    #[test]
    fn a_successor_gets_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        assert!(Predecessor::find(&path).is_none());
        let start = Instant::from_micros(1);
        let mut waiting = Waiting::at(&path, start).unwrap();
        assert_eq!(waiting.look(start, estate), None);
        drop(Predecessor::find(&path).unwrap());
        assert_eq!(waiting.look(start, estate), None);
        assert_eq!(waiting.look(start, estate), None);
        for (word, wish) in [("done\n", Wish::Done), ("stop\n", Wish::Stop)] {
            let mut new = Predecessor::find(&path).unwrap();
            while waiting.successor.is_none() {
                assert_eq!(waiting.look(start, estate), None);
            }
            assert_eq!(new.estate().unwrap(), estate());
            new.stream.get_mut().write_all(word.as_bytes()).unwrap();
            let heard =
                std::iter::repeat_with(|| waiting.look(start, estate)).find_map(|wish| wish);
            assert_eq!(heard, Some(wish));
            waiting.successor = None;
        }
        assert_eq!(waiting.until, start + PATIENCE);
        drop(waiting);
        assert!(!path.exists());
    }
}
