package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/registry"
)

// AttachThingPrincipal attaches a principal to a thing.
func (a *IoT) AttachThingPrincipal(ctx context.Context, in *iot.AttachThingPrincipalRequest) (*iot.AttachThingPrincipalResponse, error) {
	exclusive := in.ThingPrincipalType == iot.ThingPrincipalTypeExclusiveThing
	return &iot.AttachThingPrincipalResponse{}, a.Registry.AttachThingPrincipal(ctx, in.ThingName, in.Principal, exclusive)
}

// DetachThingPrincipal detaches a principal from a thing.
func (a *IoT) DetachThingPrincipal(ctx context.Context, in *iot.DetachThingPrincipalRequest) (*iot.DetachThingPrincipalResponse, error) {
	return &iot.DetachThingPrincipalResponse{}, a.Registry.DetachThingPrincipal(ctx, in.ThingName, in.Principal)
}

// ListThingPrincipals lists the principals of a thing.
func (a *IoT) ListThingPrincipals(ctx context.Context, in *iot.ListThingPrincipalsRequest) (*iot.ListThingPrincipalsResponse, error) {
	links, next, err := a.Registry.ThingPrincipals(ctx, in.ThingName, nil, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingPrincipalsResponse{Principals: make([]string, len(links)), NextToken: next}
	for i, l := range links {
		out.Principals[i] = l.Principal
	}
	return out, nil
}

// ListThingPrincipalsV2 lists the principals of a thing with how they are attached.
func (a *IoT) ListThingPrincipalsV2(ctx context.Context, in *iot.ListThingPrincipalsV2Request) (*iot.ListThingPrincipalsV2Response, error) {
	links, next, err := a.Registry.ThingPrincipals(ctx, in.ThingName, exclusive(in.ThingPrincipalType), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingPrincipalsV2Response{ThingPrincipalObjects: make([]iot.ThingPrincipalObject, len(links)), NextToken: next}
	for i, l := range links {
		out.ThingPrincipalObjects[i] = iot.ThingPrincipalObject{Principal: l.Principal, ThingPrincipalType: principalType(l)}
	}
	return out, nil
}

// exclusive gives the sort of links that a filter selects, nil for both.
func exclusive(principalType string) *bool {
	if principalType == "" {
		return nil
	}
	return new(principalType == iot.ThingPrincipalTypeExclusiveThing)
}

func principalType(l registry.Link) string {
	if l.Exclusive {
		return iot.ThingPrincipalTypeExclusiveThing
	}
	return iot.ThingPrincipalTypeNonExclusiveThing
}

// ListPrincipalThings lists the things of a principal.
func (a *IoT) ListPrincipalThings(ctx context.Context, in *iot.ListPrincipalThingsRequest) (*iot.ListPrincipalThingsResponse, error) {
	links, next, err := a.Registry.PrincipalThings(ctx, in.Principal, nil, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListPrincipalThingsResponse{Things: make([]string, len(links)), NextToken: next}
	for i, l := range links {
		out.Things[i] = l.Thing
	}
	return out, nil
}

// ListPrincipalThingsV2 lists the things of a principal with how it is attached.
func (a *IoT) ListPrincipalThingsV2(ctx context.Context, in *iot.ListPrincipalThingsV2Request) (*iot.ListPrincipalThingsV2Response, error) {
	links, next, err := a.Registry.PrincipalThings(ctx, in.Principal, exclusive(in.ThingPrincipalType), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &iot.ListPrincipalThingsV2Response{PrincipalThingObjects: make([]iot.PrincipalThingObject, len(links)), NextToken: next}
	for i, l := range links {
		out.PrincipalThingObjects[i] = iot.PrincipalThingObject{ThingName: l.Thing, ThingPrincipalType: principalType(l)}
	}
	return out, nil
}
