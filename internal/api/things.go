package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/broker"
	"thingd/internal/registry"
)

// CreateThing makes a thing.
func (a *IoT) CreateThing(ctx context.Context, in *iot.CreateThingRequest) (*iot.CreateThingResponse, error) {
	n := registry.NewThing{Name: in.ThingName, Type: in.ThingTypeName, BillingGroup: in.BillingGroupName}
	if in.AttributePayload != nil {
		n.Attributes = in.AttributePayload.Attributes
	}
	thing, err := a.Registry.CreateThing(ctx, n)
	if err != nil {
		return nil, err
	}
	return &iot.CreateThingResponse{ThingName: thing.Name, ThingArn: a.Scope.IoT("thing", thing.Name), ThingId: thing.ID}, nil
}

// DescribeThing gives a thing.
func (a *IoT) DescribeThing(ctx context.Context, in *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
	thing, err := a.Registry.Thing(ctx, in.ThingName)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeThingResponse{
		DefaultClientId:  thing.Name,
		ThingName:        thing.Name,
		ThingId:          thing.ID,
		ThingArn:         a.Scope.IoT("thing", thing.Name),
		ThingTypeName:    thing.Type,
		Attributes:       thing.Attributes,
		Version:          &thing.Version,
		BillingGroupName: thing.BillingGroup,
	}, nil
}

// UpdateThing changes a thing.
func (a *IoT) UpdateThing(ctx context.Context, in *iot.UpdateThingRequest) (*iot.UpdateThingResponse, error) {
	_, err := a.Registry.UpdateThing(ctx, in.ThingName, registry.ThingUpdate{
		Type:            in.ThingTypeName,
		RemoveType:      isTrue(in.RemoveThingType),
		Attributes:      attributePatch(in.AttributePayload),
		ExpectedVersion: in.ExpectedVersion,
	})
	return &iot.UpdateThingResponse{}, err
}

// attributePatch gives the change that a payload asks for: none if it says
// nothing of attributes.
func attributePatch(p *iot.AttributePayload) *registry.AttributePatch {
	if p == nil || p.Attributes == nil {
		return nil
	}
	return &registry.AttributePatch{Values: p.Attributes, Merge: isTrue(p.Merge)}
}

// DeleteThing deletes a thing.
func (a *IoT) DeleteThing(ctx context.Context, in *iot.DeleteThingRequest) (*iot.DeleteThingResponse, error) {
	return &iot.DeleteThingResponse{}, a.Registry.DeleteThing(ctx, in.ThingName, in.ExpectedVersion)
}

// ListThings lists things.
func (a *IoT) ListThings(ctx context.Context, in *iot.ListThingsRequest) (*iot.ListThingsResponse, error) {
	things, next, err := a.Registry.Things(ctx, registry.ThingFilter{
		AttributeName:        in.AttributeName,
		AttributeValue:       in.AttributeValue,
		AttributeValuePrefix: isTrue(in.UsePrefixAttributeValue),
		Type:                 in.ThingTypeName,
	}, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingsResponse{Things: make([]iot.ThingAttribute, len(things)), NextToken: next}
	for i, thing := range things {
		out.Things[i] = iot.ThingAttribute{
			ThingName:     thing.Name,
			ThingTypeName: thing.Type,
			ThingArn:      a.Scope.IoT("thing", thing.Name),
			Attributes:    thing.Attributes,
			Version:       &thing.Version,
		}
	}
	return out, nil
}

// page gives the part of a list that a request asks for.
func page(token string, size *int) registry.Page {
	p := registry.Page{Token: token}
	if size != nil {
		p.Size = *size
	}
	return p
}

// GetThingConnectivityData tells whether a thing's own connection is there: that
// of the client whose ID is the thing's name. AWS answers it from the fleet index;
// here the broker knows at once.
func (a *IoT) GetThingConnectivityData(ctx context.Context, in *iot.GetThingConnectivityDataRequest) (*iot.GetThingConnectivityDataResponse, error) {
	thing, err := a.Registry.Thing(ctx, in.ThingName)
	if err != nil {
		return nil, err
	}
	c, _ := a.Broker.Connection(thing.Name)
	return connectivity(thing.Name, c), nil
}

// connectivity describes the connection of a thing, the zero one where there was
// none.
func connectivity(thing string, c broker.Connection) *iot.GetThingConnectivityDataResponse {
	out := &iot.GetThingConnectivityDataResponse{ThingName: thing, Connected: &c.Connected}
	switch {
	case c.Connected:
		out.Timestamp, out.DisconnectReason = c.ConnectedSince, iot.DisconnectReasonValueNone
	case c.DisconnectReason != "":
		out.Timestamp, out.DisconnectReason = c.Left, c.DisconnectReason
	default:
		out.Timestamp, out.DisconnectReason = c.Left, iot.DisconnectReasonValueUnknown
	}
	return out
}
