//! The console: pages made on the server, for people with a browser and a key.
//!
//! [`view`] says what a page shows and how it is set, `pages` loads from the store what a page
//! shows, and `assets` serves the style sheet, the script and the icon. Every act that a page
//! offers goes through the API, so the console can do nothing that a program could not.

mod assets;
pub mod pages;
pub mod view;

pub use pages::{nowhere, problem_page, routes, sign_in_path};
