//! The engine: one world, one lock, one dispatch for both doors.
//!
//! A mutating call changes a copy; the copy replaces the original only when it is on disk and synced, so no ciphertext is ever
//! returned under material that a power cut could lose. If a save fails where old and new cannot be told apart, the engine refuses everything after it.

use super::answer::Answer;
use super::call::Call;
use super::dispatch::{caller, change, look};
use super::fault::{Fault, FaultKind, Script};
use super::kek::Kek;
use super::lag::Lag;
use super::refusal::Refusal;
use super::request_log::{Request, RequestLog};
use super::store::{SaveFailed, Store};
use super::uses::Uses;
use super::world::{DEFAULT_ACCOUNT, World};
use crate::core::kms::{KmsError, KmsErrorKind};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// Where the engine learns the real time; the virtual clock is this plus an offset that is kept with the keys.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How to open an engine.
pub struct Options {
    /// Twelve digits. `None` takes what the directory says, or 111122223333 for a new one.
    pub account: Option<String>,
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Options {
        Options { account: None, clock: Arc::new(Timestamp::now) }
    }
}

/// Who asks, from where. Only `region` decides anything.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub region: String,
    pub access_key: Option<String>,
    pub user_agent: Option<String>,
}

/// How an outcome reaches the caller: a scripted fault may swallow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Prompt,
    /// Never answered.
    Withheld,
    /// Done, but the connection closes instead of answering.
    Lost,
}

/// What became of one call.
pub(super) struct Outcome {
    pub request_id: String,
    pub result: Result<Answer, Refusal>,
    pub delivery: Delivery,
}

/// A running embedded KMS. Clones share it; the directory's lock is held until the last is dropped.
#[derive(Clone)]
pub struct Engine(Arc<Mutex<State>>);

struct State {
    world: World,
    store: Store,
    clock: Clock,
    faults: Script,
    lag: Lag,
    uses: Uses,
    log: RequestLog,
    // Set when memory and disk may disagree.
    in_doubt: bool,
}

impl Engine {
    /// Opens or makes the engine in `dir`. `StoreInUse` when another process has it; `StoreBroken` (with nothing written) under another
    /// KEK or when the file is damaged.
    pub fn open(dir: &Path, kek: Kek) -> Result<Engine, KmsError> {
        Engine::open_with(dir, kek, Options::default())
    }

    /// The same with an account and a clock of the caller's choice.
    pub fn open_with(dir: &Path, kek: Kek, options: Options) -> Result<Engine, KmsError> {
        let invalid = |message: String| KmsError::new(KmsErrorKind::Invalid, "Open", message);
        if let Some(account) =
            options.account.as_ref().filter(|a| a.len() != 12 || !a.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(invalid(format!("an account id has twelve digits, not `{account}`")));
        }
        let (store, found) = Store::open(dir, kek)?;
        let world = match (found, options.account) {
            (Some(world), Some(account)) if world.account != account => {
                return Err(invalid(format!(
                    "the embedded KMS in {} belongs to account {}",
                    dir.display(),
                    world.account
                )));
            }
            (Some(world), _) => world,
            (None, account) => {
                let world = World::new(account.unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()));
                store.save(&world).map_err(|e| {
                    KmsError::new(
                        KmsErrorKind::Unknown,
                        "Open",
                        format!("the embedded KMS in {} cannot be written: {e}", dir.display()),
                    )
                })?;
                world
            }
        };
        store.announce(None);
        let opened = next_time((options.clock)(), world.clock_offset);
        let state = State {
            world,
            store,
            clock: options.clock,
            faults: Script::default(),
            lag: Lag::default(),
            uses: Uses::since(opened),
            log: RequestLog::default(),
            in_doubt: false,
        };
        Ok(Engine(Arc::new(Mutex::new(state))))
    }

    /// The account all regions belong to.
    pub fn account(&self) -> String {
        self.state().world.account.clone()
    }

    /// Virtual time.
    pub fn now(&self) -> Timestamp {
        self.state().now()
    }

    /// Puts the virtual clock forward and lets what is due happen. Never back: a deletion cannot be undone.
    pub fn advance(&self, by: std::time::Duration) -> Result<Timestamp, KmsError> {
        let mut state = self.state();
        let seconds = i64::try_from(by.as_secs())
            .map_err(|_| KmsError::new(KmsErrorKind::Invalid, "Advance", "too far into the future"))?;
        let failed = |refusal: Refusal| {
            KmsError::new(KmsErrorKind::of_code(refusal.code, refusal.status), "Advance", refusal.message)
        };
        let mut next = state.world.clone();
        next.clock_offset = next
            .clock_offset
            .checked_add(seconds)
            .filter(|offset| state.real_time().checked_add(SignedDuration::from_secs(*offset)).is_ok())
            .ok_or_else(|| KmsError::new(KmsErrorKind::Invalid, "Advance", "too far into the future"))?;
        let now = next_time(state.real_time(), next.clock_offset);
        next.settle_at(now).map_err(failed)?;
        state.replace(next).map_err(failed)?;
        Ok(now)
    }

    /// Scripts a fault.
    pub fn add_fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// Forgets the faults still to come.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// The faults still to come.
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.pending()
    }

    /// How many calls still see the old state of what a call changes; 0 (the default) for none.
    pub fn set_lag(&self, reads: u32) {
        self.state().lag.set(reads);
    }

    /// The consistency lag, in calls.
    pub fn lag(&self) -> u32 {
        self.state().lag.reads()
    }

    /// Requests numbered above `after` (0: all that are kept), oldest first.
    pub fn requests(&self, after: u64) -> Vec<Request> {
        self.state().log.since(after)
    }

    /// Notes where this engine is served, for whoever tries to open it meanwhile.
    pub(super) fn announce(&self, endpoint: Option<String>) {
        self.state().store.announce(endpoint);
    }

    /// One call, from either door.
    pub(super) fn call(&self, origin: &Origin, call: Result<Call, Refusal>, operation: &str) -> Outcome {
        let mut state = self.state();
        let request_id = uuid::Uuid::new_v4().to_string();
        let fault = state.faults.strike(operation);
        let (delivery, refused) = match fault {
            None => (Delivery::Prompt, None),
            Some(FaultKind::ReplyLost) => (Delivery::Lost, None),
            Some(FaultKind::Timeout) => (Delivery::Withheld, Some(Refusal::internal("scripted: never answered"))),
            Some(FaultKind::Throttled) => {
                (Delivery::Prompt, Some(Refusal::new("ThrottlingException", "Rate exceeded")))
            }
            Some(FaultKind::Denied) => {
                let message =
                    format!("User: {} is not authorized to perform: kms:{operation}", caller(&state.world.account).arn);
                (Delivery::Prompt, Some(Refusal::new("AccessDeniedException", message)))
            }
            Some(FaultKind::ServerError) => (Delivery::Prompt, Some(Refusal::internal("scripted: internal failure"))),
        };
        let named = call.as_ref().ok().and_then(|c| c.names().first().map(|name| (*name).to_owned()));
        let context = call.as_ref().ok().and_then(|c| c.encryption_context()).cloned().unwrap_or_default();
        let result = match refused {
            Some(refusal) => Err(refusal),
            None => call.and_then(|call| state.dispatch(&origin.region, &call, &request_id)),
        };
        let at = state.now();
        state.log.add(Request {
            number: 0,
            at,
            request_id: request_id.clone(),
            region: origin.region.clone(),
            operation: operation.to_owned(),
            outcome: result.as_ref().err().map_or("ok", |refusal| refusal.code).to_owned(),
            delivered: delivery == Delivery::Prompt,
            key: named,
            encryption_context: context,
            access_key: origin.access_key.clone(),
            user_agent: origin.user_agent.clone(),
        });
        Outcome { request_id, result, delivery }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves whole values: every change is one assignment.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn real_time(&self) -> Timestamp {
        (self.clock)()
    }

    fn now(&self) -> Timestamp {
        next_time(self.real_time(), self.world.clock_offset)
    }

    /// Makes `next` durable, then current.
    fn replace(&mut self, next: World) -> Result<(), Refusal> {
        if let Err(error) = self.store.save(&next) {
            self.in_doubt = matches!(error, SaveFailed::InDoubt(_));
            return Err(Refusal::internal(format!("the state could not be saved: {error}")));
        }
        self.world = next;
        Ok(())
    }

    fn dispatch(&mut self, region: &str, call: &Call, request_id: &str) -> Result<Answer, Refusal> {
        if self.in_doubt {
            return Err(Refusal::internal("an earlier write failed: open this KMS again to see what is on disk"));
        }
        let now = self.now();
        if self.world.is_due_at(now) {
            let mut next = self.world.clone();
            next.settle_at(now)?;
            self.replace(next)?;
        }
        let stale = self.lag.view(&self.world, region, call);
        if let Some(answer) = look(stale.as_ref().unwrap_or(&self.world), &self.uses, region, call) {
            let answer = rehearsed(call, answer?)?;
            self.uses.note_at(&answer.keys_used(), call.operation(), request_id, now);
            return Ok(answer);
        }
        if let Some(mut view) = stale {
            change(&mut view, region, call, now)?;
        }
        let mut next = self.world.clone();
        let answer = rehearsed(call, change(&mut next, region, call, now)?)?;
        let changes = self.lag.changes(&self.world, &next);
        self.replace(next)?;
        self.lag.remember(changes);
        Ok(answer)
    }
}

/// What would have been answered goes no further when the call was to be judged only: success is an error then (API: DryRun).
fn rehearsed(call: &Call, answer: Answer) -> Result<Answer, Refusal> {
    match call.is_rehearsal() {
        true => Err(Refusal::new(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        )),
        false => Ok(answer),
    }
}

fn next_time(real: Timestamp, offset: i64) -> Timestamp {
    real.checked_add(SignedDuration::from_secs(offset)).unwrap_or(Timestamp::MAX)
}
