//! A man in the middle of the KMS: hands every call on to the embedded endpoint and may change an answer, as a KMS that lies would.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Sees the operation and the answer's body; what it returns goes out instead.
pub type Change = Arc<dyn Fn(&str, String) -> String + Send + Sync>;

/// Serves in front of `upstream` (`http://host:port`) for the rest of the test process; its own address.
pub fn serve(upstream: &str, change: Change) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (upstream, change) = (upstream.clone(), change.clone());
            std::thread::spawn(move || {
                let _ = one_connection(stream, &upstream, &change);
            });
        }
    });
    address
}

fn one_connection(stream: TcpStream, upstream: &str, change: &Change) -> std::io::Result<()> {
    let mut client = BufReader::new(stream);
    while let Some((head, body)) = message(&mut client)? {
        let operation = value(&head, "x-amz-target").and_then(|t| t.split('.').nth(1).map(str::to_owned));
        let mut server = TcpStream::connect(upstream)?;
        let lines: Vec<&str> =
            head.iter().map(String::as_str).filter(|l| !l.to_lowercase().starts_with("connection:")).collect();
        server.write_all(format!("{}\r\nconnection: close\r\n\r\n", lines.join("\r\n")).as_bytes())?;
        server.write_all(&body)?;
        let Some((head, body)) = message(&mut BufReader::new(server))? else { return Ok(()) };
        let body = change(operation.as_deref().unwrap_or_default(), String::from_utf8(body).unwrap());
        let kept: Vec<&str> = head
            .iter()
            .map(String::as_str)
            .filter(|l| !["content-length:", "connection:"].iter().any(|name| l.to_lowercase().starts_with(name)))
            .collect();
        let stream = client.get_mut();
        stream
            .write_all(format!("{}\r\ncontent-length: {}\r\n\r\n{body}", kept.join("\r\n"), body.len()).as_bytes())?;
    }
    Ok(())
}

/// Lines before the empty one, and as many bytes after it as they promise.
fn message(from: &mut impl BufRead) -> std::io::Result<Option<(Vec<String>, Vec<u8>)>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let length = value(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some((head, body)))
}

fn value(head: &[String], name: &str) -> Option<String> {
    head.iter().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
