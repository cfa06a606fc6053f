//! Names of other hosts, and what only this one knows of itself.
//!
//! Owns: look-ups of names, which run beside the loop, and the facts that mails carry. Never does:
//! wait for an answer. Driven by: `exec` (a look-up is wanted) and `event_loop` (answers are
//! there).
//!
//! The C library's look-up blocks, so each runs in a thread of its own that does nothing else; how
//! many run at once is bounded.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};

use super::sys;
use crate::ops::{Dial, HostFact, ProbeId};

/// Look-ups at once; one may take as long as the resolver's timeouts.
const AT_ONCE: usize = 16;
/// What such a thread needs of a stack: the C library's resolver has its buffers there.
const STACK: usize = 512 * 1024;

/// What came of a look-up.
pub(super) type Found = (ProbeId, Option<SocketAddr>);

/// The look-ups under way.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    channels: Option<Channels>,
    /// Whose answers are still wanted.
    wanted: BTreeSet<ProbeId>,
    running: usize,
}

#[derive(Debug)]
struct Channels {
    answers: Receiver<Found>,
    answer: Sender<Found>,
    /// Becomes readable when there are answers.
    readable: UnixStream,
    writable: UnixStream,
}

impl Channels {
    fn new() -> io::Result<Self> {
        let (readable, writable) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        writable.set_nonblocking(true)?;
        let (answer, answers) = channel();
        Ok(Self {
            answers,
            answer,
            readable,
            writable,
        })
    }
}

impl Resolver {
    /// The descriptor that becomes readable when there are answers, when it is new.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn open(&mut self) -> io::Result<Option<RawFd>> {
        if self.channels.is_some() {
            return Ok(None);
        }
        let channels = Channels::new()?;
        let descriptor = channels.readable.as_raw_fd();
        self.channels = Some(channels);
        Ok(Some(descriptor))
    }

    /// Starts to look a name up.
    ///
    /// # Errors
    /// `EAGAIN` when too many look-ups are under way; what the system refuses.
    pub(super) fn look_up(&mut self, id: ProbeId, dial: &Dial) -> io::Result<()> {
        let again = || io::Error::from_raw_os_error(libc::EAGAIN);
        let channels = self.channels.as_ref().ok_or_else(again)?;
        if self.running >= AT_ONCE {
            return Err(again());
        }
        let answer = channels.answer.clone();
        let mut wake = channels.writable.try_clone()?;
        let Dial { server, port } = dial.clone();
        std::thread::Builder::new()
            .name("names".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let found = (server.as_str(), port).to_socket_addrs();
                let address = found.ok().and_then(|mut addresses| addresses.next());
                // Without the loop nobody wants the answer; with a full pipe it is awake already.
                if answer.send((id, address)).is_ok() {
                    drop(wake.write(&[0]));
                }
            })?;
        self.running += 1;
        self.wanted.insert(id);
        Ok(())
    }

    /// The answer to a look-up is no longer wanted.
    pub(super) fn forget(&mut self, id: ProbeId) {
        self.wanted.remove(&id);
    }

    /// The answers that have come and are still wanted.
    pub(super) fn answers(&mut self) -> Vec<Found> {
        let Some(channels) = &mut self.channels else {
            return Vec::new();
        };
        let mut room = [0; 64];
        while matches!(channels.readable.read(&mut room), Ok(1..)) {}
        let all: Vec<Found> = channels.answers.try_iter().collect();
        self.running = self.running.saturating_sub(all.len());
        all.into_iter()
            .filter(|(id, _)| self.wanted.remove(id))
            .collect()
    }
}

/// What a mail says of this host.
pub(super) fn fact(fact: HostFact) -> String {
    match fact {
        HostFact::Date => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let seconds = since.map_or(0, |since| since.as_secs());
            date(&sys::local_time(i64::try_from(seconds).unwrap_or(0)))
        }
        HostFact::Name => {
            let name = nix::unistd::gethostname().unwrap_or_default();
            let name = name.to_string_lossy();
            let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
            full_name(&name, &hosts).to_owned()
        }
        HostFact::User => {
            let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
            user.ok()
                .flatten()
                .map_or("root".to_owned(), |user| user.name)
        }
    }
}

/// As RFC 5322 §3.3 has it: `Fri, 27 Nov 2026 23:22:20 +0000`.
fn date(time: &sys::LocalTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let named = |names: &[&'static str], index: usize| names.get(index).copied().unwrap_or("");
    let sign = if time.east_minutes < 0 { '-' } else { '+' };
    let east = time.east_minutes.abs();
    format!(
        "{}, {:02} {} {} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        named(&DAYS, time.weekday),
        time.day,
        named(&MONTHS, time.month),
        time.year,
        time.hour,
        time.minute,
        time.second,
        east / 60,
        east % 60,
    )
}

/// The first name of the line of `/etc/hosts` that has `name`, else `name` itself.
fn full_name<'a>(name: &'a str, hosts: &'a str) -> &'a str {
    hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .find_map(|line| {
            let mut names = line.split_whitespace().skip(1);
            let first = names.next()?;
            (first == name || names.any(|other| other == name)).then_some(first)
        })
        .filter(|_| !name.is_empty())
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(server: &str) -> Dial {
        Dial {
            server: server.to_owned(),
            port: 25,
        }
    }

    /// Waits for as many answers.
    fn wait(resolver: &mut Resolver, count: usize) -> Vec<Found> {
        let mut found = Vec::new();
        for _ in 0..2000 {
            found.extend(resolver.answers());
            if found.len() >= count && resolver.running == 0 {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("{found:?}, {} running", resolver.running);
    }

    // Input: a name that every host knows, one that none does, and one whose answer is no longer
    // wanted. Output: an address, none, nothing.
    #[test]
    fn names_are_looked_up_beside_the_loop() {
        let mut resolver = Resolver::default();
        assert!(resolver.look_up(ProbeId(1), &dial("localhost")).is_err());
        assert!(resolver.open().unwrap().is_some());
        assert!(resolver.open().unwrap().is_none());
        resolver.look_up(ProbeId(1), &dial("localhost")).unwrap();
        resolver
            .look_up(ProbeId(2), &dial("127.0.0.300.invalid"))
            .unwrap();
        resolver.look_up(ProbeId(3), &dial("localhost")).unwrap();
        resolver.forget(ProbeId(3));
        let mut found = wait(&mut resolver, 2);
        found.sort_unstable();
        assert_eq!(found[0].0, ProbeId(1));
        assert!(found[0].1.unwrap().ip().is_loopback());
        assert_eq!(found[1], (ProbeId(2), None));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_host_is_called_what_its_own_table_calls_it_first() {
        let hosts =
            "127.0.0.1 localhost\n# 10.0.0.1 no.example lb1\n10.0.0.1 lb1.example.org lb1\n";
        assert_eq!(full_name("lb1", hosts), "lb1.example.org");
        assert_eq!(full_name("lb2", hosts), "lb2");
        assert_eq!(full_name("localhost", hosts), "localhost");
        assert_eq!(full_name("", hosts), "");
    }

    // Input: a time in a zone east, and one west of Greenwich. Output: as RFC 5322 writes it.
    #[test]
    fn dates_are_those_of_mails() {
        let mut time = sys::local_time(0);
        time.year = 2026;
        time.month = 10;
        time.day = 7;
        time.weekday = 6;
        (time.hour, time.minute, time.second) = (9, 5, 3);
        time.east_minutes = 330;
        assert_eq!(date(&time), "Sat, 07 Nov 2026 09:05:03 +0530");
        time.east_minutes = -210;
        assert_eq!(date(&time), "Sat, 07 Nov 2026 09:05:03 -0330");
    }
}
