//! Running both config tests over all files.
//!
//! Owns the processes, their deadline and the two threads; files with equal ground share a host.
//! Never compares. Driven by the command and the test.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::{Entry, Ground};
use crate::bed::{Context, Error, Host, Result};

/// A config test takes milliseconds. This is for machines that are very busy, and for the files that
/// repeat definitions a hundred thousand times, over which a debug build sits for more than a minute.
const DEADLINE: Duration = Duration::from_secs(120);
/// The real one, which is no debug build, hangs over some files.
const PEER_DEADLINE: Duration = Duration::from_secs(15);
/// The machine's other cores belong to others.
const THREADS: usize = 2;

/// The two daemons.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// Ours.
    pub ours: PathBuf,
    /// Debian's, if there is one.
    pub real: Option<PathBuf>,
}

/// What a config test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Exit status; negative: the signal that ended it; 124: it did not end.
    pub status: i32,
    /// All that it said.
    pub output: String,
}

/// A file and what both said.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// The file.
    pub entry: Entry,
    /// Ours.
    pub ours: Run,
    /// The real one, run now.
    pub real: Option<Run>,
}

impl Run {
    /// The status of a run that did not end, as the recorded verdicts have it.
    pub const HUNG: i32 = 124;
}

/// Runs both over all files; in the order of `entries`.
///
/// # Errors
/// When a file cannot be read, or the kernel refuses what a host needs.
pub fn survey(entries: &[Entry], binaries: &Binaries) -> Result<Vec<Surveyed>> {
    let mut groups = BTreeMap::<Ground, Vec<usize>>::new();
    for (index, entry) in entries.iter().enumerate() {
        let bytes = std::fs::read(&entry.file).context(|| entry.file.display().to_string())?;
        let ground = Ground::of(entry, &String::from_utf8_lossy(&bytes));
        groups.entry(ground).or_default().push(index);
    }
    let queue = Mutex::new(groups.into_iter());
    let take = || queue.lock().ok().and_then(|mut queue| queue.next());
    let work = || -> Result<Vec<(usize, Surveyed)>> {
        let mut done = Vec::new();
        while let Some((ground, members)) = take() {
            let host = ground.build()?;
            for index in members {
                if let Some(entry) = entries.get(index) {
                    done.push((index, both(&host, entry, binaries)?));
                }
            }
        }
        Ok(done)
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.map_err(|_| Error::new("a thread of the survey panicked"))??);
    }
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, surveyed)| surveyed).collect())
}

fn both(host: &Host, entry: &Entry, binaries: &Binaries) -> Result<Surveyed> {
    let real = binaries.real.as_deref();
    Ok(Surveyed {
        entry: entry.clone(),
        ours: config_test(host, &binaries.ours, &entry.file, DEADLINE)?,
        real: real
            .map(|real| config_test(host, real, &entry.file, PEER_DEADLINE))
            .transpose()?,
    })
}

fn config_test(host: &Host, binary: &Path, file: &Path, deadline: Duration) -> Result<Run> {
    // A file, because a pipe that nobody reads while waiting would fill up.
    let mut said = tempfile::tempfile()?;
    let mut command = Command::new(binary);
    command
        .arg("--config-test")
        .arg("--use-file")
        .arg(file)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?)
        // The real one has been seen to signal its whole group.
        .process_group(0);
    let mut process = host.spawn(command)?;
    let status = match process.wait(deadline) {
        Ok(status) => number(status),
        Err(_) => Run::HUNG,
    };
    drop(process);
    said.rewind()?;
    let mut bytes = Vec::new();
    said.read_to_end(&mut bytes)?;
    Ok(Run {
        status,
        output: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn number(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| -signal))
        .unwrap_or(Run::HUNG)
}
