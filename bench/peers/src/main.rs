// SPDX-License-Identifier: Apache-2.0
//! One JSON object a line, as `tools/bench vdaf --json` prints them: ns a report
//! of libprio-rs, the least of many groups of calls, on one thread. An argument is the
//! only instance to measure.

use prio::codec::{Encode, ParameterizedDecode};
use prio::vdaf::{
    prio3::Prio3, Aggregatable, Aggregator, Client, VdafError, VerifyTransition,
};
use std::hint::black_box;
use std::time::{Duration, Instant};

const CTX: &[u8; 38] = b"dap-18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 16] = [9; 16];

/// Long enough that asking for the time is nothing beside it, and short enough that
/// many fall between two interruptions.
const GROUP: Duration = Duration::from_micros(50);
const TIME: Duration = Duration::from_millis(400);

/// The least time of a call, over many groups of calls: what else runs on the machine
/// only ever adds to it.
fn least<R>(mut call: impl FnMut() -> R) -> f64 {
    let mut group = |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        start.elapsed()
    };
    let mut calls = 1;
    while group(calls) < GROUP {
        calls *= 2;
    }
    let start = Instant::now();
    let mut best = group(calls);
    while start.elapsed() < TIME {
        best = best.min(group(calls));
    }
    best.as_nanos() as f64 / f64::from(calls)
}

fn print(instance: &str, step: &str, ns: f64) {
    println!(r#"{{"instance":"{instance}","step":"{step}","lanes":"libprio-rs","ns":{ns:.1}}}"#);
}

fn bench<V>(instance: &str, vdaf: Result<V, VdafError>, measurement: V::Measurement)
where
    V: Client<16> + Aggregator<32, 16, AggregationParam = ()>,
{
    if std::env::args().nth(1).is_some_and(|only| only != instance) {
        return;
    }
    let vdaf = vdaf.unwrap();
    let (public, shares) = vdaf.shard(CTX, &measurement, &NONCE).unwrap();
    let public = public.get_encoded().unwrap();
    let leader = shares[0].get_encoded().unwrap();
    let helper = shares[1].get_encoded().unwrap();

    let init = |id: usize, share: &[u8]| {
        let public = V::PublicShare::get_decoded_with_param(&vdaf, &public).unwrap();
        let share = V::InputShare::get_decoded_with_param(&(&vdaf, id), share).unwrap();
        vdaf.verify_init(&KEY, CTX, id, &(), &NONCE, &public, &share).unwrap()
    };
    let next = |state: V::VerifyState, message: V::VerifierMessage| {
        match vdaf.verify_next(CTX, state, message).unwrap() {
            VerifyTransition::Finish(share) => share,
            VerifyTransition::Continue(..) => unreachable!("Prio3 has one round"),
        }
    };
    let (leader_state, leader_share) = init(0, &leader);
    let (_, helper_share) = init(1, &helper);
    let leader_share_bytes = leader_share.get_encoded().unwrap();
    let message = vdaf
        .verifier_shares_to_message(CTX, &(), [leader_share, helper_share])
        .unwrap()
        .get_encoded()
        .unwrap();
    let mut sum = V::AggregateShare::from(next(
        leader_state.clone(),
        V::VerifierMessage::get_decoded_with_param(&leader_state, &message).unwrap(),
    ));

    print(instance, "shard_one", least(|| vdaf.shard(CTX, &measurement, &NONCE).unwrap()));
    print(instance, "leader_total", least(|| {
        let (state, share) = init(0, &leader);
        black_box(share.get_encoded().unwrap());
        let message = V::VerifierMessage::get_decoded_with_param(&state, &message).unwrap();
        sum.accumulate(&next(state, message)).unwrap();
    }));
    print(instance, "helper_total", least(|| {
        let (state, share) = init(1, &helper);
        let theirs = V::VerifierShare::get_decoded_with_param(&state, &leader_share_bytes).unwrap();
        let message = vdaf.verifier_shares_to_message(CTX, &(), [theirs, share]).unwrap();
        black_box(message.get_encoded().unwrap());
        sum.accumulate(&next(state, message)).unwrap();
    }));
}

fn multihot(length: usize) -> Vec<bool> {
    (0..length).map(|i| i < 10).collect()
}

fn main() {
    bench("Count", Prio3::new_count(2), true);
    bench("Sum_max255", Prio3::new_sum(2, 255), 100);
    bench("Sum_max65535", Prio3::new_sum(2, 65535), 1000);
    bench("Sum_max2^32-1", Prio3::new_sum(2, (1 << 32) - 1), 1000);
    bench("SumVec_1b_len100_c10", Prio3::new_sum_vec(2, 1, 100, 10), vec![1; 100]);
    bench("SumVec_1b_len1000_c32", Prio3::new_sum_vec(2, 1, 1000, 32), vec![1; 1000]);
    bench("SumVec_8b_len1000_c89", Prio3::new_sum_vec(2, 255, 1000, 89), vec![3; 1000]);
    bench("SumVec_1b_len10000_c100", Prio3::new_sum_vec(2, 1, 10000, 100), vec![1; 10000]);
    bench("Histogram_10_c4", Prio3::new_histogram(2, 10, 4), 3);
    bench("Histogram_100_c10", Prio3::new_histogram(2, 100, 10), 3);
    bench("Histogram_1000_c32", Prio3::new_histogram(2, 1000, 32), 3);
    bench("Histogram_10000_c100", Prio3::new_histogram(2, 10000, 100), 3);
    bench("Multihot_100_w10_c10", Prio3::new_multihot_count_vec(2, 100, 10, 10), multihot(100));
}
