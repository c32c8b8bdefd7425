//! Streams through a hall, against a bare rustls copy and against other tunnels.
//!
//! `cargo bench -p hallway-bench --bench hall`; with `-- opening` it times only how a stream is
//! opened. `scripts/bench-hall` does the same beside stunnel and `ssh -L`. Each tunnel is a process of
//! its own with both of its ends: plain TCP in, mutual TLS 1.3 over loopback, plain TCP out. The
//! sender and the sink are in this process, whose time is not counted. Tunnels take turns, so that
//! other work of the machine slows all of them.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "hall/load.rs"]
mod load;
#[path = "hall/process.rs"]
mod process;
#[path = "hall/relay.rs"]
mod relay;

use std::time::{Duration, Instant};

use load::Sink;
use process::Tunnel;

/// Bytes through a tunnel in one turn.
const BYTES_PER_TURN: u64 = 1 << 29;
/// Turns of each tunnel; the result is their median.
const TURNS: usize = 7;
/// Streams opened one after the other.
const OPENED_STREAMS: u32 = 300;
/// Idle streams in the measurement of memory.
const IDLE_STREAMS: usize = 1000;
/// The ratio to a bare copy, in bytes per CPU-second, that is the aim.
const AIMED_RATIO: f64 = 0.9;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    match arguments.next().as_deref() {
        Some("relay") => {
            let kind = arguments.next().unwrap();
            let sink = arguments.next().unwrap().parse().unwrap();
            return relay::run(kind.parse().unwrap(), sink);
        }
        Some("opening") => return opening(),
        _ => {}
    }
    let sink = Sink::listen();
    let mut tunnels = vec![
        Tunnel::relay("bare", sink.address()),
        Tunnel::relay("hall", sink.address()),
    ];
    // Tunnels that a script makes: it gets the address of the sink, and prints where they begin.
    if let Ok(script) = std::env::var("HALLWAY_BENCH_TUNNELS") {
        tunnels.extend(Tunnel::from_script(&script, sink.address()));
    }
    throughput(&sink, &tunnels);
    opening();
    memory(&tunnels[1]);
}

fn throughput(sink: &Sink, tunnels: &[Tunnel]) {
    println!("                             of bare            of bare");
    println!("streams tunnel     MB/CPU-s  (aim {AIMED_RATIO})     MB/s  (aim {AIMED_RATIO})");
    for streams in [1, 64] {
        let mut turns: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); tunnels.len()];
        for _ in 0..TURNS {
            for (tunnel, (per_cpu, per_second)) in tunnels.iter().zip(&mut turns) {
                let (before, began) = (tunnel.cpu(), Instant::now());
                sink.swallow(tunnel.near(), streams, BYTES_PER_TURN);
                let wall = began.elapsed().as_secs_f64();
                let megabytes = BYTES_PER_TURN as f64 / 1e6;
                per_cpu.push(megabytes / (tunnel.cpu() - before).as_secs_f64());
                per_second.push(megabytes / wall);
            }
        }
        let medians: Vec<(f64, f64)> = turns
            .into_iter()
            .map(|(per_cpu, per_second)| (median(per_cpu), median(per_second)))
            .collect();
        let bare = medians[0];
        for (tunnel, (per_cpu, per_second)) in tunnels.iter().zip(&medians) {
            println!(
                "{streams:>7} {:<8} {per_cpu:>10.0} {:>10.2} {per_second:>8.0} {:>10.2}",
                tunnel.name(),
                per_cpu / bare.0,
                per_second / bare.1
            );
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn opening() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let times = runtime.block_on(relay::openings(OPENED_STREAMS));
    let micro =
        |times: Vec<Duration>| median(times.iter().map(|time| time.as_secs_f64() * 1e6).collect());
    let (bare, resumed, hall) = (micro(times.bare), micro(times.resumed), micro(times.hall));
    println!("\nopening a stream, one after the other, in microseconds (medians):");
    println!("bare rustls, full handshake   {bare:>6.0}");
    println!("bare rustls, resumed          {resumed:>6.0}");
    println!(
        "hall, resumed                 {hall:>6.0}  {:.2} of bare (aim 1.5)",
        hall / bare
    );
}

fn memory(tunnel: &Tunnel) {
    let before = tunnel.memory();
    let idle = load::idle(tunnel.near(), IDLE_STREAMS);
    let each = tunnel.memory().saturating_sub(before) / IDLE_STREAMS as u64;
    println!("\nmemory for an idle stream, both ends of the hall together: {each} bytes");
    drop(idle);
}
