// Package arn writes and reads Amazon Resource Names, the full names of
// everything thingd keeps: arn:aws:iot:us-east-1:111122223333:thing/pump7.
package arn

import (
	"strings"

	"thingd/internal/fault"
)

// Scope is the part of a name that all resources of one account share.
type Scope struct {
	Partition string // "aws"; "" means "aws"
	Region    string // "us-east-1"
	Account   string // twelve digits
}

// Of names a resource of a service: Of("iot", "thing/pump7").
func (s Scope) Of(service, resource string) string {
	return "arn:" + s.partition() + ":" + service + ":" + s.Region + ":" + s.Account + ":" + resource
}

// IoT names a resource of the iot service: IoT("thing", "pump7"). Kinds are the
// words AWS uses: thing, thingtype, thinggroup, billinggroup, cert, cacert,
// policy, rolealias, authorizer, rule, client, topic, topicfilter …
func (s Scope) IoT(kind, name string) string {
	return "arn:" + s.partition() + ":iot:" + s.Region + ":" + s.Account + ":" + kind + "/" + name
}

// IAM names an identity. IAM is global: its names carry no region.
func (s Scope) IAM(resource string) string {
	return "arn:" + s.partition() + ":iam::" + s.Account + ":" + resource
}

func (s Scope) partition() string {
	if s.Partition == "" {
		return "aws"
	}
	return s.Partition
}

// ARN is a name taken apart.
type ARN struct {
	Partition, Service, Region, Account string
	Resource                            string // everything after the fifth colon
}

// Parse takes a name apart. The error is a fault (InvalidRequest) in the
// caller's words.
func Parse(text string) (ARN, error) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return ARN{}, fault.InvalidRequest("%q is not an ARN; it should look like arn:aws:iot:region:account:kind/name", text)
	}
	return ARN{parts[1], parts[2], parts[3], parts[4], parts[5]}, nil
}

// Kind gives the first word of the resource and the rest: "thing", "pump7".
func (a ARN) Kind() (kind, name string) {
	kind, name, _ = strings.Cut(a.Resource, "/")
	return kind, name
}

// String puts the name together again.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// In says whether the name belongs to the scope's account and region, as a name
// of the given service.
func (a ARN) In(s Scope, service string) bool {
	return a.Service == service && a.Partition == s.partition() && a.Account == s.Account && a.Region == s.Region
}
