// Package aws is the door for AWS's own clients: sigv4 checks their
// signatures, wire routes, decodes, validates and answers, and the packages
// named after services hold shapes and tables generated from the service models
// in tools/shapegen/models.
package aws

//go:generate go run thingd/tools/shapegen -models ../../tools/shapegen/models -out .
