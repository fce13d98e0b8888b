package api

import (
	"context"

	"thingd/internal/aws/sagemaker"
	"thingd/internal/edgefleet"
	"thingd/internal/registry"
)

// SageMaker is the part of Amazon SageMaker that manages edge devices;
// sagemakerplans.go has the rest of it.
type SageMaker struct {
	Fleets *edgefleet.Service
}

// CreateDeviceFleet makes a fleet.
func (a *SageMaker) CreateDeviceFleet(ctx context.Context, in *sagemaker.CreateDeviceFleetRequest) error {
	return a.Fleets.CreateFleet(ctx, edgefleet.Fleet{
		Name: in.DeviceFleetName, Description: in.Description, RoleARN: in.RoleArn, Output: edgeOutput(in.OutputConfig),
	}, in.EnableIotRoleAlias, edgeTags(in.Tags))
}

func edgeOutput(o *sagemaker.EdgeOutputConfig) edgefleet.Output {
	if o == nil {
		return edgefleet.Output{}
	}
	return edgefleet.Output{
		S3Location: o.S3OutputLocation, KMSKeyID: o.KmsKeyId, PresetType: o.PresetDeploymentType, PresetConfig: o.PresetDeploymentConfig,
	}
}

func edgeOutputConfig(o edgefleet.Output) *sagemaker.EdgeOutputConfig {
	return &sagemaker.EdgeOutputConfig{
		S3OutputLocation: o.S3Location, KmsKeyId: o.KMSKeyID, PresetDeploymentType: o.PresetType, PresetDeploymentConfig: o.PresetConfig,
	}
}

func edgeTags(tags []sagemaker.Tag) []registry.Tag {
	var all []registry.Tag
	for _, t := range tags {
		all = append(all, registry.Tag(t))
	}
	return all
}

func edgeTagList(tags []registry.Tag) []sagemaker.Tag {
	all := make([]sagemaker.Tag, len(tags))
	for i, t := range tags {
		all[i] = sagemaker.Tag(t)
	}
	return all
}

// DescribeDeviceFleet gives a fleet. Its role alias is told as an ARN of IoT,
// which is what clients can use; the model's pattern has one of IAM.
func (a *SageMaker) DescribeDeviceFleet(ctx context.Context, in *sagemaker.DescribeDeviceFleetRequest) (*sagemaker.DescribeDeviceFleetResponse, error) {
	f, err := a.Fleets.Fleet(ctx, in.DeviceFleetName)
	if err != nil {
		return nil, err
	}
	return &sagemaker.DescribeDeviceFleetResponse{
		DeviceFleetName:  f.Name,
		DeviceFleetArn:   a.Fleets.FleetARN(f.Name),
		OutputConfig:     edgeOutputConfig(f.Output),
		Description:      f.Description,
		CreationTime:     f.Created,
		LastModifiedTime: f.Modified,
		RoleArn:          f.RoleARN,
		IotRoleAlias:     a.Fleets.RoleAliasARN(f),
	}, nil
}

// UpdateDeviceFleet changes a fleet.
func (a *SageMaker) UpdateDeviceFleet(ctx context.Context, in *sagemaker.UpdateDeviceFleetRequest) error {
	return a.Fleets.UpdateFleet(ctx, edgefleet.Fleet{
		Name: in.DeviceFleetName, Description: in.Description, RoleARN: in.RoleArn, Output: edgeOutput(in.OutputConfig),
	}, in.EnableIotRoleAlias)
}

// DeleteDeviceFleet deletes a fleet.
func (a *SageMaker) DeleteDeviceFleet(ctx context.Context, in *sagemaker.DeleteDeviceFleetRequest) error {
	return a.Fleets.DeleteFleet(ctx, in.DeviceFleetName)
}

// ListDeviceFleets lists fleets.
func (a *SageMaker) ListDeviceFleets(ctx context.Context, in *sagemaker.ListDeviceFleetsRequest) (*sagemaker.ListDeviceFleetsResponse, error) {
	fleets, next, err := a.Fleets.Fleets(ctx, edgefleet.Query{
		Contains:     in.NameContains,
		CreatedAfter: in.CreationTimeAfter, CreatedBefore: in.CreationTimeBefore,
		ModifiedAfter: in.LastModifiedTimeAfter, ModifiedBefore: in.LastModifiedTimeBefore,
		Sort: edgefleet.Sort(in.SortBy), Descending: in.SortOrder == sagemaker.SortOrderDescending,
	}, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.ListDeviceFleetsResponse{DeviceFleetSummaries: make([]sagemaker.DeviceFleetSummary, len(fleets)), NextToken: next}
	for i, f := range fleets {
		out.DeviceFleetSummaries[i] = sagemaker.DeviceFleetSummary{
			DeviceFleetArn: a.Fleets.FleetARN(f.Name), DeviceFleetName: f.Name, CreationTime: f.Created, LastModifiedTime: f.Modified,
		}
	}
	return out, nil
}

// GetDeviceFleetReport sums a fleet up.
func (a *SageMaker) GetDeviceFleetReport(ctx context.Context, in *sagemaker.GetDeviceFleetReportRequest) (*sagemaker.GetDeviceFleetReportResponse, error) {
	r, err := a.Fleets.Report(ctx, in.DeviceFleetName)
	if err != nil {
		return nil, err
	}
	out := &sagemaker.GetDeviceFleetReportResponse{
		DeviceFleetArn:  a.Fleets.FleetARN(r.Fleet.Name),
		DeviceFleetName: r.Fleet.Name,
		OutputConfig:    edgeOutputConfig(r.Fleet.Output),
		Description:     r.Fleet.Description,
		ReportGenerated: r.Generated,
		DeviceStats:     &sagemaker.DeviceStats{ConnectedDeviceCount: r.Connected, RegisteredDeviceCount: r.Registered},
		AgentVersions:   make([]sagemaker.AgentVersion, len(r.Agents)),
		ModelStats:      make([]sagemaker.EdgeModelStat, len(r.Models)),
	}
	for i, v := range r.Agents {
		out.AgentVersions[i] = sagemaker.AgentVersion{Version: v.Version, AgentCount: v.Count}
	}
	for i, m := range r.Models {
		out.ModelStats[i] = sagemaker.EdgeModelStat{
			ModelName: m.Name, ModelVersion: m.Version,
			OfflineDeviceCount: m.Offline, ConnectedDeviceCount: m.Connected, ActiveDeviceCount: m.Active, SamplingDeviceCount: m.Sampling,
		}
	}
	return out, nil
}

// RegisterDevices adds devices to a fleet.
func (a *SageMaker) RegisterDevices(ctx context.Context, in *sagemaker.RegisterDevicesRequest) error {
	return a.Fleets.Register(ctx, in.DeviceFleetName, edgeDevices(in.Devices), edgeTags(in.Tags))
}

func edgeDevices(devices []sagemaker.Device) []edgefleet.Device {
	all := make([]edgefleet.Device, len(devices))
	for i, d := range devices {
		all[i] = edgefleet.Device{Name: d.DeviceName, Description: d.Description, Thing: d.IotThingName}
	}
	return all
}

// UpdateDevices changes devices of a fleet.
func (a *SageMaker) UpdateDevices(ctx context.Context, in *sagemaker.UpdateDevicesRequest) error {
	return a.Fleets.UpdateDevices(ctx, in.DeviceFleetName, edgeDevices(in.Devices))
}

// DeregisterDevices removes devices from a fleet.
func (a *SageMaker) DeregisterDevices(ctx context.Context, in *sagemaker.DeregisterDevicesRequest) error {
	return a.Fleets.Deregister(ctx, in.DeviceFleetName, in.DeviceNames)
}

// DescribeDevice gives a device and what runs on it.
func (a *SageMaker) DescribeDevice(ctx context.Context, in *sagemaker.DescribeDeviceRequest) (*sagemaker.DescribeDeviceResponse, error) {
	d, next, err := a.Fleets.Device(ctx, in.DeviceFleetName, in.DeviceName, page(in.NextToken, nil))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.DescribeDeviceResponse{
		DeviceArn:        a.Fleets.DeviceARN(d.Fleet, d.Name),
		DeviceName:       d.Name,
		Description:      d.Description,
		DeviceFleetName:  d.Fleet,
		IotThingName:     d.Thing,
		RegistrationTime: d.Registered,
		LatestHeartbeat:  d.Heartbeat,
		AgentVersion:     d.AgentVersion,
		NextToken:        next,
	}
	for _, m := range d.Models {
		out.Models = append(out.Models, sagemaker.EdgeModel{
			ModelName: m.Name, ModelVersion: m.Version, LatestSampleTime: m.Sampled, LatestInference: m.Inferred,
		})
	}
	return out, nil
}

// ListDevices lists devices.
func (a *SageMaker) ListDevices(ctx context.Context, in *sagemaker.ListDevicesRequest) (*sagemaker.ListDevicesResponse, error) {
	devices, next, err := a.Fleets.Devices(ctx, edgefleet.DeviceQuery{
		Fleet: in.DeviceFleetName, Model: in.ModelName, HeartbeatAfter: in.LatestHeartbeatAfter,
	}, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.ListDevicesResponse{DeviceSummaries: make([]sagemaker.DeviceSummary, len(devices)), NextToken: next}
	for i, d := range devices {
		out.DeviceSummaries[i] = a.deviceSummary(d)
	}
	return out, nil
}

func (a *SageMaker) deviceSummary(d edgefleet.Device) sagemaker.DeviceSummary {
	s := sagemaker.DeviceSummary{
		DeviceName:       d.Name,
		DeviceArn:        a.Fleets.DeviceARN(d.Fleet, d.Name),
		Description:      d.Description,
		DeviceFleetName:  d.Fleet,
		IotThingName:     d.Thing,
		RegistrationTime: d.Registered,
		LatestHeartbeat:  d.Heartbeat,
		AgentVersion:     d.AgentVersion,
	}
	for _, m := range d.Models {
		s.Models = append(s.Models, sagemaker.EdgeModelSummary{ModelName: m.Name, ModelVersion: m.Version})
	}
	return s
}

// AddTags puts tags on a resource.
func (a *SageMaker) AddTags(ctx context.Context, in *sagemaker.AddTagsInput) (*sagemaker.AddTagsOutput, error) {
	tags, err := a.Fleets.AddTags(ctx, in.ResourceArn, edgeTags(in.Tags))
	return &sagemaker.AddTagsOutput{Tags: edgeTagList(tags)}, err
}

// ListTags lists the tags of a resource, always on one page.
func (a *SageMaker) ListTags(ctx context.Context, in *sagemaker.ListTagsInput) (*sagemaker.ListTagsOutput, error) {
	tags, err := a.Fleets.Tags(ctx, in.ResourceArn)
	return &sagemaker.ListTagsOutput{Tags: edgeTagList(tags)}, err
}

// DeleteTags takes tags off a resource.
func (a *SageMaker) DeleteTags(ctx context.Context, in *sagemaker.DeleteTagsInput) (*sagemaker.DeleteTagsOutput, error) {
	return &sagemaker.DeleteTagsOutput{}, a.Fleets.DeleteTags(ctx, in.ResourceArn, in.TagKeys)
}
