//! Rows of `virtual_server`, `real_server`, `TCP_CHECK` and `SSL`.
//!
//! Owns: the tables. Driven by: `schema::find`.

use super::super::bind::{
    bfd, http as h, other_probes as o, probes, real_server as rs, server_policy as srv,
    service_policy as sp, virtual_server as vs,
};
use super::{Form, Keyword, Level};

pub(super) static VIRTUAL_SERVER: &[Keyword] = &[
    Keyword {
        name: "alpha",
        form: Form::Leaf(vs::alpha),
        doc: "servers count as failed until a check succeeds",
    },
    Keyword {
        name: "connect_timeout",
        form: Form::Leaf(vs::connect_timeout),
        doc: "seconds that a connection may take",
    },
    Keyword {
        name: "delay_before_retry",
        form: Form::Leaf(vs::delay_before_retry),
        doc: "seconds between attempts after a failure",
    },
    Keyword {
        name: "delay_loop",
        form: Form::Leaf(vs::delay_loop),
        doc: "seconds between checks",
    },
    Keyword::leaf("flag-1", sp::scheduler_flag, "first flag of the scheduler"),
    Keyword::leaf("flag-2", sp::scheduler_flag, "second flag of the scheduler"),
    Keyword::leaf("flag-3", sp::scheduler_flag, "third flag of the scheduler"),
    Keyword::leaf(
        "ha_suspend",
        sp::ha_suspend,
        "check only while the address is here",
    ),
    Keyword::leaf("hashed", sp::hashed, "without effect"),
    Keyword::leaf("hysteresis", sp::hysteresis, "margin around the quorum"),
    Keyword::leaf(
        "inhibit_on_failure",
        sp::inhibit_on_failure,
        "servers that fail keep weight 0",
    ),
    Keyword::leaf("ip_family", sp::ip_family, "inet or inet6"),
    Keyword {
        name: "lb_algo",
        form: Form::Leaf(vs::lb_algo),
        doc: "the scheduling algorithm",
    },
    Keyword {
        name: "lb_kind",
        form: Form::Leaf(vs::lb_kind),
        doc: "NAT, DR or TUN",
    },
    Keyword {
        name: "lvs_method",
        form: Form::Leaf(vs::lb_kind),
        doc: "NAT, DR or TUN",
    },
    Keyword {
        name: "lvs_sched",
        form: Form::Leaf(vs::lb_algo),
        doc: "the scheduling algorithm",
    },
    Keyword::leaf(
        "mh-fallback",
        sp::hash_flag,
        "mh: another server if the one is down",
    ),
    Keyword::leaf("mh-port", sp::hash_flag, "mh: the port counts"),
    Keyword {
        name: "nat_mask",
        form: Form::Obsolete("no release since 1.2 has used it; remove the line"),
        doc: "obsolete",
    },
    Keyword::leaf("omega", sp::omega, "scripts run at the stop"),
    Keyword::leaf("ops", sp::ops, "one-packet scheduling"),
    Keyword::leaf(
        "persistence_engine",
        sp::persistence_engine,
        "what identifies a client",
    ),
    Keyword {
        name: "persistence_granularity",
        form: Form::Leaf(vs::persistence_granularity),
        doc: "clients that count as one",
    },
    Keyword {
        name: "persistence_timeout",
        form: Form::Leaf(vs::persistence_timeout),
        doc: "seconds that a client stays with its server",
    },
    Keyword {
        name: "protocol",
        form: Form::Leaf(vs::protocol),
        doc: "TCP, UDP or SCTP",
    },
    Keyword::leaf("quorum", sp::quorum, "sum of weights that is needed"),
    Keyword::leaf(
        "quorum_down",
        sp::quorum_down,
        "runs when the quorum is lost",
    ),
    Keyword::leaf("quorum_up", sp::quorum_up, "runs when the quorum is gained"),
    Keyword {
        name: "real_server",
        form: Form::Block {
            open: rs::open,
            inner: Level::RealServer,
            close: Some(rs::close),
        },
        doc: "a server behind the service",
    },
    Keyword {
        name: "retry",
        form: Form::Leaf(vs::retry),
        doc: "attempts after a failure",
    },
    Keyword::leaf(
        "sh-fallback",
        sp::hash_flag,
        "sh: another server if the one is down",
    ),
    Keyword::leaf("sh-port", sp::hash_flag, "sh: the port counts"),
    Keyword::leaf("smtp_alert", sp::smtp_alert, "mail at changes"),
    Keyword::leaf(
        "sorry_server",
        sp::sorry_server,
        "used when the quorum is lost",
    ),
    Keyword::leaf(
        "sorry_server_inhibit",
        sp::sorry_server_inhibit,
        "it keeps weight 0 else",
    ),
    Keyword::leaf(
        "sorry_server_lvs_method",
        sp::sorry_server_lvs_method,
        "NAT, DR or TUN",
    ),
    Keyword::leaf("virtualhost", sp::virtualhost, "host that checks ask for"),
    Keyword {
        name: "warmup",
        form: Form::Leaf(vs::warmup),
        doc: "largest random delay of the first check",
    },
    Keyword {
        name: "weight",
        form: Form::Leaf(vs::weight),
        doc: "weight of servers that set none",
    },
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
    Keyword {
        name: "TCP_CHECK",
        form: Form::Block {
            open: probes::tcp_check,
            inner: Level::TcpCheck,
            close: None,
        },
        doc: "connects by TCP",
    },
    Keyword::block(
        "UDP_CHECK",
        o::udp_check,
        Level::UdpCheck,
        Some(o::close_udp),
        "sends a datagram",
    ),
    Keyword {
        name: "alpha",
        form: Form::Leaf(rs::alpha),
        doc: "counts as failed until a check succeeds",
    },
    Keyword {
        name: "connect_timeout",
        form: Form::Leaf(rs::connect_timeout),
        doc: "seconds that a connection may take",
    },
    Keyword {
        name: "delay_before_retry",
        form: Form::Leaf(rs::delay_before_retry),
        doc: "seconds between attempts after a failure",
    },
    Keyword {
        name: "delay_loop",
        form: Form::Leaf(rs::delay_loop),
        doc: "seconds between checks",
    },
    Keyword::leaf(
        "inhibit_on_failure",
        srv::inhibit_on_failure,
        "it keeps weight 0 when it fails",
    ),
    Keyword::leaf(
        "lthreshold",
        srv::lthreshold,
        "connections below which it gets new ones again",
    ),
    Keyword {
        name: "lvs_method",
        form: Form::Leaf(rs::lvs_method),
        doc: "NAT, DR or TUN",
    },
    Keyword::leaf("notify_down", srv::notify_down, "runs when it fails"),
    Keyword::leaf("notify_up", srv::notify_up, "runs when it comes back"),
    Keyword {
        name: "retry",
        form: Form::Leaf(rs::retry),
        doc: "attempts after a failure",
    },
    Keyword::leaf("smtp_alert", srv::smtp_alert, "mail at changes"),
    Keyword::leaf(
        "uthreshold",
        srv::uthreshold,
        "connections beyond which it gets none",
    ),
    Keyword::leaf("virtualhost", srv::virtualhost, "host that checks ask for"),
    Keyword {
        name: "warmup",
        form: Form::Leaf(rs::warmup),
        doc: "largest random delay of the first check",
    },
    Keyword {
        name: "weight",
        form: Form::Leaf(rs::weight),
        doc: "share of the load",
    },
];

pub(super) static TCP_CHECK: &[Keyword] = &[
    Keyword {
        name: "alpha",
        form: Form::Leaf(probes::alpha),
        doc: "counts as failed until a check succeeds",
    },
    Keyword {
        name: "bind_if",
        form: Form::Leaf(probes::bind_if),
        doc: "interface to connect through",
    },
    Keyword {
        name: "bind_port",
        form: Form::Leaf(probes::bind_port),
        doc: "port to connect from",
    },
    Keyword {
        name: "bindto",
        form: Form::Leaf(probes::bindto),
        doc: "address to connect from",
    },
    Keyword {
        name: "connect_ip",
        form: Form::Leaf(probes::connect_ip),
        doc: "address to connect to",
    },
    Keyword {
        name: "connect_port",
        form: Form::Leaf(probes::connect_port),
        doc: "port to connect to",
    },
    Keyword {
        name: "connect_timeout",
        form: Form::Leaf(probes::connect_timeout),
        doc: "seconds that the connection may take",
    },
    Keyword {
        name: "delay_before_retry",
        form: Form::Leaf(probes::delay_before_retry),
        doc: "seconds between attempts after a failure",
    },
    Keyword {
        name: "delay_loop",
        form: Form::Leaf(probes::delay_loop),
        doc: "seconds between checks",
    },
    Keyword {
        name: "fwmark",
        form: Form::Leaf(probes::fwmark),
        doc: "mark of the packets",
    },
    Keyword {
        name: "log_all_failures",
        form: Form::Leaf(probes::log_all_failures),
        doc: "log every failed attempt",
    },
    Keyword {
        name: "nb_get_retry",
        form: Form::Leaf(probes::nb_get_retry),
        doc: "older spelling of retry",
    },
    Keyword {
        name: "retry",
        form: Form::Leaf(probes::retry),
        doc: "attempts after a failure",
    },
    Keyword {
        name: "warmup",
        form: Form::Leaf(probes::warmup),
        doc: "largest random delay of the first check",
    },
];

pub(super) static SSL: &[Keyword] = &[
    Keyword::leaf("ca", bfd::ca, "file of certificates"),
    Keyword::leaf("certificate", bfd::certificate, "file of the certificate"),
    Keyword::leaf("key", bfd::key, "file of the key"),
    Keyword::leaf("password", bfd::password, "password of the key"),
];
