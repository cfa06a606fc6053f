//! Where the lab runs: on this kernel if it has IPVS, else inside user-mode Linux.
//!
//! Owns the scratch folder, the MariaDB data made in advance, the process that everything runs
//! under, the limit on the whole run, and the end: a pid namespace takes every process along, the
//! folder is removed, whether the run ended by itself, by Ctrl-C or by the limit. Never looks at
//! steps: it passes their output on and reads the last line. Driven by `src/bin/lab.rs`; the other
//! half of the program, [`super::inside`], runs under it.

use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};

use super::{Context, Error, Result, mysql};

/// Longest that all steps together may take; the sum of their own limits is less.
const LIMIT: Duration = Duration::from_secs(420);
/// Around what the lab prints inside user-mode Linux; everything else there is the kernel's.
pub(crate) const BEGIN: &str = "--- the lab begins ---";
/// See [`BEGIN`].
pub(crate) const END: &str = "--- the lab has ended ---";

/// Megabytes for user-mode Linux.
pub(crate) const MEMORY: u32 = 768;

/// Beginning of the scratch folder's name; our pid follows.
const SCRATCH: &str = "keepalived-lab.";

/// What the caller wants.
#[derive(Debug, Clone)]
pub struct Options {
    /// The daemon to run.
    pub binary: PathBuf,
    /// Leave the hosts up after the steps, with a prompt.
    pub keep: bool,
    /// Only steps whose name contains this; all if empty.
    pub only: String,
    /// Use user-mode Linux even if this kernel has IPVS.
    pub user_mode: bool,
}

/// What ends the wait for the child.
enum Signalled {
    Output(String),
    Closed,
    Interrupted(Signal),
}

/// Runs the lab; true if no step failed.
///
/// # Errors
/// When it cannot be brought up at all, was interrupted, or ran out of time.
pub fn run(options: &Options) -> Result<bool> {
    let signals = block_signals()?;
    sweep();
    let prefix = format!("{SCRATCH}{}.", std::process::id());
    let scratch = tempfile::Builder::new().prefix(&prefix).tempdir()?;
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
    mysql::prepare(&scratch.path().join("mysql"))?;
    let own = std::env::current_exe()?;
    let inside = inside_arguments(options, scratch.path(), &own);
    let mut child = start(
        (options.keep, options.user_mode, MEMORY),
        scratch.path(),
        &inside,
    )?;
    let outcome = supervise(&mut child, options.keep, signals);
    // Ends the pid namespace and with it everything that runs in it.
    drop(child.kill());
    drop(child.wait());
    outcome
}

/// Removes the scratch folders of labs that were killed before they could.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(SCRATCH)?.split('.').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Not ours to worry about if it cannot be removed.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Signals are waited for by a thread instead of ending us, so that the scratch folder goes.
/// Children get the usual mask back: `Command` resets it.
pub(crate) fn block_signals() -> Result<SigSet> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    Ok(signals)
}

/// Starts the command `inside` where there is IPVS. `keep`: it has the terminal; `user_mode`: in
/// user-mode Linux whatever this kernel has, with so many megabytes.
///
/// # Errors
/// When there is no such place.
pub(crate) fn start(
    (keep, user_mode, memory): (bool, bool, u32),
    scratch: &Path,
    inside: &[String],
) -> Result<Child> {
    let here = !user_mode && has_ipvs();
    // At raised priority, because steps are timed, and user-mode Linux has one processor's worth.
    // The chain of deaths: ours ends unshare, its end the first process of the pid namespace, and
    // that one's everything else.
    let chain =
        "-n -10 setpriv --pdeathsig KILL unshare --pid --fork --kill-child=KILL --mount-proc";
    let mut arguments: Vec<String> = chain.split(' ').map(str::to_owned).collect();
    if here {
        println!("ground: this kernel has IPVS");
        arguments.extend(inside.iter().cloned());
    } else {
        if which("linux.uml").is_none() {
            return Err(Error::new(
                "this kernel has no IPVS, and user-mode-linux is not installed",
            ));
        }
        println!("ground: user-mode Linux, because this kernel has no IPVS");
        arguments.extend(user_mode_arguments((keep, memory), scratch, inside)?);
    }
    std::io::stdout().flush()?;
    let mut command = Command::new("nice");
    command.args(&arguments);
    if keep {
        // The prompt needs the terminal itself.
        command.stdin(Stdio::inherit());
    } else {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
    }
    command.spawn().context(|| "nice".to_owned())
}

fn inside_arguments(options: &Options, scratch: &Path, own: &Path) -> Vec<String> {
    let mut words = vec![
        own.display().to_string(),
        "--inside".to_owned(),
        scratch.display().to_string(),
    ];
    words.extend(["--binary".to_owned(), options.binary.display().to_string()]);
    if options.keep {
        words.push("--keep".to_owned());
    }
    if !options.only.is_empty() {
        words.extend(["--only".to_owned(), options.only.clone()]);
    }
    words
}

/// The kernel's command line, and its init: a script in the scratch folder, since user-mode Linux
/// has this machine's files as its root.
pub(crate) fn user_mode_arguments(
    (keep, memory): (bool, u32),
    scratch: &Path,
    inside: &[String],
) -> Result<Vec<String>> {
    let init = scratch.join("init");
    let uml = scratch.join("uml");
    fs::create_dir(&uml)?;
    let quoted: Vec<String> = inside.iter().map(|word| format!("'{word}'")).collect();
    // A session of its own with the console as terminal, else a shell has no job control.
    let session = if keep { "setsid -c " } else { "" };
    // Kept in the scratch folder, which every host sees: iptables runs the kernel's modprobe itself.
    let modules = scratch.join("kernel");
    fs::create_dir_all(modules.join("lib/modules"))?;
    let script = format!(
        "#!/bin/sh\n\
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TERM='{term}'\n\
        mount -t proc proc /proc\n\
        mount -t sysfs sys /sys\n\
        mount -t tmpfs tmpfs /run\n\
        mkdir -p /dev/pts && mount -t devpts devpts /dev/pts\n\
        ln -s \"/usr/lib/uml/modules/$(uname -r)\" {modules}/lib/modules/\n\
        printf '#!/bin/sh\\nexec /sbin/modprobe -d {modules} \"$@\"\\n' >{modules}/modprobe\n\
        chmod +x {modules}/modprobe\n\
        echo {modules}/modprobe >/proc/sys/kernel/modprobe\n\
        {modules}/modprobe -a ip_vs ip_vs_wrr veth bridge ipv6 nf_conntrack iptable_filter\n\
        ip link set lo up\n\
        cd /\n\
        {session}{command} </dev/tty0 >/dev/tty0 2>&1\n\
        echo o >/proc/sysrq-trigger\n\
        sleep 60\n",
        modules = modules.display(),
        term = std::env::var("TERM").unwrap_or_default(),
        command = quoted.join(" "),
    );
    fs::write(&init, script)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let words = [
        "linux.uml",
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        "con=null",
        "con0=fd:0,fd:1",
        "quiet",
        "loglevel=1",
    ];
    let mut words: Vec<String> = words.map(str::to_owned).into();
    words.push(format!("mem={memory}M"));
    words.push(format!("uml_dir={}", uml.display()));
    words.push(format!("init={}", init.display()));
    Ok(words)
}

/// Passes the child's output on until it ends; reads the result from its last line.
pub(crate) fn supervise(child: &mut Child, keep: bool, signals: SigSet) -> Result<bool> {
    let (events, inbox) = channel();
    let forward = events.clone();
    std::thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            // After the run nobody listens any more.
            drop(forward.send(Signalled::Interrupted(signal)));
        }
    });
    if keep {
        return attended(child, &inbox);
    }
    let output = child
        .stdout
        .take()
        .ok_or_else(|| Error::new("no output of the child"))?;
    std::thread::spawn(move || {
        for line in lossy_lines(output) {
            drop(events.send(Signalled::Output(line)));
        }
        drop(events.send(Signalled::Closed));
    });
    unattended(&inbox)
}

/// With a prompt: the child has the terminal, and nobody sets a limit to playing.
fn attended(child: &mut Child, inbox: &Receiver<Signalled>) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        println!("note: standard input is no terminal; the prompt reads it all the same");
    }
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        // Ctrl-C belongs to whatever has the terminal; a real request to end does not.
        if let Ok(Signalled::Interrupted(signal @ (Signal::SIGTERM | Signal::SIGHUP))) =
            inbox.recv_timeout(Duration::from_millis(100))
        {
            return Err(Error::new(format!("ended by {signal}")));
        }
    }
}

fn unattended(inbox: &Receiver<Signalled>) -> Result<bool> {
    let deadline = Instant::now() + LIMIT;
    let mut talk = Talk::default();
    loop {
        match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Signalled::Output(line)) => talk.hear(&line),
            Ok(Signalled::Closed) => return talk.result(),
            Ok(Signalled::Interrupted(signal)) => {
                return Err(Error::new(format!("ended by {signal}")));
            }
            Err(RecvTimeoutError::Timeout) => {
                talk.dump();
                return Err(Error::new(format!("not finished after {LIMIT:?}")));
            }
            Err(RecvTimeoutError::Disconnected) => return talk.result(),
        }
    }
}

/// What the child says: what lies between the marks is printed, the rest kept for a bad end.
#[derive(Default)]
struct Talk {
    inside: bool,
    ended: bool,
    failed: Option<u32>,
    rest: Vec<String>,
}

impl Talk {
    fn hear(&mut self, line: &str) {
        match line {
            BEGIN => self.inside = true,
            END => (self.inside, self.ended) = (false, true),
            _ if self.inside => {
                println!("{line}");
                if let Some(failed) = failed_in(line) {
                    self.failed = Some(failed);
                }
            }
            _ => self.rest.push(line.to_owned()),
        }
    }

    fn dump(&self) {
        for line in self.rest.iter().rev().take(40).rev() {
            println!("  | {line}");
        }
    }

    fn result(&self) -> Result<bool> {
        if let (true, Some(failed)) = (self.ended, self.failed) {
            return Ok(failed == 0);
        }
        self.dump();
        Err(Error::new("the lab ended before its last step"))
    }
}

/// The middle number of `N passed, N failed, N skipped`.
fn failed_in(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once(" passed, ")?;
    rest.split_once(" failed, ")?.0.parse().ok()
}

/// Lines of a console: any bytes, ending in CR LF or LF.
pub(crate) fn lossy_lines(output: ChildStdout) -> impl Iterator<Item = String> {
    BufReader::new(output)
        .split(b'\n')
        .map_while(std::io::Result::ok)
        .map(|line| {
            String::from_utf8_lossy(&line)
                .trim_end_matches('\r')
                .to_owned()
        })
}

/// Tried, not assumed: the module may be loadable, and a container may hide it.
pub(crate) fn has_ipvs() -> bool {
    let loaded = Command::new("modprobe")
        .args(["-a", "ip_vs", "ip_vs_wrr"])
        .stderr(Stdio::null())
        .status();
    drop(loaded);
    let probe = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).is_ok()
            && Path::new("/proc/thread-self/net/ip_vs").exists()
    });
    probe.join().unwrap_or(false)
}

pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input: a console's output with the kernel's lines around. Output: the result of the lab.
    #[test]
    fn only_a_complete_run_has_a_result() {
        let mut talk = Talk::default();
        talk.hear("random: crng init done");
        talk.hear(BEGIN);
        talk.hear("3 passed, 1 failed, 0 skipped");
        assert!(talk.result().is_err());
        talk.hear(END);
        assert!(!talk.result().unwrap());
    }
}
