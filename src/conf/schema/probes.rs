//! Rows of the checks beyond `TCP_CHECK`.
//!
//! Owns: the tables. Driven by: `schema::find`.

use super::super::bind::{http as h, other_probes as o, probes as p};
use super::{Keyword, Level};

pub(super) static HTTP_GET: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("enable_sni", h::enable_sni, "name the host in TLS"),
    Keyword::leaf(
        "fast_recovery",
        h::fast_recovery,
        "one success of what failed is enough",
    ),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf("http_protocol", h::http_protocol, "1.0, 1.0C or 1.1"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf("nb_get_retry", h::nb_get_retry, "older spelling of retry"),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf("sni_name", h::sni_name, "the name in TLS"),
    Keyword::block(
        "url",
        h::url,
        Level::Url,
        Some(h::close_url),
        "a resource to ask for",
    ),
    Keyword::leaf(
        "virtualhost",
        h::virtualhost,
        "name of the host that is asked",
    ),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static URL: &[Keyword] = &[
    Keyword::leaf("digest", h::digest, "MD5 sum of the body"),
    Keyword::leaf("path", h::path, "path of the request"),
    Keyword::leaf("regex", h::regex, "pattern that the body matches"),
    Keyword::leaf(
        "regex_max_offset",
        h::regex_max_offset,
        "last byte where a match counts",
    ),
    Keyword::leaf(
        "regex_min_offset",
        h::regex_min_offset,
        "first byte where a match counts",
    ),
    Keyword::leaf(
        "regex_no_match",
        h::regex_no_match,
        "the body must not match",
    ),
    Keyword::leaf("regex_options", h::regex_options, "options of the pattern"),
    Keyword::leaf(
        "regex_stack",
        h::regex_stack,
        "stack of the pattern matcher, in bytes",
    ),
    Keyword::leaf("status_code", h::status_code, "codes that count as success"),
    Keyword::leaf(
        "virtualhost",
        h::url_virtualhost,
        "name of the host that is asked",
    ),
];

pub(super) static SSL_GET: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("enable_sni", h::enable_sni, "name the host in TLS"),
    Keyword::leaf(
        "fast_recovery",
        h::fast_recovery,
        "one success of what failed is enough",
    ),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf("http_protocol", h::http_protocol, "1.0, 1.0C or 1.1"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf("nb_get_retry", h::nb_get_retry, "older spelling of retry"),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf("sni_name", h::sni_name, "the name in TLS"),
    Keyword::leaf(
        "tls_compliant",
        h::tls_compliant,
        "the peer has to close TLS in order",
    ),
    Keyword::block(
        "url",
        h::url,
        Level::SslUrl,
        Some(h::close_url),
        "a resource to ask for",
    ),
    Keyword::leaf(
        "virtualhost",
        h::virtualhost,
        "name of the host that is asked",
    ),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static SMTP_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf("helo_name", o::helo_name, "name in the HELO"),
    Keyword::block(
        "host",
        o::host,
        Level::SmtpHost,
        Some(o::close_host),
        "another target",
    ),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static SMTP_HOST: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static DNS_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf("name", o::dns_name, "domain to ask for"),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf("type", o::dns_type, "record to ask for"),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static UDP_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf(
        "max_reply_length",
        o::max_reply_length,
        "longest reply, in bytes",
    ),
    Keyword::leaf(
        "min_reply_length",
        o::min_reply_length,
        "shortest reply, in bytes",
    ),
    Keyword::leaf("payload", o::payload, "what is sent, in hexadecimal"),
    Keyword::leaf(
        "require_reply",
        o::require_reply,
        "what has to come back, in hexadecimal",
    ),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static PING_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("bind_if", p::bind_if, "interface to connect through"),
    Keyword::leaf("bind_port", p::bind_port, "port to connect from"),
    Keyword::leaf("bindto", p::bindto, "address to connect from"),
    Keyword::leaf("connect_ip", p::connect_ip, "address to connect to"),
    Keyword::leaf("connect_port", p::connect_port, "port to connect to"),
    Keyword::leaf(
        "connect_timeout",
        p::connect_timeout,
        "seconds that the connection may take",
    ),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf("fwmark", p::fwmark, "mark of the packets"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static SSL_URL: &[Keyword] = &[
    Keyword::leaf("digest", h::digest, "MD5 sum of the body"),
    Keyword::leaf("path", h::path, "path of the request"),
    Keyword::leaf("regex", h::regex, "pattern that the body matches"),
    Keyword::leaf(
        "regex_max_offset",
        h::regex_max_offset,
        "last byte where a match counts",
    ),
    Keyword::leaf(
        "regex_min_offset",
        h::regex_min_offset,
        "first byte where a match counts",
    ),
    Keyword::leaf(
        "regex_no_match",
        h::regex_no_match,
        "the body must not match",
    ),
    Keyword::leaf("regex_options", h::regex_options, "options of the pattern"),
    Keyword::leaf(
        "regex_stack",
        h::regex_stack,
        "stack of the pattern matcher, in bytes",
    ),
    Keyword::leaf("status_code", h::status_code, "codes that count as success"),
    Keyword::leaf(
        "tls_compliant",
        h::url_tls_compliant,
        "the peer has to close TLS in order",
    ),
    Keyword::leaf(
        "virtualhost",
        h::url_virtualhost,
        "name of the host that is asked",
    ),
];

pub(super) static MISC_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf(
        "delay_before_retry",
        p::delay_before_retry,
        "seconds between attempts after a failure",
    ),
    Keyword::leaf("delay_loop", p::delay_loop, "seconds between checks"),
    Keyword::leaf(
        "log_all_failures",
        p::log_all_failures,
        "log every failed attempt",
    ),
    Keyword::leaf(
        "misc_dynamic",
        o::misc_dynamic,
        "its exit status sets the weight",
    ),
    Keyword::leaf("misc_path", o::misc_path, "command to run"),
    Keyword::leaf(
        "misc_timeout",
        o::misc_timeout,
        "seconds after which it is killed",
    ),
    Keyword::leaf("retry", p::retry, "attempts after a failure"),
    Keyword::leaf("user", o::misc_user, "user and group that run it"),
    Keyword::leaf(
        "warmup",
        p::warmup,
        "largest random delay of the first check",
    ),
];

pub(super) static FILE_CHECK: &[Keyword] = &[
    Keyword::leaf("track_file", o::track_file, "name of the tracked file"),
    Keyword::leaf("weight", o::file_weight, "factor of the value in the file"),
];

pub(super) static BFD_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("name", o::bfd_name, "name of the session"),
];
