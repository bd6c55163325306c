//! A mail server for tests: one conversation after the other on loopback, that answers as it is told to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// How it behaves. By default: all is well, and there is no TLS.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// What it says to commands that begin so, in place of yes; each is used up by one command.
    pub answers: Vec<(&'static str, &'static str)>,
    /// The command after which it says nothing any more.
    pub silent_after: Option<&'static str>,
    /// The command that it answers byte by byte, and how long each takes.
    pub drips: Option<(&'static str, Duration)>,
    /// TLS, from the first byte or by `STARTTLS`.
    pub tls: Option<(bool, Arc<ServerConfig>)>,
    /// Says that it has `STARTTLS`, and refuses TLS then.
    pub pretends: bool,
}

/// What it was told: the lines of all conversations, with `(TLS)` before those that came so.
pub type Heard = Arc<Mutex<Vec<String>>>;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Starts it; its port, and what it hears. It goes on until the test ends.
pub fn start(behaviour: Behaviour) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    let answers = Arc::new(Mutex::new(behaviour.answers.clone()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (behaviour, heard, answers) = (behaviour.clone(), Arc::clone(&kept), Arc::clone(&answers));
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let _ = converse(stream, &behaviour, &heard, &answers);
            });
        }
    });
    (port, heard)
}

type Answers = Mutex<Vec<(&'static str, &'static str)>>;

fn converse(stream: TcpStream, behaviour: &Behaviour, heard: &Heard, answers: &Answers) -> std::io::Result<()> {
    let plain = |stream: TcpStream| BufReader::new(Box::new(stream) as Box<dyn Stream>);
    let secured = |stream: TcpStream, config: &Arc<ServerConfig>| {
        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
        BufReader::new(Box::new(StreamOwned::new(connection, stream)) as Box<dyn Stream>)
    };
    let raw = stream.try_clone()?;
    let (mut wire, mut mark) = match &behaviour.tls {
        Some((true, config)) => (secured(stream, config), "(TLS) "),
        _ => (plain(stream), ""),
    };
    say(&mut wire, "220 test ESMTP")?;
    let mut in_text = false;
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        heard.lock().unwrap().push(format!("{mark}{line}"));
        if in_text && line != "." {
            continue;
        }
        let command = if in_text { "TEXT" } else { line.as_str() };
        if behaviour.silent_after.is_some_and(|silent| command.starts_with(silent)) {
            std::thread::park_timeout(Duration::from_secs(20));
            return Ok(());
        }
        let told = {
            let mut answers = answers.lock().unwrap();
            let place = answers.iter().position(|(prefix, _)| command.starts_with(prefix));
            place.map(|place| answers.remove(place).1)
        };
        let pause = behaviour.drips.filter(|(slow, _)| command.starts_with(slow)).map(|(_, pause)| pause);
        if let Some(pause) = pause {
            in_text = command == "DATA";
            for byte in if in_text { b"354 go on\r\n".iter() } else { b"250 taken\r\n".iter() } {
                std::thread::sleep(pause);
                wire.get_mut().write_all(&[*byte])?;
                wire.get_mut().flush()?;
            }
            continue;
        }
        if let Some(told) = told {
            in_text = false;
            say(&mut wire, told)?;
            continue;
        }
        match command {
            "TEXT" => {
                in_text = false;
                say(&mut wire, "250 taken")?;
            }
            "DATA" => {
                in_text = true;
                say(&mut wire, "354 go on")?;
            }
            "STARTTLS" => {
                say(&mut wire, "220 go on")?;
                if let Some((_, config)) = &behaviour.tls {
                    wire = secured(raw.try_clone()?, config);
                    mark = "(TLS) ";
                }
            }
            "QUIT" => {
                say(&mut wire, "221 bye")?;
                return Ok(());
            }
            _ if command.starts_with("EHLO") => {
                let offers = matches!(&behaviour.tls, Some((false, _))) && mark.is_empty();
                if offers || behaviour.pretends {
                    say(&mut wire, "250-test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN")?;
                } else {
                    say(&mut wire, "250-test\r\n250 AUTH PLAIN LOGIN")?;
                }
            }
            _ if command.starts_with("AUTH") => say(&mut wire, "235 welcome")?,
            _ => say(&mut wire, "250 yes")?,
        }
    }
}

fn say(wire: &mut BufReader<Box<dyn Stream>>, text: &str) -> std::io::Result<()> {
    wire.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
    wire.get_mut().flush()
}

/// A certificate authority as PEM, and a server's settings with a certificate of it for this name.
pub fn certified(name: &str) -> (Vec<u8>, Arc<ServerConfig>) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (authority.pem().into_bytes(), Arc::new(config))
}
