//! A virtual address in dumps and JSON: with a word that says whether it is there.

use crate::conf::model::{VirtualAddress, VrrpInstance};

/// `192.0.2.1/24 brd 192.0.2.255 dev eth0 scope global label eth0:1 set`; a link that was made
/// for it with the one below: `vrrp.51@eth0`.
pub(super) fn text(address: &VirtualAddress, instance: &VrrpInstance, set: bool) -> String {
    let below = address.interface.as_deref().unwrap_or(&instance.interface);
    let own = address.options.own_link.as_ref();
    let home = instance.own_link.as_ref();
    let own = own.or_else(|| home.filter(|_| below == instance.interface));
    let set = if set { " set" } else { "" };
    match own {
        None => address.text(&instance.interface, set),
        Some(own) => {
            let on_own = VirtualAddress {
                interface: None,
                ..address.clone()
            };
            let vmac = if address.options.vmac {
                " use_vmac"
            } else {
                ""
            };
            on_own.text(&format!("{}@{below}{vmac}", own.name), set)
        }
    }
}
