//! Handlers of `global_defs` that say how scripts run and what instances begin with.
//!
//! Owns: what each of their keywords sets in the draft. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::Version;
use super::script::script;
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
    if st.facts.user_exists(user) && group.is_none_or(|group| st.facts.group_exists(group)) {
        draft.scripts.user = Some(user.to_owned());
        draft.notify.script_user = Some(user.to_owned());
        draft.notify.script_group = group.map(str::to_owned);
    } else {
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
    if st.word(1).is_none() {
        let which = st.need(0)?.trim_end_matches("_script");
        st.error(Class::General, format!("{which} script missing"), Some(0));
        return Ok(());
    }
    if let Ok(script) = script(&mut draft.scripts, st, 1) {
        draft.scripts.daemon.push(script);
    }
    Ok(())
}

/// `vrrp_version 2|3`
pub(in super::super) fn version(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    match st.number(1, 2, 3)? {
        Some(2) => draft.global.version = Version::V2,
        Some(_) => draft.global.version = Version::V3,
        None => {
            let message = "VRRP Error: Version must be either 2 or 3";
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `vrrp_strict [BOOLEAN]`
pub(in super::super) fn strict(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    match st.boolean(1) {
        Some(value) => draft.global.strict = value,
        None => {
            let message = "Invalid value for vrrp_strict specified";
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}
