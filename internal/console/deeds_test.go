package console

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/message"
	"thingd/internal/registry"
	"thingd/internal/shadow"
)

func TestOnlyTheStateOfAnEditedShadowIsSent(t *testing.T) {
	h := open(t)
	b := h.root(t)
	path := "/console/things/pump/shadow"
	whole := `{"state":{"desired":{"n":12345678901234567890},"reported":{"n":1},"delta":{"n":2}},"metadata":{"x":1},"version":7,"timestamp":1}`
	b.post(t, path, url.Values{"document": {whole}}, http.StatusOK)
	text, err := h.Shadows.Get(t.Context(), shadow.ID{Thing: "pump"})
	must(t, err)
	var got struct {
		State   map[string]map[string]json.Number
		Version int
	}
	must(t, json.Unmarshal(text, &got))
	want := map[string]map[string]json.Number{"desired": {"n": "12345678901234567890"}, "reported": {"n": "1"}, "delta": {"n": "12345678901234567890"}}
	if diff := cmp.Diff(want, got.State); diff != "" || got.Version != 1 {
		t.Errorf("version %d, state (-want +got):\n%s", got.Version, diff)
	}
	body := b.get(t, path, http.StatusOK)
	_, edited, _ := strings.Cut(body, `<textarea id="document"`)
	edited, _, _ = strings.Cut(edited, "</textarea>")
	if !strings.Contains(edited, "12345678901234567890") || strings.Contains(edited, "delta") || strings.Contains(edited, "metadata") {
		t.Errorf("the editor begins with %s", edited)
	}
	for name, bad := range map[string]string{"no JSON": "{", "no state": `{"desired":{}}`, "state is no object": `{"state":1}`} {
		if body := b.post(t, path, url.Values{"document": {bad}}, http.StatusBadRequest); !strings.Contains(body, `class="problem below"`) {
			t.Errorf("%s: the page does not say what is wrong", name)
		}
	}
}

func TestThingsAreFoundByPrefixAndAttribute(t *testing.T) {
	h := open(t)
	for _, name := range []string{"a", "pum", "pump", "pump1", "pumpe", "pumq", "z"} {
		_, err := h.Registry.CreateThing(t.Context(), registry.NewThing{Name: name, Attributes: map[string]string{"n": name}})
		must(t, err)
	}
	b := h.root(t)
	tests := map[string][]string{
		"pump": {"pump", "pump1", "pumpe"}, "": {"a", "pum", "pump", "pump1", "pumpe", "pumq", "z"}, "z": {"z"}, "zz": nil,
		"é": nil, "n=pumq": {"pumq"},
	}
	for search, want := range tests {
		body := b.get(t, "/console/things?"+url.Values{"q": {search}}.Encode(), http.StatusOK)
		var got []string
		for _, part := range strings.Split(body, `href="/console/things/`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			got = append(got, name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q finds (-want +got):\n%s", search, diff)
		}
	}
}

// A stream has what is retained and what comes, and nothing of topics whose
// messages the visitor may not receive.
func TestTheStreamShowsWhatTheVisitorMayReceive(t *testing.T) {
	h := open(t)
	u := h.user(t, "alice", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"*"},
		{"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:us-east-1:123456789012:topic/a/open"}]}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := u.request(t, http.MethodGet, "/console/stream?filter=a/%23", nil).WithContext(ctx)
	answer, err := u.Do(r)
	must(t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Scan() // the stream is open, and about to listen
	stop := make(chan struct{})
	defer close(stop)
	go func() { // until the stream listens
		for {
			for _, topic := range []string{"a/secret", "a/open"} {
				h.Broker.Publish(message.Message{Topic: topic, Payload: []byte("\x00\xff")}, nil)
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	var got batch
	for len(got.Messages) == 0 && lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			must(t, json.Unmarshal([]byte(data), &got))
		}
	}
	if len(got.Messages) == 0 {
		t.Fatal("nothing comes")
	}
	for _, m := range got.Messages {
		m.At = 0
		if diff := cmp.Diff(shown{Topic: "a/open", Size: 2, Text: "00 ff", Form: "hex"}, m); diff != "" {
			t.Errorf("a message (-want +got):\n%s", diff)
		}
	}
}

// Wildcards get what is retained where the profile says so.
func TestTheStreamBeginsWithWhatIsRetained(t *testing.T) {
	for _, wildcards := range []bool{false, true} {
		h := open(t)
		h.Limits.RetainWildcards = wildcards
		for _, name := range []string{"a/1", "a/2", "b/1"} {
			must(t, message.Publish(t.Context(), h.Broker, message.Message{Topic: name, Payload: []byte("x"), QoS: 1, Retain: true}))
		}
		v := &visit{Console: h.Console, r: httptest.NewRequest(http.MethodGet, "/", nil)}
		for filter, want := range map[string]int{"a/1": 1, "none": 0, "a/+": map[bool]int{true: 2}[wildcards], "#": map[bool]int{true: 3}[wildcards]} {
			f := &feed{}
			v.feedRetained(f, []string{filter})
			got, _ := f.take()
			if len(got) != want {
				t.Errorf("wildcards %v: %q begins with %d messages, want %d", wildcards, filter, len(got), want)
			}
			for _, one := range got {
				if !one.message.Retain {
					t.Errorf("%s does not say that it was retained", one.message.Topic)
				}
			}
		}
	}
}

func TestAFeedDropsAndCountsWhatIsTooMuch(t *testing.T) {
	f := &feed{}
	for range feedMessages + 7 {
		f.put(message.Message{Payload: []byte("x")}, time.Time{})
	}
	if got, dropped := f.take(); len(got) != feedMessages || dropped != 7 {
		t.Errorf("%d messages and %d dropped", len(got), dropped)
	}
	f.put(message.Message{Payload: make([]byte, feedBytes)}, time.Time{})
	f.put(message.Message{Payload: []byte("x")}, time.Time{})
	if got, dropped := f.take(); len(got) != 1 || dropped != 8 {
		t.Errorf("%d messages and %d dropped", len(got), dropped)
	}
}

func TestPayloadsAreReadable(t *testing.T) {
	tests := []struct {
		name, payload, text, form string
		cut                       bool
	}{
		{"json", `{"n":12345678901234567890}`, "{\n  \"n\": 12345678901234567890\n}", "json", false},
		{"text", "21 °C\n", "21 °C\n", "text", false},
		{"empty", "", "", "text", false},
		{"control characters", "a\x1b[31m", "61 1b 5b 33 31 6d", "hex", false},
		{"a direction mark is text", "\u202e", "\u202e", "text", false},
		{"long text", strings.Repeat("é", showText), strings.Repeat("é", showText/2), "text", true},
		{"long text cut in a character", "x" + strings.Repeat("é", showText), "x" + strings.Repeat("é", showText/2-1), "text", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, form, cut := readable([]byte(tt.payload))
			if text != tt.text || form != tt.form || cut != tt.cut {
				t.Errorf("%q as %s, cut %v", text, form, cut)
			}
		})
	}
	if text, form, cut := readable(make([]byte, 2*showHex)); form != "hex" || !cut || len(text) != 3*showHex-1 {
		t.Errorf("%d characters as %s, cut %v", len(text), form, cut)
	}
}

func TestRowsMakeAPolicyDocument(t *testing.T) {
	got := documentOf([]statement{{"Allow", "iot:Publish, iot:Receive", "*"}, {"Deny", "iot:Connect", "a"}})
	want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"*"},{"Effect":"Deny","Action":"iot:Connect","Resource":"a"}]}`
	if diff := cmp.Diff(pretty([]byte(want)), got); diff != "" {
		t.Errorf("the document (-want +got):\n%s", diff)
	}
}

func TestAMessageIsPublishedWithItsProperties(t *testing.T) {
	h := open(t)
	b := h.root(t)
	got := make(chan message.Message, 1)
	remove := h.Broker.Handle("props/#", func(m message.Message, done message.Done) {
		got <- m
		done(nil)
	})
	defer remove()
	form := url.Values{
		"topic": {"props/a"}, "payload": {"00 ff"}, "binary": {"yes"}, "qos": {"1"}, "contenttype": {"image/x"}, "responsetopic": {"answers"},
		"correlation": {"c"}, "expiry": {"60"}, "userproperties": {"a=1=2\r\nb="},
	}
	b.post(t, "/console/mqtt/publish", form, http.StatusNoContent)
	m := <-got
	want := []property{
		{Name: "Content Type", Value: "image/x"}, {Name: "Response Topic", Value: "answers"}, {Name: "Correlation Data", Value: "c"},
		{Name: "Message Expiry Interval", Value: "1m0s"}, {Name: "a", Value: "1=2", User: true},
	}
	if diff := cmp.Diff(want, propertiesOf(m.Properties)); diff != "" || string(m.Payload) != "\x00\xff" || m.Expires.IsZero() {
		t.Errorf("%x, until %v, properties (-want +got):\n%s", m.Payload, m.Expires, diff)
	}
	for name, wrong := range map[string]string{"expiry": "soon", "responsetopic": "a/#", "userproperties": strings.Repeat("a=b\n", propertiesMax+1)} {
		b.post(t, "/console/mqtt/publish", url.Values{"topic": {"props/a"}, "qos": {"0"}, name: {wrong}}, http.StatusBadRequest)
	}
}
