// Package api answers AWS's operations: one method per operation, named exactly
// as AWS names it. A method turns the generated input into the verb of a noun
// and the noun's answer into the generated output; it decides nothing. An
// operation without a method is answered with NotImplementedException, and
// counted as missing.
package api

import (
	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/authorizer"
	"thingd/internal/broker"
	"thingd/internal/credentials"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
	"thingd/internal/rules"
	"thingd/internal/settings"
)

// IoT is the control plane.
type IoT struct {
	Scope     arn.Scope
	Endpoints Endpoints
	Registry  *registry.Service
	Access    *access.Service
	PKI       *pki.Service
	Settings  *settings.Service

	Authorizers *authorizer.Service
	Broker      *broker.Broker

	Credentials *credentials.Service
	Rules       *rules.Service

	Provisioning *provisioning.Service
}
