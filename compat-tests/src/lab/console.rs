//! The prompt of `compat-tests/lab --keep`: a name gives a shell on that host.
//!
//! Owns the prompt; never limits what people do there. Driven by [`super::steps::inside`] after
//! the last step, with the terminal (or user-mode Linux's console) as its standard input.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::Result;
use super::town::Town;
use crate::bed::Host;

/// Reads names of hosts until `quit` or the end of input.
pub(super) fn prompt(town: &Town) -> Result<()> {
    help(town);
    let mut line = String::new();
    loop {
        print!("lab> ");
        std::io::stdout().flush()?;
        line.clear();
        if std::io::stdin().read_line(&mut line)? == 0 {
            return Ok(());
        }
        // `lab shell HOST` is what people try first.
        let words: Vec<&str> = line
            .split_whitespace()
            .filter(|word| !["lab", "shell"].contains(word))
            .collect();
        match words.as_slice() {
            [] => {}
            ["quit" | "exit"] => return Ok(()),
            [name, command @ ..] => {
                let named = |host: &&Host| host.name().eq_ignore_ascii_case(name);
                match town.hosts().into_iter().find(named) {
                    Some(host) => enter(host, &command.join(" "))?,
                    None => help(town),
                }
            }
        }
    }
}

fn help(town: &Town) {
    let names: Vec<&str> = town.hosts().iter().map(|host| host.name()).collect();
    println!("The hosts are up: {}.", names.join(", "));
    println!("A name gives a shell there, a name and a command runs that; `quit` ends the lab.");
    println!("Logs are in /var/log/messages; try `client mysql -h182.148.15.239 -utest -p123456`.");
}

/// A shell or a command on a host, with our terminal. It ends before the next prompt.
fn enter(host: &Host, command: &str) -> Result<()> {
    let shell = if Path::new("/bin/bash").exists() {
        "/bin/bash"
    } else {
        "/bin/sh"
    };
    let mut process = Command::new(shell);
    if !command.is_empty() {
        process.args(["-c", command]);
    }
    // Private to the host, so that no history file is left in the real home.
    process
        .env("HOME", "/run")
        .env("PS1", format!("[root@{} \\W]# ", host.name()))
        .current_dir("/");
    // Not a `Proc`: nobody else may end it, and it has no deadline.
    match host.enter(move || process.spawn().and_then(|mut child| child.wait()))? {
        Ok(_) => {}
        Err(error) => println!("{error}"),
    }
    Ok(())
}
