#!/usr/bin/env python3
"""Two accounts of one server through boto3: neither sees the other's things, and
a certificate moves from one to the other.

The arguments are the shared-credentials file of the second account, and both
account IDs. The first account is the one of the environment. Ends with "done".
"""
import configparser
import sys

import boto3

path, first_id, second_id = sys.argv[1:]
profile = configparser.ConfigParser()
profile.read(path)
keys = dict(aws_access_key_id=profile["default"]["aws_access_key_id"],
            aws_secret_access_key=profile["default"]["aws_secret_access_key"])

first, second = boto3.Session(), boto3.Session(**keys)
for session, account in ((first, first_id), (second, second_id)):
    caller = session.client("sts").get_caller_identity()
    assert caller["Account"] == account, caller
    assert caller["Arn"] == f"arn:aws:iam::{account}:root", caller

giver, taker = first.client("iot"), second.client("iot")
giver.create_thing(thingName="of-the-first")
assert taker.list_things()["things"] == []

made = giver.create_keys_and_certificate(setAsActive=False)
certificate = made["certificateId"]
offer = giver.transfer_certificate(certificateId=certificate, targetAwsAccount=second_id, transferMessage="yours")
assert offer["transferredCertificateArn"].split(":")[4] == second_id, offer
outgoing = giver.list_outgoing_certificates()["outgoingCertificates"]
assert [o["transferredTo"] for o in outgoing] == [second_id], outgoing
seen = taker.list_certificates()["certificates"]
assert [c["status"] for c in seen] == ["PENDING_TRANSFER"], seen
taker.accept_certificate_transfer(certificateId=certificate, setAsActive=True)
got = taker.describe_certificate(certificateId=certificate)["certificateDescription"]
assert (got["status"], got["ownedBy"], got["previousOwnedBy"]) == ("ACTIVE", second_id, first_id), got
assert got["certificatePem"] == made["certificatePem"]
try:
    giver.describe_certificate(certificateId=certificate)
    raise AssertionError("the giver still has it")
except giver.exceptions.ResourceNotFoundException:
    pass

bucket = second.client("s3")
bucket.create_bucket(Bucket="of-the-second")
bucket.put_object(Bucket="of-the-second", Key="a", Body=b"1")
assert first.client("s3").list_buckets()["Buckets"] == []

policies = second.client("iam")
policies.create_user(UserName="operator")
worker = policies.create_access_key(UserName="operator")["AccessKey"]
limited = boto3.Session(aws_access_key_id=worker["AccessKeyId"], aws_secret_access_key=worker["SecretAccessKey"])
assert limited.client("sts").get_caller_identity()["Account"] == second_id
print("done")
