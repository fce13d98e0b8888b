package iotsql

import (
	"strings"
	"sync"
)

// Message is what a rule sees of a publish.
type Message struct {
	Topic   string // whole, with the $aws/rules/NAME/ prefix of Basic Ingest where there was one
	Payload []byte

	ClientID  string // empty: not published over MQTT
	Principal string // certificate ID, user id, or ROLEID:session; empty: none
	SourceIP  string // empty: made by the service itself
	TraceID   string // a UUID; empty: not published over MQTT

	Properties Properties

	// Variables are the SET variables of the rule's statement, from its Result;
	// the templates of its actions see them as ${@name}.
	Variables Variables

	parsed *parsedPayload
}

// Properties are the MQTT 5 properties of a publish [MQTT5 3.3.2.3]. The zero
// value stands for a publish without any.
type Properties struct {
	UTF8Payload     bool // payload format indicator 1
	ContentType     string
	ResponseTopic   string
	CorrelationData []byte // nil: absent
	User            []UserProperty
}

// UserProperty is one of a publish's user properties; keys may repeat.
type UserProperty struct{ Key, Value string }

// Prepared gives a copy of m that parses its payload once for all rules and
// templates it is given to. It may be used by several goroutines.
func (m Message) Prepared() Message {
	m.parsed = &parsedPayload{}
	return m
}

// parsedPayload remembers the payload as a value, for both rules of numbers.
type parsedPayload struct{ first, second oncePayload }

type oncePayload struct {
	once  sync.Once
	value Value
}

// payload gives the payload as a value: an Object, since 2016-03-23 also an
// Array, and Raw for everything else, single JSON scalars and payloads beyond
// payloadMax included. Of an Object only the members named are sure to be there; nil names are all.
func (m *Message) payload(version Version, names []string) Value {
	if m.parsed == nil {
		return readPayload(string(m.Payload), version, names)
	}
	memory := &m.parsed.second
	if version.isFirst() {
		memory = &m.parsed.first
	}
	memory.once.Do(func() { memory.value = readPayload(string(m.Payload), version, nil) })
	return memory.value
}

func readPayload(payload string, version Version, names []string) Value {
	opening := strings.TrimLeft(payload, " \t\r\n")
	if len(payload) > payloadMax {
		return raw(payload)
	}
	if strings.HasPrefix(opening, "{") || strings.HasPrefix(opening, "[") && !version.isFirst() {
		if v, ok := readMembers(payload, version, names); ok {
			return v
		}
	}
	return raw(payload)
}

// topic is the topic that the function topic() sees: without the prefix of Basic
// Ingest, which is not part of the name.
func (m *Message) topic() string {
	rest, basic := strings.CutPrefix(m.Topic, "$aws/rules/")
	if !basic {
		return m.Topic
	}
	_, rest, _ = strings.Cut(rest, "/")
	return rest
}
