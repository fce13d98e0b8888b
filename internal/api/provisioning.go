package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// CreateProvisioningTemplate makes a provisioning template.
func (a *IoT) CreateProvisioningTemplate(ctx context.Context, in *iot.CreateProvisioningTemplateRequest) (*iot.CreateProvisioningTemplateResponse, error) {
	made, err := a.Provisioning.CreateTemplate(ctx, provisioning.NewTemplate{
		Name:        in.TemplateName,
		Kind:        template.Kind(in.Type),
		Description: in.Description,
		Body:        in.TemplateBody,
		Enabled:     isTrue(in.Enabled),
		RoleARN:     in.ProvisioningRoleArn,
		Hook:        hookIn(in.PreProvisioningHook),
		Tags:        tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &iot.CreateProvisioningTemplateResponse{
		TemplateArn: a.Provisioning.ARN(made.Name), TemplateName: made.Name, DefaultVersionId: &made.Default,
	}, nil
}

func hookIn(h *iot.ProvisioningHook) provisioning.Hook {
	if h == nil {
		return provisioning.Hook{}
	}
	return provisioning.Hook{PayloadVersion: h.PayloadVersion, TargetARN: h.TargetArn}
}

// hookOut is nil where there is no hook.
func hookOut(h provisioning.Hook) *iot.ProvisioningHook {
	if h == (provisioning.Hook{}) {
		return nil
	}
	return &iot.ProvisioningHook{PayloadVersion: h.PayloadVersion, TargetArn: h.TargetARN}
}

// DescribeProvisioningTemplate gives a template with the body that runs.
func (a *IoT) DescribeProvisioningTemplate(ctx context.Context, in *iot.DescribeProvisioningTemplateRequest) (*iot.DescribeProvisioningTemplateResponse, error) {
	t, version, err := a.Provisioning.Template(ctx, in.TemplateName)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeProvisioningTemplateResponse{
		TemplateArn:         a.Provisioning.ARN(t.Name),
		TemplateName:        t.Name,
		Description:         t.Description,
		CreationDate:        t.Created,
		LastModifiedDate:    t.Modified,
		DefaultVersionId:    &t.Default,
		TemplateBody:        version.Body,
		Enabled:             &t.Enabled,
		ProvisioningRoleArn: t.RoleARN,
		PreProvisioningHook: hookOut(t.Hook),
		Type:                string(t.Kind),
	}, nil
}

// UpdateProvisioningTemplate changes what is given. An empty description is
// none: the wire does not tell it from one that is absent.
func (a *IoT) UpdateProvisioningTemplate(ctx context.Context, in *iot.UpdateProvisioningTemplateRequest) (*iot.UpdateProvisioningTemplateResponse, error) {
	u := provisioning.TemplateUpdate{Enabled: in.Enabled, Default: in.DefaultVersionId, RemoveHook: isTrue(in.RemovePreProvisioningHook)}
	if in.Description != "" {
		u.Description = &in.Description
	}
	if in.ProvisioningRoleArn != "" {
		u.RoleARN = &in.ProvisioningRoleArn
	}
	if in.PreProvisioningHook != nil {
		hook := hookIn(in.PreProvisioningHook)
		u.Hook = &hook
	}
	return &iot.UpdateProvisioningTemplateResponse{}, a.Provisioning.UpdateTemplate(ctx, in.TemplateName, u)
}

// DeleteProvisioningTemplate deletes a template with its versions.
func (a *IoT) DeleteProvisioningTemplate(ctx context.Context, in *iot.DeleteProvisioningTemplateRequest) (*iot.DeleteProvisioningTemplateResponse, error) {
	return &iot.DeleteProvisioningTemplateResponse{}, a.Provisioning.DeleteTemplate(ctx, in.TemplateName)
}

// ListProvisioningTemplates lists templates by name.
func (a *IoT) ListProvisioningTemplates(ctx context.Context, in *iot.ListProvisioningTemplatesRequest) (*iot.ListProvisioningTemplatesResponse, error) {
	all, next, err := a.Provisioning.Templates(ctx, provisioningPage(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListProvisioningTemplatesResponse{Templates: make([]iot.ProvisioningTemplateSummary, len(all)), NextToken: next}
	for i, t := range all {
		out.Templates[i] = iot.ProvisioningTemplateSummary{
			TemplateArn: a.Provisioning.ARN(t.Name), TemplateName: t.Name, Description: t.Description,
			CreationDate: t.Created, LastModifiedDate: t.Modified, Enabled: &t.Enabled, Type: string(t.Kind),
		}
	}
	return out, nil
}

func provisioningPage(token string, size *int) registry.Page {
	p := registry.Page{Token: token}
	if size != nil {
		p.Size = *size
	}
	return p
}

// CreateProvisioningTemplateVersion adds a body to a template.
func (a *IoT) CreateProvisioningTemplateVersion(ctx context.Context, in *iot.CreateProvisioningTemplateVersionRequest) (*iot.CreateProvisioningTemplateVersionResponse, error) {
	isDefault := isTrue(in.SetAsDefault)
	v, err := a.Provisioning.CreateVersion(ctx, in.TemplateName, in.TemplateBody, isDefault)
	if err != nil {
		return nil, err
	}
	return &iot.CreateProvisioningTemplateVersionResponse{
		TemplateArn: a.Provisioning.ARN(in.TemplateName), TemplateName: in.TemplateName, VersionId: &v.ID, IsDefaultVersion: &isDefault,
	}, nil
}

// DescribeProvisioningTemplateVersion gives one body of a template.
func (a *IoT) DescribeProvisioningTemplateVersion(ctx context.Context, in *iot.DescribeProvisioningTemplateVersionRequest) (*iot.DescribeProvisioningTemplateVersionResponse, error) {
	v, isDefault, err := a.Provisioning.Version(ctx, in.TemplateName, in.VersionId)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeProvisioningTemplateVersionResponse{
		VersionId: &v.ID, CreationDate: v.Created, TemplateBody: v.Body, IsDefaultVersion: &isDefault,
	}, nil
}

// DeleteProvisioningTemplateVersion deletes a body that does not run.
func (a *IoT) DeleteProvisioningTemplateVersion(ctx context.Context, in *iot.DeleteProvisioningTemplateVersionRequest) (*iot.DeleteProvisioningTemplateVersionResponse, error) {
	return &iot.DeleteProvisioningTemplateVersionResponse{}, a.Provisioning.DeleteVersion(ctx, in.TemplateName, in.VersionId)
}

// ListProvisioningTemplateVersions lists versions from the oldest.
func (a *IoT) ListProvisioningTemplateVersions(ctx context.Context, in *iot.ListProvisioningTemplateVersionsRequest) (*iot.ListProvisioningTemplateVersionsResponse, error) {
	all, defaultID, next, err := a.Provisioning.Versions(ctx, in.TemplateName, provisioningPage(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListProvisioningTemplateVersionsResponse{Versions: make([]iot.ProvisioningTemplateVersionSummary, len(all)), NextToken: next}
	for i, v := range all {
		isDefault := v.ID == defaultID
		out.Versions[i] = iot.ProvisioningTemplateVersionSummary{VersionId: &v.ID, CreationDate: v.Created, IsDefaultVersion: &isDefault}
	}
	return out, nil
}

// CreateProvisioningClaim makes a certificate for a device that is about to be
// provisioned. Its key is told here and nowhere else.
func (a *IoT) CreateProvisioningClaim(ctx context.Context, in *iot.CreateProvisioningClaimRequest) (*iot.CreateProvisioningClaimResponse, error) {
	claim, err := a.Provisioning.CreateClaim(ctx, in.TemplateName)
	if err != nil {
		return nil, err
	}
	return &iot.CreateProvisioningClaimResponse{
		CertificateId: string(claim.ID), CertificatePem: claim.PEM, Expiration: claim.Expires,
		KeyPair: &iot.KeyPair{PublicKey: claim.Keys.Public, PrivateKey: claim.Keys.Private},
	}, nil
}

// RegisterThing runs a template for one device.
func (a *IoT) RegisterThing(ctx context.Context, in *iot.RegisterThingRequest) (*iot.RegisterThingResponse, error) {
	done, err := a.Provisioning.RegisterThing(ctx, in.TemplateBody, in.Parameters)
	if err != nil {
		return nil, err
	}
	return &iot.RegisterThingResponse{CertificatePem: done.CertificatePEM, ResourceArns: done.ResourceARNs}, nil
}

// StartThingRegistrationTask registers the devices of a file in S3.
func (a *IoT) StartThingRegistrationTask(ctx context.Context, in *iot.StartThingRegistrationTaskRequest) (*iot.StartThingRegistrationTaskResponse, error) {
	task, err := a.Provisioning.StartTask(ctx, in.TemplateBody, in.InputFileBucket, in.InputFileKey, in.RoleArn)
	if err != nil {
		return nil, err
	}
	return &iot.StartThingRegistrationTaskResponse{TaskId: task.ID}, nil
}

// StopThingRegistrationTask ends a task where it is.
func (a *IoT) StopThingRegistrationTask(ctx context.Context, in *iot.StopThingRegistrationTaskRequest) (*iot.StopThingRegistrationTaskResponse, error) {
	return &iot.StopThingRegistrationTaskResponse{}, a.Provisioning.StopTask(ctx, in.TaskId)
}

// DescribeThingRegistrationTask gives a task and how far it is.
func (a *IoT) DescribeThingRegistrationTask(ctx context.Context, in *iot.DescribeThingRegistrationTaskRequest) (*iot.DescribeThingRegistrationTaskResponse, error) {
	t, err := a.Provisioning.Task(ctx, in.TaskId)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeThingRegistrationTaskResponse{
		TaskId:             t.ID,
		CreationDate:       t.Created,
		LastModifiedDate:   t.Modified,
		TemplateBody:       t.TemplateBody,
		InputFileBucket:    t.Bucket,
		InputFileKey:       t.Key,
		RoleArn:            t.RoleARN,
		Status:             string(t.Status),
		Message:            t.Message,
		SuccessCount:       &t.Successes,
		FailureCount:       &t.Failures,
		PercentageProgress: &t.Percent,
	}, nil
}

// ListThingRegistrationTasks lists tasks, the newest first.
func (a *IoT) ListThingRegistrationTasks(ctx context.Context, in *iot.ListThingRegistrationTasksRequest) (*iot.ListThingRegistrationTasksResponse, error) {
	all, next, err := a.Provisioning.Tasks(ctx, provisioning.TaskStatus(in.Status), provisioningPage(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingRegistrationTasksResponse{TaskIds: make([]string, len(all)), NextToken: next}
	for i, t := range all {
		out.TaskIds[i] = t.ID
	}
	return out, nil
}

// ListThingRegistrationTaskReports gives the addresses of a task's report.
func (a *IoT) ListThingRegistrationTaskReports(ctx context.Context, in *iot.ListThingRegistrationTaskReportsRequest) (*iot.ListThingRegistrationTaskReportsResponse, error) {
	links, err := a.Provisioning.ReportLinks(ctx, in.TaskId, provisioning.Report(in.ReportType))
	return &iot.ListThingRegistrationTaskReportsResponse{ResourceLinks: links, ReportType: in.ReportType}, err
}
