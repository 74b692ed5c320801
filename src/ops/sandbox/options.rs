//! How a throwaway cluster is made: what a caller may choose, and the lines of postgresql.conf that follow from it.
//!
//! Never a listener beyond loopback, never a statement in the log: it could hold values.

/// How a cluster is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// fsync and friends. Off only where losing everything in a power cut is fine: tests.
    pub durable: bool,
    pub max_connections: u32,
    /// More lines for postgresql.conf, e.g. `autovacuum = off`.
    pub settings: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { durable: true, max_connections: 100, settings: Vec::new() }
    }
}

impl Options {
    /// What is appended to postgresql.conf.
    pub(super) fn conf(&self) -> String {
        let switch = if self.durable { "on" } else { "off" };
        let mut text = format!(
            "\n# scrybe-keys sandbox\n\
             listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = {}\n\
             shared_buffers = '128MB'\nmax_wal_size = '2GB'\ncheckpoint_timeout = '15min'\nmax_prepared_transactions = 8\njit = off\n\
             timezone = 'UTC'\nlog_timezone = 'UTC'\nfsync = {switch}\nsynchronous_commit = {switch}\nfull_page_writes = {switch}\n\
             # A statement that fails may hold values: the log names the error alone.\n\
             log_min_error_statement = panic\nlog_statement = 'none'\n",
            self.max_connections
        );
        for line in &self.settings {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
