//! What no organization's part could pass, and what the operator should know before saying yes. Read-only, before anything is changed.
//!
//! Refused: missing privileges, row security, UPDATE triggers, tables that PostgreSQL lets nobody update. Warned about: what the move will
//! cost those who read the database's changes (logical replication), with an estimate of the WAL. Next: `ops::rotation`.

use crate::app::App;
use crate::core::problem::{Problem, Severity};
use crate::db::catalog::{Catalog, LiveTable, ReplicaIdentity};
use crate::db::{Need, Session};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::{BTreeMap, BTreeSet};

/// Refuses what no organization's part could pass; returns what is worth knowing.
pub fn check(
    app: &App,
    session: &mut Session,
    catalog: &Catalog,
    need: Need,
    allow_triggers: bool,
) -> Result<Vec<Problem>, Failure> {
    privileges(app, session, need)?;
    if let Some(name) = session.row_secured(catalog)?.first() {
        return Err(Failure::new(
            Exit::Denied,
            "row-security",
            format!("row-level security on table {name} hides rows from this role: cells would be left behind"),
        )
        .hint("run as a role with BYPASSRLS, or as the table's owner without FORCE ROW LEVEL SECURITY"));
    }
    if !allow_triggers && let Some(live) = catalog.tables.iter().find(|t| !t.update_triggers.is_empty()) {
        let names = live.update_triggers.join(", ");
        return Err(Failure::conflict(
            "update-trigger",
            format!("table {} has triggers that fire on UPDATE ({names}): a move must not change anything but sealed columns", live.relation),
        )
        .hint(format!("ALTER TABLE {} DISABLE TRIGGER … for the time of the job", live.sql_name))
        .hint("or, when they are harmless, --allow-triggers"));
    }
    for live in &catalog.tables {
        if let Some(why) = session.refuses_updates(live)? {
            return Err(Failure::conflict(
                "updates-refused",
                format!("PostgreSQL refuses to update table {}: {why}", live.relation),
            )
            .hint(format!(
                "a published table needs a replica identity: ALTER TABLE {} REPLICA IDENTITY USING INDEX …",
                live.sql_name
            ))
            .hint(format!(
                "what is published: SELECT * FROM pg_publication_tables WHERE tablename = '{}'",
                live.name
            )));
        }
    }
    let mut problems = replication(session, catalog)?;
    problems.extend(computed(catalog));
    Ok(problems)
}

/// Refuses a role that may not do what is needed, with the GRANTs to run.
pub fn privileges(app: &App, session: &mut Session, need: Need) -> Result<(), Failure> {
    let missing = session.missing_privileges(&app.settings.map.value, need)?;
    if missing.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        Exit::Denied,
        "missing-privileges",
        format!("this role lacks {} privileges; nothing was changed", missing.len()),
    );
    failure.hints = missing.iter().map(|g| format!("{} -- {}", g.sql, g.why)).collect();
    Err(failure)
}

/// What is read out of the WAL grows with every row that moves.
fn replication(session: &mut Session, catalog: &Catalog) -> Result<Vec<Problem>, Failure> {
    let logical = session.logical_replication()?;
    let mut by_name: BTreeMap<&str, Vec<&LiveTable>> = BTreeMap::new();
    for live in &catalog.tables {
        by_name.entry(&live.name).or_default().push(live);
    }
    // Without logical replication nothing more is written for it.
    let severity = if logical.enabled { Severity::Warning } else { Severity::Info };
    let mut problems = Vec::new();
    let mut whole = 0;
    for (name, heaps) in by_name {
        let full: Vec<&&LiveTable> = heaps.iter().filter(|t| t.replica_identity == ReplicaIdentity::Full).collect();
        let old_rows = if logical.enabled { full.iter().map(|t| t.bytes).sum() } else { 0 };
        let wal = heaps.iter().map(|t| wal_of(t)).sum::<i64>() + old_rows;
        whole += wal;
        if let Some(first) = full.first() {
            let message = if logical.enabled {
                format!(
                    "REPLICA IDENTITY FULL: every row that moves is written to the WAL in its old form too; the whole table is about {} of WAL, {} of it old rows",
                    bytes(wal),
                    bytes(old_rows)
                )
            } else {
                "REPLICA IDENTITY FULL, which costs nothing while wal_level is not logical".to_owned()
            };
            let hint = format!("where nobody needs it: ALTER TABLE {} REPLICA IDENTITY DEFAULT", first.sql_name);
            problems.push(Problem::new(severity, "replica-identity-full", name, message, hint));
        }
        let publications: BTreeSet<&str> = heaps.iter().flat_map(|t| &t.publications).map(String::as_str).collect();
        if !publications.is_empty() {
            let list = publications.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!(
                "published by {list}: subscribers get every row that moves, the whole table is about {} of WAL",
                bytes(wal)
            );
            let hint =
                "watch how far subscribers are behind: SELECT application_name, replay_lag FROM pg_stat_replication";
            problems.push(Problem::new(severity, "published-table", name, message, hint));
        }
    }
    for slot in &logical.slots {
        let (state, hint) = if slot.active {
            ("read by somebody", "watch it: SELECT slot_name, confirmed_flush_lsn FROM pg_replication_slots".to_owned())
        } else {
            (
                "read by nobody",
                format!(
                    "bring its reader back, or where there is none any more: SELECT pg_drop_replication_slot('{}')",
                    slot.name.replace('\'', "''")
                ),
            )
        };
        let message = format!(
            "logical replication slot, {state}, {} behind: WAL is kept for it, up to {} more when every mapped table moves whole",
            bytes(slot.lag_bytes),
            bytes(whole)
        );
        problems.push(Problem::new(Severity::Warning, "logical-slot", slot.name.as_str(), message, hint));
    }
    Ok(problems)
}

/// Stored generated columns of sealed ones change with them, though nobody writes them.
fn computed(catalog: &Catalog) -> Vec<Problem> {
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for live in catalog.tables.iter().filter(|t| !t.computed.is_empty()) {
        by_name.entry(&live.name).or_default().extend(live.computed.iter().map(String::as_str));
    }
    let note = |(name, columns): (&str, BTreeSet<&str>)| {
        let list = columns.into_iter().collect::<Vec<_>>().join(", ");
        Problem::new(
            Severity::Info,
            "generated-from-sealed",
            name,
            format!("PostgreSQL computes {list} from a sealed column, and anew for every row that moves"),
            format!(
                "look at them: SELECT column_name, generation_expression FROM information_schema.columns WHERE table_name = '{name}'"
            ),
        )
    };
    by_name.into_iter().map(note).collect()
}

/// WAL that moving a whole table writes: every row once more, and an image of every page, heap and TOAST, that is touched first after a
/// checkpoint (the old values of a TOAST page are marked dead there). Index entries come on top where an update is not HOT.
fn wal_of(live: &LiveTable) -> i64 {
    2 * live.bytes
}

/// `4.1 GB`, in powers of a thousand.
fn bytes(number: i64) -> String {
    let (mut value, mut unit) = (number as f64, "bytes");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "bytes" { format!("{number} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_said_in_thousands() {
        let said: Vec<String> = [0, 999, 1000, 2_440_000, 4_100_000_000_000_000].into_iter().map(bytes).collect();
        assert_eq!(said, ["0 bytes", "999 bytes", "1.0 kB", "2.4 MB", "4100.0 TB"]);
    }
}
