//! The view models of the pages about all doors.

mod overview;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use overview::{NextStep, OverviewPage};
