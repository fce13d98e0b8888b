package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"thingd/internal/fault"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// pair makes a self-signed certificate and its key, in PEM.
func pair(t testing.TB) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "c"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}))
}

func valid() Integration {
	in := Integration{ID: "0123456789abcdef", Name: "sakura", Host: "localhost", TLS: true, Prefix: "sakura/hoge", SubscribeTopic: "sakura/down"}
	return in.withDefaults()
}

func TestMistakesAreNamed(t *testing.T) {
	cert, key := pair(t)
	other, otherKey := pair(t)
	encrypted := "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n"
	tests := []struct {
		name   string
		change func(*Integration)
		want   MistakeKind // "": none
	}{
		{"ok/as it stands", func(*Integration) {}, ""},
		{"ok/pasted with listing and CRLF", func(in *Integration) {
			in.RootCA = "Certificate:\n  Data:\n" + strings.ReplaceAll(other+cert, "\n", "\r\n")
			in.Certificate, in.PrivateKey = "\n\n"+cert+"\n\n", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"+key
		}, ""},
		{"ok/an address", func(in *Integration) { in.Host = "2001:db8::1" }, ""},
		{"ok/nothing comes back", func(in *Integration) { in.SubscribeTopic, in.Prefix = "", "" }, ""},
		{"ok/a neighbor of the prefix", func(in *Integration) { in.SubscribeTopic = "sakura/hoge2" }, ""},
		{"ok/above the prefix", func(in *Integration) { in.SubscribeTopic = "sakura" }, ""},
		{"ok/a topic of its own below $aws", func(in *Integration) { in.Prefix = "$aws/rules/r" }, ""},
		{"name/empty", func(in *Integration) { in.Name = "" }, BadName},
		{"name/long", func(in *Integration) { in.Name = strings.Repeat("桜", 129) }, BadName},
		{"name/two lines", func(in *Integration) { in.Name = "a\nb" }, BadName},
		{"host/empty", func(in *Integration) { in.Host = "" }, BadHost},
		{"host/with scheme", func(in *Integration) { in.Host = "mqtts://localhost" }, BadHost},
		{"host/with port", func(in *Integration) { in.Host = "localhost:8883" }, BadHost},
		{"host/with blank", func(in *Integration) { in.Host = "local host" }, BadHost},
		{"port/negative", func(in *Integration) { in.Port = -1 }, BadPort},
		{"port/too high", func(in *Integration) { in.Port = 65536 }, BadPort},
		{"prefix/wildcard", func(in *Integration) { in.Prefix = "sakura/+" }, BadPrefix},
		{"subscribe/wildcard #", func(in *Integration) { in.SubscribeTopic = "sakura/other/#" }, WildcardInTopic},
		{"subscribe/wildcard +", func(in *Integration) { in.SubscribeTopic = "+/down" }, WildcardInTopic},
		{"subscribe/shared", func(in *Integration) { in.SubscribeTopic = "$share/g/a" }, BadSubscribe},
		{"overlap/equal", func(in *Integration) { in.SubscribeTopic = "sakura/hoge" }, Overlap},
		{"overlap/equal with slashes", func(in *Integration) { in.Prefix, in.SubscribeTopic = "sakura/hoge/", "sakura/hoge/" }, Overlap},
		{"overlap/slash on the prefix only", func(in *Integration) { in.Prefix, in.SubscribeTopic = "sakura/hoge//", "sakura/hoge" }, Overlap},
		{"overlap/below", func(in *Integration) { in.SubscribeTopic = "sakura/hoge/u1/down" }, Overlap},
		{"overlap/no prefix", func(in *Integration) { in.Prefix = "" }, Overlap},
		{"root/no PEM", func(in *Integration) { in.RootCA = "MIIB" }, BadRootCA},
		{"root/a key", func(in *Integration) { in.RootCA = key }, BadRootCA},
		{"root/damaged", func(in *Integration) { in.RootCA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }, BadRootCA},
		{"certificate/no PEM", func(in *Integration) { in.Certificate, in.PrivateKey = "x", key }, BadCertificate},
		{"certificate/missing", func(in *Integration) { in.PrivateKey = key }, NoCertificate},
		{"key/missing", func(in *Integration) { in.Certificate = cert }, NoPrivateKey},
		{"key/no PEM", func(in *Integration) { in.Certificate, in.PrivateKey = cert, "x" }, BadPrivateKey},
		{"key/a certificate", func(in *Integration) { in.Certificate, in.PrivateKey = cert, cert }, BadPrivateKey},
		{"key/encrypted", func(in *Integration) { in.Certificate, in.PrivateKey = cert, encrypted }, BadPrivateKey},
		{"key/another's", func(in *Integration) { in.Certificate, in.PrivateKey = cert, otherKey }, KeyMismatch},
		{"login/password alone", func(in *Integration) { in.Password = "x" }, BadLogin},
		{"version/3", func(in *Integration) { in.Version = mqtt.V3 }, BadVersion},
		{"qos/2", func(in *Integration) { in.QoS = mqtt.QoS2 }, BadQoS},
		{"client ID/long", func(in *Integration) { in.ClientID = strings.Repeat("x", 129) }, BadClientID},
		{"keep-alive/short", func(in *Integration) { in.KeepAlive = time.Second }, BadKeepAlive},
		{"local filter/malformed", func(in *Integration) { in.LocalFilter = "a/#/b" }, BadLocalFilter},
		{"local filter/shared", func(in *Integration) { in.LocalFilter = "$share/g/a" }, BadLocalFilter},
		{"local filter/reserved", func(in *Integration) { in.LocalFilter = "$SYS/#" }, BadLocalFilter},
		{"local topic/wildcard", func(in *Integration) { in.LocalTopic = "a/+" }, BadLocalTopic},
		{"local topic/reserved", func(in *Integration) { in.LocalTopic = "$aws/events/x" }, BadLocalTopic},
		{"queue/none", func(in *Integration) { in.QueueMessages = -1 }, BadQueue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := valid()
			test.change(&in)
			err := checks{topic.AWS}.check(&in)
			var got MistakeKind
			if m, ok := errors.AsType[*Mistake](err); ok {
				got = m.Kind
			}
			if got != test.want || (err != nil) != (test.want != "") {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err != nil && !fault.Is(err, fault.CodeInvalidRequest) {
				t.Errorf("%v is no InvalidRequest", err)
			}
		})
	}
}

func TestTopicsOfBothSides(t *testing.T) {
	for _, test := range [][3]string{
		{"sakura/hoge", "u1", "sakura/hoge/u1"}, {"sakura/hoge/", "u1", "sakura/hoge/u1"}, {"a//", "u1", "a/u1"}, {"", "u1", "u1"},
		{"/", "u1", "/u1"}, {"a", "", "a"},
	} {
		if got := join(test[0], test[1]); got != test[2] {
			t.Errorf("join(%q, %q) is %q, want %q", test[0], test[1], got, test[2])
		}
	}
	for _, test := range [][3]string{
		{"modules/+/up", "modules/u1/up", "u1"}, {"sensors/#", "sensors/a/b", "a/b"}, {"+/x/#", "a/x/b", "a/b"}, {"a/b", "a/b", "a/b"},
		{"sensors/#", "sensors", ""}, {"#", "a/b", "a/b"},
	} {
		if got := selected(test[0], test[1]); got != test[2] {
			t.Errorf("selected(%q, %q) is %q, want %q", test[0], test[1], got, test[2])
		}
	}
	for _, test := range []struct{ template, payload, want string }{
		{"modules/{module}/down", `{"module":"u1","type":"channels"}`, "modules/u1/down"},
		{"fixed", "anything", "fixed"},
		{"modules/{module}/down", `{"module":"a/b"}`, ""},
		{"modules/{module}/down", `{"module":"+"}`, ""},
		{"modules/{module}/down", `{"module":""}`, ""},
		{"modules/{module}/down", `{"module":7}`, ""},
		{"modules/{module}/down", `[]`, ""},
		{"modules/{module}/down", "\xff", ""},
	} {
		got, err := expand(test.template, []byte(test.payload))
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("expand(%q, %s) is %q, %v", test.template, test.payload, got, err)
		}
	}
}

// Whatever the settings that pass, nothing that is published comes back.
func TestNothingThatIsPublishedComesBack(t *testing.T) {
	level := rapid.SampledFrom([]string{"", "a", "b", "hoge", "$x"})
	name := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(level, 0, 4).Draw(t, "levels"), "/") })
	rapid.Check(t, func(t *rapid.T) {
		in := valid()
		in.Prefix, in.SubscribeTopic = name.Draw(t, "prefix"), name.Draw(t, "subscribe")
		if (checks{topic.MQTT}).check(&in) != nil {
			return
		}
		if published := join(in.Prefix, name.Draw(t, "rest")); published == in.SubscribeTopic && published != "" {
			t.Fatalf("%q is published below %q and subscribed", published, in.Prefix)
		}
	})
}

// FuzzPasted pastes anything into the fields of the form. What passes is written
// in one form only.
func FuzzPasted(f *testing.F) {
	cert, key := pair(f)
	f.Add("sakura/hoge", "sakura/down", cert, cert, key)
	f.Add("a/", "a", "-----BEGIN X-----\n-----END X-----", "-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, prefix, subscribe, root, certificate, private string) {
		in := valid()
		in.Prefix, in.SubscribeTopic, in.RootCA, in.Certificate, in.PrivateKey = prefix, subscribe, root, certificate, private
		c := checks{topic.AWS}
		if c.check(&in) != nil {
			return
		}
		again := in
		if err := c.check(&again); err != nil {
			t.Fatalf("what passed does not pass again: %v", err)
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Fatalf("the second time (-first +second):\n%s", diff)
		}
		if _, err := clientTLS(in); err != nil {
			t.Fatalf("what passed is no setting of TLS: %v", err)
		}
	})
}

// FuzzDownlink places anything that a far side may send.
func FuzzDownlink(f *testing.F) {
	f.Add("modules/{module}/down", []byte(`{"module":"u1"}`))
	f.Add("{module}", []byte(`{"module":"$aws"}`))
	f.Fuzz(func(t *testing.T, template string, payload []byte) {
		c := checks{topic.AWS}
		if c.checkLocalTopic(strings.ReplaceAll(template, modulePlace, "m")) != nil {
			return
		}
		name, err := expand(template, payload)
		if err != nil {
			return
		}
		if strings.ContainsAny(name, "+#\x00") && !strings.ContainsAny(template, "\x00") {
			t.Fatalf("a wildcard came into %q", name)
		}
	})
}
