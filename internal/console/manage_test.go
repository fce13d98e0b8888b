package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/iam"
	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/shadow"
)

// furnish makes one of everything that the pages are about, named p, and gives
// the ID of a registered CA.
func furnish(t *testing.T, h *house) string {
	t.Helper()
	ctx := t.Context()
	_, err := h.Registry.CreateThingType(ctx, "p", registry.TypeProperties{}, nil)
	must(t, err)
	_, err = h.Registry.CreateThingGroup(ctx, registry.NewThingGroup{Name: "p"})
	must(t, err)
	_, err = h.Registry.CreateBillingGroup(ctx, "p", "", nil)
	must(t, err)
	role, err := h.IAM.CreateRole(ctx, iam.Role{Name: "p", Trust: trustOf(nil)})
	must(t, err)
	_, err = h.IAM.CreateUser(ctx, iam.User{Name: "p"})
	must(t, err)
	must(t, h.Aliases.Create(ctx, credentials.RoleAlias{Name: "p", RoleARN: h.IAM.RoleARN(role)}, nil))
	must(t, h.Fleets.CreateFleet(ctx, edgefleet.Fleet{Name: "p", Output: edgefleet.Output{S3Location: "s3://b"}}, nil, nil))
	must(t, h.Fleets.CreateJob(ctx, edgefleet.Job{Name: "p", CompilationJob: "p", Model: "m", Version: "1", RoleARN: h.IAM.RoleARN(role), Output: edgefleet.Output{S3Location: "s3://b"}}, nil))
	must(t, h.Fleets.CreatePlan(ctx, edgefleet.Plan{Name: "p", Fleet: "p", Models: []edgefleet.PlannedModel{{Handle: "m", Job: "p"}}},
		[]edgefleet.Stage{{Name: "one", Selection: edgefleet.Selection{Type: "PERCENTAGE", Percentage: 100}}}, nil))
	ca, err := h.PKI.RegisterCA(ctx, pki.CAOrder{PEM: newCA(t).pem, Mode: pki.ModeSNIOnly})
	must(t, err)
	return string(ca.ID)
}

// withRows are the fields of a form's rows: names and values in turn.
func withRows(form url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		form.Add("key", pairs[i])
		form.Add("value", pairs[i+1])
	}
	return form
}

// has fails the test where a page lacks one of the texts.
func has(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("the page lacks %q:\n%s", text, body)
		}
	}
}

func lacks(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(body, text) {
			t.Errorf("the page has %q:\n%s", text, body)
		}
	}
}

// listed are the names that links of a page lead to.
func listed(body, path string) []string {
	var found []string
	for _, part := range strings.Split(body, `href="`+path)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		found = append(found, name)
	}
	return found
}

func TestAThingTypeIsMadeUsedAndTakenOutOfUse(t *testing.T) {
	h := open(t)
	b := h.root(t)
	form := withRows(url.Values{"name": {"lamp"}, "description": {"a lamp"}, "searchable": {"serial, color"}}, "who", "iot:ClientId", "serial", "serial", "", "")
	has(t, b.post(t, "/console/thingtypes", form, http.StatusOK), "lamp was created.")
	got, err := h.Registry.ThingType(t.Context(), "lamp")
	must(t, err)
	want := registry.TypeProperties{Description: "a lamp", Searchable: []string{"serial", "color"}, Propagating: []registry.PropagatingAttribute{
		{UserPropertyKey: "who", ConnectionAttribute: registry.ConnectionClientID}, {UserPropertyKey: "serial", ThingAttribute: "serial"},
	}}
	if diff := cmp.Diff(want, got.Properties); diff != "" {
		t.Errorf("the type (-want +got):\n%s", diff)
	}
	has(t, b.post(t, "/console/thingtypes", form, http.StatusConflict), "There is one named lamp already.", `value="a lamp"`)

	b.post(t, "/console/things", withRows(url.Values{"name": {"l1"}, "type": {"lamp"}, "certificate": {"none"}}, "color", "red"), http.StatusOK)
	has(t, b.get(t, "/console/thingtypes/lamp", http.StatusOK), `href="/console/things/l1"`)
	b.post(t, "/console/thingtypes/lamp", withRows(url.Values{"description": {"another"}}), http.StatusOK)
	b.post(t, "/console/thingtypes/lamp/deprecate", url.Values{"to": {"deprecated"}}, http.StatusOK)
	got, err = h.Registry.ThingType(t.Context(), "lamp")
	must(t, err)
	if diff := cmp.Diff(registry.TypeProperties{Description: "another", Searchable: []string{"serial", "color"}}, got.Properties); diff != "" || !got.IsDeprecated() {
		t.Errorf("deprecated is %v, the type (-want +got):\n%s", got.IsDeprecated(), diff)
	}
	b.post(t, "/console/thingtypes/lamp/delete", url.Values{}, http.StatusBadRequest)
	b.post(t, "/console/thingtypes/lamp/deprecate", url.Values{"to": {"use"}}, http.StatusOK)
	lacks(t, b.get(t, "/console/thingtypes", http.StatusOK), `class="status warn"`)
}

func TestThingGroupsFormATree(t *testing.T) {
	h := open(t)
	b := h.root(t)
	for _, name := range []string{"p1", "p2"} {
		_, err := h.Access.CreatePolicy(t.Context(), name, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, nil)
		must(t, err)
		_, err = h.Registry.CreateThing(t.Context(), registry.NewThing{Name: name})
		must(t, err)
	}
	b.post(t, "/console/thinggroups", withRows(url.Values{"name": {"zoo"}, "description": {"animals"}}, "city", "Berlin"), http.StatusOK)
	b.post(t, "/console/thinggroups", url.Values{"name": {"apes"}, "parent": {"zoo"}}, http.StatusOK)
	b.post(t, "/console/thinggroups", url.Values{"name": {"aquarium"}}, http.StatusOK)
	has(t, b.post(t, "/console/thinggroups", url.Values{"name": {"lost"}, "parent": {"nowhere"}}, http.StatusNotFound), `value="lost"`, `class="problem"`)
	body := b.get(t, "/console/thinggroups", http.StatusOK)
	if diff := cmp.Diff([]string{"aquarium", "zoo", "apes"}, listed(body, "/console/thinggroups/")); diff != "" {
		t.Errorf("the tree (-want +got):\n%s", diff)
	}
	has(t, body, `<li class="in1"><a href="/console/thinggroups/apes">`)
	body = b.get(t, "/console/thinggroups?q=ap", http.StatusOK)
	if diff := cmp.Diff([]string{"apes"}, listed(body, "/console/thinggroups/")); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}

	b.post(t, "/console/thinggroups/apes/things", url.Values{"thing": {"p1"}}, http.StatusOK)
	b.post(t, "/console/thinggroups/apes/policies", url.Values{"policy": {"p2"}}, http.StatusOK)
	has(t, b.get(t, "/console/thinggroups/apes", http.StatusOK), `href="/console/things/p1"`, `href="/console/policies/p2"`, `<a href="/console/thinggroups/zoo">zoo</a>`)
	if got := listed(b.get(t, "/console/things?group=zoo", http.StatusOK), "/console/things/"); !cmp.Equal(got, []string{"p1"}) {
		t.Errorf("things of the group and below it: %v", got)
	}
	b.post(t, "/console/thinggroups/apes/things", url.Values{"thing": {"p1"}, "remove": {"yes"}}, http.StatusOK)
	b.post(t, "/console/thinggroups/apes/policies", url.Values{"policy": {"p2"}, "detach": {"yes"}}, http.StatusOK)
	lacks(t, b.get(t, "/console/thinggroups/apes", http.StatusOK), `href="/console/things/p1"`, `href="/console/policies/p2"`)

	b.post(t, "/console/thinggroups/zoo", withRows(url.Values{"description": {"more"}}, "city", "Tokyo", "n", "1"), http.StatusOK)
	zoo, err := h.Registry.ThingGroup(t.Context(), "zoo")
	must(t, err)
	if diff := cmp.Diff(map[string]string{"city": "Tokyo", "n": "1"}, zoo.Attributes); diff != "" || zoo.Description != "more" {
		t.Errorf("description %q, attributes (-want +got):\n%s", zoo.Description, diff)
	}
	b.post(t, "/console/thinggroups/zoo/delete", url.Values{}, http.StatusBadRequest) // it has a child
	b.post(t, "/console/thinggroups/apes/delete", url.Values{}, http.StatusOK)
	b.post(t, "/console/thinggroups/zoo/delete", url.Values{}, http.StatusOK)
}

func TestAThingChangesTypeGroupsAndBillingGroup(t *testing.T) {
	h := open(t)
	b := h.root(t)
	furnish(t, h)
	b.post(t, "/console/things", withRows(url.Values{"name": {"pump"}, "type": {"p"}, "group": {"p"}, "billing": {"p"}, "certificate": {"none"}}, "color", "red"), http.StatusOK)
	want := func(thing registry.Thing, groups []string) {
		t.Helper()
		got, err := h.Registry.Thing(t.Context(), "pump")
		must(t, err)
		thing.ID, thing.Version = got.ID, got.Version
		if diff := cmp.Diff(thing, got); diff != "" {
			t.Errorf("the thing (-want +got):\n%s", diff)
		}
		in, _, err := h.Registry.ThingGroupsForThing(t.Context(), "pump", whole)
		must(t, err)
		if diff := cmp.Diff(groups, in); diff != "" {
			t.Errorf("its groups (-want +got):\n%s", diff)
		}
	}
	want(registry.Thing{Name: "pump", Type: "p", BillingGroup: "p", Attributes: map[string]string{"color": "red"}}, []string{"p"})
	for _, tab := range []string{"attributes", "certificates", "groups", "shadows", "activity", "nonsense"} {
		b.get(t, "/console/things/pump?tab="+tab, http.StatusOK)
	}
	b.post(t, "/console/things/pump/attributes", withRows(url.Values{"type": {""}}, "color", "blue", "n", "1"), http.StatusOK)
	b.post(t, "/console/things/pump/billing", url.Values{"billing": {""}}, http.StatusOK)
	b.post(t, "/console/things/pump/groups", url.Values{"group": {"p"}, "remove": {"yes"}}, http.StatusOK)
	want(registry.Thing{Name: "pump", Attributes: map[string]string{"color": "blue", "n": "1"}}, []string{})
	b.post(t, "/console/things/pump/billing", url.Values{"billing": {"p"}}, http.StatusOK)
	b.post(t, "/console/things/pump/groups", url.Values{"group": {"p"}}, http.StatusOK)
	b.post(t, "/console/things/pump/attributes", withRows(url.Values{"type": {"p"}}), http.StatusOK)
	want(registry.Thing{Name: "pump", Type: "p", BillingGroup: "p", Attributes: map[string]string{}}, []string{"p"})
	has(t, b.post(t, "/console/things/pump/attributes", withRows(url.Values{}, "a", "1", "a", "2"), http.StatusBadRequest), "comes twice")
	has(t, b.get(t, "/console/billinggroups/p", http.StatusOK), `href="/console/things/pump"`)
	b.post(t, "/console/billinggroups/p/things", url.Values{"thing": {"pump"}, "remove": {"yes"}}, http.StatusOK)
	b.post(t, "/console/billinggroups/p", url.Values{"description": {"paid by us"}}, http.StatusOK)
	has(t, b.get(t, "/console/billinggroups/p", http.StatusOK), "paid by us")
	b.post(t, "/console/billinggroups/p/delete", url.Values{}, http.StatusOK)
}

func TestThingsAreFilteredByTypeToo(t *testing.T) {
	h := open(t)
	b := h.root(t)
	furnish(t, h)
	for name, kind := range map[string]string{"a1": "", "a2": "p", "b1": "p", "b2": ""} {
		_, err := h.Registry.CreateThing(t.Context(), registry.NewThing{Name: name, Type: kind, Attributes: map[string]string{"n": name}})
		must(t, err)
		must(t, h.Registry.AddThingToThingGroup(t.Context(), name, "p"))
	}
	tests := map[string][]string{
		"type=p": {"a2", "b1"}, "type=p&q=b": {"b1"}, "type=p&q=n%3Da": {"a2"}, "group=p&q=a": {"a1", "a2"},
		"group=p&type=p": {"a2", "b1"}, "group=p&q=n%3Db2": {"b2"}, "group=p&type=p&q=c": nil,
	}
	for query, want := range tests {
		got := listed(b.get(t, "/console/things?"+query, http.StatusOK), "/console/things/")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s finds (-want +got):\n%s", query, diff)
		}
	}
}

func TestTagsAreThoseOfTheForm(t *testing.T) {
	h := open(t)
	b := h.root(t)
	furnish(t, h)
	resource := h.Registry.ARN("thinggroup", "p")
	form := func(pairs ...string) url.Values {
		return withRows(url.Values{"resource": {resource}, "back": {"/console/thinggroups/p"}}, pairs...)
	}
	has(t, b.post(t, "/console/tags", form("a", "1", "b", "2"), http.StatusOK), "Saved.", `value="a"`)
	b.post(t, "/console/tags", form("b", "3", "c", ""), http.StatusOK)
	got, err := h.Registry.TagsForResource(t.Context(), resource)
	must(t, err)
	if diff := cmp.Diff([]registry.Tag{{Key: "b", Value: "3"}, {Key: "c"}}, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	u := h.user(t, "alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iot:ListTagsForResource","iot:TagResource","iot:DescribeThingGroup"],"Resource":"*"}}`)
	u.post(t, "/console/tags", form("b", "4"), http.StatusForbidden) // c would go
	u.post(t, "/console/tags", form("b", "4", "c", ""), http.StatusOK)
	for _, back := range []string{"https://evil.example.com/", "//evil.example.com/console/", "\\evil", "%"} {
		f := form("b", "4")
		f.Set("back", back)
		b.post(t, "/console/tags", f, http.StatusOK) // and the browser stays here
	}
}

func TestMistakesInAShadowAreShownWhereTheyAre(t *testing.T) {
	h := open(t)
	b := h.root(t)
	body := b.post(t, "/console/things/pump/shadow", url.Values{"document": {"{\r\n  \"state\": {\r\n    \"desired\": {1}\r\n  }\r\n}"}}, http.StatusBadRequest)
	has(t, body, "Line 3, column 17:", `data-line="3" data-column="17"`)
	lacks(t, b.post(t, "/console/things/pump/shadow", url.Values{"document": {`{"state":{"other":1}}`}}, http.StatusBadRequest), "data-line")
}

func TestTheHistoryOfAShadowShowsWhoChangedWhat(t *testing.T) {
	h := open(t)
	b := h.root(t)
	has(t, b.get(t, "/console/things/pump/shadow/history", http.StatusOK), "No change yet")
	b.post(t, "/console/things/pump/shadow", url.Values{"document": {`{"state":{"desired":{"on":true}}}`}}, http.StatusOK)
	device := message.Origin{Kind: message.FromDevice, ClientID: "<b>pump</b>", Principal: strings.Repeat("ab", 32)}
	h.Broker.Publish(message.Message{Topic: "$aws/things/pump/shadow/update", Payload: []byte(`{"state":{"reported":{"on":true}},"clientToken":"t-1"}`), QoS: 1, Origin: device}, nil)
	wait(t, func() bool {
		changes, err := h.Shadows.History(t.Context(), shadow.ID{Thing: "pump"})
		return err == nil && len(changes) == 2
	})
	body := b.get(t, "/console/things/pump/shadow/history", http.StatusOK)
	has(t, body, "t-1", "&lt;b&gt;pump&lt;/b&gt;", "/console/certificates/abab", `<span class="mono">root</span>`, "<ins>+   &#34;reported&#34;: {</ins>")
	body = b.get(t, "/console/things/pump/shadow/history?version=1", http.StatusOK)
	has(t, body, "<ins>+   &#34;desired&#34;: {</ins>")
	has(t, b.get(t, "/console/things/pump/shadow/history?version=1&with=2", http.StatusOK), "<del>-   &#34;reported&#34;: {</del>")
	b.post(t, "/console/things/pump/shadow/delete", url.Values{}, http.StatusOK)
	body = b.get(t, "/console/things/pump/shadow/history", http.StatusOK)
	has(t, body, ">deleted<", `<span class="mono">root</span>`) // and nothing of what was deleted
	lacks(t, body, "t-1", "desired")
	b.get(t, "/console/things/pump/shadow/history?name=other&version=x&with=y", http.StatusOK)
}

// wait waits for what must come.
func wait(t *testing.T, come func() bool) {
	t.Helper()
	for start := time.Now(); !come(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatal("it does not come")
		}
	}
}

var identifiers = regexp.MustCompile(`<[^>]* id="[^"]+"`)

// repeated gives the first ID that comes twice: scripts and labels would find
// the wrong element.
func repeated(tags []string) string {
	seen := map[string]bool{}
	for _, tag := range tags {
		id := tag[strings.LastIndex(tag, " id="):]
		if seen[id] {
			return id
		}
		seen[id] = true
	}
	return ""
}

func TestARefusedFormIsNoChangeInTheLog(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/thinggroups", url.Values{"name": {"<b>"}}, http.StatusBadRequest)
	if log := h.log.String(); strings.Contains(log, "a change was made") || !strings.Contains(log, "a change was refused") {
		t.Errorf("the log is\n%s", log)
	}
}
