//! A database that refuses, breaks or is not as expected: message, exit code, and nothing lost.

use crate::support::cli;
use crate::support::cluster::own_cluster;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::{Duration, Instant};

const ROTATE: [&str; 8] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"];

fn clinic() -> Option<World> {
    World::ready(Seed { orgs: 1, ..Seed::default() })
}

/// A role of this test that is no superuser, and may do what the product needs but for `revoked`.
pub fn as_operator(world: &mut World, revoked: &str) -> String {
    let (role, mut sql) = (format!("op_{}", world.database.name), world.sql());
    sql.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'operator-password';
         GRANT USAGE ON SCHEMA public, scrybe_keys TO {role};
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA scrybe_keys TO {role};
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA scrybe_keys TO {role};
         GRANT pg_read_all_stats TO {role};
         {}",
        revoked.replace("{role}", &role)
    ))
    .unwrap();
    let url =
        format!("postgresql://{role}:operator-password@127.0.0.1:{}/{}", world.database.port, world.database.name);
    world.environment.insert("DATABASE_URL".to_owned(), url);
    role
}

#[test]
fn faults_an_operator_who_is_no_superuser_can_rotate() {
    let Some(mut world) = clinic() else { return };
    as_operator(&mut world, "");
    world.run(&ROTATE).expect(0);
    world.check(Check::version(2));
}

#[test]
fn faults_a_missing_privilege_is_said_as_the_grant_to_run() {
    let Some(mut world) = clinic() else { return };
    let role = as_operator(&mut world, "REVOKE UPDATE ON \"Message\" FROM {role};");
    let before = world.digest();
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]).expect(6);
    assert!(
        ran.stderr.contains("GRANT UPDATE") && ran.stderr.contains("\"Message\"") && ran.stderr.contains(&role),
        "{ran:?}"
    );
    assert_eq!(world.digest(), before);
    // The advice is right: what it says to run makes it run.
    let grants: Vec<&str> =
        ran.stderr.lines().filter_map(|l| l.find("GRANT ").map(|at| l[at..].trim_end_matches('`'))).collect();
    world.sql().batch_execute(&grants.join(";\n")).unwrap();
    world.run(&ROTATE).expect(0);
    world.check(Check::version(2));
}

#[test]
fn faults_row_level_security_is_an_error_and_not_a_filter() {
    let Some(mut world) = clinic() else { return };
    as_operator(
        &mut world,
        "ALTER TABLE \"Note\" ENABLE ROW LEVEL SECURITY; CREATE POLICY some_rows ON \"Note\" USING (id < '8');",
    );
    let before = world.digest();
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]).expect(6);
    assert!(ran.stderr.contains("row-level security") || ran.stderr.contains("BYPASSRLS"), "{ran:?}");
    assert!(ran.stderr.contains("Note"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn faults_an_update_trigger_is_refused_unless_allowed() {
    let Some(world) = clinic() else { return };
    let trigger = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.\"updatedAt\" := now(); RETURN NEW; END';
                   CREATE TRIGGER touch BEFORE UPDATE ON \"Note\" FOR EACH ROW EXECUTE FUNCTION touch();";
    world.sql().batch_execute(trigger).unwrap();
    let before = world.digest();
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]).expect(5);
    for text in ["Note", "touch", "--allow-triggers"] {
        assert!(ran.stderr.contains(text), "{text} is not said in {ran:?}");
    }
    assert_eq!(world.digest(), before);
    world.run(&[&ROTATE[..], &["--allow-triggers"]].concat()).expect(0);
    let trouble = world.try_check(&Check::version(2)).unwrap_err();
    assert!(trouble.contains("updatedAt moved"), "the trigger was allowed to do what it does: {trouble}");
    world.run(&["census", "--json"]).expect(0);
}

#[test]
fn faults_a_wrong_password_is_exit_6_and_never_shown() {
    let Some(mut world) = clinic() else { return };
    let right = world.environment["DATABASE_URL"].clone();
    let (user, host) = (
        right.split(':').nth(1).unwrap().trim_start_matches("//").to_owned(),
        right.split('@').nth(1).unwrap().to_owned(),
    );
    world.environment.insert("DATABASE_URL".to_owned(), format!("postgresql://{user}:s3cr3t-and-wrong@{host}"));
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--yes", "-vv"]).expect(6);
    assert!(ran.stderr.contains("password") && ran.stderr.contains("hint"), "{ran:?}");
    assert!(!format!("{ran:?}").contains("s3cr3t"), "{ran:?}");
}

#[test]
fn faults_a_database_that_is_not_there_is_exit_8() {
    let Some(mut world) = clinic() else { return };
    let closed = { std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap() };
    world.environment.insert("DATABASE_URL".to_owned(), format!("postgresql://someone:hidden-word@{closed}/clinic"));
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--yes"]).expect(8);
    assert!(ran.stderr.contains(&closed.port().to_string()) && !ran.stderr.contains("hidden-word"), "{ran:?}");
}

#[test]
fn faults_a_prisma_address_with_every_parameter_works() {
    let Some(mut world) = clinic() else { return };
    let plain = world.environment["DATABASE_URL"].clone();
    let prisma = format!(
        "{plain}?schema=public&connection_limit=5&pool_timeout=10&connect_timeout=7&socket_timeout=60&sslmode=prefer&sslaccept=accept_invalid_certs\
         &statement_cache_size=100&application_name=the%20clinic&pgbouncer=false&options=-c%20statement_timeout%3D60000"
    );
    world.environment.insert("DATABASE_URL".to_owned(), prisma);
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]).expect(0);
    for ignored in ["connection_limit", "pool_timeout"] {
        assert!(ran.stderr.contains(ignored), "no note on {ignored}: {ran:?}");
    }
    world.check(Check::version(2));
    world.environment.insert("DATABASE_URL".to_owned(), format!("{plain}?pgbouncer=true"));
    world.run(&ROTATE).expect(2).says("DIRECT_URL");
    world.environment.insert("DATABASE_URL".to_owned(), format!("{plain}?conection_limit=5"));
    world.run(&ROTATE).expect(2).says("conection_limit");
    world.environment.insert("DATABASE_URL".to_owned(), format!("{plain}?schema=nowhere"));
    let missing = world.run(&ROTATE);
    assert_ne!(missing.code(), 0);
    missing.says("nowhere");
    world.check(Check::version(2));
}

#[test]
fn faults_a_column_that_is_gone_is_named() {
    let Some(world) = clinic() else { return };
    world.sql().batch_execute("ALTER TABLE \"Call\" RENAME COLUMN \"aiSummary\" TO summary").unwrap();
    let before = world.digest();
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]);
    assert!([2, 5].contains(&ran.code()), "{ran:?}");
    assert!(ran.stderr.contains("aiSummary"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn faults_a_read_only_database_is_refused() {
    let Some(mut world) = clinic() else { return };
    let plain = world.environment["DATABASE_URL"].clone();
    world
        .environment
        .insert("DATABASE_URL".to_owned(), format!("{plain}?options=-c%20default_transaction_read_only%3Don"));
    let before = world.digest();
    let ran = world.run(&ROTATE);
    assert!([5, 6].contains(&ran.code()), "{ran:?}");
    assert!(ran.stdout.contains("read-only"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

/// A tool that lost its sessions in the middle of the move.
#[test]
fn faults_a_connection_lost_in_the_middle_of_a_batch_loses_nothing() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 3000, ..Seed::default() }) else { return };
    let mut sql = world.sql();
    let mut run = world.start(&ROTATE);
    let moved = "SELECT coalesce(sum(cells_moved), 0)::bigint FROM scrybe_keys.job_chunk";
    let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let (since, mut terminated) = (Instant::now(), 0);
    while run.is_running() && since.elapsed() < Duration::from_secs(60) {
        if sql.query_one(moved, &[]).unwrap().get::<_, i64>(0) > 0 {
            terminated += sql.query_one(terminate, &[]).unwrap().get::<_, i64>(0);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    assert!(terminated > 0, "the job was over before a connection could be cut");
    let ran = run.finish();
    assert!([7, 8].contains(&ran.code()), "{ran:?}");
    assert!(ran.json()["problems"].as_array().is_some_and(|p| !p.is_empty()), "{ran:?}");
    world.check(Check::half_way());
    world.run(&ROTATE).expect(0);
    world.check(Check::version(2));
}

#[test]
fn faults_a_server_that_restarts_loses_nothing() {
    let (dir, cluster) = own_cluster(Vec::new());
    let Some(world) = World::on(&cluster, Seed { orgs: 1, notes: 2000, ..Seed::default() }) else { return };
    let mut run = world.start(&ROTATE);
    let since = Instant::now();
    let versions = || world.versions(world.org()).len();
    while run.is_running() && versions() < 2 && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = nix::unistd::Pid::from_raw(cluster.pid().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT).unwrap();
    let ran = run.finish();
    assert!([7, 8].contains(&ran.code()), "{ran:?}");
    let again =
        scrybe_keys::ops::sandbox::cluster::Cluster::ensure(&dir.path().join("cluster"), Default::default()).unwrap();
    world.check(Check::half_way());
    world.run(&ROTATE).expect(0);
    world.check(Check::version(2));
    drop((world, again, cluster));
}

/// A file system of a few megabytes under the database: only root can mount one.
struct TinyDisk(std::path::PathBuf);

impl TinyDisk {
    /// `None` after saying why: the test is skipped, visibly.
    fn mount(at: &std::path::Path, size: &str, owner: &str) -> Option<TinyDisk> {
        std::fs::create_dir_all(at).unwrap();
        let options = format!("size={size},mode=0700,uid={owner},gid={owner}");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "scrybe-keys-test"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(TinyDisk(at.to_owned())),
            Ok(output) => {
                eprintln!(
                    "SKIPPED: a full disk needs a file system of its own and this user may not mount one: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                None
            }
            Err(error) => {
                eprintln!("SKIPPED: a full disk needs `mount`: {error}");
                None
            }
        }
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn faults_a_full_disk_on_the_server_loses_nothing() {
    let (dir, cluster) = own_cluster(Vec::new());
    let place = cluster.home().join("tiny");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(cluster.home()).unwrap()).to_string();
    let Some(disk) = TinyDisk::mount(&place, "200m", &owner) else { return };
    let Some(world) = World::on(&cluster, Seed { orgs: 1, notes: 4000, note_bytes: 3000, ..Seed::default() }) else {
        return;
    };
    let mut admin = postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls).unwrap();
    admin.batch_execute(&format!("CREATE TABLESPACE tiny LOCATION '{}'", place.display())).unwrap();
    admin.batch_execute(&format!("ALTER DATABASE {} SET TABLESPACE tiny", world.database.name)).unwrap();
    admin.batch_execute("CHECKPOINT").unwrap();
    let stat = nix::sys::statvfs::statvfs(&place).unwrap();
    let free = stat.blocks_available() * stat.fragment_size();
    assert!(free > 2 << 20, "only {free} bytes are left of the tiny disk");
    let ballast = place.join("ballast");
    std::fs::write(&ballast, vec![0u8; (free - (1 << 20)) as usize]).unwrap();

    let ran = world.run(&ROTATE);
    assert!([7, 8].contains(&ran.code()), "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    assert!(said.contains("disk") || said.contains("no space"), "{ran:?}");
    assert_eq!(world.versions(world.org()), [(1, false), (2, true)], "it was to get as far as the move: {ran:?}");
    world.check(Check::half_way());
    std::fs::remove_file(&ballast).unwrap();
    world.sql().batch_execute("VACUUM").unwrap();
    world.run(&ROTATE).expect(0);
    world.check(Check::version(2));
    drop(world);
    drop(disk);
    drop((cluster, dir));
}

#[test]
fn faults_a_locked_row_is_waited_for() {
    let Some(world) = clinic() else { return };
    let mut holder = world.sql();
    let mut transaction = holder.transaction().unwrap();
    transaction.query("SELECT id FROM \"Note\" WHERE content LIKE 'enc:v1:%' LIMIT 1 FOR UPDATE", &[]).unwrap();
    let run = cli::start(cli::binary(&ROTATE, &world.environment));
    std::thread::sleep(Duration::from_secs(3));
    transaction.rollback().unwrap();
    run.finish().expect(0);
    world.check(Check::version(2));
}
