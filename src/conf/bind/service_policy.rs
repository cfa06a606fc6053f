//! Handlers of `virtual_server` that say what happens when servers come and go.
//!
//! Owns: what each of them sets in the draft: quorum, sorry server, scheduler flags, scripts,
//! names. Never does: look at more than one keyword, but for those whose order counts. Driven by:
//! `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::{Draft, ScriptRules, ServiceDraft};
use super::super::model::{CheckScript, Scheduler, SorryServer};
use super::super::source::to_display;
use super::real_server::switch_or;
use super::script::{
    Side, check_user, default_user_of, is_closed, look_up, program_of, shell_words,
};
use super::virtual_server::{current, method};
use super::{Outcome, Statement, Stop, one_address};
use crate::base::Family;

/// The longest name of a persistence engine, in bytes.
const MAX_ENGINE: usize = 15;

/// `}`: a sorry server has to be of the service's family, but for a tunnel.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(service) = draft.services.last_mut() else {
        return;
    };
    let Some(family) = service.family() else {
        return;
    };
    if let Some(sorry) = &service.policy.sorry_server
        && Family::of(sorry.address) != family
    {
        let message = format!(
            "Address family of virtual server and sorry server {} don't match - skipping sorry \
             server.",
            sorry.address
        );
        st.error(Class::General, message, None);
        service.policy.sorry_server = None;
    }
}

/// A switch that takes no value: whatever follows it.
fn flag(draft: &mut Draft, set: impl FnOnce(&mut ServiceDraft)) -> Outcome {
    current(draft, |service| {
        set(service);
        Ok(())
    })
}

/// `inhibit_on_failure`
pub(in super::super) fn inhibit_on_failure(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    flag(draft, |service| service.inhibit = true)
}

/// `omega`
pub(in super::super) fn omega(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    flag(draft, |service| service.policy.omega = true)
}

/// `ha_suspend`
pub(in super::super) fn ha_suspend(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    flag(draft, |service| service.policy.ha_suspend = true)
}

/// `ops`
pub(in super::super) fn ops(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    flag(draft, |service| service.policy.one_packet = true)
}

/// `flag-1`, `flag-2`, `flag-3`
pub(in super::super) fn scheduler_flag(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let bit = match st.need(0)? {
        "flag-1" => 1,
        "flag-2" => 2,
        _ => 4,
    };
    flag(draft, |service| service.policy.scheduler_flags |= bit)
}

/// `sh-port`, `sh-fallback`, `mh-port`, `mh-fallback`: after `lb_algo`.
pub(in super::super) fn hash_flag(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(0)?;
    current(draft, |service| {
        if is_hash(service) {
            service.policy.scheduler_flags |= if name.ends_with("-port") { 2 } else { 1 };
        } else {
            not_hash(st, name);
        }
        Ok(())
    })
}

/// `hashed`: without effect in every release.
pub(in super::super) fn hashed(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        if !is_hash(service) {
            not_hash(st, "hashed");
        }
        Ok(())
    })
}

fn is_hash(service: &ServiceDraft) -> bool {
    matches!(service.scheduler, Some(Scheduler::Sh | Scheduler::Mh))
}

fn not_hash(st: &mut Statement<'_>, name: &str) {
    let finding = st
        .finding(
            Class::General,
            format!("{name} only applies to sh scheduler - ignoring"),
            Some(0),
        )
        .note("`lb_algo sh` or `lb_algo mh` has to stand above it", None);
    st.diagnostics.push(finding);
}

/// `ip_family inet|inet6`
pub(in super::super) fn ip_family(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    let family = match word {
        "inet" => Family::V4,
        "inet6" => Family::V6,
        _ => {
            let message = format!("unknown address family {}", to_display(word));
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
    };
    current(draft, |service| {
        if service.family().is_none_or(|is| is == family) {
            service.policy.family = Some(family);
        } else {
            let message =
                format!("Virtual server specified family {word} conflicts with server family");
            st.error(Class::General, message, Some(1));
        }
        Ok(())
    })
}

/// `persistence_engine NAME`
pub(in super::super) fn persistence_engine(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = to_display(st.need(1)?).into_owned();
    let mut name = word.clone();
    if name.len() > MAX_ENGINE {
        let message = format!("persistence_name too long, truncating - {word}");
        st.error(Class::General, message, Some(1));
        let end = (0..=MAX_ENGINE)
            .rev()
            .find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or(0));
    }
    flag(draft, |service| {
        service.policy.persistence_engine = Some(name);
    })
}

/// `smtp_alert [BOOL]`
pub(in super::super) fn smtp_alert(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let text = "Invalid virtual_server smtp_alert parameter";
        switch_or(st, text, &mut service.policy.smtp_alert)
    })
}

/// `virtualhost NAME`
pub(in super::super) fn virtualhost(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let slot = &mut service.policy.virtual_host;
        virtual_host(st, ("vs ", "virtual server virtualhost missing"), slot)
    })
}

/// `snmp_name NAME`
pub(in super::super) fn snmp_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let text = "virtual server snmp_name missing or extra parameters";
        single_name(st, ("vs", text), &mut service.policy.snmp_name)
    })
}

/// `virtualhost NAME` of a service, a server, a check or a resource, as `whose` says; `missing` is
/// the message without a name.
pub(super) fn virtual_host(
    st: &mut Statement<'_>,
    (whose, missing): (&str, &str),
    slot: &mut Option<String>,
) -> Outcome {
    if let (Some(old), Some(new)) = (&slot, st.word(1)) {
        let (old, new) = (to_display(old), to_display(new));
        let message = format!("Duplicate {whose}virtualhost - overwriting {old} with {new}");
        st.error(Class::General, message, Some(1));
    }
    name(st, missing, slot)
}

/// A name; `missing` is the message without one.
pub(super) fn name(st: &mut Statement<'_>, missing: &str, slot: &mut Option<String>) -> Outcome {
    match st.word(1) {
        Some(word) => *slot = Some(word.to_owned()),
        None => st.error(Class::General, missing, Some(0)),
    }
    Ok(())
}

/// A name and nothing behind it.
pub(super) fn single_name(
    st: &mut Statement<'_>,
    (whose, wrong): (&str, &str),
    slot: &mut Option<String>,
) -> Outcome {
    if st.count() == 2 {
        if let (Some(old), Some(new)) = (&slot, st.word(1)) {
            let (old, new) = (to_display(old), to_display(new));
            let message = format!("Duplicate {whose} snmp_name - overwriting {old} with {new}");
            st.error(Class::General, message, Some(1));
        }
        name(st, wrong, slot)
    } else {
        st.error(Class::General, wrong, Some(0));
        Ok(())
    }
}

/// `quorum WEIGHT`
pub(in super::super) fn quorum(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 1, u32::MAX)?;
    let word = st.need(1)?;
    if number.is_none() {
        let message = format!(
            "Quorum {} must be in [1, {}]. Setting to 1.",
            to_display(word),
            u32::MAX
        );
        st.error(Class::General, message, Some(1));
    }
    flag(draft, |service| {
        service.policy.quorum = number.unwrap_or(1);
    })
}

/// `hysteresis WEIGHT`
pub(in super::super) fn hysteresis(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, u32::MAX)?;
    let word = st.need(1)?;
    if number.is_none() {
        let message = format!(
            "Hysteresis {} must be in [0, {}] - ignoring",
            to_display(word),
            u32::MAX
        );
        st.error(Class::General, message, Some(1));
    }
    flag(draft, |service| {
        service.policy.hysteresis = number.unwrap_or(service.policy.hysteresis);
    })
}

/// `quorum_up SCRIPT [USER [GROUP]]`
pub(in super::super) fn quorum_up(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    with_scripts(draft, |draft, rules| {
        current(draft, |service| {
            let group = service.group().map(str::to_owned);
            script(st, rules, (&mut service.policy.quorum_up, group.as_deref()))
        })
    })
}

/// `quorum_down SCRIPT [USER [GROUP]]`
pub(in super::super) fn quorum_down(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    with_scripts(draft, |draft, rules| {
        current(draft, |service| {
            let group = service.group().map(str::to_owned);
            script(
                st,
                rules,
                (&mut service.policy.quorum_down, group.as_deref()),
            )
        })
    })
}

/// Runs `f` with what is known of scripts beside the draft.
pub(super) fn with_scripts(
    draft: &mut Draft,
    f: impl FnOnce(&mut Draft, &mut ScriptRules) -> Outcome,
) -> Outcome {
    let mut rules = std::mem::take(&mut draft.scripts);
    let outcome = f(draft, &mut rules);
    draft.scripts = rules;
    outcome
}

/// A script with the user and group that run it; the first one that is given counts. Messages name
/// the group of the service, if it has one.
pub(super) fn script(
    st: &mut Statement<'_>,
    rules: &mut ScriptRules,
    (slot, group): (&mut Option<CheckScript>, Option<&str>),
) -> Outcome {
    let Some(parsed) = parse_script(st)? else {
        return Ok(());
    };
    if slot.is_some() {
        let message = format!(
            "({}) {} script already specified - ignoring {}",
            to_display(group.unwrap_or("(null)")),
            st.need(0)?,
            to_display(st.need(1)?)
        );
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    if check_user(rules, parsed.user.as_deref(), parsed.group.as_deref(), st).is_err() {
        let message = "the user or group that the script is to run as does not exist; the script \
                       is left out";
        st.error(Class::Advice, message, Some(2));
        return Ok(());
    }
    if parsed.user.is_none() && default_user_of(Side::Check, rules, st, 1).is_err() {
        return Ok(());
    }
    if let Some(program) = program_of(&parsed.command) {
        look_up(rules, &program, st);
    }
    *slot = Some(parsed);
    Ok(())
}

/// The command of the line, its user and group; `None`, reported: a quote is open.
fn parse_script(st: &mut Statement<'_>) -> Result<Option<CheckScript>, Stop> {
    let Some(words) = shell_words(st) else {
        return Ok(None);
    };
    let mut words = words.into_iter().skip(1);
    let Some(command) = words.next() else {
        return st.need(1).map(|_| None);
    };
    let (user, group) = (words.next(), words.next());
    Ok(is_closed(&command, st).then_some(CheckScript {
        command,
        user,
        group,
    }))
}

/// `sorry_server IP [PORT]`
pub(in super::super) fn sorry_server(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    let port = match st.word(2) {
        None | Some("0") => Some(None),
        Some(_) => st
            .number(2, 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok())
            .map(Some),
    };
    match (one_address(word), port) {
        (Some(address), Some(port)) => flag(draft, |service| {
            service.policy.sorry_server = Some(SorryServer {
                address,
                port,
                forwarding: None,
                inhibit: false,
            });
        }),
        _ => {
            let message = format!(
                "Invalid sorry server IP address {} - skipping",
                to_display(word)
            );
            st.error(Class::General, message, Some(1));
            Ok(())
        }
    }
}

/// `sorry_server_inhibit`, after `sorry_server`.
pub(in super::super) fn sorry_server_inhibit(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        match &mut service.policy.sorry_server {
            Some(sorry) => sorry.inhibit = true,
            None => st.error(
                Class::General,
                "Ignoring sorry_server inhibit used before or without sorry_server",
                Some(0),
            ),
        }
        Ok(())
    })
}

/// `sorry_server_lvs_method NAT|DR|TUN`, after `sorry_server`.
pub(in super::super) fn sorry_server_lvs_method(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    current(draft, |service| {
        match &mut service.policy.sorry_server {
            Some(sorry) => sorry.forwarding = method(st, "sorry server")?.or(sorry.forwarding),
            None => st.error(
                Class::General,
                "sorry_server forwarding used without sorry_server",
                Some(0),
            ),
        }
        Ok(())
    })
}
