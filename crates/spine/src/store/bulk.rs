//! Many rows in few statements: what makes a batch of device transactions cheap.
//!
//! SQLite is given the rows one after another, PostgreSQL an array for each column: it takes a
//! third less of its time for that than for thousands of parameters, and one statement is prepared
//! whatever the number of rows.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, Statement, Value};

/// How many rows a statement takes on SQLite. Few different numbers, so that the connection's cache
/// of prepared statements holds them all; at most 512, so that twelve columns stay far below the
/// number of parameters that SQLite takes (32,766).
const ROWS: [usize; 5] = [512, 128, 32, 8, 1];

/// The name of a column, and its type as PostgreSQL calls it.
pub(crate) type Column = (&'static str, &'static str);

/// Inserts `rows` into `table`.
pub async fn insert<const N: usize>(
    database: &DatabaseExecutor<'_>,
    table: &str,
    columns: [Column; N],
    rows: Vec<[Value; N]>,
) -> Result<(), DbErr> {
    match database.get_database_backend() {
        DbBackend::Postgres => {
            for (columns, rows) in by_what_is_there(columns, rows) {
                let (sql, names) = (unnest(&columns), names(&columns));
                let sql = format!("INSERT INTO {table} ({names}) SELECT * FROM {sql}");
                run(database, sql, arrays(rows)).await?;
            }
        }
        _ => {
            let sql = format!("INSERT INTO {table} ({}) VALUES ", names(&columns));
            for rows in in_chunks(rows) {
                let sql = sql.clone() + &values::<N>(rows.len());
                run(database, sql, rows.into_iter().flatten()).await?;
            }
        }
    }
    Ok(())
}

/// Sets `columns[1..]` in the rows of `table` whose `columns[0]` is the first value of a row. No
/// value is NULL.
pub async fn update<const N: usize>(
    database: &DatabaseExecutor<'_>,
    table: &str,
    columns: [Column; N],
    rows: Vec<[Value; N]>,
) -> Result<(), DbErr> {
    let key = columns[0].0;
    let set: Vec<String> = columns[1..]
        .iter()
        .map(|(column, _)| format!("{column} = new.{column}"))
        .collect();
    let set = format!("UPDATE {table} SET {} FROM", set.join(", "));
    let found = format!("WHERE {table}.{key} = new.{key}");
    let names = names(&columns);
    match database.get_database_backend() {
        DbBackend::Postgres if rows.is_empty() => {}
        DbBackend::Postgres => {
            let sql = format!("{set} {} AS new({names}) {found}", unnest(&columns));
            let rows = rows.into_iter().map(Vec::from).collect();
            run(database, sql, arrays(rows)).await?;
        }
        _ => {
            for rows in in_chunks(rows) {
                // SQLite has no names for the columns of VALUES, but takes them from a WITH.
                let values = values::<N>(rows.len());
                let sql = format!("WITH new({names}) AS (VALUES {values}) {set} new {found}");
                run(database, sql, rows.into_iter().flatten()).await?;
            }
        }
    }
    Ok(())
}

async fn run(
    database: &DatabaseExecutor<'_>,
    sql: String,
    values: impl IntoIterator<Item = Value>,
) -> Result<(), DbErr> {
    let backend = database.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    database.execute_raw(statement).await?;
    Ok(())
}

fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// `UNNEST($1::uuid[], $2::bigint[])`: rows of what the arrays hold.
fn unnest(columns: &[Column]) -> String {
    let arrays: Vec<String> = (1..)
        .zip(columns)
        .map(|(parameter, (_, of_type))| format!("${parameter}::{of_type}[]"))
        .collect();
    format!("UNNEST({})", arrays.join(", "))
}

/// The rows, together with those that have values in the same columns, and only these: an array
/// holds no NULL here, and a column that is not named is NULL.
fn by_what_is_there<const N: usize>(
    columns: [Column; N],
    rows: Vec<[Value; N]>,
) -> Vec<(Vec<Column>, Vec<Vec<Value>>)> {
    let mut groups = BTreeMap::<[bool; N], Vec<Vec<Value>>>::new();
    for row in rows {
        let there = row.each_ref().map(Value::is_some);
        let row = row.into_iter().zip(there).filter(|(_, there)| *there);
        let row = row.map(|(value, _)| value).collect();
        groups.entry(there).or_default().push(row);
    }
    let of = |there: [bool; N]| {
        let columns = columns.into_iter().zip(there).filter(|(_, there)| *there);
        columns.map(|(column, _)| column).collect()
    };
    let groups = groups.into_iter();
    groups.map(|(there, rows)| (of(there), rows)).collect()
}

/// An array for each column of `rows`, none of which is NULL.
fn arrays(rows: Vec<Vec<Value>>) -> Vec<Value> {
    let count = rows.len();
    let mut arrays: Vec<(_, Vec<Value>)> = Vec::new();
    for row in rows {
        for (at, value) in row.into_iter().enumerate() {
            if arrays.len() == at {
                arrays.push((value.array_type(), Vec::with_capacity(count)));
            }
            arrays[at].1.push(value);
        }
    }
    arrays
        .into_iter()
        .map(|(of_type, values)| Value::Array(of_type, Some(Box::new(values))))
        .collect()
}

fn in_chunks<const N: usize>(mut rows: Vec<[Value; N]>) -> Vec<Vec<[Value; N]>> {
    let mut chunks = Vec::new();
    for size in ROWS {
        while rows.len() >= size {
            let rest = rows.split_off(size);
            chunks.push(core::mem::replace(&mut rows, rest));
        }
    }
    chunks
}

/// `(?, ?), (?, ?)`. SQLite looks a numbered parameter up by walking over all of them, so these
/// have no numbers.
fn values<const N: usize>(rows: usize) -> String {
    let row = format!("({})", ["?"; N].join(", "));
    vec![row; rows].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [("id", "bigint"), ("near", "bytea"), ("far", "text")];

    fn row(id: i64, near: Option<Vec<u8>>, far: Option<&str>) -> [Value; 3] {
        [id.into(), near.into(), far.map(str::to_owned).into()]
    }

    #[test]
    fn parameters_are_written_as_each_database_reads_them() {
        assert_eq!(unnest(&COLUMNS[..2]), "UNNEST($1::bigint[], $2::bytea[])");
        assert_eq!(values::<2>(2), "(?, ?), (?, ?)");
    }

    #[test]
    fn rows_go_together_with_those_that_lack_the_same() {
        let rows = vec![
            row(1, Some(vec![]), None),
            row(2, None, Some("")),
            row(3, Some(vec![3]), None),
        ];
        let groups = by_what_is_there(COLUMNS, rows);
        let [(far, second), (near, others)] = groups.as_slice() else {
            panic!("{groups:?}");
        };
        assert_eq!(names(far), "id, far");
        assert_eq!(*second, [[Value::from(2i64), Value::from("")]]);
        assert_eq!(names(near), "id, near");
        assert_eq!(others.len(), 2);
        let arrays = arrays(others.clone());
        assert_eq!(arrays[0], Value::from(vec![1i64, 3]));
        assert_eq!(arrays[1], Value::from(vec![vec![], vec![3u8]]));
    }

    #[test]
    fn chunks_hold_every_row_once_in_their_order() {
        for count in [0, 1, 9, 511, 1300] {
            let rows: Vec<_> = (0..count).map(|id| row(id, None, None)).collect();
            let chunks = in_chunks(rows.clone());
            assert!(chunks.iter().all(|chunk| ROWS.contains(&chunk.len())));
            assert_eq!(chunks.concat(), rows);
        }
    }
}
