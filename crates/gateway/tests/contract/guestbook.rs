//! A door of the tests' own: people of the realm write lines into a book. Nothing outside this file
//! names it but the list of doors that a gateway is started with; docs/ARCHITECTURE.md walks through it.

use askama::Template;
use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use hallway_gateway::Gateway;
use hallway_spine::console::pages::{frame, html};
use hallway_spine::console::view::{Frame, NavigationEntry};
use hallway_spine::door::Door;
use hallway_spine::door_name::DoorName;
use hallway_spine::http::input::{Input, line};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::route::{Access, Route};
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Role, StoreError, Table, Unit};
use schemars::JsonSchema;
use sea_orm::{EntityTrait, IntoActiveModel, QueryOrder};
use sea_orm_migration::prelude::{self, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::schema::{big_integer, text};
use serde::Deserialize;

pub(crate) struct Guestbook;

const ENTRY: NavigationEntry = NavigationEntry::of_members("/guestbook", "Guestbook", 45);
const MEMBER: Access = Access::Person(Role::Member);

impl Door for Guestbook {
    fn name(&self) -> DoorName {
        DoorName::new("guestbook")
    }

    fn states(&self) -> &'static [&'static str] {
        &["guestbook"]
    }

    fn routes(&self) -> Vec<Route> {
        vec![
            Route::get("/api/guestbook", MEMBER, read)
                .summary("What people wrote, the first line first")
                .gives::<Vec<String>>(),
            Route::post("/api/guestbook", MEMBER, write)
                .summary("Write a line")
                .takes::<Entry>()
                .gives::<Vec<String>>(),
            Route::page("/guestbook", MEMBER, page),
        ]
    }

    fn navigation(&self) -> Vec<NavigationEntry> {
        vec![ENTRY]
    }

    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Entries)]
    }

    fn tables(&self) -> Vec<Table> {
        vec![Table::of::<row::Entity>()]
    }
}

/// A line, as the API takes one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entry {
    line: String,
}

#[derive(Template)]
#[template(
    source = "{% extends \"layout.html\" %}{% block title %}Guestbook{% endblock %}\
              {% block content %}<h1>Guestbook</h1>\
              {% for line in lines %}<p>{{ line }}</p>{% endfor %}{% endblock %}",
    ext = "html"
)]
struct Page {
    frame: Frame,
    lines: Vec<String>,
}

async fn lines(reader: &Unit<'_>) -> Result<Vec<String>, Problem> {
    let rows = row::Entity::find().order_by_asc(row::Column::AtMs);
    let rows = rows.all(&reader.db()).await.map_err(StoreError::from)?;
    Ok(rows.into_iter().map(|row| row.line).collect())
}

async fn read(State(gateway): State<Gateway>) -> Result<Json<Vec<String>>, Problem> {
    lines(gateway.store.read()).await.map(Json)
}

async fn write(
    State(gateway): State<Gateway>,
    Input(new): Input<Entry>,
) -> Result<Json<Vec<String>>, Problem> {
    let row = &row::Model {
        at_ms: i64::try_from(gateway.now().as_ms()).unwrap_or(i64::MAX),
        line: line("line", &new.line)?.to_string(),
    };
    let written = gateway.transact(|unit| {
        Box::pin(async move {
            let added = row::Entity::insert(row.clone().into_active_model());
            let added = added.exec_without_returning(&unit.db()).await;
            added.map_err(StoreError::from)?;
            lines(unit).await
        })
    });
    written.await.map(Json)
}

async fn page(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Problem> {
    html(&Page {
        frame: frame(&gateway, &caller, ENTRY),
        lines: lines(gateway.store.read()).await?,
    })
}

#[derive(DeriveMigrationName)]
struct Entries;

#[async_trait]
#[allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match
impl MigrationTrait for Entries {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = prelude::Table::create();
        let at = big_integer("at_ms").primary_key().to_owned();
        table.table("guestbook").col(at).col(text("line"));
        manager.create_table(table).await
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "guestbook")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) at_ms: i64,
        pub(crate) line: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
