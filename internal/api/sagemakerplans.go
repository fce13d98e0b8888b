package api

import (
	"context"

	"thingd/internal/aws/sagemaker"
	"thingd/internal/edgefleet"
)

// CreateEdgePackagingJob makes a packaging job.
func (a *SageMaker) CreateEdgePackagingJob(ctx context.Context, in *sagemaker.CreateEdgePackagingJobRequest) error {
	return a.Fleets.CreateJob(ctx, edgefleet.Job{
		Name: in.EdgePackagingJobName, CompilationJob: in.CompilationJobName, Model: in.ModelName, Version: in.ModelVersion,
		RoleARN: in.RoleArn, Output: edgeOutput(in.OutputConfig), ResourceKey: in.ResourceKey,
	}, edgeTags(in.Tags))
}

// DescribeEdgePackagingJob gives a packaging job.
func (a *SageMaker) DescribeEdgePackagingJob(ctx context.Context, in *sagemaker.DescribeEdgePackagingJobRequest) (*sagemaker.DescribeEdgePackagingJobResponse, error) {
	j, err := a.Fleets.Job(ctx, in.EdgePackagingJobName)
	if err != nil {
		return nil, err
	}
	out := &sagemaker.DescribeEdgePackagingJobResponse{
		EdgePackagingJobArn:           a.Fleets.JobARN(j.Name),
		EdgePackagingJobName:          j.Name,
		CompilationJobName:            j.CompilationJob,
		ModelName:                     j.Model,
		ModelVersion:                  j.Version,
		RoleArn:                       j.RoleARN,
		OutputConfig:                  edgeOutputConfig(j.Output),
		ResourceKey:                   j.ResourceKey,
		EdgePackagingJobStatus:        string(j.Status),
		EdgePackagingJobStatusMessage: j.Message,
		CreationTime:                  j.Created,
		LastModifiedTime:              j.Modified,
		ModelArtifact:                 j.Artifact,
	}
	if over := j.Status == edgefleet.JobCompleted || j.Status == edgefleet.JobFailed; over && j.Output.PresetType != "" {
		out.PresetDeploymentOutput = &sagemaker.EdgePresetDeploymentOutput{
			Type: j.Output.PresetType, Status: sagemaker.EdgePresetDeploymentStatusFailed, StatusMessage: "thingd makes no Greengrass components",
		}
	}
	return out, nil
}

// ListEdgePackagingJobs lists packaging jobs.
func (a *SageMaker) ListEdgePackagingJobs(ctx context.Context, in *sagemaker.ListEdgePackagingJobsRequest) (*sagemaker.ListEdgePackagingJobsResponse, error) {
	jobs, next, err := a.Fleets.Jobs(ctx, edgefleet.Query{
		Contains: in.NameContains, ModelContains: in.ModelNameContains, Status: edgefleet.JobStatus(in.StatusEquals),
		CreatedAfter: in.CreationTimeAfter, CreatedBefore: in.CreationTimeBefore,
		ModifiedAfter: in.LastModifiedTimeAfter, ModifiedBefore: in.LastModifiedTimeBefore,
		Sort: edgefleet.Sort(in.SortBy), Descending: in.SortOrder == sagemaker.SortOrderDescending,
	}, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.ListEdgePackagingJobsResponse{EdgePackagingJobSummaries: make([]sagemaker.EdgePackagingJobSummary, len(jobs)), NextToken: next}
	for i, j := range jobs {
		out.EdgePackagingJobSummaries[i] = sagemaker.EdgePackagingJobSummary{
			EdgePackagingJobArn: a.Fleets.JobARN(j.Name), EdgePackagingJobName: j.Name, EdgePackagingJobStatus: string(j.Status),
			CompilationJobName: j.CompilationJob, ModelName: j.Model, ModelVersion: j.Version,
			CreationTime: j.Created, LastModifiedTime: j.Modified,
		}
	}
	return out, nil
}

// StopEdgePackagingJob stops a packaging job.
func (a *SageMaker) StopEdgePackagingJob(ctx context.Context, in *sagemaker.StopEdgePackagingJobRequest) error {
	return a.Fleets.StopJob(ctx, in.EdgePackagingJobName)
}

// CreateEdgeDeploymentPlan makes a deployment plan.
func (a *SageMaker) CreateEdgeDeploymentPlan(ctx context.Context, in *sagemaker.CreateEdgeDeploymentPlanRequest) (*sagemaker.CreateEdgeDeploymentPlanResponse, error) {
	p := edgefleet.Plan{Name: in.EdgeDeploymentPlanName, Fleet: in.DeviceFleetName}
	for _, m := range in.ModelConfigs {
		p.Models = append(p.Models, edgefleet.PlannedModel{Handle: m.ModelHandle, Job: m.EdgePackagingJobName})
	}
	if err := a.Fleets.CreatePlan(ctx, p, edgeStages(in.Stages), edgeTags(in.Tags)); err != nil {
		return nil, err
	}
	return &sagemaker.CreateEdgeDeploymentPlanResponse{EdgeDeploymentPlanArn: a.Fleets.PlanARN(p.Name)}, nil
}

func edgeStages(stages []sagemaker.DeploymentStage) []edgefleet.Stage {
	all := make([]edgefleet.Stage, len(stages))
	for i, g := range stages {
		all[i] = edgefleet.Stage{Name: g.StageName}
		if c := g.DeviceSelectionConfig; c != nil {
			all[i].Selection = edgefleet.Selection{Type: c.DeviceSubsetType, Names: c.DeviceNames, Contains: c.DeviceNameContains}
			if c.Percentage != nil {
				all[i].Selection.Percentage = *c.Percentage
			}
		}
		if g.DeploymentConfig != nil {
			all[i].OnFailure = g.DeploymentConfig.FailureHandlingPolicy
		}
	}
	return all
}

// DescribeEdgeDeploymentPlan gives a plan and a page of its stages.
func (a *SageMaker) DescribeEdgeDeploymentPlan(ctx context.Context, in *sagemaker.DescribeEdgeDeploymentPlanRequest) (*sagemaker.DescribeEdgeDeploymentPlanResponse, error) {
	p, stages, err := a.Fleets.Plan(ctx, in.EdgeDeploymentPlanName)
	if err != nil {
		return nil, err
	}
	success, pending, failed := edgefleet.Sum(stages)
	shown, next, err := edgefleet.StagePage(p.Name, stages, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.DescribeEdgeDeploymentPlanResponse{
		EdgeDeploymentPlanArn:  a.Fleets.PlanARN(p.Name),
		EdgeDeploymentPlanName: p.Name,
		DeviceFleetName:        p.Fleet,
		EdgeDeploymentSuccess:  &success,
		EdgeDeploymentPending:  &pending,
		EdgeDeploymentFailed:   &failed,
		Stages:                 make([]sagemaker.DeploymentStageStatusSummary, len(shown)),
		NextToken:              next,
		CreationTime:           p.Created,
		LastModifiedTime:       p.Modified,
	}
	for _, m := range p.Models {
		out.ModelConfigs = append(out.ModelConfigs, sagemaker.EdgeDeploymentModelConfig{ModelHandle: m.Handle, EdgePackagingJobName: m.Job})
	}
	for i, g := range shown {
		out.Stages[i] = stageSummary(g)
	}
	return out, nil
}

func stageSummary(g edgefleet.Stage) sagemaker.DeploymentStageStatusSummary {
	selection := &sagemaker.DeviceSelectionConfig{
		DeviceSubsetType: g.Selection.Type, DeviceNames: g.Selection.Names, DeviceNameContains: g.Selection.Contains,
	}
	if g.Selection.Percentage != 0 {
		selection.Percentage = &g.Selection.Percentage
	}
	return sagemaker.DeploymentStageStatusSummary{
		StageName:             g.Name,
		DeviceSelectionConfig: selection,
		DeploymentConfig:      &sagemaker.EdgeDeploymentConfig{FailureHandlingPolicy: g.OnFailure},
		DeploymentStatus: &sagemaker.EdgeDeploymentStatus{
			StageStatus:                  string(g.Status),
			EdgeDeploymentSuccessInStage: g.Success,
			EdgeDeploymentPendingInStage: g.Pending,
			EdgeDeploymentFailedInStage:  g.Failed,
			EdgeDeploymentStatusMessage:  g.Message,
			EdgeDeploymentStageStartTime: g.Started,
		},
	}
}

// DeleteEdgeDeploymentPlan deletes a plan.
func (a *SageMaker) DeleteEdgeDeploymentPlan(ctx context.Context, in *sagemaker.DeleteEdgeDeploymentPlanRequest) error {
	return a.Fleets.DeletePlan(ctx, in.EdgeDeploymentPlanName)
}

// ListEdgeDeploymentPlans lists plans.
func (a *SageMaker) ListEdgeDeploymentPlans(ctx context.Context, in *sagemaker.ListEdgeDeploymentPlansRequest) (*sagemaker.ListEdgeDeploymentPlansResponse, error) {
	plans, next, err := a.Fleets.Plans(ctx, edgefleet.Query{
		Contains: in.NameContains, FleetContains: in.DeviceFleetNameContains,
		CreatedAfter: in.CreationTimeAfter, CreatedBefore: in.CreationTimeBefore,
		ModifiedAfter: in.LastModifiedTimeAfter, ModifiedBefore: in.LastModifiedTimeBefore,
		Sort: edgefleet.Sort(in.SortBy), Descending: in.SortOrder == sagemaker.SortOrderDescending,
	}, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.ListEdgeDeploymentPlansResponse{EdgeDeploymentPlanSummaries: make([]sagemaker.EdgeDeploymentPlanSummary, len(plans)), NextToken: next}
	for i, p := range plans {
		out.EdgeDeploymentPlanSummaries[i] = sagemaker.EdgeDeploymentPlanSummary{
			EdgeDeploymentPlanArn: a.Fleets.PlanARN(p.Name), EdgeDeploymentPlanName: p.Name, DeviceFleetName: p.Fleet,
			EdgeDeploymentSuccess: p.Success, EdgeDeploymentPending: p.Pending, EdgeDeploymentFailed: p.Failed,
			CreationTime: p.Created, LastModifiedTime: p.Modified,
		}
	}
	return out, nil
}

// CreateEdgeDeploymentStage adds stages to a plan.
func (a *SageMaker) CreateEdgeDeploymentStage(ctx context.Context, in *sagemaker.CreateEdgeDeploymentStageRequest) error {
	return a.Fleets.CreateStages(ctx, in.EdgeDeploymentPlanName, edgeStages(in.Stages))
}

// DeleteEdgeDeploymentStage deletes a stage.
func (a *SageMaker) DeleteEdgeDeploymentStage(ctx context.Context, in *sagemaker.DeleteEdgeDeploymentStageRequest) error {
	return a.Fleets.DeleteStage(ctx, in.EdgeDeploymentPlanName, in.StageName)
}

// StartEdgeDeploymentStage starts a stage.
func (a *SageMaker) StartEdgeDeploymentStage(ctx context.Context, in *sagemaker.StartEdgeDeploymentStageRequest) error {
	return a.Fleets.StartStage(ctx, in.EdgeDeploymentPlanName, in.StageName)
}

// StopEdgeDeploymentStage stops a stage.
func (a *SageMaker) StopEdgeDeploymentStage(ctx context.Context, in *sagemaker.StopEdgeDeploymentStageRequest) error {
	return a.Fleets.StopStage(ctx, in.EdgeDeploymentPlanName, in.StageName)
}

// ListStageDevices lists the devices of a stage.
func (a *SageMaker) ListStageDevices(ctx context.Context, in *sagemaker.ListStageDevicesRequest) (*sagemaker.ListStageDevicesResponse, error) {
	onlyFree := isTrue(in.ExcludeDevicesDeployedInOtherStage)
	devices, next, err := a.Fleets.StageDevices(ctx, in.EdgeDeploymentPlanName, in.StageName, onlyFree, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &sagemaker.ListStageDevicesResponse{DeviceDeploymentSummaries: make([]sagemaker.DeviceDeploymentSummary, len(devices)), NextToken: next}
	for i, d := range devices {
		out.DeviceDeploymentSummaries[i] = sagemaker.DeviceDeploymentSummary{
			EdgeDeploymentPlanArn:         a.Fleets.PlanARN(d.Plan),
			EdgeDeploymentPlanName:        d.Plan,
			StageName:                     d.Stage,
			DeployedStageName:             d.DeployedIn,
			DeviceFleetName:               d.Fleet,
			DeviceName:                    d.Deployment.Device,
			DeviceArn:                     a.Fleets.DeviceARN(d.Fleet, d.Deployment.Device),
			DeviceDeploymentStatus:        string(d.Status),
			DeviceDeploymentStatusMessage: d.Message,
			Description:                   d.Device.Description,
			DeploymentStartTime:           d.Started,
		}
	}
	return out, nil
}
