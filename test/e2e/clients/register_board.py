"""Registers a secure element the way the EduKit's registration helper does, call
by call, and prints what it prints. Arguments: manifest, root CA for the device.
"""
import base64
import json
import sys
import textwrap

import boto3
import botocore

POLICY = "Kit_Policy"


def pem(der):
    text = "\n".join(textwrap.wrap(der, 64))
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def policy_document(account):
    name = "${iot:Connection.Thing.ThingName}"
    arn = f"arn:aws:iot:*:{account}:"
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["iot:Connect"], "Resource": [f"{arn}client/{name}"]},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": [f"{arn}topic/{name}/*"]},
        {"Effect": "Allow", "Action": ["iot:Subscribe"], "Resource": [f"{arn}topicfilter/{name}/*"]},
        {"Effect": "Allow", "Action": ["iot:UpdateThingShadow", "iot:GetThingShadow"],
         "Resource": [f"{arn}topic/$aws/things/{name}/shadow/*"]}]})


def register(iot, element):
    payload = json.loads(base64.urlsafe_b64decode(element["payload"] + "=="))
    name = payload["uniqueId"].upper()
    chain = "".join(pem(der) for der in payload["publicKeySet"]["keys"][0]["x5c"])
    try:
        made = iot.register_certificate_without_ca(certificatePem=chain)
        iot.attach_policy(policyName=POLICY, target=made["certificateArn"])
        iot.update_certificate(certificateId=made["certificateId"], newStatus="ACTIVE")
        iot.create_thing_type(thingTypeName="microchip-tng")
        thing = iot.create_thing(thingName=name, thingTypeName="microchip-tng")
        iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
        print("MANIFEST_IMPORT SUCCESS", made["certificateArn"].split(":")[5].split("/")[0], thing["thingArn"].split(":")[5].split("/")[0])
    except botocore.exceptions.ClientError as error:
        print("Exception occurred", error.response["Error"]["Code"])
        return
    principal = iot.list_thing_principals(thingName=name)["principals"][0]
    stored = iot.describe_certificate(certificateId=principal.split("/")[-1])["certificateDescription"]
    assert stored["certificatePem"] == chain, "the stored certificate differs"
    assert stored["status"] == "ACTIVE", stored["status"]


def main():
    iot, sts = boto3.client("iot"), boto3.client("sts")
    print("AWS CLI configured for IoT endpoint:", iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"])
    assert len(iot.get_registration_code()["registrationCode"]) == 64
    with open(sys.argv[1]) as file:
        elements = json.load(file)
    account = sts.get_caller_identity()["Account"]
    try:
        iot.get_policy(policyName=POLICY)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
        iot.create_policy(policyName=POLICY, policyDocument=policy_document(account))
        print("Created policy", POLICY)
    print("Number of certificates:", len(elements))
    for element in elements:
        register(iot, element)
    print("Manifest was loaded successfully")


if __name__ == "__main__":
    main()
