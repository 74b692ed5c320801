//! The end of a move to another key: the database is bound to it, in the same run, once every DEK is under it.
//!
//! Proven by our records of the very texts that the rows hold, read again while nobody can write the DEK table. A job that runs could still
//! make a DEK under the old key, so none may. From then on every verb refuses settings that name the old key.

use super::Target;
use super::applying::said;
use super::replacing::{reconnect, unknown};
use crate::app::App;
use crate::db::{DbError, DbErrorKind, Rebinding, Session, Unbound};
use crate::error::Failure;
use crate::ops::audit::{IntentId, Journal};
use crate::ops::binding::arn_part;
use crate::ops::crash;
use serde_json::json;

const EVENT: &str = "DATABASE_REBOUND";

/// How it ended: what was done, and what went wrong, perhaps only afterwards.
pub(super) struct Bound {
    pub done: bool,
    pub failure: Option<Failure>,
}

/// Binds the database to the target, or says why not. Intent and outcome are in the chain.
pub(super) fn rebind(
    app: &App,
    session: &mut Session,
    journal: &mut Journal,
    target: &Target,
    from: &str,
    reason: &str,
) -> Bound {
    let mut done = false;
    let failure = try_to(app, session, journal, (target, from, reason), &mut done).err();
    Bound { done, failure }
}

/// `done` is true as soon as the binding is known to be changed, whatever fails after that.
fn try_to(
    app: &App,
    session: &mut Session,
    journal: &mut Journal,
    (target, from, reason): (&Target, &str, &str),
    done: &mut bool,
) -> Result<(), Failure> {
    let map = &app.settings.map.value;
    let (rows, facts) = (session.all_dek_rows(map)?, session.dek_facts()?);
    let elsewhere: Vec<String> = rows
        .iter()
        .filter(|row| !row.is_dev())
        .filter(|row| {
            let known = facts.get(&row.id).filter(|facts| facts.speaks_of(row));
            known.and_then(|facts| facts.key_arn.as_deref()) != Some(target.arn())
        })
        .map(|row| format!("{} version {}", row.organization, row.version))
        .collect();
    if let Some(first) = elsewhere.first() {
        let message = format!(
            "{} DEKs are not known to be under {}, {first} among them: the database stays bound to {from}",
            elsewhere.len(),
            target.arn()
        );
        return Err(Failure::conflict("not-all-under-target", message)
            .hint(format!("scrybe-keys rewrap --all --to {} --bind --reason …", target.arn())));
    }
    let proven: Vec<_> = rows.iter().map(|row| (row.id.clone(), row.wrapping_digest())).collect();
    let intent = journal.intent(EVENT, "binding", json!({"from": from, "to": target.arn(), "reason": reason}))?;
    crash::point("rebind-after-intent");
    let (account, region) = (arn_part(target.arn(), 4), arn_part(target.arn(), 3));
    let new = Rebinding {
        from: Some(from),
        to: target.arn(),
        account: account.as_deref(),
        region: region.as_deref(),
        bound_by: journal.actor(),
        proven: &proven,
    };
    let bound = match session.rebind(map, &new) {
        // The answer to COMMIT may be lost while the commit is not: the binding tells.
        Err(error) if error.kind == DbErrorKind::Unreachable => {
            let lost = |error: DbError| unknown(format_args!("what the database is bound to"), error);
            if !reconnect(app, session) {
                return Err(lost(error));
            }
            let now = session.binding().map_err(lost)?.and_then(|binding| binding.key_arn);
            if now.as_deref() == Some(target.arn()) { Ok(Ok(())) } else { Err(error) }
        }
        bound => bound,
    };
    *done = matches!(bound, Ok(Ok(())));
    crash::point("rebind-after-commit");
    let details = json!({"done": *done, "from": from, "to": target.arn()});
    journal.outcome(&intent, EVENT, "binding", details)?;
    match bound? {
        Ok(()) => Ok(()),
        Err(why) => Err(refused(&why)),
    }
}

/// Gives a dead run's intent the outcome that the binding shows.
pub(super) fn close_interrupted(session: &mut Session, journal: &mut Journal) -> Result<usize, Failure> {
    let open = journal.open_intents(EVENT)?;
    for record in &open {
        let Some(intent) = record.intent_id else { continue };
        let to = said(&record.body, "to");
        let done = to.is_some() && session.binding()?.and_then(|binding| binding.key_arn) == to;
        let details = json!({"derived": true, "done": done, "interruptedRun": record.run_id, "to": to});
        journal.outcome(&IntentId::of(intent), EVENT, "binding", details)?;
    }
    Ok(open.len())
}

fn refused(why: &Unbound) -> Failure {
    match why {
        Unbound::RowsChanged => Failure::conflict(
            "dek-rows-changed",
            "DEK rows were made or changed while the binding was to change; it stays as it was",
        )
        .hint("run the same command again: it moves them first"),
        Unbound::JobRunning(job) => Failure::conflict(
            "unfinished-job",
            format!("job {job} is not finished and may make a DEK under the old key; the binding stays as it was"),
        )
        .hint(format!("finish it first: `scrybe-keys jobs status {job}` names its command; then run this one again")),
        Unbound::BindingChanged => {
            Failure::conflict("stale-plan", "the binding was changed by somebody else since the plan")
                .hint("run the command again and look at the new plan")
        }
    }
}
