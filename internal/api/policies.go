package api

import (
	"context"

	"thingd/internal/access"
	"thingd/internal/aws/iot"
)

// CreatePolicy makes a policy.
func (a *IoT) CreatePolicy(ctx context.Context, in *iot.CreatePolicyRequest) (*iot.CreatePolicyResponse, error) {
	v, err := a.Access.CreatePolicy(ctx, in.PolicyName, in.PolicyDocument, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &iot.CreatePolicyResponse{
		PolicyName:      v.Policy,
		PolicyArn:       a.Access.ARN(v.Policy),
		PolicyDocument:  v.Document,
		PolicyVersionId: v.ID.String(),
	}, nil
}

// GetPolicy gives a policy with its default version.
func (a *IoT) GetPolicy(ctx context.Context, in *iot.GetPolicyRequest) (*iot.GetPolicyResponse, error) {
	p, v, err := a.Access.Policy(ctx, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iot.GetPolicyResponse{
		PolicyName:       p.Name,
		PolicyArn:        a.Access.ARN(p.Name),
		PolicyDocument:   v.Document,
		DefaultVersionId: p.Default.String(),
		CreationDate:     p.Created,
		LastModifiedDate: p.Modified,
		GenerationId:     p.Generation,
	}, nil
}

// DeletePolicy deletes a policy.
func (a *IoT) DeletePolicy(ctx context.Context, in *iot.DeletePolicyRequest) error {
	return a.Access.DeletePolicy(ctx, in.PolicyName)
}

// ListPolicies lists policies.
func (a *IoT) ListPolicies(ctx context.Context, in *iot.ListPoliciesRequest) (*iot.ListPoliciesResponse, error) {
	policies, next, err := a.Access.Policies(ctx, isTrue(in.AscendingOrder), page(in.Marker, in.PageSize))
	return &iot.ListPoliciesResponse{Policies: a.policies(policies), NextMarker: next}, err
}

func (a *IoT) policies(policies []access.Policy) []iot.Policy {
	all := make([]iot.Policy, len(policies))
	for i, p := range policies {
		all[i] = iot.Policy{PolicyName: p.Name, PolicyArn: a.Access.ARN(p.Name)}
	}
	return all
}

// CreatePolicyVersion adds a version to a policy.
func (a *IoT) CreatePolicyVersion(ctx context.Context, in *iot.CreatePolicyVersionRequest) (*iot.CreatePolicyVersionResponse, error) {
	v, err := a.Access.CreatePolicyVersion(ctx, in.PolicyName, in.PolicyDocument, isTrue(in.SetAsDefault))
	if err != nil {
		return nil, err
	}
	return &iot.CreatePolicyVersionResponse{
		PolicyArn:        a.Access.ARN(v.Policy),
		PolicyDocument:   v.Document,
		PolicyVersionId:  v.ID.String(),
		IsDefaultVersion: new(isTrue(in.SetAsDefault)),
	}, nil
}

// GetPolicyVersion gives a version of a policy.
func (a *IoT) GetPolicyVersion(ctx context.Context, in *iot.GetPolicyVersionRequest) (*iot.GetPolicyVersionResponse, error) {
	p, v, err := a.Access.PolicyVersion(ctx, in.PolicyName, in.PolicyVersionId)
	if err != nil {
		return nil, err
	}
	return &iot.GetPolicyVersionResponse{
		PolicyArn:        a.Access.ARN(p.Name),
		PolicyName:       p.Name,
		PolicyDocument:   v.Document,
		PolicyVersionId:  v.ID.String(),
		IsDefaultVersion: new(v.ID == p.Default),
		CreationDate:     v.Created,
		LastModifiedDate: v.Created,
		GenerationId:     p.Generation,
	}, nil
}

// DeletePolicyVersion deletes a version of a policy.
func (a *IoT) DeletePolicyVersion(ctx context.Context, in *iot.DeletePolicyVersionRequest) error {
	return a.Access.DeletePolicyVersion(ctx, in.PolicyName, in.PolicyVersionId)
}

// ListPolicyVersions lists the versions of a policy, the newest first.
func (a *IoT) ListPolicyVersions(ctx context.Context, in *iot.ListPolicyVersionsRequest) (*iot.ListPolicyVersionsResponse, error) {
	p, versions, err := a.Access.PolicyVersions(ctx, in.PolicyName)
	if err != nil {
		return nil, err
	}
	out := &iot.ListPolicyVersionsResponse{PolicyVersions: make([]iot.PolicyVersion, len(versions))}
	for i, v := range versions {
		out.PolicyVersions[i] = iot.PolicyVersion{VersionId: v.ID.String(), IsDefaultVersion: new(v.ID == p.Default), CreateDate: v.Created}
	}
	return out, nil
}

// SetDefaultPolicyVersion says which version of a policy decides.
func (a *IoT) SetDefaultPolicyVersion(ctx context.Context, in *iot.SetDefaultPolicyVersionRequest) error {
	return a.Access.SetDefaultPolicyVersion(ctx, in.PolicyName, in.PolicyVersionId)
}

// AttachPolicy attaches a policy to a target.
func (a *IoT) AttachPolicy(ctx context.Context, in *iot.AttachPolicyRequest) error {
	return a.Access.AttachPolicy(ctx, in.PolicyName, in.Target)
}

// DetachPolicy detaches a policy from a target.
func (a *IoT) DetachPolicy(ctx context.Context, in *iot.DetachPolicyRequest) error {
	return a.Access.DetachPolicy(ctx, in.PolicyName, in.Target)
}

// ListAttachedPolicies lists the policies of a target.
func (a *IoT) ListAttachedPolicies(ctx context.Context, in *iot.ListAttachedPoliciesRequest) (*iot.ListAttachedPoliciesResponse, error) {
	policies, next, err := a.Access.AttachedPolicies(ctx, in.Target, isTrue(in.Recursive), false, page(in.Marker, in.PageSize))
	return &iot.ListAttachedPoliciesResponse{Policies: a.policies(policies), NextMarker: next}, err
}

// ListTargetsForPolicy lists what a policy is attached to.
func (a *IoT) ListTargetsForPolicy(ctx context.Context, in *iot.ListTargetsForPolicyRequest) (*iot.ListTargetsForPolicyResponse, error) {
	targets, next, err := a.Access.TargetsForPolicy(ctx, in.PolicyName, false, page(in.Marker, in.PageSize))
	return &iot.ListTargetsForPolicyResponse{Targets: targets, NextMarker: next}, err
}

// AttachPrincipalPolicy is AttachPolicy under its old name.
func (a *IoT) AttachPrincipalPolicy(ctx context.Context, in *iot.AttachPrincipalPolicyRequest) error {
	return a.Access.AttachPolicy(ctx, in.PolicyName, in.Principal)
}

// DetachPrincipalPolicy is DetachPolicy under its old name.
func (a *IoT) DetachPrincipalPolicy(ctx context.Context, in *iot.DetachPrincipalPolicyRequest) error {
	return a.Access.DetachPrincipalPolicy(ctx, in.PolicyName, in.Principal)
}

// ListPrincipalPolicies is ListAttachedPolicies under its old name.
func (a *IoT) ListPrincipalPolicies(ctx context.Context, in *iot.ListPrincipalPoliciesRequest) (*iot.ListPrincipalPoliciesResponse, error) {
	policies, next, err := a.Access.AttachedPolicies(ctx, in.Principal, false, isFalse(in.AscendingOrder), page(in.Marker, in.PageSize))
	return &iot.ListPrincipalPoliciesResponse{Policies: a.policies(policies), NextMarker: next}, err
}

// ListPolicyPrincipals is ListTargetsForPolicy under its old name.
func (a *IoT) ListPolicyPrincipals(ctx context.Context, in *iot.ListPolicyPrincipalsRequest) (*iot.ListPolicyPrincipalsResponse, error) {
	targets, next, err := a.Access.TargetsForPolicy(ctx, in.PolicyName, isFalse(in.AscendingOrder), page(in.Marker, in.PageSize))
	return &iot.ListPolicyPrincipalsResponse{Principals: targets, NextMarker: next}, err
}

func isFalse(b *bool) bool { return b != nil && !*b }

// GetEffectivePolicies gives the policies that a principal has as a thing.
func (a *IoT) GetEffectivePolicies(ctx context.Context, in *iot.GetEffectivePoliciesRequest) (*iot.GetEffectivePoliciesResponse, error) {
	policies, err := a.Access.EffectivePolicies(ctx, in.Principal, in.ThingName)
	if err != nil {
		return nil, err
	}
	out := &iot.GetEffectivePoliciesResponse{EffectivePolicies: make([]iot.EffectivePolicy, len(policies))}
	for i, p := range policies {
		out.EffectivePolicies[i] = iot.EffectivePolicy{PolicyName: p.Name, PolicyArn: a.Access.ARN(p.Name), PolicyDocument: p.Document}
	}
	return out, nil
}

// TestAuthorization says what a principal could do.
func (a *IoT) TestAuthorization(ctx context.Context, in *iot.TestAuthorizationRequest) (*iot.TestAuthorizationResponse, error) {
	trial := access.Trial{Principal: in.Principal, ClientID: in.ClientId, Add: in.PolicyNamesToAdd, Skip: in.PolicyNamesToSkip}
	for _, info := range in.AuthInfos {
		trial.Questions = append(trial.Questions, access.Question{Action: info.ActionType, Resources: info.Resources})
	}
	answers, err := a.Access.TestAuthorization(ctx, trial)
	if err != nil {
		return nil, err
	}
	out := &iot.TestAuthorizationResponse{AuthResults: make([]iot.AuthResult, len(answers))}
	for i, answer := range answers {
		out.AuthResults[i] = iot.AuthResult{
			AuthInfo: &in.AuthInfos[i],
			Allowed:  &iot.Allowed{Policies: a.named(answer.Allow)},
			Denied: &iot.Denied{
				ImplicitDeny: &iot.ImplicitDeny{Policies: a.named(answer.Silent)},
				ExplicitDeny: &iot.ExplicitDeny{Policies: a.named(answer.Deny)},
			},
			AuthDecision:         answer.Outcome.String(),
			MissingContextValues: answer.Missing,
		}
	}
	return out, nil
}

func (a *IoT) named(names []string) []iot.Policy {
	all := make([]iot.Policy, len(names))
	for i, name := range names {
		all[i] = iot.Policy{PolicyName: name, PolicyArn: a.Access.ARN(name)}
	}
	return all
}
