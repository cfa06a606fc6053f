//! The first process of the emulated machine: brings it up, runs one experiment, tells its figures.
//!
//! Owns: file systems, modules, the experiment's name. Driven by `bin/bench.rs`, which
//! is this process there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};

use super::meter::{GROUPS, TRACING};
use super::{Figures, MARK, TROUBLE, adverts, ipvs};
use crate::bed::{Context, Error, Result};

/// Runs the experiment that the words name, prints its figures, and switches the machine off.
///
/// # Errors
/// When not even the machine could be switched off.
pub fn main(words: &[&str]) -> Result<()> {
    // Before there is a console nobody would see what is wrong.
    let figures = bring_up().and_then(|()| experiment(words));
    match figures {
        Ok(figures) => {
            for (name, value) in figures {
                println!("{MARK} {name} {value}");
            }
            println!("{MARK} end");
        }
        Err(error) => println!("{TROUBLE} {}", error.to_string().replace('\n', " | ")),
    }
    std::thread::sleep(Duration::from_millis(100));
    match reboot(RebootMode::RB_POWER_OFF)? {}
}

fn experiment(words: &[&str]) -> Result<Figures> {
    match words {
        ["ipvs", shape, sizes @ ..] => ipvs::measure(shape, sizes),
        ["checks", kind, count] => {
            ipvs::checks(kind, count.parse().context(|| (*count).to_owned())?)
        }
        ["adverts", count] => adverts::measure(count.parse().context(|| (*count).to_owned())?),
        _ => Err(Error::new(format!(
            "no such experiment: {}",
            words.join(" ")
        ))),
    }
}

fn bring_up() -> Result<()> {
    let none = None::<&str>;
    for (kind, on) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
        ("cgroup2", GROUPS),
        ("tracefs", TRACING),
    ] {
        fs::create_dir_all(on)?;
        mount(Some(kind), on, Some(kind), MsFlags::empty(), none).context(|| on.to_owned())?;
    }
    let mut modules: Vec<_> = fs::read_dir("/modules")?.collect::<std::io::Result<_>>()?;
    modules.sort_by_key(fs::DirEntry::file_name);
    for module in modules {
        load(&module.path())?;
    }
    Ok(())
}

/// A module of another processor's instructions is refused, and not needed.
fn load(path: &Path) -> Result<()> {
    let file = fs::File::open(path)?;
    match nix::kmod::finit_module(&file, c"", nix::kmod::ModuleInitFlags::empty()) {
        Ok(()) | Err(nix::errno::Errno::ENODEV | nix::errno::Errno::EEXIST) => Ok(()),
        Err(error) => Err(error).context(|| path.display().to_string()),
    }
}
