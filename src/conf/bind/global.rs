//! Handlers of `global_defs`.
//!
//! Owns: what each of its keywords sets in the draft. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::instance::{garp_count, garp_delay, garp_lower_count, garp_refresh};
use super::{Outcome, Statement};

/// `global_defs {`
pub(in super::super) fn open(_: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    Ok(())
}

/// `include_check`: the reader has acted on it where it stands.
pub(in super::super) fn include_check(_: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    Ok(())
}

/// `router_id NAME`
pub(in super::super) fn router_id(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    match st.word(1) {
        Some(name) => draft.global.router_id = Some(name.to_owned()),
        None => st.error(Class::General, "routerid name missing - ignoring", Some(0)),
    }
    Ok(())
}

/// `vrrp_garp_master_delay SECONDS`
pub(in super::super) fn garp_master_delay(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    garp_delay(st, "", &mut draft.global.vrrp.garp.delay)
}

/// `vrrp_garp_master_refresh SECONDS`
pub(in super::super) fn garp_master_refresh(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    garp_refresh(st, "", &mut draft.global.vrrp.garp.refresh)
}

/// `vrrp_garp_master_repeat COUNT`
pub(in super::super) fn garp_master_repeat(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    garp_count(st, "", &mut draft.global.vrrp.garp.repeat)
}

/// `vrrp_garp_master_refresh_repeat COUNT`
pub(in super::super) fn garp_master_refresh_repeat(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    garp_count(st, "", &mut draft.global.vrrp.garp.refresh_repeat)
}

/// `vrrp_garp_lower_prio_delay SECONDS`
pub(in super::super) fn garp_lower_prio_delay(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    garp_delay(st, "", &mut draft.global.vrrp.garp.lower_priority_delay)
}

/// `vrrp_garp_lower_prio_repeat COUNT`
pub(in super::super) fn garp_lower_prio_repeat(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    garp_lower_count(st, "", &mut draft.global.vrrp.garp.lower_priority_repeat)
}
