//! VRRP version 2 adverts (RFC 3768 §5.1, authentication data of RFC 2338).
//!
//! Owns: their form. Never does: judge whether an advert is acceptable; the ladder of checks with
//! its counters is `vrrp::receive`. Driven by: `vrrp::advertise` and `vrrp::receive`.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    | Count IP Addrs|
//! +-------+-------+---------------+---------------+---------------+
//! |   Auth Type   |   Adver Int   |          Checksum             |
//! +---------------+---------------+-------------------------------+
//! |                   IP addresses, count of them                 |
//! +---------------------------------------------------------------+
//! |                 authentication data, 8 bytes                  |
//! +---------------------------------------------------------------+
//! ```

use std::net::Ipv4Addr;

use super::checksum;

/// `Type` of an advert, the only one there is.
pub const TYPE_ADVERT: u8 = 1;
/// `Auth Type` 0: none.
pub const AUTH_NONE: u8 = 0;
/// `Auth Type` 1: a readable password.
pub const AUTH_PASS: u8 = 1;
/// Bytes before the addresses.
pub const HEADER_LEN: usize = 8;
/// Bytes of authentication data, present whatever the type.
pub const AUTH_LEN: usize = 8;

/// A version 2 advert to send.
#[derive(Debug, Clone, Copy)]
pub struct AdvertV2<'a> {
    /// Virtual router id.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Advert interval in seconds.
    pub interval_secs: u8,
    /// The password, zero padded; `None` sends authentication type 0.
    pub auth: Option<[u8; AUTH_LEN]>,
    /// The addresses, at most 255.
    pub addresses: &'a [Ipv4Addr],
}

/// Bytes of a version 2 advert with `addresses` addresses.
#[must_use]
pub const fn advert_v2_len(addresses: usize) -> usize {
    HEADER_LEN + 4 * addresses + AUTH_LEN
}

/// Appends `advert`. Addresses past the 255th, which the count cannot tell, are left out.
pub fn write_advert_v2(advert: &AdvertV2<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let count = u8::try_from(advert.addresses.len()).unwrap_or(u8::MAX);
    let auth_type = if advert.auth.is_some() {
        AUTH_PASS
    } else {
        AUTH_NONE
    };
    out.extend_from_slice(&[
        2 << 4 | TYPE_ADVERT,
        advert.vrid,
        advert.priority,
        count,
        auth_type,
        advert.interval_secs,
        0,
        0,
    ]);
    for address in &advert.addresses[..usize::from(count)] {
        out.extend_from_slice(&address.octets());
    }
    out.extend_from_slice(&advert.auth.unwrap_or_default());
    let sum = checksum::internet(&out[start..]).to_be_bytes();
    out[start + 6..start + 8].copy_from_slice(&sum);
}

/// The fixed part of a received VRRP packet of any version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Version, from the high half of the first byte.
    pub version: u8,
    /// Type, from its low half.
    pub kind: u8,
    /// Virtual router id; 0 is not a valid one.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// How many addresses follow.
    pub count: u8,
    /// Version 2: authentication type.
    pub auth_type: u8,
    /// Version 2: advert interval in seconds.
    pub interval_secs: u8,
}

impl Header {
    /// Reads the fixed part; `None` if `packet` is shorter than that.
    #[must_use]
    pub const fn read(packet: &[u8]) -> Option<Self> {
        let [
            first,
            vrid,
            priority,
            count,
            auth_type,
            interval_secs,
            _,
            _,
            ..,
        ] = packet
        else {
            return None;
        };
        Some(Self {
            version: *first >> 4,
            kind: *first & 0xf,
            vrid: *vrid,
            priority: *priority,
            count: *count,
            auth_type: *auth_type,
            interval_secs: *interval_secs,
        })
    }

    /// Bytes that a version 2 packet with this header has.
    #[must_use]
    pub const fn len_v2(&self) -> usize {
        advert_v2_len(self.count as usize)
    }
}

/// The parts behind the header of a version 2 packet of the right length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyV2<'a> {
    addresses: &'a [u8],
    /// The authentication data.
    pub auth: [u8; AUTH_LEN],
    /// Whether the checksum over the whole packet is right.
    pub checksum_ok: bool,
}

impl<'a> BodyV2<'a> {
    /// Reads what follows `header` in `packet`; `None` if the length is not what it says.
    #[must_use]
    pub fn read(header: &Header, packet: &'a [u8]) -> Option<Self> {
        if packet.len() != header.len_v2() {
            return None;
        }
        let body = packet.get(HEADER_LEN..)?;
        let (addresses, auth) = body.split_last_chunk()?;
        Some(Self {
            addresses,
            auth: *auth,
            checksum_ok: checksum::internet(packet) == 0,
        })
    }

    /// The addresses, in the order of the packet.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = Ipv4Addr> + use<'a> {
        let (chunks, _) = self.addresses.as_chunks::<4>();
        chunks.iter().map(|&octets| Ipv4Addr::from(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|digit| u8::try_from(digit).unwrap())
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    fn vips(n: u8) -> Vec<Ipv4Addr> {
        (1..=n).map(|i| Ipv4Addr::new(192, 0, 2, 100 + i)).collect()
    }

    fn written(priority: u8, auth: Option<&[u8]>, addresses: &[Ipv4Addr]) -> Vec<u8> {
        let mut out = vec![0xa5; 3];
        let auth = auth.map(|text| {
            let mut data = [0; AUTH_LEN];
            data[..text.len()].copy_from_slice(text);
            data
        });
        let advert = AdvertV2 {
            vrid: 51,
            priority,
            interval_secs: 1,
            auth,
            addresses,
        };
        write_advert_v2(&advert, &mut out);
        assert_eq!(out.drain(..3).as_slice(), [0xa5; 3]);
        out
    }

    // Output: VRRP parts of adverts that keepalived 2.2.7 sent with virtual_router_id 51,
    // advert_int 1 and addresses from 192.0.2.101 on, captured with tcpdump -xx on the peer's end
    // of a veth pair; one, two and twenty addresses, with and without auth_pass, and priority 0.
    #[test]
    fn adverts_are_the_real_daemons() {
        assert_eq!(
            written(100, Some(b"1111"), &vips(1)),
            hex("2133 6401 0101 5502 c000 0265 3131 3131 0000 0000")
        );
        assert_eq!(
            written(1, None, &vips(2)),
            hex("2133 0102 0001 58fd c000 0265 c000 0266 0000 0000 0000 0000")
        );
        assert_eq!(
            written(0, None, &vips(2)),
            hex("2133 0002 0001 59fd c000 0265 c000 0266 0000 0000 0000 0000")
        );
        assert_eq!(
            written(254, Some(b"longpass"), &vips(20)),
            hex(
                "2133 fe14 0101 f059 c000 0265 c000 0266 c000 0267 c000 0268 c000 0269 \
                 c000 026a c000 026b c000 026c c000 026d c000 026e c000 026f c000 0270 \
                 c000 0271 c000 0272 c000 0273 c000 0274 c000 0275 c000 0276 c000 0277 \
                 c000 0278 6c6f 6e67 7061 7373"
            )
        );
    }

    #[test]
    fn a_packet_of_another_length_than_it_says_has_no_body() {
        let packet = written(100, None, &vips(2));
        let header = Header::read(&packet).unwrap();
        assert!(BodyV2::read(&header, &packet).is_some());
        assert_eq!(BodyV2::read(&header, &packet[..packet.len() - 1]), None);
        assert_eq!(Header::read(&packet[..7]), None);
        let mut long = packet;
        long.push(0);
        assert_eq!(BodyV2::read(&header, &long), None);
    }

    #[test]
    fn a_flipped_bit_breaks_the_checksum() {
        let packet = written(100, Some(b"1111"), &vips(3));
        for bit in 0..packet.len() * 8 {
            let mut bad = packet.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let header = Header::read(&bad).unwrap();
            if let Some(body) = BodyV2::read(&header, &bad) {
                assert!(!body.checksum_ok, "bit {bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            vrid in 1u8.., priority: u8, interval_secs: u8, auth: Option<[u8; 8]>,
            raw in proptest::collection::vec(any::<u32>(), 0..=255),
        ) {
            let addresses: Vec<Ipv4Addr> = raw.into_iter().map(Ipv4Addr::from).collect();
            let mut packet = Vec::new();
            write_advert_v2(
                &AdvertV2 { vrid, priority, interval_secs, auth, addresses: &addresses },
                &mut packet,
            );
            let header = Header::read(&packet).unwrap();
            prop_assert_eq!((header.version, header.kind), (2, TYPE_ADVERT));
            prop_assert_eq!(
                (header.vrid, header.priority, header.interval_secs),
                (vrid, priority, interval_secs)
            );
            let body = BodyV2::read(&header, &packet).unwrap();
            prop_assert!(body.checksum_ok);
            prop_assert_eq!(header.auth_type == AUTH_PASS, auth.is_some());
            prop_assert_eq!(body.auth, auth.unwrap_or_default());
            prop_assert_eq!(body.addresses().collect::<Vec<_>>(), addresses);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(header) = Header::read(&bytes)
                && let Some(body) = BodyV2::read(&header, &bytes)
            {
                prop_assert_eq!(body.addresses().len(), usize::from(header.count));
            }
        }
    }
}
