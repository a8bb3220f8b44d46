//! A Parley client with Rust's standard library only: HTTP for what it says, server-sent events for what it hears.
//!
//!     rustc -O chat.rs -o chat
//!     ./chat 127.0.0.1:3000 alice General            # prints what is said, until it is stopped
//!     ./chat 127.0.0.1:3000 alice General "Hello"    # says something and ends
//!
//! It speaks HTTP/1.1 without TLS, for a platform on this machine or behind a proxy, and reads just the JSON that it needs.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fmt, io, process, thread};

const RETRY: Duration = Duration::from_millis(500);
const SILENCE: Duration = Duration::from_secs(60);

enum Failure {
    /// The network failed: the same request may be made again.
    Network(io::Error),
    /// The server's answer was no.
    Refused(u16, String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Network(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Network(error) => write!(f, "network: {error}"),
            Failure::Refused(status, body) => write!(f, "refused ({status}): {body}"),
        }
    }
}

struct Parley {
    address: String,
    token: String,
}

impl Parley {
    fn sign_in(address: &str, user: &str) -> Result<Parley, Failure> {
        let mut parley = Parley { address: address.into(), token: String::new() };
        let answer = parley.post("/api/auth/demo", &format!("{{\"user\":{}}}", quoted(user)), None)?;
        parley.token = string_at(&answer, "token").unwrap_or_default();
        Ok(parley)
    }

    /// Sends a message once, however often the network fails: the key stays the same.
    fn say(&self, room: &str, content: &str) -> Result<String, Failure> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_nanos()).unwrap_or(0);
        let key = format!("rust-{}-{}", process::id(), nanos);
        let body = format!("{{\"content\":{}}}", quoted(content));
        loop {
            match self.post(&format!("/api/rooms/{room}/messages"), &body, Some(&key)) {
                Err(Failure::Network(_)) | Err(Failure::Refused(429 | 503, _)) => thread::sleep(RETRY),
                answer => return answer,
            }
        }
    }

    fn post(&self, path: &str, body: &str, key: Option<&str>) -> Result<String, Failure> {
        let key = key.map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        let headers = format!("{key}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let mut reader = self.request("POST", path, &headers, body)?;
        let mut answer = String::new();
        reader.1.read_to_string(&mut answer)?;
        if reader.0 >= 400 { Err(Failure::Refused(reader.0, answer)) } else { Ok(answer) }
    }

    /// HTTP/1.1 with `Connection: close`: the body ends with the connection, chunked or not.
    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Result<(u16, Box<dyn BufRead>), Failure> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let authorization = if self.token.is_empty() { String::new() } else { format!("Authorization: Bearer {}\r\n", self.token) };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: */*\r\n{authorization}{headers}\r\n{body}",
            self.address
        )?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(500);
        let mut chunked = false;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            chunked |= line.to_ascii_lowercase().starts_with("transfer-encoding: chunked");
        }
        if chunked {
            return Ok((status, Box::new(BufReader::new(Chunks { reader, left: 0, done: false }))));
        }
        Ok((status, Box::new(reader)))
    }

    /// Calls back with every frame of the feed, for ever. After a lost connection it goes on from the last cursor.
    fn listen(&self, mut on_frame: impl FnMut(&str, &str)) -> Failure {
        let mut cursor = String::new();
        loop {
            match self.listen_once(&mut cursor, &mut on_frame) {
                Err(Failure::Refused(status, body)) if status != 429 && status != 503 => return Failure::Refused(status, body),
                _ => thread::sleep(RETRY),
            }
        }
    }

    fn listen_once(&self, cursor: &mut String, on_frame: &mut impl FnMut(&str, &str)) -> Result<(), Failure> {
        let headers = if cursor.is_empty() { String::new() } else { format!("Last-Event-ID: {cursor}\r\n") };
        let (status, mut reader) = self.request("GET", "/api/events", &headers, "")?;
        if status != 200 {
            let mut body = String::new();
            reader.read_to_string(&mut body)?;
            return Err(Failure::Refused(status, body));
        }
        let (mut name, mut data, mut id) = (String::new(), String::new(), String::new());
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            let text = line.trim_end_matches(['\r', '\n']);
            if let Some(value) = text.strip_prefix("event:") {
                name = value.trim().into();
            } else if let Some(value) = text.strip_prefix("data:") {
                data = value.trim_start().into();
            } else if let Some(value) = text.strip_prefix("id:") {
                id = value.trim().into();
            } else if text.is_empty() && !data.is_empty() {
                on_frame(&name, &data);
                if !id.is_empty() {
                    *cursor = std::mem::take(&mut id);
                }
                data.clear();
            }
            line.clear();
        }
        Ok(())
    }
}

/// The chunks of an HTTP/1.1 body as one stream.
struct Chunks<R> {
    reader: R,
    left: usize,
    done: bool,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.done {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            if line == "\r\n" {
                line.clear();
                self.reader.read_line(&mut line)?;
            }
            self.left = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
            self.done = self.left == 0;
        }
        if self.done {
            return Ok(0);
        }
        let wanted = buffer.len().min(self.left);
        let read = self.reader.read(&mut buffer[..wanted])?;
        self.left -= read;
        self.done = read == 0;
        Ok(read)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if (c as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The first string of this name in a JSON text. A whole parser is a library's job; this client needs five fields.
fn string_at(json: &str, name: &str) -> Option<String> {
    let start = json.find(&format!("\"{name}\":\""))? + name.len() + 4;
    let mut text = String::new();
    let mut characters = json[start..].chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let code: String = characters.by_ref().take(4).collect();
                    text.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?).unwrap_or('\u{fffd}'));
                }
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    None
}

fn number_at(json: &str, name: &str) -> u64 {
    let rest = json.find(&format!("\"{name}\":")).map(|at| &json[at + name.len() + 3..]).unwrap_or("");
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

fn run(address: &str, user: &str, room: &str, words: &[String]) -> Result<(), Failure> {
    let parley = Parley::sign_in(address, user)?;
    parley.post(&format!("/api/rooms/{room}/join"), "{}", None)?;
    if !words.is_empty() {
        println!("{}", string_at(&parley.say(room, &words.join(" "))?, "id").unwrap_or_default());
        return Ok(());
    }
    let mut last = 0;
    Err(parley.listen(|name, frame| {
        if name == "caught_up" {
            println!("listening in {room}");
        }
        let is_message = name == "event" && string_at(frame, "type").as_deref() == Some("message.sent");
        // A resume may bring an event again: the sequence of a room rises, so what is known is skipped.
        if is_message && string_at(frame, "room").as_deref() == Some(room) && number_at(frame, "seq") > last {
            last = number_at(frame, "seq");
            let (sender, content) = (string_at(frame, "sender"), string_at(frame, "content"));
            println!("{}: {}", sender.unwrap_or_default(), content.unwrap_or_default());
        }
    }))
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, user, room, words @ ..] = arguments.as_slice() else {
        eprintln!("usage: chat <host:port> <user> <room> [what to say]");
        process::exit(2);
    };
    if let Err(failure) = run(address, user, room, words) {
        eprintln!("{failure}");
        process::exit(1);
    }
}
