//! `hallway device provision`.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use hallway_ctap::aaguid::Aaguid;
use hallway_device::provision::{Authority, Device, Maker};
use hallway_evidence::{Printable, Timestamp};
use hallway_softkey::{KeyFile, NewKey};
use serde::Serialize;

use crate::key::protection::{Prompt, ProtectionArguments};

/// The model (AAGUID) of devices whose key is this program.
const SOFTWARE_DEVICE: Aaguid = Aaguid(*b"hallway device\0\x01");

/// The name of the file with the authority's certificate, for operators of gateways.
const CERTIFICATE_FILE: &str = "authority.pem";

/// The name of the file with the authority's private key.
const KEY_FILE: &str = "authority.key";

/// Arguments of `hallway device provision`.
#[derive(Debug, Args)]
pub(super) struct Provision {
    /// The key file to create for the device.
    file: PathBuf,
    /// The device's own serial number.
    #[arg(long)]
    serial: String,
    /// The folder of the attestation authority; created if there is none.
    ///
    /// It holds authority.pem, which operators of gateways install, and authority.key. Whoever has
    /// that key can make devices: keep it offline.
    #[arg(long, value_name = "DIR", default_value = "device-authority")]
    authority: PathBuf,
    /// The maker's name, for a new authority.
    #[arg(long, default_value = "Hallway")]
    organization: String,
    /// The maker's country, two letters, for a new authority.
    #[arg(long, default_value = "NL")]
    country: String,
    /// The model's name.
    #[arg(long, default_value = "Software device")]
    model: String,
    /// The model's AAGUID; by default that of a software device.
    #[arg(long)]
    aaguid: Option<Aaguid>,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Account {
    file: PathBuf,
    serial: String,
    model: String,
    aaguid: String,
    authority: PathBuf,
    authority_made: bool,
}

impl Provision {
    pub(super) fn run(&self) -> Result<(), Box<dyn Error>> {
        let now = Timestamp::from(SystemTime::now());
        let protection = self.protection.read(Prompt::Twice)?;
        let (authority, authority_made) = self.authority(now)?;
        let device = Device {
            model: self.model.clone(),
            aaguid: self.aaguid.unwrap_or(SOFTWARE_DEVICE),
            serial: self.serial.clone(),
        };
        let identity = authority.certify(&device, now)?;
        let new = NewKey::certified(
            vec![identity.certificate],
            &identity.private_key,
            device.aaguid,
        )?;
        KeyFile::create(&self.file, &protection, &new)?;
        let account = Account {
            file: self.file.clone(),
            serial: device.serial,
            model: device.model,
            aaguid: device.aaguid.to_string(),
            authority: self.authority.join(CERTIFICATE_FILE),
            authority_made,
        };
        if self.json {
            println!("{}", serde_json::to_string(&account)?);
        } else {
            account.print();
        }
        Ok(())
    }

    /// The authority in the folder, or a new one, and whether it is new.
    fn authority(&self, now: Timestamp) -> Result<(Authority, bool), Box<dyn Error>> {
        let certificate = self.authority.join(CERTIFICATE_FILE);
        let key = self.authority.join(KEY_FILE);
        if certificate.exists() || key.exists() {
            let authority = Authority::load(&read(&certificate)?, &read(&key)?)
                .map_err(|error| format!("{}: {error}", self.authority.display()))?;
            return Ok((authority, false));
        }
        let maker = Maker {
            country: self.country.clone(),
            organization: self.organization.clone(),
        };
        let authority = Authority::generate(maker, now)?;
        fs::create_dir_all(&self.authority)
            .map_err(|error| format!("{}: {error}", self.authority.display()))?;
        write_new(&key, authority.key_pem().as_bytes(), 0o600)?;
        write_new(&certificate, authority.certificate_pem().as_bytes(), 0o644)?;
        Ok((authority, true))
    }
}

impl Account {
    fn print(&self) {
        for (name, value) in [
            ("key file", self.file.display().to_string()),
            ("serial number", self.serial.clone()),
            ("model", format!("{} ({})", self.model, self.aaguid)),
            ("authority", self.authority.display().to_string()),
        ] {
            println!("{name:<16}{}", Printable(&value));
        }
        if self.authority_made {
            eprintln!("The attestation authority is new: install its certificate in your gateway.");
        }
    }
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    fs::read(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Creates a file, which must not exist yet, with these permissions from the start.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}
