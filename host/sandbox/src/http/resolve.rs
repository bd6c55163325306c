//! Names into addresses, once a request; and which addresses may be connected to.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use autodevops_policy::address::{AddressKind, classify};
use url::{Host, Url};
use wasmtime_wasi_http::Error;

use crate::{refusal::Refusal, shares::Shares};

/// Look-ups at once: the operating system's cannot be called off, so what plugins leave behind is bounded.
const LOOK_UPS: usize = 64;

/// Look-ups at once of one plugin: names that take for ever, and that it no longer waits for, are its own loss.
const LOOK_UPS_OF_ONE: usize = 8;

/// Nobody waits so long for a look-up to begin: each request has its time.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Most addresses of a name that are tried.
const ADDRESSES: usize = 16;

/// Looks names up. A request asks once; what it answers is judged, and nothing else is connected to.
#[async_trait::async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of a name that a plugin asks for. What one plugin's names take must not keep another's from being looked up.
    ///
    /// # Errors
    /// When it has none or they cannot be found out.
    async fn resolve(&self, plugin: &str, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// A look-up that blocks.
type LookUp = fn(&str) -> io::Result<Vec<IpAddr>>;

/// The operating system's resolver. Each plugin has its share of it, until what it asked for is done.
#[derive(Debug)]
pub struct SystemResolver {
    shares: Shares,
    look_up: LookUp,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::by(|name| (name, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect()))
    }
}

impl SystemResolver {
    pub(super) fn by(look_up: LookUp) -> Self {
        Self { shares: Shares::new(LOOK_UPS, LOOK_UPS_OF_ONE), look_up }
    }
}

#[async_trait::async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, plugin: &str, name: &str) -> io::Result<Vec<IpAddr>> {
        let place = self.shares.acquire(plugin, 1, LONGEST_WAIT).await.map_err(io::Error::other)?;
        let (look_up, name) = (self.look_up, name.to_owned());
        let look_up = move || {
            let _until_done = place;
            look_up(&name)
        };
        tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)?
    }
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub enum NoWay {
    /// It was not found, and why.
    NotFound(io::Error),
    /// It has no address.
    Lost(Error),
    /// It leads to where the plugin may not go.
    Refused(Refusal),
}

/// The addresses of a URL's host that may be connected to: its own where it is one, else what the name is looked up as.
pub async fn addresses(resolver: &dyn Resolver, plugin: &str, url: &Url) -> Result<Vec<SocketAddr>, NoWay> {
    let port = url.port_or_known_default().ok_or(NoWay::Refused(Refusal::Url))?;
    let found = match url.host().ok_or(NoWay::Refused(Refusal::Url))? {
        Host::Ipv4(address) => vec![address.into()],
        Host::Ipv6(address) => vec![address.into()],
        Host::Domain(name) => resolver.resolve(plugin, name).await.map_err(NoWay::NotFound)?,
    };
    if found.is_empty() {
        return Err(NoWay::Lost(Error::DestinationNotFound));
    }
    judge(url, &found).map_err(NoWay::Refused)?;
    Ok(found.into_iter().take(ADDRESSES).map(|address| SocketAddr::new(address, port)).collect())
}

/// Public addresses may be connected to; one of this machine or a private network only where the operator granted that very
/// host: as a literal address, or this machine as `localhost`. One bad address in an answer spoils it.
///
/// What a URL's host is was granted when this is asked: no pattern fits a literal address or `localhost` but itself.
fn judge(url: &Url, addresses: &[IpAddr]) -> Result<(), Refusal> {
    let (literal, localhost) = match url.host() {
        Some(Host::Domain(name)) => (false, name.eq_ignore_ascii_case("localhost")),
        Some(_) => (true, false),
        None => (false, false),
    };
    for address in addresses {
        let fits = match classify(*address) {
            AddressKind::Public => !localhost,
            AddressKind::Loopback => literal || localhost,
            AddressKind::Private | AddressKind::SharedNat => literal,
            AddressKind::LinkLocal | AddressKind::Metadata | AddressKind::Multicast | AddressKind::Special => false,
        };
        if !fits {
            return Err(Refusal::Address(*address));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn judged(url: &str, addresses: &[&str]) -> bool {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        judge(&url.parse().unwrap(), &addresses).is_ok()
    }

    #[test]
    fn a_name_never_leads_to_a_private_address() {
        let url = "https://api.example.com/";
        assert!(judged(url, &["93.184.216.34"]));
        let private = [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "fd00:ec2::254",
            "100.64.0.1",
            "224.0.0.1",
            "0.0.0.0",
        ];
        for private in private {
            assert!(!judged(url, &[private]), "{private}");
            assert!(!judged(url, &["93.184.216.34", private]), "{private}");
            assert!(!judged(url, &[private, "93.184.216.34"]), "{private}");
        }
    }

    #[test]
    fn this_machine_and_private_networks_are_reached_as_literal_addresses_and_metadata_never() {
        assert!(judged("http://127.0.0.1/", &["127.0.0.1"]));
        assert!(judged("http://[::1]/", &["::1"]));
        assert!(judged("http://10.0.0.1/", &["10.0.0.1"]));
        assert!(judged("http://localhost/", &["127.0.0.1", "::1"]));
        assert!(!judged("http://localhost/", &["10.0.0.1"]));
        assert!(!judged("http://localhost/", &["93.184.216.34"]));
        assert!(!judged("http://169.254.169.254/", &["169.254.169.254"]));
        assert!(!judged("http://[::ffff:a9fe:a9fe]/", &["::ffff:169.254.169.254"]));
    }

    /// Gives one answer after the other.
    #[derive(Debug)]
    struct Changing(Mutex<Vec<&'static str>>);

    #[async_trait::async_trait]
    impl Resolver for Changing {
        async fn resolve(&self, _: &str, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(vec![self.0.lock().unwrap().pop().expect("no more look-ups than answers").parse().unwrap()])
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_what_it_leads_to_then_is_what_counts() {
        let url: Url = "https://rebind.example/".parse().unwrap();
        let resolver = Changing(Mutex::new(vec!["127.0.0.1", "93.184.216.34"]));
        let found = addresses(&resolver, "a", &url).await.unwrap();
        assert_eq!(found, ["93.184.216.34:443".parse().unwrap()]);
        let refused = addresses(&resolver, "a", &url).await;
        assert!(matches!(&refused, Err(NoWay::Refused(Refusal::Address(to))) if to.is_loopback()), "{refused:?}");
    }

    /// Knows a name, and no address of it.
    #[derive(Debug)]
    struct Empty;

    #[async_trait::async_trait]
    impl Resolver for Empty {
        async fn resolve(&self, _: &str, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_lost_and_not_refused() {
        let lost = addresses(&Empty, "a", &"https://a.example".parse().unwrap()).await;
        assert!(matches!(lost, Err(NoWay::Lost(Error::DestinationNotFound))), "{lost:?}");
    }
}
