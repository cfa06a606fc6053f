//! What the daemon has put into the kernel, for those who clean up after it.
//!
//! Owns: a small file that the worker writes and the supervisor inherits: one slot for each
//! address and each IPVS service. Never does: remove anything from the kernel. Driven by: `exec`
//! in the worker; `supervisor` reads it after a worker died, and at the start, when both died.
//!
//! An entry is written before the object is made and struck out after it is gone, so at any
//! moment the file names at least everything that exists. Slots have a fixed size and are written
//! in one piece, neighbours together; a reader never sees half an entry.

use std::collections::{BTreeMap, btree_map};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::base::{Family, IfIndex, ident};
use crate::ops::ServiceName;
use crate::wire::rtnl::Kind;

/// A file that has lost its name already.
fn unlinked() -> io::Result<File> {
    let name = format!("keepalived-ledger.{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Something that exists in the kernel because of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    /// An address on an interface.
    Address {
        /// The interface.
        interface: IfIndex,
        /// The address.
        address: IpAddr,
        /// Length of its prefix.
        prefix_len: u8,
    },
    /// An IPVS service; its destinations go with it.
    Service(ServiceName),
    /// A link of our own, by its name, padded with zeros.
    Link([u8; NAME]),
    /// The firewall's table of a family.
    Firewall(Family),
    /// The table of a family that gives packets their marks.
    Marks(Family),
}

impl Entry {
    /// The link of this name, of which the kernel allows 15 bytes.
    pub(super) fn link(name: &str) -> Self {
        let mut padded = [0; NAME];
        for (to, from) in padded.iter_mut().zip(name.bytes().take(NAME - 1)) {
            *to = from;
        }
        Self::Link(padded)
    }
}

const NAME: usize = 16;

const SLOT: usize = 32;
const HEADER: usize = 64;
const MAGIC: &[u8; 8] = b"KALEDGR1";

const FREE: u8 = 0;
const ADDRESS: u8 = 1;
const SERVICE: u8 = 2;
const MARK: u8 = 3;
const LINK: u8 = 5;
const FIREWALL: u8 = 6;
const ROUTING: u8 = 7;
const MARKS: u8 = 8;

/// The file with an index of its slots.
#[derive(Debug)]
pub(super) struct Ledger {
    file: File,
    slots: BTreeMap<Entry, u64>,
    free: Vec<u64>,
    /// Routes and rules, each in a run of slots: the first, and how many.
    routing: BTreeMap<(Kind, Vec<u8>), (u64, u8)>,
    /// Free runs by their length.
    free_runs: BTreeMap<u8, Vec<u64>>,
    next: u64,
    failed: bool,
}

impl Ledger {
    /// Opens the ledger at `path`; `None` where that fails: then one without a name has to do, which
    /// nobody finds after the death of both processes, but the supervisor still does. Entries of an
    /// earlier boot or of another network namespace are forgotten: what they name is not here.
    pub(super) fn named(path: &Path) -> Option<Self> {
        let named = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path);
        let opened = named.and_then(Self::of);
        opened
            .inspect_err(|error| {
                log::debug!(target: ident::DAEMON, "no ledger at {}: {error}", path.display());
            })
            .ok()
    }

    /// A ledger that only this process and those that it forks can see.
    pub(super) fn unnamed() -> io::Result<Self> {
        match memfd_create("keepalived-ledger", MFdFlags::MFD_CLOEXEC) {
            Ok(file) => Self::of(File::from(file)),
            // Before Linux 3.17.
            Err(Errno::ENOSYS) => Self::of(unlinked()?),
            Err(error) => Err(error.into()),
        }
    }

    fn of(file: File) -> io::Result<Self> {
        let header = header();
        let mut found = [0; HEADER];
        let same = file.read_exact_at(&mut found, 0).is_ok() && found == header;
        if !same {
            file.set_len(0)?;
            file.write_all_at(&header, 0)?;
        }
        Ok(Self {
            file,
            slots: BTreeMap::new(),
            free: Vec::new(),
            routing: BTreeMap::new(),
            free_runs: BTreeMap::new(),
            next: 0,
            failed: false,
        })
    }

    /// What the file says now, whoever wrote it.
    ///
    /// # Errors
    /// What reading the file gives.
    pub(super) fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let bytes = self.bytes()?;
        let heads = runs(&bytes).filter(|run| run.len() == SLOT);
        Ok(heads.filter_map(decode).collect())
    }

    /// The routes and rules that the file names now, as they are asked to be removed with.
    ///
    /// # Errors
    /// What reading the file gives.
    pub(super) fn routing_entries(&mut self) -> io::Result<Vec<(Kind, Vec<u8>)>> {
        let bytes = self.bytes()?;
        Ok(runs(&bytes).filter_map(decode_run).collect())
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(HEADER_OFFSET))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Notes a route or a rule that is about to be made.
    pub(super) fn add_routing(&mut self, what: Kind, identity: &[u8]) {
        let key = (what, identity.to_vec());
        let Some(run) = encode_run(what, identity).filter(|_| !self.routing.contains_key(&key))
        else {
            return;
        };
        let slots = run[1];
        let free = self.free_runs.get_mut(&slots).and_then(Vec::pop);
        let first = free.unwrap_or_else(|| {
            self.next += u64::from(slots);
            self.next - u64::from(slots)
        });
        self.routing.insert(key, (first, slots));
        self.write(first, &run);
    }

    /// Strikes out one that is gone.
    pub(super) fn remove_routing(&mut self, what: Kind, identity: &[u8]) {
        if let Some((first, slots)) = self.routing.remove(&(what, identity.to_vec())) {
            self.free_runs.entry(slots).or_default().push(first);
            self.write(first, &vec![FREE; usize::from(slots) * SLOT]);
        }
    }

    /// Takes what another process has noted for its own; returns it.
    ///
    /// # Errors
    /// What reading the file gives.
    pub(super) fn adopt(&mut self) -> io::Result<Vec<Entry>> {
        let bytes = self.bytes()?;
        for run in runs(&bytes) {
            let slot = self.next;
            let slots = u8::try_from(run.len() / SLOT).unwrap_or(1);
            self.next += u64::from(slots);
            match (decode_run(run), decode(run.get(..SLOT).unwrap_or_default())) {
                (Some(key), _) => drop(self.routing.insert(key, (slot, slots))),
                (None, Some(entry)) => drop(self.slots.insert(entry, slot)),
                (None, None) => self.free.push(slot),
            }
        }
        Ok(self.slots.keys().copied().collect())
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// What shortening the file gives.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.slots.clear();
        self.free.clear();
        self.routing.clear();
        self.free_runs.clear();
        self.next = 0;
        self.file.set_len(HEADER_OFFSET)
    }

    /// Notes something that is about to be made.
    pub(super) fn add(&mut self, entry: Entry) {
        self.add_all(std::iter::once(entry));
    }

    /// The same for several; those that come to stand one behind the other are written at once.
    pub(super) fn add_all(&mut self, entries: impl Iterator<Item = Entry>) {
        let (mut first, mut behind) = (0, 0);
        let mut bytes = Vec::new();
        for entry in entries {
            let btree_map::Entry::Vacant(place) = self.slots.entry(entry) else {
                continue;
            };
            let slot = self.free.pop().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            place.insert(slot);
            if slot != behind && !bytes.is_empty() {
                self.write(first, &bytes);
                bytes.clear();
            }
            if bytes.is_empty() {
                first = slot;
            }
            bytes.extend(encode(entry));
            behind = slot + 1;
        }
        if !bytes.is_empty() {
            self.write(first, &bytes);
        }
    }

    /// Strikes out something that is gone.
    pub(super) fn remove(&mut self, entry: Entry) {
        if let Some(slot) = self.slots.remove(&entry) {
            self.free.push(slot);
            self.write(slot, &[FREE; SLOT]);
        }
    }

    /// Strikes out what went with an interface.
    pub(super) fn interface_gone(&mut self, gone: IfIndex) {
        let on_it = |entry: &Entry| match entry {
            Entry::Address { interface, .. } => *interface == gone,
            Entry::Service(_) | Entry::Link(_) | Entry::Firewall(_) | Entry::Marks(_) => false,
        };
        let entries: Vec<_> = self.slots.keys().copied().filter(on_it).collect();
        for entry in entries {
            self.remove(entry);
        }
    }

    /// Strikes out all addresses, all services, or both.
    pub(super) fn forget(&mut self, addresses: bool, services: bool) {
        let gone: Vec<_> = self
            .slots
            .keys()
            .copied()
            .filter(|entry| match entry {
                Entry::Address { .. } | Entry::Link(_) | Entry::Firewall(_) => addresses,
                Entry::Service(_) | Entry::Marks(_) => services,
            })
            .collect();
        for entry in gone {
            self.remove(entry);
        }
        if addresses {
            let routing: Vec<_> = self.routing.keys().cloned().collect();
            for (what, identity) in routing {
                self.remove_routing(what, &identity);
            }
        }
    }

    fn write(&mut self, slot: u64, bytes: &[u8]) {
        let result = self
            .file
            .write_all_at(bytes, HEADER_OFFSET + slot * SLOT_SIZE);
        // Said once: the daemon goes on, a crash would leave addresses behind.
        if let (Err(error), false) = (&result, self.failed) {
            log::warn!(target: ident::DAEMON, "the list of installed addresses cannot be written: {error}");
        }
        self.failed = result.is_err();
    }
}

const HEADER_OFFSET: u64 = 64;
const SLOT_SIZE: u64 = 32;

/// Magic, network namespace, boot.
fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    let namespace = std::fs::metadata("/proc/self/ns/net").map_or(0, |ns| ns.ino());
    header[8..16].copy_from_slice(&namespace.to_ne_bytes());
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    for (to, from) in header[16..].iter_mut().zip(boot) {
        *to = from;
    }
    header
}

/// Cuts the file's entries apart: runs of slots, most of one.
fn runs(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let slots = match bytes.first()? {
            &ROUTING => usize::from(*bytes.get(1)?).max(1),
            _ => 1,
        };
        let (run, rest) = bytes.split_at_checked(slots * SLOT)?;
        bytes = rest;
        Some(run)
    })
}

// Run: kind, slots, 4 for a route and 6 for a rule, 0, length of the message (2), the message
const RUN_HEADER: usize = 6;
const ROUTE: u8 = 4;
const RULE: u8 = 6;

/// `None` where the message is longer than any that names one object.
fn encode_run(what: Kind, message: &[u8]) -> Option<Vec<u8>> {
    // At least two slots, so that no run is taken for a single entry.
    let slots = (RUN_HEADER + message.len()).div_ceil(SLOT).max(2);
    let mark = match what {
        Kind::Route => ROUTE,
        Kind::Rule => RULE,
    };
    let mut run = vec![ROUTING, u8::try_from(slots).ok()?, mark, 0];
    run.extend(u16::try_from(message.len()).ok()?.to_ne_bytes());
    run.extend(message);
    run.resize(slots * SLOT, 0);
    Some(run)
}

fn decode_run(run: &[u8]) -> Option<(Kind, Vec<u8>)> {
    let what = match (run.first()?, run.get(2)?) {
        (&ROUTING, &ROUTE) => Kind::Route,
        (&ROUTING, &RULE) => Kind::Rule,
        _ => return None,
    };
    let length = usize::from(u16::from_ne_bytes(*run.get(4..)?.first_chunk()?));
    let message = run.get(RUN_HEADER..RUN_HEADER + length)?;
    Some((what, message.to_vec()))
}

// Slot: kind, prefix length or protocol, 4 or 6, 0, interface or mark (4), port (2), 0..., address (16)
fn encode(entry: Entry) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    let address = match entry {
        Entry::Address {
            interface,
            address,
            prefix_len,
        } => {
            slot[0] = ADDRESS;
            slot[1] = prefix_len;
            slot[4..8].copy_from_slice(&interface.get().to_ne_bytes());
            address
        }
        Entry::Service(ServiceName::Mark { mark, family }) => {
            slot[0] = MARK;
            slot[4..8].copy_from_slice(&mark.to_ne_bytes());
            match family {
                Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            }
        }
        Entry::Service(ServiceName::Address {
            address,
            port,
            protocol,
        }) => {
            slot[0] = SERVICE;
            slot[1] = protocol;
            slot[8..10].copy_from_slice(&port.to_ne_bytes());
            address
        }
        Entry::Link(name) => {
            slot[0] = LINK;
            slot[16..].copy_from_slice(&name);
            return slot;
        }
        Entry::Firewall(family) | Entry::Marks(family) => {
            slot[0] = match entry {
                Entry::Marks(_) => MARKS,
                _ => FIREWALL,
            };
            slot[2] = match family {
                Family::V4 => 4,
                Family::V6 => 6,
            };
            return slot;
        }
    };
    match address {
        IpAddr::V4(address) => {
            slot[2] = 4;
            slot[16..20].copy_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            slot[2] = 6;
            slot[16..].copy_from_slice(&address.octets());
        }
    }
    slot
}

fn decode(slot: &[u8]) -> Option<Entry> {
    let slot: &[u8; SLOT] = slot.try_into().ok()?;
    let octets: &[u8; 16] = slot.last_chunk()?;
    if slot[0] == LINK {
        return Some(Entry::Link(*octets));
    }
    let address = match slot[2] {
        4 => IpAddr::V4(Ipv4Addr::from(*octets.first_chunk::<4>()?)),
        6 => IpAddr::V6(Ipv6Addr::from(*octets)),
        _ => return None,
    };
    match slot[0] {
        ADDRESS => Some(Entry::Address {
            interface: IfIndex::new(u32::from_ne_bytes(*slot[4..].first_chunk()?))?,
            address,
            prefix_len: slot[1],
        }),
        SERVICE => Some(Entry::Service(ServiceName::Address {
            address,
            port: u16::from_ne_bytes(*slot[8..].first_chunk()?),
            protocol: slot[1],
        })),
        MARK => Some(Entry::Service(ServiceName::Mark {
            mark: u32::from_ne_bytes(*slot[4..].first_chunk()?),
            family: Family::of(address),
        })),
        FIREWALL => Some(Entry::Firewall(Family::of(address))),
        MARKS => Some(Entry::Marks(Family::of(address))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> [Entry; 4] {
        [
            Entry::Address {
                interface: IfIndex::new(2).unwrap(),
                address: "192.0.2.1".parse().unwrap(),
                prefix_len: 27,
            },
            Entry::Address {
                interface: IfIndex::new(70_000).unwrap(),
                address: "2001:db8::1".parse().unwrap(),
                prefix_len: 64,
            },
            Entry::Service(ServiceName::Address {
                address: "192.0.2.1".parse().unwrap(),
                port: 3306,
                protocol: 6,
            }),
            Entry::Service(ServiceName::Mark {
                mark: 70_000,
                family: Family::V6,
            }),
        ]
    }

    // Input: three entries, the second struck out, then another one. Output: as a process that
    // only has the file sees it; the free slot is used again.
    #[test]
    fn another_process_reads_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::named(&path).unwrap();
        let [a, b, c, d] = entries();
        for entry in [a, b, c, d, a] {
            ledger.add(entry);
        }
        let mut other = Ledger::named(&path).unwrap();
        assert_eq!(other.entries().unwrap(), [a, b, c, d]);
        ledger.remove(b);
        ledger.remove(b);
        assert_eq!(other.entries().unwrap(), [a, c, d]);
        let length = std::fs::metadata(&path).unwrap().len();
        ledger.add(b);
        assert_eq!(other.entries().unwrap(), [a, b, c, d]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
        other.clear().unwrap();
        assert_eq!(ledger.entries().unwrap(), []);
    }

    // Input: a rule of 100 bytes between two addresses; struck out; another as long. Output: found
    // among the others by another process; its place is used again.
    #[test]
    fn routes_and_rules_stand_between_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::named(&path).unwrap();
        let [a, b, ..] = entries();
        let (first, second) = ([ADDRESS; 100], [ROUTING; 100]);
        ledger.add(a);
        ledger.add_routing(Kind::Rule, &first);
        ledger.add(b);
        let mut other = Ledger::named(&path).unwrap();
        assert_eq!(other.entries().unwrap(), [a, b]);
        assert_eq!(
            other.routing_entries().unwrap(),
            [(Kind::Rule, first.to_vec())]
        );
        let length = std::fs::metadata(&path).unwrap().len();
        ledger.remove_routing(Kind::Rule, &first);
        assert_eq!(other.routing_entries().unwrap(), []);
        ledger.add_routing(Kind::Route, &second);
        assert_eq!(
            other.routing_entries().unwrap(),
            [(Kind::Route, second.to_vec())]
        );
        assert_eq!(other.entries().unwrap(), [a, b]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
        ledger.forget(true, false);
        assert_eq!(other.routing_entries().unwrap(), []);
    }

    // Input: a ledger that another process takes over, removing one entry and adding another.
    // Output: the rest stays, and slots are used again.
    #[test]
    fn a_ledger_goes_from_one_process_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let [a, b, c, d] = entries();
        let mut old = Ledger::named(&path).unwrap();
        for entry in [a, b, c] {
            old.add(entry);
        }
        old.remove(b);
        drop(old);
        let mut new = Ledger::named(&path).unwrap();
        assert_eq!(new.adopt().unwrap(), [a, c]);
        new.add(a);
        new.add(d);
        new.remove(c);
        assert_eq!(new.entries().unwrap(), [a, d]);
    }

    #[test]
    fn entries_of_another_boot_or_namespace_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        Ledger::named(&path).unwrap().add(entries()[0]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Ledger::named(&path).unwrap().entries().unwrap(), []);
    }

    #[test]
    fn where_no_file_can_be_a_ledger_without_a_name_serves() {
        assert!(Ledger::named(Path::new("/no/such/folder/ledger")).is_none());
        let mut ledger = Ledger::unnamed().unwrap();
        ledger.add(entries()[2]);
        assert_eq!(ledger.entries().unwrap(), [entries()[2]]);
    }

    #[test]
    fn garbage_is_no_entry() {
        assert_eq!(decode(&[0xff; SLOT]), None);
        assert_eq!(decode(&[1; 5]), None);
    }
}
