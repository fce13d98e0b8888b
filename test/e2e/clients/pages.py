#!/usr/bin/env python3
"""Reads lists of SageMaker and IAM one entry a page and compares them with the
whole. Ends with "done".
"""
import json

import boto3

sagemaker, iam = boto3.client("sagemaker"), boto3.client("iam")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="fleet", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
OUTPUT = {"S3OutputLocation": "s3://bucket/out"}


def pages(client, operation, result, **order):
    """All entries of a list, and the most that a page had."""
    entries, most = [], 0
    size = "MaxResults" if client is sagemaker else "MaxItems"
    token = "NextToken" if client is sagemaker else "Marker"
    more = {}
    while True:
        answer = getattr(client, operation)(**order, **{size: 1}, **more)
        most = max(most, len(answer[result]))
        entries += answer[result]
        if token not in answer:
            return entries, most
        more = {token: answer[token]}


def same(client, operation, result, count, **order):
    def names(entries):  # the rest may change meanwhile: jobs go on
        return [next(entry[key] for key in entry if key.endswith("Name")) for entry in entries]

    whole = names(getattr(client, operation)(**order)[result])
    entries, most = pages(client, operation, result, **order)
    entries = names(entries)
    assert entries == whole, (operation, entries, whole)
    assert len(whole) == count and most <= 1, (operation, len(whole), most)


for n in "123":
    sagemaker.create_device_fleet(DeviceFleetName="fleet" + n, OutputConfig=OUTPUT, EnableIotRoleAlias=False)
    sagemaker.register_devices(DeviceFleetName="fleet1", Devices=[{"DeviceName": "device" + n}])
    sagemaker.create_edge_packaging_job(EdgePackagingJobName="job" + n, CompilationJobName="c", ModelName="m",
                                        ModelVersion=n, RoleArn=ROLE, OutputConfig=OUTPUT)
    iam.create_user(UserName="user" + n)
arn = sagemaker.describe_device_fleet(DeviceFleetName="fleet1")["DeviceFleetArn"]
sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k" + n, "Value": "v"} for n in "123"])

same(sagemaker, "list_device_fleets", "DeviceFleetSummaries", 3)
same(sagemaker, "list_devices", "DeviceSummaries", 3, DeviceFleetName="fleet1")
same(sagemaker, "list_edge_packaging_jobs", "EdgePackagingJobSummaries", 3, SortBy="NAME")
same(iam, "list_users", "Users", 3)
tags = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn).build_full_result()["Tags"]
assert [tag["Key"] for tag in tags] == ["k1", "k2", "k3"], tags
print("done")
