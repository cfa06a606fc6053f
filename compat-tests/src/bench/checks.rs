//! What one TCP check costs in system calls.
//!
//! Owns the experiment: a daemon that checks one healthy real server once a second, its calls
//! counted over a window and divided by the connections that the server accepted. The real daemon
//! checks only where the kernel has IPVS, so without it both are measured in user-mode Linux: the
//! same program runs there and prints its figure. Driven by `bin/bench.rs`.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::table::{Goal, Table};
use super::{Daemons, meters};
use crate::bed::{Context, Error, Result, wait_until};
use crate::lab::ground;
use crate::routers::Segment;

/// Before the figure on a line of the console, where the kernel talks as well.
const MARK: &str = "calls-per-check";
/// How long calls are counted, and a check a second with it.
const WINDOW: Duration = Duration::from_secs(20);
/// User-mode Linux takes its time for everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Boot, experiment and end of user-mode Linux.
const LIMIT: &str = "180";
/// A bare loop in C: socket, connect, wait, result, close, wait.
const BARE: f64 = 6.0;

const CONFIGURATION: &str = "global_defs {
    router_id bench
}
virtual_server 10.1.255.100 80 {
    delay_loop 1
    lb_algo wrr
    lb_kind NAT
    protocol TCP
    real_server 10.1.255.2 8080 {
        weight 1
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
";

/// System calls for each check of this daemon, here.
fn calls_per_check(daemon: &Path) -> Result<f64> {
    let mut segment = Segment::new([daemon, daemon])?;
    let listener = segment.routers[1]
        .host()
        .enter(|| TcpListener::bind("10.1.255.2:8080"))??;
    let accepted: Arc<Mutex<Vec<SystemTime>>> = Arc::default();
    let seen = Arc::clone(&accepted);
    // Ends with the process; the experiment is all that this one does with the port.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection);
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(SystemTime::now());
        }
    });
    let between = |from: SystemTime, to: SystemTime| {
        let times = accepted.lock().unwrap_or_else(PoisonError::into_inner);
        times
            .iter()
            .filter(|at| (from..=to).contains(at))
            .map(|_| 1.0)
            .sum::<f64>()
    };
    let begin = SystemTime::now();
    segment.routers[0].configure(CONFIGURATION)?;
    segment.routers[0].start()?;
    let router = &segment.routers[0];
    wait_until(PATIENCE, "the first checks", || {
        between(begin, SystemTime::now()) >= 3.0
    })
    .map_err(|error| Error::new(format!("{error}\n{}", router.log_tail())))?;
    let pids = router.host().processes();
    let calls = meters::strace_calls(&pids, WINDOW)?;
    let to = SystemTime::now();
    // Counted backwards: a tool needs a while to attach, but none to end.
    let checks = between(to - WINDOW, to);
    if checks == 0.0 {
        Err(Error::new("no checks in the window"))
    } else {
        Ok(calls / checks)
    }
}

/// The part that runs inside user-mode Linux.
///
/// # Errors
/// When nothing could be counted.
pub fn inside(daemon: &Path) -> Result<()> {
    match calls_per_check(daemon) {
        Ok(calls) => println!("{MARK} {calls}"),
        Err(error) => println!("{MARK} {}", error.to_string().replace('\n', " | ")),
    }
    Ok(())
}

fn in_user_mode(daemon: &Path) -> Result<f64> {
    if ground::which("linux.uml").is_none() {
        return Err(Error::new(
            "this kernel has no IPVS, and user-mode-linux is not installed",
        ));
    }
    let scratch = tempfile::tempdir()?;
    let own = std::env::current_exe()?;
    let inside = [&own, Path::new("--checks"), daemon].map(|word| word.display().to_string());
    let words = ground::user_mode_arguments((false, ground::MEMORY), scratch.path(), &inside)?;
    let mut child = Command::new("timeout")
        .args(["--signal=KILL", LIMIT])
        .args(&words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context(|| "user-mode Linux".to_owned())?;
    let output = child.stdout.take().ok_or_else(|| Error::new("no output"))?;
    let said = ground::lossy_lines(output)
        .find_map(|line| line.strip_prefix(MARK).map(|rest| rest.trim().to_owned()));
    drop(child.kill());
    drop(child.wait());
    let said = said.ok_or_else(|| Error::new("user-mode Linux ended without a figure"))?;
    said.parse().map_err(|_| Error::new(said))
}

/// Measures and adds the row.
pub fn measure(daemons: &Daemons, table: &mut Table) {
    let here = ground::has_ipvs();
    let figures = daemons.both(|daemon| {
        if here {
            calls_per_check(daemon)
        } else {
            in_user_mode(daemon)
        }
    });
    table.row("TCP check: system calls", "", figures, Goal::Ratio(1.0));
    let place = if here {
        "on this kernel"
    } else {
        "in user-mode Linux, because this kernel has no IPVS"
    };
    table.note(format!(
        "TCP check: one real server, every second, over {} s, all processes of the daemon, by strace without reading the clock, {place}; a bare loop in C needs {BARE}",
        WINDOW.as_secs()
    ));
}
