//! Counters of one instance, named as keepalived's statistics name them.
//!
//! Owns: numbers. Never does: decide anything. Driven by: the machines of this domain.

use crate::base::{Blank, Rare};

/// What an instance has seen and done since its start; survives a reload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // The names are those of keepalived.stats and of its JSON.
pub struct Stats {
    pub advert_rcvd: u64,
    pub advert_sent: u64,
    pub become_master: u64,
    pub release_master: u64,
    pub pri_zero_rcvd: u64,
    pub pri_zero_sent: u64,
    /// Few instances ever count one.
    pub errors: Rare<Errors>,
}

/// Adverts that were refused, by the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // As above.
pub struct Errors {
    pub packet_len_err: u64,
    pub advert_interval_err: u64,
    pub ip_ttl_err: u64,
    pub version_err: u64,
    pub checksum_err: u64,
    pub invalid_type_rcvd: u64,
    pub addr_list_err: u64,
    pub invalid_authtype: u64,
    pub authtype_mismatch: u64,
    pub auth_failure: u64,
    pub auth_ext_missing: u64,
    pub auth_ext_malformed: u64,
    pub auth_ext_unknown_key: u64,
    pub auth_ext_invalid_hmac: u64,
    pub auth_ext_stale: u64,
    pub auth_ext_replay: u64,
}

impl Blank for Errors {
    const BLANK: &'static Self = &Self {
        packet_len_err: 0,
        advert_interval_err: 0,
        ip_ttl_err: 0,
        version_err: 0,
        checksum_err: 0,
        invalid_type_rcvd: 0,
        addr_list_err: 0,
        invalid_authtype: 0,
        authtype_mismatch: 0,
        auth_failure: 0,
        auth_ext_missing: 0,
        auth_ext_malformed: 0,
        auth_ext_unknown_key: 0,
        auth_ext_invalid_hmac: 0,
        auth_ext_stale: 0,
        auth_ext_replay: 0,
    };
}
