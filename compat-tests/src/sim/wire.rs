//! Frames as the wire sees them, read and completed without the daemon's own codecs.
//!
//! Owns: what the kernel does to a raw IP packet on its way out, and an independent reading of
//! adverts, ARP and neighbour advertisements after RFC 3768 §5, RFC 9568 §5, RFC 826 and RFC 4861
//! §4.4, so that a mistake in the daemon's codecs cannot agree with itself. Never does: send.
//! Driven by: `world` and the shadow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use keepalived_rs::base::{Duration, Mac};
use keepalived_rs::wire::signature::TRAILER_LEN;

/// The IP protocol of VRRP.
const VRRP: u8 = 112;
/// The IP protocol of UDP.
const UDP: u8 = 17;
/// The IP protocol of ICMPv6.
const ICMP_V6: u8 = 58;

/// A VRRP advert with its IP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// Source and destination of the packet.
    pub ends: (IpAddr, IpAddr),
    /// 2 or 3.
    pub version: u8,
    /// Virtual router id.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Advertisement interval: whole seconds in version 2, hundredths in version 3.
    pub interval: Duration,
    /// Authentication type and data; zero in version 3.
    pub auth: (u8, [u8; 8]),
    /// Virtual addresses.
    pub addresses: Vec<IpAddr>,
}

/// A packet that announces an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Source of the Ethernet frame.
    pub from: Mac,
    /// Who says so.
    pub mac: Mac,
    /// Of which address.
    pub address: IpAddr,
}

/// The bytes of an address.
fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071); 0 over data that carries its own.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// The same over a pseudo-header as well (RFC 768 for IPv4, RFC 8200 §8.1 for IPv6).
#[must_use]
pub fn checksum_with_ends(ends: (IpAddr, IpAddr), protocol: u8, message: &[u8]) -> u16 {
    let mut bytes = octets(ends.0);
    bytes.extend(octets(ends.1));
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    // Both families: the sum of these words is that of length and protocol.
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes.extend(message);
    checksum(&bytes)
}

/// What the kernel does to a packet on a raw socket with `IP_HDRINCL` (raw(7)): it always fills in
/// the total length and the checksum, and source and identification where they are zero. With
/// `IPV6_HDRINCL` it fills in nothing.
pub fn complete_ip_header(bytes: &mut [u8], source: Option<Ipv4Addr>, identification: u16) {
    if bytes.len() < 20 || bytes[0] >> 4 != 4 {
        return;
    }
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    if bytes[4..6] == [0, 0] {
        bytes[4..6].copy_from_slice(&identification.to_be_bytes());
    }
    if bytes[12..16] == [0; 4]
        && let Some(source) = source
    {
        bytes[12..16].copy_from_slice(&source.octets());
    }
    bytes[10..12].copy_from_slice(&[0, 0]);
    let header = usize::from(bytes[0] & 0x0f) * 4;
    let sum = checksum(bytes.get(..header).unwrap_or_default());
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A UDP datagram over IPv4, without a UDP checksum, which RFC 768 allows; `None` for IPv6.
#[must_use]
pub fn datagram(from: SocketAddr, to: SocketAddr, ttl: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else {
        return None;
    };
    let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, ttl, UDP, 0, 0];
    bytes.extend(from.ip().octets());
    bytes.extend(to.ip().octets());
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    let length = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    complete_ip_header(&mut bytes, None, 1);
    Some(bytes)
}

/// Its parts, if a packet is one.
#[must_use]
pub fn read_datagram(bytes: &[u8]) -> Option<(SocketAddr, SocketAddr, u8, &[u8])> {
    let (header, rest) = bytes.split_at_checked(20)?;
    if header[0] != 0x45 || header[9] != UDP || checksum(header) != 0 {
        return None;
    }
    let (udp, payload) = rest.split_at_checked(8)?;
    let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    let address =
        |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    let from = SocketAddr::new(address(12).into(), port(0));
    let to = SocketAddr::new(address(16).into(), port(2));
    Some((from, to, header[8], payload))
}

impl Advert {
    /// The packet, IP header first.
    ///
    /// # Panics
    /// Where an end is of the other family than the other.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let body: Vec<u8> = self.addresses.iter().copied().flat_map(octets).collect();
        let length = 8 + body.len() + if self.version == 2 { 8 } else { 0 };
        let mut bytes = match self.ends {
            (IpAddr::V4(source), IpAddr::V4(to)) => {
                let mut bytes = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, VRRP, 0, 0];
                bytes.extend(source.octets());
                bytes.extend(to.octets());
                bytes
            }
            (IpAddr::V6(source), IpAddr::V6(to)) => {
                let mut bytes = vec![0x6c, 0, 0, 0];
                bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
                bytes.extend([VRRP, 255]);
                bytes.extend(source.octets());
                bytes.extend(to.octets());
                bytes
            }
            ends => panic!("{ends:?} are of two families"),
        };
        let count = u8::try_from(self.addresses.len()).unwrap_or(u8::MAX);
        bytes.extend([self.version << 4 | 1, self.vrid, self.priority, count]);
        if self.version == 2 {
            let interval = u8::try_from(self.interval.as_secs()).unwrap_or(u8::MAX);
            bytes.extend([self.auth.0, interval]);
        } else {
            let interval = u16::try_from(self.interval.as_millis() / 10).unwrap_or(0xfff);
            bytes.extend(interval.to_be_bytes());
        }
        bytes.extend([0, 0]);
        bytes.extend(body);
        if self.version == 2 {
            bytes.extend(self.auth.1);
        }
        seal(&mut bytes);
        complete_ip_header(&mut bytes, None, 1);
        bytes
    }
}

/// Where the VRRP message of a packet begins.
#[must_use]
pub fn message_at(bytes: &[u8]) -> usize {
    match bytes.first().map(|first| first >> 4) {
        Some(6) => 40,
        _ => 20,
    }
}

/// Puts the VRRP checksum of a packet right, after the version that it says.
pub fn seal(bytes: &mut [u8]) {
    let ends = ip_ends(bytes);
    let at = message_at(bytes);
    if let Some(vrrp) = bytes.get_mut(at..)
        && vrrp.len() >= 8
    {
        vrrp[6..8].copy_from_slice(&[0, 0]);
        let sum = match ends {
            Some(ends) if vrrp[0] >> 4 == 3 => checksum_with_ends(ends, VRRP, vrrp),
            Some(_) | None => checksum(vrrp),
        };
        vrrp[6..8].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Source and destination of a packet.
#[must_use]
pub fn ip_ends(bytes: &[u8]) -> Option<(IpAddr, IpAddr)> {
    if message_at(bytes) == 40 {
        let source: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
        let destination: [u8; 16] = bytes.get(24..40)?.try_into().ok()?;
        return Some((
            Ipv6Addr::from(source).into(),
            Ipv6Addr::from(destination).into(),
        ));
    }
    let source: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
    let destination: [u8; 4] = bytes.get(16..20)?.try_into().ok()?;
    Some((
        Ipv4Addr::from(source).into(),
        Ipv4Addr::from(destination).into(),
    ))
}

/// Reads the IP header: source and destination, and the rest.
///
/// # Errors
/// What is wrong with it.
fn read_ip(bytes: &[u8]) -> Result<((IpAddr, IpAddr), &[u8]), String> {
    let bad = |what: &dyn std::fmt::Debug| format!("IP header: {what:?}");
    let (ends, protocol, hops, rest) = if message_at(bytes) == 40 {
        let (header, rest) = etherparse::Ipv6Header::from_slice(bytes).map_err(|e| bad(&e))?;
        if usize::from(header.payload_length) != rest.len() {
            return Err(format!(
                "IP length {} of {}",
                header.payload_length,
                rest.len()
            ));
        }
        let ends = (
            header.source_addr().into(),
            header.destination_addr().into(),
        );
        (ends, header.next_header.0, header.hop_limit, rest)
    } else {
        let (header, rest) = etherparse::Ipv4Header::from_slice(bytes).map_err(|e| bad(&e))?;
        if usize::from(header.total_len) != bytes.len() {
            return Err(format!("IP length {} of {}", header.total_len, bytes.len()));
        }
        let ends = (
            Ipv4Addr::from(header.source).into(),
            Ipv4Addr::from(header.destination).into(),
        );
        (ends, header.protocol.0, header.time_to_live, rest)
    };
    let (_, to): (IpAddr, IpAddr) = ends;
    let group = [
        IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
        IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
    ];
    if protocol != VRRP || to.is_multicast() && !group.contains(&to) {
        return Err(format!("protocol {protocol} to {to}"));
    }
    // A unicast advert may come through a router (the peers' ranges of TTLs are the daemon's).
    if to.is_multicast() && hops != 255 {
        return Err(format!("TTL {hops}"));
    }
    Ok((ends, rest))
}

/// Reads an advert as strictly as RFC 3768 and RFC 9568 write it.
///
/// # Errors
/// What a receiver would object to.
pub fn read_advert(bytes: &[u8]) -> Result<Advert, String> {
    let (ends, vrrp) = read_ip(bytes)?;
    let [first, vrid, priority, count, fifth, sixth, _, _, rest @ ..] = vrrp else {
        return Err(format!("{} bytes of VRRP", vrrp.len()));
    };
    let bad = || format!("VRRP header {:02x?}", &vrrp[..8]);
    let (version, auth_len, interval, sum) = match first {
        0x21 => {
            let interval = Duration::from_secs(u64::from(*sixth));
            (2, 8, interval, checksum(vrrp))
        }
        0x31 => {
            let centis = u16::from_be_bytes([*fifth, *sixth]);
            if centis > 0xfff {
                return Err(bad());
            }
            let interval = Duration::from_millis(u64::from(centis) * 10);
            (3, 0, interval, checksum_with_ends(ends, VRRP, vrrp))
        }
        _ => return Err(bad()),
    };
    if *vrid == 0 || interval.is_zero() || *count == 0 {
        return Err(bad());
    }
    let size = octets(ends.0).len();
    let body = usize::from(*count) * size;
    // The signature of auth_hmac; whether it is right receivers say.
    let (rest, trailer) = rest.split_at((body + auth_len).min(rest.len()));
    if rest.len() != body + auth_len
        || (version == 2 && size == 16)
        || !matches!(trailer.len(), 0 | TRAILER_LEN)
    {
        return Err(format!("{count} addresses in {} bytes", rest.len()));
    }
    if sum != 0 {
        return Err("VRRP checksum".to_owned());
    }
    let (body, tail) = rest.split_at(body);
    let mut auth = [0; 8];
    auth[..auth_len].copy_from_slice(tail);
    let address = |octets: &[u8]| match <[u8; 4]>::try_from(octets) {
        Ok(octets) => IpAddr::from(octets),
        Err(_) => <[u8; 16]>::try_from(octets).map_or([0; 4].into(), IpAddr::from),
    };
    Ok(Advert {
        ends,
        version,
        vrid: *vrid,
        priority: *priority,
        interval,
        auth: (if version == 2 { *fifth } else { 0 }, auth),
        addresses: body.chunks_exact(size).map(address).collect(),
    })
}

/// Reads a gratuitous ARP (broadcast, sender and target address equal) or an unsolicited
/// neighbour advertisement.
///
/// # Errors
/// What is wrong with it.
pub fn read_announcement(frame: &[u8]) -> Result<Announcement, String> {
    match frame.get(12..14) {
        Some([0x86, 0xdd]) => read_neighbour_advert(frame),
        _ => read_gratuitous_arp(frame),
    }
}

fn mac_at(frame: &[u8], from: usize) -> Result<Mac, String> {
    let bytes = frame.get(from..from + 6).ok_or("short frame")?;
    let bytes = bytes.try_into().map_err(|_| "short frame".to_owned())?;
    Ok(Mac(bytes))
}

fn read_gratuitous_arp(frame: &[u8]) -> Result<Announcement, String> {
    if mac_at(frame, 0)? != Mac::BROADCAST {
        return Err("not a broadcast".to_owned());
    }
    // Ethernet type ARP; hardware Ethernet, protocol IPv4, 6 and 4 octets; request or reply.
    if frame.get(12..21) != Some(&[8, 6, 0, 1, 8, 0, 6, 4, 0]) {
        return Err(format!("not ARP: {frame:02x?}"));
    }
    if frame.get(28..32) != frame.get(38..42) || frame.len() < 42 {
        return Err(format!("not gratuitous: {frame:02x?}"));
    }
    let address: [u8; 4] = frame[28..32].try_into().map_err(|_| "short frame")?;
    Ok(Announcement {
        from: mac_at(frame, 6)?,
        mac: mac_at(frame, 22)?,
        address: address.into(),
    })
}

fn read_neighbour_advert(frame: &[u8]) -> Result<Announcement, String> {
    let (header, message) =
        etherparse::Ipv6Header::from_slice(&frame[14..]).map_err(|error| error.to_string())?;
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let to_all = mac_at(frame, 0)? == Mac([0x33, 0x33, 0, 0, 0, 1])
        && header.destination_addr() == all_nodes;
    if !to_all || header.hop_limit != 255 || header.next_header.0 != ICMP_V6 {
        return Err(format!("not to all nodes: {header:?}"));
    }
    let [136, 0, _, _, flags, 0, 0, 0, rest @ ..] = message else {
        return Err(format!("not a neighbour advertisement: {message:02x?}"));
    };
    // Override, but not solicited; the target's link-layer address is the only option.
    if flags & 0x60 != 0x20 || rest.len() != 24 || rest[16..18] != [2, 1] {
        return Err(format!("not unsolicited: {message:02x?}"));
    }
    let ends = (
        header.source_addr().into(),
        header.destination_addr().into(),
    );
    if checksum_with_ends(ends, ICMP_V6, message) != 0 {
        return Err("ICMPv6 checksum".to_owned());
    }
    let address: [u8; 16] = rest[..16].try_into().map_err(|_| "short frame")?;
    Ok(Announcement {
        from: mac_at(frame, 6)?,
        mac: mac_at(rest, 18)?,
        address: address.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advert() -> Advert {
        Advert {
            ends: ([192, 0, 2, 1].into(), [224, 0, 0, 18].into()),
            version: 2,
            vrid: 51,
            priority: 100,
            interval: Duration::from_secs(1),
            auth: (1, *b"1111\0\0\0\0"),
            addresses: vec![[192, 0, 2, 9].into()],
        }
    }

    fn third(six: bool) -> Advert {
        let address = |last: u16| match six {
            true => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).into(),
            false => IpAddr::from([192, 0, 2, u8::try_from(last).unwrap_or(0)]),
        };
        let group = match six {
            true => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
            false => IpAddr::from([224, 0, 0, 18]),
        };
        Advert {
            ends: (address(1), group),
            version: 3,
            interval: Duration::from_millis(250),
            auth: (0, [0; 8]),
            addresses: vec![address(9), address(10)],
            ..advert()
        }
    }

    // Input: the adverts above. Output: RFC 3768 §5.1 and RFC 9568 §5.1, by hand.
    #[test]
    fn an_advert_is_written_and_read() {
        let bytes = advert().write();
        assert_eq!(bytes[8..10], [255, 112]);
        assert_eq!(bytes[20..26], [0x21, 51, 100, 1, 1, 1]);
        assert_eq!(bytes[28..36], [192, 0, 2, 9, 0x31, 0x31, 0x31, 0x31]);
        assert_eq!(checksum(&bytes[..20]), 0);
        assert_eq!(read_advert(&bytes), Ok(advert()));
        let bytes = third(false).write();
        assert_eq!(bytes[20..26], [0x31, 51, 100, 2, 0, 25]);
        assert_eq!(bytes.len(), 20 + 8 + 8);
        assert_eq!(read_advert(&bytes), Ok(third(false)));
        let bytes = third(true).write();
        assert_eq!(bytes[4..8], [0, 40, 112, 255]);
        assert_eq!(bytes[40..46], [0x31, 51, 100, 2, 0, 25]);
        assert_eq!(read_advert(&bytes), Ok(third(true)));
    }

    #[test]
    fn a_wrong_byte_anywhere_in_the_message_is_noticed() {
        for (advert, at) in [
            (advert(), (20..40).chain([8, 9, 17])),
            (third(false), (20..36).chain([8, 9, 17])),
            (third(true), (40..80).chain([6, 7, 24])),
        ] {
            for at in at {
                let mut bytes = advert.write();
                bytes[at] ^= 0x40;
                assert!(read_advert(&bytes).is_err(), "{advert:?}, byte {at}");
            }
        }
    }

    // Input: a neighbour advertisement of fe80::9 (from a capture on a veth pair). Output: what
    // RFC 4861 §4.4 makes of it, and that no byte of the message may be another.
    #[test]
    fn a_neighbour_advertisement_is_read() {
        let mut frame = vec![0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
        frame.extend([0x60, 0, 0, 0, 0, 32, 58, 255]);
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);
        frame.extend(address.octets());
        frame.extend(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets());
        let message = frame.len();
        frame.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
        frame.extend(address.octets());
        frame.extend([2, 1, 2, 0, 0, 0, 0, 1]);
        let ends = (
            address.into(),
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
        );
        let sum = checksum_with_ends(ends, ICMP_V6, &frame[message..]);
        frame[message + 2..message + 4].copy_from_slice(&sum.to_be_bytes());
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let heard = Announcement {
            from: mac,
            mac,
            address: address.into(),
        };
        assert_eq!(read_announcement(&frame), Ok(heard));
        for at in message..frame.len() {
            let mut wrong = frame.clone();
            wrong[at] ^= 0x10;
            assert!(read_announcement(&wrong).is_err(), "byte {at}");
        }
    }
}
