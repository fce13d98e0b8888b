package mqtt

import (
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever a packet can say in a version survives the wire.
func TestRoundTrip(t *testing.T) {
	for packet := TypeConnect; packet <= TypeAuth; packet++ {
		t.Run(packet.String(), rapid.MakeCheck(func(t *rapid.T) {
			v := rapid.SampledFrom([]Version{V4, V5}).Draw(t, "version")
			if packet == TypeAuth {
				v = V5
			}
			want := drawPacket(t, packet, v)
			frame := want.Append(nil, v)
			if total, ok, err := Frame(frame, 0); total != len(frame) || !ok || err != nil {
				t.Fatalf("Frame of %d bytes: %d, %t, %v", len(frame), total, ok, err)
			}
			got, err := Decode(v, frame)
			if err != nil {
				t.Fatalf("%x: %v", frame, err)
			}
			if d := diff(want, got); d != "" {
				t.Fatal(d)
			}
		}))
	}
}

// The fast path for many subscribers says what Append says.
func TestFanoutIsAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]Version{V4, V5}).Draw(t, "version")
		p := drawPublish(t, v)
		got := p.Clone().Fanout(v).Append(nil, p.PacketID, p.Dup, p.Retain)
		if want := p.Append(nil, v); string(got) != string(want) || len(want) != p.Size(v) {
			t.Fatalf("got  %x\nwant %x (Size %d)", got, want, p.Size(v))
		}
	})
}

// Decoding into the same Publish leaves nothing of the packet before.
func TestPublishDecodeReuse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var reused Publish
		for range 3 {
			v := rapid.SampledFrom([]Version{V4, V5}).Draw(t, "version")
			want := drawPublish(t, v)
			if err := reused.Decode(v, want.Append(nil, v)); err != nil {
				t.Fatal(err)
			}
			got := reused.Clone()
			got.SubscriptionIDs = append([]uint32(nil), got.SubscriptionIDs...)
			got.Properties.UserProperties = append([]UserPropertyBytes(nil), got.Properties.UserProperties...)
			if d := diff(want, got); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func drawPacket(t *rapid.T, packet PacketType, v Version) Packet {
	five := v == V5
	switch packet {
	case TypeConnect:
		return drawConnect(t, v)
	case TypeConnack:
		return drawConnack(t, v)
	case TypePublish:
		return drawPublish(t, v)
	case TypePuback:
		p := Puback(drawAck(t, packet, five))
		return &p
	case TypePubrec:
		p := Pubrec(drawAck(t, packet, five))
		return &p
	case TypePubrel:
		p := Pubrel(drawAck(t, packet, five))
		return &p
	case TypePubcomp:
		p := Pubcomp(drawAck(t, packet, five))
		return &p
	case TypeSubscribe:
		return drawSubscribe(t, five)
	case TypeSuback:
		return drawSuback(t, five)
	case TypeUnsubscribe:
		return drawUnsubscribe(t, five)
	case TypeUnsuback:
		return drawUnsuback(t, five)
	case TypePingreq:
		return &Pingreq{}
	case TypePingresp:
		return &Pingresp{}
	case TypeDisconnect:
		return drawDisconnect(t, five)
	}
	return drawAuth(t)
}

func drawConnect(t *rapid.T, v Version) *Connect {
	c := &Connect{
		Version: v, ClientID: drawText(t, "client"), CleanStart: drawBool(t, "clean"),
		KeepAlive: drawSeconds(t, maxSeconds16), Username: drawSome(t, "username", drawText),
	}
	if c.Username.Present || v == V5 {
		c.Password = drawBinary(t, "password")
	}
	if drawBool(t, "will") {
		c.Will = drawWill(t, v)
	}
	if v == V5 {
		c.SessionExpiry = drawExpiry(t)
		c.ReceiveMaximum = rapid.Uint16().Draw(t, "receive")
		c.MaximumPacketSize = rapid.Uint32().Draw(t, "size")
		c.TopicAliasMaximum = rapid.Uint16().Draw(t, "aliases")
		c.RequestResponseInformation = drawBool(t, "response")
		c.RequestProblemInformation = drawSome(t, "problem", drawBool)
		c.AuthenticationMethod, c.AuthenticationData = drawMethod(t)
		c.UserProperties = drawUser(t)
	}
	return c
}

func drawWill(t *rapid.T, v Version) *Will {
	w := &Will{
		Topic: drawText(t, "topic"), Payload: append([]byte{}, drawBinary(t, "payload")...),
		QoS: drawQoS(t), Retain: drawBool(t, "retain"),
	}
	if v == V5 {
		w.Delay = drawSeconds(t, maxSeconds32)
		w.Properties = drawMessage(t)
	}
	return w
}

func drawConnack(t *rapid.T, v Version) *Connack {
	if v != V5 {
		return &Connack{Reason: rapid.SampledFrom(connectReturn[:]).Draw(t, "reason")}
	}
	c := &Connack{
		Reason: drawReason(t, TypeConnack), SessionExpiry: drawExpiry(t),
		ReceiveMaximum: rapid.Uint16().Draw(t, "receive"), MaximumPacketSize: rapid.Uint32().Draw(t, "size"),
		MaximumQoS:      drawSome(t, "qos", func(t *rapid.T, _ string) QoS { return min(drawQoS(t), QoS1) }),
		RetainAvailable: drawSome(t, "retain", drawBool), AssignedClientID: drawText(t, "assigned"),
		TopicAliasMaximum:                rapid.Uint16().Draw(t, "aliases"),
		WildcardSubscriptionAvailable:    drawSome(t, "wildcard", drawBool),
		SubscriptionIdentifiersAvailable: drawSome(t, "identifiers", drawBool),
		SharedSubscriptionAvailable:      drawSome(t, "shared", drawBool),
		ServerKeepAlive:                  drawSome(t, "alive", func(t *rapid.T, _ string) time.Duration { return drawSeconds(t, maxSeconds16) }),
		ResponseInformation:              drawText(t, "information"), ServerReference: drawText(t, "reference"),
		ProblemInfo: drawProblem(t),
	}
	c.SessionPresent = c.Reason == Success && drawBool(t, "present")
	c.AuthenticationMethod, c.AuthenticationData = drawMethod(t)
	return c
}

func drawPublish(t *rapid.T, v Version) *Publish {
	p := &Publish{QoS: drawQoS(t), Retain: drawBool(t, "retain"), Payload: drawPayload(t)}
	if p.QoS != QoS0 {
		p.Dup, p.PacketID = drawBool(t, "dup"), drawID(t)
	}
	p.Topic = []byte("t" + drawText(t, "topic"))
	if v == V5 {
		p.Properties = drawMessage(t)
		p.TopicAlias = rapid.Uint16().Draw(t, "alias")
		p.SubscriptionIDs = drawSlice(t, "subscription", func(t *rapid.T, what string) uint32 {
			return rapid.Uint32Range(1, maxVarint).Draw(t, what)
		})
	}
	return p
}

func drawMessage(t *rapid.T) MessageProperties {
	return MessageProperties{
		PayloadFormat: drawSome(t, "format", func(t *rapid.T, what string) PayloadFormat {
			return PayloadFormat(rapid.ByteRange(0, 1).Draw(t, what))
		}),
		MessageExpiry: drawExpiry(t), CorrelationData: drawBinary(t, "correlation"),
		ContentType: []byte(drawText(t, "content")), ResponseTopic: []byte(drawText(t, "response")),
		UserProperties: drawSlice(t, "user", func(t *rapid.T, what string) UserPropertyBytes {
			return UserPropertyBytes{[]byte(drawText(t, what)), []byte(drawText(t, what))}
		}),
	}
}

func drawAck(t *rapid.T, packet PacketType, five bool) Ack {
	a := Ack{PacketID: drawID(t)}
	if five {
		a.Reason, a.ProblemInfo = drawReason(t, packet), drawProblem(t)
	}
	return a
}

func drawSubscribe(t *rapid.T, five bool) *Subscribe {
	s := &Subscribe{PacketID: drawID(t)}
	if five {
		s.SubscriptionID, s.UserProperties = rapid.Uint32Range(0, maxVarint).Draw(t, "id"), drawUser(t)
	}
	for range rapid.IntRange(1, 5).Draw(t, "filters") {
		f := Subscription{Filter: drawText(t, "filter"), QoS: drawQoS(t)}
		if five {
			f.NoLocal, f.RetainAsPublished = drawBool(t, "local"), drawBool(t, "published")
			f.RetainHandling = RetainHandling(rapid.ByteRange(0, 2).Draw(t, "handling"))
		}
		s.Subscriptions = append(s.Subscriptions, f)
	}
	return s
}

func drawSuback(t *rapid.T, five bool) *Suback {
	s := &Suback{PacketID: drawID(t)}
	if five {
		s.ProblemInfo = drawProblem(t)
	}
	for range rapid.IntRange(1, 200).Draw(t, "reasons") {
		r := drawReason(t, TypeSuback)
		if !five && r.Failed() {
			r = UnspecifiedError
		}
		s.Reasons = append(s.Reasons, r)
	}
	return s
}

func drawUnsubscribe(t *rapid.T, five bool) *Unsubscribe {
	u := &Unsubscribe{PacketID: drawID(t)}
	if five {
		u.UserProperties = drawUser(t)
	}
	for range rapid.IntRange(1, 5).Draw(t, "filters") {
		u.Filters = append(u.Filters, drawText(t, "filter"))
	}
	return u
}

func drawUnsuback(t *rapid.T, five bool) *Unsuback {
	u := &Unsuback{PacketID: drawID(t)}
	if five {
		u.ProblemInfo = drawProblem(t)
		for range rapid.IntRange(1, 5).Draw(t, "reasons") {
			u.Reasons = append(u.Reasons, drawReason(t, TypeUnsuback))
		}
	}
	return u
}

func drawDisconnect(t *rapid.T, five bool) *Disconnect {
	if !five {
		return &Disconnect{}
	}
	return &Disconnect{
		Reason: drawReason(t, TypeDisconnect), SessionExpiry: drawExpiry(t),
		ServerReference: drawText(t, "reference"), ProblemInfo: drawProblem(t),
	}
}

func drawAuth(t *rapid.T) *Auth {
	if drawBool(t, "bare") {
		return &Auth{}
	}
	return &Auth{
		Reason: drawReason(t, TypeAuth), AuthenticationMethod: Some(drawText(t, "method")),
		AuthenticationData: drawBinary(t, "data"), ProblemInfo: drawProblem(t),
	}
}

func drawProblem(t *rapid.T) ProblemInfo {
	return ProblemInfo{ReasonString: drawText(t, "reason"), UserProperties: drawUser(t)}
}

func drawMethod(t *rapid.T) (method Optional[string], data []byte) {
	method = drawSome(t, "method", drawText)
	if method.Present {
		data = drawBinary(t, "data")
	}
	return method, data
}

func drawUser(t *rapid.T) []UserProperty {
	return drawSlice(t, "user", func(t *rapid.T, what string) UserProperty {
		return UserProperty{drawText(t, what), drawText(t, what)}
	})
}

func drawReason(t *rapid.T, packet PacketType) ReasonCode {
	return rapid.Custom(func(t *rapid.T) ReasonCode { return ReasonCode(rapid.Byte().Draw(t, "code")) }).
		Filter(func(r ReasonCode) bool { return r.ValidIn(packet) }).Draw(t, "reason")
}

func drawText(t *rapid.T, what string) string {
	characters := rapid.Rune().Filter(func(r rune) bool { return r > 0 && r != '+' && r != '#' && utf8.ValidRune(r) })
	return rapid.StringOfN(characters, 0, 20, -1).Draw(t, what)
}

// drawBinary gives nil, empty or some bytes.
func drawBinary(t *rapid.T, what string) []byte {
	return drawSome(t, what, func(t *rapid.T, what string) []byte {
		return rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(t, what)
	}).Value
}

// drawPayload gives payloads on both sides of the lengths where the remaining
// length grows a byte.
func drawPayload(t *rapid.T) []byte {
	if n := rapid.SampledFrom([]int{0, 1, 50, 120, 127, 130, 16380, 16500}).Draw(t, "payload"); n > 0 {
		return make([]byte, n)
	}
	return nil
}

func drawSlice[T any](t *rapid.T, what string, draw func(*rapid.T, string) T) (out []T) {
	for range rapid.IntRange(0, 3).Draw(t, what+" count") {
		out = append(out, draw(t, what))
	}
	return out
}

func drawSome[T any](t *rapid.T, what string, draw func(*rapid.T, string) T) Optional[T] {
	if !drawBool(t, what+" present") {
		return Optional[T]{}
	}
	return Some(draw(t, what))
}

func drawExpiry(t *rapid.T) Optional[time.Duration] {
	return drawSome(t, "expiry", func(t *rapid.T, _ string) time.Duration { return drawSeconds(t, maxSeconds32) })
}

func drawSeconds(t *rapid.T, limit int64) time.Duration {
	return time.Duration(rapid.Int64Range(0, limit).Draw(t, "seconds")) * time.Second
}

func drawQoS(t *rapid.T) QoS { return QoS(rapid.ByteRange(0, 2).Draw(t, "qos")) }

func drawID(t *rapid.T) uint16 { return rapid.Uint16Range(1, 65535).Draw(t, "id") }

func drawBool(t *rapid.T, what string) bool { return rapid.Bool().Draw(t, what) }
