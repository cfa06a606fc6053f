//! Frames as the wire sees them, read and completed without the daemon's own codecs.
//!
//! Owns: what the kernel does to a raw IP packet on its way out, and an independent reading of
//! adverts and ARP after RFC 3768 §5 and RFC 826, so that a mistake in the daemon's codecs cannot
//! agree with itself. Never does: send. Driven by: `world` and the shadow.

use std::net::Ipv4Addr;

use keepalived_rs::base::Mac;

/// A VRRP version 2 advert with its IP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// Source address.
    pub source: Ipv4Addr,
    /// Virtual router id.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Advertisement interval in seconds.
    pub interval: u8,
    /// Authentication type and data.
    pub auth: (u8, [u8; 8]),
    /// Virtual addresses.
    pub addresses: Vec<Ipv4Addr>,
}

/// An ARP packet that announces an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Source of the Ethernet frame.
    pub from: Mac,
    /// Who says so.
    pub mac: Mac,
    /// Of which address.
    pub address: Ipv4Addr,
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

/// What the kernel does to a packet on a raw socket with `IP_HDRINCL` (raw(7)): it always fills in
/// the total length and the checksum, and source and identification where they are zero.
pub fn complete_ip_header(bytes: &mut [u8], source: Option<Ipv4Addr>, identification: u16) {
    if bytes.len() < 20 {
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

impl Advert {
    /// The packet, IP header first.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, 112, 0, 0];
        bytes.extend(self.source.octets());
        bytes.extend([224, 0, 0, 18]);
        let count = u8::try_from(self.addresses.len()).unwrap_or(u8::MAX);
        bytes.extend([
            0x21,
            self.vrid,
            self.priority,
            count,
            self.auth.0,
            self.interval,
            0,
            0,
        ]);
        bytes.extend(self.addresses.iter().flat_map(Ipv4Addr::octets));
        bytes.extend(self.auth.1);
        seal(&mut bytes);
        complete_ip_header(&mut bytes, None, 1);
        bytes
    }
}

/// Puts the VRRP checksum of a packet right.
pub fn seal(bytes: &mut [u8]) {
    if let Some(vrrp) = bytes.get_mut(20..)
        && vrrp.len() >= 8
    {
        vrrp[6..8].copy_from_slice(&[0, 0]);
        let sum = checksum(vrrp);
        vrrp[6..8].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Source and destination of an IPv4 packet.
#[must_use]
pub fn ip_ends(bytes: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let source: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
    let destination: [u8; 4] = bytes.get(16..20)?.try_into().ok()?;
    Some((source.into(), destination.into()))
}

/// Reads an advert as strictly as RFC 3768 writes it.
///
/// # Errors
/// What a receiver would object to.
pub fn read_advert(bytes: &[u8]) -> Result<Advert, String> {
    let (header, _) =
        etherparse::Ipv4Header::from_slice(bytes).map_err(|error| format!("IP header: {error}"))?;
    if header.protocol.0 != 112 || header.time_to_live != 255 {
        return Err(format!("IP header: {header:?}"));
    }
    if header.destination != [224, 0, 0, 18] {
        return Err(format!("destination {:?}", header.destination));
    }
    if usize::from(header.total_len) != bytes.len() {
        return Err(format!("IP length {} of {}", header.total_len, bytes.len()));
    }
    let vrrp = &bytes[header.header_len()..];
    let [
        first,
        vrid,
        priority,
        count,
        auth_type,
        interval,
        _,
        _,
        rest @ ..,
    ] = vrrp
    else {
        return Err(format!("{} bytes of VRRP", vrrp.len()));
    };
    if *first != 0x21 || *vrid == 0 || *interval == 0 {
        return Err(format!("VRRP header {:02x?}", &vrrp[..8]));
    }
    let body = usize::from(*count) * 4;
    if rest.len() != body + 8 {
        return Err(format!("{count} addresses in {} bytes", rest.len()));
    }
    if checksum(vrrp) != 0 {
        return Err("VRRP checksum".to_owned());
    }
    let mut auth = [0; 8];
    auth.copy_from_slice(&rest[body..]);
    Ok(Advert {
        source: header.source.into(),
        vrid: *vrid,
        priority: *priority,
        interval: *interval,
        auth: (*auth_type, auth),
        addresses: rest[..body]
            .chunks_exact(4)
            .map(|octets| Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
            .collect(),
    })
}

/// Reads a gratuitous ARP: broadcast, sender and target address equal.
///
/// # Errors
/// What is wrong with it.
pub fn read_announcement(frame: &[u8]) -> Result<Announcement, String> {
    let array = |from: usize| -> Result<[u8; 6], String> {
        let bytes = frame.get(from..from + 6).ok_or("short frame")?;
        bytes.try_into().map_err(|_| "short frame".to_owned())
    };
    if Mac(array(0)?) != Mac::BROADCAST {
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
        from: Mac(array(6)?),
        mac: Mac(array(22)?),
        address: address.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advert() -> Advert {
        Advert {
            source: Ipv4Addr::new(192, 0, 2, 1),
            vrid: 51,
            priority: 100,
            interval: 1,
            auth: (1, *b"1111\0\0\0\0"),
            addresses: vec![Ipv4Addr::new(192, 0, 2, 9)],
        }
    }

    // Input: the advert above. Output: RFC 3768 §5.1, by hand.
    #[test]
    fn an_advert_is_written_and_read() {
        let bytes = advert().write();
        assert_eq!(bytes[8..10], [255, 112]);
        assert_eq!(bytes[20..26], [0x21, 51, 100, 1, 1, 1]);
        assert_eq!(bytes[28..36], [192, 0, 2, 9, 0x31, 0x31, 0x31, 0x31]);
        assert_eq!(checksum(&bytes[..20]), 0);
        assert_eq!(read_advert(&bytes), Ok(advert()));
    }

    #[test]
    fn a_wrong_byte_anywhere_in_the_message_is_noticed() {
        for at in (20..40).chain([8, 9, 16]) {
            let mut bytes = advert().write();
            bytes[at] ^= 0x40;
            assert!(read_advert(&bytes).is_err(), "byte {at}");
        }
    }
}
