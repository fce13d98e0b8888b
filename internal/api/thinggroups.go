package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/registry"
)

// CreateThingGroup makes a static thing group.
func (a *IoT) CreateThingGroup(ctx context.Context, in *iot.CreateThingGroupRequest) (*iot.CreateThingGroupResponse, error) {
	n := registry.NewThingGroup{Name: in.ThingGroupName, Parent: in.ParentGroupName, Tags: tagsIn(in.Tags)}
	if p := in.ThingGroupProperties; p != nil {
		n.Description = p.ThingGroupDescription
		if p.AttributePayload != nil {
			n.Attributes = p.AttributePayload.Attributes
		}
	}
	g, err := a.Registry.CreateThingGroup(ctx, n)
	if err != nil {
		return nil, err
	}
	return &iot.CreateThingGroupResponse{ThingGroupName: g.Name, ThingGroupArn: a.Scope.IoT("thinggroup", g.Name), ThingGroupId: g.ID}, nil
}

// DescribeThingGroup gives a thing group with the groups above it.
func (a *IoT) DescribeThingGroup(ctx context.Context, in *iot.DescribeThingGroupRequest) (*iot.DescribeThingGroupResponse, error) {
	g, err := a.Registry.ThingGroup(ctx, in.ThingGroupName)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeThingGroupResponse{
		ThingGroupName: g.Name,
		ThingGroupId:   g.ID,
		ThingGroupArn:  a.Scope.IoT("thinggroup", g.Name),
		Version:        &g.Version,
		ThingGroupProperties: &iot.ThingGroupProperties{
			ThingGroupDescription: g.Description,
			AttributePayload:      &iot.AttributePayload{Attributes: g.Attributes},
		},
		ThingGroupMetadata: &iot.ThingGroupMetadata{
			ParentGroupName:         g.Parent(),
			RootToParentThingGroups: a.groupNames(g.Ancestors),
			CreationDate:            g.Created,
		},
	}, nil
}

// groupNames gives names of thing groups with their ARNs.
func (a *IoT) groupNames(names []string) []iot.GroupNameAndArn {
	all := make([]iot.GroupNameAndArn, len(names))
	for i, name := range names {
		all[i] = iot.GroupNameAndArn{GroupName: name, GroupArn: a.Scope.IoT("thinggroup", name)}
	}
	return all
}

// UpdateThingGroup changes a thing group.
func (a *IoT) UpdateThingGroup(ctx context.Context, in *iot.UpdateThingGroupRequest) (*iot.UpdateThingGroupResponse, error) {
	u := registry.GroupUpdate{ExpectedVersion: in.ExpectedVersion}
	if p := in.ThingGroupProperties; p != nil {
		u.Attributes = attributePatch(p.AttributePayload)
		u.Description = given(p.ThingGroupDescription)
	}
	g, err := a.Registry.UpdateThingGroup(ctx, in.ThingGroupName, u)
	return &iot.UpdateThingGroupResponse{Version: &g.Version}, err
}

// given gives a text that was sent; one that is empty was not.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// DeleteThingGroup deletes a thing group.
func (a *IoT) DeleteThingGroup(ctx context.Context, in *iot.DeleteThingGroupRequest) (*iot.DeleteThingGroupResponse, error) {
	return &iot.DeleteThingGroupResponse{}, a.Registry.DeleteThingGroup(ctx, in.ThingGroupName, in.ExpectedVersion)
}

// ListThingGroups lists thing groups; recursive is the default.
func (a *IoT) ListThingGroups(ctx context.Context, in *iot.ListThingGroupsRequest) (*iot.ListThingGroupsResponse, error) {
	groups, next, err := a.Registry.ThingGroups(ctx, registry.GroupFilter{
		Parent: in.ParentGroup,
		Prefix: in.NamePrefixFilter,
		Direct: in.Recursive != nil && !*in.Recursive,
	}, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	return &iot.ListThingGroupsResponse{ThingGroups: a.groupNames(names), NextToken: next}, nil
}

// AddThingToThingGroup makes a thing a member of a group.
func (a *IoT) AddThingToThingGroup(ctx context.Context, in *iot.AddThingToThingGroupRequest) (*iot.AddThingToThingGroupResponse, error) {
	thing, group, err := a.thingAnd("thinggroup", in.ThingName, in.ThingArn, in.ThingGroupName, in.ThingGroupArn)
	if err != nil {
		return nil, err
	}
	return &iot.AddThingToThingGroupResponse{}, a.Registry.AddThingToThingGroup(ctx, thing, group)
}

// thingAnd resolves a thing and a group of the kind, each given by name or ARN.
func (a *IoT) thingAnd(kind, thing, thingARN, group, groupARN string) (thingName, groupName string, err error) {
	if thingName, err = a.Registry.Resolve("thing", thing, thingARN); err != nil {
		return "", "", err
	}
	groupName, err = a.Registry.Resolve(kind, group, groupARN)
	return thingName, groupName, err
}

// RemoveThingFromThingGroup ends a membership.
func (a *IoT) RemoveThingFromThingGroup(ctx context.Context, in *iot.RemoveThingFromThingGroupRequest) (*iot.RemoveThingFromThingGroupResponse, error) {
	thing, group, err := a.thingAnd("thinggroup", in.ThingName, in.ThingArn, in.ThingGroupName, in.ThingGroupArn)
	if err != nil {
		return nil, err
	}
	return &iot.RemoveThingFromThingGroupResponse{}, a.Registry.RemoveThingFromThingGroup(ctx, thing, group)
}

// UpdateThingGroupsForThing ends memberships and begins others.
func (a *IoT) UpdateThingGroupsForThing(ctx context.Context, in *iot.UpdateThingGroupsForThingRequest) (*iot.UpdateThingGroupsForThingResponse, error) {
	thing, err := a.Registry.Resolve("thing", in.ThingName, "")
	if err != nil {
		return nil, err
	}
	err = a.Registry.UpdateThingGroupsForThing(ctx, thing, in.ThingGroupsToAdd, in.ThingGroupsToRemove)
	return &iot.UpdateThingGroupsForThingResponse{}, err
}

// ListThingGroupsForThing lists the groups that a thing is directly in.
func (a *IoT) ListThingGroupsForThing(ctx context.Context, in *iot.ListThingGroupsForThingRequest) (*iot.ListThingGroupsForThingResponse, error) {
	groups, next, err := a.Registry.ThingGroupsForThing(ctx, in.ThingName, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &iot.ListThingGroupsForThingResponse{ThingGroups: a.groupNames(groups), NextToken: next}, nil
}

// ListThingsInThingGroup lists the members of a group.
func (a *IoT) ListThingsInThingGroup(ctx context.Context, in *iot.ListThingsInThingGroupRequest) (*iot.ListThingsInThingGroupResponse, error) {
	things, next, err := a.Registry.ThingsInThingGroup(ctx, in.ThingGroupName, isTrue(in.Recursive), page(in.NextToken, in.MaxResults))
	return &iot.ListThingsInThingGroupResponse{Things: things, NextToken: next}, err
}
