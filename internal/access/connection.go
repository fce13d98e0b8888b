package access

import (
	"thingd/internal/policy"
	"thingd/internal/registry"
)

// Connection is what a Subject is opened for: an MQTT connection, an HTTP request
// or a request for credentials.
type Connection struct {
	Principal policy.Principal

	MQTT     bool   // an MQTT connection; else the variables of connections and things have no value
	ClientID string // of an MQTT connection

	PersistentConnect bool // MQTT: the session survives the connection
	HasWill           bool
	WillTopic         string

	// ThingName is the thing that a caller of the credentials provider says it
	// is. It must be attached to the principal to count.
	ThingName string

	// SocketInformation is whether a GetConnection asks for addresses: "true" or
	// "false"; "" for all else.
	SocketInformation string

	// Decider decides instead of attached IoT policies: a *policy.Set of the
	// documents that a custom authorizer returned, or whoever knows the policies
	// of an IAM identity. nil: the attached policies decide.
	Decider Decider

	Plaintext bool // not TLS: the console's door on the loopback interface
}

// Decider answers for principals whose policies are not kept here. A *policy.Set
// is one. Answers of any other are asked for anew each time: they may change
// without access being told.
type Decider interface {
	Decide(policy.Request) policy.Decision
	Explain(policy.Request) policy.Explanation
}

var _ Decider = (*policy.Set)(nil)

// principal gives what policies and things are attached to, "" for nothing.
func (c *Connection) principal() string {
	if c.Principal.Kind != policy.ByCertificate {
		return ""
	}
	return c.Principal.ARN
}

// claimed gives the name of the thing that the connection says it is: by its
// client ID or, for credentials, by a header.
func (c *Connection) claimed() string {
	if c.MQTT {
		return c.ClientID
	}
	return c.ThingName
}

// thing finds the thing that the connection is for policy variables and thing groups: the
// thing that the certificate is attached to exclusively or else the thing that the
// connection claims to be, if that is attached to the certificate. A plain HTTP
// request is none. anyClaim says that every MQTT connection of the principal is the
// same.
func (c *Connection) thing(tx Tx) (thing registry.Thing, found, anyClaim bool, err error) {
	name, anyClaim, err := c.attachedThing(tx)
	if err != nil || name == "" {
		return registry.Thing{}, false, anyClaim, err
	}
	thing, found, err = tx.Thing(name)
	return thing, found, anyClaim, err
}

func (c *Connection) attachedThing(tx Tx) (name string, anyClaim bool, err error) {
	principal := c.principal()
	if principal == "" || c.claimed() == "" {
		return "", false, nil
	}
	if c.MQTT {
		// Most certificates have no thing, or one.
		links, err := tx.LinksOfPrincipal(principal, nil, "", 1)
		if err != nil || len(links) == 0 {
			return "", err == nil, err
		}
		exclusive := true
		links, err = tx.LinksOfPrincipal(principal, &exclusive, "", 1)
		if err != nil {
			return "", false, err
		}
		if len(links) > 0 {
			return links[0].Thing, true, nil
		}
	}
	link, found, err := tx.Link(c.claimed(), principal)
	if err != nil || !found {
		return "", false, err
	}
	return link.Thing, false, nil
}
