//! Taking the throttle's readings, once a second, on a connection of its own. What they mean is `core::throttle`.

use crate::app::App;
use crate::core::throttle::{Readings, Rules};
use crate::db::Session;

/// Rules and what is needed to check them.
pub(super) struct Throttle {
    pub rules: Rules,
    session: Option<Session>,
}

impl Throttle {
    pub(super) fn of(rules: Rules) -> Throttle {
        Throttle { rules, session: None }
    }

    /// Why to slow down now; `None`: no reason.
    pub(super) fn reason(&mut self, app: &App) -> Option<String> {
        let mut readings = Readings {
            flag_file: self.rules.flag_file.as_ref().is_some_and(|path| path.exists()),
            ..Readings::default()
        };
        if self.rules.ask_the_database() {
            if self.session.is_none() {
                match app.connect() {
                    Ok(session) => self.session = Some(session),
                    Err(failure) => return Some(format!("the throttle cannot connect: {failure}")),
                }
            }
            let session = self.session.as_mut().expect("it was just made");
            let said = |error: crate::db::DbError| error.to_string();
            if self.rules.max_replica_lag.is_some() {
                readings.replica_lag = Some(session.replica_lag().map_err(said));
            }
            if self.rules.max_active_sessions.is_some() {
                readings.active_sessions = Some(session.active_sessions().map_err(said));
            }
            if let Some(sql) = &self.rules.query {
                readings.query = Some(session.throttle_query(sql).map_err(said));
            }
            let failed = matches!(readings.replica_lag, Some(Err(_)))
                || matches!(readings.active_sessions, Some(Err(_)))
                || matches!(readings.query, Some(Err(_)));
            if failed {
                // The next reading starts on a new connection, in case this one is what broke.
                self.session = None;
            }
        }
        self.rules.broken_by(&readings)
    }

    /// True outside the hours in which organizations are begun.
    pub(super) fn outside_hours(&self) -> bool {
        let now = jiff::Zoned::now();
        !self.rules.allows_minute(now.hour() as u16 * 60 + now.minute() as u16)
    }
}
