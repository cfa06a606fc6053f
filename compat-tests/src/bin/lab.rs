//! `lab --binary KEEPALIVED [--keep] [--only TEXT] [--user-mode]`: see `compat-tests/lab`, which
//! installs and builds what this needs and then runs it.
//!
//! Owns the command line only; [`compat_tests::lab`] does the work. Run by itself it chooses the
//! ground and runs itself there with `--inside SCRATCH`.

use std::path::PathBuf;
use std::process::ExitCode;

use compat_tests::lab::{Options, inside, run};

fn main() -> ExitCode {
    let mut options = Options {
        binary: PathBuf::new(),
        keep: false,
        only: String::new(),
        user_mode: false,
    };
    let mut scratch = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--keep" => options.keep = true,
            "--user-mode" => options.user_mode = true,
            "--binary" => options.binary = words.next().unwrap_or_default().into(),
            "--only" => options.only = words.next().unwrap_or_default(),
            "--inside" => scratch = words.next().map(PathBuf::from),
            _ => {
                eprintln!("lab: unknown argument {word}");
                return ExitCode::from(2);
            }
        }
    }
    if options.binary.as_os_str().is_empty() {
        eprintln!("lab: --binary is missing");
        return ExitCode::from(2);
    }
    let result = match scratch {
        Some(scratch) => inside(&options, &scratch),
        None => run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lab: {error}");
            println!("0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
    }
}
