//! A configuration as the rules look at it.
//!
//! Owns: the facts of each virtual router with the statements that they come from, read from the
//! outline: what was said, also where the daemon set it aside. A value that is none counts as not
//! said; the language's own diagnostics have told of it. Never does: judge. Driven by:
//! `lint::check`.

use std::net::IpAddr;

use crate::base::Family;
use crate::conf::{Outline, StatementId};

/// One configuration.
pub(super) struct Router<'a> {
    pub(super) outline: &'a Outline,
    pub(super) instances: Vec<Instance>,
    /// `vrrp_strict`, if it is on.
    pub(super) strict: Option<StatementId>,
    /// The value of a global `v3_checksum_as_v2`; any argument is ignored.
    pub(super) old_checksum: Option<StatementId>,
    /// `enable_script_security`
    pub(super) secure_scripts: bool,
}

/// `vrrp_instance`
pub(super) struct Instance {
    pub(super) id: StatementId,
    pub(super) name: String,
    pub(super) interface: Option<String>,
    pub(super) vrid: Option<u8>,
    pub(super) master: bool,
    pub(super) priority: u8,
    pub(super) version: u8,
    pub(super) nopreempt: Option<StatementId>,
    pub(super) addresses: Vec<(IpAddr, StatementId)>,
    pub(super) peers: Vec<(IpAddr, StatementId)>,
    pub(super) source: Option<IpAddr>,
    pub(super) trackers: Vec<Tracker>,
    /// The sync group that it is in, if that group ignores the weights of its members.
    pub(super) weightless_group: Option<StatementId>,
}

/// What changes the priority of an instance.
pub(super) struct Tracker {
    pub(super) id: StatementId,
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// `None`: it depends on a value that is not in the file.
    pub(super) weight: Option<i32>,
}

/// The blocks that track something, and the block that each thing is described in.
const TRACKERS: [(&str, &str); 4] = [
    ("track_script", "vrrp_script"),
    ("track_process", "vrrp_track_process"),
    ("track_interface", ""),
    ("track_file", "track_file"),
];

impl<'a> Router<'a> {
    pub(super) fn of(outline: &'a Outline) -> Self {
        let globals = || outline.children(None, "global_defs");
        let global = |keyword: &'static str| {
            globals()
                .filter_map(|block| outline.last(Some(block), keyword))
                .last()
        };
        let version = global("vrrp_version")
            .and_then(|id| outline.word(id, 1)?.parse().ok())
            .unwrap_or(2);
        let mut router = Self {
            outline,
            instances: Vec::new(),
            strict: global("vrrp_strict").filter(|id| is_on(outline, *id)),
            old_checksum: global("v3_checksum_as_v2"),
            secure_scripts: global("enable_script_security").is_some(),
        };
        router.instances = outline
            .children(None, "vrrp_instance")
            .map(|id| router.instance(id, version))
            .collect();
        router
    }

    fn instance(&self, id: StatementId, version: u8) -> Instance {
        let outline = self.outline;
        let last = |keyword: &str| outline.last(Some(id), keyword);
        let value = |keyword: &str| last(keyword).and_then(|id| outline.word(id, 1));
        let addresses = self.addresses(id, "virtual_ipaddress");
        let peers = self.addresses(id, "unicast_peer");
        let v6 = |address: &IpAddr| address.is_ipv6();
        let ipv6 = addresses.first().is_some_and(|(address, _)| v6(address))
            || outline.child(Some(id), "native_ipv6").is_some();
        let state = value("state");
        let name = outline.word(id, 1).unwrap_or_default().to_owned();
        let said = value("priority").and_then(|word| word.parse().ok());
        let said = said.filter(|priority| *priority > 0);
        Instance {
            id,
            interface: value("interface").map(str::to_owned),
            vrid: value("virtual_router_id").and_then(|word| word.parse().ok()),
            master: state == Some("MASTER") || state.is_none() && said == Some(255),
            priority: match (said, state) {
                (Some(priority), _) => priority,
                (None, Some("MASTER")) => 255,
                (None, _) => 100,
            },
            version: if ipv6 {
                3
            } else {
                let own = value("version").and_then(|word| word.parse().ok());
                own.unwrap_or(version)
            },
            nopreempt: last("nopreempt"),
            addresses,
            peers,
            source: value("unicast_src_ip")
                .or_else(|| value("mcast_src_ip"))
                .and_then(|word| word.parse().ok()),
            trackers: self.trackers(id),
            weightless_group: self.weightless_group(&name),
            name,
        }
    }

    /// The addresses that the lines of a block begin with.
    fn addresses(&self, block: StatementId, keyword: &str) -> Vec<(IpAddr, StatementId)> {
        let outline = self.outline;
        outline
            .children(Some(block), keyword)
            .flat_map(|list| outline.lines(Some(list)))
            .filter_map(|line| {
                let word = outline.word(line, 0)?;
                let address = word.split_once('/').map_or(word, |(address, _)| address);
                Some((address.parse().ok()?, line))
            })
            .collect()
    }

    fn trackers(&self, instance: StatementId) -> Vec<Tracker> {
        let outline = self.outline;
        let mut found = Vec::new();
        for (kind, home) in TRACKERS {
            for list in outline.children(Some(instance), kind) {
                for id in outline.lines(Some(list)) {
                    let name = outline.word(id, 0).unwrap_or_default().to_owned();
                    let own = weight_in(outline.words(id));
                    let weight = own.or_else(|| self.weight_at_home(home, &name));
                    found.push(Tracker {
                        id,
                        name,
                        kind,
                        // What a file adds is its content times the weight.
                        weight: match weight {
                            Some(Weight::Reverse) => None,
                            Some(Weight::Plain(weight)) if kind != "track_file" || weight == 0 => {
                                Some(weight)
                            }
                            Some(Weight::Plain(_)) => None,
                            None if kind == "track_file" => None,
                            None => Some(0),
                        },
                    });
                }
            }
        }
        found
    }

    fn weight_at_home(&self, home: &str, name: &str) -> Option<Weight> {
        let outline = self.outline;
        let block = outline
            .children(None, home)
            .find(|block| outline.word(*block, 1) == Some(name))?;
        let line = outline.last(Some(block), "weight")?;
        weight_in(outline.words(line))
    }

    fn weightless_group(&self, instance: &str) -> Option<StatementId> {
        let outline = self.outline;
        outline.children(None, "vrrp_sync_group").find(|group| {
            let member = outline
                .children(Some(*group), "group")
                .flat_map(|list| outline.lines(Some(list)))
                .any(|line| outline.words(line).iter().any(|word| word == instance));
            let counted = outline
                .last(Some(*group), "sync_group_tracking_weight")
                .is_some_and(|id| is_on(outline, id));
            member && !counted
        })
    }

    /// Strict mode of an instance: the statement that sets it.
    pub(super) fn strict(&self, instance: &Instance) -> Option<StatementId> {
        match self.outline.last(Some(instance.id), "strict_mode") {
            Some(own) if is_on(self.outline, own) => Some(own),
            Some(_) => None,
            None => self.strict,
        }
    }
}

impl Instance {
    /// Family of its adverts.
    pub(super) fn family(&self) -> Option<Family> {
        let first = self.addresses.first().or(self.peers.first());
        first.map(|(address, _)| Family::of(*address))
    }

    /// Its priority when all is well, and when all that it tracks has failed; `None` if something
    /// is tracked whose effect cannot be told from the file, or if a failure is a fault.
    pub(super) fn priorities(&self) -> Option<(i32, i32)> {
        let base = i32::from(self.priority);
        if base == 255 || self.weightless_group.is_some() {
            return Some((base, base));
        }
        let weights: Option<Vec<i32>> = self.trackers.iter().map(|t| t.weight).collect();
        let weights = weights?;
        let sum = |keep: fn(&i32) -> bool| weights.iter().filter(|w| keep(w)).sum::<i32>();
        let well = (base + sum(|w| *w > 0)).clamp(1, 254);
        let ill = (base + sum(|w| *w < 0)).clamp(1, 254);
        Some((well, ill))
    }
}

/// A weight as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Plain(i32),
    /// It counts the other way round.
    Reverse,
}

fn weight_in(words: &[String]) -> Option<Weight> {
    let at = words.iter().position(|word| word == "weight")?;
    let value = words.get(at + 1)?.parse().ok()?;
    let reverse = words.get(at + 2).is_some_and(|word| word == "reverse");
    Some(if reverse {
        Weight::Reverse
    } else {
        Weight::Plain(value)
    })
}

/// Whether a switch is on: bare, or with one of keepalived's words for it.
pub(super) fn is_on(outline: &Outline, id: StatementId) -> bool {
    matches!(outline.word(id, 1), None | Some("true" | "on" | "yes"))
}
