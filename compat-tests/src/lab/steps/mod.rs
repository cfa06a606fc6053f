//! The steps that the lab shows, in the document's order, then those that it lacks.
//!
//! Owns the list, the state between steps (`Lab`), and the way back to order before each step, so
//! that one failure does not spoil what follows. Never prints but through the report. Driven by
//! [`inside`], which runs in the pid namespace (or user-mode Linux) that [`super::run`] made.

mod election;
mod failover;
mod firewall;
mod reload;
mod service;
mod texts;

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::director::{Director, Flavour, VIP};
use super::ground::{BEGIN, END, Options};
use super::heartbeat::Heartbeat;
use super::report::{Report, Seen, Timing};
use super::town::Town;
use super::{Context, Error, Result, console, table};
use crate::bed::{Frame, wait_until};

/// 3 × advert_int + skew of priority 100 (RFC 3768 §6.1): how long the master waits before it
/// takes over.
const MASTER_DOWN_100: Duration = Duration::from_micros(3_000_000 + 156 * 1_000_000 / 256);
/// The same for the backup's priority 90.
const MASTER_DOWN_90: Duration = Duration::from_micros(3_000_000 + 166 * 1_000_000 / 256);
/// Skew of priority 90: how long the backup waits after a priority 0 advert.
const SKEW_90: Duration = Duration::from_micros(166 * 1_000_000 / 256);
/// What a step waits for at most where its own limit is judged afterwards, from time stamps.
const PATIENCE: Duration = Duration::from_secs(30);
/// Both real servers with the document's weights.
const BOTH: [(u8, u32); 2] = [(233, 3), (238, 3)];

/// One step.
struct Step {
    name: &'static str,
    expected: &'static str,
    run: fn(&mut Lab) -> Result<Seen>,
}

/// What the steps share.
struct Lab {
    town: Town,
    beat: Heartbeat,
    /// When the directors were started.
    started: SystemTime,
    /// The directors' configuration as installed.
    configs: [String; 2],
    /// Rows that steps have added to the document's table.
    added: usize,
}

/// Brings the hosts up, runs the steps, prints the result; true if none failed.
///
/// # Errors
/// When the hosts cannot be brought up.
pub fn inside(options: &Options, scratch: &Path) -> Result<bool> {
    // Marks for whoever filters our output; people with the prompt see the console itself.
    if !options.keep {
        println!("{BEGIN}");
    }
    let good = all(options, scratch);
    if let Err(error) = &good {
        println!("{error}\n0 passed, 1 failed, 0 skipped");
    }
    if !options.keep {
        println!("{END}");
    }
    good
}

fn all(options: &Options, scratch: &Path) -> Result<bool> {
    let start = SystemTime::now();
    let beat = Heartbeat::start();
    let town = Town::build(scratch, &options.binary)?;
    let configs =
        [&town.master, &town.backup].map(|director| director.host.read(super::director::CONFIG));
    let [master, backup] = configs;
    let mut lab = Lab {
        town,
        beat,
        started: start,
        configs: [master?, backup?],
        added: 0,
    };
    println!(
        "five hosts are up after {:.1} s",
        passed(start, SystemTime::now()).as_secs_f64()
    );
    let mut report = Report::default();
    let mut not_asked = 0;
    for step in election::STEPS
        .iter()
        .chain(service::STEPS)
        .chain(failover::STEPS)
        .chain(reload::STEPS)
        .chain(firewall::STEPS)
    {
        if !step.name.contains(&options.only) {
            not_asked += 1;
            continue;
        }
        let ready = if step.name == election::START {
            Ok(())
        } else {
            lab.back_to_order()
        };
        let result = ready
            .context(|| "not back in order before this step".to_owned())
            .and_then(|()| (step.run)(&mut lab));
        report.step(step.name, step.expected, result);
    }
    report.skip(not_asked, "not asked for");
    let took = passed(start, SystemTime::now()).as_secs_f64();
    println!(
        "whole run {took:.1} s, longest stall of the machine {:.3} s",
        lab.beat.worst_since(start).as_secs_f64()
    );
    if options.keep {
        lab.back_to_order()?;
        console::prompt(&lab.town)?;
    }
    Ok(report.finish())
}

impl Lab {
    /// Both servers and both directors run on the document's files, the master holds the VIP,
    /// both tables are complete.
    fn back_to_order(&mut self) -> Result<()> {
        for (server, host) in self.town.servers.iter_mut().zip(&self.town.mysql) {
            if !server.is_running() {
                server.start(host)?;
                server.wait_for_port(host)?;
            }
        }
        for (director, config) in self.town.directors().into_iter().zip(&self.configs) {
            if director.host.read(super::director::CONFIG)? != *config {
                director
                    .host
                    .write(super::director::CONFIG, config.as_str())?;
                if director.is_running() {
                    director.must("reload")?;
                }
            }
            if !director.is_running() {
                director.must("start")?;
            }
        }
        wait_until(
            PATIENCE,
            "master with the VIP and two complete tables",
            || self.in_order(),
        )?;
        Ok(())
    }

    fn in_order(&self) -> bool {
        let (master, backup) = (&self.town.master, &self.town.backup);
        master.has_vip()
            && !backup.has_vip()
            && master.servers() == BOTH
            && backup.servers() == BOTH
    }

    /// A time from cause to effect, with the machine's worst stall between the cause and now.
    fn timing(
        &self,
        what: &'static str,
        cause: SystemTime,
        effect: SystemTime,
        limit: Duration,
    ) -> Timing {
        Timing {
            what,
            took: passed(cause, effect),
            limit,
            stall: self.beat.worst_since(cause),
        }
    }

    /// How long a director with `state MASTER` waits when it starts: keepalived takes over after one
    /// advert interval and the least skew; up to 2.2 it waited for the whole master-down time.
    fn first_wait(&self) -> Duration {
        match self.town.flavour {
            Flavour::Ours => Duration::from_micros(1_000_000 + 1_000_000 / 256),
            Flavour::Other => MASTER_DOWN_100,
        }
    }

    /// When a director that was started after `from` said that it is backup: from then on its timer
    /// runs. What lies before is the shell's time and the program's start, judged by themselves.
    fn timer_started(director: &Director, from: SystemTime) -> Result<SystemTime> {
        let log = director.log.since(from);
        let backup = log
            .iter()
            .find(|line| line.text.contains("Entering BACKUP STATE"));
        backup
            .map(|line| line.at)
            .ok_or_else(|| Error::new(texts::say(&log)))
    }

    /// The first gratuitous ARP for the VIP that a director sent at `from` or later, as the client
    /// saw it: the moment from which clients reach that director.
    fn announced(&self, director: &Director, from: SystemTime) -> Result<Frame> {
        let what = format!("gratuitous ARP of {}", director.host.name());
        self.town.wire.wait_for(PATIENCE, &what, from, |packet| {
            packet.arp().is_some_and(|arp| {
                arp.is_gratuitous() && arp.sender == VIP && arp.sender_mac == director.mac
            })
        })
    }

    /// When the last advert of the master with a priority came before now.
    fn last_advert(&self) -> Result<SystemTime> {
        let recent = self
            .town
            .wire
            .since(SystemTime::now() - Duration::from_secs(5));
        let of_master = |frame: &&Frame| {
            let packet = frame.packet();
            packet.source_mac == self.town.master.mac
                && packet.advert().is_some_and(|advert| advert.priority != 0)
        };
        let last = recent.iter().rev().find(of_master);
        last.map(|frame| frame.at)
            .ok_or_else(|| Error::new("the master has sent no advert for 5 seconds"))
    }

    /// `ipvsadm -ln` on a director prints the document's table with these servers.
    fn expect_table(&self, director: &Director, servers: table::Servers<'_>) -> Result<String> {
        let output = director.table()?;
        if table::printed(&output) == table::expected(servers) {
            return Ok(output);
        }
        Err(Error::new(format!(
            "ipvsadm -ln on {}:\n{output}",
            director.host.name()
        )))
    }

    /// Waits until both kernels' tables hold exactly these servers; when that was.
    fn tables_become(&self, servers: &[(u8, u32)]) -> Result<SystemTime> {
        wait_until(PATIENCE, "both tables to change", || {
            self.town
                .directors()
                .iter()
                .all(|director| director.servers() == servers)
        })?;
        Ok(SystemTime::now())
    }
}

/// From one moment to a later one; nothing if the clock says otherwise.
fn passed(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// An error unless `fine`.
fn check(fine: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if fine {
        Ok(())
    } else {
        Err(Error::new(otherwise()))
    }
}
