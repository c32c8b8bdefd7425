//! The web door. Statement: sign in, or register a key. Grant: a session.

pub mod grant;
pub mod join;
pub mod keys;
pub mod links;
pub mod options;
pub mod sessions;
pub mod sign_in;
