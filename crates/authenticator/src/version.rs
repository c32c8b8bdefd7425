//! The version of this program, which a key reports in getInfo (CTAP 2.3, section 6.4,
//! firmwareVersion) and in the answer to CTAPHID_INIT (section 11.2.9.1.3).

/// Major, minor, patch.
pub(crate) const VERSION: [u64; 3] = [
    number(env!("CARGO_PKG_VERSION_MAJOR")),
    number(env!("CARGO_PKG_VERSION_MINOR")),
    number(env!("CARGO_PKG_VERSION_PATCH")),
];

/// The version as one number, higher for a later version: 1.2.3 is 1002003.
pub(crate) const FIRMWARE: u64 = VERSION[0] * 1_000_000 + VERSION[1] * 1000 + VERSION[2];

/// Major, minor and patch, one byte each; numbers above 255 are reported as 255.
pub const DEVICE_VERSION: [u8; 3] = [byte(VERSION[0]), byte(VERSION[1]), byte(VERSION[2])];

const fn number(digits: &str) -> u64 {
    let mut value = 0;
    let mut rest = digits.as_bytes();
    while let [digit, after @ ..] = rest {
        value = value * 10 + (*digit - b'0') as u64;
        rest = after;
    }
    value
}

const fn byte(number: u64) -> u8 {
    if number > 255 { 255 } else { number as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_cut_to_size() {
        assert_eq!([number("0"), number("7"), number("1042")], [0, 7, 1042]);
        assert_eq!([byte(0), byte(255), byte(256)], [0, 255, 255]);
    }

    #[test]
    fn the_version_is_that_of_this_program() {
        let [major, minor, patch] = VERSION;
        let printed = std::format!("{major}.{minor}.{patch}");
        assert!(env!("CARGO_PKG_VERSION").starts_with(&printed));
    }
}
