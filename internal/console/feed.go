package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// What one browser may have waiting. More is dropped and counted: a page that
// shows thousands of messages a second shows them to nobody, and a slow browser
// must not hold up the broker.
const (
	feedMessages = 2000    // between two looks; the page keeps as many
	feedBytes    = 2 << 20 // of payload
	feedPause    = 100 * time.Millisecond
	filtersMax   = 16 // of one feed
	feedsMax     = 32 // open at once
	showText     = 16 << 10
	showHex      = 1 << 10 // bytes, each of which takes three characters
)

// feed collects messages for one browser.
type feed struct {
	mu      sync.Mutex
	waiting []arrival
	bytes   int
	dropped int64 // since the start
}

type arrival struct {
	message message.Message
	at      time.Time
}

// put takes a message or counts it as dropped. It never waits.
func (f *feed) put(m message.Message, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= feedMessages || f.bytes+len(m.Payload) > feedBytes {
		f.dropped++
		return
	}
	f.waiting = append(f.waiting, arrival{m, at})
	f.bytes += len(m.Payload)
}

// take gives what waits, and how many were ever dropped.
func (f *feed) take() ([]arrival, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.waiting
	f.waiting, f.bytes = nil, 0
	return all, f.dropped
}

// shown is a message as the page gets it.
type shown struct {
	Topic  string `json:"topic"`
	At     int64  `json:"at"` // milliseconds since 1970
	QoS    uint8  `json:"qos"`
	Retain bool   `json:"retain,omitzero"`
	Client string `json:"client,omitzero"`
	Size   int    `json:"size"` // of the payload, bytes
	Text   string `json:"text"`
	Form   string `json:"form"` // json, text or hex
	Cut    bool   `json:"cut,omitzero"`

	Properties []property `json:"properties,omitzero"` // MQTT 5
}

// property is an MQTT 5 property as the page gets it: its name in the
// specification, or that of a user property.
type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	User  bool   `json:"user,omitzero"`
}

const (
	propertiesMax = 32  // shown of one message
	propertyText  = 256 // bytes shown of each
)

// propertiesOf lists the properties of a message.
func propertiesOf(p *message.Properties) (all []property) {
	if p == nil {
		return nil
	}
	add := func(name string, value []byte, user bool) {
		if len(value) > 0 && len(all) < propertiesMax {
			text, _, _ := readable(value[:min(len(value), propertyText)])
			all = append(all, property{name, text, user})
		}
	}
	add("Content Type", p.ContentType, false)
	add("Response Topic", p.ResponseTopic, false)
	add("Correlation Data", p.CorrelationData, false)
	if p.PayloadFormat.Present && p.PayloadFormat.Value == mqtt.UTF8Data {
		add("Payload Format Indicator", []byte("UTF-8"), false)
	}
	if p.MessageExpiry.Present {
		add("Message Expiry Interval", []byte(p.MessageExpiry.Value.String()), false)
	}
	for _, user := range p.UserProperties {
		add(string(user.Name[:min(len(user.Name), propertyText)]), user.Value, true)
	}
	return all
}

// batch is one event of the stream.
type batch struct {
	Dropped  int64   `json:"dropped"`
	Messages []shown `json:"messages"`
}

func show(a arrival) shown {
	m := a.message
	s := shown{
		Topic: m.Topic, At: a.at.UnixMilli(), QoS: uint8(m.QoS), Retain: m.Retain, Client: m.Origin.ClientID, Size: len(m.Payload),
	}
	s.Text, s.Form, s.Cut = readable(m.Payload)
	s.Properties = propertiesOf(m.Properties)
	return s
}

// readable writes a payload for people: JSON with indents, text as it is, and
// all else in hex.
func readable(payload []byte) (text, form string, cut bool) {
	if !isText(payload) {
		head := payload[:min(len(payload), showHex)]
		return spaced(head), "hex", len(head) < len(payload)
	}
	var out bytes.Buffer
	if len(payload) <= showText && json.Indent(&out, payload, "", "  ") == nil {
		return out.String(), "json", false
	}
	head := payload[:min(len(payload), showText)]
	for len(head) > 0 && !utf8.Valid(head) {
		head = head[:len(head)-1] // the cut went through a character
	}
	return string(head), "text", len(head) < len(payload)
}

func isText(payload []byte) bool {
	if !utf8.Valid(payload) {
		return false
	}
	for _, r := range string(payload) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
	}
	return true
}

// spaced is a hex dump of sixteen bytes a line.
func spaced(payload []byte) string {
	var out bytes.Buffer
	for i := 0; i < len(payload); i++ {
		switch {
		case i > 0 && i%16 == 0:
			out.WriteByte('\n')
		case i > 0:
			out.WriteByte(' ')
		}
		out.WriteString(hex.EncodeToString(payload[i : i+1]))
	}
	return out.String()
}

// checkFilter says whether the visitor may subscribe to a filter.
func (v *visit) checkFilter(filter string) error {
	if err := v.Limits.Topics.CheckFilter(filter); err != nil {
		return err
	}
	if _, _, shared := topic.Share(filter); shared {
		return v.wrong("mqtt.noshare")
	}
	return v.mayIoT("Subscribe", "topicfilter", filter)
}

// tryFilter answers whether stream would take a filter, and why not.
func (v *visit) tryFilter() error {
	if err := v.checkFilter(v.query("filter")); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// stream sends the messages of some filters, all or those of one client, as
// server-sent events until the browser goes away.
func (v *visit) stream() error {
	filters := v.r.URL.Query()["filter"]
	if len(filters) == 0 || len(filters) > filtersMax {
		return v.wrong("mqtt.filters", filtersMax)
	}
	for _, filter := range filters {
		if err := v.checkFilter(filter); err != nil {
			return err
		}
	}
	events, err := v.openEvents()
	if err != nil {
		return err
	}
	defer events.close()
	inbox, only := &feed{}, v.r.URL.Query().Get("client")
	if only == "" {
		v.feedRetained(inbox, filters)
	}
	for i, filter := range filters {
		most := v.grantedQoS(i)
		remove := v.Broker.Handle(filter, func(m message.Message, done message.Done) {
			if only == "" || m.Origin.ClientID == only {
				m.QoS = min(m.QoS, most)
				inbox.put(m, v.Now())
			}
			done(nil)
		})
		defer remove()
	}
	v.pump(events, inbox)
	return nil
}

// grantedQoS is the QoS of the i-th filter: what a message comes at is never above
// it. Without one it is the broker's highest.
func (v *visit) grantedQoS(i int) mqtt.QoS {
	asked := v.r.URL.Query()["qos"]
	if i >= len(asked) {
		return v.Limits.MaxQoS
	}
	n, err := strconv.ParseUint(asked[i], 10, 2)
	if err != nil {
		return v.Limits.MaxQoS
	}
	return min(mqtt.QoS(n), v.Limits.MaxQoS)
}

// feedRetained puts what is retained in front, as a subscription would: where
// the profile gives it to wildcards, for those too.
func (v *visit) feedRetained(inbox *feed, filters []string) {
	for _, filter := range filters {
		if err := v.feedRetainedOf(inbox, filter); err != nil {
			v.Log.Error("console: retained messages could not be read", "error", err)
		}
	}
}

const (
	retainedPage = 500
	retainedMax  = 20_000 // looked at for a filter with wildcards
)

func (v *visit) feedRetainedOf(inbox *feed, filter string) error {
	if !topic.HasWildcard(filter) {
		kept, err := v.Broker.RetainedMessage(v.r.Context(), filter)
		if kept != nil {
			v.feedKept(inbox, *kept)
		}
		return err
	}
	if !v.Limits.RetainWildcards {
		return nil
	}
	after := ""
	for looked := 0; looked < retainedMax; looked += retainedPage {
		page, err := v.Broker.RetainedMessages(v.r.Context(), after, retainedPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, kept := range page {
			if after = kept.Message.Topic; v.Limits.Topics.Match(filter, after) {
				v.feedKept(inbox, kept)
			}
		}
	}
	return nil
}

func (v *visit) feedKept(inbox *feed, kept broker.RetainedMessage) {
	m := kept.Message
	m.Retain = true
	inbox.put(m, v.Now())
}

// pump sends batches. Rights are asked for with every message: policies change
// while a page is open.
func (v *visit) pump(events *events, inbox *feed) {
	rights := v.IAM.Rights(*v.actor, nil)
	var told int64
	for events.next(feedPause) {
		waiting, dropped := inbox.take()
		if len(waiting) == 0 && dropped == told {
			continue
		}
		told = dropped
		out := batch{Dropped: dropped, Messages: []shown{}}
		for _, one := range waiting {
			if rights.Allows("iot:Receive", "topic/"+one.message.Topic) {
				out.Messages = append(out.Messages, show(one))
			}
		}
		if !events.send("messages", out) {
			return
		}
	}
}
