//! Measures in turns, by the processor time of this thread, without other work of the machine.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

const TURNS: usize = 41;
/// The length of a turn.
const TURN_MICROSECONDS: f64 = 40_000.0;

/// Processor time of this thread, in microseconds.
pub fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The cost of one call in a turn, in microseconds.
fn cost<T>(work: &impl Fn() -> T) -> f64 {
    let start = processor_time();
    let mut calls = 0u32;
    while processor_time() - start < TURN_MICROSECONDS {
        for _ in 0..8 {
            black_box(work());
        }
        calls += 8;
    }
    (processor_time() - start) / f64::from(calls)
}

/// The median over the turns.
pub fn usual_cost<T>(work: impl Fn() -> T) -> f64 {
    median((0..TURNS).map(|_| cost(&work)).collect())
}

/// Prints both costs, and the median of their ratios.
pub fn compare<T, U>(what: &str, peer: &str, ours: impl Fn() -> T, theirs: impl Fn() -> U) {
    let turns: Vec<(f64, f64)> = (0..TURNS).map(|_| (cost(&ours), cost(&theirs))).collect();
    let ratio = median(turns.iter().map(|(a, b)| b / a).collect());
    let ours = median(turns.iter().map(|turn| turn.0).collect());
    let theirs = median(turns.iter().map(|turn| turn.1).collect());
    println!("{what:<34} {ours:9.2} us   {peer:<18} {theirs:9.2} us   {ratio:6.2} times");
}
