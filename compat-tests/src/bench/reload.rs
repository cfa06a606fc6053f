//! How long a reload of very many servers holds the loop at a time.
//!
//! Owns the experiment: a daemon with 100,000 servers reads its configuration again, unchanged and
//! with changes, and says what its longest step was, in the processor's time of its thread; so what
//! else runs on the machine matters little. Only ours says that. Driven by `bin/bench.rs`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::table::{Figure, Goal, Table};
use super::{Daemons, parse};
use crate::bed::{Error, Host, Result, wait_until};

const SERVERS: u32 = 100_000;
const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest that the loop may be held, in milliseconds.
const GOAL: f64 = 5.0;
/// What the daemon says with `-DD`.
const SAYS: &str = "The longest step of the reload took ";

/// A configuration, and that which follows it.
type Texts = (String, String);

/// What is reloaded, by name.
type Case = (&'static str, fn() -> Texts);

const CASES: [Case; 5] = [
    ("unchanged", || (services(), services())),
    ("a line of each 100th service", || {
        (services(), weigh(&services(), 1000))
    }),
    ("each service", || (services(), weigh(&services(), 10))),
    ("copies are kept", || {
        let kept = services().replacen('{', "{\n    config_save_dir /tmp/kept", 1);
        (kept.clone(), weigh(&kept, 1000))
    }),
    ("a file that is new", || {
        let few = parse::configuration(10);
        let new = format!("{few}include /etc/keepalived/more.conf\n");
        (format!("{few}include /etc/keepalived/none.conf\n"), new)
    }),
];

fn services() -> String {
    parse::configuration(SERVERS)
}

/// Another weight for every so manieth server.
fn weigh(text: &str, every: usize) -> String {
    let parts: Vec<&str> = text.split("weight 3").collect();
    let mut changed = String::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            changed.push_str(if number % every == 0 {
                "weight 4"
            } else {
                "weight 3"
            });
        }
        changed.push_str(part);
    }
    changed
}

/// Milliseconds of the longest step, and which it was.
fn longest(daemon: &Path, (before, after): Texts) -> Result<(f64, String)> {
    let host = Host::new("reload")?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    host.write("/etc/keepalived/more.conf", services())?;
    host.write(CONFIGURATION, before)?;
    let mut command = Command::new(daemon);
    // No log daemon keeps up with what a start of so many has to tell.
    command.args(["-n", "-l", "-G", "-D", "-D", "-f", CONFIGURATION]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?);
    let running = host.spawn(command)?;
    let said = |what: &str| {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let (_, rest) = text.rsplit_once(what)?;
        Some(rest.lines().next().unwrap_or_default().to_owned())
    };
    wait_until(PATIENCE, "the start", || said("Startup complete").is_some())?;
    host.write(CONFIGURATION, after)?;
    running.signal(Signal::SIGHUP)?;
    wait_until(PATIENCE, "the reload", || said(SAYS).is_some())?;
    let text = said(SAYS).unwrap_or_default();
    let (micros, what) = text
        .split_once(" usec: ")
        .ok_or_else(|| Error::new(text.clone()))?;
    let micros: f64 = micros.parse().map_err(|_| Error::new(text.clone()))?;
    Ok((micros / 1e3, what.to_owned()))
}

/// Measures ours and adds the rows.
pub fn measure(daemons: &Daemons, table: &mut Table) {
    for (name, texts) in CASES {
        let found = longest(&daemons.ours, texts());
        let what = found.as_ref().map_or("", |(_, what)| what.as_str());
        let title = format!("reload of {SERVERS} servers, {name}: longest step ({what})");
        let ours = found.map(|(millis, _)| millis).into();
        let real = Figure::Skipped("its processes serve nothing else meanwhile".to_owned());
        table.row(title, "ms", [ours, real], Goal::AtMost(GOAL));
    }
}
