//! Once a second: says that this process is alive, hears what other terminals ask, reads the throttle, and sets the pace.
//!
//! Orders come through the job's row: cancel, pause, tuning. While cells are dark a pause waits for the organization's end unless it was asked for
//! now, and a broken throttle rule slows down to a floor instead of stopping: standing still would prolong the outage. Why it is slow is said.

use super::crew::Crew;
use super::pace::Tuning;
use super::throttle::Throttle;
use crate::core::throttle::Rules;
use crate::db::leases::{Asked, Heartbeat};
use crate::db::{DbErrorKind, Session};
use crate::ui::Progress;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(1);

/// What a tick found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    GoOn,
    /// The job was cancelled.
    Cancelled,
    /// The connection that holds this process's locks is gone.
    Disconnected,
}

/// Whether cells are dark while the workers stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Light {
    Dark,
    Bright,
}

pub(super) struct Control<'a> {
    crew: &'a Crew<'a>,
    job: Uuid,
    /// This process runs the job; else it only helps.
    runs: bool,
    throttle: Throttle,
    /// What the command line asked for; tuning goes over it.
    base: Tuning,
    last: Option<Instant>,
    last_rows: u64,
    rate: f64,
    doing: String,
    slowed_by: Option<String>,
    /// What the progress display says now.
    shown: String,
    pub asked: Asked,
}

impl<'a> Control<'a> {
    pub(super) fn of(crew: &'a Crew<'a>, job: Uuid, runs: bool, rules: Rules) -> Control<'a> {
        let base = Tuning { max_rate: rules.max_rate, ..Tuning::default() };
        Control {
            crew,
            job,
            runs,
            throttle: Throttle::of(rules),
            base,
            last: None,
            last_rows: 0,
            rate: 0.0,
            doing: String::new(),
            slowed_by: None,
            shown: String::new(),
            asked: Asked::default(),
        }
    }

    /// What this process is doing from now on.
    pub(super) fn phase(&mut self, progress: &dyn Progress, doing: &str) {
        doing.clone_into(&mut self.doing);
        self.show(progress);
    }

    /// To be called all the time; does something once a second.
    pub(super) fn tick(&mut self, session: &mut Session, progress: &dyn Progress, light: Light) -> Order {
        let since = self.last.map(|last| last.elapsed());
        if since.is_some_and(|since| since < EVERY) {
            return Order::GoOn;
        }
        self.last = Some(Instant::now());
        let rows = self.crew.done.rows.load(Ordering::Relaxed);
        if let Some(since) = since {
            self.rate = rows.saturating_sub(self.last_rows) as f64 / since.as_secs_f64();
        }
        self.last_rows = rows;
        let beat = Heartbeat {
            workers: self.crew.pace.workers() as i32,
            rows_visited: rows as i64,
            cells_moved: self.crew.done.cells.load(Ordering::Relaxed) as i64,
            rate: self.rate,
            doing: self.doing.clone(),
            slowed_by: self.slowed_by.clone(),
        };
        match session.heartbeat(self.crew.process, self.job, self.runs, &beat) {
            Ok(asked) => self.asked = asked,
            Err(error) if error.kind == DbErrorKind::Unreachable => return Order::Disconnected,
            // The workers have connections of their own and say themselves what is wrong.
            Err(error) => tracing::warn!(%error, "no heartbeat"),
        }
        if self.asked.cancel {
            return Order::Cancelled;
        }
        self.set_pace(light);
        self.show(progress);
        Order::GoOn
    }

    fn set_pace(&mut self, light: Light) {
        let pace = &self.crew.pace;
        let tuning = self.base.with(&Tuning::parse(&self.asked.tuning));
        pace.tune(&tuning, self.crew.workers);
        let paused = matches!((self.asked.pause.as_str(), light), ("now", _) | ("between", Light::Bright));
        let share = |rate: u64| (rate / self.asked.processes.max(1) as u64).max(1);
        let limit = tuning.max_rate.filter(|rate| *rate > 0).map(share);
        let broken = self.throttle.reason(self.crew.app);
        pace.hold(paused || broken.is_some() && light == Light::Bright);
        let floor = self.throttle.rules.floor_rate;
        pace.limit(match &broken {
            Some(_) => Some(limit.map_or(floor, |limit| limit.min(floor))),
            None => limit,
        });
        self.slowed_by = match (paused, broken, limit) {
            (true, _, _) => Some("paused".to_owned()),
            (_, Some(why), _) if light == Light::Dark => Some(format!("{why}; {floor} rows/s while cells are dark")),
            (_, Some(why), _) => Some(format!("{why}; waiting")),
            (_, None, Some(limit)) => Some(format!("limited to {limit} rows/s here")),
            (false, None, None) => None,
        };
    }

    /// Why the next organization must not be begun yet: paused, outside the hours, or a rule is broken. To be asked between organizations.
    pub(super) fn holds_back(&mut self) -> Option<String> {
        if self.asked.pause != "no" && !self.asked.pause.is_empty() {
            return Some("paused".to_owned());
        }
        if self.throttle.outside_hours() {
            let hours = self.throttle.rules.hours.clone().unwrap_or_default();
            return Some(format!("organizations are begun at {hours} only"));
        }
        self.throttle.reason(self.crew.app)
    }

    fn show(&mut self, progress: &dyn Progress) {
        let text = match &self.slowed_by {
            Some(why) if !self.doing.contains(why.as_str()) => format!("{} ({why})", self.doing),
            _ => self.doing.clone(),
        };
        if text != self.shown {
            progress.phase(&text);
            self.shown = text;
        }
    }

    /// Forgets when it last spoke: the next tick is a full one.
    pub(super) fn at_once(&mut self) {
        self.last = None;
    }
}
