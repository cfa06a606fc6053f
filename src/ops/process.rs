//! Programs, watched files and FIFOs, as the node speaks of them.
//!
//! Owns: what a domain says when it wants a program run, a file watched or a FIFO written to, and
//! what it hears of them. Never does: run, read or write anything. Driven by: the domains on one
//! side, `host` and the simulator on the other.
//!
//! Identifiers carry who asked ([`Asker`]), so that an answer finds its way back without a table;
//! each asker counts its own numbers and never uses one twice.

/// The domain that asked, and gets the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asker {
    /// What VRRP tracks.
    Track,
    /// Notifications.
    Notify,
    /// Health checks.
    Check,
}

/// Identifies a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId {
    /// Who asked for it.
    pub asker: Asker,
    /// The asker's number for it.
    pub number: u64,
}

/// A program to run, without a shell, in a process group of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// The program (looked for in `PATH` if it has no slash) and its arguments; never empty.
    pub argv: Vec<String>,
    /// Who it runs as; the daemon's script user if not given.
    pub user: Option<String>,
    /// Its group; that of the user if not given.
    pub group: Option<String>,
    /// What is added to the environment that it inherits.
    pub environment: Vec<(&'static str, String)>,
}

/// A signal to a child's process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildSignal {
    /// `SIGTERM`: it should end.
    Term,
    /// `SIGKILL`: it has to.
    Kill,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// It returned this status, 0 to 255.
    Exited(u8),
    /// A signal ended it.
    Killed(i32),
    /// It never ran: the system's error number.
    NotStarted(i32),
}

/// A process of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The kernel's name for it, at most 15 bytes.
    pub name: String,
    /// Its command line, if it was asked for; empty for threads of the kernel.
    pub arguments: Vec<String>,
}

/// What is told of processes while they are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessNews {
    /// From now on everything is told; what happened before is not.
    Watched,
    /// Something was not told.
    Lost,
    /// Nothing is told any more.
    Unwatched,
    /// A process has a child, which is as its parent is.
    Forked {
        /// The parent's number.
        parent: u32,
        /// The child's.
        child: u32,
    },
    /// A process is another program now, or has another name.
    Became(Process),
    /// A process has ended.
    Ended(u32),
}

/// Identifies a watched file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId {
    /// Who asked for it.
    pub asker: Asker,
    /// The asker's number for it.
    pub number: u64,
}

/// How many bytes of a watched file are told at most; numbers and times need no more.
pub const WATCHED_BYTES: usize = 128;

/// Identifies an open FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FifoId(pub u64);

/// What is asked of a FIFO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FifoCmd {
    /// Make it unless it is there, and open it; answered by [`FifoIo::Open`] or
    /// [`FifoIo::Failed`].
    Open {
        /// Its path.
        path: String,
        /// Its owner; the daemon's script user if not given.
        user: Option<String>,
        /// Its group; that of the user if not given.
        group: Option<String>,
    },
    /// Write these lines, in order, as far as there is room, each as a whole; answered by
    /// [`FifoIo::Wrote`].
    Write(Vec<Vec<u8>>),
    /// Close it and remove it from the file system.
    Close,
}

/// What happened to a FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FifoIo {
    /// It is open.
    Open,
    /// So many of the lines were written. If not all, [`FifoIo::Room`] follows when there is room.
    Wrote(usize),
    /// There is room.
    Room,
    /// It cannot be made or opened, or broke. It is closed.
    Failed(FifoFailure),
}

/// Why there is no FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FifoFailure {
    /// Something else is there that is no FIFO.
    NoFifo,
    /// There is one, but it is neither root's nor the script user's: whoever made it could read
    /// along.
    Foreign,
    /// The user or group does not exist.
    NoUser,
    /// The system's error number.
    System(i32),
}
