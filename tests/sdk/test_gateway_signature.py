"""What the gateway sends upstream, signed a second time by Tencent's own Python SDK.

A recording server plays Cloud Infinite; the SDK's signer, which shares no code with ours, then has to come to the
same signature over every request that was recorded. Run it with the path of a built binary:

    pip install -r tests/sdk/requirements.txt
    CI_GATEWAY_BIN=target/debug/ci-gateway python3 -B -m unittest tests/sdk/test_gateway_signature.py -v
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

from qcloud_cos import CosConfig
from qcloud_cos.cos_auth import CosS3Auth

SECRET_ID = "AKIDOFTHESIGNATURETESTS"
SECRET_KEY = "the-secret-of-the-signature-tests"
TOKEN = "STS-tok/en+with=odd&chars"
REGION = "ap-chongqing"
BUCKET = "test-1234567890"
ISSUER = "https://issuer.example.com"
SHARED_SECRET = "a secret of the tests that is long enough for HS256"

# What the gateway calls a service, its path at Cloud Infinite, and the node of its answers.
SERVICES = [("smart-audio", "/asrbucket", "AsrBucket"), ("media", "/mediabucket", "MediaBucket")]
HOSTS = {
    "POST": f"{BUCKET}.ci.{REGION}.myqcloud.com",
    "GET": f"ci.{REGION}.myqcloud.com",
    "DELETE": f"{BUCKET}.ci.{REGION}.myqcloud.com",
}
# The window of a signature, around now, in seconds: `[ci] signature_lifetime` as it is when nobody sets it.
LIFETIME = 300
START_BEFORE = 60
# Seconds between our clock and the gateway's reading of it.
TOLERANCE = 5


class Cloud(ThreadingHTTPServer):
    """Cloud Infinite as its product page shows it, which writes down what it is asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.recorded = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.recorded.append(
            SimpleNamespace(method=self.command, target=self.path, headers=self.headers.items(), at=time.time())
        )
        body = page(self.command, urlsplit(self.path).path).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET = do_DELETE = answer

    def log_message(self, *_):
        """Says nothing."""


def page(method, path):
    node = next(node for _, known, node in SERVICES if known == path)
    bucket = (
        f"<BucketId>{BUCKET}</BucketId><Name>{BUCKET}</Name><Region>{REGION}</Region>"
        "<CreateTime>2022-08-09T16:23:11+0800</CreateTime>"
    )
    inner = {
        "POST": f"<{node}>{bucket}</{node}>",
        "GET": "<TotalCount>1</TotalCount><PageNumber>1</PageNumber><PageSize>10</PageSize>"
        f"<{node}List>{bucket}</{node}List>",
        "DELETE": f"<BucketName>{BUCKET}</BucketName>",
    }[method]
    return f"<Response><RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>{inner}</Response>"


CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
drain_delay = "0s"
[admin]
listen = "127.0.0.1:0"
[[auth.jwt]]
issuer = "{issuer}"
audience = "ci-gateway"
algorithms = ["HS256"]
secret_file = "jwt-secret"
[policy]
file = "policy.json"
[ci]
default_region = "{region}"
endpoint = "{endpoint}"
"""

POLICY = {
    "version": "2.0",
    "statement": [
        {"effect": "allow", "principal": ["user:alice"], "action": ["ci:*"], "resource": ["*"]},
    ],
}


class Gateway:
    """`ci-gateway serve` in front of `endpoint`, with keys in its environment."""

    def __init__(self, folder, endpoint, token):
        # Without this, the test would end green where it never ran.
        self.binary = os.environ["CI_GATEWAY_BIN"]
        self.folder = pathlib.Path(folder)
        self.write("gateway.toml", CONFIGURATION.format(issuer=ISSUER, region=REGION, endpoint=endpoint))
        self.write("policy.json", json.dumps(POLICY))
        self.write("jwt-secret", SHARED_SECRET)
        environment = dict(os.environ, TENCENTCLOUD_SECRET_ID=SECRET_ID, TENCENTCLOUD_SECRET_KEY=SECRET_KEY)
        environment.pop("TENCENTCLOUD_TOKEN", None)
        # It decides what is logged, and the address is read from the log.
        environment.pop("RUST_LOG", None)
        if token:
            environment["TENCENTCLOUD_TOKEN"] = token
        self.process = subprocess.Popen(
            [self.binary, "serve", "--config", self.folder / "gateway.toml"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self.told_address()
        # Whatever else it logs is read, so that the pipe never fills up.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.bearer = self.mint()

    def write(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)

    def told_address(self):
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if '"serving"' in line:
                return json.loads(line)["listen"]
        raise AssertionError("the gateway does not start: " + "".join(lines))

    def mint(self):
        command = [self.binary, "token", "--secret-file", self.folder / "jwt-secret", "--issuer", ISSUER]
        command += ["--audience", "ci-gateway", "--caller", "alice"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def call(self, method, service):
        """The status and the JSON of a call, made past any proxy of this machine."""
        request = urllib.request.Request(
            f"http://{self.address}/v1/buckets/{BUCKET}/{service}",
            method=method,
            headers={"Authorization": f"Bearer {self.bearer}", "Content-Length": "0"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)
        self.process.stderr.close()


def fields(authorization):
    """The `q-` fields; no value holds a `&`."""
    return dict(part.split("=", 1) for part in authorization.split("&"))


def signed_by_the_sdk(request, said):
    """The `Authorization` that the SDK's signer makes of this request, for the window that it names."""
    target = urlsplit(request.target)
    listed = said["q-header-list"].split(";")
    headers = {name: value for name, value in request.headers if name.lower() in listed}
    start, end = (int(second) for second in said["q-sign-time"].split(";"))
    # The signer itself begins its windows this long before now.
    now = start + START_BEFORE
    signer = CosS3Auth(
        CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY),
        key=unquote(target.path),
        params=dict(parse_qsl(target.query, keep_blank_values=True)),
        expire=end - now,
    )
    twin = SimpleNamespace(method=request.method, url=request.target, headers=headers)
    with mock.patch("qcloud_cos.cos_auth.time.time", return_value=now):
        return signer(twin).headers["Authorization"]


class GatewaySignature(unittest.TestCase):
    def recorded(self, token=None):
        """Every method of two services, called through a gateway; what arrived, in order."""
        cloud = Cloud()
        self.addCleanup(cloud.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        gateway = Gateway(folder.name, f"http://127.0.0.1:{cloud.server_port}", token)
        self.addCleanup(gateway.stop)
        for service, path, _ in SERVICES:
            for method in HOSTS:
                status, answer = gateway.call(method, service)
                self.assertEqual((status, answer["service"]), (200, service))
                request = cloud.recorded[-1]
                self.assertEqual((request.method, urlsplit(request.target).path), (method, path))
        self.assertEqual(len(cloud.recorded), len(SERVICES) * len(HOSTS))
        return cloud.recorded

    def assert_signed(self, request):
        headers = {name.lower(): value for name, value in request.headers}
        self.assertEqual(len(headers), len(request.headers), "a header came twice")
        said = fields(headers["authorization"])
        self.assertEqual(headers["host"], HOSTS[request.method])
        self.assertEqual((said["q-sign-algorithm"], said["q-ak"]), ("sha1", SECRET_ID))

        listed = said["q-header-list"].split(";")
        self.assertIn("host", listed)
        if request.method != "GET":
            self.assertIn("content-length", listed)
            self.assertEqual(headers["content-length"], "0")

        self.assertEqual(said["q-key-time"], said["q-sign-time"])
        start, end = (int(second) for second in said["q-sign-time"].split(";"))
        self.assertAlmostEqual(start, request.at - START_BEFORE, delta=TOLERANCE)
        self.assertAlmostEqual(end, request.at + LIFETIME, delta=TOLERANCE)

        # Not the signature alone: its lists, their order and their spelling too.
        self.assertEqual(headers["authorization"], signed_by_the_sdk(request, said))

    def test_the_sdk_signs_every_call_as_the_gateway_does(self):
        for request in self.recorded():
            with self.subTest(method=request.method, target=request.target):
                self.assert_signed(request)
                self.assertNotIn("x-ci-security-token", [name.lower() for name, _ in request.headers])

    def test_the_sdk_signs_every_call_with_temporary_keys_as_the_gateway_does(self):
        for request in self.recorded(token=TOKEN):
            with self.subTest(method=request.method, target=request.target):
                self.assert_signed(request)
                headers = {name.lower(): value for name, value in request.headers}
                self.assertEqual(headers["x-ci-security-token"], TOKEN)
                self.assertIn("x-ci-security-token", fields(headers["authorization"])["q-header-list"].split(";"))

    def test_a_request_that_was_changed_on_its_way_is_signed_otherwise(self):
        # Without this, a signer that looks at nothing would pass the tests above.
        request = self.recorded()[0]
        authorization = next(value for name, value in request.headers if name.lower() == "authorization")
        said = fields(authorization)
        self.assertEqual(signed_by_the_sdk(request, said), authorization)
        headers = [(name, "other" if name.lower() == "host" else value) for name, value in request.headers]
        for changed in ({"method": "DELETE"}, {"target": "/docbucket"}, {"headers": headers}):
            other = SimpleNamespace(**{**vars(request), **changed})
            self.assertNotEqual(signed_by_the_sdk(other, said), authorization, changed)


if __name__ == "__main__":
    unittest.main()
