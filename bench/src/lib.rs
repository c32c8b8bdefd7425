//! Nothing but a place for `benches/`: run `cargo bench -p hallway-bench`.
