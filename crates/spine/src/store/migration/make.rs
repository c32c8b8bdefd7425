//! What migrations make tables of.

use sea_orm::sea_query::{ForeignKeyAction, IndexCreateStatement, TableCreateStatement};
use sea_orm_migration::prelude::*;

/// A table with these columns.
pub fn table(
    name: &'static str,
    columns: impl IntoIterator<Item = ColumnDef>,
) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for column in columns {
        table.col(column);
    }
    table
}

/// The column as the primary key.
#[must_use]
pub fn key(mut column: ColumnDef) -> ColumnDef {
    column.primary_key();
    column
}

/// The table with a foreign key: its column `from` refers to `to`, each as table and column.
#[must_use]
pub fn refer(
    mut table: TableCreateStatement,
    from: (&'static str, &'static str),
    to: (&'static str, &'static str),
    deleted: ForeignKeyAction,
) -> TableCreateStatement {
    table.foreign_key(
        ForeignKey::create()
            .from(from.0, from.1)
            .to(to.0, to.1)
            .on_delete(deleted),
    );
    table
}

/// An index, named after the table and the columns.
#[must_use]
pub fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index
        .name(format!("{table}_{}", columns.join("_")))
        .table(table);
    for column in columns {
        index.col(*column);
    }
    index
}
