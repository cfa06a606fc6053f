//! Whatever arrives, and whenever.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Input {
    Bytes(Vec<u8>, u8),
    Heard {
        state: u8,
        flags: u8,
        times: [u32; 2],
        multiplier: u8,
    },
    Pass(u32),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        (proptest::collection::vec(any::<u8>(), 0..40), any::<u8>())
            .prop_map(|(bytes, ttl)| Input::Bytes(bytes, ttl)),
        (0..4u8, 0..8u8, any::<[u32; 2]>(), 1..=255u8).prop_map(
            |(state, flags, times, multiplier)| Input::Heard {
                state,
                flags,
                times,
                multiplier
            }
        ),
        (0..3_000_000u32).prop_map(Input::Pass),
    ]
}

proptest! {
    // Output: no panic, no timer in the past, verdicts that alternate, never poll and final at
    // once, a pace that never runs away.
    #[test]
    fn anything_may_come(inputs in proptest::collection::vec(input(), 1..60)) {
        let mut bench = Bench::new(instance());
        let mut verdict = bench.told().pop();
        bench.sent();
        for input in inputs {
            let begin = bench.now;
            match input {
                Input::Bytes(bytes, ttl) => bench.hear_bytes(&bytes, ttl),
                Input::Heard { state, flags, times: [tx, rx], multiplier } => {
                    let state = State::ALL[usize::from(state)];
                    bench.hear(Control {
                        poll: flags & 3 == 1,
                        final_: flags & 3 == 2,
                        demand: flags & 4 != 0,
                        multiplier,
                        desired_min_tx: tx,
                        required_min_rx: rx,
                        ..bench.packet(state)
                    });
                }
                Input::Pass(micros) => bench.pass(Duration::from_micros(micros.into())),
            }
            let passed = bench.now.saturating_since(begin);
            let sent = bench.sent();
            let most = passed.as_millis() / 75 + 4;
            prop_assert!(u128::try_from(sent.len()).unwrap() <= most, "{} in {passed:?}", sent.len());
            for control in sent {
                prop_assert!(!(control.poll && control.final_));
                prop_assert!(control.state == State::Up || control.desired_min_tx == 1_000_000);
            }
            for told in bench.told() {
                prop_assert_ne!(Some(told), verdict);
                verdict = Some(told);
            }
            if let Some(at) = bench.domain.next_deadline() {
                prop_assert!(at >= bench.now);
            }
            let up = bench.view().state == State::Up;
            prop_assert!(!up || verdict == Some(true));
        }
    }
}
