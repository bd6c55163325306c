//! Clients that connect and say nothing.

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
