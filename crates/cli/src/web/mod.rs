//! The web door: signing in with a key, and one-time links.

mod link;
mod sign_in;

pub(crate) use link::{LinkCommand, run as link};
pub(crate) use sign_in::{JoinCommand, SignInCommand, SignOutCommand, join, sign_in, sign_out};
