package api

import (
	"cmp"
	"context"
	"time"

	"thingd/internal/aws/thingdapi"
	"thingd/internal/bridge"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// CreateIntegration makes an outbound connection to a foreign broker. TLS is on
// unless it is turned off.
func (a *Thingd) CreateIntegration(ctx context.Context, in *thingdapi.CreateIntegrationRequest) (*thingdapi.DescribeIntegrationResponse, error) {
	return described(a.Bridge.Create(ctx, integrationOf("", in.Settings)))
}

// UpdateIntegration replaces the settings and connects anew. What is left out
// goes back to its default, but the private key stays with its certificate and
// the password with its user name.
func (a *Thingd) UpdateIntegration(ctx context.Context, in *thingdapi.UpdateIntegrationRequest) (*thingdapi.DescribeIntegrationResponse, error) {
	return described(a.Bridge.Update(ctx, integrationOf(in.IntegrationId, in.Settings)))
}

// DeleteIntegration ends an integration; messages that wait go with it.
func (a *Thingd) DeleteIntegration(ctx context.Context, in *thingdapi.DeleteIntegrationRequest) (*thingdapi.DeleteIntegrationResponse, error) {
	return &thingdapi.DeleteIntegrationResponse{}, a.Bridge.Delete(ctx, in.IntegrationId)
}

// DescribeIntegration gives an integration without its secrets, and how it is
// doing.
func (a *Thingd) DescribeIntegration(_ context.Context, in *thingdapi.DescribeIntegrationRequest) (*thingdapi.DescribeIntegrationResponse, error) {
	return described(a.Bridge.Describe(in.IntegrationId))
}

// ListIntegrations lists integrations in the order of their IDs.
func (a *Thingd) ListIntegrations(_ context.Context, in *thingdapi.ListIntegrationsRequest) (*thingdapi.ListIntegrationsResponse, error) {
	size := bridge.IntegrationsMax
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	found := a.Bridge.List(in.NextToken, size+1)
	out := &thingdapi.ListIntegrationsResponse{Integrations: []thingdapi.Integration{}}
	if len(found) > size {
		found = found[:size]
		out.NextToken = found[size-1].ID
	}
	for _, v := range found {
		out.Integrations = append(out.Integrations, integration(v))
	}
	return out, nil
}

func integrationOf(id string, s *thingdapi.IntegrationSettings) bridge.Integration {
	return bridge.Integration{
		ID: id, Name: s.Name, Host: s.Host, Port: number(s.Port), Prefix: s.Prefix, SubscribeTopic: s.SubscribeTopic,
		TLS: s.Tls == nil || *s.Tls, RootCA: s.RootCa, Certificate: s.Certificate, PrivateKey: s.PrivateKey,
		Username: s.Username, Password: s.Password, Version: mqtt.Version(small(s.Version)), QoS: message.QoS(small(s.Qos)),
		ClientID: s.ClientId, KeepAlive: time.Duration(number(s.KeepAliveSeconds)) * time.Second,
		LocalFilter: s.LocalFilter, LocalTopic: s.LocalTopic, QueueMessages: number(s.QueueMessages), QueueBytes: number(s.QueueBytes),
	}
}

func number(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// small keeps a number within a byte, where none that is cut off could pass for
// a valid one.
func small(n *int) uint8 { return uint8(min(max(number(n), -1), 255) & 255) }

func described(v bridge.View, err error) (*thingdapi.DescribeIntegrationResponse, error) {
	if err != nil {
		return nil, err
	}
	return &thingdapi.DescribeIntegrationResponse{Integration: new(integration(v))}, nil
}

func integration(v bridge.View) thingdapi.Integration {
	c := v.Counts
	return thingdapi.Integration{
		IntegrationId: v.ID, Name: v.Name, Host: v.Host, Port: new(v.Port), Prefix: v.Prefix, SubscribeTopic: v.SubscribeTopic,
		Tls: new(v.TLS), RootCa: v.RootCA, Certificate: v.Certificate, HasPrivateKey: new(v.HasPrivateKey),
		Username: v.Username, HasPassword: new(v.HasPassword), Version: new(int(v.Version)), Qos: new(int(v.QoS)),
		ClientId: v.ClientID, KeepAliveSeconds: new(int(v.KeepAlive / time.Second)), LocalFilter: v.LocalFilter, LocalTopic: v.LocalTopic,
		QueueMessages: new(v.QueueMessages), QueueBytes: new(v.QueueBytes),
		CertificateExpires: moment(v.Expires), CreatedAt: moment(v.Created), UpdatedAt: moment(v.Updated),
		Status: &thingdapi.IntegrationStatus{
			State: string(v.Status.State), Since: moment(v.Status.Since), Cause: string(v.Status.Cause), Says: v.Status.Cause.Says(),
			Remedy: v.Status.Cause.Remedy(), Detail: v.Status.Detail, NextTry: moment(v.Status.Next),
		},
		LastProblem: lastProblem(v.Problem),
		Counts: &thingdapi.IntegrationCounts{
			Sent: new(c.Sent), Received: new(c.Received), Refused: new(c.Refused), Dropped: new(c.Dropped), Invalid: new(c.Invalid),
			Connects: new(c.Connects), Failures: new(c.Failures), Waiting: new(c.Waiting), WaitingBytes: new(c.WaitingBytes),
		},
	}
}

func lastProblem(p bridge.Problem) *thingdapi.IntegrationProblem {
	if p.At.IsZero() {
		return nil
	}
	return &thingdapi.IntegrationProblem{Time: moment(p.At), Cause: string(p.Cause), Detail: cmp.Or(p.Detail, p.Cause.Says())}
}

// moment is in milliseconds since 1970; nil for none.
func moment(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMilli())
}
