//! People are told by a real webhook, and by real mail, and answer by the link that it carried: once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread::spawn,
    time::{Duration, Instant},
};

use autodevops_product_tests::shop::{Shop, free_port};
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(60);

/// A webhook that asks for patience at first, and then takes what it is sent: its port, and what it was sent with each answer.
fn webhook() -> (u16, Receiver<(u16, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, received) = channel();
    spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let body = request(&mut stream);
            let (status, more) = if index == 0 { (429, "retry-after: 1\r\n") } else { (200, "") };
            write!(stream, "HTTP/1.1 {status} x\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            if sender.send((status, serde_json::from_str(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (port, received)
}

/// Reads up to the end of a line, or of a head.
fn until(stream: &mut TcpStream, end: &[u8]) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(end) {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    String::from_utf8(read).unwrap()
}

/// The body of a request, which comes in chunks: a plugin's requests are streams.
fn request(stream: &mut TcpStream) -> String {
    let head = until(stream, b"\r\n\r\n").to_lowercase();
    assert!(head.starts_with("post /hook http/1.1\r\n") && head.contains("transfer-encoding: chunked"), "{head}");
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(until(stream, b"\r\n").trim(), 16).unwrap();
        let mut chunk = vec![0; length];
        stream.read_exact(&mut chunk).unwrap();
        until(stream, b"\r\n");
        if length == 0 {
            return String::from_utf8(body).unwrap();
        }
        body.extend(chunk);
    }
}

/// Asks for a page, as a browser does: the status and the page.
fn browse(method: &str, url: &str) -> (u16, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let body = if method == "POST" { "reason=by+a+link" } else { "" };
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[test]
fn a_webhook_carries_links_that_approve_once_and_is_asked_again_when_it_asks_for_patience() {
    let (hook, received) = webhook();
    let port = free_port();
    let people = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nlinks.notify-webhook = \"ops\"\n\n\
         [plugins.notify-webhook.config]\nurl = \"http://127.0.0.1:{hook}/hook\"\nshape = \"json\"\n\n\
         [plugins.notify-webhook.grant]\nhttp = [\"http://127.0.0.1:{hook}\"]\nkeyvalue = true\n\n\
         [retries]\nafter = \"500ms\"\n\n[approval]\nrequired = true\napprovers = [\"ops\"]"
    );
    let mut shop = Shop::open_with_errors(&[
        ("[approval]\nrequired = false", &people),
        ("[stages]\n", "[stages]\nnotifiers = [\"notify-webhook\"]\n"),
    ]);
    let program = shop.start(&["run"]);
    let (refused, first) = received.recv_timeout(LIMIT).unwrap();
    let (taken, message) = received.recv_timeout(LIMIT).unwrap();
    assert_eq!((refused, taken), (429, 200));
    assert_eq!(first, message, "it is the same message, with the same links");
    assert_eq!(message["severity"], "error", "without an answer the run ends");
    let link = |name: &str| {
        let links = message["links"].as_array().unwrap();
        links.iter().find(|link| link["name"] == name).unwrap()["url"].as_str().unwrap().to_owned()
    };
    // As the preview of a chat does.
    for name in ["approve", "reject", "acknowledge"] {
        let (status, page) = browse("GET", &link(name));
        assert_eq!(status, 200, "{page}");
    }
    assert!(!shop.events().iter().any(|event| event["type"] == "approved"));
    let begun = Instant::now();
    let (status, page) = browse("POST", &link("approve"));
    assert_eq!(status, 200, "{page}");
    // A second is what it takes at most; some of this is the machine's, which is busy with other tests.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    for name in ["approve", "reject"] {
        let (status, page) = browse("POST", &link(name));
        assert_eq!(status, 409, "{page}");
        assert!(page.contains("this link was used already"), "{page}");
    }
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(0), "{called}");
    let approved: Vec<_> = shop.events().into_iter().filter(|event| event["type"] == "approved").collect();
    assert_eq!(approved.len(), 1);
    assert_eq!((approved[0]["by"].as_str(), approved[0]["reason"].as_str()), (Some("ops"), Some("by a link")));
    let (_, healed) = received.recv_timeout(LIMIT).unwrap();
    assert!(healed["title"].as_str().unwrap().contains("healed"), "{healed}");
    shop.stop_clients();
}

/// A mail server that asks for patience at first, and then takes what it is sent: its port, and the lines of each conversation.
fn mail_server() -> (u16, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, received) = channel();
    spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let (mut heard, mut in_text) = (Vec::new(), false);
            stream.write_all(b"220 test\r\n").unwrap();
            while let Some(Ok(line)) = lines.next() {
                heard.push(line.clone());
                let answer = match line.as_str() {
                    "." => {
                        in_text = false;
                        "250 taken"
                    }
                    _ if in_text => continue,
                    "DATA" => {
                        in_text = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    _ if index == 0 && line.starts_with("RCPT") => "450 greylisted",
                    _ => "250 yes",
                };
                stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
            }
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
    (port, received)
}

/// The text of a message as it was before it was put on the wire: soft line breaks and the usual escapes are undone (RFC 2045, 6.7).
fn readable(lines: &[String]) -> String {
    lines.join("\n").replace("=\n", "").replace("=3D", "=")
}

#[test]
fn mail_goes_to_those_who_were_granted_carries_links_and_is_tried_again_when_the_server_asks_for_patience() {
    let (mail, received) = mail_server();
    let port = free_port();
    let people = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nlinks.notify-email = \"ops\"\n\n\
         [mail]\nserver = \"127.0.0.1:{mail}\"\nsecurity = \"none\"\nfrom = \"shop@example.com\"\n\n\
         [plugins.notify-email.config]\nto = [\"ops@example.com\"]\n\n\
         [plugins.notify-email.grant]\nmail = [\"*@example.com\"]\nkeyvalue = true\n\n\
         [retries]\nafter = \"500ms\"\n\n[approval]\nrequired = true\napprovers = [\"ops\"]"
    );
    let mut shop = Shop::open_with_errors(&[
        ("[approval]\nrequired = false", &people),
        ("[stages]\n", "[stages]\nnotifiers = [\"notify-email\"]\n"),
    ]);
    let program = shop.start(&["run"]);
    let refused = received.recv_timeout(LIMIT).unwrap();
    assert!(refused.iter().any(|line| line == "RCPT TO:<ops@example.com>"), "{refused:?}");
    assert!(!refused.iter().any(|line| line == "DATA"), "{refused:?}");
    let told = received.recv_timeout(LIMIT).unwrap();
    for line in ["MAIL FROM:<shop@example.com>", "RCPT TO:<ops@example.com>", "To: ops@example.com"] {
        assert!(told.iter().any(|told| told.starts_with(line)), "{line} is not in {told:?}");
    }
    let text = readable(&told);
    let approve = text.lines().find_map(|line| line.strip_prefix("approve: ")).expect("the mail carries the link");
    let (status, page) = browse("POST", approve.trim());
    assert_eq!(status, 200, "{page}");
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(0), "{called}");
    let healed = readable(&received.recv_timeout(LIMIT).unwrap());
    assert!(healed.contains("Subject: [info] ") && healed.contains("healed"), "{healed}");
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    let records = shop.json(&["audit", &run])["records"].clone();
    let mail = |record: &&Value| record["operation"] == "mail" && record["summary"] == "ops@example.com";
    assert!(records.as_array().unwrap().iter().any(|record| mail(&record)), "{records}");
    shop.stop_clients();
    // What the guest was told is on record: run again, it writes the same letters, and nobody is sent any.
    let replayed = shop.json(&["replay", &run, "notifier"]);
    let calls = replayed.as_array().unwrap();
    assert!(calls.len() >= 3 && calls.iter().all(|call| call["plugin"] == "notify-email"), "{replayed}");
    let results = calls.iter().flat_map(|call| call["functions"].as_array().unwrap());
    assert!(results.clone().all(|function| function["result"] == "same"), "{replayed}");
    assert!(received.recv_timeout(Duration::from_millis(300)).is_err(), "a replay sends nothing");
}

#[test]
fn mail_goes_by_the_http_api_of_a_mail_service_once_for_each_event_and_address() {
    let (service, received) = webhook();
    let template =
        r#"{ "to": "{to}", "subject": "{subject}", "content": [{ "text": "{text}" }, { "html": "{html}" }] }"#;
    let people = format!(
        "[plugins.notify-email.config]\nto = [\"ops@example.com\", \"ada@example.com\"]\nvia = \"http\"\n\
         url = \"http://127.0.0.1:{service}/hook\"\ntemplate = '{template}'\n\n\
         [plugins.notify-email.grant]\nhttp = [\"http://127.0.0.1:{service}\"]\nkeyvalue = true\n\n\
         [retries]\nafter = \"500ms\"\n\n[approval]\nrequired = false"
    );
    let mut shop = Shop::open_with_errors(&[
        ("[approval]\nrequired = false", &people),
        ("[stages]\n", "[stages]\nnotifiers = [\"notify-email\"]\n"),
    ]);
    shop.expect(0, &["run"]);
    shop.stop_clients();
    let sent: Vec<(u16, Value)> =
        std::iter::from_fn(|| received.recv_timeout(Duration::from_millis(300)).ok()).collect();
    let failed: Vec<Value> = shop.events().into_iter().filter(|event| event["type"] == "effect-failed").collect();
    // The service asked for patience at first, and is sent the same again; then each event goes once to each address.
    let [(429, first), (200, again), taken @ ..] = sent.as_slice() else { panic!("{sent:?} {failed:?}") };
    assert_eq!(first, again);
    assert!(taken.iter().all(|(status, body)| *status == 200 && body != again), "{taken:?}");
    let to = |address: &str| {
        let letters = sent.iter().skip(1).map(|(_, letter)| letter).filter(|letter| letter["to"] == address);
        let mut subjects: Vec<String> = letters.map(|letter| letter["subject"].to_string()).collect();
        subjects.sort();
        subjects
    };
    assert_eq!(to("ops@example.com"), to("ada@example.com"));
    assert_eq!(sent.len() - 1, 2 * to("ada@example.com").len());
    let (_, healed) = sent.last().unwrap();
    assert_eq!(healed["to"], "ada@example.com");
    assert!(healed["subject"].as_str().unwrap().contains("healed"), "{healed}");
    let html = healed["content"][1]["html"].as_str().unwrap();
    assert!(
        healed["content"][0]["text"].as_str().is_some_and(|text| !text.contains('<')) && html.contains('<'),
        "{healed}"
    );
}

#[test]
fn where_a_rollback_was_no_help_a_run_that_does_not_wait_says_that_people_are_needed() {
    let (hook, received) = webhook();
    let people = format!(
        "[plugins.notify-webhook.config]\nurl = \"http://127.0.0.1:{hook}/hook\"\nshape = \"json\"\n\n\
         [plugins.notify-webhook.grant]\nhttp = [\"http://127.0.0.1:{hook}\"]\nkeyvalue = true\n\n\
         [retries]\nafter = \"500ms\"\n\n\
         [[escalation]]\nafter = \"1h\"\nnotifiers = [\"notify-webhook\"]\n\n[approval]\nrequired = false"
    );
    let changes = Shop::hasty_generator();
    let mut changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    changes.extend([
        // The one look at stable is to be sure of what few requests show.
        ("beta = \"45 %\"", "beta = \"45 %\", window-alpha = \"50 %\""),
        ("interval = \"100ms\"", "interval = \"1500ms\""),
        ("[approval]\nrequired = false", people.as_str()),
        ("[stages]\n", "[stages]\nnotifiers = [\"notify-webhook\"]\n"),
    ]);
    let mut shop = Shop::open_with_errors(&changes);
    let old = shop.serving().unwrap();
    let called = shop.expect(4, &["run", "--no-wait"]);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    assert!(called.stdout.contains(&format!("autodevops ack {run}")), "{called}");
    assert_eq!(shop.shares(), [(old, 100)], "traffic is back all the same");
    // Waiting goes on until someone says that they have it in hand; the first level is not due for an hour.
    shop.expect(4, &["run", "--no-wait"]);
    assert!(!shop.events().iter().any(|event| event["type"] == "escalated"));
    shop.expect(0, &["ack", &run]);
    assert_eq!(shop.last_run()["outcome"], "rolled-back", "nothing is left to be done");
    assert!(shop.events().iter().any(|event| event["type"] == "acknowledged"));
    assert!(received.try_iter().count() > 1, "people were told meanwhile");
    shop.stop_clients();
}
