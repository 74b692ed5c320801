//! Reading and rewriting sealed columns. Only the sealed columns are ever written, by id **and** `xmin` (a concurrent
//! application write always wins), in the transaction that also proves the target current and counts the batch.
//!
//! A chunk is read in two steps: its *window* (ids, heap places and sizes, no values; memory bounded by the chunk) and then
//! batches of values by id, cut by rows and bytes. `ctid` only orders and speeds up the join; it never identifies a row.

use super::catalog::LiveTable;
use super::{DbError, Session, ident};
use crate::core::data_map::{ColumnKind, DataMap};
use crate::core::ids::{DekId, OrgId};
use crate::db::jobs::ChunkKey;
use postgres::types::Type;
use postgres::{Statement, Transaction};
use std::time::Duration;

/// Which rows of a table: keys (lower, upper], heap blocks [from, to) of one file, both open at `None`, or rows by id.
#[derive(Clone, Debug)]
pub enum Rows {
    Range { lower: Option<String>, upper: Option<String> },
    Blocks { from: i64, to: Option<i64>, file: i64 },
    Ids(Vec<String>),
}

/// A row of a window: its id, where it lies, and the bytes its sealed columns take.
#[derive(Clone, Debug)]
pub struct Place {
    /// The row's name, as `Key` makes it.
    pub id: String,
    /// Heap block and line, for ordering.
    pub block: i64,
    pub line: i32,
    pub bytes: i64,
}

/// A row with its sealed columns, as read.
pub struct ReadRow {
    pub id: String,
    ctid: String,
    xmin: String,
    /// In the table's column order; cast to text.
    pub values: Vec<Option<String>>,
}

/// A row to write: which one, and its new envelopes (`None` keeps the column).
pub struct NewRow {
    pub read: ReadRow,
    pub envelopes: Vec<Option<String>>,
}

/// One open batch transaction.
pub struct Batch<'s> {
    transaction: Transaction<'s>,
    table: &'s LiveTable,
}

/// How a batch finds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By heap place, past every index.
    Place,
    /// Through the key's index, wherever the row is now.
    Key,
    /// By reading the heap blocks between the first place and the last. The server prunes a page that is read so, or that an index brings it to;
    /// one that is looked up by place it does not. This is what makes coming back to a page cheap, and it costs no descent of an index.
    Blocks,
    /// By place, leaving out rows that somebody else has locked.
    Unlocked,
}

/// Whether the target is what the application seals with now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    Current,
    Superseded,
}

/// `true` SQL that says: column is this organization, parameter `$n`.
pub(super) fn is_organization(table: &LiveTable, parameter: usize) -> String {
    format!("{} = (${parameter}::text)::{}", table.organization.expression, table.organization.type_name)
}

impl Session {
    /// Keys that cut an organization's rows of a table into chunks of `rows` rows, in key order.
    pub fn chunk_bounds(
        &mut self,
        table: &LiveTable,
        organization: &OrgId,
        rows: i64,
    ) -> Result<(i64, Vec<String>), DbError> {
        let (name, columns, order) = (table.key.numbered_name(), table.key.numbered(), table.key.order());
        let sql = format!(
            "SELECT {name}, s.n = s.total AS last, s.total FROM (
               SELECT {columns}, row_number() OVER (ORDER BY {order}) AS n, count(*) OVER () AS total FROM {} WHERE {}
             ) s WHERE s.n % $2 = 0 OR s.n = s.total ORDER BY s.n",
            table.from(),
            is_organization(table, 1)
        );
        let found = self.client.query(&sql, &[&organization.as_str(), &rows])?;
        let total = found.first().map_or(0, |row| row.get::<_, i64>(2));
        Ok((total, found.iter().filter(|row| !row.get::<_, bool>(1)).map(|row| row.get(0)).collect()))
    }

    /// Heap blocks of a table now.
    pub fn blocks_of(&mut self, table: &LiveTable) -> Result<i64, DbError> {
        let sql = "SELECT pg_relation_size(($1::text)::regclass) / current_setting('block_size')::bigint";
        Ok(self.client.query_one(sql, &[&table.sql_name])?.get(0))
    }

    /// Rows of an organization in a table.
    pub fn rows_of(&mut self, table: &LiveTable, organization: &OrgId) -> Result<i64, DbError> {
        let sql = format!("SELECT count(*) FROM {} WHERE {}", table.from(), is_organization(table, 1));
        Ok(self.client.query_one(&sql, &[&organization.as_str()])?.get(0))
    }

    /// Ids, places and sizes of a chunk's rows, in heap order.
    pub fn window(&mut self, table: &LiveTable, organization: &OrgId, rows: &Rows) -> Result<Vec<Place>, DbError> {
        let key = &table.key;
        let bytes: Vec<String> =
            table.columns.iter().map(|c| format!("coalesce(pg_column_size(t.{}), 0)", ident(&c.name))).collect();
        let above = |n: usize| key.compares(">", &format!("(${n}::text)"));
        let up_to = |n: usize| key.compares("<=", &format!("(${n}::text)"));
        let (condition, parameters): (String, Vec<&(dyn postgres::types::ToSql + Sync)>) = match rows {
            Rows::Range { lower: Some(l), upper: Some(u) } => (format!("{} AND {}", above(2), up_to(3)), vec![l, u]),
            Rows::Range { lower: Some(l), upper: None } => (above(2), vec![l]),
            Rows::Range { lower: None, upper: Some(u) } => (up_to(2), vec![u]),
            Rows::Range { lower: None, upper: None } => ("true".to_owned(), vec![]),
            Rows::Blocks { from, to, .. } => {
                let to = to.map_or(String::new(), |to| format!(" AND t.ctid < '({to},0)'"));
                (format!("t.ctid >= '({from},0)'{to}"), vec![])
            }
            Rows::Ids(ids) => (key.among("$2::text[]"), vec![ids]),
        };
        let sql = format!(
            "SELECT {}, t.ctid::text, ({})::bigint FROM {} WHERE {} AND {condition}",
            key.name(),
            bytes.join(" + "),
            table.from(),
            is_organization(table, 1)
        );
        let organization = organization.as_str();
        let mut all: Vec<&(dyn postgres::types::ToSql + Sync)> = vec![&organization];
        all.extend(parameters);
        let mut places = found(self.client.query(&sql, &all)?);
        if let Rows::Ids(ids) = rows
            && places.len() < ids.len()
        {
            // Rows that a sequential read named and the index does not find: removed meanwhile, or the index is damaged.
            let mut t = self.client.transaction()?;
            t.batch_execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off")?;
            places = found(t.query(&sql, &all)?);
            t.rollback()?;
        }
        places.sort_unstable_by_key(|p| (p.block, p.line));
        Ok(places)
    }

    /// Some rows of an organization that hold something like an envelope, columns cast to text.
    pub fn sample_rows(
        &mut self,
        table: &LiveTable,
        organization: &OrgId,
        rows: i64,
    ) -> Result<Vec<Vec<Option<String>>>, DbError> {
        let columns: Vec<String> = table.columns.iter().map(|c| format!("t.{}::text", ident(&c.name))).collect();
        let present: Vec<String> = table
            .columns
            .iter()
            .map(|c| format!("t.{0}::text LIKE 'enc:%' OR t.{0}::text LIKE '\"enc:%'", ident(&c.name)))
            .collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE {} AND ({}) LIMIT $2",
            columns.join(", "),
            table.from(),
            is_organization(table, 1),
            present.join(" OR ")
        );
        let found = self.client.query(&sql, &[&organization.as_str(), &rows])?;
        Ok(found.iter().map(|row| (0..table.columns.len()).map(|n| row.get(n)).collect()).collect())
    }

    /// Rows, and values in sealed columns, per organization of a table.
    pub fn rows_by_organization(&mut self, table: &LiveTable) -> Result<Vec<(Option<String>, i64, i64)>, DbError> {
        let columns: Vec<String> = table.columns.iter().map(|c| format!("t.{}", ident(&c.name))).collect();
        let sql = format!(
            "SELECT {}::text, count(*), sum(num_nonnulls({}))::bigint FROM {} GROUP BY 1",
            table.organization.expression,
            columns.join(", "),
            table.from()
        );
        Ok(self.client.query(&sql, &[])?.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    /// Opens a batch transaction.
    pub fn batch<'s>(&'s mut self, table: &'s LiveTable) -> Result<Batch<'s>, DbError> {
        Ok(Batch { transaction: self.client.transaction()?, table })
    }

    /// Statements of a table's batches, prepared once per connection.
    pub fn prepare_batches(&mut self, map: &DataMap, table: &LiveTable) -> Result<BatchStatements, DbError> {
        let d = &map.deks;
        let deks = super::table(&map.schema, &d.table);
        let (id, org, version, active) = (ident(&d.id), ident(&d.organization), ident(&d.version), ident(&d.active));
        let target = self.client.prepare(&format!(
            "SELECT k.{active} AND NOT EXISTS (SELECT FROM {deks} h WHERE h.{org} = k.{org} AND h.{active} AND h.{version} >= k.{version} AND h.{id} <> k.{id})
             FROM {deks} k WHERE k.{id}::text = $1 FOR SHARE OF k"
        ))?;
        let columns: Vec<String> = table.columns.iter().map(|c| format!("t.{}::text", ident(&c.name))).collect();
        let by_place = format!(
            "SELECT {}, t.ctid::text, t.xmin::text, {} FROM unnest($1::text[], $2::text[]) AS u(id, place)
             JOIN {} AS t ON t.ctid = u.place::tid AND {}",
            table.key.name(),
            columns.join(", "),
            table.only(),
            table.key.is("u.id"),
        );
        let read = self.client.prepare(&by_place)?;
        let read_unlocked = self.client.prepare(&format!("{by_place} FOR NO KEY UPDATE OF t SKIP LOCKED"))?;
        let read_by_key = self.client.prepare(&by_place.replace("t.ctid = u.place::tid AND ", ""))?;
        // The collation keeps the key's index out of it.
        let read_blocks = format!(
            "SELECT {name}, t.ctid::text, t.xmin::text, {} FROM {} AS t WHERE ({name}) COLLATE \"C\" = ANY ($1)",
            columns.join(", "),
            table.only(),
            name = table.key.name(),
        );
        let sets: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(n, c)| {
                let column = ident(&c.name);
                let value = match c.kind {
                    ColumnKind::Text => format!("u.c{n}"),
                    ColumnKind::Jsonb => format!("to_jsonb(u.c{n})"),
                };
                if table.columns.len() == 1 {
                    format!("{column} = {value}")
                } else {
                    format!("{column} = coalesce({value}, t.{column})")
                }
            })
            .collect();
        let names: Vec<String> = (0..table.columns.len()).map(|n| format!("c{n}")).collect();
        let arrays: Vec<String> = (0..table.columns.len()).map(|n| format!("${}::text[]", n + 4)).collect();
        let write = self.client.prepare(&format!(
            "UPDATE {} AS t SET {} FROM unnest($1::text[], $2::text[], $3::text[], {}) WITH ORDINALITY AS u(id, place, version, {}, n)
             WHERE t.ctid = u.place::tid AND {} AND t.xmin = u.version::xid RETURNING u.n",
            table.only(),
            sets.join(", "),
            arrays.join(", "),
            names.join(", "),
            table.key.is("u.id")
        ))?;
        let count = self.client.prepare(
            "WITH wrote AS (INSERT INTO scrybe_keys.job_write (job_id, xid) SELECT $1, pg_current_xact_id()::xid WHERE $5::bigint > 0)
             UPDATE scrybe_keys.job_chunk SET rows_visited = rows_visited + $4, cells_moved = cells_moved + $5,
                bytes_moved = bytes_moved + $6, done = $7, rows_skipped = rows_skipped + $9,
                lease_until = clock_timestamp() + make_interval(secs => $10),
                dark_cell_seconds = dark_cell_seconds + $5 * coalesce((SELECT extract(epoch FROM clock_timestamp() - o.flipped_at)::float8
                    FROM scrybe_keys.job_organization o WHERE o.job_id = job_chunk.job_id AND o.organization_id = job_chunk.organization_id
                      AND o.flipped_at IS NOT NULL AND NOT job_chunk.late), 0)
             WHERE job_id = $1 AND organization_id = $2 AND chunk = $3 AND fence = $8",
        )?;
        Ok(BatchStatements { target, read, read_unlocked, read_by_key, read_blocks, write, count })
    }
}

/// Prepared statements of one table on one connection.
pub struct BatchStatements {
    target: Statement,
    read: Statement,
    read_unlocked: Statement,
    read_by_key: Statement,
    /// SQL to which the blocks are added.
    read_blocks: String,
    write: Statement,
    count: Statement,
}

/// What a batch adds to its chunk.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchCount {
    pub rows: i64,
    pub cells: i64,
    pub bytes: i64,
    /// Rows stepped over because somebody had locked them.
    pub skipped: i64,
    /// The chunk's last batch.
    pub done: bool,
}

impl<'s> Batch<'s> {
    /// A batch inside somebody's transaction: a savepoint.
    pub(super) fn inside(transaction: &'s mut Transaction<'_>, table: &'s LiveTable) -> Result<Batch<'s>, DbError> {
        Ok(Batch { transaction: transaction.transaction()?, table })
    }
}

impl Batch<'_> {
    /// Locks the target's DEK row against a flip until commit and says whether it is still what the application seals with.
    pub fn target(&mut self, statements: &BatchStatements, target: &DekId) -> Result<TargetState, DbError> {
        let row = self.transaction.query_opt(&statements.target, &[&target.as_str()])?;
        let current = row.is_some_and(|row| row.get::<_, Option<bool>>(0) == Some(true));
        Ok(if current { TargetState::Current } else { TargetState::Superseded })
    }

    /// Reads rows by place and id, values cast to text. A row that was moved or removed since its window is left to settling; so is,
    /// with `Lookup::Unlocked`, one that somebody else has locked.
    pub fn read(
        &mut self,
        statements: &BatchStatements,
        places: &[&Place],
        lookup: Lookup,
    ) -> Result<Vec<ReadRow>, DbError> {
        let ids: Vec<&str> = places.iter().map(|p| p.id.as_str()).collect();
        let tids: Vec<String> = places.iter().map(|p| format!("({},{})", p.block, p.line)).collect();
        let statement = match lookup {
            Lookup::Place => &statements.read,
            Lookup::Key => &statements.read_by_key,
            Lookup::Unlocked => &statements.read_unlocked,
            Lookup::Blocks => return self.read_blocks(statements, places, &ids),
        };
        let rows = self.transaction.query(statement, &[&ids, &tids])?;
        Ok(self.rows_read(rows))
    }

    /// Planned anew each time: only then the server hashes the names it looks for.
    fn read_blocks(
        &mut self,
        statements: &BatchStatements,
        places: &[&Place],
        ids: &[&str],
    ) -> Result<Vec<ReadRow>, DbError> {
        let blocks = || places.iter().map(|place| place.block);
        let (Some(first), Some(last)) = (blocks().min(), blocks().max()) else { return Ok(Vec::new()) };
        let sql = format!("{} AND t.ctid >= '({first},0)' AND t.ctid < '({},0)'", statements.read_blocks, last + 1);
        let rows = self.transaction.query_typed(&sql, &[(&ids, Type::TEXT_ARRAY)])?;
        Ok(self.rows_read(rows))
    }

    fn rows_read(&self, rows: Vec<postgres::Row>) -> Vec<ReadRow> {
        let columns = self.table.columns.len();
        rows.into_iter()
            .map(|row| ReadRow {
                id: row.get(0),
                ctid: row.get(1),
                xmin: row.get(2),
                values: (0..columns).map(|n| row.get(n + 3)).collect(),
            })
            .collect()
    }

    /// Writes envelopes by id and `xmin`; returns the positions in `rows` that were written. The others were changed by somebody else.
    pub fn write(&mut self, statements: &BatchStatements, rows: &[NewRow]) -> Result<Vec<usize>, DbError> {
        let ids: Vec<&str> = rows.iter().map(|r| r.read.id.as_str()).collect();
        let places: Vec<&str> = rows.iter().map(|r| r.read.ctid.as_str()).collect();
        let versions: Vec<&str> = rows.iter().map(|r| r.read.xmin.as_str()).collect();
        let columns: Vec<Vec<Option<&str>>> =
            (0..self.table.columns.len()).map(|n| rows.iter().map(|r| r.envelopes[n].as_deref()).collect()).collect();
        let mut parameters: Vec<&(dyn postgres::types::ToSql + Sync)> = vec![&ids, &places, &versions];
        parameters.extend(columns.iter().map(|c| c as &(dyn postgres::types::ToSql + Sync)));
        let written = self.transaction.query(&statements.write, &parameters)?;
        Ok(written.iter().map(|row| row.get::<_, i64>(0) as usize - 1).collect())
    }

    /// Names a cell that does not open, or (`refused`) whose new value the database does not take. The same cell is named once per job.
    pub fn quarantine(
        &mut self,
        key: &ChunkKey,
        column: &str,
        row: &str,
        reason: &str,
        refused: bool,
    ) -> Result<(), DbError> {
        self.transaction.execute(
            "INSERT INTO scrybe_keys.quarantine (job_id, organization_id, table_name, column_name, row_id, reason, refused)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id, table_name, column_name, row_id)
             DO UPDATE SET reason = excluded.reason, refused = excluded.refused, found_at = clock_timestamp()",
            &[&key.job, &key.organization.as_str(), &self.table.name, &column, &row, &reason, &refused],
        )?;
        Ok(())
    }

    /// Adds to the chunk's counters, holds it for `lease` more, and notes this transaction as one that wrote. False when the chunk was
    /// claimed by somebody else meanwhile: the batch must not be committed.
    pub fn count(
        &mut self,
        statements: &BatchStatements,
        key: &ChunkKey,
        count: BatchCount,
        lease: Duration,
    ) -> Result<bool, DbError> {
        let counted = self.transaction.execute(
            &statements.count,
            &[
                &key.job,
                &key.organization.as_str(),
                &key.chunk,
                &count.rows,
                &count.cells,
                &count.bytes,
                &count.done,
                &key.fence,
                &count.skipped,
                &lease.as_secs_f64(),
            ],
        )?;
        Ok(counted == 1)
    }

    /// Makes the batch durable.
    pub fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit()?)
    }
}

fn found(rows: Vec<postgres::Row>) -> Vec<Place> {
    let place = |row: &postgres::Row| {
        let (block, line) = place(row.get(1));
        Place { id: row.get(0), block, line, bytes: row.get(2) }
    };
    rows.iter().map(place).collect()
}

fn place(ctid: &str) -> (i64, i32) {
    let (block, line) = ctid.trim_matches(['(', ')']).split_once(',').unwrap_or(("0", "0"));
    (block.parse().unwrap_or(0), line.parse().unwrap_or(0))
}
