//! The routes of the device door.

use hallway_api::device::{Announced, Challenge, Enrolment, EnrolmentStatement, Question, Status};
use hallway_spine::http::bounds::kinds::{DOWNLOAD, EVENTS, PICTURES};
use hallway_spine::http::bounds::{AtOnce, Bounds, Gives, Most, Takes};
use hallway_spine::http::page::PageView;
use hallway_spine::http::route::{Access, Route};
use hallway_spine::store::Role;

use super::{
    announce, challenge, code, lifecycle, live, makers, pages, payload, send, signed, status,
    thumbnail, transactions,
};

const MEMBER: Access = Access::Person(Role::Member);
const OPERATOR: Access = Access::Person(Role::Operator);

/// The bounds of a transaction. All devices of a site may call from one address, and each has one
/// request under way; the signature is checked before a byte of the payload is read.
const TRANSACTION: Bounds = Bounds {
    body: Takes::Streamed {
        most: Most::Payload,
    },
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 8192,
        each: 4096,
    },
    because: Some("a site's devices share one address, and pictures are stored as they come"),
};

/// All routes of the device door.
pub(crate) fn all() -> Vec<Route> {
    vec![
Route::post("/api/device/enrolments/statement", Access::Public, announce::statement)
            .summary("A statement for a device's attested enrolment")
            .gives::<EnrolmentStatement>(),
Route::post("/api/device/enrolments", Access::Proof, announce::announce)
            .summary("Announce a device by its attestation; gives the code to show")
            .takes::<Enrolment>()
            .within(Bounds::COSTLY)
            .gives::<Announced>(),
Route::post("/api/device/status", Access::Proof, status::ask)
            .summary("Is my registration still valid? For a device that signs the question")
            .takes::<Question>()
            .gives::<Status>(),
Route::post("/api/device/challenge", Access::Public, challenge::give)
            .summary("A challenge for a transaction")
            .gives::<Challenge>(),
Route::post("/api/device/transactions", Access::Proof, send::send)
            .summary("Send bytes with their evidence in the header Hallway-Evidence; gives the receipt, CBOR")
            .within(TRANSACTION),
Route::post("/api/devices/code", MEMBER, code::look)
            .summary("Which device shows a code")
            .takes::<code::CodeTyped>()
            .gives::<code::CodeView>(),
Route::get("/api/devices", MEMBER, lifecycle::list)
            .summary("The devices that the caller may see")
            .gives::<PageView<lifecycle::DeviceView>>(),
Route::get("/api/devices/{id}", MEMBER, lifecycle::one)
            .summary("One device")
            .gives::<lifecycle::DeviceView>(),
Route::post("/api/devices/{id}/name", MEMBER, lifecycle::name)
            .summary("Name a device")
            .takes::<lifecycle::Name>()
            .gives::<lifecycle::DeviceView>(),
Route::get("/api/transactions", MEMBER, transactions::list)
            .summary("Transactions, newest first")
            .gives::<PageView<transactions::TransactionRow>>(),
Route::get("/api/transactions/{hash}/payload", MEMBER, payload::payload)
            .summary("The bytes of a transaction")
            .within(DOWNLOAD),
Route::get("/api/transactions/{hash}/signed", MEMBER, signed::file)
            .summary("A file with its evidence inside")
            .within(DOWNLOAD),
Route::get("/api/transactions/{hash}/thumbnail", MEMBER, thumbnail::get)
            .summary("A picture, small")
            .within(PICTURES),
Route::get("/api/events", MEMBER, live::events)
            .summary("New transactions as server-sent events")
            .within(EVENTS),
Route::get("/api/makers", OPERATOR, makers::list)
            .summary("The makers whose devices are accepted")
            .gives::<Vec<makers::MakerView>>(),
Route::page("/devices", MEMBER, pages::devices::list),
Route::page("/devices/{id}", MEMBER, pages::devices::one),
Route::page("/claim", MEMBER, pages::devices::claim),
Route::page("/transactions", MEMBER, pages::transactions::list),
Route::page("/makers", OPERATOR, pages::makers::list),
    ]
}
