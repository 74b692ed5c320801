//! What no organization's part could pass: missing privileges, row security, UPDATE triggers. Read-only, before anything is changed.

use crate::app::App;
use crate::db::catalog::Catalog;
use crate::db::{Need, Session};
use crate::error::Failure;
use crate::exit::Exit;

/// What no organization's part could pass: triggers, row security, privileges.
pub fn check(
    app: &App,
    session: &mut Session,
    catalog: &Catalog,
    need: Need,
    allow_triggers: bool,
) -> Result<(), Failure> {
    let missing = session.missing_privileges(&app.settings.map.value, need)?;
    if !missing.is_empty() {
        let mut failure = Failure::new(
            Exit::Denied,
            "missing-privileges",
            format!("this role lacks {} privileges; nothing was changed", missing.len()),
        );
        failure.hints = missing.iter().map(|g| format!("{} -- {}", g.sql, g.why)).collect();
        return Err(failure);
    }
    if let Some(name) = session.row_secured(&catalog.schema)?.first() {
        return Err(Failure::new(
            Exit::Denied,
            "row-security",
            format!("row-level security on table {} hides rows from this role: cells would be left behind", name),
        )
        .hint("run as a role with BYPASSRLS, or as the table's owner without FORCE ROW LEVEL SECURITY"));
    }
    if !allow_triggers && let Some(live) = catalog.tables.iter().find(|t| !t.update_triggers.is_empty()) {
        let names = live.update_triggers.join(", ");
        return Err(Failure::conflict(
            "update-trigger",
            format!("table {} has triggers that fire on UPDATE ({names}): a move must not change anything but sealed columns", live.name),
        )
        .hint(format!("ALTER TABLE {} DISABLE TRIGGER … for the time of the job", live.sql_name))
        .hint("or, when they are harmless, --allow-triggers"));
    }
    Ok(())
}
