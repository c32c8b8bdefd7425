//! `hallway connect`: a service of a hall on standard input and output.

use std::io;

use clap::Args;
use hallway_hall::Right;
use hallway_hall::stream::Duplex;
use tokio::io::{AsyncWriteExt as _, BufReader};

use super::HallCommandError;
use super::path::ServicePlace;
use super::visit::visit;
use crate::person::PersonArguments;
use crate::terminal;

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// Join standard input and output to a service of a hall, as ssh's ProxyCommand.
///
/// With `ssh -o ProxyCommand='hallway connect lab:ssh' host`, ssh, scp and rsync run over the hall.
/// It uses the grant of a `hallway open` that runs; otherwise it opens the hall with a touch.
///
/// Exit codes: 0 the stream ended, 1 it could not be opened or was cut, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct ConnectCommand {
    /// The service: [REALM/]HALL:SERVICE.
    service: ServicePlace,
    #[command(flatten)]
    person: PersonArguments,
}

pub(crate) fn run(command: &ConnectCommand) -> Result<(), HallCommandError> {
    let runtime = crate::runtime().map_err(HallCommandError::io("the runtime"))?;
    let ServicePlace { hall, service } = &command.service;
    let rights = [Right::Connect(service.clone())];
    let joined = visit(&command.person, hall, &rights, None, async |way| {
        let far = way.stream(service).await?;
        pipe(far).await.map_err(HallCommandError::io("the stream"))
    });
    let done = runtime.block_on(joined);
    // Standard input may be waited for by a thread that nothing can interrupt.
    runtime.shutdown_background();
    done
}

/// Copies both ways. When the far side ends, so does the stream: whoever runs this program may
/// keep its standard input open for as long as it lives.
async fn pipe(far: impl Duplex) -> io::Result<()> {
    let (from_far, mut to_far) = tokio::io::split(far);
    let mut from_far = BufReader::with_capacity(BUFFER, from_far);
    let mut stdin = BufReader::with_capacity(BUFFER, tokio::io::stdin());
    let mut stdout = tokio::io::stdout();
    let received = async {
        let copied = tokio::io::copy_buf(&mut from_far, &mut stdout).await;
        match copied.map(drop).and(stdout.flush().await) {
            // Only what is written to has a reader that can go away.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                terminal::note(&error);
                Ok(())
            }
            other => other,
        }
    };
    let sent = async {
        tokio::io::copy_buf(&mut stdin, &mut to_far).await?;
        to_far.shutdown().await
    };
    tokio::pin!(received);
    tokio::select! {
        received = &mut received => received,
        sent = sent => {
            sent?;
            received.await
        }
    }
}
