//! The codes of problems.

use std::fmt;

/// Declares the codes: each with its name, its HTTP status, what happened and what to do.
macro_rules! codes {
    ($($variant:ident = $name:literal, $status:literal, $meaning:literal, $remedy:literal;)+) => {
        /// The code of a problem: stable, for programs. Each has one HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// All codes, in the order in which they are documented.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name: lower case, with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// What happened: a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do: a sentence.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

codes! {
    // Requests
    Malformed = "malformed", 400, "The request cannot be understood.", "Compare it with /openapi.json.";
    Invalid = "invalid", 422, "The request is JSON, but a member is missing, unknown or out of bounds.", "Mend the member that the detail names.";
    NotJson = "not-json", 415, "The body has another media type than application/json.", "Send JSON, and say so in Content-Type.";
    NotFound = "not-found", 404, "There is no such thing, or you may not see it.", "Look at the list.";
    MethodNotAllowed = "method-not-allowed", 405, "The address does not take this method.", "Use one of the methods that the answer names.";
    TooLarge = "too-large", 413, "The body is larger than what this address takes.", "Send less.";
    TooSlow = "too-slow", 408, "The body came too slowly.", "Send it again.";
    Stalled = "stalled", 408, "No bytes of the body came for half a minute.", "Send it again.";
    CrossOrigin = "cross-origin", 403, "A web page of another origin sent the request.", "Use the pages of the gateway.";
    CrossSite = "cross-site", 403, "A page of another site asked for a file.", "Open the file at the gateway.";
    NotAPage = "not-a-page", 403, "A file was asked for as a script, style or frame of a page.", "Download it.";
    Http1Only = "http-1-only", 505, "A stream was asked for over HTTP/2.", "Ask over HTTP/1.1.";
    UpgradeRequired = "upgrade-required", 426, "A stream was asked for without an upgrade.", "Send the Connection and Upgrade headers that the detail names.";

    // The gateway
    Internal = "internal", 500, "Something went wrong in the gateway.", "Tell its operator; its log has the cause.";
    Busy = "busy", 503, "The database has no time now.", "Try again after Retry-After.";
    NotReady = "not-ready", 503, "The database does not answer.", "Wait, or look at the database.";
    NoSpace = "no-space", 503, "The gateway's disk takes nothing more; nothing was changed.", "Tell its operator, and try again.";
    Storage = "storage", 503, "The data could not be stored.", "Send it again.";
    Stopping = "stopping", 503, "The gateway is about to stop.", "Send it again.";
    Crowded = "crowded", 503, "As many requests as may be are under way.", "Try again after Retry-After.";
    Full = "full", 503, "As many connections as may be are open, in all or from your network.", "Try again after Retry-After.";
    NotInTime = "not-in-time", 503, "The answer was not ready in time.", "Check whether the request took effect, and try again.";
    TooMany = "too-many", 429, "You have as many requests under way as you may.", "Wait for one to end.";
    TooManyKept = "too-many-kept", 409, "The realm keeps as many of these as it may.", "Remove one first.";

    // Sessions, keys, people
    SignIn = "sign-in", 401, "Nobody is signed in.", "Sign in with your key.";
    Role = "role", 403, "The act needs a higher role.", "Ask an owner of the realm.";
    Refused = "refused", 403, "The key does not open this realm.", "Ask an owner, who sees the reason among the refusals.";
    OtherPerson = "other-person", 403, "The key belongs to another person than the one who is signed in.", "Sign with a key of your own.";
    BadRegistration = "bad-registration", 403, "The registration does not hold, or the policy does not accept the key.", "The detail names the step that failed.";
    UnknownCredential = "unknown-credential", 403, "The credential is not enrolled here.", "Register or enrol it.";
    UnknownKey = "unknown-key", 403, "The key is not registered here.", "Use a key of yours that is.";
    BadAssertion = "bad-assertion", 403, "The key's signature does not hold for the statement, or the policy does not accept it.", "The detail names the step that failed.";
    ModelRefused = "model-refused", 403, "The realm does not rely on keys of this model.", "Use a key of another model.";
    BadSignature = "bad-signature", 403, "The signature does not hold.", "Sign the statement as it was given.";
    ClonedKey = "cloned-key", 403, "The key's counter went back: there may be a copy of it.", "Replace the key.";
    Replayed = "replayed", 409, "This was accepted before.", "Begin again.";
    Link = "link", 403, "The link was used or withdrawn, has expired or never existed.", "Ask for a new one.";
    SetUp = "set-up", 409, "The gateway has an owner already.", "Ask that owner for an invitation.";
    LastKey = "last-key", 409, "It is the person's only key.", "Register another one first.";
    LastOwner = "last-owner", 409, "It is the realm's only active owner.", "Make another owner first.";
    TooManyKeys = "too-many-keys", 409, "The person has as many keys as a person may have.", "Remove one first.";
    KnownKey = "known-key", 409, "The credential is known already.", "Make another.";
    SameRole = "same-role", 409, "The person has that role already.", "Choose another.";
    RoleChanged = "role-changed", 409, "The person's role is another by now.", "Begin again.";
    PersonSuspended = "person-suspended", 409, "The person is suspended.", "Reinstate them first.";

    // Evidence and the log
    Erased = "erased", 410, "The evidence was erased.", "Its place in the log stays.";
    EvidenceTooLong = "evidence-too-long", 409, "The evidence stands on more acts than a receipt may carry.", "Export the receipts one by one.";
    TooLargeToShow = "too-large-to-show", 409, "The payload is too large for this.", "Download it, and use `hallway verify`.";
    NoPlace = "no-place", 409, "The file's format has no place for evidence, or has a signature of its own that would break.", "Save the receipt beside the file.";
    WitnessRefused = "witness-refused", 409, "A witness does not cosign the log.", "The detail has its reason.";
    WitnessUnreachable = "witness-unreachable", 503, "A witness does not answer.", "Try again later.";
    LogMoved = "log-moved", 409, "Something else was seen of the log by now.", "Look again.";
    SameLog = "same-log", 409, "The log has the key that it had.", "Configure its new key first.";

    // Devices
    BadAttestation = "bad-attestation", 403, "The device's attestation does not hold, or the realm does not accept its maker.", "An owner adds its maker.";
    KnownMaker = "known-maker", 409, "The certificate is installed already.", "Nothing is to be done.";
    ForeignChallenge = "foreign-challenge", 403, "The challenge is not one of this gateway's.", "Ask for another.";
    ExpiredChallenge = "expired-challenge", 403, "The challenge has expired.", "Ask for another.";
    CodeTaken = "code-taken", 409, "The code that was drawn is shown by another device.", "Try again.";
    TooManyCodes = "too-many-codes", 429, "Ten codes were tried in ten minutes.", "Try again after Retry-After.";
    TooManyAnnounced = "too-many-announced", 429, "Too many devices of your network wait to be claimed.", "Claim some, or wait.";
    Owned = "owned", 409, "The device belongs to somebody else.", "Its owner has to release it.";
    NotOwner = "not-owner", 403, "Only the device's owner may do this.", "Ask the owner.";
    OwnerSuspended = "owner-suspended", 403, "The device's owner is suspended.", "Reinstate the owner, or give the device to somebody else.";
    NotRegistered = "not-registered", 403, "The device may not send in its present state.", "Look at the device's page.";
    State = "state", 409, "The device's state does not allow the act.", "Look at the device's page.";
    Suspended = "suspended", 403, "The device, or the person whose key it is, is suspended.", "Its owner, or an owner of the realm, can reinstate them.";
    Released = "released", 403, "The device was released: it belongs to nobody.", "Claim it.";
    Stolen = "stolen", 403, "The device was reported stolen.", "Only its owner can take it back.";
    Retired = "retired", 403, "The device was retired for good.", "Use another device.";
    SuspendedByOperator = "suspended-by-operator", 403, "An operator suspended the device.", "Ask an operator to reinstate it.";
    OtherRealm = "other-realm", 403, "The statement is for another realm.", "Send it to that realm's gateway.";
    OutOfOrder = "out-of-order", 409, "The number of the transaction is not the next one.", "Go on after last_sequence.";
    AlreadyAccepted = "already-accepted", 409, "This very statement was accepted before.", "Keep the receipt in the answer.";
    ClockSkew = "clock-skew", 403, "The device's clock is off.", "Set the clock; now_ms has the time here.";
    Stale = "stale", 403, "The transaction is too old.", "Send while it is recent.";
    HashMismatch = "hash-mismatch", 422, "The payload is not the bytes that the statement describes.", "Send those bytes.";
    NotAJpeg = "not-a-jpeg", 422, "The statement says image/jpeg, but the bytes are no JPEG.", "Sign the right media type.";
    Unkeepable = "unkeepable", 422, "A value of the transaction cannot be kept.", "Mend the value that the detail names.";

    // Halls
    Exists = "exists", 409, "There is one of this name already.", "Choose another name.";
    NotAdmitted = "not-admitted", 403, "You are not admitted to the hall.", "Ask an owner of the realm.";
    NotGranted = "not-granted", 403, "The grant, or your admission, does not have the right.", "Open the hall with the right, or ask an owner for it.";
    NotInvitedFor = "not-invited-for", 403, "The agent was not invited to provide this.", "Invite it anew, with the name.";
    NameTaken = "name-taken", 409, "Another agent provides this name.", "Choose another.";
    NotBeside = "not-beside", 409, "No other agent provides the name.", "Leave `beside` out, or name an agent that does.";
    NoProvider = "no-provider", 409, "No gateway or agent provides the store or service that the admission names.", "Choose from `provided`.";
    NotProvided = "not-provided", 503, "The agent that provides it is not connected.", "Try again when the agent is back.";
    Duration = "duration", 403, "The hall cannot be opened for so long.", "Ask for less; longest_ms is the limit.";
    NeedsNotMet = "needs-not-met", 403, "The hall demands something that is not met.", "Do what the detail names.";
    NobodyCanApprove = "nobody-can-approve", 409, "Nobody but you could approve the opening.", "Ask an owner to give somebody the role.";
    WaitingForApproval = "waiting-for-approval", 403, "The grant opens nothing before a second person approved it.", "Wait for the approval.";
    NotWaiting = "not-waiting", 409, "The opening does not wait for an approval any longer.", "Look again.";
    OwnOpening = "own-opening", 403, "You cannot approve what you open.", "Ask somebody else.";
    OtherOpening = "other-opening", 403, "The approval is for another opening.", "Begin again.";
    ApprovalExpired = "approval-expired", 403, "Nobody approved the opening in time.", "Open the hall again.";
    NothingKnown = "nothing-known", 409, "The gateway knows nothing about models of keys.", "Set [metadata] in hallway.toml.";
    KeyUsed = "key-used", 409, "The key has a grant, or an agent, already.", "Make a fresh key for each.";
    UnknownGrant = "unknown-grant", 403, "No grant was given for this certificate.", "Open the hall again.";
    GrantEnded = "grant-ended", 403, "The grant has ended.", "Open the hall again.";
    AlreadyEnded = "already-ended", 409, "The grant has ended already.", "Nothing is to be done.";
    KeyRemoved = "key-removed", 403, "The key that opened the hall was removed.", "Open the hall again with another key.";
    Recovered = "recovered", 403, "The grant's person has lost their keys and recovered access.", "Open the hall again.";
    ApprovalLost = "approval-lost", 403, "The person who approved the grant may no longer approve it.", "Open the hall again, and ask somebody else.";
    HallRemoved = "hall-removed", 403, "The hall was removed.", "Ask who made it.";
    PartnerLeft = "partner-left", 403, "The partnership on which the grant rested has ended.", "Ask an owner of your realm.";
    EndedAtHome = "ended-at-home", 403, "The grant has ended at the holder's own realm.", "Open the hall again.";
    SignedOut = "signed-out", 403, "The browser's session that opened the hall has ended.", "Sign in, and open the hall again.";
    NotOpen = "not-open", 403, "The hall is not open in this browser.", "Open it with a touch.";
    CertificateExpired = "certificate-expired", 403, "The connection's certificate has expired.", "Connect with the renewed one.";
    CertificateTooOld = "certificate-too-old", 403, "The visitor's certificate is older than this realm believes one.", "Renew it at home.";
    AuthorityChanged = "authority-changed", 409, "Another authority signs by now.", "Look again.";
    AuthorityTooNew = "authority-too-new", 409, "Not everybody knows the next authority yet.", "Wait until at_ms, or replace it at once if a key leaked.";
    NoHallListener = "no-hall-listener", 409, "The gateway has no hall listener.", "Set [hall] listen in hallway.toml.";
    Token = "token", 403, "The token was used, has expired or never existed.", "Ask for a new invitation.";
    AgentDismissed = "agent-dismissed", 403, "The agent was put out of the hall.", "Ask for a new invitation.";
    AgentBusy = "agent-busy", 503, "The agent has as many streams open as it may.", "Try again later.";
    AgentLost = "agent-lost", 502, "The agent broke off.", "Try again when it is back.";
    AgentSlow = "agent-slow", 504, "The agent gave no stream in time.", "Try again.";
    ServiceDown = "service-down", 502, "The service cannot be reached.", "Look at the service.";
    ServiceSlow = "service-slow", 504, "The service did not accept a connection in time.", "Look at the service.";
    TooManyStreams = "too-many-streams", 429, "The grant has as many streams open as it may.", "Close one.";
    HallAway = "hall-away", 502, "The hall's gateway does not answer.", "Try again later.";
    Unusable = "unusable", 502, "The other side gave an answer that cannot be used.", "Tell who runs it.";
    Unreachable = "unreachable", 502, "The hall cannot be reached.", "Try again later.";
    Password = "password", 401, "The local port needs its user and password.", "Use those that `hallway open` shows.";
    OtherHost = "other-host", 421, "The local port was called by another name.", "Call it by its address, as `hallway open` shows it.";
    Agent = "agent", 403, "An agent has no grant.", "Open the hall as a person.";
    Guest = "guest", 403, "A guest may not ask for this.", "Only the hall's agents or partners may.";
    Visitor = "visitor", 403, "A visitor may not ask for this.", "Ask at home.";
    Newcomer = "newcomer", 403, "A visitor came without evidence.", "Show the evidence of the opening first.";
    Partner = "partner", 403, "A gateway has no grant.", "Open the hall as a person.";
    Away = "away", 403, "The grant's hall is at another realm.", "Connect there.";

    // Files of a hall
    NoBody = "no-body", 415, "MKCOL takes no body.", "Leave it out.";
    NoPack = "no-pack", 415, "POST takes packs of files.", "Send a single file with PUT.";
    NamesAFolder = "names-a-folder", 409, "The path ends with a slash, so it names a folder.", "Name the file without the slash.";
    FolderExists = "folder-exists", 405, "The folder exists already.", "Nothing is to be done.";
    NoSuchRange = "no-such-range", 416, "The file is shorter than the range.", "Ask for a range inside it.";
    UnreadableCondition = "unreadable-condition", 412, "A condition of the request is not valid.", "Mend the header that the detail names.";
    Locked = "locked", 423, "The file is locked.", "Try again when it is unlocked.";
    NoSuchLock = "no-such-lock", 412, "If names no lock here.", "To refresh a lock, send its token.";
    LockElsewhere = "lock-elsewhere", 409, "No lock with that token covers the path.", "Unlock the path that was locked.";
    NotYourLock = "not-your-lock", 403, "Somebody else took the lock.", "Only the holder of the lock can use it.";
    OtherServer = "other-server", 502, "Destination names another server.", "Copy there by downloading and uploading.";
    OtherStore = "other-store", 502, "Destination is outside of the stores that are here.", "Copy there by downloading and uploading.";
    DigestMismatch = "digest-mismatch", 400, "The bytes that arrived do not have the digest.", "Send them again.";

    // Partners
    PartnerAway = "partner-away", 502, "The partner's gateway does not answer as it should.", "Try again later.";
    PartnerExists = "partner-exists", 409, "The realm is a partner already.", "Leave it first.";
    PartnerUnfit = "partner-unfit", 409, "The gateway cannot be a partner.", "The detail says why.";
    PartnerToken = "partner-token", 403, "The invitation is for another realm, was used or withdrawn, has expired or never existed.", "Ask for a new one.";
    InvitationsCrossed = "invitations-crossed", 409, "Both realms accepted the other's invitation, and the other one counts.", "Nothing is to be done.";
    NotPartner = "not-partner", 403, "The realm is no partner of this one.", "An owner can invite it.";
    Ourselves = "ourselves", 409, "The address is a gateway of this realm itself.", "Give the partner's address.";
    OtherPact = "other-pact", 409, "It is about another partnership than the present one.", "Look again.";
    NoBundle = "no-bundle", 503, "The partner's trust bundle is not here yet.", "Try again later.";
    NotAVisit = "not-a-visit", 403, "The evidence is not that of a visit.", "Open the hall again.";
    NoEvidence = "no-evidence", 403, "The certificate names no evidence.", "Open the hall again.";
    Evidence = "evidence", 403, "The visit's evidence does not hold.", "The detail names the step that failed.";
    NotVouched = "not-vouched", 403, "The visitor's home does not certify them any longer.", "Ask at home.";
    NoSuchFolder = "no-such-folder", 409, "The folder to write into does not exist.", "Make it first.";
    IsAFolder = "is-a-folder", 409, "A folder is where a file is needed.", "Name a file.";
    IsAFile = "is-a-file", 409, "A file is where a folder is needed.", "Name a folder.";
    FileExists = "file-exists", 412, "Something has that name already.", "Choose another, or allow to overwrite it.";
    Changed = "changed", 412, "The file was changed in the meantime.", "Look at it again.";
    MismatchingUploadOffset = "mismatching-upload-offset", 409, "The upload is at another byte.", "Go on from the byte that the answer names.";
    WrongLength = "wrong-length", 400, "More or fewer bytes came than were announced.", "Send it again.";
    SamePlace = "same-place", 403, "A file cannot be moved or copied to its own place.", "Name another.";
    TooManyProperties = "too-many-properties", 507, "The file has as many properties as it may.", "Remove some.";
    StoreFull = "store-full", 507, "The store is full.", "Make room in it.";
    StoreDenies = "store-denies", 403, "The store does not let the gateway do it.", "Tell who provides the store.";
    StoreCannot = "store-cannot", 409, "The store cannot do that.", "The detail says what it cannot do.";
    BrokenOff = "broken-off", 400, "The upload broke off.", "Go on with it.";
    StoreDown = "store-down", 503, "The store does not answer as it should.", "Try again later.";
    StoreFailed = "store-failed", 500, "The store failed.", "Tell who provides it; the log has the cause.";
    ProtectedProperty = "protected-property", 403, "The property is the server's own.", "Leave it out.";
    TooManyLocks = "too-many-locks", 507, "As many locks as may be are taken.", "Unlock something.";
    LocksDown = "locks-down", 503, "The locks cannot be looked up.", "Try again later.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write;

    use super::*;

    #[test]
    fn each_code_has_one_name_and_says_what_happened_and_what_to_do() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code}");
            for sentence in [code.meaning(), code.remedy()] {
                assert!(sentence.ends_with('.'), "{code}: {sentence}");
                assert!(
                    sentence.starts_with(char::is_uppercase),
                    "{code}: {sentence}"
                );
            }
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(code.name().chars().all(letters), "{code}");
        }
    }

    /// `docs/codes.md` is made from the declarations: `HALLWAY_WRITE_DOCS=1 cargo test -p
    /// hallway-api` writes it anew.
    #[test]
    fn the_documentation_lists_every_code() {
        let mut page = include_str!("codes_head.md").to_owned();
        for code in Code::ALL {
            let (status, meaning, remedy) = (code.status(), code.meaning(), code.remedy());
            writeln!(page, "| `{code}` | {status} | {meaning} | {remedy} |").unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes.md");
        if std::env::var_os("HALLWAY_WRITE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), page);
    }
}
