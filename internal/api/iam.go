package api

import "thingd/internal/iam"

// IAM has the operations of identity and access management.
type IAM struct {
	IAM *iam.Service
}
