//! `-g`: log lines in files.
//!
//! Owns: one file for each part of the daemon, as keepalived's processes have one each. Never does:
//! grow a file without end on its own account: it is opened to append, and again for each burst of
//! lines, so that a rotated file is left alone. Driven by: `logger`.

use std::fmt::{Arguments, Write as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::logger::asctime;
use super::sys;
use crate::base::ident;

/// Bytes of lines that wait for the end of a turn.
const WAITING: usize = 16 * 1024;

/// The files.
#[derive(Debug)]
pub(super) struct LogFiles {
    parts: [Part; 4],
    /// Each line goes out at once.
    at_once: bool,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    text: String,
}

/// The name for a part: the suffix stands before the last dot.
fn named(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => format!("{stem}{suffix}.{end}"),
        Some(_) | None => format!("{name}{suffix}"),
    };
    path.with_file_name(name)
}

impl LogFiles {
    /// Files named after `path`; they are made with the first line.
    pub(super) fn new(path: &Path, at_once: bool) -> Self {
        let part = |suffix| Part {
            path: named(path, suffix),
            text: String::new(),
        };
        Self {
            parts: [
                part(""),
                part("_vrrp"),
                part("_healthcheckers"),
                part("_bfd"),
            ],
            at_once,
        }
    }

    /// Writes a line, now or at the next flush.
    pub(super) fn write(&mut self, target: &str, text: &Arguments<'_>) {
        let index = match target {
            ident::VRRP => 1,
            ident::CHECK => 2,
            ident::BFD => 3,
            _ => 0,
        };
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let time = sys::local_time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let (time, nanos) = (asctime(time), since.subsec_nanos());
        // The nanoseconds stand behind the seconds, before the year.
        let (start, year) = time.rsplit_once(' ').unwrap_or((&time, ""));
        let Some(part) = self.parts.get_mut(index) else {
            return;
        };
        // Writing to a String does not fail.
        let _ = writeln!(part.text, "{start}.{nanos:09} {year}: {text}");
        if self.at_once || part.text.len() >= WAITING {
            part.flush();
        }
    }

    /// Leaves what waits to the process that forked this one.
    pub(super) fn forget(&mut self) {
        self.parts.iter_mut().for_each(|part| part.text.clear());
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) {
        self.parts.iter_mut().for_each(Part::flush);
    }
}

impl Part {
    fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&self.path);
        // There is no other place to say that this place cannot be written to.
        drop(file.and_then(|mut file| file.write_all(self.text.as_bytes())));
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: lines of three parts, then a rotation. Output: a file for each, the names keepalived
    // has; after the rotation a new file.
    #[test]
    fn each_part_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keepalived.log");
        let mut files = LogFiles::new(&path, false);
        files.write(ident::DAEMON, &format_args!("one"));
        files.write(ident::VRRP, &format_args!("two"));
        files.write(ident::CHECK, &format_args!("three"));
        assert!(!path.exists(), "nothing is written before the flush");
        files.flush();
        for (name, end) in [
            ("keepalived.log", ": one\n"),
            ("keepalived_vrrp.log", ": two\n"),
            ("keepalived_healthcheckers.log", ": three\n"),
        ] {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.ends_with(end), "{name}: {text}");
        }
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        let mut files = LogFiles::new(&path, true);
        files.write("elsewhere", &format_args!("four"));
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .ends_with(": four\n")
        );
        assert_eq!(
            named(Path::new("/a.d/log"), "_vrrp"),
            Path::new("/a.d/log_vrrp")
        );
    }
}
