//! The binding: the one row that says which world this database belongs to. Written once, by `init`; its key changes with `rewrap --bind`
//! alone, when every DEK is under the new one (`wrappings`).
//! Whether a run's settings agree with it is judged in `ops::binding`.

use super::Session;
use super::error::{DbError, DbErrorKind};
use crate::config::{Environment, Provider};
use clap::ValueEnum;
use jiff::Timestamp;

/// Which environment, provider, AWS account and key this database belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub environment: Environment,
    pub provider: Provider,
    pub account: Option<String>,
    pub region: Option<String>,
    pub key_arn: Option<String>,
    /// Made by `sandbox`: every plan says so.
    pub sandbox: bool,
    /// `None` when the database is not bound and this only repeats the settings.
    pub bound_at: Option<Timestamp>,
    pub bound_by: String,
}

impl Session {
    /// The binding, if the database has one. Fails where the tool's schema is absent: ask `schema_state` first.
    pub fn binding(&mut self) -> Result<Option<Binding>, DbError> {
        let sql = "SELECT environment, provider, account, region, key_arn, sandbox, \
                   round(extract(epoch FROM bound_at) * 1000000)::bigint, bound_by FROM scrybe_keys.binding";
        let Some(row) = self.client.query_opt(sql, &[])? else { return Ok(None) };
        Ok(Some(Binding {
            environment: word(row.get(0))?,
            provider: word(row.get(1))?,
            account: row.get(2),
            region: row.get(3),
            key_arn: row.get(4),
            sandbox: row.get(5),
            bound_at: Timestamp::from_microsecond(row.get(6)).ok(),
            bound_by: row.get(7),
        }))
    }

    /// Binds the database. Whoever comes first wins; returns the binding that now stands, with its time.
    pub fn bind(&mut self, binding: &Binding) -> Result<Binding, DbError> {
        self.client.execute(
            "INSERT INTO scrybe_keys.binding (environment, provider, account, region, key_arn, sandbox, bound_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (only_row) DO NOTHING",
            &[
                &binding.environment.as_str(),
                &binding.provider.as_str(),
                &binding.account,
                &binding.region,
                &binding.key_arn,
                &binding.sandbox,
                &binding.bound_by,
            ],
        )?;
        self.binding()?.ok_or_else(|| DbError {
            kind: DbErrorKind::Other,
            sqlstate: None,
            message: "the binding vanished while it was made".to_owned(),
        })
    }
}

/// A word that only a newer schema could hold is an error here, never a guess.
fn word<T: ValueEnum>(text: &str) -> Result<T, DbError> {
    T::from_str(text, false).map_err(|_| DbError {
        kind: DbErrorKind::Other,
        sqlstate: None,
        message: format!("the binding says {text:?}, which this binary does not know"),
    })
}
