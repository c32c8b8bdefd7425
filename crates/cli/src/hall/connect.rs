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

/// Bytes read at once, each way.
const BUFFER_BYTES: usize = 64 * 1024;

/// Connect standard input and output to a service of a hall: it can be ssh's ProxyCommand.
///
/// With `ssh -o ProxyCommand='hallway connect lab:ssh' host`, ssh, scp and rsync run over the hall.
/// It uses the grant of a running `hallway open`; without one, it opens the hall with a touch.
///
/// Exit codes: 0 the stream ended, 1 it could not be opened or was cut off, 2 the command line is
/// wrong.
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
    // A thread that nothing can interrupt may still wait for standard input.
    runtime.shutdown_background();
    done
}

/// Copies both ways. When the far side ends, so does the stream: the program that started this one
/// may keep its standard input open for as long as it lives.
async fn pipe(far: impl Duplex) -> io::Result<()> {
    let (from_far, mut to_far) = tokio::io::split(far);
    let mut from_far = BufReader::with_capacity(BUFFER_BYTES, from_far);
    let mut stdin = BufReader::with_capacity(BUFFER_BYTES, tokio::io::stdin());
    let mut stdout = tokio::io::stdout();
    let received = async {
        let copied = tokio::io::copy_buf(&mut from_far, &mut stdout).await;
        match copied.map(drop).and(stdout.flush().await) {
            // Only standard output has a reader that can go away.
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
