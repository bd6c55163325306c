//! Clients that connect and do not go on: they say nothing, or read nothing.

use super::*;

#[tokio::test]
async fn who_sends_no_head_takes_the_place_of_another_only_for_as_long_as_there_is_patience_with_it() {
    let patience = Duration::from_millis(300);
    let place = Place::within(2, patience).await;
    let begun = std::time::Instant::now();
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = tokio::net::TcpStream::connect(place.open.address()).await.unwrap();
        stream.write_all(b"GET /runs HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        idle.push(stream);
    }
    let asked = place.ask(Method::GET, "/runs", Some(place.token.text()), "");
    let (status, _) = tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(begun.elapsed() >= patience, "there was room for a third: {:?}", begun.elapsed());
    for mut stream in idle {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let place = Place::new().await;
    let tokens = BTreeMap::from([("ada".to_owned(), Speaker::from(place.token.hash()))]);
    let api = Api { office: Arc::clone(&place.runs), tokens, links: None, redaction: Redaction::default(), now };
    let request = format!("GET /runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", place.token.text());

    // So little is on its way at once that the answer waits for the client.
    let (mut client, server) = tokio::io::duplex(256);
    let asked = async { client.write_all(request.as_bytes()).await.unwrap() };
    let served = tokio::time::timeout(
        Duration::from_secs(10),
        converse(&api, server, HEAD_PATIENCE, Duration::from_millis(200)),
    );
    let (served, ()) = tokio::join!(served, asked);
    let cut = std::error::Error::source(&served.unwrap().unwrap_err()).unwrap().to_string();
    assert!(cut.contains("timed out"), "{cut}");
}
