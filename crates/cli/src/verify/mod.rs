//! `hallway verify`: is this file what its evidence says?

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hallway_evidence::verify::{Chain, Report, Section};
use hallway_evidence::{Bundle, MAX_TRUST_FILE, Printable, TrustFile, embedding, verify};
use hallway_webauthn::Outcome;
use serde::Serialize;

use crate::terminal::{self, Piece, Style};

/// The longest file that is verified, in bytes.
const MAX_FILE: u64 = 1024 * 1024 * 1024;

/// What stands at the end of the name of evidence that lies beside its file.
const EVIDENCE_ENDING: &str = "evidence";

/// Check a file's evidence, offline.
///
/// A file has its evidence in another one beside it, named FILE.evidence, or carries it inside: JPEG,
/// PNG, HEIC, AVIF and MP4 can, unless others signed them as a whole (C2PA). If there is one beside
/// it, that one decides, and it is about all bytes of the file. What holds shows that a device's key
/// signed these very bytes, never that a scene is real. It shows, too, who allowed the key of the
/// person who signed or who took the device: who invited them, and who invited those, down to the
/// set-up of the realm, which is the first entry of its log or what the trust file names. What the
/// evidence lacks of that is told, and nothing holds without it.
///
/// Exit codes: 0 it holds, 1 it does not hold, something is missing or cannot be read, 2 the command
/// line is wrong.
#[derive(Debug, Args)]
pub(crate) struct VerifyCommand {
    /// The file: one that carries its evidence, one with FILE.evidence beside it, or a .evidence file
    /// alone.
    file: PathBuf,
    /// The realm's trust file (hallway trust export).
    #[arg(
        long,
        value_name = "FILE",
        env = "HALLWAY_TRUST",
        default_value = "trust.json"
    )]
    trust: PathBuf,
    /// The evidence, when it is neither inside the file nor beside it.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// Accept a person's key for what its registration says, though nobody is shown to have allowed
    /// it: for evidence from which that was left out, such as what a visitor from another realm
    /// brought. What was not shown is told.
    #[arg(long)]
    without_chain: bool,
    /// Print every step, not only what follows.
    #[arg(long, conflicts_with = "json")]
    steps: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    file: &'a Path,
    #[serde(flatten)]
    report: &'a Report,
}

pub(crate) fn run(command: &VerifyCommand) -> Result<ExitCode, Box<dyn Error>> {
    let trust = read(&command.trust, MAX_TRUST_FILE as u64)?;
    let trust = TrustFile::from_json(&trust)
        .map_err(|error| format!("{}: {error}", command.trust.display()))?;
    let report = report(command, &trust)?;
    if command.json {
        let file = &command.file;
        let printed = Printed {
            file,
            report: &report,
        };
        println!("{}", serde_json::to_string_pretty(&printed)?);
    } else {
        print(command, &report);
    }
    Ok(if report.holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The name of the evidence beside a file.
fn neighbour_of(file: &Path) -> PathBuf {
    let mut neighbour = file.to_owned().into_os_string();
    neighbour.push(".");
    neighbour.push(EVIDENCE_ENDING);
    neighbour.into()
}

/// Finds the evidence and the bytes that it is about, and verifies.
fn report(command: &VerifyCommand, trust: &TrustFile) -> Result<Report, Box<dyn Error>> {
    let chain = if command.without_chain {
        Chain::KeyOnly
    } else {
        Chain::ToSetUp
    };
    let bytes = read(&command.file, MAX_FILE)?;
    if let Some(path) = &command.evidence {
        return beside(path, Some(&bytes), trust, chain);
    }
    let neighbour = neighbour_of(&command.file);
    // If there is evidence beside the file, it decides, and it is about all bytes of the file, whatever
    // the file's own name ends with.
    if neighbour.is_file() {
        return beside(&neighbour, Some(&bytes), trust, chain);
    }
    let ending = command.file.extension();
    if ending.is_some_and(|ending| ending == EVIDENCE_ENDING) {
        Ok(of_bundle(&bytes, None, trust, chain))
    } else {
        Ok(inside(&bytes, trust, chain))
    }
}

/// Verifies a file by the evidence inside.
pub(crate) fn inside(file: &[u8], trust: &TrustFile, chain: Chain) -> Report {
    match embedding::extract(file) {
        Ok((original, Some(bundle))) => verify::bundle(&bundle, Some(&original), trust, chain),
        Ok((_, None)) => Report::unreadable(
            "The file",
            &"it carries no evidence, and none lies beside it under its name and .evidence",
        ),
        Err(error) => Report::unreadable("The file", &error),
    }
}

fn beside(
    path: &Path,
    payload: Option<&[u8]>,
    trust: &TrustFile,
    chain: Chain,
) -> Result<Report, Box<dyn Error>> {
    let evidence = read(path, hallway_evidence::MAX_BUNDLE as u64)?;
    Ok(of_bundle(&evidence, payload, trust, chain))
}

fn of_bundle(evidence: &[u8], payload: Option<&[u8]>, trust: &TrustFile, chain: Chain) -> Report {
    match Bundle::decode(evidence) {
        Ok(bundle) => verify::bundle(&bundle, payload, trust, chain),
        Err(error) => Report::unreadable("The evidence", &error),
    }
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = fs::File::open(path).map_err(|error| wrong(&error))?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > limit {
        return Err(wrong(&format_args!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

fn print(command: &VerifyCommand, report: &Report) {
    let file = terminal::path(&command.file);
    match (&report.conclusion, &report.failure) {
        (Some(conclusion), _) => {
            terminal::print_pieces(&[
                Piece::Styled(Style::Green, "✓ holds:"),
                Piece::Plain(format_args!(" {file}\n")),
            ]);
            for sentence in &conclusion.sentences {
                println!("  {}", Printable(sentence));
            }
        }
        (None, failure) => {
            terminal::print_pieces(&[
                Piece::Styled(Style::Red, "✗ does not hold:"),
                Piece::Plain(format_args!(" {file}\n")),
            ]);
            if let Some(failure) = failure {
                println!(
                    "  {}, step {}: {}",
                    failure.section,
                    failure.step,
                    Printable(&failure.what)
                );
            }
            let told = failure.as_ref().map(|failure| &failure.what);
            for missing in (report.missing.iter()).filter(|missing| Some(*missing) != told) {
                println!("  Missing: {}", Printable(missing));
            }
        }
    }
    if command.steps {
        for section in &report.sections {
            print_section(section);
        }
    }
}

fn print_section(section: &Section) {
    terminal::print_pieces(&[
        Piece::Plain(format_args!("\n")),
        Piece::Styled(Style::Bold, &section.title),
        Piece::Plain(format_args!("\n")),
    ]);
    if let Some(sentence) = &section.sentence {
        println!("  “{}”", Printable(sentence));
    }
    for step in &section.steps {
        let mark = match step.outcome {
            Outcome::Held => Piece::Styled(Style::Green, "✓"),
            Outcome::Failed => Piece::Styled(Style::Red, "✗"),
            Outcome::Skipped => Piece::Plain(format_args!("–")),
        };
        terminal::print_pieces(&[
            Piece::Plain(format_args!("  ")),
            mark,
            Piece::Plain(format_args!(" {:<12} {}\n", step.number, step.title)),
        ]);
        if !step.detail.is_empty() {
            println!("    {:<12} {}", "", Printable(&step.detail));
        }
    }
}
