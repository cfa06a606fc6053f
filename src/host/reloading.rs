//! What surrounds a reload: the file that exists meanwhile, the time that one is set for, and the
//! configurations that are kept.
//!
//! Owns: these files. Never does: read or apply a configuration. Driven by: `worker`.
//!
//! The file that names a time is looked at once a second. That costs one call while the setting is
//! there and nothing else, and unlike inotify it works where the directory appears later or lies on
//! a network file system.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::unistd::Pid;

use super::reports::{Draft, UMASK};
use super::sys::{self, LocalTime};
use crate::base::{Instant, ident};
use crate::conf::Loaded;
use crate::conf::source::to_bytes;

/// How often the file with the time is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// More than any time takes.
const LONGEST: u64 = 64;
/// Bytes of a kept configuration that are written at once.
const PART: usize = 256 << 10;
const DAY: i64 = 24 * 60 * 60;

/// `reload_file`: exists as long as this value does.
#[derive(Debug)]
pub(super) struct Marker(PathBuf);

impl Marker {
    /// Makes the file; without it the reload goes on all the same.
    pub(super) fn new(path: PathBuf) -> Option<Self> {
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path);
        match made {
            Ok(_) => Some(Self(path)),
            Err(error) => {
                log::warn!(target: ident::DAEMON, "the reload file {} cannot be made: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // Somebody may have removed it.
        drop(fs::remove_file(&self.0));
    }
}

/// `config_save_dir`: the configurations of this daemon, as they were read.
#[derive(Debug)]
pub(super) struct Archive {
    parent: Pid,
    /// How many were kept.
    count: u32,
    /// Where the last one was, if it was kept.
    directory: Option<PathBuf>,
}

impl Archive {
    /// Of the daemon whose parent process is `parent`; nothing is kept yet.
    pub(super) const fn of(parent: Pid) -> Self {
        Self {
            parent,
            count: 0,
            directory: None,
        }
    }

    /// Keeps what was read, if it says that it is to be kept.
    pub(super) fn keep(&mut self, loaded: &mut Loaded) {
        if let Some(mut keeping) = self.begin(loaded) {
            while self.step(&mut keeping) {}
        }
    }

    /// Begins to keep what was read, if it says that it is to be kept; takes the copy.
    pub(super) fn begin(&mut self, loaded: &mut Loaded) -> Option<Keeping> {
        self.directory = None;
        let directory = loaded.config.global.dumps.configurations.clone()?;
        let copy = loaded.copy.take()?;
        Some(self.add(directory, Text::Read(copy, 0)))
    }

    /// Begins to keep the last one once more: nothing has changed.
    pub(super) fn begin_again(&mut self) -> Option<Keeping> {
        let directory = self.directory.take()?;
        let last = file_of(&directory, self.parent, self.count.saturating_sub(1));
        match File::open(&last) {
            Ok(file) => Some(self.add(directory, Text::Kept(file))),
            Err(error) => {
                log::warn!(
                    target: ident::DAEMON,
                    "the configuration cannot be kept again: {}: {error}",
                    last.display()
                );
                None
            }
        }
    }

    /// Where the last one was kept, and its number; `None` if it was not.
    pub(super) fn last(&self) -> Option<(&Path, u32)> {
        let directory = self.directory.as_deref()?;
        Some((directory, self.count.saturating_sub(1)))
    }

    fn add(&mut self, directory: PathBuf, text: Text) -> Keeping {
        let path = file_of(&directory, self.parent, self.count);
        self.count += 1;
        Keeping {
            directory,
            path,
            draft: None,
            text,
        }
    }

    /// Writes one part more; whether there are more.
    pub(super) fn step(&mut self, keeping: &mut Keeping) -> bool {
        match keeping.step() {
            Ok(true) => return true,
            Ok(false) => self.directory = Some(std::mem::take(&mut keeping.directory)),
            Err(error) => log::warn!(
                target: ident::DAEMON,
                "the configuration cannot be kept in {}: {error}",
                keeping.directory.display()
            ),
        }
        false
    }
}

/// A configuration that is being kept, a part at a time.
#[derive(Debug)]
pub(super) struct Keeping {
    directory: PathBuf,
    path: PathBuf,
    draft: Option<Draft>,
    text: Text,
}

/// What is to be kept.
#[derive(Debug)]
enum Text {
    /// What was read, and how far it has been written.
    Read(String, usize),
    /// The one that was kept before.
    Kept(File),
}

impl Keeping {
    /// Writes one part; false: that was the last one.
    fn step(&mut self) -> io::Result<bool> {
        let Some(draft) = &mut self.draft else {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.directory)?;
            self.draft = Some(Draft::create(&self.path, UMASK)?);
            return Ok(true);
        };
        let more = match &mut self.text {
            Text::Read(text, done) => {
                let end = text.ceil_char_boundary(*done + PART);
                let part = text.get(*done..end).unwrap_or_default();
                draft.write(&to_bytes(part))?;
                *done = end;
                end < text.len()
            }
            Text::Kept(file) => {
                let mut part = Vec::with_capacity(PART);
                let most = u64::try_from(PART).unwrap_or(u64::MAX);
                let read = Read::by_ref(file).take(most).read_to_end(&mut part)?;
                draft.write(&part)?;
                read > 0
            }
        };
        if !more {
            draft.publish()?;
        }
        Ok(more)
    }
}

fn file_of(directory: &Path, parent: Pid, number: u32) -> PathBuf {
    directory.join(format!("keepalived.conf.{parent}.{number}"))
}

/// A time as a file says it: of a day, or of any day to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    /// Year, month from 1, day.
    date: Option<(i64, i64, i64)>,
    hour: i64,
    minute: i64,
    second: i64,
    /// `Z`: not the local time.
    utc: bool,
}

/// Reads `HH:MM:SS`, `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, with or without `Z`.
fn parse(text: &str) -> Option<Wanted> {
    fn number(text: &str, digits: usize, max: i64) -> Option<i64> {
        let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = fits.then(|| text.parse().ok())??;
        (number <= max).then_some(number)
    }
    let text = text.trim();
    let (text, utc) = match text.strip_suffix('Z') {
        Some(text) => (text.trim_end(), true),
        None => (text, false),
    };
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (words.next()?, words.next());
    if words.next().is_some() {
        return None;
    }
    let (date, time) = match second {
        None => (None, first),
        Some(time) => (Some(first), time),
    };
    let date = match date {
        None => None,
        Some(date) => {
            let parts: Vec<&str> = date.split('-').collect();
            let [year, month, day] = parts[..] else {
                return None;
            };
            let year = match year.len() {
                2 => 2000 + number(year, 2, 99)?,
                _ => number(year, 4, 9999)?,
            };
            let (month, day) = (number(month, 2, 12)?, number(day, 2, 31)?);
            (month > 0 && day > 0).then_some(Some((year, month, day)))?
        }
    };
    let parts: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return None;
    };
    Some(Wanted {
        date,
        hour: number(hour, 2, 23)?,
        minute: number(minute, 2, 59)?,
        second: number(second, 2, 60)?,
        utc,
    })
}

/// Days since 1970 in the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Seconds since 1970 that a clock would show which shows `time`.
fn shown(time: LocalTime) -> i64 {
    let month = i64::try_from(time.month).unwrap_or(0) + 1;
    let day = days(i64::from(time.year), month, i64::from(time.day));
    let (hour, minute) = (i64::from(time.hour), i64::from(time.minute));
    day * DAY + (hour * 60 + minute) * 60 + i64::from(time.second)
}

impl Wanted {
    /// When that is, in seconds since 1970, seen from `now`; `None`: it is over. `local` tells what
    /// clocks show.
    fn at(self, now: i64, local: impl Fn(i64) -> LocalTime) -> Option<i64> {
        let offset = |at: i64| if self.utc { 0 } else { shown(local(at)) - at };
        // What is shown, back to when that is: the offset there may be another one than here.
        let real = |wanted: i64| {
            let guess = wanted - offset(now);
            wanted - offset(guess)
        };
        let of_day = (self.hour * 60 + self.minute) * 60 + self.second;
        match self.date {
            Some((year, month, day)) => {
                let at = real(days(year, month, day) * DAY + of_day);
                (at > now).then_some(at)
            }
            None => {
                let today = (now + offset(now)).div_euclid(DAY) * DAY;
                let at = real(today + of_day);
                Some(if at > now {
                    at
                } else {
                    real(today + DAY + of_day)
                })
            }
        }
    }
}

/// `reload_time_file` and `reload_repeat`.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    file: Option<PathBuf>,
    repeat: bool,
    /// What identifies the content that was read: inode, size, time of change.
    seen: Option<(u64, u64, i64, i64)>,
    wanted: Option<Wanted>,
    /// Seconds since 1970.
    at: Option<i64>,
    look: Option<Instant>,
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

fn told(at: i64) -> String {
    let time = sys::local_time(at);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        time.year,
        time.month + 1,
        time.day,
        time.hour,
        time.minute,
        time.second
    )
}

impl Schedule {
    /// Takes on what the configuration says.
    pub(super) fn take_on(&mut self, file: Option<&Path>, repeat: bool) {
        self.repeat = repeat;
        if self.file.as_deref() != file {
            self.file = file.map(Path::to_owned);
            self.seen = None;
            self.set(None);
            self.look = None;
        }
    }

    fn set(&mut self, at: Option<i64>) {
        match (self.at, at) {
            (None, Some(new)) => {
                log::info!(target: ident::DAEMON, "Scheduling reload for {}", told(new));
            }
            (Some(old), None) => {
                log::info!(target: ident::DAEMON, "Cancelling reload scheduled for {}", told(old));
            }
            (Some(old), Some(new)) if old != new => log::info!(
                target: ident::DAEMON,
                "Reload time updated from {} to {}",
                told(old),
                told(new)
            ),
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.at = at;
    }

    /// How long the loop may wait at `now`.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        self.file.as_ref()?;
        Some(
            self.look
                .map_or(Duration::ZERO, |at| at.saturating_since(now)),
        )
    }

    /// Looks at file and time when it is time to; true: a reload is due.
    pub(super) fn due(&mut self, now: Instant) -> bool {
        let Some(file) = self.file.clone() else {
            return false;
        };
        if self.look.is_some_and(|at| at > now) {
            return false;
        }
        self.look = Some(now + LOOK);
        self.read(&file);
        let time = wall();
        if self.at.is_none_or(|at| at > time) {
            return false;
        }
        let again = self.wanted.is_some_and(|wanted| wanted.date.is_none()) && self.repeat;
        self.at = None;
        if again {
            let next = self
                .wanted
                .and_then(|wanted| wanted.at(time, sys::local_time));
            self.set(next);
        } else {
            self.seen = None;
            self.wanted = None;
            if let Err(error) = fs::remove_file(&file) {
                log::warn!(target: ident::DAEMON, "{} cannot be removed: {error}", file.display());
            }
        }
        true
    }

    fn read(&mut self, file: &Path) {
        let found = fs::metadata(file).ok().filter(fs::Metadata::is_file);
        let seen = found.map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        let text = match seen {
            Some((_, length, ..)) if length <= LONGEST => fs::read_to_string(file).ok(),
            _ => None,
        };
        self.wanted = text.as_deref().and_then(parse);
        let at = self
            .wanted
            .and_then(|wanted| wanted.at(wall(), sys::local_time));
        if seen.is_some() && at.is_none() {
            log::warn!(
                target: ident::DAEMON,
                "{} names no time to come (HH:MM:SS or YYYY-MM-DD HH:MM:SS, for UTC with a Z); ignored",
                file.display()
            );
        }
        self.set(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that is an hour ahead of UTC.
    fn local(at: i64) -> LocalTime {
        let shown = at + 3600;
        let (mut day, of_day) = (shown.div_euclid(DAY), shown.rem_euclid(DAY));
        let mut year = 1970;
        while days(year + 1, 1, 1) <= day {
            year += 1;
        }
        day -= days(year, 1, 1);
        let start = |month| days(year, month, 1) - days(year, 1, 1);
        let month = (1..=12).rev().find(|&month| start(month) <= day).unwrap();
        LocalTime {
            year: i32::try_from(year).unwrap(),
            month: usize::try_from(month).unwrap() - 1,
            day: i32::try_from(day - start(month)).unwrap() + 1,
            weekday: 0,
            hour: i32::try_from(of_day / 3600).unwrap(),
            minute: i32::try_from(of_day / 60 % 60).unwrap(),
            second: i32::try_from(of_day % 60).unwrap(),
            east_minutes: 60,
        }
    }

    // Input: times as a file may say them, at 2026-11-27 23:00:00 UTC, which is midnight here.
    // Output: seconds from then; none for what is over, or no time.
    #[test]
    fn times_are_found() {
        let now = days(2026, 11, 27) * DAY + 23 * 3600;
        for (text, seconds) in [
            ("00:00:01", Some(1)),
            ("23:59:59\n", Some(DAY - 1)),
            ("00:00:00", Some(DAY)),
            ("23:00:01Z", Some(1)),
            ("22:59:59 Z", Some(DAY - 1)),
            ("2026-11-28 00:00:10", Some(10)),
            ("26-11-28 00:00:10", Some(10)),
            ("2026-11-27 23:00:10Z", Some(10)),
            ("2027-02-28 00:00:00", Some(92 * DAY)),
            ("2026-11-27 23:59:59", None),
            ("2026-13-01 00:00:00", None),
            ("2026-00-01 00:00:00", None),
            ("24:00:00", None),
            ("1:00:00", None),
            ("now", None),
            ("00:00:01 tomorrow morning", None),
            ("", None),
        ] {
            let found = parse(text).and_then(|wanted| wanted.at(now, local));
            assert_eq!(found.map(|at| at - now), seconds, "{text:?}");
        }
    }

    // Input: a time in the past second, as a date and as a time of day that repeats. Output: the
    // file of the first goes, that of the second stays and is due again a day later.
    #[test]
    fn a_file_is_used_up_unless_it_repeats() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("time");
        let mut schedule = Schedule::default();
        schedule.take_on(Some(&path), true);
        let now = Instant::from_micros(5_000_000);
        assert!(!schedule.due(now), "there is no file");
        assert_eq!(schedule.patience(now), Some(LOOK));
        for (repeats, stays) in [(false, false), (true, true)] {
            fs::write(&path, "12:00:00\n").unwrap();
            schedule.take_on(Some(&path), repeats);
            schedule.look = None;
            assert!(!schedule.due(now));
            let at = schedule.at.unwrap();
            schedule.at = Some(wall());
            schedule.look = None;
            assert!(schedule.due(now));
            assert_eq!(path.exists(), stays);
            assert_eq!(schedule.at.is_some(), stays);
            assert!(!stays || schedule.at >= Some(at - DAY));
        }
        schedule.take_on(None, false);
        assert_eq!((schedule.at, schedule.patience(now)), (None, None));
    }

    #[test]
    fn the_reload_file_goes_with_the_reload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keepalived.reload");
        let marker = Marker::new(path.clone());
        assert!(path.exists());
        drop(marker);
        assert!(!path.exists());
        assert!(Marker::new("/no/such/folder/file".into()).is_none());
    }
}
