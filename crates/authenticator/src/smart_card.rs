//! ISO/IEC 7816 from the key's side, contact or contactless: selection, chaining in both
//! directions, CTAP2 and CTAP1 messages (CTAP 2.3, section 11.3).

use alloc::vec::Vec;

use hallway_ctap::apdu::Apdu;
use hallway_ctap::apdu::StatusWord;

use crate::authenticator::Authenticator;
use crate::hid::RequestKind;
use crate::platform::Environment;
use crate::sequence::Caller;
use crate::settings::MAX_MESSAGE_BYTES;

/// The FIDO applet's identifier.
const AID: [u8; 8] = [0xa0, 0x00, 0x00, 0x06, 0x47, 0x2f, 0x00, 0x01];
/// The bit of CLA that announces another part of the command.
const CHAINED: u8 = 0x10;
/// The class of CTAP2's own commands.
const CTAP_CLASS: u8 = 0x80;
/// The longest short answer, without its status word.
const SHORT_ANSWER_BYTES: usize = 256;

/// The key's end of ISO/IEC 7816. It never blocks and never sends by itself: it says what to do.
#[derive(Default)]
pub struct SmartCard {
    selected: bool,
    chain: Option<Chain>,
    /// Bytes of an answer that the terminal takes at once.
    room: usize,
    /// The rest of the last answer, which was not fetched yet.
    left: Vec<u8>,
}

/// A command that comes in parts.
struct Chain {
    class: u8,
    instruction: u8,
    data: Vec<u8>,
}

/// Whether the key answers to CTAP1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ctap1 {
    /// It answers.
    Offered,
    /// It refuses: its owner wants verification always.
    Off,
}

/// What to do about an APDU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CardAction {
    /// Send this answer APDU.
    Reply(Vec<u8>),
    /// Forget what the terminal began ([`Authenticator::forget`]), and send this answer APDU.
    Restart(Vec<u8>),
    /// Work on this request, then call [`SmartCard::finished`].
    Work {
        /// The request's protocol.
        kind: RequestKind,
        /// The CTAP2 command or the APDU.
        request: Vec<u8>,
    },
}

impl SmartCard {
    /// Takes a command APDU.
    pub fn receive(&mut self, bytes: &[u8], ctap1: Ctap1) -> CardAction {
        match self.take(bytes, ctap1) {
            Ok(action) => action,
            Err(word) => {
                self.chain = None;
                self.left.clear();
                CardAction::Reply(word.to_bytes().to_vec())
            }
        }
    }

    fn take(&mut self, bytes: &[u8], ctap1: Ctap1) -> Result<CardAction, StatusWord> {
        let apdu = Apdu::parse(bytes)?;
        match (apdu.class, apdu.instruction) {
            (0, 0xa4) => return Ok(self.select(&apdu, ctap1)),
            // GET RESPONSE.
            (0, 0xc0) => {
                let most = apdu.expected.unwrap_or(SHORT_ANSWER_BYTES);
                return Ok(CardAction::Reply(self.fetch(most)));
            }
            _ => self.left.clear(),
        }
        if !self.selected {
            return Err(StatusWord::NotAllowed);
        }
        let class = apdu.class & !CHAINED;
        let chain = match self.chain.take() {
            Some(chain) if chain.class == class && chain.instruction == apdu.instruction => chain,
            Some(_) => return Err(StatusWord::ChainExpected),
            None => Chain {
                class,
                instruction: apdu.instruction,
                data: Vec::new(),
            },
        };
        let data = [&chain.data[..], apdu.data].concat();
        if data.len() > MAX_MESSAGE_BYTES {
            return Err(StatusWord::WrongLength);
        }
        if apdu.class & CHAINED != 0 {
            self.chain = Some(Chain { data, ..chain });
            return Ok(CardAction::Reply(StatusWord::NoError.to_bytes().to_vec()));
        }
        self.room = match (apdu.expected, apdu.extended) {
            (Some(expected), _) => expected,
            (None, true) => usize::MAX,
            (None, false) => SHORT_ANSWER_BYTES,
        };
        match (class, apdu.instruction) {
            // NFCCTAP_MSG.
            (CTAP_CLASS, 0x10) if data.is_empty() => Err(StatusWord::WrongLength),
            (CTAP_CLASS, 0x10) => Ok(CardAction::Work {
                kind: RequestKind::Cbor,
                request: data,
            }),
            // NFCCTAP_CONTROL: the platform is done.
            (CTAP_CLASS, 0x12) if apdu.p1 == 0x01 => {
                self.selected = false;
                Ok(CardAction::Restart(StatusWord::NoError.to_bytes().to_vec()))
            }
            (CTAP_CLASS, _) => Err(StatusWord::InstructionNotSupported),
            _ => Ok(CardAction::Work {
                kind: RequestKind::Msg,
                request: whole(class, &apdu, &data),
            }),
        }
    }

    /// SELECT answers with the oldest version that the key has (11.3.3). Whichever applet it names,
    /// it ends everything that was under way in this one.
    fn select(&mut self, apdu: &Apdu<'_>, ctap1: Ctap1) -> CardAction {
        self.chain = None;
        self.left.clear();
        self.selected = apdu.p1 == 0x04 && apdu.data == AID;
        if !self.selected {
            let refusal = StatusWord::NotFound.to_bytes().to_vec();
            return CardAction::Restart(refusal);
        }
        let version: &[u8] = match ctap1 {
            Ctap1::Offered => b"U2F_V2",
            Ctap1::Off => b"FIDO_2_0",
        };
        let answer = [version, &StatusWord::NoError.to_bytes()].concat();
        CardAction::Restart(answer)
    }

    /// The answer APDU to the request under way; the terminal fetches what it cannot take at once.
    pub fn finished(&mut self, kind: RequestKind, response: &[u8]) -> Vec<u8> {
        let data = match kind {
            RequestKind::Cbor => response,
            // The status word is put behind the last part.
            RequestKind::Msg => match response.split_last_chunk::<2>() {
                Some((data, word)) if *word == StatusWord::NoError.to_bytes() => data,
                _ => return response.to_vec(),
            },
        };
        self.left = data.to_vec();
        self.fetch(self.room)
    }

    /// The next part of the answer, and how much is left: 61xx, or 9000 behind the last part.
    fn fetch(&mut self, most: usize) -> Vec<u8> {
        let count = most.max(1).min(self.left.len());
        let mut part: Vec<u8> = self.left.drain(..count).collect();
        match self.left.len() {
            0 => part.extend(StatusWord::NoError.to_bytes()),
            left => part.extend([0x61, u8::try_from(left).unwrap_or(0)]),
        }
        part
    }
}

impl<E: Environment> Authenticator<E> {
    /// Takes a command APDU from a terminal and gives its answer: [`SmartCard`] and
    /// [`process`](Self::process) in one, for machines that may wait for the answer.
    pub fn process_card(&mut self, card: &mut SmartCard, apdu: &[u8]) -> Vec<u8> {
        let ctap1 = match self.policy.always_uv {
            true => Ctap1::Off,
            false => Ctap1::Offered,
        };
        match card.receive(apdu, ctap1) {
            CardAction::Reply(answer) => answer,
            CardAction::Restart(answer) => {
                self.forget(Caller::ONLY);
                answer
            }
            CardAction::Work { kind, request } => {
                let response = match kind {
                    RequestKind::Cbor => self.process(Caller::ONLY, &request),
                    RequestKind::Msg => self.process_apdu(&request),
                };
                card.finished(kind, &response)
            }
        }
    }
}

/// A CTAP1 command as one extended APDU.
fn whole(class: u8, apdu: &Apdu<'_>, data: &[u8]) -> Vec<u8> {
    let mut out = alloc::vec![class, apdu.instruction, apdu.p1, apdu.p2];
    // A chain is no longer than CTAPHID carries: its length fits two bytes.
    if let Ok(length @ 1..) = u16::try_from(data.len()) {
        out.push(0);
        out.extend(length.to_be_bytes());
        out.extend_from_slice(data);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELECT: [u8; 14] = [
        0, 0xa4, 4, 0, 8, 0xa0, 0x00, 0x00, 0x06, 0x47, 0x2f, 0x00, 0x01, 0,
    ];

    fn selected() -> SmartCard {
        let mut card = SmartCard::default();
        let answer = card.receive(&SELECT, Ctap1::Offered);
        assert_eq!(answer, CardAction::Restart(b"U2F_V2\x90\x00".to_vec()));
        card
    }

    fn work(kind: RequestKind, request: &[u8]) -> CardAction {
        CardAction::Work {
            kind,
            request: request.to_vec(),
        }
    }

    fn word(word: StatusWord) -> CardAction {
        CardAction::Reply(word.to_bytes().to_vec())
    }

    #[test]
    fn commands_without_a_selection_are_refused() {
        let mut card = SmartCard::default();
        let message = [0x80, 0x10, 0, 0, 1, 4, 0];
        assert_eq!(
            card.receive(&message, Ctap1::Offered),
            word(StatusWord::NotAllowed)
        );
        let mut other = SELECT;
        other[12] = 9;
        assert_eq!(
            card.receive(&other, Ctap1::Offered),
            CardAction::Restart(StatusWord::NotFound.to_bytes().to_vec())
        );
        let mut card = selected();
        assert_eq!(
            card.receive(&message, Ctap1::Offered),
            work(RequestKind::Cbor, &[4])
        );
        let end = card.receive(&[0x80, 0x12, 1, 0], Ctap1::Offered);
        assert_eq!(
            end,
            CardAction::Restart(StatusWord::NoError.to_bytes().to_vec())
        );
        assert_eq!(
            card.receive(&message, Ctap1::Offered),
            word(StatusWord::NotAllowed)
        );
        let always = SmartCard::default().receive(&SELECT, Ctap1::Off);
        assert_eq!(always, CardAction::Restart(b"FIDO_2_0\x90\x00".to_vec()));
    }

    #[test]
    fn chained_commands_are_put_together() {
        let mut card = selected();
        let first = card.receive(&[0x90, 0x10, 0, 0, 2, 1, 2], Ctap1::Offered);
        assert_eq!(first, word(StatusWord::NoError));
        assert_eq!(
            card.receive(&[0x80, 0x10, 0, 0, 1, 3, 0], Ctap1::Offered),
            work(RequestKind::Cbor, &[1, 2, 3])
        );
        // Something else in between breaks the chain.
        card.receive(&[0x10, 0x02, 3, 0, 2, 1, 2], Ctap1::Offered);
        assert_eq!(
            card.receive(&[0, 0x01, 3, 0, 1, 3], Ctap1::Offered),
            word(StatusWord::ChainExpected)
        );
        // CTAP1 goes on as one extended APDU.
        card.receive(&[0x10, 0x02, 3, 0, 2, 1, 2], Ctap1::Offered);
        assert_eq!(
            card.receive(&[0, 0x02, 3, 0, 1, 3, 0], Ctap1::Offered),
            work(RequestKind::Msg, &[0, 2, 3, 0, 0, 0, 3, 1, 2, 3])
        );
    }

    #[test]
    fn a_chain_without_end_is_refused() {
        let mut card = selected();
        let mut part = alloc::vec![0x90, 0x10, 0, 0, 255];
        part.extend([7; 255]);
        let refused = (0..=MAX_MESSAGE_BYTES / 255)
            .map(|_| card.receive(&part, Ctap1::Offered))
            .find(|answer| *answer != word(StatusWord::NoError));
        assert_eq!(refused, Some(word(StatusWord::WrongLength)));
    }

    #[test]
    fn long_answers_are_fetched_in_parts() {
        let mut card = selected();
        card.receive(&[0x80, 0x10, 0, 0, 1, 4, 0], Ctap1::Offered);
        let response: Vec<u8> = (0..600usize).map(|byte| byte as u8).collect();
        let mut fetched = card.finished(RequestKind::Cbor, &response);
        assert_eq!(fetched.len(), 258);
        assert_eq!(fetched.split_off(256), [0x61, 0]);
        let CardAction::Reply(mut next) = card.receive(&[0, 0xc0, 0, 0, 0], Ctap1::Offered) else {
            panic!("no answer");
        };
        assert_eq!(next.split_off(256), [0x61, 88]);
        fetched.extend(next);
        let CardAction::Reply(mut last) = card.receive(&[0, 0xc0, 0, 0, 88], Ctap1::Offered) else {
            panic!("no answer");
        };
        assert_eq!(last.split_off(88), [0x90, 0]);
        fetched.extend(last);
        assert_eq!(fetched, response);
        // A terminal that takes it all gets it all.
        card.receive(&[0x80, 0x10, 0, 0, 0, 0, 1, 4, 0, 0], Ctap1::Offered);
        assert_eq!(card.finished(RequestKind::Cbor, &response).len(), 602);
        // A refusal has no data.
        card.receive(&[0, 3, 0, 0, 0], Ctap1::Offered);
        let refusal = StatusWord::WrongData.to_bytes();
        assert_eq!(card.finished(RequestKind::Msg, &refusal), refusal);
    }

    proptest::proptest! {
        #[test]
        fn any_apdus_are_survived(all in proptest::collection::vec(proptest::collection::vec(0u8.., 0..40), 0..20)) {
            let mut card = selected();
            for bytes in all {
                if let CardAction::Work { kind, request } = card.receive(&bytes, Ctap1::Offered) {
                    card.finished(kind, &request);
                }
            }
        }
    }
}
