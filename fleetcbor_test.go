package thingd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/provisioning"
)

// small is a device with the means of the FreeRTOS demo of fleet provisioning:
// MQTT 3.1.1, CBOR by hand, and fixed buffers, over which it gives up.
type small struct {
	*client
	network int // bytes of a packet
}

const (
	smallCertificate = 2048 // bytes, with the C string's end, as the next
	smallKey         = 2048
	smallToken       = 512
	smallThing       = 128
)

// call subscribes to both answers, asks, and reads the answer.
func (s small) call(t *testing.T, topic string, payload []byte) (accepted bool, answer map[string]any) {
	t.Helper()
	for _, suffix := range []string{"/accepted", "/rejected"} {
		s.subscribe(t, topic+suffix, mqtt.QoS1)
	}
	s.send(t, &mqtt.Publish{Topic: []byte(topic), Payload: payload, QoS: mqtt.QoS1, PacketID: 7})
	var p *mqtt.Publish
	for acked := false; p == nil || !acked; { // in whatever order
		switch packet := s.read(t).(type) {
		case *mqtt.Publish:
			p = packet
		case *mqtt.Puback:
			acked = true
		}
	}
	if p.QoS == mqtt.QoS1 {
		s.send(t, &mqtt.Puback{PacketID: p.PacketID})
	}
	if n := len(p.Append(nil, mqtt.V4)); n > s.network {
		t.Errorf("the answer to %s takes %d bytes; the device's buffer has %d", topic, n, s.network)
	}
	answer, err := readMap(p.Payload)
	must(t, err)
	return string(p.Topic) == topic+"/accepted", answer
}

// readMap reads a map as a small parser does: of definite length, with texts for
// keys, and texts, small numbers and such maps for values.
func readMap(b []byte) (map[string]any, error) {
	value, rest, err := readItem(b)
	m, ok := value.(map[string]any)
	if err != nil || !ok || len(rest) > 0 {
		return nil, fmt.Errorf("%x is not a map alone: %w", b, err)
	}
	return m, nil
}

func readItem(b []byte) (value any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errors.New("it is cut off")
	}
	major, n, b := b[0]>>5, int(b[0]&31), b[1:]
	switch {
	case n == 24 && len(b) >= 1:
		n, b = int(b[0]), b[1:]
	case n == 25 && len(b) >= 2:
		n, b = int(binary.BigEndian.Uint16(b)), b[2:]
	case n >= 24:
		return nil, nil, fmt.Errorf("a length of the kind %d", n)
	}
	switch {
	case major == 0:
		return n, b, nil
	case major == 3 && len(b) >= n:
		return string(b[:n]), b[n:], nil
	case major == 5:
		return readPairs(n, b)
	}
	return nil, nil, fmt.Errorf("an item of type %d", major)
}

func readPairs(n int, b []byte) (any, []byte, error) {
	m := map[string]any{}
	for range n {
		key, rest, err := readItem(b)
		if err != nil {
			return nil, nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, nil, errors.New("a key that is no text")
		}
		if m[name], b, err = readItem(rest); err != nil {
			return nil, nil, err
		}
	}
	return m, b, nil
}

// writeText writes a text, with its length always in two bytes.
func writeText(text string) []byte {
	return append([]byte{3<<5 | 25, byte(len(text) >> 8), byte(len(text))}, text...)
}

// writePairs writes a map of texts. Its length is left open where indefinite is
// said, as some encoders do.
func writePairs(indefinite bool, pairs ...[]byte) (out []byte) {
	head := byte(5<<5 | len(pairs)/2)
	if indefinite {
		head = 5<<5 | 31
	}
	out = append(out, head)
	for _, p := range pairs {
		out = append(out, p...)
	}
	if indefinite {
		out = append(out, 0xff)
	}
	return out
}

func TestSmallDeviceProvisionsItselfInCBOR(t *testing.T) {
	h := start(t)
	_, err := h.provisioning.CreateTemplate(t.Context(), provisioning.NewTemplate{Name: "FleetProvisioningDemoTemplate", Enabled: true, RoleARN: "r", Body: `{
 "Parameters":{"SerialNumber":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Join":["",["FPDemo_",{"Ref":"SerialNumber"}]]}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"Active"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":{"Version":"2012-10-17","Statement":[
   {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"}]}}}}}`})
	must(t, err)
	for _, own := range []bool{true, false} { // who makes the key
		for _, indefinite := range []bool{false, true} {
			t.Run(fmt.Sprintf("own key %v, maps without length %v", own, indefinite), func(t *testing.T) {
				serial := fmt.Sprintf("%v%v", own, indefinite)
				claim := h.device(t, everything)
				s := small{h.connected(t, claim, mqtt.V4, mqtt.Connect{ClientID: "claim-" + serial, CleanStart: true, KeepAlive: time.Minute}), 4096}
				var key any
				topic, payload := "$aws/certificates/create/cbor", []byte(nil)
				if own {
					k, request := signingRequest(t)
					key, s.network = k, 2048
					topic, payload = "$aws/certificates/create-from-csr/cbor", writePairs(indefinite, writeText("certificateSigningRequest"), writeText(request))
				}
				accepted, made := s.call(t, topic, payload)
				if !accepted {
					t.Fatalf("rejected: %v", made)
				}
				certificate, token := made["certificatePem"].(string), made["certificateOwnershipToken"].(string)
				if !own {
					private := made["privateKey"].(string)
					hasRoom(t, "the key", private, smallKey)
					pair, err := tls.X509KeyPair([]byte(certificate), []byte(private))
					must(t, err)
					key = pair.PrivateKey
				}
				hasRoom(t, "the certificate", certificate, smallCertificate)
				hasRoom(t, "the token", token, smallToken)
				hasRoom(t, "the certificate's ID", made["certificateId"].(string), 65)

				provision := "$aws/provisioning-templates/FleetProvisioningDemoTemplate/provision/cbor"
				ask := func(token string) (bool, map[string]any) {
					return s.call(t, provision, writePairs(indefinite, writeText("certificateOwnershipToken"), writeText(token),
						writeText("parameters"), writePairs(indefinite, writeText("SerialNumber"), writeText(serial))))
				}
				if accepted, refused := ask("wrong"); accepted || refused["statusCode"] != 400 || refused["errorCode"] != "InvalidCertificateOwnershipToken" {
					t.Errorf("a wrong token: %v", refused)
				}
				accepted, done := ask(token) // topics that are subscribed again are no harm
				if !accepted || done["thingName"] != "FPDemo_"+serial {
					t.Fatalf("accepted %v: %v", accepted, done)
				}
				hasRoom(t, "the thing's name", done["thingName"].(string), smallThing)
				s.send(t, &mqtt.Disconnect{})

				block, _ := pem.Decode([]byte(certificate))
				me := device{Certificate: tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}}
				h.connected(t, me, mqtt.V4, mqtt.Connect{ClientID: "FPDemo_" + serial, CleanStart: true})
			})
		}
	}
}

// hasRoom checks that a text fits into a C buffer.
func hasRoom(t *testing.T, what, text string, size int) {
	t.Helper()
	if len(text)+1 > size || strings.Contains(text, "\x00") {
		t.Errorf("%s has %d bytes; the device has room for %d", what, len(text), size-1)
	}
}

func signingRequest(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "Fleet Provisioning Demo"}}, key)
	must(t, err)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}
