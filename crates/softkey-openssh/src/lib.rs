//! OpenSSH's middleware for a security key behind a socket: the SecurityKeyProvider with which
//! stock `ssh-keygen`, `ssh` and `ssh-agent` use the key that `hallway key serve` serves.
//!
//! ```text
//! hallway key serve my.key --unix "$XDG_RUNTIME_DIR/hallway-key.sock"
//! ssh-keygen -t ed25519-sk -w /path/to/libhallway_sk.so
//! ssh -o SecurityKeyProvider=/path/to/libhallway_sk.so host
//! ```
//!
//! The key's address is `-O device=…`, else the value of the variable HALLWAY_KEY, else
//! `$XDG_RUNTIME_DIR/hallway-key.sock`: a path of a Unix socket, or `ADDRESS:PORT` for UDP.
//!
//! `abi` is the C boundary and has all `unsafe` code; the modules beside it implement its
//! functions.

mod abi;
mod address;
mod der;
mod enroll;
mod error;
mod resident;
mod sign;
