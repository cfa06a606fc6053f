//! Rules about the virtual routers of one configuration.
//!
//! Owns: what reads well and does not do what people expect of it. Driven by: `lint::check`.

use super::Sink;
use super::subject::{Instance, Router};

/// Applies the rules.
pub(super) fn check(router: &Router<'_>, sink: &mut Sink<'_>) {
    for instance in &router.instances {
        strict_closes_addresses(router, instance, sink);
        nopreempt_of_a_master(router, instance, sink);
        weights_without_effect(router, instance, sink);
        checksum_of_version_3(router, instance, sink);
    }
}

/// `vrrp_strict` came with the sample configuration for years: the address is there, and nothing
/// answers on it.
fn strict_closes_addresses(router: &Router<'_>, instance: &Instance, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let Some(strict) = router.strict(instance) else {
        return;
    };
    let accepts = outline.child(Some(instance.id), "accept").is_some();
    if accepts || instance.priority == 255 {
        return;
    }
    let message = format!(
        "({}) strict mode drops all packets to the virtual addresses on the master",
        instance.name
    );
    sink.advise("strict-closes-addresses", (strict, 0), message, |finding| {
        finding
            .note(
                "the RFCs want this of a router that does not own the addresses: no ping, no \
                 service on them",
                outline.span(instance.id, 0),
            )
            .help("add `accept` to the instance, or remove the strict mode")
    });
}

/// `nopreempt` works only if both routers begin as BACKUP.
fn nopreempt_of_a_master(router: &Router<'_>, instance: &Instance, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let Some(nopreempt) = instance.nopreempt.filter(|_| instance.master) else {
        return;
    };
    let complaint = if instance.priority == 255 {
        format!(
            "({}) nopreempt is incompatible with priority 255. resetting nopreempt",
            instance.name
        )
    } else {
        format!(
            "({}) Warning - nopreempt will not work with initial state MASTER - clearing",
            instance.name
        )
    };
    let state = outline.last(Some(instance.id), "state");
    sink.explain(
        "nopreempt-with-master",
        &complaint,
        (nopreempt, 0),
        |finding| {
            let finding = match state {
                Some(state) => finding.note("because of this state", outline.span(state, 1)),
                None => finding,
            };
            finding.help(
            "say `state BACKUP` on all routers; the highest priority is master first all the same",
        )
        },
    );
}

/// Weights that change nothing: behind `nopreempt`, in a sync group that does not count them, or of
/// the owner of the addresses.
fn weights_without_effect(router: &Router<'_>, instance: &Instance, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let mut weighted = instance.trackers.iter().filter(|t| t.weight != Some(0));
    let Some(first) = weighted.next() else {
        return;
    };
    let what = format!("{} {}", first.kind, first.name);
    let at = (first.id, 0);
    if instance.priority == 255 {
        let message = format!(
            "({}) the weight of {what} has no effect: priority 255 owns the addresses and is not \
             changed by trackers",
            instance.name
        );
        sink.advise("weight-of-an-owner", at, message, |finding| {
            finding.help("give the instance a priority of 254 or less")
        });
    } else if let Some(group) = instance.weightless_group {
        let message = format!(
            "({}) the weight of {what} can never cause a failover: the sync group does not count \
             weights of its members",
            instance.name
        );
        sink.advise("weight-in-sync-group", at, message, |finding| {
            finding.note("the group", outline.span(group, 0)).help(
                "add `sync_group_tracking_weight` to the group, or use no weight: a failure is \
                     then a fault of the whole group",
            )
        });
    } else if let Some(nopreempt) = instance.nopreempt.filter(|_| !instance.master) {
        let message = format!(
            "({}) the weight of {what} can never cause a failover: with nopreempt a backup does \
             not displace a master whose priority has dropped",
            instance.name
        );
        sink.advise("weight-with-nopreempt", at, message, |finding| {
            finding
                .note("because of this", outline.span(nopreempt, 0))
                .help("use no weight (or 0): a failure is then a fault, and the backup takes over")
        });
    }
}

/// RFC 9568 and keepalived disagree about the checksum of version 3 over IPv4.
fn checksum_of_version_3(router: &Router<'_>, instance: &Instance, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let own = outline.last(Some(instance.id), "v3_checksum_as_v2");
    let ipv4 = instance.family() == Some(crate::base::Family::V4);
    if instance.version != 3 || !ipv4 || own.or(router.old_checksum).is_some() {
        return;
    }
    let at = outline.last(Some(instance.id), "version");
    let message = format!(
        "({}) version 3 over IPv4: the checksum includes the pseudo header, which some other \
         routers leave out",
        instance.name
    );
    let at = at.unwrap_or(instance.id);
    sink.advise("checksum-of-version-3", (at, 0), message, |finding| {
        finding
            .note(
                "routers that disagree drop each other's adverts, and all of them become master",
                None,
            )
            .help(
                "say `v3_checksum_as_v2` if the other routers leave it out; between keepalived \
                 routers with the same setting nothing is wrong",
            )
    });
}
