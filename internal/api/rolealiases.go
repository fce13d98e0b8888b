package api

import (
	"context"
	"time"

	"thingd/internal/aws/iot"
	"thingd/internal/credentials"
)

// CreateRoleAlias makes a role alias.
func (a *IoT) CreateRoleAlias(ctx context.Context, in *iot.CreateRoleAliasRequest) (*iot.CreateRoleAliasResponse, error) {
	alias := credentials.RoleAlias{Name: in.RoleAlias, RoleARN: in.RoleArn, Duration: secondsOf(in.CredentialDurationSeconds)}
	if err := a.Credentials.Create(ctx, alias, tagsIn(in.Tags)); err != nil {
		return nil, err
	}
	return &iot.CreateRoleAliasResponse{RoleAlias: alias.Name, RoleAliasArn: a.Credentials.ARN(alias.Name)}, nil
}

// secondsOf gives 0 for absent.
func secondsOf(n *int) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

// DescribeRoleAlias gives a role alias.
func (a *IoT) DescribeRoleAlias(ctx context.Context, in *iot.DescribeRoleAliasRequest) (*iot.DescribeRoleAliasResponse, error) {
	alias, err := a.Credentials.Describe(ctx, in.RoleAlias)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeRoleAliasResponse{RoleAliasDescription: &iot.RoleAliasDescription{
		RoleAlias:                 alias.Name,
		RoleAliasArn:              a.Credentials.ARN(alias.Name),
		RoleArn:                   alias.RoleARN,
		Owner:                     a.Credentials.Owner(),
		CredentialDurationSeconds: new(int(alias.Duration / time.Second)),
		CreationDate:              alias.Created,
		LastModifiedDate:          alias.Modified,
	}}, nil
}

// UpdateRoleAlias changes what a role alias stands for.
func (a *IoT) UpdateRoleAlias(ctx context.Context, in *iot.UpdateRoleAliasRequest) (*iot.UpdateRoleAliasResponse, error) {
	if err := a.Credentials.Update(ctx, in.RoleAlias, in.RoleArn, secondsOf(in.CredentialDurationSeconds)); err != nil {
		return nil, err
	}
	return &iot.UpdateRoleAliasResponse{RoleAlias: in.RoleAlias, RoleAliasArn: a.Credentials.ARN(in.RoleAlias)}, nil
}

// DeleteRoleAlias removes a role alias.
func (a *IoT) DeleteRoleAlias(ctx context.Context, in *iot.DeleteRoleAliasRequest) (*iot.DeleteRoleAliasResponse, error) {
	return &iot.DeleteRoleAliasResponse{}, a.Credentials.Delete(ctx, in.RoleAlias)
}

// ListRoleAliases lists the names of role aliases.
func (a *IoT) ListRoleAliases(ctx context.Context, in *iot.ListRoleAliasesRequest) (*iot.ListRoleAliasesResponse, error) {
	names, next, err := a.Credentials.List(ctx, isTrue(in.AscendingOrder), page(in.Marker, in.PageSize))
	return &iot.ListRoleAliasesResponse{RoleAliases: names, NextMarker: next}, err
}
