//! Rules about routers that share a virtual router, when the files of several are given.
//!
//! Owns: what has to be the same on all of them, what must not be, and whether a failure on one
//! lets another take over. Never does: guess who is a peer of whom: the same virtual router id and
//! family in two files, and an address in common, are one virtual router. Driven by: `lint::check`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::subject::{Instance, Router};
use super::{Finding, Sink};

/// Two routers of one virtual router.
struct Pair<'a> {
    here: &'a Instance,
    there: &'a Instance,
    /// Name of the other's file.
    other: &'a str,
    routers: (&'a Router<'a>, &'a Router<'a>),
}

/// Applies the rules.
pub(super) fn check(routers: &[Router<'_>], names: &[String], found: &mut Vec<Finding>) {
    for (file, router) in routers.iter().enumerate() {
        for (number, other) in routers.iter().enumerate() {
            if number == file {
                continue;
            }
            let name = names.get(number).map_or("", String::as_str);
            let mut sink = Sink {
                file,
                outline: router.outline,
                found,
            };
            for here in &router.instances {
                for there in &other.instances {
                    let pair = Pair {
                        here,
                        there,
                        other: name,
                        routers: (router, other),
                    };
                    one_pair(&pair, number > file, &mut sink);
                }
            }
        }
    }
}

/// `first`: what is the same from both sides is said once.
fn one_pair(pair: &Pair<'_>, first: bool, sink: &mut Sink<'_>) {
    let (here, there) = (pair.here, pair.there);
    if here.vrid.is_none() || here.vrid != there.vrid || here.family() != there.family() {
        return;
    }
    let set = |instance: &Instance| -> BTreeSet<IpAddr> {
        instance
            .addresses
            .iter()
            .map(|(address, _)| *address)
            .collect()
    };
    let (mine, theirs) = (set(here), set(there));
    let unicast = !here.peers.is_empty() && !there.peers.is_empty();
    if mine.is_disjoint(&theirs) && !mine.is_empty() && !theirs.is_empty() {
        if first && !unicast {
            clash(pair, sink);
        }
        return;
    }
    one_sided(pair, first, sink);
    never_fails_over(pair, sink);
    if first {
        same_priority(pair, sink);
        differences(pair, &mine, &theirs, sink);
    }
}

impl Pair<'_> {
    /// The statement `keyword` here and there, for an excerpt of each.
    fn both(
        &self,
        keyword: &str,
    ) -> ((crate::conf::StatementId, usize), Option<crate::conf::Span>) {
        let here = self.routers.0.outline.last(Some(self.here.id), keyword);
        let there = self.routers.1.outline.last(Some(self.there.id), keyword);
        let there = self
            .routers
            .1
            .outline
            .span(there.unwrap_or(self.there.id), 0);
        ((here.unwrap_or(self.here.id), 0), there)
    }
}

/// One id for two virtual routers: each discards the other's adverts, or takes them for its own.
fn clash(pair: &Pair<'_>, sink: &mut Sink<'_>) {
    let vrid = pair.here.vrid.unwrap_or_default();
    let (at, there) = pair.both("virtual_router_id");
    let message = format!(
        "({}) virtual router id {vrid} is that of {} in {} too, which has other addresses",
        pair.here.name, pair.there.name, pair.other
    );
    sink.advise("id-clash", at, message, |finding| {
        finding
            .note("the other one", there)
            .help("give each virtual router of one network an id of its own")
    });
}

/// A peer that is not told of this router never hears it.
fn one_sided(pair: &Pair<'_>, first: bool, sink: &mut Sink<'_>) {
    let (here, there) = (pair.here, pair.there);
    let (at, other) = pair.both("unicast_peer");
    match (here.peers.is_empty(), there.peers.is_empty()) {
        (true, true) => {}
        (false, true) | (true, false) => {
            if first {
                let message = format!(
                    "({}) sends {} and {} in {} does not: they never hear each other, and both \
                     become master",
                    here.name,
                    if here.peers.is_empty() {
                        "by multicast"
                    } else {
                        "to unicast peers"
                    },
                    there.name,
                    pair.other
                );
                sink.advise("unicast-on-one-side", at, message, |finding| {
                    finding
                        .note("the other one", other)
                        .help("use unicast_peer on both, or on none")
                });
            }
        }
        (false, false) => {
            let Some(source) = there.source else {
                return;
            };
            if here.peers.iter().any(|(peer, _)| *peer == source) {
                return;
            }
            let message = format!(
                "({}) the peers do not include {source}, from which {} in {} sends: it never hears \
                 this router, and becomes master beside it",
                here.name, there.name, pair.other
            );
            sink.advise("peers-one-sided", at, message, |finding| {
                let (_, source) = pair.both("unicast_src_ip");
                finding
                    .note("its source", source)
                    .help("list each router's source address among the peers of all others")
            });
        }
    }
}

/// All that is tracked here may fail, and the other one still does not take over.
fn never_fails_over(pair: &Pair<'_>, sink: &mut Sink<'_>) {
    let (here, there) = (pair.here, pair.there);
    let weighted = here.trackers.iter().any(|t| t.weight != Some(0));
    // A tracker without weight is a fault, after which the other one takes over anyway.
    let faults = here.trackers.iter().any(|t| t.weight == Some(0));
    let (Some((_, ill)), Some((well, _))) = (here.priorities(), there.priorities()) else {
        return;
    };
    let counts = here.weightless_group.is_none() && here.nopreempt.is_none();
    if !weighted || faults || !counts || here.priority == 255 || ill < well {
        return;
    }
    let Some(first) = here.trackers.iter().find(|t| t.weight != Some(0)) else {
        return;
    };
    // Where the other one is ahead in any case there is nothing to lose.
    if here.priorities().is_some_and(|(best, _)| best < well) {
        return;
    }
    let message = format!(
        "({}) can never fail over to {} in {}: with everything failed the priority is still {ill}, \
         there it is {well}",
        here.name, there.name, pair.other
    );
    let (_, theirs) = pair.both("priority");
    sink.advise("weight-too-small", (first.id, 0), message, |finding| {
        finding.note("the priority there", theirs).help(format!(
            "make the weights at least {} in sum, or use no weight: a failure is then a fault",
            i32::from(here.priority) - well + 1
        ))
    });
}

/// Equal priorities leave the decision to the addresses, and a tie is no failover.
fn same_priority(pair: &Pair<'_>, sink: &mut Sink<'_>) {
    if pair.here.priority != pair.there.priority {
        return;
    }
    let (at, there) = pair.both("priority");
    let message = format!(
        "({}) has the same priority {} as {} in {}: who becomes master is left to the higher \
         address of the interface",
        pair.here.name, pair.here.priority, pair.there.name, pair.other
    );
    sink.advise("same-priority", at, message, |finding| {
        finding
            .note("the other one", there)
            .help("give each router of a virtual router a priority of its own")
    });
}

/// What adverts carry has to be the same on all.
fn differences(
    pair: &Pair<'_>,
    mine: &BTreeSet<IpAddr>,
    theirs: &BTreeSet<IpAddr>,
    sink: &mut Sink<'_>,
) {
    let (a, b) = pair.routers;
    let value = |router: &Router<'_>, instance: &Instance, keyword: &str| {
        let line = router.outline.last(Some(instance.id), keyword)?;
        router.outline.word(line, 1).map(str::to_owned)
    };
    let mut differ = |keyword: &'static str, mine: String, theirs: String, effect: &str| {
        let (at, there) = pair.both(keyword);
        let message = format!(
            "({}) {keyword} is {mine}, that of {} in {} is {theirs}: {effect}",
            pair.here.name, pair.there.name, pair.other
        );
        sink.advise("peers-differ", at, message, |finding| {
            finding.note("the other one", there).help("make them equal")
        });
    };
    let interval = |router, instance| {
        let word = value(router, instance, "advert_int").unwrap_or_else(|| "1".to_owned());
        (word.parse::<f64>().ok(), word)
    };
    let (ours, others) = (interval(a, pair.here), interval(b, pair.there));
    if ours.0 != others.0 {
        let effect = "version 2 discards adverts of another interval";
        differ("advert_int", ours.1, others.1, effect);
    }
    if pair.here.version != pair.there.version {
        differ(
            "version",
            pair.here.version.to_string(),
            pair.there.version.to_string(),
            "they discard each other's adverts, and both become master",
        );
    }
    if pair.here.version == 3 && pair.there.version == 3 {
        let old = |router: &Router<'_>, instance: &Instance| {
            let own = router.outline.last(Some(instance.id), "v3_checksum_as_v2");
            own.or(router.old_checksum).is_some()
        };
        let (ours, others) = (old(a, pair.here), old(b, pair.there));
        if ours != others {
            let word = |old: bool| if old { "on" } else { "off" }.to_owned();
            differ(
                "v3_checksum_as_v2",
                word(ours),
                word(others),
                "each takes the other's checksums for wrong, and both become master",
            );
        }
    }
    if mine != theirs && !mine.is_empty() && !theirs.is_empty() {
        let only = |a: &BTreeSet<IpAddr>, b: &BTreeSet<IpAddr>| {
            let words: Vec<String> = a.difference(b).map(ToString::to_string).collect();
            if words.is_empty() {
                "nothing".to_owned()
            } else {
                words.join(", ")
            }
        };
        let message = format!(
            "({}) the addresses differ from those of {} in {}: only here {}, only there {}",
            pair.here.name,
            pair.there.name,
            pair.other,
            only(mine, theirs),
            only(theirs, mine)
        );
        let (at, there) = pair.both("virtual_ipaddress");
        sink.advise("peers-differ", at, message, |finding| {
            finding
                .note("the other list", there)
                .help("what only one router has is lost when another is master")
        });
    }
}
