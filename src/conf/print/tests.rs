//! Models of every kind, printed and read again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;

use super::super::laws;
use super::super::model::options::{
    ArgumentMatch, InstanceOptions, Notify, Script, SyncGroup, TrackFile, TrackProcess,
    TrackScript, Tracked, Tracking, Weight,
};
use super::super::model::{
    AuthPass, BfdAudience, BfdInstance, CheckScript, Config, DnsProbe, DnsType, Forwarding, Garp,
    HttpProbe, HttpProtocol, HttpUrl, InitialState, Persistence, Priority, Probe, ProbeKind,
    Protocol, RealServer, RealServerKey, Scheduler, Scope, ServerPolicy, ServiceKey, ServicePolicy,
    SmtpProbe, SorryServer, TcpCheck, TlsClient, TunnelChecksum, TunnelKind, UdpProbe,
    VirtualAddress, VirtualServer, Vrid, VrrpInstance,
};
use crate::base::{Duration, Family, Rare, Shared};

/// Names as people give them, and some that need quotes.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z][A-Za-z0-9_.-]{0,8}",
        1 => "[a-z]{1,4} [a-z#!{}]{1,4}",
        1 => "[äö日]{1,3}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    "/[a-z]{1,6}/[a-z.]{1,8}"
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    (1_u32..0xdfff_ffff).prop_map(Ipv4Addr::from)
}

fn weight(most: i16) -> impl Strategy<Value = Weight> {
    (-most..=most, any::<bool>()).prop_map(|(value, reverse)| Weight { value, reverse })
}

fn micros(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_micros)
}

fn whole(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

fn script() -> impl Strategy<Value = Script> {
    let words = proptest::collection::vec("[a-z0-9=-]{1,5}|[a-z]{1,3} [a-z]{1,3}", 0..3);
    let user = proptest::option::of("[a-z]{1,6}");
    let group = proptest::option::of("[a-z]{1,6}");
    (path(), words, user, group).prop_map(|(program, words, user, group)| Script {
        argv: std::iter::once(program).chain(words).collect(),
        group: group.filter(|_| user.is_some()),
        user,
    })
}

fn address() -> impl Strategy<Value = VirtualAddress> {
    (
        v4(),
        1_u8..=32,
        proptest::option::of("eth[0-9]"),
        prop_oneof![3 => Just(0_u8), 1 => Just(253), 1 => Just(254)],
        proptest::option::of(v4()),
        proptest::option::of("eth[0-9]:[a-z]{1,8}"),
    )
        .prop_map(
            |(address, prefix_len, interface, scope, broadcast, label)| VirtualAddress {
                options: Rare::default(),
                address: address.into(),
                prefix_len,
                interface,
                scope: Scope(scope),
                broadcast,
                label,
            },
        )
}

fn notify() -> impl Strategy<Value = Notify> {
    let slot = || proptest::option::weighted(0.3, script());
    let said = || proptest::option::of(any::<bool>());
    ((slot(), slot(), slot(), slot(), slot()), said(), said()).prop_map(
        |((any, backup, master, fault, stop), mail, priority_changes)| Notify {
            any,
            backup,
            master,
            fault,
            stop,
            mail,
            priority_changes,
            ..Notify::default()
        },
    )
}

fn garp() -> impl Strategy<Value = Garp> {
    (
        1_u32..9,
        0_u64..99,
        0_u64..99,
        1_u32..9,
        0_u32..9,
        0_u64..99,
    )
        .prop_map(
            |(repeat, delay, refresh, refresh_repeat, lower, lower_delay)| Garp {
                repeat,
                delay: Duration::from_secs(delay),
                refresh: Duration::from_secs(refresh),
                refresh_repeat,
                lower_priority_repeat: lower,
                lower_priority_delay: Duration::from_secs(lower_delay),
            },
        )
}

fn options() -> impl Strategy<Value = InstanceOptions> {
    let said = || proptest::option::of(any::<bool>());
    (
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        (said(), said(), said()),
        proptest::option::of(1_u8..=100),
        proptest::option::of(any::<u32>()),
        proptest::collection::vec(address(), 0..3),
        notify(),
    )
        .prop_map(
            |(flags, said, down, buffer, excluded, notify)| InstanceOptions {
                ignore_own_interface: flags.0,
                track_source: flags.1,
                promote_secondaries: flags.2,
                skip_address_check: flags.3,
                accept: said.0,
                lower_no_advert: said.1,
                higher_send_advert: said.2,
                down_timer_adverts: down,
                receive_buffer: buffer,
                excluded,
                notify,
                ..InstanceOptions::default()
            },
        )
}

fn instance() -> impl Strategy<Value = VrrpInstance> {
    (
        (any::<bool>(), any::<bool>(), 1_u8..=254, 1_u64..=255),
        proptest::option::of("[a-z0-9]{1,8}"),
        proptest::collection::vec(address(), 1..5),
        micros(0..1_000_000_000),
        garp(),
        options(),
    )
        .prop_map(
            |((master, nopreempt, priority, interval), secret, addresses, delay, garp, options)| {
                // `resolve` gives each its name, id and interface below.
                let mut instance = VrrpInstance::new("", Vrid::new(1).unwrap(), "eth0");
                instance.initial_state = if master {
                    InitialState::Master
                } else {
                    InitialState::Backup
                };
                instance.no_preempt = nopreempt && !master;
                instance.preempt_delay = if master || nopreempt {
                    Duration::ZERO
                } else {
                    delay
                };
                instance.priority = Priority(priority);
                instance.advert_interval = Duration::from_secs(interval);
                instance.auth = secret.map(|secret| {
                    let mut bytes = [0; 8];
                    bytes[..secret.len()].copy_from_slice(secret.as_bytes());
                    AuthPass(bytes)
                });
                instance.addresses = addresses;
                instance.garp = garp;
                instance.options = Shared::new(options);
                instance
            },
        )
}

fn track_script() -> impl Strategy<Value = TrackScript> {
    (
        script(),
        micros(1000..9_000_000),
        proptest::option::of(micros(1..9_000_000)),
        weight(253),
        (1_u32..9, 1_u32..9, any::<bool>()),
    )
        .prop_map(
            |(script, interval, timeout, weight, (rise, fall, init_fail))| TrackScript {
                name: String::new(),
                script,
                // Scripts count milliseconds.
                interval: Duration::from_millis(interval.as_secs() * 1000 + 1),
                timeout: timeout.map(|timeout| Duration::from_millis(timeout.as_secs() * 1000 + 1)),
                weight,
                rise,
                fall,
                init_fail,
            },
        )
}

fn track_process() -> impl Strategy<Value = TrackProcess> {
    (
        path(),
        proptest::collection::vec("[a-z]{1,4}", 0..3),
        weight(254),
        proptest::option::of(1_u16..9),
        micros(1..9_000_000),
    )
        .prop_map(|(process, arguments, weight, quorum, delay)| TrackProcess {
            full_command: !arguments.is_empty(),
            process: Some(process),
            arguments_match: (!arguments.is_empty()).then_some(ArgumentMatch::Partial),
            arguments,
            weight,
            quorum,
            terminate_delay: delay,
            ..TrackProcess::default()
        })
}

fn track_file() -> impl Strategy<Value = TrackFile> {
    let initial = proptest::option::of((-99_i64..99, any::<bool>()));
    (path(), proptest::option::of(weight(254)), initial).prop_map(|(file, weight, initial)| {
        TrackFile {
            name: String::new(),
            file: Some(file),
            weight,
            initial: initial.map(|(value, _)| value),
            overwrite: initial.is_some_and(|(_, overwrite)| overwrite),
        }
    })
}

/// Routers with trackers, all of which have names of their own.
fn routers() -> impl Strategy<Value = Config> {
    (
        proptest::collection::vec(instance(), 0..3),
        proptest::collection::vec(track_script(), 0..3),
        proptest::collection::vec(track_process(), 0..2),
        proptest::collection::vec(track_file(), 0..2),
        proptest::collection::vec((name(), proptest::option::of(weight(253))), 4),
        (notify(), any::<bool>()),
    )
        .prop_map(|(instances, scripts, processes, files, names, group)| {
            let mut config = Config {
                vrrp_instances: instances.into_iter().map(Shared::new).collect(),
                ..Config::default()
            };
            config.trackers.scripts = scripts;
            config.trackers.processes = processes;
            config.trackers.files = files;
            let label = |kind: &str, index: usize| {
                let name = names.get(index).map_or("", |(name, _)| name);
                format!("{kind}{index}{name}")
            };
            for (index, tracker) in config.trackers.scripts.iter_mut().enumerate() {
                tracker.name = label("s", index);
            }
            for (index, tracker) in config.trackers.processes.iter_mut().enumerate() {
                tracker.name = label("p", index);
            }
            for (index, tracker) in config.trackers.files.iter_mut().enumerate() {
                tracker.name = label("f", index);
            }
            let tracked = |name: &String, index: usize| Tracked {
                name: name.clone(),
                weight: names.get(index).and_then(|(_, weight)| *weight),
            };
            let tracking = Tracking {
                bfd: Vec::new(),
                scripts: config
                    .trackers
                    .scripts
                    .iter()
                    .map(|t| tracked(&t.name, 0))
                    .collect(),
                processes: config
                    .trackers
                    .processes
                    .iter()
                    .map(|t| tracked(&t.name, 1))
                    .collect(),
                files: config
                    .trackers
                    .files
                    .iter()
                    .map(|t| tracked(&t.name, 2))
                    .collect(),
                interfaces: Vec::new(),
            };
            for (index, instance) in config.vrrp_instances.iter_mut().enumerate() {
                instance.name = label("VI", index);
                instance.vrid = Vrid::new(u8::try_from(index + 1).unwrap()).unwrap();
                instance.options.tracking = tracking.clone();
            }
            if config.vrrp_instances.len() > 1 {
                config.sync_groups.push(SyncGroup {
                    name: label("G", 3),
                    members: config
                        .vrrp_instances
                        .iter()
                        .map(|i| i.name.clone())
                        .collect(),
                    notify: group.0,
                    weights_apply: true,
                    ..SyncGroup::default()
                });
            }
            config
        })
}

fn forwarding() -> impl Strategy<Value = Forwarding> {
    prop_oneof![
        Just(Forwarding::Nat),
        Just(Forwarding::Dr),
        Just(Forwarding::Tun(TunnelKind::Ipip)),
        (1_u16..).prop_map(|port| Forwarding::Tun(TunnelKind::Gue {
            port,
            checksum: TunnelChecksum::Remote
        })),
        Just(Forwarding::Tun(TunnelKind::Gre {
            checksum: TunnelChecksum::Full
        })),
    ]
}

fn check_script() -> impl Strategy<Value = CheckScript> {
    let owner = proptest::option::of(("[a-z]{1,6}", proptest::option::of("[a-z]{1,6}")));
    ("/[a-z]{1,6}( [a-z]{1,4}){0,2}", owner).prop_map(|(command, owner)| CheckScript {
        command,
        user: owner.as_ref().map(|(user, _)| user.clone()),
        group: owner.and_then(|(_, group)| group),
    })
}

fn connection() -> impl Strategy<Value = TcpCheck> {
    (
        (v4(), 1_u16.., proptest::option::of((v4(), any::<u16>()))),
        proptest::option::of("eth[0-9]"),
        (any::<u32>(), 0_u32..99),
        (
            micros(1..4_000_000_000),
            micros(0..4_000_000_000),
            micros(1..4_000_000_000),
        ),
        (micros(0..4_000_000_000), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |(ends, bind_interface, (fwmark, retries), times, (warmup, alpha, all))| TcpCheck {
                target: SocketAddr::from((ends.0, ends.1)),
                bind: ends.2.map(SocketAddr::from),
                bind_interface,
                fwmark,
                connect_timeout: times.0,
                retries,
                delay_before_retry: times.1,
                delay_loop: times.2,
                warmup,
                alpha,
                log_all_failures: all,
            },
        )
}

fn probe() -> impl Strategy<Value = Probe> {
    let url =
        ("/[a-z]{0,5}", any::<[u8; 16]>(), 200_u16..299).prop_map(|(path, digest, code)| HttpUrl {
            path: Some(path),
            digest: Some(digest),
            status_codes: vec![(code, code), (300, 310)],
            ..HttpUrl::default()
        });
    let urls = proptest::collection::vec(url, 1..3);
    let kind = prop_oneof![
        (
            urls,
            any::<bool>(),
            proptest::option::of("[a-z]{1,5}([.][a-z]{1,5}){0,2}")
        )
            .prop_map(|(urls, sni, host)| {
                ProbeKind::Http(HttpProbe {
                    protocol: HttpProtocol::Http11,
                    virtual_host: host,
                    sni,
                    secure: sni,
                    urls,
                    ..HttpProbe::default()
                })
            }),
        proptest::option::of("[a-z]{1,5}([.][a-z]{1,5}){0,2}")
            .prop_map(|helo_name| ProbeKind::Smtp(SmtpProbe { helo_name })),
        proptest::option::of("[a-z]{2,5}([.][a-z]{2,5}){0,2}").prop_map(|name| ProbeKind::Dns(
            DnsProbe {
                record: DnsType::Aaaa,
                name
            }
        )),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(|payload| ProbeKind::Udp(UdpProbe {
            payload,
            ..UdpProbe::default()
        })),
        Just(ProbeKind::Ping),
    ];
    (connection(), kind).prop_map(|(connect, kind)| Probe {
        connect,
        kind,
        tcp_before: 0,
    })
}

fn server_policy() -> impl Strategy<Value = ServerPolicy> {
    (
        (1_u32..99, any::<bool>()),
        proptest::option::of(check_script()),
        proptest::option::of(any::<bool>()),
        proptest::option::of(name()),
    )
        .prop_map(
            |((upper, inhibit), notify_up, smtp_alert, snmp_name)| ServerPolicy {
                upper_threshold: upper,
                inhibit_on_failure: inhibit,
                notify_up,
                smtp_alert,
                snmp_name,
                ..ServerPolicy::default()
            },
        )
}

fn real_server() -> impl Strategy<Value = RealServer> {
    (
        9_u32..=i32::MAX.unsigned_abs(),
        forwarding(),
        proptest::collection::vec(connection(), 0..2),
        proptest::collection::vec(probe(), 0..2),
        proptest::option::of(server_policy()),
    )
        .prop_map(
            |(weight, forwarding, tcp_checks, mut probes, policy)| RealServer {
                key: RealServerKey {
                    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                    // Only where addresses are translated ports may be too.
                    port: if forwarding == Forwarding::Nat {
                        81
                    } else {
                        80
                    },
                },
                weight,
                forwarding,
                probes: {
                    for (place, probe) in probes.iter_mut().enumerate() {
                        let before = place.min(tcp_checks.len());
                        probe.tcp_before = u16::try_from(before).unwrap();
                    }
                    probes
                },
                tcp_checks,
                policy: policy.map(Box::new),
            },
        )
}

fn service() -> impl Strategy<Value = VirtualServer> {
    (
        (
            0_usize..Scheduler::ALL.len(),
            0_u8..8,
            any::<bool>(),
            any::<bool>(),
        ),
        proptest::option::of((whole(1..2_678_400), 1_u8..=32)),
        proptest::collection::vec(real_server(), 1..4),
        (
            1_u32..9,
            proptest::option::of(check_script()),
            proptest::option::of(any::<bool>()),
        ),
        proptest::option::of((v4(), proptest::option::of(1_u16..), any::<bool>())),
    )
        .prop_map(
            |(of, persistence, real_servers, (quorum, quorum_up, alert), sorry)| VirtualServer {
                key: ServiceKey::address(
                    IpAddr::V4(Ipv4Addr::LOCALHOST),
                    80,
                    if of.2 { Protocol::Tcp } else { Protocol::Udp },
                ),
                entries: Vec::new(),
                family: Family::V4,
                forwarding: Forwarding::Nat,
                scheduler: Scheduler::ALL[of.0],
                persistence: persistence.map(|(timeout, granularity)| Persistence {
                    timeout,
                    granularity,
                }),
                real_servers: real_servers.into_iter().map(Shared::new).collect(),
                policy: ServicePolicy {
                    quorum,
                    hysteresis: quorum - 1,
                    quorum_up,
                    scheduler_flags: of.1,
                    ha_suspend: of.3,
                    smtp_alert: alert,
                    sorry_server: sorry.map(|(address, port, inhibit)| SorryServer {
                        address: address.into(),
                        port,
                        forwarding: None,
                        inhibit,
                    }),
                    ..ServicePolicy::default()
                },
            },
        )
}

/// Services with addresses of their own.
fn services() -> impl Strategy<Value = Config> {
    proptest::collection::vec(service(), 0..4).prop_map(|mut services| {
        for (number, service) in (1_u8..).zip(&mut services) {
            if let ServiceKey::Address(key) = &mut service.key {
                key.address = Ipv4Addr::new(192, 0, 2, number).into();
            }
            for (number, server) in (1_u8..).zip(&mut service.real_servers) {
                server.key.address = Ipv4Addr::new(198, 51, 100, number).into();
            }
        }
        Config {
            virtual_servers: services.into_iter().map(Shared::new).collect(),
            ..Config::default()
        }
    })
}

fn session() -> impl Strategy<Value = BfdInstance> {
    (
        "[a-z]{1,30}",
        (v4(), proptest::option::of(v4())),
        (
            micros(1000..4_000_000),
            micros(1000..4_000_000),
            whole(1..9),
        ),
        (1_u8.., 200_u8.., proptest::option::of(0_u8..200)),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (-253_i16..=253, 0..3),
    )
        .prop_map(
            |(name, ends, times, numbers, flags, (weight, audience))| BfdInstance {
                name,
                neighbor: ends.0.into(),
                source: ends.1.map(IpAddr::V4),
                min_rx: times.0,
                min_tx: times.1,
                idle_tx: times.2,
                multiplier: numbers.0,
                ttl: numbers.1,
                max_hops: numbers.2,
                passive: flags.0,
                multihop: flags.1,
                reverse: flags.2,
                weight,
                audience: match audience {
                    0 => BfdAudience::Both,
                    1 => BfdAudience::Vrrp,
                    _ => BfdAudience::Checker,
                },
            },
        )
}

fn the_rest() -> impl Strategy<Value = Config> {
    let tls = proptest::option::of((name(), path()));
    (
        proptest::option::of(session()),
        tls,
        proptest::option::of(name()),
    )
        .prop_map(|(session, tls, router_id)| {
            let mut config = Config {
                bfd_instances: session.into_iter().collect(),
                tls: tls.map(|(password, ca)| TlsClient {
                    password: Some(password),
                    ca: Some(ca),
                    ..TlsClient::default()
                }),
                ..Config::default()
            };
            config.global.router_id = router_id;
            config
        })
}

proptest! {
    #![proptest_config(laws::cases(48))]

    #[test]
    fn routers_are_read_as_they_are_printed(config in routers()) {
        prop_assert_eq!(laws::print_and_read(&config), Ok(()));
    }

    #[test]
    fn services_are_read_as_they_are_printed(config in services()) {
        prop_assert_eq!(laws::print_and_read(&config), Ok(()));
    }

    #[test]
    fn the_rest_is_read_as_it_is_printed(config in the_rest()) {
        prop_assert_eq!(laws::print_and_read(&config), Ok(()));
    }
}
