//! Commands that span several requests: who may continue them, and for how long (CTAP 2.3,
//! section 6, stateful commands).

use hallway_ctap::command::{
    Command, bio_enrollment as bio, credential_management as management, large_blobs,
};
use hallway_ctap::ctaphid::Channel;

use crate::step::Step;
use crate::token::{TokenId, TokenState};

/// The next command of a sequence must come this soon after the answer before.
const NEXT_WITHIN_MS: u64 = 30_000;

/// The sender of a request. Only the caller that began a sequence of commands may continue it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    connection: u64,
    channel: u32,
}

impl Caller {
    /// The only caller of a key that nobody else reaches, such as a smart card in a terminal.
    pub const ONLY: Self = Self {
        connection: 0,
        channel: 0,
    };

    /// The caller on a CTAPHID channel. Connections that count their channels separately must have
    /// different numbers.
    pub const fn on_channel(connection: u64, channel: Channel) -> Self {
        Self {
            connection,
            channel: channel.0,
        }
    }
}

struct Sequence {
    step: Step,
    caller: Caller,
    /// The token that the sequence's first command proved to know.
    token: Option<TokenId>,
    answered_ms: u64,
}

/// The one sequence under way, if any: CTAP 2.3, section 6 lets an authenticator keep one for all
/// callers.
#[derive(Default)]
pub(crate) struct Sequences {
    current: Option<Sequence>,
    /// The state that the command under way leaves for the next one.
    left: Option<Step>,
}

/// A command under way, which may leave a sequence.
pub(crate) struct Turn {
    caller: Caller,
    continues: bool,
    token: Option<TokenId>,
}

impl Sequences {
    /// Takes the state from which the command continues. Any other command ends the sequence,
    /// except another caller's attempt to continue it, which finds none.
    pub(crate) fn enter(
        &mut self,
        caller: Caller,
        command: &Command<'_>,
        token: &TokenState,
        now_ms: u64,
    ) -> (Turn, Option<Step>) {
        let mut turn = Turn {
            caller,
            continues: continues(command),
            token: None,
        };
        let current = match turn.continues {
            true => self.current.take_if(|current| current.caller == caller),
            false => self.current.take(),
        };
        let stands = |sequence: &Sequence| {
            sequence.caller == caller
                && now_ms.saturating_sub(sequence.answered_ms) <= NEXT_WITHIN_MS
                // A sequence that a token opened ends with the token.
                && sequence.token.is_none_or(|id| token.is_in_use(id, now_ms))
        };
        let step = current.filter(stands).map(|sequence| {
            turn.token = sequence.token;
            sequence.step
        });
        (turn, step)
    }

    /// Lets the next command continue from here.
    pub(crate) fn leave(&mut self, step: Step) {
        self.left = Some(step);
    }

    /// Keeps the state that the command left, for its caller and as long as its token is in use.
    pub(crate) fn settle(&mut self, turn: &Turn, proved: Option<TokenId>, now_ms: u64) {
        if let Some(step) = self.left.take() {
            self.current = Some(Sequence {
                step,
                caller: turn.caller,
                token: match turn.continues {
                    true => turn.token,
                    false => proved,
                },
                answered_ms: now_ms,
            });
        }
    }

    /// Ends the sequence of a caller that starts afresh.
    pub(crate) fn forget(&mut self, caller: Caller) {
        self.current.take_if(|current| current.caller == caller);
    }

    /// Ends the sequence of any caller.
    pub(crate) fn end(&mut self) {
        self.current = None;
    }
}

/// Whether a command has meaning only within a sequence.
const fn continues(command: &Command<'_>) -> bool {
    match command {
        Command::GetNextAssertion => true,
        Command::CredentialManagement(request) => matches!(
            request.subcommand,
            management::Subcommand::EnumerateRpsNext
                | management::Subcommand::EnumerateCredentialsNext
        ),
        Command::LargeBlobs(large_blobs::Request {
            set: Some(_),
            offset,
            ..
        }) => !matches!(offset, Some(0)),
        Command::BioEnrollment(bio::Request::Fingerprint(request)) => matches!(
            request.subcommand,
            bio::Subcommand::EnrollCaptureNext { .. } | bio::Subcommand::CancelEnrollment
        ),
        _ => false,
    }
}
