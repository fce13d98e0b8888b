package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"thingd/internal/bridge"
	"thingd/internal/bridge/module"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// integrationsPage is a part of the list of integrations.
type integrationsPage struct {
	Integrations []bridge.View
	Next         string
	First        bool
}

const integrationsSize = 25 // of a page

func (v *visit) integrations() error {
	if err := v.may("thingd:ListIntegrations", "*"); err != nil {
		return err
	}
	after := v.query("token")
	page := integrationsPage{Integrations: v.Bridge.All(), First: after == ""}
	page.Integrations = slices.DeleteFunc(page.Integrations, func(i bridge.View) bool { return after != "" && orderOf(i) <= after })
	if len(page.Integrations) > integrationsSize {
		page.Integrations = page.Integrations[:integrationsSize]
		page.Next = orderOf(page.Integrations[integrationsSize-1])
	}
	return v.render("integrations", page)
}

// orderOf is what integrations are ordered by: the name, which several may have,
// and the ID.
func orderOf(i bridge.View) string { return i.Name + "\x00" + i.ID }

// integrationForm is the form of an integration, as it was filled in.
type integrationForm struct {
	ID                              string // "" for a new one
	Name, Host, Port                string
	Prefix, Subscribe               string
	TLS                             bool
	RootCA, Certificate, PrivateKey string
	HasKey, HasPassword             bool // kept, and not shown
	Username, Password              string
	Protocol, QoS                   string
	ClientID, KeepAlive             string
	LocalFilter, LocalTopic         string
	QueueMessages, QueueBytes       string
	Problem                         told
	Field                           string // which has the problem
}

// advanced are the fields that the form folds away.
var advanced = []string{"username", "version", "qos", "clientId", "keepAlive", "localFilter", "localTopic", "queueMessages"}

// Unfolded says whether the folded fields are to be shown at once.
func (f integrationForm) Unfolded() bool {
	for _, field := range advanced {
		if f.Field == field {
			return true
		}
	}
	return false
}

// integrationFields is the form's view: the page's words, and what was filled in.
type integrationFields struct {
	*view
	integrationForm
}

// Filled gives the part of a page that is an integration's form.
func (v *view) Filled(f integrationForm) integrationFields { return integrationFields{v, f} }

// Port is the far side's: the page has one of its own.
func (f integrationFields) Port() string { return f.integrationForm.Port }

// Wrong says whether a field has the mistake.
func (f integrationFields) Wrong(field string) bool { return f.Field == field }

// Below is what is wrong with a field, to be said below it.
func (f integrationFields) Below(field string) told {
	if f.Wrong(field) {
		return f.Problem
	}
	return nil
}

// newIntegration shows the form with the document's own example left to the
// placeholders.
func (v *visit) newIntegration() error {
	if err := v.may("thingd:CreateIntegration", "*"); err != nil {
		return err
	}
	return v.render("integrationform", integrationForm{
		Port: strconv.Itoa(bridge.DefaultPort), TLS: true, Protocol: "4", QoS: "0", KeepAlive: "60",
		LocalFilter: bridge.DefaultLocalFilter, LocalTopic: bridge.DefaultLocalTopic,
		QueueMessages: strconv.Itoa(bridge.DefaultQueueMessages), QueueBytes: strconv.Itoa(bridge.DefaultQueueBytes),
	})
}

// integrationFormOf fills the form with what there is.
func integrationFormOf(i bridge.View) integrationForm {
	return integrationForm{
		ID: i.ID, Name: i.Name, Host: i.Host, Port: strconv.Itoa(i.Port), Prefix: i.Prefix, Subscribe: i.SubscribeTopic, TLS: i.TLS,
		RootCA: i.RootCA, Certificate: i.Certificate, HasKey: i.HasPrivateKey, HasPassword: i.HasPassword, Username: i.Username,
		Protocol: strconv.Itoa(int(i.Version)), QoS: strconv.Itoa(int(i.QoS)), ClientID: i.ClientID,
		KeepAlive: strconv.Itoa(int(i.KeepAlive / time.Second)), LocalFilter: i.LocalFilter, LocalTopic: i.LocalTopic,
		QueueMessages: strconv.Itoa(i.QueueMessages), QueueBytes: strconv.Itoa(i.QueueBytes),
	}
}

func (v *visit) readIntegration() integrationForm {
	return integrationForm{
		ID: v.r.PathValue("integration"), Name: v.form("name"), Host: v.form("host"), Port: v.form("port"), Prefix: v.form("prefix"),
		Subscribe: v.form("subscribe"), TLS: v.form("tls") != "", RootCA: v.form("rootca"), Certificate: v.form("certificate"),
		PrivateKey: v.form("privatekey"), Username: v.form("username"), Password: v.r.PostForm.Get("password"),
		Protocol: v.form("protocol"), QoS: v.form("qos"), ClientID: v.form("clientid"), KeepAlive: v.form("keepalive"),
		LocalFilter: v.form("localfilter"), LocalTopic: v.form("localtopic"), QueueMessages: v.form("queuemessages"), QueueBytes: v.form("queuebytes"),
	}
}

// integration is what the form says. A number that is none becomes one that no
// check lets through; an empty one its default.
func (f integrationForm) integration() bridge.Integration {
	return bridge.Integration{
		ID: f.ID, Name: f.Name, Host: f.Host, Port: count(f.Port), Prefix: f.Prefix, SubscribeTopic: f.Subscribe, TLS: f.TLS,
		RootCA: f.RootCA, Certificate: f.Certificate, PrivateKey: f.PrivateKey, Username: f.Username, Password: f.Password,
		Version: mqtt.Version(uint8(count(f.Protocol))), QoS: message.QoS(uint8(count(f.QoS))), ClientID: f.ClientID,
		KeepAlive: time.Duration(count(f.KeepAlive)) * time.Second, LocalFilter: f.LocalFilter, LocalTopic: f.LocalTopic,
		QueueMessages: count(f.QueueMessages), QueueBytes: count(f.QueueBytes),
	}
}

func count(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n <= 0 && text != "0" {
		return -1
	}
	return int(n)
}

func (v *visit) createIntegration() error {
	form := v.readIntegration()
	v.note("name", form.Name)
	if err := v.may("thingd:CreateIntegration", "*"); err != nil {
		return err
	}
	made, err := v.Bridge.Create(v.r.Context(), form.integration())
	if err != nil {
		return v.mend(form, err, func(status int, form integrationForm) error { return v.renderWith(status, "integrationform", form) })
	}
	v.note("integration", made.ID)
	return v.to(integrationPath(made.ID), "created.named", form.Name)
}

// saveIntegration keeps the form and connects anew.
func (v *visit) saveIntegration() error {
	form := v.readIntegration()
	v.note("name", form.Name)
	if err := v.may("thingd:UpdateIntegration", "*"); err != nil {
		return err
	}
	if _, err := v.Bridge.Update(v.r.Context(), form.integration()); err != nil {
		return v.mend(form, err, v.renderIntegration)
	}
	return v.to(integrationPath(form.ID), "integration.saved")
}

// mend shows the form again with what is wrong in it. Errors that no form can
// mend are not shown in it.
func (v *visit) mend(form integrationForm, err error, render func(int, integrationForm) error) error {
	wrong, ok := errors.AsType[*bridge.Mistake](err)
	if !ok {
		return err
	}
	form.Problem, form.Field = v.told(v.mistake(wrong)), wrong.Kind.Field()
	v.refused = err
	return render(http.StatusBadRequest, form)
}

// mistake tells what is wrong in the visitor's language.
func (v *visit) mistake(m *bridge.Mistake) string {
	says := map[bridge.MistakeKind]string{
		bridge.BadName:         v.text("integration.bad.name"),
		bridge.BadHost:         v.text("integration.bad.host"),
		bridge.BadPort:         v.text("integration.bad.port"),
		bridge.BadPrefix:       v.text("integration.bad.prefix"),
		bridge.BadSubscribe:    v.text("integration.bad.subscribe"),
		bridge.WildcardInTopic: v.text("integration.bad.wildcard"),
		bridge.Overlap:         v.text("integration.bad.overlap"),
		bridge.BadRootCA:       v.text("integration.bad.rootca"),
		bridge.BadCertificate:  v.text("integration.bad.certificate"),
		bridge.BadPrivateKey:   v.text("integration.bad.key"),
		bridge.NoPrivateKey:    v.text("integration.bad.nokey"),
		bridge.NoCertificate:   v.text("integration.bad.nocertificate"),
		bridge.KeyMismatch:     v.text("integration.bad.mismatch"),
		bridge.BadLogin:        v.text("integration.bad.login"),
		bridge.BadClientID:     v.text("integration.bad.clientid"),
		bridge.BadKeepAlive:    v.text("integration.bad.keepalive"),
		bridge.BadLocalFilter:  v.text("integration.bad.localfilter"),
		bridge.BadLocalTopic:   v.text("integration.bad.localtopic"),
		bridge.BadQueue:        v.text("integration.bad.queue"),
	}
	text := cmp.Or(says[m.Kind], v.sentence(m))
	if m.Detail != "" && says[m.Kind] != "" {
		text += " (" + m.Detail + ")"
	}
	return text
}

// integrationPage is an integration with its form and the simulated module.
type integrationPage struct {
	bridge.View
	Form    integrationForm
	Module  string   // that the simulator begins with
	Filters []string // local topics whose messages are shown
}

// Far is the far side's address.
func (p integrationPage) Far() string { return p.Host + ":" + strconv.Itoa(p.Port) }

// UplinkTo is how the far side's topics begin.
func (p integrationPage) UplinkTo() string { return strings.TrimRight(p.Prefix, "/") + "/…" }

func (v *visit) integration() error {
	id := v.r.PathValue("integration")
	if err := v.may("thingd:DescribeIntegration", "*"); err != nil {
		return err
	}
	found, err := v.Bridge.Describe(id)
	if err != nil {
		return err
	}
	return v.renderIntegration(http.StatusOK, integrationFormOf(found))
}

// exampleModule has the form of sakura.io's names: u and eleven characters.
const exampleModule = "u01234567890"

func (v *visit) renderIntegration(status int, form integrationForm) error {
	found, err := v.Bridge.Describe(form.ID)
	if err != nil {
		return err
	}
	form.HasKey, form.HasPassword = found.HasPrivateKey, found.HasPassword
	return v.renderWith(status, "integration", integrationPage{
		View: found, Form: form, Module: exampleModule, Filters: []string{found.LocalFilter, found.DownlinkTopic("+")},
	})
}

func integrationPath(id string) string { return Root + "integrations/" + url.PathEscape(id) }

func (v *visit) deleteIntegration() error {
	id := v.r.PathValue("integration")
	if err := v.may("thingd:DeleteIntegration", "*"); err != nil {
		return err
	}
	if err := v.Bridge.Delete(v.r.Context(), id); err != nil {
		return err
	}
	return v.to(Root+"integrations", "deleted")
}

// sendAsModule publishes what a module would send, for an integration to carry.
func (v *visit) sendAsModule() error {
	if err := v.may("thingd:DescribeIntegration", "*"); err != nil {
		return err
	}
	found, err := v.Bridge.Describe(v.r.PathValue("integration"))
	if err != nil {
		return err
	}
	name := v.form("module")
	if err := module.CheckName(name); err != nil {
		return err
	}
	values, err := module.Parse(v.form("channels"))
	if err != nil {
		return err
	}
	payload, err := module.Encode(name, values, 1, v.Now())
	if err != nil {
		return err
	}
	source, _ := remoteAddr(v.r)
	m := message.Message{
		Topic: found.UplinkTopic(name), Payload: payload, QoS: found.QoS,
		Origin: message.Origin{Kind: message.FromHTTP, Principal: v.actor.UserID, SourceIP: source},
	}
	v.note("topic", m.Topic)
	if err := v.mayPublish(m); err != nil {
		return err
	}
	if err := message.Publish(v.r.Context(), v.Broker, m); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

var integrationRoutes = []route{
	{"GET /console/integrations", (*visit).integrations},
	{"POST /console/integrations", (*visit).createIntegration},
	{"GET /console/newintegration", (*visit).newIntegration},
	{"GET /console/integrations/{integration}", (*visit).integration},
	{"POST /console/integrations/{integration}", (*visit).saveIntegration},
	{"POST /console/integrations/{integration}/delete", (*visit).deleteIntegration},
	{"POST /console/integrations/{integration}/module", (*visit).sendAsModule},
}
