//! The cloud: answers every request with the product page's XML, about the bucket of the request's `Host`.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves until it is killed.
pub(crate) fn run(address: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.unwrap();
        loop {
            let (stream, _peer) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
}

/// Requests have no body, so a request ends with its head.
async fn serve(mut stream: TcpStream) {
    let (mut buffer, mut filled) = (vec![0; 8192], 0);
    stream.set_nodelay(true).unwrap();
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let reply = reply(bucket(&buffer[..filled]));
        filled = 0;
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The first label of the host.
fn bucket(head: &[u8]) -> &str {
    let head = std::str::from_utf8(head).unwrap();
    let value = |line: &'_ str| line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = head.split("\r\n").find(|line| value(line)).unwrap_or_default();
    host.split_once(':').map_or("", |(_, host)| host.trim()).split('.').next().unwrap_or_default()
}

fn reply(bucket: &str) -> String {
    let body = format!(
        "<Response>\n<RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>\n<AsrBucket>\n<BucketId>{bucket}</BucketId>\n\
         <Name>{bucket}</Name>\n<Region>ap-chongqing</Region>\n<CreateTime>2022-08-09T16:23:11+0800></CreateTime>\n\
         </AsrBucket>\n</Response>"
    );
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n{body}")
}
