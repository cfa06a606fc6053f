//! VRRP adverts: version 2 (RFC 3768 §5.1, authentication data of RFC 2338) and 3 (RFC 9568 §5.1).
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
//! |            version 2: authentication data, 8 bytes            |
//! +---------------------------------------------------------------+
//! ```
//!
//! In version 3 four reserved bits and twelve of the interval, in hundredths of a second, take the
//! place of authentication type and interval.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;
use super::ip::PROTOCOL_VRRP;
use crate::base::Family;

/// `Type` of an advert, the only one there is.
pub const TYPE_ADVERT: u8 = 1;
/// `Auth Type` 0: none.
pub const AUTH_NONE: u8 = 0;
/// `Auth Type` 1: a readable password.
pub const AUTH_PASS: u8 = 1;
/// `Auth Type` 2: an authentication header goes before (RFC 2338 §5.3.6.3).
pub const AUTH_AH: u8 = 2;
/// Bytes before the addresses.
pub const HEADER_LEN: usize = 8;
/// Bytes of authentication data, present in version 2 whatever the type.
pub const AUTH_LEN: usize = 8;
/// The longest interval that version 3 can tell, in hundredths of a second.
pub const MAX_CENTIS: u16 = 4095;

/// An advert to send.
#[derive(Debug, Clone, Copy)]
pub struct Advert<'a> {
    /// Virtual router id.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// What the versions have each for itself.
    pub form: Form,
    /// The addresses, at most 255, of one family.
    pub addresses: &'a [IpAddr],
}

/// What stands in an advert of one version only.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Version 2.
    V2 {
        /// Advert interval in seconds.
        interval_secs: u8,
        /// Authentication type.
        auth_type: u8,
        /// The password, zero padded; zero without one.
        auth: [u8; AUTH_LEN],
    },
    /// Version 3.
    V3 {
        /// Advert interval in hundredths of a second, at most [`MAX_CENTIS`].
        interval_centis: u16,
        /// The ends of the pseudo-header in the checksum, if there is one.
        pseudo: Option<(IpAddr, IpAddr)>,
    },
}

/// Bytes of a version 2 advert with `addresses` addresses.
#[must_use]
pub const fn advert_v2_len(addresses: usize) -> usize {
    HEADER_LEN + 4 * addresses + AUTH_LEN
}

/// Bytes of a version 3 advert with `addresses` addresses of `family`.
#[must_use]
pub const fn advert_v3_len(addresses: usize, family: Family) -> usize {
    HEADER_LEN + (family.bits() / 8) as usize * addresses
}

/// Appends `advert`. Addresses past the 255th, which the count cannot tell, are left out. The
/// checksum is right unless something follows; see [`seal`].
pub fn write_advert(advert: &Advert<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let count = u8::try_from(advert.addresses.len()).unwrap_or(u8::MAX);
    let (version, fifth, sixth) = match advert.form {
        Form::V2 {
            interval_secs,
            auth_type,
            ..
        } => (2, auth_type, interval_secs),
        Form::V3 {
            interval_centis, ..
        } => {
            let [high, low] = interval_centis.min(MAX_CENTIS).to_be_bytes();
            (3, high, low)
        }
    };
    out.extend_from_slice(&[
        version << 4 | TYPE_ADVERT,
        advert.vrid,
        advert.priority,
        count,
        fifth,
        sixth,
        0,
        0,
    ]);
    for address in &advert.addresses[..usize::from(count)] {
        match address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
    }
    let pseudo = match advert.form {
        Form::V2 { auth, .. } => {
            out.extend_from_slice(&auth);
            None
        }
        Form::V3 { pseudo, .. } => pseudo,
    };
    seal(&mut out[start..], pseudo);
}

/// Puts the checksum of a VRRP message right, over all of it and the pseudo-header of these ends.
pub fn seal(message: &mut [u8], pseudo: Option<(IpAddr, IpAddr)>) {
    let Some(place) = message.get_mut(6..8) else {
        return;
    };
    place.copy_from_slice(&[0, 0]);
    let sum = sum(message, pseudo);
    if let Some(place) = message.get_mut(6..8) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
}

fn sum(message: &[u8], pseudo: Option<(IpAddr, IpAddr)>) -> u16 {
    match pseudo {
        None => checksum::internet(message),
        Some(ends) => checksum::with_pseudo_header(ends, PROTOCOL_VRRP, message),
    }
}

/// Whether the checksum that `message` carries is that over all of it and the pseudo-header of
/// these ends.
#[must_use]
pub fn checksum_is_right(message: &[u8], pseudo: Option<(IpAddr, IpAddr)>) -> bool {
    sum(message, pseudo) == 0
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

    /// Version 3: advert interval in hundredths of a second. The four bits before it are reserved
    /// and ignored (RFC 9568 §5.2.6).
    #[must_use]
    pub const fn interval_centis(&self) -> u16 {
        u16::from_be_bytes([self.auth_type & 0xf, self.interval_secs])
    }

    /// Bytes that a packet with this header has, with addresses of `family`.
    #[must_use]
    pub const fn len(&self, family: Family) -> usize {
        if self.version == 2 {
            advert_v2_len(self.count as usize)
        } else {
            advert_v3_len(self.count as usize, family)
        }
    }
}

/// The parts behind the header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'a> {
    addresses: &'a [u8],
    family: Family,
    /// Version 2: the authentication data; zero in version 3.
    pub auth: [u8; AUTH_LEN],
    /// What comes behind the length that the header tells.
    pub trailer: &'a [u8],
}

impl<'a> Body<'a> {
    /// Reads what follows `header` in `packet`; `None` if that is shorter than it says.
    #[must_use]
    pub fn read(header: &Header, family: Family, packet: &'a [u8]) -> Option<Self> {
        // Version 2 knows IPv4 alone.
        let family = if header.version == 2 {
            Family::V4
        } else {
            family
        };
        let (message, trailer) = packet.split_at_checked(header.len(family))?;
        let body = message.get(HEADER_LEN..)?;
        let (addresses, auth) = if header.version == 2 {
            let (addresses, auth) = body.split_last_chunk()?;
            (addresses, *auth)
        } else {
            (body, [0; AUTH_LEN])
        };
        Some(Self {
            addresses,
            family,
            auth,
            trailer,
        })
    }

    /// The addresses, in the order of the packet.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + use<'a> {
        let family = self.family;
        let size = usize::from(family.bits() / 8);
        self.addresses
            .chunks_exact(size)
            .map(move |octets| match family {
                Family::V4 => octets
                    .first_chunk::<4>()
                    .map_or(Ipv4Addr::UNSPECIFIED.into(), |octets| {
                        Ipv4Addr::from(*octets).into()
                    }),
                Family::V6 => octets
                    .first_chunk::<16>()
                    .map_or(Ipv6Addr::UNSPECIFIED.into(), |octets| {
                        Ipv6Addr::from(*octets).into()
                    }),
            })
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

    fn vips(n: u8) -> Vec<IpAddr> {
        (1..=n)
            .map(|i| IpAddr::from([192, 0, 2, 100 + i]))
            .collect()
    }

    fn written(priority: u8, auth: Option<&[u8]>, addresses: &[IpAddr]) -> Vec<u8> {
        let mut out = vec![0xa5; 3];
        let auth = auth.map(|text| {
            let mut data = [0; AUTH_LEN];
            data[..text.len()].copy_from_slice(text);
            data
        });
        let advert = Advert {
            vrid: 51,
            priority,
            form: Form::V2 {
                interval_secs: 1,
                auth_type: u8::from(auth.is_some()),
                auth: auth.unwrap_or_default(),
            },
            addresses,
        };
        write_advert(&advert, &mut out);
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

    fn version_3(centis: u16, ends: [&str; 2], addresses: &[&str], priority: u8) -> Vec<u8> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let mut out = Vec::new();
        let advert = Advert {
            vrid: 51,
            priority,
            form: Form::V3 {
                interval_centis: centis,
                pseudo: Some((ends[0].parse().unwrap(), ends[1].parse().unwrap())),
            },
            addresses: &addresses,
        };
        write_advert(&advert, &mut out);
        out
    }

    // Output: VRRP parts of adverts that keepalived 2.2.7 sent with `version 3`, captured as above:
    // two addresses by multicast, one by unicast, and two of IPv6.
    #[test]
    fn adverts_of_version_3_are_the_real_daemons() {
        assert_eq!(
            version_3(
                50,
                ["10.1.255.1", "224.0.0.18"],
                &["10.1.0.1", "10.1.0.2"],
                200
            ),
            hex("3133 c802 0032 08fd 0a01 0001 0a01 0002")
        );
        assert_eq!(
            version_3(100, ["10.1.255.1", "10.1.255.2"], &["10.1.0.1"], 200),
            hex("3133 c801 0064 e9e1 0a01 0001")
        );
        assert_eq!(
            version_3(
                50,
                ["fe80::ff:fe00:1", "ff02::12"],
                &["fe80::1:1", "fd00::100"],
                200
            ),
            hex(
                "3133 c802 0032 0ce5 fe80 0000 0000 0000 0000 0000 0001 0001 fd00 0000 0000 0000 \
                 0000 0000 0000 0100"
            )
        );
    }

    #[test]
    fn a_packet_that_is_shorter_than_it_says_has_no_body() {
        let packet = written(100, None, &vips(2));
        let header = Header::read(&packet).unwrap();
        let read = |packet| Body::read(&header, Family::V4, packet);
        assert!(read(&packet).is_some_and(|body| body.trailer.is_empty()));
        assert_eq!(read(&packet[..packet.len() - 1]), None);
        assert_eq!(Header::read(&packet[..7]), None);
        let mut long = packet.clone();
        long.push(7);
        assert_eq!(Body::read(&header, Family::V4, &long).unwrap().trailer, [7]);
    }

    #[test]
    fn a_flipped_bit_breaks_the_checksum() {
        let packet = written(100, Some(b"1111"), &vips(3));
        for bit in 0..packet.len() * 8 {
            let mut bad = packet.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!checksum_is_right(&bad, None), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            vrid in 1u8.., priority: u8, interval_secs: u8, auth: Option<[u8; 8]>,
            raw in proptest::collection::vec(any::<u32>(), 0..=255),
        ) {
            let addresses: Vec<IpAddr> =
                raw.into_iter().map(|bits| Ipv4Addr::from(bits).into()).collect();
            let mut packet = Vec::new();
            let form = Form::V2 {
                interval_secs,
                auth_type: u8::from(auth.is_some()),
                auth: auth.unwrap_or_default(),
            };
            write_advert(&Advert { vrid, priority, form, addresses: &addresses }, &mut packet);
            let header = Header::read(&packet).unwrap();
            prop_assert_eq!((header.version, header.kind), (2, TYPE_ADVERT));
            prop_assert_eq!(
                (header.vrid, header.priority, header.interval_secs),
                (vrid, priority, interval_secs)
            );
            let body = Body::read(&header, Family::V4, &packet).unwrap();
            prop_assert!(checksum_is_right(&packet, None));
            prop_assert_eq!(header.auth_type == AUTH_PASS, auth.is_some());
            prop_assert_eq!(body.auth, auth.unwrap_or_default());
            prop_assert_eq!(body.addresses().collect::<Vec<_>>(), addresses);
        }

        #[test]
        fn what_is_written_in_version_3_is_read_back(
            vrid in 1u8.., priority: u8, interval_centis in 0..=MAX_CENTIS,
            raw in proptest::collection::vec(any::<u128>(), 0..=90), v6: bool,
        ) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let of = |bits: u128| -> IpAddr {
                if v6 {
                    Ipv6Addr::from(bits).into()
                } else {
                    Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap()).into()
                }
            };
            let addresses: Vec<IpAddr> = raw.into_iter().map(of).collect();
            let ends = Some((of(1 << 100), of(7 << 97)));
            let mut packet = Vec::new();
            let form = Form::V3 { interval_centis, pseudo: ends };
            write_advert(&Advert { vrid, priority, form, addresses: &addresses }, &mut packet);
            let header = Header::read(&packet).unwrap();
            prop_assert_eq!((header.version, header.kind), (3, TYPE_ADVERT));
            prop_assert_eq!(header.interval_centis(), interval_centis);
            prop_assert_eq!(packet.len(), header.len(family));
            prop_assert!(checksum_is_right(&packet, ends));
            let body = Body::read(&header, family, &packet).unwrap();
            prop_assert_eq!(body.addresses().collect::<Vec<_>>(), addresses);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..64), v6: bool,
        ) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            if let Some(header) = Header::read(&bytes)
                && let Some(body) = Body::read(&header, family, &bytes)
            {
                prop_assert_eq!(body.addresses().len(), usize::from(header.count));
            }
        }
    }
}
