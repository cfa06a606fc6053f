//! What a configuration test (`-t`) costs: time, peak memory, instructions, growth.
//!
//! Owns the generated configurations and the meters of a finished process; never judges what the
//! daemon said about them, except that it must have ended by itself. Driven by `bin/bench.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use super::stats::{growth_exponent, median};
use super::table::{Figure, Goal, Table};
use super::{Daemons, meters};
use crate::bed::{Context, Error, Result};

/// Real servers in the generated configurations.
const SIZES: [u32; 6] = [10, 100, 1_000, 10_000, 50_000, 100_000];
/// Where growth is measured from: below it the start of the process outweighs the file.
const GROWTH_FROM: u32 = 100;
/// At most this share of the real daemon's cost.
const GOAL: f64 = 0.6;
/// For so many real servers; the goal is that of 50,000.
const GOAL_FROM: u32 = 50_000;

/// A configuration with this many real servers, ten in each virtual server, in the words of an
/// ordinary LVS director: every level of the language down to the checker's.
#[must_use]
pub fn configuration(real_servers: u32) -> String {
    let mut text = String::from("global_defs {\n    router_id bench\n}\n");
    for service in 0..real_servers.div_ceil(10) {
        let (high, low) = (service / 250, service % 250);
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "\nvirtual_server 10.{high}.{low}.1 80 {{\n    delay_loop 6\n    lb_algo wrr\n    lb_kind DR\n    \
             persistence_timeout 50\n    protocol TCP\n"
        );
        for server in 1..=10.min(real_servers - service * 10) {
            let _ = write!(
                text,
                "\n    real_server 172.{}.{low}.{server} 80 {{\n        weight 3\n        TCP_CHECK {{\n            \
                 connect_timeout 3\n            retry 3\n            delay_before_retry 3\n            connect_port 80\n        \
                 }}\n    }}\n",
                16 + high
            );
        }
        text.push_str("}\n");
    }
    text
}

/// What one run of `-t` took.
struct Cost {
    seconds: f64,
    peak_mib: f64,
}

/// Runs `-t` through a helper process of ours, whose only child it is: the kernel keeps the peak
/// memory of ended children as one maximum for all of them.
fn run_once(daemon: &Path, file: &Path) -> Result<Cost> {
    let own = std::env::current_exe()?;
    let output = Command::new(own)
        .arg("--meter")
        .arg(daemon)
        .arg(file)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace().map(str::parse::<f64>);
    match (words.next(), words.next()) {
        (Some(Ok(seconds)), Some(Ok(peak_mib))) => Ok(Cost { seconds, peak_mib }),
        _ => Err(Error::new(format!(
            "{} -t gave no figures",
            daemon.display()
        ))),
    }
}

/// The helper process: runs `daemon -t -f file` in a network namespace of its own and prints
/// seconds and peak memory in MiB.
///
/// # Errors
/// When the daemon cannot be started or is ended by a signal.
pub fn meter(daemon: &Path, file: &Path) -> Result<()> {
    let before = Instant::now();
    let status = config_test(Command::new(daemon), file).status()?;
    let took = before.elapsed();
    if status.code().is_none() {
        return Err(Error::new(format!("{}: {status}", daemon.display())));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    // ru_maxrss is in KiB; a peak has far fewer than 2^52 of them.
    let kib = u32::try_from(usage.max_rss()).unwrap_or(u32::MAX);
    println!("{} {}", took.as_secs_f64(), f64::from(kib) / 1024.0);
    Ok(())
}

fn config_test(mut command: Command, file: &Path) -> Command {
    command
        .arg("-t")
        .arg("-f")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Instructions in user space of one `-t`.
fn instructions(daemon: &Path, file: &Path) -> Result<f64> {
    meters::instructions_of(daemon, |command| config_test(command, file))
}

/// Measures all sizes and adds the rows.
///
/// # Errors
/// When the configurations cannot be written.
pub fn measure(daemons: &Daemons, runs: usize, table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut growth: [Vec<(f64, f64)>; 2] = [Vec::new(), Vec::new()];
    for size in SIZES {
        let file = folder.path().join(format!("{size}.conf"));
        fs::write(&file, configuration(size)).context(|| format!("writing {}", file.display()))?;
        let mut peaks = Vec::new();
        let times = daemons.both(|daemon| {
            let costs = (0..runs)
                .map(|_| run_once(daemon, &file))
                .collect::<Result<Vec<_>>>()?;
            let all = |pick: fn(&Cost) -> f64| costs.iter().map(pick).collect::<Vec<_>>();
            peaks.push(median(&all(|cost| cost.peak_mib)).unwrap_or_default());
            median(&all(|cost| cost.seconds * 1e3)).ok_or_else(|| Error::new("no runs"))
        });
        if size >= GROWTH_FROM {
            for (points, figure) in growth.iter_mut().zip(&times) {
                points.extend(figure.value().map(|value| (f64::from(size), value)));
            }
        }
        let mut peaks = peaks.into_iter();
        let peaks = [&times[0], &times[1]].map(|time| match time {
            Figure::Measured(_) => Figure::Measured(peaks.next().unwrap_or_default()),
            Figure::Skipped(reason) => Figure::Skipped(reason.clone()),
        });
        let name = format!("-t with {size} real servers");
        // Of a small file the start of the process is nearly all.
        let goal = if size < GOAL_FROM { 1.0 } else { GOAL };
        table.row(format!("{name}: time"), "ms", times, Goal::Ratio(goal));
        table.row(
            format!("{name}: peak memory"),
            "MiB",
            peaks,
            Goal::Ratio(goal),
        );
        let counts = daemons.both(|daemon| instructions(daemon, &file).map(|count| count / 1e6));
        table.row(
            format!("{name}: instructions"),
            "million",
            counts,
            Goal::Ratio(goal),
        );
    }
    let exponents = growth.map(|points| {
        growth_exponent(&points)
            .ok_or_else(|| Error::new("too few points"))
            .into()
    });
    table.row(
        format!("-t: growth exponent of time from {GROWTH_FROM}"),
        "",
        exponents,
        Goal::AtMost(1.1),
    );
    let own = floor_mib(folder.path())?;
    table.note(format!(
        "-t: medians of {runs} runs; instructions in user space, {}; peak memory is the kernel's ru_maxrss, which cannot \
         fall below this program's own {own:.1} MiB",
        meters::how_instructions()
    ));
    Ok(())
}

/// What ru_maxrss says of a program that needs next to nothing: the measuring process's own share.
fn floor_mib(folder: &Path) -> Result<f64> {
    Ok(run_once(Path::new("/bin/true"), &folder.join("none"))?.peak_mib)
}

#[cfg(test)]
mod tests {
    use super::configuration;

    /// Input: sizes that do and do not fill the last service. Output: exactly that many servers.
    #[test]
    fn a_configuration_has_the_real_servers_asked_for() {
        for size in [1, 10, 25, 1_000] {
            let text = configuration(size);
            assert_eq!(text.matches("real_server").count(), size as usize);
            assert_eq!(text.matches('{').count(), text.matches('}').count());
        }
    }
}
