//! Recorded replies: what the adapter makes of each error AWS can send, as it stands on the wire, through the real SDK.
//! Many of them the SDK does not model; the code alone must be enough.

use crate::support::kms_bench::{REGION, options};
use scrybe_keys::aws::{AwsKms, Options, Patience};
use scrybe_keys::core::kms::{Context, Kms, KmsError, KmsErrorKind as Kind, MultiRegion, ReEncrypt, Rehearsal};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

/// A server that gives one answer for ever.
fn always(status: u16, headers: &str, body: &str) -> AwsKms {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Recorded\r\n{headers}x-amzn-requestid: recorded-id\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut wanted = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                    wanted = text.trim().parse().unwrap();
                }
                line.clear();
            }
            let _ = reader.read_exact(&mut vec![0; wanted]);
            let _ = reader.into_inner().write_all(answer.as_bytes());
        }
    });
    let patience = Patience { attempts: Some((1, Duration::from_millis(1))), ..Patience::default() };
    AwsKms::connect(&Options { patience, ..options(&url, REGION) }).unwrap()
}

fn described(status: u16, headers: &str, body: &str) -> KmsError {
    always(status, headers, body).describe_key("alias/any").unwrap_err()
}

#[test]
fn kms_replies_every_code_says_what_an_operator_can_do() {
    for (status, code, kind) in [
        (400, "AccessDeniedException", Kind::Denied),
        (400, "UnrecognizedClientException", Kind::NoCredentials),
        (400, "InvalidSignatureException", Kind::NoCredentials),
        (400, "MissingAuthenticationTokenException", Kind::NoCredentials),
        (400, "ExpiredTokenException", Kind::ExpiredCredentials),
        (400, "NotFoundException", Kind::NotFound),
        (400, "DisabledException", Kind::KeyUnusable),
        (400, "KMSInvalidStateException", Kind::KeyUnusable),
        (400, "IncorrectKeyException", Kind::WrongKey),
        (400, "InvalidCiphertextException", Kind::InvalidCiphertext),
        (400, "AlreadyExistsException", Kind::AlreadyExists),
        (400, "ConflictException", Kind::Busy),
        (400, "LimitExceededException", Kind::LimitExceeded),
        (400, "UnsupportedOperationException", Kind::Unsupported),
        (400, "ValidationException", Kind::Invalid),
        (400, "InvalidArnException", Kind::Invalid),
        (400, "MalformedPolicyDocumentException", Kind::Invalid),
        (400, "TagException", Kind::Invalid),
        (400, "InvalidKeyUsageException", Kind::Invalid),
        (400, "InvalidGrantIdException", Kind::Invalid),
        (400, "InvalidGrantTokenException", Kind::Invalid),
        (400, "DryRunOperationException", Kind::WouldSucceed),
        (412, "DryRunOperationException", Kind::WouldSucceed),
        (400, "ThrottlingException", Kind::Throttled),
        (500, "KMSInternalException", Kind::Unreachable),
        (500, "DependencyTimeoutException", Kind::Unreachable),
        (500, "KeyUnavailableException", Kind::Unreachable),
        (503, "ServiceUnavailableException", Kind::Unreachable),
        (400, "AnErrorOfTheFutureException", Kind::Unknown),
        (500, "AnotherErrorOfTheFutureException", Kind::Unreachable),
    ] {
        let json = "Content-Type: application/x-amz-json-1.1\r\n";
        let plain = described(status, json, &format!(r#"{{"__type":"{code}","message":"as recorded"}}"#));
        let named =
            described(status, json, &format!(r#"{{"__type":"com.amazonaws.kms#{code}","Message":"as recorded"}}"#));
        let header = format!("{json}x-amzn-errortype: {code}:http://internal.amazon.com/coral/com.amazonaws.kms/\r\n");
        let header = described(status, &header, r#"{"message":"as recorded"}"#);
        for error in [plain, named, header] {
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)), "{error}");
            assert_eq!(error.message, "as recorded", "{code}");
            assert_eq!(error.request_id.as_deref(), Some("recorded-id"), "{code}");
        }
    }
}

#[test]
fn kms_replies_an_empty_message_is_no_nonsense() {
    let error = always(400, "", r#"{"__type":"InvalidCiphertextException"}"#)
        .decrypt(None, b"x", &Context::new())
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "kms Decrypt answered InvalidCiphertextException (request id recorded-id)");
}

#[test]
fn kms_replies_sts_errors_are_xml() {
    for (status, code, kind) in [
        (403, "AccessDenied", Kind::Denied),
        (403, "ExpiredToken", Kind::ExpiredCredentials),
        (403, "InvalidClientTokenId", Kind::NoCredentials),
        (403, "SignatureDoesNotMatch", Kind::NoCredentials),
        (400, "Throttling", Kind::Throttled),
        (500, "InternalFailure", Kind::Unreachable),
    ] {
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>as recorded</Message></Error><RequestId>in-the-body</RequestId></ErrorResponse>"
        );
        let error = always(status, "Content-Type: text/xml\r\n", &body).caller().unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)), "{error}");
        assert!(error.request_id.is_some(), "{code}");
    }
}

#[test]
fn kms_replies_what_is_not_kms_is_told_from_kms() {
    for (status, body, kind) in [
        (403, "<html>a proxy says no</html>", Kind::Denied),
        (429, "", Kind::Throttled),
        (502, "<html>bad gateway</html>", Kind::Unreachable),
        (503, "", Kind::Unreachable),
        // An answer that is none: nobody knows what was done.
        (200, "<html>a captive portal</html>", Kind::Unreachable),
        (200, r#"{"KeyMetadata":"#, Kind::Unreachable),
        (200, "{}", Kind::Unknown),
        (200, r#"{"KeyMetadata":{"KeyId":"k","Arn":"a","KeyState":"Frozen"}}"#, Kind::Unknown),
    ] {
        let error = described(status, "", body);
        assert_eq!(error.kind, kind, "{status} {body}: {error}");
        assert!(!error.to_string().contains("html"), "the body is not repeated: {error}");
    }
}

#[test]
fn kms_replies_a_data_key_that_is_none_is_refused() {
    for body in [
        r#"{"CiphertextBlob":"AAAA","KeyId":"k"}"#,
        r#"{"CiphertextBlob":"AAAA","Plaintext":"AAAA","KeyId":"k"}"#,
        r#"{"Plaintext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","KeyId":"k"}"#,
    ] {
        let error = always(200, "", body).generate_data_key("k", &Context::new()).err().unwrap();
        assert_eq!(error.kind, Kind::Unknown, "{error}");
        assert_eq!(error.request_id.as_deref(), Some("recorded-id"));
    }
}

#[test]
fn kms_replies_a_rehearsal_ends_well_only_with_the_one_error_that_says_so() {
    let none = Context::new();
    let call = || Rehearsal::GenerateDataKey { key: "k", context: &none };
    let judged = |status, body: &str| always(status, "", body).rehearse(call());
    let fine = judged(400, r#"{"__type":"DryRunOperationException","message":"as recorded"}"#).unwrap();
    assert_eq!(fine.request_id.as_deref(), Some("recorded-id"));
    // An endpoint that knows no DryRun makes the call: what it gave is not handed on, and not taken for a yes.
    let made = r#"{"CiphertextBlob":"AAAA","Plaintext":"cGxhaW50ZXh0LW1hcmtlcg==","KeyId":"k"}"#;
    let error = judged(200, made).unwrap_err();
    assert_eq!((error.kind, error.request_id.as_deref()), (Kind::Unsupported, Some("recorded-id")));
    assert!(!format!("{error} {error:?}").contains("cGxhaW50"), "{error:?}");
    for (status, code, kind) in [
        (400, "AccessDeniedException", Kind::Denied),
        (400, "DisabledException", Kind::KeyUnusable),
        (400, "ThrottlingException", Kind::Throttled),
        (500, "KMSInternalException", Kind::Unreachable),
    ] {
        assert_eq!(judged(status, &format!(r#"{{"__type":"{code}"}}"#)).unwrap_err().kind, kind, "{code}");
    }
}

#[test]
fn kms_replies_relatives_are_all_there_or_not_told() {
    let described = |configuration: &str| {
        let body = format!(
            r#"{{"KeyMetadata":{{"KeyId":"mrk-1","Arn":"arn:b","KeyState":"Enabled","MultiRegion":true,"MultiRegionConfiguration":{configuration}}}}}"#
        );
        always(200, "", &body).describe_key("mrk-1").unwrap().value.relatives
    };
    let whole = described(
        r#"{"MultiRegionKeyType":"REPLICA","PrimaryKey":{"Arn":"arn:a","Region":"a"},"ReplicaKeys":[{"Arn":"arn:b","Region":"b"},{"Arn":"arn:c","Region":"c"}]}"#,
    );
    let expected = MultiRegion {
        is_primary: false,
        primary_arn: "arn:a".to_owned(),
        replica_arns: vec!["arn:b".to_owned(), "arn:c".to_owned()],
    };
    assert_eq!(whole, Some(expected));
    let alone = described(r#"{"MultiRegionKeyType":"PRIMARY","PrimaryKey":{"Arn":"arn:b","Region":"b"}}"#).unwrap();
    assert!(alone.is_primary && alone.replica_arns.is_empty());
    assert_eq!(described(r#"{"PrimaryKey":{"Arn":"arn:b"}}"#), None);
}

#[test]
fn kms_replies_materials_come_oldest_first_whatever_order_the_service_has() {
    let body = r#"{"Rotations":[
        {"KeyId":"k","KeyMaterialId":"c","KeyMaterialState":"CURRENT","RotationDate":1750000000.5,"RotationType":"ON_DEMAND"},
        {"KeyId":"k","KeyMaterialId":"b","KeyMaterialState":"NON_CURRENT","RotationDate":1740000000,"RotationType":"AUTOMATIC"},
        {"KeyId":"k","KeyMaterialId":"a","KeyMaterialState":"NON_CURRENT"}
    ],"Truncated":false}"#;
    let all = always(200, "", body).key_materials("k").unwrap().value;
    let ids: Vec<_> = all.iter().filter_map(|m| m.material_id.as_deref()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let kinds: Vec<_> = all.iter().map(|m| m.kind.as_deref()).collect();
    assert_eq!(kinds, [None, Some("AUTOMATIC"), Some("ON_DEMAND")]);
    assert_eq!(all.iter().map(|m| m.current).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn kms_replies_a_service_is_a_grantee_too() {
    let body = r#"{"Grants":[{"KeyId":"k","GrantId":"g","GranteeServicePrincipal":"rds.amazonaws.com","IssuingAccount":"arn:aws:iam::111122223333:root",
        "Operations":["Decrypt","AnOperationOfTheFuture"],"CreationDate":1740000000}],"Truncated":false}"#;
    let grant = always(200, "", body).list_grants("k").unwrap().value.remove(0);
    assert_eq!(grant.grantee, "rds.amazonaws.com");
    assert_eq!(grant.operations, ["Decrypt", "AnOperationOfTheFuture"]);
}

#[test]
fn kms_replies_a_rewrapping_that_is_none_is_refused() {
    for body in [r#"{"KeyId":"k","SourceKeyId":"s"}"#, r#"{"CiphertextBlob":"AAAA","SourceKeyId":"s"}"#, "{}"] {
        let none = Context::new();
        let what = ReEncrypt { source: None, source_context: &none, target: "k", target_context: &none, wrapped: b"x" };
        let error = always(200, "", body).re_encrypt(what).err().unwrap();
        assert_eq!((error.kind, error.request_id.as_deref()), (Kind::Unknown, Some("recorded-id")), "{error}");
    }
}
