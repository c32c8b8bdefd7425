//! What the pages about devices show.

mod claim;
mod devices;
mod makers;
mod transactions;

pub use claim::ClaimPage;
pub use devices::{DeviceAct, DevicePage, DeviceRow, DevicesPage, History, SetAside};
pub use makers::{MakerRow, MakersPage};
pub use transactions::{TransactionRow, TransactionsPage};
