package console

import (
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/bridge"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// sakura is a form as the journey fills it in, toward a port where nobody listens.
func sakura(change ...string) url.Values {
	form := url.Values{
		"name": {"sakura"}, "host": {"localhost"}, "port": {"1"}, "prefix": {"sakura/hoge/"}, "subscribe": {"sakura/down"}, "tls": {"yes"},
		"protocol": {"5"}, "qos": {"1"}, "keepalive": {"60"}, "username": {"u"}, "password": {"not-to-be-seen"},
	}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

// Integrations may have one name, and come in the order of the names.
func TestTheListOfIntegrationsHasPages(t *testing.T) {
	h := open(t)
	b := h.root(t)
	var all []string
	for i := range integrationsSize + 2 {
		made, err := h.Bridge.Create(t.Context(), bridge.Integration{Name: "same", Host: "localhost", Port: 1, Prefix: "p" + strconv.Itoa(i)})
		must(t, err)
		all = append(all, made.ID)
	}
	body := b.get(t, "/console/integrations", http.StatusOK)
	has(t, body, `id="live" hx-get="/console/integrations"`)
	address := nextPage(body, "/console/integrations")
	second := b.get(t, address, http.StatusOK)
	has(t, html.UnescapeString(second), `id="live" hx-get="`+address+`"`, `href="/console/integrations?"`)
	if next := nextPage(second, "/console/integrations"); next != "" {
		t.Errorf("behind the last page is %s", next)
	}
	for _, id := range all {
		row := `<a href="/console/integrations/` + id + `">`
		if n := strings.Count(body, row) + strings.Count(second, row); n != 1 {
			t.Errorf("integration %s stands on %d pages", id, n)
		}
	}
}

func TestAnIntegrationIsMadeSavedAndDeleted(t *testing.T) {
	h := open(t)
	b := h.root(t)
	body := b.post(t, "/console/integrations", sakura(), http.StatusOK)
	if strings.Contains(body, "not-to-be-seen") {
		t.Error("the page has the password")
	}
	made := h.Bridge.All()[0]
	b.post(t, "/console/integrations/"+made.ID, sakura("name", "renamed", "password", "", "port", ""), http.StatusOK)
	got, err := h.Bridge.Describe(made.ID)
	must(t, err)
	if !got.HasPassword {
		t.Error("the password is gone with a save")
	}
	want := bridge.Integration{
		ID: made.ID, Name: "renamed", Host: "localhost", Port: 8883, Prefix: "sakura/hoge/", SubscribeTopic: "sakura/down", TLS: true, Username: "u",
		Version: mqtt.V5, QoS: mqtt.QoS1, ClientID: made.ClientID, KeepAlive: bridge.DefaultKeepAlive,
		LocalFilter: bridge.DefaultLocalFilter, LocalTopic: bridge.DefaultLocalTopic,
		QueueMessages: bridge.DefaultQueueMessages, QueueBytes: bridge.DefaultQueueBytes, Created: made.Created, Updated: got.Updated,
	}
	if diff := cmp.Diff(want, got.Integration); diff != "" {
		t.Errorf("the integration (-want +got):\n%s", diff)
	}
	for _, part := range []string{"POST /console/integrations", "name=sakura", "name=renamed"} {
		if !strings.Contains(h.log.String(), part) {
			t.Errorf("the log lacks %q", part)
		}
	}
	if strings.Contains(h.log.String(), "not-to-be-seen") {
		t.Error("the log has the password")
	}
	b.post(t, "/console/integrations/"+made.ID+"/delete", url.Values{}, http.StatusOK)
	b.get(t, "/console/integrations/"+made.ID, http.StatusNotFound)
}

func TestTheFormOfAnIntegrationSaysWhatIsWrong(t *testing.T) {
	h := open(t)
	b := h.root(t)
	for _, test := range []struct {
		name           string
		form           url.Values
		english, japan string
		field          string
	}{
		{"wildcard", sakura("subscribe", "sakura/hoge/#"), "must not contain the wildcards", "サブスクライブするトピックにワイルドカード", "subscribe"},
		{"overlap", sakura("subscribe", "sakura/hoge/"), "messages would come back", "パブリッシュ先と重なっています", "subscribe"},
		{"PEM", sakura("rootca", "MIIB"), "The root certificate is not in order", "ルート証明書を確認", "rootca"},
		{"no name", sakura("name", ""), "1 to 128 characters", "1 から 128 文字", "name"},
		{"no port", sakura("port", "mqtt"), "from 1 to 65535", "1 から 65535", "port"},
		{"folded away", sakura("keepalive", "1"), "5 to 65535 seconds", "5 から 65535 秒", "keepalive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := b.post(t, "/console/integrations", test.form, http.StatusBadRequest)
			_, field, _ := strings.Cut(body, ` name="`+test.field+`"`)
			field, _, _ = strings.Cut(field, ">")
			if !strings.Contains(body, test.english) || !strings.Contains(field, `aria-invalid="true"`) {
				t.Errorf("the page does not say %q:\n%s", test.english, body)
			}
			test.form.Set("csrf", b.token(t))
			r := b.request(t, http.MethodPost, "/console/integrations", test.form)
			r.Header.Set("Accept-Language", "ja")
			if _, body := b.do(t, r, http.StatusBadRequest); !strings.Contains(body, test.japan) {
				t.Errorf("the page does not say %q:\n%s", test.japan, body)
			}
		})
	}
	if n := len(h.Bridge.All()); n != 0 {
		t.Errorf("%d integrations were made", n)
	}
}

func TestTheSimulatorSendsWhatAModuleSends(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/integrations", sakura(), http.StatusOK)
	id := h.Bridge.All()[0].ID
	heard := make(chan message.Message, 1)
	defer h.Broker.Handle("modules/+/up", func(m message.Message, done message.Done) {
		heard <- m
		done(nil)
	})()
	b.post(t, "/console/integrations/"+id+"/module", url.Values{"module": {"u01234567890"}, "channels": {"0:I:1"}}, http.StatusNoContent)
	m := <-heard
	if m.Topic != "modules/u01234567890/up" || !strings.HasPrefix(string(m.Payload), `{"module":"u01234567890","type":"channels","datetime":"`) {
		t.Errorf("the module sent %s on %s", m.Payload, m.Topic)
	}
	for _, form := range []url.Values{{"module": {"a/b"}, "channels": {"0:I:1"}}, {"module": {"u1"}, "channels": {"x"}}} {
		b.post(t, "/console/integrations/"+id+"/module", form, http.StatusBadRequest)
	}
	u := h.user(t, "reader", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"thingd:*","Resource":"*"}}`)
	u.post(t, "/console/integrations/"+id+"/module", url.Values{"module": {"u1"}, "channels": {"0:I:1"}}, http.StatusForbidden)
}
