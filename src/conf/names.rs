//! Names that iproute2 gives to the kernel's numbers.
//!
//! Owns: the tables' names, the entries that hold on every host, and how a file of them is read.
//! Never does: open a file (`host::files` does). Driven by: the handlers of routes and rules,
//! through `HostFacts::number`.

use std::path::PathBuf;

/// Where files of names stand, if not where iproute2 has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePlaces {
    /// `iproute_etc_dir`: the administrator's, which count more.
    pub etc: Option<PathBuf>,
    /// `iproute_usr_dir`: those of the system.
    pub usr: Option<PathBuf>,
}

/// A table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameTable {
    /// `rt_tables`
    Tables,
    /// `rt_protos`
    Protocols,
    /// `rt_scopes`
    Scopes,
    /// `rt_realms`
    Realms,
    /// `rt_dsfield`
    DsField,
    /// `group`: of interfaces.
    Groups,
    /// `/etc/protocols`
    IpProtocols,
}

impl NameTable {
    /// The largest number in it.
    #[must_use]
    pub const fn max(self) -> u32 {
        match self {
            Self::Tables | Self::Groups => u32::MAX,
            Self::Protocols | Self::Scopes | Self::Realms | Self::DsField | Self::IpProtocols => {
                255
            }
        }
    }

    /// The names that hold on every host.
    #[must_use]
    pub const fn usual(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Tables => &[
                ("unspec", 0),
                ("default", 253),
                ("main", 254),
                ("local", 255),
            ],
            Self::Protocols => &[
                ("unspec", 0),
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("keepalived", 18),
            ],
            Self::Scopes => &[
                ("global", 0),
                ("site", 200),
                ("link", 253),
                ("host", 254),
                ("nowhere", 255),
            ],
            Self::Realms => &[("cosmos", 0), ("unknown", 0)],
            Self::DsField | Self::Groups => &[("default", 0)],
            Self::IpProtocols => &[("icmp", 1), ("tcp", 6), ("udp", 17), ("ipv6-icmp", 58)],
        }
    }

    /// The number of a name that holds on every host.
    #[must_use]
    pub fn usual_number(self, name: &str) -> Option<u32> {
        let row = self.usual().iter().find(|(known, _)| *known == name)?;
        Some(row.1)
    }

    /// The number that the text of a file gives to `name`: lines of a number and its name, or for
    /// [`Self::IpProtocols`] a name, a number and further names.
    #[must_use]
    pub fn number_in(self, text: &str, name: &str) -> Option<u32> {
        text.lines().find_map(|line| {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let (number, hit) = if self == Self::IpProtocols {
                let (official, rest) = words.split_first()?;
                let (number, aliases) = rest.split_first()?;
                (number, *official == name || aliases.contains(&name))
            } else {
                let (number, rest) = words.split_first()?;
                (number, rest.first() == Some(&name))
            };
            let number = hit.then(|| base0(number)).flatten()?;
            u32::try_from(number).ok().filter(|n| *n <= self.max())
        })
    }
}

/// A number in C notation: decimal, `0x` hexadecimal or `0` octal.
#[must_use]
pub fn base0(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        (hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (digits, 8)
    } else {
        (digits, 10)
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: numbers as C reads them. Output: the values, or none.
    #[test]
    fn numbers_are_read_as_in_c() {
        for (text, expected) in [
            ("100", Some(100)),
            ("0x64", Some(100)),
            ("0144", Some(100)),
            ("0", Some(0)),
            ("+5", Some(5)),
            ("08", None),
            ("5x", None),
            ("", None),
            ("-1", None),
            ("0x", None),
        ] {
            assert_eq!(base0(text), expected, "{text}");
        }
    }

    // Input: files as distributions ship them. Output: the numbers of names.
    #[test]
    fn files_name_numbers() {
        let tables = "#\n# reserved values\n#\n255\tlocal\n0x64 red # ours\nx bad\n";
        assert_eq!(NameTable::Tables.number_in(tables, "local"), Some(255));
        assert_eq!(NameTable::Tables.number_in(tables, "red"), Some(100));
        assert_eq!(NameTable::Tables.number_in(tables, "bad"), None);
        let protocols = "tcp\t6\tTCP\t\t# transmission control protocol\n";
        let of = |name| NameTable::IpProtocols.number_in(protocols, name);
        assert_eq!((of("tcp"), of("TCP"), of("6")), (Some(6), Some(6), None));
        assert_eq!(NameTable::Scopes.number_in("256 far", "far"), None);
    }
}
