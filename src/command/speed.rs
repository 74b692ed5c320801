//! Options that say how fast a move may go and when it stops beginning organizations. Shared by `rotate` and `re-encrypt`; not a verb.

use crate::app::App;
use crate::core::duration;
use crate::core::throttle::{self, Rules};
use crate::error::Failure;
use std::path::PathBuf;
use std::time::Duration;

/// How fast, and until when.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Speed")]
pub struct SpeedOptions {
    /// Worker threads of this process [default: the policy's, 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
    /// Rows per second at most, over all processes
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rate: Option<u64>,
    /// Slow down while a replica lags behind by more
    #[arg(long, value_name = "DURATION", value_parser = checked_duration)]
    pub max_replica_lag: Option<String>,
    /// Slow down while more sessions run a statement
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub max_active_sessions: Option<i64>,
    /// Slow down while this query's first column is true or above zero
    #[arg(long, value_name = "SQL")]
    pub throttle_query: Option<String>,
    /// Slow down while this file exists
    #[arg(long, value_name = "PATH")]
    pub throttle_file: Option<PathBuf>,
    /// Begin organizations only within these hours, e.g. 22:00-05:00
    #[arg(long, value_name = "FROM-TO", value_parser = checked_hours)]
    pub hours: Option<String>,
    /// Begin no organization after so long; what is begun is finished (exit 7)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub max_time: Option<Duration>,
    /// Begin no organization after this time of day, e.g. 05:00
    #[arg(long, value_name = "HH:MM", conflicts_with = "max_time", value_parser = checked_minute)]
    pub until: Option<u16>,
    /// Pause between organizations, for vacuum to keep up
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    pub pause_between: Duration,
    /// Warn when an organization's cells are dark for longer
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_dark: Duration,
}

impl SpeedOptions {
    /// The configuration file's rules with what the command line says in their place.
    pub fn rules(&self, app: &App) -> Rules {
        let file = &app.settings.throttle.value;
        Rules {
            max_rate: self.max_rate.or(file.max_rate),
            floor_rate: file.floor_rate,
            max_replica_lag: self.max_replica_lag.clone().or(file.max_replica_lag.clone()),
            max_active_sessions: self.max_active_sessions.or(file.max_active_sessions),
            query: self.throttle_query.clone().or(file.query.clone()),
            flag_file: self.throttle_file.clone().or(file.flag_file.clone()),
            hours: self.hours.clone().or(file.hours.clone()),
        }
    }

    /// The moment after which no organization is begun.
    pub fn budget(&self) -> Result<Option<jiff::Timestamp>, Failure> {
        let beyond = |_| Failure::usage("bad-budget", "that is too far in the future");
        if let Some(time) = self.max_time {
            let span = jiff::SignedDuration::try_from(time).map_err(beyond)?;
            return Ok(Some(jiff::Timestamp::now().checked_add(span).map_err(beyond)?));
        }
        let Some(minute) = self.until else { return Ok(None) };
        let now = jiff::Zoned::now();
        let today = now.with().hour((minute / 60) as i8).minute((minute % 60) as i8).second(0).subsec_nanosecond(0);
        let today = today.build().map_err(beyond)?;
        let next = if today > now { today } else { today.tomorrow().map_err(beyond)? };
        Ok(Some(next.timestamp()))
    }
}

fn checked_duration(text: &str) -> Result<String, duration::BadDuration> {
    duration::parse(text).map(|_| text.to_owned())
}

fn checked_hours(text: &str) -> Result<String, String> {
    throttle::hours(text).map(|_| text.to_owned())
}

fn checked_minute(text: &str) -> Result<u16, String> {
    throttle::minute(text).ok_or_else(|| format!("`{text}` is no time of day: write it like 05:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let until = |minute| SpeedOptions { until: Some(minute), ..SpeedOptions::default() }.budget().unwrap().unwrap();
        let now = jiff::Timestamp::now();
        for minute in [0, 300, 719, 1439] {
            let wait = until(minute).as_second() - now.as_second();
            assert!((0..=25 * 3600).contains(&wait), "{minute}: {wait} s");
        }
        let hour = SpeedOptions { max_time: Some(Duration::from_secs(3600)), ..SpeedOptions::default() };
        assert!((3599..=3601).contains(&(hour.budget().unwrap().unwrap().as_second() - now.as_second())));
        assert_eq!(SpeedOptions::default().budget().unwrap(), None);
    }
}
