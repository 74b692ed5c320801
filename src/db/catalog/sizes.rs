//! What a relation weighs, which file it is in, and who reads its changes. Read-only.
//!
//! Sizes are of now, counters are the statistics collector's: since they were last reset, and a moment old. Nothing is decided here:
//! `ops::preflight` warns by it, a worker notices by the file number that a table was rewritten under its feet.

use super::LiveTable;
use crate::db::{DbError, Session, ident};

/// What a relation weighs, and what became of its updated rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Rows in place, dead ones and free space included.
    pub heap_bytes: i64,
    /// Values stored out of line, with their index.
    pub toast_bytes: i64,
    /// All indexes of the heap.
    pub index_bytes: i64,
    /// As the statistics estimate them.
    pub live_rows: i64,
    pub dead_rows: i64,
    /// Updates since the statistics were reset, and how many of them needed no index entry.
    pub updated_rows: i64,
    pub hot_updated_rows: i64,
}

/// A logical replication slot of this database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalSlot {
    pub name: String,
    /// Somebody reads it now.
    pub active: bool,
    /// Bytes of WAL its reader has not confirmed.
    pub lag_bytes: i64,
}

/// What is replicated logically, beside what `LiveTable` knows of each table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalReplication {
    /// `wal_level = logical`: rows' old versions are written to the WAL for replication.
    pub enabled: bool,
    pub slots: Vec<LogicalSlot>,
}

impl Session {
    /// Number of the file that holds a relation's heap. Another one than before: the table was rewritten (VACUUM FULL, CLUSTER, TRUNCATE,
    /// ALTER TABLE), and its rows are in other places. `DbErrorKind::Missing` when it is gone.
    pub fn file_of(&mut self, table: &LiveTable) -> Result<i64, DbError> {
        let sql = "SELECT coalesce(pg_relation_filenode(($1::text)::regclass)::bigint, 0)";
        Ok(self.client.query_one(sql, &[&table.sql_name])?.get(0))
    }

    /// What a relation weighs now.
    pub fn sizes(&mut self, table: &LiveTable) -> Result<Sizes, DbError> {
        let row = self.client.query_one(
            "SELECT pg_relation_size(c.oid), coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0), pg_indexes_size(c.oid),
                coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0), coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_hot_upd, 0)
             FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE c.oid = ($1::text)::regclass",
            &[&table.sql_name],
        )?;
        Ok(Sizes {
            heap_bytes: row.get(0),
            toast_bytes: row.get(1),
            index_bytes: row.get(2),
            live_rows: row.get(3),
            dead_rows: row.get(4),
            updated_rows: row.get(5),
            hot_updated_rows: row.get(6),
        })
    }

    /// Logical slots of this database and whether logical replication is on at all.
    pub fn logical_replication(&mut self) -> Result<LogicalReplication, DbError> {
        let level: String = self.client.query_one("SELECT current_setting('wal_level')", &[])?.get(0);
        let rows = self.client.query(
            "SELECT slot_name::text, active, greatest(0, pg_wal_lsn_diff(
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                coalesce(confirmed_flush_lsn, restart_lsn)))::bigint
             FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database() ORDER BY 1",
            &[],
        )?;
        let slot = |row: &postgres::Row| LogicalSlot {
            name: row.get(0),
            active: row.get(1),
            lag_bytes: row.get::<_, Option<i64>>(2).unwrap_or(0),
        };
        Ok(LogicalReplication { enabled: level == "logical", slots: rows.iter().map(slot).collect() })
    }

    /// Why PostgreSQL would refuse every UPDATE of the sealed columns, whatever the row: asked by planning one that is not run.
    pub fn refuses_updates(&mut self, table: &LiveTable) -> Result<Option<String>, DbError> {
        let sets: Vec<String> = table.columns.iter().map(|c| format!("{0} = t.{0}", ident(&c.name))).collect();
        let sql = format!("EXPLAIN UPDATE {} AS t SET {} WHERE false RETURNING 1", table.only(), sets.join(", "));
        match self.client.query(&sql, &[]) {
            Ok(_) => Ok(None),
            Err(error) => {
                let error = DbError::from(error);
                // 55000: published, but without a replica identity; 42P10: the publication's filter or columns need another one.
                match error.sqlstate.as_deref() {
                    Some("55000" | "42P10" | "0A000" | "428C9") => Ok(Some(error.message)),
                    _ => Err(error),
                }
            }
        }
    }
}
