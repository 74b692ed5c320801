//! Readings that slow a move down. Each is one short statement in a read-only transaction of its own, bounded to a second.

use super::{DbError, DbErrorKind, Session};

/// How long a reading may take.
const LIMITS: &str = "SET LOCAL statement_timeout = '1s'";

impl Session {
    /// Replay lag of the slowest replica in seconds; 0 without replicas. An error where this role may not see it.
    pub fn replica_lag(&mut self) -> Result<f64, DbError> {
        let mut t = self.client.build_transaction().read_only(true).start()?;
        t.batch_execute(LIMITS)?;
        let row = t.query_one(
            "SELECT count(*) FILTER (WHERE state IS NULL), coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 FROM pg_stat_replication",
            &[],
        )?;
        if row.get::<_, i64>(0) > 0 {
            return Err(hidden("pg_stat_replication"));
        }
        Ok(row.get(1))
    }

    /// Client sessions of this database that run a statement now, but ours.
    pub fn active_sessions(&mut self) -> Result<i64, DbError> {
        let mut t = self.client.build_transaction().read_only(true).start()?;
        t.batch_execute(LIMITS)?;
        let row = t.query_one(
            "SELECT count(*) FILTER (WHERE state IS NULL), count(*) FILTER (WHERE state = 'active') FROM pg_stat_activity
             WHERE datname = current_database() AND (backend_type = 'client backend' OR backend_type IS NULL) AND usesysid IS NOT NULL AND application_name <> 'scrybe-keys'
               AND pid <> pg_backend_pid()",
            &[],
        )?;
        if row.get::<_, i64>(0) > 0 {
            return Err(hidden("pg_stat_activity"));
        }
        Ok(row.get(1))
    }

    /// The operator's own question: true when the first column of its first row is true or greater than zero.
    pub fn throttle_query(&mut self, sql: &str) -> Result<bool, DbError> {
        let mut t = self.client.build_transaction().read_only(true).start()?;
        t.batch_execute(LIMITS)?;
        // The question is the operator's text; as JSON its answer is read whatever its type.
        let sql = format!("SELECT row_to_json(q)::text FROM ({}) AS q LIMIT 1", sql.trim_end().trim_end_matches(';'));
        let Some(row) = t.query_opt(&sql, &[])? else { return Ok(false) };
        let answer: serde_json::Value = serde_json::from_str(row.get(0)).unwrap_or_default();
        let first = answer.as_object().and_then(|fields| fields.values().next());
        Ok(first.is_some_and(|value| value.as_bool() == Some(true) || value.as_f64().is_some_and(|n| n > 0.0)))
    }
}

fn hidden(view: &str) -> DbError {
    let message = format!("{view} hides other roles' sessions from this one: GRANT pg_read_all_stats");
    DbError { kind: DbErrorKind::Denied, sqlstate: None, message }
}
