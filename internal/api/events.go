package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/registry"
)

// DescribeEventConfigurations tells which events are published.
func (a *IoT) DescribeEventConfigurations(ctx context.Context, _ *iot.DescribeEventConfigurationsRequest) (*iot.DescribeEventConfigurationsResponse, error) {
	c, err := a.Registry.EventConfigurations(ctx)
	if err != nil {
		return nil, err
	}
	out := &iot.DescribeEventConfigurationsResponse{
		EventConfigurations: map[string]iot.Configuration{},
		CreationDate:        c.Created,
		LastModifiedDate:    c.Modified,
	}
	for kind, on := range c.Enabled {
		out.EventConfigurations[string(kind)] = iot.Configuration{Enabled: new(on)}
	}
	return out, nil
}

// UpdateEventConfigurations switches events on and off.
func (a *IoT) UpdateEventConfigurations(ctx context.Context, in *iot.UpdateEventConfigurationsRequest) (*iot.UpdateEventConfigurationsResponse, error) {
	switches := map[registry.EventType]bool{}
	for kind, c := range in.EventConfigurations {
		switches[registry.EventType(kind)] = isTrue(c.Enabled)
	}
	return &iot.UpdateEventConfigurationsResponse{}, a.Registry.UpdateEventConfigurations(ctx, switches)
}
