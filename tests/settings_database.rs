//! Connections to a real PostgreSQL: TLS as asked for and no weaker, the password file, and what each refused login says.

use crate::support::cli::{Ran, binary, start};
use crate::support::cluster::{own_cluster, shared_url};
use crate::support::python::Python;
use postgres::{Client, NoTls};
use scrybe_keys::ops::sandbox::cluster::Cluster;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn context(pairs: &[(&str, &str)]) -> Ran {
    let provider = [("SCRYBE_KMS", "dev"), ("HOME", "/nonexistent")];
    let environment: BTreeMap<String, String> =
        provider.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    start(binary(&["context", "--json"], &environment)).finish().expect(0)
}

/// What `context` says of the server, by row.
fn server(ran: &Ran, row: &str) -> String {
    let answer = ran.json();
    let rows = answer["data"]["database"].as_array().unwrap();
    let found = rows.iter().find(|r| r["name"] == row).unwrap_or_else(|| panic!("no {row} in {ran:?}"));
    found["value"].as_str().unwrap().to_owned()
}

/// Gives the server a certificate; new sessions use it.
fn serve_with(cluster: &Cluster, certificates: &Path, name: &str) {
    let data = cluster.home().join("data");
    let owner = std::fs::metadata(&data).unwrap();
    for (from, to, mode) in [(format!("{name}.pem"), "server.crt", 0o644), (format!("{name}.key"), "server.key", 0o600)]
    {
        let to = data.join(to);
        std::fs::copy(certificates.join(from), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(mode)).unwrap();
        let (uid, gid) = (std::os::unix::fs::MetadataExt::uid(&owner), std::os::unix::fs::MetadataExt::gid(&owner));
        std::os::unix::fs::chown(&to, Some(uid), Some(gid)).unwrap();
    }
    let mut admin = Client::connect(&cluster.url("postgres"), NoTls).unwrap();
    admin.batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
}

#[test]
fn tls_is_what_was_asked_for_and_no_weaker() {
    let Some(python) = Python::ready() else { return };
    let dir = tempfile::tempdir().unwrap();
    assert!(python.script("certificates.py").arg(dir.path()).status().unwrap().success());
    let (_keep, cluster) = own_cluster(Vec::new());
    let root = dir.path().join("ca.pem");
    let with = |query: &str| context(&[("DATABASE_URL", &format!("{}?{query}", cluster.url("postgres")))]);
    let verified = |mode: &str| with(&format!("sslmode={mode}&sslrootcert={}", root.display()));

    // A server without TLS: taken where that was said to be fine, refused where it was not.
    assert_eq!(server(&with("sslmode=prefer"), "encrypted"), "no");
    assert_eq!(with("sslmode=require").problem_codes(), ["db-tls"]);

    serve_with(&cluster, dir.path(), "server");
    assert_eq!(server(&with("sslmode=disable"), "encrypted"), "no");
    for mode in ["prefer", "require"] {
        assert_eq!(server(&with(&format!("sslmode={mode}")), "encrypted"), "TLSv1.3");
    }
    assert_eq!(server(&with("sslmode=require&channel_binding=require"), "encrypted"), "TLSv1.3");
    assert_eq!(server(&verified("verify-full"), "encrypted"), "TLSv1.3");
    let prisma = with(&format!("sslmode=require&sslcert={}&sslaccept=strict", root.display()));
    assert_eq!(server(&prisma, "encrypted"), "TLSv1.3");
    // Nobody's root signed it.
    assert_eq!(with("sslmode=verify-full").problem_codes(), ["db-tls"]);
    assert_eq!(with("sslmode=verify-ca").problem_codes(), ["db-tls"]);
    assert_eq!(with("sslmode=verify-full&sslrootcert=/does/not/exist").problem_codes(), ["db-tls"]);

    // The right signer, another host's name.
    serve_with(&cluster, dir.path(), "other");
    assert_eq!(server(&verified("verify-ca"), "encrypted"), "TLSv1.3");
    assert_eq!(verified("verify-full").problem_codes(), ["db-tls"]);
}

#[test]
fn variables_and_the_password_file_make_an_address() {
    let url = scrybe_keys::core::database_url::DatabaseUrl::parse(&shared_url("postgres")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let passfile = dir.path().join("pgpass");
    let password = url.password.as_ref().unwrap().as_str();
    std::fs::write(&passfile, format!("127.0.0.1:*:postgres:{}:{password}\n", url.user)).unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    let port = url.port.to_string();
    let place =
        [("PGHOST", "127.0.0.1"), ("PGPORT", port.as_str()), ("PGUSER", url.user.as_str()), ("PGDATABASE", "postgres")];
    let with = |more: (&str, &str)| context(&place.iter().copied().chain([more]).collect::<Vec<_>>());
    let by_file = with(("PGPASSFILE", passfile.to_str().unwrap()));
    assert_eq!(server(&by_file, "database user"), format!("{} in postgres", url.user));
    assert!(server(&by_file, "server").contains("primary"));
    assert_eq!(server(&with(("PGPASSWORD", password)), "tool's schema"), "not installed: `scrybe-keys init`");
    // A file that others can read is left aside, as libpq does: then there is no password.
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(with(("PGPASSFILE", passfile.to_str().unwrap())).problem_codes(), ["db-login"]);
}

#[test]
fn each_refused_login_says_what_to_do() {
    let good = shared_url("postgres");
    let problem = |url: &str| {
        let ran = context(&[("DATABASE_URL", url)]);
        let problem = ran.json()["problems"][0].clone();
        (problem["code"].as_str().unwrap().to_owned(), problem["hint"].as_str().unwrap().to_owned())
    };
    let url = scrybe_keys::core::database_url::DatabaseUrl::parse(&good).unwrap();
    let password = url.password.as_ref().unwrap().as_str();
    let (code, hint) = problem(&good.replace(password, "wrong"));
    assert!(code == "db-login" && hint.contains("DATABASE_URL"), "{code}: {hint}");
    let (code, hint) = problem(&good.replace("/postgres", "/nosuch"));
    assert!(code == "db-no-database" && hint.contains("name"), "{code}: {hint}");
    let (code, hint) = problem(&good.replace(&format!(":{}", url.port), ":1"));
    assert!(code == "db-unreachable" && hint.contains("running"), "{code}: {hint}");
}
