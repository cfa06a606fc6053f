//! Lines of `track_*` blocks: `NAME [weight NUMBER [reverse|noreverse]]`.
//!
//! Owns: their reading, for instances and sync groups alike. Driven by: `bind::options` and
//! `bind::sync_group`.

use super::super::diag::Class;
use super::super::model::options::{Tracked, Trackers, Tracking, Weight};
use super::super::model::{BfdAudience, BfdInstance};
use super::super::source::to_display;
use super::{Outcome, Statement};

/// What is tracked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Interface,
    Script,
    Process,
    File,
    Bfd,
}

/// What can be tracked: what was defined above.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) trackers: &'a Trackers,
    pub(super) bfd: &'a [BfdInstance],
    /// Sessions that something is wrong with.
    pub(super) disabled_bfd: &'a [String],
    /// An interface may come later.
    pub(super) dynamic: bool,
}

impl Kind {
    /// How messages call it.
    const fn name(self) -> &'static str {
        match self {
            Self::Interface => "track_interface",
            Self::Script => "track script",
            Self::Process => "track process",
            Self::File => "track file",
            Self::Bfd => "track bfd",
        }
    }

    /// The block.
    const fn block(self) -> &'static str {
        match self {
            Self::Interface => "track_interface",
            Self::Script => "track_script",
            Self::Process => "track_process",
            Self::File => "track_file",
            Self::Bfd => "track_bfd",
        }
    }

    /// Whether the furthest weights are reserved.
    const fn narrow(self) -> bool {
        matches!(self, Self::Interface | Self::Script)
    }

    fn list(self, tracking: &mut Tracking) -> &mut Vec<Tracked> {
        match self {
            Self::Interface => &mut tracking.interfaces,
            Self::Script => &mut tracking.scripts,
            Self::Process => &mut tracking.processes,
            Self::File => &mut tracking.files,
            Self::Bfd => &mut tracking.bfd,
        }
    }

    /// The weight that the tracker has by itself; `None` if there is no such tracker.
    fn own(self, name: &str, all: Known<'_>, st: &Statement<'_>) -> Option<Weight> {
        let known = all.trackers;
        match self {
            Self::Interface => {
                (all.dynamic || st.facts.interface_exists(name)).then(Weight::default)
            }
            Self::Script => {
                let script = known.scripts.iter().find(|script| script.name == name)?;
                Some(script.weight)
            }
            Self::Process => {
                let process = known
                    .processes
                    .iter()
                    .find(|process| process.name == name)?;
                Some(process.weight)
            }
            Self::File => {
                let file = known.files.iter().find(|file| file.name == name)?;
                Some(file.weight.unwrap_or(Weight {
                    value: 1,
                    reverse: false,
                }))
            }
            Self::Bfd => {
                let for_vrrp = |session: &&BfdInstance| session.audience != BfdAudience::Checker;
                let mut sessions = all.bfd.iter().filter(for_vrrp);
                let session = sessions.find(|session| session.name == name)?;
                Some(Weight {
                    value: session.weight,
                    reverse: session.reverse,
                })
            }
        }
    }
}

/// One line, for the object named `owner`; answers whether an interface is missing.
pub(super) fn line(
    st: &mut Statement<'_>,
    owner: &str,
    kind: Kind,
    known: Known<'_>,
    tracking: &mut Tracking,
) -> Result<bool, super::Stop> {
    let name = st.need(0)?;
    let shown = to_display(name);
    let Some(own) = kind.own(name, known, st) else {
        if kind == Kind::Bfd && known.disabled_bfd.iter().any(|other| other == name) {
            let message = format!("({owner}) track bfd {shown} is disabled and not tracked");
            st.error(Class::Advice, message, Some(0));
            return Ok(false);
        }
        let (message, missing) = if kind == Kind::Interface {
            (
                format!("({owner}) tracked interface {shown} doesn't exist"),
                true,
            )
        } else {
            (
                format!("({owner}) {} {shown} not found, ignoring...", kind.name()),
                false,
            )
        };
        st.error(Class::General, message, Some(0));
        return Ok(missing);
    };
    if kind
        .list(tracking)
        .iter()
        .any(|tracked| tracked.name == name)
    {
        let message = format!("({owner}) duplicate {} {shown} - ignoring", kind.block());
        st.error(Class::General, message, Some(0));
        return Ok(false);
    }
    let weight = match st.word(1) {
        None => None,
        Some("weight") if st.word(2).is_none() => {
            let message = format!(
                "({owner}) weight without value specified for {} {shown} - ignoring",
                kind.name()
            );
            st.error(Class::General, message, Some(1));
            return Ok(false);
        }
        Some("weight") => weight(st, owner, kind, &shown, own)?,
        Some(option) => {
            unknown_option(st, owner, kind, option);
            return Ok(false);
        }
    };
    kind.list(tracking).push(Tracked {
        name: name.to_owned(),
        weight,
    });
    Ok(false)
}

fn unknown_option(st: &mut Statement<'_>, owner: &str, kind: Kind, option: &str) {
    let shown = to_display(st.word(0).unwrap_or_default());
    let of = match kind {
        Kind::Interface | Kind::Bfd => format!("{} {shown}", kind.name()),
        Kind::Script | Kind::Process | Kind::File => kind.name().to_owned(),
    };
    let message = format!(
        "({owner}) unknown {of} option {} - ignoring",
        to_display(option)
    );
    st.error(Class::General, message, Some(1));
}

fn weight(
    st: &mut Statement<'_>,
    owner: &str,
    kind: Kind,
    shown: &str,
    own: Weight,
) -> Result<Option<Weight>, super::Stop> {
    let word = st.need(2)?;
    let most = if kind == Kind::Bfd { 253 } else { 254 };
    let Some(value) = st.signed(2, -most, most)? else {
        let word = to_display(word);
        let message = match kind {
            Kind::Interface => format!(
                "({owner}) weight {word} for {shown} must be between [-253..253] inclusive. \
                 Ignoring..."
            ),
            Kind::Script => format!(
                "({owner}) {} {shown}: weight must be between [-253..253] inclusive, ignoring...",
                kind.name()
            ),
            Kind::Bfd => format!(
                "({owner}) weight for {} {shown} must be in [-253..253] inclusive. Ignoring...",
                kind.name()
            ),
            Kind::Process | Kind::File => format!(
                "({owner}) weight for {} {shown} must be in [-254..254] inclusive. Ignoring...",
                kind.name()
            ),
        };
        st.error(Class::General, message, Some(2));
        return Ok(None);
    };
    let mut value = i16::try_from(value).unwrap_or_default();
    if kind.narrow() && value.abs() == 254 {
        let message = format!("({owner}) weight for {shown} cannot be +/-254. Setting to +/-253");
        st.error(Class::General, message, Some(2));
        value = value.clamp(-253, 253);
    }
    let reverse = match st.word(3) {
        None => own.reverse,
        Some("reverse") => true,
        Some("noreverse") if kind != Kind::Interface => false,
        Some(option) => {
            // keepalived spells the one for interfaces like this.
            let of = if kind == Kind::Interface {
                "track_interace"
            } else {
                kind.name()
            };
            let message = format!(
                "({owner}) unknown {of} {shown} weight option {} - ignoring",
                to_display(option)
            );
            st.error(Class::General, message, Some(3));
            own.reverse
        }
    };
    Ok(Some(Weight { value, reverse }))
}

/// The weight of a tracker itself: `weight NUMBER [reverse]` in its block.
pub(super) fn own_weight(
    st: &mut Statement<'_>,
    limit: i32,
    problem: &str,
    owner: &str,
    slot: &mut Weight,
) -> Outcome {
    let word = st.need(1)?;
    let value = st.signed(1, -limit, limit)?;
    match value {
        Some(value) => slot.value = i16::try_from(value).unwrap_or_default(),
        None => {
            let message = problem.replace("{}", &to_display(word));
            st.error(Class::General, message, Some(1));
        }
    }
    match st.word(2) {
        None if value.is_some() => slot.reverse = false,
        None => {}
        Some("reverse") => slot.reverse = true,
        Some(option) => {
            let message = format!("{owner} unknown weight option {}", to_display(option));
            st.error(Class::General, message, Some(2));
        }
    }
    Ok(())
}
