//! `hallway verify`: is this file what its evidence says?

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hallway_evidence::verify::{Chain, Report, Section};
use hallway_evidence::{
    Bundle, BundleError, MAX_TRUST_FILE_BYTES, Printable, Receipt, TrustFile, embedding, verify,
};
use serde::Serialize;

use crate::explained;
use crate::terminal::{self, Piece, Style};

/// The longest file that is verified.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// The extension of evidence that lies beside its file.
const EVIDENCE_ENDING: &str = "evidence";

/// Check files' evidence, offline.
///
/// A file has its evidence beside it, in FILE.evidence, or carries it inside: JPEG, PNG, HEIC, AVIF
/// and MP4 can, unless others signed them as a whole (C2PA). Evidence beside the file takes
/// precedence, and is about all bytes of the file but the same evidence inside. Evidence that holds
/// shows that a device's key signed these very bytes, never that a scene is real. It also shows who
/// allowed the key of the person who signed or who claimed the device: who invited them, who
/// invited those, and so on down to the set-up of the realm, which is the first entry of its log or
/// what the trust file names. Evidence that lacks any of that does not hold, and the output says
/// what is missing.
///
/// Evidence itself, as the console hands it out, is known by its bytes: FILE.evidence is compared
/// with FILE beside it.
///
/// Exit codes: 0 all hold, 1 one does not hold, something is missing or cannot be read, 2 the
/// command line is wrong, 3 the evidence holds, but its file is not here, so no bytes were
/// compared.
#[derive(Debug, Args)]
pub(crate) struct VerifyCommand {
    /// The files: each carries its evidence, has FILE.evidence beside it, or is evidence itself.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The realm's trust file (hallway trust export).
    #[arg(
        long,
        value_name = "FILE",
        env = "HALLWAY_TRUST",
        default_value = "trust.json"
    )]
    trust: PathBuf,
    /// The evidence of one file, when it is neither inside the file nor beside it.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// Accept a person's key on its registration alone, though nobody is shown to have allowed it:
    /// for evidence that leaves this out, such as that of a visitor from another realm. The output
    /// says what was not shown.
    #[arg(long)]
    without_chain: bool,
    /// Print every step, not only the conclusions.
    #[arg(long, conflicts_with = "json")]
    steps: bool,
    /// Print what the evidence is made of, part by part, and what its bytes mean.
    #[arg(long, conflicts_with = "json")]
    parts: bool,
    /// Print the report as JSON; for several files, a list of reports.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    file: &'a Path,
    #[serde(flatten)]
    report: &'a Report,
}

/// How the verification of a file ended. The worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Holds,
    /// The evidence does, but the file that it is about is not here.
    NotCompared,
    Fails,
}

impl Verdict {
    fn of(report: &Report) -> Self {
        let transaction = (report.conclusion.as_ref()).and_then(|end| end.transaction.as_ref());
        match transaction {
            _ if !report.holds => Self::Fails,
            Some(facts) if !facts.payload_checked => Self::NotCompared,
            _ => Self::Holds,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::SUCCESS,
            Verdict::Fails => Self::FAILURE,
            Verdict::NotCompared => Self::from(3),
        }
    }
}

pub(crate) fn run(command: &VerifyCommand) -> Result<ExitCode, Box<dyn Error>> {
    if command.evidence.is_some() && command.files.len() > 1 {
        terminal::complain(&*Box::<dyn Error>::from(
            "--evidence is for one file; name only one",
        ));
        return Ok(ExitCode::from(2));
    }
    let trust = read(&command.trust, MAX_TRUST_FILE_BYTES as u64)?;
    let trust = TrustFile::from_json(&trust)
        .map_err(|error| format!("{}: {error}", command.trust.display()))?;
    let mut reports = Vec::new();
    let mut worst = Verdict::Holds;
    for file in &command.files {
        let report = match report(command, file, &trust) {
            // One unreadable file of many does not keep the others from being checked.
            Err(error) if command.files.len() > 1 => Report::unreadable("The file", &error),
            report => report?,
        };
        worst = worst.max(Verdict::of(&report));
        if command.json {
            reports.push((file, report));
            continue;
        }
        if command.files.len() > 1 {
            print_line(file, &report);
        } else {
            print(file, &report);
        }
        if command.steps {
            report.sections.iter().for_each(print_section);
        }
        if command.parts {
            explained::print_parts(&report.parts);
        }
    }
    if command.json {
        print_json(&reports)?;
    }
    Ok(worst.into())
}

fn print_json(reports: &[(&PathBuf, Report)]) -> serde_json::Result<()> {
    let printed = reports
        .iter()
        .map(|(file, report)| Printed { file, report });
    let json = match &*printed.collect::<Vec<_>>() {
        [one] => serde_json::to_string_pretty(one)?,
        all => serde_json::to_string_pretty(all)?,
    };
    println!("{json}");
    Ok(())
}

/// The name of the evidence beside a file.
fn neighbour_of(file: &Path) -> PathBuf {
    let mut neighbour = file.to_owned().into_os_string();
    neighbour.push(".");
    neighbour.push(EVIDENCE_ENDING);
    neighbour.into()
}

/// Finds the evidence and the bytes that it is about, and verifies.
fn report(
    command: &VerifyCommand,
    file: &Path,
    trust: &TrustFile,
) -> Result<Report, Box<dyn Error>> {
    let chain = if command.without_chain {
        Chain::KeyOnly
    } else {
        Chain::ToSetUp
    };
    let bytes = read(file, MAX_FILE_BYTES)?;
    if let Some(path) = &command.evidence {
        return beside(path, &bytes, trust, chain);
    }
    let neighbour = neighbour_of(file);
    // Evidence beside the file takes precedence, and is about all bytes of the file, whatever the
    // file's own name ends with.
    if neighbour.is_file() {
        return beside(&neighbour, &bytes, trust, chain);
    }
    let is_called_evidence = (file.extension()).is_some_and(|ending| ending == EVIDENCE_ENDING);
    let bundle = match evidence(&bytes) {
        Err(error) if is_called_evidence => return Ok(Report::unreadable("The evidence", &error)),
        Err(_) => return Ok(inside(&bytes, trust, chain)),
        Ok(bundle) => bundle,
    };
    let about = file.with_extension("");
    if is_called_evidence && about.is_file() {
        let payload = read(&about, MAX_FILE_BYTES)?;
        return Ok(of_bundle(&bundle, &payload, trust, chain));
    }
    Ok(verify::bundle(&bundle, None, trust, chain))
}

/// A bundle, or a receipt alone, as gateways hand them out.
fn evidence(bytes: &[u8]) -> Result<Bundle, BundleError> {
    Bundle::decode(bytes).or_else(|error| match Receipt::decode(bytes) {
        Ok(receipt) => Bundle::of(receipt, []),
        Err(_) => Err(error),
    })
}

/// Verifies a file by the evidence inside.
pub(crate) fn inside(file: &[u8], trust: &TrustFile, chain: Chain) -> Report {
    match embedding::extract(file) {
        Ok((original, Some(bundle))) => {
            let report = verify::bundle(&bundle, Some(&original), trust, chain);
            telling_both_lengths(report, file, &original)
        }
        Ok((_, None)) => Report::unreadable(
            "The file",
            &"it carries no evidence, and none lies beside it under its name and .evidence",
        ),
        Err(error) => Report::unreadable("The file", &error),
    }
}

/// Adds to the report that a file with evidence inside was signed without it.
fn telling_both_lengths(mut report: Report, file: &[u8], original: &[u8]) -> Report {
    if let Some(conclusion) = &mut report.conclusion
        && conclusion.transaction.is_some()
        && !conclusion.sentences.is_empty()
    {
        let told = format!(
            "The file has {} bytes: those {} without its evidence are what was signed.",
            file.len(),
            original.len()
        );
        conclusion.sentences.insert(1, told);
    }
    report
}

fn beside(
    path: &Path,
    file: &[u8],
    trust: &TrustFile,
    chain: Chain,
) -> Result<Report, Box<dyn Error>> {
    let bytes = read(path, hallway_evidence::MAX_BUNDLE_BYTES as u64)?;
    Ok(match evidence(&bytes) {
        Ok(bundle) => of_bundle(&bundle, file, trust, chain),
        Err(error) => Report::unreadable("The evidence", &error),
    })
}

/// Verifies a file by evidence that lies elsewhere. It is about all bytes of the file, unless the
/// file carries the same evidence: then both have to hold, for the bytes without it.
fn of_bundle(bundle: &Bundle, file: &[u8], trust: &TrustFile, chain: Chain) -> Report {
    match embedding::extract(file) {
        Ok((original, Some(carried)))
            if carried.subject().evidence == bundle.subject().evidence =>
        {
            let report = verify::bundle(&carried, Some(&original), trust, chain);
            if !report.holds {
                return report;
            }
            let report = verify::bundle(bundle, Some(&original), trust, chain);
            telling_both_lengths(report, file, &original)
        }
        _ => verify::bundle(bundle, Some(file), trust, chain),
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

/// Prints the verdict on a file in one line.
fn print_line(path: &Path, report: &Report) {
    let file = terminal::path(path);
    let mark = match Verdict::of(report) {
        Verdict::Holds => Piece::Styled(Style::Green, "✓ holds:"),
        Verdict::NotCompared => Piece::Plain(format_args!("? the evidence holds:")),
        Verdict::Fails => Piece::Styled(Style::Red, "✗ does not hold:"),
    };
    let why = match (Verdict::of(report), &report.failure) {
        (Verdict::NotCompared, _) => {
            ": its file is not here, so its bytes were not compared".to_owned()
        }
        (Verdict::Fails, Some(failure)) => format!(": {}", Printable(&failure.what)),
        _ => String::new(),
    };
    terminal::print_pieces(&[mark, Piece::Plain(format_args!(" {file}{why}\n"))]);
}

fn print(path: &Path, report: &Report) {
    let file = terminal::path(path);
    match (&report.conclusion, &report.failure) {
        (Some(conclusion), _) => {
            match (Verdict::of(report), &conclusion.transaction) {
                (Verdict::NotCompared, Some(facts)) => terminal::print_pieces(&[
                    Piece::Plain(format_args!("? the evidence holds: {file}\n")),
                    Piece::Plain(format_args!(
                        "  {} is not here, so its bytes were not compared.\n",
                        Printable(&facts.file_name)
                    )),
                ]),
                _ => terminal::print_pieces(&[
                    Piece::Styled(Style::Green, "✓ holds:"),
                    Piece::Plain(format_args!(" {file}\n")),
                ]),
            }
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
    explained::print_steps(&section.steps);
}
