//! A LAN segment: a bridge in a namespace of its own, with a virtual cable to each host.
//!
//! Owns the switch and the cables. Never filters or delays: what is lost on the way is lost by a
//! cable that a test pulled. Driven by tests.

use super::{Host, Result};

/// How a host is joined to the LAN.
#[derive(Debug, Clone, Copy)]
pub struct Port<'a> {
    /// Name of the interface inside the host.
    pub interface: &'a str,
    /// Its hardware address; the kernel invents one if empty.
    pub mac: &'a str,
    /// Its addresses with their prefix length, such as `192.0.2.1/24`.
    pub addresses: &'a [&'a str],
}

/// One LAN segment.
pub struct Lan {
    switch: Host,
}

impl Lan {
    /// Makes a segment without hosts.
    ///
    /// # Errors
    /// When the kernel has no bridge.
    pub fn new(name: &str) -> Result<Self> {
        let switch = Host::new(name)?;
        // No snooping: a switch that has not yet seen a host's IGMP report would swallow adverts,
        // and no spanning tree: a port has to forward as soon as the cable is in.
        switch.ip_batch(
            "link add lan0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set lan0 up\n",
        )?;
        Ok(Self { switch })
    }

    /// The namespace of the bridge, where a capture on `lan0` sees what is flooded.
    #[must_use]
    pub fn switch(&self) -> &Host {
        &self.switch
    }

    /// Puts a cable between the LAN and a host, and brings the host's end up.
    ///
    /// # Errors
    /// When the interface exists already or an address is malformed.
    pub fn attach(&self, host: &Host, port: &Port<'_>) -> Result<()> {
        let Port {
            interface,
            mac,
            addresses,
        } = *port;
        let far = far_end(host, interface);
        let mac = if mac.is_empty() {
            String::new()
        } else {
            format!("address {mac}")
        };
        let near = format!("peer name {interface} {mac} netns {}", host.thread());
        self.switch.ip_batch(&format!(
            "link add {far} type veth {near}\nlink set {far} master lan0\nlink set {far} up\n"
        ))?;
        let mut lines = format!("link set {interface} up\n");
        for address in addresses {
            // Duplicate address detection would keep an IPv6 address unusable for a second.
            let (extra, broadcast) = if address.contains(':') {
                ("nodad", "")
            } else {
                ("", "broadcast +")
            };
            lines.push_str(&format!(
                "addr add {address} {broadcast} dev {interface} {extra}\n"
            ));
        }
        host.ip_batch(&lines)
    }

    /// Pulls the cable: the host's interface loses its carrier.
    ///
    /// # Errors
    /// When the host is not attached.
    pub fn unplug(&self, host: &Host, interface: &str) -> Result<()> {
        self.switch
            .must(&["ip", "link", "set", &far_end(host, interface), "down"])
            .map(drop)
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    /// When the host is not attached.
    pub fn plug(&self, host: &Host, interface: &str) -> Result<()> {
        self.switch
            .must(&["ip", "link", "set", &far_end(host, interface), "up"])
            .map(drop)
    }
}

/// Name of the switch's end of a cable. Interface names hold 15 bytes, so the host is meant by
/// its thread's id instead of its name.
fn far_end(host: &Host, interface: &str) -> String {
    let short: String = interface.chars().take(6).collect();
    format!("p{}{short}", host.thread())
}
