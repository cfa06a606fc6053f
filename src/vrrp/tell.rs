//! What an instance or a group tells people and programs outside.
//!
//! Owns: which scripts run with which arguments and in which order, and the lines of FIFOs. Never
//! does: start a script, open a FIFO. Driven by: `instance` at its transitions, `group` at those
//! of groups.
//!
//! A script for one state comes before `notify`, which gets `INSTANCE|GROUP NAME STATE PRIORITY`;
//! a group's priority is 0 (keepalived.conf(5)).

use super::Action;
use super::instance::{Cx, Instance, State};
use crate::conf::model::options::{Notify, Script};
use crate::ops::{Alert, Command, Lasting, Line, Notice, Speaker};

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is in this state now; not of [`State::Init`].
    State(State),
    /// The daemon stops.
    Stop,
    /// It left the configuration.
    Deleted,
    /// A master heard one of lower priority.
    LowerPriority,
    /// The priority changed, in MASTER or not.
    Priority { master: bool },
}

impl Told {
    /// The word for it.
    const fn word(self) -> &'static str {
        match self {
            Self::State(State::Master) => "MASTER",
            Self::State(State::Backup) => "BACKUP",
            Self::State(State::Fault) => "FAULT",
            Self::State(State::Init) | Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::LowerPriority => "MASTER_RX_LOWER_PRI",
            Self::Priority { master: true } => "MASTER_PRIORITY",
            Self::Priority { master: false } => "BACKUP_PRIORITY",
        }
    }

    const fn lasting(self) -> Lasting {
        match self {
            Self::State(State::Master | State::Backup | State::Fault) => Lasting::State,
            Self::State(State::Init) | Self::Stop | Self::Deleted => Lasting::Last,
            Self::LowerPriority | Self::Priority { .. } => Lasting::Event,
        }
    }

    /// The script for just this.
    const fn script(self, notify: &Notify) -> Option<&Script> {
        match self {
            Self::State(State::Master) => notify.master.as_ref(),
            Self::State(State::Backup) => notify.backup.as_ref(),
            Self::State(State::Fault) => notify.fault.as_ref(),
            Self::State(State::Init) | Self::Stop => notify.stop.as_ref(),
            Self::Deleted => notify.deleted.as_ref(),
            Self::LowerPriority => notify.lower_priority.as_ref(),
            Self::Priority { .. } => None,
        }
    }

    /// Whether `notify` runs too; of the other events FIFOs alone are told.
    const fn is_state(self) -> bool {
        match self {
            Self::State(_) | Self::Stop | Self::Deleted => true,
            Self::LowerPriority | Self::Priority { .. } => false,
        }
    }
}

/// What FIFOs and scripts call a sync group.
pub(super) const GROUP: &str = "GROUP";

/// The notice that an object of this kind and name has something to tell.
pub(super) fn notice(
    (kind, name): (&str, &str),
    notify: &Notify,
    told: Told,
    priority: u8,
) -> Notice {
    let word = told.word();
    let command = |script: &Script, arguments: &[&str]| {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Command {
            argv: script.argv.iter().cloned().chain(arguments).collect(),
            user: script.user.clone(),
            group: script.group.clone(),
            environment: Vec::new(),
        }
    };
    let specific = told.script(notify).map(|script| command(script, &[]));
    let priority = priority.to_string();
    let arguments = [kind, name, word, priority.as_str()];
    let any = notify.any.as_ref().filter(|_| told.is_state());
    let any = any.map(|script| command(script, &arguments));
    let alert = match kind {
        GROUP => Alert::of_group,
        _ => Alert::of_instance,
    };
    Notice {
        scripts: specific.into_iter().chain(any).collect(),
        line: Some(Line {
            object: format!("{kind} \"{name}\""),
            state: format!("{word} {priority}"),
            lasting: told.lasting(),
        }),
        alert: told.is_state().then(|| alert(name, word, notify.mail)),
        ..Notice::new(Speaker::Vrrp)
    }
}

impl Instance {
    /// Tells of itself.
    pub(super) fn tell(&self, cx: &mut Cx<'_>, told: Told) {
        let name = ("INSTANCE", self.config.name.as_str());
        let priority = self.priority().0;
        let notice = notice(name, &self.config.options.notify, told, priority);
        cx.out.push(Action::Notice(notice));
    }
}
