package thingd

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/sigv4"
	"thingd/internal/mqtt"
	"thingd/internal/pki"
	"thingd/internal/why"
)

const otherAccount = "444455556666"

// account gives a caller of another account of the same server, which is made if
// it is not there.
func (c *caller) account(t *testing.T, id string) *caller {
	t.Helper()
	key, err := accounts{c.h.Server}.Create(t.Context(), id)
	must(t, err)
	other := &house{
		Server: c.h.neighbors.get(id), Endpoint: c.h.Endpoint, roots: c.h.roots,
		keys: sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret},
	}
	return callerOf(other)
}

func TestAccountsDoNotSeeOneAnother(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	a.must(t, `CreateThing {"thingName":"pump7"}`)
	b.must(t, `CreateThing {"thingName":"pump8"}`)
	for _, c := range []struct {
		*caller
		account, has, lacks string
	}{{a, "123456789012", "pump7", "pump8"}, {b, otherAccount, "pump8", "pump7"}} {
		out := c.must(t, `DescribeThing {"thingName":"`+c.has+`"}`)
		if want := "arn:aws:iot:us-east-1:" + c.account + ":thing/" + c.has; out.members["ThingArn"] != want {
			t.Errorf("the thing is %v, want %s", out.members["ThingArn"], want)
		}
		if _, err := c.call(`DescribeThing {"thingName":"` + c.lacks + `"}`); exception(err) != "404 ResourceNotFoundException" {
			t.Errorf("account %s asks for the other's thing and gets %s", c.account, exception(err))
		}
	}

	first, second := a.h.device(t, everything), b.h.device(t, everything)
	listens := a.h.connected(t, first, mqtt.V5, mqtt.Connect{ClientID: "same", CleanStart: true})
	listens.subscribe(t, "#", mqtt.QoS1)
	hears := b.h.connected(t, second, mqtt.V5, mqtt.Connect{ClientID: "same", CleanStart: true})
	hears.subscribe(t, "#", mqtt.QoS1)
	hears.send(t, &mqtt.Publish{Topic: []byte("t"), Payload: []byte("of the second")})
	listens.send(t, &mqtt.Publish{Topic: []byte("t"), Payload: []byte("of the first")})
	if got := []string{listens.message(t), hears.message(t)}; !cmp.Equal(got, []string{"t of the first", "t of the second"}) {
		t.Errorf("messages crossed: %q", got)
	}
	b.must(t, `UpdateCertificate {"certificateId":"`+string(second.id)+`","newStatus":"REVOKED"}`)
	if _, ok := hears.read(t).(*mqtt.Disconnect); !ok {
		t.Error("a revoked certificate's connection stays open")
	}
}

func TestAnAccountSurvivesARestart(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	b.must(t, `CreateThing {"thingName":"pump8"}`)
	device := b.h.device(t, everything)
	keys := b.h.keys
	endpoint, err := ReadEndpoint(filepath.Join(a.h.config.Data, "accounts", otherAccount))
	must(t, err)
	if endpoint.Account != otherAccount || endpoint.Port != a.h.Port {
		t.Errorf("its folder tells of %+v", endpoint)
	}
	a.h.stopped(t)

	again := start(t, func(c *Config) { c.Data = a.h.config.Data })
	c := &caller{h: again}
	b = c.account(t, otherAccount)
	if b.h.keys != keys {
		t.Error("its root key is another one")
	}
	if text := read(t, b.h.config.Data, "credentials"); !strings.Contains(text, keys.SecretAccessKey) {
		t.Error("its folder has another key")
	}
	b.must(t, `DescribeThing {"thingName":"pump8"}`)
	again.connected(t, device, mqtt.V4, mqtt.Connect{ClientID: "d", CleanStart: true})
	ids, err := accounts{again.Server}.List(t.Context())
	must(t, err)
	if diff := cmp.Diff([]string{"123456789012", otherAccount}, ids); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhoMakesAccounts(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	for name, c := range map[string]struct {
		by   *caller
		id   string
		want string
	}{
		"ok/again":               {a, otherAccount, ""},
		"refused/the first":      {a, "123456789012", "ResourceAlreadyExists"},
		"refused/no digits":      {a, "12345678901a", "InvalidRequest"},
		"refused/another's root": {b, "777788889999", "AccessDenied"},
	} {
		_, err := accounts{c.by.h.Server}.Create(context.Background(), c.id)
		if got := strings.SplitN(errText(err), ":", 2)[0]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCertificatesMoveBetweenAccounts(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	device := a.h.device(t, "")
	id := string(device.id)
	define := func(c *caller) { c.define("ID", id) }
	define(a)
	define(b)
	status := func(c *caller) any {
		t.Helper()
		out, err := c.call(`DescribeCertificate {"certificateId":"{ID}"}`)
		if err != nil {
			return exception(err)
		}
		return out.members["CertificateDescription"].(map[string]any)["Status"]
	}
	refused := func(c *caller, line, want string) {
		t.Helper()
		if _, err := c.call(line); exception(err) != want {
			t.Errorf("%s gives %s, want %s", line, exception(err), want)
		}
	}
	both := func(first, second any) {
		t.Helper()
		if got := []any{status(a), status(b)}; !cmp.Equal(got, []any{first, second}) {
			t.Errorf("the certificate is %v, want %v", got, []any{first, second})
		}
	}
	const offer = `TransferCertificate {"certificateId":"{ID}","targetAwsAccount":"` + otherAccount + `","transferMessage":"for you"}`
	refused(a, offer, "406 CertificateStateException") // it is ACTIVE
	a.must(t, `UpdateCertificate {"certificateId":"{ID}","newStatus":"INACTIVE"}`)
	refused(a, strings.Replace(offer, otherAccount, "777788889999", 1), "404 ResourceNotFoundException")
	a.must(t, `CreatePolicy {"policyName":"p","policyDocument":"`+doc+`"}`)
	a.must(t, `AttachPolicy {"policyName":"p","target":"`+device.arn+`"}`)
	refused(a, offer, "409 TransferConflictException")
	a.must(t, `DetachPolicy {"policyName":"p","target":"`+device.arn+`"}`)

	out := a.must(t, offer)
	if want := "arn:aws:iot:us-east-1:" + otherAccount + ":cert/" + id; out.members["TransferredCertificateArn"] != want {
		t.Errorf("it will be %v", out.members)
	}
	both("PENDING_TRANSFER", "PENDING_TRANSFER")
	outgoing := a.must(t, `ListOutgoingCertificates`).members["OutgoingCertificates"].([]any)
	if len(outgoing) != 1 || outgoing[0].(map[string]any)["TransferredTo"] != otherAccount {
		t.Errorf("outgoing: %v", outgoing)
	}
	refused(a, offer, "406 CertificateStateException")
	refused(a, `AcceptCertificateTransfer {"certificateId":"{ID}"}`, "410 TransferAlreadyCompletedException")

	a.must(t, `CancelCertificateTransfer {"certificateId":"{ID}"}`)
	both("INACTIVE", "404 ResourceNotFoundException")
	a.must(t, offer)
	b.must(t, `RejectCertificateTransfer {"certificateId":"{ID}","rejectReason":"not mine"}`)
	both("INACTIVE", "404 ResourceNotFoundException")
	refused(b, `RejectCertificateTransfer {"certificateId":"{ID}"}`, "404 ResourceNotFoundException")
	a.must(t, offer)
	b.must(t, `AcceptCertificateTransfer {"certificateId":"{ID}","setAsActive":true}`)
	both("404 ResourceNotFoundException", "ACTIVE")
	refused(b, `RejectCertificateTransfer {"certificateId":"{ID}"}`, "410 TransferAlreadyCompletedException")
	moved := b.must(t, `DescribeCertificate {"certificateId":"{ID}"}`).members["CertificateDescription"].(map[string]any)
	if moved["OwnedBy"] != otherAccount || moved["PreviousOwnedBy"] != "123456789012" {
		t.Errorf("it is owned by %v, before by %v", moved["OwnedBy"], moved["PreviousOwnedBy"])
	}

	_, err := b.h.access.CreatePolicy(t.Context(), "all", everything, nil)
	must(t, err)
	must(t, b.h.access.AttachPolicy(t.Context(), "all", b.h.pki.ARN(pki.CertificateID(id))))
	b.h.connected(t, device, mqtt.V5, mqtt.Connect{ClientID: "moved", CleanStart: true})
}

// TestOneCertificateInTwoAccounts: the server name that a client asks for says
// which account it means; without one that anybody has it is the first that knows
// the certificate.
func TestOneCertificateInTwoAccounts(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	device := a.h.device(t, everything)
	b.h.register(t, device, pki.Active)
	b.must(t, `CreateDomainConfiguration {"domainConfigurationName":"d","domainName":"b.example"}`)
	if _, err := a.call(`CreateDomainConfiguration {"domainConfigurationName":"d","domainName":"b.example"}`); exception(err) != "409 ResourceAlreadyExistsException" {
		t.Errorf("the name of another account's domain is given away: %s", exception(err))
	}
	for server, refused := range map[string]int{"localhost": 0, "b.example": 1} {
		config := a.h.trust(&device)
		config.ServerName, config.InsecureSkipVerify = server, server != "localhost"
		c := newClient(a.h.dial(t, config), mqtt.V5)
		c.send(t, &mqtt.Connect{ClientID: "c", CleanStart: true})
		ack, ok := c.read(t).(*mqtt.Connack)
		if !ok || ack.Reason.Failed() != (refused == 1) {
			t.Errorf("%s answers %+v", server, ack)
		}
	}
	// The other account has the certificate and no policy for it.
	if got := b.h.causes(t); !cmp.Equal(got, []why.Cause{why.PolicyImplicitDeny}) {
		t.Errorf("the other account's journal has %v", got)
	}
}

// TestEachAccountHasItsObjects: buckets of one name.
func TestEachAccountHasItsObjects(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	for _, c := range []*caller{a, b} {
		if status, text := c.object(t, "PUT", "/bucket", ""); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	a.object(t, "PUT", "/bucket/key", "first")
	b.object(t, "PUT", "/bucket/key", "second")
	for c, want := range map[*caller]string{a: "first", b: "second"} {
		if status, text := c.object(t, "GET", "/bucket/key", ""); status != 200 || text != want {
			t.Errorf("%d %s, want %s", status, text, want)
		}
	}
}

// TestRolesTrustOtherAccounts: a role may be assumed from another account of the
// server where its trust policy and the caller's own policies both allow it. The
// session is the role's account's.
func TestRolesTrustOtherAccounts(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	b.must(t, `CreateThing {"thingName":"theirs"}`)
	trust := func(principal, more string) string {
		return quote(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["sts:AssumeRole","sts:TagSession"]` + more + `}]}`)
	}
	role := func(name, trust string) {
		t.Helper()
		b.must(t, `iam/CreateRole {"roleName":"`+name+`","path":"/shared/","assumeRolePolicyDocument":`+trust+`}`)
		b.must(t, `iam/PutRolePolicy {"roleName":"`+name+`","policyName":"own","policyDocument":`+quote(everything)+`}`)
	}
	role("account", trust("123456789012", ""))
	role("user", trust("arn:aws:iam::123456789012:user/may", ""))
	role("external", trust("arn:aws:iam::123456789012:root", `,"Condition":{"StringEquals":{"sts:ExternalId":"pass","aws:PrincipalAccount":"123456789012"}}`))
	role("own", trust(otherAccount, ""))
	a.must(t, `iam/CreateRole {"roleName":"own","path":"/shared/","assumeRolePolicyDocument":`+trust("123456789012", "")+`}`)

	may := a.user(t, "may", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"arn:aws:iam::`+otherAccount+`:role/*"}]}`)
	silent := a.user(t, "silent", "")
	const ok, denied = "<nil>", "403 AccessDenied"
	order := func(account, role, more string) string {
		return `sts/AssumeRole {"roleArn":"arn:aws:iam::` + account + `:role/shared/` + role + `","roleSessionName":"visit"` + more + `}`
	}
	for _, test := range []struct {
		name string
		by   *caller
		call string
		want string
	}{
		{"ok/both allow", may, order(otherAccount, "account", ""), ok},
		{"ok/named, and both allow", may, order(otherAccount, "user", ""), ok},
		{"ok/with the external ID", may, order(otherAccount, "external", `,"externalId":"pass"`), ok},
		{"ok/the root of the other account", a, order(otherAccount, "account", ""), ok},
		{"refused/another external ID", may, order(otherAccount, "external", `,"externalId":"word"`), denied},
		{"refused/own policy is silent", silent, order(otherAccount, "account", ""), denied},
		{"refused/another user is named", a.user(t, "other", mightyPolicy), order(otherAccount, "user", ""), denied},
		{"refused/another account is trusted", may, order(otherAccount, "own", ""), denied},
		{"refused/no such role", may, order(otherAccount, "nobody", ""), denied},
		{"refused/no such account", a, order("999999999999", "account", ""), denied},
		{"refused/a policy of the caller's account for the session", may, order(otherAccount, "account", `,"policyArns":[{"arn":"arn:aws:iam::123456789012:policy/p"}]`), "400 ValidationError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.by.call(test.call); exception(err) != test.want {
				t.Errorf("got %s, want %s: %v", exception(err), test.want, err)
			}
		})
	}

	visit := may.assumed(t, strings.TrimPrefix(order(otherAccount, "account", ""), "sts/AssumeRole "))
	who := visit.must(t, "sts/GetCallerIdentity").members
	if who["Account"] != otherAccount || who["Arn"] != "arn:aws:sts::"+otherAccount+":assumed-role/account/visit" {
		t.Errorf("the session is %v", who)
	}
	visit.must(t, `DescribeThing {"thingName":"theirs"}`)
	b.must(t, `iam/DeleteRolePolicy {"roleName":"account","policyName":"own"}`)
	if _, err := visit.call(`DescribeThing {"thingName":"theirs"}`); exception(err) != "403 AccessDeniedException" {
		t.Errorf("the role has lost its policy, and the session gets %s", exception(err))
	}
}

// TestMetricsOfFurtherAccounts: they have the first one's names, and a label.
func TestMetricsOfFurtherAccounts(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	b.must(t, `CreateTopicRule {"ruleName":"r","topicRulePayload":{"sql":"SELECT 1","actions":[]}}`)
	a.h.connected(t, a.h.device(t, everything), mqtt.V4, mqtt.Connect{ClientID: "a", CleanStart: true})
	for _, id := range []string{"b1", "b2"} {
		b.h.connected(t, b.h.device(t, everything), mqtt.V4, mqtt.Connect{ClientID: id, CleanStart: true})
	}
	scrape := func() string {
		answer, err := http.Get("http://" + a.h.HTTP + "/metrics")
		must(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		must(t, err)
		if answer.StatusCode != 200 {
			t.Fatalf("%s: %s", answer.Status, text)
		}
		return string(text)
	}
	text := scrape()
	for _, line := range []string{
		"thingd_connections 1\n", `thingd_connections{account="` + otherAccount + `"} 2` + "\n",
		"thingd_connects_total 1\n", `thingd_connects_total{account="` + otherAccount + `"} 2` + "\n",
		`thingd_rule_executed_total{account="` + otherAccount + `",rule="r"} 0` + "\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
	must(t, accounts{a.h.Server}.Delete(t.Context(), otherAccount))
	if text := scrape(); strings.Contains(text, otherAccount) {
		t.Error("the metrics still have the account that was deleted")
	}
}
