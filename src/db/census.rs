//! Reading every cell of the mapped tables under one snapshot, past every index.
//!
//! One exported REPEATABLE READ snapshot is shared by all workers; index access is switched off (an index with collation damage
//! hides rows), `row_security = off` turns a hidden row into an error, and the organization is found by LEFT JOIN so that a row without
//! one is still seen. Units are block ranges (PostgreSQL 14 and later), whole tables elsewhere.

use super::catalog::{Catalog, LiveTable};
use super::{DbError, Session, ident};
use crate::core::ids::OrgId;
use postgres::{Portal, Transaction};

/// A snapshot others can share as long as this lives.
pub struct Snapshot<'s> {
    transaction: Transaction<'s>,
    pub name: String,
    /// The oldest transaction that was open when it was taken, as a full id.
    pub basis: i64,
}

/// A reader under a shared snapshot.
pub struct CensusReader<'s> {
    transaction: Transaction<'s>,
}

/// A piece of a heap: blocks [from, to), open at `None`.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Position in the catalog.
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
    /// Only row versions that something else wrote lately.
    pub changed: Option<Changed>,
}

/// Row versions written by transactions that are not older than `basis`, but for those in which batches of `job` wrote.
///
/// The test is by age, modulo 2^32 as PostgreSQL counts: a version that is really younger always passes it, whatever froze or was renumbered.
/// An old one may pass it too, and is then read for nothing. Subtransactions are younger than the transaction they belong to, so theirs pass.
#[derive(Clone, Debug)]
pub struct Changed {
    /// A full transaction id: all older transactions had ended when it was read.
    pub basis: i64,
    pub job: uuid::Uuid,
}

impl Changed {
    /// The basis as row versions carry it.
    fn xid(&self) -> String {
        (self.basis as u64 & 0xffff_ffff).to_string()
    }
}

/// A row as the census reads it.
pub struct CensusRow {
    /// The row's name, as `Key` makes it.
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

/// Heap blocks of a unit at most, and stored bytes about: large values make short units, so that every worker has something to do.
const BLOCKS_PER_UNIT: i64 = 4096;
const FEWEST_BLOCKS: i64 = 64;
const BYTES_PER_UNIT: i64 = 32 << 20;

const PAST_INDEXES: &str = "SET LOCAL row_security = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
    SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Cuts tables into units; `tid_ranges` says whether the server can scan block ranges.
pub fn units(catalog: &Catalog, tid_ranges: bool) -> Vec<Unit> {
    let mut units = Vec::new();
    for (at, live) in catalog.tables.iter().enumerate() {
        let bytes_per_block = (live.bytes / live.blocks.max(1)).max(1);
        let per_unit = (BYTES_PER_UNIT / bytes_per_block).clamp(FEWEST_BLOCKS, BLOCKS_PER_UNIT);
        if !tid_ranges || live.blocks <= per_unit {
            units.push(Unit { table: at, blocks: None });
            continue;
        }
        let mut from = 0;
        while from < live.blocks {
            let to = from + per_unit;
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
        let row = transaction
            .query_one("SELECT pg_export_snapshot(), pg_snapshot_xmin(pg_current_snapshot())::text::bigint", &[])?;
        Ok(Snapshot { name: row.get(0), basis: row.get(1), transaction })
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

    /// The oldest transaction that is open now, as a full id: every older one has ended.
    pub fn oldest_open_transaction(&mut self) -> Result<i64, DbError> {
        Ok(self.client.query_one("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint", &[])?.get(0))
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
        for table in &catalog.unmapped {
            if stop() {
                break;
            }
            let counts: Vec<String> = table
                .columns
                .iter()
                .map(|c| {
                    format!(
                        "count(*) FILTER (WHERE {0}::text LIKE '%enc:v1:%' OR {0}::text LIKE '%enc:t2:v1:%')",
                        ident(c)
                    )
                })
                .collect();
            let sql = format!("SELECT {} FROM {}{}", counts.join(", "), table.sql_from, tablesample(sample));
            let row = self.transaction.query_one(&sql, &[])?;
            for (n, column) in table.columns.iter().enumerate() {
                let rows: i64 = row.get(n);
                if rows > 0 {
                    found.push((table.name.clone(), column.clone(), rows));
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
        let xid = filter.changed.as_ref().map(Changed::xid);
        let mut parameters: Vec<&(dyn postgres::types::ToSql + Sync)> = Vec::new();
        let path = &live.organization;
        let everyone = organizations.is_empty();
        if !everyone {
            parameters.push(&organizations);
            conditions
                .push(format!("({0} = ANY (($1::text[])::{1}[]) OR {0} IS NULL)", path.expression, path.type_name));
        }
        if let (Some(changed), Some(xid)) = (&filter.changed, &xid) {
            let at = parameters.len();
            parameters.extend([xid as &(dyn postgres::types::ToSql + Sync), &changed.job]);
            conditions.push(format!(
                "age(t.xmin) <= age((${}::text)::xid)
                 AND NOT EXISTS (SELECT FROM scrybe_keys.job_write w WHERE w.job_id = ${} AND w.xid = t.xmin)",
                at + 1,
                at + 2
            ));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let sql = format!(
            "SELECT {}, {}::text, {} FROM {} AS t{}{}{condition}",
            live.key.name(),
            path.expression,
            columns.join(", "),
            live.only(),
            tablesample(filter.sample),
            path.join,
        );
        let statement = self.transaction.prepare(&sql)?;
        let portal = self.transaction.bind(&statement, &parameters)?;
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
