package api

import (
	"context"
	"strings"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
)

// Endpoints are the addresses that DescribeEndpoint tells.
type Endpoints struct {
	Data string // the bare host name, as AWS gives it
	// Credentials is the credential provider's. Clients put nothing behind it but
	// a path, so it carries the port where that is not 443.
	Credentials string
}

// DescribeEndpoint gives a host name. AWS has stopped to serve iot:Data and
// iot:Jobs to new accounts; here both are the data endpoint, because tutorials
// ask for them.
func (a *IoT) DescribeEndpoint(_ context.Context, in *iot.DescribeEndpointRequest) (*iot.DescribeEndpointResponse, error) {
	switch strings.ToLower(in.EndpointType) {
	case "", "iot:data", "iot:data-ats", "iot:jobs", "iot:data-beta":
		return &iot.DescribeEndpointResponse{EndpointAddress: a.Endpoints.Data}, nil
	case "iot:credentialprovider":
		return &iot.DescribeEndpointResponse{EndpointAddress: a.Endpoints.Credentials}, nil
	}
	return nil, fault.InvalidRequest("Endpoint type %s not recognized.", in.EndpointType)
}
