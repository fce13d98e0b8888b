package access

import (
	"thingd/internal/message"
	"thingd/internal/registry"
)

// UserProperties are what the broker adds to the messages that an MQTT connection
// publishes: the propagating attributes of its thing's type (mqtt5Configuration of
// AWS operations CreateThingType and UpdateThingType), in the order given there. An
// attribute that the thing lacks adds nothing. They are others only when Generation
// has moved.
//
// Which thing that is follows from the certificate, as it does for policies: who
// proves in another way who he is has none, and neither has a request over HTTPS.
func (s *Subject) UserProperties() []message.UserProperty {
	st := s.current()
	var all []message.UserProperty
	for _, a := range st.grants.propagating {
		if value := st.propagated(a); value != "" {
			all = append(all, message.UserProperty{Name: []byte(a.UserPropertyKey), Value: []byte(value)})
		}
	}
	return all
}

// propagated gives the value of a propagating attribute; "" where there is none.
func (st *state) propagated(a registry.PropagatingAttribute) string {
	switch a.ConnectionAttribute {
	case registry.ConnectionClientID:
		return st.conn.ClientID
	case registry.ConnectionThingName:
		return st.thing.Name
	}
	return st.thing.Attributes[a.ThingAttribute]
}

// propagate reads what the type of the thing adds to messages. Grants of other types
// are others, even where nothing is added: any type may begin to.
func (g *grants) propagate(tx Tx, thingType string) error {
	found, _, err := tx.ThingType(thingType)
	if err != nil {
		return err
	}
	g.key += "/" + thingType
	g.thingType, g.propagating = thingType, found.Properties.Propagating
	for _, a := range g.propagating {
		g.things = g.things || a.ThingAttribute != ""
	}
	return nil
}
