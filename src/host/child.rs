//! Programs that run beside the daemon: scripts of checks, trackers and notifications.
//!
//! Owns: the running children, and who they run as. Never does: wait for one, run a shell (but for redirections), decide
//! when one has run for too long. Driven by: `exec` (effects) and `event_loop` (a child's pidfd is
//! readable, or, on kernels before 5.3 that have none, `SIGCHLD` arrived).

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use nix::sys::resource::{Resource, getrlimit, rlim_t};
use nix::unistd::{Gid, Group, Pid, Uid, User, getgrouplist};

use serde::{Deserialize, Serialize};

use super::sys;
use crate::base::command::shell_line;
use crate::conf;
use crate::conf::model::Scripts;
use crate::ops::{Asker, ChildEnd, ChildId, ChildSignal, Command};

/// Whom scripts run as if nobody is named, where that user exists.
const DEFAULT_USER: &str = "keepalived_script";

/// What the daemon may have in its environment and a script must not inherit.
const CLEARED: [&str; 3] = ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"];

/// A user and a group by name, as a command has them.
type Names = (Option<String>, Option<String>);

/// How scripts are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Ways {
    /// `set_supplementary_groups`: with every group of their user, not with one alone.
    pub(super) all_groups: bool,
    /// `use_symlink_paths`: by the path that is written, not by the one that its links led to when
    /// the configuration was taken on.
    pub(super) keep_links: bool,
}

impl Ways {
    /// As the configuration says.
    pub(super) const fn of(scripts: &Scripts) -> Self {
        Self {
            all_groups: scripts.supplementary_groups,
            keep_links: scripts.keep_symlinks,
        }
    }
}

/// Who a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// Supplementary groups.
    pub(super) groups: Vec<Gid>,
}

/// The running children.
#[derive(Debug)]
pub(super) struct Children {
    running: BTreeMap<ChildId, Running>,
    /// Names that were looked up; a directory service is asked once.
    identities: BTreeMap<Names, Result<Option<Identity>, i32>>,
    /// Paths of programs, by what is written.
    paths: BTreeMap<String, PathBuf>,
    ways: Ways,
    /// The limit of open descriptors as it was before the daemon raised its own.
    descriptors: Option<(rlim_t, rlim_t)>,
    pidfds: bool,
    /// How many processes the kernel has killed for want of memory, as last seen.
    oom_kills: Option<u64>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    handle: Option<OwnedFd>,
    /// What the loop knows the handle by.
    token: Option<usize>,
}

impl Children {
    /// No child yet.
    pub(super) fn new() -> Self {
        Self {
            running: BTreeMap::new(),
            identities: BTreeMap::new(),
            paths: BTreeMap::new(),
            ways: Ways::default(),
            descriptors: getrlimit(Resource::RLIMIT_NOFILE).ok(),
            pidfds: sys::pidfd_open(nix::unistd::getpid()).is_ok(),
            oom_kills: oom_kills(),
        }
    }

    /// How scripts are started from now on.
    pub(super) fn take_on(&mut self, ways: Ways) {
        if self.ways != ways {
            self.ways = ways;
            self.forget_names();
        }
    }

    /// Where a program is. One that is looked for in `PATH` or is not there is left to the system.
    fn path(&mut self, written: &str) -> PathBuf {
        if self.ways.keep_links || !written.contains('/') {
            return PathBuf::from(written);
        }
        if let Some(path) = self.paths.get(written) {
            return path.clone();
        }
        match Path::new(written).canonicalize() {
            Ok(path) => {
                self.paths.insert(written.to_owned(), path.clone());
                path
            }
            Err(_) => PathBuf::from(written),
        }
    }

    /// Whether the end of a child is announced by `SIGCHLD` alone.
    pub(super) const fn need_signals(&self) -> bool {
        !self.pidfds
    }

    /// Starts a program; returns the descriptor that becomes readable at its end, if there is one.
    ///
    /// # Errors
    /// The system's error number: no such program, no such user (`EINVAL`), no more processes.
    pub(super) fn spawn(&mut self, id: ChildId, wanted: &Command) -> Result<Option<RawFd>, i32> {
        let in_shell = shell_line(&wanted.argv)
            .map(|line| ["/bin/sh".to_owned(), "-c".to_owned(), line].to_vec());
        let argv = in_shell.as_ref().unwrap_or(&wanted.argv);
        let (program, arguments) = argv.split_first().ok_or(libc::EINVAL)?;
        let identity = self.identity(wanted.user.as_deref(), wanted.group.as_deref())?;
        let mut command = std::process::Command::new(self.path(program));
        command
            .arg0(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        for name in CLEARED {
            command.env_remove(name);
        }
        for (name, value) in &wanted.environment {
            command.env(name, value);
        }
        sys::prepare_child(&mut command, identity, self.descriptors);
        let mut process = command
            .spawn()
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))?;
        let pid = Pid::from_raw(process.id().cast_signed());
        let handle = match self.pidfds.then(|| sys::pidfd_open(pid)).transpose() {
            Ok(handle) => handle,
            Err(error) => {
                // Nobody would notice its end: no descriptor is free.
                drop(process.kill());
                drop(process.wait());
                return Err(errno(&error));
            }
        };
        let descriptor = handle.as_ref().map(AsRawFd::as_raw_fd);
        let running = Running {
            process,
            handle,
            token: None,
        };
        self.running.insert(id, running);
        Ok(descriptor)
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Notes what the loop knows a child's handle by.
    pub(super) fn set_token(&mut self, id: ChildId, token: usize) {
        if let Some(running) = self.running.get_mut(&id) {
            running.token = Some(token);
        }
    }

    /// Signals a child's process group; harmless if it is gone.
    pub(super) fn kill(&self, id: ChildId, signal: ChildSignal) {
        let Some(running) = self.running.get(&id) else {
            return;
        };
        let group = Pid::from_raw(-running.process.id().cast_signed());
        let signal = match signal {
            ChildSignal::Term => libc::SIGTERM,
            ChildSignal::Kill => libc::SIGKILL,
        };
        // The child is not reaped yet, so that the number is still its own; ESRCH is a group that
        // has ended.
        drop(sys::send_signal(group, signal));
    }

    /// How a child ended, and the token that is no longer needed; `None` while it runs.
    pub(super) fn end(&mut self, id: ChildId) -> Option<(ChildEnd, Option<usize>)> {
        let running = self.running.get_mut(&id)?;
        let end = match running.process.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => end_of(status),
            // Somebody else has reaped it: its status is lost.
            Err(error) => ChildEnd::NotStarted(error.raw_os_error().unwrap_or(libc::ECHILD)),
        };
        let running = self.running.remove(&id)?;
        let end = match end {
            // A check that this host has no memory for tells nothing of its server.
            ChildEnd::Killed(libc::SIGKILL) if id.asker == Asker::Check && self.is_oom() => {
                ChildEnd::NotStarted(libc::ENOMEM)
            }
            other => other,
        };
        Some((end, running.token))
    }

    /// Whether the kernel has killed for want of memory since the last look.
    fn is_oom(&mut self) -> bool {
        let before = std::mem::replace(&mut self.oom_kills, oom_kills());
        self.oom_kills > before
    }

    /// Children that no handle announces.
    pub(super) fn without_handle(&self) -> Vec<ChildId> {
        let running = self.running.iter();
        let quiet = running.filter(|(_, running)| running.handle.is_none());
        quiet.map(|(&id, _)| id).collect()
    }

    /// Looks every name and every path up anew from now on, as users may have been added.
    pub(super) fn forget_names(&mut self) {
        self.identities.clear();
        self.paths.clear();
    }

    /// Who `user` and `group` are; `None` is the daemon's own identity.
    pub(super) fn identity(
        &mut self,
        user: Option<&str>,
        group: Option<&str>,
    ) -> Result<Option<Identity>, i32> {
        let names = (user.map(str::to_owned), group.map(str::to_owned));
        let all_groups = self.ways.all_groups;
        let found = self.identities.entry(names);
        let found = found.or_insert_with(|| identity(user, group, all_groups));
        found.clone()
    }
}

/// How often the kernel has killed for want of memory, its own or that of a control group; `None`
/// before Linux 4.13.
fn oom_kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    let of = |line: &str| line.strip_prefix("oom_kill ")?.parse().ok();
    text.lines().find_map(of)
}

fn end_of(status: ExitStatus) -> ChildEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ChildEnd::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
        (None, signal) => ChildEnd::Killed(signal.unwrap_or(0)),
    }
}

/// Whom a script runs as that names this user and group, or nobody.
pub(super) fn runs_as(user: Option<&str>, group: Option<&str>) -> Option<conf::Identity> {
    let (uid, gid) = match identity(user, group, false).ok()? {
        Some(other) => (other.uid, other.gid),
        None => (nix::unistd::geteuid(), nix::unistd::getegid()),
    };
    Some(conf::Identity {
        uid: uid.as_raw(),
        gid: gid.as_raw(),
    })
}

/// `Ok(None)`: the daemon itself.
fn identity(
    user: Option<&str>,
    group: Option<&str>,
    all_groups: bool,
) -> Result<Option<Identity>, i32> {
    let found = match user {
        Some(name) => Some(User::from_name(name).ok().flatten().ok_or(libc::EINVAL)?),
        None => User::from_name(DEFAULT_USER).ok().flatten(),
    };
    let Some(found) = found else {
        return Ok(None);
    };
    let gid = match group {
        Some(name) => {
            let group = Group::from_name(name).ok().flatten();
            group.ok_or(libc::EINVAL)?.gid
        }
        None => found.gid,
    };
    if found.uid == nix::unistd::geteuid() && gid == nix::unistd::getegid() {
        return Ok(None);
    }
    let name = CString::new(found.name).map_err(|_| libc::EINVAL)?;
    let groups = all_groups.then(|| getgrouplist(&name, gid).ok()).flatten();
    let groups = groups.unwrap_or_else(|| vec![gid]);
    Ok(Some(Identity {
        uid: found.uid,
        gid,
        groups,
    }))
}

/// An [`io::Error`]'s number.
pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn id(number: u64) -> ChildId {
        ChildId {
            asker: Asker::Notify,
            number,
        }
    }

    fn command(argv: &[&str]) -> Command {
        Command {
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            user: Some("root".into()),
            ..Command::default()
        }
    }

    fn wait(children: &mut Children, id: ChildId) -> ChildEnd {
        for _ in 0..2000 {
            if let Some((end, _)) = children.end(id) {
                return end;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("still running");
    }

    // Input: programs that return 3, die of a signal, and do not exist. Output: just that.
    #[test]
    fn the_end_of_a_child_is_told() {
        let mut children = Children::new();
        children
            .spawn(id(1), &command(&["/bin/sh", "-c", "exit 3"]))
            .unwrap();
        children.spawn(id(2), &command(&["sleep", "60"])).unwrap();
        let missing = children.spawn(id(3), &command(&["/nonexistent/program"]));
        assert_eq!(missing, Err(libc::ENOENT));
        assert_eq!(wait(&mut children, id(1)), ChildEnd::Exited(3));
        assert_eq!(children.end(id(2)), None);
        children.kill(id(2), ChildSignal::Term);
        assert_eq!(wait(&mut children, id(2)), ChildEnd::Killed(libc::SIGTERM));
        assert_eq!(children.end(id(2)), None);
        children.kill(id(2), ChildSignal::Kill);
    }

    // Input: redirections, of a file that is there and of one that is not. Output: the shell's word.
    #[test]
    fn redirections_are_left_to_the_shell() {
        let mut children = Children::new();
        let there = children.spawn(id(1), &command(&["</dev/null"]));
        assert!(there.is_ok());
        let missing = command(&["</nonexistent/file"]);
        assert!(children.spawn(id(2), &missing).is_ok());
        assert_eq!(wait(&mut children, id(1)), ChildEnd::Exited(0));
        assert!(matches!(
            wait(&mut children, id(2)),
            ChildEnd::Exited(1 | 2)
        ));
    }

    // Input: a shell whose own child sleeps. Output: the signal reaches both, as they are a group.
    #[test]
    fn a_whole_group_is_signalled() {
        let mut children = Children::new();
        let argv = ["/bin/sh", "-c", "sleep 61 & wait"];
        let readable = children.spawn(id(1), &command(&argv)).unwrap();
        assert!(readable.is_some() || children.need_signals());
        children.kill(id(1), ChildSignal::Kill);
        assert_eq!(wait(&mut children, id(1)), ChildEnd::Killed(libc::SIGKILL));
    }

    // Input: a user that does not exist; no pidfd. Output: an error; the child is found anyway.
    #[test]
    fn unknown_users_and_old_kernels() {
        let mut children = Children::new();
        children.pidfds = false;
        let nobody = Command {
            user: Some("no-such-user-here".into()),
            ..command(&["true"])
        };
        assert_eq!(children.spawn(id(1), &nobody), Err(libc::EINVAL));
        assert_eq!(children.spawn(id(2), &command(&["true"])), Ok(None));
        assert_eq!(children.without_handle(), [id(2)]);
        assert_eq!(wait(&mut children, id(2)), ChildEnd::Exited(0));
        assert_eq!(children.without_handle(), []);
    }

    // Input: variables in the environment of the test. Output: LD_PRELOAD and IFS are not passed on, an
    // addition is, and signals that were ignored or blocked are as usual.
    #[test]
    fn children_start_clean() {
        let mut children = Children::new();
        let script = "test -z \"$LD_LIBRARY_PATH\" && test \"$STATE\" = MASTER && \
                      grep -q '^SigBlk:\t0*$' /proc/self/status && \
                      test \"$(readlink /proc/self/fd/0)\" = /dev/null";
        let mut wanted = command(&["/bin/sh", "-c", script]);
        wanted.environment.push(("STATE", "MASTER".into()));
        wanted.environment.push(("UNUSED", String::new()));
        children.spawn(id(1), &wanted).unwrap();
        assert_eq!(wait(&mut children, id(1)), ChildEnd::Exited(0));
    }
}
