//! Handlers of `global_defs` that say how scripts run and what instances begin with.
//!
//! Owns: what each of their keywords sets in the draft. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::Version;
use super::super::source::to_display;
use super::daemon::fifo_of;
use super::script::{NoScript, Side, check_user, script_of};
use super::{Outcome, Statement};

/// `enable_script_security`
pub(in super::super) fn script_security(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    draft.scripts.secure = true;
    Ok(())
}

/// `script_user USER [GROUP]`
pub(in super::super) fn script_user(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(user) = st.word(1) else {
        st.error(Class::General, "No script username specified", Some(0));
        return Ok(());
    };
    let group = st.word(2);
    if check_user(&mut draft.scripts, Some(user), group, st).is_ok() {
        draft.scripts.nobody = [false, false];
        draft.scripts.user = Some(user.to_owned());
        draft.scripts.group = group.map(str::to_owned);
    } else {
        draft.scripts.nobody = [true, true];
        st.error(
            Class::General,
            "Error setting global script uid/gid",
            Some(1),
        );
    }
    Ok(())
}

/// `startup_script COMMAND`, `shutdown_script COMMAND`
pub(in super::super) fn daemon_script(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let which = keyword.trim_end_matches("_script");
    let scripts = &mut draft.global.scripts;
    let field = match which {
        "shutdown" => &mut scripts.shutdown,
        _ => &mut scripts.startup,
    };
    if field.is_some() {
        let message = format!("{which} script already specified");
        st.error(Class::General, message, Some(st.count() - 1));
        return Ok(());
    }
    if st.word(1).is_none() {
        st.error(Class::General, format!("{which} script missing"), Some(0));
        return Ok(());
    }
    match script_of(Side::Parent, &mut draft.scripts, st, 1) {
        Ok(script) => *field = Some(script),
        Err(NoScript::NoUser) => {
            st.error(Class::General, format!("Invalid {which} script"), Some(1));
        }
        Err(NoScript::Empty | NoScript::NoDefaultUser) => {}
    }
    Ok(())
}

/// `notify_fifo_script COMMAND`, `vrrp_notify_fifo_script COMMAND`
pub(in super::super) fn fifo_script(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    if st.word(1).is_none() {
        st.error(Class::General, format!("No {keyword} specified"), Some(0));
        return Ok(());
    }
    if fifo_of(keyword, &mut draft.global.fifos).script.is_some() {
        let word = to_display(st.need(1)?);
        let message = format!("{keyword} already specified - ignoring {word}");
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    match script_of(Side::Parent, &mut draft.scripts, st, 1) {
        Ok(script) => fifo_of(keyword, &mut draft.global.fifos).script = Some(script),
        Err(NoScript::NoUser) => {
            let message = "the user or group that the script is to run as does not exist; the \
                           script is left out";
            st.error(Class::Advice, message, Some(2));
        }
        Err(NoScript::Empty | NoScript::NoDefaultUser) => {}
    }
    Ok(())
}

/// `vrrp_version 2|3`
pub(in super::super) fn version(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    match st.signed(1, 2, 3)? {
        Some(2) => draft.global.vrrp.version = Version::V2,
        Some(_) => draft.global.vrrp.version = Version::V3,
        None => {
            let message = "VRRP Error: Version must be either 2 or 3";
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}
