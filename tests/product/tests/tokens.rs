//! What language models are asked is capped by the day, at every stage that may ask one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use autodevops_product_tests::{copied_plugin, shop::Shop};

/// Something that answers every request; its address, and how many bytes the requests' bodies had.
fn model() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            // A plugin's body is a stream, and comes in chunks.
            loop {
                line.clear();
                stream.read_line(&mut line).unwrap();
                let length = usize::from_str_radix(line.trim(), 16).unwrap();
                stream.read_exact(&mut vec![0; length + 2]).unwrap();
                if length == 0 {
                    break;
                }
                counted.fetch_add(length, Ordering::SeqCst);
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (format!("http://{address}"), asked)
}

#[test]
fn an_analyzer_that_asks_a_model_and_tells_of_no_tokens_is_counted_by_its_bytes_and_reads_on_where_it_stopped() {
    let (address, asked) = model();
    let plugins = tempfile::tempdir().unwrap();
    let counter = copied_plugin("line-counter", plugins.path(), "counter", "");
    let table = format!(
        "[plugins.counter]\npath = \"{}\"\nconfig = {{ post = \"{address}/\" }}\ngrant = {{ http = [\"{address}\"] }}\n\n\
         [plugins.local.grant]",
        counter.display()
    );
    let cap = "tokens-a-day = 50_000";
    let shop = Shop::open(&[
        ("[stages]\nanalyzer = \"log-analyzer\"", &format!("[loop]\n{cap}\n\n[stages]\nanalyzer = \"counter\"")),
        ("[plugins.log-analyzer.grant]\nkeyvalue = true\n", ""),
        ("[plugins.local.grant]", &table),
    ]);
    let log = "a page was served, and nobody complained of it\n".repeat(20_000);
    fs::create_dir_all(shop.log().parent().unwrap()).unwrap();
    fs::write(shop.log(), &log).unwrap();
    let told = "tokens of language models were there within 24 hours, and [loop] tokens-a-day allows 50000";
    let called = shop.expect(4, &["run"]);
    assert!(called.stderr.contains(told), "{called}");
    let first = asked.load(Ordering::SeqCst);
    // A token for every four bytes, and one part more: what was read is given to it.
    assert!((200_000 - (64 << 10)..200_000 + (64 << 10)).contains(&first), "{first} of {}", log.len());
    let called = shop.expect(4, &["run"]);
    assert!(called.stderr.contains(told), "{called}");
    assert_eq!(asked.load(Ordering::SeqCst), first, "it was not called again");

    let config = shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(cap, "tokens-a-day = 5_000_000")).unwrap();
    shop.expect(0, &["run"]);
    assert_eq!(asked.load(Ordering::SeqCst), log.len(), "each byte of the log was sent once");
}

#[test]
fn a_check_that_may_ask_a_model_is_not_asked_once_the_tokens_of_a_day_are_used_and_no_run_starts() {
    let plugins = tempfile::tempdir().unwrap();
    let reviewers = ["first", "second", "third"];
    let table = |name: &&str| {
        let path = copied_plugin("probe", plugins.path(), name, "");
        format!(
            "[plugins.{name}]\npath = \"{}\"\nconfig = {{ act = \"use-tokens\", argument = \"200 400\" }}\n\
             grant = {{ http = [\"http://127.0.0.1:9\"] }}\n\n",
            path.display()
        )
    };
    let tables: String = reviewers.iter().map(table).collect();
    let named = reviewers.map(|name| format!("\"{name}\"")).join(", ");
    let mut shop = Shop::open_with_errors(&[
        ("[stages]\n", "[loop]\ntokens-a-day = 1000\n\n[stages]\n"),
        ("\"security-scan\"]", &format!("\"security-scan\", {named}]")),
        ("[plugins.local.grant]", &format!("{tables}[plugins.local.grant]")),
    ]);
    let called = shop.call(&["run", "--no-wait"]);
    shop.stop_clients();
    let events = shop.events();
    let reviewed = events.iter().find(|event| event["type"] == "reviewed").unwrap_or_else(|| panic!("{called}"));
    let outcomes: Vec<(&str, &str)> = reviewed["reports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|named| (named["plugin"].as_str().unwrap(), named["report"]["outcome"].as_str().unwrap()))
        .collect();
    let others = [("first", "passed"), ("second", "passed"), ("third", "inconclusive")];
    assert!(outcomes.ends_with(&others), "{outcomes:?}");
    let third = reviewed["reports"].as_array().unwrap().last().unwrap()["report"]["summary"].as_str().unwrap();
    let told = "it was not asked: 1200 tokens of language models were there within 24 hours, and [loop] tokens-a-day allows 1000";
    assert!(third.starts_with(told), "{third}");
    assert!(called.code != Some(0), "nobody can say that the change is in order: {called}");

    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    shop.call(&["abort", &run, "--reason", "enough"]);
    shop.call(&["run"]);
    let issue = shop.last_run()["fingerprint"].as_str().unwrap().to_owned();
    let called = shop.expect(4, &["run", "--issue", &issue]);
    assert!(called.stderr.contains("tokens-a-day allows 1000; the next may come in"), "{called}");
}
