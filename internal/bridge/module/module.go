// Package module is the language of sakura.io's modules: the JSON that its
// integration services publish for each message of a module, and that they take
// for one. The shape is that of its public specification:
//
//	{"module":"uXXXXXXXXXXX","type":"channels","datetime":"2030-01-01T00:00:00.000000000Z",
//	 "payload":{"channels":[{"channel":0,"type":"I","value":1,"datetime":"2030-01-01T00:00:00.000000000Z"}]}}
//
// There are other types of messages (keepalive, connection, location); nobody
// here needs them.
package module

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
)

// Message is what a module sends or gets.
type Message struct {
	Module   string  `json:"module"`
	Type     string  `json:"type"` // "channels"
	DateTime string  `json:"datetime"`
	Payload  Payload `json:"payload"`
}

// Payload is that of the type "channels".
type Payload struct {
	Channels []Channel `json:"channels"`
}

// Channel is one value.
type Channel struct {
	Channel  int             `json:"channel"` // 0 to 127
	Type     string          `json:"type"`    // see Types
	Value    json.RawMessage `json:"value"`
	DateTime string          `json:"datetime"`
}

// Types are the letters of a channel's type: signed and unsigned integers of 32
// and 64 bits, floating point numbers of 32 and 64, and 8 bytes in hex.
const Types = "iIlLfdb"

// ChannelsMax is how many channels one message holds.
const ChannelsMax = 16

// nanoseconds is how times are written: always nine digits.
const nanoseconds = "2006-01-02T15:04:05.000000000Z"

// Counter as a value stands for the number of the message.
const Counter = "n"

// Value is a channel as people write it: NUMBER:TYPE:VALUE.
type Value struct {
	Channel int
	Type    string
	Text    string
}

// Parse reads channels such as "0:I:1,1:d:20.5,2:b:0123456789abcdef". A value n
// stands for the number of the message.
func Parse(text string) ([]Value, error) {
	var all []Value
	for part := range strings.SplitSeq(text, ",") {
		one, err := parse(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if all = append(all, one); len(all) > ChannelsMax {
			return nil, fault.InvalidRequest("a message has at most %d channels", ChannelsMax)
		}
	}
	return all, nil
}

func parse(text string) (Value, error) {
	number, rest, _ := strings.Cut(text, ":")
	kind, value, ok := strings.Cut(rest, ":")
	channel, err := strconv.ParseUint(number, 10, 7)
	if !ok || err != nil || len(kind) != 1 || !strings.Contains(Types, kind) {
		return Value{}, fault.InvalidRequest("a channel is written NUMBER:TYPE:VALUE, with a number from 0 to 127 and a type of %s, such as 0:I:1", strings.Join(strings.Split(Types, ""), ", "))
	}
	v := Value{int(channel), kind, value}
	_, err = v.json(1)
	return v, err
}

// json writes the value of the nth message.
func (v Value) json(n uint64) (json.RawMessage, error) {
	text := v.Text
	if text == Counter {
		text = strconv.FormatUint(n&math.MaxInt32, 10) // fits every type
		if v.Type == "b" {
			text = strings.Repeat("0", 16-len(text)) + text
		}
	}
	switch v.Type {
	case "i", "l":
		return signed(text, v.Type)
	case "I", "L":
		return unsigned(text, v.Type)
	case "b":
		return eight(text)
	}
	return number(text, v.Type)
}

func bits(kind string) int {
	if strings.Contains("lLd", kind) {
		return 64
	}
	return 32
}

func signed(text, kind string) (json.RawMessage, error) {
	n, err := strconv.ParseInt(text, 10, bits(kind))
	if err != nil {
		return nil, notOf(kind, text)
	}
	return json.Marshal(n)
}

func unsigned(text, kind string) (json.RawMessage, error) {
	n, err := strconv.ParseUint(text, 10, bits(kind))
	if err != nil {
		return nil, notOf(kind, text)
	}
	return json.Marshal(n)
}

func notOf(kind, text string) error {
	return fault.InvalidRequest("%s is no value of type %s", text, kind)
}

func number(text, kind string) (json.RawMessage, error) {
	f, err := strconv.ParseFloat(text, bits(kind))
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, notOf(kind, text)
	}
	return json.Marshal(f)
}

func eight(text string) (json.RawMessage, error) {
	if b, err := hex.DecodeString(text); err != nil || len(b) != 8 {
		return nil, fault.InvalidRequest("a value of type b is 16 hexadecimal digits")
	}
	return json.Marshal(strings.ToLower(text))
}

// Encode writes the nth message of a module.
func Encode(name string, values []Value, n uint64, at time.Time) ([]byte, error) {
	now := at.UTC().Format(nanoseconds)
	m := Message{Module: name, Type: "channels", DateTime: now, Payload: Payload{Channels: []Channel{}}}
	for _, v := range values {
		value, err := v.json(n)
		if err != nil {
			return nil, err
		}
		m.Payload.Channels = append(m.Payload.Channels, Channel{Channel: v.Channel, Type: v.Type, Value: value, DateTime: now})
	}
	return json.Marshal(m)
}

// CheckName says whether a name can be a module's: one level of a topic.
// sakura.io's are a u and eleven characters.
func CheckName(name string) error {
	const nameMax = 128 // bytes
	if name == "" || len(name) > nameMax || strings.ContainsFunc(name, func(r rune) bool {
		return r < '!' || r > '~' || strings.ContainsRune(`/+#$"\`, r)
	}) {
		return fault.InvalidRequest("a module is named with printable ASCII without blanks, slashes and wildcards, such as u01234567890")
	}
	return nil
}
