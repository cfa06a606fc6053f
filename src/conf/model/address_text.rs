//! A virtual address as keepalived writes it, in dumps, in JSON and in its log.
//!
//! Owns: that one line.

use std::fmt::Write;

use super::{Scope, VirtualAddress};

impl VirtualAddress {
    /// `192.0.2.1/24 brd 192.0.2.255 dev eth0 scope global label eth0:1`, where the instance is on
    /// `interface`, and what else there is to say.
    #[must_use]
    pub fn text(&self, interface: &str, rest: &str) -> String {
        let mut out = self.address.to_string();
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        // Writing to a String does not fail.
        let _ = write_rest(&mut out, self, interface, self.prefix_len != bits);
        out.push_str(rest);
        out
    }
}

fn write_rest(
    out: &mut String,
    address: &VirtualAddress,
    interface: &str,
    with_length: bool,
) -> std::fmt::Result {
    if with_length {
        write!(out, "/{}", address.prefix_len)?;
    }
    if let Some(broadcast) = address.broadcast {
        write!(out, " brd {broadcast}")?;
    }
    let device = address.interface.as_deref().unwrap_or(interface);
    write!(out, " dev {device} scope {}", scope(address.scope))?;
    if let Some(label) = &address.label {
        write!(out, " label {label}")?;
    }
    if address.address.is_ipv6() {
        // Addresses without a prefix are not to be chosen as a source (RFC 5798 §8.2.4).
        out.push_str(if with_length {
            " preferred_lft forever"
        } else {
            " deprecated"
        });
    }
    Ok(())
}

/// The kernel's name of a scope; others by number.
fn scope(scope: Scope) -> String {
    match scope.0 {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    }
}
