//! Children, watched files and FIFOs as drivers of the loop.
//!
//! Owns: the way from an effect to `child`, `watch` and `fifo`, and their tokens. Never does:
//! decide when a program has run for too long or a line is lost. Driven by: `exec` and
//! `event_loop`.

use mio::Interest;
use mio::unix::SourceFd;
use std::os::fd::RawFd;

use super::child::{Children, errno};
use super::exec::{Answer, Drivers};
use super::fifo::{self, Fifos};
use super::processes::Processes;
use super::sources::Source;
use super::watch::{self, Watches};
use crate::base::ident;
use crate::ops::{
    Asker, ChildEnd, ChildId, ChildSignal, Command, FifoCmd, FifoFailure, FifoId, FifoIo, WatchId,
};

/// The drivers of this kind.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) children: Children,
    watches: Watches,
    fifos: Fifos,
    pub(super) processes: Processes,
}

impl Programs {
    /// Nothing runs, is watched or open.
    pub(super) fn new() -> Self {
        Self {
            children: Children::new(),
            watches: Watches::default(),
            fifos: Fifos::default(),
            processes: Processes::default(),
        }
    }
}

impl Drivers {
    /// Registers a descriptor; returns its token.
    fn wait_for(
        &mut self,
        descriptor: RawFd,
        source: Source,
        interest: Interest,
    ) -> Result<usize, i32> {
        let token = self.sources.insert(source);
        let registered = self
            .registry
            .register(&mut SourceFd(&descriptor), token, interest);
        match registered {
            Ok(()) => Ok(token.0),
            Err(error) => {
                self.sources.remove(token.0);
                Err(errno(&error))
            }
        }
    }

    pub(super) fn spawn(&mut self, id: ChildId, command: &Command, answers: &mut Vec<Answer>) {
        // A check is made again; what is told of VRRP is not.
        if id.asker == Asker::Check && !self.probes.has_room(self.descriptors_in_use()) {
            answers.push(Answer::Child(id, ChildEnd::NotStarted(libc::EMFILE)));
            return;
        }
        match self.programs.children.spawn(id, command) {
            Ok(Some(descriptor)) => {
                let token = self.wait_for(descriptor, Source::Child(id), Interest::READABLE);
                if let Ok(token) = token {
                    self.programs.children.set_token(id, token);
                }
            }
            Ok(None) => {}
            Err(errno) => answers.push(Answer::Child(id, ChildEnd::NotStarted(errno))),
        }
    }

    pub(super) fn kill(&self, id: ChildId, signal: ChildSignal) {
        self.programs.children.kill(id, signal);
    }

    /// How a child ended, if it has.
    pub(super) fn child_end(&mut self, id: ChildId) -> Option<ChildEnd> {
        let (end, token) = self.programs.children.end(id)?;
        if let Some(token) = token {
            self.sources.remove(token);
        }
        Some(end)
    }

    pub(super) fn watch(&mut self, id: WatchId, path: &str, answers: &mut Vec<Answer>) {
        if !self.programs.watches.is_open() {
            let opened = self
                .programs
                .watches
                .descriptor()
                .map_err(|error| errno(&error));
            let registered = opened.and_then(|descriptor| {
                self.wait_for(descriptor, Source::Files, Interest::READABLE)
            });
            if let Err(errno) = registered {
                log::error!(
                    target: ident::DAEMON,
                    "changes of {path} will not be noticed, as inotify is not to be had: error \
                     {errno} (fs.inotify.max_user_instances may be too low)"
                );
            }
        }
        let content = self.programs.watches.watch(id, path);
        answers.push(Answer::File(id, content));
    }

    pub(super) fn unwatch(&mut self, id: WatchId) {
        self.programs.watches.unwatch(id);
    }

    /// The watched files that may have changed.
    pub(super) fn changed_files(&mut self) -> Vec<(WatchId, Option<Vec<u8>>)> {
        self.programs.watches.changes()
    }

    pub(super) fn fifo(&mut self, id: FifoId, command: &FifoCmd, answers: &mut Vec<Answer>) {
        let what = match command {
            FifoCmd::Open { path, user, group } => {
                let what = match self.open_fifo(id, path, user.as_deref(), group.as_deref()) {
                    Ok(()) => FifoIo::Open,
                    Err(failure) => FifoIo::Failed(failure),
                };
                Some(what)
            }
            FifoCmd::Write(lines) => self.programs.fifos.write(id, lines),
            FifoCmd::Close => {
                self.close_fifo(id);
                None
            }
        };
        if matches!(what, Some(FifoIo::Failed(_))) {
            self.close_fifo(id);
        }
        if let Some(what) = what {
            answers.push(Answer::Fifo(id, what));
        }
    }

    fn open_fifo(
        &mut self,
        id: FifoId,
        path: &str,
        user: Option<&str>,
        group: Option<&str>,
    ) -> Result<(), FifoFailure> {
        let owner = self.programs.children.identity(user, group);
        let owner = owner.map_err(|_| FifoFailure::NoUser)?;
        let opened = fifo::open(path, owner.as_ref())?;
        let waited = self.wait_for(opened.descriptor(), Source::Fifo(id), Interest::WRITABLE);
        let token = waited.map_err(FifoFailure::System)?;
        self.programs.fifos.insert(id, opened, token);
        Ok(())
    }

    fn close_fifo(&mut self, id: FifoId) {
        if let Some(token) = self.programs.fifos.close(id) {
            self.sources.remove(token);
        }
    }

    /// What a FIFO's readiness means.
    pub(super) fn fifo_ready(&self, id: FifoId) -> Option<FifoIo> {
        self.programs.fifos.is_open(id).then_some(FifoIo::Room)
    }

    pub(super) fn init_file(path: &str, value: i64, overwrite: bool) {
        watch::write_value(path, value, overwrite);
    }
}
