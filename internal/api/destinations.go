package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/rules"
)

// CreateTopicRuleDestination adds a destination; the owner of an HTTP
// destination's URL is asked to confirm.
func (a *IoT) CreateTopicRuleDestination(ctx context.Context, in *iot.CreateTopicRuleDestinationRequest) (*iot.CreateTopicRuleDestinationResponse, error) {
	var d rules.Destination
	c := in.DestinationConfiguration
	if c == nil {
		return nil, fault.InvalidRequest("destinationConfiguration is missing")
	}
	if c.HttpUrlConfiguration != nil {
		d.URL = c.HttpUrlConfiguration.ConfirmationUrl
	}
	if v := c.VpcConfiguration; v != nil {
		d.VPC = &rules.VPC{ID: v.VpcId, SubnetIDs: v.SubnetIds, SecurityGroups: v.SecurityGroups, RoleARN: v.RoleArn}
	}
	d, err := a.Rules.CreateDestination(ctx, d)
	if err != nil {
		return nil, err
	}
	return &iot.CreateTopicRuleDestinationResponse{TopicRuleDestination: a.destinationOut(d)}, nil
}

func (a *IoT) destinationOut(d rules.Destination) *iot.TopicRuleDestination {
	out := &iot.TopicRuleDestination{
		Arn: a.Rules.DestinationARN(d), Status: string(d.Status), StatusReason: d.Reason, CreatedAt: d.Created, LastUpdatedAt: d.Updated,
	}
	if d.VPC == nil {
		out.HttpUrlProperties = &iot.HttpUrlDestinationProperties{ConfirmationUrl: d.URL}
	} else {
		out.VpcProperties = &iot.VpcDestinationProperties{
			VpcId: d.VPC.ID, SubnetIds: d.VPC.SubnetIDs, SecurityGroups: d.VPC.SecurityGroups, RoleArn: d.VPC.RoleARN,
		}
	}
	return out
}

// GetTopicRuleDestination gives a destination.
func (a *IoT) GetTopicRuleDestination(ctx context.Context, in *iot.GetTopicRuleDestinationRequest) (*iot.GetTopicRuleDestinationResponse, error) {
	d, err := a.Rules.Destination(ctx, in.Arn)
	if err != nil {
		return nil, err
	}
	return &iot.GetTopicRuleDestinationResponse{TopicRuleDestination: a.destinationOut(d)}, nil
}

// ListTopicRuleDestinations lists destinations.
func (a *IoT) ListTopicRuleDestinations(ctx context.Context, in *iot.ListTopicRuleDestinationsRequest) (*iot.ListTopicRuleDestinationsResponse, error) {
	after, err := lastKey(in.NextToken)
	if err != nil {
		return nil, err
	}
	size := pageSize(in.MaxResults, rulesPage)
	found, err := a.Rules.Destinations(ctx, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &iot.ListTopicRuleDestinationsResponse{DestinationSummaries: []iot.TopicRuleDestinationSummary{}}
	for _, d := range found[:min(size, len(found))] {
		out.DestinationSummaries = append(out.DestinationSummaries, a.destinationSummary(d))
	}
	if len(found) > size {
		out.NextToken = token(found[size-1].ID)
	}
	return out, nil
}

func (a *IoT) destinationSummary(d rules.Destination) iot.TopicRuleDestinationSummary {
	out := iot.TopicRuleDestinationSummary{
		Arn: a.Rules.DestinationARN(d), Status: string(d.Status), StatusReason: d.Reason, CreatedAt: d.Created, LastUpdatedAt: d.Updated,
	}
	if d.VPC == nil {
		out.HttpUrlSummary = &iot.HttpUrlDestinationSummary{ConfirmationUrl: d.URL}
	} else {
		out.VpcDestinationSummary = &iot.VpcDestinationSummary{
			VpcId: d.VPC.ID, SubnetIds: d.VPC.SubnetIDs, SecurityGroups: d.VPC.SecurityGroups, RoleArn: d.VPC.RoleARN,
		}
	}
	return out
}

// UpdateTopicRuleDestination enables or disables a destination, or asks for a
// new confirmation.
func (a *IoT) UpdateTopicRuleDestination(ctx context.Context, in *iot.UpdateTopicRuleDestinationRequest) (*iot.UpdateTopicRuleDestinationResponse, error) {
	return &iot.UpdateTopicRuleDestinationResponse{}, a.Rules.UpdateDestination(ctx, in.Arn, rules.Status(in.Status))
}

// DeleteTopicRuleDestination removes a destination.
func (a *IoT) DeleteTopicRuleDestination(ctx context.Context, in *iot.DeleteTopicRuleDestinationRequest) (*iot.DeleteTopicRuleDestinationResponse, error) {
	return &iot.DeleteTopicRuleDestinationResponse{}, a.Rules.DeleteDestination(ctx, in.Arn)
}

// ConfirmTopicRuleDestination takes the token that the owner of a URL got. It is
// what a browser calls that follows enableUrl.
func (a *IoT) ConfirmTopicRuleDestination(ctx context.Context, in *iot.ConfirmTopicRuleDestinationRequest) (*iot.ConfirmTopicRuleDestinationResponse, error) {
	return &iot.ConfirmTopicRuleDestinationResponse{}, a.Rules.ConfirmDestination(ctx, in.ConfirmationToken)
}
