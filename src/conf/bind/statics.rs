//! `static_ipaddress` and `track_group`.
//!
//! Owns: their lines, and the reference to a group that addresses, routes and rules share. Never
//! does: look for the members; they may stand below. Driven by: `bind` through the schema.

use super::super::diag::{Class, Diagnostic};
use super::super::draft::Draft;
use super::super::model::routing::{StaticAddress, TrackGroup};
use super::super::source::{HostFacts, to_display};
use super::words::{Step, Words};
use super::{Outcome, Statement, Stop, address};

/// `default_interface` where nothing is said (manual).
const DEFAULT_INTERFACE: &str = "eth0";

/// A line of `static_ipaddress`
pub(in super::super) fn address(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if let Some((address, group)) = address::fixed(draft, st) {
        let group = group.filter(|name| known(draft, st, name));
        if address.interface.is_none() {
            let message = format!(
                "Static address {} requires either an interface or default interface must exist",
                to_display(st.need(0)?)
            );
            let finding = st.finding(Class::BadInterface, message, Some(0));
            draft
                .homeless
                .push((draft.statics.addresses.len(), finding));
        }
        draft
            .statics
            .addresses
            .push(StaticAddress { address, group });
    }
    Ok(())
}

/// Puts static addresses without an interface on `default_interface`, which may stand anywhere in
/// the text. Returns what is to be said of them if there is no such interface.
pub(in super::super) fn give_homes(draft: &mut Draft, facts: &dyn HostFacts) -> Vec<Diagnostic> {
    let homeless = std::mem::take(&mut draft.homeless);
    if homeless.is_empty() {
        return Vec::new();
    }
    let default = draft.global.interfaces.default.as_deref();
    let name = default.unwrap_or(DEFAULT_INTERFACE).to_owned();
    let misses = draft.misses(&name, facts);
    let mut findings = Vec::new();
    for (index, finding) in homeless {
        if let Some(fixed) = draft.statics.addresses.get_mut(index) {
            fixed.address.interface = Some(name.clone());
        }
        findings.extend(misses.then_some(finding));
    }
    findings
}

/// Whether there is such a group above; reported if not.
fn known(draft: &Draft, st: &mut Statement<'_>, name: &str) -> bool {
    let known = draft.statics.groups.iter().any(|group| group.name == name);
    if !known {
        let message = format!("track_group {} not found", to_display(name));
        st.error(Class::General, message, None);
    }
    known
}

/// The group behind the word `track_group`; `None`, reported, if there is none of that name.
///
/// # Errors
/// keepalived ends if there is no name.
pub(super) fn track_group(draft: &Draft, words: &mut Words<'_, '_>) -> Step<Option<String>> {
    let name = words.next()?;
    Ok(known(draft, words.st, name).then(|| name.to_owned()))
}

/// `track_group NAME {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(name) = st.word(1).filter(|_| st.count() == 2) else {
        let message = "track_group must have a name - skipping";
        st.error(Class::General, message, Some(0));
        return Err(Stop::SkipBlock);
    };
    if draft.statics.groups.iter().any(|group| group.name == name) {
        let message = format!("track_group {} already defined", to_display(name));
        st.error(Class::General, message, Some(1));
        return Err(Stop::SkipBlock);
    }
    draft.statics.groups.push(TrackGroup {
        name: name.to_owned(),
        members: Vec::new(),
    });
    Ok(())
}

/// `}`: a group has members.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let groups = &mut draft.statics.groups;
    if let Some(group) = groups.pop_if(|group| group.members.is_empty()) {
        let message = format!(
            "Static track group {} has no members - removing",
            to_display(&group.name)
        );
        st.error(Class::General, message, None);
    }
}

/// `group {` in a `track_group`
pub(in super::super) fn group_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    super::reports_extra(st);
    let Some(group) = draft.statics.groups.last() else {
        return Ok(());
    };
    if group.members.is_empty() {
        return Ok(());
    }
    let message = format!("Group list already specified for sync group {}", group.name);
    let finding = st.finding(Class::General, message, Some(0)).note(
        "this list is skipped, and with keepalived nothing that follows it in this block counts",
        None,
    );
    st.diagnostics.push(finding);
    Err(Stop::SkipBoth)
}

/// A line of `group`: names.
pub(in super::super) fn member(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if let Some(group) = draft.statics.groups.last_mut() {
        group.members.extend(st.words(0).map(str::to_owned));
    }
    Ok(())
}

/// The end of `group`
pub(in super::super) fn group_close(draft: &mut Draft, st: &mut Statement<'_>) {
    if let Some(group) = draft.statics.groups.last()
        && group.members.is_empty()
    {
        let message = format!("Warning - track group {} has empty group block", group.name);
        st.error(Class::General, message, None);
    }
}
