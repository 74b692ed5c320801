//! A man in the middle of PostgreSQL: hands every byte on, and loses the connection at one chosen COMMIT.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The server never hears the COMMIT.
    Commit,
    /// It commits; its answer goes nowhere.
    Answer,
    /// The same, and nobody is let in afterwards.
    AnswerAndServer,
}

struct Line {
    loss: Loss,
    /// The transaction whose commit it is sends this text first.
    marker: &'static str,
    done: AtomicBool,
}

/// Serves in front of a database's address for the rest of the test process; the address to use instead.
pub fn serve(url: &str, port: u16, marker: &'static str, loss: Loss) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let through = url.replace(&format!(":{port}/"), &format!(":{}/", listener.local_addr().unwrap().port()));
    assert_ne!(through, url, "the address names no port");
    let line = Arc::new(Line { loss, marker, done: AtomicBool::new(false) });
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if line.loss == Loss::AnswerAndServer && line.done.load(Ordering::SeqCst) {
                continue;
            }
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let answers = Arc::new(AtomicBool::new(true));
            let (back, to, from) = (answers.clone(), client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || answer(from, to, &back));
            let line = line.clone();
            std::thread::spawn(move || ask(client, server, &line, &answers));
        }
    });
    through
}

/// Client to server, until the chosen COMMIT.
fn ask(mut client: TcpStream, mut server: TcpStream, line: &Line, answers: &AtomicBool) {
    let (mut buffer, mut is_it) = (vec![0; 1 << 16], false);
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let said = &buffer[..length];
        let holds = |text: &str| said.windows(text.len()).any(|part| part == text.as_bytes());
        is_it |= holds(line.marker);
        if is_it && holds("COMMIT\0") && !line.done.swap(true, Ordering::SeqCst) {
            if line.loss == Loss::Commit {
                break;
            }
            answers.store(false, Ordering::SeqCst);
        }
        if server.write_all(said).is_err() {
            break;
        }
    }
    let _ = (server.shutdown(Shutdown::Write), client.shutdown(Shutdown::Both));
}

/// Server to client, until an answer is to be lost: then the client is left, once the server has answered.
fn answer(mut server: TcpStream, mut client: TcpStream, answers: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if !answers.load(Ordering::SeqCst) || client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (server.shutdown(Shutdown::Both), client.shutdown(Shutdown::Both));
}
