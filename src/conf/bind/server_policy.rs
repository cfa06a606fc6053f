//! Handlers of `real_server` that say what happens beyond its weight.
//!
//! Owns: what each of them sets in the draft: thresholds, scripts, names. Driven by: `bind`
//! through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::ServerPolicy;
use super::super::source::to_display;
use super::real_server::{self, switch, switch_or};
use super::service_policy::{script, single_name, virtual_host, with_scripts};
use super::{Outcome, Statement};

/// Runs `f` on the policy of the server that is being read.
fn current(draft: &mut Draft, f: impl FnOnce(&mut ServerPolicy) -> Outcome) -> Outcome {
    real_server::current(draft, |server| f(server.policy.get_or_insert_default()))
}

/// `inhibit_on_failure [BOOL]`
pub(in super::super) fn inhibit_on_failure(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    real_server::current(draft, |server| {
        switch(st, "inhibit_on_failure", &mut server.inhibit)
    })
}

/// `uthreshold CONNECTIONS`
pub(in super::super) fn uthreshold(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |policy| threshold(st, &mut policy.upper_threshold))
}

/// `lthreshold CONNECTIONS`
pub(in super::super) fn lthreshold(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |policy| threshold(st, &mut policy.lower_threshold))
}

fn threshold(st: &mut Statement<'_>, slot: &mut u32) -> Outcome {
    match st.number(1, 0, u32::MAX)? {
        Some(number) => *slot = number,
        None => {
            let message = format!(
                "Invalid real_server {} '{}' - ignoring",
                st.need(0)?,
                to_display(st.need(1)?)
            );
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// The group of the service that is being read, if it is one by group.
fn group_of(draft: &Draft) -> Option<String> {
    draft.services.last()?.group().map(str::to_owned)
}

/// `notify_up SCRIPT [USER [GROUP]]`
pub(in super::super) fn notify_up(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    with_scripts(draft, |draft, rules| {
        let group = group_of(draft);
        current(draft, |policy| {
            script(st, rules, (&mut policy.notify_up, group.as_deref()))
        })
    })
}

/// `notify_down SCRIPT [USER [GROUP]]`
pub(in super::super) fn notify_down(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    with_scripts(draft, |draft, rules| {
        let group = group_of(draft);
        current(draft, |policy| {
            script(st, rules, (&mut policy.notify_down, group.as_deref()))
        })
    })
}

/// `smtp_alert [BOOL]`
pub(in super::super) fn smtp_alert(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |policy| {
        let text = "Invalid real_server smtp_alert parameter";
        switch_or(st, text, &mut policy.smtp_alert)
    })
}

/// `virtualhost NAME`
pub(in super::super) fn virtualhost(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |policy| {
        let slot = &mut policy.virtual_host;
        virtual_host(st, ("rs ", "real server virtualhost missing"), slot)
    })
}

/// `snmp_name NAME`
pub(in super::super) fn snmp_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |policy| {
        let text = "real server snmp_name missing or extra parameters";
        single_name(st, ("rs", text), &mut policy.snmp_name)
    })
}
