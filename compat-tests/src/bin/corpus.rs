//! The corpus command: real configurations through our config test and the real one, and a report.
//!
//! Owns the command line; never decides what is good. Driven by the script `compat-tests/corpus`,
//! which builds ours and finds the other.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use compat_tests::bed::{Error, Result, needs_root};
use compat_tests::corpus::{Binaries, Differences, Library, Report, Surveyed, Verdict, survey};
use compat_tests::routers::daemon_from;

const USAGE: &str = "usage: corpus [ID...]   (KEEPALIVED_CORPUS, KEEPALIVED_OURS, KEEPALIVED_REAL)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(ids: &[String]) -> Result<()> {
    let Some(mut library) = Library::from_environment()? else {
        println!("skipped: no corpus");
        return Ok(());
    };
    if !needs_root() {
        return Ok(());
    }
    if !ids.is_empty() {
        library.entries.retain(|entry| ids.contains(&entry.id));
        if library.entries.is_empty() {
            return Err(Error::new(format!("no such file in the corpus\n{USAGE}")));
        }
    }
    let binaries = Binaries {
        ours: daemon_from("KEEPALIVED_OURS")
            .ok_or_else(|| Error::new(format!("KEEPALIVED_OURS is not set\n{USAGE}")))?,
        real: daemon_from("KEEPALIVED_REAL").filter(|path: &PathBuf| path.exists()),
    };
    let differences = Differences::load()?;
    let start = Instant::now();
    let surveyed = survey(&library.entries, &binaries)?;
    let verdicts: Vec<Verdict> = surveyed
        .iter()
        .map(|surveyed| Verdict::of(surveyed, &differences))
        .collect();
    if ids.is_empty() {
        print!("{}", Report { verdicts });
        println!("\n{:.1} s", start.elapsed().as_secs_f64());
    } else {
        for (surveyed, verdict) in surveyed.iter().zip(&verdicts) {
            show(surveyed, verdict);
        }
    }
    Ok(())
}

/// Everything about one file.
fn show(surveyed: &Surveyed, verdict: &Verdict) {
    println!("== {} {}", verdict.id, surveyed.entry.file.display());
    let real = verdict
        .real
        .map_or_else(|| "?".to_owned(), |status| status.to_string());
    println!(
        "exit: ours {}, 2.2.7 {real}, 2.4.3 {}",
        verdict.ours, verdict.recorded
    );
    if let Some(why) = &verdict.deliberate {
        println!("on purpose: {why}");
    }
    if let Some(reason) = verdict.reason {
        println!("reason: {reason}");
    }
    for keyword in &verdict.inactive {
        println!("inactive: {keyword}");
    }
    for message in &verdict.missing {
        println!("- {message}");
    }
    for message in &verdict.extra {
        println!("+ {message}");
    }
    if verdict.reason.is_some()
        && let Some(real) = &surveyed.real
    {
        println!("2.2.7 says:\n{}", real.output);
    }
}
