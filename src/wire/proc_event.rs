//! What the kernel tells of processes (connector "proc", `linux/cn_proc.h`).
//!
//! Owns: the message that asks for events and the events that matter here. Never does: look at a
//! process. Driven by: `host::process_events`.
//!
//! ```text
//!  nlmsghdr 16 | idx 4 | val 4 | seq 4 | ack 4 | len 2 | flags 2 | what 4 | cpu 4 | time 8 | …
//! ```

/// The group, and the index, of the connector that tells of processes (`CN_IDX_PROC`).
pub const GROUP: u32 = 1;
/// `CN_VAL_PROC`
const VALUE: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`
const LISTEN: u32 = 1;
/// `NLMSG_DONE`, the type of all messages of connectors.
const DONE: u16 = 3;
const NETLINK_HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;
/// What stands before the part that depends on the event.
const EVENT_HEADER: usize = 16;
/// Bytes of a name (`TASK_COMM_LEN`).
const NAME: usize = 16;

/// What happened. Events of threads other than a process's first are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcEvent {
    /// The answer to a request to listen: an error number, 0 for success.
    Answer {
        /// The sequence number of the request.
        sequence: u32,
        /// The error number.
        errno: u32,
    },
    /// A process has a child.
    Forked {
        /// Its number.
        parent: u32,
        /// The child's.
        child: u32,
    },
    /// A process runs another program.
    Executed(u32),
    /// A process has another name.
    Renamed(u32, String),
    /// A process has ended.
    Ended(u32),
}

/// The whole message that asks to be told from now on.
#[must_use]
pub fn listen(sequence: u32) -> Vec<u8> {
    let length = NETLINK_HEADER + CONNECTOR_HEADER + 4;
    let mut bytes = Vec::with_capacity(length);
    let total = u32::try_from(length).unwrap_or_default();
    bytes.extend(total.to_ne_bytes());
    bytes.extend(DONE.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    for word in [GROUP, VALUE, sequence, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(4u16.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(LISTEN.to_ne_bytes());
    bytes
}

/// Reads one message; nothing for what does not matter here or is no such message.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<ProcEvent> {
    let connector = bytes.get(NETLINK_HEADER..)?;
    if (word(connector, 0)?, word(connector, 4)?) != (GROUP, VALUE) {
        return None;
    }
    let sequence = word(connector, 8)?;
    let event = connector.get(CONNECTOR_HEADER..)?;
    let (what, of) = (word(event, 0)?, event.get(EVENT_HEADER..)?);
    // The number of the thread, then that of its process.
    let process = |at: usize| {
        let (thread, process) = (word(of, at)?, word(of, at + 4)?);
        (thread == process).then_some(process)
    };
    match what {
        0 => Some(ProcEvent::Answer {
            sequence,
            errno: word(of, 0)?,
        }),
        1 => Some(ProcEvent::Forked {
            parent: word(of, 4)?,
            child: process(8)?,
        }),
        2 => Some(ProcEvent::Executed(word(of, 4)?)),
        0x200 => {
            let name = of.get(8..8 + NAME)?.split(|byte| *byte == 0).next()?;
            let name = String::from_utf8_lossy(name).into_owned();
            Some(ProcEvent::Renamed(process(0)?, name))
        }
        0x8000_0000 => Some(ProcEvent::Ended(process(0)?)),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(what: u32, of: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER];
        for word in [GROUP, VALUE, 7, 1] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend([0; 4]);
        for word in [what, 0, 0, 0].iter().chain(of) {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    // Input: the words of each event, of a process and of a thread. Output: what they say of
    // processes; nothing of threads.
    #[test]
    fn events_are_read() {
        let cases: [(u32, &[u32], Option<ProcEvent>); 8] = [
            (
                0,
                &[13],
                Some(ProcEvent::Answer {
                    sequence: 7,
                    errno: 13,
                }),
            ),
            (
                1,
                &[11, 10, 20, 20],
                Some(ProcEvent::Forked {
                    parent: 10,
                    child: 20,
                }),
            ),
            (1, &[10, 10, 11, 10], None),
            (2, &[20, 20], Some(ProcEvent::Executed(20))),
            (
                0x200,
                &[20, 20, u32::from_ne_bytes(*b"abc\0"), 0, 0, 0],
                Some(ProcEvent::Renamed(20, "abc".into())),
            ),
            (0x8000_0000, &[20, 20, 0, 17], Some(ProcEvent::Ended(20))),
            (0x8000_0000, &[21, 20, 0, 17], None),
            (4, &[20, 20, 0, 0], None),
        ];
        for (what, of, expected) in cases {
            assert_eq!(parse(&message(what, of)), expected, "{what:#x} {of:?}");
        }
    }

    // Input: the request of a program that the kernel has answered. Output: the same bytes.
    #[test]
    fn the_request_is_what_the_kernel_takes() {
        let request = listen(9);
        assert_eq!(request.len(), 40);
        let words: Vec<u32> = (0..40)
            .step_by(4)
            .filter_map(|at| word(&request, at))
            .collect();
        assert_eq!(words, [40, 3, 9, 0, 1, 1, 9, 0, 4, 1]);
    }

    proptest! {
        // Input: any bytes. Output: no panic.
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            drop(parse(&bytes));
        }
    }
}
