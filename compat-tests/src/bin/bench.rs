//! The benchmark command: measures ours and the real daemon in the same run and prints one table.
//!
//! Owns the command line and the order of the experiments; never decides what is good (the goals
//! are in the measuring modules). Driven by the script `compat-tests/bench`, which builds both.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use compat_tests::bed::{Error, Result, needs_root};
use compat_tests::bench::table::Table;
use compat_tests::bench::{Daemons, checks, emulator, failover, parse, reload, steady};
use compat_tests::routers::daemon_from;

const USAGE: &str = "usage: bench [--quick] [parse] [steady] [checks] [failover] [ipvs] [adverts] [reload]   (KEEPALIVED_OURS, KEEPALIVED_REAL)";

const PARTS: [&str; 7] = [
    "parse", "steady", "checks", "failover", "ipvs", "adverts", "reload",
];
const NEED_ROOT: [&str; 4] = ["steady", "checks", "failover", "reload"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--guest", experiment @ ..] => emulator::guest::main(experiment),
        ["--emulate", daemon, experiment @ ..] => emulate(Path::new(daemon), experiment),
        ["--checks", daemon] => checks::inside(Path::new(daemon)),
        ["--meter", daemon, file] => parse::meter(Path::new(daemon), Path::new(file)),
        _ => run(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One experiment by itself, its figures as lines.
fn emulate(daemon: &Path, experiment: &[&str]) -> Result<()> {
    for (name, value) in emulator::run(daemon, experiment)? {
        println!("{name}: {value}");
    }
    Ok(())
}

fn run(words: &[&str]) -> Result<()> {
    let quick = words.contains(&"--quick");
    let parts: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| *word != "--quick")
        .collect();
    if parts.iter().any(|part| !PARTS.contains(part)) {
        return Err(Error::new(USAGE));
    }
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    let ours = daemon_from("KEEPALIVED_OURS")
        .ok_or_else(|| Error::new(format!("KEEPALIVED_OURS is not set\n{USAGE}")))?;
    let daemons = Daemons {
        ours,
        real: daemon_from("KEEPALIVED_REAL").filter(|path: &PathBuf| path.exists()),
    };
    let mut table = Table::default();
    if wanted("parse") {
        eprintln!("measuring configuration tests ...");
        parse::measure(&daemons, if quick { 3 } else { 9 }, &mut table)?;
    }
    if wanted("ipvs") {
        eprintln!("measuring IPVS ...");
        emulator::ipvs::rows(&daemons, quick, &mut table);
    }
    if wanted("adverts") {
        eprintln!("measuring adverts of very many instances ...");
        emulator::adverts::rows(&daemons, &mut table);
    }
    if NEED_ROOT.into_iter().any(wanted) && !needs_root() {
        table.note("skipped: steady state, checks, failover and steps of a reload");
    } else {
        if wanted("steady") {
            eprintln!("measuring adverts at rest ...");
            steady::measure(
                &daemons,
                Duration::from_secs(if quick { 10 } else { 30 }),
                &mut table,
            );
        }
        if wanted("checks") {
            eprintln!("measuring checks ...");
            checks::measure(&daemons, &mut table);
        }
        if wanted("failover") {
            eprintln!("measuring takeovers ...");
            failover::measure(&daemons, if quick { 3 } else { 7 }, &mut table);
        }
        if wanted("reload") {
            eprintln!("measuring steps of a reload ...");
            reload::measure(&daemons, &mut table);
        }
    }
    print!("{table}");
    Ok(())
}
