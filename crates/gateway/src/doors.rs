//! The doors: what each one's statements say, and what it grants for them.
//!
//! A door that people use by an act (invite, claim, suspend …) is listed in [`act`]; a door with a
//! ceremony of its own (sign in, register a key, enrol a device) has routes of its own.

pub mod act;
pub mod assertion;
pub mod ceremony;
pub mod device;
pub mod evidence;
pub mod hall;
pub mod log;
pub mod makers;
pub mod models;
pub mod people;
pub mod user_code;
pub mod web;
pub mod witness;
