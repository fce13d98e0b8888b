package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"thingd/internal/iam"
)

const fleetARN = "arn:aws:sagemaker:us-east-1:111122223333:device-fleet/demo"

func TestDeviceFleetOperations(t *testing.T) {
	f := newEdgeFront(t)
	const order = `{"DeviceFleetName":"Demo","RoleArn":"` + edgeRole + `","OutputConfig":{"S3OutputLocation":"s3://b/out"},"Tags":[{"Key":"k","Value":"v"}]}`
	f.call("CreateDeviceFleet", order, 200, ``)
	f.call("CreateDeviceFleet", order, 400, `{"__type":"ResourceInUse","Message":"Device fleet Demo already exists",
		"resourceId":"Demo","resourceArn":"`+fleetARN+`"}`)
	f.call("DescribeDeviceFleet", `{"DeviceFleetName":"Demo"}`, 200, `{"DeviceFleetName":"Demo","DeviceFleetArn":"`+fleetARN+`",
		"OutputConfig":{"S3OutputLocation":"s3://b/out"},"CreationTime":1700000000.5,"LastModifiedTime":1700000000.5,"RoleArn":"`+edgeRole+`",
		"IotRoleAlias":"arn:aws:iot:us-east-1:111122223333:rolealias/SageMakerEdge-Demo"}`)
	f.call("DescribeDeviceFleet", `{"DeviceFleetName":"no"}`, 400, `{"__type":"ResourceNotFound","Message":"Device fleet no does not exist"}`)

	f.now = f.now.Add(time.Second)
	f.call("UpdateDeviceFleet", `{"DeviceFleetName":"Demo","Description":"new","OutputConfig":{"S3OutputLocation":"s3://b/x","KmsKeyId":"k"},
		"EnableIotRoleAlias":false}`, 200, ``)
	f.call("DescribeDeviceFleet", `{"DeviceFleetName":"Demo"}`, 200, `{"DeviceFleetName":"Demo","DeviceFleetArn":"`+fleetARN+`","Description":"new",
		"OutputConfig":{"S3OutputLocation":"s3://b/x","KmsKeyId":"k"},"CreationTime":1700000000.5,"LastModifiedTime":1700000001.5,"RoleArn":"`+edgeRole+`"}`)
	f.rest("GET", "/role-aliases/SageMakerEdge-Demo", "", 404, `{"message":"Role alias SageMakerEdge-Demo does not exist"}`)

	f.call("CreateDeviceFleet", `{"DeviceFleetName":"other","OutputConfig":{"S3OutputLocation":"s3://b"}}`, 200, ``)
	f.call("ListDeviceFleets", `{"SortBy":"NAME","SortOrder":"Descending","NameContains":"e"}`, 200, `{"DeviceFleetSummaries":[
		{"DeviceFleetName":"other","DeviceFleetArn":"arn:aws:sagemaker:us-east-1:111122223333:device-fleet/other","CreationTime":1700000001.5,"LastModifiedTime":1700000001.5},
		{"DeviceFleetName":"Demo","DeviceFleetArn":"`+fleetARN+`","CreationTime":1700000000.5,"LastModifiedTime":1700000001.5}]}`)
	f.call("ListDeviceFleets", `{"CreationTimeAfter":1700000000.5}`, 200, `{"DeviceFleetSummaries":[
		{"DeviceFleetName":"other","DeviceFleetArn":"arn:aws:sagemaker:us-east-1:111122223333:device-fleet/other","CreationTime":1700000001.5,"LastModifiedTime":1700000001.5}]}`)

	f.call("AddTags", `{"ResourceArn":"`+fleetARN+`","Tags":[{"Key":"a","Value":""}]}`, 200, `{"Tags":[{"Key":"a","Value":""},{"Key":"k","Value":"v"}]}`)
	f.call("DeleteTags", `{"ResourceArn":"`+fleetARN+`","TagKeys":["k"]}`, 200, `{}`)
	f.call("ListTags", `{"ResourceArn":"`+fleetARN+`"}`, 200, `{"Tags":[{"Key":"a","Value":""}]}`)

	f.call("DeleteDeviceFleet", `{"DeviceFleetName":"other"}`, 200, ``)
	f.call("DeleteDeviceFleet", `{"DeviceFleetName":"other"}`, 400, `{"__type":"ResourceNotFound","Message":"Device fleet other does not exist"}`)
	if status, text := f.send("POST", "/", "sagemaker", "CreateDeviceFleet", `{"DeviceFleetName":"-","OutputConfig":{"S3OutputLocation":"s3://b"}}`); status != 400 || !strings.Contains(text, "ValidationException") {
		t.Errorf("a bad name: %d %s", status, text)
	}
}

func TestEdgeDeviceOperations(t *testing.T) {
	f := newEdgeFront(t)
	f.call("CreateDeviceFleet", `{"DeviceFleetName":"demo","OutputConfig":{"S3OutputLocation":"s3://b/out"}}`, 200, ``)
	f.call("RegisterDevices", `{"DeviceFleetName":"demo","Devices":[{"DeviceName":"Cam","IotThingName":"sample-device","Description":"d"},{"DeviceName":"b"}]}`, 200, ``)
	const cam = `"DeviceName":"Cam","DeviceArn":"` + fleetARN + `/device/cam","Description":"d","DeviceFleetName":"demo","IotThingName":"sample-device","RegistrationTime":1700000000.5`
	f.call("DescribeDevice", `{"DeviceFleetName":"demo","DeviceName":"Cam"}`, 200, `{`+cam+`}`)
	f.call("DeleteDeviceFleet", `{"DeviceFleetName":"demo"}`, 400, `{"__type":"ResourceInUse","Message":"Device fleet demo has devices; deregister them first"}`)

	f.now = f.now.Add(time.Second)
	f.agent("GetDeviceRegistration", `{"DeviceFleetName":"demo","DeviceName":"Cam"}`, 200, `{"CacheTTL":"3600","DeviceRegistration":
		"{\"DeviceName\":\"Cam\",\"DeviceFleetName\":\"demo\",\"DeviceArn\":\"`+fleetARN+`/device/cam\",\"IotThingName\":\"sample-device\"}"}`)
	f.agent("SendHeartbeat", `{"DeviceFleetName":"demo","DeviceName":"Cam","AgentVersion":"1.2","Models":[{"ModelName":"eyes","ModelVersion":"1","LatestInference":1700000001}]}`, 200, ``)
	f.agent("GetDeployments", `{"DeviceFleetName":"demo","DeviceName":"Cam"}`, 200, `{"Deployments":[]}`)
	f.agent("SendHeartbeat", `{"DeviceFleetName":"demo","DeviceName":"no","AgentVersion":"1.2"}`, 404, `{"message":"Device no is not registered in device fleet demo"}`)

	f.call("DescribeDevice", `{"DeviceFleetName":"demo","DeviceName":"Cam"}`, 200, `{`+cam+`,"LatestHeartbeat":1700000001.5,"AgentVersion":"1.2",
		"Models":[{"ModelName":"eyes","ModelVersion":"1","LatestInference":1700000001}]}`)
	f.call("ListDevices", `{"ModelName":"eyes","DeviceFleetName":"demo","LatestHeartbeatAfter":1700000001}`, 200, `{"DeviceSummaries":[{`+cam+`,
		"LatestHeartbeat":1700000001.5,"AgentVersion":"1.2","Models":[{"ModelName":"eyes","ModelVersion":"1"}]}]}`)
	f.call("GetDeviceFleetReport", `{"DeviceFleetName":"demo"}`, 200, `{"DeviceFleetName":"demo","DeviceFleetArn":"`+fleetARN+`",
		"OutputConfig":{"S3OutputLocation":"s3://b/out"},"ReportGenerated":1700000001.5,
		"DeviceStats":{"ConnectedDeviceCount":1,"RegisteredDeviceCount":2},"AgentVersions":[{"Version":"1.2","AgentCount":1}],
		"ModelStats":[{"ModelName":"eyes","ModelVersion":"1","OfflineDeviceCount":0,"ConnectedDeviceCount":1,"ActiveDeviceCount":1,"SamplingDeviceCount":0}]}`)

	f.call("UpdateDevices", `{"DeviceFleetName":"demo","Devices":[{"DeviceName":"b","IotThingName":"x"}]}`, 200, ``)
	f.call("UpdateDevices", `{"DeviceFleetName":"demo","Devices":[{"DeviceName":"no"}]}`, 400, `{"__type":"ResourceNotFound","Message":"Device no is not registered in device fleet demo"}`)
	f.call("DeregisterDevices", `{"DeviceFleetName":"demo","DeviceNames":["Cam","b"]}`, 200, ``)
	f.call("ListDevices", `{}`, 200, `{"DeviceSummaries":[]}`)
	f.call("DeleteDeviceFleet", `{"DeviceFleetName":"demo"}`, 200, ``)
}

func TestEdgePlanOperations(t *testing.T) {
	f := newEdgeFront(t)
	f.call("CreateDeviceFleet", `{"DeviceFleetName":"demo","OutputConfig":{"S3OutputLocation":"s3://b/out"}}`, 200, ``)
	f.call("RegisterDevices", `{"DeviceFleetName":"demo","Devices":[{"DeviceName":"Cam"}]}`, 200, ``)
	f.call("CreateEdgePackagingJob", `{"EdgePackagingJobName":"Job","CompilationJobName":"c","ModelName":"eyes","ModelVersion":"1","RoleArn":"`+edgeRole+`",
		"OutputConfig":{"S3OutputLocation":"s3://b/out","PresetDeploymentType":"GreengrassV2Component"}}`, 200, ``)
	const job = `"EdgePackagingJobArn":"arn:aws:sagemaker:us-east-1:111122223333:edge-packaging-job/job","EdgePackagingJobName":"Job",
		"CompilationJobName":"c","ModelName":"eyes","ModelVersion":"1","CreationTime":1700000000.5,"LastModifiedTime":1700000000.5`
	f.call("DescribeEdgePackagingJob", `{"EdgePackagingJobName":"Job"}`, 200, `{`+job+`,"RoleArn":"`+edgeRole+`","EdgePackagingJobStatus":"STARTING",
		"OutputConfig":{"S3OutputLocation":"s3://b/out","PresetDeploymentType":"GreengrassV2Component"}}`)
	f.call("StopEdgePackagingJob", `{"EdgePackagingJobName":"Job"}`, 200, ``)
	f.call("ListEdgePackagingJobs", `{"StatusEquals":"STOPPED","ModelNameContains":"eye"}`, 200, `{"EdgePackagingJobSummaries":[{`+job+`,"EdgePackagingJobStatus":"STOPPED"}]}`)

	const planARN = "arn:aws:sagemaker:us-east-1:111122223333:edge-deployment/plan"
	f.call("CreateEdgeDeploymentPlan", `{"EdgeDeploymentPlanName":"Plan","DeviceFleetName":"demo","ModelConfigs":[{"ModelHandle":"h","EdgePackagingJobName":"Job"}],
		"Stages":[{"StageName":"one","DeviceSelectionConfig":{"DeviceSubsetType":"PERCENTAGE","Percentage":50},"DeploymentConfig":{"FailureHandlingPolicy":"ROLLBACK_ON_FAILURE"}}]}`,
		200, `{"EdgeDeploymentPlanArn":"`+planARN+`"}`)
	f.call("CreateEdgeDeploymentStage", `{"EdgeDeploymentPlanName":"Plan","Stages":[{"StageName":"two","DeviceSelectionConfig":{"DeviceSubsetType":"NAMECONTAINS","DeviceNameContains":"a"}}]}`, 200, ``)
	const one = `{"StageName":"one","DeviceSelectionConfig":{"DeviceSubsetType":"PERCENTAGE","Percentage":50},"DeploymentConfig":{"FailureHandlingPolicy":"ROLLBACK_ON_FAILURE"},
		"DeploymentStatus":{"StageStatus":"READYTODEPLOY","EdgeDeploymentSuccessInStage":0,"EdgeDeploymentPendingInStage":0,"EdgeDeploymentFailedInStage":0}}`
	const two = `{"StageName":"two","DeviceSelectionConfig":{"DeviceSubsetType":"NAMECONTAINS","DeviceNameContains":"a"},"DeploymentConfig":{"FailureHandlingPolicy":"DO_NOTHING"},
		"DeploymentStatus":{"StageStatus":"READYTODEPLOY","EdgeDeploymentSuccessInStage":0,"EdgeDeploymentPendingInStage":0,"EdgeDeploymentFailedInStage":0}}`
	f.call("DescribeEdgeDeploymentPlan", `{"EdgeDeploymentPlanName":"Plan"}`, 200, `{"EdgeDeploymentPlanArn":"`+planARN+`","EdgeDeploymentPlanName":"Plan",
		"ModelConfigs":[{"ModelHandle":"h","EdgePackagingJobName":"Job"}],"DeviceFleetName":"demo","EdgeDeploymentSuccess":0,"EdgeDeploymentPending":0,"EdgeDeploymentFailed":0,
		"Stages":[`+one+`,`+two+`],"CreationTime":1700000000.5,"LastModifiedTime":1700000000.5}`)
	f.call("ListEdgeDeploymentPlans", `{"DeviceFleetNameContains":"dem"}`, 200, `{"EdgeDeploymentPlanSummaries":[{"EdgeDeploymentPlanArn":"`+planARN+`","EdgeDeploymentPlanName":"Plan",
		"DeviceFleetName":"demo","EdgeDeploymentSuccess":0,"EdgeDeploymentPending":0,"EdgeDeploymentFailed":0,"CreationTime":1700000000.5,"LastModifiedTime":1700000000.5}]}`)
	f.call("ListStageDevices", `{"EdgeDeploymentPlanName":"Plan","StageName":"two"}`, 200, `{"DeviceDeploymentSummaries":[{"EdgeDeploymentPlanArn":"`+planARN+`","EdgeDeploymentPlanName":"Plan",
		"StageName":"two","DeviceFleetName":"demo","DeviceName":"Cam","DeviceArn":"`+fleetARN+`/device/cam","DeviceDeploymentStatus":"READYTODEPLOY"}]}`)
	f.call("StartEdgeDeploymentStage", `{"EdgeDeploymentPlanName":"Plan","StageName":"one"}`, 400,
		`{"__type":"ValidationException","message":"Edge packaging job Job is STOPPED, not COMPLETED"}`)
	f.call("StopEdgeDeploymentStage", `{"EdgeDeploymentPlanName":"Plan","StageName":"one"}`, 200, ``)
	f.call("DeleteEdgeDeploymentStage", `{"EdgeDeploymentPlanName":"Plan","StageName":"one"}`, 200, ``)
	f.call("DeleteEdgeDeploymentPlan", `{"EdgeDeploymentPlanName":"Plan"}`, 200, ``)
	f.call("DescribeEdgeDeploymentPlan", `{"EdgeDeploymentPlanName":"Plan"}`, 400, `{"__type":"ResourceNotFound","Message":"Edge deployment plan Plan does not exist"}`)
}

// Whoever makes a fleet hands its role to the devices, and so needs
// iam:PassRole.
func TestFleetsNeedPassRole(t *testing.T) {
	f := newEdgeFront(t)
	ctx := context.Background()
	_, err := f.iam.CreateUser(ctx, iam.User{Name: "ann"})
	f.ok(err)
	f.ok(f.iam.PutInline(ctx, iam.ByUser, "ann", "p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sagemaker:*","Resource":"`+fleetARN+`"}}`))
	f.key, err = f.iam.CreateAccessKey(ctx, "ann")
	f.ok(err)
	const order = `{"DeviceFleetName":"Demo","OutputConfig":{"S3OutputLocation":"s3://b"}`
	status, text := f.send("POST", "/", "sagemaker", "CreateDeviceFleet", order+`,"RoleArn":"`+edgeRole+`"}`)
	if status != 400 || !strings.Contains(text, "AccessDeniedException") || !strings.Contains(text, "iam:PassRole") {
		t.Errorf("with a role: %d %s", status, text)
	}
	f.call("CreateDeviceFleet", order+`}`, 200, ``)
}
