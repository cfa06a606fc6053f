//! What an instance tracks, and what that does to its priority and its fitness.
//!
//! Owns: the rules of weights (positive: added while up; negative: while down; reverse turns both
//! around; 0: down is a fault), of files (value times weight), and of sync groups and owners, where
//! weights do not count. Never does: change a state. Driven by: `domain`, when a tracker says
//! something else, and at a reload.

use std::collections::BTreeMap;

use super::instance::FaultReason;
use super::links::Links;
use super::statics::Statics;
use super::{TrackerKind, Verdict};
use crate::conf::model::options::{SyncGroup, Tracked, Trackers, Tracking, Weight};
use crate::conf::model::{BfdAudience, BfdInstance, Priority, VrrpInstance};

/// The most that one file adds; beyond it, it does not add more (keepalived.conf(5)).
const FILE_MOST: i64 = 253;
/// From here on down a file is a fault.
const FILE_FAULT: i64 = -254;

/// What trackers of the whole host say.
#[derive(Debug, Default)]
pub(super) struct Verdicts(BTreeMap<(TrackerKind, String), Verdict>);

impl Verdicts {
    /// Takes a verdict.
    pub(super) fn set(&mut self, kind: TrackerKind, name: &str, verdict: Verdict) {
        self.0.insert((kind, name.to_owned()), verdict);
    }

    pub(super) fn get(&self, kind: TrackerKind, name: &str) -> Verdict {
        let found = self.0.get(&(kind, name.to_owned()));
        found.copied().unwrap_or(Verdict::Unknown)
    }
}

/// The trackers that are defined.
#[derive(Debug, Default)]
pub(super) struct Known {
    trackers: Trackers,
    /// Weights of the BFD sessions that VRRP is told of.
    sessions: BTreeMap<String, Weight>,
}

impl Known {
    pub(super) fn new(trackers: &Trackers, sessions: &[BfdInstance]) -> Self {
        let told = sessions.iter();
        let told = told.filter(|session| session.audience != BfdAudience::Checker);
        let weight = |session: &BfdInstance| Weight {
            value: session.weight,
            reverse: session.reverse,
        };
        Self {
            trackers: trackers.clone(),
            sessions: told
                .map(|session| (session.name.clone(), weight(session)))
                .collect(),
        }
    }
}

/// A tracker as one instance uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) kind: TrackerKind,
    pub(super) name: String,
    pub(super) weight: Weight,
    /// Only a fault of it counts.
    pub(super) mute: bool,
}

/// What the trackers of an instance come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Outcome {
    /// The sum of the weights that count now.
    pub(super) adjustment: i64,
    /// The first that makes a fault, and its name.
    pub(super) fault: Option<(FaultReason, String)>,
    /// The verdict of one that could make a fault is not there yet.
    pub(super) waits: bool,
    /// How many make a fault, but for interfaces.
    pub(super) faults: u32,
    /// An interface makes one.
    pub(super) link_down: bool,
    /// How many scripts that could make one have not returned a result yet.
    pub(super) scripts_unknown: u32,
}

/// What one tracker comes to.
enum Effect {
    Adds(i64),
    Fault(FaultReason),
    Waits,
}

/// Every tracker of `config`, with those of its group.
pub(super) fn uses(
    config: &VrrpInstance,
    group: Option<&SyncGroup>,
    known: &Known,
    statics: &Statics,
) -> Vec<Use> {
    let owner = config.priority.is_owner();
    let mut all = group.map_or_else(Vec::new, |group| of(&group.tracking, known));
    let shared = all.len();
    let no_weights = group.is_some_and(|group| !group.weights_apply);
    for mut own in of(&config.options.tracking, known) {
        let of_group = all.get(..shared).unwrap_or_default();
        let twice = of_group
            .iter()
            .any(|other| (other.kind, &other.name) == (own.kind, &own.name));
        // A file with a weight can be a fault all the same.
        own.mute = no_weights && own.weighs();
        if !(twice || own.mute && own.kind != TrackerKind::File) {
            all.push(own);
        }
    }
    all.retain(|one| !(owner && one.weighs()));
    let implied = implied(config).chain(statics.implied(&config.name));
    for name in implied.filter(|name| *name != config.interface) {
        let known = |one: &Use| one.kind == TrackerKind::Interface && one.name == name;
        if !all.iter().any(known) {
            all.push(Use {
                kind: TrackerKind::Interface,
                name: name.to_owned(),
                weight: Weight::default(),
                mute: false,
            });
        }
    }
    all
}

/// The interfaces of addresses, routes and rules that are put back: without them it is no master,
/// as keepalived has it.
fn implied(config: &VrrpInstance) -> impl Iterator<Item = &str> {
    let options = &config.options;
    let addresses = config.addresses.iter().chain(&options.excluded);
    let addresses = addresses.filter(|vip| !vip.options.untracked);
    let routes = options.routes.iter().filter(|route| route.tracked);
    let rules = options.rules.iter().filter(|rule| rule.tracked);
    let ends = rules.flat_map(|rule| [rule.input.as_deref(), rule.output.as_deref()]);
    addresses
        .filter_map(|vip| vip.interface.as_deref())
        .chain(routes.filter_map(|route| route.interface.as_deref()))
        .chain(ends.flatten())
}

fn of(tracking: &Tracking, known: &Known) -> Vec<Use> {
    let trackers = &known.trackers;
    let script = |name: &str| {
        let mut known = trackers.scripts.iter();
        known
            .find(|script| script.name == name)
            .map(|script| script.weight)
    };
    let file = |name: &str| {
        let mut known = trackers.files.iter();
        let found = known.find(|file| file.name == name)?;
        Some(found.weight.unwrap_or(Weight {
            value: 1,
            reverse: false,
        }))
    };
    let process = |name: &str| {
        let mut known = trackers.processes.iter();
        known
            .find(|process| process.name == name)
            .map(|process| process.weight)
    };
    let make = |kind, tracked: &Tracked, default: Option<Weight>| {
        // One that is not defined was left out for a reason that the configuration's messages name.
        let weight = tracked.weight.or(default).filter(|_| default.is_some())?;
        Some(Use {
            kind,
            name: tracked.name.clone(),
            weight,
            mute: false,
        })
    };
    let interfaces = tracking.interfaces.iter();
    let interfaces =
        interfaces.filter_map(|one| make(TrackerKind::Interface, one, Some(Weight::default())));
    let scripts = tracking.scripts.iter();
    let scripts = scripts.filter_map(|one| make(TrackerKind::Script, one, script(&one.name)));
    let files = tracking.files.iter();
    let files = files.filter_map(|one| make(TrackerKind::File, one, file(&one.name)));
    let processes = tracking.processes.iter();
    let processes = processes.filter_map(|one| make(TrackerKind::Process, one, process(&one.name)));
    let sessions = tracking.bfd.iter();
    let session = |name: &str| known.sessions.get(name).copied();
    let sessions = sessions.filter_map(|one| make(TrackerKind::Bfd, one, session(&one.name)));
    interfaces
        .chain(scripts)
        .chain(files)
        .chain(processes)
        .chain(sessions)
        .collect()
}

impl Use {
    pub(super) const fn weighs(&self) -> bool {
        self.weight.value != 0
    }

    fn effect(&self, verdict: Verdict) -> Effect {
        let weight = i64::from(self.weight.value);
        let signed = if self.weight.reverse { -weight } else { weight };
        let up = match verdict {
            Verdict::Unknown => {
                return match self.kind {
                    // A file is read at once, and its product decides.
                    TrackerKind::File => Effect::Waits,
                    // What has not been heard of is down; there is no news to wait for.
                    TrackerKind::Bfd => self.effect(Verdict::Down),
                    _ if self.weighs() => Effect::Adds(0),
                    _ => Effect::Waits,
                };
            }
            Verdict::Value(value) => return self.file(value, signed),
            Verdict::Up => true,
            Verdict::Down => false,
        };
        if weight == 0 {
            if up == self.weight.reverse {
                return Effect::Fault(match self.kind {
                    TrackerKind::Interface => FaultReason::InterfaceDown,
                    TrackerKind::Script => FaultReason::Script,
                    TrackerKind::File => FaultReason::File(0),
                    TrackerKind::Process => FaultReason::Process,
                    TrackerKind::Bfd => FaultReason::Bfd,
                });
            }
            return Effect::Adds(0);
        }
        let counts = up == (weight > 0);
        Effect::Adds(if counts { signed } else { 0 })
    }

    fn file(&self, value: i64, signed: i64) -> Effect {
        if signed == 0 {
            let fault = (value != 0) != self.weight.reverse;
            return if fault {
                Effect::Fault(FaultReason::File(value))
            } else {
                Effect::Adds(0)
            };
        }
        let product = value.saturating_mul(signed);
        if product <= FILE_FAULT {
            Effect::Fault(FaultReason::File(value))
        } else {
            Effect::Adds(product.min(FILE_MOST))
        }
    }
}

/// Whether one of `uses` is a file that was not read yet.
pub(super) fn reads(uses: &[Use], verdicts: &Verdicts) -> bool {
    let mut files = uses.iter().filter(|one| one.kind == TrackerKind::File);
    files.any(|file| verdicts.get(file.kind, &file.name) == Verdict::Unknown)
}

/// What `uses` come to now.
pub(super) fn outcome(uses: &[Use], verdicts: &Verdicts, links: &Links) -> Outcome {
    let mut outcome = Outcome::default();
    for one in uses {
        let verdict = match one.kind {
            TrackerKind::Interface => {
                if links.by_name(&one.name).is_some_and(|facts| facts.up) {
                    Verdict::Up
                } else {
                    Verdict::Down
                }
            }
            TrackerKind::Script | TrackerKind::File | TrackerKind::Process | TrackerKind::Bfd => {
                verdicts.get(one.kind, &one.name)
            }
        };
        let effect = one.effect(verdict);
        let fault = matches!(effect, Effect::Fault(_));
        if one.kind == TrackerKind::Interface {
            outcome.link_down |= fault;
        } else {
            outcome.faults += u32::from(fault);
        }
        match effect {
            Effect::Adds(_) if one.mute => {}
            Effect::Adds(weight) => outcome.adjustment += weight,
            Effect::Fault(reason) if outcome.fault.is_none() => {
                outcome.fault = Some((reason, one.name.clone()));
            }
            Effect::Fault(_) => {}
            Effect::Waits => {
                outcome.waits = true;
                outcome.scripts_unknown += u32::from(one.kind == TrackerKind::Script);
            }
        }
    }
    outcome
}

/// `base` with the sum of weights, within what is neither "resign" nor "owner".
pub(super) fn weigh(base: Priority, adjustment: i64) -> Priority {
    if base.is_owner() {
        return base;
    }
    let sum = (i64::from(base.0) + adjustment).clamp(1, 254);
    Priority(u8::try_from(sum).unwrap_or(base.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: TrackerKind, value: i16, reverse: bool) -> Use {
        Use {
            kind,
            name: "x".into(),
            weight: Weight { value, reverse },
            mute: false,
        }
    }

    fn shown(one: &Use, verdict: Verdict) -> String {
        match one.effect(verdict) {
            Effect::Adds(weight) => weight.to_string(),
            Effect::Fault(reason) => format!("{reason:?}"),
            Effect::Waits => "waits".into(),
        }
    }

    // Input: weights, reversed or not, of a script that is unknown, up, down. Output: what keepalived
    // 2.2.7 makes of them.
    #[test]
    fn weights_count_as_in_keepalived() {
        let cases = [
            (0, false, ["waits", "0", "Script"]),
            (0, true, ["waits", "Script", "0"]),
            (10, false, ["0", "10", "0"]),
            (10, true, ["0", "-10", "0"]),
            (-10, false, ["0", "0", "-10"]),
            (-10, true, ["0", "0", "10"]),
        ];
        for (value, reverse, expected) in cases {
            let script = one(TrackerKind::Script, value, reverse);
            let verdicts = [Verdict::Unknown, Verdict::Up, Verdict::Down];
            let got = verdicts.map(|verdict| shown(&script, verdict));
            assert_eq!(got, expected, "weight {value} reverse {reverse}");
        }
    }

    // Input: values of files. Output: the product, limited at the top, a fault at the bottom.
    #[test]
    fn files_are_multiplied() {
        let cases = [
            (1, false, 5, "5"),
            (2, false, -126, "-252"),
            (2, false, -127, "File(-127)"),
            (1, true, -300, "253"),
            (1, true, 254, "File(254)"),
            (0, false, 0, "0"),
            (0, false, 3, "File(3)"),
            (0, true, 0, "File(0)"),
            (254, false, i64::MAX, "253"),
        ];
        for (weight, reverse, value, expected) in cases {
            let file = one(TrackerKind::File, weight, reverse);
            assert_eq!(
                shown(&file, Verdict::Value(value)),
                expected,
                "{weight} {value}"
            );
        }
    }

    #[test]
    fn an_effective_priority_is_neither_resignation_nor_ownership() {
        assert_eq!(weigh(Priority(100), -300), Priority(1));
        assert_eq!(weigh(Priority(100), 300), Priority(254));
        assert_eq!(weigh(Priority::OWNER, -300), Priority::OWNER);
    }
}
