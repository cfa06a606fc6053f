//! A virtual address in dumps and JSON: with a word that says whether it is there.

use crate::conf::model::VirtualAddress;

/// `192.0.2.1/24 brd 192.0.2.255 dev eth0 scope global label eth0:1 set`.
pub(super) fn text(address: &VirtualAddress, interface: &str, set: bool) -> String {
    address.text(interface, if set { " set" } else { "" })
}
