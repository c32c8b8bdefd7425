//! What is exchanged with a gateway.
//!
//! ```
//! use hallway_api::{Code, Problem};
//!
//! let answer = r#"{"status": 403, "code": "grant-ended", "detail": "the grant has ended"}"#;
//! let problem: Problem = serde_json::from_str(answer)?;
//! assert!(problem.is(Code::GrantEnded));
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod act;
pub mod device;
pub mod hall;
pub mod key;
pub mod link;
pub mod session;

mod code;
mod nothing;
mod problem;

pub use code::Code;
pub use nothing::Nothing;
pub use problem::{PROBLEM_JSON, Problem};
