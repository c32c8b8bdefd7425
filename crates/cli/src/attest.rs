//! `hallway attest explain`: what an attestation object says, and which step fails.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use clap::{Args, Subcommand};
use hallway_evidence::Timestamp;
use hallway_webauthn::explain::{Conclusion, Evidence, Explanation, explain};
use hallway_webauthn::wire::{Base64Url, RegistrationResponseJson};
use hallway_webauthn::{Outcome, TrustAnchor, TrustAnchors, UnixSeconds};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Attestation: what an authenticator's maker says about it.
#[derive(Debug, Args)]
pub(crate) struct AttestCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Explain(Explain),
}

/// Print what an attestation object says and which step of its verification fails.
///
/// Exit codes: 0 it verifies (or was only to be read), 1 it does not, 2 the command line is wrong.
#[derive(Debug, Args)]
struct Explain {
    /// The attestation object: CBOR, its base64url, or a browser's RegistrationResponseJSON.
    file: PathBuf,
    /// The client data that it came with, to check signatures; a RegistrationResponseJSON has them.
    #[arg(long, value_name = "FILE")]
    client_data: Option<PathBuf>,
    /// A certificate that is trusted to vouch, PEM. May be given again.
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// The time that certificates are judged by, in seconds since 1970; otherwise now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<i64>,
    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &AttestCommand) -> Result<ExitCode, Box<dyn Error>> {
    let Action::Explain(asked) = &command.action;
    let Given {
        object,
        client_data,
    } = asked.read()?;
    let hash = client_data.as_deref().map(sha256);
    let mut anchors = TrustAnchors::new();
    for path in &asked.anchor {
        let der = CertificateDer::from_pem_file(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        anchors.add(TrustAnchor::new(name, der.to_vec())?);
    }
    let now = Timestamp::from(SystemTime::now());
    let now = asked
        .at
        .map_or_else(|| UnixSeconds::from_ms(now.as_ms()), UnixSeconds);
    let found = explain(
        &object,
        &Evidence {
            client_data_hash: hash.as_ref(),
            anchors: &anchors,
            now,
        },
    );
    if asked.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print(&found);
    }
    Ok(match found.conclusion {
        Conclusion::Unreadable | Conclusion::Invalid | Conclusion::Untrusted => ExitCode::FAILURE,
        Conclusion::NotChecked | Conclusion::NoCertificate | Conclusion::Trusted => {
            ExitCode::SUCCESS
        }
    })
}

/// What is to be explained.
struct Given {
    object: Vec<u8>,
    client_data: Option<Vec<u8>>,
}

impl Explain {
    fn read(&self) -> Result<Given, Box<dyn Error>> {
        let bytes = read(&self.file)?;
        let client_data = self.client_data.as_deref().map(read).transpose()?;
        if let Ok(response) = serde_json::from_slice::<RegistrationResponseJson>(&bytes) {
            let own = response.response.client_data_json.0;
            return Ok(Given {
                object: response.response.attestation_object.0,
                client_data: Some(client_data.unwrap_or(own)),
            });
        }
        let text = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.trim().parse::<Base64Url>().ok());
        let object = text.map_or(bytes, |decoded| decoded.0);
        Ok(Given {
            object,
            client_data,
        })
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn print(found: &Explanation) {
    println!("{}\n", found.summary);
    if let Some(format) = &found.format {
        println!("Format {format}");
    }
    for member in &found.statement {
        println!("  {:<12} {}", member.name, member.value);
    }
    if let Some(data) = &found.authenticator_data {
        println!("Authenticator data");
        println!("  rpIdHash     {}", data.rp_id_hash);
        let set: Vec<&str> = data
            .flags
            .iter()
            .filter(|flag| flag.set)
            .map(|flag| flag.name)
            .collect();
        println!("  flags        {}", set.join(" "));
        println!("  signCount    {}", data.sign_count);
        if let Some(credential) = &data.credential {
            println!("  aaguid       {}", credential.aaguid);
            println!("  credential   {}", credential.id);
            println!("  algorithm    {}", credential.algorithm);
        }
    }
    for certificate in &found.certificates {
        println!("Certificate of {}", certificate.subject);
        println!("  issuer       {}", certificate.issuer);
        println!("  SHA-256      {}", certificate.sha256);
    }
    println!("Steps");
    for step in &found.steps.0 {
        let mark = match step.outcome {
            Outcome::Held => "✓",
            Outcome::Failed => "✗",
            Outcome::Skipped => "–",
        };
        println!(
            "  {mark} {:<10} {}  {}",
            step.step.number, step.step.title, step.detail
        );
    }
}
