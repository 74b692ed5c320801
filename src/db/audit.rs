//! The audit chain's tables: appended through `audit_append` only, read in pages.
//! Each append is its own transaction with `synchronous_commit = on`; nothing here runs inside somebody else's.

use super::Session;
use super::error::DbError;
use crate::core::chain::Record;
use postgres::{GenericClient, IsolationLevel, Row};
use uuid::Uuid;

/// What a client says in one record; time, number, database user and hashes come from the server.
pub struct Entry<'a> {
    pub event: &'a str,
    /// `intent`, `outcome` or `note`.
    pub phase: &'a str,
    pub intent_id: Option<Uuid>,
    pub run_id: Uuid,
    pub actor: &'a str,
    pub subject: &'a str,
    /// Compact JSON without line breaks.
    pub body: &'a str,
}

/// Which records to read.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At most so many.
    pub limit: i64,
    /// Organization that is the subject or stands in the body as `organization`.
    pub organization: Option<String>,
    pub event: Option<String>,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
}

const PAGE: i64 = 1000;
const COLUMNS: &str = "seq, round(extract(epoch FROM at) * 1000000)::bigint, event, phase, intent_id, run_id, db_user, actor, \
                       subject, body, previous_hash, hash";

impl Session {
    /// Makes every later commit of this session wait for the disk, whatever the server's default is.
    pub fn commit_durably(&mut self) -> Result<(), DbError> {
        Ok(self.client.batch_execute("SET synchronous_commit = on")?)
    }

    /// Appends one record. Returns its number and hash.
    pub fn audit_append(&mut self, entry: &Entry<'_>) -> Result<(i64, String), DbError> {
        let row = self.client.query_one(
            "SELECT seq, hash FROM scrybe_keys.audit_append($1, $2, $3, $4, $5, $6, $7)",
            &[&entry.event, &entry.phase, &entry.intent_id, &entry.run_id, &entry.actor, &entry.subject, &entry.body],
        )?;
        Ok((row.get(0), row.get(1)))
    }

    /// True when the chain has this phase of this intent: the question after an append whose answer was lost.
    pub fn audit_has(&mut self, intent: Uuid, phase: &str) -> Result<bool, DbError> {
        let sql = "SELECT EXISTS (SELECT FROM scrybe_keys.audit WHERE intent_id = $1 AND phase = $2)";
        Ok(self.client.query_one(sql, &[&intent, &phase])?.get(0))
    }

    /// Number and hash that the head holds; `None` when the head itself is gone.
    pub fn audit_head(&mut self) -> Result<Option<(i64, String)>, DbError> {
        head(&mut self.client)
    }

    /// Shows every record to `visit` in order, page by page, until it says stop (`false`). Returns the head of the same
    /// moment: one snapshot, so that appends meanwhile do not look like a break.
    pub fn audit_walk(&mut self, mut visit: impl FnMut(Record) -> bool) -> Result<Option<(i64, String)>, DbError> {
        let mut transaction =
            self.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start()?;
        let head = head(&mut transaction)?;
        let sql = format!("SELECT {COLUMNS} FROM scrybe_keys.audit WHERE seq > $1 ORDER BY seq LIMIT {PAGE}");
        let mut after = i64::MIN;
        'pages: loop {
            let rows = transaction.query(&sql, &[&after])?;
            for row in &rows {
                let record = record(row);
                after = record.seq;
                if !visit(record) {
                    break 'pages;
                }
            }
            if (rows.len() as i64) < PAGE {
                break;
            }
        }
        transaction.rollback()?;
        Ok(head)
    }

    /// Records by filter, newest first unless asked otherwise.
    pub fn audit_log(&mut self, filter: &Filter) -> Result<Vec<Record>, DbError> {
        let direction = if filter.oldest_first { "ASC" } else { "DESC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM scrybe_keys.audit WHERE ($1::text IS NULL OR event = $1) \
             AND ($2::text IS NULL OR subject = $2 OR position($3 IN body) > 0) ORDER BY seq {direction} LIMIT $4"
        );
        let quoted = filter.organization.as_ref().map(|o| serde_json::Value::from(o.as_str()).to_string());
        let needle = format!("\"organization\":{}", quoted.unwrap_or_default());
        let rows = self.client.query(&sql, &[&filter.event, &filter.organization, &needle, &filter.limit])?;
        Ok(rows.iter().map(record).collect())
    }

    /// Intents without an outcome, oldest first: interrupted, or still under way.
    pub fn open_intents(&mut self) -> Result<Vec<Record>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM scrybe_keys.audit i WHERE phase = 'intent' AND NOT EXISTS \
             (SELECT FROM scrybe_keys.audit o WHERE o.intent_id = i.intent_id AND o.phase = 'outcome') ORDER BY seq"
        );
        Ok(self.client.query(&sql, &[])?.iter().map(record).collect())
    }
}

fn head(client: &mut impl GenericClient) -> Result<Option<(i64, String)>, DbError> {
    let row = client.query_opt("SELECT seq, hash FROM scrybe_keys.audit_head", &[])?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

fn record(row: &Row) -> Record {
    Record {
        seq: row.get(0),
        at_micros: row.get(1),
        event: row.get(2),
        phase: row.get(3),
        intent_id: row.get(4),
        run_id: row.get(5),
        db_user: row.get(6),
        actor: row.get(7),
        subject: row.get(8),
        body: row.get(9),
        previous_hash: row.get(10),
        hash: row.get(11),
    }
}
