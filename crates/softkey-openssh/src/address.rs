//! Connects to the key.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use hallway_client::{Client, Connection, NoPin, Pin, PinPrompt, ReportConnection};

use crate::error::SkError;

/// A client of the key. SSH has no origin: its client data are its own.
pub(crate) type Key = Client<Box<dyn Connection>>;

/// Connects to the key at `device`, or where the environment says.
pub(crate) fn connect(device: Option<&str>) -> Result<Key, SkError> {
    let address = device
        .map(str::to_owned)
        .or_else(|| std::env::var("HALLWAY_KEY").ok())
        .or_else(default_socket)
        .ok_or(SkError::DeviceNotFound)?;
    let connection: Box<dyn Connection> = match address.parse::<SocketAddr>() {
        Ok(address) => Box::new(ReportConnection::<UdpSocket>::udp(address)?),
        Err(_) => Box::new(ReportConnection::<UnixStream>::unix(address)?),
    };
    Ok(Client::new(connection, ""))
}

fn default_socket() -> Option<String> {
    let folder = std::env::var_os("XDG_RUNTIME_DIR")?;
    let path = PathBuf::from(folder).join("hallway-key.sock");
    path.into_os_string().into_string().ok()
}

/// The PIN that ssh asked for already, if it did: there is no terminal here to ask on.
pub(crate) fn prompt(pin: Option<&str>) -> Box<dyn PinPrompt> {
    match pin {
        Some(pin) => Box::new(Pin(pin.to_owned().into())),
        None => Box::new(NoPin),
    }
}

/// SHA-256: what ssh signs is hashed as WebAuthn's client data are.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}
