//! Connections: TLS, session limits, who and where we are. The `postgres` client is sync and must not run inside tokio.
//!
//! Every session starts alike: no inherited search path (every name in `db` is qualified), UTC, bounded waits for locks, and
//! keepalives, because the sync client has no read timeout. Never a password in an error here.

use super::error::{DbError, DbErrorKind};
use super::tls;
use crate::core::database_url::DatabaseUrl;
use postgres::config::{ChannelBinding, SslMode};
use std::time::Duration;

/// Seconds to wait for a connection when the address says nothing.
const CONNECT_TIMEOUT: u64 = 10;
/// The oldest server whose catalogs and functions the tool relies on.
const OLDEST_SERVER: i32 = 130_000;

/// Said once per session. `set_config` for what older servers do not know. The keepalives are the server's: the backend of a host that died
/// holds its locks only until they have run out.
const SESSION: &str = "SET search_path = pg_catalog, pg_temp;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;
SET lock_timeout = '5s';
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = '60s';
SET default_transaction_isolation = 'read committed';
SET bytea_output = hex;
SET tcp_keepalives_idle = 20;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 30000;
SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')";

/// One connection with its limits set. Only this room touches the client inside.
pub struct Session {
    pub(super) client: postgres::Client,
    tls: tls::Mode,
}

/// What the server says of itself and of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// e.g. 160004.
    pub version_num: i32,
    /// e.g. `16.4`.
    pub version: String,
    pub database: String,
    pub user: String,
    /// True on a replica, which takes no writes.
    pub in_recovery: bool,
    /// Address the server sees itself at; absent over a Unix socket.
    pub address: Option<String>,
    pub port: Option<i32>,
    /// TLS version of this session; absent when it is not encrypted.
    pub tls: Option<String>,
}

/// Cancels the statement its session is running, from any thread.
#[derive(Clone)]
pub struct Cancel {
    token: postgres::CancelToken,
    tls: tls::Mode,
}

impl Cancel {
    /// Asks the server to cancel; nothing happens when no statement runs.
    pub fn cancel(&self) -> Result<(), DbError> {
        match self.tls.connector() {
            Some(connector) => self.token.cancel_query(connector)?,
            None => self.token.cancel_query(postgres::NoTls)?,
        }
        Ok(())
    }
}

impl Session {
    /// Connects and sets the session's limits. `strict` asks for `verify-full` on remote hosts where the address says nothing.
    /// A server older than 13 is refused.
    pub fn open(url: &DatabaseUrl, strict: bool) -> Result<Session, DbError> {
        let tls = tls::Mode::of(url, strict)?;
        let mut config = postgres::Config::new();
        config
            .user(&url.user)
            .dbname(&url.dbname)
            .port(url.port)
            .application_name("scrybe-keys")
            .connect_timeout(Duration::from_secs(url.connect_timeout.filter(|s| *s > 0).unwrap_or(CONNECT_TIMEOUT)))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(60))
            .ssl_mode(tls.ssl_mode());
        if url.host.starts_with('/') {
            config.host_path(&url.host);
        } else {
            config.host(&url.host);
        }
        if let Some(password) = &url.password {
            config.password(password.as_bytes());
        }
        if let Some(options) = &url.options {
            config.options(options);
        }
        if url.channel_binding {
            config.channel_binding(ChannelBinding::Require);
        }
        let client = match tls.connector() {
            Some(connector) => config.connect(connector),
            None => config.ssl_mode(SslMode::Disable).connect(postgres::NoTls),
        };
        let mut session = Session { client: client?, tls };
        session.set_limits()?;
        tracing::debug!(database = %url.shown(), tls = ?session.tls.level(), "connected");
        Ok(session)
    }

    fn set_limits(&mut self) -> Result<(), DbError> {
        let row =
            self.client.query_one("SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4", &[])?;
        let version: i32 = row.get(0);
        if version < OLDEST_SERVER {
            let message = format!("the server is PostgreSQL {}, and this tool needs 13 or newer", version / 10_000);
            return Err(DbError { kind: DbErrorKind::TooOld, sqlstate: None, message });
        }
        self.client.batch_execute(SESSION)?;
        Ok(())
    }

    /// What the server says of itself and of us.
    pub fn server_facts(&mut self) -> Result<ServerFacts, DbError> {
        let row = self.client.query_one(
            "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), current_database()::text, current_user::text,
                    pg_is_in_recovery(), host(inet_server_addr()), inet_server_port(),
                    (SELECT s.version FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl)",
            &[],
        )?;
        Ok(ServerFacts {
            version_num: row.get(0),
            version: row.get(1),
            database: row.get(2),
            user: row.get(3),
            in_recovery: row.get(4),
            address: row.get(5),
            port: row.get(6),
            tls: row.get(7),
        })
    }

    /// True when the server answers on this connection within a second.
    pub fn is_alive(&mut self) -> bool {
        self.client.is_valid(Duration::from_secs(1)).is_ok()
    }

    /// A handle that cancels whatever statement this session is running.
    pub fn cancel_token(&self) -> Cancel {
        Cancel { token: self.client.cancel_token(), tls: self.tls.clone() }
    }
}
