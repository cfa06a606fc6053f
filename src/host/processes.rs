//! Which processes this host runs.
//!
//! Owns: a look through `/proc` under way. Never does: read more than a few of them at once, so
//! that a host with thousands does not keep adverts waiting. Driven by: `exec`, which begins a
//! look, and `event_loop`, which goes on with it turn by turn.

use std::fs::{self, ReadDir};
use std::path::Path;

use crate::ops::Process;

/// Processes that are read in one turn of the loop.
const SLICE: usize = 32;

/// The most of a command line that is read, in bytes.
const COMMAND_LINE: usize = 4096;

/// Looks through the processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    look: Option<Look>,
}

#[derive(Debug)]
struct Look {
    directory: ReadDir,
    arguments: bool,
    found: Vec<Process>,
}

impl Processes {
    /// Begins a look, if none is under way.
    pub(super) fn begin(&mut self, arguments: bool) {
        if self.look.is_none()
            && let Ok(directory) = fs::read_dir("/proc")
        {
            self.look = Some(Look {
                directory,
                arguments,
                found: Vec::new(),
            });
        }
    }

    /// Whether a look is under way.
    pub(super) const fn is_looking(&self) -> bool {
        self.look.is_some()
    }

    /// Goes on; the processes once all are read.
    pub(super) fn go_on(&mut self) -> Option<Vec<Process>> {
        let look = self.look.as_mut()?;
        for _ in 0..SLICE {
            let Some(entry) = look.directory.next() else {
                return self.look.take().map(|look| look.found);
            };
            let Ok(entry) = entry else { continue };
            let name = entry.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                // One that has ended meanwhile is none.
                look.found.extend(read(pid, look.arguments));
            }
        }
        None
    }
}

/// What there is to know of a process; nothing if it has ended.
pub(super) fn read(pid: u32, arguments: bool) -> Option<Process> {
    let directory = Path::new("/proc").join(pid.to_string());
    let name = fs::read(directory.join("comm")).ok()?;
    let name = String::from_utf8_lossy(&name).trim_end().to_owned();
    let arguments = if arguments {
        let mut line = fs::read(directory.join("cmdline")).ok()?;
        line.truncate(COMMAND_LINE);
        let line = line.strip_suffix(b"\0").unwrap_or(&line);
        let words = line.split(|&byte| byte == 0);
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    } else {
        Vec::new()
    };
    Some(Process {
        pid,
        name,
        arguments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: this host, with this test among its processes. Output: it is found, with its words.
    #[test]
    fn the_test_finds_itself() {
        let mut processes = Processes::default();
        assert_eq!(processes.go_on(), None);
        processes.begin(true);
        let found = loop {
            assert!(processes.is_looking());
            if let Some(found) = processes.go_on() {
                break found;
            }
        };
        let own: Vec<String> = std::env::args().collect();
        assert!(found.iter().any(|process| process.arguments == own));
        assert!(!processes.is_looking());
    }
}
