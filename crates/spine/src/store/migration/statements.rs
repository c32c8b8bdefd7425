//! SQL that a migration writes out, on either database.

use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use sea_orm_migration::prelude::{DbErr, SchemaManagerConnection};

/// The rows of a query. The parameters are `$1`, `$2` and so on.
pub async fn rows(
    database: &SchemaManagerConnection<'_>,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let backend = database.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    database.query_all_raw(statement).await
}

/// Runs a statement.
pub async fn execute(
    database: &SchemaManagerConnection<'_>,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<(), DbErr> {
    let backend = database.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    database.execute_raw(statement).await?;
    Ok(())
}
