"""The stand-in's Security Token Service, asked by Tencent's own Python SDK.

The SDK signs TC3-HMAC-SHA256 with code that is not ours; the keys that it is given then sign a call of Cloud Infinite by
the other SDK of Tencent's. Run it with the path of a built binary:

    pip install -r tests/sdk/requirements.txt
    CI_GATEWAY_BIN=target/debug/ci-gateway python3 -B -m unittest tests/sdk/test_python_sts.py -v
"""

import os
import sys
import time
import unittest

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sts.v20180813 import models
from tencentcloud.sts.v20180813.sts_client import StsClient

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_python_sdk import BUCKET, SECRET_ID, SECRET_KEY, StandIn  # noqa: E402

ROLE = "qcs::cam::uin/100000000001:roleName/ci-gateway"


def filled(model, **fields):
    for name, value in fields.items():
        setattr(model, name, value)
    return model


class PythonSts(unittest.TestCase):
    def start(self, *arguments):
        stand_in = StandIn(*arguments)

        def end():
            if stand_in.process.poll() is None:
                stand_in.stop()

        self.addCleanup(end)
        return stand_in

    def client(self, stand_in, secret_id=SECRET_ID, secret_key=SECRET_KEY, token=None):
        http = HttpProfile(protocol="http", endpoint=stand_in.address, reqTimeout=5)
        keys = credential.Credential(secret_id, secret_key, token)
        return StsClient(keys, "ap-guangzhou", ClientProfile(signMethod="TC3-HMAC-SHA256", httpProfile=http))

    def assume(self, client, **fields):
        wanted = {"RoleArn": ROLE, "RoleSessionName": "sdk-tests", "DurationSeconds": 900}
        return client.AssumeRole(filled(models.AssumeRoleRequest(), **(wanted | fields)))

    def assert_refused(self, code, call, *arguments, **keywords):
        with self.assertRaises(TencentCloudSDKException) as caught:
            call(*arguments, **keywords)
        self.assertEqual(caught.exception.get_code(), code)
        self.assertTrue(caught.exception.get_request_id())

    def test_a_role_gives_keys_that_cloud_infinite_takes(self):
        stand_in = self.start()
        given = self.assume(self.client(stand_in))
        self.assertAlmostEqual(given.ExpiredTime, time.time() + 900, delta=60)
        self.assertTrue(given.Expiration.endswith("Z") and given.RequestId)
        keys = given.Credentials
        cloud = stand_in.client(secret_id=keys.TmpSecretId, secret_key=keys.TmpSecretKey, Token=keys.Token)
        _, data = cloud.ci_open_asr_bucket(Bucket=BUCKET)
        self.assertEqual(data["AsrBucket"]["BucketId"], BUCKET)

        identity = self.client(stand_in, keys.TmpSecretId, keys.TmpSecretKey, keys.Token).GetCallerIdentity(
            models.GetCallerIdentityRequest()
        )
        self.assertEqual(identity.Type, "CAMRole")

        requests, status = stand_in.stop()
        self.assertEqual(status, 0)
        self.assertEqual([request["action"] for request in requests], ["AssumeRole", None, "GetCallerIdentity"])
        self.assertTrue(all(request["verified"] and request["applied"] for request in requests))

    def test_a_pod_is_given_keys_without_a_signature(self):
        client = self.client(self.start())

        def ask(token):
            fields = {"ProviderId": "cls-1", "WebIdentityToken": token, "RoleArn": ROLE, "RoleSessionName": "pod"}
            # The SDK leaves this call unsigned only if it is told to.
            return client.call_json("AssumeRoleWithWebIdentity", fields, options={"SkipSign": True})["Response"]

        self.assertTrue(ask("eyJ.x.y")["Credentials"]["Token"])
        self.assert_refused("InvalidParameter.WebIdentityTokenError", ask, "")

    def test_what_is_wrong_has_the_code_that_the_sdk_reads(self):
        stand_in = self.start()
        self.assert_refused("AuthFailure.SignatureFailure", self.assume, self.client(stand_in, secret_key="another"))
        self.assert_refused("AuthFailure.SecretIdNotFound", self.assume, self.client(stand_in, secret_id="AKIDNOBODY"))
        missing = ROLE.replace("ci-gateway", "missing-role")
        self.assert_refused("ResourceNotFound.RoleNotFound", self.assume, self.client(stand_in), RoleArn=missing)

    def test_a_clock_that_is_off_is_told(self):
        client = self.client(self.start("--fault", "sts:skew:-600"))
        self.assert_refused("AuthFailure.SignatureExpire", self.assume, client)

    def test_keys_end(self):
        stand_in = self.start("--session-lifetime", "1s")
        keys = self.assume(self.client(stand_in)).Credentials
        time.sleep(1.1)
        client = self.client(stand_in, keys.TmpSecretId, keys.TmpSecretKey, keys.Token)
        self.assert_refused("AuthFailure.TokenFailure", client.GetCallerIdentity, models.GetCallerIdentityRequest())


if __name__ == "__main__":
    unittest.main()
