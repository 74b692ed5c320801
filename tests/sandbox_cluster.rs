//! The throwaway PostgreSQL that the sandbox and every other test stand on.

use scrybe_keys::ops::sandbox::cluster::{Cluster, Options};

fn options() -> Options {
    Options { durable: false, ..Options::default() }
}

fn answer(cluster: &Cluster) -> Result<i32, postgres::Error> {
    postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls)?
        .query_one("SELECT 42", &[])
        .map(|row| row.get(0))
}

fn alive(pid: i32) -> bool {
    // A zombie has no working directory any more.
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok()
}

#[test]
fn a_started_cluster_answers_and_is_gone_when_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("cluster");
    let cluster = Cluster::start(&place, options()).unwrap();
    assert_eq!(answer(&cluster).unwrap(), 42);
    let (pid, home) = (cluster.pid().unwrap(), cluster.home().to_path_buf());
    drop(cluster);
    assert!(!alive(pid));
    assert!(!home.exists());
    assert!(!place.exists());
}

#[test]
fn a_wrong_password_is_refused_and_only_loopback_listens() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&dir.path().join("cluster"), options()).unwrap();
    let wrong = cluster.url("postgres").replace(cluster.password(), "wrong");
    let refused =
        postgres::Client::connect(&wrong, postgres::NoTls).err().expect("a wrong password opened the database");
    assert_eq!(refused.code(), Some(&postgres::error::SqlState::INVALID_PASSWORD));
    let mut client = postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls).unwrap();
    let listen: String = client.query_one("SHOW listen_addresses", &[]).unwrap().get(0);
    assert_eq!(listen, "127.0.0.1");
}

#[test]
fn a_killed_server_is_started_again_with_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("cluster");
    let cluster = Cluster::ensure(&place, Options::default()).unwrap();
    let mut client = postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls).unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    let (pid, port) = (cluster.pid().unwrap(), cluster.port());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    while alive(pid) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let again = Cluster::ensure(&place, Options::default()).unwrap();
    assert_eq!(again.port(), port);
    let mut client = postgres::Client::connect(&again.url("postgres"), postgres::NoTls).unwrap();
    assert_eq!(client.query_one("SELECT n FROM kept", &[]).unwrap().get::<_, i32>(0), 7);
    let home = again.home().to_path_buf();
    again.remove().unwrap();
    assert!(!home.exists());
}

#[test]
fn a_stale_cluster_is_stopped_and_replaced_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("cluster");
    // A test that was killed never ran its destructor: detaching leaves exactly that behind.
    let stale = Cluster::start(&place, options()).unwrap().detach();
    let (pid, home) = (stale.pid().unwrap(), stale.home().to_path_buf());
    let fresh = Cluster::start(&place, options()).unwrap();
    assert!(!alive(pid));
    assert_ne!(fresh.pid().unwrap(), pid);
    assert!(fresh.home() != home || home.join("data").exists());
    assert_eq!(answer(&fresh).unwrap(), 42);
}

#[test]
fn a_directory_that_is_not_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let precious = dir.path().join("postgres/precious");
    std::fs::create_dir(dir.path().join("postgres")).unwrap();
    std::fs::write(&precious, "keep").unwrap();
    let refused = Cluster::start(dir.path(), options()).err().expect("a foreign directory was taken");
    assert!(refused.to_string().contains("was not made by the sandbox"), "{refused}");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "keep");
}
