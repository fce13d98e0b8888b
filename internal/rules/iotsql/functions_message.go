package iotsql

import (
	"encoding/base64"
	"fmt"
	"strings"
)

func messageFunctions() []Function {
	return []Function{
		{
			Name: "topic", Arguments: "[n]", Min: 0, Max: 1, Since: V20151008, Group: GroupEnvironment,
			Doc: "The topic the message was published to, or its nth level, counted from 1. For Basic Ingest both begin " +
				"after $aws/rules/NAME.",
			Examples: []Example{example("topic()", `"plant/7/rpm"`), example("topic(2)", `"7"`), example("topic(9)", "Undefined")},
			code:     topicFunction,
		},
		identity("clientid", "The client ID that published the message; n/a where it did not come over MQTT.", `"dev-7"`, V20151008,
			func(ev *evaluation) string {
				if ev.message.ClientID == "" {
					return "n/a"
				}
				return ev.message.ClientID
			}),
		identity("principal", "Who published the message: a certificate ID, a user id, or ROLEID:session-name; Undefined where nobody did.",
			`"4f0c"`, V20151008, func(ev *evaluation) string { return ev.message.Principal }),
		identity("sourceip", "The address the message came from; Undefined for messages the service made.", `"192.0.2.44"`, V20160323,
			func(ev *evaluation) string { return ev.message.SourceIP }),
		identity("traceid", "The trace ID of the message, a UUID; Undefined where it did not come over MQTT.",
			`"0b6f3a52-93c4-4f3e-8a55-0d5b9f6f6c11"`, V20151008, func(ev *evaluation) string { return ev.message.TraceID }),
		identity("accountid", "The account of the rule's owner, 12 digits.", `"123456789012"`, V20151008,
			func(ev *evaluation) string { return ev.env.AccountID }),
		identity("sql_version", "The awsIotSqlVersion of the rule.", `"2016-03-23"`, V20151008,
			func(ev *evaluation) string { return string(ev.version) }),
		identity("newuuid", "A new random UUID at every call, in small letters.", `"2a2a2a2a-2a2a-4a2a-aa2a-2a2a2a2a2a2a"`, V20151008, newUUID),
		{
			Name: "timestamp", Min: 0, Max: 0, Since: V20151008, Group: GroupEnvironment,
			Doc:      "The milliseconds since 1970 when the message reached the rules engine, the same at every call.",
			Examples: []Example{example("timestamp()", "1700000000123")},
			code:     func(ev *evaluation, _ []Value) Value { return integer(ev.timestamp().UnixMilli()) },
		},
		{
			Name: "get_mqtt_property", Arguments: "name", Min: 1, Max: 1, Since: V20151008, Group: GroupEnvironment,
			Doc: "An MQTT 5 property of the message: content_type, response_topic, correlation_data (in base64) or " +
				"format_indicator (UTF8_DATA or UNSPECIFIED_BYTES). Undefined where the message lacks it.",
			Examples: []Example{
				example("get_mqtt_property('content_type')", `"application/json"`), example("get_mqtt_property('correlation_data')", `"YWJj"`),
				example("get_mqtt_property('format_indicator')", `"UTF8_DATA"`), example("get_mqtt_property('bogus')", "Undefined"),
			},
			code: func(ev *evaluation, args []Value) Value { return property(ev.message.Properties, args[0].Text()) },
		},
		{
			Name: "get_user_properties", Arguments: "[key]", Min: 0, Max: 1, Since: V20151008, Group: GroupEnvironment,
			Doc: "The values of all MQTT 5 user properties with this key, in their order; Undefined where there are none. " +
				"Without a key: every user property as an Object of one member. " +
				"What the type of the publishing thing adds (its propagating attributes) stands behind what the thing sent, whatever version of MQTT it speaks.",
			Examples: []Example{
				example("get_user_properties('tag')", `["a","b"]`), example("get_user_properties()", `[{"site":"oslo"},{"tag":"a"},{"tag":"b"}]`),
				example("get_user_properties('nope')", "Undefined"),
			},
			code: userProperties,
		},
	}
}

// identity is a function without arguments whose empty text is Undefined.
func identity(name, doc, result string, since Version, text func(*evaluation) string) Function {
	return Function{
		Name: name, Since: since, Group: GroupEnvironment, Doc: doc, Examples: []Example{example(name+"()", result)},
		code: func(ev *evaluation, _ []Value) Value {
			if found := text(ev); found != "" {
				return NewString(found)
			}
			return Value{}
		},
	}
}

// topicFunction gives Undefined for levels that are not there (unconfirmed).
func topicFunction(ev *evaluation, args []Value) Value {
	rest := ev.message.topic()
	if len(args) == 0 {
		return NewString(rest)
	}
	n, ok := toIndex(args[0])
	if !ok || n < 1 {
		return Value{}
	}
	for {
		level, below, more := strings.Cut(rest, "/")
		if n--; n == 0 {
			return NewString(level)
		}
		if !more {
			return Value{}
		}
		rest = below
	}
}

// newUUID makes a version 4 UUID (RFC 9562).
func newUUID(ev *evaluation) string {
	high, low := ev.env.random(), ev.env.random()
	high = high&^0xf000 | 0x4000
	low = low&^(0xc<<60) | 0x8<<60
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}

func property(p Properties, name string) Value {
	text := ""
	switch name {
	case "content_type":
		text = p.ContentType
	case "response_topic":
		text = p.ResponseTopic
	case "correlation_data":
		text = base64.StdEncoding.EncodeToString(p.CorrelationData)
	case "format_indicator":
		text = "UNSPECIFIED_BYTES"
		if p.UTF8Payload {
			text = "UTF8_DATA"
		}
	}
	if text == "" {
		return Value{}
	}
	return NewString(text)
}

func userProperties(ev *evaluation, args []Value) Value {
	var found []Value
	for _, p := range ev.message.Properties.User {
		switch {
		case len(args) == 0:
			found = append(found, objectValue(&object{members: []member{{p.Key, NewString(p.Value)}}}))
		case args[0].kind == String && args[0].text == p.Key:
			found = append(found, NewString(p.Value))
		}
	}
	if len(found) == 0 {
		return Value{}
	}
	return ev.array(found)
}
