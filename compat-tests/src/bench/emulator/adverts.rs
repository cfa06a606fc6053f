//! What adverts cost where there are very many instances, and how fast all of them change hands.
//!
//! Owns: two routers on a few links, the windows in which they are at rest, the kill and the stop
//! of the master. Never runs outside the emulated machine. Driven by [`super::guest`].

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use super::meter::{Watched, configure, system_calls};
use super::{Figures, figure, run};
use crate::bed::{Capture, Content, Error, Frame, Host, Result};
use crate::bench::Daemons;
use crate::bench::stats::median;
use crate::bench::table::{Goal, Table};

/// Instances on one link: an identifier has eight bits.
const ON_ONE: usize = 250;
/// Longer than elections and both bursts of gratuitous ARP take.
const SETTLED: Duration = Duration::from_secs(25);
/// Whole intervals of adverts.
const WINDOW: Duration = Duration::from_secs(20);
/// System calls are noted one by one.
const CALLS: Duration = Duration::from_secs(4);

fn link(number: usize) -> String {
    format!("eth{number}")
}

/// Two hosts, joined by so many links.
pub(super) fn hosts(links: usize) -> Result<[Host; 2]> {
    let hosts = [Host::new("first")?, Host::new("second")?];
    let [first, second] = &hosts;
    for number in 0..links {
        let name = link(number);
        first.ip_batch(&format!(
            "link add {name} type veth peer name {name} netns {}\nlink set {name} up\n\
             addr add 10.200.{number}.1/24 dev {name}\n",
            second.thread()
        ))?;
        second.ip_batch(&format!(
            "link set {name} up\naddr add 10.200.{number}.2/24 dev {name}\n"
        ))?;
    }
    Ok(hosts)
}

fn configuration(count: usize, priority: u8) -> String {
    let mut text = "global_defs {\n    router_id bench\n}\n".to_owned();
    for number in 0..count {
        write!(
            text,
            "vrrp_instance V{number} {{\n    state BACKUP\n    interface {}\n    virtual_router_id {}\n    \
             priority {priority}\n    advert_int 1\n    virtual_ipaddress {{\n        10.201.{}.{}/32\n    }}\n}}\n",
            link(number / ON_ONE),
            number % ON_ONE + 1,
            number / ON_ONE,
            number % ON_ONE + 1
        )
        .ok();
    }
    text
}

/// What one frame says of an instance: its link's number and its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name(usize, u8);

/// First times since `from`: adverts by their instance with priority, and announced addresses.
#[derive(Default)]
struct Seen {
    adverts: HashMap<Name, (SystemTime, u8)>,
    leaving: HashMap<Name, SystemTime>,
    announced: HashMap<Name, SystemTime>,
}

impl Seen {
    /// What the router whose addresses end in `last` has said.
    fn of(captures: &[Capture], from: SystemTime, last: u8) -> Self {
        let mut seen = Self::default();
        for (number, capture) in captures.iter().enumerate() {
            for frame in capture.since(from) {
                seen.take(number, &frame, last);
            }
        }
        seen
    }

    /// How many were announced.
    fn taken_over(&self) -> f64 {
        u32::try_from(self.announced.len()).map_or(f64::NAN, f64::from)
    }

    fn take(&mut self, link: usize, frame: &Frame, last: u8) {
        match frame.packet().content {
            Content::Advert(advert) => {
                let name = Name(link, advert.vrid);
                if advert.priority == 0 {
                    self.leaving.entry(name).or_insert(frame.at);
                } else if advert.source.to_string().ends_with(&format!(".{last}")) {
                    self.adverts
                        .entry(name)
                        .or_insert((frame.at, advert.priority));
                }
            }
            Content::Arp(arp) if arp.is_gratuitous() => {
                let [_, second, _, fourth] = arp.sender.octets();
                if second == 201 {
                    self.announced.entry(Name(link, fourth)).or_insert(frame.at);
                }
            }
            Content::Arp(_) | Content::Tcp(_) | Content::Other => {}
        }
    }
}

fn milliseconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(late) => late.as_secs_f64() * 1e3,
        Err(early) => -early.duration().as_secs_f64() * 1e3,
    }
}

/// From the first to the last of some times, in milliseconds.
fn spread<'a>(times: impl Iterator<Item = &'a SystemTime> + Clone) -> Result<f64> {
    let (first, last) = (times.clone().min(), times.max());
    let both = first.zip(last);
    both.map(|(first, last)| milliseconds(*first, *last))
        .ok_or_else(|| Error::new("nobody was announced"))
}

/// Instructions of a daemon for each of so many adverts a second.
fn for_each(daemon: &Watched, adverts: f64) -> Result<f64> {
    let before = daemon.instructions()?;
    std::thread::sleep(WINDOW);
    Ok((daemon.instructions()? - before) / adverts / WINDOW.as_secs_f64())
}

fn calls_for_each(daemon: &Watched, adverts: f64) -> Result<f64> {
    let counts = system_calls(&daemon.pids()?, CALLS)?;
    for (number, count) in &counts {
        println!(
            "calls of {number}: {}",
            count / adverts / CALLS.as_secs_f64()
        );
    }
    let all: f64 = counts.iter().map(|(_, count)| count).sum();
    Ok(all / adverts / CALLS.as_secs_f64())
}

/// Measures with so many instances.
pub(super) fn measure(count: u16) -> Result<Figures> {
    let instances = usize::from(count);
    let links = instances.div_ceil(ON_ONE);
    let [first, second] = hosts(links)?;
    let adverts = f64::from(count);
    configure(&first, &configuration(instances, 100))?;
    configure(&second, &configuration(instances, 90))?;
    let mut figures = Figures::new();
    let mut add = |name: &str, value: f64| figures.push((name.to_owned(), value));

    let mut master = Watched::start(&first, "first")?;
    std::thread::sleep(SETTLED);
    add("sent: instructions", for_each(&master, adverts)?);
    add("sent: system calls", calls_for_each(&master, adverts)?);
    add("memory, masters", master.memory()?);
    let mut backup = Watched::start(&second, "second")?;
    std::thread::sleep(SETTLED);
    add("received: instructions", for_each(&backup, adverts)?);
    add("received: system calls", calls_for_each(&backup, adverts)?);
    add("memory, backups", backup.memory()?);

    let captures: Vec<Capture> = (0..links)
        .map(|number| Capture::start_resting(&second, &link(number), Duration::from_secs(4)))
        .collect::<Result<_>>()?;
    std::thread::sleep(Duration::from_secs(2));
    let begin = SystemTime::now();
    master.signal(Signal::SIGTERM)?;
    master.wait()?;
    std::thread::sleep(Duration::from_secs(10));
    let seen = Seen::of(&captures, begin, 2);
    add("stop: taken over", seen.taken_over());
    let lateness: Vec<f64> = seen
        .leaving
        .iter()
        .filter_map(|(name, left)| {
            let (at, priority) = seen.adverts.get(name)?;
            let skew = Duration::from_secs(1) * (256 - u32::from(*priority)) / 256;
            Some(milliseconds(*left + skew, *at))
        })
        .collect();
    let middle = median(&lateness).ok_or_else(|| Error::new("nobody has left"))?;
    add("stop: median after its deadline", middle);
    add(
        "stop: last after the first",
        spread(seen.announced.values())?,
    );

    let mut master = Watched::start(&first, "again")?;
    std::thread::sleep(SETTLED);
    let begin = SystemTime::now();
    master.kill()?;
    std::thread::sleep(Duration::from_secs(14));
    let seen = Seen::of(&captures, begin, 2);
    add("kill: taken over", seen.taken_over());
    add(
        "kill: last after the first",
        spread(seen.announced.values())?,
    );
    drop(captures);
    backup.kill()?;
    Ok(figures)
}

/// Measures both daemons and adds the rows.
pub fn rows(daemons: &Daemons, table: &mut Table) {
    let wanted = [
        ("sent: instructions", "", Goal::Ratio(0.8)),
        ("sent: system calls", "", Goal::AtMost(3.0)),
        ("received: instructions", "", Goal::Ratio(0.7)),
        ("received: system calls", "", Goal::AtMost(3.0)),
        ("memory, masters", "MiB", Goal::Ratio(0.5)),
        ("memory, backups", "MiB", Goal::Ratio(0.5)),
        ("kill: last after the first", "ms", Goal::Ratio(0.49)),
        ("stop: median after its deadline", "ms", Goal::Ratio(0.4)),
        ("stop: last after the first", "ms", Goal::None),
        ("kill: taken over", "", Goal::None),
        ("stop: taken over", "", Goal::None),
    ];
    let results = daemons.each(|daemon| run(daemon, &["adverts", "1000"]));
    for (name, unit, goal) in wanted {
        let figures = results.each_ref().map(|result| figure(result, name));
        table.row(format!("1,000 instances: {name}"), unit, figures, goal);
    }
    table.note(
        "1,000 instances: on the emulated machine as IPVS, so that milliseconds are those of a processor of 1,000 million \
         instructions a second",
    );
}
