//! From what was said to what it means: defaults, consistency rules, the typed model.
//!
//! Owns: everything that can only be decided once the whole text is read. Never does: look at
//! text. Driven by: `Loader::finish`.

mod check;
mod groups;
mod options;
mod probes;
mod scripts;
mod vrrp;

use std::collections::BTreeSet;

use super::diag::{Class, Consequence, Diagnostic, Diagnostics};
use super::draft::Draft;
use super::model::{Config, Global};
use super::reader::{Place, span};
use super::source::Source;

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
pub(super) fn resolve(draft: Draft, cx: &mut Context<'_>) -> Config {
    if draft.missing_interface {
        let message = "Non-existent interface specified in configuration";
        let finding = Diagnostic::new(Class::General, message);
        cx.diagnostics
            .push(finding.consequence(Consequence::RefuseStart(2)));
    }
    let names = draft.instances.iter().map(|instance| instance.name.clone());
    let names: BTreeSet<String> = names.collect();
    let mut pending = draft.pending;
    pending.groups = groups::groups(pending.groups, &draft.group_places, &names, cx);
    // Without its interfaces keepalived looks at nothing else of any instance, nor at the scripts.
    let vrrp_instances = if draft.missing_interface {
        Vec::new()
    } else {
        let instances = vrrp::instances(draft.instances, &draft.global, &mut pending, cx);
        scripts::check(&draft.scripts, &mut pending, cx);
        instances
    };
    let virtual_servers = check::services(draft.services, &draft.groups, cx);
    Config {
        global: Global {
            router_id: draft.global.router_id,
        },
        vrrp_instances,
        virtual_servers,
        server_groups: draft.groups,
        bfd_instances: draft.bfd_instances,
        tls: draft.tls,
        pending,
        files: Vec::new(),
    }
}
