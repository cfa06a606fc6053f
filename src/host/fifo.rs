//! FIFOs that tell other programs of changes.
//!
//! Owns: the open FIFOs, and making and removing them. Never does: wait for a reader, keep a line
//! that finds no room (`notify` does), follow a link. Driven by: `exec` (effects) and `event_loop`
//! (there is room again).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{fchown, geteuid, mkfifo};

use super::child::{Identity, errno};
use crate::ops::{FifoFailure, FifoId, FifoIo};

/// Everybody may read, its owner may write.
const MODE: Mode = Mode::from_bits_truncate(0o644);

/// The open FIFOs.
#[derive(Debug, Default)]
pub(super) struct Fifos {
    open: BTreeMap<FifoId, Fifo>,
}

#[derive(Debug)]
struct Fifo {
    file: File,
    path: PathBuf,
    /// It was not there before.
    made: bool,
    /// What the loop knows it by.
    token: usize,
}

/// A FIFO on its way into the loop.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    path: PathBuf,
    made: bool,
}

impl Opened {
    /// What to wait for.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Makes the FIFO at `path` unless it is there, for `owner`, and opens it.
///
/// # Errors
/// See [`FifoFailure`].
pub(super) fn open(path: &str, owner: Option<&Identity>) -> Result<Opened, FifoFailure> {
    let path = Path::new(path);
    let made = match mkfifo(path, MODE) {
        Ok(()) => true,
        Err(nix::Error::EEXIST) => false,
        Err(error) => return Err(FifoFailure::System(error as i32)),
    };
    let opened = checked(path, owner, made);
    if opened.is_err() && made {
        drop(fs::remove_file(path));
    }
    opened
}

fn checked(path: &Path, owner: Option<&Identity>, made: bool) -> Result<Opened, FifoFailure> {
    let system = |error: &io::Error| FifoFailure::System(errno(error));
    // Opening something else may have effects (a tape rewinds), so look first; what is opened is
    // looked at again, as it may have been replaced meanwhile.
    let there = fs::symlink_metadata(path).map_err(|error| system(&error))?;
    if !there.file_type().is_fifo() {
        return Err(FifoFailure::NoFifo);
    }
    // Read-write: there is always a reader, so that opening does not wait and writing raises no
    // SIGPIPE.
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let file = options.open(path).map_err(|error| system(&error))?;
    let facts = file.metadata().map_err(|error| system(&error))?;
    if !facts.file_type().is_fifo() {
        return Err(FifoFailure::NoFifo);
    }
    let ours = geteuid().as_raw();
    let of_owner = owner.is_some_and(|owner| owner.uid.as_raw() == facts.uid());
    if facts.uid() != ours && !of_owner {
        return Err(FifoFailure::Foreign);
    }
    if made {
        // The umask may have taken something away.
        let changed = fchmod(&file, MODE).and_then(|()| match owner {
            Some(owner) => fchown(&file, Some(owner.uid), Some(owner.gid)),
            None => Ok(()),
        });
        changed.map_err(|error| FifoFailure::System(error as i32))?;
    }
    let path = path.to_owned();
    Ok(Opened { file, path, made })
}

impl Fifos {
    /// Keeps an open FIFO.
    pub(super) fn insert(&mut self, id: FifoId, opened: Opened, token: usize) {
        let Opened { file, path, made } = opened;
        let fifo = Fifo {
            file,
            path,
            made,
            token,
        };
        self.open.insert(id, fifo);
    }

    /// Whether it is open.
    pub(super) fn is_open(&self, id: FifoId) -> bool {
        self.open.contains_key(&id)
    }

    /// Writes lines in order, each as a whole, as far as there is room.
    pub(super) fn write(&mut self, id: FifoId, lines: &[Vec<u8>]) -> Option<FifoIo> {
        let fifo = self.open.get_mut(&id)?;
        let mut written = 0;
        while let Some(line) = lines.get(written) {
            // What is no longer than PIPE_BUF (4,096 bytes) is never written in part (pipe(7)).
            match fifo.file.write(line) {
                Ok(_) => written += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Some(FifoIo::Failed(FifoFailure::System(errno(&error)))),
            }
        }
        Some(FifoIo::Wrote(written))
    }

    /// Closes it, removes it if it was made here, and returns its token.
    pub(super) fn close(&mut self, id: FifoId) -> Option<usize> {
        let fifo = self.open.remove(&id)?;
        if fifo.made {
            // Only what is still the same FIFO: somebody may have put another file there.
            let ours = fifo.file.metadata();
            let there = fs::symlink_metadata(&fifo.path);
            if let (Ok(ours), Ok(there)) = (ours, there)
                && (ours.dev(), ours.ino()) == (there.dev(), there.ino())
            {
                drop(fs::remove_file(&fifo.path));
            }
        }
        Some(fifo.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    const ID: FifoId = FifoId(1);

    // Input: no FIFO; lines until it is full; a reader takes some. Output: 0644, "full" and nothing
    // of that line, and room again; removed at the end.
    #[test]
    fn a_full_fifo_takes_whole_lines_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        let opened = open(path.to_str().unwrap(), None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644);
        let mut fifos = Fifos::default();
        fifos.insert(ID, opened, 7);
        let lines = vec![vec![b'x'; 1000]; 1000];
        let Some(FifoIo::Wrote(written)) = fifos.write(ID, &lines) else {
            panic!("broken");
        };
        assert!((1..1000).contains(&written));
        assert_eq!(fifos.write(ID, &lines), Some(FifoIo::Wrote(0)));
        let mut reader = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let mut buffer = vec![0; 1000 * (written + 1)];
        let mut got = 0;
        while let Ok(count) = reader.read(&mut buffer) {
            got += count;
        }
        assert_eq!(got, 1000 * written);
        assert_eq!(fifos.write(ID, &lines[..1]), Some(FifoIo::Wrote(1)));
        assert_eq!(fifos.close(ID), Some(7));
        assert!(!path.exists());
    }

    // Input: a FIFO of ours, a file, a link to a FIFO. Output: reused and left; refused; refused.
    #[test]
    fn what_is_there_already_is_reused_or_refused() {
        let directory = tempfile::tempdir().unwrap();
        let [fifo, file, link] = ["fifo", "file", "link"].map(|name| directory.path().join(name));
        mkfifo(&fifo, MODE).unwrap();
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        let opened = open(fifo.to_str().unwrap(), None).unwrap();
        let mut fifos = Fifos::default();
        fifos.insert(ID, opened, 7);
        fifos.close(ID);
        assert!(fifo.exists());
        for odd in [&file, &link] {
            let failure = open(odd.to_str().unwrap(), None).unwrap_err();
            assert_eq!(failure, FifoFailure::NoFifo);
            assert!(fs::symlink_metadata(odd).is_ok());
        }
        let nowhere = open("/nonexistent/fifo", None).unwrap_err();
        assert_eq!(nowhere, FifoFailure::System(libc::ENOENT));
    }
}
