//! U2F over CTAPHID, for clients that know nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use hallway_ctap::ctaphid::{Channel, HidCommand, Message, Packet, REPORT_LENGTH, reports};
use hallway_softkey::{
    ANSWER_WITHIN, Answer, Asker, Consent, KeyFile, NewKey, Protection, Question, SoftKey, Wait,
    Worker, serve_udp,
};

/// How long a test waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A touch is needed (U2F Raw Message Formats 1.2, section 3.3).
const NOT_YET: [u8; 2] = [0x69, 0x85];

/// Gives the answers that the test sends, and tells the test of each question.
struct Told {
    asked: Sender<()>,
    answers: Receiver<Answer>,
}

impl Asker for Told {
    fn ask(&mut self, _: &Question<'_>, wait: &Wait) -> Answer {
        self.asked.send(()).unwrap();
        loop {
            if let Some(answer) = wait.over() {
                return answer;
            }
            let a_little = Duration::from_millis(5);
            if let Ok(answer) = self.answers.recv_timeout(a_little) {
                return answer;
            }
        }
    }
}

/// A client that knows nothing but CTAPHID.
struct BareClient(UdpSocket);

impl BareClient {
    fn send(&self, channel: Channel, command: HidCommand, payload: &[u8]) {
        for report in reports(channel, command, payload).unwrap() {
            self.0.send(&report).unwrap();
        }
    }

    /// The next message, whatever it is.
    fn receive(&self) -> (HidCommand, Vec<u8>) {
        let mut message: Option<Message> = None;
        loop {
            let mut report = [0; REPORT_LENGTH];
            assert_eq!(self.0.recv(&mut report).unwrap(), REPORT_LENGTH);
            match (Packet::parse(&report), &mut message) {
                (
                    Packet::Init {
                        channel,
                        command,
                        length,
                        data,
                    },
                    None,
                ) => message = Some(Message::start(channel, command, length, data).unwrap()),
                (Packet::Continuation { sequence, data, .. }, Some(message)) => {
                    message.push(sequence, data).unwrap();
                }
                other => panic!("{other:?}"),
            }
            if let Some(message) = message.take_if(|message| message.is_complete()) {
                return (message.command, message.payload);
            }
        }
    }
}

/// Clients that know only U2F accept nothing but an answer. It is "not yet" until the owner has
/// answered; then they get the owner's answer when they send the same message again.
#[test]
fn u2f_clients_ask_again_until_the_owner_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.key");
    let protection = Protection::OperatorKey([7; 32].into());
    KeyFile::create(&path, &protection, &NewKey::personal()).unwrap();
    let ((asked, questions), (answer, answers)) = (channel(), channel());
    let consent = Consent::Ask {
        asker: Box::new(Told { asked, answers }),
        within: ANSWER_WITHIN,
    };
    let key = SoftKey::open(&path, &protection, consent).unwrap();
    let (worker, thread) = Worker::start(key).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(udp.local_addr().unwrap()).unwrap();
    socket.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
    let client = BareClient(socket);
    std::thread::scope(|scope| {
        scope.spawn(|| serve_udp(worker, udp, &stop).unwrap());
        for nonce in 1..=2 {
            client.send(Channel::BROADCAST, HidCommand::Init, &[nonce; 8]);
            client.receive();
        }
        let (mine, other) = (Channel(1), Channel(2));
        let registration = |challenge: u8| {
            let data = [[challenge; 32], [2; 32]].concat();
            [&[0, 1, 0, 0, 0, 0, 64], &data[..], &[0, 0]].concat()
        };
        let ask = |message: &[u8]| {
            client.send(mine, HidCommand::Msg, message);
            let (command, response) = client.receive();
            assert_eq!(command, HidCommand::Msg);
            response
        };
        let until_answered = |message: &[u8]| {
            let started = Instant::now();
            loop {
                let response = ask(message);
                if response != NOT_YET {
                    return response;
                }
                assert!(started.elapsed() < ANSWER_TIMEOUT);
            }
        };

        assert_eq!(ask(&registration(1)), NOT_YET);
        questions.recv_timeout(ANSWER_TIMEOUT).unwrap();
        assert_eq!(ask(&registration(1)), NOT_YET);
        client.send(other, HidCommand::Ping, b"?");
        assert_eq!(client.receive(), (HidCommand::Error, vec![0x06]));
        answer.send(Answer::Granted).unwrap();
        let response = until_answered(&registration(1));
        assert_eq!(
            (response[0], &response[response.len() - 2..]),
            (5, &[0x90, 0][..])
        );
        // That was one question, and the yes was for one message.
        assert_eq!(questions.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(ask(&registration(1)), NOT_YET);
        questions.recv_timeout(ANSWER_TIMEOUT).unwrap();

        // Another message takes its place: the yes is not for what was asked before.
        assert_eq!(ask(&registration(2)), NOT_YET);
        questions.recv_timeout(ANSWER_TIMEOUT).unwrap();
        answer.send(Answer::Granted).unwrap();
        assert_eq!(until_answered(&registration(2))[0], 5);

        // The owner is no longer asked for a client that starts afresh.
        assert_eq!(ask(&registration(3)), NOT_YET);
        questions.recv_timeout(ANSWER_TIMEOUT).unwrap();
        client.send(mine, HidCommand::Init, &[3; 8]);
        assert_eq!(client.receive().0, HidCommand::Init);
        client.send(other, HidCommand::Ping, b"?");
        assert_eq!(client.receive(), (HidCommand::Ping, b"?".to_vec()));

        // A no holds: the owner is not asked again at once.
        assert_eq!(ask(&registration(4)), NOT_YET);
        questions.recv_timeout(ANSWER_TIMEOUT).unwrap();
        answer.send(Answer::Denied).unwrap();
        for _ in 0..20 {
            assert_eq!(ask(&registration(4)), NOT_YET);
        }
        assert_eq!(questions.try_recv(), Err(TryRecvError::Empty));
        stop.store(true, Ordering::Relaxed);
    });
    thread.join().unwrap();
}
