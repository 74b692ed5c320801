//! Which operation answers which call. Calls that only look get the world; calls that change get a copy of it.

use super::answer::{Answer, Caller};
use super::call::Call;
use super::crypto::{self, Bare};
use super::refusal::Refusal;
use super::uses::Uses;
use super::world::World;
use super::{aliases, grants, keys, policy, re_encrypt, relatives, rotation, tags};
use crate::core::key_state::Operation;
use jiff::Timestamp;

/// Calls that change nothing; `None` for the others.
pub fn look(world: &World, uses: &Uses, region: &str, call: &Call) -> Option<Result<Answer, Refusal>> {
    Some(match call {
        Call::GetCallerIdentity(_) => Ok(Answer::Caller(caller(&world.account))),
        Call::DescribeKey(c) => keys::describe(world, region, c),
        Call::ListKeys(c) => keys::list(world, region, c),
        Call::GetKeyPolicy(c) => policy::current(world, region, c),
        Call::ListKeyPolicies(c) => policy::names(world, region, c),
        Call::GetKeyLastUsage(c) => uses.of_key(world, region, c),
        Call::GetKeyRotationStatus(c) => rotation::status(world, region, c),
        Call::ListKeyRotations(c) => rotation::materials(world, region, c),
        Call::ListGrants(c) => grants::list(world, region, c),
        Call::ListRetirableGrants(c) => grants::list_retirable(world, region, c),
        Call::ListAliases(c) => aliases::list(world, region, c),
        Call::ListResourceTags(c) => tags::list(world, region, c),
        Call::GenerateDataKey(c) => crypto::generate_data_key(world, region, c, Bare::Given),
        Call::GenerateDataKeyWithoutPlaintext(c) => crypto::generate_data_key(world, region, c, Bare::Withheld),
        Call::Encrypt(c) => crypto::encrypt(world, region, c),
        Call::Decrypt(c) => crypto::decrypt(world, region, c),
        Call::ReEncrypt(c) => re_encrypt::re_encrypt(world, region, c),
        _ => return None,
    })
}

/// Calls that change something, on a copy that may be thrown away.
pub fn change(world: &mut World, region: &str, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    match call {
        Call::CreateKey(c) => keys::create(world, region, c, now),
        Call::UpdateKeyDescription(c) => keys::update_description(world, region, c),
        Call::PutKeyPolicy(c) => policy::put(world, region, c),
        Call::EnableKey(c) => keys::switch(world, region, c, Operation::EnableKey, now),
        Call::DisableKey(c) => keys::switch(world, region, c, Operation::DisableKey, now),
        Call::ScheduleKeyDeletion(c) => keys::schedule_deletion(world, region, c, now),
        Call::CancelKeyDeletion(c) => keys::cancel_deletion(world, region, c),
        Call::EnableKeyRotation(c) => rotation::enable(world, region, c, now),
        Call::DisableKeyRotation(c) => rotation::disable(world, region, c),
        Call::RotateKeyOnDemand(c) => rotation::on_demand(world, region, c, now),
        Call::ReplicateKey(c) => relatives::replicate(world, region, c, now),
        Call::UpdatePrimaryRegion(c) => relatives::update_primary(world, region, c),
        Call::CreateGrant(c) => grants::create(world, region, c, now),
        Call::RevokeGrant(c) => grants::revoke(world, region, c),
        Call::RetireGrant(c) => grants::retire(world, region, c),
        Call::CreateAlias(c) => aliases::create(world, region, c, now),
        Call::UpdateAlias(c) => aliases::update(world, region, c, now),
        Call::DeleteAlias(c) => aliases::delete(world, region, c),
        Call::TagResource(c) => tags::tag(world, region, c),
        Call::UntagResource(c) => tags::untag(world, region, c),
        other => Err(Refusal::internal(format!("{} is not a mutation", other.operation()))),
    }
}

/// Whoever asks: the engine knows one identity.
pub fn caller(account: &str) -> Caller {
    Caller {
        account: account.to_owned(),
        arn: format!("arn:aws:iam::{account}:user/embedded"),
        user_id: "AIDAEMBEDDEDKMS000000".to_owned(),
    }
}
