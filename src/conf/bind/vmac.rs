//! `use_vmac`, `use_ipvlan`, and what goes with them at the end of a `vrrp_instance`.
//!
//! Owns: the names and addresses of the interfaces that an instance makes for itself. Never does:
//! make them. Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::{Draft, InstanceDraft};
use super::super::model::options::{IpvlanMode, Vmac};
use super::super::source::{Link, to_bytes, to_display};
use super::instance::{current, owner};
use super::{Outcome, Statement};
use crate::base::Family;

/// The kernel's `IFNAMSIZ` without the byte that ends the name.
pub(super) const MAX_NAME: usize = 15;
/// What the addresses of virtual routers begin with (RFC 5798 §7.3); the fifth byte is the family.
const RFC_MAC: [u8; 4] = [0, 0, 0x5e, 0];

/// `use_vmac [NAME] [MAC] [netlink_notify_msg] [group GROUP] [name NAME]`
pub(in super::super) fn use_vmac(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (others, last) = split(draft);
    let Some(instance) = last else {
        return Ok(());
    };
    let mut vmac = instance.options.vmac.take().unwrap_or_default();
    let mut index = 1;
    while let Some(word) = st.word(index) {
        index += 1;
        match word {
            "netlink_notify_msg" => vmac.notify_again = true,
            "group" => {
                vmac.group = Some(st.need(index)?.to_owned());
                index += 1;
            }
            "name" => {
                let name = st.need(index)?;
                index += 1;
                vmac_name(st, name, index - 1, others, instance, &mut vmac);
            }
            _ if word.contains(':') => vmac_address(st, word, index - 1, &mut vmac),
            _ => vmac_name(st, word, index - 1, others, instance, &mut vmac),
        }
    }
    instance.options.vmac = Some(vmac);
    Ok(())
}

/// The instances before the one that is being read, and that one.
fn split(draft: &mut Draft) -> (&[InstanceDraft], Option<&mut InstanceDraft>) {
    match draft.instances.split_last_mut() {
        Some((last, others)) => (others, Some(last)),
        None => (&[], None),
    }
}

/// The bytes of `aa:bb:cc:dd:ee[:ff]`; `Err`: they are no bytes at all.
fn mac(word: &str) -> Result<Option<Vec<u8>>, ()> {
    let mut bytes = Vec::new();
    for part in word.split(':') {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        match u8::from_str_radix(part, 16) {
            Ok(byte) if part.len() <= 2 => bytes.push(byte),
            Ok(_) | Err(_) => return Ok(None),
        }
    }
    // What stands behind the sixth is overlooked.
    bytes.truncate(6);
    Ok((bytes.len() >= 5).then_some(bytes))
}

fn vmac_address(st: &mut Statement<'_>, word: &str, index: usize, vmac: &mut Vmac) {
    let shown = to_display(word);
    let message = match mac(word) {
        Err(()) => format!("VMAC invalid MAC address {shown}"),
        Ok(None) => format!("VMAC invalid MAC address {shown} - ignored"),
        Ok(Some(bytes)) if bytes.first().is_some_and(|byte| byte & 1 == 1) => {
            format!("VMAC MAC address is multicast {shown} - ignoring")
        }
        Ok(Some(bytes)) if bytes.starts_with(&RFC_MAC) && matches!(bytes[4], 1 | 2) => {
            format!("VMAC MAC address not allowed to be RFC5798 address ({shown}) - ignoring")
        }
        Ok(Some(bytes)) => {
            vmac.mac = Some(bytes);
            return;
        }
    };
    st.error(Class::General, message, Some(index));
}

fn vmac_name(
    st: &mut Statement<'_>,
    word: &str,
    index: usize,
    others: &[InstanceDraft],
    instance: &InstanceDraft,
    vmac: &mut Vmac,
) {
    let shown = to_display(word);
    let owner = &instance.name;
    let there = st.facts.link(word);
    let message = if vmac.name.is_some() {
        "VMAC interface name already specified".to_owned()
    } else if to_bytes(word).len() > MAX_NAME || word.contains('/') {
        format!("VMAC interface name '{shown}' too long or invalid characters - ignoring")
    } else if let Some(other) = others.iter().find(|other| other.makes(word)) {
        format!(
            "({owner}) VRRP instance {} is already using {shown} - ignoring name",
            other.name
        )
    } else if there.is_some_and(|link| link != Link::PrivateMacvlan) {
        format!(
            "({owner}) interface {shown} already exists and is not a private macvlan; ignoring \
             vmac if_name"
        )
    } else {
        vmac.name = Some(word.to_owned());
        return;
    };
    st.error(Class::General, message, Some(index));
}

/// `use_ipvlan [NAME] [ADDRESS[/PREFIX]] [bridge|private|vepa]`
pub(in super::super) fn use_ipvlan(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |instance| {
        let owner = format!("({})", instance.name);
        if instance.options.ipvlan.is_some() {
            let message = format!("{owner} use_ipvlan already specified");
            st.error(Class::General, message, Some(0));
            return Ok(());
        }
        instance.options.ipvlan = Some(Default::default());
        let mut index = 1;
        while let Some(word) = st.word(index) {
            let mut value = word;
            let mut at = index;
            if matches!(word, "group" | "name") {
                at += 1;
                value = st.need(at)?;
            }
            let problem = if word == "group" {
                if let Some(ipvlan) = &mut instance.options.ipvlan {
                    ipvlan.group = Some(value.to_owned());
                }
                None
            } else if let Some(mode) = mode(value).filter(|_| word != "name") {
                ipvlan_mode(instance, mode)
                    .then(|| format!("ipvlan type already specified - ignoring '{value}'"))
            } else if let Some((address, len)) = network(value).filter(|_| word != "name") {
                ipvlan_address(instance, address, len, &to_display(value))
            } else {
                ipvlan_name(st, instance, value)
            };
            if let Some(problem) = problem {
                st.error(Class::General, format!("{owner} {problem}"), Some(at));
            }
            index = at + 1;
        }
        Ok(())
    })
}

fn mode(word: &str) -> Option<IpvlanMode> {
    Some(match word {
        "bridge" => IpvlanMode::Bridge,
        "private" => IpvlanMode::Private,
        "vepa" => IpvlanMode::Vepa,
        _ => return None,
    })
}

/// Takes the mode; true: there was one already.
fn ipvlan_mode(instance: &mut InstanceDraft, mode: IpvlanMode) -> bool {
    let Some(ipvlan) = &mut instance.options.ipvlan else {
        return false;
    };
    let again = ipvlan.mode.is_some();
    ipvlan.mode = ipvlan.mode.or(Some(mode));
    again
}

/// `ADDRESS[/LENGTH]`
fn network(word: &str) -> Option<(IpAddr, Option<u8>)> {
    let (address, len) = match word.split_once('/') {
        Some((address, len)) => (address, Some(len.parse::<u8>().ok()?)),
        None => (word, None),
    };
    let address: IpAddr = address.parse().ok()?;
    (len.unwrap_or(0) <= Family::of(address).bits()).then_some((address, len))
}

/// Takes the address; what is wrong with it otherwise.
fn ipvlan_address(
    instance: &mut InstanceDraft,
    address: IpAddr,
    len: Option<u8>,
    shown: &str,
) -> Option<String> {
    let ipvlan = instance.options.ipvlan.as_mut()?;
    if ipvlan.address.is_some() {
        return Some(format!(
            "ipvlan address already specified - ignoring '{shown}'"
        ));
    }
    let family = Family::of(address);
    if *instance.family.get_or_insert(family) != family {
        return Some(format!(
            "ipvlan address[{shown}] MUST match vrrp instance family !!! Skipping..."
        ));
    }
    ipvlan.address = Some((address, len.unwrap_or_else(|| family.bits())));
    instance.options.source = Some(address);
    None
}

/// Takes the name; what is wrong with it otherwise.
fn ipvlan_name(st: &Statement<'_>, instance: &mut InstanceDraft, word: &str) -> Option<String> {
    let shown = to_display(word);
    let ipvlan = instance.options.ipvlan.as_mut()?;
    if ipvlan.name.is_some() {
        return Some(format!(
            "IPVLAN interface already specified - ignoring '{shown}'"
        ));
    }
    if to_bytes(word).len() > MAX_NAME {
        return Some(format!(
            "IPVLAN interface name '{shown}' too long - ignoring"
        ));
    }
    if st.facts.link(word).is_some_and(|link| link != Link::Ipvlan) {
        return Some(format!(
            "interface {shown} already exists and is not an l2 ipvlan; ignoring ipvlan if_name"
        ));
    }
    ipvlan.name = Some(word.to_owned());
    None
}

/// The end of a `vrrp_instance`.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let unicast = draft.instances.last().filter(|last| last.options.unicast);
    let interface = unicast.and_then(|last| last.interface.clone());
    let missing = interface.is_some_and(|name| draft.misses(&name, st.facts));
    let Some(instance) = draft.instances.last_mut() else {
        return;
    };
    let name = instance.name.clone();
    if instance.options.ttl.is_some() && instance.options.peers.is_empty() {
        let message = format!(
            "{}Cannot use unicast_ttl without unicast peers - resetting",
            owner(instance)
        );
        st.error(Class::General, message, None);
        instance.options.ttl = None;
    }
    if instance.options.unicast && instance.interface.is_none() {
        let source = instance.options.source;
        // In a VRF adverts come in by any interface of it; a socket of the VRF sees them all.
        let vrf = instance.options.vrf.clone();
        instance.found_interface =
            source.and_then(|source| vrf.or_else(|| st.facts.interface_with(source)));
    }
    let own = instance.options.vmac.is_some() || instance.options.ipvlan.is_some();
    let known = instance.interface.is_some() && !missing;
    if own && instance.options.unicast && !known {
        let message = format!(
            "({name}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac"
        );
        st.error(Class::General, message, None);
        instance.options.vmac = None;
        instance.options.ipvlan = None;
    } else if own && instance.options.unicast && !instance.options.transmit_on_base {
        let message = format!("({name}) unicast with use_vmac requires vmac_xmit_base - setting");
        st.error(Class::General, message, None);
        instance.options.transmit_on_base = true;
    }
}
