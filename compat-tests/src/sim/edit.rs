//! Random edits of a configuration.
//!
//! Owns: what an administrator may change on one router without asking the others. Never does:
//! make a file that the reader would complain about. Driven by: `random` (storms of reloads) and
//! `converge`.

use keepalived_rs::base::{Duration, Family, Rng};
use keepalived_rs::conf::model::{
    Config, Forwarding, GroupEntry, Persistence, Priority, Scheduler, ServiceKey, VirtualServer,
    VrrpInstance,
};

use super::random::{group_entries, groups, pick, policy, random_server, seconds, small};
use super::{company, setup};

/// Changes a few things; sometimes it is all put back to `original`.
pub fn config(config: &mut Config, original: &Config, rng: &mut Rng) {
    if rng.below(5) == 0 {
        config.clone_from(original);
        return;
    }
    if config.vrrp_instances.len() > 1 && rng.below(8) == 0 {
        remove(config, 0);
    }
    for instance in &mut config.vrrp_instances {
        vrrp(instance, rng);
    }
    // Members of a group go on being alike.
    for group in &original.sync_groups {
        let mut members = config.vrrp_instances.iter();
        let first = members.find(|one| group.members.contains(&one.name));
        let Some(priority) = first.map(|one| one.priority) else {
            continue;
        };
        for instance in &mut config.vrrp_instances {
            if group.members.contains(&instance.name) {
                instance.priority = priority;
            }
        }
    }
    company::edit(rng, config);
    if rng.below(8) == 0 {
        config.virtual_servers.pop();
    }
    for service in &mut config.virtual_servers {
        ipvs(service, rng);
    }
    config.server_groups = groups(&config.virtual_servers);
}

/// Takes an instance out, with all of its group.
fn remove(config: &mut Config, at: usize) {
    let name = config.vrrp_instances[at].name.clone();
    let gone = match super::tracking::group_of(config, &name) {
        Some(group) => group.members.clone(),
        None => vec![name],
    };
    if gone.len() < config.vrrp_instances.len() {
        config
            .vrrp_instances
            .retain(|one| !gone.contains(&one.name));
        config
            .sync_groups
            .retain(|group| !group.members.contains(&gone[0]));
    }
}

fn vrrp(instance: &mut VrrpInstance, rng: &mut Rng) {
    if !instance.priority.is_owner() && rng.below(2) == 0 {
        instance.priority = Priority(pick(rng, &[1, 60, 100, 150, 253]));
    }
    if rng.below(4) == 0 {
        instance.garp.delay = seconds(rng, 5);
    }
    if rng.below(6) == 0 {
        let (vrid, n) = (instance.vrid.get(), 10 + small(rng, 4));
        let added = match instance.family {
            Family::V4 => setup::vip(setup::virtual_address(vrid, n), 32),
            Family::V6 => setup::vip(setup::virtual_address_v6(vrid, n), 128),
        };
        if !instance.addresses.contains(&added) {
            instance.addresses.push(added);
        }
    }
    if instance.addresses.len() > 1 && rng.below(6) == 0 {
        instance.addresses.remove(0);
    }
}

fn ipvs(service: &mut VirtualServer, rng: &mut Rng) {
    if rng.below(6) == 0 {
        service.scheduler = pick(rng, &[Scheduler::Rr, Scheduler::Wlc, Scheduler::Sh]);
    }
    if rng.below(6) == 0 {
        let timeout = Duration::from_secs(50);
        service.persistence = (rng.below(2) == 0).then_some(Persistence {
            timeout,
            granularity: 32,
        });
    }
    if rng.below(6) == 0 {
        // Another check, weight and all, for a server that is there; its port serves or does not.
        if let Some(server) = service.real_servers.first_mut() {
            let [_, _, _, number] = match server.key.address {
                std::net::IpAddr::V4(address) => address.octets(),
                std::net::IpAddr::V6(_) => [0; 4],
            };
            let forwarding = server.forwarding;
            *server = random_server(rng, number.saturating_sub(1)).into();
            server.forwarding = forwarding;
        }
    }
    if service.real_servers.len() > 1 && rng.below(6) == 0 {
        service.real_servers.remove(0);
    }
    if rng.below(6) == 0 {
        let number = 100 + small(rng, 4);
        let added = random_server(rng, number);
        if service.real_servers.iter().all(|s| s.key != added.key) {
            service.real_servers.push(added.into());
        }
    }
    if rng.below(4) == 0 {
        policy(rng, service);
    }
    if let [GroupEntry::Addresses { first, .. }, ..] = service.entries.as_slice()
        && rng.below(3) == 0
        && let std::net::IpAddr::V4(first) = first
    {
        let first = first.octets()[3];
        service.entries = group_entries(rng, first);
    }
    // Without translation a mark's servers have no port.
    if matches!(service.key, ServiceKey::Fwmark { .. }) {
        for server in &mut service.real_servers {
            server.forwarding = Forwarding::Nat;
        }
        return;
    }
    let method = (rng.below(8) == 0).then(|| pick(rng, &[Forwarding::Nat, Forwarding::Dr]));
    let method = method.or_else(|| service.real_servers.first().map(|s| s.forwarding));
    for server in &mut service.real_servers {
        server.forwarding = method.unwrap_or(Forwarding::Dr);
        if rng.below(3) == 0 {
            server.weight = pick(rng, &[1, 2, 5, 0]);
        }
    }
}
