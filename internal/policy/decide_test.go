package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecisionNamesTheStatement(t *testing.T) {
	s := set(t, statements(allow("iot:Connect", "*"), `{"Sid":"Pub","Effect":"Allow","Action":"iot:Publish","Resource":"*"}`),
		statements(deny("iot:Publish", "R/topic/x"), `{"Sid":"No","Effect":"Deny","Action":"*","Resource":"R/topic/y"}`))
	tests := []struct {
		action, topic string
		want          Decision
	}{
		{"iot:Publish", "a", Decision{Allowed, "P1", 2, "Pub"}},
		{"iot:Publish", "x", Decision{ExplicitDeny, "P2", 1, ""}},
		{"iot:Publish", "y", Decision{ExplicitDeny, "P2", 2, "No"}},
		{"iot:Subscribe", "a", Decision{}},
		{"iot:Subscribe", "y", Decision{ExplicitDeny, "P2", 2, "No"}},
	}
	for _, test := range tests {
		t.Run(test.want.Outcome.String()+"/"+test.topic, func(t *testing.T) {
			got := s.Decide(Request{Action: test.action, Resource: region + "topic/" + test.topic})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestActions(t *testing.T) {
	tests := []struct {
		pattern, action string
		want            Outcome
	}{
		{"iot:Publish", "iot:Publish", A},
		{"IOT:publish", "iot:PUBLISH", A},
		{"iot:Publish", "iot:RetainPublish", I},
		{"iot:PublishRetain", "iot:RetainPublish", A},
		{"iot:RetainPublish", "iot:PublishRetain", A},
		{"iot:Publish*", "iot:RetainPublish", I},
		{"*", "iot:Publish", A},
		{"iot:*", "iot:Publish", A},
		{"iot:*", "greengrass:Discover", I},
		{"iot:Get*", "iot:GetThingShadow", A},
		{"iot:get????", "iot:GetXyzw", A},
		{"iot:Get*", "iot:Publish", I},
		{"iotjobsdata:DescribeJobExecution", "iot:DescribeJobExecution", A},
		{"iot:DescribeJobExecution", "iotjobsdata:DescribeJobExecution", A},
		{"iot:*", "iotjobsdata:UpdateJobExecution", A},
		{"iotjobsdata:*", "iot:UpdateJobExecution", A},
		{"iotjobsdata:*", "iotjobsdata:UpdateJobExecution", A},
		{"iotjobsdata:*", "iot:Publish", I},
		{"iotjobsdata:*", "iot:DescribeJob", I},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s/%s ~ %s", test.want, test.pattern, test.action), func(t *testing.T) {
			q := Request{Action: test.action, Resource: "*"}
			// The second statement puts every action into the index.
			never := deny(test.action, "R/never/x")
			for _, s := range []*Set{set(t, statements(allow(test.pattern, "*"))), set(t, statements(allow(test.pattern, "*"), never))} {
				if got := s.Decide(q).Outcome; got != test.want {
					t.Errorf("got %s", got)
				}
			}
			not := strings.Replace(allow(test.pattern, "*"), "Action", "NotAction", 1)
			if got := set(t, statements(not)).Decide(q).Outcome; (got == A) == (test.want == A) {
				t.Errorf("NotAction: got %s", got)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	service := Caller{Type: "Service", IDs: []string{"credentials.iot.amazonaws.com"}}
	user := Caller{Type: "AWS", IDs: []string{"arn:aws:iam::111122223333:user/u"}, Account: "111122223333"}
	tests := []struct {
		principal string
		caller    Caller
		want      Outcome
	}{
		{`"Principal":{"Service":"credentials.iot.amazonaws.com"}`, service, A},
		{`"Principal":{"Service":["iot.amazonaws.com","credentials.iot.amazonaws.com"]}`, service, A},
		{`"Principal":{"Service":"iot.amazonaws.com"}`, service, I},
		{`"Principal":{"Service":"credentials.iot.amazonaws.com"}`, user, I},
		{`"Principal":{"AWS":"credentials.iot.amazonaws.com"}`, service, I},
		{`"Principal":"*"`, service, A},
		{`"Principal":{"AWS":"*"}`, user, A},
		{`"Principal":{"AWS":"111122223333"}`, user, A},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:root"}`, user, A},
		{`"Principal":{"AWS":"arn:aws:iam::444455556666:root"}`, user, I},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:user/u"}`, user, A},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:user/v"}`, user, I},
		{`"NotPrincipal":{"AWS":"111122223333"}`, user, I},
		{`"NotPrincipal":{"AWS":"444455556666"}`, user, A},
		{`"Principal":{"AWS":"111122223333"}`, Caller{}, I},
	}
	for _, test := range tests {
		t.Run(test.want.String()+"/"+test.principal, func(t *testing.T) {
			doc, err := Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+test.principal+`,"Action":"sts:AssumeRole"}}`, Trust)
			if err != nil {
				t.Fatal(err)
			}
			s := NewSet(doc.Compile("role", "", ""))
			got := s.Decide(Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/r", Caller: test.caller})
			if got.Outcome != test.want {
				t.Errorf("got %s", got.Outcome)
			}
		})
	}
}

func TestIdentityARNsAreCompleted(t *testing.T) {
	doc, err := Parse(statements(allow("s3:*", "arn:aws:s3")), Identity)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet(doc.Compile("p", "", "1"))
	if got := s.Decide(Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key:1"}); !got.Allowed() {
		t.Errorf("got %+v", got)
	}
	if got := s.Decide(Request{Action: "s3:GetObject", Resource: "arn:aws:sqs:::queue"}); got.Allowed() {
		t.Errorf("got %+v", got)
	}
}

func TestVariablesNeedTheVersion(t *testing.T) {
	text := statements(allow("iot:Connect", "R/client/${iot:ClientId}"))
	ctx := Values{KeyClientID: {"c"}}
	for _, version := range []string{"2008-10-17", "2012-10-17"} {
		s := set(t, strings.Replace(text, "2012-10-17", version, 1))
		if got := ask(t, s, ctx, "CONNECT c"); (got == A) != (version == Version2012) {
			t.Errorf("%s: got %s", version, got)
		}
	}
}

// drawStatement makes a statement of few words, so that they meet.
func drawStatement(t *rapid.T, label string) string {
	action := rapid.SampledFrom([]string{"*", "iot:*", "iot:Publish", "iot:Pub*", "iot:Receive"}).Draw(t, label+" action")
	resource := rapid.SampledFrom([]string{"*", "R/topic/*", "R/topic/a", "R/topic/${iot:ClientId}", "R/topic/?"}).Draw(t, label+" resource")
	text := rapid.SampledFrom([]string{allow(action, resource), deny(action, resource)}).Draw(t, label+" effect")
	if rapid.Bool().Draw(t, label+" not") {
		text = strings.Replace(text, "Resource", "NotResource", 1)
	}
	return text
}

func drawRequest(t *rapid.T) Request {
	v := Values{}
	if rapid.Bool().Draw(t, "connected") {
		v[KeyClientID] = []string{rapid.SampledFrom([]string{"a", "b", "*"}).Draw(t, "client")}
	}
	return Request{
		Action:   rapid.SampledFrom([]string{"iot:Publish", "iot:Receive", "iot:RetainPublish"}).Draw(t, "action"),
		Resource: region + rapid.SampledFrom([]string{"topic/a", "topic/b", "topic/*", "topic/a/b"}).Draw(t, "topic"),
		Context:  v,
	}
}

// TestDenyStays checks that a Deny survives whatever is added, before or after it
// and in whichever policy.
func TestDenyStays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) string { return drawStatement(r, "") }), 1, 4).Draw(r, "statements")
		q, extra := drawRequest(r), drawStatement(r, "extra")
		if set(t, statements(list...)).Decide(q).Outcome != ExplicitDeny {
			return
		}
		for _, s := range []*Set{
			set(t, statements(append([]string{extra}, list...)...)),
			set(t, statements(append(list, extra)...)),
			set(t, statements(extra), statements(list...)),
			set(t, statements(list...), statements(extra)),
		} {
			if got := s.Decide(q).Outcome; got != ExplicitDeny {
				r.Fatalf("got %s", got)
			}
		}
	})
}

// TestDecideIsTheSumOfItsStatements checks the index: a set decides as its
// statements do one by one, and its explanation agrees.
func TestDecideIsTheSumOfItsStatements(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) string { return drawStatement(r, "") }), 1, 5).Draw(r, "statements")
		q, want := drawRequest(r), ImplicitDeny
		for _, statement := range list {
			want = max(want, set(t, statements(statement)).Decide(q).Outcome)
		}
		s := set(t, statements(list...))
		e := s.Explain(q)
		if got := s.Decide(q); got.Outcome != want || e.Decision != got {
			r.Fatalf("got %+v, explained %+v, want %s", got, e.Decision, want)
		}
		if p := e.Policies[0]; p.Denies != (want == X) || want == A && !p.Allows || want == I && p.Allows {
			r.Fatalf("the report %+v does not fit %s", p, want)
		}
	})
}

// fleetPolicies are what a device in a fleet has: its own policy, a group's, and
// some for other purposes.
func fleetPolicies(t testing.TB) *Set {
	return set(t, e1, e4,
		statements(allow("iot:*", "arn:aws:iot:*:*:topic/shared/*/state"), deny("iot:Publish", "R/topic/*/forbidden")))
}

func TestDecideDoesNotAllocate(t *testing.T) {
	s := fleetPolicies(t)
	for _, q := range benchmarkRequests() {
		if n := testing.AllocsPerRun(100, func() { s.Decide(q) }); n > 0 {
			t.Errorf("%s on %s: %v allocations", q.Action, q.Resource, n)
		}
	}
	variables := set(t, e2)
	q := Request{Action: "iot:Publish", Resource: region + "topic/t/lamp-7", Context: device{clientID: "lamp-7", attached: "lamp-7"}.context()}
	if n := testing.AllocsPerRun(100, func() { variables.Decide(q) }); n > 0 {
		t.Errorf("with a variable: %v allocations", n)
	}
}

func benchmarkRequests() []Request {
	ctx := Values{KeyClientID: {"lamp-7"}}
	return []Request{
		{Action: "iot:Publish", Resource: region + "topic/t/lamp-7/state", Context: ctx},
		{Action: "iot:Receive", Resource: region + "topic/t/lamp-7/a/long/topic/with/many/levels", Context: ctx},
		{Action: "iot:RetainPublish", Resource: region + "topic/shared/x/state", Context: ctx},
		{Action: "iot:Publish", Resource: region + "topic/nowhere", Context: ctx},
	}
}

func BenchmarkDecide(b *testing.B) {
	s := fleetPolicies(b)
	for _, q := range benchmarkRequests() {
		b.Run(s.Decide(q).Outcome.String()+"/"+q.Action, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Decide(q)
			}
		})
	}
	variables := set(b, e2)
	q := Request{Action: "iot:Publish", Resource: region + "topic/t/lamp-7", Context: device{clientID: "lamp-7", attached: "lamp-7"}.context()}
	b.Run("ALLOWED/variable", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			variables.Decide(q)
		}
	})
}
