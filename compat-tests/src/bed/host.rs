//! A host: network, mount and host-name namespaces, held by a thread.
//!
//! Owns the thread, the private `/etc`, `/run`, `/dev` and `/var/log`, and the end of everything
//! that runs inside. Never joins a network by itself: see [`super::Lan`]. Driven by tests; work
//! inside the host is a closure sent to its thread ([`Host::enter`]), and what that thread starts
//! lives in the host.
//!
//! The private folders are temporary file systems full of links to the machine's own entries, so
//! that programs find what they need and whatever they write stays in the host.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid, sethostname};

use super::sweep::{MARK, end_all_in, inode, mark, pids_in, sweep};
use super::{Context, Error, Proc, Result};

/// Longer than any command of a test takes, even on a kernel that is slow by nature.
const COMMAND: Duration = Duration::from_secs(60);

/// Entries of `/etc` that are real folders in a host, because tests put files into them.
const OWN_FOLDERS: [&str; 4] = ["keepalived", "sysconfig", "default", "init.d"];

type Job = Box<dyn FnOnce() + Send>;

/// What a finished command said.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status; 128 and the signal's number if a signal ended it, as a shell says it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// One host of the testbed.
pub struct Host {
    name: String,
    thread: Pid,
    net: u64,
    jobs: Option<Sender<Job>>,
    joined: Option<JoinHandle<()>>,
}

impl Host {
    /// Makes a host with this name, its loopback interface up, nothing else in its network.
    ///
    /// # Errors
    /// When the kernel refuses a namespace or a mount.
    pub fn new(name: &str) -> Result<Self> {
        sweep();
        let (jobs, inbox) = channel::<Job>();
        let (report, born) = channel();
        let own_name = name.to_owned();
        let thread = std::thread::Builder::new()
            .name(format!("host {name}"))
            .spawn(move || {
                let start = isolate(&own_name);
                let going = start.is_ok();
                if report.send(start).is_ok() && going {
                    inbox.into_iter().for_each(|job| job());
                }
            })?;
        let (tid, net) = born
            .recv()
            .context(|| format!("host {name}"))?
            .context(|| format!("host {name}"))?;
        let host = Self {
            name: name.to_owned(),
            thread: tid,
            net,
            jobs: Some(jobs),
            joined: Some(thread),
        };
        host.must(&["ip", "link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// Its name, which is also its host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of the thread in its namespaces; `/proc/ID/ns/*` names them, `nsenter -t ID` enters.
    #[must_use]
    pub fn thread(&self) -> Pid {
        self.thread
    }

    /// Runs `work` on the host's thread, that is inside the host, and waits for its result.
    /// One at a time: what takes long belongs into a [`Proc`].
    ///
    /// # Errors
    /// When `work` panics, or a former one has.
    pub fn enter<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let gone = || Error::new(format!("{}: the host's thread has ended", self.name));
        let (answer, result) = channel();
        let job: Job = Box::new(move || {
            // The caller waits below, so the receiver is there.
            drop(answer.send(work()));
        });
        self.jobs
            .as_ref()
            .ok_or_else(gone)?
            .send(job)
            .map_err(|_| gone())?;
        result.recv().map_err(|_| gone())
    }

    /// Starts a command inside the host; it ends with the value given back.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, mut command: Command) -> Result<Proc> {
        let what = format!("{} on {}", command.get_program().display(), self.name);
        command.env(MARK, mark());
        let child = self
            .enter(move || command.spawn())?
            .context(|| what.clone())?;
        Ok(Proc::new(child, what))
    }

    /// Runs a command to its end inside the host, with nothing on standard input.
    ///
    /// # Errors
    /// When it cannot be started or runs for more than a minute. A failure of the command itself
    /// is in [`Output::code`].
    pub fn run(&self, words: &[&str]) -> Result<Output> {
        self.run_with_input(words, "")
    }

    /// Runs a command to its end inside the host, with `input` on standard input.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_with_input(&self, words: &[&str], input: &str) -> Result<Output> {
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| Error::new("empty command"))?;
        let mut command = Command::new(program);
        command.args(arguments).env(MARK, mark());
        self.finish(command, input.to_owned())
    }

    /// Runs a line of shell inside the host.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn shell(&self, line: &str) -> Result<Output> {
        self.run(&["sh", "-c", line])
    }

    /// Runs a command that has to succeed; gives back its standard output.
    ///
    /// # Errors
    /// As [`Self::run`], and when its exit status is not 0.
    pub fn must(&self, words: &[&str]) -> Result<String> {
        self.run(words)?
            .stdout_if_ok(&format!("{}: {}", self.name, words.join(" ")))
    }

    /// Gives `ip -batch` these lines; the cheapest way to set up many things at once.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn ip_batch(&self, lines: &str) -> Result<()> {
        let output = self.run_with_input(&["ip", "-batch", "-"], lines)?;
        output
            .stdout_if_ok(&format!("{}: ip {lines}", self.name))
            .map(drop)
    }

    /// Writes a file inside the host, its folders included.
    ///
    /// # Errors
    /// As the file system's.
    pub fn write(&self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Result<()> {
        let path = path.as_ref().to_owned();
        let content = content.into();
        let what = format!("{}: write {}", self.name, path.display());
        let written = self.enter(move || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, content)
        })?;
        written.context(|| what)
    }

    /// Reads a file inside the host.
    ///
    /// # Errors
    /// As the file system's.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String> {
        let path = path.as_ref().to_owned();
        let what = format!("{}: read {}", self.name, path.display());
        self.enter(move || fs::read_to_string(path))?
            .context(|| what)
    }

    /// Process ids of everything that runs inside, daemons that left their parent included.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        pids_in(self.net)
    }

    fn finish(&self, mut command: Command, input: String) -> Result<Output> {
        let what = format!("{} on {}", command.get_program().display(), self.name);
        command.stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self
            .enter(move || command.spawn())?
            .context(|| what.clone())?;
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let (answer, result) = channel();
        std::thread::spawn(move || {
            if let Some(mut pipe) = child.stdin.take() {
                // A command that does not read all of its input is free to do so.
                drop(std::io::Write::write_all(&mut pipe, input.as_bytes()));
            }
            // Nobody listens any more after the deadline.
            drop(answer.send(child.wait_with_output()));
        });
        match result.recv_timeout(COMMAND) {
            Ok(output) => Ok(Output::from(&output.context(|| what)?)),
            Err(_) => {
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
                Err(Error::new(format!(
                    "{what}: still running after {COMMAND:?}"
                )))
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        end_all_in(self.net);
        self.jobs = None;
        if let Some(thread) = self.joined.take()
            && thread.join().is_err()
        {
            eprintln!("testbed: work on host {} has panicked", self.name);
        }
    }
}

impl Output {
    /// Standard output, if the command succeeded.
    ///
    /// # Errors
    /// When it did not; the error holds `what`, the exit status and both outputs.
    pub fn stdout_if_ok(self, what: &str) -> Result<String> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        Err(Error::new(format!(
            "{what}: exit status {}\n{}{}",
            self.code, self.stdout, self.stderr
        )))
    }
}

impl From<&std::process::Output> for Output {
    fn from(output: &std::process::Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status;
        let code = status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal))
            .unwrap_or(-1);
        Self {
            code,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Takes the calling thread into namespaces of its own; gives back its id and the inode number of
/// its network namespace.
fn isolate(name: &str) -> Result<(Pid, u64)> {
    let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    unshare(flags).context(|| "unshare".to_owned())?;
    sethostname(name).context(|| "sethostname".to_owned())?;
    let none = None::<&str>;
    // Else the mounts below would appear on the machine itself.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context(|| "private /".to_owned())?;
    // What /sys/class/net shows is fixed when it is mounted.
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)
        .context(|| "/sys".to_owned())?;
    empty("/run")?;
    if !fs::symlink_metadata("/var/run")?.is_symlink() {
        empty("/var/run")?;
    }
    empty("/var/log")?;
    shadow("/etc", &OWN_FOLDERS)?;
    shadow("/dev", &["log"])?;
    for folder in OWN_FOLDERS {
        fs::create_dir(Path::new("/etc").join(folder))?;
    }
    let tid = gettid();
    let net = inode(&format!("/proc/{tid}/ns/net"))
        .ok_or_else(|| Error::new("/proc shows no namespaces"))?;
    Ok((tid, net))
}

/// Covers a folder with an empty temporary file system.
fn empty(folder: &str) -> Result<()> {
    let mode = Some("mode=0755");
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), mode)
        .context(|| folder.to_owned())
}

/// Covers a folder with a temporary file system that links to everything in it but `left_out`.
fn shadow(folder: &str, left_out: &[&str]) -> Result<()> {
    let below = format!("/run/machine{folder}");
    fs::create_dir_all(&below)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(
        Some(folder),
        below.as_str(),
        None::<&str>,
        flags,
        None::<&str>,
    )
    .context(|| below.clone())?;
    empty(folder)?;
    for entry in fs::read_dir(&below)? {
        let name = entry?.file_name();
        if !left_out.iter().any(|out| name == *out) {
            symlink(Path::new(&below).join(&name), Path::new(folder).join(&name))?;
        }
    }
    Ok(())
}
