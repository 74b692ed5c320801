//! A KMS endpoint without the SDK: what the SDK never sends, what the port does not have, and the embedded endpoint's control path.

use crate::support::kms_bench::REGION;
use scrybe_keys::local::endpoint::Serving;
use std::io::{Read, Write};
use std::net::TcpStream;

/// One KMS call to the embedded endpoint by hand, signed by nobody in particular: status and JSON.
pub fn kms_request(serving: &Serving, operation: &str, body: &str) -> (u16, serde_json::Value) {
    kms_request_to(&serving.address().to_string(), REGION, operation, body)
}

/// The same to any endpoint, in any region.
pub fn kms_request_to(address: &str, region: &str, operation: &str, body: &str) -> (u16, serde_json::Value) {
    let scope = format!("AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/{region}/kms/aws4_request, Signature=0");
    let target = format!("TrentService.{operation}");
    let headers =
        [("X-Amz-Target", target.as_str()), ("Authorization", &scope), ("Content-Type", "application/x-amz-json-1.1")];
    let (status, text) = http_to(address, "POST", "/", &headers, body);
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// One HTTP request to the embedded endpoint by hand: status and body.
pub fn http(serving: &Serving, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    http_to(&serving.address().to_string(), method, path, headers, body)
}

fn http_to(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    match head.to_lowercase().contains("transfer-encoding: chunked") {
        true => (status, unchunked(body)),
        false => (status, body.to_owned()),
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
