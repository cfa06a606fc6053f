//! The first file system of the emulated machine, as the kernel unpacks it.
//!
//! Owns: the format (`newc` of cpio) and which libraries a program brings along. Never decides
//! which programs. Driven by [`super`].

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Context, Error, Result};

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
/// Alignment of heads and of contents.
const ALIGN: usize = 4;

/// An archive that grows.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    known: BTreeSet<PathBuf>,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).context(|| name.to_owned())?;
        let length = u32::try_from(name.len() + 1).context(|| name.to_owned())?;
        // inode, mode, owner, group, links, time, size, four numbers of devices, length of the
        // name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGN), 0);
    }

    /// Adds a folder and those that it is in; each once.
    pub(super) fn folder(&mut self, path: &Path) -> Result<()> {
        if path == Path::new("/") || !self.known.insert(path.to_owned()) {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.folder(above)?;
        }
        self.entry(&inside(path), FOLDER, &[])
    }

    /// Adds a file with this content.
    pub(super) fn content(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        if !self.known.insert(path.to_owned()) {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.folder(above)?;
        }
        self.entry(&inside(path), FILE | mode, content)
    }

    /// Adds a file of this machine under another name.
    pub(super) fn file(&mut self, from: &Path, to: &Path) -> Result<()> {
        let content = fs::read(from).context(|| from.display().to_string())?;
        let mode = fs::metadata(from)?.permissions().mode() & 0o777;
        self.content(to, mode, &content)
    }

    /// Adds a program with the libraries that it is linked with, where it finds them.
    pub(super) fn program(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.file(from, to)?;
        let output = Command::new("ldd").arg(from).env("LC_ALL", "C").output();
        let text = output.context(|| "ldd".to_owned())?.stdout;
        for library in libraries(&String::from_utf8_lossy(&text)) {
            self.file(&library, &library)?;
        }
        Ok(())
    }

    /// The whole.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.bytes)
    }
}

fn inside(path: &Path) -> String {
    path.display()
        .to_string()
        .trim_start_matches('/')
        .to_owned()
}

/// The files that `ldd` names.
fn libraries(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let word = line.split_whitespace().find(|word| word.starts_with('/'))?;
        Some(PathBuf::from(word))
    };
    text.lines().filter_map(path).collect()
}

/// The first of these files that exists.
pub(super) fn first_of(paths: &[&str]) -> Result<PathBuf> {
    let found = paths.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| Error::new(format!("none of {} is here", paths.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input: one small file in a folder. Output: what `cpio -t` reads; each part on a boundary of
    /// four bytes, each folder once and before what is in it.
    #[test]
    fn the_archive_is_one_that_cpio_reads() {
        let mut archive = Archive::default();
        archive.content(Path::new("/a/b"), 0o644, b"hello").unwrap();
        archive.content(Path::new("/a/c"), 0o644, b"").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % ALIGN, 0);
        let heads: Vec<usize> = (0..bytes.len())
            .filter(|&at| bytes[at..].starts_with(b"070701"))
            .collect();
        let names: Vec<String> = heads
            .iter()
            .map(|head| {
                let name = &bytes[head + 110..];
                let end = name.iter().position(|&byte| byte == 0).unwrap();
                String::from_utf8_lossy(&name[..end]).into_owned()
            })
            .collect();
        assert_eq!(names, ["a", "a/b", "a/c", "TRAILER!!!"]);
        assert!(heads.iter().all(|head| head % ALIGN == 0));
    }

    /// Input: lines of ldd of the three kinds. Output: the two that are files.
    #[test]
    fn libraries_are_what_has_a_path() {
        let text = "\tlinux-vdso.so.1 (0x0)\n\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\t/lib64/ld-linux-x86-64.so.2 (0x2)\n";
        let expected = ["/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(libraries(text), expected);
    }
}
