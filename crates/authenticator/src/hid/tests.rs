//! Reports of a client, and the reports that answer them.

use super::*;

fn send(
    device: &mut HidDevice,
    channel: Channel,
    command: HidCommand,
    payload: &[u8],
) -> HidAction {
    let mut last = HidAction::Nothing;
    for report in reports(channel, command, payload).unwrap() {
        last = device.receive(&report, 0);
    }
    last
}

fn open(device: &mut HidDevice) -> Channel {
    let HidAction::Restart { channel, reports } =
        send(device, Channel::BROADCAST, HidCommand::Init, &[9; 8])
    else {
        panic!("no answer to INIT");
    };
    let Packet::Init { data, .. } = Packet::parse(&reports[0]) else {
        panic!("a continuation");
    };
    assert_eq!(data[..8], [9; 8]);
    assert_eq!(data[8..12], channel.0.to_be_bytes());
    channel
}

fn refused(action: &HidAction) -> Option<HidError> {
    let HidAction::Reply(answer) = action else {
        return None;
    };
    match Packet::parse(answer.first()?) {
        Packet::Init {
            command: HidCommand::Error,
            data,
            ..
        } => Some(HidError::from_code(data[0])),
        _ => None,
    }
}

#[test]
fn ping_comes_back() {
    let mut device = HidDevice::default();
    let channel = open(&mut device);
    let action = send(&mut device, channel, HidCommand::Ping, &[1; 300]);
    let echo = reports(channel, HidCommand::Ping, &[1; 300]).unwrap();
    assert_eq!(action, HidAction::Reply(echo));
}

#[test]
fn channels_that_were_not_given_out_are_refused() {
    let mut device = HidDevice::default();
    for channel in [Channel(0), Channel(1), Channel::BROADCAST] {
        let action = send(&mut device, channel, HidCommand::Ping, &[1]);
        assert_eq!(refused(&action), Some(HidError::InvalidChannel));
    }
}

#[test]
fn a_channel_of_before_the_power_cycle_is_taken_up_again() {
    let mut device = HidDevice::default();
    let old = Channel(2);
    let ping =
        |device: &mut HidDevice, channel| refused(&send(device, channel, HidCommand::Ping, &[1]));
    assert_eq!(ping(&mut device, old), Some(HidError::InvalidChannel));
    assert_eq!(
        refused(&send(&mut device, old, HidCommand::Init, &[1; 8])),
        None
    );
    assert_eq!(ping(&mut device, old), None);
    // Nobody else is given it.
    assert_eq!(open(&mut device), Channel(1));
    assert_eq!(open(&mut device), Channel(3));
    for number in 100..100 + MAX_ADOPTED as u32 {
        send(&mut device, Channel(number), HidCommand::Init, &[1; 8]);
    }
    assert_eq!(ping(&mut device, Channel(115)), None);
    assert_eq!(device.adopted.len(), MAX_ADOPTED);
    let reserved = send(&mut device, Channel::RESERVED, HidCommand::Init, &[1; 8]);
    assert_eq!(refused(&reserved), Some(HidError::InvalidChannel));
}

#[test]
fn a_second_channel_has_to_wait_and_a_cancel_is_heard() {
    let mut device = HidDevice::default();
    let (a, b) = (open(&mut device), open(&mut device));
    let work = send(&mut device, a, HidCommand::Cbor, &[4]);
    assert_eq!(
        work,
        HidAction::Work {
            channel: a,
            kind: RequestKind::Cbor,
            request: alloc::vec![4]
        }
    );
    let busy = send(&mut device, b, HidCommand::Cbor, &[4]);
    assert_eq!(refused(&busy), Some(HidError::ChannelBusy));
    assert_eq!(
        send(&mut device, b, HidCommand::Cancel, &[]),
        HidAction::Nothing
    );
    assert_eq!(
        send(&mut device, a, HidCommand::Cancel, &[]),
        HidAction::Cancel
    );
    assert!(device.keepalive(KeepaliveStatus::Processing).is_some());
    assert_eq!(device.finished(&[0x2d]).len(), 1);
    assert!(device.keepalive(KeepaliveStatus::Processing).is_none());
}

/// U2F has no keepalives: its clients are told to ask again, and others to wait meanwhile.
#[test]
fn a_u2f_message_is_put_off_while_the_owner_is_asked() {
    let mut device = HidDevice::default();
    let (a, b) = (open(&mut device), open(&mut device));
    send(&mut device, a, HidCommand::Msg, &[0, 1]);
    assert!(device.keepalive(KeepaliveStatus::Processing).is_none());
    let not_yet = reports(a, HidCommand::Msg, &[0x69, 0x85]).unwrap();
    assert_eq!(device.put_off(), not_yet);
    let busy = send(&mut device, b, HidCommand::Ping, &[4]);
    assert_eq!(refused(&busy), Some(HidError::ChannelBusy));
    let again = send(&mut device, a, HidCommand::Msg, &[0, 1]);
    assert!(matches!(again, HidAction::Work { channel, .. } if channel == a));
    assert_eq!(device.put_off(), not_yet);
    device.settled();
    let free = send(&mut device, b, HidCommand::Ping, &[4]);
    assert_eq!(refused(&free), None);
}

#[test]
fn init_on_the_working_channel_aborts() {
    let mut device = HidDevice::default();
    let channel = open(&mut device);
    send(&mut device, channel, HidCommand::Cbor, &[1]);
    let action = send(&mut device, channel, HidCommand::Init, &[1; 8]);
    assert!(matches!(action, HidAction::Abort { channel: aborted, .. } if aborted == channel));
    assert!(device.finished(&[0]).is_empty());
}

/// 11.2.9.1.3: INIT on a channel discards its state, whether something is under way or not.
#[test]
fn init_on_a_quiet_channel_starts_it_afresh() {
    let mut device = HidDevice::default();
    let (a, b) = (open(&mut device), open(&mut device));
    for channel in [a, b, Channel(77)] {
        let action = send(&mut device, channel, HidCommand::Init, &[1; 8]);
        assert!(
            matches!(&action, HidAction::Restart { channel: restarted, reports }
                if *restarted == channel && reports.len() == 1)
        );
    }
}

#[test]
fn half_a_message_times_out() {
    let mut device = HidDevice::default();
    let channel = open(&mut device);
    let all = reports(channel, HidCommand::Ping, &[1; 100]).unwrap();
    assert_eq!(device.receive(&all[0], 0), HidAction::AwaitMore);
    assert_eq!(device.tick(NEXT_PACKET_WITHIN_MS), None);
    let answer = device.tick(NEXT_PACKET_WITHIN_MS + 1).unwrap();
    assert_eq!(refused(&HidAction::Reply(answer)), Some(HidError::Timeout));
}

#[test]
fn a_lock_keeps_others_out_until_it_lapses() {
    let mut device = HidDevice::default();
    let (a, b) = (open(&mut device), open(&mut device));
    send(&mut device, a, HidCommand::Lock, &[2]);
    let busy = send(&mut device, b, HidCommand::Ping, &[1]);
    assert_eq!(refused(&busy), Some(HidError::ChannelBusy));
    let ping = &reports(b, HidCommand::Ping, &[1]).unwrap()[0];
    assert_eq!(refused(&device.receive(ping, 2000)), None);
    send(&mut device, a, HidCommand::Lock, &[2]);
    let init = send(&mut device, Channel::BROADCAST, HidCommand::Init, &[1; 8]);
    assert_eq!(refused(&init), Some(HidError::ChannelBusy));
    let long = send(&mut device, a, HidCommand::Lock, &[11]);
    assert_eq!(refused(&long), Some(HidError::InvalidParameter));
}

proptest::proptest! {
    #[test]
    fn any_reports_are_survived(all in proptest::collection::vec(proptest::array::uniform32(0u8..), 0..40)) {
        let mut device = HidDevice::default();
        let channel = open(&mut device);
        for (at, half) in all.iter().enumerate() {
            let mut report = [0; 64];
            report[..32].copy_from_slice(half);
            if at % 3 != 0 {
                report[..4].copy_from_slice(&channel.0.to_be_bytes());
            }
            if matches!(device.receive(&report, at as u64), HidAction::Work { .. }) {
                proptest::prop_assert!(!device.finished(&[0]).is_empty());
            }
        }
    }
}
