package api

import (
	"context"
	"time"

	"thingd/internal/authorizer"
	"thingd/internal/aws/iot"
)

// CreateAuthorizer makes a custom authorizer.
func (a *IoT) CreateAuthorizer(ctx context.Context, in *iot.CreateAuthorizerRequest) (*iot.CreateAuthorizerResponse, error) {
	err := a.Authorizers.Create(ctx, authorizer.Authorizer{
		Name: in.AuthorizerName, FunctionARN: in.AuthorizerFunctionArn, TokenKeyName: in.TokenKeyName,
		PublicKeys: in.TokenSigningPublicKeys, Status: authorizer.Status(in.Status),
		SigningDisabled: isTrue(in.SigningDisabled), CachingForHTTP: isTrue(in.EnableCachingForHttp),
	}, tagsIn(in.Tags))
	return &iot.CreateAuthorizerResponse{AuthorizerName: in.AuthorizerName, AuthorizerArn: a.Authorizers.ARN(in.AuthorizerName)}, err
}

// DescribeAuthorizer gives a custom authorizer.
func (a *IoT) DescribeAuthorizer(ctx context.Context, in *iot.DescribeAuthorizerRequest) (*iot.DescribeAuthorizerResponse, error) {
	found, err := a.Authorizers.Describe(ctx, in.AuthorizerName)
	return &iot.DescribeAuthorizerResponse{AuthorizerDescription: a.authorizerOut(found)}, err
}

func (a *IoT) authorizerOut(z authorizer.Authorizer) *iot.AuthorizerDescription {
	return &iot.AuthorizerDescription{
		AuthorizerName: z.Name, AuthorizerArn: a.Authorizers.ARN(z.Name), AuthorizerFunctionArn: z.FunctionARN,
		TokenKeyName: z.TokenKeyName, TokenSigningPublicKeys: z.PublicKeys, Status: string(z.Status),
		CreationDate: z.Created, LastModifiedDate: z.Modified,
		SigningDisabled: &z.SigningDisabled, EnableCachingForHttp: &z.CachingForHTTP,
	}
}

// UpdateAuthorizer changes a custom authorizer.
func (a *IoT) UpdateAuthorizer(ctx context.Context, in *iot.UpdateAuthorizerRequest) (*iot.UpdateAuthorizerResponse, error) {
	err := a.Authorizers.Update(ctx, in.AuthorizerName, authorizer.Update{
		FunctionARN: in.AuthorizerFunctionArn, TokenKeyName: in.TokenKeyName, PublicKeys: in.TokenSigningPublicKeys,
		Status: authorizer.Status(in.Status), CachingForHTTP: in.EnableCachingForHttp,
	})
	return &iot.UpdateAuthorizerResponse{AuthorizerName: in.AuthorizerName, AuthorizerArn: a.Authorizers.ARN(in.AuthorizerName)}, err
}

// DeleteAuthorizer deletes a custom authorizer.
func (a *IoT) DeleteAuthorizer(ctx context.Context, in *iot.DeleteAuthorizerRequest) (*iot.DeleteAuthorizerResponse, error) {
	return &iot.DeleteAuthorizerResponse{}, a.Authorizers.Delete(ctx, in.AuthorizerName)
}

// ListAuthorizers lists custom authorizers.
func (a *IoT) ListAuthorizers(ctx context.Context, in *iot.ListAuthorizersRequest) (*iot.ListAuthorizersResponse, error) {
	names, next, err := a.Authorizers.List(ctx, authorizer.Status(in.Status), isTrue(in.AscendingOrder), page(in.Marker, in.PageSize))
	all := make([]iot.AuthorizerSummary, len(names))
	for i, name := range names {
		all[i] = iot.AuthorizerSummary{AuthorizerName: name, AuthorizerArn: a.Authorizers.ARN(name)}
	}
	return &iot.ListAuthorizersResponse{Authorizers: all, NextMarker: next}, err
}

// SetDefaultAuthorizer makes an authorizer the account's default.
func (a *IoT) SetDefaultAuthorizer(ctx context.Context, in *iot.SetDefaultAuthorizerRequest) (*iot.SetDefaultAuthorizerResponse, error) {
	err := a.Authorizers.SetDefault(ctx, in.AuthorizerName)
	return &iot.SetDefaultAuthorizerResponse{AuthorizerName: in.AuthorizerName, AuthorizerArn: a.Authorizers.ARN(in.AuthorizerName)}, err
}

// ClearDefaultAuthorizer leaves the account without a default authorizer.
func (a *IoT) ClearDefaultAuthorizer(ctx context.Context, _ *iot.ClearDefaultAuthorizerRequest) (*iot.ClearDefaultAuthorizerResponse, error) {
	return &iot.ClearDefaultAuthorizerResponse{}, a.Authorizers.ClearDefault(ctx)
}

// DescribeDefaultAuthorizer gives the account's default authorizer.
func (a *IoT) DescribeDefaultAuthorizer(ctx context.Context, _ *iot.DescribeDefaultAuthorizerRequest) (*iot.DescribeDefaultAuthorizerResponse, error) {
	found, err := a.Authorizers.Default(ctx)
	return &iot.DescribeDefaultAuthorizerResponse{AuthorizerDescription: a.authorizerOut(found)}, err
}

// TestInvokeAuthorizer asks an authorizer without a connection.
func (a *IoT) TestInvokeAuthorizer(ctx context.Context, in *iot.TestInvokeAuthorizerRequest) (*iot.TestInvokeAuthorizerResponse, error) {
	v, err := a.Authorizers.Test(ctx, in.AuthorizerName, in.Token, in.TokenSignature, offerOf(in))
	if err != nil {
		return nil, err
	}
	out := &iot.TestInvokeAuthorizerResponse{IsAuthenticated: &v.Authenticated, PrincipalId: v.PrincipalID, PolicyDocuments: v.Documents}
	if v.Authenticated {
		out.RefreshAfterInSeconds, out.DisconnectAfterInSeconds = wholeSeconds(v.Refresh), wholeSeconds(v.Disconnect)
	}
	return out, nil
}

func wholeSeconds(d time.Duration) *int { return new(int(d / time.Second)) }

func offerOf(in *iot.TestInvokeAuthorizerRequest) authorizer.Offer {
	var o authorizer.Offer
	if h := in.HttpContext; h != nil {
		o.HTTP = &authorizer.HTTP{Headers: h.Headers, Query: h.QueryString}
	}
	if m := in.MqttContext; m != nil {
		o.MQTT = &authorizer.MQTT{Username: m.Username, Password: m.Password, ClientID: m.ClientId}
	}
	if t := in.TlsContext; t != nil {
		o.ServerName = t.ServerName
	}
	return o
}
