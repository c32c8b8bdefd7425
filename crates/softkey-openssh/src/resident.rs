//! `ssh-keygen -K` and `ssh-add -K`.

use hallway_ctap::cose::Algorithm;

use crate::address::{connect, prompt};
use crate::enroll::{VERIFICATION, ssh_public_key};
use crate::error::SkError;

pub(crate) struct Resident {
    pub(crate) algorithm: Algorithm,
    pub(crate) application: String,
    pub(crate) public_key: Vec<u8>,
    pub(crate) key_handle: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    pub(crate) flags: u8,
}

/// All passkeys that were made for ssh.
pub(crate) fn load(pin: Option<&str>, device: Option<&str>) -> Result<Vec<Resident>, SkError> {
    let mut key = connect(device)?;
    if pin.is_none() {
        return Err(SkError::PinRequired);
    }
    let passkeys = key.passkeys(&mut *prompt(pin))?.list()?;
    Ok(passkeys
        .into_iter()
        .filter(|passkey| passkey.rp_id.starts_with("ssh:"))
        .filter_map(|passkey| {
            // Passkeys with algorithms that ssh does not support are skipped.
            let (algorithm, public_key) = ssh_public_key(&passkey.public_key).ok()?;
            Some(Resident {
                algorithm,
                application: passkey.rp_id,
                public_key,
                key_handle: passkey.credential_id,
                user_id: passkey.user.id,
                flags: if passkey.protection == 3 {
                    VERIFICATION
                } else {
                    0
                },
            })
        })
        .collect())
}
