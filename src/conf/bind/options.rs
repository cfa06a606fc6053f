//! Handlers of the further settings of `vrrp_instance`.
//!
//! Owns: what each of their keywords sets in the instance's options. Never does: look at more than
//! one keyword (`resolve::options` does). Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::{Draft, InstanceDraft};
use super::super::model::options::{InstanceOptions, Peer, Version};
use super::super::source::{to_bytes, to_display};
use super::instance::{LOOPBACK, current, owner};
use super::script::shell_words;
use super::sync_group::{script_or_advice, slot};
use super::tracking::{Kind, Known, line};
use super::vmac::MAX_NAME;
use super::{Outcome, Statement, one_address};
use crate::base::{Duration, Family};

/// Keywords that set one thing whatever follows them.
pub(in super::super) fn flag(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    current(draft, |instance| {
        let options = &mut instance.options;
        match keyword {
            "accept" => options.accept = Some(true),
            "no_accept" => options.accept = Some(false),
            "dont_track_primary" => options.ignore_own_interface = true,
            "no_virtual_ipaddress" => options.no_addresses = true,
            "promote_secondaries" => options.promote_secondaries = true,
            "track_src_ip" => options.track_source = true,
            "unicast_fault_no_peer" => options.fault_without_peer = true,
            "use_vmac_addr" => options.vmac_for_addresses = true,
            "vmac_xmit_base" => options.transmit_on_base = true,
            "check_unicast_src" => {
                options.check_source = true;
                options.unicast = true;
            }
            _ => {}
        }
        Ok(())
    })
}

/// The slot of a keyword that takes a boolean.
fn switch<'o>(options: &'o mut InstanceOptions, keyword: &str) -> Option<&'o mut Option<bool>> {
    Some(match keyword {
        "higher_prio_send_advert" => &mut options.higher_send_advert,
        "lower_prio_no_advert" => &mut options.lower_no_advert,
        "owner_ignore_adverts" => &mut options.owner_ignores,
        "strict_mode" => &mut options.strict,
        "v3_checksum_as_v2" => &mut options.old_checksum_v3,
        "smtp_alert" => &mut options.notify.mail,
        "notify_priority_changes" => &mut options.notify.priority_changes,
        _ => return None,
    })
}

/// Keywords that take a boolean.
pub(in super::super) fn boolean(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let value = st.boolean(1);
    current(draft, |instance| {
        if value.is_some() {
            if let Some(slot) = switch(&mut instance.options, keyword) {
                *slot = value;
            } else {
                // Of this one keepalived takes any boolean for yes.
                instance.options.skip_address_check = true;
            }
            return Ok(());
        }
        let (name, word) = (&instance.name, to_display(st.need(1)?));
        let message = match keyword {
            "smtp_alert" => format!("Invalid vrrp_instance smtp_alert parameter {word}"),
            "notify_priority_changes" => {
                format!("({name}) Invalid value '{word}' for {keyword} specified")
            }
            _ => format!("({name}) invalid {keyword} {word} specified"),
        };
        st.error(Class::General, message, Some(1));
        Ok(())
    })
}

/// `notify*`
pub(in super::super) fn notify(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    if keyword == "notify_deleted" {
        if let Some(instance) = draft.instances.last_mut() {
            let notify = &mut instance.options.notify;
            if std::mem::replace(&mut notify.says_deleted, true) {
                let word = to_display(st.word(1).unwrap_or_default());
                let message = format!(
                    "({}) notify_deleted already specified - ignoring {word}",
                    instance.name
                );
                st.error(Class::General, message, Some(st.count() - 1));
                return Ok(());
            }
        }
        if st.word(1).is_none() {
            return Ok(());
        }
    }
    let Some(words) = shell_words(st) else {
        return Ok(());
    };
    if words.get(1).is_none() {
        return st.need(1).map(drop);
    }
    let Draft {
        instances, scripts, ..
    } = draft;
    let Some(instance) = instances.last_mut() else {
        return Ok(());
    };
    let Some(slot) = slot(&mut instance.options.notify, keyword) else {
        return Ok(());
    };
    if slot.is_some() {
        let what = match keyword {
            "notify_deleted" => "",
            _ => " script",
        };
        let message = format!(
            "({}) {keyword}{what} already specified - ignoring {}",
            instance.name,
            // As any other keyword would read it.
            to_display(st.need(1)?)
        );
        st.error(Class::General, message, Some(1));
        return Ok(());
    }
    *slot = script_or_advice(scripts, st);
    Ok(())
}

fn track(draft: &mut Draft, st: &mut Statement<'_>, kind: Kind) -> Outcome {
    let dynamic = draft.is_dynamic();
    let Draft {
        instances,
        trackers,
        bfd_instances,
        disabled_bfd,
        ..
    } = draft;
    let Some(instance) = instances.last_mut() else {
        return Ok(());
    };
    let tracking = &mut instance.options.tracking;
    let known = Known {
        trackers,
        bfd: bfd_instances,
        disabled_bfd,
        dynamic,
    };
    let missing = line(st, &instance.name, kind, known, tracking)?;
    draft.missing_interface |= missing;
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

/// `version 2|3`
pub(in super::super) fn version(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.signed(1, 2, 3)?;
    current(draft, |instance| {
        let Some(number) = number else {
            let message = format!("{}Version must be either 2 or 3", owner(instance));
            st.error(Class::General, message, Some(1));
            return Ok(());
        };
        let version = if number == 2 {
            Version::V2
        } else {
            Version::V3
        };
        let before = match instance.options.version {
            None if instance.options.native_ipv6 => Some(Version::V3),
            before => before,
        };
        let ipv6 = instance.family == Some(Family::V6);
        if before.is_some_and(|before| before != version) || number == 2 && ipv6 {
            let before = match before {
                None => 0,
                Some(Version::V2) => 2,
                Some(Version::V3) => 3,
            };
            let message = format!(
                "({}) vrrp_version {number} conflicts with configured or deduced version {before}; \
                 ignoring.",
                instance.name
            );
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        instance.options.version = Some(version);
        Ok(())
    })
}

/// `native_ipv6`
pub(in super::super) fn native_ipv6(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        if instance.family == Some(Family::V4) {
            let message = format!(
                "({}) Cannot specify native_ipv6 with IPv4 addresses",
                instance.name
            );
            st.error(Class::General, message, Some(0));
            return Ok(());
        }
        instance.family = Some(Family::V6);
        instance.options.native_ipv6 = true;
        Ok(())
    })
}

/// Whether an address is of the instance's family, which the first address decides.
fn same_family(instance: &mut InstanceDraft, address: IpAddr) -> bool {
    *instance.family.get_or_insert(Family::of(address)) == Family::of(address)
}

/// `mcast_src_ip ADDRESS`, `unicast_src_ip ADDRESS`
pub(in super::super) fn source(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let unicast = st.need(0)? == "unicast_src_ip";
    let word = st.need(1)?;
    let address = one_address(word);
    let shown = to_display(word);
    current(draft, |instance| {
        let name = instance.name.clone();
        instance.options.unicast |= unicast;
        match address {
            None => {
                let message = format!(
                    "Configuration error: VRRP instance[{name}] malformed src address[{shown}]. \
                     Skipping..."
                );
                st.error(Class::General, message, Some(1));
            }
            Some(address) if !same_family(instance, address) => {
                let message = format!(
                    "Configuration error: VRRP instance[{name}] and src address[{shown}] MUST be \
                     of the same family !!! Skipping..."
                );
                st.error(Class::General, message, Some(1));
            }
            Some(address) => instance.options.source = Some(address),
        }
        Ok(())
    })
}

/// `mcast_dst_ip ADDRESS`
pub(in super::super) fn destination(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let address = st.address(1)?;
    let shown = to_display(st.need(1)?);
    current(draft, |instance| {
        let name = instance.name.clone();
        let message = match address {
            None => format!("({name}) malformed mcast dest address {shown}. Skipping..."),
            Some(address) if !address.is_multicast() => {
                format!("({name}) mcast_dst_ip {shown} not multicast. Skipping...")
            }
            Some(IpAddr::V6(address)) if address.octets()[1] & 0xf != 2 => {
                format!("({name}) mcast_dst_ip {shown} not link-local multicast. Skipping...")
            }
            Some(address) if !same_family(instance, address) => format!(
                "({name}) mcast dest address {shown} MUST match VRRP instance family. Skipping..."
            ),
            Some(address) => {
                instance.options.destination = Some(address);
                return Ok(());
            }
        };
        st.error(Class::General, message, Some(1));
        Ok(())
    })
}

/// `unicast_ttl NUMBER`
pub(in super::super) fn unicast_ttl(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, 255)?;
    let shown = to_display(st.need(1)?);
    current(draft, |instance| {
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            instance.options.ttl = Some(number);
        } else {
            let message = format!(
                "{}TTL '{shown}' not valid - must be between 0 & 255",
                owner(instance)
            );
            st.error(Class::General, message, Some(1));
        }
        Ok(())
    })
}

/// `unicast_peer {`
pub(in super::super) fn unicast_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    super::reports_extra(st);
    current(draft, |instance| {
        instance.options.unicast = true;
        Ok(())
    })
}

/// A line of `unicast_peer`: `ADDRESS [min_ttl N] [max_ttl N]`
pub(in super::super) fn unicast_peer(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let address = st.address(0)?;
    let shown = to_display(st.need(0)?);
    current(draft, |instance| {
        let name = instance.name.clone();
        instance.options.unicast = true;
        let Some(address) = address else {
            let message = format!(
                "Configuration error: VRRP instance[{name}] malformed unicast peer \
                 address[{shown}]. Skipping..."
            );
            st.error(Class::General, message, Some(0));
            return Ok(());
        };
        if !same_family(instance, address) {
            let message = format!(
                "Configuration error: VRRP instance[{name}] and unicast peer address[{shown}] \
                 MUST be of the same family !!! Skipping..."
            );
            st.error(Class::General, message, Some(0));
            return Ok(());
        }
        if instance
            .options
            .peers
            .iter()
            .any(|peer| peer.address == address)
        {
            let message = format!("({name}) {shown} - duplicate unicast_peer");
            st.error(Class::General, message, Some(0));
            return Ok(());
        }
        let mut peer = Peer {
            address,
            min_ttl: 0,
            max_ttl: 255,
        };
        peer_options(st, &name, &mut peer)?;
        instance.options.peers.push(peer);
        Ok(())
    })
}

fn peer_options(st: &mut Statement<'_>, name: &str, peer: &mut Peer) -> Outcome {
    let whose = to_display(st.need(0)?);
    let mut index = 1;
    while let Some(option) = st.word(index) {
        let shown = to_display(option);
        let Some(word) = st.word(index + 1) else {
            let message = format!("({name}) {whose} - {shown} is missing a value");
            st.error(Class::General, message, Some(index));
            return Ok(());
        };
        // The value is looked at before the option.
        let number = st.number_in(word, index + 1, 0, 255);
        match (option, number.and_then(|number| u8::try_from(number).ok())) {
            (_, None) => {}
            ("min_ttl", Some(ttl)) => peer.min_ttl = ttl,
            ("max_ttl", Some(ttl)) => peer.max_ttl = ttl,
            (_, Some(_)) => {
                let message = format!("({name}) {whose} - unknown unicast_peer option {shown}");
                st.error(Class::General, message, Some(index));
            }
        }
        index += 2;
    }
    if peer.min_ttl > peer.max_ttl {
        let message = format!(
            "({name}) {whose} - min_ttl {} > max_ttl {} - all packets will be discarded",
            peer.min_ttl, peer.max_ttl
        );
        st.error(Class::General, message, Some(0));
    }
    Ok(())
}

/// `old_unicast_checksum [never]`
pub(in super::super) fn old_unicast_checksum(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        instance.options.unicast = true;
        instance.options.old_checksum_unicast = Some(match st.word(1) {
            None => true,
            Some("never") => false,
            Some(mode) => {
                let message = format!(
                    "({}) Unknown old_unicast_chksum mode {} - ignoring",
                    instance.name,
                    to_display(mode)
                );
                st.error(Class::General, message, Some(1));
                return Ok(());
            }
        });
        Ok(())
    })
}

/// `down_timer_adverts COUNT`
pub(in super::super) fn down_timer_adverts(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 1, 100)?;
    let shown = to_display(st.need(1)?);
    current(draft, |instance| {
        match number.and_then(|number| u8::try_from(number).ok()) {
            Some(count) => instance.options.down_timer_adverts = Some(count),
            None => {
                let message = format!(
                    "{}Invalid down_timer_adverts [1:100] '{shown}'",
                    owner(instance)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `debug LEVEL`
pub(in super::super) fn debug(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, 4)?;
    let shown = to_display(st.need(1)?);
    current(draft, |instance| {
        match number.and_then(|number| u8::try_from(number).ok()) {
            Some(level) => instance.options.debug = Some(level),
            None => {
                let message = format!(
                    "({}) Debug value '{shown}' not valid; must be between 0-4",
                    instance.name
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `kernel_rx_buf_size BYTES`
pub(in super::super) fn receive_buffer(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    // Nothing may follow it.
    let number = match st.count() {
        2 => st.number(1, 0, u32::MAX)?,
        _ => None,
    };
    current(draft, |instance| {
        match number {
            Some(size) => instance.options.receive_buffer = Some(size),
            None => {
                let message = format!("({}) invalid kernel_rx_buf_size specified", instance.name);
                st.error(Class::General, message, Some(0));
            }
        }
        Ok(())
    })
}

/// `garp_extra_if [all] SECONDS`
pub(in super::super) fn garp_extra_if(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    if keyword == "vmac_garp_intvl" {
        let message = "Keyword \"vmac_garp_intvl\" is deprecated - please use \"garp_extra_if\"";
        st.error(Class::Deprecated, message, Some(0));
    }
    current(draft, |instance| {
        let period = extra_period(st, &owner(instance), 0)?;
        instance.options.garp_extra = period.or(instance.options.garp_extra);
        Ok(())
    })
}

/// `[all] SECONDS` behind the keyword, in either order; of several numbers the last one counts.
/// `owner` is what messages begin with.
pub(super) fn extra_period(
    st: &mut Statement<'_>,
    owner: &str,
    min: u32,
) -> Result<Option<(Duration, bool)>, super::Stop> {
    let keyword = st.need(0)?;
    let (mut period, mut all) = (None, false);
    for index in 1..st.count() {
        let word = st.need(index)?;
        if word == "all" {
            all = true;
            continue;
        }
        let Some(seconds) = st.number(index, min, 86_400)? else {
            let message = format!("{owner}{keyword} '{}' invalid - ignoring", to_display(word));
            st.error(Class::General, message, Some(index));
            return Ok(None);
        };
        period = Some(Duration::from_secs(u64::from(seconds)));
    }
    if period.is_none() {
        let message = format!("{owner}{keyword} specified without time - ignoring");
        st.error(Class::General, message, Some(st.count() - 1));
    }
    Ok(period.map(|period| (period, all)))
}

/// `timer_expired_backup [PRIORITY]`
pub(in super::super) fn expired_backup(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = match st.word(1) {
        Some(_) => st.number(1, 1, 254)?,
        None => Some(254),
    };
    current(draft, |instance| {
        if let Some(limit) = number.and_then(|number| u8::try_from(number).ok()) {
            instance.options.expired_backup = Some(limit);
        } else {
            let message = format!(
                "({}) timer_expired_backup highest_other_priority not valid! must be between 1 & \
                 254",
                instance.name
            );
            st.error(Class::General, message, Some(1));
        }
        Ok(())
    })
}

/// `vrf NAME`
pub(in super::super) fn vrf(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?;
    let mut missing = false;
    current(draft, |instance| {
        let (owner, shown) = (instance.name.as_str(), to_display(name));
        let refusal = if to_bytes(name).len() > MAX_NAME {
            Some(format!("VRF interface name '{shown}' too long - ignoring"))
        } else if instance.interface.is_some() {
            Some("Cannot specify VRF interface and interface - ignoring".to_owned())
        } else if let Some(known) = &instance.options.vrf {
            let known = to_display(known);
            Some(format!(
                "VRF interface already specified as '{known}' - ignoring"
            ))
        } else if name == LOOPBACK {
            Some(format!(
                "cannot use a loopback interface ({shown}) for VRF - ignoring"
            ))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            st.error(Class::General, format!("({owner}) {refusal}"), Some(1));
            return Ok(());
        }
        missing = !st.facts.interface_exists(name);
        if missing {
            let message = format!("({owner}) WARNING - VRF interface {shown} doesn't exist");
            st.error(Class::General, message, Some(1));
        }
        instance.options.vrf = Some(name.to_owned());
        Ok(())
    })?;
    draft.missing_interface |= missing;
    Ok(())
}

/// `linkbeat_use_polling`, of older releases
pub(in super::super) fn linkbeat(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let message = format!(
            "({}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces \
             block",
            instance.name
        );
        st.error(Class::General, message, Some(0));
        instance.options.poll_link = true;
        Ok(())
    })
}

/// `lvs_sync_daemon_interface NAME`, of older releases
pub(in super::super) fn lvs_sync_interface(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let message = format!(
            "({}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.",
            instance.name
        );
        st.error(Class::General, message, Some(0));
        // keepalived indents it by the name.
        let indent = match instance.name.len() {
            1 => 7,
            length => length + 4,
        };
        let message = format!("{:indent$}Please use global lvs_sync_daemon", "");
        st.error(Class::General, message, Some(0));
        if let Some(first) = &instance.sync_interface {
            let message = format!(
                "({}) lvs_sync_daemon_interface has already been specified as {} - ignoring",
                instance.name,
                to_display(first)
            );
            st.error(Class::General, message, Some(st.count() - 1));
            return Ok(());
        }
        instance.sync_interface = Some(st.need(1)?.to_owned());
        Ok(())
    })
}

/// A line of `virtual_ipaddress_excluded`: of either family.
pub(in super::super) fn excluded(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(parsed) = super::address::parsed(draft, st) else {
        return Ok(());
    };
    current(draft, |instance| {
        if let Err(what) = instance.taken.take_excluded(&parsed) {
            let message =
                super::address::duplicate(&instance.name, "Excluded VIP", what, st.need(0)?);
            st.error(Class::General, message, Some(0));
        } else {
            instance.options.excluded.push(parsed);
        }
        Ok(())
    })
}

/// `thread_timer_expired`, a spelling that was only ever announced
pub(in super::super) fn misspelt_expired(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let message = format!(
            "({}) thread_timer_expired - please replace with keyword 'timer_expired_backup'",
            instance.name
        );
        st.error(Class::General, message, Some(0));
        Ok(())
    })?;
    expired_backup(draft, st)
}
