//! The three standard streams.
//!
//! Owns: what a daemon does with them. Never does: log; what is said here is for the person or
//! script that started the program. Driven by: `supervisor`, `worker`.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// Says something to standard error; a closed one is no reason to stop.
pub(super) fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// The same, unless the log has said it there already.
pub(super) fn say_unless(said: bool, text: &str) {
    if !said {
        say(text);
    }
}

/// Points standard input and output to nowhere.
pub(super) fn close_input_and_output() -> io::Result<()> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    Ok(())
}

/// Points standard error to nowhere, once the start is over.
pub(super) fn close_errors() -> io::Result<()> {
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}
