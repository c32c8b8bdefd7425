//! A sequence of APDUs to one key, over CTAPHID and as a smart card: each answer ends with a status
//! word, and an answer in parts has an end.
#![no_main]

mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{Settings, SmartCard};
use libfuzzer_sys::fuzz_target;
use virtual_key::{World, power_up};

const SELECT: [u8; 13] = [0, 0xa4, 4, 0, 8, 0xa0, 0, 0, 6, 0x47, 0x2f, 0, 1];

fuzz_target!(|bytes: &[u8]| {
    let world = Rc::new(World::default());
    world.answer.set(7);
    let mut key = power_up(&world, Settings::default()).expect("a new key starts");
    let mut card = SmartCard::default();
    key.process_card(&mut card, &SELECT);
    let mut rest = bytes;
    while let Some(([high, low], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (apdu, after) = more.split_at(length);
        rest = after;
        let word = |answer: &[u8]| {
            let at = answer.len().checked_sub(2).expect("a status word");
            u16::from_be_bytes([answer[at], answer[at + 1]])
        };
        word(&key.process_apdu(apdu));
        let mut last = word(&key.process_card(&mut card, apdu));
        let mut parts = 0;
        while last >> 8 == 0x61 {
            last = word(&key.process_card(&mut card, &[0, 0xc0, 0, 0, 0]));
            parts += 1;
            assert!(parts < 100);
        }
    }
});
