//! Pid files.
//!
//! Owns: a file with a process id, and the lock that says the process lives. Never does: believe a
//! number in such a file: only the lock counts, and it dies with its process. Driven by:
//! `supervisor` (the daemon's) and `worker` (those of VRRP and the checkers).
//!
//! The lock belongs to the open file, not to the process, and is inherited: as long as a worker
//! lives, even one whose supervisor was killed, no second daemon starts.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};

/// A locked pid file.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why there is no pid file for us.
#[derive(Debug)]
pub(super) enum PidFileError {
    /// Another process has locked it.
    Running,
    /// The system says no.
    Io(io::Error),
}

impl From<io::Error> for PidFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl PidFile {
    /// Creates or takes over the file at `path` and locks it.
    ///
    /// # Errors
    /// [`PidFileError::Running`] if another process has it.
    pub(super) fn lock(path: &Path) -> Result<Self, PidFileError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)?;
            let whole = libc::flock {
                l_type: WRITE_LOCK,
                l_whence: SEEK_SET,
                l_start: 0,
                l_len: 0,
                l_pid: 0,
            };
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)) {
                Ok(_) => {}
                Err(nix::Error::EAGAIN | nix::Error::EACCES) => return Err(PidFileError::Running),
                Err(error) => return Err(PidFileError::Io(error.into())),
            }
            // A daemon that ended between the two calls has removed the file that we locked.
            let ours = file.metadata()?;
            if std::fs::metadata(path).is_ok_and(|there| there.ino() == ours.ino()) {
                file.set_len(0)?;
                return Ok(Self {
                    path: path.to_owned(),
                    file,
                });
            }
        }
    }

    /// Writes the id of a process.
    pub(super) fn write(&mut self, pid: i32) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(format!("{pid}\n").as_bytes())
    }

    /// Removes the file; the lock goes with it.
    pub(super) fn remove(self) {
        // It may be gone already; nothing is to be done about anything else.
        drop(std::fs::remove_file(&self.path));
    }
}

#[allow(clippy::cast_possible_truncation)] // 0 and 1.
const WRITE_LOCK: libc::c_short = libc::F_WRLCK as libc::c_short;
#[allow(clippy::cast_possible_truncation)]
const SEEK_SET: libc::c_short = libc::SEEK_SET as libc::c_short;

/// Where pid files are, as keepalived has it: `/run`, on older systems `/var/run`.
#[must_use]
pub fn directory() -> PathBuf {
    let run = Path::new("/run");
    if run.is_dir() {
        run.to_owned()
    } else {
        PathBuf::from("/var/run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a lock, a second one, then the first removed. Output: refused, then granted; a stale
    // file with another number is no obstacle.
    #[test]
    fn a_pid_file_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keepalived.pid");
        std::fs::write(&path, "99999999\n").unwrap();
        let mut first = PidFile::lock(&path).unwrap();
        first.write(42).unwrap();
        assert!(matches!(PidFile::lock(&path), Err(PidFileError::Running)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "42\n");
        first.remove();
        assert!(!path.exists());
        let second = PidFile::lock(&path).unwrap();
        drop(second);
        assert!(PidFile::lock(&path).is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        assert!(matches!(
            PidFile::lock(Path::new("/no/such/folder/x.pid")),
            Err(PidFileError::Io(_))
        ));
    }
}
