//! Rows of `virtual_server`, `real_server` and `TCP_CHECK`.
//!
//! Owns: the tables. Driven by: `schema::find`.

use super::super::bind::{
    http as h, other_probes as o, probes, real_server as rs, server_policy, service_policy,
    virtual_server as vs,
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
    Keyword {
        name: "nat_mask",
        form: Form::Obsolete("no release since 1.2 has used it; remove the line"),
        doc: "obsolete",
    },
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
        "virtualhost",
        service_policy::virtualhost,
        "host that checks ask for",
    ),
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
        "DNS_CHECK",
        o::dns_check,
        Level::DnsCheck,
        None,
        "asks by DNS",
    ),
    Keyword::block(
        "HTTP_GET",
        h::http_get,
        Level::HttpGet,
        Some(h::close),
        "asks by HTTP",
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
    Keyword {
        name: "lvs_method",
        form: Form::Leaf(rs::lvs_method),
        doc: "NAT, DR or TUN",
    },
    Keyword {
        name: "retry",
        form: Form::Leaf(rs::retry),
        doc: "attempts after a failure",
    },
    Keyword::leaf(
        "virtualhost",
        server_policy::virtualhost,
        "host that checks ask for",
    ),
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
