package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/why"
)

// explain asks in short and shortens the answer's ARNs to R/.
func explain(t *testing.T, s *Set, ctx Context, request string) (Explanation, string) {
	t.Helper()
	verb, object, _ := strings.Cut(request, " ")
	list := checks(t, verb, object)
	check := list[len(list)-1]
	e := s.Explain(Request{Action: check[0], Resource: region + check[1], Context: ctx})
	return e, strings.ReplaceAll(e.Sentence(), region, "R/")
}

func TestSentence(t *testing.T) {
	lamp := device{clientID: "lamp-7", attached: "lamp-7"}
	alone := device{clientID: "lamp-8", attached: "lamp-7"}
	subject := Values{}
	subject.SetAttribute("iot:Certificate.Subject.CommonName", "a*b")
	subject.SetAttribute("iot:Certificate.Issuer.CommonName", "x", "y")

	tests := []struct {
		name    string
		set     *Set
		caller  device
		request string
		want    string
	}{
		{"allowed", set(t, e1), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 allows iot:Connect on R/client/lamp-7"},
		{"denied", set(t, e4), lamp, "SUBSCRIBE a/secret/x",
			"policy P1 statement 3 denies iot:Subscribe on R/topicfilter/a/secret/x with its resource R/topicfilter/a/secret/*, and a Deny outweighs the Allow of policy P1 statement 2"},
		{"denied by a condition", set(t, statements(denyIf("iot:Connect", "*", `{"StringNotEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingName}"}}`))), lamp, "CONNECT lamp-7",
			"no statement allows iot:Connect on R/client/lamp-7; what is allowed is nothing: there is no Allow"},
		{"denied by a condition that holds", set(t, statements(denyIf("iot:Connect", "*", `{"StringEquals":{"iot:ClientId":["a","${iot:Connection.Thing.ThingName}"]}}`))), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 denies iot:Connect on R/client/lamp-7 because its condition holds: StringEquals wants iot:ClientId to be a or lamp-7, and it is lamp-7"},
		{"nothing attached", NewSet(), lamp, "CONNECT lamp-7",
			"no policy is attached, so nothing allows iot:Connect on R/client/lamp-7"},
		{"nearest", set(t, e1), lamp, "CONNECT lamp-8",
			"no statement allows iot:Connect on R/client/lamp-8; nearest: policy P1 statement 1 allows iot:Connect on R/client/lamp-7"},
		{"nearest of several", set(t, statements(allow("iot:Publish", "R/topic/cold/x"), allow("iot:Publish", "R/topic/warm/x"))), lamp, "PUBLISH warm/y",
			"no statement allows iot:Publish on R/topic/warm/y; nearest: policy P1 statement 2 allows iot:Publish on R/topic/warm/x"},
		{"nearest with a variable", set(t, statements(allow("iot:Connect", "R/client/${iot:Connection.Thing.ThingName}"))), device{clientID: "abc", attached: "lamp-7", exclusive: true}, "CONNECT abc",
			"no statement allows iot:Connect on R/client/abc; nearest: policy P1 statement 1 allows iot:Connect on R/client/lamp-7 (R/client/${iot:Connection.Thing.ThingName})"},
		{"no thing", set(t, e2), alone, "CONNECT lamp-8",
			"policy P1 statement 1 allows it but its resource needs ${iot:Connection.Thing.ThingName}, which has no value: the certificate is not attached to a thing named like the client ID, letter case included"},
		{"no connection", set(t, e2), device{}, "PUBLISH t/lamp-7",
			"policy P1 statement 2 allows it but its resource needs ${iot:Connection.Thing.ThingName}, which has no value: only MQTT connections have a thing"},
		{"no attribute", set(t, statements(allow("iot:Publish", "R/topic/${iot:Connection.Thing.Attributes[room]}"))), lamp, "PUBLISH kitchen",
			"policy P1 statement 1 allows it but its resource needs ${iot:Connection.Thing.Attributes[room]}, which has no value: the thing lamp-7 has no attribute room"},
		{"awkward certificate", set(t, statements(allow("iot:Publish", "R/topic/${iot:Certificate.Subject.CommonName}"))), device{values: subject}, "PUBLISH a*b",
			"policy P1 statement 1 allows it but its resource needs ${iot:Certificate.Subject.CommonName}, which has no value: the certificate's value is too long or contains one of * $ + ? #, so it is not substituted"},
		{"several values", set(t, statements(allow("iot:Publish", "R/topic/${iot:Certificate.Issuer.CommonName.List}"))), device{values: subject}, "PUBLISH x",
			"policy P1 statement 1 allows it but its resource needs ${iot:Certificate.Issuer.CommonName.List}, which has no value: it has several values, so it serves as a condition key only"},
		{"mistyped variable", set(t, statements(allow("iot:Connect", "R/client/${iot:ClientName}"), allow("iot:Connect", "R/client/${iot:ClintId}"))), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 allows it but its resource needs ${iot:ClientName}, which has no value: the request has no such value"},
		{"misspelled variable", set(t, statements(allow("iot:Connect", "R/client/${iot:ClintId}"))), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 allows it but its resource needs ${iot:ClintId}, which has no value: there is no such variable (did you mean iot:ClientId?)"},
		{"variable of another language", set(t, statements(allow("iot:Connect", "R/client/${credentials-iot:ThingName}"))), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 allows it but its resource needs ${credentials-iot:ThingName}, which has no value: it exists only in policies of the role behind a role alias"},
		{"missing in an exception", set(t, statements(strings.Replace(allow("iot:Publish", "R/topic/${iot:Connection.Thing.ThingName}"), "Resource", "NotResource", 1))), alone, "PUBLISH x",
			"policy P1 statement 1 allows it but its NotResource needs ${iot:Connection.Thing.ThingName}, which has no value: the certificate is not attached to a thing named like the client ID, letter case included"},
		{"excepted", set(t, e4), lamp, "RECEIVE a/secret/x",
			"no statement allows iot:Receive on R/topic/a/secret/x; policy P1 statement 4 allows iot:Receive except on R/topic/a/secret/*"},
		{"condition", set(t, statements(allowIf("iot:Connect", "*", `{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}`))), alone, "CONNECT lamp-8",
			"policy P1 statement 1 allows it but its condition fails: Bool wants iot:Connection.Thing.IsAttached to be true, and it is false"},
		{"condition without value", set(t, statements(allowIf("iot:Connect", "*", `{"StringEquals":{"IOT:domainname":"a"}}`))), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 allows it but its condition StringEquals needs iot:DomainName, which has no value: the client did not say which host name it connects to"},
		{"negated condition", set(t, statements(allowIf("iot:Connect", "*", `{"StringNotEquals":{"iot:ClientId":["a","lamp-8"]}}`))), alone, "CONNECT lamp-8",
			"policy P1 statement 1 allows it but its condition fails: StringNotEquals wants iot:ClientId not to be a or lamp-8, and it is lamp-8"},
		{"condition of order", set(t, statements(allowIf("iot:Connect", "*", `{"NumericLessThanEqualsIfExists":{"n":7}}`))), device{values: Values{"n": {"8"}}}, "CONNECT c",
			"policy P1 statement 1 allows it but its condition fails: NumericLessThanEqualsIfExists wants n to be at most 7, and it is 8"},
		{"condition of absence", set(t, statements(allowIf("iot:Connect", "*", `{"Null":{"iot:LastWillTopic":"true"}}`))), device{values: Values{KeyLastWillTopic: {"w"}}}, "CONNECT c",
			"policy P1 statement 1 allows it but its condition fails: Null wants iot:LastWillTopic to be absent, and it is w"},
		{"condition of presence", set(t, statements(allowIf("iot:Connect", "*", `{"Null":{"iot:LastWillTopic":"false"}}`))), alone, "CONNECT lamp-8",
			"policy P1 statement 1 allows it but its condition fails: Null wants iot:LastWillTopic to be present, and it has no value"},
		{"condition on a set", set(t, statements(allowIf("iot:Connect", "*", `{"ForAllValues:StringEquals":{"iot:ConnectAttributes":["LastWill"]}}`))), device{values: Values{KeyConnectAttributes: {"PersistentConnect", "LastWill"}}}, "CONNECT c",
			"policy P1 statement 1 allows it but its condition fails: ForAllValues:StringEquals wants every value of iot:ConnectAttributes to be LastWill, and it is PersistentConnect, LastWill"},
		{"wider filter", set(t, e1), lamp, "SUBSCRIBE t/#",
			"no statement allows iot:Subscribe on R/topicfilter/t/#; policy P1 statement 3 allows R/topicfilter/t/lamp-7/*, and the filter reaches beyond it"},
		{"topic for topicfilter", set(t, statements(allow("iot:Subscribe", "R/topic/a/*"))), lamp, "SUBSCRIBE a/b",
			"no statement allows iot:Subscribe on R/topicfilter/a/b; policy P1 statement 1 has R/topic/a/*, but iot:Subscribe is checked against topicfilter/, never topic/: write R/topicfilter/a/*"},
		{"topicfilter for topic", set(t, statements(allow("iot:Receive", "R/topicfilter/a/*"))), lamp, "RECEIVE a/b",
			"no statement allows iot:Receive on R/topic/a/b; policy P1 statement 1 has R/topicfilter/a/*, but iot:Receive is checked against topic/, never topicfilter/: write R/topic/a/*"},
		{"MQTT wildcard", set(t, statements(allow("iot:Publish", "R/topic/a/#"))), lamp, "PUBLISH a/b",
			"no statement allows iot:Publish on R/topic/a/b; policy P1 statement 1 has R/topic/a/#, but in a policy + and # stand for themselves: write R/topic/a/*"},
		{"letter case", set(t, statements(allow("iot:Publish", "R/topic/A/*"))), lamp, "PUBLISH a/b",
			"policy P1 statement 1 allows it but upper and lower case differ in its resource R/topic/A/*"},
		{"other region", set(t, statements(allow("iot:Publish", "arn:aws:iot:eu-west-1:*:topic/a"))), lamp, "PUBLISH a",
			"policy P1 statement 1 allows it but its resource arn:aws:iot:eu-west-1:*:topic/a is of another region or account than R/topic/a"},
		{"shared subscription", set(t, e1), lamp, "SUBSCRIBE $share/g/t/lamp-7/x",
			"policy P1 statement 3 allows it but not as a shared subscription, which is checked with its $share/g/: allow topicfilter/$share/... as well"},
		{"the level above", set(t, e1), lamp, "PUBLISH t/lamp-7",
			"no statement allows iot:Publish on R/topic/t/lamp-7; policy P1 statement 2 has R/topic/t/lamp-7/*, which covers what lies below the slash only"},
		{"retained", set(t, e1), lamp, "RETAIN t/lamp-7/x",
			"policy P1 statement 2 allows iot:Publish on R/topic/t/lamp-7/x, but a retained message needs iot:RetainPublish, too"},
		{"other action", set(t, statements(allow("iot:Publish", "R/topic/a"))), lamp, "RECEIVE a",
			"no statement allows iot:Receive on R/topic/a; policy P1 statement 1 is about it, but allows iot:Publish only"},
		{"no such action", set(t, e1, e2), lamp, "SHADOW lamp-7",
			"no statement allows iot:GetThingShadow on R/thing/lamp-7; what is allowed is iot:Connect, iot:Publish, iot:Receive, iot:Subscribe"},
		{"old version", set(t, strings.Replace(e2, "2012-10-17", "2008-10-17", 1)), lamp, "CONNECT lamp-7",
			`policy P1 statement 1 allows it but the ${ in its resource arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName} is plain text: variables need "Version": "2012-10-17"`},
		{"statement with a Sid", set(t, statements(`{"Sid":"Open","Effect":"Allow","Action":"*","Resource":"*"}`)), lamp, "CONNECT lamp-7",
			"policy P1 statement 1 (Open) allows iot:Connect on R/client/lamp-7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, got := explain(t, test.set, test.caller.context(), test.request)
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestSentenceOfTrust(t *testing.T) {
	doc, err := Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`, Trust)
	if err != nil {
		t.Fatal(err)
	}
	q := Request{Action: "sts:AssumeRole", Caller: Caller{Type: "Service", IDs: []string{"credentials.iot.amazonaws.com"}}}
	const want = "no statement allows sts:AssumeRole; policy trust statement 1 trusts Service iot.amazonaws.com, and the caller is Service credentials.iot.amazonaws.com"
	if got := NewSet(doc.Compile("trust", "", "")).Explain(q).Sentence(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestExplanation shows a whole report.
func TestExplanation(t *testing.T) {
	s := set(t, statements(
		allow("iot:Connect", "R/client/${iot:Connection.Thing.ThingName}"),
		`{"Sid":"If","Effect":"Allow","Action":"iot:Connect","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"iot:ClientId":"${iot:ClientId}"}}}`,
		allow("iot:Publish", "R/topic/${iot:CertificateId}")),
		statements(deny("iot:*", "R/client/bad")))
	got, _ := explain(t, s, Values{KeyClientID: {"c"}}, "CONNECT c")

	want := Explanation{
		Decision: Decision{},
		Policies: []PolicyReport{
			{Name: "P1", ARN: region + "policy/P1", Version: "1", Statements: []StatementReport{
				{Number: 1, Effect: Allow, Action: true, Principal: true, Condition: true, Resources: []ResourceReport{{
					Pattern:     region + "client/${iot:Connection.Thing.ThingName}",
					Substituted: region + "client/${iot:Connection.Thing.ThingName}",
					Missing:     []string{"iot:Connection.Thing.ThingName"},
				}}},
				{Number: 2, Sid: "If", Effect: Allow, Action: true, Principal: true, Resource: true,
					Resources: []ResourceReport{{Pattern: "*", Substituted: "*", Matched: true}},
					Conditions: []ConditionReport{
						{Operator: "IpAddress", Key: "aws:SourceIp", Want: []string{"10.0.0.0/8"}, Missing: []string{"aws:SourceIp"}},
						{Operator: "StringEquals", Key: "iot:ClientId", Want: []string{"c"}, Got: []string{"c"}, Held: true},
					}},
				{Number: 3, Effect: Allow, Principal: true, Condition: true, Resources: []ResourceReport{{
					Pattern: region + "topic/${iot:CertificateId}", Substituted: region + "topic/${iot:CertificateId}",
					Missing: []string{"iot:CertificateId"},
				}}},
			}},
			{Name: "P2", ARN: region + "policy/P2", Version: "1", Statements: []StatementReport{
				{Number: 1, Effect: Deny, Action: true, Principal: true, Condition: true, Resources: []ResourceReport{{
					Pattern: region + "client/bad", Substituted: region + "client/bad",
				}}},
			}},
		},
		Missing: []string{"aws:SourceIp", "iot:Connection.Thing.ThingName"},
		Used:    []why.Variable{{Name: "iot:ClientId", Value: "c"}},
		Reason: why.Say("%s allows it but %s", why.Say("policy %s statement %d (%s)", "P1", 2, "If"),
			why.Say("its condition %s needs %s, which has no value: %s", "IpAddress", "aws:SourceIp", why.Say("the client's address is not known"))),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestExplanationSortsPolicies is the shape of TestAuthorization's answer.
func TestExplanationSortsPolicies(t *testing.T) {
	s := set(t, statements(allow("iot:Publish", "*")), statements(deny("iot:Publish", "R/topic/x")), e2)
	names := func(list []PolicyReport) string {
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		return strings.Join(names, " ")
	}
	e, _ := explain(t, s, nil, "PUBLISH x")
	got := []string{names(e.Allowing()), names(e.Denying()), names(e.Silent())}
	if diff := cmp.Diff([]string{"P1", "P2", "P3"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeys(t *testing.T) {
	tests := []struct{ key, canonical, spelled string }{
		{"iot:ClientId", KeyClientID, "iot:ClientId"},
		{"IOT:CLIENTID", KeyClientID, "iot:ClientId"},
		{"iot:Thing.ThingName", KeyThingName, "iot:Connection.Thing.ThingName"},
		{"iot:connection.thing.attributes[Site]", KeyThingAttributes + "[Site]", "iot:Connection.Thing.Attributes[Site]"},
		{"iot:Thing.Attributes[a]", KeyThingAttributes + "[a]", "iot:Connection.Thing.Attributes[a]"},
		{"iot:Certificate.Subject.CommonName.1", "iot:certificate.subject.commonname.1", "iot:Certificate.Subject.CommonName.1"},
		{"aws:PrincipalTag/Team", "aws:principaltag/team", "aws:PrincipalTag/Team"},
	}
	for _, test := range tests {
		t.Run(test.key, func(t *testing.T) {
			if got := CanonicalKey(test.key); got != test.canonical {
				t.Errorf("canonical: got %s, want %s", got, test.canonical)
			}
			if got := spelling(test.key); got != test.spelled {
				t.Errorf("spelled: got %s, want %s", got, test.spelled)
			}
		})
	}
}

func TestAttributeNames(t *testing.T) {
	v := Values{}
	v.SetAttribute("iot:Certificate.Subject.CommonName", "a", "b")
	v.SetAttribute("iot:Certificate.Subject.Country")
	want := Values{
		"iot:certificate.subject.commonname":      {"a"},
		"iot:certificate.subject.commonname.0":    {"a"},
		"iot:certificate.subject.commonname.1":    {"b"},
		"iot:certificate.subject.commonname.list": {"a", "b"},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
}
