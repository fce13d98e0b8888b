package broker

import (
	"errors"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// route is what one topic means: who gets its messages and, for the connection
// that publishes, whether it may. A route is used by one goroutine.
type route struct {
	name     string
	targets  []target
	groups   []*group
	handlers []message.Handler
	stores   bool // whether a target may have a queue in the store

	collected []*collected // among the handlers

	refused *ending // why this connection may not publish here; nil if it may
	retain  permission
	treeGen uint64
	ownGen  uint64 // of the publisher's rights

	adds []message.UserProperty // to what this connection publishes here
}

// target is a session that gets a route's messages, once, however many of its
// filters match: at the highest QoS, with the identifiers of all.
type target struct {
	session           *session
	qos               mqtt.QoS
	noLocal           bool // all of the filters say so
	someNoLocal       bool
	retainAsPublished bool
	ids               []uint32

	// What the receiver's rights said last, and to which of its connections.
	conn    *conn
	gen     uint64
	allowed bool
}

// permission is an answer that may not have been asked for yet.
type permission uint8

const (
	unknown permission = iota
	mayDo
	mayNot
)

// routesKept bounds the routes that one connection remembers. A device uses a
// handful; whoever uses more starts over.
const routesKept = 64

// routeFor gives the route of a topic as it stands in a PUBLISH.
func (c *conn) routeFor(name []byte) *route {
	if r, ok := c.routes[string(name)]; ok {
		if r.treeGen == c.b.tree.Generation() && r.ownGen == c.rights.Generation() {
			return r
		}
		delete(c.routes, r.name)
	}
	r := c.b.route(string(name))
	r.ownGen = c.rights.Generation()
	r.refused = c.mayPublish(r.name)
	r.adds = c.rights.UserProperties()
	if len(c.routes) >= routesKept {
		clear(c.routes)
	}
	if c.routes == nil {
		c.routes = map[string]*route{}
	}
	c.routes[r.name] = r
	return r
}

// route finds who gets the messages of a topic.
func (b *Broker) route(name string) *route {
	r := &route{name: name, treeGen: b.tree.Generation()}
	var room [16]*subscription
	for _, sub := range b.tree.Match(name, room[:0]) {
		switch {
		case sub.handler != nil:
			r.handlers = append(r.handlers, sub.handler)
		case sub.collector != nil:
			r.collect(sub)
		case sub.group != nil:
			r.groups, r.stores = append(r.groups, sub.group), true
		default:
			r.add(sub)
		}
	}
	return r
}

// add merges one more subscription into the targets.
func (r *route) add(sub *subscription) {
	r.stores = r.stores || sub.session.persistent.Load()
	for i := range r.targets {
		if t := &r.targets[i]; t.session == sub.session {
			t.qos = max(t.qos, sub.qos)
			t.noLocal = t.noLocal && sub.noLocal
			t.someNoLocal = t.someNoLocal || sub.noLocal
			t.retainAsPublished = t.retainAsPublished || sub.retainAsPublished
			t.ids = appendID(t.ids, sub.id)
			return
		}
	}
	r.targets = append(r.targets, sub.target())
}

// own gives the target that a session is for its own messages: without the filters
// that say No Local.
func (b *Broker) own(name string, s *session) *target {
	var r route
	for _, sub := range b.tree.Match(name, nil) {
		if sub.session == s && !sub.noLocal {
			r.add(sub)
		}
	}
	if len(r.targets) == 0 {
		return nil
	}
	return &r.targets[0]
}

func (sub *subscription) target() target {
	return target{
		session: sub.session, qos: sub.qos, noLocal: sub.noLocal, someNoLocal: sub.noLocal,
		retainAsPublished: sub.retainAsPublished, ids: appendID(nil, sub.id),
	}
}

func appendID(ids []uint32, id uint32) []uint32 {
	if id == 0 {
		return ids
	}
	return append(ids, id)
}

// mayPublish says why this connection may not publish to name; nil if it may.
func (c *conn) mayPublish(name string) *ending {
	if err := c.b.Limits.Topics.CheckName(name); err != nil {
		return clientError(why.StepPublish, mqtt.TopicNameInvalid, why.TopicInvalid, "%s", faultSays(err))
	}
	if topic.IsReserved(name) && !topic.MayPublish(name) {
		return clientError(why.StepPublish, mqtt.TopicNameInvalid, why.TopicReserved, "clients cannot publish to %s", name)
	}
	return c.authorize(why.StepPublish, "iot:Publish", "topic/"+name)
}

// mayRetain says why this connection may not retain on the route; nil if it may.
func (c *conn) mayRetain(r *route) *ending {
	if r.retain == unknown {
		r.retain = mayNot
		if c.rights.Allows("iot:RetainPublish", "topic/"+r.name) {
			r.retain = mayDo
		}
	}
	switch {
	case topic.IsReserved(r.name):
		return clientError(why.StepPublish, mqtt.TopicNameInvalid, why.TopicReserved, "messages cannot be retained on %s", r.name)
	case r.retain == mayNot:
		return c.authorize(why.StepPublish, "iot:RetainPublish", "topic/"+r.name)
	}
	return nil
}

// authorize asks the connection's rights; a refusal says everything there is to
// say about it.
func (c *conn) authorize(step why.Step, action, resource string) *ending {
	if c.rights.Allows(action, resource) {
		return nil
	}
	return denied(step, action, resource)
}

// denied is a refusal by policy.
func denied(step why.Step, action, resource string) *ending {
	return &ending{
		reason: mqtt.NotAuthorized, disconnect: why.AuthError, cause: why.PolicyImplicitDeny,
		step: step, action: action, resource: resource,
	}
}

// mayReceive asks the receiver's rights about the route's topic, and remembers.
func (t *target) mayReceive(c *conn, name string) bool {
	if t.conn == c && t.gen == c.rights.Generation() {
		return t.allowed
	}
	t.conn, t.gen = c, c.rights.Generation()
	t.allowed = c.rights.Allows("iot:Receive", "topic/"+name)
	return t.allowed
}

// faultSays gives the caller's part of a fault.
func faultSays(err error) why.Phrase {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return why.Say(f.Form, f.Of...)
	}
	return why.Words(err.Error())
}
