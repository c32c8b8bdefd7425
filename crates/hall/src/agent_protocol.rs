//! The messages between gateway and agent over `GET /agent/control`: lines of JSON.

use hallway_evidence::statement::hall::{ServiceName, StoreName};
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::files::StoreAccess;

/// The longest line, in bytes.
const LONGEST_LINE_BYTES: u64 = 64 * 1024;
/// The most stores, and the most services, that an agent provides.
pub(crate) const MOST_PROVIDED: usize = 256;
/// How often each side sends a ping.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the other side may send nothing before the connection counts as lost.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// What an agent provides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provides {
    /// Stores of files.
    #[serde(default)]
    pub stores: BTreeSet<StoreName>,
    /// TCP services.
    #[serde(default)]
    pub services: BTreeSet<ServiceName>,
}

/// What a stream is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// Raw bytes to a service.
    Service(ServiceName),
    /// HTTP/1.1 requests for a store, under these rights.
    Store {
        name: StoreName,
        access: StoreAccess,
    },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FromAgent {
    /// The first message.
    Provides(Provides),
    /// The agent can't open a stream that the gateway asked for.
    Failed {
        dial: String,
        status: u16,
        code: String,
        detail: String,
    },
    Ping {},
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FromGateway {
    /// Asks for a stream: the agent connects `what`, then asks for `/agent/dial/ID`.
    Dial {
        id: String,
        what: What,
    },
    Ping {},
    /// What the agent provides is in the hall from now on.
    Welcome {},
    /// The agent may not provide what it announced; the connection ends.
    Refused {
        status: u16,
        code: String,
        detail: String,
    },
}

/// Reads one line. `None`: the other side ended the connection.
pub(crate) async fn receive<T: for<'de> Deserialize<'de>>(
    reader: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let mut limited = reader.take(LONGEST_LINE_BYTES);
    if limited.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line is cut short or too long",
        ));
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// Writes one line.
pub(crate) async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_read_back_as_they_were_written() {
        let dial = FromGateway::Dial {
            id: "1".to_owned(),
            what: What::Store {
                name: "data".parse().unwrap(),
                access: StoreAccess {
                    read: true,
                    ..StoreAccess::default()
                },
            },
        };
        let mut line = Vec::new();
        send(&mut line, &dial).await.unwrap();
        send(&mut line, &FromGateway::Ping {}).await.unwrap();
        let mut reader = line.as_slice();
        assert_eq!(receive(&mut reader).await.unwrap(), Some(dial));
        assert_eq!(
            receive(&mut reader).await.unwrap(),
            Some(FromGateway::Ping {})
        );
        assert_eq!(receive::<FromGateway>(&mut reader).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_is_bounded_and_whole() {
        let long = vec![b' '; 1_000_000];
        assert!(receive::<FromAgent>(&mut long.as_slice()).await.is_err());
        assert!(
            receive::<FromAgent>(&mut b"{\"ping\":{}}".as_slice())
                .await
                .is_err()
        );
        assert!(
            receive::<FromAgent>(&mut b"{\"other\":{}}\n".as_slice())
                .await
                .is_err()
        );
    }
}
