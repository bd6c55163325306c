//! Names that are looked up for ever by an operating system that cannot be told to stop.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use autodevops_policy::Limits;
use wasmtime_wasi_http::{Error, RequestOptions};

use super::{super::SystemResolver, *};

/// More requests than there may be look-ups at once, of all plugins together.
const FLOOD: usize = 70;

/// Whether the look-ups that hang may end.
static OVER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Lets them end, however the test does: the threads that they block are waited for.
struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        *OVER.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        OVER.1.notify_all();
    }
}

#[tokio::test]
async fn names_that_one_plugin_has_looked_up_for_ever_keep_no_other_from_its_own() {
    let _ends = Ends;
    let resolver = SystemResolver::by(|name| {
        if name == "slow.example" {
            let over = OVER.0.lock().unwrap_or_else(PoisonError::into_inner);
            drop(OVER.1.wait_while(over, |over| !*over));
        }
        Ok(vec!["127.0.0.1".parse().unwrap()])
    });
    let options = HttpOptions { resolver: Some(Arc::new(resolver)), ..HttpOptions::default() };
    let mut flood = Call::of("flood", grant(&["http://slow.example"], Limits::default()), None, &options);
    let soon = RequestOptions { connect_timeout: Some(Duration::from_millis(1)), ..RequestOptions::default() };
    for _ in 0..FLOOD {
        let answer = flood.start(get("http://slow.example/"), Some(soon)).await;
        assert!(matches!(answer, Err(Error::ConnectionTimeout)), "{:?}", answer.err());
    }
    let (address, _server) = echo().await;
    let address = address.replace("127.0.0.1", "localhost");
    let mut honest = Call::of("honest", grant(&[&address], Limits::default()), None, &options);
    assert_eq!(honest.get(&address).await.unwrap().status, 200);
}
