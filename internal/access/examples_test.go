package access_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/netip"
	"strings"
	"testing"

	"crypto/ecdsa"
	"crypto/elliptic"

	"thingd/internal/access"
	"thingd/internal/policy"
	"thingd/internal/registry"
)

// The requests of the worked examples, as action and resource.
var verbs = map[string][2]string{
	"CONNECT":   {"iot:Connect", "client/"},
	"PUBLISH":   {"iot:Publish", "topic/"},
	"RETAIN":    {"iot:RetainPublish", "topic/"},
	"SUBSCRIBE": {"iot:Subscribe", "topicfilter/"},
	"RECEIVE":   {"iot:Receive", "topic/"},
	"SHADOW":    {"iot:GetThingShadow", "thing/"},
	"ASSUME":    {"iot:AssumeRoleWithCertificate", "rolealias/"},
}

// letters are the results of the examples.
var letters = map[policy.Outcome]string{policy.Allowed: "A", policy.ImplicitDeny: "I", policy.ExplicitDeny: "X"}

// check asks a subject each request, "VERB name", and compares with its letter.
// Every form of the question must give the same answer, asked once or again.
func check(t *testing.T, s *access.Subject, requests map[string]string) {
	t.Helper()
	for request, want := range requests {
		verb, name, _ := strings.Cut(request, " ")
		action, kind := verbs[verb][0], verbs[verb][1]
		if got := letters[s.Explain(action, kind+name).Decision.Outcome]; got != want {
			t.Errorf("%s is %s, want %s", request, got, want)
		}
		allowed := want == "A"
		for range 2 {
			if s.Allows(action, kind+name) != allowed || s.AllowsNamed(action, kind, name) != allowed || s.Allows(action, iotARN(kind+name)) != allowed {
				t.Errorf("%s is not allowed=%v in every form", request, allowed)
			}
		}
	}
}

func TestExampleFixedClient(t *testing.T) {
	b := newBench(t)
	b.attach("e1", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:111122223333:client/lamp-7"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:us-east-1:111122223333:topic/t/lamp-7/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:111122223333:topicfilter/t/lamp-7/*"}]}`, c1)
	check(t, b.open(c1, "lamp-7"), map[string]string{
		"CONNECT lamp-7": "A", "CONNECT lamp-70": "I",
		"PUBLISH t/lamp-7/x": "A", "PUBLISH t/lamp-7/x/y": "A", "PUBLISH t/lamp-7": "I", "RETAIN t/lamp-7/x": "I",
		"SUBSCRIBE t/lamp-7/#": "A", "SUBSCRIBE t/lamp-7/+/y": "A", "SUBSCRIBE t/lamp-7/": "A",
		"SUBSCRIBE t/+/x": "I", "SUBSCRIBE $share/g/t/lamp-7/x": "I",
		"RECEIVE t/lamp-7/x": "A", "RECEIVE t/lamp-8/x": "I",
	})
	check(t, b.open(c2, "lamp-7"), map[string]string{"CONNECT lamp-7": "I"})
}

func TestExampleThingVariable(t *testing.T) {
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"},
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/t/${iot:Connection.Thing.ThingName}"}]}`
	t.Run("not exclusive", func(t *testing.T) {
		b := newBench(t).withLamp(false)
		b.attach("e2", document, c1, c2)
		_, err := b.things.CreateThing(b.ctx, registry.NewThing{Name: "lamp-8"})
		b.ok(err)
		check(t, b.open(c1, "lamp-7"), map[string]string{"CONNECT lamp-7": "A", "PUBLISH t/lamp-7": "A", "PUBLISH t/lamp-8": "I"})
		check(t, b.open(c1, "lamp-8"), map[string]string{"CONNECT lamp-8": "I"})
		check(t, b.open(c1, "Lamp-7"), map[string]string{"CONNECT Lamp-7": "I", "CONNECT lamp-7": "I"})
		check(t, b.open(c2, "lamp-7"), map[string]string{"CONNECT lamp-7": "I"})
		http := b.connect(access.Connection{Principal: byCertificate(c1)})
		check(t, http, map[string]string{"PUBLISH t/lamp-7": "I"})
		same(t, "", http.ThingName())
	})
	t.Run("exclusive", func(t *testing.T) {
		b := newBench(t).withLamp(true)
		b.attach("e2", document, c1)
		s := b.open(c1, "abc")
		check(t, s, map[string]string{"CONNECT abc": "I", "PUBLISH t/lamp-7": "A"})
		same(t, "lamp-7", s.ThingName())
	})
	t.Run("credentials", func(t *testing.T) {
		b := newBench(t).withLamp(false)
		same(t, "lamp-7", b.connect(access.Connection{Principal: byCertificate(c1), ThingName: "lamp-7"}).ThingName())
		same(t, "", b.connect(access.Connection{Principal: byCertificate(c2), ThingName: "lamp-7"}).ThingName())
		same(t, "", b.connect(access.Connection{Principal: byCertificate(c1), ThingName: "lamp-8"}).ThingName())
	})
}

func TestExampleIsAttached(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.attach("e3", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*",
		"Condition":{"Bool":{"iot:Connection.Thing.IsAttached":["true"]}}}]}`, c1, c2)
	check(t, b.open(c1, "lamp-7"), map[string]string{"CONNECT lamp-7": "A"})
	check(t, b.open(c1, "other"), map[string]string{"CONNECT other": "I"})
	check(t, b.open(c2, "lamp-7"), map[string]string{"CONNECT lamp-7": "I"})
}

func TestExampleDenyWins(t *testing.T) {
	b := newBench(t)
	b.attach("e4", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:111122223333:topicfilter/a/*"},
		{"Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:111122223333:topicfilter/a/secret/*"},
		{"Effect":"Allow","Action":"iot:Receive","NotResource":"arn:aws:iot:us-east-1:111122223333:topic/a/secret/*"}]}`, c1)
	check(t, b.open(c1, "x"), map[string]string{
		"SUBSCRIBE a/b": "A", "SUBSCRIBE a/secret/x": "X", "SUBSCRIBE a/secret/#": "X", "SUBSCRIBE a/#": "A", "SUBSCRIBE a/+/x": "A",
		"RECEIVE a/b": "A", "RECEIVE a/secret/x": "I", "PUBLISH a/b": "I",
	})
}

func TestExampleCertificateAttributes(t *testing.T) {
	b := newBench(t)
	b.attach("e5", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/admin/*",
		 "Condition":{"ForAnyValue:StringEquals":{"iot:Certificate.Subject.CommonName.List":"Administrator"}}},
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/ou/${iot:Certificate.Subject.OrganizationalUnit.1}/*"}]}`, c1)
	for subject, requests := range map[string]map[string]string{
		"CN=Administrator":        {"PUBLISH admin/x": "A"},
		"CN=dev CN=Administrator": {"PUBLISH admin/x": "A"},
		"CN=dev":                  {"PUBLISH admin/x": "I"},
		"OU=one OU=two":           {"PUBLISH ou/two/x": "A", "PUBLISH ou/one/x": "I"},
		"OU=one":                  {"PUBLISH ou/one/x": "I"},
		"OU=one OU=a*b":           {"PUBLISH ou/a*b/x": "I"},
	} {
		t.Run(subject, func(t *testing.T) {
			p := byCertificate(c1)
			p.Certificate = certificateOf(t, subject)
			check(t, b.connect(access.Connection{Principal: p, MQTT: true, ClientID: "x"}), requests)
		})
	}
}

// certificateOf makes a certificate with the subject "CN=a OU=b".
func certificateOf(t *testing.T, subject string, extensions ...pkix.Extension) *x509.Certificate {
	t.Helper()
	ids := map[string]asn1.ObjectIdentifier{"CN": {2, 5, 4, 3}, "OU": {2, 5, 4, 11}}
	var name pkix.Name
	for _, pair := range strings.Fields(subject) {
		key, value, _ := strings.Cut(pair, "=")
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{Type: ids[key], Value: value})
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(0xabc), Subject: name, ExtraExtensions: extensions}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestExampleSourceAndDomain(t *testing.T) {
	b := newBench(t)
	b.attach("e6", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*",
		"Condition":{"IpAddress":{"aws:SourceIp":["198.51.100.0/24"]},"StringEquals":{"iot:DomainName":"broker.thingd.test"}}}]}`, c1)
	for _, test := range []struct{ source, server, want string }{
		{"198.51.100.9", "broker.thingd.test", "A"},
		{"::ffff:198.51.100.9", "broker.thingd.test", "A"},
		{"198.51.100.9", "other.thingd.test", "I"},
		{"198.51.100.9", "", "I"},
		{"203.0.113.1", "broker.thingd.test", "I"},
	} {
		p := byCertificate(c1)
		p.SourceIP, p.ServerName = netip.MustParseAddr(test.source), test.server
		check(t, b.connect(access.Connection{Principal: p, MQTT: true, ClientID: "x"}), map[string]string{"CONNECT x": test.want})
	}
}

func TestExampleThingGroup(t *testing.T) {
	b := newBench(t).withLamp(false)
	_, err := b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "site"})
	b.ok(err)
	_, err = b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "north", Parent: "site"})
	b.ok(err)
	b.ok(b.things.AddThingToThingGroup(b.ctx, "lamp-7", "north"))
	b.attach("connect", allow("iot:Connect", "*"), c1)
	b.attach("P-north", allow("iot:Publish", iotARN("topic/north/*")), scope.IoT("thinggroup", "north"))
	b.attach("P-all", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"`+iotARN("topic/*/forbidden")+`"}]}`,
		scope.IoT("thinggroup", "site"))
	s := b.open(c1, "lamp-7")
	check(t, s, map[string]string{"PUBLISH north/x": "A", "PUBLISH north/forbidden": "X", "PUBLISH south/x": "I"})
	check(t, b.open(c1, "other"), map[string]string{"PUBLISH north/x": "I", "CONNECT other": "A"})
	b.ok(b.things.RemoveThingFromThingGroup(b.ctx, "lamp-7", "north"))
	check(t, s, map[string]string{"PUBLISH north/x": "I", "CONNECT lamp-7": "A"})
}

func TestExampleWillAndRetain(t *testing.T) {
	b := newBench(t)
	b.attach("e8", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"`+iotARN("client/*")+`"},
		{"Effect":"Allow","Action":"iot:Publish","Resource":["`+iotARN("topic/w")+`","`+iotARN("topic/keep")+`"]},
		{"Effect":"Allow","Action":"iot:RetainPublish","Resource":"`+iotARN("topic/keep")+`"}]}`, c1)
	check(t, b.open(c1, "x"), map[string]string{
		"CONNECT x": "A", "PUBLISH w": "A", "RETAIN w": "I", "PUBLISH keep": "A", "RETAIN keep": "A", "PUBLISH z": "I",
	})
}

func TestExampleWrongResourceTypes(t *testing.T) {
	b := newBench(t)
	b.attach("e9", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+iotARN("topic/a/*")+`"},
		{"Effect":"Allow","Action":["iot:Receive","iot:Publish"],"Resource":"`+iotARN("topicfilter/a/*")+`"}]}`, c1)
	check(t, b.open(c1, "x"), map[string]string{"SUBSCRIBE a/b": "I", "RECEIVE a/b": "I", "PUBLISH a/b": "I"})
}

func TestExampleShadowAndJobs(t *testing.T) {
	b := newBench(t).withLamp(false)
	shadow := "/$aws/things/lamp-7/shadow/*"
	b.attach("e10", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"`+iotARN("topic"+shadow)+`"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+iotARN("topicfilter"+shadow)+`"},{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`, c1)
	check(t, b.open(c1, "lamp-7"), map[string]string{
		"PUBLISH $aws/things/lamp-7/shadow/update": "A", "PUBLISH $aws/things/lamp-8/shadow/update": "I",
		"SUBSCRIBE $aws/things/lamp-7/shadow/update/+": "A", "SUBSCRIBE $aws/things/+/shadow/update": "I",
		"SHADOW lamp-7": "I", "PUBLISH $aws/things/lamp-7/jobs/get": "I",
	})
}

func TestExampleRoleAlias(t *testing.T) {
	b := newBench(t)
	b.attach("e11", allow("iot:AssumeRoleWithCertificate", iotARN("rolealias/uploader")), c1)
	check(t, b.connect(access.Connection{Principal: byCertificate(c1)}), map[string]string{"ASSUME uploader": "A", "ASSUME admin": "I"})
}

func TestExampleStatementForms(t *testing.T) {
	b := newBench(t)
	b.attach("e12", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, c1)
	s := b.open(c1, "x")
	everything := map[string]string{"CONNECT x": "A", "PUBLISH x": "A", "RETAIN x": "A", "SUBSCRIBE #": "A", "RECEIVE y": "A", "SHADOW z": "A", "ASSUME r": "A"}
	check(t, s, everything)
	b.attach("deny", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:Publish","Resource":"`+iotARN("topic/x")+`"}}`, c1)
	check(t, s, map[string]string{"PUBLISH x": "X", "PUBLISH y": "A"})
	_, err := b.CreatePolicy(b.ctx, "empty", `{"Version":"2012-10-17","Statement":[]}`, nil)
	if err == nil {
		t.Error("an empty Statement is taken")
	}
}

func TestVariables(t *testing.T) {
	b := newBench(t).withLamp(false)
	directory, err := asn1.Marshal(pkix.Name{CommonName: "a,b", Organization: []string{"o=1"}}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	names, err := asn1.Marshal([]asn1.RawValue{
		{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("one.test")},
		{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("two.test")},
		{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: directory},
		{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: []byte{192, 0, 2, 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := byCertificate(c1)
	p.Certificate = certificateOf(t, "CN=dev", pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names})
	p.SourceIP = netip.MustParseAddr("198.51.100.9")
	s := b.connect(access.Connection{Principal: p, MQTT: true, ClientID: "lamp-7", PersistentConnect: true, HasWill: true, WillTopic: "w"})
	for variable, want := range map[string]string{
		"iot:ClientId":                                          "lamp-7",
		"iot:CertificateId":                                     id1,
		"aws:SourceIp":                                          "198.51.100.9",
		"iot:DomainName":                                        "",
		"iot:Connection.Thing.ThingName":                        "lamp-7",
		"iot:Thing.ThingName":                                   "lamp-7",
		"iot:Connection.Thing.ThingTypeName":                    "Lamp",
		"iot:Connection.Thing.IsAttached":                       "true",
		"iot:Connection.Thing.Attributes[site]":                 "north",
		"iot:Connection.Thing.Attributes[Site]":                 "",
		"iot:LastWillTopic":                                     iotARN("topic/w"),
		"aws:EpochTime":                                         "1700000000",
		"aws:CurrentTime":                                       "2023-11-14T22:13:20Z",
		"aws:SecureTransport":                                   "true",
		"iot:Certificate.SerialNumber":                          "abc",
		"iot:Certificate.Subject.CommonName":                    "dev",
		"iot:Certificate.Issuer.CommonName.0":                   "dev",
		"iot:Certificate.Subject.CommonName.1":                  "",
		"iot:Certificate.Subject.AlternativeName.DNSName":       "one.test",
		"iot:Certificate.Subject.AlternativeName.DNSName.1":     "two.test",
		"iot:Certificate.Subject.AlternativeName.DirectoryName": `CN=a\,b,O=o\=1`,
		"iot:Certificate.Subject.AlternativeName.IPAddress":     "192.0.2.1",
		"iot:Certificate.Subject.AlternativeName.RFC822Name":    "",
		"credentials-iot:ThingName":                             "",
		"cognito-identity.amazonaws.com:sub":                    "",
	} {
		t.Run(variable, func(t *testing.T) {
			b.attach("v", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${`+variable+`}"}}`, c1)
			defer func() {
				b.ok(b.DetachPolicy(b.ctx, "v", c1))
				b.ok(b.DeletePolicy(b.ctx, "v"))
			}()
			name := want
			if want == "" {
				name = "?"
			}
			same(t, want != "", s.Allows("iot:Publish", "topic/"+name))
		})
	}
	b.attach("set", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"*","Condition":
		{"ForAllValues:StringEquals":{"iot:ConnectAttributes":["PersistentConnect","LastWill"]},"ForAnyValue:StringEquals":{"iot:ConnectAttributes":"LastWill"}}}]}`, c1)
	same(t, true, s.Allows("iot:Publish", "topic/x"))
}
