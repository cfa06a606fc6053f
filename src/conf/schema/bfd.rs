//! Rows of `bfd_instance`.
//!
//! Owns: the table. Driven by: `schema::find`.

use super::super::bind::bfd;
use super::Keyword;

pub(super) static BFD_INSTANCE: &[Keyword] = &[
    Keyword::leaf("checker", bfd::checker, "tell the checks alone"),
    Keyword::leaf("hoplimit", bfd::ttl, "hop limit of what is sent"),
    Keyword::leaf(
        "idle_tx",
        bfd::idle_tx,
        "milliseconds between packets while down",
    ),
    Keyword::leaf(
        "max_hops",
        bfd::max_hops,
        "hops that a packet may have come",
    ),
    Keyword::leaf(
        "min_rx",
        bfd::min_rx,
        "least milliseconds between received packets",
    ),
    Keyword::leaf(
        "min_tx",
        bfd::min_tx,
        "least milliseconds between sent packets",
    ),
    Keyword::leaf("multihop", bfd::multihop, "several hops away"),
    Keyword::leaf("multiplier", bfd::multiplier, "packets that may be lost"),
    Keyword::leaf("neighbor_ip", bfd::neighbor_ip, "address of the other end"),
    Keyword::leaf("neighbour_ip", bfd::neighbor_ip, "address of the other end"),
    Keyword::leaf("passive", bfd::passive, "the other end has to begin"),
    Keyword::leaf("source_ip", bfd::source_ip, "address to send from"),
    Keyword::leaf("ttl", bfd::ttl, "TTL of what is sent"),
    Keyword::leaf("vrrp", bfd::vrrp, "tell VRRP alone"),
    Keyword::leaf("weight", bfd::weight, "weight for VRRP"),
];
