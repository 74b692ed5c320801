//! What each dialect of a database address means, and that no error or Debug shows a password.

use super::*;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

fn parsed(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text).unwrap()
}

#[test]
fn a_plain_address() {
    let url = parsed("postgresql://app:s%3Acr%40t@db.example.org:5433/clinic");
    assert_eq!(
        (url.user.as_str(), url.host.as_str(), url.port, url.dbname.as_str()),
        ("app", "db.example.org", 5433, "clinic")
    );
    assert_eq!(url.password.as_ref().map(|p| p.as_str()), Some("s:cr@t"));
    assert_eq!(url.tls, None);
    assert!(!url.is_local());
    assert_eq!(url.shown(), "app@db.example.org:5433/clinic");
    assert_eq!(format!("{url:?}"), url.shown());
}

#[test]
fn sockets_and_ipv6() {
    let url = parsed("postgres://app@/clinic?host=/var/run/postgresql&port=5444");
    assert_eq!((url.host.as_str(), url.port), ("/var/run/postgresql", 5444));
    assert!(url.is_local());
    assert_eq!(parsed("postgres://app@%2Ftmp%2Fs/clinic").host, "/tmp/s");
    let url = parsed("postgres://app@[::1]:6000/clinic");
    assert_eq!((url.host.as_str(), url.port), ("::1", 6000));
    assert!(url.is_local());
    assert_eq!(parsed("postgres://app@[2001:db8::1]").host, "2001:db8::1");
}

#[test]
fn everything_prisma_writes() {
    let url = parsed(
        "postgresql://app:pw@h:5432/clinic?schema=tenant&connection_limit=5&pool_timeout=2&statement_cache_size=0&connect_timeout=7&socket_timeout=9&sslmode=require&sslcert=/ca.pem&sslaccept=strict&application_name=x&pgbouncer=false",
    );
    assert_eq!(url.schema.as_deref(), Some("tenant"));
    assert_eq!(url.connect_timeout, Some(7));
    assert_eq!(url.tls, Some(TlsMode::VerifyFull));
    assert_eq!(url.root_cert.as_deref(), Some(std::path::Path::new("/ca.pem")));
    assert_eq!(url.client_cert, None);
    assert_eq!(url.ignored.len(), 4);
    assert!(url.ignored.iter().any(|note| note.contains("`connection_limit`")));
}

#[test]
fn ssl_words_of_both_dialects() {
    let tls = |query: &str| DatabaseUrl::parse(&format!("postgresql://a@h/d?{query}")).map(|u| u.tls);
    assert_eq!(tls("sslmode=disable"), Ok(Some(TlsMode::Disable)));
    assert_eq!(tls("sslmode=allow"), Ok(Some(TlsMode::Prefer)));
    assert_eq!(tls("sslmode=require"), Ok(Some(TlsMode::Require)));
    assert_eq!(tls("sslmode=require&sslrootcert=/r"), Ok(Some(TlsMode::VerifyCa)));
    assert_eq!(tls("sslmode=verify-full&sslrootcert=system"), Ok(Some(TlsMode::VerifyFull)));
    assert_eq!(tls("sslaccept=accept_invalid_certs"), Ok(Some(TlsMode::Require)));
    assert_eq!(tls("sslmode=prefer&sslaccept=accept_invalid_certs"), Ok(Some(TlsMode::Prefer)));
    assert!(tls("sslmode=disable&sslaccept=strict").is_err());
    assert!(tls("sslmode=sometimes").is_err());
    assert!(tls("sslaccept=maybe").is_err());
    let both = parsed("postgresql://a@h/d?sslcert=/c&sslkey=/k&sslrootcert=/r");
    assert_eq!(
        (both.client_cert, both.client_key, both.root_cert),
        (Some("/c".into()), Some("/k".into()), Some("/r".into()))
    );
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let error = |text: &str| DatabaseUrl::parse(text).unwrap_err();
    assert_eq!(error("postgresql://a@h/d?pgbouncer=true"), BadDatabaseUrl::Pooler);
    assert_eq!(
        error("postgresql://a@h/d?shcema=x"),
        BadDatabaseUrl::Unknown { name: "shcema".into(), nearest: Some("schema".into()) }
    );
    assert!(matches!(error("postgresql://a@h/d?sslidentity=x.p12"), BadDatabaseUrl::Unsupported { .. }));
    assert_eq!(error("postgresql://a@h1,h2/d"), BadDatabaseUrl::ManyHosts);
    assert_eq!(error("postgresql://a@/d?host=h1,h2"), BadDatabaseUrl::ManyHosts);
    assert_eq!(error("mysql://a@h/d"), BadDatabaseUrl::Scheme);
    assert_eq!(error("postgresql://h/d"), BadDatabaseUrl::NoUser);
    for port in ["0", "65536", "x", "-1"] {
        assert!(matches!(error(&format!("postgresql://a@h:{port}/d")), BadDatabaseUrl::Part { part: "the port", .. }));
    }
    assert!(matches!(error("postgresql://a%zz@h/d"), BadDatabaseUrl::Part { part: "the user", .. }));
    assert!(matches!(error("postgresql://a@h/d?sslmode"), BadDatabaseUrl::Part { .. }));
}

#[test]
fn surroundings_fill_what_is_missing_and_nothing_else() {
    let defaults = Defaults {
        host: Some("pg.example.org".into()),
        port: Some("6543".into()),
        user: Some("ops".into()),
        dbname: Some("clinic".into()),
        sslmode: Some("verify-full".into()),
        passfile: Some(Zeroizing::new("pg.example.org:6543:clinic:ops:hidden".into())),
        ..Defaults::default()
    };
    let url = DatabaseUrl::parse_with("postgresql://", &defaults).unwrap();
    assert_eq!(url.shown(), "ops@pg.example.org:6543/clinic");
    assert_eq!(url.password.as_ref().map(|p| p.as_str()), Some("hidden"));
    assert_eq!(url.tls, Some(TlsMode::VerifyFull));
    let url = DatabaseUrl::parse_with("postgresql://app@h/d?sslmode=disable", &defaults).unwrap();
    assert_eq!((url.shown().as_str(), url.tls, url.password.is_none()), ("app@h:6543/d", Some(TlsMode::Disable), true));
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

proptest! {
    #[test]
    fn any_user_password_and_database_survive_the_address(user in "[^\\x00]{1,12}", password in "[^\\x00]{1,20}", dbname in "[^\\x00]{1,12}", port in 1u16..) {
        let url = parsed(&format!("postgresql://{}:{}@h:{port}/{}", escaped(&user), escaped(&password), escaped(&dbname)));
        prop_assert_eq!((&url.user, url.password.as_ref().map(|p| p.to_string()), &url.dbname, url.port), (&user, Some(password), &dbname, port));
    }

    #[test]
    fn no_text_panics_and_no_error_shows_it(text in "\\PC{0,40}") {
        let marked = format!("postgresql://u:MARKED{text}MARKED@h/{text}");
        if let Err(error) = DatabaseUrl::parse(&marked) {
            prop_assert!(!error.to_string().contains("MARKED"), "{}", error);
        }
    }
}
