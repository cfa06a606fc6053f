//! The names of the links that instances bring with them (`use_vmac`, `use_ipvlan`).
//!
//! Owns: which name each gets, as keepalived gives them: `vrrp.VRID`, for IPv6 `vrrp6.VRID` where
//! that is taken, then `vrrp1.VRID` and so on. Never does: look at the links that this host has.
//! Driven by: `resolve`, once all instances are known.

use std::collections::BTreeSet;

use super::super::model::{OwnLink, OwnLinkKind, Vrid, VrrpInstance};
use crate::base::{Family, Mac};

/// What keepalived calls a VMAC, before the dot.
const PREFIX: &str = "vrrp";

/// Names the own links of `instances`, in their order. `prefix` is `vmac_prefix`.
pub(super) fn name(instances: &mut [VrrpInstance], prefix: Option<&str>) {
    let explicit = instances.iter().filter_map(|instance| {
        let vmac = instance.options.vmac.as_ref()?;
        vmac.name.clone()
    });
    let mut taken: BTreeSet<String> = explicit.collect();
    for instance in instances {
        let kind = if let Some(vmac) = &instance.options.vmac {
            OwnLinkKind::Vmac(mac(instance.family, instance.vrid, vmac.mac.as_deref()))
        } else if instance.options.ipvlan {
            OwnLinkKind::Ipvlan
        } else {
            continue;
        };
        let named = instance.options.vmac.as_ref();
        let name = named.and_then(|vmac| vmac.name.clone()).or_else(|| {
            let prefix = prefix.unwrap_or(PREFIX);
            free(&taken, prefix, instance.family, instance.vrid)
        });
        if let Some(name) = name {
            taken.insert(name.clone());
            instance.own_link = Some(OwnLink { name, kind });
        }
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
    use crate::conf::model::options::Vmac;

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
        name(&mut instances, None);
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
}
