package api

import (
	"context"

	"thingd/internal/aws/thingdapi"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// StartManifestImport imports the devices of a maker's manifest, in the
// background. The manifest is an object of S3; without one its status is
// AwaitingUpload, and UploadManifestPart and CompleteManifestUpload bring it.
func (a *Thingd) StartManifestImport(ctx context.Context, in *thingdapi.StartManifestImportRequest) (*thingdapi.DescribeManifestImportResponse, error) {
	order := provisioning.ImportOrder{
		Name: in.FileName, Format: manifest.Format(in.Format), Signers: in.Signers, Policy: in.PolicyName, ThingType: in.ThingTypeName,
		Group: in.ThingGroupName, NameCase: provisioning.NameCase(in.NameCase), Certificates: in.CertificateType,
		Source: provisioning.Source{Bucket: in.InputFileBucket, Key: in.InputFileKey, RoleARN: in.RoleArn},
	}
	if order.Source == (provisioning.Source{}) {
		return importAnswer(a.Provisioning.OpenImport(ctx, order))
	}
	return importAnswer(a.Provisioning.StartImport(ctx, order, nil))
}

// UploadManifestPart takes a part of a manifest, of at most 4 MiB, under a number
// from 1. The same number again replaces.
func (a *Thingd) UploadManifestPart(ctx context.Context, in *thingdapi.UploadManifestPartRequest) (*thingdapi.UploadManifestPartResponse, error) {
	return &thingdapi.UploadManifestPartResponse{}, a.Provisioning.PutManifestPart(ctx, in.ImportId, in.PartNumber, in.Data)
}

// CompleteManifestUpload begins the import of a manifest whose parts are all there.
func (a *Thingd) CompleteManifestUpload(ctx context.Context, in *thingdapi.CompleteManifestUploadRequest) (*thingdapi.DescribeManifestImportResponse, error) {
	return importAnswer(a.Provisioning.StartUploaded(ctx, in.ImportId))
}

// DescribeManifestImport gives an import and how far it is.
func (a *Thingd) DescribeManifestImport(ctx context.Context, in *thingdapi.DescribeManifestImportRequest) (*thingdapi.DescribeManifestImportResponse, error) {
	return importAnswer(a.Provisioning.ImportJob(ctx, in.ImportId))
}

// ListManifestImports lists imports, the newest first.
func (a *Thingd) ListManifestImports(ctx context.Context, in *thingdapi.ListManifestImportsRequest) (*thingdapi.ListManifestImportsResponse, error) {
	jobs, next, err := a.Provisioning.ImportJobs(ctx, registry.Page{Token: in.NextToken, Size: number(in.MaxResults)})
	if err != nil {
		return nil, err
	}
	out := &thingdapi.ListManifestImportsResponse{ManifestImports: []thingdapi.ManifestImport{}, NextToken: next}
	for _, job := range jobs {
		out.ManifestImports = append(out.ManifestImports, manifestImport(job))
	}
	return out, nil
}

// ListManifestImportEntries lists what became of the entries of an import, in
// order; all, or those of one result. The list grows while the import runs.
func (a *Thingd) ListManifestImportEntries(ctx context.Context, in *thingdapi.ListManifestImportEntriesRequest) (*thingdapi.ListManifestImportEntriesResponse, error) {
	entries, next, err := a.Provisioning.ImportReport(ctx, in.ImportId, entryStates[in.Result], registry.Page{Token: in.NextToken, Size: number(in.MaxResults)})
	if err != nil {
		return nil, err
	}
	out := &thingdapi.ListManifestImportEntriesResponse{Entries: []thingdapi.ManifestEntry{}, NextToken: next}
	for _, e := range entries {
		out.Entries = append(out.Entries, thingdapi.ManifestEntry{
			Number: new(e.Number), Id: e.ID, Result: e.Result, ThingName: e.Thing, CertificateArn: e.Certificate, Error: e.Error,
		})
	}
	return out, nil
}

// entryStates are the states of entries by their results.
var entryStates = map[string]provisioning.OutcomeState{
	"registered": provisioning.Made, "unchanged": provisioning.Unchanged, "failed": provisioning.Broken,
}

// StopManifestImport ends an import where it is. What it has registered stays.
func (a *Thingd) StopManifestImport(ctx context.Context, in *thingdapi.StopManifestImportRequest) (*thingdapi.StopManifestImportResponse, error) {
	return &thingdapi.StopManifestImportResponse{}, a.Provisioning.StopImport(ctx, in.ImportId)
}

// DeleteManifestImport forgets an import that has ended, or has not begun.
func (a *Thingd) DeleteManifestImport(ctx context.Context, in *thingdapi.DeleteManifestImportRequest) (*thingdapi.DeleteManifestImportResponse, error) {
	return &thingdapi.DeleteManifestImportResponse{}, a.Provisioning.DeleteImport(ctx, in.ImportId)
}

func importAnswer(job provisioning.ImportJob, err error) (*thingdapi.DescribeManifestImportResponse, error) {
	if err != nil {
		return nil, err
	}
	return &thingdapi.DescribeManifestImportResponse{ManifestImport: new(manifestImport(job))}, nil
}

func manifestImport(j provisioning.ImportJob) thingdapi.ManifestImport {
	return thingdapi.ManifestImport{
		ImportId: j.ID, Format: string(j.Format), FileName: j.Name, PolicyName: j.Policy, ThingTypeName: j.ThingType, ThingGroupName: j.Group,
		NameCase: string(j.NameCase), CertificateType: j.Certificates,
		InputFileBucket: j.Source.Bucket, InputFileKey: j.Source.Key, RoleArn: j.Source.RoleARN,
		Status: string(j.Status), Message: j.Message, PercentageProgress: new(j.Percent()),
		RegisteredCount: new(j.New), UnchangedCount: new(j.Unchanged), FailureCount: new(j.Failed),
		SizeBytes: new(j.Size), ReadBytes: new(j.Done), CreatedAt: moment(j.Created), UpdatedAt: moment(j.Modified),
	}
}
