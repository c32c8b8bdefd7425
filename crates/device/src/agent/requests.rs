//! Requests to the gateway, as values: the agent makes them, and they are performed without it.

use bytes::Bytes as Body;
use hallway_api::device::{Announced, Challenge, Enrolment, EnrolmentStatement, Question, Status};
use hallway_evidence::Receipt;
use hallway_webauthn::wire::Base64Url;

use crate::gateway::{Gateway, GatewayError};

/// A request to the gateway.
pub(super) enum Request {
    /// Asks for a statement to enrol with.
    Statement,
    /// Hands in an enrolment.
    Enrol(Enrolment),
    /// Asks for the device's state.
    Status(Question),
    /// Asks for a challenge for the transaction with this ticket.
    Challenge(u64),
    /// Sends a transaction.
    Send(Transaction),
}

/// A transaction on its way.
pub(super) struct Transaction {
    pub(super) ticket: u64,
    pub(super) signed_statement: Vec<u8>,
    pub(super) seal: Option<Base64Url>,
    pub(super) media_type: String,
    pub(super) payload: Body,
}

/// The gateway's answer.
pub(super) enum Answer {
    Statement(Result<EnrolmentStatement, GatewayError>),
    Enrolled(Result<Announced, GatewayError>),
    Status(Result<Box<Status>, GatewayError>),
    Challenge(u64, Result<Challenge, GatewayError>),
    /// The ticket, the bytes that were sent, and the receipt.
    Sent(u64, Body, Result<Box<Receipt>, GatewayError>),
}

impl Request {
    pub(super) async fn perform(self, gateway: &Gateway) -> Answer {
        match self {
            Self::Statement => Answer::Statement(gateway.enrolment_statement().await),
            Self::Enrol(enrolment) => Answer::Enrolled(gateway.enrol(&enrolment).await),
            Self::Status(question) => Answer::Status(gateway.status(&question).await.map(Box::new)),
            Self::Challenge(ticket) => Answer::Challenge(ticket, gateway.challenge().await),
            Self::Send(transaction) => {
                let Transaction {
                    ticket,
                    signed_statement,
                    seal,
                    media_type,
                    payload,
                } = transaction;
                let sent = gateway
                    .send(
                        &signed_statement,
                        seal.as_ref(),
                        &media_type,
                        payload.clone(),
                    )
                    .await;
                Answer::Sent(ticket, payload, sent.map(Box::new))
            }
        }
    }
}
