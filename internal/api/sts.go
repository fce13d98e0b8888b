package api

import (
	"context"

	"thingd/internal/aws/sts"
	"thingd/internal/aws/wire"
	"thingd/internal/iam"
)

// STS has the operations of the security token service.
type STS struct {
	IAM *iam.Service
}

// GetCallerIdentity tells who signed the request.
func (a *STS) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	caller := wire.CallerFrom(ctx)
	return &sts.GetCallerIdentityResponse{Account: caller.AccountID, Arn: caller.ARN, UserId: caller.UserID}, nil
}
