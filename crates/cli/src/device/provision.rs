//! `hallway device provision`.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use hallway_ctap::aaguid::Aaguid;
use hallway_device::provision::{Device, Maker, MakerName};
use hallway_evidence::{Printable, Timestamp};
use hallway_softkey::{KeyFile, NewKey};
use serde::Serialize;

use crate::key::protection::{Prompt, ProtectionArguments};

/// The model (AAGUID) of devices whose key is this program.
const SOFTWARE_DEVICE: Aaguid = Aaguid(*b"hallway device\0\x01");

/// The name of the file with the maker's certificate, for owners of realms.
const CERTIFICATE_FILE: &str = "maker.pem";

/// The name of the file with the maker's private key.
const KEY_FILE: &str = "maker.key";

/// Arguments of `hallway device provision`.
#[derive(Debug, Args)]
pub(super) struct Provision {
    /// The key file to create for the device.
    file: PathBuf,
    /// The device's own serial number.
    #[arg(long)]
    serial: String,
    /// The maker's folder; created if there is none.
    ///
    /// It holds maker.pem, the certificate that an owner of a realm adds, and maker.key, which
    /// certifies devices: keep that key offline, because anybody who has it can make devices.
    #[arg(long, value_name = "DIR", default_value = "device-maker")]
    maker: PathBuf,
    /// The maker's name, if the maker is new.
    #[arg(long, default_value = "Hallway")]
    organization: String,
    /// The maker's country, two letters, if the maker is new.
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
    maker: PathBuf,
    maker_made: bool,
}

impl Provision {
    pub(super) fn run(&self) -> Result<(), Box<dyn Error>> {
        let now = Timestamp::from(SystemTime::now());
        let protection = self.protection.read(Prompt::Twice)?;
        let (maker, maker_made) = self.load_or_make(now)?;
        let device = Device {
            model: self.model.clone(),
            aaguid: self.aaguid.unwrap_or(SOFTWARE_DEVICE),
            serial: self.serial.clone(),
        };
        let identity = maker.certify(&device, now)?;
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
            maker: self.maker.join(CERTIFICATE_FILE),
            maker_made,
        };
        if self.json {
            println!("{}", serde_json::to_string(&account)?);
        } else {
            account.print();
        }
        Ok(())
    }

    /// The maker in the folder, or a new one, and whether it is new.
    fn load_or_make(&self, now: Timestamp) -> Result<(Maker, bool), Box<dyn Error>> {
        let certificate = self.maker.join(CERTIFICATE_FILE);
        let key = self.maker.join(KEY_FILE);
        if certificate.exists() || key.exists() {
            let maker = Maker::load(&read(&certificate)?, &read(&key)?)
                .map_err(|error| format!("{}: {error}", self.maker.display()))?;
            return Ok((maker, false));
        }
        let name = MakerName {
            country: self.country.clone(),
            organization: self.organization.clone(),
        };
        let maker = Maker::generate(name, now)?;
        fs::create_dir_all(&self.maker)
            .map_err(|error| format!("{}: {error}", self.maker.display()))?;
        write_new(&key, maker.key_pem().as_bytes(), 0o600)?;
        write_new(&certificate, maker.certificate_pem().as_bytes(), 0o644)?;
        Ok((maker, true))
    }
}

impl Account {
    fn print(&self) {
        for (name, value) in [
            ("key file", self.file.display().to_string()),
            ("serial number", self.serial.clone()),
            ("model", format!("{} ({})", self.model, self.aaguid)),
            ("maker", self.maker.display().to_string()),
        ] {
            println!("{name:<16}{}", Printable(&value));
        }
        if self.maker_made {
            eprintln!("The maker is new: add its certificate in the realm, on the page Makers.");
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
