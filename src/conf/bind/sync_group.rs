//! Handlers of `vrrp_sync_group`.
//!
//! Owns: what its keywords set. Never does: look for the members; `resolve::groups` does, as they
//! may stand below. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::{Notify, Script, SyncGroup};
use super::super::source::to_display;
use super::script::{NoScript, script, shell_words};
use super::tracking::{Kind, Known, line};
use super::{Outcome, Statement, Stop};

/// `vrrp_sync_group NAME {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(name) = st.word(1).filter(|_| st.count() == 2) else {
        let message = "vrrp_sync_group must have a name - skipping";
        st.error(Class::General, message, Some(0));
        return Err(Stop::SkipBlock);
    };
    if draft.sync_groups.iter().any(|group| group.name == name) {
        let message = format!("vrrp sync group {} already defined", to_display(name));
        st.error(Class::General, message, Some(1));
        return Err(Stop::SkipBlock);
    }
    draft.group_places.push(st.place());
    draft.sync_groups.push(SyncGroup {
        name: name.to_owned(),
        ..SyncGroup::default()
    });
    Ok(())
}

fn current(draft: &mut Draft, f: impl FnOnce(&mut SyncGroup) -> Outcome) -> Outcome {
    draft.sync_groups.last_mut().map_or(Ok(()), f)
}

/// The end of a `vrrp_sync_group`
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(group) = draft.sync_groups.last() else {
        return;
    };
    if group.members.is_empty() {
        let message = format!("Sync group {} has no members - removing", group.name);
        st.error(Class::General, message, None);
        draft.sync_groups.pop();
        draft.group_places.pop();
    }
}

/// `group {`
pub(in super::super) fn group_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    super::reports_extra(st);
    current(draft, |group| {
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
    })
}

/// The end of `group`
pub(in super::super) fn group_close(draft: &mut Draft, st: &mut Statement<'_>) {
    if let Some(group) = draft.sync_groups.last()
        && group.members.is_empty()
    {
        let message = format!("Warning - sync group {} has empty group block", group.name);
        st.error(Class::General, message, None);
    }
}

/// A line of `group`: names.
pub(in super::super) fn members(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |group| {
        group.members.extend(st.words(0).map(str::to_owned));
        Ok(())
    })
}

fn track(draft: &mut Draft, st: &mut Statement<'_>, kind: Kind) -> Outcome {
    let Some(mut group) = draft.sync_groups.pop() else {
        return Ok(());
    };
    let known = Known {
        trackers: &draft.trackers,
        bfd: &draft.bfd_instances,
        disabled_bfd: &draft.disabled_bfd,
        dynamic: draft.is_dynamic(),
    };
    let outcome = line(st, &group.name, kind, known, &mut group.tracking);
    draft.sync_groups.push(group);
    draft.missing_interface |= outcome?;
    Ok(())
}

/// A line of `track_interface`
pub(in super::super) fn track_interface(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    track(draft, st, Kind::Interface)
}

/// A line of `track_script`
pub(in super::super) fn track_script(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    track(draft, st, Kind::Script)
}

/// A line of `track_process`
pub(in super::super) fn track_process(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    track(draft, st, Kind::Process)
}

/// A line of `track_file`
pub(in super::super) fn track_file(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    track(draft, st, Kind::File)
}

/// A line of `track_bfd`
pub(in super::super) fn track_bfd(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    track(draft, st, Kind::Bfd)
}

/// The slot of a notify keyword.
pub(super) fn slot<'n>(notify: &'n mut Notify, keyword: &str) -> Option<&'n mut Option<Script>> {
    Some(match keyword {
        "notify" => &mut notify.any,
        "notify_backup" => &mut notify.backup,
        "notify_master" => &mut notify.master,
        "notify_fault" => &mut notify.fault,
        "notify_stop" => &mut notify.stop,
        "notify_deleted" => &mut notify.deleted,
        "notify_master_rx_lower_pri" => &mut notify.lower_priority,
        _ => return None,
    })
}

/// `notify*` of a group
pub(in super::super) fn notify(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let Some(words) = shell_words(st) else {
        return Ok(());
    };
    if words.get(1).is_none() {
        return st.need(1).map(drop);
    }
    let Draft {
        sync_groups,
        scripts,
        ..
    } = draft;
    let Some(group) = sync_groups.last_mut() else {
        return Ok(());
    };
    let Some(slot) = slot(&mut group.notify, keyword) else {
        return Ok(());
    };
    if slot.is_some() {
        let message = format!(
            "vrrp group {}: {keyword} script already specified - ignoring {}",
            group.name,
            to_display(st.need(1)?)
        );
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    *slot = script_or_advice(scripts, st);
    Ok(())
}

/// The script behind a notify keyword. keepalived only logs that nobody can run it.
pub(super) fn script_or_advice(
    rules: &mut super::super::draft::ScriptRules,
    st: &mut Statement<'_>,
) -> Option<Script> {
    match script(rules, st, 1) {
        Ok(script) => Some(script),
        Err(NoScript::NoUser) => {
            let message = "the user or group that the script is to run as does not exist; the \
                           script is left out";
            st.error(Class::Advice, message, Some(2));
            None
        }
        Err(NoScript::Empty | NoScript::NoDefaultUser) => None,
    }
}

/// `smtp_alert [BOOLEAN]`
pub(in super::super) fn smtp_alert(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let value = st.boolean(1);
    current(draft, |group| {
        match value {
            Some(value) => group.notify.mail = Some(value),
            None => {
                let word = to_display(st.need(1)?);
                let message = format!("Invalid vrrp_group smtp_alert parameter {word}");
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `notify_priority_changes [BOOLEAN]`
pub(in super::super) fn priority_changes(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let value = st.boolean(1);
    current(draft, |group| {
        match value {
            Some(value) => group.notify.priority_changes = Some(value),
            None => {
                let message = format!(
                    "({}) Invalid value '{}' for sync group notify_priority_changes specified",
                    group.name,
                    to_display(st.need(1)?)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `sync_group_tracking_weight`, `global_tracking`
pub(in super::super) fn weights_apply(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let old = st.need(0)? == "global_tracking";
    current(draft, |group| {
        if old {
            let message = format!(
                "({}) global_tracking is deprecated. Use track_interface/script/file on the sync \
                 group",
                group.name
            );
            st.error(Class::General, message, Some(0));
        }
        group.weights_apply = true;
        Ok(())
    })
}
