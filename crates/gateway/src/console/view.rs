//! What the console's pages show, as plain values, and the templates that set them.
//!
//! Nothing here knows the store or a request: a page is a struct, its template lies in
//! `templates/` under the same name, and [`askama::Template::render`] makes the HTML. So a page
//! can be looked at, measured and tested without a gateway.

mod arrive;
mod authorities;
mod claim;
mod devices;
mod evidence;
mod explanation;
mod frame;
mod halls;
mod keys;
mod links;
mod mark;
mod metadata;
mod moment;
mod number;
mod overview;
mod paging;
mod partners;
mod people;
mod problem;
mod program;
mod refusals;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod transactions;
mod witnesses;

pub use arrive::{JoinPage, SignInPage};
pub use authorities::{AuthoritiesPage, AuthorityRow};
pub use claim::ClaimPage;
pub use devices::{DeviceAct, DevicePage, DeviceRow, DevicesPage, History, SetAside};
pub use evidence::{EvidencePage, EvidenceRow};
pub use explanation::{
    Bit, Bytes, ExplanationPage, Fact, Field, LogPlace, Outcome, Part, Picture, Step, StepGroup,
    Verdict,
};
pub use frame::{Frame, Place, Standing, Visitor};
pub use halls::{
    AgentRow, ApprovalRow, AwayRow, DemandRow, GrantRow, GuestRow, HallPage, HallPlace, HallRow,
    HallThereRow, HallsPage, InsideRow, OfferRow, PartnerHallPage, PartnerHallsPage, StorePage,
    WaitingNotice,
};
pub use keys::{KeyRow, KeysPage, SessionItem};
pub use links::LinkItem;
pub use mark::{Mark, Tone};
pub use metadata::{Blob, MetadataPage, ModelCard, PolicyRow, StatementRow};
pub use moment::Moment;
pub use number::{Count, Size};
pub use overview::{NextStep, OverviewPage};
pub use paging::Paging;
pub use partners::{OwnAuthorityRow, PartnerRow, PartnersPage, SharedRow};
pub use people::{PeoplePage, PersonRow};
pub use problem::ProblemPage;
pub use program::program;
pub use refusals::{More, RefusalRow, RefusalsPage};
pub use transactions::{TransactionRow, TransactionsPage};
pub use witnesses::{CosignerRow, ForkCard, WitnessedRow, WitnessesPage};
