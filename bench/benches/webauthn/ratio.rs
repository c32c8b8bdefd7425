//! The ratio of two costs, measured in turns by the processor time of this thread, without other
//! work of the machine.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// Turns, and calls in each turn.
const TURNS: usize = 60;
const CALLS: u32 = 40;

/// Processor time of this thread, in microseconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn microseconds<T>(work: &impl Fn() -> T) -> f64 {
    let start = processor_time();
    for _ in 0..CALLS {
        black_box(work());
    }
    (processor_time() - start) / f64::from(CALLS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints both medians in microseconds, their ratio, and the ratio that is the aim.
pub(crate) fn print<T, U>(name: &str, aim: f64, whole: impl Fn() -> T, part: impl Fn() -> U) {
    let turns: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| (microseconds(&whole), microseconds(&part)))
        .collect();
    let ratio = median(turns.iter().map(|(a, b)| a / b).collect());
    let whole = median(turns.iter().map(|turn| turn.0).collect());
    let part = median(turns.iter().map(|turn| turn.1).collect());
    println!("{name:>26}  {whole:8.1} us  {part:8.1} us  {ratio:5.3} (at most {aim:.2})");
}
