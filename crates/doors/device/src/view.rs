//! What the pages about devices show.

mod authorities;
mod claim;
mod devices;
mod transactions;

pub use authorities::{AuthoritiesPage, AuthorityRow};
pub use claim::ClaimPage;
pub use devices::{DeviceAct, DevicePage, DeviceRow, DevicesPage, History, SetAside};
pub use transactions::{TransactionRow, TransactionsPage};
