//! Handlers of `HTTP_GET`, `SSL_GET` and their `url`.
//!
//! Owns: what each of their keywords sets in the draft. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::{Draft, KindDraft};
use super::super::model::{HttpProbe, HttpProtocol, HttpRegex, HttpUrl};
use super::super::source::to_display;
use super::other_probes::{begin, hex_digit, kind};
use super::probes;
use super::real_server::{self, switch_or};
use super::service_policy::{name, virtual_host};
use super::{Outcome, Statement};

/// `HTTP_GET {`
pub(in super::super) fn http_get(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Http(HttpProbe::default()))
}

/// `SSL_GET {`
pub(in super::super) fn ssl_get(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    let probe = HttpProbe {
        secure: true,
        ..HttpProbe::default()
    };
    begin(draft, KindDraft::Http(probe))
}

/// Runs `f` on the check that is being read.
fn current(draft: &mut Draft, f: impl FnOnce(&mut HttpProbe) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::Http(probe) => f(probe),
        _ => Ok(()),
    })
}

/// Runs `f` on the resource that is being read.
fn current_url(draft: &mut Draft, f: impl FnOnce(&mut HttpUrl) -> Outcome) -> Outcome {
    current(draft, |probe| probe.urls.last_mut().map_or(Ok(()), f))
}

/// `}`: a check asks for something.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let mut empty = false;
    // Both only look, neither can fail.
    let _ = current(draft, |probe| {
        empty = probe.urls.is_empty();
        Ok(())
    });
    if empty {
        let message = "HTTP/SSL_GET checker has no urls specified - ignoring";
        st.error(Class::General, message, None);
        let _ = real_server::current(draft, |server| {
            server.probes.pop();
            Ok(())
        });
    }
}

/// `url {`
pub(in super::super) fn url(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        probe.urls.push(HttpUrl::default());
        Ok(())
    })
}

/// `}`: a resource has a path.
pub(in super::super) fn close_url(draft: &mut Draft, st: &mut Statement<'_>) {
    let _ = current(draft, |probe| {
        if probe.urls.last().is_some_and(|url| url.path.is_none()) {
            let message = "HTTP/SSL_GET checker url has no path - ignoring";
            st.error(Class::General, message, None);
            probe.urls.pop();
        }
        Ok(())
    });
}

/// `nb_get_retry COUNT`: the spelling of 1.x.
pub(in super::super) fn nb_get_retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let message = "nb_get_retry is deprecated - please use 'retry'";
    st.error(Class::Deprecated, message, Some(0));
    let number = st.number(1, 0, u32::MAX)?;
    let word = st.need(1)?;
    probes::current(draft, |check| {
        if number.is_none() {
            let message = format!("Invalid nb_get_retry value '{}'", to_display(word));
            st.error(Class::General, message, Some(1));
        }
        check.checks.retries = number.or(check.checks.retries);
        Ok(())
    })
}

/// `virtualhost NAME`
pub(in super::super) fn virtualhost(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        let slot = &mut probe.virtual_host;
        virtual_host(st, ("", "HTTP_GET virtualhost name missing"), slot)
    })
}

/// `http_protocol 1.0|1.0C|1.1`
pub(in super::super) fn http_protocol(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        probe.protocol = match st.word(1) {
            Some("1.0") => HttpProtocol::Http10,
            Some("1.0C" | "1.0c") => HttpProtocol::Http10Close,
            Some("1.1") => HttpProtocol::Http11,
            Some(word) => {
                let message = format!("Invalid http_protocol version {}", to_display(word));
                st.error(Class::General, message, Some(1));
                return Ok(());
            }
            None => {
                st.error(Class::General, "Missing http_protocol version", Some(0));
                return Ok(());
            }
        };
        Ok(())
    })
}

/// `enable_sni [BOOL]`
pub(in super::super) fn enable_sni(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        plain_switch(st, "enable_sni", "parameter", &mut probe.sni)
    })
}

/// `fast_recovery [BOOL]`
pub(in super::super) fn fast_recovery(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        plain_switch(st, "fast_recovery", "parameter", &mut probe.fast_recovery)
    })
}

/// `tls_compliant [BOOL]` of a check
pub(in super::super) fn tls_compliant(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        plain_switch(st, "tls_compliant", "option", &mut probe.tls_compliant)
    })
}

/// A switch that is off without its keyword; `word` is what messages call its word.
fn plain_switch(st: &mut Statement<'_>, name: &str, word: &str, slot: &mut bool) -> Outcome {
    let mut value = Some(*slot);
    switch_or(st, &format!("Invalid {name} {word}"), &mut value)?;
    *slot = value.unwrap_or(*slot);
    Ok(())
}

/// `sni_name NAME`
pub(in super::super) fn sni_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |probe| {
        name(st, "HTTP_GET sni_name missing", &mut probe.sni_name)
    })
}

/// `path PATH`
pub(in super::super) fn path(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    current_url(draft, |url| {
        if let Some(old) = &url.path {
            let (old, new) = (to_display(old), to_display(word));
            let message = format!("Duplicate path - overwriting {old} with {new}");
            st.error(Class::General, message, Some(1));
        }
        url.path = Some(word.to_owned());
        Ok(())
    })
}

/// `digest MD5`
pub(in super::super) fn digest(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    let shown = to_display(word);
    current_url(draft, |url| {
        if url.digest.is_some() {
            let message = format!("Digest '{shown}' is a duplicate");
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        if shown.len() != 32 {
            let message = format!(
                "digest '{shown}' character length should be 32 rather than {}",
                shown.len()
            );
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        let mut sum = [0; 16];
        for (index, (byte, pair)) in sum.iter_mut().zip(shown.as_bytes().chunks(2)).enumerate() {
            let digits: Option<Vec<u8>> = pair.iter().copied().map(hex_digit).collect();
            let Some([high, low]) = digits.as_deref() else {
                let message = format!(
                    "Unable to interpret hex digit in '{shown}' at offset {}/{}",
                    2 * index,
                    2 * index + 1
                );
                st.error(Class::General, message, Some(1));
                return Ok(());
            };
            *byte = high << 4 | low;
        }
        url.digest = Some(sum);
        Ok(())
    })
}

/// `status_code CODE|FIRST-LAST ...`
pub(in super::super) fn status_code(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current_url(draft, |url| {
        for index in 1..st.count() {
            let word = st.need(index)?;
            match status_range(word) {
                Some(range) => url.status_codes.push(range),
                None => {
                    let message = format!("Invalid HTTP_GET status code '{}'", to_display(word));
                    st.error(Class::General, message, Some(index));
                }
            }
        }
        Ok(())
    })
}

/// One code or two with a hyphen, from 100 to 599.
fn status_range(word: &str) -> Option<(u16, u16)> {
    let code = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
            .filter(|code| (100..600).contains(code))
    };
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (code(first)?, code(last)?);
    (first <= last).then_some((first, last))
}

/// `virtualhost NAME` of a resource
pub(in super::super) fn url_virtualhost(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current_url(draft, |url| {
        virtual_host(
            st,
            ("url ", "Missing HTTP_GET virtualhost name"),
            &mut url.virtual_host,
        )
    })
}

/// `tls_compliant [BOOL]` of a resource
pub(in super::super) fn url_tls_compliant(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current_url(draft, |url| {
        switch_or(st, "Invalid tls_compliant option", &mut url.tls_compliant)
    })
}

/// Runs `f` on the pattern of the resource that is being read.
fn pattern(draft: &mut Draft, f: impl FnOnce(&mut HttpRegex) -> Outcome) -> Outcome {
    current_url(draft, |url| f(url.regex.get_or_insert_default()))
}

/// `regex PATTERN`
pub(in super::super) fn regex(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.word(1).filter(|_| st.count() == 2);
    pattern(draft, |regex| {
        let Some(word) = word else {
            let message = "regex missing or too many fields";
            st.error(Class::General, message, Some(st.count() - 1));
            return Ok(());
        };
        if let Some(old) = &regex.pattern {
            let (old, new) = (to_display(old), to_display(word));
            let message = format!("Duplicate regex specified - replacing {old} with {new}");
            st.error(Class::General, message, Some(1));
        }
        regex.pattern = Some(word.to_owned());
        Ok(())
    })
}

/// `regex_no_match`
pub(in super::super) fn regex_no_match(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    pattern(draft, |regex| {
        regex.no_match = true;
        Ok(())
    })
}

/// The options of PCRE2 that a pattern can have.
const OPTIONS: [&str; 24] = [
    "allow_empty_class",
    "alt_bsux",
    "alt_circumflex",
    "alt_verbnames",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "use_offset_limit",
    "utf",
];

/// `regex_options NAME ...`
pub(in super::super) fn regex_options(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    pattern(draft, |regex| {
        for index in 1..st.count() {
            let word = st.need(index)?;
            if OPTIONS.contains(&word) {
                regex.options.push(word.to_owned());
            } else {
                // keepalived says nothing of it.
                let message = format!("unknown regex option '{}' - ignored", to_display(word));
                st.error(Class::Advice, message, Some(index));
            }
        }
        Ok(())
    })
}

/// The offset behind the keyword. keepalived says nothing of one that is none.
fn offset(st: &mut Statement<'_>) -> Option<u32> {
    let number = st.word(1).and_then(|word| word.parse().ok());
    if number.is_none() {
        let message = format!(
            "{} has no number from 0 to {} behind it - ignored",
            to_display(st.word(0).unwrap_or_default()),
            u32::MAX
        );
        st.error(Class::Advice, message, Some(st.count() - 1));
    }
    number
}

/// `regex_min_offset BYTES`
pub(in super::super) fn regex_min_offset(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = offset(st);
    pattern(draft, |regex| {
        regex.min_offset = number.unwrap_or(regex.min_offset);
        Ok(())
    })
}

/// `regex_max_offset BYTES`
pub(in super::super) fn regex_max_offset(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = offset(st);
    pattern(draft, |regex| {
        regex.max_offset = number.or(regex.max_offset);
        Ok(())
    })
}

/// `regex_stack START MAX`
pub(in super::super) fn regex_stack(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let first = st.number(1, 0, u32::MAX)?;
    let largest = st.number(2, 0, u32::MAX)?;
    pattern(draft, |regex| {
        regex.stack = first.zip(largest).or(regex.stack);
        Ok(())
    })
}
