//! Rules between the further settings of one instance.
//!
//! Owns: what does not go together, in keepalived's words. Never does: decide what runs
//! (`resolve::vrrp` does). Driven by: `resolve::vrrp`.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::{AuthKind, InstanceDraft};
use super::super::model::InitialState;
use super::super::model::options::Version;
use super::super::model::signing::SigningMode;
use super::Context;
use crate::base::{Duration, Family};

/// What the rules look at beside the instance itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// The version in use.
    pub(super) version: Version,
    /// Strict mode.
    pub(super) strict: bool,
}

/// Mends and reports what does not go together.
pub(super) fn check(draft: &mut InstanceDraft, rules: Rules, cx: &mut Context<'_>) {
    let mut messages = Vec::new();
    authentication(draft, rules, &mut messages);
    transport(draft, &mut messages);
    let six = draft.family == Some(Family::V6);
    if rules.strict && six && draft.options.version == Some(Version::V2) {
        let message = "cannot use IPv6 with VRRP version 2; setting version 3";
        messages.push(message.to_owned());
    }
    if rules.strict {
        strict(draft, rules.version, &mut messages);
    }
    if rules.version == Version::V3 {
        interval(draft, &mut messages);
    }
    let own = draft.interface.clone().unwrap_or_default();
    draft.options.tracking.interfaces.retain(|tracked| {
        let same = tracked.name == own;
        if same {
            messages.push(format!(
                "Ignoring track_interface {own} since own interface"
            ));
        }
        !same
    });
    for message in messages {
        let blank = if message.starts_with(':') { "" } else { " " };
        let message = format!("({}){blank}{message}", draft.name);
        cx.report(Class::General, message, draft.place);
    }
}

fn authentication(draft: &mut InstanceDraft, rules: Rules, messages: &mut Vec<String>) {
    let mode = draft.options.signing.as_ref().map(|signing| signing.mode);
    if rules.strict && mode.is_some_and(|mode| mode != SigningMode::Enforce) {
        messages
            .push("Strict mode requires auth_hmac mode enforce. Ignoring auth_hmac.".to_owned());
        draft.options.signing = None;
    }
    if draft.auth != AuthKind::None && draft.options.signing.is_some() {
        messages.push("auth_hmac replaces authentication. Ignoring authentication.".to_owned());
        draft.auth = AuthKind::None;
    }
    if draft.auth == AuthKind::None {
        return;
    }
    if rules.strict {
        messages.push("Strict mode does not support authentication. Ignoring.".to_owned());
        draft.auth = AuthKind::None;
    } else if rules.version == Version::V3 {
        messages.push("VRRP version 3 does not support authentication. Ignoring.".to_owned());
        draft.auth = AuthKind::None;
    } else if draft.auth == AuthKind::Ah
        && draft.auth_pass.is_some()
        && draft.state == Some(InitialState::Master)
    {
        messages.push(
            "Initial state master is incompatible with AH authentication - clearing".to_owned(),
        );
        draft.state = Some(InitialState::Backup);
    }
}

/// Said of unicast with nobody.
pub(super) const NO_PEERS: &str = "A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This \
     usage is deprecated - please update your configuration.";

fn transport(draft: &mut InstanceDraft, messages: &mut Vec<String>) {
    let options = &mut draft.options;
    if options.destination.is_some() && !options.peers.is_empty() {
        messages.push("multicast destination specified with unicast - ignoring".to_owned());
        options.destination = None;
    }
    if options.unicast && options.peers.is_empty() {
        messages.push(NO_PEERS.to_owned());
        options.unicast = false;
    }
    if options.vmac.is_some() && options.promote_secondaries {
        messages.push("promote_secondaries is automatically set for vmacs - ignoring".to_owned());
        options.promote_secondaries = false;
    }
    if options.vmac.is_none() && options.transmit_on_base {
        messages.push("vmac_xmit_base is only valid with a vmac".to_owned());
        options.transmit_on_base = false;
    }
    let bare = options
        .ipvlan
        .as_ref()
        .is_some_and(|own| own.address.is_none());
    if bare && draft.family != Some(Family::V6) {
        messages.push(
            "IPv4 ipvlan requires a source ip address to be configured. setting instance to \
             fault state"
                .to_owned(),
        );
    }
}

fn strict(draft: &mut InstanceDraft, version: Version, messages: &mut Vec<String>) {
    let master = draft.state == Some(InitialState::Master);
    let owner = draft.priority.map_or(master, |priority| priority == 255);
    if draft
        .state
        .is_some_and(|state| (state == InitialState::Master) != owner)
    {
        messages.push("State MASTER must match being address owner".to_owned());
        let state = if owner {
            InitialState::Master
        } else {
            InitialState::Backup
        };
        draft.state = Some(state);
    }
    if draft.preempt_delay.is_some_and(|delay| !delay.is_zero()) {
        messages.push("preempt_delay is incompatible with strict mode - resetting".to_owned());
        // What else goes against it is said as well.
        draft.preempt_delay = draft.preempt_delay.filter(|_| draft.no_preempt);
    }
    if draft
        .garp
        .lower_priority_delay
        .is_some_and(|delay| !delay.is_zero())
    {
        messages.push("Strict mode requires no repeat garp delay. resetting".to_owned());
        draft.garp.lower_priority_delay = Some(Duration::ZERO);
    }
    if draft
        .garp
        .lower_priority_repeat
        .is_some_and(|count| count > 0)
    {
        messages.push("Strict mode requires no repeat garps. resetting".to_owned());
        draft.garp.lower_priority_repeat = Some(0);
    }
    let options = &mut draft.options;
    if options.accept == Some(true) && version == Version::V2 {
        messages.push(
            "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting"
                .to_owned(),
        );
        options.accept = None;
    }
    if options.vmac.is_some() && options.transmit_on_base {
        messages.push("xmit_base is incompatible with strict mode - resetting".to_owned());
        options.transmit_on_base = false;
    }
    if let Some(vmac) = &mut options.vmac
        && vmac.mac.take().is_some()
    {
        // keepalived has a colon here.
        messages.push(": cannot specify MAC address with strict mode - clearing".to_owned());
    }
    if options.down_timer_adverts.is_some_and(|count| count != 3) {
        messages.push("down_timer_adverts is incompatible with strict mode - resetting".to_owned());
        options.down_timer_adverts = None;
    }
    if options.lower_no_advert == Some(false) {
        messages.push("Strict mode requires no lower priority advert. resetting".to_owned());
        options.lower_no_advert = Some(true);
    }
    if options.higher_send_advert == Some(true) {
        messages
            .push("strict mode requires higher_prio_send_advert to be clear. resetting".to_owned());
        options.higher_send_advert = Some(false);
    }
    if let Some(IpAddr::V6(first)) = draft.addresses.first().map(|first| first.address)
        && !first.is_unicast_link_local()
    {
        messages.push("the first IPv6 VIP address must be link local".to_owned());
    }
}

/// Version 3 counts centiseconds in twelve bits (RFC 5798 §5.2.7).
fn interval(draft: &mut InstanceDraft, messages: &mut Vec<String>) {
    const MAX: Duration = Duration::from_millis(40_950);
    let Some(interval) = draft.advert_interval else {
        return;
    };
    let (seconds, micros) = (interval.as_secs(), interval.subsec_micros());
    if interval > MAX {
        messages.push(format!(
            "VRRPv3 advertisement interval {seconds}.{:02}s is out of range. Must be less than \
             40.96s. Setting to 40.95s",
            micros / 10_000
        ));
        draft.advert_interval = Some(MAX);
    } else if micros % 10_000 != 0 {
        messages.push(format!(
            "VRRPv3 advertisement interval {seconds}.{micros:06}s must be in units of 10ms - \
             rounding"
        ));
        let hundredths = (seconds * 100 + u64::from(micros + 5_000) / 10_000).max(1);
        draft.advert_interval = Some(Duration::from_millis(hundredths * 10));
    }
}
