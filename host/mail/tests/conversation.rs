//! Whole conversations with a mail server on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod server;

use std::time::{Duration, Instant};

use autodevops_mail::{Letter, MailError, Security, Settings, Transport};
use server::{Behaviour, Heard, certified, start};

fn settings(port: u16) -> Settings {
    Settings {
        host: "localhost".into(),
        port,
        security: Security::Plain,
        from: "ops@example.com".parse().unwrap(),
        from_name: "AutoDevOps".into(),
        user: None,
        timeout: Duration::from_secs(10),
        certificate_authorities: Vec::new(),
    }
}

fn letter(to: &[&str]) -> Letter {
    Letter {
        key: ("notify".into(), "k".into()),
        to: to.iter().map(|to| to.parse().unwrap()).collect(),
        subject: "shop: healed".into(),
        text: "All is well.\n.\nQUIT\n".into(),
        html: None,
    }
}

async fn send(settings: Settings, to: &[&str]) -> Result<(), MailError> {
    let password = settings.user.is_some().then(|| "s3cret-pass".to_owned().into());
    let transport = Transport::new(settings).unwrap();
    transport.send(&letter(to), password, Instant::now() + Duration::from_secs(15)).await
}

fn heard(heard: &Heard) -> Vec<String> {
    heard.lock().unwrap().clone()
}

/// The commands, without the text.
fn commands(heard: &Heard) -> Vec<String> {
    let known = ["EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "(TLS)"];
    self::heard(heard).into_iter().filter(|line| known.iter().any(|known| line.starts_with(known))).collect()
}

#[tokio::test]
async fn a_message_goes_from_the_operator_to_its_recipients_and_its_text_ends_nothing() {
    let (port, told) = start(Behaviour::default());
    send(settings(port), &["ada@example.com", "bob@ops.example"]).await.unwrap();
    let expected = [
        "EHLO example.com",
        "MAIL FROM:<ops@example.com>",
        "RCPT TO:<ada@example.com>",
        "RCPT TO:<bob@ops.example>",
        "DATA",
    ];
    assert_eq!(commands(&told), expected);
    let all = heard(&told);
    assert!(all.iter().any(|line| line == "Subject: shop: healed"), "{all:?}");
    assert!(all.iter().any(|line| line == ".."), "a dot alone is doubled: {all:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_patience_may_be_tried_again_and_one_that_refuses_may_not() {
    for (at, answer, status, again) in [
        ("MAIL", "421 busy", 421, true),
        ("RCPT", "450 greylisted", 450, true),
        ("RCPT", "550 no such user", 550, false),
        ("DATA", "451 later", 451, true),
        ("TEXT", "452 full", 452, true),
        ("TEXT", "554 looks like spam", 554, false),
    ] {
        let (port, _) = start(Behaviour { answers: vec![(at, answer)], ..Behaviour::default() });
        match send(settings(port), &["ada@example.com"]).await.unwrap_err() {
            MailError::Away { status: Some(found), reason } => {
                assert!(again && found == status, "{answer}: {reason}");
            }
            MailError::Refused { status: Some(found), reason } => {
                assert!(!again && found == status, "{answer}: {reason}");
                let told = answer.split_once(' ').unwrap().1;
                assert!(reason.contains(told), "{reason}");
            }
            other => panic!("{answer}: {other}"),
        }
        // The same, another time.
        send(settings(port), &["ada@example.com"]).await.unwrap();
    }
}

#[tokio::test]
async fn one_recipient_who_is_refused_is_named_and_nobody_gets_it() {
    let (port, told) = start(Behaviour { answers: vec![("RCPT TO:<bob", "550 gone")], ..Behaviour::default() });
    let error = send(settings(port), &["ada@example.com", "bob@ops.example"]).await.unwrap_err();
    assert!(error.to_string().contains("to bob@ops.example"), "{error}");
    assert!(!commands(&told).contains(&"DATA".to_owned()));
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_is_away_within_the_time() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = send(settings(gone), &["ada@example.com"]).await.unwrap_err();
    assert!(matches!(error, MailError::Away { status: None, .. }), "{error}");
    for at in ["EHLO", "MAIL", "DATA", "TEXT"] {
        let (port, told) = start(Behaviour { silent_after: Some(at), ..Behaviour::default() });
        let begun = Instant::now();
        let transport = Transport::new(settings(port)).unwrap();
        let error = transport.send(&letter(&["ada@example.com"]), None, begun + Duration::from_millis(300)).await;
        assert!(matches!(error, Err(MailError::Away { status: None, .. })), "{at}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{at}: {:?}", begun.elapsed());
        // Nothing goes on behind the back of whoever gave up.
        assert!(!heard(&told).iter().any(|line| line.starts_with("RCPT")) || at != "EHLO" && at != "MAIL", "{at}");
    }
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_one_that_drips_past_the_time_is_away_and_hears_nothing_more() {
    let slow = |at, pause| Behaviour { drips: Some((at, Duration::from_millis(pause))), ..Behaviour::default() };
    for at in ["MAIL", "RCPT", "DATA", "TEXT"] {
        let (port, told) = start(slow(at, 5));
        send(settings(port), &["ada@example.com"]).await.unwrap_or_else(|error| panic!("{at}: {error}"));
        assert!(commands(&told).contains(&"DATA".to_owned()), "{at}");
        // Each byte comes within the time that a server may take; all of them together do not.
        let (port, told) = start(slow(at, 100));
        let begun = Instant::now();
        let transport = Transport::new(settings(port)).unwrap();
        let error = transport.send(&letter(&["ada@example.com"]), None, begun + Duration::from_millis(400)).await;
        assert!(matches!(error, Err(MailError::Away { status: None, .. })), "{at}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{at}: {:?}", begun.elapsed());
        let said = commands(&told);
        let after = said.iter().skip_while(|line| !line.starts_with(at)).skip(1);
        assert!(after.clone().all(|line| line == "QUIT"), "{at}: {:?}", after.collect::<Vec<_>>());
    }
}

/// Each byte keeps a server's turn alive; it does not keep a place from those that come later.
#[tokio::test]
async fn servers_that_drip_hold_no_place_past_the_time() {
    let (port, told) = start(Behaviour { drips: Some(("MAIL", Duration::from_millis(500))), ..Behaviour::default() });
    let transport = Transport::new(settings(port)).unwrap();
    let letter = letter(&["ada@example.com"]);
    let soon = || transport.send(&letter, None, Instant::now() + Duration::from_millis(1000));
    for round in 0..2 {
        let (a, b, c, d) = tokio::join!(soon(), soon(), soon(), soon());
        for late in [a, b, c, d] {
            assert!(matches!(late, Err(MailError::Away { status: None, .. })), "{late:?}");
        }
        // A fifth has a place at once, and is heard.
        let heard = commands(&told).iter().filter(|line| line.starts_with("MAIL")).count();
        assert_eq!(heard, 4 * (round + 1), "{:?}", commands(&told));
    }
}

#[tokio::test]
async fn a_password_goes_over_tls_to_the_server_whose_certificate_is_trusted() {
    for security in [Security::Tls, Security::StartTls] {
        let (authority, config) = certified("localhost");
        let tls = Some((security == Security::Tls, config));
        let (port, told) = start(Behaviour { tls, ..Behaviour::default() });
        let with = |authorities: Vec<Vec<u8>>| Settings {
            security,
            user: Some("ops".into()),
            certificate_authorities: authorities,
            ..settings(port)
        };
        let error = send(with(Vec::new()), &["ada@example.com"]).await.unwrap_err();
        assert!(matches!(error, MailError::Settings(_)), "{security:?}: {error:?}");
        assert!(!heard(&told).iter().any(|line| line.contains("AUTH")), "{:?}", heard(&told));
        send(with(vec![authority]), &["ada@example.com"]).await.unwrap();
        assert!(heard(&told).iter().any(|line| line.starts_with("(TLS) AUTH PLAIN")), "{:?}", heard(&told));
        assert!(!heard(&told).iter().any(|line| line.starts_with("MAIL")), "nothing in the open");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let (authority, config) = certified("mail.example");
    let (port, told) = start(Behaviour { tls: Some((true, config)), ..Behaviour::default() });
    let trusting = Settings { security: Security::Tls, certificate_authorities: vec![authority], ..settings(port) };
    let error = send(trusting, &["ada@example.com"]).await.unwrap_err();
    assert!(matches!(error, MailError::Settings(_)), "{error:?}");
    assert_eq!(heard(&told), [""; 0]);
}

#[tokio::test]
async fn a_server_without_starttls_is_told_nothing() {
    let (port, told) = start(Behaviour::default());
    let secured = Settings { security: Security::StartTls, user: Some("ops".into()), ..settings(port) };
    let error = send(secured, &["ada@example.com"]).await.unwrap_err();
    assert!(matches!(&error, MailError::Settings(reason) if reason.contains("STARTTLS")), "{error:?}");
    assert_eq!(commands(&told), ["EHLO example.com"]);
}

#[tokio::test]
async fn a_login_that_is_refused_is_the_settings_fault_and_the_password_is_in_no_error() {
    let answers = vec![("AUTH", "535 no: s3cret-pass AG9wcwBzM2NyZXQtcGFzcw== czNjcmV0LXBhc3M=")];
    let (port, _) = start(Behaviour { answers, ..Behaviour::default() });
    let error = send(Settings { user: Some("ops".into()), ..settings(port) }, &["ada@example.com"]).await.unwrap_err();
    let MailError::Settings(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains("logging in") && reason.contains("[secret]"), "{reason}");
    assert!(!reason.contains("s3cret") && !reason.contains("czNj") && !reason.contains("AG9w"), "{reason}");
}

#[test]
fn a_certificate_authority_that_is_none_is_refused() {
    let odd = Settings {
        security: Security::Tls,
        certificate_authorities: vec![b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()],
        ..settings(25)
    };
    assert!(Transport::new(odd).is_err());
}
