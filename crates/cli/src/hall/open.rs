//! `hallway open`: one touch, then local doors to a hall until it is closed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use display::{Display, Doors, Event, WebDav};
use hallway_api::Code;
use hallway_evidence::RealmName;
use hallway_hall::client::ClientError;
use hallway_hall::{Flow, Right, ServiceName};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::admission::Admission;
use super::binding::{self, Binding, Listener, LocalAddress};
use super::duration::Lasting;
use super::opening::{self, Opened, Wanted};
use super::path::{HallPlace, right};
use super::relay::Relay;
use super::visit::socket;
use super::{HallCommandError, waiting};
use crate::person::{Caller, PersonArguments};

mod display;

/// How long before its end a grant may be refused as over: the clocks differ.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// How often the gateway is asked whether the grant stands.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Open a hall with one touch, until Ctrl-C or the end of the grant.
///
/// Services of the hall get a local port or Unix socket each; its stores are files behind one local
/// WebDAV port, for rclone, curl and file managers, and `hallway ls`, `get`, `put`, `rm`, `mirror`
/// and `connect` need no touch of their own while it is open. The grant's key is made for this
/// opening and stays in memory.
///
/// REALM/HALL is a hall of a partner of your realm: you sign at home, and the other realm checks
/// your evidence itself before it lets you in.
///
/// Exit codes: 0 closed by Ctrl-C or at its end, 1 it failed or was ended by somebody else, 2 the
/// command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct OpenCommand {
    /// The hall; REALM/HALL for one of a partner.
    hall: HallPlace,
    /// The rights to ask for, such as read:data,connect:db; by default all that you have.
    #[arg(long, value_name = "RIGHTS", value_delimiter = ',', value_parser = right)]
    rights: Vec<Right>,
    /// For how long, such as 30m or 8h; by default as long as the gateway allows.
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Lasting>,
    /// Bind a service: SERVICE=PORT, SERVICE=ADDRESS:PORT or SERVICE=unix:PATH. Services that are
    /// not named get a free loopback port.
    #[arg(long = "bind", value_name = "SERVICE=ADDRESS")]
    bindings: Vec<Binding>,
    /// Where to serve the stores by WebDAV.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    webdav: SocketAddr,
    /// Print what happens as JSON lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    person: PersonArguments,
}

/// The listeners, bound before anybody has to touch a key.
struct Bound {
    socket: Listener,
    webdav: Listener,
    services: BTreeMap<ServiceName, Listener>,
}

/// How an open hall was closed.
enum Closed {
    /// By the person who opened it.
    AsAsked,
    /// Its time is over.
    AtItsEnd,
    /// By somebody else.
    ByOthers {
        /// What is known of the reason, as a sentence.
        how: String,
    },
}

pub(crate) fn run(command: OpenCommand) -> Result<ExitCode, HallCommandError> {
    let runtime = crate::runtime().map_err(HallCommandError::io("the runtime"))?;
    runtime.block_on(open(command))
}

async fn open(command: OpenCommand) -> Result<ExitCode, HallCommandError> {
    let display = Arc::new(Display::new(command.json));
    let mut caller = Caller::new(&command.person)?;
    let bound = Bound::new(&command, &caller).await?;
    let asked = command.lasting;
    let wanted = Wanted {
        hall: command.hall,
        rights: command.rights,
        duration_ms: command.lasting.map(Lasting::milliseconds),
    };
    let signed = opening::sign(&mut caller, &wanted).await?;
    let stopped = crate::told_to_stop();
    tokio::pin!(stopped);
    let announce = |what: &waiting::Announcement<'_>| display.wait(what);
    let entering = async {
        let hall = &wanted.hall;
        let opened = signed.enter(&mut caller, hall, stopped.as_mut()).await?;
        waiting::until_approved(&mut caller, &opened, stopped.as_mut(), announce).await?;
        Ok::<_, HallCommandError>(opened)
    };
    let opened = match entering.await {
        Ok(opened) => opened,
        Err(HallCommandError::Stopped | HallCommandError::GivenUp) => {
            let reason = "given up".to_owned();
            display.tell(&Event::Ended { reason });
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error),
    };
    drop(caller);
    let left = until(opened.granted.ends_ms).as_millis();
    let lasting = asked.unwrap_or(Lasting::about(u64::try_from(left).unwrap_or(u64::MAX)));
    let outcome = tokio::select! {
        outcome = serve(&wanted.hall, &opened, bound, &display) => outcome,
        () = stopped => Ok(Closed::AsAsked),
    };
    // Whatever happened, nothing is left open.
    opened.leave().await;
    let hall = &wanted.hall;
    let closed = match outcome {
        Ok(closed) => closed,
        Err(error) => {
            display.tell_programs(&Event::Ended {
                reason: error.to_string(),
            });
            return Err(error);
        }
    };
    let (reason, code) = match closed {
        Closed::AsAsked => ("you closed it.".to_owned(), ExitCode::SUCCESS),
        Closed::AtItsEnd => (
            format!("its time of {lasting} is over. Open it again with hallway open {hall}."),
            ExitCode::SUCCESS,
        ),
        Closed::ByOthers { how } => (how, ExitCode::FAILURE),
    };
    display.tell(&Event::Ended { reason });
    Ok(code)
}

/// The time until `ms`, unix milliseconds, by the clock of this computer.
fn until(ms: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Duration::from_millis(ms).saturating_sub(now.unwrap_or_default())
}

impl Bound {
    async fn new(command: &OpenCommand, caller: &Caller) -> Result<Self, HallCommandError> {
        let path = socket(&caller.settings().folders, &command.hall);
        let socket = Listener::private(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => HallCommandError::Binding(format!(
                "{} is open already: another `hallway open` serves {}",
                command.hall,
                path.display()
            )),
            _ => HallCommandError::io(path.display())(error),
        })?;
        let mut services = BTreeMap::new();
        for Binding { service, address } in &command.bindings {
            let listener = bind(address).await?;
            if services.insert(service.clone(), listener).is_some() {
                let twice = format!("{service} is bound twice");
                return Err(HallCommandError::Binding(twice));
            }
        }
        Ok(Self {
            socket,
            webdav: bind(&LocalAddress::Tcp(command.webdav)).await?,
            services,
        })
    }

    /// Binds the granted services that were not named; those that were named must be granted.
    async fn complete(&mut self, rights: &[Right]) -> Result<(), HallCommandError> {
        let mut granted = Vec::new();
        for right in rights {
            if let Right::Connect(service) = right {
                granted.push(service);
            }
        }
        if let Some(service) = self.services.keys().find(|name| !granted.contains(name)) {
            let refused = format!("connect:{service} was not granted, so it can't be bound");
            return Err(HallCommandError::Binding(refused));
        }
        for service in granted {
            if !self.services.contains_key(service) {
                let any = LocalAddress::Tcp((std::net::Ipv4Addr::LOCALHOST, 0).into());
                self.services.insert(service.clone(), bind(&any).await?);
            }
        }
        Ok(())
    }
}

async fn bind(address: &LocalAddress) -> Result<Listener, HallCommandError> {
    Listener::bind(address)
        .await
        .map_err(HallCommandError::io(address))
}

/// Serves until the grant ends, or somebody ends it.
async fn serve(
    hall: &HallPlace,
    opened: &Opened,
    mut bound: Bound,
    display: &Arc<Display>,
) -> Result<Closed, HallCommandError> {
    bound.complete(&opened.granted.rights).await?;
    let named = |listener: &Listener| {
        let address = listener.address().map(|address| address.to_string());
        address.map_err(HallCommandError::io("a local address"))
    };
    let mut services = BTreeMap::new();
    for (service, listener) in &bound.services {
        services.insert(service.clone(), named(listener)?);
    }
    let password = Arc::new(password()?);
    let webdav = WebDav::new(&named(&bound.webdav)?, &password, &opened.granted.rights);
    display.open(&Doors {
        hall,
        grant: opened.granted.id.to_string(),
        evidence: &opened.evidence,
        rights: &opened.granted.rights,
        ends_ms: opened.granted.ends_ms,
        socket: named(&bound.socket)?,
        webdav,
        services,
    });

    let flow = Arc::new(Flow::default());
    let relay = |admission| Relay {
        client: opened.client.clone(),
        admission,
        flow: Arc::clone(&flow),
    };
    // Dropped when this function ends: that closes the listeners and all their connections.
    let mut listening = JoinSet::new();
    for (listener, relay) in [
        (bound.socket, relay(Admission::Socket)),
        (bound.webdav, relay(Admission::Password(password))),
    ] {
        listening.spawn(listener.serve(move |stream| relay.clone().serve(stream)));
    }
    for (service, listener) in bound.services {
        let (client, flow, display) = (
            opened.client.clone(),
            Arc::clone(&flow),
            Arc::clone(display),
        );
        listening.spawn(listener.serve(move |near| {
            let (client, flow, display) = (client.clone(), Arc::clone(&flow), Arc::clone(&display));
            let service = service.clone();
            async move {
                let tell = |detail| display.tell(&Event::Problem { detail });
                binding::forward(near, client, service, flow, tell).await;
            }
        }));
    }
    // A visitor's certificate comes from home; everything else is up to the host.
    let (by, error) = tokio::select! {
        error = opened.client.keep_renewed() => ("your own realm", error),
        error = watch(opened, &flow, display) => (hall.host.as_ref().map_or("", RealmName::as_str), error),
        () = tokio::time::sleep(until(opened.granted.ends_ms)) => return Ok(Closed::AtItsEnd),
    };
    if until(opened.granted.ends_ms) < CLOCKS_APART {
        return Ok(Closed::AtItsEnd);
    }
    let how = ended_early(&error);
    Ok(Closed::ByOthers {
        how: match hall.host {
            Some(_) => format!("{by}: {how}"),
            None => how,
        },
    })
}

/// Who or what ended a grant before its time, as far as is known.
fn ended_early(error: &ClientError) -> String {
    match error {
        ClientError::Problem(problem) if problem.is(Code::GrantEnded) => {
            "somebody of the realm ended it.".to_owned()
        }
        ClientError::Problem(problem) => format!("{}.", problem.detail.trim_end_matches('.')),
        ClientError::Refused { .. } | ClientError::Tls(_) => {
            "the gateway does not let you in any more: somebody of the realm ended it, or what it \
             rested on is gone."
                .to_owned()
        }
        other => format!("{other}."),
    }
}

/// Shows the state of the grant; returns when the gateway says that the grant has ended.
async fn watch(opened: &Opened, flow: &Flow, display: &Display) -> ClientError {
    let mut certificate_ends_ms = opened.client.certificate_ends_ms();
    let mut is_reachable = true;
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        match opened.client.grant().await {
            Ok(_) => is_reachable = true,
            Err(error) if !error.is_passing() => return error,
            Err(error) if is_reachable => {
                is_reachable = false;
                let detail = error.to_string();
                display.tell(&Event::Problem { detail });
            }
            Err(_) => {}
        }
        if opened.client.certificate_ends_ms() != certificate_ends_ms {
            certificate_ends_ms = opened.client.certificate_ends_ms();
            display.tell(&Event::Renewed {
                certificate_ends_ms,
            });
        }
        display.state(flow, opened.granted.ends_ms);
    }
}

/// A password for the local port, for as long as the hall is open.
fn password() -> Result<Zeroizing<String>, HallCommandError> {
    let mut bytes = Zeroizing::new([0; 18]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| HallCommandError::io("randomness")(error.into()))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}
