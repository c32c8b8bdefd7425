//! Many rows in few statements: what makes a batch of device transactions cheap.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, Statement, Value};

/// How many rows a statement takes. Few different numbers, so that the connection's cache of
/// prepared statements holds them all; at most 512, so that twelve columns stay far below the
/// number of parameters that SQLite (32,766) and PostgreSQL (65,535) take.
const ROWS: [usize; 5] = [512, 128, 32, 8, 1];

/// Inserts `rows` into `table`.
pub(crate) async fn insert<const N: usize>(
    database: &DatabaseExecutor<'_>,
    table: &str,
    columns: [&str; N],
    rows: Vec<[Value; N]>,
) -> Result<(), DbErr> {
    in_chunks(rows, |rows| async move {
        let mut sql = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
        write_rows(
            &mut sql,
            database.get_database_backend(),
            rows.len(),
            &[""; N],
        );
        run(database, sql, rows).await
    })
    .await
}

/// Sets `columns[1..]` in the rows of `table` whose `columns[0]` is the first value of a row.
/// `types` names each column's type as PostgreSQL knows it, because it cannot tell it from a
/// parameter.
pub(crate) async fn update<const N: usize>(
    database: &DatabaseExecutor<'_>,
    table: &str,
    columns: [&str; N],
    types: [&str; N],
    rows: Vec<[Value; N]>,
) -> Result<(), DbErr> {
    let backend = database.get_database_backend();
    in_chunks(rows, |rows| async move {
        let mut sql = format!("UPDATE {table} SET ");
        for (at, column) in columns.iter().enumerate().skip(1) {
            let comma = if at == 1 { "" } else { ", " };
            let _ = write!(sql, "{comma}{column} = new.{column}");
        }
        // SQLite has no names for the columns of VALUES, but takes them from a WITH.
        let mut values = format!("WITH new({}) AS (VALUES ", columns.join(", "));
        write_rows(&mut values, backend, rows.len(), &types);
        let key = columns[0];
        let sql = format!("{values}) {sql} FROM new WHERE {table}.{key} = new.{key}");
        run(database, sql, rows).await
    })
    .await
}

async fn in_chunks<const N: usize, F>(
    mut rows: Vec<[Value; N]>,
    mut work: impl FnMut(Vec<[Value; N]>) -> F,
) -> Result<(), DbErr>
where
    F: Future<Output = Result<(), DbErr>>,
{
    for size in ROWS {
        while rows.len() >= size {
            let rest = rows.split_off(size);
            work(core::mem::replace(&mut rows, rest)).await?;
        }
    }
    Ok(())
}

async fn run<const N: usize>(
    database: &DatabaseExecutor<'_>,
    sql: String,
    rows: Vec<[Value; N]>,
) -> Result<(), DbErr> {
    let values = rows.into_iter().flatten();
    let backend = database.get_database_backend();
    database
        .execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    Ok(())
}

/// Writes `(?, ?), (?, ?)` or `($1, $2), ($3, $4)`.
fn write_rows(sql: &mut String, backend: DbBackend, rows: usize, types: &[&str]) {
    let mut parameter = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { "), (" });
        for (column, of_type) in types.iter().enumerate() {
            if column > 0 {
                sql.push_str(", ");
            }
            parameter += 1;
            // Writing to a String cannot fail. SQLite looks a numbered parameter up by walking
            // over all of them, so there they have no numbers.
            let _ = match (backend, row, *of_type) {
                (DbBackend::Postgres, 0, of_type) if !of_type.is_empty() => {
                    write!(sql, "${parameter}::{of_type}")
                }
                (DbBackend::Postgres, ..) => write!(sql, "${parameter}"),
                _ => write!(sql, "?"),
            };
        }
    }
    sql.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_each_database_reads_them() {
        let mut sql = String::new();
        write_rows(&mut sql, DbBackend::Postgres, 2, &["uuid", "bigint"]);
        assert_eq!(sql, "($1::uuid, $2::bigint), ($3, $4)");
        sql.clear();
        write_rows(&mut sql, DbBackend::Sqlite, 2, &["uuid", "bigint"]);
        assert_eq!(sql, "(?, ?), (?, ?)");
    }
}
