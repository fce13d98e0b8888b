#!/usr/bin/env python3
"""SageMaker Edge Manager from the fleet to the device's S3 upload, as a script
for AWS does it: boto3, curl and the AWS CLI, with nothing set but what
`thingd env` exports.

The argument is the certificate of the server's root. Ends with "done"; an
assertion that fails ends it with a traceback.
"""
import json
import os
import subprocess
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

iot, sagemaker, iam = boto3.client("iot"), boto3.client("sagemaker"), boto3.client("iam")
PATH_STYLE = Config(s3={"addressing_style": "path"})
s3 = boto3.client("s3", config=PATH_STYLE)

EPOCH = str(int(time.time()))
THING, TYPE, BUCKET = "sample-device", "getting-started-demo", "edge-demo-bucket"
FLEET, DEVICE = "demo-device-fleet" + EPOCH, "sagemaker-edge-demo-device" + EPOCH
ROLE, POLICY = "edge-demo-role", "aliaspolicy-" + EPOCH
CA = sys.argv[1]


def trust(*services):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": s}, "Action": "sts:AssumeRole"} for s in services]})


TRUSTED = ("credentials.iot.amazonaws.com", "sagemaker.amazonaws.com")


def refused(code, call, **parameters):
    """The call has to fail with this code; gives what it says."""
    try:
        call(**parameters)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"{code} was not raised")


def prepare():
    s3.create_bucket(Bucket=BUCKET)
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust(*TRUSTED))["Role"]["Arn"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="edge", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/device_output/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/${{credentials-iot:ThingName}}/*"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/edge/*"},
        {"Effect": "Allow", "Action": ["sagemaker:GetDeviceRegistration", "sagemaker:SendHeartbeat", "sagemaker:GetDeployments"],
         "Resource": f"arn:aws:sagemaker:*:*:device-fleet/{FLEET}/device/*"},
    ]}))
    return role


def create_thing():
    for _ in range(2):  # a script may run again
        iot.create_thing_type(thingTypeName=TYPE)
        iot.create_thing(thingName=THING, thingTypeName=TYPE)


def create_fleet(role):
    order = dict(DeviceFleetName=FLEET, RoleArn=role, OutputConfig={"S3OutputLocation": f"s3://{BUCKET}/device_output"})
    sagemaker.create_device_fleet(**order)
    refused("ResourceInUse", sagemaker.create_device_fleet, **order)
    sagemaker.register_devices(DeviceFleetName=FLEET, Devices=[{"DeviceName": DEVICE, "IotThingName": THING}])


def create_certificate():
    made = iot.create_keys_and_certificate(setAsActive=True)
    for name, text in (("device.pem.crt", made["certificatePem"]), ("private.pem.key", made["keyPair"]["PrivateKey"]),
                       ("public.pem.key", made["keyPair"]["PublicKey"])):
        with open(name, "w") as f:
            for line in text.split("\n"):
                f.write(line + "\n")  # leaves an empty line at the end, as the document does
    with open("AmazonRootCA1.pem", "w") as f, open(CA) as ca:
        f.write(ca.read())
    return made["certificateArn"], made["certificateId"]


def allow_alias(certificate):
    told = sagemaker.describe_device_fleet(DeviceFleetName=FLEET)["IotRoleAlias"]
    alias = told[told.find("SageMaker"):]
    assert alias == "SageMakerEdge-" + FLEET, told
    described = iot.describe_role_alias(roleAlias=alias)["roleAliasDescription"]
    assert described["credentialDurationSeconds"] == 3600 and described["roleAliasArn"] == told, described
    iot.create_policy(policyName=POLICY, policyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": described["roleAliasArn"]}}))
    iot.attach_policy(policyName=POLICY, target=certificate)
    return alias


def curl(endpoint, *more):
    """Asks for credentials; gives status and answer."""
    command = ["curl", "-sS", "-w", "\n%{http_code}", "--cert", "device.pem.crt", "--key", "private.pem.key",
               "--cacert", "AmazonRootCA1.pem", *more, endpoint]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    body, status = out.rsplit("\n", 1)
    return int(status), json.loads(body)


def session(endpoint, *more):
    status, answer = curl(endpoint, *more)
    assert status == 200, (status, answer)
    keys = answer["credentials"]
    assert set(keys) == {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"} and keys["expiration"].endswith("Z"), keys.keys()
    return boto3.Session(aws_access_key_id=keys["accessKeyId"], aws_secret_access_key=keys["secretAccessKey"],
                         aws_session_token=keys["sessionToken"])


def use(device, certificate_id):
    who = device.client("sts").get_caller_identity()
    assert who["Arn"].endswith(f":assumed-role/{ROLE}/{certificate_id}"), who
    own = device.client("s3", config=PATH_STYLE)
    own.put_object(Bucket=BUCKET, Key="device_output/x", Body=b"hello")
    assert own.get_object(Bucket=BUCKET, Key="device_output/x")["Body"].read() == b"hello"
    refused("AccessDenied", own.put_object, Bucket=BUCKET, Key="elsewhere", Body=b"x")
    refused("AccessDenied", own.put_object, Bucket=BUCKET, Key=THING + "/x", Body=b"x")  # it has not said its name
    refused("AccessDeniedException", device.client("iot").list_things)
    data = device.client("iot-data")
    data.publish(topic="edge/x", qos=1, payload=b"hello")
    refused("ForbiddenException", data.publish, topic="other/x", qos=1, payload=b"hello")


def agent(device):
    edge = device.client("sagemaker-edge")
    me = dict(DeviceName=DEVICE, DeviceFleetName=FLEET)
    assert THING in edge.get_device_registration(**me)["DeviceRegistration"]
    edge.send_heartbeat(AgentVersion="1.2", Models=[{"ModelName": "eyes", "ModelVersion": "1"}], **me)
    seen = sagemaker.describe_device(**me)
    assert seen["AgentVersion"] == "1.2" and seen["Models"][0]["ModelName"] == "eyes" and seen["LatestHeartbeat"], seen
    assert edge.get_deployments(**me)["Deployments"] == []
    refused("AccessDeniedException", edge.send_heartbeat, AgentVersion="1", DeviceName=DEVICE, DeviceFleetName="other")
    report = sagemaker.get_device_fleet_report(DeviceFleetName=FLEET)
    assert report["DeviceStats"] == {"ConnectedDeviceCount": 1, "RegisteredDeviceCount": 1}, report


def package(role, job, version):
    sagemaker.create_edge_packaging_job(
        EdgePackagingJobName=job, CompilationJobName="none", ModelName="eyes", ModelVersion=version, RoleArn=role,
        OutputConfig={"S3OutputLocation": f"s3://{BUCKET}/device_output"})
    while True:
        seen = sagemaker.describe_edge_packaging_job(EdgePackagingJobName=job)
        if seen["EdgePackagingJobStatus"] not in ("STARTING", "INPROGRESS"):
            return seen
        time.sleep(0.05)


def deploy(role, device):
    missing = package(role, "job-missing", "2")
    assert missing["EdgePackagingJobStatus"] == "FAILED" and "eyes-2.tar.gz" in missing["EdgePackagingJobStatusMessage"], missing
    s3.put_object(Bucket=BUCKET, Key="device_output/eyes-1.tar.gz", Body=b"abc")
    done = package(role, "job", "1")
    artifact = f"s3://{BUCKET}/device_output/eyes-1.tar.gz"
    assert (done["EdgePackagingJobStatus"], done.get("ModelArtifact")) == ("COMPLETED", artifact), done
    sagemaker.create_edge_deployment_plan(
        EdgeDeploymentPlanName="plan", DeviceFleetName=FLEET, ModelConfigs=[{"ModelHandle": "eyes", "EdgePackagingJobName": "job"}],
        Stages=[{"StageName": "all", "DeviceSelectionConfig": {"DeviceSubsetType": "PERCENTAGE", "Percentage": 100}}])
    sagemaker.start_edge_deployment_stage(EdgeDeploymentPlanName="plan", StageName="all")
    edge, me = device.client("sagemaker-edge"), dict(DeviceName=DEVICE, DeviceFleetName=FLEET)
    [order] = edge.get_deployments(**me)["Deployments"]
    assert order["Definitions"] == [{"ModelHandle": "eyes", "S3Url": artifact, "State": "DEPLOY", "Checksum": {
        "Type": "SHA1", "Sum": "a9993e364706816aba3e25717850c26c9cd0d89d"}}], order
    edge.send_heartbeat(AgentVersion="1.2", DeploymentResult={"DeploymentName": order["DeploymentName"], "DeploymentStatus": "SUCCESS"}, **me)
    plan = sagemaker.describe_edge_deployment_plan(EdgeDeploymentPlanName="plan")
    assert plan["Stages"][0]["DeploymentStatus"]["StageStatus"] == "DEPLOYED" and plan["EdgeDeploymentSuccess"] == 1, plan
    [one] = sagemaker.list_stage_devices(EdgeDeploymentPlanName="plan", StageName="all")["DeviceDeploymentSummaries"]
    assert one["DeviceDeploymentStatus"] == "DEPLOYED", one
    sagemaker.delete_edge_deployment_plan(EdgeDeploymentPlanName="plan")


def upload_files():
    aws = os.path.join(os.path.dirname(sys.executable), "aws")
    subprocess.run([aws, "configure", "set", "default.s3.addressing_style", "path"], check=True)
    for name in ("private.pem.key", "public.pem.key", "device.pem.crt"):
        subprocess.run([aws, "s3", "cp", name, f"s3://{BUCKET}/authorization-files/"], check=True, capture_output=True)
        with open(name, "rb") as f:
            assert s3.get_object(Bucket=BUCKET, Key="authorization-files/" + name)["Body"].read() == f.read()


def says(answer, status, message):
    assert answer == (status, {"message": message}), answer


def name_the_thing(endpoint, certificate):
    header = ("-H", "x-amzn-iot-thingname: " + THING)
    says(curl(endpoint, *header), 403, "Invalid thing name passed")
    iot.attach_thing_principal(thingName=THING, principal=certificate)
    own = session(endpoint, *header).client("s3", config=PATH_STYLE)
    own.put_object(Bucket=BUCKET, Key=THING + "/x", Body=b"x")
    refused("AccessDenied", own.put_object, Bucket=BUCKET, Key="other/x", Body=b"x")
    iot.detach_thing_principal(thingName=THING, principal=certificate)


def be_refused(endpoint, alias, certificate):
    iot.detach_policy(policyName=POLICY, target=certificate)
    says(curl(endpoint), 403, "Access Denied")
    says(curl(endpoint.replace(alias, "no-alias")), 403, "Access Denied")  # no word of whether it exists
    iot.create_policy(policyName="all", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}))
    iot.attach_policy(policyName="all", target=certificate)
    says(curl(endpoint.replace(alias, "no-alias")), 404, "Role alias does not exist")
    iot.update_role_alias(roleAlias=alias, credentialDurationSeconds=3601)
    says(curl(endpoint), 400, "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role")
    iot.update_role_alias(roleAlias=alias, credentialDurationSeconds=900)
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("sagemaker.amazonaws.com"))
    says(curl(endpoint), 400, "Unable to assume the role, or the role to assume does not exist")
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust(*TRUSTED))


def withdraw(endpoint, certificate_id, device):
    fresh = session(endpoint)
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    says(curl(endpoint), 403, "Certificate is invalid on this endpoint")
    for dead in (device, fresh):
        refused("InvalidClientTokenId", dead.client("sts").get_caller_identity)
        refused("InvalidAccessKeyId", dead.client("s3", config=PATH_STYLE).put_object, Bucket=BUCKET, Key="device_output/x", Body=b"x")
    iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE")
    session(endpoint).client("sts").get_caller_identity()


def take_apart(alias):
    refused("ResourceInUse", sagemaker.delete_device_fleet, DeviceFleetName=FLEET)
    sagemaker.deregister_devices(DeviceFleetName=FLEET, DeviceNames=[DEVICE])
    sagemaker.delete_device_fleet(DeviceFleetName=FLEET)
    refused("ResourceNotFound", sagemaker.describe_device_fleet, DeviceFleetName=FLEET)
    assert alias not in iot.list_role_aliases()["roleAliases"]


def main():
    role = prepare()
    create_thing()
    create_fleet(role)
    certificate, certificate_id = create_certificate()
    alias = allow_alias(certificate)
    host = iot.describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
    endpoint = "https://{}/role-aliases/{}/credentials".format(host, alias)
    device = session(endpoint)
    use(device, certificate_id)
    agent(device)
    deploy(role, device)
    upload_files()
    name_the_thing(endpoint, certificate)
    be_refused(endpoint, alias, certificate)
    withdraw(endpoint, certificate_id, device)
    take_apart(alias)
    print(certificate_id)
    print("done")


if __name__ == "__main__":
    main()
