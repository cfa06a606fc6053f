//! The names of the links that instances bring with them (`use_vmac`, `use_ipvlan`).
//!
//! Owns: which name each gets, as keepalived gives them: `vrrp.VRID`, for IPv6 `vrrp6.VRID` where
//! that is taken, then `vrrp1.VRID` and so on. Never does: look at the links that this host has.
//! Driven by: `resolve`, once all instances are known.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{OwnLink, OwnLinkKind, Vrid, VrrpDefaults, VrrpInstance};
use crate::base::{Family, Mac};

/// What keepalived calls a VMAC, before the dot.
const PREFIX: &str = "vrrp";

/// Names the own links of `instances`, in their order, and those that addresses bring with them.
/// Prefixes are `vmac_prefix` and `vmac_addr_prefix`.
pub(super) fn name(instances: &mut [VrrpInstance], global: &VrrpDefaults) {
    let prefix = global.vmac_prefix.as_deref().unwrap_or(PREFIX);
    let of_addresses = global.vmac_address_prefix.as_deref().unwrap_or(prefix);
    let mut taken: BTreeSet<String> = instances.iter().filter_map(configured).collect();
    for instance in instances {
        if let Some(kind) = kind(instance) {
            let name = configured(instance)
                .or_else(|| free(&taken, prefix, instance.family, instance.vrid));
            if let Some(name) = name {
                taken.insert(name.clone());
                instance.own_link = Some(OwnLink { name, kind });
            }
        }
        carry_addresses(instance, of_addresses, &mut taken);
    }
}

/// What the instance's own link is, if it has one.
fn kind(instance: &VrrpInstance) -> Option<OwnLinkKind> {
    if let Some(vmac) = &instance.options.vmac {
        let mac = mac(instance.family, instance.vrid, vmac.mac.as_deref());
        return Some(OwnLinkKind::Vmac(mac));
    }
    let ipvlan = instance.options.ipvlan.is_some();
    ipvlan.then_some(OwnLinkKind::Ipvlan)
}

/// Gives addresses with `use_vmac`, or with `use_vmac_addr` those that no VMAC of the instance
/// carries, one link for each interface and family.
fn carry_addresses(instance: &mut VrrpInstance, prefix: &str, taken: &mut BTreeSet<String>) {
    let (vrid, own_family) = (instance.vrid, instance.family);
    let own_vmac = instance.options.vmac.is_some();
    let all = instance.options.vmac_for_addresses;
    let own_interface = instance.interface.clone();
    let mut made: BTreeMap<(String, bool), OwnLink> = BTreeMap::new();
    let addresses = instance.addresses.iter_mut();
    for vip in addresses.chain(&mut instance.options.excluded) {
        let family = Family::of(vip.address);
        let below = vip.interface.as_ref().unwrap_or(&own_interface);
        let at_home = *below == own_interface && family == own_family;
        // What names no interface is on the instance's VMAC already.
        let carried = own_vmac && at_home;
        if carried || !(vip.options.vmac || all && !at_home) {
            continue;
        }
        let key = (below.clone(), family == Family::V6);
        if let Some(link) = made.get(&key) {
            vip.options.own_link = Some(link.clone());
        } else if let Some(name) = free(taken, prefix, family, vrid) {
            taken.insert(name.clone());
            let kind = OwnLinkKind::Vmac(mac(family, vrid, None));
            let link = OwnLink { name, kind };
            vip.options.own_link = Some(link.clone());
            made.insert(key, link);
        }
    }
}

/// The name that the file gives.
fn configured(instance: &VrrpInstance) -> Option<String> {
    let options = &instance.options;
    match (&options.vmac, &options.ipvlan) {
        (Some(vmac), _) => vmac.name.clone(),
        (None, Some(ipvlan)) => ipvlan.name.clone(),
        (None, None) => None,
    }
}

/// The first name that nobody has.
fn free(taken: &BTreeSet<String>, prefix: &str, family: Family, vrid: Vrid) -> Option<String> {
    let vrid = vrid.get();
    let v6 = (family == Family::V6).then(|| format!("{prefix}6.{vrid}"));
    let numbered = (1..=u8::MAX).map(|number| format!("{prefix}{number}.{vrid}"));
    std::iter::once(format!("{prefix}.{vrid}"))
        .chain(v6)
        .chain(numbered)
        .find(|name| !taken.contains(name))
}

/// The virtual MAC address (RFC 9568 §7.3), or the one that is configured: of five bytes, the last
/// one is the virtual router id.
fn mac(family: Family, vrid: Vrid, configured: Option<&[u8]>) -> Mac {
    let family = match family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    let mut mac = [0, 0, 0x5e, 0, family, vrid.get()];
    for (to, from) in mac.iter_mut().zip(configured.unwrap_or_default()) {
        *to = *from;
    }
    Mac(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rare;
    use crate::conf::model::options::Vmac;
    use crate::conf::model::{AddressOptions, Scope, VirtualAddress};

    fn instance(interface: &str, family: Family, vrid: u8, vmac: Vmac) -> VrrpInstance {
        let mut instance = VrrpInstance::new("VI", Vrid::new(vrid).unwrap(), interface);
        instance.family = family;
        instance.options.vmac = Some(vmac);
        instance
    }

    // Input: VRID 51 on two interfaces in both families, then one with a name and five bytes of an
    // address, then one with six. Output: the names and addresses that keepalived 2.2.7 gives them.
    #[test]
    fn names_and_addresses_are_keepalived_s() {
        let plain = Vmac::default;
        let five = Vmac {
            name: Some("name8".to_owned()),
            mac: Some(vec![2, 3, 4, 5, 6]),
            ..Vmac::default()
        };
        let six = Vmac {
            mac: Some(vec![2, 3, 4, 5, 6, 7]),
            ..Vmac::default()
        };
        let mut instances = [
            instance("eth0", Family::V4, 51, plain()),
            instance("eth1", Family::V4, 51, plain()),
            instance("eth0", Family::V6, 51, plain()),
            instance("eth1", Family::V6, 51, plain()),
            instance("eth1", Family::V4, 58, five),
            instance("eth1", Family::V4, 59, six),
        ];
        name(&mut instances, &VrrpDefaults::default());
        let links: Vec<_> = instances
            .iter()
            .map(|instance| {
                let link = instance.own_link.clone().unwrap();
                let OwnLinkKind::Vmac(Mac(mac)) = link.kind else {
                    panic!("{link:?}")
                };
                (link.name, mac)
            })
            .collect();
        let expected = [
            ("vrrp.51", [0, 0, 0x5e, 0, 1, 51]),
            ("vrrp1.51", [0, 0, 0x5e, 0, 1, 51]),
            ("vrrp6.51", [0, 0, 0x5e, 0, 2, 51]),
            ("vrrp2.51", [0, 0, 0x5e, 0, 2, 51]),
            ("name8", [2, 3, 4, 5, 6, 58]),
            ("vrrp.59", [2, 3, 4, 5, 6, 7]),
        ];
        assert_eq!(links, expected.map(|(name, mac)| (name.to_owned(), mac)));
    }

    fn address(text: &str, interface: Option<&str>, vmac: bool) -> VirtualAddress {
        let address: std::net::IpAddr = text.parse().unwrap();
        VirtualAddress {
            address,
            prefix_len: 24,
            interface: interface.map(str::to_owned),
            scope: Scope::GLOBAL,
            broadcast: None,
            label: None,
            options: Rare::from(AddressOptions {
                vmac,
                ..AddressOptions::default()
            }),
        }
    }

    fn carriers(instance: &VrrpInstance) -> Vec<Option<&str>> {
        let all = instance.addresses.iter().chain(&instance.options.excluded);
        let links = all.map(|vip| vip.options.own_link.as_ref());
        links
            .map(|link| link.map(|link| link.name.as_str()))
            .collect()
    }

    // Input: addresses with and without `use_vmac` on two interfaces and of both families. Output: the
    // links that keepalived 2.2.7 makes: one for each interface and family.
    #[test]
    fn addresses_share_links_of_their_own() {
        let global = VrrpDefaults {
            vmac_address_prefix: Some("foo".into()),
            ..VrrpDefaults::default()
        };
        let mut one = VrrpInstance::new("VI", Vrid::new(51).unwrap(), "eth0");
        one.addresses = vec![
            address("10.0.0.100", None, false),
            address("10.1.0.100", Some("eth1"), true),
            address("10.1.0.101", Some("eth1"), true),
            address("10.1.0.102", Some("eth1"), false),
        ];
        one.options.excluded = vec![
            address("10.0.0.110", None, true),
            address("2001:db8::5", Some("eth1"), true),
        ];
        name(std::slice::from_mut(&mut one), &global);
        let (foo, foo1, foo6) = (Some("foo.51"), Some("foo1.51"), Some("foo6.51"));
        assert_eq!(carriers(&one), [None, foo, foo, None, foo1, foo6]);
    }

    // Input: an instance with `use_vmac` and `use_vmac_addr`. Output: addresses at home stay on its
    // own VMAC, those elsewhere and of the other family get another.
    #[test]
    fn a_vmac_of_the_instance_carries_what_is_at_home() {
        let mut one = instance("eth0", Family::V4, 51, Vmac::default());
        one.options.vmac_for_addresses = true;
        one.addresses = vec![
            address("10.0.0.100", None, true),
            address("10.1.0.100", Some("eth1"), false),
        ];
        one.options.excluded = vec![address("2001:db8::5", None, false)];
        name(std::slice::from_mut(&mut one), &VrrpDefaults::default());
        assert_eq!(one.own_link.as_ref().unwrap().name, "vrrp.51");
        assert_eq!(carriers(&one), [None, Some("vrrp1.51"), Some("vrrp6.51")]);
    }
}
