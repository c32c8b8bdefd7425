//! The pages that show all doors at once.

pub mod evidence;
pub mod explanation;
pub mod overview;
pub mod refusals;
