package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// clientVerbs are what a client does, or hears.
var clientVerbs = map[string]func(p *play, name string, w *words) error{
	">":      (*play).says,
	"<":      (*play).hears,
	"!":      (*play).does,
	"x":      (*play).drops,
	".":      (*play).hearsNothing,
	"takes":  (*play).takes,
	"skips":  (*play).skips,
	"pause":  func(p *play, name string, _ *words) error { p.clients[name].gate.Lock(); return nil },
	"resume": func(p *play, name string, _ *words) error { p.clients[name].gate.Unlock(); return nil },
}

// serverVerbs are what happens in and around the server.
var serverVerbs = map[string]func(p *play, w *words) error{
	"clock":      (*play).moveClock,
	"restart":    func(p *play, _ *words) error { return p.again(p.restart) },
	"crash":      func(p *play, _ *words) error { return p.again(p.crashed) },
	"deny":       func(p *play, w *words) error { return p.permit(w, false) },
	"allow":      func(p *play, w *words) error { return p.permit(w, true) },
	"adds":       (*play).adds,
	"bar":        (*play).bar,
	"lapse":      (*play).lapse,
	"until":      (*play).until,
	"withdraw":   (*play).withdraw,
	"publish":    (*play).publish,
	"event":      (*play).event,
	"journal":    (*play).journal,
	"stored":     (*play).storedSoon,
	"retained":   (*play).retained,
	"shared":     (*play).shared,
	"kept":       (*play).kept,
	"handle":     (*play).handle,
	"handled":    (*play).handled,
	"disconnect": (*play).disconnect,
	"direct":     (*play).direct,
	"store":      (*play).failStore,
}

func (p *play) client(name string) (*client, error) {
	if c := p.clients[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%s is not connected", name)
}

// says sends a packet; a CONNECT on a new connection, unless "again" is said.
func (p *play) says(name string, w *words) error {
	verb := w.shift()
	if verb == "CONNECT" && !w.flag("again") || p.clients[name] == nil {
		p.forget(name)
		version := p.variant.version
		if text, ok := w.text("version"); ok {
			version = mqtt.Version(number(text))
		}
		p.clients[name] = newClient(name, version, p.dial())
	}
	c := p.clients[name]
	packet, err := packet(verb, w)
	if err != nil {
		return err
	}
	return c.send(packet)
}

// forget lets go of a connection that the script is done with; if it is still
// open, it stays so until the end.
func (p *play) forget(name string) {
	if c := p.clients[name]; c != nil {
		delete(p.clients, name)
		p.clients[fmt.Sprintf("%s before %d", name, len(p.clients))] = c
	}
}

// hears expects a packet, or that the server closes.
func (p *play) hears(name string, w *words) error {
	c, err := p.client(name)
	if err != nil {
		return err
	}
	switch verb := w.shift(); verb {
	case "close":
		return p.hearsClose(c, w)
	case "refused":
		return p.hearsRefusal(c, w)
	case "any":
		return p.hearsAny(c, w)
	default:
		terse := verb == "CONNACK" && w.flag("terse")
		want, err := packet(verb, w)
		if err != nil {
			return err
		}
		if terse {
			return p.hearsTerse(c)
		}
		return p.hearsPacket(c, want)
	}
}

func (p *play) hearsPacket(c *client, want mqtt.Packet) error {
	got, err := c.next()
	if err != nil {
		return err
	}
	if ack, ok := want.(*mqtt.Connack); ok {
		p.fillConnack(c, ack, got)
	}
	return compare(c, want, got)
}

// hearsTerse expects a CONNACK that says no more than it must.
func (p *play) hearsTerse(c *client) error {
	got, err := c.next()
	if err != nil {
		return err
	}
	l := &p.limits
	want := &mqtt.Connack{ReceiveMaximum: uint16(l.ReceiveMaximum), MaximumPacketSize: 149504, TopicAliasMaximum: uint16(l.TopicAliases)}
	if l.MaxQoS < mqtt.QoS2 {
		want.MaximumQoS = mqtt.Some(l.MaxQoS)
		want.SubscriptionIdentifiersAvailable = mqtt.Some(false)
	} else {
		want.MaximumPacketSize = uint32(l.PacketBytes)
	}
	return compare(c, want, got)
}

// compare brings what is wanted into the form that the version can say, and
// compares.
func compare(c *client, want, got mqtt.Packet) error {
	if got == nil {
		return fmt.Errorf("%s hears that the connection is closed, wants %s", c.name, show(want))
	}
	wanted, err := mqtt.Decode(c.version, want.Append(nil, c.version))
	if err != nil {
		return fmt.Errorf("what is wanted cannot be said: %w", err)
	}
	if w, ok := wanted.(*mqtt.Publish); ok && w.PacketID == anyID {
		if g, ok := got.(*mqtt.Publish); ok {
			w.PacketID = g.PacketID
		}
	}
	if diff := cmp.Diff(plain(wanted), plain(got)); diff != "" {
		return fmt.Errorf("%s hears (-want +got):\n%s", c.name, diff)
	}
	return nil
}

// plain takes out what scripts do not compare: reason strings are for people, and
// raw bytes are compared in their decoded form.
func plain(p mqtt.Packet) mqtt.Packet {
	switch p := p.(type) {
	case *mqtt.Publish:
		p.RawProperties = nil
		if len(p.Payload) == 0 {
			p.Payload = nil
		}
	case *mqtt.Puback:
		p.ReasonString = ""
	case *mqtt.Pubrec:
		p.ReasonString = ""
	case *mqtt.Disconnect:
		p.ReasonString = ""
	case *mqtt.Connack:
		p.ReasonString = ""
	}
	return p
}

// fillConnack adds to an expected CONNACK what every MQTT 5 client is told.
func (p *play) fillConnack(c *client, want *mqtt.Connack, got mqtt.Packet) {
	heard, ok := got.(*mqtt.Connack)
	if c.version != mqtt.V5 || !ok || want.Reason.Failed() {
		return
	}
	l := &p.limits
	want.ReceiveMaximum = uint16(l.ReceiveMaximum)
	if l.MaxQoS < mqtt.QoS2 {
		want.MaximumQoS = mqtt.Some(l.MaxQoS)
	}
	want.RetainAvailable = mqtt.Some(true)
	want.MaximumPacketSize = 149504
	if p.variant.profile == "mqtt" {
		want.MaximumPacketSize = uint32(l.PacketBytes)
	}
	want.TopicAliasMaximum = uint16(l.TopicAliases)
	want.WildcardSubscriptionAvailable = mqtt.Some(true)
	want.SubscriptionIdentifiersAvailable = mqtt.Some(l.SubscriptionIDs)
	want.SharedSubscriptionAvailable = mqtt.Some(true)
	if !want.ServerKeepAlive.Present { // scripts about it say it
		want.ServerKeepAlive = heard.ServerKeepAlive
	}
	if !want.SessionExpiry.Present {
		want.SessionExpiry = mqtt.Some(c.connect.SessionExpiry.Value)
	}
	if want.AssignedClientID == "any" && strings.HasPrefix(heard.AssignedClientID, "$GEN/") {
		want.AssignedClientID = heard.AssignedClientID
	}
}

// hearsClose expects the end; with a reason, an MQTT 5 client is told it first.
func (p *play) hearsClose(c *client, w *words) error {
	if reason := w.shift(); reason != "" && c.version == mqtt.V5 {
		if err := p.hearsPacket(c, &mqtt.Disconnect{Reason: mqtt.ReasonCode(number(reason))}); err != nil {
			return err
		}
	}
	return c.closed()
}

// hearsRefusal expects that a CONNECT is refused; an MQTT 5 client is told why, and
// where the limits say so others are too.
func (p *play) hearsRefusal(c *client, w *words) error {
	reason := w.shift()
	if c.version == mqtt.V5 || p.limits.ConnackRefusals {
		if err := p.hearsPacket(c, &mqtt.Connack{Reason: mqtt.ReasonCode(number(reason))}); err != nil {
			return err
		}
	}
	return c.closed()
}

// hearsAny expects messages in any order: how many, and topics that are among them.
func (p *play) hearsAny(c *client, w *words) error {
	count := number(w.shift())
	wants := map[string]int{}
	for len(w.plain) > 0 {
		wants[w.shift()]++
	}
	for range count {
		got, err := c.next()
		if err != nil {
			return err
		}
		publish, ok := got.(*mqtt.Publish)
		if !ok {
			return fmt.Errorf("%s hears %s, wants PUBLISH", c.name, show(got))
		}
		wants[string(publish.Topic)]--
	}
	for topic, left := range wants {
		if left > 0 {
			return fmt.Errorf("%d too few to %s", left, topic)
		}
	}
	return nil
}

func (p *play) drops(name string, w *words) error {
	c, err := p.client(name)
	if err != nil {
		return err
	}
	c.drop()
	delete(p.clients, name)
	return errors.Join(p.left(c), w.unknown())
}

func (p *play) hearsNothing(name string, w *words) error {
	c, err := p.client(name)
	if err != nil {
		return err
	}
	return c.barrier()
}

// does runs a whole exchange: the packet and its answer.
func (p *play) does(name string, w *words) error {
	verb := w.shift()
	if verb == "connect" {
		return p.connects(name, w)
	}
	if p.clients[name] == nil {
		if err := p.connects(name, &words{keys: map[string]string{}, used: map[string]bool{}}); err != nil {
			return err
		}
	}
	c := p.clients[name]
	switch verb {
	case "publish":
		return p.publishes(c, w)
	case "subscribe":
		return p.subscribes(c, w)
	case "unsubscribe":
		return p.unsubscribes(c, w)
	case "disconnect":
		return p.disconnects(c, w)
	}
	return fmt.Errorf("nobody knows how to %q", verb)
}

// connects opens a connection; the client ID is the client's name unless it is
// said.
func (p *play) connects(name string, w *words) error {
	present := w.flag("present")
	if _, ok := w.keys["id"]; !ok {
		w.keys["id"] = name
	}
	w.plain = append([]string{"CONNECT"}, w.plain...)
	w.quoted = append([]bool{false}, w.quoted...)
	if err := p.says(name, w); err != nil {
		return err
	}
	got, err := p.clients[name].next()
	if err != nil {
		return err
	}
	ack, ok := got.(*mqtt.Connack)
	if !ok || ack.Reason.Failed() || ack.SessionPresent != present {
		return fmt.Errorf("%s hears %s", name, show(got))
	}
	return nil
}

func (p *play) publishes(c *client, w *words) error {
	id := c.id()
	if w.number("qos", 0) > 0 {
		w.plain = append([]string{fmt.Sprint(id)}, w.plain...)
		w.quoted = append([]bool{false}, w.quoted...)
	}
	packet, err := packet("PUBLISH", w)
	if err != nil {
		return err
	}
	if err := c.send(packet); err != nil {
		return err
	}
	switch packet.(*mqtt.Publish).QoS {
	case mqtt.QoS1:
		return p.hearsPacket(c, &mqtt.Puback{PacketID: id})
	case mqtt.QoS2:
		if err := p.hearsPacket(c, &mqtt.Pubrec{PacketID: id}); err != nil {
			return err
		}
		if err := c.send(&mqtt.Pubrel{PacketID: id}); err != nil {
			return err
		}
		return p.hearsPacket(c, &mqtt.Pubcomp{PacketID: id})
	}
	return c.barrier() // it was read
}

func (p *play) subscribes(c *client, w *words) error {
	id := c.id()
	ask := &mqtt.Subscribe{PacketID: id, SubscriptionID: uint32(w.number("subid", 0))}
	grant := &mqtt.Suback{PacketID: id}
	for len(w.plain) > 0 {
		s := subscription(w.shift())
		ask.Subscriptions = append(ask.Subscriptions, s)
		grant.Reasons = append(grant.Reasons, mqtt.ReasonCode(s.QoS))
	}
	if err := c.send(ask); err != nil {
		return err
	}
	return errors.Join(p.hearsPacket(c, grant), w.unknown())
}

func (p *play) unsubscribes(c *client, w *words) error {
	id := c.id()
	ask := &mqtt.Unsubscribe{PacketID: id}
	for len(w.plain) > 0 {
		ask.Filters = append(ask.Filters, w.shift())
	}
	if err := c.send(ask); err != nil {
		return err
	}
	answer := &mqtt.Unsuback{PacketID: id, Reasons: make([]mqtt.ReasonCode, len(ask.Filters))}
	return errors.Join(p.hearsPacket(c, answer), w.unknown())
}

func (p *play) disconnects(c *client, w *words) error {
	packet, err := packet("DISCONNECT", w)
	if err != nil {
		return err
	}
	if err := c.send(packet); err != nil {
		return err
	}
	delete(p.clients, c.name)
	return errors.Join(c.closed(), p.left(c))
}

// left waits until the broker has let go of a client that has left: what is
// published from then on is not for its connection any more.
func (p *play) left(c *client) error {
	if c.connect == nil || c.connect.ClientID == "" {
		return nil
	}
	id := c.connect.ClientID
	for _, other := range p.clients {
		if other.connect != nil && other.connect.ClientID == id {
			return nil // it was taken over
		}
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(time.Millisecond) {
		if now, found := p.broker.Connection(id); !found || !now.Connected {
			return nil
		}
	}
	return fmt.Errorf("%s is still connected", id)
}

// again ends the broker one way or the other and begins anew. The clients are
// gone.
func (p *play) again(end func()) error {
	end()
	was := map[string]*client{}
	for name, c := range p.clients {
		was["was-"+name] = c
	}
	p.clients = was
	p.watch()
	return nil
}

func (p *play) crashed() {
	p.store.dead.Store(true)
	p.hangUp()
	p.crash()
}

// permit takes a right away from a client, or gives it back.
func (p *play) permit(w *words, allowed bool) error {
	right := strings.Join([]string{w.shift(), w.shift(), w.shift()}, " ")
	p.guard.change(func() { p.guard.denied[right] = !allowed })
	return w.unknown()
}

// adds settles the user properties that the server adds to what a client publishes.
func (p *play) adds(w *words) error {
	id, all := w.shift(), userProperties(w.shift())
	p.guard.change(func() { p.guard.adds[id] = all })
	return w.unknown()
}

func (p *play) bar(w *words) error {
	id := w.shift()
	p.guard.change(func() { p.guard.barred[id] = true })
	return w.unknown()
}

func (p *play) lapse(w *words) error {
	id := w.shift()
	p.guard.change(func() { p.guard.lapsed[id] = true })
	return w.unknown()
}

// until bounds the life of a client's next connection.
func (p *play) until(w *words) error {
	id := w.shift()
	d, err := time.ParseDuration(strings.TrimPrefix(w.shift(), "+"))
	p.guard.change(func() { p.guard.until[id] = p.clock.Now().Add(d) })
	return errors.Join(err, w.unknown())
}

// withdraw takes a client's certificate back.
func (p *play) withdraw(w *words) error {
	p.broker.DropPrincipal("cert-"+w.shift(), why.Say("it was withdrawn"))
	return w.unknown()
}

// publish publishes from inside the server.
func (p *play) publish(w *words) error {
	fails, _ := w.text("fails")
	qos := mqtt.QoS(w.number("qos", 0))
	delete(w.keys, "qos")
	packet, err := packet("PUBLISH", w)
	if err != nil {
		return err
	}
	sent := packet.(*mqtt.Publish)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = message.Publish(ctx, p.broker, message.Message{
		Topic: string(sent.Topic), Payload: sent.Payload, QoS: qos, Retain: sent.Retain,
	})
	return wantFault(fails, err)
}

func wantFault(want string, err error) error {
	if want == "" || err == nil {
		if want != "" {
			return fmt.Errorf("it succeeds, %s was wanted", want)
		}
		return err
	}
	if got := fault.CodeOf(err); string(got) != want {
		return fmt.Errorf("it fails with %s (%w), %s was wanted", got, err, want)
	}
	return nil
}

// event expects the next lifecycle event of a kind about a client.
func (p *play) event(w *words) error {
	kind, id := w.shift(), w.shift()
	family := "presence"
	if strings.HasSuffix(kind, "subscribed") {
		family = "subscriptions"
	}
	m, err := p.events.await("$aws/events/" + family + "/" + kind + "/" + id)
	if err != nil {
		return err
	}
	var got map[string]any
	if err := json.Unmarshal(m.Payload, &got); err != nil {
		return err
	}
	for key := range w.keys {
		want, _ := w.text(key)
		if have := fmt.Sprint(got[key]); have != want {
			return fmt.Errorf("%s is %q in %s", key, have, m.Payload)
		}
	}
	return w.unknown()
}

// journal expects the next entry about a client.
func (p *play) journal(w *words) error {
	id, cause := w.shift(), w.shift()
	e, err := p.told.await(id)
	if err != nil {
		return err
	}
	if string(e.Cause) != cause {
		return fmt.Errorf("the cause is %s: %s", e.Cause, e.Sentence())
	}
	for key, have := range map[string]string{
		"step": string(e.Step), "disconnect": string(e.Disconnect), "action": e.Action, "resource": e.Resource, "detail": e.Detail,
	} {
		if want, ok := w.text(key); ok && have != want {
			return fmt.Errorf("%s is %q in %+v", key, have, e)
		}
	}
	return w.unknown()
}

// storedSoon expects stored before long: what a session becomes at its end is
// written after the last that others hear of it.
func (p *play) storedSoon(w *words) error {
	late := time.Now().Add(patience)
	for {
		err := p.stored(*w)
		if err == nil || time.Now().After(late) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stored expects what the store knows of a session.
func (p *play) stored(w words) error {
	id := w.shift()
	p.flushed()
	var found *broker.StoredSession
	err := p.store.Sessions(context.Background(), func(s broker.StoredSession) {
		if s.ClientID == id {
			found = &s
		}
	})
	if err != nil {
		return err
	}
	if w.flag("no") {
		if found != nil {
			return fmt.Errorf("there is a session: %+v", *found)
		}
		return w.unknown()
	}
	if found == nil {
		return fmt.Errorf("there is no session")
	}
	var filters []string
	for _, s := range found.Subscriptions {
		filters = append(filters, fmt.Sprintf("%s:%d", s.Filter, s.QoS))
	}
	sort.Strings(filters)
	for key, have := range map[string]string{
		"expiry": fmt.Sprint(int(found.Expiry.Seconds())), "queued": fmt.Sprint(found.Queued),
		"filters": strings.Join(filters, ","), "received": fmt.Sprint(found.Received), "away": fmt.Sprint(!found.Left.IsZero()),
	} {
		if want, ok := w.text(key); ok && have != want {
			return fmt.Errorf("%s is %s in %+v", key, have, *found)
		}
	}
	return w.unknown()
}

// shared expects that a group has so many messages in the store.
func (p *play) shared(w *words) error {
	filter, want := w.shift(), number(w.shift())
	p.flushed()
	got := 0
	err := p.store.SharedQueues(context.Background(), func(of string, count int, _ int64) {
		if of == filter {
			got = count
		}
	})
	if got != want {
		return fmt.Errorf("there are %d", got)
	}
	return errors.Join(err, w.unknown())
}

// kept expects so many retained messages in the store.
func (p *play) kept(w *words) error {
	want := number(w.shift())
	p.flushed()
	got, err := p.store.CountRetained(context.Background())
	if err == nil && got != want {
		err = fmt.Errorf("there are %d", got)
	}
	return errors.Join(err, w.unknown())
}

// retained expects a topic's retained message, or none.
func (p *play) retained(w *words) error {
	topic := w.shift()
	none := w.flag("none")
	r, err := p.broker.RetainedMessage(context.Background(), topic)
	if err != nil {
		return err
	}
	if none != (r == nil) {
		return fmt.Errorf("it is %+v", r)
	}
	if payload := w.shift(); r != nil && payload != string(r.Message.Payload) {
		return fmt.Errorf("it is %q", r.Message.Payload)
	}
	return w.unknown()
}

// handle lets a service inside the server take the messages of a filter.
func (p *play) handle(w *words) error {
	filter := w.shift()
	box := &inbox{}
	p.inboxes[filter] = box
	p.broker.Handle(filter, box.handle)
	return w.unknown()
}

func (p *play) handled(w *words) error {
	topic, payload := w.shift(), w.shift()
	for filter, box := range p.inboxes {
		if !p.limits.Topics.Match(filter, topic) {
			continue
		}
		m, err := box.await(topic)
		if err == nil && string(m.Payload) != payload {
			err = fmt.Errorf("the payload is %q", m.Payload)
		}
		return errors.Join(err, hasUserProperties(m, w))
	}
	return fmt.Errorf("nobody handles %s", topic)
}

// hasUserProperties compares those of a message, where the script says which.
func hasUserProperties(m broker.Message, w *words) error {
	text, ok := w.text("user")
	if !ok {
		return nil
	}
	var have []mqtt.UserPropertyBytes
	if m.Properties != nil {
		have = m.Properties.UserProperties
	}
	if diff := cmp.Diff(userProperties(text), have); diff != "" {
		return fmt.Errorf("the user properties (-want +got):\n%s", diff)
	}
	return nil
}

// disconnect calls DeleteConnection.
func (p *play) disconnect(w *words) error {
	fails, _ := w.text("fails")
	id, clean, noWill := w.shift(), w.flag("clean"), w.flag("prevent-will")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(wantFault(fails, p.broker.Disconnect(ctx, id, clean, noWill)), w.unknown())
}

// direct calls SendDirectMessage without confirmation.
func (p *play) direct(w *words) error {
	fails, _ := w.text("fails")
	id, topic, payload := w.shift(), w.shift(), w.shift()
	err := p.broker.SendDirect(context.Background(), id, message.Message{Topic: topic, Payload: []byte(payload)}, broker.NoConfirmation)
	return errors.Join(wantFault(fails, err), w.unknown())
}

// failStore makes the store fail, or work again.
func (p *play) failStore(w *words) error {
	state := w.shift()
	if !slices.Contains([]string{"fails", "hangs", "works"}, state) {
		return fmt.Errorf("a store fails, hangs or works")
	}
	p.store.hang(state == "hangs")
	reads := w.flag("reads")
	p.store.fails.Store(state == "fails" && !reads)
	p.store.unreadable.Store(state == "fails")
	return w.unknown()
}

// takes expects a message at QoS 1 under any identifier, repeated or not, and
// acknowledges it.
func (p *play) takes(name string, w *words) error {
	c, err := p.client(name)
	if err != nil {
		return err
	}
	got, err := c.next()
	if err != nil {
		return err
	}
	topic, payload := w.shift(), w.shift()
	m, ok := got.(*mqtt.Publish)
	if !ok || m.QoS != mqtt.QoS1 || string(m.Topic) != topic || string(m.Payload) != payload {
		return fmt.Errorf("%s hears %s", name, show(got))
	}
	return errors.Join(c.send(&mqtt.Puback{PacketID: m.PacketID}), w.unknown())
}

// skips takes messages to a topic, at least one, until something else comes, which
// is left to be heard.
func (p *play) skips(name string, w *words) error {
	c, err := p.client(name)
	if err != nil {
		return err
	}
	topic := w.shift()
	for n := 0; ; n++ {
		got, err := c.next()
		if err != nil {
			return err
		}
		if m, ok := got.(*mqtt.Publish); ok && string(m.Topic) == topic {
			continue
		}
		c.peeked = got
		if n == 0 {
			return fmt.Errorf("%s hears %s", name, show(got))
		}
		return w.unknown()
	}
}
