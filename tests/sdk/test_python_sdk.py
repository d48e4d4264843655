"""The stand-in, driven by Tencent's own Python SDK.

Our signer and our verifier could share a misreading of the specification; the official client shares
none of our code. Run it with the path of a built binary:

    pip install -r tests/sdk/requirements.txt
    CI_GATEWAY_BIN=target/debug/ci-gateway python3 -B -m unittest tests/sdk/test_python_sdk.py -v
"""

import json
import os
import signal
import subprocess
import unittest

from qcloud_cos import CosConfig, CosS3Client
from qcloud_cos.cos_exception import CosClientError, CosServiceError

SECRET_ID = "AKIDOFTHESDKTESTS"
SECRET_KEY = "the-secret-of-the-sdk-tests"
TOKEN = "STS-tok/en+with=odd&chars"
REGION = "ap-chongqing"
BUCKET = "test-1234567890"


class StandIn:
    """`ci-gateway stand-in` on a free port, with keys in its environment."""

    def __init__(self, *arguments, token=None):
        # Without this, the test would end green where it never ran.
        binary = os.environ["CI_GATEWAY_BIN"]
        environment = dict(os.environ, TENCENTCLOUD_SECRET_ID=SECRET_ID, TENCENTCLOUD_SECRET_KEY=SECRET_KEY)
        environment.pop("TENCENTCLOUD_TOKEN", None)
        if token:
            environment["TENCENTCLOUD_TOKEN"] = token
        self.process = subprocess.Popen(
            [binary, "stand-in", "--listen", "127.0.0.1:0", "--json", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = json.loads(self.process.stdout.readline())["address"]

    def client(self, secret_id=SECRET_ID, secret_key=SECRET_KEY, **config):
        """A client that takes the stand-in for its proxy, so that host and signature are the real ones."""
        config = CosConfig(
            Region=REGION,
            SecretId=secret_id,
            SecretKey=secret_key,
            Scheme="http",
            Timeout=5,
            Proxies={"http": f"http://{self.address}"},
            **config,
        )
        return CosS3Client(config, retry=0)

    def stop(self):
        """Stops it; returns the requests that it reported, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=10)
        return [json.loads(line) for line in rest.splitlines()], self.process.returncode


class PythonSdk(unittest.TestCase):
    def start(self, *arguments, **keywords):
        stand_in = StandIn(*arguments, **keywords)

        def end():
            if stand_in.process.poll() is None:
                stand_in.stop()

        self.addCleanup(end)
        return stand_in

    def assert_refused(self, status, code, call, **arguments):
        with self.assertRaises(CosServiceError) as caught:
            call(**arguments)
        error = caught.exception
        self.assertEqual((error.get_status_code(), error.get_error_code()), (status, code))
        for text in (error.get_error_msg(), error.get_resource_location(), error.get_request_id(), error.get_trace_id()):
            self.assertNotIn(text, ("", "Unknown"))
        return error

    def test_a_bucket_is_opened_listed_and_closed(self):
        stand_in = self.start()
        client = stand_in.client()
        headers, data = client.ci_open_asr_bucket(Bucket=BUCKET)
        self.assertEqual(headers["Content-Type"], "application/xml")
        self.assertEqual(data["AsrBucket"]["BucketId"], BUCKET)
        self.assertEqual(data["AsrBucket"]["Name"], BUCKET)
        self.assertEqual(data["AsrBucket"]["Region"], REGION)
        self.assertRegex(data["AsrBucket"]["CreateTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0800$")
        self.assertTrue(data["RequestId"])

        listed = client.ci_get_asr_bucket(BucketNames=BUCKET, PageNumber="1", PageSize="10")
        self.assertEqual(listed["TotalCount"], "1")
        self.assertEqual(listed["AsrBucketList"], [data["AsrBucket"]])

        _, closed = client.ci_close_asr_bucket(Bucket=BUCKET)
        self.assertEqual(closed["BucketName"], BUCKET)
        self.assertEqual(client.ci_get_asr_bucket()["TotalCount"], "0")

        requests, status = stand_in.stop()
        self.assertEqual(status, 0)
        self.assertEqual([request["method"] for request in requests], ["POST", "GET", "DELETE", "GET"])
        self.assertTrue(all(request["verified"] and request["applied"] for request in requests))

    def test_a_signed_content_type_verifies(self):
        _, data = self.start().client().ci_open_asr_bucket(Bucket=BUCKET, ContentType="application/xml")
        self.assertEqual(data["AsrBucket"]["BucketId"], BUCKET)

    def test_a_wrong_key_is_a_signature_that_does_not_match(self):
        client = self.start().client(secret_key="another-secret")
        error = self.assert_refused(403, "SignatureDoesNotMatch", client.ci_open_asr_bucket, Bucket=BUCKET)
        self.assertIn("<FormatString>post\n/asrbucket\n", error.get_origin_msg())

    def test_an_unknown_id_is_an_invalid_access_key_id(self):
        client = self.start().client(secret_id="AKIDOFNOBODY")
        self.assert_refused(403, "InvalidAccessKeyId", client.ci_open_asr_bucket, Bucket=BUCKET)

    def test_a_missing_bucket_is_no_such_bucket(self):
        client = self.start().client()
        self.assert_refused(404, "NoSuchBucket", client.ci_open_asr_bucket, Bucket="missing-1234567890")
        self.assert_refused(404, "NoSuchBucket", client.ci_close_asr_bucket, Bucket="missing-1234567890")

    def test_a_service_that_is_off_is_closed_again(self):
        _, closed = self.start().client().ci_close_asr_bucket(Bucket=BUCKET)
        self.assertEqual(closed["BucketName"], BUCKET)

    def test_temporary_keys_need_their_token(self):
        stand_in = self.start(token=TOKEN)
        _, data = stand_in.client(Token=TOKEN).ci_open_asr_bucket(Bucket=BUCKET)
        self.assertEqual(data["AsrBucket"]["BucketId"], BUCKET)
        self.assertEqual(stand_in.client(Token=TOKEN).ci_get_asr_bucket()["TotalCount"], "1")
        self.assert_refused(403, "AccessDenied", stand_in.client().ci_close_asr_bucket, Bucket=BUCKET)
        self.assert_refused(403, "AccessDenied", stand_in.client(Token="other").ci_close_asr_bucket, Bucket=BUCKET)

    def test_an_unsigned_host_is_refused_unless_it_is_accepted(self):
        client = self.start().client(SignHost=False)
        self.assert_refused(403, "AccessDenied", client.ci_open_asr_bucket, Bucket=BUCKET)
        client = self.start("--accept-unsigned-host").client(SignHost=False)
        _, data = client.ci_open_asr_bucket(Bucket=BUCKET)
        self.assertEqual(data["AsrBucket"]["BucketId"], BUCKET)

    def test_a_skewed_clock_refuses_the_window(self):
        client = self.start("--fault", "skew:-600").client()
        self.assert_refused(403, "RequestTimeTooSkewed", client.ci_open_asr_bucket, Bucket=BUCKET)
        client = self.start("--fault", "skew:+20000").client()
        error = self.assert_refused(403, "AccessDenied", client.ci_open_asr_bucket, Bucket=BUCKET)
        self.assertEqual(error.get_error_msg(), "Request has expired")

    def test_counted_faults_are_met_and_then_gone(self):
        client = self.start("--fault", "status:503@1", "--fault", "reset-after@1").client()
        self.assert_refused(503, "ServiceUnavailable", client.ci_open_asr_bucket, Bucket=BUCKET)
        with self.assertRaises(CosClientError):
            client.ci_open_asr_bucket(Bucket=BUCKET)
        # The second call had no answer, and took effect.
        self.assertEqual(client.ci_get_asr_bucket()["TotalCount"], "1")


if __name__ == "__main__":
    unittest.main()
