//! From what was said to what it means: defaults, consistency rules, the typed model.
//!
//! Owns: everything that can only be decided once the whole text is read. Never does: look at
//! text. Driven by: `Loader::finish`.

mod check;
mod entry_ports;
mod groups;
mod options;
mod own_links;
mod probes;
mod scripts;
mod vrrp;

pub(super) use check::Services;

use std::collections::BTreeSet;

use super::diag::{Class, Consequence, Diagnostic, Diagnostics};
use super::draft::Draft;
use super::model::options::{Notify, Trackers};
use super::model::{Config, VrrpInstance};
use super::reader::{Place, span};
use super::source::Source;
use crate::base::Shared;

/// Where findings of the resolution go.
pub(super) struct Context<'a> {
    pub(super) sources: &'a [Source],
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Context<'_> {
    /// A finding about an object as a whole. keepalived prints these without a place, so the
    /// place is a note.
    fn finding(&self, class: Class, message: String, place: Place) -> Diagnostic {
        Diagnostic::new(class, message).note("defined here", Some(span(self.sources, place, None)))
    }

    fn report(&mut self, class: Class, message: String, place: Place) {
        let finding = self.finding(class, message, place);
        self.diagnostics.push(finding);
    }
}

/// The model that the draft means.
pub(super) fn resolve(draft: Draft, services: Services, cx: &mut Context<'_>) -> Config {
    if draft.missing_interface {
        let message = "Non-existent interface specified in configuration";
        let finding = Diagnostic::new(Class::BadInterface, message);
        cx.diagnostics
            .push(finding.consequence(Consequence::RefuseStart(2)));
    }
    let names = draft.instances.iter().map(|instance| instance.name.clone());
    let names: BTreeSet<String> = names.collect();
    let mut global = draft.global;
    global.scripts.security = draft.scripts.secure;
    global.scripts.user.clone_from(&draft.scripts.user);
    global.scripts.group.clone_from(&draft.scripts.group);
    let mut trackers = draft.trackers;
    // Without its interfaces, or where an instance lacks what it cannot be without, keepalived does
    // not come to what it says of groups.
    let stopped = draft.missing_interface || vrrp::stops(&draft.instances, cx);
    let mut unsaid = Diagnostics::default();
    let mut heard = Context {
        sources: cx.sources,
        diagnostics: match stopped {
            true => &mut unsaid,
            false => &mut *cx.diagnostics,
        },
    };
    let mut sync_groups =
        groups::groups(draft.sync_groups, &draft.group_places, &names, &mut heard);
    // Without its interfaces keepalived looks at nothing else of any instance, nor at the scripts.
    let vrrp_instances = if draft.missing_interface {
        Vec::new()
    } else {
        let named = draft.instances.iter();
        let mut given_up: Vec<Notify> = named.map(|one| one.options.notify.clone()).collect();
        let mut instances = match stopped {
            true => Vec::new(),
            false => vrrp::instances(draft.instances, &global.vrrp, cx),
        };
        own_links::name(&mut instances, &global.vrrp);
        let bfd = &draft.bfd_instances;
        groups::tracked_twice(&sync_groups, &instances, cx);
        groups::weights(&sync_groups, &instances, (&trackers, bfd), cx);
        if !instances.is_empty() {
            given_up.clear();
        }
        // Where nothing can track them nobody looks at them.
        let mut none = Trackers::default();
        let found = scripts::Found {
            global: &mut global,
            trackers: if names.is_empty() {
                &mut none
            } else {
                &mut trackers
            },
            groups: &mut sync_groups,
            instances: &mut instances,
            given_up,
        };
        scripts::check(&draft.scripts, found, cx);
        instances
    };
    let mut virtual_servers = services.finish(draft.services, &draft.groups, cx);
    scripts::check_services(&draft.scripts, &global, &mut virtual_servers, cx);
    Config {
        global,
        vrrp_instances: share(vrrp_instances),
        virtual_servers,
        server_groups: draft.groups,
        bfd_instances: draft.bfd_instances,
        tls: draft.tls,
        trackers,
        sync_groups,
        statics: draft.statics,
        links: draft.links,
        files: Vec::new(),
    }
}

/// Instances mostly say the same beyond their addresses: neighbours that do have it in common.
fn share(instances: Vec<VrrpInstance>) -> Vec<Shared<VrrpInstance>> {
    let mut all: Vec<Shared<VrrpInstance>> = Vec::with_capacity(instances.len());
    for mut instance in instances {
        instance.addresses.shrink_to_fit();
        if let Some(before) = all.last() {
            instance.options.share_with(&before.options);
        }
        all.push(Shared::new(instance));
    }
    all
}
