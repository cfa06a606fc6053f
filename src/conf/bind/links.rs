//! `garp_group`, `linkbeat_interfaces` and `interface_up_down_delays`.
//!
//! Owns: what they say of interfaces. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::{GarpGroup, LinkDelay, LinkPoll};
use super::super::source::to_display;
use super::{Outcome, Statement};
use crate::base::Duration;

/// The longest pace that fits 31 bits of microseconds.
const MAX_PACE: Duration = Duration::from_micros(u32::MAX as u64);
/// The longest delay of a link.
const MAX_DELAY: Duration = Duration::from_secs(255);

/// `garp_group {`
pub(in super::super) fn garp_open(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    draft.links.garp_groups.push(GarpGroup::default());
    Ok(())
}

/// The end of a `garp_group`
pub(in super::super) fn garp_close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(group) = draft.links.garp_groups.last() else {
        return;
    };
    if group.garp_interval.is_none() && group.gna_interval.is_none() {
        // keepalived means to number the groups, but counts lists of interfaces.
        let message = format!(
            "garp group {} does not have any delay set - removing",
            draft.garp_lists
        );
        st.error(Class::General, message, None);
        draft.links.garp_groups.pop();
    }
}

/// `garp_interval SECONDS`, `gna_interval SECONDS`
pub(in super::super) fn pace(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let keyword = st.need(0)?;
    let Some(pace) = st.seconds(1, Duration::ZERO, MAX_PACE)? else {
        let shown = to_display(st.need(1)?);
        let message = format!("garp_group {keyword} '{shown}' invalid");
        st.error(Class::General, message, Some(1));
        return Ok(());
    };
    if let Some(group) = draft.links.garp_groups.last_mut() {
        if keyword == "garp_interval" {
            group.garp_interval = Some(pace);
        } else {
            group.gna_interval = Some(pace);
        }
    }
    Ok(())
}

/// `interface NAME` in a `garp_group`
pub(in super::super) fn garp_interface(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?;
    join(draft, st, name, name, Some(1));
    Ok(())
}

/// `interfaces {`
pub(in super::super) fn garp_interfaces_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    draft.garp_lists += 1;
    super::reports_extra(st);
    Ok(())
}

/// A line of `interfaces`: names.
pub(in super::super) fn garp_interfaces(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    draft.names.extend(st.words(0).map(str::to_owned));
    Ok(())
}

/// The end of `interfaces`, where keepalived looks at them.
pub(in super::super) fn garp_interfaces_close(draft: &mut Draft, st: &mut Statement<'_>) {
    let names = std::mem::take(&mut draft.names);
    if names.is_empty() {
        let message = "Warning - empty garp_group interfaces block";
        st.error(Class::General, message, None);
    }
    // keepalived tells of the second one whichever it is.
    let shown = names.get(1).or(names.last()).map_or("", String::as_str);
    for name in &names {
        join(draft, st, name, shown, None);
    }
}

/// An interface joins the group that is being read.
fn join(draft: &mut Draft, st: &mut Statement<'_>, name: &str, told: &str, index: Option<usize>) {
    let shown = to_display(name);
    if draft.misses(name, st.facts) {
        let message = format!("WARNING - interface {shown} specified for garp_group doesn't exist");
        st.error(Class::General, message, index);
        return;
    }
    let groups = &mut draft.links.garp_groups;
    if groups
        .iter()
        .any(|group| group.interfaces.iter().any(|known| known == name))
    {
        let told = to_display(told);
        let message = format!("garp_group already specified for {told} - ignoring");
        st.error(Class::General, message, index);
    } else if let Some(group) = groups.last_mut() {
        group.interfaces.push(name.to_owned());
    }
}

/// A line of `linkbeat_interfaces`: `NAME [MII|ETHTOOL|IOCTL]`
pub(in super::super) fn polled(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(0)?;
    let shown = to_display(name);
    if !st.facts.interface_exists(name) {
        let message = format!("unknown interface {shown} specified for linkbeat interface");
        st.error(Class::Fatal, message, Some(0));
        return Ok(());
    }
    let poll = match st.word(1) {
        None => LinkPoll::Any,
        Some("MII") => LinkPoll::Mii,
        Some("ETHTOOL") => LinkPoll::Ethtool,
        Some("IOCTL") => LinkPoll::Ioctl,
        Some(other) => {
            let message = format!(
                "extra characters {} in linkbeat interface",
                to_display(other)
            );
            st.error(Class::General, message, Some(1));
            LinkPoll::Any
        }
    };
    draft.links.polled.push((name.to_owned(), poll));
    Ok(())
}

/// A line of `interface_up_down_delays`: `NAME [DOWN [UP]]`
pub(in super::super) fn delay(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(0)?;
    if !st.facts.interface_exists(name) {
        let shown = to_display(name);
        let message = format!("unknown interface {shown} specified for up/down delay");
        st.error(Class::Fatal, message, Some(0));
        return Ok(());
    }
    let mut delays = [Duration::ZERO; 2];
    for (index, delay) in (1..).zip(&mut delays) {
        if st.word(index).is_none() {
            break;
        }
        let Some(value) = st.seconds(index, Duration::ZERO, MAX_DELAY)? else {
            return Ok(());
        };
        *delay = value;
    }
    let [down, up] = delays;
    draft.links.delays.push(LinkDelay {
        interface: name.to_owned(),
        down,
        up,
    });
    Ok(())
}
