//! The stand-in over real sockets on loopback, spoken to in raw bytes.

mod calls;
mod client;
mod faults;
mod key_services;
mod refusals;

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::StandIn;
use client::{BUCKET_HOST, Call, listener, settings, start};

#[tokio::test]
async fn it_speaks_https_with_the_certificate_that_it_is_given() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([BUCKET_HOST.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let stand_in = StandIn::start_tls(listener().await, settings(), server);

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(stand_in.address()).await.unwrap();
    let name = ServerName::try_from(BUCKET_HOST).unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, tcp).await.unwrap();
    stream.write_all(Call::post().raw().as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn after_stop_nothing_listens_and_open_connections_are_gone() {
    let stand_in = start(settings()).await;
    let address = stand_in.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    stand_in.clone().stop().await;
    assert!(TcpListener::bind(address).await.is_ok());
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_client_that_gives_up_during_a_delay_does_not_undo_its_call() {
    let stand_in = start(settings()).await;
    stand_in.set_faults("delay:100ms".parse::<super::Strike>().unwrap());
    let mut watch = stand_in.watch();
    let mut stream = TcpStream::connect(stand_in.address()).await.unwrap();
    stream.write_all(Call::post().raw().as_bytes()).await.unwrap();
    while stand_in.request_count() == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert!(watch.recv().await.unwrap().applied);
}
