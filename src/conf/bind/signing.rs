//! Handlers of `auth_hmac`.
//!
//! Owns: what its keywords set, where a key's bytes come from, and what is missing at the end of the
//! block. Never does: put a key into a message. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::signing::{
    AntiReplay, MAX_SECRET, MIN_SECRET, Signing, SigningKey, SigningMode,
};
use super::super::source::{Secret, to_bytes, to_display};
use super::instance::current;
use super::{Outcome, Statement};
use crate::base::Duration;

/// `auth_hmac {`: the first block of an instance counts.
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let mut again = false;
    current(draft, |instance| {
        again = instance.options.signing.is_some();
        if again {
            let message = format!("({}) auth_hmac already specified - ignoring", instance.name);
            st.error(Class::General, message, Some(0));
        } else {
            instance.options.signing = Some(Box::default());
        }
        Ok(())
    })?;
    draft.signing_again = again;
    Ok(())
}

/// The end of the block: a key that signs has to be there.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    if std::mem::take(&mut draft.signing_again) {
        return;
    }
    let Some(instance) = draft.instances.last_mut() else {
        return;
    };
    let Some(signing) = instance.options.signing.as_mut() else {
        return;
    };
    if signing.active == 0
        && let [only] = signing.keys.as_slice()
    {
        signing.active = only.id;
    }
    let (name, id) = (&instance.name, signing.active);
    let problem = if signing.keys.is_empty() {
        format!("({name}) auth_hmac has no usable key - not using it")
    } else if signing.active == 0 {
        format!("({name}) auth_hmac has no active_key - not using it")
    } else if signing.key(id).is_none() {
        format!("({name}) auth_hmac active_key {id} is not defined - not using it")
    } else {
        let message = format!(
            "({name}) auth_hmac interoperates with keepalived-rs; that its signature is that of \
             keepalived 2.4.3 byte for byte is not proven"
        );
        st.error(Class::Advice, message, None);
        return;
    };
    st.error(Class::General, problem, None);
    instance.options.signing = None;
}

fn here(draft: &mut Draft, f: impl FnOnce(&str, &mut Signing) -> Outcome) -> Outcome {
    if draft.signing_again {
        return Ok(());
    }
    current(draft, |instance| match instance.options.signing.as_mut() {
        Some(signing) => f(&instance.name, signing),
        None => Ok(()),
    })
}

fn id(st: &mut Statement<'_>) -> Result<Option<u8>, super::Stop> {
    let number = st.number(1, 1, 255)?;
    Ok(number.and_then(|number| u8::try_from(number).ok()))
}

/// `key ID SECRET`
pub(in super::super) fn key(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (Some(id), word) = (id(st)?, st.need(2)?) else {
        return Ok(());
    };
    here(draft, |name, signing| {
        let (secret, file) = match secret(st, word) {
            Ok(found) => found,
            Err(problem) => {
                let message = format!("({name}) auth_hmac key {id}: {problem} - ignoring");
                st.error(Class::General, message, Some(0));
                return Ok(());
            }
        };
        if signing.key(id).is_some() {
            let message = format!("({name}) auth_hmac key {id} is defined twice - ignoring");
            st.error(Class::General, message, Some(1));
        } else {
            signing.keys.push(SigningKey { id, secret, file });
        }
        Ok(())
    })
}

/// The bytes of a key, and the file that they stand in.
fn secret(st: &Statement<'_>, word: &str) -> Result<(Vec<u8>, Option<String>), String> {
    let (bytes, file) = if let Some(digits) = word.strip_prefix("hex:") {
        (hex(digits).ok_or("not an even number of hex digits")?, None)
    } else if let Some(path) = word.strip_prefix("file:") {
        let bytes = match st.facts.secret(path) {
            Secret::Bytes(mut bytes) => {
                while bytes.last().is_some_and(u8::is_ascii_whitespace) {
                    bytes.pop();
                }
                bytes
            }
            // What is not looked at is in order.
            Secret::Unseen => vec![0; MIN_SECRET],
            Secret::Exposed => {
                return Err(format!(
                    "{} can be read or written by others than its owner; chmod 600 it",
                    to_display(path)
                ));
            }
            Secret::Unreadable(reason) => {
                return Err(format!("{} cannot be read: {reason}", to_display(path)));
            }
        };
        (bytes, Some(path.to_owned()))
    } else {
        (to_bytes(word).into_owned(), None)
    };
    let length = bytes.len();
    if !(MIN_SECRET..=MAX_SECRET).contains(&length) {
        return Err(format!(
            "has {length} bytes, a key has {MIN_SECRET} to {MAX_SECRET}"
        ));
    }
    Ok((bytes, file))
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let values: Option<Vec<u8>> = digits
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let values = values.filter(|values| values.len() % 2 == 0)?;
    let pairs = values.chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect()
}

/// `active_key ID`
pub(in super::super) fn active_key(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let id = id(st)?;
    here(draft, |_, signing| {
        signing.active = id.unwrap_or(signing.active);
        Ok(())
    })
}

/// `time_window SECONDS`
pub(in super::super) fn time_window(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let seconds = st.number(1, 1, 300)?;
    here(draft, |_, signing| {
        let window = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        signing.window = window.or(signing.window);
        Ok(())
    })
}

/// `anti_replay time|monotonic`
pub(in super::super) fn anti_replay(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    here(draft, |name, signing| {
        match word {
            "time" => signing.replay = AntiReplay::Time,
            "monotonic" => signing.replay = AntiReplay::Monotonic,
            other => unknown(st, name, "anti_replay", other),
        }
        Ok(())
    })
}

/// `mode enforce|permissive|receive-only`
pub(in super::super) fn mode(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    here(draft, |name, signing| {
        match word {
            "enforce" => signing.mode = SigningMode::Enforce,
            "permissive" => signing.mode = SigningMode::Permissive,
            "receive-only" => signing.mode = SigningMode::ReceiveOnly,
            other => unknown(st, name, "mode", other),
        }
        Ok(())
    })
}

fn unknown(st: &mut Statement<'_>, name: &str, keyword: &str, word: &str) {
    let word = to_display(word);
    let message = format!("({name}) auth_hmac unknown {keyword} '{word}' - ignoring");
    st.error(Class::General, message, Some(1));
}
