//! Steady state: what one advert sent and one received cost, and the memory of a daemon at rest.
//!
//! Owns the experiment: a master and a backup of the same kind, watched over the same window after
//! both have settled. Never counts the start or a transition. Driven by `bin/bench.rs`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::table::{Figure, Goal, Table};
use super::{Daemons, meters};
use crate::bed::{Error, Result, wait_until};
use crate::routers::{Instance, PATIENCE, Router, Segment};

/// Figures of one router for one advert, and its memory.
#[derive(Clone, Copy, Debug)]
struct Side {
    calls: f64,
    cpu_micros: f64,
    wakeups: f64,
    memory: meters::Memory,
}

/// Figures of a pair: the one that sends and the one that listens.
#[derive(Clone, Debug)]
struct Pair {
    sender: Side,
    receiver: Side,
}

/// A master and a backup that have done all the work of their start.
fn settled(daemon: &Path) -> Result<Segment> {
    let mut segment = Segment::new([daemon, daemon])?;
    let instance = Instance::with_addresses(1);
    segment.routers[0].configure(&instance.state("MASTER").configuration())?;
    segment.routers[1].configure(&instance.priority(90).configuration())?;
    let begin = SystemTime::now();
    for router in segment.routers.iter_mut().rev() {
        router.start()?;
    }
    // Five announcements at once and five more after garp_master_delay: then only adverts are left.
    wait_until(3 * PATIENCE, "both bursts of gratuitous ARP", || {
        segment.announcements(&segment.routers[0], begin).len() >= 10
    })?;
    let quiet = SystemTime::now();
    wait_until(PATIENCE, "two adverts at rest", || {
        segment.adverts(&segment.routers[0], quiet).len() >= 2
    })?;
    Ok(segment)
}

fn adverts_in(segment: &Segment, from: SystemTime, to: SystemTime) -> Result<f64> {
    let adverts = segment.adverts(&segment.routers[0], from);
    let count: f64 = adverts
        .iter()
        .filter(|(frame, _)| frame.at <= to)
        .map(|_| 1.0)
        .sum();
    if count == 0.0 {
        Err(Error::new("no advert in the window"))
    } else {
        Ok(count)
    }
}

/// Waits until a while after an advert, so that a window of whole seconds that begins now holds
/// whole periods of the sender's work.
fn between_adverts(segment: &Segment) -> Result<()> {
    let now = SystemTime::now();
    wait_until(PATIENCE, "an advert", || {
        !segment.adverts(&segment.routers[0], now).is_empty()
    })?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

fn pair(daemon: &Path, window: Duration) -> Result<Pair> {
    let segment = settled(daemon)?;
    between_adverts(&segment)?;
    let side = |index: usize| -> Result<Side> {
        let pids = segment.routers[index].host().processes();
        let before = meters::usage(&pids)?;
        let from = SystemTime::now();
        let calls = meters::system_calls(&pids, window)?;
        let adverts = adverts_in(&segment, from, SystemTime::now())?;
        let after = meters::usage(&pids)?;
        Ok(Side {
            calls: calls / adverts,
            cpu_micros: (after.cpu_micros - before.cpu_micros) / adverts,
            wakeups: (after.wakeups - before.wakeups) / adverts,
            memory: meters::memory(&pids)?,
        })
    };
    let (sender, receiver) = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| side(1));
        (side(0), receiver.join())
    });
    let receiver = receiver.map_err(|_| Error::new("the receiver's meter died"))?;
    Ok(Pair {
        sender: sender?,
        receiver: receiver?,
    })
}

/// Instructions in user space for one advert: sent, received.
fn instructions(daemon: &Path, window: Duration) -> Result<[f64; 2]> {
    let segment = settled(daemon)?;
    between_adverts(&segment)?;
    let from = SystemTime::now();
    let mut figures = [0.0; 2];
    std::thread::scope(|scope| {
        let count = |router: &Router| {
            let pids = router.host().processes();
            scope.spawn(move || meters::instructions_in(&pids, window))
        };
        let counts = segment.routers.each_ref().map(count);
        for (figure, count) in figures.iter_mut().zip(counts) {
            *figure = count.join().map_err(|_| Error::new("a meter died"))??;
        }
        Ok::<(), Error>(())
    })?;
    let adverts = adverts_in(&segment, from, SystemTime::now())?;
    Ok(figures.map(|figure| figure / adverts))
}

/// Measures and adds the rows of adverts and memory.
pub fn measure(daemons: &Daemons, window: Duration, table: &mut Table) {
    let mut pairs = [&Some(daemons.ours.clone()), &daemons.real].map(|daemon| match daemon {
        Some(daemon) => pair(daemon, window),
        None => Err(Error::new("no real daemon (KEEPALIVED_REAL)")),
    });
    let mut row = |what: &str, unit, goal, pick: fn(&Pair) -> f64| {
        let figures = pairs.each_mut().map(|pair| match pair {
            Ok(pair) => Figure::Measured(pick(pair)),
            Err(error) => Figure::failed(error),
        });
        table.row(what, unit, figures, goal);
    };
    row("advert sent: system calls", "", Goal::AtMost(3.0), |pair| {
        pair.sender.calls
    });
    row(
        "advert received: system calls",
        "",
        Goal::Ratio(1.0),
        |pair| pair.receiver.calls,
    );
    row("advert sent: wake-ups", "", Goal::Ratio(1.0), |pair| {
        pair.sender.wakeups
    });
    row("advert received: wake-ups", "", Goal::Ratio(1.0), |pair| {
        pair.receiver.wakeups
    });
    row(
        "advert sent: CPU time, kernel included",
        "us",
        Goal::Ratio(1.0),
        |pair| pair.sender.cpu_micros,
    );
    row(
        "advert received: CPU time, kernel included",
        "us",
        Goal::Ratio(1.0),
        |pair| pair.receiver.cpu_micros,
    );
    row(
        "memory of all processes, master, 1 VIP",
        "MiB",
        Goal::AtMost(5.0),
        |pair| pair.sender.memory.all,
    );
    row(
        "memory of all processes, backup, 1 VIP",
        "MiB",
        Goal::AtMost(5.0),
        |pair| pair.receiver.memory.all,
    );
    row(
        "the same beyond libraries, master",
        "MiB",
        Goal::None,
        |pair| pair.sender.memory.beyond_libraries,
    );
    row(
        "the same beyond libraries, backup",
        "MiB",
        Goal::None,
        |pair| pair.receiver.memory.beyond_libraries,
    );
    let mut counts = Vec::new();
    let sent = daemons.both(|daemon| {
        let [sent, received] = instructions(daemon, window)?;
        counts.push(received);
        Ok(sent)
    });
    let mut counts = counts.into_iter();
    let received = sent.each_ref().map(|figure| match figure {
        Figure::Measured(_) => Figure::Measured(counts.next().unwrap_or_default()),
        Figure::Skipped(reason) => Figure::Skipped(reason.clone()),
    });
    table.row(
        "advert sent: instructions in user space",
        "",
        sent,
        Goal::Ratio(1.0),
    );
    table.row(
        "advert received: instructions in user space",
        "",
        received,
        Goal::Ratio(1.0),
    );
    table.note(format!(
        "steady state: a lone instance, advert_int 1, over {} s; system calls by {}; CPU time and wake-ups from /proc \
         (schedstat, voluntary context switches) and so with the machine's noise; instructions by single-stepping",
        window.as_secs(),
        meters::how_calls()
    ));
    table.note(
        "memory: Pss (own pages and the share of common ones), summed over all processes of the daemon, from \
         /proc/PID/smaps; beyond libraries: of shared libraries only the pages written to. Goal: the 5.0 MiB of keepalived 2.4.3",
    );
}
