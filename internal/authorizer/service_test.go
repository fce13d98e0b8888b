package authorizer_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/arn"
	"thingd/internal/authorizer"
	"thingd/internal/fault"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

// yes is a function that lets everybody in.
type yes struct{}

func (yes) Call(context.Context, string, []byte, time.Duration) ([]byte, error) {
	return []byte(`{"isAuthenticated":true,"principalId":"alice1"}`), nil
}

func newService(t *testing.T) *authorizer.Service {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	s, err := authorizer.New(t.Context(), authorizer.Config{
		Store: db.Authorizers("000000000000"), Functions: yes{}, Host: "things.example",
		Scope: arn.Scope{Partition: "aws", Region: "us-east-1", Account: "000000000000"}, NewID: func() string { return "abcde" },
	})
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, code fault.Code, err error) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestAuthorizersInUseStay(t *testing.T) {
	s, ctx := newService(t), t.Context()
	open := authorizer.Authorizer{Name: "a", FunctionARN: "f", SigningDisabled: true, Status: authorizer.Active}
	must(t, s.Create(ctx, open, []registry.Tag{{Key: "k", Value: "v"}}))
	wants(t, fault.CodeAlreadyExists, s.Create(ctx, open, nil))
	wants(t, fault.CodeDeleteConflict, s.Delete(ctx, "a"))
	must(t, s.SetDefault(ctx, "a"))
	wants(t, fault.CodeAlreadyExists, s.SetDefault(ctx, "a"))
	wants(t, fault.CodeNotFound, s.SetDefault(ctx, "b"))
	must(t, s.Update(ctx, "a", authorizer.Update{Status: authorizer.Inactive}))
	wants(t, fault.CodeDeleteConflict, s.Delete(ctx, "a"))
	must(t, s.ClearDefault(ctx))
	wants(t, fault.CodeNotFound, s.ClearDefault(ctx))
	_, err := s.Default(ctx)
	wants(t, fault.CodeNotFound, err)
	_, err = s.CreateDomain(ctx, authorizer.Domain{Name: "d", Authorizer: &authorizer.DomainDefault{Name: "a"}}, nil)
	must(t, err)
	wants(t, fault.CodeDeleteConflict, s.Delete(ctx, "a"))
	_, err = s.UpdateDomain(ctx, "d", authorizer.DomainUpdate{RemoveAuthorizer: true})
	must(t, err)
	must(t, s.Delete(ctx, "a"))
	wants(t, fault.CodeNotFound, s.Delete(ctx, "a"))
}

func TestAuthorizersAreListedToTheEnd(t *testing.T) {
	s, ctx := newService(t), t.Context()
	for _, name := range []string{"c", "a", "b"} {
		must(t, s.Create(ctx, authorizer.Authorizer{Name: name, SigningDisabled: true}, nil))
	}
	must(t, s.Update(ctx, "b", authorizer.Update{Status: authorizer.Active}))
	for _, c := range []struct {
		status    authorizer.Status
		ascending bool
		want      []string
	}{{"", true, []string{"a", "b", "c"}}, {"", false, []string{"c", "b", "a"}}, {authorizer.Inactive, true, []string{"a", "c"}}, {authorizer.Inactive, false, []string{"c", "a"}}} {
		for size := 1; size <= 3; size++ {
			var got []string
			p := registry.Page{Size: size}
			for {
				names, next, err := s.List(ctx, c.status, c.ascending, p)
				must(t, err)
				got = append(got, names...)
				if p.Token = next; next == "" {
					break
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%+v in pages of %d (-want +got):\n%s", c, size, diff)
			}
		}
	}
}

func TestVouchFindsTheAuthorizerThatIsMeant(t *testing.T) {
	s, ctx := newService(t), t.Context()
	for _, name := range []string{"account", "domain", "named", "asleep"} {
		must(t, s.Create(ctx, authorizer.Authorizer{Name: name, SigningDisabled: true, Status: authorizer.Active}, nil))
	}
	must(t, s.Update(ctx, "asleep", authorizer.Update{Status: authorizer.Inactive}))
	for _, d := range []authorizer.Domain{
		{Name: "strict", DomainName: "Strict.example", Authorizer: &authorizer.DomainDefault{Name: "domain"}},
		{Name: "loose", DomainName: "loose.example", Authorizer: &authorizer.DomainDefault{Name: "domain", AllowOverride: true}},
	} {
		_, err := s.CreateDomain(ctx, d, nil)
		must(t, err)
	}
	named := &authorizer.MQTT{Username: "?x-amz-customauthorizer-name=named"}
	_, err := s.Vouch(ctx, authorizer.Offer{})
	wants(t, fault.CodeNotFound, err)
	must(t, s.SetDefault(ctx, "account"))
	for _, c := range []struct {
		name  string
		offer authorizer.Offer
		want  string
		code  fault.Code
	}{
		{"ok/the account's", authorizer.Offer{}, "account", ""},
		{"ok/the named", authorizer.Offer{MQTT: named}, "named", ""},
		{"ok/the domain's", authorizer.Offer{ServerName: "strict.example"}, "domain", ""},
		{"ok/named where the domain lets", authorizer.Offer{ServerName: "loose.example", MQTT: named}, "named", ""},
		{"refused/named where it does not", authorizer.Offer{ServerName: "strict.example", MQTT: named}, "", fault.CodeInvalidRequest},
		{"refused/inactive", authorizer.Offer{MQTT: &authorizer.MQTT{Username: "?x-amz-customauthorizer-name=asleep"}}, "", fault.CodeInvalidRequest},
		{"refused/unknown", authorizer.Offer{MQTT: &authorizer.MQTT{Username: "?x-amz-customauthorizer-name=nobody"}}, "", fault.CodeNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := s.Vouch(ctx, c.offer)
			wants(t, c.code, err)
			if v.Authorizer != c.want {
				t.Errorf("asked %q, want %q", v.Authorizer, c.want)
			}
		})
	}
}

func TestDomainsDecideWhoGetsIn(t *testing.T) {
	s, ctx := newService(t), t.Context()
	_, err := s.CreateDomain(ctx, authorizer.Domain{Name: "d", DomainName: "d.example", AuthenticationType: authorizer.ByAuthorizer, ApplicationProtocol: authorizer.SecureMQTT}, nil)
	must(t, err)
	allowed := func(server, proof, protocol string) bool { return s.Refuses(server, proof, protocol).IsZero() }
	for _, c := range []struct {
		name                    string
		server, proof, protocol string
		want                    bool
	}{
		{"another name", "e.example", authorizer.ByCertificate, authorizer.HTTPS, true},
		{"the host itself", "things.example", authorizer.ByCertificate, authorizer.HTTPS, true},
		{"as it is", "D.example", authorizer.ByAuthorizer, authorizer.SecureMQTT, true},
		{"another proof", "d.example", authorizer.ByCertificate, authorizer.SecureMQTT, false},
		{"another protocol", "d.example", authorizer.ByAuthorizer, authorizer.HTTPS, false},
	} {
		if got := allowed(c.server, c.proof, c.protocol); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	_, err = s.UpdateDomain(ctx, "d", authorizer.DomainUpdate{Status: "DISABLED"})
	must(t, err)
	if allowed("d.example", authorizer.ByAuthorizer, authorizer.SecureMQTT) {
		t.Error("a disabled domain lets in")
	}
}

func TestDomainsAreKept(t *testing.T) {
	s, ctx := newService(t), t.Context()
	_, err := s.CreateDomain(ctx, authorizer.Domain{Name: "IoT:mine"}, nil)
	wants(t, fault.CodeInvalidRequest, err)
	_, err = s.CreateDomain(ctx, authorizer.Domain{Name: "d", Authorizer: &authorizer.DomainDefault{Name: "nobody"}}, nil)
	wants(t, fault.CodeInvalidRequest, err)
	d, err := s.CreateDomain(ctx, authorizer.Domain{Name: "d", DomainName: "d.example"}, nil)
	must(t, err)
	if got, want := s.DomainARN(d), "arn:aws:iot:us-east-1:000000000000:domainconfiguration/d/abcde"; got != want {
		t.Errorf("ARN %s, want %s", got, want)
	}
	_, err = s.CreateDomain(ctx, authorizer.Domain{Name: "d"}, nil)
	wants(t, fault.CodeAlreadyExists, err)
	_, err = s.CreateDomain(ctx, authorizer.Domain{Name: "e", DomainName: "D.example"}, nil)
	wants(t, fault.CodeAlreadyExists, err)
	wants(t, fault.CodeInvalidRequest, s.DeleteDomain(ctx, "d"))
	wants(t, fault.CodeInvalidRequest, s.DeleteDomain(ctx, "iot:Jobs"))
	wants(t, fault.CodeNotFound, s.DeleteDomain(ctx, "e"))
	names := func(serviceType string) (all []string) {
		p := registry.Page{Size: 1}
		for {
			part, next, err := s.Domains(ctx, serviceType, p)
			must(t, err)
			for _, d := range part {
				all = append(all, d.Name)
			}
			if p.Token = next; next == "" {
				return all
			}
		}
	}
	if diff := cmp.Diff([]string{"d", "iot:CredentialProvider", "iot:Data-ATS", "iot:Jobs"}, names("")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d", "iot:Data-ATS"}, names("DATA")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	_, err = s.UpdateDomain(ctx, "d", authorizer.DomainUpdate{Status: "DISABLED"})
	must(t, err)
	must(t, s.DeleteDomain(ctx, "d"))
	_, err = s.Domain(ctx, "d")
	wants(t, fault.CodeNotFound, err)
}
