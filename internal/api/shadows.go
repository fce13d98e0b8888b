package api

import (
	"context"

	"thingd/internal/aws/iotdata"
	"thingd/internal/shadow"
)

// GetThingShadow gives a shadow's document, with the delta. Unknown things have
// no shadow, and are not told from known ones that have none.
func (a *IoTData) GetThingShadow(ctx context.Context, in *iotdata.GetThingShadowRequest) (*iotdata.GetThingShadowResponse, error) {
	body, err := a.Shadows.Get(ctx, shadow.ID{Thing: in.ThingName, Name: in.ShadowName})
	if err != nil {
		return nil, err
	}
	return &iotdata.GetThingShadowResponse{Payload: body}, nil
}

// UpdateThingShadow applies the update in the body, and tells those who
// subscribed to the shadow's topics.
func (a *IoTData) UpdateThingShadow(ctx context.Context, in *iotdata.UpdateThingShadowRequest) (*iotdata.UpdateThingShadowResponse, error) {
	body, err := a.Shadows.Update(ctx, shadow.ID{Thing: in.ThingName, Name: in.ShadowName}, in.Payload)
	if err != nil {
		return nil, err
	}
	return &iotdata.UpdateThingShadowResponse{Payload: body}, nil
}

// DeleteThingShadow removes a shadow; its version goes on counting for a while.
func (a *IoTData) DeleteThingShadow(ctx context.Context, in *iotdata.DeleteThingShadowRequest) (*iotdata.DeleteThingShadowResponse, error) {
	body, err := a.Shadows.Delete(ctx, shadow.ID{Thing: in.ThingName, Name: in.ShadowName})
	if err != nil {
		return nil, err
	}
	return &iotdata.DeleteThingShadowResponse{Payload: body}, nil
}

// ListNamedShadowsForThing lists the names of a thing's named shadows; an
// unknown thing has none.
func (a *IoTData) ListNamedShadowsForThing(ctx context.Context, in *iotdata.ListNamedShadowsForThingRequest) (*iotdata.ListNamedShadowsForThingResponse, error) {
	size := 0 // the noun's own default
	if in.PageSize != nil {
		size = *in.PageSize
	}
	page, err := a.Shadows.ListNamed(ctx, in.ThingName, in.NextToken, size)
	if err != nil {
		return nil, err
	}
	return &iotdata.ListNamedShadowsForThingResponse{
		Results: page.Names, NextToken: page.Next, Timestamp: new(page.Now.Unix()),
	}, nil
}
