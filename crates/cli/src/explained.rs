//! Evidence taken apart, and the steps of its verification, on a terminal.

use hallway_evidence::Printable;
use hallway_webauthn::explain::{Bytes, Field, Part};
use hallway_webauthn::{Observed, Outcome};

use crate::terminal::{self, Piece, Style};

/// Prints what evidence is made of: each part with its fields.
pub(crate) fn print_parts(parts: &[Part]) {
    for part in parts {
        terminal::print_pieces(&[
            Piece::Plain(format_args!("\n")),
            Piece::Styled(Style::Bold, &part.title),
            Piece::Plain(format_args!(" ({} bytes)\n", part.length)),
        ]);
        println!("  {}", Printable(&part.lead));
        part.fields.iter().for_each(print_field);
    }
}

fn print_field(field: &Field) {
    let value = match (&field.value, &field.bytes) {
        (Some(value), _) | (None, Bytes::Text(value)) => value.clone(),
        (None, Bytes::Hex(bytes)) => hex::encode(bytes),
    };
    println!("  {:<24} {}", Printable(&field.name), Printable(&value));
    println!("    {}", Printable(&field.meaning));
    for bit in &field.bits {
        let value = u8::from(bit.set);
        println!(
            "    {} {:<8} {value}  {}",
            bit.number, bit.name, bit.meaning
        );
    }
}

/// Prints steps of a verification, in order.
pub(crate) fn print_steps(steps: &[Observed]) {
    for seen in steps {
        let mark = match seen.outcome {
            Outcome::Held => Piece::Styled(Style::Green, "✓"),
            Outcome::Failed => Piece::Styled(Style::Red, "✗"),
            Outcome::Skipped => Piece::Plain(format_args!("–")),
        };
        let (number, title) = (seen.step.number, seen.step.title);
        terminal::print_pieces(&[
            Piece::Plain(format_args!("  ")),
            mark,
            Piece::Plain(format_args!(" {number:<12} {title}\n")),
        ]);
        if !seen.detail.is_empty() {
            println!("    {:<12} {}", "", Printable(&seen.detail));
        }
    }
}
