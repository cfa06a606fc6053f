//! Routes and rules that somebody wants: what stands where, and the operations between.
//!
//! Owns: one list of them, of an instance (as long as it is master) or of the host. Never does:
//! decide when they are wanted, or wait. Driven by: `instance` at its transitions, `statics`, and
//! `domain` when the kernel refuses an operation or tells that something is gone.

use super::Action;
use super::addresses::{Kind, Standing, tag};
use super::instance::InstanceId;
use super::links::Links;
use super::messages::Line;
use super::routing::{interfaces, place, route_message, rule_message};
use crate::conf::model::routing::{Route, Rule};
use crate::ops::{Effect, KernelOp, Place, RoutingChange, RoutingOp};
use crate::wire::rtnl;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Route(Box<Route>),
    Rule(Box<Rule>),
}

/// One of them.
#[derive(Debug)]
struct Fixture {
    wanted: Wanted,
    slot: u32,
    standing: Standing,
    /// As the kernel is asked for it; `None` while an interface that it names does not exist.
    message: Option<Vec<u8>>,
    /// The refusal that goes on was said.
    complained: bool,
}

/// The list: routes first, as they are installed; removed the other way round.
#[derive(Debug, Default)]
pub(super) struct Fixtures {
    list: Vec<Fixture>,
}

/// What a refusal means to whoever wants the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing.
    None,
    /// It is to be asked for again.
    Again,
}

impl Wanted {
    const fn kind(&self) -> rtnl::Kind {
        match self {
            Self::Route(_) => rtnl::Kind::Route,
            Self::Rule(_) => rtnl::Kind::Rule,
        }
    }

    const fn tracked(&self) -> bool {
        match self {
            Self::Route(route) => route.tracked,
            Self::Rule(rule) => rule.tracked,
        }
    }

    /// The interfaces without which it does not work, or does not exist.
    fn interfaces(&self) -> Vec<&str> {
        match self {
            Self::Route(route) => interfaces(route).collect(),
            Self::Rule(_) => Vec::new(),
        }
    }

    fn message(&self, links: &Links) -> Option<Vec<u8>> {
        match self {
            Self::Route(route) => {
                let index = |name: &str| Some(links.by_name(name)?.index);
                route_message(route, index)
            }
            Self::Rule(rule) => Some(rule_message(rule)),
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route(route) => route.fmt(f),
            Self::Rule(rule) => rule.fmt(f),
        }
    }
}

impl Fixture {
    fn op(&self, id: InstanceId, kind: Kind, out: &mut Vec<Action>) {
        let Some(message) = &self.message else {
            return;
        };
        let what = self.wanted.kind();
        let (change, message) = match (kind, &self.wanted) {
            (Kind::Add, Wanted::Route(route)) => {
                (RoutingChange::Add(place(route)), message.clone())
            }
            (Kind::Add, Wanted::Rule(_)) => (RoutingChange::Add(Place::Alone), message.clone()),
            (Kind::Del, _) => (RoutingChange::Remove, rtnl::identity(what, message)),
        };
        let op = RoutingOp {
            what,
            change,
            message,
        };
        let tag = tag(id, self.slot, kind);
        out.push(Action::World(Effect::Kernel(KernelOp::Routing(op), tag)));
    }
}

impl Fixtures {
    /// Makes the list that of the configuration, keeping what is in both; what is in the old one
    /// only is taken away.
    pub(super) fn adopt(
        &mut self,
        (routes, rules): (&[Route], &[Rule]),
        next_slot: &mut u32,
        id: InstanceId,
        out: &mut Vec<Action>,
    ) {
        let mut old = std::mem::take(&mut self.list);
        let routes = routes
            .iter()
            .map(|route| Wanted::Route(Box::new(route.clone())));
        let rules = rules
            .iter()
            .map(|rule| Wanted::Rule(Box::new(rule.clone())));
        for wanted in routes.chain(rules) {
            let at = old.iter().position(|fixture| fixture.wanted == wanted);
            let fixture = at.map(|at| old.remove(at)).unwrap_or_else(|| {
                *next_slot += 1;
                Fixture {
                    wanted,
                    slot: *next_slot,
                    standing: Standing::Absent,
                    message: None,
                    complained: false,
                }
            });
            self.list.push(fixture);
        }
        let mut gone = Self { list: old };
        gone.remove(id, out);
    }

    /// Looks interfaces up anew. What named one that is gone or another went with it.
    pub(super) fn place(&mut self, links: &Links, id: InstanceId, out: &mut Vec<Action>) {
        for fixture in &mut self.list {
            let message = fixture.wanted.message(links);
            if message != fixture.message {
                // Its interface was renamed, and it is there still; or the interface is gone, and
                // the kernel says that there is nothing to remove.
                if fixture.standing == Standing::Ours {
                    fixture.op(id, Kind::Del, out);
                }
                fixture.standing = Standing::Absent;
                fixture.message = message;
            }
        }
    }

    /// Adds everything that stands in one of these ways; how much that was.
    pub(super) fn install(
        &mut self,
        id: InstanceId,
        standings: &[Standing],
        out: &mut Vec<Action>,
    ) -> usize {
        let mut count = 0;
        for fixture in &mut self.list {
            if fixture.message.is_some() && standings.contains(&fixture.standing) {
                fixture.standing = Standing::Ours;
                fixture.op(id, Kind::Add, out);
                count += 1;
            }
        }
        count
    }

    /// Asks again for what is there through this interface: the kernel drops routes in silence
    /// when it goes down.
    pub(super) fn reassert(&self, id: InstanceId, interface: Option<&str>, out: &mut Vec<Action>) {
        for fixture in &self.list {
            let through = |name| fixture.wanted.interfaces().contains(&name);
            if fixture.standing == Standing::Ours && interface.is_none_or(through) {
                fixture.op(id, Kind::Add, out);
            }
        }
    }

    /// Takes away what is there: rules, then routes.
    pub(super) fn remove(&mut self, id: InstanceId, out: &mut Vec<Action>) {
        for what in [rtnl::Kind::Rule, rtnl::Kind::Route] {
            for fixture in &mut self.list {
                if fixture.wanted.kind() == what {
                    if fixture.standing == Standing::Ours {
                        fixture.op(id, Kind::Del, out);
                    }
                    fixture.standing = Standing::Absent;
                    fixture.complained = false;
                }
            }
        }
    }

    /// Counts everything as there, so that [`Fixtures::remove`] takes what an earlier run left.
    pub(super) fn suspect(&mut self) {
        for fixture in &mut self.list {
            fixture.standing = Standing::Ours;
        }
    }

    /// The lines that say what is about to be done, in keepalived's order.
    pub(super) fn lines(&self, setting: bool) -> Vec<Line<'static>> {
        let has = |what| {
            self.list
                .iter()
                .any(|fixture| fixture.wanted.kind() == what)
        };
        let mut lines = Vec::new();
        if has(rtnl::Kind::Route) {
            lines.push(Line::Routes { setting });
        }
        if has(rtnl::Kind::Rule) {
            lines.push(Line::Rules { setting });
        }
        if !setting {
            lines.reverse();
        }
        lines
    }

    /// Whether one of them has this slot.
    pub(super) fn has_slot(&self, slot: u32) -> bool {
        self.list.iter().any(|fixture| fixture.slot == slot)
    }

    /// The kernel refused an operation on the one with this slot; `say` is for what is new.
    pub(super) fn refused(
        &mut self,
        slot: u32,
        kind: Kind,
        errno: i32,
        say: impl FnOnce(&Wanted),
    ) -> Refusal {
        let Some(fixture) = self.list.iter_mut().find(|fixture| fixture.slot == slot) else {
            return Refusal::None;
        };
        match kind {
            // There already, exactly so.
            Kind::Add if errno == EEXIST => Refusal::None,
            Kind::Del if matches!(errno, ESRCH | ENOENT | ENODEV) => Refusal::None,
            Kind::Del => {
                say(&fixture.wanted);
                Refusal::None
            }
            Kind::Add => {
                fixture.standing = Standing::Refused;
                if !std::mem::replace(&mut fixture.complained, true) {
                    say(&fixture.wanted);
                }
                Refusal::Again
            }
        }
    }

    /// Something was removed by somebody else: which of these it is, if it is one to be put back.
    pub(super) fn lost(&mut self, what: rtnl::Kind, told: &[u8]) -> Option<&Wanted> {
        let fixture = self.list.iter_mut().find(|fixture| {
            let about = |message: &Vec<u8>| rtnl::is_about(what, told, message);
            fixture.wanted.kind() == what
                && fixture.wanted.tracked()
                && fixture.standing == Standing::Ours
                && fixture.message.as_ref().is_some_and(about)
        })?;
        fixture.standing = Standing::Lost;
        Some(&fixture.wanted)
    }

    /// Names of the interfaces that routes go through.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &str> {
        let list = self.list.iter();
        list.flat_map(|fixture| fixture.wanted.interfaces())
    }
}

/// Linux error numbers, the same on every architecture.
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
