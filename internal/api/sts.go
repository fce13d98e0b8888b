package api

import (
	"context"
	"time"

	"thingd/internal/aws/sts"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/iam"
)

// STS gives temporary credentials.
type STS struct {
	IAM *iam.Service
}

// GetCallerIdentity says who calls.
func (a *STS) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	caller := wire.CallerFrom(ctx)
	return &sts.GetCallerIdentityResponse{UserId: caller.UserID, Account: caller.AccountID, Arn: caller.ARN}, nil
}

// AssumeRole gives credentials of a role that trusts the caller.
func (a *STS) AssumeRole(ctx context.Context, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	actor, err := actorOf(ctx)
	if err != nil {
		return nil, err
	}
	order := iam.AssumeOrder{
		RoleARN: in.RoleArn, SessionName: in.RoleSessionName, Duration: seconds(in.DurationSeconds),
		Policy: in.Policy, ExternalID: in.ExternalId, SourceIdentity: in.SourceIdentity,
	}
	for _, p := range in.PolicyArns {
		order.PolicyARNs = append(order.PolicyARNs, p.Arn)
	}
	for _, tag := range in.Tags {
		order.Tags = append(order.Tags, iam.Tag{Key: tag.Key, Value: tag.Value})
	}
	credentials, identity, err := a.IAM.AssumeRole(ctx, actor, order)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleResponse{
		Credentials:     stsCredentials(credentials),
		AssumedRoleUser: &sts.AssumedRoleUser{AssumedRoleId: identity.UserID, Arn: identity.ARN},
		SourceIdentity:  in.SourceIdentity,
	}, nil
}

// actorOf is the caller behind a signature.
func actorOf(ctx context.Context) (*iam.Actor, error) {
	actor, ok := iam.ActorOf(wire.CallerFrom(ctx))
	if !ok {
		return nil, fault.New(fault.CodeAccessDenied, "This operation takes calls that are signed with an access key only.")
	}
	return actor, nil
}

func seconds(n *int) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

func stsCredentials(c iam.Credentials) *sts.Credentials {
	return &sts.Credentials{
		AccessKeyId:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
		Expiration:      c.Expires,
	}
}

// GetSessionToken gives the caller temporary credentials of its own.
func (a *STS) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenRequest) (*sts.GetSessionTokenResponse, error) {
	actor, err := actorOf(ctx)
	if err != nil {
		return nil, err
	}
	credentials, err := a.IAM.SessionToken(ctx, actor, seconds(in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	return &sts.GetSessionTokenResponse{Credentials: stsCredentials(credentials)}, nil
}

// AssumeRoleWithWebIdentity is refused: nobody here vouches for web identities.
func (a *STS) AssumeRoleWithWebIdentity(context.Context, *sts.AssumeRoleWithWebIdentityRequest) (*sts.AssumeRoleWithWebIdentityResponse, error) {
	return nil, fault.New("InvalidIdentityToken", "No OpenIDConnect provider found in your account; this server knows none.")
}
