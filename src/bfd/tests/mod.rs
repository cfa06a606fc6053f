//! The session machine against RFC 5880 §6.8, rule by rule.

mod domain;
mod machine;
mod properties;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Action, Domain, Event, SessionView};
use crate::base::{Duration, Family, Instant};
use crate::conf::model::plan::{Step, diff};
use crate::conf::model::{BfdAudience, BfdInstance};
use crate::ops::{Datagram, Effect, Frame, SocketId, SocketSpec};
use crate::wire::bfd::{Control, Diagnostic, State};

const NEIGHBOR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const THEIRS: u32 = 0x0102_0304;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn instance() -> BfdInstance {
    BfdInstance {
        name: "b".into(),
        source: Some("192.0.2.1".parse().unwrap()),
        neighbor: NEIGHBOR,
        min_rx: ms(200),
        min_tx: ms(100),
        idle_tx: ms(1000),
        multiplier: 4,
        passive: false,
        ttl: 255,
        max_hops: Some(0),
        multihop: false,
        weight: 0,
        reverse: false,
        audience: BfdAudience::Both,
    }
}

/// One session, and the neighbour as the test plays it.
struct Bench {
    domain: Domain,
    config: Vec<BfdInstance>,
    now: Instant,
    listener: SocketId,
    /// What was sent and not yet looked at, with its time.
    sent: Vec<(Instant, Control)>,
    /// Which verdicts were told.
    told: Vec<bool>,
    opened: Vec<(SocketId, SocketSpec)>,
}

impl Bench {
    fn new(config: BfdInstance) -> Self {
        let mut bench = Self::bare();
        bench.load(vec![config]);
        bench
    }

    fn bare() -> Self {
        Self {
            domain: Domain::new(7),
            config: Vec::new(),
            now: Instant::from_micros(1_000_000),
            listener: SocketId(0),
            sent: Vec::new(),
            told: Vec::new(),
            opened: Vec::new(),
        }
    }

    fn load(&mut self, config: Vec<BfdInstance>) {
        let plan: Vec<Step<BfdInstance>> = diff(&self.config, &config);
        let mut out = Vec::new();
        self.domain.apply(self.now, plan, &mut out);
        self.config = config;
        self.take(out);
        if let Some(listener) = self.domain.listener(Family::V4, false) {
            self.listener = listener;
        }
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::State { up, .. } => self.told.push(up),
                Action::World(Effect::Send(_, Frame::Datagram { to, bytes })) => {
                    assert_eq!(to, SocketAddr::new(NEIGHBOR, 3784));
                    self.sent.push((self.now, Control::parse(&bytes).unwrap()));
                }
                Action::World(Effect::Open(id, spec)) => self.opened.push((id, spec)),
                Action::World(Effect::Close(id)) => self.opened.retain(|(open, _)| *open != id),
                Action::World(other) => panic!("{other:?}"),
            }
        }
    }

    fn view(&self) -> SessionView {
        self.domain.session(&self.config[0].key()).unwrap()
    }

    /// A packet of the neighbour that is right in every field.
    fn packet(&self, state: State) -> Control {
        Control {
            diagnostic: Diagnostic::NONE,
            state,
            poll: false,
            final_: false,
            independent: false,
            authenticated: false,
            demand: false,
            multiplier: 3,
            my_discriminator: THEIRS,
            your_discriminator: self.view().discriminator,
            desired_min_tx: 1_000_000,
            required_min_rx: 50_000,
            required_min_echo: 0,
        }
    }

    fn hear(&mut self, control: Control) {
        self.hear_bytes(&control.emit(), 255);
    }

    fn hear_bytes(&mut self, bytes: &[u8], ttl: u8) {
        let from = SocketAddr::new(NEIGHBOR, 50_000);
        let event = Event::Datagram(Datagram {
            socket: self.listener,
            from,
            ttl,
            bytes,
        });
        self.event(event);
    }

    fn event(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        self.domain.handle(self.now, event, &mut out);
        self.take(out);
    }

    /// Lets time pass, with every timer at its time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.domain.next_deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            let mut out = Vec::new();
            self.domain.handle_timeout(self.now, &mut out);
            self.take(out);
        }
        self.now = end;
    }

    /// What was sent since the last look.
    fn sent(&mut self) -> Vec<Control> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().map(|(_, control)| control).collect()
    }

    fn told(&mut self) -> Vec<bool> {
        std::mem::take(&mut self.told)
    }

    /// Down, Init, Up, and the poll answered: both at their pace, the neighbour at 50 ms.
    fn bring_up(&mut self) {
        self.hear(self.packet(State::Down));
        self.hear(self.packet(State::Init));
        assert_eq!(self.view().state, State::Up);
        let fast = Control {
            desired_min_tx: 50_000,
            ..self.packet(State::Up)
        };
        self.hear(Control {
            final_: true,
            ..fast
        });
        assert!(!self.view().poll);
        self.sent.clear();
        self.told.clear();
    }
}
