//! The records that a key reads when it starts: it starts or says which is damaged. After that it
//! answers every request.
#![no_main]

mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{Caller, RecordKey, Settings};
use hallway_ctap::status::Status;
use libfuzzer_sys::fuzz_target;
use virtual_key::{World, power_up};

/// Requests that look at every kind of record: getInfo, retries of PIN and finger, an assertion by
/// discovery, a read of the large-blob array, and the modality of the sensor.
const REQUESTS: [&[u8]; 6] = [
    &[4],
    &[6, 0xa1, 2, 1],
    &[6, 0xa1, 2, 7],
    b"\x02\xa3\x01\x69a.example\x02\x58\x20hash hash hash hash hash hash ha\x05\xa1\x62up\xf4",
    &[0x0c, 0xa2, 1, 0x18, 0x40, 3, 0],
    &[9, 0xa1, 6, 0xf5],
];

fuzz_target!(|bytes: &[u8]| {
    let world = Rc::new(World::default());
    // The number of a record, its length in two bytes, the record.
    let mut rest = bytes;
    while let Some(([a, b, high, low], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (record, after) = more.split_at(length);
        rest = after;
        let key = RecordKey::from_number(u16::from_be_bytes([*a, *b]));
        world.records.borrow_mut().insert(key, record.to_vec());
    }
    let Ok(mut key) = power_up(&world, Settings::default()) else {
        return;
    };
    for request in REQUESTS {
        let response = key.process(Caller::ONLY, request);
        Status::from_code(response[0]).expect("a status that is defined");
    }
    let _ = key.power_down();
});
