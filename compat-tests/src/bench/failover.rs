//! Failover: how much later than in theory a backup takes over from a master that was killed.
//!
//! Owns the experiment: kill -9 of every process of the master, then the first advert and the first
//! and last gratuitous ARP of the new one, all stamped by the kernel at the bridge. In theory the
//! backup is master three intervals and its skew after the last advert (RFC 3768 §6.1).
//! Driven by `bin/bench.rs`.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Daemons;
use super::stats::median;
use super::table::{Figure, Goal, Table};
use crate::bed::{Error, Result, wait_until};
use crate::routers::{Instance, PATIENCE, Segment};

/// Addresses of the instance.
const SIZES: [u16; 2] = [1, 1_000];

/// What one takeover took, in milliseconds beyond theory.
#[derive(Clone, Copy, Debug)]
struct Lateness {
    advert: f64,
    first_arp: f64,
    last_arp: f64,
}

fn milliseconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(late) => late.as_secs_f64() * 1e3,
        Err(early) => -early.duration().as_secs_f64() * 1e3,
    }
}

/// Starts master and backup, kills the master, measures, starts it again; `runs` times.
fn takeovers(daemon: &Path, addresses: u16, runs: usize) -> Result<Vec<Lateness>> {
    let mut segment = Segment::new([daemon, daemon])?;
    let instance = Instance::with_addresses(addresses);
    let backup = instance.priority(90);
    segment.routers[0].configure(&instance.state("MASTER").configuration())?;
    segment.routers[1].configure(&backup.configuration())?;
    let mut results = Vec::new();
    segment.routers[1].start()?;
    for _ in 0..runs {
        results.push(takeover(
            &mut segment,
            backup.master_down(),
            usize::from(addresses),
        )?);
    }
    Ok(results)
}

fn takeover(segment: &mut Segment, master_down: Duration, addresses: usize) -> Result<Lateness> {
    let begin = SystemTime::now();
    segment.routers[0].start()?;
    segment.wait_for_master(0, begin)?;
    // Both have done the work of the transition: the master has announced every address twice
    // (five seconds apart) and the backup has given its own away.
    wait_until(PATIENCE, "the master to be settled", || {
        let settled = segment.announcements(&segment.routers[0], begin).len() >= addresses * 10;
        settled
            && segment.routers[1]
                .addresses()
                .is_ok_and(|lines| lines.len() <= 2)
    })?;
    segment.routers[0].kill_all()?;
    let killed = SystemTime::now();
    let last = segment.adverts(&segment.routers[0], begin).pop();
    let (last, _) = last.ok_or_else(|| Error::new("the master sent no advert"))?;
    let due = last.at + master_down;
    let first = segment.wait_for_master(1, killed)?;
    let mut announced = Vec::new();
    wait_until(PATIENCE, "every address to be announced", || {
        announced = segment.announcements(&segment.routers[1], killed);
        announced
            .iter()
            .map(|(_, arp)| arp.sender)
            .collect::<HashSet<_>>()
            .len()
            >= addresses
    })?;
    let mut seen = HashSet::new();
    let news: Vec<SystemTime> = announced
        .iter()
        .filter(|(_, arp)| seen.insert(arp.sender))
        .map(|(frame, _)| frame.at)
        .collect();
    let (Some(first_arp), Some(last_arp)) = (news.first(), news.last()) else {
        return Err(Error::new("no gratuitous ARP"));
    };
    // The machine of the killed master no longer answers for the addresses.
    let lines = segment.routers[0].addresses()?;
    let flush: String = lines
        .iter()
        .filter_map(|line| {
            line.split_whitespace()
                .nth(2)
                .filter(|address| address.ends_with("/32"))
        })
        .map(|address| format!("addr del {address} dev {}\n", crate::routers::INTERFACE))
        .collect();
    segment.routers[0].host().ip_batch(&flush)?;
    Ok(Lateness {
        advert: milliseconds(due, first.at),
        first_arp: milliseconds(due, *first_arp),
        last_arp: milliseconds(due, *last_arp),
    })
}

/// Measures all sizes and adds the rows.
pub fn measure(daemons: &Daemons, runs: usize, table: &mut Table) {
    for addresses in SIZES {
        let mut all: Vec<Result<Vec<Lateness>>> = Vec::new();
        let adverts = daemons.both(|daemon| {
            let results = takeovers(daemon, addresses, runs);
            let figure = results
                .as_ref()
                .map_err(|error| Error::new(error.to_string()))
                .and_then(|r| middle(r, |l| l.advert));
            all.push(results);
            figure
        });
        let rest = |pick: fn(&Lateness) -> f64| {
            let mut figures = all.iter().map(|results| match results {
                Ok(results) => Figure::from(middle(results, pick)),
                Err(error) => Figure::failed(error),
            });
            let none = || Figure::Skipped("no real daemon".to_owned());
            [
                figures.next().unwrap_or_else(none),
                figures.next().unwrap_or_else(none),
            ]
        };
        let name = format!("kill -9 of the master, {addresses} VIP");
        table.row(
            format!("{name}: first advert after the deadline"),
            "ms",
            adverts,
            Goal::AtMost(20.0),
        );
        table.row(
            format!("{name}: first gratuitous ARP after the deadline"),
            "ms",
            rest(|l| l.first_arp),
            Goal::Ratio(1.0),
        );
        if addresses > 1 {
            table.row(
                format!("{name}: first gratuitous ARP after the first advert"),
                "ms",
                rest(|l| l.first_arp - l.advert),
                Goal::AtMost(1.0),
            );
        }
        table.row(
            format!("{name}: last address announced after the deadline"),
            "ms",
            rest(|l| l.last_arp),
            Goal::Ratio(1.0),
        );
    }
    table.note(format!(
        "failover: medians of {runs} takeovers between two routers of the same kind; the deadline is the kernel's stamp of \
         the last advert plus three intervals and skew; a negative figure would be a takeover before its time"
    ));
}

fn middle(results: &[Lateness], pick: impl Fn(&Lateness) -> f64) -> Result<f64> {
    median(&results.iter().map(pick).collect::<Vec<_>>()).ok_or_else(|| Error::new("no runs"))
}
