//! The VIP's moves: stop, start, crash, power cut, pulled cable.
//!
//! Owns the steps about who is master, with their limits from RFC 3768's timers: an effect is
//! timed by the first gratuitous ARP at the client, a cause by the advert it counts from. Driven
//! by [`super::all`].

use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};

use super::{
    BOTH, Context, Error, Lab, MASTER_DOWN_90, MASTER_DOWN_100, PATIENCE, Result, SKEW_90, Seen,
    Step, check, passed, texts,
};
use crate::bed::wait_until;

/// How long two hosts may hold the VIP during an orderly change of master: the new one announces
/// it, the old one hears that and lets go.
const OVERLAP: Duration = Duration::from_millis(50);
/// How long a supervisor may take to have a new worker at work.
const RESTART: Duration = Duration::from_secs(2);
/// How much later than its timers say a daemon may act when it has just started.
const MARGIN: Duration = Duration::from_millis(200);
/// Longest delay of a failover beyond the protocol's own time.
const EXCESS: Duration = Duration::from_millis(20);

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "director stop: the document's log lines, VIP moves, client reconnects",
        expected: "Stopping keepalived: [  OK  ]; VIP gone there, on LVS_Backup within skew + 50 ms of the priority 0 \
            advert, its table complete; a new connection of the client works",
        run: stop,
    },
    Step {
        name: "director start: preempts back",
        expected: "VIP on LVS_Master again after an advert_int and the least skew (state MASTER), gone from LVS_Backup",
        run: start,
    },
    Step {
        name: "kill -9 of the worker: VIP neither doubled nor lost for longer than the restart",
        expected: "at no time on both, missing at most for a restart, an advert_int and the least skew",
        run: worker_killed,
    },
    Step {
        name: "kill -9 of all processes: backup is master in time",
        expected: "LVS_Backup announces the VIP 3 × advert_int + skew + 20 ms after the last advert at the latest",
        run: all_killed,
    },
    Step {
        name: "master's link down: FAULT, backup takes over; up: back",
        expected: "FAULT in the log, VIP gone there, LVS_Backup in time; cable in again: VIP on LVS_Master again",
        run: link,
    },
];

fn stop(lab: &mut Lab) -> Result<Seen> {
    let (master, backup) = (&lab.town.master, &lab.town.backup);
    let start = SystemTime::now();
    let said = master.must("stop")?;
    check(said.ends_with("[  OK  ]\n"), || {
        format!("stop printed “{said}”")
    })?;
    let zero = lab
        .town
        .wire
        .wait_for(PATIENCE, "the priority 0 advert", start, |packet| {
            packet.source_mac == master.mac
                && packet.advert().is_some_and(|advert| advert.priority == 0)
        })?;
    let announced = lab.announced(backup, start)?;
    check(!master.has_vip(), || {
        "LVS_Master still holds the VIP".to_owned()
    })?;
    check(backup.has_vip(), || {
        "LVS_Backup does not hold the VIP".to_owned()
    })?;
    check(master.servers().is_empty(), || {
        format!("LVS_Master's table: {:?}", master.servers())
    })?;
    let moved = lab.timing(
        "priority 0 to the backup's first ARP",
        zero.at,
        announced.at,
        SKEW_90 + Duration::from_millis(50),
    );
    lab.expect_table(backup, &BOTH)?;
    let goodbye = texts::heard(&master.log, start, &texts::stopped(lab.town.flavour))?;
    let welcome = texts::heard(&backup.log, start, &texts::master(lab.town.flavour))?;
    lab.town
        .query("select 1")
        .context(|| "the client after the failover".to_owned())?;
    let back = lab.timing(
        "stop to the client's next answer",
        start,
        SystemTime::now(),
        Duration::from_secs(5),
    );
    Ok(Seen::new(format!("{goodbye}then on LVS_Backup\n{welcome}"))
        .with(moved)
        .with(back))
}

fn start(lab: &mut Lab) -> Result<Seen> {
    let (master, backup) = (&lab.town.master, &lab.town.backup);
    // Order was restored before this step, so the failover has to be made again.
    master.must("stop")?;
    wait_until(PATIENCE, "the VIP on LVS_Backup", || backup.has_vip())?;
    let start = SystemTime::now();
    master.must("start")?;
    let announced = lab.announced(master, start)?;
    let given_up = wait_until(PATIENCE, "LVS_Backup to let go", || !backup.has_vip())?;
    texts::heard(&backup.log, start, &texts::backup(lab.town.flavour))?;
    let log = texts::heard(&master.log, start, &texts::master(lab.town.flavour))?;
    let limit = lab.first_wait() + MARGIN;
    let backup = Lab::timer_started(master, start)?;
    let took = lab.timing("backup to first ARP", backup, announced.at, limit);
    Ok(Seen::new(format!(
        "{log}LVS_Backup had let go {:.3} s after we saw that",
        given_up.as_secs_f64()
    ))
    .with(took))
}

fn worker_killed(lab: &mut Lab) -> Result<Seen> {
    let master = &lab.town.master;
    let workers = master.workers()?;
    check(!workers.is_empty(), || {
        "no worker below the pid file's process".to_owned()
    })?;
    let parent = [master.parent()?];
    let start = SystemTime::now();
    for pid in &workers {
        kill(*pid, Signal::SIGKILL)?;
    }
    let watch = Watch::until_settled(lab)?;
    check(master.is_running(), || {
        "the supervisor has ended".to_owned()
    })?;
    check(
        master.workers()?.iter().all(|pid| !workers.contains(pid)),
        || "the worker still runs".to_owned(),
    )?;
    // What is left of the old worker's time is not the restart's, so that is measured by itself.
    let known = |pid: i32| workers.iter().chain(&parent).any(|old| old.as_raw() == pid);
    let log = master.log.since(start);
    let first = log
        .iter()
        .find(|line| line.pid.is_some_and(|pid| !known(pid)));
    let born = first
        .map(|line| line.at)
        .ok_or_else(|| Error::new("the new worker has logged nothing"))?;
    let limit = passed(start, born) + lab.first_wait() + MARGIN;
    let times = [
        lab.timing(
            "kill to the new worker's first log line",
            start,
            born,
            RESTART,
        ),
        lab.timing(
            "longest time with the VIP on both",
            start,
            start + watch.both,
            OVERLAP,
        ),
        lab.timing(
            "longest time without the VIP",
            start,
            start + watch.none,
            limit,
        ),
    ];
    lab.tables_become(&BOTH)?;
    let seen = Seen::new("a new worker, the VIP on LVS_Master, both tables complete");
    Ok(times.into_iter().fold(seen, Seen::with))
}

fn all_killed(lab: &mut Lab) -> Result<Seen> {
    let (master, backup) = (&lab.town.master, &lab.town.backup);
    master.kill_all()?;
    let start = lab.last_advert()?;
    let announced = lab.announced(backup, start)?;
    wait_until(PATIENCE, "the VIP on LVS_Backup", || backup.has_vip())?;
    let took = lab.timing(
        "last advert to the backup's first ARP",
        start,
        announced.at,
        MASTER_DOWN_90 + EXCESS,
    );
    lab.expect_table(backup, &BOTH)?;
    let left = if master.has_vip() {
        "the dead director's kernel still holds the VIP"
    } else {
        "the VIP is gone there"
    };
    // Whatever a dead daemon left behind, the next one has to cope with.
    let restart = SystemTime::now();
    master.must("start")?;
    wait_until(PATIENCE, "order after the next start", || lab.in_order())?;
    let healed = lab.timing(
        "next start to all as before",
        restart,
        SystemTime::now(),
        Duration::from_secs(10),
    );
    Ok(Seen::new(format!(
        "LVS_Backup took over ({left}); the next start brought all back"
    ))
    .with(took)
    .with(healed))
}

fn link(lab: &mut Lab) -> Result<Seen> {
    let (master, backup) = (&lab.town.master, &lab.town.backup);
    let down = SystemTime::now();
    lab.town.lan.unplug(&master.host, "eth0")?;
    let result = link_down(lab, down);
    lab.town.lan.plug(&master.host, "eth0")?;
    // After the command: starting a program takes longer here than the margin below.
    let up = SystemTime::now();
    let mut seen = result?;
    let announced = lab.announced(master, up)?;
    wait_until(PATIENCE, "LVS_Backup to let go", || !backup.has_vip())?;
    let limit = MASTER_DOWN_100 + Duration::from_millis(100);
    seen.times.push(lab.timing(
        "cable in to the master's first ARP",
        up,
        announced.at,
        limit,
    ));
    Ok(seen)
}

fn link_down(lab: &Lab, down: SystemTime) -> Result<Seen> {
    let (master, backup) = (&lab.town.master, &lab.town.backup);
    wait_until(PATIENCE, "the VIP gone from LVS_Master", || {
        !master.has_vip()
    })?;
    let gone = SystemTime::now();
    let log = texts::heard(&master.log, down, &texts::fault(lab.town.flavour))?;
    let last = last_advert_before(lab, gone)?;
    let announced = lab.announced(backup, down)?;
    let faulted = lab.timing(
        "cable out to the VIP gone",
        down,
        gone,
        Duration::from_millis(500),
    );
    let took = lab.timing(
        "last advert to the backup's first ARP",
        last,
        announced.at,
        MASTER_DOWN_90 + EXCESS,
    );
    Ok(Seen::new(log).with(faulted).with(took))
}

/// The master's last advert before `end`, whatever its priority.
fn last_advert_before(lab: &Lab, end: SystemTime) -> Result<SystemTime> {
    let frames = lab.town.wire.since(end - Duration::from_secs(5));
    let of_master = |packet: &crate::bed::Packet| {
        packet.source_mac == lab.town.master.mac && packet.advert().is_some()
    };
    let last = frames
        .iter()
        .rev()
        .find(|frame| frame.at < end && of_master(&frame.packet()));
    last.map(|frame| frame.at)
        .ok_or_else(|| Error::new("the master has sent no advert for 5 seconds"))
}

/// Who holds the VIP over a time: the longest stretches with both, and with nobody.
struct Watch {
    both: Duration,
    none: Duration,
}

impl Watch {
    /// Looks until the master alone has held the VIP for two adverts' time.
    fn until_settled(lab: &Lab) -> Result<Self> {
        let mut watch = Self {
            both: Duration::ZERO,
            none: Duration::ZERO,
        };
        let start = Instant::now();
        let (mut state, mut since) = ((true, false), start);
        while start.elapsed() < PATIENCE {
            let now = Instant::now();
            let seen = (lab.town.master.has_vip(), lab.town.backup.has_vip());
            let stretch = now.duration_since(since);
            match state {
                (true, true) => watch.both = watch.both.max(stretch),
                (false, false) => watch.none = watch.none.max(stretch),
                (true, false) if stretch > Duration::from_secs(5) => return Ok(watch),
                (true, false) | (false, true) => {}
            }
            if seen != state {
                (state, since) = (seen, now);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Error::new("the VIP did not come back to LVS_Master alone"))
    }
}
