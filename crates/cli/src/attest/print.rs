//! An explanation on a terminal.

use hallway_evidence::Printable;
use hallway_webauthn::Outcome;
use hallway_webauthn::explain::Explanation;

pub(super) fn print(found: &Explanation) {
    println!("{}\n", Printable(&found.summary));
    if let Some(format) = &found.format {
        println!("Format {}", Printable(format));
    }
    for member in &found.statement {
        println!(
            "  {:<12} {}",
            Printable(&member.name),
            Printable(&member.value)
        );
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
        if let Some(extensions) = &data.extensions {
            println!("  extensions   {}", Printable(&extensions.to_string()));
        }
    }
    if let Some(device) = &found.device {
        println!("Device");
        for identifier in &device.identifiers {
            println!("  identifier   {}", Printable(&identifier.to_string()));
        }
        if device.identifiers.is_empty() {
            println!("  the certificate names none");
        }
    }
    for certificate in &found.certificates {
        println!("Certificate of {}", Printable(&certificate.subject));
        println!("  issuer       {}", Printable(&certificate.issuer));
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
            step.step.number,
            step.step.title,
            Printable(&step.detail)
        );
    }
}
