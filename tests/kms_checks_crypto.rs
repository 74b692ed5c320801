//! Checks of the KMS contract: what seals, what opens, and what must not. `kms_contract` has the table.

use crate::support::kms_bench::Bench;
use crate::support::kms_verdict::{Verdict, ensure, new_alias, new_key, ok, refused, state};
use scrybe_keys::core::kms::{Context, KeyDescription, KeyState, KmsErrorKind as Kind, NewKey};

pub fn a_multi_region_key_is_one_and_opens(bench: &Bench) -> Verdict {
    let key = ok(bench.here.create_key(&NewKey { multi_region: true, ..NewKey::default() }))?;
    ensure!(key.multi_region && key.key_id.starts_with("mrk-"), "{key:?}");
    let made = ok(bench.here.generate_data_key(&key.arn, &context("a")))?;
    let opened = ok(bench.here.decrypt(Some(&key.arn), &made.wrapped, &context("a")))?;
    ensure!(opened.plaintext.as_slice() == made.dek.expose(), "opens to something else");
    Ok(())
}

pub fn a_data_key_opens_to_itself(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &context("a")))?;
    ensure!(made.key_arn == key.arn, "made under {}", made.key_arn);
    ensure!(!contains(&made.wrapped, made.dek.expose()), "the wrapping shows the key");
    for pin in [None, Some(key.key_id.as_str()), Some(key.arn.as_str())] {
        let opened = ok(bench.here.decrypt(pin, &made.wrapped, &context("a")))?;
        ensure!(opened.plaintext.as_slice() == made.dek.expose(), "opens to something else");
        ensure!(opened.key_arn == key.arn, "opened under {}", opened.key_arn);
    }
    let again = ok(bench.here.generate_data_key(&key.key_id, &context("a")))?;
    ensure!(again.dek != made.dek, "the same data key twice");
    Ok(())
}

pub fn a_data_key_names_its_material(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    ensure!(made.material_id.is_some() && made.material_id == key.material_id, "{:?}", made.material_id);
    let opened = ok(bench.here.decrypt(None, &made.wrapped, &Context::new()))?;
    ensure!(opened.material_id == key.material_id, "{:?}", opened.material_id);
    Ok(())
}

pub fn a_withheld_data_key_opens(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key_without_plaintext(&key.arn, &context("a")))?;
    ensure!(made.key_arn == key.arn, "made under {}", made.key_arn);
    let opened = ok(bench.here.decrypt(Some(&key.arn), &made.wrapped, &context("a")))?;
    ensure!(opened.plaintext.len() == 32, "{} bytes", opened.plaintext.len());
    Ok(())
}

pub fn encrypt_takes_up_to_4096_bytes(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    for length in [1, 32, 4096] {
        let plaintext: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let made = ok(bench.here.encrypt(&key.key_id, &plaintext, &Context::new()))?;
        ensure!(made.wrapped.len() <= 6144, "{} bytes of ciphertext", made.wrapped.len());
        let opened = ok(bench.here.decrypt(Some(&key.key_id), &made.wrapped, &Context::new()))?;
        ensure!(opened.plaintext.as_slice() == plaintext, "{length} bytes come back changed");
    }
    Ok(())
}

pub fn an_empty_plaintext_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    refused(bench.here.encrypt(&key.key_id, b"", &Context::new()), &[Kind::Invalid])
}

pub fn a_longer_plaintext_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    refused(bench.here.encrypt(&key.key_id, &[7; 4097], &Context::new()), &[Kind::Invalid])
}

pub fn another_context_does_not_open(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let both = Context::from([("tenantId".to_owned(), "a".to_owned()), ("patientId".to_owned(), "b".to_owned())]);
    let made = ok(bench.here.generate_data_key(&key.key_id, &both))?;
    ok(bench.here.decrypt(None, &made.wrapped, &both))?;
    let mut more = both.clone();
    more.insert("extra".to_owned(), "c".to_owned());
    let upper = Context::from([("TenantId".to_owned(), "a".to_owned()), ("patientId".to_owned(), "b".to_owned())]);
    let swapped = Context::from([("tenantId".to_owned(), "b".to_owned()), ("patientId".to_owned(), "a".to_owned())]);
    for other in [Context::new(), context("a"), more, upper, swapped] {
        refused(bench.here.decrypt(None, &made.wrapped, &other), &[Kind::InvalidCiphertext])?;
    }
    Ok(())
}

pub fn an_altered_ciphertext_does_not_open(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    let length = made.wrapped.len();
    for place in [length - 1, length - 17, length - 33, length - 50] {
        let mut altered = made.wrapped.clone();
        altered[place] ^= 1;
        refused(bench.here.decrypt(Some(&key.arn), &altered, &Context::new()), &[Kind::InvalidCiphertext])?;
    }
    let mut longer = made.wrapped.clone();
    longer.push(0);
    refused(bench.here.decrypt(Some(&key.arn), &longer, &Context::new()), &[Kind::InvalidCiphertext])?;
    refused(
        bench.here.decrypt(Some(&key.arn), &made.wrapped[..length - 1], &Context::new()),
        &[Kind::InvalidCiphertext],
    )
}

pub fn garbage_is_an_invalid_ciphertext(bench: &Bench) -> Verdict {
    for garbage in [vec![0u8; 1], vec![0xA5; 40], vec![0x5A; 184]] {
        refused(bench.here.decrypt(None, &garbage, &Context::new()), &[Kind::InvalidCiphertext])?;
    }
    Ok(())
}

pub fn a_pin_by_alias_opens(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &key.key_id))?;
    let made = ok(bench.here.generate_data_key(&alias, &Context::new()))?;
    ensure!(made.key_arn == key.arn, "made under {}", made.key_arn);
    ok(bench.here.decrypt(Some(&alias), &made.wrapped, &Context::new()))?;
    Ok(())
}

pub fn a_pin_to_another_key_is_refused(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    refused(bench.here.decrypt(Some(&other.arn), &made.wrapped, &Context::new()), &[Kind::WrongKey])
}

pub fn regions_are_apart(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    refused(bench.elsewhere.describe_key(&key.key_id), &[Kind::NotFound])?;
    // AWS answers AccessDeniedException: it does not tell whether the key exists.
    refused(bench.elsewhere.decrypt(None, &made.wrapped, &Context::new()), &[Kind::Denied, Kind::InvalidCiphertext])
}

pub fn a_disabled_key_neither_seals_nor_opens(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    ok(bench.here.disable_key(&key.key_id))?;
    ensure!(state(bench, &key)? == KeyState::Disabled, "not disabled");
    unusable(bench, &key, &made.wrapped, Some("DisabledException"))
}

pub fn an_enabled_key_opens_again(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    ok(bench.here.disable_key(&key.key_id))?;
    ok(bench.here.enable_key(&key.key_id))?;
    ensure!(state(bench, &key)? == KeyState::Enabled, "not enabled");
    ok(bench.here.decrypt(Some(&key.arn), &made.wrapped, &Context::new()))?;
    Ok(())
}

pub fn a_pending_key_neither_seals_nor_opens(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    unusable(bench, &key, &made.wrapped, None)
}

fn unusable(bench: &Bench, key: &KeyDescription, wrapped: &[u8], code: Option<&str>) -> Verdict {
    let none = Context::new();
    let errors = [
        bench.here.generate_data_key(&key.arn, &none).err(),
        bench.here.generate_data_key_without_plaintext(&key.arn, &none).err(),
        bench.here.encrypt(&key.arn, b"x", &none).err(),
        bench.here.decrypt(Some(&key.arn), wrapped, &none).err(),
        bench.here.decrypt(None, wrapped, &none).err(),
    ];
    for error in errors {
        let error = error.ok_or("a crypto call succeeded")?;
        ensure!(error.kind == Kind::KeyUnusable, "{:?} ({error})", error.kind);
        ensure!(code.is_none() || error.code.as_deref() == code, "{error}");
    }
    Ok(())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn context(tenant: &str) -> Context {
    Context::from([("tenantId".to_owned(), tenant.to_owned())])
}
