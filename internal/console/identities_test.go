package console

import (
	"html"
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
)

const mayAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestARoleNeedsANameOnly(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/roles", url.Values{"name": {"writer"}}, http.StatusOK)
	has(t, b.post(t, "/console/roles", url.Values{"name": {"writer"}}, http.StatusConflict), "already exists")
	for _, name := range []string{"", "a/b", "a b", "<b>", strings.Repeat("a", 65)} {
		b.post(t, "/console/roles", url.Values{"name": {name}}, http.StatusBadRequest)
	}
	role, err := h.IAM.Role(t.Context(), "writer")
	must(t, err)
	for _, service := range trusted {
		has(t, role.Trust, service)
	}
	b.post(t, "/console/roles", url.Values{"name": {"ruler"}, "service": {"iot.amazonaws.com", "evil.example.com"}}, http.StatusOK)
	role, err = h.IAM.Role(t.Context(), "ruler")
	must(t, err)
	lacks(t, role.Trust, "evil", "credentials.iot")

	body := b.post(t, "/console/roles/writer/inline", url.Values{"policy": {"p"}, "document": {"{\r\n\"Version\" 1}"}}, http.StatusBadRequest)
	has(t, body, "Line 2, column 11:", `data-at="document"`, "&#34;Version&#34; 1}")
	b.post(t, "/console/roles/writer/inline", url.Values{"policy": {"p"}, "document": {mayAll}}, http.StatusOK)
	b.post(t, "/console/roles/writer/managed", url.Values{"arn": {"arn:aws:iam::aws:policy/AmazonS3FullAccess"}}, http.StatusOK)
	has(t, b.get(t, "/console/roles/writer", http.StatusOK), "<summary>p</summary>", `aria-label="Detach AmazonS3FullAccess"`)
	has(t, b.get(t, "/console/roles/writer?edit=p", http.StatusOK), `id="policyname" name="policy" value="p"`)

	has(t, b.post(t, "/console/roles/writer/trust", url.Values{"document": {mayAll}}, http.StatusBadRequest), `data-at="trust"`, "statement 1")
	b.post(t, "/console/roles/writer/trust", url.Values{"document": {trustOf([]string{"iot.amazonaws.com"})}}, http.StatusOK)
	b.post(t, "/console/roles/writer/delete", url.Values{}, http.StatusConflict)
	b.post(t, "/console/roles/writer/inline", url.Values{"policy": {"p"}, "delete": {"yes"}}, http.StatusOK)
	b.post(t, "/console/roles/writer/managed", url.Values{"arn": {"arn:aws:iam::aws:policy/AmazonS3FullAccess"}, "detach": {"yes"}}, http.StatusOK)
	b.post(t, "/console/roles/writer/delete", url.Values{}, http.StatusOK)
	b.get(t, "/console/roles/writer", http.StatusNotFound)
}

func TestAnAccessKeyIsShownOnceAndSignsIn(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/users", url.Values{"name": {"ann"}}, http.StatusOK)
	b.post(t, "/console/users/ann/inline", url.Values{"policy": {"all"}, "document": {mayAll}}, http.StatusOK)
	body := b.post(t, "/console/users/ann/keys", url.Values{}, http.StatusOK)
	found := regexp.MustCompile(`aws_access_key_id = (\w+)\naws_secret_access_key = (\S+)\n`).FindStringSubmatch(html.UnescapeString(body))
	if found == nil {
		t.Fatalf("no key in\n%s", body)
	}
	key, secret := found[1], found[2]
	lacks(t, b.get(t, "/console/users/ann", http.StatusOK), html.EscapeString(secret), secret)
	if strings.Contains(h.log.String(), secret) {
		t.Error("the log has the secret")
	}
	ann := h.browser(t)
	ann.post(t, "/console/signin", url.Values{"key": {key}, "secret": {secret}}, http.StatusOK)
	ann.get(t, "/console/users", http.StatusOK)
	b.post(t, "/console/users/ann/key", url.Values{"key": {key}, "to": {"off"}}, http.StatusOK)
	lacks(t, ann.get(t, "/console/users", http.StatusOK), "Create user")
	b.post(t, "/console/users/ann/delete", url.Values{}, http.StatusConflict)
	b.post(t, "/console/users/ann/key", url.Values{"key": {key}, "to": {"delete"}}, http.StatusOK)
	b.post(t, "/console/users/ann/inline", url.Values{"policy": {"all"}, "delete": {"yes"}}, http.StatusOK)
	b.post(t, "/console/users/ann/delete", url.Values{}, http.StatusOK)
}

// Somebody without the right to a user or role does not learn whether there is
// one.
func TestIdentitiesAreHiddenFromStrangers(t *testing.T) {
	h := open(t)
	furnish(t, h)
	u := h.user(t, "bob", "")
	for _, name := range []string{"p", "nobody"} {
		u.get(t, "/console/roles/"+name, http.StatusForbidden)
		u.get(t, "/console/users/"+name, http.StatusForbidden)
		u.post(t, "/console/users/"+name+"/keys", url.Values{}, http.StatusForbidden)
	}
}

func TestARoleAliasIsMadeAndPointedElsewhere(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/roles", url.Values{"name": {"one"}}, http.StatusOK)
	role := h.Scope.IAM("role/one")
	form := func(name, role, seconds string) url.Values {
		return url.Values{"name": {name}, "role": {role}, "seconds": {seconds}}
	}
	has(t, b.post(t, "/console/rolealiases", form("door", role, "soon"), http.StatusBadRequest), `value="door"`, "900 to 43200")
	b.post(t, "/console/rolealiases", form("door", "nonsense", "900"), http.StatusBadRequest)
	b.post(t, "/console/rolealiases", form("a/b", role, "900"), http.StatusBadRequest)
	b.post(t, "/console/rolealiases", form("door", role, "900"), http.StatusOK)
	b.post(t, "/console/rolealiases", form("door", role, "900"), http.StatusConflict)
	body := b.get(t, "/console/rolealiases/door", http.StatusOK)
	has(t, body, "/role-aliases/door/credentials", "iot:AssumeRoleWithCertificate", `href="/console/roles/one"`)
	b.post(t, "/console/rolealiases/door", form("", h.Scope.IAM("role/two"), "1800"), http.StatusOK)
	got, err := h.Aliases.Describe(t.Context(), "door")
	must(t, err)
	want := credentials.RoleAlias{Name: "door", RoleARN: h.Scope.IAM("role/two"), Duration: 30 * time.Minute, Created: got.Created, Modified: got.Modified}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the alias (-want +got):\n%s", diff)
	}
	has(t, b.get(t, "/console/rolealiases/door", http.StatusOK), "there is no such role")
	b.post(t, "/console/rolealiases/door/delete", url.Values{}, http.StatusOK)

	u := h.user(t, "carl", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`)
	u.post(t, "/console/rolealiases", form("door", role, "900"), http.StatusForbidden) // no iam:PassRole
}

func TestAFleetIsMadeWithItsRoleAndAlias(t *testing.T) {
	h := open(t)
	b := h.root(t)
	form := url.Values{"name": {"demo"}, "output": {"nowhere"}, "newrole": {"edge"}}
	has(t, b.post(t, "/console/fleets", form, http.StatusBadRequest), `value="demo"`)
	form.Set("output", "s3://results/device_output")
	b.post(t, "/console/fleets", form, http.StatusOK)
	fleet, err := h.Fleets.Fleet(t.Context(), "demo")
	must(t, err)
	want := edgefleet.Fleet{
		Name: "demo", RoleARN: h.Scope.IAM("role/edge"), RoleAlias: "SageMakerEdge-demo", Output: edgefleet.Output{S3Location: "s3://results/device_output"},
		Created: fleet.Created, Modified: fleet.Modified,
	}
	if diff := cmp.Diff(want, fleet); diff != "" {
		t.Errorf("the fleet (-want +got):\n%s", diff)
	}
	text, err := h.IAM.Inline(t.Context(), iam.ByRole, "edge", "fleet")
	must(t, err)
	has(t, text, `"arn:aws:s3:::results/*"`)
	has(t, b.get(t, "/console/rolealiases/SageMakerEdge-demo", http.StatusOK), `href="/console/roles/edge"`)
	has(t, b.post(t, "/console/fleets", form, http.StatusConflict), "There is one named demo already.")

	b.post(t, "/console/fleets/demo/devices", url.Values{"device": {"cam-1"}, "thing": {"camera"}}, http.StatusOK)
	b.post(t, "/console/fleets/demo/devices", url.Values{"device": {"cam_1"}}, http.StatusBadRequest)
	has(t, b.get(t, "/console/fleets/demo", http.StatusOK), "cam-1", `href="/console/things/camera"`, ">never<")
	must(t, h.Fleets.Beat(t.Context(), edgefleet.Heartbeat{Fleet: "demo", Device: "cam-1", AgentVersion: "1.2.3"}))
	has(t, b.get(t, "/console/fleets/demo", http.StatusOK), ">alive<", "1.2.3")
	b.post(t, "/console/tags", withRows(url.Values{"resource": {h.Fleets.FleetARN("demo")}, "back": {"/console/fleets/demo"}}, "a", "1"), http.StatusOK)
	b.post(t, "/console/fleets/demo/delete", url.Values{}, http.StatusConflict)
	b.post(t, "/console/fleets/demo/deregister", url.Values{"device": {"cam-1"}}, http.StatusOK)
	b.post(t, "/console/fleets/demo/delete", url.Values{}, http.StatusOK)
	b.get(t, "/console/rolealiases/SageMakerEdge-demo", http.StatusNotFound)
}
