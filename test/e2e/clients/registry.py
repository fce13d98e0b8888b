#!/usr/bin/env python3
"""A thing's life as a program sees it through boto3, with nothing set but what
`thingd env` exports: registered, described, found, refused, and gone again.

The only argument is the endpoint the server should tell. Ends with "done"; an
assertion that fails ends it with a traceback.
"""
import contextlib
import json
import sys

import boto3

iot, data, sts = boto3.client("iot"), boto3.client("iot-data"), boto3.client("sts")

THING, TYPE, POLICY = "boto3-lamp", "lamp", "boto3-lamp-policy"
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})


@contextlib.contextmanager
def refused(client, name):
    """The call inside has to raise the client's exception of this name."""
    try:
        yield
    except getattr(client.exceptions, name):
        return
    raise AssertionError(f"{name} was not raised")


def introduce(endpoint):
    caller = sts.get_caller_identity()
    assert caller["Account"] in caller["Arn"], caller
    for kind in ("iot:Data-ATS", "iot:Data", "iot:Jobs"):
        told = iot.describe_endpoint(endpointType=kind)["endpointAddress"]
        assert told == endpoint, (kind, told)


def create_thing():
    iot.create_thing_type(thingTypeName=TYPE)
    attributes = {"attributes": {"color": "blue"}}
    thing = iot.create_thing(thingName=THING, thingTypeName=TYPE, attributePayload=attributes)
    again = iot.create_thing(thingName=THING, thingTypeName=TYPE, attributePayload=attributes)
    assert thing["thingArn"] == again["thingArn"] and thing["thingId"] == again["thingId"], (thing, again)
    with refused(iot, "ResourceAlreadyExistsException"):
        iot.create_thing(thingName=THING, attributePayload={"attributes": {"color": "red"}})
    seen = iot.describe_thing(thingName=THING)
    assert (seen["thingTypeName"], seen["attributes"], seen["version"]) == (TYPE, {"color": "blue"}, 1), seen
    with refused(iot, "ResourceNotFoundException"):
        iot.describe_thing(thingName="nobody")


def create_certificate():
    made = iot.create_keys_and_certificate(setAsActive=True)
    assert made["certificatePem"].startswith("-----BEGIN CERTIFICATE-----"), made
    assert made["keyPair"]["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----"), "key is not PKCS #1"
    assert made["certificateArn"].endswith(":cert/" + made["certificateId"]), made
    seen = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert (seen["status"], seen["certificatePem"]) == ("ACTIVE", made["certificatePem"]), seen
    return made["certificateArn"], made["certificateId"]


def attach(arn):
    policy = iot.create_policy(policyName=POLICY, policyDocument=DOCUMENT)
    assert json.loads(policy["policyDocument"]) == json.loads(DOCUMENT), policy
    iot.attach_policy(policyName=POLICY, target=arn)
    iot.attach_policy(policyName=POLICY, target=arn)  # no harm in twice
    iot.attach_thing_principal(thingName=THING, principal=arn)


def find(arn, certificate):
    def names(operation, result, member, **parameters):
        pages = iot.get_paginator(operation).paginate(PaginationConfig={"PageSize": 1}, **parameters)
        return [item[member] for page in pages for item in page[result]]
    assert names("list_things", "things", "thingName", thingTypeName=TYPE) == [THING]
    assert names("list_certificates", "certificates", "certificateId") == [certificate]
    assert names("list_policies", "policies", "policyName") == [POLICY]
    assert names("list_attached_policies", "policies", "policyName", target=arn) == [POLICY]
    assert iot.list_thing_principals(thingName=THING)["principals"] == [arn]
    assert iot.list_principal_things(principal=arn)["things"] == [THING]
    assert iot.list_targets_for_policy(policyName=POLICY)["targets"] == [arn]


def use_data_plane():
    data.publish(topic=f"data/{THING}", qos=1, payload=b'{"on":true}')
    with refused(data, "InvalidRequestException"):
        data.publish(topic="data/#", payload=b"x")
    with refused(data, "ResourceNotFoundException"):
        data.get_thing_shadow(thingName=THING)
    data.update_thing_shadow(thingName=THING, payload=json.dumps({"state": {"desired": {"on": True}}}))
    shadow = json.loads(data.get_thing_shadow(thingName=THING)["payload"].read())
    assert shadow["state"] == {"desired": {"on": True}, "delta": {"on": True}} and shadow["version"] == 1, shadow
    data.delete_thing_shadow(thingName=THING)


def take_apart(arn, certificate):
    with refused(iot, "InvalidRequestException"):
        iot.delete_thing(thingName=THING)
    with refused(iot, "DeleteConflictException"):
        iot.delete_policy(policyName=POLICY)
    with refused(iot, "CertificateStateException"):
        iot.delete_certificate(certificateId=certificate)
    iot.update_certificate(certificateId=certificate, newStatus="INACTIVE")
    with refused(iot, "DeleteConflictException"):
        iot.delete_certificate(certificateId=certificate)
    iot.detach_policy(policyName=POLICY, target=arn)
    iot.detach_thing_principal(thingName=THING, principal=arn)
    iot.delete_certificate(certificateId=certificate)
    iot.delete_policy(policyName=POLICY)
    iot.delete_thing(thingName=THING)
    iot.delete_thing(thingName=THING)  # what is gone may be deleted again
    iot.deprecate_thing_type(thingTypeName=TYPE)
    with refused(iot, "InvalidRequestException"):
        iot.delete_thing_type(thingTypeName=TYPE)  # five minutes too early
    with refused(iot, "ResourceNotFoundException"):
        iot.describe_certificate(certificateId=certificate)


def main():
    introduce(endpoint=sys.argv[1])
    create_thing()
    arn, certificate = create_certificate()
    attach(arn)
    find(arn, certificate)
    use_data_plane()
    take_apart(arn, certificate)
    print("done")


if __name__ == "__main__":
    main()
