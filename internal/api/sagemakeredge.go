package api

import (
	"context"
	"encoding/json"

	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/edgefleet"
)

// SageMakerEdge is the API that the agents on edge devices call.
type SageMakerEdge struct {
	Fleets *edgefleet.Service
}

// registrationTTL is how long an agent may remember its registration, in seconds.
const registrationTTL = "3600"

// registration is what an agent is told of its device. AWS leaves the text open
// (unconfirmed).
type registration struct {
	DeviceName      string `json:"DeviceName"`
	DeviceFleetName string `json:"DeviceFleetName"`
	DeviceARN       string `json:"DeviceArn"`
	IoTThingName    string `json:"IotThingName,omitzero"`
}

// GetDeviceRegistration tells an agent that its device is registered.
func (a *SageMakerEdge) GetDeviceRegistration(ctx context.Context, in *sagemakeredge.GetDeviceRegistrationRequest) (*sagemakeredge.GetDeviceRegistrationResult, error) {
	d, err := a.Fleets.Registration(ctx, in.DeviceFleetName, in.DeviceName)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(registration{d.Name, d.Fleet, a.Fleets.DeviceARN(d.Fleet, d.Name), d.Thing})
	return &sagemakeredge.GetDeviceRegistrationResult{DeviceRegistration: string(text), CacheTTL: registrationTTL}, err
}

// SendHeartbeat takes what an agent tells of its device. Metrics are not kept:
// no operation asks for them.
func (a *SageMakerEdge) SendHeartbeat(ctx context.Context, in *sagemakeredge.SendHeartbeatRequest) error {
	h := edgefleet.Heartbeat{Fleet: in.DeviceFleetName, Device: in.DeviceName, AgentVersion: in.AgentVersion}
	for _, m := range in.Models {
		h.Models = append(h.Models, edgefleet.Model{Name: m.ModelName, Version: m.ModelVersion, Sampled: m.LatestSampleTime, Inferred: m.LatestInference})
	}
	if r := in.DeploymentResult; r != nil {
		h.Result = &edgefleet.Result{Deployment: r.DeploymentName, Status: r.DeploymentStatus, Message: r.DeploymentStatusMessage}
	}
	return a.Fleets.Beat(ctx, h)
}

// GetDeployments tells an agent what its device should deploy.
func (a *SageMakerEdge) GetDeployments(ctx context.Context, in *sagemakeredge.GetDeploymentsRequest) (*sagemakeredge.GetDeploymentsResult, error) {
	orders, err := a.Fleets.Orders(ctx, in.DeviceFleetName, in.DeviceName)
	if err != nil {
		return nil, err
	}
	out := &sagemakeredge.GetDeploymentsResult{Deployments: make([]sagemakeredge.EdgeDeployment, len(orders))}
	for i, o := range orders {
		out.Deployments[i] = sagemakeredge.EdgeDeployment{
			DeploymentName: o.Plan, Type: sagemakeredge.DeploymentTypeModel, FailureHandlingPolicy: o.OnFailure,
			Definitions: definitions(o.Models),
		}
	}
	return out, nil
}

func definitions(models []edgefleet.OrderedModel) []sagemakeredge.Definition {
	all := make([]sagemakeredge.Definition, len(models))
	for i, m := range models {
		all[i] = sagemakeredge.Definition{ModelHandle: m.Handle, S3Url: m.Artifact, State: sagemakeredge.ModelStateDeploy}
		if m.SHA1 != "" {
			all[i].Checksum = &sagemakeredge.Checksum{Type: sagemakeredge.ChecksumTypeSha1, Sum: m.SHA1}
		}
	}
	return all
}
