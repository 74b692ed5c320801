//! What is known about parameters of an address: which are taken, left aside with a reason, or refused with a way out.
//! A name in none of these lists is an error. Values are never looked at here.

/// Pool and client options of Prisma that mean nothing to a tool with its own connections.
pub(super) const PRISMA_ONLY: &[(&str, &str)] = &[
    ("connection_limit", "the tool opens its own few connections"),
    ("pool_timeout", "the tool has no pool"),
    ("statement_cache_size", "the tool keeps its own statements"),
    ("socket_timeout", "the tool sets its own limits"),
    ("max_connection_lifetime", "the tool has no pool"),
    ("max_idle_connection_lifetime", "the tool has no pool"),
    ("single_use_connections", "the tool has no pool"),
];

/// Options of libpq that the tool decides itself or that do not change what is protected.
pub(super) const LIBPQ_ASIDE: &[(&str, &str)] = &[
    ("keepalives", "the tool sets its own keepalives"),
    ("keepalives_idle", "the tool sets its own keepalives"),
    ("keepalives_interval", "the tool sets its own keepalives"),
    ("keepalives_count", "the tool sets its own keepalives"),
    ("tcp_user_timeout", "the tool sets its own limits"),
    ("client_encoding", "the tool speaks UTF-8"),
    ("fallback_application_name", "the tool says its own name"),
    ("gssencmode", "the tool does not use GSSAPI"),
    ("target_session_attrs", "the tool checks for a primary itself"),
    ("sslsni", "the tool always sends the host name"),
    ("sslcompression", "TLS compression is never used"),
];

/// What is refused, and what to do instead.
pub(super) const UNSUPPORTED: &[(&str, &str)] = &[
    ("sslidentity", "turn the PKCS#12 file into PEM (openssl pkcs12 -nodes) and give sslcert and sslkey"),
    ("sslpassword", "turn the PKCS#12 file or encrypted key into plain PEM and give sslcert and sslkey"),
    ("sslcrl", "revocation lists are not read; use sslmode=verify-full with a private root"),
    ("sslcrldir", "revocation lists are not read; use sslmode=verify-full with a private root"),
    ("service", "write the address out, or use PG* variables"),
    ("passfile", "use the variable PGPASSFILE"),
    ("hostaddr", "give the address as host"),
    ("requirepeer", "it is not checked by this tool"),
    ("require_auth", "it is not checked by this tool"),
    ("ssl_min_protocol_version", "TLS 1.2 is the floor"),
    ("ssl_max_protocol_version", "TLS 1.3 is offered"),
    ("sslnegotiation", "TLS is asked for in the PostgreSQL way"),
    ("krbsrvname", "the tool does not use GSSAPI"),
];

/// What `parts` reads.
pub(super) const TAKEN: &[&str] = &[
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "schema",
    "sslmode",
    "sslaccept",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "application_name",
    "connect_timeout",
    "options",
    "pgbouncer",
    "channel_binding",
];
