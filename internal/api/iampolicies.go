package api

import (
	"context"
	"strings"

	"thingd/internal/aws/iamapi"
	"thingd/internal/fault"
	"thingd/internal/iam"
)

// CreatePolicy adds a managed policy.
func (a *IAM) CreatePolicy(ctx context.Context, in *iamapi.CreatePolicyRequest) (*iamapi.CreatePolicyResponse, error) {
	p, err := a.IAM.CreatePolicy(ctx, iam.Policy{
		Name: in.PolicyName, Path: in.Path, Document: in.PolicyDocument, Description: in.Description, Tags: iamTagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &iamapi.CreatePolicyResponse{Policy: new(managed(p))}, nil
}

func managed(p iam.Policy) iamapi.Policy {
	return iamapi.Policy{
		PolicyName: p.Name, PolicyId: p.ID, Arn: p.ARN, Path: p.Path, DefaultVersionId: iam.VersionID,
		AttachmentCount: new(p.Attachments), PermissionsBoundaryUsageCount: new(0), IsAttachable: new(true),
		Description: p.Description, CreateDate: p.Created, UpdateDate: p.Created, Tags: iamTagsOut(p.Tags),
	}
}

// GetPolicy gives a managed policy.
func (a *IAM) GetPolicy(ctx context.Context, in *iamapi.GetPolicyRequest) (*iamapi.GetPolicyResponse, error) {
	p, err := a.IAM.Policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &iamapi.GetPolicyResponse{Policy: new(managed(p))}, nil
}

// GetPolicyVersion gives the document of a managed policy.
func (a *IAM) GetPolicyVersion(ctx context.Context, in *iamapi.GetPolicyVersionRequest) (*iamapi.GetPolicyVersionResponse, error) {
	p, err := a.IAM.Policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if in.VersionId != iam.VersionID {
		return nil, fault.NotFound("Policy %s version %s does not exist or is not attachable.", in.PolicyArn, in.VersionId)
	}
	return &iamapi.GetPolicyVersionResponse{PolicyVersion: new(version(p))}, nil
}

func version(p iam.Policy) iamapi.PolicyVersion {
	return iamapi.PolicyVersion{
		Document: document(p.Document), VersionId: iam.VersionID, IsDefaultVersion: new(true), CreateDate: p.Created,
	}
}

// ListPolicyVersions lists the one version of a managed policy, without its
// document as on AWS.
func (a *IAM) ListPolicyVersions(ctx context.Context, in *iamapi.ListPolicyVersionsRequest) (*iamapi.ListPolicyVersionsResponse, error) {
	p, err := a.IAM.Policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v := version(p)
	v.Document = ""
	return &iamapi.ListPolicyVersionsResponse{Versions: []iamapi.PolicyVersion{v}, IsTruncated: truncated("")}, nil
}

// ListPolicies lists managed policies: AWS's own, then the account's by name.
func (a *IAM) ListPolicies(ctx context.Context, in *iamapi.ListPoliciesRequest) (*iamapi.ListPoliciesResponse, error) {
	all := []iamapi.Policy{}
	if in.Scope != "Local" && in.Marker == "" && !isTrue(in.OnlyAttached) {
		for _, p := range iam.AllManagedByAWS() {
			if strings.HasPrefix(p.Path, in.PathPrefix) {
				all = append(all, managed(p))
			}
		}
	}
	if in.Scope == "AWS" {
		return &iamapi.ListPoliciesResponse{Policies: all, IsTruncated: truncated("")}, nil
	}
	policies, next, err := a.IAM.Policies(ctx, iamPage(in.Marker, in.MaxItems, in.PathPrefix))
	for _, p := range policies {
		if p.Attachments > 0 || !isTrue(in.OnlyAttached) {
			all = append(all, managed(p))
		}
	}
	return &iamapi.ListPoliciesResponse{Policies: all, IsTruncated: truncated(next), Marker: next}, err
}

// DeletePolicy deletes a managed policy.
func (a *IAM) DeletePolicy(ctx context.Context, in *iamapi.DeletePolicyRequest) error {
	return a.IAM.DeletePolicy(ctx, in.PolicyArn)
}

// AttachUserPolicy gives a user a managed policy.
func (a *IAM) AttachUserPolicy(ctx context.Context, in *iamapi.AttachUserPolicyRequest) error {
	return a.IAM.Attach(ctx, iam.ByUser, in.UserName, in.PolicyArn)
}

// AttachRolePolicy gives a role a managed policy.
func (a *IAM) AttachRolePolicy(ctx context.Context, in *iamapi.AttachRolePolicyRequest) error {
	return a.IAM.Attach(ctx, iam.ByRole, in.RoleName, in.PolicyArn)
}

// DetachUserPolicy takes a managed policy from a user.
func (a *IAM) DetachUserPolicy(ctx context.Context, in *iamapi.DetachUserPolicyRequest) error {
	return a.IAM.Detach(ctx, iam.ByUser, in.UserName, in.PolicyArn)
}

// DetachRolePolicy takes a managed policy from a role.
func (a *IAM) DetachRolePolicy(ctx context.Context, in *iamapi.DetachRolePolicyRequest) error {
	return a.IAM.Detach(ctx, iam.ByRole, in.RoleName, in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies of a user.
func (a *IAM) ListAttachedUserPolicies(ctx context.Context, in *iamapi.ListAttachedUserPoliciesRequest) (*iamapi.ListAttachedUserPoliciesResponse, error) {
	arns, next, err := a.IAM.Attached(ctx, iam.ByUser, in.UserName, iamPage(in.Marker, in.MaxItems, ""))
	return &iamapi.ListAttachedUserPoliciesResponse{AttachedPolicies: attached(arns), IsTruncated: truncated(next), Marker: next}, err
}

// ListAttachedRolePolicies lists the managed policies of a role.
func (a *IAM) ListAttachedRolePolicies(ctx context.Context, in *iamapi.ListAttachedRolePoliciesRequest) (*iamapi.ListAttachedRolePoliciesResponse, error) {
	arns, next, err := a.IAM.Attached(ctx, iam.ByRole, in.RoleName, iamPage(in.Marker, in.MaxItems, ""))
	return &iamapi.ListAttachedRolePoliciesResponse{AttachedPolicies: attached(arns), IsTruncated: truncated(next), Marker: next}, err
}

func attached(arns []string) []iamapi.AttachedPolicy {
	all := make([]iamapi.AttachedPolicy, len(arns))
	for i, arn := range arns {
		all[i] = iamapi.AttachedPolicy{PolicyName: arn[strings.LastIndexByte(arn, '/')+1:], PolicyArn: arn}
	}
	return all
}

// PutUserPolicy writes an inline policy of a user.
func (a *IAM) PutUserPolicy(ctx context.Context, in *iamapi.PutUserPolicyRequest) error {
	return a.IAM.PutInline(ctx, iam.ByUser, in.UserName, in.PolicyName, in.PolicyDocument)
}

// PutRolePolicy writes an inline policy of a role.
func (a *IAM) PutRolePolicy(ctx context.Context, in *iamapi.PutRolePolicyRequest) error {
	return a.IAM.PutInline(ctx, iam.ByRole, in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy gives an inline policy of a user.
func (a *IAM) GetUserPolicy(ctx context.Context, in *iamapi.GetUserPolicyRequest) (*iamapi.GetUserPolicyResponse, error) {
	text, err := a.IAM.Inline(ctx, iam.ByUser, in.UserName, in.PolicyName)
	return &iamapi.GetUserPolicyResponse{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: document(text)}, err
}

// GetRolePolicy gives an inline policy of a role.
func (a *IAM) GetRolePolicy(ctx context.Context, in *iamapi.GetRolePolicyRequest) (*iamapi.GetRolePolicyResponse, error) {
	text, err := a.IAM.Inline(ctx, iam.ByRole, in.RoleName, in.PolicyName)
	return &iamapi.GetRolePolicyResponse{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: document(text)}, err
}

// DeleteUserPolicy deletes an inline policy of a user.
func (a *IAM) DeleteUserPolicy(ctx context.Context, in *iamapi.DeleteUserPolicyRequest) error {
	return a.IAM.DeleteInline(ctx, iam.ByUser, in.UserName, in.PolicyName)
}

// DeleteRolePolicy deletes an inline policy of a role.
func (a *IAM) DeleteRolePolicy(ctx context.Context, in *iamapi.DeleteRolePolicyRequest) error {
	return a.IAM.DeleteInline(ctx, iam.ByRole, in.RoleName, in.PolicyName)
}

// ListUserPolicies lists the names of a user's inline policies.
func (a *IAM) ListUserPolicies(ctx context.Context, in *iamapi.ListUserPoliciesRequest) (*iamapi.ListUserPoliciesResponse, error) {
	names, next, err := a.IAM.InlineNames(ctx, iam.ByUser, in.UserName, iamPage(in.Marker, in.MaxItems, ""))
	return &iamapi.ListUserPoliciesResponse{PolicyNames: names, IsTruncated: truncated(next), Marker: next}, err
}

// ListRolePolicies lists the names of a role's inline policies.
func (a *IAM) ListRolePolicies(ctx context.Context, in *iamapi.ListRolePoliciesRequest) (*iamapi.ListRolePoliciesResponse, error) {
	names, next, err := a.IAM.InlineNames(ctx, iam.ByRole, in.RoleName, iamPage(in.Marker, in.MaxItems, ""))
	return &iamapi.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: truncated(next), Marker: next}, err
}
