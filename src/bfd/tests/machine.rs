//! States, timers and polls of one session.

use super::super::session::transition;
use super::*;

fn up() -> Bench {
    let mut bench = Bench::new(instance());
    bench.bring_up();
    bench
}

fn fast(bench: &Bench) -> Control {
    Control {
        desired_min_tx: 50_000,
        ..bench.packet(State::Up)
    }
}

// §6.8.6, the figure of §6.2 as a table: for each state here, what each state there leads to.
#[test]
fn the_machine_is_that_of_the_rfc() {
    use State::{AdminDown, Down, Init, Up};
    let table = [
        (AdminDown, [None, None, None, None]),
        (Down, [None, Some(Init), Some(Up), None]),
        (Init, [Some(Down), None, Some(Up), Some(Up)]),
        (Up, [Some(Down), Some(Down), None, None]),
    ];
    for (local, row) in table {
        let got = State::ALL.map(|heard| transition(local, heard));
        assert_eq!(got, row, "{local}");
    }
}

// Input: the start. Output: a packet at once, as keepalived 2.2.7 sends it, and down is told.
#[test]
fn a_session_starts_down_and_says_so() {
    let mut bench = Bench::new(instance());
    assert_eq!(bench.told(), [false]);
    let sent = bench.sent();
    let [first] = sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(first.state, State::Down);
    assert_eq!(first.diagnostic, Diagnostic::NONE);
    assert_ne!(first.my_discriminator, 0);
    assert_eq!(first.your_discriminator, 0);
    assert_eq!(
        (first.desired_min_tx, first.required_min_rx),
        (1_000_000, 200_000)
    );
    assert_eq!((first.multiplier, first.required_min_echo), (4, 0));
    assert!(!first.poll && !first.final_ && !first.demand && !first.independent);
}

// Input: Down, then Init of the neighbour. Output: Init, then Up with a poll, each said at once
// (§6.8.7); up is told once.
#[test]
fn three_packets_bring_a_session_up() {
    let mut bench = Bench::new(instance());
    bench.sent();
    bench.told();
    bench.hear(Control {
        your_discriminator: 0,
        ..bench.packet(State::Down)
    });
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].state, sent[0].your_discriminator),
        (State::Init, THEIRS)
    );
    assert!(!sent[0].poll);
    assert!(bench.told().is_empty());
    bench.hear(bench.packet(State::Init));
    let sent = bench.sent();
    assert_eq!((sent[0].state, sent[0].poll), (State::Up, true));
    assert_eq!(
        (sent[0].desired_min_tx, sent[0].required_min_rx),
        (100_000, 200_000)
    );
    assert_eq!(bench.told(), [true]);
}

// §6.5: a poll is answered at once, by a packet that does not poll, also while one of ours runs.
#[test]
fn a_poll_is_answered_at_once_and_never_by_a_poll() {
    let mut bench = Bench::new(instance());
    bench.hear(bench.packet(State::Down));
    bench.hear(bench.packet(State::Init));
    bench.sent();
    assert!(bench.view().poll);
    bench.hear(Control {
        poll: true,
        ..fast(&bench)
    });
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].final_ && !sent[0].poll);
    assert!(bench.view().poll, "nobody has answered ours");
    // The next one asks again.
    bench.pass(ms(100));
    assert!(bench.sent().iter().all(|control| control.poll));
    bench.hear(Control {
        final_: true,
        ..fast(&bench)
    });
    assert!(!bench.view().poll);
    // No answer to what asks nothing.
    bench.sent();
    bench.hear(fast(&bench));
    assert!(bench.sent().is_empty());
}

// §6.8.4: the neighbour's multiplier times the slower of its pace and what we can take. Input:
// silence. Output: up until then, down with diagnostic 1 then, told once, the pace of a session
// that is down, and the neighbour's number forgotten.
#[test]
fn silence_for_the_detection_time_ends_a_session() {
    let mut bench = up();
    bench.hear(fast(&bench));
    assert_eq!(bench.view().detection, ms(600), "3 times 200 ms");
    bench.pass(ms(599));
    assert_eq!(bench.view().state, State::Up);
    bench.sent();
    bench.pass(ms(1));
    let view = bench.view();
    assert_eq!(
        (view.state, view.diagnostic),
        (State::Down, Diagnostic::EXPIRED)
    );
    assert_eq!((view.remote_discriminator, bench.told()), (0, vec![false]));
    let sent = bench.sent();
    let last = sent.last().unwrap();
    assert_eq!(
        (last.state, last.diagnostic),
        (State::Down, Diagnostic::EXPIRED)
    );
    assert_eq!(
        (last.your_discriminator, last.desired_min_tx),
        (0, 1_000_000)
    );
    assert!(!last.poll);
    bench.pass(ms(10_000));
    let count = bench.sent().len();
    assert!(
        (11..=13).contains(&count),
        "75 to 90 % of a second each: {count}"
    );
    assert!(bench.told().is_empty());
}

#[test]
fn a_packet_in_time_keeps_it_up() {
    let mut bench = up();
    for _ in 0..50 {
        bench.hear(fast(&bench));
        bench.pass(ms(599));
    }
    assert_eq!(bench.view().state, State::Up);
    assert!(bench.told().is_empty());
}

// Input: Down of the neighbour while up. Output: down with diagnostic 3, told.
#[test]
fn a_neighbour_that_is_down_takes_the_session_down() {
    let mut bench = up();
    bench.hear(bench.packet(State::Down));
    let view = bench.view();
    assert_eq!(
        (view.state, view.diagnostic),
        (State::Down, Diagnostic::NEIGHBOR_DOWN)
    );
    assert_eq!(bench.told(), [false]);
    assert_eq!(bench.sent()[0].diagnostic, Diagnostic::NEIGHBOR_DOWN);
}

// RFC 5882 §4.2, and keepalived 2.2.7: AdminDown is no failure of the path; nobody is told, until a
// session that comes back fails.
#[test]
fn an_administrator_who_holds_the_session_down_is_no_failure() {
    let mut bench = up();
    bench.hear(bench.packet(State::AdminDown));
    assert_eq!(bench.view().state, State::Down);
    assert_eq!(bench.view().diagnostic, Diagnostic::NEIGHBOR_DOWN);
    bench.pass(ms(10_000));
    assert!(bench.told().is_empty());
    bench.hear(Control {
        your_discriminator: 0,
        ..bench.packet(State::Down)
    });
    assert_eq!(bench.view().state, State::Init);
    bench.pass(ms(10_000));
    assert_eq!(bench.view().state, State::Down);
    assert_eq!(bench.told(), [false]);
}

// §6.8.7: 75 to 90 % of the interval, whatever the multiplier, as keepalived; the slower of what we
// want and what the neighbour takes; nothing for a neighbour that takes nothing.
#[test]
fn packets_go_out_at_the_agreed_pace() {
    for (takes, low, high) in [(50_000, 75, 90), (400_000, 300, 360)] {
        let mut bench = up();
        bench.hear(Control {
            required_min_rx: takes,
            ..fast(&bench)
        });
        bench.pass(ms(400));
        bench.sent.clear();
        for _ in 0..30 {
            bench.hear(Control {
                required_min_rx: takes,
                ..fast(&bench)
            });
            bench.pass(ms(200));
        }
        let times: Vec<Instant> = bench.sent.iter().map(|(at, _)| *at).collect();
        assert!(times.len() > 10);
        for pair in times.windows(2) {
            let gap = pair[1].saturating_since(pair[0]);
            assert!(gap >= ms(low) && gap <= ms(high), "{gap:?} for {takes}");
        }
    }
    let mut bench = up();
    bench.hear(Control {
        required_min_rx: 0,
        ..fast(&bench)
    });
    bench.sent();
    bench.pass(ms(500));
    assert!(bench.sent().is_empty());
    bench.hear(Control {
        poll: true,
        required_min_rx: 0,
        ..fast(&bench)
    });
    assert_eq!(bench.sent().len(), 1, "an answer is due all the same");
}

// §6.6: a neighbour in demand mode hears nothing while both are up, but polls and changes.
#[test]
fn demand_mode_of_the_neighbour_is_honoured() {
    let mut bench = up();
    let quiet = Control {
        demand: true,
        ..fast(&bench)
    };
    bench.hear(quiet);
    bench.sent();
    for _ in 0..5 {
        bench.pass(ms(300));
        bench.hear(quiet);
    }
    assert!(bench.sent().is_empty());
    bench.hear(fast(&bench));
    bench.pass(ms(100));
    assert!(!bench.sent().is_empty());
}

// §6.1: who is passive waits for the neighbour, also after it has lost it.
#[test]
fn a_passive_session_does_not_begin() {
    let mut bench = Bench::new(BfdInstance {
        passive: true,
        ..instance()
    });
    bench.pass(ms(5000));
    assert!(bench.sent().is_empty());
    bench.hear(Control {
        your_discriminator: 0,
        ..bench.packet(State::Down)
    });
    assert_eq!(bench.sent()[0].state, State::Init);
    bench.pass(ms(5000));
    assert_eq!(bench.view().state, State::Down);
    bench.sent();
    bench.pass(ms(5000));
    assert!(bench.sent().is_empty());
}

// While the neighbour polls it may still send at its old pace, so a lost answer does not end the
// session; once it has stopped polling, the shorter time holds.
#[test]
fn a_shorter_detection_time_waits_for_the_end_of_the_poll() {
    let mut bench = Bench::new(instance());
    bench.hear(bench.packet(State::Down));
    bench.hear(bench.packet(State::Init));
    assert_eq!(bench.view().detection, ms(3000));
    bench.hear(Control {
        poll: true,
        ..fast(&bench)
    });
    assert_eq!(bench.view().detection, ms(3000));
    bench.hear(fast(&bench));
    assert_eq!(bench.view().detection, ms(600));
    bench.hear(Control {
        poll: true,
        desired_min_tx: 900_000,
        ..fast(&bench)
    });
    assert_eq!(
        bench.view().detection,
        ms(2700),
        "a longer one holds at once"
    );
}

// §6.8.3, by a reload while up: a slower pace of ours and a faster one of the neighbour's are
// announced with a poll and used once that is answered; the other way round at once.
#[test]
fn a_reload_changes_the_pace_by_a_poll() {
    let mut bench = up();
    bench.hear(fast(&bench));
    let slower = BfdInstance {
        min_tx: ms(400),
        min_rx: ms(50),
        ..instance()
    };
    bench.load(vec![slower]);
    let view = bench.view();
    assert!(view.poll && view.state == State::Up);
    assert_eq!(view.interval, ms(100));
    assert_eq!(view.detection, ms(600));
    bench.sent();
    bench.pass(ms(100));
    let sent = bench.sent();
    assert!(sent[0].poll);
    assert_eq!(
        (sent[0].desired_min_tx, sent[0].required_min_rx),
        (400_000, 50_000)
    );
    bench.hear(Control {
        final_: true,
        ..fast(&bench)
    });
    assert_eq!(bench.view().interval, ms(400));
    assert_eq!(bench.view().detection, ms(150));
    bench.load(vec![instance()]);
    assert_eq!(bench.view().interval, ms(100));
    assert_eq!(bench.view().detection, ms(600));
    assert!(bench.view().poll);
}

// Input: a second reload before the first poll is answered. Output: that answer does not confirm
// the second one.
#[test]
fn an_answer_confirms_what_was_asked_alone() {
    let mut bench = up();
    let with = |min_tx| BfdInstance {
        min_tx: ms(min_tx),
        ..instance()
    };
    bench.load(vec![with(300)]);
    bench.load(vec![with(500)]);
    let answer = Control {
        final_: true,
        ..fast(&bench)
    };
    bench.hear(answer);
    assert!(bench.view().poll);
    assert_eq!(bench.view().interval, ms(100));
    bench.hear(answer);
    assert!(!bench.view().poll);
    assert_eq!(bench.view().interval, ms(500));
}

// §6.8.1: a session that is down forgets the neighbour's number after a detection time of silence.
#[test]
fn the_neighbours_number_is_forgotten_while_down() {
    let mut bench = up();
    bench.hear(bench.packet(State::Down));
    assert_eq!(bench.view().remote_discriminator, THEIRS);
    bench.pass(ms(2999));
    assert_eq!(bench.view().remote_discriminator, THEIRS);
    bench.pass(ms(1));
    assert_eq!(bench.view().remote_discriminator, 0);
    assert_eq!(bench.told(), [false]);
}
