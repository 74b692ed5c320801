//! The database's clock: ages and expiries are judged by it, so that an operator's own clock decides nothing.

use super::{DbError, Session};
use jiff::Timestamp;

impl Session {
    /// What time it is on the server, now.
    pub fn clock(&mut self) -> Result<Timestamp, DbError> {
        let micros: i64 =
            self.client.query_one("SELECT round(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &[])?.get(0);
        Ok(Timestamp::from_microsecond(micros).unwrap_or_default())
    }
}
