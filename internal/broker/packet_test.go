package broker_test

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"thingd/internal/mqtt"
)

// words are one statement taken apart: what stands alone, and what has a key.
type words struct {
	plain  []string
	quoted []bool // of plain
	keys   map[string]string
	used   map[string]bool
}

// split takes a statement apart at its spaces. Quoted text is Go's.
func split(text string) (words, error) {
	w := words{keys: map[string]string{}, used: map[string]bool{}}
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		word, quoted, rest, err := nextWord(text)
		if err != nil {
			return w, err
		}
		text = rest
		key, value, hasKey := strings.Cut(word, "=")
		if hasKey && !quoted {
			if strings.HasPrefix(value, `"`) {
				if value, err = strconv.Unquote(value); err != nil {
					return w, fmt.Errorf("%s: %w", word, err)
				}
			}
			w.keys[key] = value
			continue
		}
		w.plain, w.quoted = append(w.plain, word), append(w.quoted, quoted)
	}
	return w, nil
}

func nextWord(text string) (word string, quoted bool, rest string, err error) {
	if text[0] == '"' {
		raw, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", false, "", fmt.Errorf("%s: %w", text, err)
		}
		word, err = strconv.Unquote(raw)
		return word, true, text[len(raw):], err
	}
	if at := strings.IndexAny(text, " \""); at > 0 && text[at] == '"' && text[at-1] == '=' {
		raw, err := strconv.QuotedPrefix(text[at:])
		return text[:at] + raw, false, text[at+len(raw):], err
	}
	word, rest, _ = strings.Cut(text, " ")
	return word, false, rest, nil
}

// flag says whether a word stands alone somewhere, and takes it out.
func (w *words) flag(name string) bool {
	for i, word := range w.plain {
		if word == name && !w.quoted[i] {
			w.plain = append(w.plain[:i:i], w.plain[i+1:]...)
			w.quoted = append(w.quoted[:i:i], w.quoted[i+1:]...)
			return true
		}
	}
	return false
}

func (w *words) shift() string {
	if len(w.plain) == 0 {
		return ""
	}
	first := w.plain[0]
	w.plain, w.quoted = w.plain[1:], w.quoted[1:]
	return first
}

func (w *words) text(key string) (string, bool) {
	w.used[key] = true
	value, ok := w.keys[key]
	return value, ok
}

func (w *words) number(key string, absent int) int {
	text, ok := w.text(key)
	if !ok {
		return absent
	}
	return number(text)
}

// number reads a decimal or hexadecimal number; the runner reports the panic.
func number(text string) int {
	n, err := strconv.ParseInt(text, 0, 32)
	if err != nil {
		panic(fmt.Sprintf("%q is no number", text))
	}
	return int(n)
}

func (w *words) seconds(key string) mqtt.Optional[time.Duration] {
	text, ok := w.text(key)
	if !ok {
		return mqtt.Optional[time.Duration]{}
	}
	if text == "never" {
		return mqtt.Some(mqtt.NeverExpires)
	}
	return mqtt.Some(time.Duration(number(text)) * time.Second)
}

// unknown gives a key that nobody asked for.
func (w *words) unknown() error {
	for key := range w.keys {
		if !w.used[key] {
			return fmt.Errorf("unknown key %q", key)
		}
	}
	if len(w.plain) > 0 {
		return fmt.Errorf("superfluous: %q", w.plain)
	}
	return nil
}

// packet reads a packet in the words of testdata/README.md.
func packet(name string, w *words) (mqtt.Packet, error) {
	makers := map[string]func(*words) mqtt.Packet{
		"CONNECT": connectPacket, "CONNACK": connackPacket, "PUBLISH": publishPacket,
		"PUBACK":    func(w *words) mqtt.Packet { p := mqtt.Puback(ackPacket(w)); return &p },
		"PUBREC":    func(w *words) mqtt.Packet { p := mqtt.Pubrec(ackPacket(w)); return &p },
		"PUBREL":    func(w *words) mqtt.Packet { p := mqtt.Pubrel(ackPacket(w)); return &p },
		"PUBCOMP":   func(w *words) mqtt.Packet { p := mqtt.Pubcomp(ackPacket(w)); return &p },
		"SUBSCRIBE": subscribePacket, "SUBACK": subackPacket,
		"UNSUBSCRIBE": unsubscribePacket, "UNSUBACK": unsubackPacket,
		"PINGREQ":    func(*words) mqtt.Packet { return &mqtt.Pingreq{} },
		"PINGRESP":   func(*words) mqtt.Packet { return &mqtt.Pingresp{} },
		"DISCONNECT": disconnectPacket,
		"AUTH": func(*words) mqtt.Packet {
			return &mqtt.Auth{Reason: mqtt.Reauthenticate, AuthenticationMethod: mqtt.Some("m")}
		},
		"RAW": rawPacket,
	}
	make, ok := makers[name]
	if !ok {
		return nil, fmt.Errorf("there is no packet %q", name)
	}
	p := make(w)
	return p, w.unknown()
}

// raw is bytes that need not be a packet.
type raw struct {
	mqtt.Pingreq
	bytes []byte
}

func (r *raw) Append(dst []byte, _ mqtt.Version) []byte { return append(dst, r.bytes...) }

func rawPacket(w *words) mqtt.Packet {
	b, err := hex.DecodeString(w.shift())
	if err != nil {
		panic(err.Error())
	}
	return &raw{bytes: b}
}

func connectPacket(w *words) mqtt.Packet {
	id, _ := w.text("id")
	clean, hasClean := w.text("clean")
	p := &mqtt.Connect{
		ClientID: id, CleanStart: !hasClean || clean == "true",
		KeepAlive:                 time.Duration(w.number("keepalive", 0)) * time.Second,
		SessionExpiry:             w.seconds("session-expiry"),
		ReceiveMaximum:            uint16(w.number("receive-max", 0)),
		MaximumPacketSize:         uint32(w.number("max-packet", 0)),
		TopicAliasMaximum:         uint16(w.number("alias-max", 0)),
		RequestProblemInformation: toggleOf(w, "problems"),
	}
	if !p.CleanStart && !p.SessionExpiry.Present {
		p.SessionExpiry = mqtt.Some(time.Hour) // what clean=false means in 3.1.1
	}
	if user, ok := w.text("user"); ok {
		p.Username = mqtt.Some(user)
	}
	if method, ok := w.text("auth"); ok {
		p.AuthenticationMethod = mqtt.Some(method)
	}
	p.Will = willOf(w)
	return p
}

func toggleOf(w *words, key string) mqtt.Optional[bool] {
	if text, ok := w.text(key); ok {
		return mqtt.Some(text == "true")
	}
	return mqtt.Optional[bool]{}
}

func willOf(w *words) *mqtt.Will {
	topic, ok := w.text("will")
	if !ok {
		return nil
	}
	payload, _ := w.text("will-payload")
	retain, _ := w.text("will-retain")
	return &mqtt.Will{
		Topic: topic, Payload: []byte(payload), QoS: mqtt.QoS(w.number("will-qos", 0)), Retain: retain == "true",
		Delay:      w.seconds("will-delay").Value,
		Properties: mqtt.MessageProperties{MessageExpiry: w.seconds("will-expiry")},
	}
}

func connackPacket(w *words) mqtt.Packet {
	present, _ := w.text("present")
	p := &mqtt.Connack{SessionPresent: present == "true", Reason: mqtt.ReasonCode(w.number("reason", 0))}
	p.SessionExpiry = w.seconds("session-expiry")
	p.ServerKeepAlive = w.seconds("keepalive")
	p.AssignedClientID, _ = w.text("assigned")
	return p
}

func publishPacket(w *words) mqtt.Packet {
	p := &mqtt.Publish{
		QoS: mqtt.QoS(w.number("qos", 0)), Retain: w.flag("retain"), Dup: w.flag("dup"),
		TopicAlias: uint16(w.number("alias", 0)),
	}
	if p.QoS > 0 {
		p.PacketID = idOf(w.shift())
	}
	p.Topic = []byte(w.shift())
	p.Payload = []byte(w.shift())
	if size := w.number("size", -1); size >= 0 {
		p.Payload = make([]byte, size)
	}
	p.Properties = propertiesOf(w)
	if ids, ok := w.text("subid"); ok {
		for id := range strings.SplitSeq(ids, ",") {
			p.SubscriptionIDs = append(p.SubscriptionIDs, uint32(number(id)))
		}
	}
	return p
}

// anyID stands for whatever packet identifier comes.
const anyID = 65535

func idOf(text string) uint16 {
	if text == "_" {
		return anyID
	}
	return uint16(number(text))
}

func propertiesOf(w *words) (p mqtt.MessageProperties) {
	p.MessageExpiry = w.seconds("expiry")
	if w.flag("utf8") {
		p.PayloadFormat = mqtt.Some(mqtt.UTF8Data)
	}
	for key, field := range map[string]*[]byte{"type": &p.ContentType, "response": &p.ResponseTopic, "correlation": &p.CorrelationData} {
		if text, ok := w.text(key); ok {
			*field = []byte(text)
		}
	}
	if users, ok := w.text("user"); ok {
		p.UserProperties = userProperties(users)
	}
	return p
}

// userProperties reads name:value,….
func userProperties(text string) (all []mqtt.UserPropertyBytes) {
	for pair := range strings.SplitSeq(text, ",") {
		if name, value, ok := strings.Cut(pair, ":"); ok {
			all = append(all, mqtt.UserPropertyBytes{Name: []byte(name), Value: []byte(value)})
		}
	}
	return all
}

func ackPacket(w *words) mqtt.Ack {
	return mqtt.Ack{PacketID: idOf(w.shift()), Reason: mqtt.ReasonCode(w.number("reason", 0))}
}

// subscribePacket reads filters such as a/+:1:nl:rap:rh2.
func subscribePacket(w *words) mqtt.Packet {
	p := &mqtt.Subscribe{PacketID: idOf(w.shift()), SubscriptionID: uint32(w.number("subid", 0))}
	for len(w.plain) > 0 {
		p.Subscriptions = append(p.Subscriptions, subscription(w.shift()))
	}
	return p
}

func subscription(text string) mqtt.Subscription {
	parts := strings.Split(text, ":")
	s := mqtt.Subscription{Filter: parts[0]}
	for _, option := range parts[1:] {
		switch option {
		case "nl":
			s.NoLocal = true
		case "rap":
			s.RetainAsPublished = true
		case "rh1":
			s.RetainHandling = mqtt.SendRetainedIfNew
		case "rh2":
			s.RetainHandling = mqtt.SendNoRetained
		default:
			s.QoS = mqtt.QoS(number(option))
		}
	}
	return s
}

func subackPacket(w *words) mqtt.Packet {
	p := &mqtt.Suback{PacketID: idOf(w.shift())}
	p.Reasons = reasons(w)
	return p
}

func unsubackPacket(w *words) mqtt.Packet {
	p := &mqtt.Unsuback{PacketID: idOf(w.shift())}
	p.Reasons = reasons(w)
	return p
}

func reasons(w *words) (all []mqtt.ReasonCode) {
	for len(w.plain) > 0 {
		all = append(all, mqtt.ReasonCode(number(w.shift())))
	}
	return all
}

func unsubscribePacket(w *words) mqtt.Packet {
	p := &mqtt.Unsubscribe{PacketID: idOf(w.shift())}
	for len(w.plain) > 0 {
		p.Filters = append(p.Filters, w.shift())
	}
	return p
}

func disconnectPacket(w *words) mqtt.Packet {
	return &mqtt.Disconnect{Reason: mqtt.ReasonCode(w.number("reason", 0)), SessionExpiry: w.seconds("session-expiry")}
}
