//! Taking a census: workers share one snapshot, read units of the tables past every index, and count what opens how.
//!
//! Read-only. One worker is one connection and one judge. Memory is the counts and the names asked for; values live for one fetch.
//! What is counted is `ops::census`; how a cell is judged is `core::cell`.

use super::census::{CellName, Census, Keyrings, Protection, Request, STALE_LIMIT, Where, interrupted};
use crate::app::App;
use crate::core::cell::{Class, Judge};
use crate::core::keyring::Keyring;
use crate::db::Session;
use crate::db::catalog::{Catalog, LiveTable};
use crate::db::census::{CensusRow, Unit, units};
use crate::error::Failure;
use crate::ui::Progress;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Rows fetched at most at a time.
const FETCH_ROWS: usize = 1000;
const FETCH_BYTES: usize = 2 << 20;

struct Shared<'a> {
    app: &'a App,
    catalog: &'a Catalog,
    rings: &'a Keyrings,
    request: &'a Request,
    queue: Mutex<VecDeque<Unit>>,
    rows: AtomicU64,
    cells: AtomicU64,
    stop: AtomicBool,
    started: Instant,
}

/// Takes the census. `session` holds the snapshot; each worker joins it on a connection of its own. `watch` is called all the time on the
/// calling thread; returning true ends it as an interrupt does.
pub fn take(
    app: &App,
    session: &mut Session,
    catalog: &Catalog,
    rings: &Keyrings,
    request: &Request,
    progress: &dyn Progress,
    mut watch: impl FnMut() -> bool,
) -> Result<Census, Failure> {
    let tid_ranges = session.scans_tid_ranges()?;
    let mut snapshot = session.snapshot()?;
    let units = units(catalog, tid_ranges && request.filter.sample.is_none());
    let workers = request.workers.clamp(1, units.len().max(1));
    let shared = Shared {
        app,
        catalog,
        rings,
        request,
        queue: Mutex::new(units.into()),
        rows: AtomicU64::new(0),
        cells: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        started: Instant::now(),
    };
    let (name, basis) = (snapshot.name.clone(), snapshot.basis);
    let mut census = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let counted = count_units(&shared, &name);
                    if counted.is_err() {
                        shared.stop.store(true, Ordering::SeqCst);
                    }
                    counted
                })
            })
            .collect();
        while threads.iter().any(|t| !t.is_finished()) {
            std::thread::sleep(Duration::from_millis(25));
            progress.at(shared.rows.load(Ordering::Relaxed), shared.cells.load(Ordering::Relaxed), 0);
            if watch() || app.interrupt.asked() {
                shared.stop.store(true, Ordering::SeqCst);
            }
        }
        let mut all = Ok(Census::default());
        for thread in threads {
            let part = thread.join().unwrap_or_else(|_| Err(Failure::internal("a census thread panicked")));
            all = all.and_then(|census| part.map(|part| merge(census, part, request)));
        }
        all
    })?;
    if shared.stop.load(Ordering::SeqCst) || app.interrupt.asked() {
        return Err(interrupted());
    }
    if request.probe_unmapped {
        census.unmapped = snapshot.probe_unmapped(catalog, request.filter.sample, &|| app.interrupt.asked())?;
    }
    snapshot.end()?;
    census.rows = shared.rows.into_inner();
    census.cells = shared.cells.into_inner();
    census.seconds = shared.started.elapsed().as_secs_f64();
    census.sample = request.filter.sample;
    census.basis = basis;
    Ok(census)
}

fn merge(mut into: Census, part: Census, request: &Request) -> Census {
    for (key, count) in part.counts {
        *into.counts.entry(key).or_default() += count;
    }
    for (key, count) in part.nested {
        *into.nested.entry(key).or_default() += count;
    }
    for (key, mut rows) in part.stale_rows {
        let all = into.stale_rows.entry(key).or_default();
        all.append(&mut rows);
        all.truncate(STALE_LIMIT);
    }
    for (key, (rows, cells)) in part.to_move {
        let all = into.to_move.entry(key).or_default();
        *all = (all.0 + rows, all.1 + cells);
    }
    into.unopenable.extend(part.unopenable);
    into.unopenable.sort();
    into.unopenable.truncate(request.list_unopenable);
    into
}

fn count_units(shared: &Shared<'_>, snapshot: &str) -> Result<Census, Failure> {
    let mut session = shared.app.connect()?;
    let mut reader = session.census_reader(Some(snapshot))?;
    let mut census = Census::default();
    let nobody = Keyring::new(Vec::new());
    let mut judge = Judge::new(&nobody);
    loop {
        let Some(unit) = shared.queue.lock().expect("no census thread panics with the lock").pop_front() else {
            return Ok(census);
        };
        let live = &shared.catalog.tables[unit.table];
        let cursor = reader.open(live, &unit, &shared.request.filter)?;
        let mut rows = 64usize;
        loop {
            if shared.stop.load(Ordering::Relaxed) {
                return Ok(census);
            }
            let fetched = reader.fetch(&cursor, rows as i32)?;
            if fetched.is_empty() {
                break;
            }
            let bytes: usize = fetched.iter().flat_map(|r| &r.values).flatten().map(String::len).sum();
            let (count, mut cells) = (fetched.len(), 0);
            for row in fetched {
                judge = count_row(shared, &mut census, judge, live, row, &nobody, &mut cells);
            }
            shared.rows.fetch_add(count as u64, Ordering::Relaxed);
            let all = shared.cells.fetch_add(cells, Ordering::Relaxed) + cells;
            rows = (FETCH_BYTES / (bytes / count).max(1)).clamp(16, FETCH_ROWS);
            if let Some(rate) = shared.request.max_rate {
                let due = Duration::from_secs_f64(all as f64 / rate.max(1) as f64);
                while shared.started.elapsed() < due && !shared.stop.load(Ordering::Relaxed) {
                    std::thread::sleep((due - shared.started.elapsed().min(due)).min(Duration::from_millis(100)));
                }
            }
        }
    }
}

fn count_row<'k>(
    shared: &Shared<'k>,
    census: &mut Census,
    judge: Judge<'k>,
    live: &LiveTable,
    row: CensusRow,
    nobody: &'k Keyring,
    cells: &mut u64,
) -> Judge<'k> {
    let keys = row.organization.as_deref().and_then(|o| shared.rings.get(o));
    let mut judge = judge.with(keys.map_or(nobody, |k| &k.keyring));
    let mut stale = 0;
    for (column, value) in live.columns.iter().zip(&row.values) {
        let Some(raw) = value else { continue };
        let class = judge.classify(column.kind, raw);
        if class == Class::Absent {
            continue;
        }
        *cells += 1;
        let place =
            || Where { organization: row.organization.clone(), table: live.name.clone(), column: column.name.clone() };
        let version = |at: usize| keys.expect("something opened").keyring.entries()[at].version;
        let wishes = shared.request.wishes;
        let wished = match class {
            Class::Plain | Class::PlainNested { .. } => wishes.include_plaintext && keys.is_some(),
            Class::Nested { whole, .. } => wishes.unwrap_nested && whole,
            _ => false,
        };
        let mut movable = wished;
        let protection = match class {
            Class::Sealed(outer) | Class::Nested { outer, .. } => {
                let keys = keys.expect("something opened");
                let entry = &keys.keyring.entries()[outer];
                if outer == keys.current {
                    Protection::Current(entry.version, entry.id.clone())
                } else {
                    movable |= shared.request.from_version.is_none_or(|from| from == entry.version);
                    Protection::Stale(entry.version, entry.id.clone())
                }
            }
            Class::Plain | Class::PlainNested { .. } => Protection::Plaintext,
            Class::Unopenable(_) if keys.is_none() => Protection::Ownerless,
            Class::Unopenable(error) => {
                if census.unopenable.len() < shared.request.list_unopenable {
                    census.unopenable.push(CellName { place: place(), row: row.id.clone(), reason: error.to_string() });
                }
                Protection::Unopenable
            }
            Class::Absent => continue,
        };
        stale += u64::from(movable);
        *census.counts.entry((place(), protection)).or_default() += 1;
        if let Class::Nested { inner, .. } | Class::PlainNested { inner } = class {
            *census.nested.entry((place(), version(inner))).or_default() += 1;
        }
    }
    if stale > 0
        && let Some(organization) = row.organization
    {
        let key = (organization, live.relation.clone());
        let to_move = census.to_move.entry(key.clone()).or_default();
        *to_move = (to_move.0 + 1, to_move.1 + stale);
        let rows = census.stale_rows.entry(key).or_default();
        if rows.len() < STALE_LIMIT {
            rows.push(row.id);
        }
    }
    judge
}
