//! RS1024: three words that detect up to three wrong ones, and nearly all other mistakes.

const GENERATOR: [u32; 10] = [
    0x00e0_e040,
    0x01c1_c080,
    0x0383_8100,
    0x0707_0200,
    0x0e0e_0009,
    0x1c0c_2412,
    0x3808_6c24,
    0x3090_fc48,
    0x21b1_f890,
    0x03f3_f120,
];

pub(super) const CHECKSUM_WORDS: usize = 3;

fn remainder(customization: &[u8], words: impl Iterator<Item = u16>) -> u32 {
    let values = customization.iter().map(|byte| u32::from(*byte));
    values
        .chain(words.map(u32::from))
        .fold(1, |checksum, value| {
            let top = checksum >> 20;
            let shifted = (checksum & 0xf_ffff) << 10 ^ value;
            (0..10)
                .filter(|bit| top >> bit & 1 == 1)
                .fold(shifted, |sum, bit| sum ^ GENERATOR[bit])
        })
}

/// The checksum of these words.
pub(super) fn checksum(customization: &[u8], words: &[u16]) -> [u16; CHECKSUM_WORDS] {
    let padded = words.iter().copied().chain([0; CHECKSUM_WORDS]);
    let found = remainder(customization, padded) ^ 1;
    [20, 10, 0].map(|shift| (found >> shift & 1023) as u16)
}

/// Whether these words end in their checksum.
pub(super) fn holds(customization: &[u8], words: &[u16]) -> bool {
    remainder(customization, words.iter().copied()) == 1
}
