package gateway

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/wire"
	"thingd/internal/credentials"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/policy"
	"thingd/internal/registry"
	"thingd/internal/why"
)

// CredentialProvider answers devices that ask for temporary credentials, AWS
// IoT's GET /role-aliases/{alias}/credentials. The device is who its client
// certificate says; a signature is not looked at.
type CredentialProvider struct {
	Guard       *Guard
	Credentials *credentials.Service
	Journal     why.Recorder
	Now         func() time.Time
	Log         *slog.Logger
}

// thingNameHeader is how a device says which thing it is.
const thingNameHeader = "X-Amzn-Iot-Thingname"

// asksForCredentials gives the alias of a request to the provider. The path has
// no place in the control plane, whose aliases contain no slash.
func asksForCredentials(r *http.Request) (alias string, ok bool) {
	if r.Method != http.MethodGet {
		return "", false
	}
	rest, begins := strings.CutPrefix(r.URL.Path, "/role-aliases/")
	alias, ends := strings.CutSuffix(rest, "/credentials")
	return alias, begins && ends && alias != "" && !strings.Contains(alias, "/")
}

// ServeHTTP implements http.Handler.
func (c *CredentialProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := registry.NewUUID()
	session, err := c.assume(r)
	if err != nil {
		c.refuse(w, id, err)
		return
	}
	writeCredentials(w, id, session)
}

func (c *CredentialProvider) assume(r *http.Request) (iam.Credentials, error) {
	alias, _ := asksForCredentials(r)
	p := peerFrom(r.Context())
	principal, event := c.identify(r, p)
	if event != nil {
		return iam.Credentials{}, c.note(p, event, refusedAs(event))
	}
	order := credentials.Order{
		Principal: principal, Alias: alias, ThingName: r.Header.Get(thingNameHeader),
		Holds: func() bool { return c.Guard.stillActive(r.Context(), principal.Certificate) },
	}
	session, event, err := c.Credentials.Assume(r.Context(), order)
	return session, c.note(p, event, err)
}

// identify says whose certificate the request came with.
func (c *CredentialProvider) identify(r *http.Request, p *peer) (policy.Principal, *why.Event) {
	if p == nil || p.leaf() == nil {
		return policy.Principal{}, refusal(why.NoCertificate, why.Phrase{})
	}
	principal, event := c.Guard.identify(r.Context(), p.leaf())
	principal.SourceIP, principal.ServerName, principal.UserAgent = p.remote.Addr(), p.state.ServerName, r.UserAgent()
	return principal, event
}

// refusedAs is what the device reads where the reason lies before the provider. A
// store that failed is no verdict over the certificate.
func refusedAs(event *why.Event) error {
	if event.Cause == why.ServerError {
		return fault.New(fault.Internal, "%s", event.Detail)
	}
	return credentials.NotOnThisEndpoint()
}

// note records a refusal and passes its error on.
func (c *CredentialProvider) note(p *peer, event *why.Event, err error) error {
	if event == nil {
		return err
	}
	event.Time, event.Step, event.Door = c.Now(), why.StepHTTP, "https"
	if p != nil {
		event.Source, event.Server = p.remote.String(), p.state.ServerName
	}
	c.Journal.Record(*event)
	return err
}

// refuse answers in the form of the provider's errors: the control plane's.
func (c *CredentialProvider) refuse(w http.ResponseWriter, id string, err error) {
	problem := wire.Error(iot.Service, nil, err)
	if problem.Status >= http.StatusInternalServerError {
		c.Log.Error("credentials could not be given", "requestId", id, "error", err)
	}
	w.Header()["x-amzn-ErrorType"] = []string{problem.Name}
	writeJSON(w, id, problem.Status, map[string]string{"message": problem.Message})
}

// credentialsAnswer is AWS's form of credentials for devices: camel case, unlike
// that of STS.
type credentialsAnswer struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	Expiration      string `json:"expiration"` // ISO 8601 in whole seconds, UTC
}

func writeCredentials(w http.ResponseWriter, id string, session iam.Credentials) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, id, http.StatusOK, map[string]credentialsAnswer{"credentials": {
		AccessKeyID:     session.AccessKeyID,
		SecretAccessKey: session.SecretAccessKey,
		SessionToken:    session.SessionToken,
		Expiration:      session.Expires.UTC().Format(time.RFC3339),
	}})
}

func writeJSON(w http.ResponseWriter, id string, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic("gateway: an answer does not marshal: " + err.Error())
	}
	h := w.Header()
	h["x-amzn-RequestId"] = []string{id} // spelled as AWS does
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone does not read it
}
