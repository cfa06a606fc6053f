//! Handlers of the FIFOs that are told of changes, and of the scripts that read them.
//!
//! Owns: what each of their keywords sets in the draft. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::Script;
use super::super::model::{Fifo, Notifications};
use super::super::source::to_display;
use super::script::{NoScript, default_user, script};
use super::{Outcome, Statement};

fn slots<'a>(
    keyword: &str,
    notify: &'a mut Notifications,
) -> (&'static str, &'a mut Option<Fifo>, &'a mut Option<Script>) {
    match keyword.split('_').next() {
        Some("vrrp") => ("vrrp_", &mut notify.vrrp, &mut notify.vrrp_script),
        Some("lvs") => ("lvs_", &mut notify.check, &mut notify.check_script),
        Some(_) | None => ("", &mut notify.common, &mut notify.common_script),
    }
}

/// `notify_fifo`, `vrrp_notify_fifo`, `lvs_notify_fifo`: `PATH [USER [GROUP]]`.
pub(in super::super) fn fifo(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?.to_owned();
    let (prefix, fifo, _) = slots(&keyword, &mut draft.notify);
    let Some(path) = st.word(1) else {
        let message = format!("No {prefix}notify_fifo name specified");
        st.error(Class::General, message, Some(0));
        return Ok(());
    };
    if fifo.is_some() {
        let shown = to_display(path);
        let message = format!("{prefix}notify_fifo already specified - ignoring {shown}");
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    let (user, group) = (st.word(2), st.word(3));
    if user.is_some_and(|user| !st.facts.user_exists(user))
        || group.is_some_and(|group| !st.facts.group_exists(group))
    {
        let which = prefix.trim_end_matches('_');
        let message = format!(
            "Invalid user/group for {which} fifo {} - ignoring",
            to_display(path)
        );
        st.error(Class::General, message, Some(2));
        return Ok(());
    }
    let named = Fifo {
        path: path.to_owned(),
        user: user.map(str::to_owned),
        group: group.map(str::to_owned),
    };
    if user.is_none() && default_user(&draft.scripts, st, 1).is_err() {
        return Ok(());
    }
    *fifo = Some(named);
    Ok(())
}

/// `notify_fifo_script COMMAND`, `vrrp_notify_fifo_script COMMAND`, `lvs_notify_fifo_script COMMAND`
pub(in super::super) fn fifo_script(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?.to_owned();
    let (prefix, _, slot) = slots(&keyword, &mut draft.notify);
    let Some(word) = st.word(1) else {
        st.error(Class::General, format!("No {keyword} specified"), Some(0));
        return Ok(());
    };
    if slot.is_some() {
        let shown = to_display(word);
        let message = format!("{prefix}notify_fifo_script already specified - ignoring {shown}");
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    match script(&mut draft.scripts, st, 1) {
        Ok(script) => *slot = Some(script),
        Err(NoScript::NoUser) => {
            let message = "the user or group that the script is to run as does not exist; the \
                           script is left out";
            st.error(Class::Advice, message, Some(2));
        }
        Err(NoScript::Empty | NoScript::NoDefaultUser) => {}
    }
    Ok(())
}
