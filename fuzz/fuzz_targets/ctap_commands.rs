//! A sequence of CTAP2 requests to one key, whose owner answers yes, no or not at all while time
//! passes. Each answer has a status that CTAP defines, and on success canonical CBOR.
#![no_main]

mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{Caller, LargeBlobs, Settings};
use hallway_ctap::cbor::{Form, check};
use hallway_ctap::ctaphid::Channel;
use hallway_ctap::status::Status;
use libfuzzer_sys::fuzz_target;
use virtual_key::{World, power_up};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, mut rest)) = bytes.split_first() else {
        return;
    };
    let settings = Settings {
        max_discoverable: 4,
        large_blobs: match kind & 1 {
            0 => LargeBlobs::Array { max_length: 1024 },
            _ => LargeBlobs::WithCredentials { max_length: 256 },
        },
        preview_sign: kind & 2 != 0,
        ..Settings::default()
    };
    let world = Rc::new(World::default());
    let mut key = power_up(&world, settings).expect("a new key starts");
    // One byte for the caller, the owner's answer and the seconds before; two for the length; the request.
    while let Some(([mood, high, low], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (request, after) = more.split_at(length);
        rest = after;
        world.answer.set((mood >> 4) & 7);
        let waited = u64::from(mood & 15) * 1000;
        world.now_ms.set(world.now_ms.get() + waited);
        let caller = Caller::on_channel(0, Channel(u32::from(mood >> 7)));
        let response = key.process(caller, request);
        let status = Status::from_code(response[0]).expect("a status that is defined");
        if status != Status::Ok {
            assert_eq!(response.len(), 1);
        } else if response.len() > 1 {
            check(&response[1..], Form::Canonical).expect("canonical CBOR");
        }
        assert!(key.discoverable_credentials() <= 4);
    }
    // The stored records can be read again.
    drop(key);
    power_up(&world, settings).expect("it starts again");
});
