package rules_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/rules"
)

// await waits until a destination has a status.
func (h *house) await(name string, status rules.Status) rules.Destination {
	h.t.Helper()
	for {
		d, err := h.Destination(h.ctx, name)
		if err != nil {
			h.t.Fatal(err)
		}
		if d.Status == status {
			return d
		}
		time.Sleep(time.Millisecond) // the status wakes nobody
	}
}

func TestADestinationIsConfirmedByItsToken(t *testing.T) {
	h := open(t, nil)
	d, err := h.CreateDestination(h.ctx, rules.Destination{URL: h.web.URL + "/in?k=v"})
	if err != nil {
		t.Fatal(err)
	}
	name := h.DestinationARN(d)
	asked := h.web.wait(1)[0]
	body := asJSON(t, asked.Body).(map[string]any)
	token, _ := body["confirmationToken"].(string)
	want := map[string]any{
		"arn": name, "confirmationToken": token, "messageType": "DestinationConfirmation",
		"enableUrl": "https://iot.example/confirmdestination/" + token,
	}
	if diff := cmp.Diff(want, body); diff != "" || len(token) < 32 {
		t.Error(diff)
	}
	if asked.Path != "/in?confirmationToken="+token+"&k=v" {
		t.Error(asked.Path)
	}
	headers := []string{asked.Header.Get("x-amz-rules-engine-message-type"), asked.Header.Get("x-amz-rules-engine-destination-arn"), asked.Header.Get("Content-Type")}
	if diff := cmp.Diff([]string{"DestinationConfirmation", `"` + name + `"`, "application/json"}, headers); diff != "" {
		t.Error(diff)
	}
	if err := h.ConfirmDestination(h.ctx, token+"x"); !fault.Is(err, fault.CodeInvalidRequest) {
		t.Error("a wrong token:", err)
	}
	if err := h.ConfirmDestination(h.ctx, token); err != nil {
		t.Error(err)
	}
	if err := h.ConfirmDestination(h.ctx, token); !fault.Is(err, fault.CodeInvalidRequest) {
		t.Error("a used token:", err)
	}
	got, err := h.Destination(h.ctx, name)
	wanted := rules.Destination{ID: d.ID, Status: rules.Enabled, URL: d.URL, Created: at, Updated: at}
	if diff := cmp.Diff(wanted, got, cmpopts.IgnoreFields(rules.Destination{}, "TokenEnds")); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestStatusesOfDestinations(t *testing.T) {
	h := open(t, nil)
	vpc, err := h.CreateDestination(h.ctx, rules.Destination{VPC: &rules.VPC{ID: "vpc-1", SubnetIDs: []string{"s"}, RoleARN: role}})
	if err != nil || vpc.Status != rules.Enabled {
		t.Fatal(err, vpc)
	}
	hook, err := h.CreateDestination(h.ctx, rules.Destination{URL: h.web.URL})
	if err != nil || hook.Status != rules.InProgress {
		t.Fatal(err, hook)
	}
	_, err = h.CreateDestination(h.ctx, rules.Destination{URL: h.web.URL})
	if !fault.Is(err, fault.CodeAlreadyExists) {
		t.Error(err)
	}
	token := func(n int) string {
		return asJSON(t, h.web.wait(n)[n-1].Body).(map[string]any)["confirmationToken"].(string)
	}
	first := token(1)
	for _, step := range []struct {
		name string
		do   func() error
		code fault.Code
		then rules.Status
	}{
		{"bad/enable before confirmation", h.update(hook, rules.Enabled), fault.CodeInvalidRequest, rules.InProgress},
		{"ok/ask again", h.update(hook, rules.InProgress), "", rules.InProgress},
		{"bad/older token", func() error { return h.ConfirmDestination(h.ctx, first) }, fault.CodeInvalidRequest, rules.InProgress},
		{"ok/newer token", func() error { return h.ConfirmDestination(h.ctx, token(2)) }, "", rules.Enabled},
		{"ok/enable twice", h.update(hook, rules.Enabled), "", rules.Enabled},
		{"ok/disable", h.update(hook, rules.Disabled), "", rules.Disabled},
		{"bad/ask again once confirmed", h.update(hook, rules.InProgress), fault.CodeInvalidRequest, rules.Disabled},
		{"ok/enable", h.update(hook, rules.Enabled), "", rules.Enabled},
	} {
		err := step.do()
		d, getErr := h.Destination(h.ctx, h.DestinationARN(hook))
		if fault.CodeOf(err) != step.code || getErr != nil || d.Status != step.then {
			t.Errorf("%s: got %v and %s, want %s and %s", step.name, err, d.Status, step.code, step.then)
		}
	}
	if err := h.DeleteDestination(h.ctx, h.DestinationARN(hook)); err != nil {
		t.Error(err)
	}
	all, err := h.Destinations(h.ctx, "", 10)
	if diff := cmp.Diff([]rules.Destination{vpc}, all); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for name, code := range map[string]fault.Code{
		"x": fault.CodeInvalidRequest, "arn:aws:iot:eu-west-1:111122223333:rule/r": fault.CodeInvalidRequest, h.DestinationARN(hook): fault.CodeUnauthorized,
	} {
		if _, err := h.Destination(h.ctx, name); !fault.Is(err, code) {
			t.Error(name, err)
		}
	}
}

func (h *house) update(d rules.Destination, to rules.Status) func() error {
	return func() error { return h.UpdateDestination(h.ctx, h.DestinationARN(d), to) }
}

func TestADestinationOutOfReachIsAnError(t *testing.T) {
	h := open(t, nil)
	h.web.answers(func(int, *http.Request) int { return 404 })
	d, err := h.CreateDestination(h.ctx, rules.Destination{URL: h.web.URL})
	if err != nil {
		t.Fatal(err)
	}
	got := h.await(h.DestinationARN(d), rules.Failed)
	if want := "Could not send the confirmation message: the endpoint answered 404 Not Found"; got.Reason != want {
		t.Error(got.Reason)
	}
}

func TestATokenHasItsTime(t *testing.T) {
	now := at
	h := open(t, func(c *rules.Config) { c.Now = func() time.Time { return now } })
	d, err := h.CreateDestination(h.ctx, rules.Destination{URL: h.web.URL})
	if err != nil {
		t.Fatal(err)
	}
	token := asJSON(t, h.web.wait(1)[0].Body).(map[string]any)["confirmationToken"].(string)
	now = now.Add(4 * 24 * time.Hour)
	got, err := h.Destination(h.ctx, h.DestinationARN(d))
	if err != nil || got.Status != rules.Failed {
		t.Error(got.Status, err)
	}
	if err := h.ConfirmDestination(h.ctx, token); !fault.Is(err, fault.CodeInvalidRequest) {
		t.Error(err)
	}
}

func TestAnHTTPActionGoesWhereItIsWanted(t *testing.T) {
	h := open(t, nil)
	h.rule("hook", "SELECT n FROM 'in'", new(republish("failed")), iot.Action{Http: &iot.HttpAction{
		Url: h.web.URL + "/${path}", ConfirmationUrl: h.web.URL + "/in", Headers: []iot.HttpActionHeader{{Key: "X-Device", Value: "${clientid()}"}},
	}})
	token := asJSON(t, h.web.wait(1)[0].Body).(map[string]any)["confirmationToken"].(string)
	h.publish("in", `{"n":1,"path":"in/a"}`) // not confirmed yet
	h.spine.republished(1)
	if err := h.ConfirmDestination(h.ctx, token); err != nil {
		t.Fatal(err)
	}
	h.publish("in", `{"n":2,"path":"elsewhere"}`)
	h.spine.republished(2)
	h.publish("in", `{"n":3,"path":"in/a"}`)
	got := h.web.wait(2)[1]
	seen := []string{got.Path, got.Body, got.Header.Get("X-Device"), got.Header.Get("Content-Type")}
	if diff := cmp.Diff([]string{"/in/a", `{"n":3}`, "dev-7", "application/json"}, seen); diff != "" {
		t.Error(diff)
	}
	d, err := h.Destinations(h.ctx, "", 10)
	if err != nil || len(d) != 1 {
		t.Fatal(err, d)
	}
	if err := h.update(d[0], rules.Disabled)(); err != nil {
		t.Fatal(err)
	}
	h.publish("in", `{"n":4,"path":"in/a"}`)
	var reports []string
	for _, m := range h.spine.republished(3) {
		first := asJSON(t, string(m.Payload)).(map[string]any)["failures"].([]any)[0].(map[string]any)
		reports = append(reports, strings.ReplaceAll(first["failedResource"].(string), h.web.URL, ""))
	}
	if diff := cmp.Diff([]string{"/in/a", "/elsewhere", "/in/a"}, reports); diff != "" {
		t.Error(diff)
	}
}

// A URL that only begins like a confirmed one is another owner's.
func TestHostsAreNotPrefixes(t *testing.T) {
	for _, test := range []struct {
		url, confirmed string
		want           bool
	}{
		{"https://a.example", "https://a.example", true},
		{"https://a.example/x", "https://a.example", true},
		{"https://A.example/x?y", "https://a.example", true},
		{"https://a.example/in/x", "https://a.example/in", true},
		{"https://a.example/x", "https://a.example/in", false},
		{"https://a.example.evil.example", "https://a.example", false},
		{"https://a.example@evil.example", "https://a.example", false},
		{"https://a.example:8443/", "https://a.example", false},
		{"http://a.example/", "https://a.example", false},
		{"https://a.example/?a=1&b=2", "https://a.example/?a=1", true},
		{"https://a.example/?b=2", "https://a.example/?a=1", false},
		{"%", "https://a.example", false},
	} {
		if got := rules.Within(test.url, test.confirmed); got != test.want {
			t.Errorf("Within(%q, %q) = %v", test.url, test.confirmed, got)
		}
	}
}
