//! Figures counted in instructions, the kernel's included, on a machine that QEMU emulates.
//!
//! Owns: how that machine is put together and what it says. Its clock is its count of
//! instructions: one a nanosecond (`-icount shift=0`). So a process's CPU time is the number of
//! instructions that it and the kernel on its behalf have executed, whatever else runs on the
//! machine below, and what is late there is late on a processor of 1,000 million instructions a
//! second. The kernel is Debian's, with IPVS, fetched by `compat-tests/kernel`. Never measures:
//! [`guest`] does, the same program as the first process of that machine. Driven by `bin/bench.rs`.

pub mod adverts;
mod archive;
pub mod guest;
pub mod ipvs;
mod meter;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archive::{Archive, first_of};

use super::table::Figure;
use crate::bed::{Context, Error, Result};
use crate::lab::ground::which;

/// Folder with the kernel: see `compat-tests/kernel`.
pub const KERNEL: &str = "KEEPALIVED_BENCH_KERNEL";

/// Before a figure on the console, where the kernel talks as well.
const MARK: &str = "figure:";
/// Before an error that ended an experiment.
const TROUBLE: &str = "trouble:";
const EMULATOR: &str = "qemu-system-x86_64";
const DAEMON: &str = "/daemon";
/// Longest that an experiment may take in real time.
const LIMIT: &str = "900";
/// Megabytes.
const MEMORY: u32 = 3072;

/// Named figures of an experiment, in the order of measuring.
pub type Figures = Vec<(String, f64)>;

/// Runs an experiment with this daemon on a new machine.
///
/// # Errors
/// When there is no such machine, or the experiment failed; with what it said.
pub fn run(daemon: &Path, experiment: &[&str]) -> Result<Figures> {
    if which(EMULATOR).is_none() {
        return Err(Error::new("qemu-system-x86 is not installed"));
    }
    let kernel = std::env::var_os(KERNEL).map(PathBuf::from);
    let kernel = kernel.ok_or_else(|| Error::new(format!("{KERNEL} is not set")))?;
    let scratch = tempfile::tempdir()?;
    let root = scratch.path().join("root");
    fs::write(&root, archive(daemon, &kernel)?)?;
    let append = format!(
        "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off random.trust_cpu=on PATH=/sbin:/bin rdinit=/bench -- --guest {}",
        experiment.join(" ")
    );
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", LIMIT, EMULATOR]);
    command.args([
        "-M",
        "pc",
        "-cpu",
        "qemu64,+rdrand",
        "-accel",
        "tcg,tb-size=256",
    ]);
    command.args(["-icount", "shift=0,sleep=off"]);
    command.args(["-m", &MEMORY.to_string()]);
    command.args([
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-serial",
        "stdio",
    ]);
    command.arg("-kernel").arg(kernel.join("vmlinuz"));
    command.arg("-initrd").arg(&root);
    command.args(["-append", &append]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context(|| EMULATOR.to_owned())?;
    let output = child.stdout.take().ok_or_else(|| Error::new("no output"))?;
    let said = listen(
        BufReader::new(output)
            .split(b'\n')
            .map_while(std::io::Result::ok),
    );
    drop(child.kill());
    let rest = child.wait_with_output()?;
    said.context(|| String::from_utf8_lossy(&rest.stderr).trim().to_owned())
}

/// One of the figures.
pub(super) fn figure(result: &Result<Figures>, name: &str) -> Figure {
    match result {
        Err(error) => Figure::failed(error),
        Ok(figures) => figures.iter().find(|(known, _)| known == name).map_or_else(
            || Figure::failed("not measured"),
            |(_, value)| Figure::Measured(*value),
        ),
    }
}

/// Reads the console to its end.
fn listen(lines: impl Iterator<Item = Vec<u8>>) -> Result<Figures> {
    let mut figures = Figures::new();
    let mut last = Vec::new();
    let show = std::env::var_os("KEEPALIVED_BENCH_CONSOLE").is_some();
    for line in lines {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if show {
            eprintln!("  | {line}");
        }
        if let Some((_, text)) = line.split_once(TROUBLE) {
            return Err(Error::new(text.trim()));
        }
        if let Some((_, text)) = line.split_once(MARK) {
            if text.trim() == "end" {
                return Ok(figures);
            }
            let (name, value) = text.trim().rsplit_once(' ').unwrap_or_default();
            let value = value.parse().context(|| line.clone())?;
            figures.push((name.to_owned(), value));
        }
        last.push(line);
    }
    let tail = last.split_off(last.len().saturating_sub(3)).join(" | ");
    Err(Error::new(format!(
        "the emulated machine ended early: {tail}"
    )))
}

/// Everything that the experiment needs, in one archive.
fn archive(daemon: &Path, kernel: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in [
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/tmp",
        "/var/run",
        "/var/log",
        "/usr/share",
    ] {
        archive.folder(Path::new(folder))?;
    }
    archive.program(&std::env::current_exe()?, Path::new("/bench"))?;
    archive.program(daemon, Path::new(DAEMON))?;
    let shell = first_of(&["/bin/dash", "/usr/bin/dash", "/bin/sh"])?;
    archive.program(&shell, Path::new("/bin/sh"))?;
    let ip = first_of(&["/sbin/ip", "/usr/sbin/ip", "/bin/ip"])?;
    archive.program(&ip, Path::new("/sbin/ip"))?;
    archive.content(Path::new("/etc/passwd"), 0o644, b"root:x:0:0::/:/bin/sh\n")?;
    archive.content(Path::new("/etc/group"), 0o644, b"root:x:0:\n")?;
    let list = fs::read_to_string(kernel.join("modules")).context(|| "modules".to_owned())?;
    for (number, module) in list.lines().enumerate() {
        let to = format!("/modules/{number:02}");
        archive.file(Path::new(module), Path::new(&to))?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::listen;

    fn heard(text: &str) -> Result<Vec<(String, f64)>, String> {
        let lines = text.split('\n').map(|line| line.as_bytes().to_vec());
        listen(lines).map_err(|error| error.to_string())
    }

    /// Input: a console with the kernel's words between; one that ends too early; one with an
    /// error. Output: the figures, or why there are none.
    #[test]
    fn only_a_complete_experiment_has_figures() {
        let good = "[ 0.1] kernel\r\nfigure: no-op reload 12.5\r\nfigure: end\r\n";
        assert_eq!(heard(good), Ok(vec![("no-op reload".to_owned(), 12.5)]));
        assert!(heard("figure: a 1\npanic").unwrap_err().contains("panic"));
        assert_eq!(heard("trouble: it broke"), Err("it broke".to_owned()));
    }
}
