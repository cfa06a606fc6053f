//! What it costs to bring an IPVS table up, to look through it at a reload, and to take it down.
//!
//! Owns: the configurations and the order of events: start, reload without a change, reload with
//! one changed line, stop. Never runs outside the emulated machine. Driven by [`super::guest`].

use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::Duration;

use nix::sys::signal::Signal;

use super::meter::{Watched, commands, configure, count_commands, system_calls};
use super::{Figures, figure, run};
use crate::bed::{Error, Host, Result, Syslog};
use crate::bench::Daemons;
use crate::bench::stats::growth_exponent;
use crate::bench::table::{Figure, Goal, Table};

/// Twice the time in which ours looks through the whole table.
const ROUNDS: Duration = Duration::from_secs(8);

/// How services and servers are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Each service with an address of its own.
    Services,
    /// The same, each server with a TCP check.
    Checked,
    /// Each service a group of two addresses.
    Groups,
}

fn address(first: u8, number: usize) -> String {
    let [.., high, low] = number.to_be_bytes();
    let middle = number.to_be_bytes().get(5).copied().unwrap_or_default();
    format!("{first}.{middle}.{high}.{low}")
}

/// A configuration of so many services with so many servers each; the last server has `weight`.
fn configuration(shape: Shape, services: usize, servers: usize, weight: u32) -> String {
    with_delay(shape, (services, servers), weight, 600)
}

/// The same with checks every `delay` seconds.
fn with_delay(
    shape: Shape,
    (services, servers): (usize, usize),
    weight: u32,
    delay: u32,
) -> String {
    let mut text = "global_defs {\n    router_id bench\n}\n".to_owned();
    for service in 0..services {
        let name = match shape {
            Shape::Services | Shape::Checked => format!("{} 80", address(10, service + 1)),
            Shape::Groups => {
                let (one, other) = (address(10, 2 * service + 2), address(10, 2 * service + 3));
                write!(
                    text,
                    "virtual_server_group G{service} {{\n    {one} 80\n    {other} 80\n}}\n"
                )
                .ok();
                format!("group G{service}")
            }
        };
        write!(
            text,
            "virtual_server {name} {{\n    delay_loop {delay}\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n"
        )
        .ok();
        for server in 0..servers {
            let number = service * servers + server + 1;
            let last = number == services * servers;
            let check = if shape == Shape::Checked {
                "        TCP_CHECK {\n            connect_timeout 3\n        }\n"
            } else {
                ""
            };
            write!(
                text,
                "    real_server {} 8080 {{\n        weight {}\n{check}    }}\n",
                address(11, number),
                if last { weight } else { 1 }
            )
            .ok();
        }
        text.push_str("}\n");
    }
    text
}

/// Takes connections on port 8080 of every address, for as long as the machine runs; how many.
fn serve(host: &Host) -> Result<Arc<AtomicU32>> {
    let listener = host.enter(|| TcpListener::bind("0.0.0.0:8080"))??;
    let taken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&taken);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection);
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(taken)
}

/// What one check of so many servers costs, each checked once a second.
pub(super) fn checks(servers: u16) -> Result<Figures> {
    let host = Host::new("director")?;
    host.must(&["ip", "route", "add", "local", "11.0.0.0/8", "dev", "lo"])?;
    let taken = serve(&host)?;
    let sizes = (usize::from(servers).div_ceil(10), 10);
    configure(&host, &with_delay(Shape::Checked, sizes, 1, 1))?;
    let daemon = Watched::start(&host, "one")?;
    std::thread::sleep(ROUNDS);
    let of = |work: &dyn Fn() -> Result<f64>| -> Result<(f64, f64)> {
        let before = taken.load(Ordering::Relaxed);
        let value = work()?;
        Ok((value, f64::from(taken.load(Ordering::Relaxed) - before)))
    };
    let (instructions, checks) = of(&|| {
        let before = daemon.instructions()?;
        std::thread::sleep(ROUNDS);
        Ok(daemon.instructions()? - before)
    })?;
    let (calls, checks_then) = of(&|| {
        let counts = system_calls(&daemon.pids()?, Duration::from_secs(2))?;
        Ok(counts.iter().map(|(_, count)| count).sum())
    })?;
    Ok(vec![
        ("instructions".to_owned(), instructions / checks),
        ("system calls".to_owned(), calls / checks_then),
        ("a second".to_owned(), checks / ROUNDS.as_secs_f64()),
    ])
}

/// Measures the checks of both daemons and adds the rows.
fn check_rows(daemons: &Daemons, table: &mut Table) {
    for (servers, wanted) in [
        ("200", &["instructions", "system calls"][..]),
        ("5000", &["a second", "instructions"][..]),
    ] {
        let results = daemons.each(|daemon| run(daemon, &["checks", servers]));
        for name in wanted {
            let goal = match *name {
                "a second" => Goal::None,
                _ => Goal::Ratio(1.0),
            };
            let figures = results.each_ref().map(|result| figure(result, name));
            let title = format!("TCP checks of {servers} servers every second: {name}");
            table.row(title, "", figures, goal);
        }
    }
}

/// Measures: see the module's head.
pub(super) fn measure(shape: &str, sizes: &[&str]) -> Result<Figures> {
    let shape = match shape {
        "services" => Shape::Services,
        "checked" => Shape::Checked,
        "groups" => Shape::Groups,
        _ => return Err(Error::new(format!("no such shape: {shape}"))),
    };
    let sizes: Vec<usize> = sizes.iter().filter_map(|size| size.parse().ok()).collect();
    let &[services, servers] = sizes.as_slice() else {
        return Err(Error::new("how many services, and servers of each?"));
    };
    let host = Host::new("director")?;
    let log = Syslog::start(&host)?;
    // Whatever is checked is this machine, and answers.
    host.must(&["ip", "route", "add", "local", "11.0.0.0/8", "dev", "lo"])?;
    serve(&host)?;
    count_commands()?;
    let mut figures = Figures::new();
    let (mut work, mut changes, mut reads, mut lines) = (0.0, 0.0, 0.0, 0);
    let mut step = |name: &str, instructions: f64, idle: f64| -> Result<()> {
        let (set, get) = commands()?;
        let said = log.lines().len();
        let told = u32::try_from(said - lines).unwrap_or(u32::MAX);
        let mut figure = |what: &str, value| figures.push((format!("{name}: {what}"), value));
        figure("instructions", instructions - work - idle);
        figure("changes of IPVS", set - changes);
        figure("questions to IPVS", get - reads);
        figure("log lines", f64::from(told));
        (work, changes, reads, lines) = (instructions, set, get, said);
        Ok(())
    };
    configure(&host, &configuration(shape, services, servers, 1))?;
    let mut daemon = Watched::start(&host, "one")?;
    let (instructions, _) = daemon.rest()?;
    step("start", instructions, 0.0)?;
    let memory = daemon.memory()?;
    // What it does anyway is no part of a reload; two of the rounds in which ours looks at the table.
    let before = daemon.instructions()?;
    std::thread::sleep(ROUNDS);
    let idle = (daemon.instructions()? - before) / ROUNDS.as_secs_f64();
    for (name, weight) in [("no-op reload", 1), ("one-line reload", 2)] {
        configure(&host, &configuration(shape, services, servers, weight))?;
        let now = daemon.instructions()?;
        step("between", now, 0.0)?;
        daemon.signal(Signal::SIGHUP)?;
        let (instructions, took) = daemon.rest()?;
        step(name, instructions, idle * took.as_secs_f64())?;
    }
    let now = daemon.instructions()?;
    step("between", now, 0.0)?;
    daemon.signal(Signal::SIGTERM)?;
    daemon.wait()?;
    let instructions = daemon.instructions()?;
    step("stop", instructions, 0.0)?;
    figures.retain(|(name, _)| !name.starts_with("between"));
    figures.push(("at rest: instructions a second".to_owned(), idle));
    figures.push(("memory".to_owned(), memory));
    Ok(figures)
}

/// One row: which figure, its unit, and its goal.
type Wanted = (&'static str, &'static str, Goal);

/// Measures both daemons and adds the rows; `quick`: only one size.
pub fn rows(daemons: &Daemons, quick: bool, table: &mut Table) {
    let standard: &[Wanted] = &[
        ("start: instructions", "", Goal::Ratio(0.35)),
        ("start: changes of IPVS", "", Goal::Ratio(1.0)),
        ("no-op reload: instructions", "", Goal::Ratio(0.05)),
        ("no-op reload: changes of IPVS", "", Goal::AtMost(0.0)),
        ("no-op reload: log lines", "", Goal::AtMost(5.0)),
        ("one-line reload: instructions", "", Goal::Ratio(0.05)),
        ("one-line reload: changes of IPVS", "", Goal::AtMost(1.0)),
        ("stop: instructions", "", Goal::Ratio(0.15)),
        ("stop: changes of IPVS", "", Goal::Ratio(0.15)),
        ("at rest: instructions a second", "", Goal::None),
        ("memory", "MiB", Goal::Ratio(1.0)),
    ];
    let rows = |sizes: [usize; 2], shape: &str, wanted: &[Wanted], table: &mut Table| {
        let [services, servers] = sizes.map(|size| size.to_string());
        let experiment = ["ipvs", shape, &services, &servers];
        let results = daemons.each(|daemon| run(daemon, &experiment));
        let title = format!("{services} x {servers} {shape}");
        for (name, unit, goal) in wanted {
            let figures = results.each_ref().map(|result| figure(result, name));
            table.row(format!("{title}: {name}"), unit, figures, *goal);
        }
    };
    rows([1_000, 10], "checked", standard, table);
    rows([1_000, 10], "services", standard, table);
    check_rows(daemons, table);
    if !quick {
        rows([2_300, 16], "checked", standard, table);
        growth(daemons, table);
    }
    table.note(
        "IPVS: instructions of all processes of the daemon, the kernel's on their behalf included, on an emulated machine \
         with Debian's kernel, whose clock counts them (QEMU, -icount); reloads without what the daemon does at rest; \
         services: without checks; checked: each server with a TCP check that passes",
    );
}

/// How the work grows with the number of services, of servers of one, of groups.
fn growth(daemons: &Daemons, table: &mut Table) {
    let cases = [
        ("services", "services", [[250, 10], [1_000, 10]]),
        (
            "servers of one service",
            "services",
            [[1, 1_000], [1, 4_000]],
        ),
        ("groups", "groups", [[250, 10], [1_000, 10]]),
    ];
    for (what, shape, sizes) in cases {
        let results = daemons.each(|daemon| {
            let both = sizes.map(|[services, servers]| {
                let words = [services, servers].map(|size: usize| size.to_string());
                run(daemon, &["ipvs", shape, &words[0], &words[1]])
            });
            let [small, large] = both;
            Ok((small?, large?))
        });
        for step in ["start", "one-line reload", "stop"] {
            let name = format!("{step}: instructions");
            let figures = results.each_ref().map(|result| match result {
                Err(error) => Figure::failed(error),
                Ok((small, large)) => exponent(small, large, &name),
            });
            table.row(
                format!("growth in {what}: {step}"),
                "exponent",
                figures,
                Goal::AtMost(1.05),
            );
        }
    }
}

/// Each of the sizes above is four times the other.
fn exponent(small: &Figures, large: &Figures, name: &str) -> Figure {
    let of = |figures: &Figures| {
        figures
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    };
    let points = of(small)
        .zip(of(large))
        .map(|(small, large)| [(1.0, small), (4.0, large)]);
    let grown = points.and_then(|points| growth_exponent(&points));
    grown.map_or_else(|| Figure::failed("no figures"), Figure::Measured)
}
