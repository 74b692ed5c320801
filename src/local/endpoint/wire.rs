//! What AWS would see: the KMS JSON 1.1 and STS query protocols over `Engine::call`.
//!
//! Error form of KMS: status 400 (500 for faults), `{"__type": CODE, "message": …}`, header `x-amzn-requestid`; of STS: XML.

use super::super::answer::{Answer, Caller};
use super::super::call::{Call, Nothing};
use super::super::engine::{Delivery, Engine, Origin, Outcome};
use super::super::refusal::Refusal;
use super::{Reply, reply};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

const JSON: &str = "application/x-amz-json-1.1";

/// What goes back, if anything does.
pub enum Answered {
    Reply(Reply),
    /// No answer ever.
    Nothing,
    HangUp,
}

/// One signed request of the SDK.
pub fn answer(engine: &Engine, head: &Parts, body: &[u8]) -> Answered {
    if head.method != Method::POST || head.uri.path() != "/" {
        return Answered::Reply(reply(
            StatusCode::NOT_FOUND,
            "text/plain",
            b"this is an embedded KMS: POST /\n".to_vec(),
        ));
    }
    match text(&head.headers, "x-amz-target") {
        Some(target) => kms(engine, head, target, body),
        None => sts(engine, head, body),
    }
}

fn kms(engine: &Engine, head: &Parts, target: &str, body: &[u8]) -> Answered {
    let (origin, scoped) = origin(head, "kms");
    let operation = target.strip_prefix("TrentService.").unwrap_or(target);
    let call = scoped.and_then(|()| match target.starts_with("TrentService.") && operation != "GetCallerIdentity" {
        true => Call::parse(operation, body),
        false => Err(Refusal::new("UnknownOperationException", "")),
    });
    deliver(engine.call(&origin, call, operation), |result| match result {
        Ok(Answer::Nothing) => (200, JSON, Vec::new()),
        Ok(answer) => match serde_json::to_vec(&answer) {
            Ok(body) => (200, JSON, body),
            Err(_) => (500, JSON, Vec::new()),
        },
        Err(refusal) => {
            let body = serde_json::json!({"__type": refusal.code, "message": refusal.message});
            (refusal.status, JSON, body.to_string().into_bytes())
        }
    })
}

fn sts(engine: &Engine, head: &Parts, body: &[u8]) -> Answered {
    let (origin, scoped) = origin(head, "sts");
    let action = url::form_urlencoded::parse(body)
        .find(|(name, _)| name == "Action")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let call = scoped.and_then(|()| match action.as_str() {
        "GetCallerIdentity" => Ok(Call::GetCallerIdentity(Nothing {})),
        _ => Err(Refusal::new("InvalidAction", "this STS knows GetCallerIdentity only")),
    });
    let outcome = engine.call(&origin, call, &action);
    let request_id = outcome.request_id.clone();
    deliver(outcome, |result| match result {
        Ok(Answer::Caller(caller)) => (200, "text/xml", caller_xml(&caller, &request_id)),
        Ok(_) => (500, "text/xml", Vec::new()),
        Err(refusal) => {
            let (code, status) = match refusal.code {
                "AccessDeniedException" => ("AccessDenied", 403),
                "ThrottlingException" => ("Throttling", 400),
                "KMSInternalException" => ("InternalFailure", 500),
                "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
                "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
                other => (other, refusal.status),
            };
            (status, "text/xml", error_xml(code, status, &refusal.message, &request_id))
        }
    })
}

fn deliver(outcome: Outcome, write: impl FnOnce(Result<Answer, Refusal>) -> (u16, &'static str, Vec<u8>)) -> Answered {
    match outcome.delivery {
        Delivery::Prompt => {}
        Delivery::Withheld => return Answered::Nothing,
        Delivery::Lost => return Answered::HangUp,
    }
    let (status, content_type, body) = write(outcome.result);
    let mut reply =
        reply(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), content_type, body);
    if let Ok(id) = HeaderValue::from_str(&outcome.request_id) {
        reply.headers_mut().insert("x-amzn-requestid", id);
    }
    Answered::Reply(reply)
}

/// Access key and region out of `Credential=AKID/DATE/REGION/SERVICE/aws4_request`. The signature itself is not checked.
fn origin(head: &Parts, service: &str) -> (Origin, Result<(), Refusal>) {
    let mut origin =
        Origin { user_agent: text(&head.headers, USER_AGENT.as_str()).map(str::to_owned), ..Origin::default() };
    let authorization = text(&head.headers, AUTHORIZATION.as_str()).unwrap_or_default();
    let scope = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .and_then(|rest| rest.split(',').find_map(|part| part.trim().strip_prefix("Credential=")))
        .map(|credential| credential.split('/').collect::<Vec<_>>());
    let Some([access_key, _date, region, scoped, "aws4_request"]) = scope.as_deref() else {
        return (
            origin,
            Err(Refusal::new("MissingAuthenticationTokenException", "Request is missing Authentication Token")),
        );
    };
    origin.region = (*region).to_owned();
    origin.access_key = Some((*access_key).to_owned());
    if *scoped != service {
        let message = format!("Credential should be scoped to correct service: '{service}'.");
        return (origin, Err(Refusal::new("InvalidSignatureException", message)));
    }
    (origin, Ok(()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

fn caller_xml(caller: &Caller, request_id: &str) -> Vec<u8> {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{STS_NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        caller.arn, caller.user_id, caller.account
    )
    .into_bytes()
}

fn error_xml(code: &str, status: u16, message: &str, request_id: &str) -> Vec<u8> {
    let fault = if status >= 500 { "Receiver" } else { "Sender" };
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    .into_bytes()
}
