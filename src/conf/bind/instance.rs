//! Handlers of `vrrp_instance` and `authentication`.
//!
//! Owns: what each of their keywords sets in the draft. Never does: look at more than one keyword
//! (`resolve::vrrp` does). Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::{AuthKind, Draft, InstanceDraft, TakenAddresses};
use super::super::model::{AuthPass, GarpSettings, InitialState};
use super::super::source::{to_bytes, to_display};
use super::{Outcome, Statement, Stop};
use crate::base::{Duration, Shared};

/// The largest number of seconds that fits 32 bits of microseconds.
const MAX_SECONDS: u32 = 4294;

/// The kernel's `IFNAMSIZ` without the byte that ends the name.
const MAX_INTERFACE_NAME: usize = 15;

/// Nobody else can be heard on it.
pub(super) const LOOPBACK: &str = "lo";

/// `vrrp_instance NAME {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(name) = st.word(1).filter(|_| st.count() == 2) else {
        st.error(Class::General, "vrrp_instance must have a name", Some(0));
        return Err(Stop::SkipBlock);
    };
    if draft.instances.iter().any(|instance| instance.name == name) {
        let message = format!("vrrp instance {name} already defined");
        st.error(Class::General, message, Some(1));
        return Err(Stop::SkipBlock);
    }
    draft.instances.push(InstanceDraft {
        name: name.to_owned(),
        place: st.place(),
        interface: None,
        found_interface: None,
        sync_interface: None,
        taken: TakenAddresses::default(),
        vrid: None,
        state: None,
        priority: None,
        advert_interval: None,
        auth: AuthKind::None,
        auth_pass: None,
        family: None,
        addresses: Vec::new(),
        no_preempt: false,
        preempt_delay: None,
        garp: GarpSettings::default(),
        options: Shared::default(),
    });
    Ok(())
}

/// Runs `f` on the instance that is being read. The schema calls these handlers only inside of an
/// instance, so there is one.
pub(super) fn current(draft: &mut Draft, f: impl FnOnce(&mut InstanceDraft) -> Outcome) -> Outcome {
    draft.instances.last_mut().map_or(Ok(()), f)
}

/// `state MASTER|BACKUP`
pub(in super::super) fn state(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    current(draft, |instance| {
        instance.state = Some(match word {
            "MASTER" => InitialState::Master,
            "BACKUP" if instance.state == Some(InitialState::Master) => {
                let message = format!(
                    "({}) state previously set as MASTER - ignoring BACKUP",
                    instance.name
                );
                st.error(Class::General, message, Some(1));
                InitialState::Master
            }
            "BACKUP" => InitialState::Backup,
            _ => {
                let message = format!(
                    "({}) unknown state '{}', defaulting to BACKUP",
                    instance.name,
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
                InitialState::Backup
            }
        });
        Ok(())
    })
}

/// `interface NAME`
pub(in super::super) fn interface(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?;
    let mut missing = false;
    let dynamic = draft.is_dynamic();
    current(draft, |instance| {
        if name == LOOPBACK {
            let message = format!(
                "({}) cannot use a loopback interface ({name}) for vrrp - ignoring",
                instance.name
            );
            st.error(Class::General, message, Some(1));
            // One that was named before is forgotten, as by keepalived.
            instance.interface = None;
            return Ok(());
        }
        if name.len() > MAX_INTERFACE_NAME {
            let message = format!("Interface name '{}' too long - ignoring", to_display(name));
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        if !dynamic && !st.facts.interface_exists(name) {
            let message = format!(
                "WARNING - interface {} for vrrp_instance {} doesn't exist",
                to_display(name),
                instance.name
            );
            st.error(Class::General, message, Some(1));
            missing = true;
        }
        instance.interface = Some(name.to_owned());
        Ok(())
    })?;
    draft.missing_interface |= missing;
    Ok(())
}

/// `virtual_router_id NUMBER`
pub(in super::super) fn virtual_router_id(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 1, 255)?;
    let word = st.need(1)?;
    current(draft, |instance| {
        match number.and_then(|number| u8::try_from(number).ok()) {
            Some(vrid) => instance.vrid = Some(vrid),
            None => {
                let message = format!(
                    "({}): VRID '{}' not valid - must be between 1 & 255",
                    instance.name,
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `priority NUMBER`
pub(in super::super) fn priority(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 1, 255)?;
    current(draft, |instance| {
        instance.priority = number.and_then(|number| u8::try_from(number).ok());
        if instance.priority.is_none() {
            let message = format!(
                "({}) Priority not valid! must be between 1 & 255. Using default 100",
                instance.name
            );
            st.error(Class::General, message, Some(1));
            instance.priority = Some(100);
        }
        Ok(())
    })
}

/// `advert_int SECONDS`
pub(in super::super) fn advert_int(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let value = st.seconds(1, Duration::from_millis(10), Duration::from_secs(255))?;
    let word = st.need(1)?;
    current(draft, |instance| {
        match value {
            Some(value) => instance.advert_interval = Some(value),
            None => {
                let message = format!(
                    "({}) Advert interval ({}) not valid! Must be > 0 - ignoring",
                    instance.name,
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `nopreempt`
pub(in super::super) fn nopreempt(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        instance.no_preempt = true;
        Ok(())
    })
}

/// `preempt`
pub(in super::super) fn preempt(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        instance.no_preempt = false;
        Ok(())
    })
}

/// `preempt_delay SECONDS`
pub(in super::super) fn preempt_delay(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let value = st.seconds(1, Duration::ZERO, Duration::from_secs(1000))?;
    current(draft, |instance| {
        match value {
            Some(value) => instance.preempt_delay = Some(value),
            None => {
                let message = format!(
                    "({}) Preempt_delay not valid! must be between 0-1000",
                    instance.name
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// A `garp_*` delay in seconds; `owner` is what messages about it begin with.
pub(super) fn garp_delay(
    st: &mut Statement<'_>,
    owner: &str,
    slot: &mut Option<Duration>,
) -> Outcome {
    match st.number(1, 0, MAX_SECONDS)? {
        Some(seconds) => *slot = Some(Duration::from_secs(u64::from(seconds))),
        None => {
            let (name, word) = (st.need(0)?, to_display(st.need(1)?));
            let message = format!("{owner}{name} '{word}' invalid - ignoring");
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// A `garp_*` period in seconds.
pub(super) fn garp_refresh(
    st: &mut Statement<'_>,
    owner: &str,
    slot: &mut Option<Duration>,
) -> Outcome {
    match st.number(1, 0, u32::MAX)? {
        Some(seconds) => *slot = Some(Duration::from_secs(u64::from(seconds))),
        None => {
            let (name, word) = (st.need(0)?, to_display(st.need(1)?));
            let message = format!("{owner}Invalid {name} '{word}' - ignoring");
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// A `garp_*` count of packets, at least one.
pub(super) fn garp_count(st: &mut Statement<'_>, owner: &str, slot: &mut Option<u32>) -> Outcome {
    let number = st.number(1, 0, u32::MAX)?;
    let (name, word) = (st.need(0)?, to_display(st.need(1)?));
    match number {
        Some(0) => {
            let message = format!("{owner}{name} must be greater than 0, setting to 1");
            st.error(Class::General, message, Some(1));
            *slot = Some(1);
        }
        Some(count) => *slot = Some(count),
        None => {
            let message = format!("{owner}{name} '{word}' invalid - ignoring");
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `garp_lower_prio_repeat`: none is allowed.
pub(super) fn garp_lower_count(
    st: &mut Statement<'_>,
    owner: &str,
    slot: &mut Option<u32>,
) -> Outcome {
    match st.number(1, 0, i32::MAX.unsigned_abs())? {
        Some(count) => *slot = Some(count),
        None => {
            let (name, word) = (st.need(0)?, to_display(st.need(1)?));
            let message = format!("{owner}Invalid {name} '{word}'");
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `garp_master_delay SECONDS`
pub(in super::super) fn garp_master_delay(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let owner = owner(instance);
        garp_delay(st, &owner, &mut instance.garp.delay)
    })
}

/// `garp_master_refresh SECONDS`
pub(in super::super) fn garp_master_refresh(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let owner = owner(instance);
        garp_refresh(st, &owner, &mut instance.garp.refresh)
    })
}

/// `garp_master_repeat COUNT`
pub(in super::super) fn garp_master_repeat(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let owner = owner(instance);
        garp_count(st, &owner, &mut instance.garp.repeat)
    })
}

/// `garp_master_refresh_repeat COUNT`
pub(in super::super) fn garp_master_refresh_repeat(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    current(draft, |instance| {
        let owner = owner(instance);
        garp_count(st, &owner, &mut instance.garp.refresh_repeat)
    })
}

/// `garp_lower_prio_delay SECONDS`
pub(in super::super) fn garp_lower_prio_delay(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    current(draft, |instance| {
        let owner = owner(instance);
        garp_delay(st, &owner, &mut instance.garp.lower_priority_delay)
    })
}

/// `garp_lower_prio_repeat COUNT`
pub(in super::super) fn garp_lower_prio_repeat(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    current(draft, |instance| {
        let owner = owner(instance);
        garp_lower_count(st, &owner, &mut instance.garp.lower_priority_repeat)
    })
}

/// What messages about an instance begin with.
pub(super) fn owner(instance: &InstanceDraft) -> String {
    format!("({}): ", instance.name)
}

/// `authentication {`
pub(in super::super) fn authentication(_: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    Ok(())
}

/// `auth_type PASS|AH`
pub(in super::super) fn auth_type(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    current(draft, |instance| {
        match word {
            "PASS" => instance.auth = AuthKind::Pass,
            "AH" => instance.auth = AuthKind::Ah,
            _ => {
                let message = format!(
                    "({}) unknown authentication type '{}'",
                    instance.name,
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `auth_pass SECRET`
pub(in super::super) fn auth_pass(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let bytes = to_bytes(st.need(1)?);
    if bytes.len() > 8 {
        st.error(
            Class::General,
            "Truncating auth_pass to 8 characters",
            Some(1),
        );
    }
    if bytes.is_empty() {
        return Ok(());
    }
    let mut secret = [0; 8];
    for (slot, byte) in secret.iter_mut().zip(bytes.iter()) {
        *slot = *byte;
    }
    current(draft, |instance| {
        instance.auth_pass = Some(AuthPass(secret));
        Ok(())
    })
}
