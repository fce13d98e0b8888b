package console

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/rules"
)

// ruleValues are the fields of a rule that copies hot readings to a topic.
func ruleValues() url.Values {
	return url.Values{
		"name": {"hot"}, "sql": {"SELECT t FROM 'site/#' WHERE t > 30"}, "version": {"2016-03-23"}, "action": {"0"}, "action.0.kind": {"republish"},
		"action.0.topic": {"alarm"}, "trytopic": {"site/1"}, "trypayload": {`{"t":31}`},
	}
}

func filled(form url.Values, more ...string) url.Values {
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

func TestARuleIsTriedMadeEditedAndStopped(t *testing.T) {
	h := open(t)
	b := h.root(t)
	if body := b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "try"), http.StatusOK); !strings.Contains(body, `<pre id="output">{`) {
		t.Errorf("the rule's result is not shown:\n%s", body)
	}
	b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "try", "sql", "SELEKT"), http.StatusBadRequest)
	if body := b.post(t, "/console/rules", ruleValues(), http.StatusBadRequest); !strings.Contains(body, "republish needs roleArn") {
		t.Errorf("the missing role is not named:\n%s", body)
	}
	body := b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "role:0", "action.0.newrole", "hotrole"), http.StatusOK)
	role := "arn:aws:iam::123456789012:role/hotrole"
	if !strings.Contains(body, `<option value="`+role+`" selected>`) {
		t.Errorf("the new role is not chosen:\n%s", body)
	}
	b.post(t, "/console/rules", filled(ruleValues(), "action.0.roleArn", role), http.StatusOK)
	document, err := h.IAM.Inline(t.Context(), iam.ByRole, "hotrole", "aws-iot-rule-hot-action-0")
	must(t, err)
	want := documentOf([]statement{{"Allow", "iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/alarm"}})
	if diff := cmp.Diff(want, document); diff != "" {
		t.Errorf("what the role may do (-want +got):\n%s", diff)
	}
	edit := b.get(t, "/console/rules/hot/edit", http.StatusOK)
	if !strings.Contains(edit, `name="action.0.topic" value="alarm"`) {
		t.Errorf("the editor lacks the topic:\n%s", edit)
	}
	b.post(t, "/console/rules/hot/edit", filled(ruleValues(), "action.0.roleArn", role, "action.0.topic", "alarms/${topic(2)}",
		"action.error.kind", "republish", "action.error.topic", "errors", "action.error.roleArn", role), http.StatusOK)
	b.post(t, "/console/rules/hot", url.Values{"to": {"off"}}, http.StatusOK)
	rule, err := h.Rules.Get(t.Context(), "hot")
	must(t, err)
	rule.Created = time.Time{}
	if diff := cmp.Diff(rules.Rule{
		Name: "hot", SQL: "SELECT t FROM 'site/#' WHERE t > 30", Version: "2016-03-23", Disabled: true, Topic: "site/#",
		Actions:     []iot.Action{{Republish: &iot.RepublishAction{RoleArn: role, Topic: "alarms/${topic(2)}"}}},
		ErrorAction: &iot.Action{Republish: &iot.RepublishAction{RoleArn: role, Topic: "errors"}},
	}, rule); diff != "" {
		t.Errorf("the rule (-want +got):\n%s", diff)
	}
	b.get(t, "/console/rules/hot?only=failures", http.StatusOK)
	b.post(t, "/console/rules/hot/delete", url.Values{}, http.StatusOK)
	if _, err := h.Rules.Get(t.Context(), "hot"); err == nil {
		t.Error("the rule is still there")
	}
}

// Steps of the form change the form alone.
func TestADraftChangesNothing(t *testing.T) {
	h := open(t)
	b := h.root(t)
	body := b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "add", "addkind", "s3"), http.StatusOK)
	for _, part := range []string{`name="action.1.bucketName"`, `name="action.0.topic" value="alarm"`} {
		if !strings.Contains(body, part) {
			t.Errorf("the form lacks %s:\n%s", part, body)
		}
	}
	body = b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "remove:0"), http.StatusOK)
	if strings.Contains(body, "action.0.kind") {
		t.Errorf("the action is still there:\n%s", body)
	}
	b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "adderror", "adderrorkind", "lambda"), http.StatusOK)
	b.post(t, "/console/ruledraft", filled(ruleValues(), "do", "role:7"), http.StatusBadRequest)
	if list, err := h.Rules.List(t.Context(), rules.RuleFilter{Limit: 10}); err != nil || len(list) > 0 {
		t.Errorf("rules: %v, %v", list, err)
	}
	if strings.Contains(h.log.String(), "a change was made") {
		t.Errorf("the log tells of changes:\n%s", h.log)
	}
}

func TestAStatementIsCheckedAtItsPlace(t *testing.T) {
	h := open(t)
	b := h.root(t)
	tests := map[string]sqlVerdict{
		"SELECT a FROM 'x/+'":     {OK: true, Filter: "x/+"},
		"SELECT a\nFROM 'x' WHER": {Line: 2, Column: 10},
		"SELECT nosuch(1) FROM 'x'": {
			Line: 1, Column: 8,
		},
	}
	for sql, want := range tests {
		var got sqlVerdict
		must(t, json.Unmarshal([]byte(b.post(t, "/console/sqlcheck", url.Values{"sql": {sql}, "version": {"2016-03-23"}}, http.StatusOK)), &got))
		if want.OK == (got.Problem != "") {
			t.Errorf("%q: the problem is %q", sql, got.Problem)
		}
		got.Problem = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", sql, diff)
		}
	}
}

// Every member of every action of the model survives the way through the form.
func TestFormsOfActionsLoseNothing(t *testing.T) {
	for _, kind := range actionKinds {
		t.Run(kind.Member, func(t *testing.T) {
			values := map[string]string{}
			for _, f := range kind.Fields {
				switch f.Type {
				case fieldNumber:
					values[f.Path] = "7"
				case fieldSwitch:
					values[f.Path] = "true"
				case fieldChoice:
					values[f.Path] = f.Choices[0]
				case fieldPairs:
					values[f.Path] = "a=1=2\nb= c\n"
				case fieldJSON:
					values[f.Path] = "[]"
				default:
					values[f.Path] = "<" + f.Path + ">"
				}
			}
			action, err := kind.actionOf(values)
			must(t, err)
			back, got, err := valuesOf(action)
			must(t, err)
			if back.Member != kind.Member {
				t.Errorf("it came back as %s", back.Member)
			}
			if diff := cmp.Diff(values, got); diff != "" {
				t.Errorf("what came back (-sent +got):\n%s", diff)
			}
			for _, f := range kind.Fields {
				if !f.Must {
					continue
				}
				less := map[string]string{}
				for path, value := range values {
					if path != f.Path {
						less[path] = value
					}
				}
				if _, err := kind.actionOf(less); !fault.Is(err, fault.CodeInvalidRequest) {
					t.Errorf("without %s: %v", f.Path, err)
				}
			}
		})
	}
}

func TestFormsOfActionsRefuseWhatTheyCannotRead(t *testing.T) {
	s3 := map[string]string{"roleArn": "r", "bucketName": "b", "key": "k"}
	tests := map[string]struct {
		kind string
		more map[string]string
	}{
		"number":                   {"republish", map[string]string{"roleArn": "r", "topic": "t", "qos": "one"}},
		"pairs without =":          {"http", map[string]string{"url": "u", "headers": "nonsense"}},
		"JSON":                     {"iotSiteWise", map[string]string{"roleArn": "r", "putAssetPropertyValueEntries": "{"}},
		"JSON of another shape":    {"iotSiteWise", map[string]string{"roleArn": "r", "putAssetPropertyValueEntries": "7"}},
		"a part that is not whole": {"http", map[string]string{"url": "u", "auth.sigv4.signingRegion": "r"}},
	}
	for name, tt := range tests {
		if _, err := kindOf(tt.kind).actionOf(tt.more); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := kindOf("s3").actionOf(s3); err != nil {
		t.Error(err)
	}
}

func TestADestinationIsAskedAndConfirmed(t *testing.T) {
	h := open(t)
	b := h.root(t)
	token := make(chan string, 1)
	owner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var ask struct{ ConfirmationToken string }
		_ = json.NewDecoder(r.Body).Decode(&ask)
		token <- ask.ConfirmationToken
	}))
	defer owner.Close()
	if body := b.post(t, "/console/destinations", url.Values{"url": {owner.URL}}, http.StatusOK); !strings.Contains(body, "IN_PROGRESS") {
		t.Errorf("the destination does not wait:\n%s", body)
	}
	b.post(t, "/console/destinations/confirm", url.Values{"token": {"wrong"}}, http.StatusBadRequest)
	if body := b.post(t, "/console/destinations/confirm", url.Values{"token": {<-token}}, http.StatusOK); !strings.Contains(body, "ENABLED") {
		t.Errorf("the destination is not confirmed:\n%s", body)
	}
	b.post(t, "/console/destinations", url.Values{"vpc": {"vpc-1"}, "subnets": {"a, b"}}, http.StatusOK)
	list, err := h.Rules.Destinations(t.Context(), "", 10)
	must(t, err)
	for _, one := range list {
		b.post(t, "/console/destinations/status", url.Values{"arn": {h.Rules.DestinationARN(one)}, "to": {"DISABLED"}}, http.StatusOK)
		b.post(t, "/console/destinations/status", url.Values{"arn": {h.Rules.DestinationARN(one)}, "to": {"deleted"}}, http.StatusOK)
	}
	if list, err = h.Rules.Destinations(t.Context(), "", 10); err != nil || len(list) > 0 {
		t.Errorf("destinations %v, %v", list, err)
	}
}

// sendObject uploads as the page's script does.
func sendObject(t *testing.T, b *browser, bucket, key, body string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.h.URL+"/console/buckets/"+bucket+"/objects?"+url.Values{"key": {key}, "type": {"text/html"}}.Encode(), strings.NewReader(body))
	must(t, err)
	r.Header.Set("X-CSRF-Token", b.token(t))
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Accept", "application/json")
	b.do(t, r, want)
}

func TestObjectsAreUploadedShownAndDeleted(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/buckets", url.Values{"name": {"No Bucket"}}, http.StatusBadRequest)
	b.post(t, "/console/buckets", url.Values{"name": {"plants"}}, http.StatusOK)
	b.post(t, "/console/buckets", url.Values{"name": {"plants"}}, http.StatusConflict)
	page := `<img src=x onerror=alert(1)>`
	key := "herbs/a b+c&ü%.html"
	sendObject(t, b, "plants", key, page, http.StatusNoContent)
	sendObject(t, b, "plants", "seed.json", `{"n":1}`, http.StatusNoContent)
	sendObject(t, b, "nosuch", "x", "", http.StatusNotFound)

	top := b.get(t, "/console/buckets/plants", http.StatusOK)
	for _, part := range []string{`?prefix=herbs%2F`, "seed.json", "7 B", "<time"} {
		if !strings.Contains(top, part) {
			t.Errorf("the bucket's page lacks %s:\n%s", part, top)
		}
	}
	if folder := b.get(t, "/console/buckets/plants?prefix=herbs%2F", http.StatusOK); !strings.Contains(folder, "a b&#43;c&amp;ü%.html") {
		t.Errorf("the folder lacks its object:\n%s", folder)
	}
	named := "?" + url.Values{"key": {key}}.Encode()
	if shown := b.get(t, "/console/buckets/plants/object"+named, http.StatusOK); strings.Contains(shown, "<img") || !strings.Contains(shown, "&lt;img") {
		t.Errorf("the object is not shown as text:\n%s", shown)
	}
	answer, body := b.do(t, b.request(t, http.MethodGet, "/console/buckets/plants/download"+named, nil), http.StatusOK)
	if body != page || answer.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("downloaded %q as %v", body, answer.Header)
	}
	b.post(t, "/console/buckets/plants/delete", url.Values{}, http.StatusConflict)
	for _, one := range []string{key, "seed.json"} {
		b.post(t, "/console/buckets/plants/object/delete?"+url.Values{"key": {one}}.Encode(), url.Values{}, http.StatusOK)
	}
	b.post(t, "/console/buckets/plants/delete", url.Values{}, http.StatusOK)
	b.get(t, "/console/buckets/plants", http.StatusNotFound)
}

// nextPage gives the address of the next page of a list; "" where there is none.
func nextPage(body, path string) string {
	_, next, found := strings.Cut(body, `href="`+path+`?token=`)
	if !found {
		return ""
	}
	token, _, _ := strings.Cut(next, `"`)
	return path + "?token=" + html.UnescapeString(token)
}

func TestTheListOfBucketsHasPages(t *testing.T) {
	h := open(t)
	b := h.root(t)
	client := h.rootS3(t)
	for i := range bucketsSize + 1 {
		must(t, client.createBucket(fmt.Sprintf("bucket-%03d", i)))
	}
	body := b.get(t, "/console/buckets", http.StatusOK)
	has(t, body, "bucket-000", fmt.Sprintf("bucket-%03d", bucketsSize-1))
	lacks(t, body, fmt.Sprintf("bucket-%03d", bucketsSize))
	second := b.get(t, nextPage(body, "/console/buckets"), http.StatusOK)
	has(t, second, fmt.Sprintf("bucket-%03d", bucketsSize), `href="/console/buckets?"`)
	lacks(t, second, "bucket-000")
	if next := nextPage(second, "/console/buckets"); next != "" {
		t.Errorf("behind the last page is %s", next)
	}
}

// rootS3 speaks to the S3 with the root's access key.
func (h *house) rootS3(t *testing.T) s3 {
	t.Helper()
	root, err := h.IAM.RootKey(t.Context())
	must(t, err)
	v := &visit{Console: h.Console, r: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)}
	return s3{v, sigv4.Credentials{AccessKeyID: root.ID, SecretAccessKey: root.Secret}}
}

func TestABucketHasPages(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/buckets", url.Values{"name": {"many"}}, http.StatusOK)
	client := h.rootS3(t)
	for i := range objectsSize + 1 {
		must(t, client.put("many", "k"+string(rune('a'+i/26))+string(rune('a'+i%26)), "", strings.NewReader("x"), 1))
	}
	body := b.get(t, "/console/buckets/many", http.StatusOK)
	if n := strings.Count(body, "/object?key="); n != objectsSize {
		t.Errorf("the first page has %d objects", n)
	}
	if n := strings.Count(b.get(t, nextPage(body, "/console/buckets/many"), http.StatusOK), "/object?key="); n != 1 {
		t.Errorf("the second page has %d objects", n)
	}
}

// An object store that answers nonsense makes an error and no page.
func TestAnswersOfS3AreNotTrusted(t *testing.T) {
	h := open(t)
	h.Objects = roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("<a>"))}, nil
	})
	h.root(t).get(t, "/console/buckets", http.StatusInternalServerError)
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A form that was refused says so at its field, and keeps what was typed.
func TestMistakesInRoutingFormsStandAtTheirFields(t *testing.T) {
	h := open(t)
	b := h.root(t)
	rule := url.Values{"name": {"r1"}, "sql": {"SELECT * FROM 'a'"}, "version": {"2016-03-23"}, "description": {"d & e"}, "do": {"create"}}
	b.post(t, "/console/rules", rule, http.StatusOK)
	body := b.post(t, "/console/rules", rule, http.StatusConflict)
	has(t, body, `name="name" value="r1" required`, `aria-invalid="true" autofocus><p class="problem below"`, "d &amp; e")
	rule.Set("sql", "SELECT FROM")
	rule.Set("name", "r2")
	body = b.post(t, "/console/rules", rule, http.StatusBadRequest)
	has(t, body, `value="r2"`, "SELECT FROM</textarea>")
	lacks(t, body, "hidden></p>", `class="problem below"`)

	body = b.post(t, "/console/destinations", url.Values{"url": {"ftp://x"}}, http.StatusBadRequest)
	has(t, body, `value="ftp://x"`, `aria-invalid="true" autofocus><p class="problem below"`)
	has(t, b.post(t, "/console/destinations/confirm", url.Values{"token": {"nothing"}}, http.StatusBadRequest), `value="nothing"`, `class="problem below"`)
	body = b.post(t, "/console/buckets", url.Values{"name": {"No"}}, http.StatusBadRequest)
	has(t, body, `value="No"`, `aria-invalid="true"><p class="problem below"`)
	for _, deed := range strings.Split(h.log.String(), "\n") {
		if strings.Contains(deed, "a change was made") && !strings.Contains(deed, "name=r1") && !strings.Contains(deed, "rule=r1") {
			t.Errorf("a refused form counts as a change: %s", deed)
		}
	}
}

func TestRulesAreFoundByTheirBeginning(t *testing.T) {
	h := open(t)
	b := h.root(t)
	for _, name := range []string{"a", "pump", "pump_2", "pumq"} {
		b.post(t, "/console/rules", url.Values{"name": {name}, "sql": {"SELECT * FROM 'a'"}, "version": {"2016-03-23"}, "do": {"create"}}, http.StatusOK)
	}
	body := b.get(t, "/console/rules?q=pump", http.StatusOK)
	has(t, body, `href="/console/rules/pump"`, `href="/console/rules/pump_2"`)
	lacks(t, body, `href="/console/rules/a"`, `href="/console/rules/pumq"`)
	lacks(t, b.get(t, "/console/rules?q=pump&token=pump", http.StatusOK), `href="/console/rules/pump"`)
	for _, odd := range []string{"zz", "%ff", "%00", "é"} {
		has(t, b.get(t, "/console/rules?q="+odd, http.StatusOK), "No rule begins so")
	}
	has(t, b.get(t, "/console/audit?about=%ff%00&who=%ff", http.StatusOK), "rules")
	body = b.get(t, "/console/sql?q=HALF", http.StatusOK)
	has(t, body, "round(x)")
	lacks(t, body, "sqrt(x)")
}
