//! Options within the lines of a configuration: cases/keywords/options.tsv.
//!
//! Owns: the rows of that table and the file around each line. Never does: judge what comes out.
//! Driven by: the guard that each option means something, and the comparison with the real daemon.

use std::path::Path;

/// A row.
#[derive(Debug, Clone)]
pub struct OptionRow {
    /// The block that the lines stand in, below the one that it stands in.
    pub block: String,
    /// A line with the option.
    pub with: String,
    /// The same line without it; may be empty.
    pub without: String,
    /// Why both mean the same, if they do.
    pub same: Option<String>,
}

/// All rows.
///
/// # Panics
/// If the table is not there or a row has not three or four fields.
#[must_use]
#[allow(clippy::expect_used, clippy::panic)] // Test data of this very repository.
pub fn rows() -> Vec<OptionRow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/keywords/options.tsv");
    let text = std::fs::read_to_string(path).expect("the table of options");
    let rows = text
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'));
    rows.map(|row| {
        let fields: Vec<&str> = row.split('\t').collect();
        let (block, with, without, same) = match fields[..] {
            [block, with, without] => (block, with, without, None),
            [block, with, without, same] => (block, with, without, Some(same.to_owned())),
            _ => panic!("not three or four fields: {row}"),
        };
        OptionRow {
            block: block.to_owned(),
            with: with.replace("; ", "\n"),
            without: without.replace("; ", "\n"),
            same,
        }
    })
    .collect()
}

/// What can be tracked.
const TRACKERS: &str = "\
vrrp_script s {
    script /bin/true
}
vrrp_track_process p {
    process nginx
}
track_file f {
    file /etc/hostname
    weight 1
}
bfd_instance b {
    neighbor_ip 192.168.1.9
    source_ip 192.168.1.1
}
";

fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n192.168.1.77\n}}\n{lines}\n}}\n"
    )
}

fn service(head: &str, lines: &str, server: &str) -> String {
    format!(
        "virtual_server {head} {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{lines}\n\
         real_server 192.168.1.5 80 {{\nweight 1\n{server}\n}}\n}}\n"
    )
}

/// A whole configuration in which `line` stands in `block`.
///
/// # Panics
/// If there is no file for that block.
#[must_use]
#[allow(clippy::panic)] // As above.
pub fn configuration(block: &str, line: &str) -> String {
    let plain = "10.0.0.1 80";
    let within = |block: &str| format!("{block} {{\n{line}\n}}\n");
    let tracked = |head: &str, tracker: &str| {
        format!("{head} {{\n{line}\n}}\n") + &instance(&within_of(tracker))
    };
    match block.split_once('/') {
        // Its family is that of its first address.
        Some(("vrrp_instance", "virtual_ipaddress")) => format!(
            "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\n{}}}\n",
            within("virtual_ipaddress")
        ),
        Some(("vrrp_instance", inner)) => TRACKERS.to_owned() + &instance(&within(inner)),
        Some(("vrrp_sync_group", inner)) => {
            let group = format!(
                "vrrp_sync_group G {{\ngroup {{\nV\n}}\n{}}}\n",
                within(inner)
            );
            TRACKERS.to_owned() + &instance("") + &group
        }
        Some(("garp_group", inner)) => {
            format!("garp_group {{\ngarp_interval 1\n{}}}\n", within(inner)) + &instance("")
        }
        Some(_) => panic!("no file for {block}"),
        None => match block {
            "global_defs" => within(block) + &instance("") + &service(plain, "", ""),
            "vrrp_instance" => TRACKERS.to_owned() + &instance(line),
            "authentication" => instance(&within(block)),
            // Another key than any that the line may define.
            "auth_hmac" => {
                let key = "0123456789abcdef".repeat(2);
                instance(&format!(
                    "auth_hmac {{\nkey 200 {key}\nactive_key 200\n{line}\n}}"
                ))
            }
            "static_ipaddress" | "static_routes" | "static_rules" => {
                let group = "track_group g {\ngroup {\nV\n}\n}\n";
                group.to_owned() + &within(block) + &instance("")
            }
            "interface_up_down_delays" | "linkbeat_interfaces" => within(block) + &instance(""),
            "virtual_server_group" => {
                within("virtual_server_group g") + &service("group g", "", "")
            }
            "virtual_server" => service(plain, line, ""),
            "real_server" => service(plain, "", line),
            "url" => {
                let check = format!("HTTP_GET {{\nurl {{\npath /\n{line}\n}}\n}}");
                service(plain, "", &check)
            }
            "HTTP_GET" | "SSL_GET" => {
                let check = format!("{block} {{\nurl {{\npath /\n}}\n{line}\n}}");
                service(plain, "", &check)
            }
            "DNS_CHECK" => {
                let check = format!("DNS_CHECK {{\nname example.com\n{line}\n}}");
                service(plain, "", &check)
            }
            "MISC_CHECK" => {
                let check = format!("MISC_CHECK {{\nmisc_path /bin/true\n{line}\n}}");
                service(plain, "", &check)
            }
            "FILE_CHECK" => {
                let check = format!("FILE_CHECK {{\ntrack_file f\n{line}\n}}");
                TRACKERS.to_owned() + &service(plain, "", &check)
            }
            "host" => {
                let check = format!("SMTP_CHECK {{\nhost {{\n{line}\n}}\n}}");
                service(plain, "", &check)
            }
            "TCP_CHECK" | "SMTP_CHECK" | "PING_CHECK" | "UDP_CHECK" => {
                service(plain, "", &within(block))
            }
            "garp_group" => {
                let group = format!("garp_group {{\n{line}\ninterface eth0\n}}\n");
                group + &instance("")
            }
            // The top level.
            "-" => format!("{line}\n{}", instance("")),
            "vrrp_script" => {
                tracked("vrrp_script t", "script").replacen("{\n", "{\nscript /bin/true\n", 1)
            }
            "vrrp_track_process" => {
                tracked("vrrp_track_process t", "process").replacen("{\n", "{\nprocess httpd\n", 1)
            }
            "track_file" | "vrrp_track_file" => {
                tracked(&format!("{block} t"), "file").replacen("{\n", "{\nfile /etc/hosts\n", 1)
            }
            "bfd_instance" => tracked("bfd_instance t", "bfd").replacen(
                "{\n",
                "{\nneighbor_ip 192.168.1.9\nsource_ip 192.168.1.1\n",
                1,
            ),
            _ => panic!("no file for {block}"),
        },
    }
}

fn within_of(tracker: &str) -> String {
    format!("track_{tracker} {{\nt\n}}\n")
}
