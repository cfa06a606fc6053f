//! `-g`: log lines in files.
//!
//! Owns: one file for each part of the daemon, as keepalived's processes have one each. Never does:
//! grow a file without end on its own account: it is opened to append, and again for each burst of
//! lines, so that a rotated file is left alone. A link there is not followed. Driven by: `logger`,
//! which tells elsewhere of a file that cannot be written.

use std::fmt::{Arguments, Write as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::logger::asctime;
use super::reports::reason;
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
    /// The last lines were lost, which was told.
    failed: bool,
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
            failed: false,
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

    /// Writes a line, now or at the next flush; returns what has to be told of the files.
    pub(super) fn write(&mut self, target: &str, text: &Arguments<'_>) -> Option<String> {
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
        let part = self.parts.get_mut(index)?;
        // Writing to a String does not fail.
        let _ = writeln!(part.text, "{start}.{nanos:09} {year}: {text}");
        if self.at_once || part.text.len() >= WAITING {
            part.flush()
        } else {
            None
        }
    }

    /// Leaves what waits to the process that forked this one.
    pub(super) fn forget(&mut self) {
        self.parts.iter_mut().for_each(|part| part.text.clear());
    }

    /// Writes what waits; returns what has to be told of the files.
    pub(super) fn flush(&mut self) -> Option<String> {
        let told = self.parts.iter_mut().filter_map(Part::flush);
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl Part {
    /// The trouble with the file, told once until it is over.
    fn flush(&mut self) -> Option<String> {
        if self.text.is_empty() {
            return None;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&self.path);
        let written = file.and_then(|mut file| file.write_all(self.text.as_bytes()));
        self.text.clear();
        let failed_before = std::mem::replace(&mut self.failed, written.is_err());
        let error = written.err().filter(|_| !failed_before)?;
        let (path, reason) = (self.path.display(), reason(&error));
        Some(format!(
            "log file {path} cannot be written, lines are lost - {reason}"
        ))
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
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut files = LogFiles::new(&link, true);
        let told = files.write(ident::DAEMON, &format_args!("five")).unwrap();
        assert!(told.contains("link cannot be written"), "{told}");
        assert_eq!(files.write(ident::DAEMON, &format_args!("six")), None);
        std::fs::remove_file(&link).unwrap();
        assert_eq!(files.write(ident::DAEMON, &format_args!("seven")), None);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("five"));
        assert_eq!(
            named(Path::new("/a.d/log"), "_vrrp"),
            Path::new("/a.d/log_vrrp")
        );
    }
}
