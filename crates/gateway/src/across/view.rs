//! What those pages show.

mod overview;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use overview::{NextStep, OverviewPage};
