//! Files whose content matters.
//!
//! Owns: one inotify descriptor, the directories that it watches, and reading a file's beginning.
//! Never does: interpret what it reads. Driven by: `exec` (effects) and `event_loop` (readiness).
//!
//! A directory is watched, never the file: editors and `mv` replace files. Where the directory is
//! missing, its nearest ancestor is watched until there is more of the path.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::base::ident;
use crate::ops::WatchId;
use crate::ops::process::WATCHED_BYTES;

/// The watched files.
#[derive(Debug, Default)]
pub(super) struct Watches {
    inotify: Option<Inotify>,
    files: BTreeMap<WatchId, Watched>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// The directory that is watched for it, and whether it is the file's own.
    anchor: Option<(WatchDescriptor, bool)>,
}

/// What a directory tells.
const EVENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

impl Watches {
    /// The descriptor to wait for; opened by the first call.
    ///
    /// # Errors
    /// What the system refuses: then files are read when they are asked for, and never again.
    pub(super) fn descriptor(&mut self) -> io::Result<RawFd> {
        let inotify = match self.inotify.take() {
            Some(inotify) => inotify,
            None => Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?,
        };
        let descriptor = inotify.as_fd().as_raw_fd();
        self.inotify = Some(inotify);
        Ok(descriptor)
    }

    /// Whether [`Watches::descriptor`] was called with success.
    pub(super) const fn is_open(&self) -> bool {
        self.inotify.is_some()
    }

    /// Watches a file and returns what it holds.
    pub(super) fn watch(&mut self, id: WatchId, path: &str) -> Option<Vec<u8>> {
        let path = PathBuf::from(path);
        let anchor = self.anchor(&path);
        // Read after the watch is there, so that no change falls between the two.
        let content = read(&path);
        self.files.insert(id, Watched { path, anchor });
        content
    }

    /// Forgets a file, and its directory if it was the last there.
    pub(super) fn unwatch(&mut self, id: WatchId) {
        let Some(gone) = self.files.remove(&id) else {
            return;
        };
        self.release(gone.anchor);
    }

    fn release(&self, anchor: Option<(WatchDescriptor, bool)>) {
        let Some((directory, _)) = anchor else {
            return;
        };
        let used = self
            .files
            .values()
            .any(|file| file.anchor.is_some_and(|(used, _)| used == directory));
        if let Some(inotify) = self.inotify.as_ref().filter(|_| !used) {
            // It may have gone by itself.
            let _gone = inotify.rm_watch(directory);
        }
    }

    /// Watches the directory of `path`, or the nearest one above it that is there.
    fn anchor(&self, path: &Path) -> Option<(WatchDescriptor, bool)> {
        let inotify = self.inotify.as_ref()?;
        for (depth, directory) in path.ancestors().skip(1).enumerate() {
            let directory = if directory.as_os_str().is_empty() {
                Path::new(".")
            } else {
                directory
            };
            if let Ok(descriptor) = inotify.add_watch(directory, EVENTS) {
                return Some((descriptor, depth == 0));
            }
        }
        None
    }

    /// The files that may have changed, with what they hold now.
    pub(super) fn changes(&mut self) -> Vec<(WatchId, Option<Vec<u8>>)> {
        let mut touched: Vec<WatchId> = Vec::new();
        let mut lost: Vec<WatchId> = Vec::new();
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            for event in events {
                let overflow = event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                let gone = event.mask.intersects(
                    AddWatchFlags::IN_DELETE_SELF
                        | AddWatchFlags::IN_MOVE_SELF
                        | AddWatchFlags::IN_IGNORED,
                );
                for (&id, file) in &self.files {
                    let here = file.anchor.filter(|(directory, _)| *directory == event.wd);
                    let Some((_, own)) = here.or_else(|| file.anchor.filter(|_| overflow)) else {
                        continue;
                    };
                    if gone || !own || overflow {
                        lost.push(id);
                    } else if matters(file, event.mask, event.name.as_ref()) {
                        touched.push(id);
                    }
                }
            }
        }
        lost.sort_unstable();
        lost.dedup();
        for &id in &lost {
            self.anchor_again(id);
        }
        touched.extend(lost);
        touched.sort_unstable();
        touched.dedup();
        let held = touched.into_iter().filter_map(|id| {
            let file = self.files.get(&id)?;
            Some((id, read(&file.path)))
        });
        held.collect()
    }

    fn anchor_again(&mut self, id: WatchId) {
        let Some(file) = self.files.get(&id) else {
            return;
        };
        let anchor = self.anchor(&file.path);
        if let Some(file) = self.files.get_mut(&id) {
            let before = std::mem::replace(&mut file.anchor, anchor);
            if before.map(|(directory, _)| directory) != anchor.map(|(directory, _)| directory) {
                self.release(before);
            }
        }
    }
}

/// Whether an event of its directory concerns the file. A file that was only created is empty
/// still, unless it is a link to something.
fn matters(file: &Watched, mask: AddWatchFlags, name: Option<&OsString>) -> bool {
    if name.map(OsString::as_os_str) != file.path.file_name() {
        return false;
    }
    let link = || {
        let facts = fs::symlink_metadata(&file.path);
        facts.is_ok_and(|facts| facts.is_symlink() || facts.nlink() > 1)
    };
    !mask.contains(AddWatchFlags::IN_CREATE) || link()
}

/// The beginning of a regular file; anything else counts as unreadable.
fn read(path: &Path) -> Option<Vec<u8>> {
    // Without O_NONBLOCK a FIFO in this place would stop the daemon.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).ok()?;
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return None;
    }
    let mut bytes = Vec::with_capacity(WATCHED_BYTES);
    let most = u64::try_from(WATCHED_BYTES).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Writes a value into a file, if there is none or in any case; a link is not followed, so that
/// nobody can point the daemon at another file.
pub(super) fn write_value(path: &str, value: i64, overwrite: bool) {
    let path = Path::new(path);
    let exists = fs::symlink_metadata(path).is_ok();
    if exists && !overwrite {
        return;
    }
    let written = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()));
    if let Err(error) = written {
        log::error!(
            target: ident::VRRP,
            "Unable to write the initial value {value} to track file {}: {error}",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Asker;

    fn id(number: u64) -> WatchId {
        WatchId {
            asker: Asker::Notify,
            number,
        }
    }

    fn open() -> Watches {
        let mut watches = Watches::default();
        watches.descriptor().unwrap();
        watches
    }

    fn now(watches: &mut Watches) -> Vec<(WatchId, Option<Vec<u8>>)> {
        watches.changes()
    }

    // Input: no file, written, replaced by a rename, removed. Output: its content after each.
    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("value");
        let mut watches = open();
        assert_eq!(watches.watch(id(1), path.to_str().unwrap()), None);
        fs::write(&path, "5").unwrap();
        assert_eq!(now(&mut watches), [(id(1), Some(b"5".to_vec()))]);
        let other = directory.path().join("other");
        fs::write(&other, "7").unwrap();
        assert_eq!(now(&mut watches), []);
        fs::rename(&other, &path).unwrap();
        assert_eq!(now(&mut watches), [(id(1), Some(b"7".to_vec()))]);
        fs::remove_file(&path).unwrap();
        assert_eq!(now(&mut watches), [(id(1), None)]);
    }

    // Input: a path below directories that come, go and come again. Output: the same.
    #[test]
    fn missing_directories_are_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b");
        let path = deep.join("value");
        let mut watches = open();
        assert_eq!(watches.watch(id(1), path.to_str().unwrap()), None);
        for value in ["1", "2"] {
            fs::create_dir(directory.path().join("a")).unwrap();
            assert_eq!(now(&mut watches), [(id(1), None)]);
            fs::create_dir(&deep).unwrap();
            now(&mut watches);
            fs::write(&path, value).unwrap();
            let expected = Some(value.as_bytes().to_vec());
            assert_eq!(now(&mut watches), [(id(1), expected)]);
            fs::remove_dir_all(directory.path().join("a")).unwrap();
            assert_eq!(now(&mut watches).pop(), Some((id(1), None)));
        }
    }

    // Input: two files of one directory, one forgotten; a FIFO and a directory as files. Output:
    // the other is still seen; neither is read.
    #[test]
    fn directories_are_shared_and_odd_files_unreadable() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b, fifo] = ["a", "b", "fifo"].map(|name| directory.path().join(name));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut watches = open();
        for (number, path) in [(1, &a), (2, &b)] {
            assert_eq!(watches.watch(id(number), path.to_str().unwrap()), None);
        }
        watches.unwatch(id(1));
        fs::write(&b, "x").unwrap();
        assert_eq!(now(&mut watches), [(id(2), Some(b"x".to_vec()))]);
        assert_eq!(watches.watch(id(3), fifo.to_str().unwrap()), None);
        let path = directory.path().to_str().unwrap();
        assert_eq!(watches.watch(id(4), path), None);
    }

    #[test]
    fn an_initial_value_is_written_once_or_always() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("value");
        let name = path.to_str().unwrap();
        write_value(name, -3, false);
        assert_eq!(fs::read_to_string(&path).unwrap(), "-3\n");
        write_value(name, 4, false);
        assert_eq!(fs::read_to_string(&path).unwrap(), "-3\n");
        write_value(name, 4, true);
        assert_eq!(fs::read_to_string(&path).unwrap(), "4\n");
    }
}
