//! The content of the console's pages, as plain values, and the templates that set them.
//!
//! Nothing here knows the store or a request: a page is a struct, its template lies in
//! `templates/` under the same name, and [`askama::Template::render`] makes the HTML. So a page
//! can be looked at, measured and tested without a gateway.

mod evidence;
mod explanation;
mod frame;
mod mark;
mod metadata;
mod moment;
mod number;
mod paging;
mod problem;
mod program;
mod refusals;
mod witnesses;

pub use evidence::{EvidencePage, EvidenceRow};
pub use explanation::{ExplanationPage, Fact, LogPlace, Picture};
pub use frame::{Frame, NavigationEntry, Standing, Viewer};
pub use mark::{Mark, Tone};
pub use metadata::{Blob, MetadataPage, ModelCard, PolicyRow, StatementRow};
pub use moment::Moment;
pub use number::{Count, Size};
pub use paging::Paging;
pub use problem::ProblemPage;
pub use program::program;
pub use refusals::{More, RefusalRow, RefusalsPage};
pub use witnesses::{CosignerRow, ForkCard, WitnessedRow, WitnessesPage};
