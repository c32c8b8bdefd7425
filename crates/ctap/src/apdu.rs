//! Command APDUs, short and extended (ISO/IEC 7816-4, section 5.2), as CTAP1 and smart-card
//! transports carry them.

/// A status word, the last two bytes of every response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum StatusWord {
    /// Success.
    NoError = 0x9000,
    /// A touch is needed; also the answer to a check that succeeded.
    ConditionsNotSatisfied = 0x6985,
    /// The key handle is not this key's.
    WrongData = 0x6a80,
    /// The length is wrong.
    WrongLength = 0x6700,
    /// The class byte is not U2F's.
    ClassNotSupported = 0x6e00,
    /// The instruction is not one of U2F's.
    InstructionNotSupported = 0x6d00,
    /// P1 is not one of U2F's.
    WrongParameters = 0x6a86,
    /// U2F is switched off.
    NotAllowed = 0x6986,
    /// There is no application of that name.
    NotFound = 0x6a82,
    /// The last command of a chain was expected.
    ChainExpected = 0x6883,
    /// The key has a fault.
    Fault = 0x6f00,
}

impl StatusWord {
    /// The two bytes as sent, big-endian.
    pub const fn to_bytes(self) -> [u8; 2] {
        (self as u16).to_be_bytes()
    }
}

/// A command APDU, borrowed from its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Apdu<'a> {
    /// CLA.
    pub class: u8,
    /// INS.
    pub instruction: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// The data field.
    pub data: &'a [u8],
    /// Ne: the most bytes that the answer may have, 1 to 65,536; `None` where no Le was sent.
    pub expected: Option<usize>,
    /// Whether Lc and Le have two bytes.
    pub extended: bool,
}

impl<'a> Apdu<'a> {
    /// Parses exactly one APDU.
    ///
    /// # Errors
    /// [`StatusWord::WrongLength`] when its length fields do not fit its length.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StatusWord> {
        let (head, body) = bytes
            .split_first_chunk::<4>()
            .ok_or(StatusWord::WrongLength)?;
        let (data, le, extended): (&[u8], &[u8], bool) = match body {
            [] => (&[], &[], false),
            [_] => (&[], body, false),
            [0, le @ ..] if le.len() == 2 => (&[], le, true),
            [0, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let (data, le) = data_of(rest, length, 2)?;
                (data, le, true)
            }
            [length, rest @ ..] => {
                let (data, le) = data_of(rest, usize::from(*length), 1)?;
                (data, le, false)
            }
        };
        let [class, instruction, p1, p2] = *head;
        Ok(Self {
            class,
            instruction,
            p1,
            p2,
            data,
            expected: match *le {
                [0] => Some(256),
                [length] => Some(usize::from(length)),
                [0, 0] => Some(65_536),
                [high, low] => Some(usize::from(u16::from_be_bytes([high, low]))),
                _ => None,
            },
            extended,
        })
    }
}

/// The data field and what follows it: nothing, or a Le of `width` bytes.
fn data_of(rest: &[u8], length: usize, width: usize) -> Result<(&[u8], &[u8]), StatusWord> {
    let (data, le) = rest
        .split_at_checked(length)
        .ok_or(StatusWord::WrongLength)?;
    if le.is_empty() || le.len() == width {
        Ok((data, le))
    } else {
        Err(StatusWord::WrongLength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_cases_of_lengths() {
        let case = |bytes: &'static [u8]| {
            Apdu::parse(bytes).map(|apdu| (apdu.data, apdu.expected, apdu.extended))
        };
        assert_eq!(case(&[0, 3, 0, 0]), Ok((&[][..], None, false)));
        assert_eq!(case(&[0, 3, 0, 0, 0]), Ok((&[][..], Some(256), false)));
        assert_eq!(
            case(&[0, 3, 0, 0, 0, 0, 0]),
            Ok((&[][..], Some(65_536), true))
        );
        assert_eq!(case(&[0, 3, 0, 0, 1, 9]), Ok((&[9][..], None, false)));
        assert_eq!(case(&[0, 3, 0, 0, 1, 9, 7]), Ok((&[9][..], Some(7), false)));
        assert_eq!(case(&[0, 3, 0, 0, 0, 0, 1, 9]), Ok((&[9][..], None, true)));
        assert_eq!(
            case(&[0, 3, 0, 0, 0, 0, 1, 9, 1, 2]),
            Ok((&[9][..], Some(258), true))
        );
        for wrong in [
            &[0, 3, 0][..],
            &[0, 3, 0, 0, 2, 9],
            &[0, 3, 0, 0, 1, 9, 7, 7],
            &[0, 3, 0, 0, 0, 0, 1, 9, 1],
        ] {
            assert_eq!(
                Apdu::parse(wrong),
                Err(StatusWord::WrongLength),
                "{wrong:?}"
            );
        }
    }
}
