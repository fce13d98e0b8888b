"""Registers devices in bulk: puts a file of them into S3, starts a task, waits for
its end and reads the reports from their links. Argument: a signing request.
"""
import json
import os
import ssl
import sys
import time
import urllib.request

import boto3

BUCKET, KEY = "fleet-files", "in/things.json"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
READ = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}]}
TEMPLATE = {
    "Parameters": {"ThingName": {"Type": "String"}, "CSR": {"Type": "String"}, "Site": {"Type": "String"}},
    "Resources": {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {
            "ThingName": {"Ref": "ThingName"}, "AttributePayload": {"site": {"Ref": "Site"}, "lot": "7"}}},
        "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}}}}}


def main():
    iot, s3, iam = boto3.client("iot"), boto3.client("s3"), boto3.client("iam")
    with open(sys.argv[1]) as file:
        csr = file.read()
    role = iam.create_role(RoleName="bulk", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="bulk", PolicyName="read", PolicyDocument=json.dumps(READ))
    s3.create_bucket(Bucket=BUCKET)
    lines = [json.dumps({"ThingName": f"bulk-{i}", "CSR": csr} | ({"Site": "osaka"} if i else {})) for i in range(30)]
    lines += ["broken", json.dumps({"ThingName": "bulk-30"})]
    s3.put_object(Bucket=BUCKET, Key=KEY, Body="\n".join(lines))

    task = iot.start_thing_registration_task(
        templateBody=json.dumps(TEMPLATE), inputFileBucket=BUCKET, inputFileKey=KEY, roleArn=role)["taskId"]
    while (state := iot.describe_thing_registration_task(taskId=task))["status"] == "InProgress":
        time.sleep(0.1)
    print(state["status"], state["successCount"], state["failureCount"], state["percentageProgress"])
    assert iot.list_thing_registration_tasks(status="Completed")["taskIds"] == [task]

    trust = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    for kind in ("RESULTS", "ERRORS"):
        for link in iot.list_thing_registration_task_reports(taskId=task, reportType=kind)["resourceLinks"]:
            with urllib.request.urlopen(link, context=trust) as answer:
                report = [json.loads(line) for line in answer]
            print(kind, sorted(line["lineNumber"] for line in report) if kind == "ERRORS" else len(report))
    print(len(iot.list_things()["things"]), "things")
    for name in ("bulk-0", "bulk-1"):  # the first line leaves a parameter out
        print(json.dumps(iot.describe_thing(thingName=name)["attributes"], sort_keys=True))
    made = iot.register_thing(templateBody=json.dumps(TEMPLATE), parameters={"ThingName": "one", "CSR": csr})
    print(sorted(made["resourceArns"]), iot.describe_thing(thingName="one")["attributes"])
    try:
        iot.register_thing(templateBody=json.dumps(TEMPLATE), parameters={"ThingName": "none"})
    except iot.exceptions.ResourceRegistrationFailureException as refusal:
        print(refusal)


if __name__ == "__main__":
    main()
