//! Enums that the database keeps as words, so that a person can read a table.

pub(crate) use hallway_evidence::words;
