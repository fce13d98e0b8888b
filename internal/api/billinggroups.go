package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/registry"
)

// CreateBillingGroup makes a billing group.
func (a *IoT) CreateBillingGroup(ctx context.Context, in *iot.CreateBillingGroupRequest) (*iot.CreateBillingGroupResponse, error) {
	var description string
	if in.BillingGroupProperties != nil {
		description = in.BillingGroupProperties.BillingGroupDescription
	}
	g, err := a.Registry.CreateBillingGroup(ctx, in.BillingGroupName, description, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &iot.CreateBillingGroupResponse{BillingGroupName: g.Name, BillingGroupArn: a.Scope.IoT("billinggroup", g.Name), BillingGroupId: g.ID}, nil
}

// DescribeBillingGroup gives a billing group.
func (a *IoT) DescribeBillingGroup(ctx context.Context, in *iot.DescribeBillingGroupRequest) (*iot.DescribeBillingGroupResponse, error) {
	g, err := a.Registry.BillingGroup(ctx, in.BillingGroupName)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeBillingGroupResponse{
		BillingGroupName:       g.Name,
		BillingGroupId:         g.ID,
		BillingGroupArn:        a.Scope.IoT("billinggroup", g.Name),
		Version:                &g.Version,
		BillingGroupProperties: &iot.BillingGroupProperties{BillingGroupDescription: g.Description},
		BillingGroupMetadata:   &iot.BillingGroupMetadata{CreationDate: g.Created},
	}, nil
}

// UpdateBillingGroup changes a billing group.
func (a *IoT) UpdateBillingGroup(ctx context.Context, in *iot.UpdateBillingGroupRequest) (*iot.UpdateBillingGroupResponse, error) {
	u := registry.GroupUpdate{ExpectedVersion: in.ExpectedVersion}
	if in.BillingGroupProperties != nil {
		u.Description = given(in.BillingGroupProperties.BillingGroupDescription)
	}
	g, err := a.Registry.UpdateBillingGroup(ctx, in.BillingGroupName, u)
	return &iot.UpdateBillingGroupResponse{Version: &g.Version}, err
}

// DeleteBillingGroup deletes a billing group.
func (a *IoT) DeleteBillingGroup(ctx context.Context, in *iot.DeleteBillingGroupRequest) (*iot.DeleteBillingGroupResponse, error) {
	return &iot.DeleteBillingGroupResponse{}, a.Registry.DeleteBillingGroup(ctx, in.BillingGroupName, in.ExpectedVersion)
}

// ListBillingGroups lists billing groups.
func (a *IoT) ListBillingGroups(ctx context.Context, in *iot.ListBillingGroupsRequest) (*iot.ListBillingGroupsResponse, error) {
	groups, next, err := a.Registry.BillingGroups(ctx, in.NamePrefixFilter, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListBillingGroupsResponse{BillingGroups: make([]iot.GroupNameAndArn, len(groups)), NextToken: next}
	for i, g := range groups {
		out.BillingGroups[i] = iot.GroupNameAndArn{GroupName: g.Name, GroupArn: a.Scope.IoT("billinggroup", g.Name)}
	}
	return out, nil
}

// AddThingToBillingGroup puts a thing into a billing group.
func (a *IoT) AddThingToBillingGroup(ctx context.Context, in *iot.AddThingToBillingGroupRequest) (*iot.AddThingToBillingGroupResponse, error) {
	thing, group, err := a.thingAnd("billinggroup", in.ThingName, in.ThingArn, in.BillingGroupName, in.BillingGroupArn)
	if err != nil {
		return nil, err
	}
	return &iot.AddThingToBillingGroupResponse{}, a.Registry.AddThingToBillingGroup(ctx, thing, group)
}

// RemoveThingFromBillingGroup takes a thing out of a billing group.
func (a *IoT) RemoveThingFromBillingGroup(ctx context.Context, in *iot.RemoveThingFromBillingGroupRequest) (*iot.RemoveThingFromBillingGroupResponse, error) {
	thing, group, err := a.thingAnd("billinggroup", in.ThingName, in.ThingArn, in.BillingGroupName, in.BillingGroupArn)
	if err != nil {
		return nil, err
	}
	return &iot.RemoveThingFromBillingGroupResponse{}, a.Registry.RemoveThingFromBillingGroup(ctx, thing, group)
}

// ListThingsInBillingGroup lists the things of a billing group.
func (a *IoT) ListThingsInBillingGroup(ctx context.Context, in *iot.ListThingsInBillingGroupRequest) (*iot.ListThingsInBillingGroupResponse, error) {
	things, next, err := a.Registry.ThingsInBillingGroup(ctx, in.BillingGroupName, page(in.NextToken, in.MaxResults))
	return &iot.ListThingsInBillingGroupResponse{Things: things, NextToken: next}, err
}
