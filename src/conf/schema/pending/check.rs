//! Rows of the virtual servers and their servers whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{
    http as h, other_probes as o, server_policy as s, service_policy as v,
};
use super::super::{Keyword, Level};

pub(super) static VIRTUAL_SERVER: &[Keyword] = &[
    Keyword::leaf(
        "ha_suspend",
        v::ha_suspend,
        "check only while the address is here",
    ),
    Keyword::leaf("smtp_alert", v::smtp_alert, "mail at changes"),
    Keyword::leaf("snmp_name", v::snmp_name, "name in the MIB"),
    Keyword::leaf("virtualhost", v::virtualhost, "host that checks ask for"),
];

pub(super) static REAL_SERVER: &[Keyword] = &[
    Keyword::block(
        "BFD_CHECK",
        o::bfd_check,
        Level::BfdCheck,
        Some(o::close_bfd),
        "looks at a BFD session",
    ),
    Keyword::block(
        "DNS_CHECK",
        o::dns_check,
        Level::DnsCheck,
        None,
        "asks by DNS",
    ),
    Keyword::block(
        "FILE_CHECK",
        o::file_check,
        Level::FileCheck,
        Some(o::close_file),
        "looks at a tracked file",
    ),
    Keyword::block(
        "HTTP_GET",
        h::http_get,
        Level::HttpGet,
        Some(h::close),
        "asks by HTTP",
    ),
    Keyword::block(
        "MISC_CHECK",
        o::misc_check,
        Level::MiscCheck,
        Some(o::close_misc),
        "runs a command",
    ),
    Keyword::block(
        "PING_CHECK",
        o::ping_check,
        Level::PingCheck,
        None,
        "sends an ICMP echo",
    ),
    Keyword::block(
        "SMTP_CHECK",
        o::smtp_check,
        Level::SmtpCheck,
        None,
        "greets by SMTP",
    ),
    Keyword::block(
        "SSL_GET",
        h::ssl_get,
        Level::SslGet,
        Some(h::close),
        "asks by HTTPS",
    ),
    Keyword::block(
        "UDP_CHECK",
        o::udp_check,
        Level::UdpCheck,
        Some(o::close_udp),
        "sends a datagram",
    ),
    Keyword::leaf("smtp_alert", s::smtp_alert, "mail at changes"),
    Keyword::leaf("snmp_name", s::snmp_name, "name in the MIB"),
    Keyword::leaf("virtualhost", s::virtualhost, "host that checks ask for"),
];
