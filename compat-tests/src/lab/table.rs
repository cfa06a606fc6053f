//! IPVS tables as the lab compares them.
//!
//! Owns the document's table and the reading of the kernel's, both as `ipvsadm -ln` prints it and
//! as `/proc/net/ip_vs` shows it (the latter costs no process, so it is what loops look at).
//! Connection counts are left out of comparisons: they are the clients'. Driven by
//! [`super::director`].

use std::net::Ipv4Addr;

/// What the document prints, without connection counts.
pub(super) const HEADER: [&str; 3] = [
    "IP Virtual Server version 1.2.1 (size=4096)",
    "Prot LocalAddress:Port Scheduler Flags",
    "-> RemoteAddress:Port Forward Weight ActiveConn InActConn",
];
const SERVICE: &str = "TCP 182.148.15.239:3306 wrr persistent 50";

/// A real server by last byte of its address, and its weight.
pub(super) type Servers<'a> = &'a [(u8, u32)];

/// The lines that `ipvsadm -ln` should print, blanks collapsed, counts left out.
pub(super) fn expected(servers: Servers<'_>) -> Vec<String> {
    let mut lines: Vec<String> = HEADER.map(str::to_owned).into();
    lines.push(SERVICE.to_owned());
    lines.extend(
        servers
            .iter()
            .map(|(host, weight)| format!("-> 182.148.15.{host}:3306 Route {weight}")),
    );
    lines
}

/// The lines that `ipvsadm -ln` did print, blanks collapsed, counts left out.
pub(super) fn printed(output: &str) -> Vec<String> {
    output
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let words =
                if words.first() == Some(&"->") && words.get(1) != Some(&"RemoteAddress:Port") {
                    words.get(..4).unwrap_or(&words)
                } else {
                    &words
                };
            // The table's size is the kernel's choice (CONFIG_IP_VS_TAB_BITS), not the daemon's.
            if line.starts_with("IP Virtual Server") {
                HEADER[0].to_owned()
            } else {
                words.join(" ")
            }
        })
        .collect()
}

/// The real servers in `/proc/net/ip_vs`, sorted: last byte of the address, and weight. The
/// kernel lists them in the order in which they came, which depends on which check was first.
pub(super) fn servers(proc: &str) -> Vec<(u8, u32)> {
    let mut servers: Vec<(u8, u32)> = proc
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["->", server, "Route", weight, ..] = words.as_slice() else {
                return None;
            };
            let address = u32::from_str_radix(server.split_once(':')?.0, 16).ok()?;
            Some((Ipv4Addr::from(address).octets()[3], weight.parse().ok()?))
        })
        .collect();
    servers.sort_unstable();
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input: the table as the document prints it, trailing blanks included.
    /// Output: equal to what is expected, whatever the connection counts.
    #[test]
    fn the_documents_own_table_is_as_expected() {
        let output = "IP Virtual Server version 1.2.1 (size=4096)\n\
            Prot LocalAddress:Port Scheduler Flags\n  \
            -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n\
            TCP  182.148.15.239:3306 wrr persistent 50\n  \
            -> 182.148.15.233:3306          Route   3      1          0         \n  \
            -> 182.148.15.238:3306          Route   3      0          0  \n";
        assert_eq!(printed(output), expected(&[(233, 3), (238, 3)]));
        assert_ne!(printed(output), expected(&[(233, 3)]));
    }

    /// Input: lines of /proc/net/ip_vs. Output: the servers, sorted.
    #[test]
    fn the_kernels_own_listing_is_read() {
        let proc = "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
            TCP  B6940FEF:0CEA wrr persistent 50 FFFFFFFF\n  \
            -> B6940FEE:0CEA      Route   5      0          0         \n  \
            -> B6940FE9:0CEA      Route   3      0          0         \n";
        assert_eq!(servers(proc), [(233, 3), (238, 5)]);
    }
}
