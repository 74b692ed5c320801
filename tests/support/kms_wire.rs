//! The embedded endpoint without the SDK: what the SDK never sends, and the control path.

use crate::support::kms_bench::REGION;
use scrybe_keys::local::endpoint::Serving;
use std::io::{Read, Write};
use std::net::TcpStream;

/// One KMS call by hand, signed by nobody in particular: status and JSON.
pub fn kms_request(serving: &Serving, operation: &str, body: &str) -> (u16, serde_json::Value) {
    let scope = format!("AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/{REGION}/kms/aws4_request, Signature=0");
    let target = format!("TrentService.{operation}");
    let (status, text) = http(serving, "POST", "/", &[("X-Amz-Target", &target), ("Authorization", &scope)], body);
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// One HTTP request by hand: status and body.
pub fn http(serving: &Serving, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {}\r\n", serving.address()));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(serving.address()).unwrap();
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
