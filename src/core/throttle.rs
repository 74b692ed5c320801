//! What slows a move down: the rules, and what readings mean under them. Pure; `ops::throttle` takes the readings.
//!
//! A reading that could not be taken counts as the slowest setting and says so: a rule that cannot be checked is not a rule that is kept.

use crate::core::duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The rules. Kept with a job, so that every process that joins it keeps the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rules {
    /// Rows per second over all processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u64>,
    /// Rows per second of each process while a rule is broken and cells are dark: stopping would prolong the outage.
    pub floor_rate: u64,
    /// Replay lag of the slowest replica, e.g. `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replica_lag: Option<String>,
    /// Sessions of this database that run a statement, but ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_active_sessions: Option<i64>,
    /// The operator's own: slow down while its first column is true or greater than zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Slow down while this file exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag_file: Option<PathBuf>,
    /// Time of day in which organizations are begun, e.g. `22:00-05:00`, in this host's time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            max_rate: None,
            floor_rate: 500,
            max_replica_lag: None,
            max_active_sessions: None,
            query: None,
            flag_file: None,
            hours: None,
        }
    }
}

/// What was read of the world; an outer `None` was not asked for, an error could not be read.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// Seconds.
    pub replica_lag: Option<Result<f64, String>>,
    pub active_sessions: Option<Result<i64, String>>,
    pub query: Option<Result<bool, String>>,
    pub flag_file: bool,
}

impl Rules {
    /// Refuses rules that cannot be meant.
    pub fn check(&self) -> Result<(), String> {
        if let Some(lag) = &self.max_replica_lag {
            duration::parse(lag).map_err(|e| format!("max-replica-lag: {e}"))?;
        }
        if let Some(text) = &self.hours {
            hours(text)?;
        }
        match () {
            () if self.max_rate == Some(0) => Err("max-rate: at least 1 row a second".to_owned()),
            () if self.floor_rate == 0 => Err("floor-rate: at least 1 row a second".to_owned()),
            () if self.max_active_sessions.is_some_and(|n| n < 0) => Err("max-active-sessions: 0 or more".to_owned()),
            () => Ok(()),
        }
    }

    /// True when the database has to be asked.
    pub fn ask_the_database(&self) -> bool {
        self.max_replica_lag.is_some() || self.max_active_sessions.is_some() || self.query.is_some()
    }

    /// Why to slow down, in an operator's words; `None`: no reason.
    pub fn broken_by(&self, readings: &Readings) -> Option<String> {
        if readings.flag_file
            && let Some(path) = &self.flag_file
        {
            return Some(format!("{} exists", path.display()));
        }
        let limit = self.max_replica_lag.as_deref().and_then(|lag| duration::parse(lag).ok());
        match (&readings.replica_lag, limit) {
            (Some(Err(why)), _) => return Some(format!("replica lag is not readable: {why}")),
            (Some(Ok(lag)), Some(limit)) if *lag > limit.as_secs_f64() => {
                return Some(format!("replica lag {lag:.1} s, allowed {}", duration::shown(limit)));
            }
            _ => {}
        }
        match (&readings.active_sessions, self.max_active_sessions) {
            (Some(Err(why)), _) => return Some(format!("active sessions are not readable: {why}")),
            (Some(Ok(active)), Some(limit)) if *active > limit => {
                return Some(format!("{active} sessions are active, allowed {limit}"));
            }
            _ => {}
        }
        match &readings.query {
            Some(Err(why)) => Some(format!("the throttle query fails: {why}")),
            Some(Ok(true)) => Some("the throttle query says so".to_owned()),
            _ => None,
        }
    }

    /// False outside the allowed hours. `minute` is of the day, 0..1440.
    pub fn allows_minute(&self, minute: u16) -> bool {
        let Some((from, to)) = self.hours.as_deref().and_then(|text| hours(text).ok()) else { return true };
        if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }
}

/// `22:00-05:00` as minutes of the day; the end is not included, and may lie past midnight.
pub fn hours(text: &str) -> Result<(u16, u16), String> {
    let bad = || format!("`{text}` is no span of hours: write it like 22:00-05:00");
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    match (minute(from), minute(to)) {
        (Some(from), Some(to)) if from != to => Ok((from, to)),
        _ => Err(bad()),
    }
}

/// `05:00` as minute of the day.
pub fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_past_midnight() {
        let rules = |text: &str| Rules { hours: Some(text.into()), ..Rules::default() };
        let at = |text: &str, time: &str| rules(text).allows_minute(minute(time).unwrap());
        assert!(at("22:00-05:00", "23:59") && at("22:00-05:00", "00:00") && !at("22:00-05:00", "05:00"));
        assert!(at("09:30-10:00", "09:30") && !at("09:30-10:00", "10:00"));
        assert!(Rules::default().allows_minute(700));
        for bad in ["22:00", "22-05", "24:00-01:00", "10:00-10:00", "10:60-11:00", ""] {
            assert!(rules(bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_checked_counts_as_broken() {
        let rules = Rules { max_replica_lag: Some("10s".into()), max_active_sessions: Some(5), ..Rules::default() };
        let broken = |readings| rules.broken_by(&readings);
        assert_eq!(broken(Readings::default()), None);
        assert_eq!(
            broken(Readings { replica_lag: Some(Ok(9.9)), active_sessions: Some(Ok(5)), ..Readings::default() }),
            None
        );
        let lag = broken(Readings { replica_lag: Some(Ok(12.34)), ..Readings::default() });
        assert_eq!(lag.as_deref(), Some("replica lag 12.3 s, allowed 10s"));
        assert!(
            broken(Readings { active_sessions: Some(Err("denied".into())), ..Readings::default() })
                .unwrap()
                .contains("denied")
        );
        assert!(broken(Readings { query: Some(Ok(true)), ..Readings::default() }).is_some());
        assert_eq!(broken(Readings { query: Some(Ok(false)), ..Readings::default() }), None);
    }
}
