//! What the operator asked for: whose cells, in which way, under which limits. What matters to a process that joins is kept with the job.
//!
//! The scope's text makes two commands the same job. Reasons, speed and budgets do not: another terminal may ask for the same at another speed.

use super::crew::Crew;
use super::walk::Walk;
use crate::core::cell::Wishes;
use crate::core::ids::{KeyVersion, OrgId};
use crate::core::keyring::Keyring;
use crate::core::throttle::Rules;
use crate::db::catalog::Catalog;
use crate::db::jobs::{Job, JobKind};
use crate::error::Failure;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whose keys or cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Organizations(Vec<OrgId>),
    All,
    /// Organizations whose active DEK is older than the policy allows, oldest first, at most so many.
    Due {
        at_most: u32,
    },
}

/// How an organization's cells get from one version to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cutover {
    /// Flip, then move: cells are dark one after the other until they are moved
    #[default]
    Online,
    /// Move and flip in one transaction, for organizations small enough; the others online
    Atomic,
}

/// What the operator asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: JobKind,
    pub scope: Scope,
    pub reason: String,
    /// Tables; empty: all of the map.
    pub models: Vec<String>,
    pub from_version: Option<KeyVersion>,
    pub wishes: Wishes,
    /// Replaces the map's cache time.
    pub settle: Option<Duration>,
    pub max_outage: Option<Duration>,
    /// Flip and move nothing.
    pub dek_only: bool,
    pub allow_triggers: bool,
    pub cutover: Cutover,
    /// Longest one-transaction cutover, by the estimate.
    pub max_cutover: Duration,
    /// Shell command to run when the application may drop its cached keys. Never kept: what stands in the database is run by nobody.
    pub after_commit: Option<String>,
    /// Warn when an organization is dark for longer.
    pub max_dark: Option<Duration>,
    /// Seconds to pause between organizations, for vacuum to keep up.
    pub pause_between: Duration,
    pub rules: Rules,
    /// Begin no organization after this. This run's alone, never kept.
    pub budget: Option<jiff::Timestamp>,
    /// The name under which it is done once.
    pub once: Option<String>,
    /// Worker threads of this process, where it was said. Never kept.
    pub workers: Option<usize>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Whose {
    #[default]
    All,
    Organizations(Vec<String>),
    Due(u32),
}

/// What of a request is kept with its job.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Kept {
    whose: Whose,
    models: Vec<String>,
    from_version: Option<i32>,
    include_plaintext: bool,
    unwrap_nested: bool,
    settle_seconds: Option<f64>,
    max_outage_seconds: Option<f64>,
    dek_only: bool,
    allow_triggers: bool,
    cutover: Cutover,
    max_cutover_seconds: f64,
    max_dark_seconds: Option<f64>,
    pause_between_seconds: f64,
    throttle: Rules,
}

impl Request {
    /// What makes two commands the same job. Reasons and settle times do not.
    pub fn scope_text(&self) -> String {
        let whose = match &self.scope {
            Scope::All => "all".to_owned(),
            Scope::Due { .. } => "due".to_owned(),
            Scope::Organizations(list) => {
                let mut ids: Vec<&str> = list.iter().map(OrgId::as_str).collect();
                ids.sort_unstable();
                format!("org={}", ids.join(","))
            }
        };
        let mut text = format!("{} {whose}", self.kind.as_str());
        if !self.models.is_empty() {
            let mut models = self.models.clone();
            models.sort_unstable();
            text.push_str(&format!(" model={}", models.join(",")));
        }
        if let Some(version) = self.from_version {
            text.push_str(&format!(" from={version}"));
        }
        for (set, word) in [
            (self.wishes.include_plaintext, " include-plaintext"),
            (self.wishes.unwrap_nested, " unwrap-nested"),
            (self.dek_only, " dek-only"),
        ] {
            if set {
                text.push_str(word);
            }
        }
        text
    }

    /// What a process that joins has to know, as JSON.
    pub fn to_kept(&self) -> serde_json::Value {
        let seconds = |d: &Duration| d.as_secs_f64();
        let kept = Kept {
            whose: match &self.scope {
                Scope::Organizations(list) => {
                    Whose::Organizations(list.iter().map(|o| o.as_str().to_owned()).collect())
                }
                Scope::All => Whose::All,
                Scope::Due { at_most } => Whose::Due(*at_most),
            },
            models: self.models.clone(),
            from_version: self.from_version.map(|v| v.0),
            include_plaintext: self.wishes.include_plaintext,
            unwrap_nested: self.wishes.unwrap_nested,
            settle_seconds: self.settle.as_ref().map(seconds),
            max_outage_seconds: self.max_outage.as_ref().map(seconds),
            dek_only: self.dek_only,
            allow_triggers: self.allow_triggers,
            cutover: self.cutover,
            max_cutover_seconds: self.max_cutover.as_secs_f64(),
            max_dark_seconds: self.max_dark.as_ref().map(seconds),
            pause_between_seconds: self.pause_between.as_secs_f64(),
            throttle: self.rules.clone(),
        };
        serde_json::to_value(kept).expect("plain data")
    }

    /// The request a job was begun with.
    pub fn of_job(job: &Job) -> Result<Request, Failure> {
        let unreadable = |why: String| {
            Failure::conflict(
                "job-unreadable",
                format!("job {} was begun by another version of scrybe-keys: {why}", job.id),
            )
            .hint("go on with the version that began it")
        };
        let options: serde_json::Value = serde_json::from_str(&job.options).map_err(|e| unreadable(e.to_string()))?;
        let kept: Kept = serde_json::from_value(options["request"].clone()).map_err(|e| unreadable(e.to_string()))?;
        let seconds = |s: f64| Duration::try_from_secs_f64(s).map_err(|e| unreadable(e.to_string()));
        Ok(Request {
            kind: job.kind,
            scope: match kept.whose {
                Whose::Organizations(ids) => {
                    let ids = ids.iter().map(|id| OrgId::parse(id).map_err(|e| unreadable(e.to_string())));
                    Scope::Organizations(ids.collect::<Result<_, _>>()?)
                }
                Whose::All => Scope::All,
                Whose::Due(at_most) => Scope::Due { at_most },
            },
            reason: job.reason.clone(),
            models: kept.models,
            from_version: kept.from_version.map(KeyVersion),
            wishes: Wishes { include_plaintext: kept.include_plaintext, unwrap_nested: kept.unwrap_nested },
            settle: kept.settle_seconds.map(seconds).transpose()?,
            max_outage: kept.max_outage_seconds.map(seconds).transpose()?,
            dek_only: kept.dek_only,
            allow_triggers: kept.allow_triggers,
            cutover: kept.cutover,
            max_cutover: seconds(kept.max_cutover_seconds)?,
            after_commit: None,
            max_dark: kept.max_dark_seconds.map(seconds).transpose()?,
            pause_between: seconds(kept.pause_between_seconds)?,
            rules: kept.throttle,
            budget: None,
            once: None,
            workers: None,
        })
    }

    /// A walk of one organization as this request wants it.
    pub(super) fn walk<'w>(
        &self,
        crew: &'w Crew<'w>,
        catalog: &'w Catalog,
        keyring: &'w Keyring,
        target: usize,
    ) -> Walk<'w> {
        let under =
            |version| (0..keyring.entries().len()).filter(|at| keyring.entries()[*at].version == version).collect();
        Walk { crew, catalog, keyring, target, only: self.from_version.map(under), wishes: self.wishes }
    }
}
