//! One organization's part of a job: its state in life order, what it moves toward, and the sums of its chunks.

use super::jobs::time;
use super::{DbError, Session};
use crate::core::ids::{DekId, KeyVersion, OrgId};
use jiff::Timestamp;
use uuid::Uuid;

/// Where an organization's part stands, in life order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartState {
    Pending,
    Moving,
    Moved,
    Settled,
    Refused,
    Superseded,
}

impl PartState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            PartState::Pending => "pending",
            PartState::Moving => "moving",
            PartState::Moved => "moved",
            PartState::Settled => "settled",
            PartState::Refused => "refused",
            PartState::Superseded => "superseded",
        }
    }

    fn parse(text: &str) -> PartState {
        match text {
            "moving" => PartState::Moving,
            "moved" => PartState::Moved,
            "settled" => PartState::Settled,
            "refused" => PartState::Refused,
            "superseded" => PartState::Superseded,
            _ => PartState::Pending,
        }
    }
}

/// One organization's part of a job, with its chunks' sums.
#[derive(Clone, Debug)]
pub struct Part {
    pub organization: OrgId,
    pub state: PartState,
    pub target: Option<(DekId, KeyVersion)>,
    pub previous: Option<(DekId, KeyVersion)>,
    pub flipped: bool,
    pub flipped_at: Option<Timestamp>,
    pub moved_at: Option<Timestamp>,
    pub settled_at: Option<Timestamp>,
    /// Oldest transaction open when the walk's chunks were cut, as a full transaction id.
    pub walk_basis: Option<i64>,
    pub rows_estimated: i64,
    pub rows_visited: i64,
    /// Rows that batches found moved, gone or locked.
    pub rows_skipped: i64,
    pub cells_moved: i64,
    pub cells_late: i64,
    pub bytes_moved: i64,
    pub dark_cell_seconds: f64,
    pub quarantined: i64,
    pub intent: Option<Uuid>,
    pub problem: Option<(String, String)>,
}

impl Part {
    /// Seconds from flip to the last cell moved by the walk; `None` while it lasts or where nothing was flipped.
    pub fn dark_seconds(&self) -> Option<f64> {
        let (flipped, moved) = (self.flipped_at?, self.moved_at?);
        self.flipped.then(|| (moved.as_microsecond() - flipped.as_microsecond()).max(0) as f64 / 1e6)
    }
}

impl Session {
    /// A job's organizations in order, with the sums of their chunks.
    pub fn job_parts(&mut self, id: Uuid) -> Result<Vec<Part>, DbError> {
        let micros = |column: &str| format!("(extract(epoch FROM o.{column}) * 1000000)::bigint");
        let sql = format!(
            "SELECT o.organization_id, o.state, o.target_dek, o.target_version, o.previous_dek, o.previous_version, o.flipped,
                {}, {}, {}, o.rows_estimated, o.intent_id, o.problem_code, o.problem,
                coalesce(s.rows_visited, 0)::bigint, coalesce(s.cells, 0)::bigint, coalesce(s.late, 0)::bigint,
                coalesce(s.bytes, 0)::bigint, coalesce(s.dark, 0)::float8,
                (SELECT count(*) FROM scrybe_keys.quarantine q WHERE q.job_id = o.job_id AND q.organization_id = o.organization_id),
                o.walk_basis, coalesce(s.skipped, 0)::bigint
             FROM scrybe_keys.job_organization o LEFT JOIN LATERAL (
                SELECT sum(c.rows_visited) AS rows_visited, sum(c.cells_moved) FILTER (WHERE NOT c.late) AS cells,
                       sum(c.cells_moved) FILTER (WHERE c.late) AS late, sum(c.bytes_moved) AS bytes, sum(c.dark_cell_seconds) AS dark,
                       sum(c.rows_skipped) AS skipped
                FROM scrybe_keys.job_chunk c WHERE c.job_id = o.job_id AND c.organization_id = o.organization_id) s ON true
             WHERE o.job_id = $1 ORDER BY o.ordinal",
            micros("flipped_at"),
            micros("moved_at"),
            micros("settled_at")
        );
        self.client.query(&sql, &[&id])?.iter().map(part).collect()
    }

    /// Puts an organization's part into a later state; moved and settled get their time.
    pub fn set_part(&mut self, id: Uuid, organization: &OrgId, state: PartState) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET state = $3,
                moved_at = CASE WHEN $3 = 'moved' THEN coalesce(moved_at, clock_timestamp()) ELSE moved_at END,
                settled_at = CASE WHEN $3 = 'settled' THEN clock_timestamp() ELSE settled_at END
             WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str(), &state.as_str()],
        )?;
        Ok(())
    }

    /// Ends an organization's part with the reason.
    pub fn refuse_part(
        &mut self,
        id: Uuid,
        organization: &OrgId,
        state: PartState,
        code: &str,
        problem: &str,
    ) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET state = $3, problem_code = $4, problem = $5 WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str(), &state.as_str(), &code, &problem],
        )?;
        Ok(())
    }

    /// Says that an organization's flip has been seen by others since now at the latest: cached keys are counted from here.
    pub fn flipped_now(&mut self, id: Uuid, organization: &OrgId) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET flipped_at = greatest(flipped_at, moment.now),
                moved_at = CASE WHEN moved_at = flipped_at THEN greatest(moved_at, moment.now) ELSE moved_at END
             FROM (SELECT clock_timestamp() AS now OFFSET 0) moment WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str()],
        )?;
        Ok(())
    }

    /// Keeps from which transaction on an organization's cells may have changed since they were read.
    pub fn keep_basis(&mut self, id: Uuid, organization: &OrgId, basis: i64) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET walk_basis = $3 WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str(), &basis],
        )?;
        Ok(())
    }

    /// Notes the audit intent an organization's flip runs under.
    pub fn part_intent(&mut self, id: Uuid, organization: &OrgId, intent: Uuid) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET intent_id = $3 WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str(), &intent],
        )?;
        Ok(())
    }
}

fn part(row: &postgres::Row) -> Result<Part, DbError> {
    let dek = |id: usize, version: usize| -> Option<(DekId, KeyVersion)> {
        Some((DekId::parse(row.get::<_, Option<&str>>(id)?).ok()?, KeyVersion(row.get::<_, Option<i32>>(version)?)))
    };
    Ok(Part {
        organization: super::deks::organization_id(row.get(0), "a job")?,
        state: PartState::parse(row.get(1)),
        target: dek(2, 3),
        previous: dek(4, 5),
        flipped: row.get(6),
        flipped_at: time(row, 7),
        moved_at: time(row, 8),
        settled_at: time(row, 9),
        rows_estimated: row.get(10),
        intent: row.get(11),
        problem: row
            .get::<_, Option<String>>(12)
            .map(|code| (code, row.get::<_, Option<String>>(13).unwrap_or_default())),
        rows_visited: row.get(14),
        cells_moved: row.get(15),
        cells_late: row.get(16),
        bytes_moved: row.get(17),
        dark_cell_seconds: row.get(18),
        quarantined: row.get(19),
        walk_basis: row.get(20),
        rows_skipped: row.get(21),
    })
}
