//! `tables --ours KEEPALIVED --real KEEPALIVED --cases FOLDER [--only TEXT] [--part I/N] [--show]
//! [--reports]`: the IPVS tables of both daemons side by side.
//!
//! With `--traffic SCRIPT` instead of cases: that script, with the daemons that are given.
//!
//! Owns the command line only; [`compat_tests::tables`] does the work. It chooses the ground and
//! runs itself there with `--inside SCRATCH`.

use std::path::PathBuf;
use std::process::ExitCode;

use compat_tests::tables::{Options, inside, run, traffic};

fn main() -> ExitCode {
    let mut options = Options {
        ours: PathBuf::new(),
        real: PathBuf::new(),
        cases: PathBuf::new(),
        only: String::new(),
        part: (0, 1),
        show: false,
        reports: false,
    };
    let (mut scratch, mut script) = (None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        match word.as_str() {
            "--ours" => options.ours = value().into(),
            "--real" => options.real = value().into(),
            "--cases" => options.cases = value().into(),
            "--only" => options.only = value(),
            "--part" => match part(&value()) {
                Some(part) => options.part = part,
                None => {
                    eprintln!("tables: --part wants I/N, with I below N");
                    return ExitCode::from(2);
                }
            },
            "--show" => options.show = true,
            "--reports" => options.reports = true,
            "--traffic" => script = words.next().map(PathBuf::from),
            "--inside" => scratch = words.next().map(PathBuf::from),
            _ => {
                eprintln!("tables: unknown argument {word}");
                return ExitCode::from(2);
            }
        }
    }
    let result = match (scratch, script) {
        (Some(scratch), _) => inside(&options, &scratch),
        (None, Some(script)) => {
            let daemons = [options.ours.as_path(), options.real.as_path()];
            let real = usize::from(!options.real.as_os_str().is_empty());
            traffic(&script, &daemons[..=real])
        }
        (None, None) => run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tables: {error}");
            println!("0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
    }
}

/// `I/N`, with `I` below `N`.
fn part(word: &str) -> Option<(usize, usize)> {
    let (which, parts) = word.split_once('/')?;
    let part = (which.parse().ok()?, parts.parse().ok()?);
    (part.0 < part.1).then_some(part)
}
