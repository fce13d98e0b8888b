package mqtt

import (
	"bytes"
	"testing"
	"time"
)

// The bytes are worked out by hand from the standard. Each row is read in both
// directions.
var packetTests = []struct {
	name    string
	version Version
	packet  Packet
	wire    string
}{
	{"connect/3.1", V3,
		&Connect{Version: V3, ClientID: "lamp", CleanStart: true},
		"10 12 0006 'MQIsdp' 03 02 0000 0004 'lamp'"},
	{"connect/3.1.1 shortest", V4,
		&Connect{Version: V4, ClientID: "lamp", CleanStart: true, KeepAlive: time.Minute},
		"10 10 0004 'MQTT' 04 02 003C 0004 'lamp'"},
	{"connect/3.1.1 without client identifier", V4,
		&Connect{Version: V4},
		"10 0C 0004 'MQTT' 04 00 0000 0000"},
	{"connect/3.1.1 will, user name and password", V4,
		&Connect{
			Version: V4, ClientID: "lamp", Username: Some("u"), Password: []byte("p"),
			Will: &Will{Topic: "w/t", Payload: []byte("off"), QoS: QoS1, Retain: true},
		},
		"10 20 0004 'MQTT' 04 EC 0000 0004 'lamp' 0003 'w/t' 0003 'off' 0001 'u' 0001 'p'"},
	{"connect/3.1.1 SDK metrics as user name alone", V4,
		&Connect{Version: V4, CleanStart: true, Username: Some("?SDK=Python")},
		"10 19 0004 'MQTT' 04 82 0000 0000 000B '?SDK=Python'"},
	{"connect/5.0 shortest", V5,
		&Connect{Version: V5, CleanStart: true, KeepAlive: 1200 * time.Second},
		"10 0D 0004 'MQTT' 05 02 04B0 00 0000"},
	{"connect/5.0 password without user name", V5,
		&Connect{Version: V5, Password: []byte{}},
		"10 0F 0004 'MQTT' 05 40 0000 00 0000 0000"},
	{"connect/5.0 everything", V5,
		&Connect{
			Version: V5, ClientID: "lamp", CleanStart: true, Username: Some(""),
			SessionExpiry: Some(time.Hour), ReceiveMaximum: 100, MaximumPacketSize: 149504,
			TopicAliasMaximum: 8, RequestResponseInformation: true, RequestProblemInformation: Some(false),
			AuthenticationMethod: Some("m"), AuthenticationData: []byte{1, 2},
			UserProperties: []UserProperty{{"k", "v"}},
			Will: &Will{
				Topic: "w/t", Payload: []byte("off"), QoS: QoS1, Delay: 10 * time.Second,
				Properties: MessageProperties{
					PayloadFormat: Some(UTF8Data), MessageExpiry: Some(time.Minute),
					ContentType: []byte("text"), ResponseTopic: []byte("r/t"), CorrelationData: []byte{0xCA, 0xFE},
					UserProperties: []UserPropertyBytes{{[]byte("a"), []byte("b")}},
				},
			},
		},
		`10 67 0004 'MQTT' 05 8E 0000
		 24 11 00000E10 21 0064 27 00024800 22 0008 19 01 17 00 26 0001 'k' 0001 'v' 15 0001 'm' 16 0002 0102
		 0004 'lamp'
		 25 18 0000000A 01 01 02 0000003C 03 0004 'text' 08 0003 'r/t' 09 0002 CAFE 26 0001 'a' 0001 'b'
		 0003 'w/t' 0003 'off' 0000`},
	{"connect/5.0 session that never expires", V5,
		&Connect{Version: V5, SessionExpiry: Some[time.Duration](NeverExpires)},
		"10 12 0004 'MQTT' 05 00 0000 05 11 FFFFFFFF 0000"},

	{"connack/3.1", V3, &Connack{}, "20 02 00 00"},
	{"connack/3.1.1 session present", V4, &Connack{SessionPresent: true}, "20 02 01 00"},
	{"connack/3.1.1 version", V4, &Connack{Reason: UnsupportedProtocolVersion}, "20 02 00 01"},
	{"connack/3.1.1 client identifier", V4, &Connack{Reason: ClientIdentifierNotValid}, "20 02 00 02"},
	{"connack/3.1.1 unavailable", V4, &Connack{Reason: ServerUnavailable}, "20 02 00 03"},
	{"connack/3.1.1 password", V4, &Connack{Reason: BadUserNameOrPassword}, "20 02 00 04"},
	{"connack/3.1.1 not authorized", V4, &Connack{Reason: NotAuthorized}, "20 02 00 05"},
	{"connack/5.0 shortest", V5, &Connack{}, "20 03 00 00 00"},
	{"connack/5.0 everything", V5,
		&Connack{
			SessionPresent: true, SessionExpiry: Some(time.Hour), ReceiveMaximum: 100, MaximumQoS: Some(QoS1),
			RetainAvailable: Some(true), MaximumPacketSize: 149504, AssignedClientID: "id", TopicAliasMaximum: 8,
			WildcardSubscriptionAvailable: Some(true), SubscriptionIdentifiersAvailable: Some(false),
			SharedSubscriptionAvailable: Some(true), ServerKeepAlive: Some(1200 * time.Second),
			ResponseInformation: "i", ServerReference: "s",
			AuthenticationMethod: Some("m"), AuthenticationData: []byte{0xFF},
			ProblemInfo: ProblemInfo{"ok", []UserProperty{{"k", "v"}}},
		},
		`20 41 01 00
		 3E 11 00000E10 21 0064 24 01 25 01 27 00024800 12 0002 'id' 22 0008 1F 0002 'ok' 26 0001 'k' 0001 'v'
		 28 01 29 00 2A 01 13 04B0 1A 0001 'i' 1C 0001 's' 15 0001 'm' 16 0001 FF`},

	{"publish/3.1.1 QoS 0", V4,
		&Publish{Topic: []byte("a/b"), Payload: []byte("honk")},
		"30 09 0003 'a/b' 'honk'"},
	{"publish/3.1.1 QoS 1, DUP and RETAIN", V4,
		&Publish{Dup: true, QoS: QoS1, Retain: true, PacketID: 10, Topic: []byte("a/b"), Payload: []byte("honk")},
		"3B 0B 0003 'a/b' 000A 'honk'"},
	{"publish/3.1.1 QoS 2, no payload", V4,
		&Publish{QoS: QoS2, PacketID: 65535, Topic: []byte("a/b")},
		"34 07 0003 'a/b' FFFF"},
	{"publish/3.1.1 topic that ends in NUL", V4,
		&Publish{Topic: []byte("a/\x00")},
		"30 05 0003 'a/' 00"},
	{"publish/5.0 no properties", V5,
		&Publish{Topic: []byte("a/b"), Payload: []byte("honk")},
		"30 0A 0003 'a/b' 00 'honk'"},
	{"publish/5.0 alias for the topic", V5,
		&Publish{QoS: QoS1, PacketID: 1, Topic: []byte{}, TopicAlias: 1},
		"32 08 0000 0001 03 23 0001"},
	{"publish/5.0 everything", V5,
		&Publish{
			QoS: QoS1, PacketID: 10, Topic: []byte("a/b"), Payload: []byte("hi"),
			TopicAlias: 8, SubscriptionIDs: []uint32{1, 268435455},
			Properties: MessageProperties{
				PayloadFormat: Some(UTF8Data), MessageExpiry: Some(time.Minute),
				ContentType: []byte("text"), ResponseTopic: []byte("r/t"), CorrelationData: []byte{},
				UserProperties: []UserPropertyBytes{{[]byte("k"), []byte("v")}, {[]byte("k"), []byte("")}},
			},
		},
		`32 38 0003 'a/b' 000A
		 2E 23 0008 01 01 02 0000003C 03 0004 'text' 08 0003 'r/t' 09 0000
		 26 0001 'k' 0001 'v' 26 0001 'k' 0000 0B 01 0B FFFFFF7F
		 'hi'`},

	{"puback/3.1.1", V4, &Puback{PacketID: 10}, "40 02 000A"},
	{"pubrec/3.1.1", V4, &Pubrec{PacketID: 10}, "50 02 000A"},
	{"pubrel/3.1.1", V4, &Pubrel{PacketID: 10}, "62 02 000A"},
	{"pubcomp/3.1.1", V4, &Pubcomp{PacketID: 10}, "70 02 000A"},
	{"puback/5.0 success is as short", V5, &Puback{PacketID: 10}, "40 02 000A"},
	{"puback/5.0 reason alone", V5, &Puback{PacketID: 10, Reason: NoMatchingSubscribers}, "40 03 000A 10"},
	{"pubrec/5.0 success", V5, &Pubrec{PacketID: 10}, "50 02 000A"},
	{"pubrel/5.0 reason alone", V5, &Pubrel{PacketID: 10, Reason: PacketIdentifierNotFound}, "62 03 000A 92"},
	{"pubcomp/5.0 success", V5, &Pubcomp{PacketID: 10}, "70 02 000A"},
	{"puback/5.0 everything", V5,
		&Puback{PacketID: 10, Reason: NotAuthorized, ProblemInfo: ProblemInfo{"no", []UserProperty{{"k", "v"}}}},
		"40 10 000A 87 0C 1F 0002 'no' 26 0001 'k' 0001 'v'"},

	{"subscribe/3.1.1", V4,
		&Subscribe{PacketID: 10, Subscriptions: []Subscription{{Filter: "a/+", QoS: QoS1}, {Filter: "b/#"}}},
		"82 0E 000A 0003 'a/+' 01 0003 'b/#' 00"},
	{"subscribe/5.0 everything", V5,
		&Subscribe{
			PacketID: 10, SubscriptionID: 128, UserProperties: []UserProperty{{"k", "v"}},
			Subscriptions: []Subscription{{
				Filter: "a/+", QoS: QoS1, NoLocal: true, RetainAsPublished: true, RetainHandling: SendNoRetained,
			}},
		},
		"82 13 000A 0A 0B 8001 26 0001 'k' 0001 'v' 0003 'a/+' 2D"},
	{"suback/3.1.1", V4,
		&Suback{PacketID: 10, Reasons: []ReasonCode{GrantedQoS1, GrantedQoS0, UnspecifiedError}},
		"90 05 000A 01 00 80"},
	{"suback/5.0", V5,
		&Suback{PacketID: 10, Reasons: []ReasonCode{GrantedQoS2, NotAuthorized}, ProblemInfo: ProblemInfo{ReasonString: "no"}},
		"90 0A 000A 05 1F 0002 'no' 02 87"},

	{"unsubscribe/3.1.1", V4, &Unsubscribe{PacketID: 10, Filters: []string{"a/+", "b"}}, "A2 0A 000A 0003 'a/+' 0001 'b'"},
	{"unsubscribe/5.0", V5,
		&Unsubscribe{PacketID: 10, Filters: []string{"a/+"}, UserProperties: []UserProperty{{"k", "v"}}},
		"A2 0F 000A 07 26 0001 'k' 0001 'v' 0003 'a/+'"},
	{"unsuback/3.1.1", V4, &Unsuback{PacketID: 10}, "B0 02 000A"},
	{"unsuback/5.0", V5,
		&Unsuback{PacketID: 10, Reasons: []ReasonCode{Success, NoSubscriptionExisted}},
		"B0 05 000A 00 00 11"},

	{"pingreq", V4, &Pingreq{}, "C0 00"},
	{"pingreq/5.0", V5, &Pingreq{}, "C0 00"},
	{"pingresp", V4, &Pingresp{}, "D0 00"},
	{"pingresp/5.0", V5, &Pingresp{}, "D0 00"},

	{"disconnect/3.1.1", V4, &Disconnect{}, "E0 00"},
	{"disconnect/5.0 normal", V5, &Disconnect{}, "E0 00"},
	{"disconnect/5.0 reason alone", V5, &Disconnect{Reason: SessionTakenOver}, "E0 01 8E"},
	{"disconnect/5.0 everything", V5,
		&Disconnect{
			Reason: DisconnectWithWill, SessionExpiry: Some[time.Duration](0), ServerReference: "s",
			ProblemInfo: ProblemInfo{ReasonString: "bye"},
		},
		"E0 11 04 0F 11 00000000 1F 0003 'bye' 1C 0001 's'"},

	{"auth/5.0 success", V5, &Auth{}, "F0 00"},
	{"auth/5.0 everything", V5,
		&Auth{
			Reason: ContinueAuthentication, AuthenticationMethod: Some("m"), AuthenticationData: []byte{1, 2},
			ProblemInfo: ProblemInfo{ReasonString: "go", UserProperties: []UserProperty{{"k", "v"}}},
		},
		"F0 17 18 15 15 0001 'm' 16 0002 0102 1F 0002 'go' 26 0001 'k' 0001 'v'"},
}

func TestAppend(t *testing.T) {
	for _, tt := range packetTests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.packet.Append([]byte("before"), tt.version)
			want := append([]byte("before"), wire(t, tt.wire)...)
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range packetTests {
		t.Run(tt.name, func(t *testing.T) {
			frame := wire(t, tt.wire)
			got, err := Decode(tt.version, frame)
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(tt.packet, got); d != "" {
				t.Error(d)
			}
			total, ok, err := Frame(frame, 0)
			if total != len(frame) || !ok || err != nil {
				t.Errorf("Frame: %d, %t, %v; want %d", total, ok, err, len(frame))
			}
		})
	}
}

// Peers may spell out what we leave out.
func TestDecodeLongForms(t *testing.T) {
	tests := []struct {
		name    string
		version Version
		packet  Packet
		wire    string
	}{
		{"ok/reason without properties", V5, &Puback{PacketID: 10}, "40 03 000A 00"},
		{"ok/property length of zero", V5, &Puback{PacketID: 10}, "40 04 000A 00 00"},
		{"ok/normal disconnection with a reason", V5, &Disconnect{}, "E0 01 00"},
		{"ok/normal disconnection with properties", V5, &Disconnect{}, "E0 02 00 00"},
		{"ok/auth success with properties", V5, &Auth{}, "F0 02 00 00"},
		{"ok/empty reason string is as none", V5, &Puback{PacketID: 10}, "40 07 000A 00 03 1F 0000"},
		{"ok/padded remaining length in 3.1.1", V4, &Pingreq{}, "C0 80 00"},
		{"ok/repeat marked in 3.1", V3, &Pubrel{PacketID: 10}, "6A 02 000A"},
		{"ok/return code 7 of AWS", V4, &Connack{Reason: NotAuthorized}, "20 02 00 07"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(tt.version, wire(t, tt.wire))
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(tt.packet, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// What a version cannot say is left out or said less exactly.
func TestAppendToOlderVersions(t *testing.T) {
	tests := []struct {
		name    string
		version Version
		packet  Packet
		wire    string
	}{
		{"publish/properties are dropped", V4, &Publish{Topic: []byte("a"), TopicAlias: 1}, "30 03 0001 'a'"},
		{"publish/no DUP at QoS 0", V5, &Publish{Dup: true, Topic: []byte("a")}, "30 04 0001 'a' 00"},
		{"puback/a refusal is lost", V4, &Puback{PacketID: 1, Reason: NotAuthorized}, "40 02 0001"},
		{"suback/one failure for all", V4, &Suback{PacketID: 1, Reasons: []ReasonCode{NotAuthorized}}, "90 03 0001 80"},
		{"unsuback/no reasons", V4, &Unsuback{PacketID: 1, Reasons: []ReasonCode{Success}}, "B0 02 0001"},
		{"disconnect/no reason", V4, &Disconnect{Reason: ServerShuttingDown}, "E0 00"},
		{"subscribe/QoS alone", V4, &Subscribe{PacketID: 1, Subscriptions: []Subscription{{Filter: "a", QoS: 1, NoLocal: true}}}, "82 06 0001 0001 'a' 01"},
		{"connack/no session in 3.1", V3, &Connack{SessionPresent: true}, "20 02 00 00"},
		{"connack/no session beside a refusal", V5, &Connack{SessionPresent: true, Reason: Banned}, "20 03 00 8A 00"},
		{"connack/quota is unavailable", V4, &Connack{Reason: QuotaExceeded}, "20 02 00 03"},
		{"connack/will QoS is not authorized", V4, &Connack{Reason: QoSNotSupported}, "20 02 00 05"},
		{"connect/keep alive has a ceiling", V4, &Connect{KeepAlive: 100 * time.Hour}, "10 0C 0004 'MQTT' 04 00 FFFF 0000"},
		{"connect/no less than zero", V4, &Connect{KeepAlive: -time.Second}, "10 0C 0004 'MQTT' 04 00 0000 0000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := tt.packet.Append(nil, tt.version), wire(t, tt.wire)
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

// A field too long for the wire is cut between two characters.
func TestAppendCutsLongFields(t *testing.T) {
	long := bytes.Repeat([]byte("é"), 40000) // 80000 bytes, odd offsets inside a character
	for _, v := range []Version{V4, V5} {
		p := &Publish{Topic: append([]byte("ab"), long...)}
		frame := p.Append(nil, v)
		if len(frame) != p.Size(v) {
			t.Errorf("%s: %d bytes, Size says %d", v, len(frame), p.Size(v))
		}
		got, err := Decode(v, frame)
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if n := len(got.(*Publish).Topic); n != 65534 {
			t.Errorf("%s: topic of %d bytes, want 65534", v, n)
		}
	}
}

func TestPublishTrimNUL(t *testing.T) {
	tests := []struct {
		topic, want  string
		trimmed, nul bool // nul: still one inside
	}{
		{"a/b", "a/b", false, false},
		{"a/\x00", "a/", true, false},
		{"a\x00\x00", "a", true, false},
		{"a\x00b", "a\x00b", false, true},
		{"\x00", "", true, false},
	}
	for _, tt := range tests {
		p := Publish{Topic: []byte(tt.topic)}
		trimmed := p.TrimNUL()
		if trimmed != tt.trimmed || string(p.Topic) != tt.want || p.HasNUL() != tt.nul {
			t.Errorf("%q: %t, %q, %t", tt.topic, trimmed, p.Topic, p.HasNUL())
		}
	}
}

// Decode points into the frame; a clone does not.
func TestPublishClone(t *testing.T) {
	frame := wire(t, "30 1F 0003 'a/b' 17 03 0001 't' 09 0001 01 26 0001 'k' 0001 'v' 0B 01 23 0001 'p'")
	frame[1] = byte(len(frame) - 2)
	frame[7] = byte(len(frame) - 9)
	var p, want Publish
	if err := p.Decode(V5, frame); err != nil {
		t.Fatal(err)
	}
	if err := want.Decode(V5, bytes.Clone(frame)); err != nil {
		t.Fatal(err)
	}
	clone := p.Clone()
	clear(frame)
	if d := diff(&want, clone); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(clone.RawProperties, want.RawProperties) || len(want.RawProperties) != 20 {
		t.Errorf("raw properties %x, want %x", clone.RawProperties, want.RawProperties)
	}
	if p.Topic[0] != 0 {
		t.Error("Decode copied the topic; the package comment says it does not")
	}
}

func TestFanout(t *testing.T) {
	message := func(q QoS) *Publish {
		return &Publish{Dup: true, Retain: true, PacketID: 9, QoS: q, Topic: []byte("a/b"), Payload: []byte("honk")}
	}
	tests := []struct {
		name        string
		qos         QoS
		version     Version
		dup, retain bool
		wire        string
	}{
		{"QoS 0 has neither identifier nor DUP", QoS0, V4, true, false, "30 09 0003 'a/b' 'honk'"},
		{"QoS 0 retained", QoS0, V5, false, true, "31 0A 0003 'a/b' 00 'honk'"},
		{"QoS 1", QoS1, V4, false, false, "32 0B 0003 'a/b' 0102 'honk'"},
		{"QoS 1 again", QoS1, V5, true, true, "3B 0C 0003 'a/b' 0102 00 'honk'"},
		{"QoS 2", QoS2, V4, true, false, "3C 0B 0003 'a/b' 0102 'honk'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := message(tt.qos).Fanout(tt.version)
			want := wire(t, tt.wire)
			got := f.Append([]byte("x"), 0x0102, tt.dup, tt.retain)[1:]
			if !bytes.Equal(got, want) || f.Size() != len(want) {
				t.Errorf("got  %x (Size %d)\nwant %x", got, f.Size(), want)
			}
		})
	}
}

// Encoding again leaves nothing of the message before, longer or shorter.
func TestFanoutEncodeReuse(t *testing.T) {
	long := &Publish{QoS: QoS1, PacketID: 1, Topic: []byte("a/b"), Payload: bytes.Repeat([]byte("x"), 300)}
	short := &Publish{Topic: []byte("a"), Payload: []byte("y")}
	var f Fanout
	for _, p := range []*Publish{short, long, short, long} {
		for _, v := range []Version{V4, V5} {
			f.Encode(p, v)
			got, want := f.Append(nil, p.PacketID, false, false), p.Append(nil, v)
			if !bytes.Equal(got, want) || f.Size() != len(want) {
				t.Errorf("%s: got  %x\nwant %x", v, got, want)
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() { f.Encode(long, V5) }); n != 0 {
		t.Errorf("%v allocations to encode again", n)
	}
}
