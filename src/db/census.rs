//! Reading every cell of the mapped tables under one snapshot, past every index.
//!
//! One exported REPEATABLE READ snapshot is shared by all workers; index access is switched off (an index with collation damage
//! hides rows), `row_security = off` turns a hidden row into an error, and the organization is found by LEFT JOIN so that a row without
//! one is still seen. Units are block ranges (PostgreSQL 14 and later), whole tables elsewhere and where a join or partition forbids them.

use super::catalog::{Catalog, LiveTable};
use super::{DbError, Session, ident, table};
use crate::core::ids::OrgId;
use postgres::{Portal, Transaction};

/// A snapshot others can share as long as this lives.
pub struct Snapshot<'s> {
    transaction: Transaction<'s>,
    pub name: String,
}

/// A reader under a shared snapshot.
pub struct CensusReader<'s> {
    transaction: Transaction<'s>,
}

/// A piece of a table: heap blocks [from, to), open at `None`.
#[derive(Clone, Debug)]
pub struct Unit {
    pub table: usize,
    pub blocks: Option<(i64, Option<i64>)>,
}

/// What part of the rows to read.
#[derive(Clone, Debug, Default)]
pub struct CensusFilter {
    /// Only these organizations, and rows without any; empty: all.
    pub organizations: Vec<OrgId>,
    /// Percent of blocks, sampled by the server.
    pub sample: Option<f64>,
}

/// A row as the census reads it.
pub struct CensusRow {
    pub id: String,
    pub organization: Option<String>,
    /// In the table's column order; cast to text.
    pub values: Vec<Option<String>>,
}

/// Rows still to fetch of one unit.
pub struct Cursor {
    portal: Portal,
    columns: usize,
}

const BLOCKS_PER_UNIT: i64 = 4096;

const PAST_INDEXES: &str = "SET LOCAL row_security = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
    SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Cuts tables into units; `tid_ranges` says whether the server can scan block ranges.
pub fn units(catalog: &Catalog, tid_ranges: bool) -> Vec<Unit> {
    let mut units = Vec::new();
    for (at, live) in catalog.tables.iter().enumerate() {
        if !tid_ranges || live.joins() || live.blocks <= BLOCKS_PER_UNIT {
            units.push(Unit { table: at, blocks: None });
            continue;
        }
        let mut from = 0;
        while from < live.blocks {
            let to = from + BLOCKS_PER_UNIT;
            units.push(Unit { table: at, blocks: Some((from, (to < live.blocks).then_some(to))) });
            from = to;
        }
    }
    units
}

impl Session {
    /// Takes and exports a snapshot.
    pub fn snapshot(&mut self) -> Result<Snapshot<'_>, DbError> {
        let mut transaction = self
            .client
            .build_transaction()
            .isolation_level(postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        transaction.batch_execute(PAST_INDEXES)?;
        let name = transaction.query_one("SELECT pg_export_snapshot()", &[])?.get(0);
        Ok(Snapshot { transaction, name })
    }

    /// Joins a snapshot exported by another session; without one (a replica exports none) takes its own.
    pub fn census_reader(&mut self, snapshot: Option<&str>) -> Result<CensusReader<'_>, DbError> {
        let mut transaction = self
            .client
            .build_transaction()
            .isolation_level(postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        if let Some(name) = snapshot {
            // The name came from the server; quoted all the same, since SET takes no parameters.
            transaction.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{}'", name.replace('\'', "''")))?;
        }
        transaction.batch_execute(PAST_INDEXES)?;
        Ok(CensusReader { transaction })
    }

    /// True where `ctid` ranges are scanned as ranges.
    pub fn scans_tid_ranges(&mut self) -> Result<bool, DbError> {
        Ok(self.client.query_one("SELECT current_setting('server_version_num')::int >= 140000", &[])?.get(0))
    }

    /// Client sessions of this database whose transactions are open now, but ours: who could still write under an old key.
    /// Needs no privilege: every open transaction holds a virtual transaction lock that anyone may see.
    pub fn open_transactions(&mut self) -> Result<Vec<String>, DbError> {
        let rows = self.client.query(
            "SELECT l.virtualtransaction::text FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'virtualxid' AND l.granted AND a.datname = current_database() AND a.usesysid IS NOT NULL
               AND l.pid <> pg_backend_pid() AND a.application_name <> 'scrybe-keys'
             UNION ALL SELECT 'prepared:' || gid FROM pg_prepared_xacts WHERE database = current_database()",
            &[],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Seconds until `flipped` + `seconds` by the database clock, 0 when it has passed.
    pub fn seconds_until(&mut self, flipped: jiff::Timestamp, seconds: f64) -> Result<f64, DbError> {
        let row = self.client.query_one(
            "SELECT greatest(0, extract(epoch FROM to_timestamp($1::bigint / 1000000.0) + make_interval(secs => $2) - clock_timestamp()))::float8",
            &[&flipped.as_microsecond(), &seconds],
        )?;
        Ok(row.get(0))
    }
}

impl Snapshot<'_> {
    /// Values that hold an envelope's prefix in columns the map does not know: table, column, rows. Ends early when `stop` says so.
    pub fn probe_unmapped(
        &mut self,
        catalog: &Catalog,
        sample: Option<f64>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<(String, String, i64)>, DbError> {
        let mut found = Vec::new();
        let mut by_table: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, column) in &catalog.unmapped {
            match by_table.last_mut() {
                Some((last, columns)) if *last == name.as_str() => columns.push(column),
                _ => by_table.push((name, vec![column])),
            }
        }
        for (name, columns) in by_table {
            if stop() {
                break;
            }
            let counts: Vec<String> = columns
                .iter()
                .map(|c| {
                    format!(
                        "count(*) FILTER (WHERE {0}::text LIKE '%enc:v1:%' OR {0}::text LIKE '%enc:t2:v1:%')",
                        ident(c)
                    )
                })
                .collect();
            let sql =
                format!("SELECT {} FROM {}{}", counts.join(", "), table(&catalog.schema, name), tablesample(sample));
            let row = self.transaction.query_one(&sql, &[])?;
            for (n, column) in columns.iter().enumerate() {
                let rows: i64 = row.get(n);
                if rows > 0 {
                    found.push((name.to_owned(), (*column).to_owned(), rows));
                }
            }
        }
        Ok(found)
    }

    /// Lets the snapshot go.
    pub fn end(self) -> Result<(), DbError> {
        Ok(self.transaction.rollback()?)
    }
}

impl CensusReader<'_> {
    /// Opens a unit's rows.
    pub fn open(&mut self, live: &LiveTable, unit: &Unit, filter: &CensusFilter) -> Result<Cursor, DbError> {
        let columns: Vec<String> = live.columns.iter().map(|c| format!("t.{}::text", ident(&c.name))).collect();
        let mut conditions = Vec::new();
        if let Some((from, to)) = unit.blocks {
            conditions.push(format!("t.ctid >= '({from},0)'"));
            if let Some(to) = to {
                conditions.push(format!("t.ctid < '({to},0)'"));
            }
        }
        let organizations: Vec<&str> = filter.organizations.iter().map(OrgId::as_str).collect();
        let path = &live.organization;
        let everyone = organizations.is_empty();
        if !everyone {
            conditions
                .push(format!("({0} = ANY (($1::text[])::{1}[]) OR {0} IS NULL)", path.expression, path.type_name));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let sql = format!(
            "SELECT {}::text, {}::text, {} FROM {} AS t{}{}{condition}",
            live.id_sql(),
            path.expression,
            columns.join(", "),
            live.sql_name,
            tablesample(filter.sample),
            path.join,
        );
        let statement = self.transaction.prepare(&sql)?;
        let portal = if everyone {
            self.transaction.bind(&statement, &[])?
        } else {
            self.transaction.bind(&statement, &[&organizations])?
        };
        Ok(Cursor { portal, columns: live.columns.len() })
    }

    /// Up to `rows` more rows; empty at the end.
    pub fn fetch(&mut self, cursor: &Cursor, rows: i32) -> Result<Vec<CensusRow>, DbError> {
        let fetched = self.transaction.query_portal(&cursor.portal, rows)?;
        Ok(fetched
            .into_iter()
            .map(|row| CensusRow {
                id: row.get(0),
                organization: row.get(1),
                values: (0..cursor.columns).map(|n| row.get(n + 2)).collect(),
            })
            .collect())
    }
}

fn tablesample(sample: Option<f64>) -> String {
    sample.map_or(String::new(), |percent| format!(" TABLESAMPLE SYSTEM ({percent})"))
}
