//! The files of a configuration, read a part at a time before anything of them is needed.
//!
//! Owns: their content and digests until the loader takes them; which ones are read is what the last
//! load has read. Never does: read more in a turn than it is told. Driven by: `worker`, through
//! `reading`. A file that nobody knew of is read whole when the loader comes to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::files::HostFiles;
use super::memo::{Digest, Sum, Summed};
use crate::conf::{FileError, Files};

type Found = Result<(Vec<u8>, Digest), FileError>;

/// A file that is being read.
#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    sum: Sum,
}

/// Files, some of which have been read already.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    waiting: Vec<PathBuf>,
    open: Option<Open>,
    found: RefCell<BTreeMap<PathBuf, Found>>,
}

impl Fetched {
    /// These are to be read.
    pub(super) fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        Self {
            waiting: paths.map(Path::to_owned).collect(),
            ..Self::default()
        }
    }

    /// Reads one part more, at most [`Sum::PART`] bytes; whether there is more to do.
    pub(super) fn step(&mut self) -> bool {
        let Some(mut open) = self.open.take() else {
            let Some(path) = self.waiting.pop() else {
                return false;
            };
            match HostFiles::open(&path) {
                Ok((file, length)) => {
                    self.open = Some(Open {
                        path,
                        file,
                        bytes: Vec::with_capacity(length + 1),
                        sum: Sum::default(),
                    });
                }
                Err(error) => drop(self.found.get_mut().insert(path, Err(error))),
            }
            return true;
        };
        let before = open.bytes.len();
        let read = HostFiles::read_on(&mut open.file, &mut open.bytes, Sum::PART);
        let found = match read {
            Ok(count) if count > 0 => {
                open.sum.add(open.bytes.get(before..).unwrap_or_default());
                self.open = Some(open);
                return true;
            }
            Ok(_) => Ok((open.bytes, open.sum.digest())),
            Err(error) => Err(error),
        };
        self.found.get_mut().insert(open.path, found);
        true
    }
}

impl Files for Fetched {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.read_summed(path).map(|(bytes, _)| bytes)
    }

    fn exists(&self, path: &Path) -> bool {
        HostFiles.exists(path)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        HostFiles.glob(pattern)
    }
}

impl Summed for Fetched {
    fn read_summed(&self, path: &Path) -> Found {
        match self.found.borrow_mut().remove(path) {
            Some(found) => found,
            None => HostFiles.read_summed(path),
        }
    }

    fn sum(&self, path: &Path) -> Result<Digest, FileError> {
        match self.found.borrow().get(path) {
            Some(Ok((_, digest))) => Ok(*digest),
            Some(Err(error)) => Err(error.clone()),
            None => HostFiles.sum(path),
        }
    }
}

impl Summed for HostFiles {}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: files of several parts, an empty one, one that is not there. Output: what a reading at
    // once comes to, with the same digests; no step takes more than a part.
    #[test]
    fn parts_come_to_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let large: Vec<u8> = (0..=250).cycle().take(3 * Sum::PART + 17).collect();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let none = folder.path().join("none");
        std::fs::write(&one, &large).unwrap();
        std::fs::write(&two, b"").unwrap();
        let paths = [one.as_path(), &two, &none];
        let mut fetched = Fetched::of(paths.into_iter());
        let mut steps = 0;
        loop {
            let before = fetched.open.as_ref().map_or(0, |open| open.bytes.len());
            if !fetched.step() {
                break;
            }
            let after = fetched
                .open
                .as_ref()
                .map_or(before, |open| open.bytes.len());
            assert!(after.saturating_sub(before) <= Sum::PART);
            steps += 1;
        }
        assert_eq!(steps, 1 + 4 + 1 + 2 + 1);
        for path in paths {
            assert_eq!(fetched.sum(path), HostFiles.sum(path));
            assert_eq!(fetched.read_summed(path), HostFiles.read_summed(path));
        }
    }
}
