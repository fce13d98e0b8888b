package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/registry"
)

// CreateThingType makes a thing type.
func (a *IoT) CreateThingType(ctx context.Context, in *iot.CreateThingTypeRequest) (*iot.CreateThingTypeResponse, error) {
	var p registry.TypeProperties
	if in.ThingTypeProperties != nil {
		p = registry.TypeProperties{
			Description: in.ThingTypeProperties.ThingTypeDescription,
			Searchable:  in.ThingTypeProperties.SearchableAttributes,
			Propagating: propagating(in.ThingTypeProperties.Mqtt5Configuration),
		}
	}
	t, err := a.Registry.CreateThingType(ctx, in.ThingTypeName, p, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &iot.CreateThingTypeResponse{ThingTypeName: t.Name, ThingTypeArn: a.Scope.IoT("thingtype", t.Name), ThingTypeId: t.ID}, nil
}

func propagating(c *iot.Mqtt5Configuration) []registry.PropagatingAttribute {
	if c == nil {
		return nil
	}
	var all []registry.PropagatingAttribute
	for _, p := range c.PropagatingAttributes {
		all = append(all, registry.PropagatingAttribute(p))
	}
	return all
}

// DescribeThingType gives a thing type.
func (a *IoT) DescribeThingType(ctx context.Context, in *iot.DescribeThingTypeRequest) (*iot.DescribeThingTypeResponse, error) {
	t, err := a.Registry.ThingType(ctx, in.ThingTypeName)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeThingTypeResponse{
		ThingTypeName:       t.Name,
		ThingTypeId:         t.ID,
		ThingTypeArn:        a.Scope.IoT("thingtype", t.Name),
		ThingTypeProperties: typeProperties(t),
		ThingTypeMetadata:   typeMetadata(t),
	}, nil
}

func typeProperties(t registry.ThingType) *iot.ThingTypeProperties {
	p := &iot.ThingTypeProperties{
		ThingTypeDescription: t.Properties.Description,
		SearchableAttributes: t.Properties.Searchable,
	}
	if len(t.Properties.Propagating) > 0 {
		p.Mqtt5Configuration = &iot.Mqtt5Configuration{}
		for _, one := range t.Properties.Propagating {
			p.Mqtt5Configuration.PropagatingAttributes = append(p.Mqtt5Configuration.PropagatingAttributes, iot.PropagatingAttribute(one))
		}
	}
	return p
}

func typeMetadata(t registry.ThingType) *iot.ThingTypeMetadata {
	return &iot.ThingTypeMetadata{Deprecated: new(t.IsDeprecated()), DeprecationDate: t.Deprecated, CreationDate: t.Created}
}

// UpdateThingType changes a thing type.
func (a *IoT) UpdateThingType(ctx context.Context, in *iot.UpdateThingTypeRequest) (*iot.UpdateThingTypeResponse, error) {
	var u registry.TypeUpdate
	if p := in.ThingTypeProperties; p != nil {
		u.Searchable = p.SearchableAttributes
		if p.ThingTypeDescription != "" {
			u.Description = &p.ThingTypeDescription
		}
		if p.Mqtt5Configuration != nil {
			u.Propagating = new(propagating(p.Mqtt5Configuration))
		}
	}
	return &iot.UpdateThingTypeResponse{}, a.Registry.UpdateThingType(ctx, in.ThingTypeName, u)
}

// DeprecateThingType takes a thing type out of use, or back into it.
func (a *IoT) DeprecateThingType(ctx context.Context, in *iot.DeprecateThingTypeRequest) (*iot.DeprecateThingTypeResponse, error) {
	return &iot.DeprecateThingTypeResponse{}, a.Registry.DeprecateThingType(ctx, in.ThingTypeName, isTrue(in.UndoDeprecate))
}

// DeleteThingType deletes a thing type.
func (a *IoT) DeleteThingType(ctx context.Context, in *iot.DeleteThingTypeRequest) (*iot.DeleteThingTypeResponse, error) {
	return &iot.DeleteThingTypeResponse{}, a.Registry.DeleteThingType(ctx, in.ThingTypeName)
}

// ListThingTypes lists thing types; thingTypeName is the beginning of their names.
func (a *IoT) ListThingTypes(ctx context.Context, in *iot.ListThingTypesRequest) (*iot.ListThingTypesResponse, error) {
	types, next, err := a.Registry.ThingTypes(ctx, in.ThingTypeName, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingTypesResponse{ThingTypes: make([]iot.ThingTypeDefinition, len(types)), NextToken: next}
	for i, t := range types {
		out.ThingTypes[i] = iot.ThingTypeDefinition{
			ThingTypeName:       t.Name,
			ThingTypeArn:        a.Scope.IoT("thingtype", t.Name),
			ThingTypeProperties: typeProperties(t),
			ThingTypeMetadata:   typeMetadata(t),
		}
	}
	return out, nil
}
