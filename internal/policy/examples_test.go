package policy

import (
	"strings"
	"testing"
)

const region = "arn:aws:iot:us-east-1:111122223333:"

// Outcomes as the tables name them.
const (
	A = Allowed
	I = ImplicitDeny
	X = ExplicitDeny
)

// device is a world for the examples: what the broker would know of a caller.
type device struct {
	clientID  string // "" for HTTP
	attached  string // the thing that the certificate is attached to
	exclusive bool
	values    Values
}

// context derives the thing variables as the connection would.
func (d device) context() Values {
	v := Values{}
	for key, values := range d.values {
		v[key] = values
	}
	if d.clientID == "" {
		return v
	}
	connected := d.attached != "" && (d.exclusive || d.attached == d.clientID)
	v.Set("iot:ClientId", d.clientID)
	v.Set("iot:Connection.Thing.IsAttached", map[bool]string{true: "true", false: "false"}[connected])
	if connected {
		v.Set("iot:Connection.Thing.ThingName", d.attached)
		v.Set("iot:Connection.Thing.ThingTypeName", "Lamp")
		v.Set("iot:Connection.Thing.Attributes[site]", "north")
	}
	return v
}

// ask decides a request in short: a verb and its object. RETAIN and a will mean
// several checks, all of which must allow.
func ask(t *testing.T, s *Set, ctx Context, request string) Outcome {
	t.Helper()
	verb, object, _ := strings.Cut(request, " ")
	for _, check := range checks(t, verb, object) {
		d := s.Decide(Request{Action: check[0], Resource: region + check[1], Context: ctx})
		if d.Outcome != Allowed {
			return d.Outcome
		}
	}
	return Allowed
}

func checks(t *testing.T, verb, object string) [][2]string {
	t.Helper()
	publish, retain := [2]string{"iot:Publish", "topic/" + object}, [2]string{"iot:RetainPublish", "topic/" + object}
	switch verb {
	case "CONNECT":
		return [][2]string{{"iot:Connect", "client/" + object}}
	case "WILL":
		return [][2]string{{"iot:Connect", "client/lamp-7"}, publish}
	case "WILL-RETAIN":
		return [][2]string{{"iot:Connect", "client/lamp-7"}, publish, retain}
	case "PUBLISH":
		return [][2]string{publish}
	case "RETAIN":
		return [][2]string{publish, retain}
	case "SUBSCRIBE":
		return [][2]string{{"iot:Subscribe", "topicfilter/" + object}}
	case "RECEIVE":
		return [][2]string{{"iot:Receive", "topic/" + object}}
	case "SHADOW":
		return [][2]string{{"iot:GetThingShadow", "thing/" + object}}
	case "ROLEALIAS":
		return [][2]string{{"iot:AssumeRoleWithCertificate", "rolealias/" + object}}
	}
	t.Fatalf("no such verb: %s", verb)
	return nil
}

// set compiles IoT documents under the names P1, P2, ...
func set(t testing.TB, documents ...string) *Set {
	t.Helper()
	var policies []*Policy
	for i, text := range documents {
		doc, err := Parse(text, IoT)
		if err != nil {
			t.Fatalf("Parse(%s): %v", text, err)
		}
		name := "P" + string(rune('1'+i))
		policies = append(policies, doc.Compile(name, region+"policy/"+name, "1"))
	}
	return NewSet(policies...)
}

// statements wraps statements, given as JSON objects, into a document. R/ stands
// for the region's ARN prefix.
func statements(list ...string) string {
	text := `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
	return strings.ReplaceAll(text, "R/", region)
}

func allow(action, resource string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`
}

func deny(action, resource string) string {
	return strings.Replace(allow(action, resource), "Allow", "Deny", 1)
}

func allowIf(action, resource, condition string) string {
	return strings.TrimSuffix(allow(action, resource), "}") + `,"Condition":` + condition + `}`
}

func denyIf(action, resource, condition string) string {
	return strings.Replace(allowIf(action, resource, condition), "Allow", "Deny", 1)
}

const (
	e1 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:111122223333:client/lamp-7"},
 {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:us-east-1:111122223333:topic/t/lamp-7/*"},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:111122223333:topicfilter/t/lamp-7/*"}]}`
	e2 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/t/${iot:Connection.Thing.ThingName}"}]}`
	e4 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:111122223333:topicfilter/a/*"},
 {"Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:111122223333:topicfilter/a/secret/*"},
 {"Effect":"Allow","Action":"iot:Receive","NotResource":"arn:aws:iot:us-east-1:111122223333:topic/a/secret/*"}]}`
)

// row is a request with the outcome it must have.
type row struct {
	request string
	want    Outcome
}

func run(t *testing.T, name string, s *Set, d device, rows ...row) {
	t.Helper()
	for _, r := range rows {
		t.Run(name+"/"+r.want.String()+"/"+r.request, func(t *testing.T) {
			if got := ask(t, s, d.context(), r.request); got != r.want {
				t.Errorf("got %s, want %s", got, r.want)
			}
		})
	}
}

func TestFixedClient(t *testing.T) {
	run(t, "E1", set(t, e1), device{clientID: "lamp-7"},
		row{"CONNECT lamp-7", A}, row{"CONNECT lamp-70", I},
		row{"PUBLISH t/lamp-7/x", A}, row{"PUBLISH t/lamp-7/x/y", A}, row{"PUBLISH t/lamp-7", I},
		row{"RETAIN t/lamp-7/x", I},
		row{"SUBSCRIBE t/lamp-7/#", A}, row{"SUBSCRIBE t/lamp-7/+/y", A}, row{"SUBSCRIBE t/lamp-7/", A},
		row{"SUBSCRIBE t/+/x", I}, row{"SUBSCRIBE $share/g/t/lamp-7/x", I},
		row{"RECEIVE t/lamp-7/x", A}, row{"RECEIVE t/lamp-8/x", I})
}

func TestThingVariable(t *testing.T) {
	s := set(t, e2)
	run(t, "E2 C1 lamp-7", s, device{clientID: "lamp-7", attached: "lamp-7"},
		row{"CONNECT lamp-7", A}, row{"PUBLISH t/lamp-7", A}, row{"PUBLISH t/lamp-8", I})
	run(t, "E2 C1 lamp-8", s, device{clientID: "lamp-8", attached: "lamp-7"}, row{"CONNECT lamp-8", I})
	run(t, "E2 C2", s, device{clientID: "lamp-7"}, row{"CONNECT lamp-7", I})
	run(t, "E2 C1 HTTP", s, device{attached: "lamp-7"}, row{"PUBLISH t/lamp-7", I})
	run(t, "E2 C1 exclusive", s, device{clientID: "abc", attached: "lamp-7", exclusive: true},
		row{"CONNECT abc", I}, row{"PUBLISH t/lamp-7", A})
}

func TestIsAttached(t *testing.T) {
	s := set(t, statements(allowIf("iot:Connect", "*", `{"Bool":{"iot:Connection.Thing.IsAttached":["true"]}}`)))
	run(t, "E3 C1", s, device{clientID: "lamp-7", attached: "lamp-7"}, row{"CONNECT lamp-7", A})
	run(t, "E3 C1 other", s, device{clientID: "other", attached: "lamp-7"}, row{"CONNECT other", I})
	run(t, "E3 C2", s, device{clientID: "lamp-7"}, row{"CONNECT lamp-7", I})
}

func TestDenyWins(t *testing.T) {
	run(t, "E4", set(t, e4), device{clientID: "lamp-7"},
		row{"SUBSCRIBE a/b", A}, row{"SUBSCRIBE a/secret/x", X}, row{"SUBSCRIBE a/secret/#", X},
		row{"SUBSCRIBE a/#", A}, row{"SUBSCRIBE a/+/x", A},
		row{"RECEIVE a/b", A}, row{"RECEIVE a/secret/x", I}, row{"PUBLISH a/b", I})
}

func TestCertificateAttributes(t *testing.T) {
	s := set(t, statements(
		allowIf("iot:Publish", "R/topic/admin/*", `{"ForAnyValue:StringEquals":{"iot:Certificate.Subject.CommonName.List":"Administrator"}}`),
		allow("iot:Publish", "R/topic/ou/${iot:Certificate.Subject.OrganizationalUnit.1}/*")))
	subject := func(field string, values ...string) device {
		v := Values{}
		v.SetAttribute("iot:Certificate.Subject."+field, values...)
		return device{values: v}
	}
	run(t, "E5 one CN", s, subject("CommonName", "Administrator"), row{"PUBLISH admin/x", A})
	run(t, "E5 two CN", s, subject("CommonName", "dev", "Administrator"), row{"PUBLISH admin/x", A})
	run(t, "E5 other CN", s, subject("CommonName", "dev"), row{"PUBLISH admin/x", I})
	run(t, "E5 two OU", s, subject("OrganizationalUnit", "one", "two"), row{"PUBLISH ou/two/x", A}, row{"PUBLISH ou/one/x", I})
	run(t, "E5 one OU", s, subject("OrganizationalUnit", "one"), row{"PUBLISH ou/one/x", I})
	run(t, "E5 wildcard OU", s, subject("OrganizationalUnit", "one", "a*b"), row{"PUBLISH ou/a*b/x", I})
	run(t, "E5 long OU", s, subject("OrganizationalUnit", "one", strings.Repeat("x", 1025)),
		row{"PUBLISH ou/" + strings.Repeat("x", 1025) + "/x", I})
	run(t, "E5 six CN", s, subject("CommonName", "1", "2", "3", "4", "5", "Administrator"), row{"PUBLISH admin/x", I})
}

func TestSourceAndDomain(t *testing.T) {
	s := set(t, statements(allowIf("iot:Connect", "*",
		`{"IpAddress":{"aws:SourceIp":["198.51.100.0/24"]},"StringEquals":{"iot:DomainName":"broker.thingd.test"}}`)))
	from := func(ip, domain string) device {
		v := Values{}
		v.Set("aws:SourceIp", ip)
		if domain != "" {
			v.Set("iot:DomainName", domain)
		}
		return device{clientID: "c", values: v}
	}
	run(t, "E6 both", s, from("198.51.100.9", "broker.thingd.test"), row{"CONNECT c", A})
	run(t, "E6 both, mapped", s, from("::ffff:198.51.100.9", "broker.thingd.test"), row{"CONNECT c", A})
	run(t, "E6 other domain", s, from("198.51.100.9", "other.thingd.test"), row{"CONNECT c", I})
	run(t, "E6 no domain", s, from("198.51.100.9", ""), row{"CONNECT c", I})
	run(t, "E6 other address", s, from("203.0.113.1", "broker.thingd.test"), row{"CONNECT c", I})
}

func TestThingGroups(t *testing.T) {
	own := statements(allow("iot:Connect", "*"))
	north := statements(allow("iot:Publish", "R/topic/north/*"))
	site := statements(deny("iot:Publish", "R/topic/*/forbidden"))
	lamp := device{clientID: "lamp-7", attached: "lamp-7"}
	run(t, "E7 in group", set(t, own, north, site), lamp,
		row{"PUBLISH north/x", A}, row{"PUBLISH north/forbidden", X}, row{"PUBLISH south/x", I})
	run(t, "E7 removed", set(t, own), lamp, row{"PUBLISH north/x", I})
}

func TestWillAndRetain(t *testing.T) {
	s := set(t, statements(allow("iot:Connect", "R/client/*"), allow("iot:Publish", "R/topic/w"),
		allow("iot:RetainPublish", "R/topic/keep"), allow("iot:Publish", "R/topic/keep")))
	run(t, "E8", s, device{clientID: "lamp-7"},
		row{"WILL w", A}, row{"WILL-RETAIN w", I}, row{"WILL-RETAIN keep", A}, row{"WILL z", I},
		row{"RETAIN keep", A}, row{"RETAIN w", I})
}

func TestWrongResourceTypes(t *testing.T) {
	s := set(t, statements(allow("iot:Subscribe", "R/topic/a/*"), allow("iot:Receive", "R/topicfilter/a/*"),
		allow("iot:Publish", "R/topicfilter/a/*")))
	run(t, "E9", s, device{clientID: "lamp-7"}, row{"SUBSCRIBE a/b", I}, row{"RECEIVE a/b", I}, row{"PUBLISH a/b", I})
}

func TestShadowAndJobs(t *testing.T) {
	s := set(t, statements(allow("iot:Connect", "*"),
		allow("iot:Publish", "R/topic/$aws/things/lamp-7/shadow/*"),
		allow("iot:Subscribe", "R/topicfilter/$aws/things/lamp-7/shadow/*"),
		allow("iot:Receive", "R/topic/$aws/things/lamp-7/shadow/*")))
	run(t, "E10", s, device{clientID: "lamp-7"},
		row{"PUBLISH $aws/things/lamp-7/shadow/update", A}, row{"PUBLISH $aws/things/lamp-8/shadow/update", I},
		row{"SUBSCRIBE $aws/things/lamp-7/shadow/update/+", A}, row{"SUBSCRIBE $aws/things/+/shadow/update", I},
		row{"SHADOW lamp-7", I}, row{"PUBLISH $aws/things/lamp-7/jobs/get", I})
}

func TestRoleAlias(t *testing.T) {
	s := set(t, statements(allow("iot:AssumeRoleWithCertificate", "R/rolealias/uploader")))
	run(t, "E11", s, device{}, row{"ROLEALIAS uploader", A}, row{"ROLEALIAS admin", I})
}

func TestStatementForms(t *testing.T) {
	open := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`
	run(t, "E12 open", set(t, open), device{clientID: "c"},
		row{"CONNECT c", A}, row{"RETAIN x", A}, row{"SUBSCRIBE #", A}, row{"SHADOW x", A})
	run(t, "E12 but one", set(t, open, statements(deny("iot:Publish", "R/topic/x"))), device{clientID: "c"},
		row{"PUBLISH x", X}, row{"PUBLISH y", A})
	if _, err := Parse(`{"Version":"2012-10-17","Statement":[]}`, IoT); err == nil {
		t.Error("E12: an empty Statement parsed")
	}
}

// TestConnectAttributes is AWS's truth table for iot:ConnectAttributes and
// iot:LastWillTopic; the columns are {}, {P}, {L} and {P,L}.
func TestConnectAttributes(t *testing.T) {
	const connect, p, l = "iot:Connect", `"PersistentConnect"`, `"LastWill"`
	attributes := func(op, list string) string {
		return `{"` + op + `":{"iot:ConnectAttributes":[` + list + `]}}`
	}
	all, allNot, some := "ForAllValues:StringEquals", "ForAllValues:StringNotEquals", "ForAnyValue:StringEquals"
	yes := func(op, list string) string { return allowIf(connect, "*", attributes(op, list)) }
	no := func(op, list string) string { return denyIf(connect, "*", attributes(op, list)) }
	will := allowIf(connect, "*", `{"ArnEquals":{"iot:LastWillTopic":"R/topic/w"}}`)

	tests := []struct {
		name       string
		statements []string
		topic      string
		want       string // Allow or Deny of either kind
	}{
		{"1 open", []string{allow(connect, "*")}, "w", "AAAA"},
		{"2 all are P", []string{yes(all, p)}, "w", "AADD"},
		{"3 none is P", []string{yes(allNot, p)}, "w", "ADAD"},
		{"4 deny any P", []string{allow(connect, "*"), no(some, p)}, "w", "ADAD"},
		{"5 all are P or L", []string{yes(all, p+","+l)}, "w", "AAAA"},
		{"6 all are L", []string{yes(all, l)}, "w", "ADAD"},
		{"7 none at all", []string{yes(all, "")}, "w", "ADDD"},
		{"8 any is P", []string{yes(some, p)}, "w", "DADA"},
		{"9 both or nothing", []string{yes(all, p+","+l), no(all, p), no(all, l), no(all, "")}, "w", "DDDA"},
		{"10 will only", []string{no(some, p), yes(all, l)}, "w", "ADAD"},
		{"11 will topic", []string{will}, "w", "DDAA"},
		{"12 other will topic", []string{will}, "x", "DDDD"},
		{"13 will topic, not P", []string{will, no(some, p)}, "w", "DDAD"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, got := set(t, statements(test.statements...)), ""
			for _, column := range [][]string{{}, {"PersistentConnect"}, {"LastWill"}, {"PersistentConnect", "LastWill"}} {
				v := Values{KeyConnectAttributes: column}
				if strings.Contains(strings.Join(column, ","), "LastWill") {
					v.Set("iot:LastWillTopic", region+"topic/"+test.topic)
				}
				got += map[bool]string{true: "A", false: "D"}[ask(t, s, v, "CONNECT c") == Allowed]
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
