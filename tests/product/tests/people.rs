//! People's words: what they agree to goes on, what they refuse ends, and silence never approves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use autodevops_product_tests::{
    process::{Program, call, until},
    shop::{Shop, free_port},
};

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(20);

/// A shop that has errors, and where these people, as the configuration lists them, must agree to what goes into production.
fn with_approvers(approvers: &str, timeout: &str) -> Shop {
    let approval = format!("required = true\napprovers = [{approvers}]\ntimeout = \"{timeout}\"");
    Shop::open_with_errors(&[("required = false", &approval)])
}

/// Who runs this test.
fn me() -> String {
    let mut command = Command::new("id");
    command.arg("-un");
    call(command, LIMIT).stdout.trim().to_owned()
}

fn run_name(shop: &Shop) -> String {
    shop.last_run()["run"].as_str().unwrap().to_owned()
}

#[test]
fn what_an_approver_agrees_to_goes_on_with_the_next_run() {
    let mut shop = with_approvers(&format!("\"{}\"", me()), "1h");
    let old = shop.serving().unwrap();
    let called = shop.expect(4, &["run", "--no-wait"]);
    assert!(called.stdout.contains("waits for a person: production requires approval"), "{called}");
    let run = run_name(&shop);
    assert!(called.stdout.contains(&format!("autodevops approve {run} --question 1")), "{called}");
    assert_eq!(shop.shares(), [(old, 100)]);
    assert!(shop.last_run()["waits-for"].is_string());
    // Waiting goes on until someone speaks.
    shop.expect(4, &["run", "--no-wait"]);
    let called = shop.expect(1, &["approve", &run, "--question", "2"]);
    assert!(called.stderr.contains("that is question 1: production requires approval"), "{called}");
    let called = shop.expect(0, &["approve", &run, "--question", "1", "--reason", "looks right"]);
    assert!(called.stdout.contains("is approved; it goes on with `autodevops run`"), "{called}");
    shop.expect(0, &["run"]);
    assert_eq!(shop.last_run()["outcome"], "healed");
    let approved = shop.events().into_iter().find(|event| event["type"] == "approved").unwrap();
    assert_eq!((approved["by"].as_str(), approved["reason"].as_str()), (Some(&*me()), Some("looks right")));
    let called = shop.expect(1, &["approve", &run]);
    assert!(called.stderr.contains("is over (healed)"), "{called}");
    shop.count_clients();
}

#[test]
fn what_a_person_refuses_ends_and_production_is_not_touched() {
    let mut shop = with_approvers("", "1h");
    let called = shop.call(&["doctor"]);
    assert!(called.stdout.contains("whoever may speak to the runs may approve; name people in [approval]"), "{called}");
    let old = shop.serving().unwrap();
    // The process that waits hears it over its socket.
    let mut program = shop.start(&["run"]);
    program.wait_for("approval is asked", LIMIT, |event| event["type"] == "approval-asked");
    let run = run_name(&shop);
    let called = shop.expect(0, &["reject", &run, "--reason", "not on a friday"]);
    assert!(called.stdout.contains(&format!("run {run} is rejected")), "{called}");
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(1), "{called}");
    assert!(called.stdout.contains("not on a friday"), "{called}");
    assert_eq!(shop.last_run()["outcome"], "aborted");
    assert_eq!(shop.shares(), [(old, 100)]);
    assert!(!shop.events().iter().any(|event| event["type"] == "deployed" && event["environment"] == "production"));
    shop.count_clients();
}

#[test]
fn someone_who_is_no_approver_is_refused_and_silence_never_approves() {
    let (_, _, server) = of_ada("required = true\napprovers = [\"ada\"]\ntimeout = \"4s\"");
    let mut shop = Shop::open_with_errors(&[("[approval]\nrequired = false", &server)]);
    let old = shop.serving().unwrap();
    shop.expect(4, &["run", "--no-wait"]);
    let run = run_name(&shop);
    for verb in ["approve", "reject"] {
        let called = shop.expect(1, &[verb, &run]);
        let refusal = format!("`{}` may not answer for `shop`; ask one of: ada", me());
        assert!(called.stderr.contains(&refusal), "{called}");
    }
    let called = shop.expect(1, &["approve", &run, "--bypass", "--reason", "now"]);
    assert!(called.stderr.contains("may not answer"), "{called}");
    let called = shop.expect(2, &["approve", "nonsense"]);
    assert!(called.stderr.contains("there is no run `nonsense`; see `autodevops runs`"), "{called}");
    // Nobody else answers, and the time runs out.
    let called = shop.expect(1, &["run"]);
    assert!(called.stdout.contains("nobody approved in time"), "{called}");
    assert_eq!(shop.last_run()["outcome"], "aborted");
    assert_eq!(shop.shares(), [(old, 100)]);
    shop.count_clients();
}

#[test]
fn a_run_that_is_aborted_at_the_smallest_step_gives_its_traffic_back() {
    let mut shop = Shop::open_with_errors(&[("for = \"600ms\"", "for = \"30s\"")]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let run = run_name(&shop);
    // Whoever else would drive the runs is told who does.
    for verb in ["run", "serve"] {
        let called = shop.expect(1, &[verb]);
        let held = format!("is held by another autodevops (process {})", program.pid());
        assert!(called.stderr.contains(&held), "{called}");
    }
    let called = shop.expect(1, &["deploy"]);
    assert!(called.stderr.contains(&format!("run {run} is not over")), "{called}");
    let called = shop.expect(0, &["abort", &run, "--reason", "enough"]);
    assert!(called.stdout.contains("traffic that it moved returns first"), "{called}");
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(1), "{called}");
    assert!(called.stdout.contains("enough"), "{called}");
    assert_eq!(shop.shares(), [(old, 100)]);
    shop.count_clients();
}

#[test]
fn a_release_is_taken_back_in_seconds_and_named_ones_can_be_chosen() {
    let mut shop = Shop::open_with_errors(&[]);
    let old = shop.serving().unwrap();
    shop.expect(0, &["run"]);
    let fixed = shop.serving().unwrap();
    assert_ne!(fixed, old);
    let began = Instant::now();
    let called = shop.expect(0, &["rollback", "production", "--reason", "to see whether it works"]);
    until("the release before serves", LIMIT, || shop.serving().as_ref() == Some(&old));
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    assert!(called.stdout.contains(&format!("production serves {old} again")), "{called}");

    let called = shop.expect(1, &["rollback", "production", "--to", &old]);
    assert!(called.stderr.contains("is live in production already"), "{called}");
    let called = shop.expect(2, &["rollback", "production", "--to", "r-17"]);
    assert!(called.stderr.contains("release r-17 was never live in production; those that were: "), "{called}");
    assert!(called.stderr.contains(&fixed) && called.stderr.contains(&old), "{called}");
    let called = shop.expect(2, &["rollback", "productoin"]);
    assert!(called.stderr.contains("productoin"), "{called}");

    shop.expect(0, &["rollback", "production", "--to", &fixed]);
    assert_eq!(shop.serving(), Some(fixed));
    shop.count_clients();
}

#[test]
fn a_release_under_way_is_taken_back_by_its_run() {
    let mut shop = Shop::open_with_errors(&[("for = \"600ms\"", "for = \"30s\"")]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let run = run_name(&shop);
    let called = shop.expect(1, &["rollback", "production", "--to", &old]);
    assert!(called.stderr.contains(&format!("run {run} is under way")), "{called}");
    let began = Instant::now();
    let called = shop.expect(0, &["rollback", "production", "--reason", "odd orders"]);
    assert!(called.stdout.contains(&format!("run {run} takes its release back")), "{called}");
    let called = program.wait(LIMIT);
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(called.code, Some(3), "{called}");
    assert!(called.stdout.contains("odd orders"), "{called}");
    assert_eq!(shop.shares(), [(old, 100)]);
    shop.count_clients();
}

/// A shop whose news were deployed by hand after what served first, with a run that asks `me` before it goes to production: the two
/// releases, and the run.
fn asking_after_news(shop: &mut Shop) -> (String, String, Program, String) {
    let old = shop.serving().unwrap();
    fs::write(shop.folder.join("public/news.html"), "<p>New beans</p>").unwrap();
    shop.check_in("Tell the news");
    shop.expect(0, &["deploy"]);
    let news = shop.serving().unwrap();
    assert_ne!(news, old);
    let mut program = shop.start(&["run"]);
    program.wait_for("it asks", LIMIT, |event| event["type"] == "approval-asked");
    let run = run_name(shop);
    (old, news, program, run)
}

#[test]
fn what_was_promoted_before_is_taken_back_by_hand_under_a_run_that_moved_nothing_and_that_one_asks() {
    let mut shop = with_approvers(&format!("\"{}\"", me()), "1h");
    let (old, news, mut program, run) = asking_after_news(&mut shop);
    let called = shop.expect(0, &["rollback", "production", "--reason", "odd news"]);
    assert!(called.stdout.contains(&format!("production serves {old} again")), "{called}");
    assert!(called.stdout.contains(&format!("run {run} is under way, and asks before it goes on")), "{called}");
    let asked = program.wait_for("it asks anew", LIMIT, |event| event["type"] == "approval-asked");
    let reason = asked["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("production serves {old} 100 % where this run left {news} 100 %")), "{reason}");
    assert_eq!(shop.shares(), [(old, 100)]);
    // Its effects go on with a fence above that of what was done by hand.
    shop.expect(0, &["approve", &run, "--reason", "the news were not it"]);
    program.wait_for("it asks for production", LIMIT, |event| event["gate"] == "production");
    shop.expect(0, &["approve", &run, "--reason", "so"]);
    let called = program.wait(3 * LIMIT);
    assert_eq!(called.code, Some(0), "{called}");
    assert_ne!(shop.serving(), Some(news));
    shop.count_clients();
}

#[test]
fn a_run_that_is_let_into_production_while_that_goes_back_by_hand_overwrites_nothing() {
    let mut shop = with_approvers(&format!("\"{}\"", me()), "1h");
    let (old, news, mut program, run) = asking_after_news(&mut shop);
    // Which of the two comes first is left to chance.
    let called = thread::scope(|scope| {
        let approve = scope.spawn(|| shop.expect(0, &["approve", &run, "--reason", "so"]));
        let called = shop.expect(0, &["rollback", "production", "--reason", "odd news"]);
        approve.join().unwrap();
        called
    });
    let by_hand = called.stdout.contains(&format!("production serves {old} again"));
    if by_hand {
        let differs = format!("production serves {old} 100 % where this run left {news} 100 %");
        program.wait_for("it asks anew", LIMIT, |event| {
            event["type"] == "approval-asked"
                && event["reason"].as_str().is_some_and(|reason| reason.contains(&differs))
        });
        shop.expect(0, &["reject", &run, "--reason", "so"]);
    } else {
        assert!(called.stdout.contains(&format!("run {run} takes its release back")), "{called}");
    }
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(if by_hand { 1 } else { 3 }), "{called}");
    assert_eq!(shop.shares(), [(if by_hand { old } else { news }, 100)]);
    shop.count_clients();
}

#[test]
fn a_run_is_held_resumed_watched_for_longer_and_let_on_before_its_time() {
    let mut shop = Shop::open_with_errors(&[("for = \"600ms\"", "for = \"5m\"")]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let run = run_name(&shop);
    let called = shop.expect(0, &["hold", &run, "--reason", "let me look"]);
    assert!(called.stdout.contains(&format!("run {run} is on hold")), "{called}");
    for (verb, told) in [("hold", " already"), ("skip", ", and goes nowhere until it is resumed")] {
        let called = shop.expect(1, &[verb, &run, "--reason", "again"]);
        assert!(called.stderr.contains(&format!("run `{run}` is on hold by {}{told}", me())), "{called}");
    }
    let called = shop.expect(0, &["show", &run]);
    assert!(called.stdout.contains(&format!("on hold by {} since", me())), "{called}");
    assert_eq!(shop.last_run()["on-hold-by"].as_str(), Some(&*me()));
    program.wait_for("it is watched on", LIMIT, |event| event["type"] == "measured");
    shop.expect(0, &["resume", &run]);
    let called = shop.expect(0, &["extend", &run, "--by", "10m"]);
    assert!(called.stdout.contains("watches the step for 14m"), "{called}");
    let called = shop.expect(1, &["ack", &run]);
    assert!(called.stderr.contains("asks for nobody now"), "{called}");
    let called = shop.expect(2, &["skip", &run]);
    assert!(called.stderr.contains("to skip a step needs a reason"), "{called}");
    shop.expect(0, &["skip", &run, "--reason", "it is known to be good"]);
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(0), "{called}");
    assert_ne!(shop.serving(), Some(old));
    let events = shop.events();
    for kind in ["hold-requested", "resume-requested", "extend-requested", "skip-requested"] {
        let event = events.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind}: {events:?}"));
        assert_eq!(event["by"].as_str(), Some(&*me()));
    }
    shop.count_clients();
}

#[test]
fn an_approver_who_is_nobody_is_told_before_a_run_waits_for_them() {
    let shop = Shop::open(&[("required = false", "required = true\napprovers = [\"nobody-has-this-name\"]")]);
    for verb in ["run", "serve"] {
        let called = shop.expect(2, &[verb]);
        assert!(called.stderr.contains("the approver `nobody-has-this-name` is nobody"), "{called}");
        assert!(called.stderr.contains("autodevops token nobody-has-this-name"), "{called}");
    }
    let called = shop.expect(1, &["doctor"]);
    assert!(called.stdout.contains("MISSING people       the approver `nobody-has-this-name` is nobody"), "{called}");
}

/// Asks over HTTP, as the tools of people do: the status and the body.
fn ask(port: u16, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// A token of Ada's, the port of a server that knows it, and the configuration of both, with this of the approval.
fn of_ada(approval: &str) -> (String, u16, String) {
    let mut command = autodevops_product_tests::autodevops();
    command.args(["token", "ada", "--format", "json"]);
    let made: serde_json::Value = serde_json::from_str(&call(command, LIMIT).stdout).unwrap();
    let (token, port) = (made["token"].as_str().unwrap().to_owned(), free_port());
    let hash = &made["hash"];
    let server = format!("[server]\nlisten = \"127.0.0.1:{port}\"\ntokens.ada = {hash}\n\n[approval]\n{approval}");
    (token, port, server)
}

#[test]
fn an_approver_with_a_token_lets_a_run_go_on_over_http() {
    let (token, port, server) = of_ada("required = true\napprovers = [\"ada\"]");
    let token = token.as_str();
    let mut shop = Shop::open_with_errors(&[("[approval]\nrequired = false", &server)]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("approval is asked", LIMIT, |event| event["type"] == "approval-asked");
    let run = run_name(&shop);
    assert_eq!(ask(port, "POST", &format!("/runs/{run}/approve"), "autodevops_guess", "").0, 401);
    let (status, body) = ask(port, "GET", "/runs", token, "");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(&format!("\"run\":\"{run}\"")) && body.contains("production requires approval"), "{body}");
    let (status, body) = ask(port, "POST", &format!("/runs/{run}/approve"), token, "{\"reason\":\"from my phone\"}");
    assert_eq!((status, body), (200, format!("{{\"done\":\"run {run} is approved\"}}")));
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(0), "{called}");
    assert_ne!(shop.serving(), Some(old));
    let approved = shop.events().into_iter().find(|event| event["type"] == "approved").unwrap();
    assert_eq!((approved["by"].as_str(), approved["reason"].as_str()), (Some("ada"), Some("from my phone")));
    shop.count_clients();
}

/// Who says something to runs, by the command line and over HTTP, and how long each answer took.
struct Speaker<'a> {
    shop: &'a Shop,
    port: u16,
    token: String,
    took: Vec<(Duration, String)>,
}

impl Speaker<'_> {
    fn by_hand(&mut self, words: &[&str]) {
        let begun = Instant::now();
        self.shop.expect(0, words);
        self.took.push((begun.elapsed(), words.join(" ")));
    }

    fn over_http(&mut self, verb: &str, run: &str, body: &str) {
        let path = format!("/runs/{run}/{verb}");
        let begun = Instant::now();
        let (status, answer) = ask(self.port, "POST", &path, &self.token, body);
        self.took.push((begun.elapsed(), format!("POST {path}")));
        assert_eq!(status, 200, "{path}: {answer}");
    }

    /// A run, or one more, up to the question whether it may go into production.
    fn asked(&mut self) -> (Program, String) {
        let mut program = self.shop.start(&["run"]);
        program.wait_for("approval is asked", 3 * LIMIT, |event| event["type"] == "approval-asked");
        (program, run_name(self.shop))
    }

    /// The same up to the smallest step, let on by two.
    fn at_smallest(&mut self) -> (Program, String) {
        let (mut program, run) = self.asked();
        self.by_hand(&["approve", &run]);
        self.over_http("approve", &run, "");
        program.wait_for("5 %", 3 * LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
        (program, run)
    }

    /// Sees that the run ended with this code, without healing anything, and has another try at it.
    fn again(&self, program: Program, run: &str, code: i32) {
        let called = program.wait(LIMIT);
        assert_eq!(called.code, Some(code), "{called}");
        self.shop.expect(0, &["retry", run, "--reason", "once more"]);
    }
}

#[test]
fn each_word_is_answered_within_a_second_by_the_command_line_and_over_http() {
    let approval = format!("required = true\napprovers = [\"{}\", \"ada\"]\ncount = 2", me());
    let (token, port, server) = of_ada(&approval);
    let mut shop = Shop::open_with_errors(&[
        ("[approval]\nrequired = false", &server),
        (
            "{ traffic = \"5 %\", for = \"600ms\" }",
            "{ traffic = \"5 %\", for = \"5m\" }, { traffic = \"50 %\", for = \"5m\" }",
        ),
    ]);
    let mut speaker = Speaker { shop: &shop, port, token, took: Vec::new() };
    let so = r#"{"reason":"so"}"#;
    let (mut program, run) = speaker.at_smallest();
    speaker.by_hand(&["hold", &run, "--reason", "so"]);
    speaker.over_http("resume", &run, so);
    speaker.over_http("hold", &run, so);
    speaker.by_hand(&["resume", &run, "--reason", "so"]);
    speaker.by_hand(&["extend", &run, "--by", "1m", "--reason", "so"]);
    speaker.over_http("extend", &run, r#"{"reason":"so","by":"1m"}"#);
    speaker.by_hand(&["skip", &run, "--reason", "so"]);
    program.wait_for("50 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 50);
    // What it is told while it moves traffic is answered before that has come to its end.
    speaker.over_http("skip", &run, so);
    speaker.by_hand(&["abort", &run, "--reason", "enough"]);
    speaker.again(program, &run, 1);
    let (program, run) = speaker.at_smallest();
    speaker.over_http("roll-forward", &run, so);
    speaker.over_http("rollback", &run, so);
    speaker.again(program, &run, 3);
    let (program, run) = speaker.asked();
    speaker.by_hand(&["ack", &run, "--reason", "so"]);
    speaker.over_http("abort", &run, so);
    speaker.again(program, &run, 1);
    let (program, run) = speaker.asked();
    speaker.over_http("ack", &run, so);
    speaker.by_hand(&["reject", &run, "--reason", "so"]);
    assert_eq!(program.wait(LIMIT).code, Some(1));
    let mut took = speaker.took;
    took.sort();
    println!("{took:?}");
    // Some may come while the machine is busy with other tests: the start of the program is counted, too.
    let (median, most) = (took[took.len() / 2].0, took[took.len() - 1].0);
    assert!(median < Duration::from_secs(1) && most < Duration::from_secs(3), "{took:?}");
    shop.count_clients();
}
