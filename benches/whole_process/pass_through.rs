//! The measure: a proxy on the gateway's client, pool and runtime that hands requests and answers on and does no more.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

type ToUpstream = Client<HttpConnector, Incoming>;

/// Serves until it is killed.
pub(crate) fn run(address: SocketAddr, upstream: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let authority: Authority = upstream.to_string().parse().unwrap();
        let client = client();
        let listener = TcpListener::bind(address).await.unwrap();
        loop {
            let (stream, _peer) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, client.clone(), authority.clone()));
        }
    });
}

/// The pool settings are those of `src/upstream.rs`.
fn client() -> ToUpstream {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(20))
        .pool_max_idle_per_host(64)
        .build(tcp)
}

async fn serve(stream: TcpStream, client: ToUpstream, authority: Authority) {
    stream.set_nodelay(true).unwrap();
    let service = service_fn(|request| pass(request, &client, &authority));
    // A caller that goes away is nothing to tell of.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The head goes on as it came, but for where it goes.
async fn pass(
    mut request: Request<Incoming>,
    client: &ToUpstream,
    authority: &Authority,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() =
        Uri::builder().scheme(Scheme::HTTP).authority(authority.clone()).path_and_query(path).build().unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    Ok(Response::from_parts(head, Full::new(body.collect().await.unwrap().to_bytes())))
}
