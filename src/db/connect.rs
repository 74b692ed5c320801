//! Connections: TLS, session limits, who and where we are. The `postgres` client is sync and must not run inside tokio.

use super::error::DbError;
use crate::core::database_url::DatabaseUrl;

/// One connection with its limits set. Only this room touches the client inside.
pub struct Session {
    pub(super) client: postgres::Client,
}

impl Session {
    /// Connects and sets the session's limits. `strict` asks for `verify-full` on remote hosts where the address says nothing.
    pub fn open(_url: &DatabaseUrl, _strict: bool) -> Result<Session, DbError> {
        todo!()
    }
}
