//! The view models of the pages about halls and partners.

mod halls;
mod partners;

pub use halls::{
    AgentRow, ApprovalRow, AwayRow, DemandRow, GrantRow, GuestRow, HallPage, HallPlace, HallRow,
    HallThereRow, HallsPage, InsideRow, OfferRow, PartnerHallPage, PartnerHallsPage, StorePage,
    WaitingNotice,
};
pub use partners::{OwnAuthorityRow, PartnerRow, PartnersPage, SharedRow};
