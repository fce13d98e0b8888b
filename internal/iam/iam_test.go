package iam_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/policy"
)

func TestRootKey(t *testing.T) {
	h := open(t, nil)
	first, err := h.RootKey(t.Context())
	if err != nil || len(first.ID) != 20 || !strings.HasPrefix(first.ID, "AKIA") || len(first.Secret) != 40 {
		t.Fatal(first, err)
	}
	again, err := h.node(nil).RootKey(t.Context())
	if diff := cmp.Diff(first, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
	t.Run("ok/may do everything", func(t *testing.T) {
		root := h.root(t)
		wantCode(t, h.Check(t.Context(), &root, "iot:DeleteThing", "*", nil), "")
	})
	t.Run("refused/the last key cannot go", func(t *testing.T) {
		wantCode(t, h.DeleteAccessKey(t.Context(), "", first.ID), fault.CodeInvalidRequest)
	})
	t.Run("ok/another key takes its place", func(t *testing.T) {
		if _, err := h.CreateAccessKey(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		wantCode(t, h.DeleteAccessKey(t.Context(), "", first.ID), "")
		_, _, err := h.Find(t.Context(), first.ID, "")
		wantCode(t, err, sigv4.CodeUnrecognized)
	})
}

func TestFind(t *testing.T) {
	h := open(t, nil)
	_, key := h.user(t, "ann", "")
	_, secret, err := h.Find(t.Context(), key.ID, "")
	if err != nil || secret != key.Secret {
		t.Fatal(err)
	}
	ann := h.actor(t, key.ID, "")
	temporary, err := h.SessionToken(t.Context(), &ann, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, id, token string
		do              func() error
		code            fault.Code
	}{
		{"ok/key", key.ID, "", nil, ""},
		{"refused/unknown key", "AKIANOBODY", "", nil, sigv4.CodeUnrecognized},
		{"refused/key with a token", key.ID, "x", nil, sigv4.CodeUnrecognized},
		{"ok/session", temporary.AccessKeyID, temporary.SessionToken, nil, ""},
		{"refused/session without its token", temporary.AccessKeyID, "", nil, sigv4.CodeUnrecognized},
		{"refused/session with another token", temporary.AccessKeyID, "x", nil, sigv4.CodeUnrecognized},
		{"refused/session over", temporary.AccessKeyID, temporary.SessionToken, func() error { h.now = temporary.Expires; return nil }, sigv4.CodeExpiredToken},
		{"refused/key turned off", key.ID, "", func() error { return h.SetAccessKey(t.Context(), "ann", key.ID, false) }, sigv4.CodeUnrecognized},
		{"ok/key turned on", key.ID, "", func() error { return h.SetAccessKey(t.Context(), "ann", key.ID, true) }, ""},
		{"refused/key deleted", key.ID, "", func() error { return h.DeleteAccessKey(t.Context(), "ann", key.ID) }, sigv4.CodeUnrecognized},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.do != nil {
				if err := test.do(); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := h.Find(t.Context(), test.id, test.token)
			wantCode(t, err, test.code)
		})
	}
}

func TestSignIn(t *testing.T) {
	h := open(t, nil)
	_, key := h.user(t, "ann", "")
	_, err := h.SignIn(t.Context(), key.ID, key.Secret)
	wantCode(t, err, "")
	_, err = h.SignIn(t.Context(), key.ID, "guess")
	wantCode(t, err, sigv4.CodeUnrecognized)
}

func TestSealedSecrets(t *testing.T) {
	sealer, err := iam.NewSealer([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, sealer)
	key, err := h.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("ok/read again with the key", func(t *testing.T) {
		again, err := h.node(sealer).RootKey(t.Context())
		if err != nil || again.Secret != key.Secret {
			t.Error(again, err)
		}
	})
	t.Run("refused/without the key", func(t *testing.T) {
		_, err := h.node(nil).RootKey(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is sealed") {
			t.Error(err)
		}
	})
	t.Run("refused/with another key", func(t *testing.T) {
		other, err := iam.NewSealer([]byte(strings.Repeat("x", 32)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.node(other).RootKey(t.Context()); err == nil {
			t.Error("it was read")
		}
	})
	t.Run("refused/under another name", func(t *testing.T) {
		sealed, err := sealer.Seal("a", []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sealer.Open("b", sealed); err == nil {
			t.Error("it was opened")
		}
	})
	t.Run("refused/key of the wrong length", func(t *testing.T) {
		if _, err := iam.NewSealer([]byte("short")); err == nil {
			t.Error("taken")
		}
	})
}

// What sealed nothing before keeps working when a seal key is given.
func TestSealKeyGivenLater(t *testing.T) {
	h := open(t, nil)
	key, err := h.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := iam.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := h.node(sealer).RootKey(t.Context()); err != nil || again.Secret != key.Secret {
		t.Error(again, err)
	}
}

func TestUsers(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	_, key := h.user(t, "ann", allow(`"iot:*"`, "*"))
	_, err := h.CreateUser(ctx, iam.User{Name: "ann"})
	wantCode(t, err, fault.CodeAlreadyExists)
	if _, err := h.CreateAccessKey(ctx, "ann"); err != nil {
		t.Fatal(err)
	}
	_, err = h.CreateAccessKey(ctx, "ann")
	wantCode(t, err, fault.CodeLimitExceeded)
	_, err = h.CreateAccessKey(ctx, "nobody")
	wantCode(t, err, fault.CodeNotFound)
	wantCode(t, h.DeleteAccessKey(ctx, "bob", key.ID), fault.CodeNotFound)
	keys, err := h.AccessKeys(ctx, "ann")
	if err != nil || len(keys) != 2 || keys[0].Secret != "" {
		t.Fatal(keys, err)
	}
	wantCode(t, h.DeleteUser(ctx, "ann"), fault.CodeDeleteConflict)
	for _, k := range keys {
		wantCode(t, h.DeleteAccessKey(ctx, "ann", k.ID), "")
	}
	wantCode(t, h.DeleteUser(ctx, "ann"), fault.CodeDeleteConflict) // the inline policy
	wantCode(t, h.DeleteInline(ctx, iam.ByUser, "ann", "inline"), "")
	wantCode(t, h.Attach(ctx, iam.ByUser, "ann", "arn:aws:iam::aws:policy/AWSIoTFullAccess"), "")
	wantCode(t, h.DeleteUser(ctx, "ann"), fault.CodeDeleteConflict)
	wantCode(t, h.Detach(ctx, iam.ByUser, "ann", "arn:aws:iam::aws:policy/AWSIoTFullAccess"), "")
	wantCode(t, h.DeleteUser(ctx, "ann"), "")
	wantCode(t, h.DeleteUser(ctx, "ann"), fault.CodeNotFound)
}

func TestPages(t *testing.T) {
	h := open(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		h.role(t, name, trusting(`"Service":"credentials.iot.amazonaws.com"`), "")
	}
	first, next, err := h.Roles(t.Context(), iam.Page{Size: 2})
	if err != nil || len(first) != 2 || next == "" {
		t.Fatal(first, next, err)
	}
	last, end, err := h.Roles(t.Context(), iam.Page{Size: 2, Marker: next})
	if err != nil || len(last) != 1 || last[0].Name != "c" || end != "" {
		t.Fatal(last, end, err)
	}
	_, _, err = h.Roles(t.Context(), iam.Page{Marker: "%"})
	wantCode(t, err, fault.CodeInvalidRequest)
}

func TestPolicies(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	h.user(t, "ann", "")
	_, err := h.CreatePolicy(ctx, iam.Policy{Name: "p", Document: `{"Version":"2012-10-17"}`})
	wantCode(t, err, fault.CodeMalformedPolicy)
	p, err := h.CreatePolicy(ctx, iam.Policy{Name: "p", Path: "/lab/", Document: allow(`"iot:*"`, "*")})
	if err != nil || p.ARN != "arn:aws:iam::"+account+":policy/lab/p" {
		t.Fatal(p, err)
	}
	_, err = h.CreatePolicy(ctx, iam.Policy{Name: "p", Document: p.Document})
	wantCode(t, err, fault.CodeAlreadyExists)
	wantCode(t, h.Attach(ctx, iam.ByUser, "ann", p.ARN), "")
	wantCode(t, h.Attach(ctx, iam.ByUser, "ann", p.ARN), "")
	wantCode(t, h.Attach(ctx, iam.ByUser, "ann", "arn:aws:iam::aws:policy/NoSuch"), fault.CodeNotFound)
	got, err := h.Policy(ctx, p.ARN)
	p.Attachments = 1
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	wantCode(t, h.DeletePolicy(ctx, p.ARN), fault.CodeDeleteConflict)
	wantCode(t, h.Detach(ctx, iam.ByUser, "ann", p.ARN), "")
	wantCode(t, h.Detach(ctx, iam.ByUser, "ann", p.ARN), fault.CodeNotFound)
	wantCode(t, h.DeletePolicy(ctx, p.ARN), "")
	wantCode(t, h.PutInline(ctx, iam.ByUser, "ann", "bad", "no policy"), fault.CodeMalformedPolicy)
}

// Every policy that is said to be AWS's must be one.
func TestManagedByAWS(t *testing.T) {
	for _, p := range iam.AllManagedByAWS() {
		if _, err := policy.Parse(p.Document, policy.Identity); err != nil {
			t.Error(p.Name, err)
		}
	}
}

func TestDecide(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	ann, _ := h.user(t, "ann", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:*Thing","Resource":"arn:aws:iot:us-east-1:111122223333:thing/${aws:username}-*"},
		{"Effect":"Deny","Action":"iot:DeleteThing","Resource":"*"},
		{"Effect":"Allow","Action":"iot:ListThings","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
		{"Effect":"Allow","Action":"iot:DescribeEndpoint","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2030-01-02T03:04:06Z"}}}]}`)
	thing := func(name string) string { return "arn:aws:iot:us-east-1:" + account + ":thing/" + name }
	inside := policy.Values{}
	inside.Set("aws:SourceIp", "192.0.2.9")
	for _, test := range []struct {
		name, action, resource string
		more                   policy.Values
		want                   string
	}{
		{"ok/own thing", "iot:CreateThing", thing("ann-1"), nil, ""},
		{"refused/another's thing", "iot:CreateThing", thing("bob-1"), nil,
			"AccessDenied: User: arn:aws:iam::111122223333:user/ann is not authorized to perform: iot:CreateThing on resource: " + thing("bob-1") +
				" because no identity-based policy allows the iot:CreateThing action"},
		{"refused/explicit deny", "iot:DeleteThing", thing("ann-1"), nil,
			"AccessDenied: User: arn:aws:iam::111122223333:user/ann is not authorized to perform: iot:DeleteThing on resource: " + thing("ann-1") +
				" with an explicit deny in an identity-based policy"},
		{"ok/address within", "iot:ListThings", "*", inside, ""},
		{"refused/address unknown", "iot:ListThings", "*", nil,
			"AccessDenied: User: arn:aws:iam::111122223333:user/ann is not authorized to perform: iot:ListThings on resource: * because no identity-based policy allows the iot:ListThings action"},
		{"ok/in time", "iot:DescribeEndpoint", "*", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := h.Check(ctx, &ann, test.action, test.resource, test.more); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("refused/too late", func(t *testing.T) {
		h.now = h.now.Add(time.Minute)
		wantCode(t, h.Check(ctx, &ann, "iot:DescribeEndpoint", "*", nil), fault.CodeAccessDenied)
	})
	t.Run("refused/another user of the same name", func(t *testing.T) {
		wantCode(t, h.DeleteInline(ctx, iam.ByUser, "ann", "inline"), "")
		keys, _ := h.AccessKeys(ctx, "ann")
		wantCode(t, errors.Join(h.DeleteAccessKey(ctx, "ann", keys[0].ID), h.DeleteUser(ctx, "ann")), "")
		h.user(t, "ann", allow(`"*"`, "*"))
		wantCode(t, h.Check(ctx, &ann, "iot:CreateThing", thing("ann-1"), nil), fault.CodeAccessDenied)
	})
}

func TestAssumeRole(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	ann, _ := h.user(t, "ann", "")
	bob, _ := h.user(t, "bob", allow(`"sts:AssumeRole"`, "*"))
	eve, _ := h.user(t, "eve", strings.Replace(allow(`"sts:AssumeRole"`, "*"), "Allow", "Deny", 1))
	root := h.root(t)
	role := func(name, trust string) string { return h.RoleARN(h.role(t, name, trust, allow(`"iot:*"`, "*"))) }
	byAccount := role("account", trusting(`"AWS":"arn:aws:iam::111122223333:root"`))
	byName := role("name", trusting(`"AWS":["arn:aws:iam::111122223333:user/ann","arn:aws:iam::111122223333:user/eve"]`))
	byService := role("service", trusting(`"Service":"credentials.iot.amazonaws.com"`))
	external := role("external", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},
		"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"pass"}}}]}`)
	tagging := role("tagging", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)
	for _, test := range []struct {
		name  string
		actor iam.Actor
		order iam.AssumeOrder
		code  fault.Code
	}{
		{"ok/account trusted, own policy allows", bob, iam.AssumeOrder{RoleARN: byAccount}, ""},
		{"ok/account trusted, root", root, iam.AssumeOrder{RoleARN: byAccount}, ""},
		{"refused/account trusted, own policy silent", ann, iam.AssumeOrder{RoleARN: byAccount}, fault.CodeAccessDenied},
		{"ok/trusted by name, own policy silent", ann, iam.AssumeOrder{RoleARN: byName}, ""},
		{"refused/trusted by name, own policy denies", eve, iam.AssumeOrder{RoleARN: byName}, fault.CodeAccessDenied},
		{"refused/not trusted", bob, iam.AssumeOrder{RoleARN: byName}, fault.CodeAccessDenied},
		{"refused/a service's role", root, iam.AssumeOrder{RoleARN: byService}, fault.CodeAccessDenied},
		{"refused/no such role", root, iam.AssumeOrder{RoleARN: byService + "x"}, fault.CodeAccessDenied},
		{"refused/another path", root, iam.AssumeOrder{RoleARN: strings.Replace(byAccount, "role/", "role/lab/", 1)}, fault.CodeAccessDenied},
		{"ok/external ID", bob, iam.AssumeOrder{RoleARN: external, ExternalID: "pass"}, ""},
		{"refused/wrong external ID", bob, iam.AssumeOrder{RoleARN: external, ExternalID: "word"}, fault.CodeAccessDenied},
		{"refused/session tags that the trust does not mention", root, iam.AssumeOrder{RoleARN: byAccount, Tags: []iam.Tag{{Key: "team", Value: "admin"}}}, fault.CodeAccessDenied},
		{"ok/session tags", root, iam.AssumeOrder{RoleARN: tagging, Tags: []iam.Tag{{Key: "team", Value: "admin"}}}, ""},
		{"refused/source identity that the trust does not mention", root, iam.AssumeOrder{RoleARN: byAccount, SourceIdentity: "ann"}, fault.CodeAccessDenied},
		{"refused/longer than the role allows", bob, iam.AssumeOrder{RoleARN: byAccount, Duration: 2 * time.Hour}, fault.CodeValidation},
		{"refused/broken session policy", bob, iam.AssumeOrder{RoleARN: byAccount, Policy: "{}"}, fault.CodeMalformedPolicy},
		{"refused/missing session policy", bob, iam.AssumeOrder{RoleARN: byAccount, PolicyARNs: []string{"arn:aws:iam::aws:policy/No"}}, fault.CodeValidation},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.order.SessionName = "job"
			credentials, identity, err := h.AssumeRole(ctx, &test.actor, test.order)
			wantCode(t, err, test.code)
			if err != nil {
				return
			}
			actor := h.actor(t, credentials.AccessKeyID, credentials.SessionToken)
			name := test.order.RoleARN[strings.LastIndex(test.order.RoleARN, "/")+1:]
			if want := "arn:aws:sts::111122223333:assumed-role/" + name + "/job"; actor.ARN != want || identity.ARN != want || actor.UserID != identity.UserID {
				t.Error(actor.ARN, identity.ARN, actor.UserID, identity.UserID)
			}
			wantCode(t, h.Check(ctx, &actor, "iot:ListThings", "*", nil), "")
			wantCode(t, h.Check(ctx, &actor, "s3:GetObject", "*", nil), fault.CodeAccessDenied)
		})
	}
}

// Session policies take away and never give.
func TestSessionPolicy(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	root := h.root(t)
	role := h.RoleARN(h.role(t, "r", trusting(`"AWS":"111122223333"`), allow(`"iot:*"`, "*")))
	credentials, _, err := h.AssumeRole(ctx, &root, iam.AssumeOrder{RoleARN: role, SessionName: "s", Policy: allow(`["iot:List*","s3:*"]`, "*")})
	if err != nil {
		t.Fatal(err)
	}
	actor := h.actor(t, credentials.AccessKeyID, credentials.SessionToken)
	wantCode(t, h.Check(ctx, &actor, "iot:ListThings", "*", nil), "")
	wantCode(t, h.Check(ctx, &actor, "s3:GetObject", "*", nil), fault.CodeAccessDenied)
	err = h.Check(ctx, &actor, "iot:CreateThing", "*", nil)
	if err == nil || !strings.HasSuffix(err.Error(), "because no session policy allows the iot:CreateThing action") {
		t.Error(err)
	}
}

// A device's credentials carry what is known of the device, and die with the
// role, or with its certificate.
func TestAssumeForService(t *testing.T) {
	const service = "credentials.iot.amazonaws.com"
	h := open(t, nil)
	ctx := t.Context()
	role := h.RoleARN(h.role(t, "device", trusting(`"Service":"`+service+`"`), allow(`"s3:PutObject"`, "arn:aws:s3:::b/${credentials-iot:ThingName}/*")))
	about := policy.Values{}
	about.Set("credentials-iot:ThingName", "pump7")
	order := iam.ServiceOrder{RoleARN: role, Service: service, SessionName: "cafe", Context: about, Certificate: "cafe"}
	open := func() iam.Credentials {
		t.Helper()
		credentials, err := h.AssumeForService(ctx, order)
		if err != nil {
			t.Fatal(err)
		}
		return credentials
	}
	t.Run("ok/variables of the device", func(t *testing.T) {
		credentials := open()
		if !credentials.Expires.Equal(start.Add(time.Hour)) {
			t.Error(credentials.Expires)
		}
		actor := h.actor(t, credentials.AccessKeyID, credentials.SessionToken)
		wantCode(t, h.Check(ctx, &actor, "s3:PutObject", "arn:aws:s3:::b/pump7/x", nil), "")
		wantCode(t, h.Check(ctx, &actor, "s3:PutObject", "arn:aws:s3:::b/pump8/x", nil), fault.CodeAccessDenied)
	})
	t.Run("ok/only for one resource of the account", func(t *testing.T) {
		alias := "arn:aws:iot:us-east-1:111122223333:rolealias/"
		guarded := strings.Replace(trusting(`"Service":"`+service+`"`), `"Action"`, `"Condition":{"ArnLike":{"aws:SourceArn":"`+alias+`cam*"},"StringEquals":{"aws:SourceAccount":"111122223333"}},"Action"`, 1)
		mine := order
		mine.RoleARN = h.RoleARN(h.role(t, "guarded", guarded, ""))
		for source, allowed := range map[string]bool{alias + "camera": true, alias + "door": false, "": false} {
			mine.SourceARN = source
			if _, err := h.AssumeForService(ctx, mine); (err == nil) != allowed {
				t.Errorf("%q: %v", source, err)
			}
		}
	})
	for _, test := range []struct {
		name   string
		change func(*iam.ServiceOrder)
		want   string
	}{
		{"refused/another service", func(o *iam.ServiceOrder) { o.Service = "iot.amazonaws.com" }, "Unable to assume the role, or the role to assume does not exist: the trust policy of role device does not let iot.amazonaws.com do sts:AssumeRole"},
		{"refused/no such role", func(o *iam.ServiceOrder) { o.RoleARN += "x" }, "Unable to assume the role, or the role to assume does not exist: there is no role arn:aws:iam::111122223333:role/devicex"},
		{"refused/too long", func(o *iam.ServiceOrder) { o.Duration = 2 * time.Hour }, "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := order
			test.change(&bad)
			_, err := h.AssumeForService(ctx, bad)
			if err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Error(err)
			}
		})
	}
	t.Run("refused/certificate revoked", func(t *testing.T) {
		credentials := open()
		h.actor(t, credentials.AccessKeyID, credentials.SessionToken) // remembered
		wantCode(t, h.EndSessionsOf(ctx, "cafe"), "")
		_, _, err := h.Find(ctx, credentials.AccessKeyID, credentials.SessionToken)
		wantCode(t, err, sigv4.CodeUnrecognized)
	})
	t.Run("refused/role made anew", func(t *testing.T) {
		credentials := open()
		h.actor(t, credentials.AccessKeyID, credentials.SessionToken)
		wantCode(t, errors.Join(h.DeleteInline(ctx, iam.ByRole, "device", "inline"), h.DeleteRole(ctx, "device")), "")
		h.role(t, "device", trusting(`"Service":"`+service+`"`), "")
		_, _, err := h.Find(ctx, credentials.AccessKeyID, credentials.SessionToken)
		wantCode(t, err, sigv4.CodeUnrecognized)
	})
	t.Run("ok/old sessions are purged", func(t *testing.T) {
		credentials := open()
		h.now = credentials.Expires.Add(25 * time.Hour)
		wantCode(t, h.Purge(ctx), "")
		_, _, err := h.Find(ctx, credentials.AccessKeyID, credentials.SessionToken)
		wantCode(t, err, sigv4.CodeUnrecognized)
	})
}

func TestSessionToken(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	ann, _ := h.user(t, "ann", allow(`"iot:*"`, "*"))
	root := h.root(t)
	for _, test := range []struct {
		name  string
		actor iam.Actor
		want  time.Duration
	}{{"ok/user", ann, 12 * time.Hour}, {"ok/root", root, time.Hour}} {
		t.Run(test.name, func(t *testing.T) {
			credentials, err := h.SessionToken(ctx, &test.actor, 0)
			if err != nil || credentials.Expires.Sub(h.now) != test.want {
				t.Fatal(credentials.Expires, err)
			}
			actor := h.actor(t, credentials.AccessKeyID, credentials.SessionToken)
			if actor.ARN != test.actor.ARN {
				t.Error(actor.ARN)
			}
			wantCode(t, h.Check(ctx, &actor, "iot:ListThings", "*", nil), "")
			_, err = h.SessionToken(ctx, &actor, 0)
			wantCode(t, err, fault.CodeAccessDenied)
		})
	}
}

func TestRights(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	ann, key := h.user(t, "ann", allow(`["iot:Connect","iot:Publish"]`, "arn:aws:iot:us-east-1:111122223333:*/ann*"))
	rights := h.Rights(ann, nil)
	defer rights.Close()
	ask := func() [3]bool {
		return [3]bool{rights.Allows("iot:Publish", "topic/ann/x"), rights.Allows("iot:Publish", "topic/bob"),
			rights.Allows("iot:Connect", "arn:aws:iot:us-east-1:111122223333:client/ann")}
	}
	if got := ask(); got != [3]bool{true, false, true} {
		t.Error(got)
	}
	before := rights.Generation()
	wantCode(t, h.PutInline(ctx, iam.ByUser, "ann", "inline", allow(`"iot:Publish"`, "*")), "")
	if got := ask(); got != [3]bool{true, true, false} || rights.Generation() == before {
		t.Error(got)
	}
	wantCode(t, h.SetAccessKey(ctx, "ann", key.ID, false), "")
	if got := ask(); got != [3]bool{} {
		t.Error("a key that is off still works:", got)
	}
	if why := rights.Explain("iot:Publish", "topic/ann").Sentence(); !strings.Contains(why, "turned off") {
		t.Error(why)
	}
}

func BenchmarkCheck(b *testing.B) {
	h := open(b, nil)
	ann, key := h.user(b, "ann", allow(`"iot:*"`, "*"))
	for b.Loop() {
		if _, _, err := h.Find(b.Context(), key.ID, ""); err != nil {
			b.Fatal(err)
		}
		if err := h.Check(b.Context(), &ann, "iot:CreateThing", "arn:aws:iot:us-east-1:111122223333:thing/x", nil); err != nil {
			b.Fatal(err)
		}
	}
}
