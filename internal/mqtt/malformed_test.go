package mqtt

import (
	"errors"
	"testing"
)

// Clauses are those of MQTT 5.0, or of 3.1.1 for rows that are 3.1.1 only.
func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name    string
		version Version
		reason  ReasonCode
		wire    string
	}{
		// Every packet.
		{"empty", V4, MalformedPacket, ""},
		{"header cut off", V4, MalformedPacket, "C0"},
		{"type 0 [2.1.2]", V4, MalformedPacket, "00 00"},
		{"no version yet [MQTT-3.1.0-1]", 0, ProtocolError, "C0 00"},
		{"version of the future", 6, ProtocolError, "C0 00"},
		{"PINGREQ flags [MQTT-2.1.3-1]", V4, MalformedPacket, "C1 00"},
		{"PUBREL flags [MQTT-3.6.1-1]", V4, MalformedPacket, "60 02 0001"},
		{"PUBREL marked as a repeat [MQTT-3.6.1-1]", V4, MalformedPacket, "6A 02 0001"},
		{"SUBSCRIBE flags [MQTT-3.8.1-1]", V4, MalformedPacket, "80 06 0001 0001 'a' 00"},
		{"UNSUBSCRIBE flags [MQTT-3.10.1-1]", V5, MalformedPacket, "A0 06 0001 00 0001 'a'"},
		{"remaining length over four bytes [1.5.5]", V4, MalformedPacket, "C0 80808080 01"},
		{"remaining length padded [MQTT-1.5.5-1]", V5, MalformedPacket, "C0 80 00"},
		{"frame shorter than it says", V4, MalformedPacket, "40 02 00"},
		{"frame longer than it says", V4, MalformedPacket, "40 02 0001 00"},
		{"PINGREQ that says something [3.12]", V4, MalformedPacket, "C0 01 00"},
		{"PINGRESP that says something [3.13]", V5, MalformedPacket, "D0 01 00"},

		// CONNECT.
		{"protocol name unknown [MQTT-3.1.2-1]", 0, UnsupportedProtocolVersion, "10 10 0004 'MQTX' 04 02 003C 0004 'lamp'"},
		{"protocol level unknown [MQTT-3.1.2-2]", 0, UnsupportedProtocolVersion, "10 10 0004 'MQTT' 06 02 003C 0004 'lamp'"},
		{"level of a mosquitto bridge [MQTT-3.1.2-2]", 0, UnsupportedProtocolVersion, "10 10 0004 'MQTT' 84 02 003C 0004 'lamp'"},
		{"name and level of different versions", 0, UnsupportedProtocolVersion, "10 12 0006 'MQIsdp' 04 02 0000 0004 'lamp'"},
		{"reserved connect flag [MQTT-3.1.2-3]", 0, MalformedPacket, "10 10 0004 'MQTT' 04 03 003C 0004 'lamp'"},
		{"will QoS without will [MQTT-3.1.2-11]", 0, MalformedPacket, "10 10 0004 'MQTT' 04 0A 003C 0004 'lamp'"},
		{"will retain without will [MQTT-3.1.2-13]", 0, MalformedPacket, "10 10 0004 'MQTT' 04 22 003C 0004 'lamp'"},
		{"will QoS 3 [MQTT-3.1.2-12]", 0, MalformedPacket, "10 16 0004 'MQTT' 04 1E 003C 0004 'lamp' 0001 'w' 0001 'x'"},
		{"password without user name [3.1.1 MQTT-3.1.2-22]", 0, MalformedPacket, "10 13 0004 'MQTT' 04 42 003C 0004 'lamp' 0001 'p'"},
		{"will announced and missing [MQTT-3.1.3-1]", 0, MalformedPacket, "10 10 0004 'MQTT' 04 06 003C 0004 'lamp'"},
		{"user name announced and missing [MQTT-3.1.3-1]", 0, MalformedPacket, "10 10 0004 'MQTT' 04 82 003C 0004 'lamp'"},
		{"user name not announced", 0, MalformedPacket, "10 13 0004 'MQTT' 04 02 003C 0004 'lamp' 0001 'u'"},
		{"client identifier not UTF-8 [MQTT-1.5.4-1]", 0, MalformedPacket, "10 0E 0004 'MQTT' 04 02 003C 0002 C328"},
		{"client identifier with a surrogate [MQTT-1.5.4-1]", 0, MalformedPacket, "10 0F 0004 'MQTT' 04 02 003C 0003 EDA080"},
		{"client identifier with U+0000 [MQTT-1.5.4-2]", 0, MalformedPacket, "10 0E 0004 'MQTT' 04 02 003C 0002 6100"},
		{"will topic with U+0000 [MQTT-1.5.4-2]", 0, MalformedPacket, "10 15 0004 'MQTT' 04 06 003C 0004 'lamp' 0001 00 0000"},
		{"user name with U+0000 [MQTT-1.5.4-2]", 0, MalformedPacket, "10 13 0004 'MQTT' 04 82 003C 0004 'lamp' 0001 00"},
		{"5.0 CONNECT padded [MQTT-1.5.5-1]", 0, MalformedPacket, "10 8D00 0004 'MQTT' 05 02 04B0 00 0000"},
		{"receive maximum 0 [3.1.2.11.3]", 0, ProtocolError, "10 10 0004 'MQTT' 05 02 0000 03 21 0000 0000"},
		{"maximum packet size 0 [3.1.2.11.4]", 0, ProtocolError, "10 12 0004 'MQTT' 05 02 0000 05 27 00000000 0000"},
		{"request problem information 2 [3.1.2.11.7]", 0, ProtocolError, "10 0F 0004 'MQTT' 05 02 0000 02 17 02 0000"},
		{"request response information 2 [3.1.2.11.6]", 0, ProtocolError, "10 0F 0004 'MQTT' 05 02 0000 02 19 02 0000"},
		{"session expiry twice [3.1.2.11.2]", 0, ProtocolError, "10 17 0004 'MQTT' 05 02 0000 0A 11 00000001 11 00000001 0000"},
		{"authentication data without method [3.1.2.11.10]", 0, ProtocolError, "10 11 0004 'MQTT' 05 02 0000 04 16 0001 00 0000"},
		{"will delay beside the will [2.2.2.2]", 0, MalformedPacket, "10 12 0004 'MQTT' 05 02 0000 05 18 00000001 0000"},
		{"topic alias in the will [2.2.2.2]", 0, MalformedPacket, "10 15 0004 'MQTT' 05 06 0000 00 0000 03 23 0001 0001 'w' 0000"},

		// Properties.
		{"property unknown [2.2.2.2]", V5, MalformedPacket, "30 06 0001 'a' 02 7E 00"},
		{"property identifier of two bytes [2.2.2.2]", V5, MalformedPacket, "30 06 0001 'a' 02 81 00"},
		{"property of another packet [2.2.2.2]", V5, MalformedPacket, "30 07 0001 'a' 03 21 0001"},
		{"properties longer than the packet", V5, MalformedPacket, "30 06 0001 'a' 03 01 00"},
		{"property longer than the properties", V5, MalformedPacket, "30 07 0001 'a' 02 23 0001"},
		{"property length padded [MQTT-1.5.5-1]", V5, MalformedPacket, "30 05 0001 'a' 8000"},
		{"property length missing", V5, MalformedPacket, "30 03 0001 'a'"},
		{"property text not UTF-8 [MQTT-1.5.4-1]", V5, MalformedPacket, "30 08 0001 'a' 04 03 0001 FF"},
		{"user property with U+0000 [MQTT-1.5.4-2]", V5, MalformedPacket, "30 0B 0001 'a' 07 26 0001 'k' 0001 00"},

		// PUBLISH.
		{"QoS 3 [MQTT-3.3.1-4]", V4, MalformedPacket, "36 05 0001 'a' 0001"},
		{"DUP at QoS 0 [MQTT-3.3.1-2]", V4, MalformedPacket, "38 03 0001 'a'"},
		{"packet identifier 0 [MQTT-2.2.1-3]", V4, ProtocolError, "32 05 0001 'a' 0000"},
		{"packet identifier missing", V4, MalformedPacket, "32 03 0001 'a'"},
		{"topic longer than the packet", V4, MalformedPacket, "30 03 0002 'a'"},
		{"topic not UTF-8 [MQTT-3.3.2-1]", V4, MalformedPacket, "30 03 0001 FF"},
		{"topic empty [3.1.1 MQTT-4.7.3-1]", V4, MalformedPacket, "30 02 0000"},
		{"neither topic nor alias [3.3.2.1]", V5, ProtocolError, "30 03 0000 00"},
		{"topic alias 0 [MQTT-3.3.2-8]", V5, TopicAliasInvalid, "30 07 0001 'a' 03 23 0000"},
		{"topic alias twice [3.3.2.3.4]", V5, ProtocolError, "30 0A 0001 'a' 06 23 0001 23 0001"},
		{"payload format 2 [3.3.2.3.2]", V5, ProtocolError, "30 06 0001 'a' 02 01 02"},
		{"subscription identifier 0 [3.3.2.3.8]", V5, ProtocolError, "30 06 0001 'a' 02 0B 00"},
		{"response topic with a wildcard [MQTT-3.3.2-14]", V5, ProtocolError, "30 0A 0001 'a' 06 08 0003 'r/+'"},

		// Acknowledgements.
		{"PUBACK of 0 [MQTT-2.2.1-3]", V4, ProtocolError, "40 02 0000"},
		{"PUBACK with a reason in 3.1.1", V4, MalformedPacket, "40 03 0001 00"},
		{"PUBACK reason of SUBACK [MQTT-3.4.2-1]", V5, ProtocolError, "40 03 0001 01"},
		{"PUBREL reason of PUBACK [MQTT-3.6.2-1]", V5, ProtocolError, "62 03 0001 10"},
		{"PUBACK bytes too many", V5, MalformedPacket, "40 05 0001 00 00 00"},
		{"reason string twice [3.4.2.2.2]", V5, ProtocolError, "40 0A 0001 00 06 1F 0000 1F 0000"},

		// SUBSCRIBE and UNSUBSCRIBE.
		{"SUBSCRIBE to nothing [MQTT-3.8.3-2]", V4, ProtocolError, "82 02 0001"},
		{"SUBSCRIBE to nothing [MQTT-3.8.3-2] in 5.0", V5, ProtocolError, "82 03 0001 00"},
		{"SUBSCRIBE with identifier 0 [MQTT-2.2.1-3]", V4, ProtocolError, "82 06 0000 0001 'a' 00"},
		{"SUBSCRIBE without options", V4, MalformedPacket, "82 05 0001 0001 'a'"},
		{"reserved options [3.1.1 MQTT-3-8.3-4]", V4, MalformedPacket, "82 06 0001 0001 'a' 04"},
		{"requested QoS 3 [3.1.1 MQTT-3-8.3-4]", V4, MalformedPacket, "82 06 0001 0001 'a' 03"},
		{"reserved options [MQTT-3.8.3-5]", V5, MalformedPacket, "82 07 0001 00 0001 'a' 40"},
		{"maximum QoS 3 [3.8.3.1]", V5, ProtocolError, "82 07 0001 00 0001 'a' 03"},
		{"retain handling 3 [3.8.3.1]", V5, ProtocolError, "82 07 0001 00 0001 'a' 30"},
		{"no local on a shared subscription [MQTT-3.8.3-4]", V5, ProtocolError, "82 10 0001 00 000A '$share/g/a' 04"},
		{"subscription identifier twice [3.8.2.1.2]", V5, ProtocolError, "82 0B 0001 04 0B 01 0B 02 0001 'a' 00"},
		{"filter with U+0000 [MQTT-1.5.4-2]", V4, MalformedPacket, "82 06 0001 0001 00 00"},
		{"UNSUBSCRIBE from nothing [MQTT-3.10.3-2]", V4, ProtocolError, "A2 02 0001"},
		{"UNSUBSCRIBE filter cut off", V4, MalformedPacket, "A2 05 0001 0002 'a'"},
		{"SUBACK return code 3 [3.1.1 MQTT-3.9.3-2]", V4, ProtocolError, "90 03 0001 03"},
		{"SUBACK return code of 5.0 [3.1.1 MQTT-3.9.3-2]", V4, ProtocolError, "90 03 0001 87"},
		{"SUBACK for nothing", V4, MalformedPacket, "90 02 0001"},
		{"UNSUBACK for nothing", V5, MalformedPacket, "B0 03 0001 00"},
		{"UNSUBACK reasons in 3.1.1", V4, MalformedPacket, "B0 03 0001 00"},

		// CONNACK, DISCONNECT, AUTH.
		{"acknowledge flags [MQTT-3.2.2-1]", V4, MalformedPacket, "20 02 02 00"},
		{"session of a refused connection [MQTT-3.2.2-6]", V4, ProtocolError, "20 02 01 05"},
		{"return code reserved [3.1.1 3.2.2.3]", V4, ProtocolError, "20 02 00 06"},
		{"CONNACK reason of DISCONNECT [MQTT-3.2.2-8]", V5, ProtocolError, "20 03 00 8E 00"},
		{"CONNACK without properties [3.2.2.3]", V5, MalformedPacket, "20 02 00 00"},
		{"maximum QoS 2 [3.2.2.3.4]", V5, ProtocolError, "20 05 00 00 02 24 02"},
		{"DISCONNECT with a reason in 3.1.1", V4, MalformedPacket, "E0 01 00"},
		{"DISCONNECT reason of CONNACK [MQTT-3.14.2-1]", V5, ProtocolError, "E0 01 84"},
		{"AUTH in 3.1.1 [3.1.1 2.2.1]", V4, MalformedPacket, "F0 00"},
		{"AUTH without method [3.15.2.2.2]", V5, ProtocolError, "F0 02 18 00"},
		{"AUTH reason of CONNACK [MQTT-3.15.2-1]", V5, ProtocolError, "F0 06 8C 04 15 0001 'm'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(tt.version, wire(t, tt.wire))
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if refusal.Reason != tt.reason {
				t.Errorf("reason %v, want %v", err, tt.reason)
			}
		})
	}
}

// A broker answers in the version the packet announced, if it did.
func TestConnectVersionAfterError(t *testing.T) {
	tests := []struct {
		name string
		want Version
		wire string
	}{
		{"5.0 and then nonsense", V5, "10 0D 0004 'MQTT' 05 03 04B0 00 0000"},
		{"unknown level", 0, "10 10 0004 'MQTT' 06 02 003C 0004 'lamp'"},
		{"cut off", 0, "10 04 0004 'MQ'"},
	}
	for _, tt := range tests {
		var c Connect
		if err := c.Decode(0, wire(t, tt.wire)); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		if c.Version != tt.want {
			t.Errorf("%s: version %s, want %s", tt.name, c.Version, tt.want)
		}
	}
}

func TestFrame(t *testing.T) {
	tests := []struct {
		name   string
		wire   string
		limit  int
		total  int
		ok     bool
		reason ReasonCode // Success is no error
	}{
		{"more/nothing yet", "", 0, 0, false, Success},
		{"more/first byte alone", "30", 0, 0, false, Success},
		{"more/length cut off", "30 80", 0, 0, false, Success},
		{"ok/payload still to come", "30 7F 00", 0, 129, true, Success},
		{"ok/first of two", "C0 00 C0 00", 0, 2, true, Success},
		{"ok/longest there is", "30 FFFFFF7F", 0, MaxFrame, true, Success},
		{"ok/at the limit", "30 7F", 129, 129, true, Success},
		{"ok/repeat in 3.1", "6A 02", 0, 4, true, Success},
		{"refused/over the limit", "30 7F", 128, 0, false, PacketTooLarge},
		{"refused/length without end", "30 FFFFFFFF", 0, 0, false, MalformedPacket},
		{"refused/type 0", "00", 0, 0, false, MalformedPacket},
		{"refused/QoS 3", "36", 0, 0, false, MalformedPacket},
		{"refused/an HTTP request", "'GET'", 0, 0, false, MalformedPacket},
		{"refused/a TLS hello", "16", 0, 0, false, MalformedPacket},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			total, ok, err := Frame(wire(t, tt.wire), tt.limit)
			var reason ReasonCode
			if refusal := (*Error)(nil); errors.As(err, &refusal) {
				reason = refusal.Reason
			}
			if total != tt.total || ok != tt.ok || reason != tt.reason {
				t.Errorf("got %d, %t, %v", total, ok, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ got, want string }{
		{NotAuthorized.String(), "Not authorized"},
		{ReasonCode(0x7F).String(), "ReasonCode(0x7F)"},
		{TypePublish.String(), "PUBLISH"},
		{PacketType(99).String(), "PacketType(99)"},
		{V4.String(), "3.1.1"},
		{Version(9).String(), "Version(9)"},
		{PropTopicAlias.String(), "Topic Alias"},
		{PropertyID(0xFF).String(), "PropertyID(0xFF)"},
		{PropertyID(0x04).String(), "PropertyID(0x04)"},
		{(&Error{TopicAliasInvalid, "Topic Alias is 0"}).Error(), "Topic Alias invalid: Topic Alias is 0"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
