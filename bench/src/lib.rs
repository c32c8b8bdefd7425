//! This crate holds only `benches/`: run `cargo bench -p hallway-bench`.
