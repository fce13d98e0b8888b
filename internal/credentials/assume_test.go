package credentials_test

import (
	"strings"
	"testing"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/credentials"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// order asks for credentials of the alias as a certificate that holds.
func order(id, thing string) credentials.Order {
	return credentials.Order{Principal: device(id), Alias: "camera-alias", ThingName: thing, Holds: func() bool { return true }}
}

func TestAssumeGivesASessionOfTheRole(t *testing.T) {
	h := open(t).furnish()
	session, actor := h.assume(order(id1, "lamp-7"))
	if !strings.HasPrefix(session.AccessKeyID, "ASIA") {
		t.Errorf("access key %s", session.AccessKeyID)
	}
	same(t, h.now.Add(time.Hour).Truncate(time.Second), session.Expires.Truncate(time.Second))
	same(t, "arn:aws:sts::111122223333:assumed-role/camera/"+id1, actor.ARN)
	keys := policy.Values{}
	keys.Set("credentials-iot:ThingName", "lamp-7")
	keys.Set("credentials-iot:ThingTypeName", "Lamp")
	keys.Set("credentials-iot:AwsCertificateId", id1)
	same(t, keys, actor.Session.Context)
	same(t, id1, actor.Session.Certificate)
}

func TestAssumeWithoutThingNameKnowsTheCertificateAlone(t *testing.T) {
	h := open(t).furnish()
	_, actor := h.assume(order(id1, ""))
	keys := policy.Values{}
	keys.Set("credentials-iot:AwsCertificateId", id1)
	same(t, keys, actor.Session.Context)
}

// The checks come in an order: whoever may not have the alias does not learn
// whether it exists.
func TestAssumeRefuses(t *testing.T) {
	const deny = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:*","Resource":"*"}}`
	cases := map[string]struct {
		arrange func(h *house)
		order   credentials.Order
		says    string
		want    why.Event
	}{
		"403/thing is not the certificate's": {
			order: order(id2, "lamp-7"), says: "AccessDenied: Invalid thing name passed",
			want: why.Event{Cause: why.ThingNotAttached, Detail: `the request says that the device is thing "lamp-7"`},
		},
		"403/thing does not exist, and neither does the alias": {
			order: credentials.Order{Principal: device(id1), Alias: "no", ThingName: "lamp-8"}, says: "AccessDenied: Invalid thing name passed",
			want: why.Event{Cause: why.ThingNotAttached, Detail: `the request says that the device is thing "lamp-8"`},
		},
		"403/policy detached": {
			arrange: func(h *house) { h.ok(h.access.DetachPolicy(t.Context(), "all", device(id1).ARN)) },
			order:   order(id1, ""), says: "AccessDenied: Access Denied",
			want: why.Event{Cause: why.PolicyImplicitDeny, Detail: "no policy is attached, so nothing allows iot:AssumeRoleWithCertificate on arn:aws:iot:us-east-1:111122223333:rolealias/camera-alias"},
		},
		"403/policy detached, and the alias is missing": {
			arrange: func(h *house) { h.ok(h.access.DetachPolicy(t.Context(), "all", device(id1).ARN)) },
			order:   credentials.Order{Principal: device(id1), Alias: "no"}, says: "AccessDenied: Access Denied",
			want: why.Event{Cause: why.PolicyImplicitDeny, Detail: "no policy is attached, so nothing allows iot:AssumeRoleWithCertificate on arn:aws:iot:us-east-1:111122223333:rolealias/no"},
		},
		"403/policy denies": {
			arrange: func(h *house) { h.allow("deny", deny, id1) },
			order:   order(id1, ""), says: "AccessDenied: Access Denied",
			want: why.Event{Cause: why.PolicyExplicitDeny, Statement: "policy deny, statement 1", Detail: "policy deny statement 1 denies iot:AssumeRoleWithCertificate on arn:aws:iot:us-east-1:111122223333:rolealias/camera-alias, and a Deny outweighs the Allow of policy all statement 1"},
		},
		"404/alias is missing": {
			order: credentials.Order{Principal: device(id1), Alias: "no"}, says: "ResourceNotFound: Role alias does not exist",
			want: why.Event{Cause: why.RoleAliasMissing},
		},
		"400/role is missing": {
			arrange: func(h *house) { h.ok(h.iam.DeleteRole(t.Context(), "camera")) },
			order:   order(id1, ""), says: "InvalidRequest: Unable to assume the role, or the role to assume does not exist: there is no role arn:aws:iam::111122223333:role/camera",
			want: why.Event{Cause: why.RoleRefused, Detail: "there is no role arn:aws:iam::111122223333:role/camera"},
		},
		"400/role trusts somebody else": {
			arrange: func(h *house) {
				h.ok(h.iam.ChangeRole(t.Context(), "camera", func(r *iam.Role) { r.Trust = other }))
			},
			order: order(id1, ""), says: "InvalidRequest: Unable to assume the role, or the role to assume does not exist: the trust policy of role camera does not let credentials.iot.amazonaws.com do sts:AssumeRole",
			want: why.Event{Cause: why.RoleRefused, Detail: "the trust policy of role camera does not let credentials.iot.amazonaws.com do sts:AssumeRole"},
		},
		"400/longer than the role allows": {
			arrange: func(h *house) { h.ok(h.Update(t.Context(), "camera-alias", "", 3*time.Hour)) },
			order:   order(id1, ""),
			says:    "InvalidRequest: The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role",
			want:    why.Event{Cause: why.RoleRefused, Detail: "the alias gives sessions of 3h0m0s, and role camera allows at most 2h0m0s"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			h := open(t).furnish()
			if test.arrange != nil {
				test.arrange(h)
			}
			h.refuses(test.order, test.says, test.want)
		})
	}
}

// A policy can name the thing of the header; without one its variable has no
// value.
func TestPolicyVariablesOfTheThing(t *testing.T) {
	h := open(t).furnish()
	ctx := t.Context()
	h.ok(h.access.DetachPolicy(ctx, "all", device(id1).ARN))
	h.allow("own", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate",
		"Resource":"arn:aws:iot:*:*:rolealias/${iot:Connection.Thing.ThingName}-alias"}}`, id1)
	h.ok(h.Create(ctx, credentials.RoleAlias{Name: "lamp-7-alias", RoleARN: roleARN}, nil))
	named := credentials.Order{Principal: device(id1), Alias: "lamp-7-alias", ThingName: "lamp-7"}
	h.assume(named)
	unnamed := named
	unnamed.ThingName = ""
	if _, _, err := h.Assume(ctx, unnamed); !fault.Is(err, fault.CodeAccessDenied) {
		t.Errorf("without the header: %v", err)
	}
}

// What a session may do is what the role's policies say at that moment, with the
// variables of the device.
func TestSessionsAreLimitedByTheRolesPolicies(t *testing.T) {
	h := open(t).furnish()
	_, lamp := h.assume(order(id1, "lamp-7"))
	_, bare := h.assume(order(id2, ""))
	may := func(who iam.Actor, action, resource string) bool {
		t.Helper()
		decision, err := h.iam.Decide(t.Context(), &who, action, resource, nil)
		h.ok(err)
		return decision.Allowed()
	}
	same(t, false, may(lamp, "s3:PutObject", "arn:aws:s3:::bucket/lamp-7/x"))

	h.grant(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/${credentials-iot:ThingName}/*"},
		{"Effect":"Allow","Action":"iot:UpdateThingShadow","Resource":"*","Condition":{"StringEquals":{"credentials-iot:AwsCertificateId":"` + id2 + `"}}},
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"credentials-iot:ThingTypeName":"Lamp"}}}]}`)
	same(t, true, may(lamp, "s3:PutObject", "arn:aws:s3:::bucket/lamp-7/x"))
	same(t, false, may(lamp, "s3:PutObject", "arn:aws:s3:::bucket/lamp-8/x"))
	same(t, false, may(bare, "s3:PutObject", "arn:aws:s3:::bucket//x"))
	same(t, true, may(bare, "iot:UpdateThingShadow", scope.IoT("thing", "lamp-7")))
	same(t, false, may(lamp, "iot:UpdateThingShadow", scope.IoT("thing", "lamp-7")))
	same(t, true, may(lamp, "s3:GetObject", "arn:aws:s3:::bucket/x"))
	same(t, false, may(bare, "s3:GetObject", "arn:aws:s3:::bucket/x"))
}

func TestSessionsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(h *house)
		want fault.Code
	}{
		"with their time":              {func(h *house) { h.now = h.now.Add(time.Hour) }, sigv4.CodeExpiredToken},
		"with the certificate":         {func(h *house) { h.ok(h.iam.EndSessionsOf(t.Context(), id1)) }, sigv4.CodeUnrecognized},
		"with the role":                {func(h *house) { h.ok(h.iam.DeleteRole(t.Context(), "camera")) }, sigv4.CodeUnrecognized},
		"not with another certificate": {func(h *house) { h.ok(h.iam.EndSessionsOf(t.Context(), id2)) }, ""},
		"not with the alias":           {func(h *house) { h.ok(h.Delete(t.Context(), "camera-alias")) }, ""},
		"not with the policy":          {func(h *house) { h.ok(h.access.DetachPolicy(t.Context(), "all", device(id1).ARN)) }, ""},
		"not a second too early":       {func(h *house) { h.now = h.now.Add(time.Hour - time.Second) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t).furnish()
			session, _ := h.assume(order(id1, ""))
			test.end(h)
			_, _, err := h.iam.Find(t.Context(), session.AccessKeyID, session.SessionToken)
			same(t, test.want, fault.CodeOf(err))
		})
	}
}

// A certificate that is deactivated while its session is being opened gets none.
func TestCertificateWithdrawnMeanwhile(t *testing.T) {
	h := open(t).furnish()
	o := order(id1, "")
	o.Holds = func() bool { return false }
	h.refuses(o, "AccessDenied: Certificate is invalid on this endpoint", why.Event{Cause: why.CertificateWithdrawn})
}

func TestStoreFailureIsNoRefusal(t *testing.T) {
	h := open(t).furnish()
	ctx, cancel := contextThatIsOver(t)
	defer cancel()
	_, event, err := h.Assume(ctx, order(id1, ""))
	if event != nil || fault.CodeOf(err) != fault.Internal {
		t.Errorf("event %+v, error %v", event, err)
	}
}
