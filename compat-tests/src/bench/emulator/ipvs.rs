//! What it costs to bring an IPVS table up, to look through it at a reload, and to take it down.
//!
//! Owns: the configurations and the order of events: start, reload without a change, reload with
//! one changed line, stop. Never runs outside the emulated machine. Driven by [`super::guest`].

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use super::adverts::hosts;
use super::meter::{Watched, commands, configure, count_commands, system_calls};
use super::{Figures, figure, run};
use crate::bed::{Capture, Content, Error, Host, Result, Syslog};
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
    /// The same, with an HTTP check.
    Fetched,
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
            Shape::Services | Shape::Checked | Shape::Fetched => {
                format!("{} 80", address(10, service + 1))
            }
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
            let check = match shape {
                Shape::Checked => "        TCP_CHECK {\n            connect_timeout 3\n        }\n",
                Shape::Fetched => {
                    "        HTTP_GET {\n            url {\n                path /\n                status_code 200\n            }\n            connect_timeout 3\n        }\n"
                }
                Shape::Services | Shape::Groups => "",
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

/// What is said to whoever asks for a page.
const PAGE: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Takes connections on port 8080 of every address, for as long as the machine runs, and answers
/// each with [`PAGE`] if `fetched`; how many.
fn serve(host: &Host, fetched: bool) -> Result<Arc<AtomicU32>> {
    let listener = host.enter(|| TcpListener::bind("0.0.0.0:8080"))??;
    let taken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&taken);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            if let (true, Ok(mut connection)) = (fetched, connection) {
                // The request fits into one segment; whoever says nothing gets nothing.
                let mut request = [0; 1024];
                if connection.read(&mut request).is_ok_and(|read| read > 0) {
                    drop(connection.write_all(PAGE));
                }
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(taken)
}

/// What one check of so many servers costs, each checked once a second.
pub(super) fn checks(kind: &str, servers: u16) -> Result<Figures> {
    let shape = if kind == "http" {
        Shape::Fetched
    } else {
        Shape::Checked
    };
    let host = Host::new("director")?;
    host.must(&["ip", "route", "add", "local", "11.0.0.0/8", "dev", "lo"])?;
    let taken = serve(&host, shape == Shape::Fetched)?;
    let sizes = (usize::from(servers).div_ceil(10), 10);
    configure(&host, &with_delay(shape, sizes, 1, 1))?;
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
    for (kind, servers, wanted) in [
        ("tcp", "200", &["instructions", "system calls"][..]),
        ("http", "200", &["instructions", "system calls"][..]),
        ("tcp", "5000", &["a second", "instructions"][..]),
    ] {
        let results = daemons.each(|daemon| run(daemon, &["checks", kind, servers]));
        for name in wanted {
            let goal = match *name {
                // A check takes a little longer than its second.
                "a second" => Goal::AtLeast(4_900.0),
                _ => Goal::Below,
            };
            let figures = results.each_ref().map(|result| figure(result, name));
            let kind = kind.to_uppercase();
            let title = format!("{kind} checks of {servers} servers every second: {name}");
            table.row(title, "", figures, goal);
        }
    }
}

/// An instance that advertises ten times a second.
const INSTANCE: &str = "vrrp_instance V {
    state MASTER
    interface eth0
    virtual_router_id 1
    priority 200
    advert_int 0.1
    version 3
    virtual_ipaddress {
        10.201.0.1/32
    }
}
";
const INTERVAL: Duration = Duration::from_millis(100);

/// By how much an advert was late at most since `from`, in milliseconds: what two of them were apart
/// beyond the interval.
fn latest(capture: &Capture, from: SystemTime) -> f64 {
    let frames = capture.since(from).into_iter();
    let adverts = frames.filter(
        |frame| matches!(frame.packet().content, Content::Advert(advert) if advert.priority > 0),
    );
    let times: Vec<SystemTime> = adverts.map(|frame| frame.at).collect();
    let gaps = times.iter().zip(times.iter().skip(1));
    gaps.map(|(one, next)| {
        let gap = next.duration_since(*one).unwrap_or_default();
        gap.saturating_sub(INTERVAL).as_secs_f64() * 1e3
    })
    .fold(0.0, f64::max)
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
    let [host, neighbour] = hosts(1)?;
    let capture = Capture::start(&neighbour, "eth0")?;
    let configuration = |weight| configuration(shape, services, servers, weight) + INSTANCE;
    let log = Syslog::start(&host)?;
    // Whatever is checked is this machine, and answers.
    host.must(&["ip", "route", "add", "local", "11.0.0.0/8", "dev", "lo"])?;
    serve(&host, false)?;
    count_commands()?;
    let mut figures = Figures::new();
    let mut since = SystemTime::now();
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
        figure("latest advert", latest(&capture, since));
        since = SystemTime::now();
        (work, changes, reads, lines) = (instructions, set, get, said);
        Ok(())
    };
    configure(&host, &configuration(1))?;
    let mut daemon = Watched::start(&host, "one")?;
    let (instructions, _) = daemon.rest()?;
    step("start", instructions, 0.0)?;
    let memory = daemon.memory()?;
    // What it does anyway is no part of a reload; two of the rounds in which ours looks at the table.
    let before = daemon.instructions()?;
    std::thread::sleep(ROUNDS);
    let idle = (daemon.instructions()? - before) / ROUNDS.as_secs_f64();
    for (name, weight) in [("no-op reload", 1), ("one-line reload", 2)] {
        configure(&host, &configuration(weight))?;
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
    let servers = u32::try_from(services * servers).map_or(f64::NAN, f64::from);
    figures.push((
        "memory for each server".to_owned(),
        memory * 1048576.0 / servers,
    ));
    Ok(figures)
}

/// One row: which figure, its unit, and its goal.
type Wanted = (&'static str, &'static str, Goal);

/// Measures both daemons and adds the rows; `quick`: only one size.
pub fn rows(daemons: &Daemons, quick: bool, table: &mut Table) {
    let standard: &[Wanted] = &[
        ("start: instructions", "", Goal::Ratio(0.35)),
        ("start: changes of IPVS", "", Goal::Ratio(1.0)),
        ("start: latest advert", "ms", Goal::AtMost(10.0)),
        ("no-op reload: instructions", "", Goal::Ratio(0.05)),
        ("no-op reload: changes of IPVS", "", Goal::AtMost(0.0)),
        ("no-op reload: log lines", "", Goal::AtMost(5.0)),
        ("no-op reload: latest advert", "ms", Goal::AtMost(10.0)),
        ("one-line reload: instructions", "", Goal::Ratio(0.05)),
        ("one-line reload: changes of IPVS", "", Goal::AtMost(1.0)),
        ("one-line reload: latest advert", "ms", Goal::AtMost(10.0)),
        ("stop: instructions", "", Goal::Ratio(0.15)),
        ("stop: changes of IPVS", "", Goal::Ratio(0.15)),
        ("at rest: instructions a second", "", Goal::None),
        ("memory", "MiB", Goal::Ratio(1.0)),
        ("memory for each server", "bytes", Goal::Below),
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
