package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"thingd/internal/access"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

const anything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

func TestPolicyVersions(t *testing.T) {
	b := newBench(t)
	odd := " \n" + strings.Replace(anything, "{", "{\t", 1) + "\r\n"
	first, err := b.CreatePolicy(b.ctx, "lamps", odd, nil)
	b.ok(err)
	same(t, access.Version{Policy: "lamps", ID: 1, Document: odd, Created: b.now}, first)
	_, err = b.CreatePolicy(b.ctx, "lamps", odd, nil)
	b.want(err, fault.CodeAlreadyExists, "Policy cannot be created - name already exists (name=lamps)")
	var f *fault.Error
	if errors.As(err, &f); f.ResourceARN != "arn:aws:iot:us-east-1:111122223333:policy/lamps" || f.ResourceID != "lamps" {
		t.Errorf("about %s %s", f.ResourceID, f.ResourceARN)
	}

	created := b.now
	b.now = b.now.Add(time.Hour)
	for range 4 {
		_, err := b.CreatePolicyVersion(b.ctx, "lamps", anything, false)
		b.ok(err)
	}
	_, err = b.CreatePolicyVersion(b.ctx, "lamps", anything, true)
	b.want(err, fault.CodeVersionsLimitExceeded, "The policy lamps already has the maximum number of versions (5)")
	b.ok(b.DeletePolicyVersion(b.ctx, "lamps", "5"))
	sixth, err := b.CreatePolicyVersion(b.ctx, "lamps", anything, true)
	b.ok(err)
	same(t, access.VersionID(6), sixth.ID) // never used again
	p, v, err := b.Policy(b.ctx, "lamps")
	b.ok(err)
	same(t, access.Policy{Name: "lamps", Generation: p.Generation, Default: 6, Last: 6, Created: created, Modified: b.now}, p)
	same(t, sixth, v)

	b.want(b.DeletePolicyVersion(b.ctx, "lamps", "6"), fault.CodeInvalidRequest, "Cannot delete the default version of a policy")
	for _, id := range []string{"5", "7", "x", "01", "0", "-1", "99999999999999999999"} {
		b.want(b.DeletePolicyVersion(b.ctx, "lamps", id), fault.CodeNotFound, "Policy version not found")
		b.want(b.SetDefaultPolicyVersion(b.ctx, "lamps", id), fault.CodeNotFound, "Policy version not found")
		_, _, err := b.PolicyVersion(b.ctx, "lamps", id)
		b.want(err, fault.CodeNotFound, "Policy version not found")
	}
	b.ok(b.SetDefaultPolicyVersion(b.ctx, "lamps", "1"))
	_, v, err = b.Policy(b.ctx, "lamps")
	b.ok(err)
	same(t, odd, v.Document) // byte for byte
	_, versions, err := b.PolicyVersions(b.ctx, "lamps")
	b.ok(err)
	var ids []string
	for _, v := range versions {
		ids = append(ids, v.ID.String())
	}
	same(t, []string{"6", "4", "3", "2", "1"}, ids)
}

func TestPolicyRefusals(t *testing.T) {
	b := newBench(t)
	_, err := b.CreatePolicy(b.ctx, "bad name", anything, nil)
	if !fault.Is(err, fault.CodeInvalidRequest) {
		t.Error(err)
	}
	_, err = b.CreatePolicy(b.ctx, "p", "{", nil)
	if !fault.Is(err, fault.CodeMalformedPolicy) {
		t.Error(err)
	}
	_, err = b.CreatePolicyVersion(b.ctx, "p", anything, true)
	b.want(err, fault.CodeNotFound, "Policy not found")
	_, _, err = b.Policy(b.ctx, "p")
	b.want(err, fault.CodeNotFound, "Policy not found")
	_, _, err = b.PolicyVersions(b.ctx, "p")
	b.want(err, fault.CodeNotFound, "Policy not found")
	b.want(b.SetDefaultPolicyVersion(b.ctx, "p", "1"), fault.CodeNotFound, "Policy not found")
	b.want(b.DeletePolicy(b.ctx, "p"), fault.CodeNotFound, "Policy not found")
	b.want(b.AttachPolicy(b.ctx, "p", c1), fault.CodeNotFound, "Policy not found")
	b.want(b.DetachPrincipalPolicy(b.ctx, "p", c1), fault.CodeNotFound, "Policy not found")
	b.ok(b.DetachPolicy(b.ctx, "p", c1))
	_, _, err = b.TargetsForPolicy(b.ctx, "p", false, registry.Page{})
	b.want(err, fault.CodeNotFound, "Policy not found")
}

func TestDeletePolicy(t *testing.T) {
	b := newBench(t)
	_, err := b.CreatePolicy(b.ctx, "p", anything, []registry.Tag{{Key: "k", Value: "v"}})
	b.ok(err)
	b.ok(b.AttachPolicy(b.ctx, "p", c1))
	_, err = b.CreatePolicyVersion(b.ctx, "p", anything, false)
	b.ok(err)
	b.want(b.DeletePolicy(b.ctx, "p"), fault.CodeDeleteConflict,
		"The policy cannot be deleted as the policy is attached to one or more principals (name=p)")
	b.ok(b.DetachPolicy(b.ctx, "p", c1))
	b.want(b.DeletePolicy(b.ctx, "p"), fault.CodeDeleteConflict,
		"Cannot delete the policy because it has one or more policy versions attached to it (name=p)")
	b.ok(b.DeletePolicyVersion(b.ctx, "p", "2"))
	b.ok(b.DeletePolicy(b.ctx, "p"))
	found, err := b.Exists(b.ctx, "p")
	b.ok(err)
	same(t, false, found)
	v, err := b.CreatePolicy(b.ctx, "p", anything, nil)
	b.ok(err)
	same(t, access.VersionID(1), v.ID)
}

func TestAttachments(t *testing.T) {
	b := newBench(t)
	b.PrincipalExists = func(_ context.Context, principal string) (bool, error) { return principal == c1, nil }
	for i := range 11 {
		_, err := b.CreatePolicy(b.ctx, fmt.Sprintf("p%02d", i), anything, nil)
		b.ok(err)
	}
	_, err := b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "site"})
	b.ok(err)
	_, err = b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "north", Parent: "site"})
	b.ok(err)
	site, north := scope.IoT("thinggroup", "site"), scope.IoT("thinggroup", "north")
	cognito := "us-east-1:11111111-2222-3333-4444-555555555555"

	for i := range 10 {
		b.ok(b.AttachPolicy(b.ctx, fmt.Sprintf("p%02d", i), c1))
		b.ok(b.AttachPolicy(b.ctx, fmt.Sprintf("p%02d", i), c1)) // again
	}
	b.want(b.AttachPolicy(b.ctx, "p10", c1), fault.CodeLimitExceeded, "The maximum number of policies (10) is already attached to "+c1)
	b.ok(b.AttachPolicy(b.ctx, "p00", site))
	b.ok(b.AttachPolicy(b.ctx, "p01", site))
	b.want(b.AttachPolicy(b.ctx, "p02", site), fault.CodeLimitExceeded, "The maximum number of policies (2) is already attached to "+site)
	b.ok(b.AttachPolicy(b.ctx, "p00", north))
	b.ok(b.AttachPolicy(b.ctx, "p05", north))
	b.ok(b.AttachPolicy(b.ctx, "p00", cognito))

	b.want(b.AttachPolicy(b.ctx, "p00", c2), fault.CodeNotFound, "Certificate "+c2+" not found")
	b.want(b.AttachPolicy(b.ctx, "p00", scope.IoT("thinggroup", "no")), fault.CodeNotFound,
		"No thing group with ARN arn:aws:iot:us-east-1:111122223333:thinggroup/no exists")
	elsewhere := "arn:aws:iot:eu-west-1:111122223333:thinggroup/site"
	b.want(b.AttachPolicy(b.ctx, "p00", elsewhere), fault.CodeNotFound, "No thing group with ARN "+elsewhere+" exists")
	for _, target := range []string{"", "x", "us-east-1:", scope.IoT("thing", "t"), scope.IAM("role/r"), "arn:aws:iot:us-east-1:111122223333:cert/"} {
		if err := b.AttachPolicy(b.ctx, "p00", target); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("target %q: %v", target, err)
		}
	}

	attached := func(target string, recursive, descending bool) []string {
		return namesOf(t, func(p registry.Page) ([]access.Policy, string, error) {
			return b.AttachedPolicies(b.ctx, target, recursive, descending, p)
		})
	}
	same(t, []string{"p00", "p05"}, attached(north, false, false))
	same(t, []string{"p00", "p01", "p05"}, attached(north, true, false))
	same(t, []string{"p05", "p01", "p00"}, attached(north, true, true))
	same(t, 10, len(attached(c1, true, false)))
	same(t, []string{}, attached(c2, false, false))
	_, _, err = b.AttachedPolicies(b.ctx, scope.IoT("thinggroup", "no"), false, false, registry.Page{})
	if !fault.Is(err, fault.CodeNotFound) {
		t.Error(err)
	}

	var targets []string
	for p := (registry.Page{Size: 1}); ; {
		page, next, err := b.TargetsForPolicy(b.ctx, "p00", false, p)
		b.ok(err)
		targets = append(targets, page...)
		if p.Token = next; next == "" {
			break
		}
	}
	same(t, []string{c1, north, site, cognito}, targets)

	has, err := b.HasPolicies(b.ctx, c1)
	b.ok(err)
	same(t, true, has)
	b.ok(b.DetachAll(b.ctx, c1))
	same(t, []string{}, attached(c1, false, false))
	b.ok(b.DetachPolicy(b.ctx, "p00", north))
	b.ok(b.DetachPolicy(b.ctx, "p00", north))

	// A group takes its attachments along: the next group of that name is another.
	b.ok(b.things.DeleteThingGroup(b.ctx, "north", nil))
	_, err = b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "north"})
	b.ok(err)
	same(t, []string{}, attached(north, false, false))
}

func namesOf(t *testing.T, read func(registry.Page) ([]access.Policy, string, error)) []string {
	t.Helper()
	names := []string{}
	for p := (registry.Page{Size: 1}); ; {
		page, next, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page {
			names = append(names, one.Name)
		}
		if p.Token = next; next == "" {
			return names
		}
	}
}

func TestPolicies(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"c", "a", "b"} {
		_, err := b.CreatePolicy(b.ctx, name, anything, nil)
		b.ok(err)
		b.now = b.now.Add(time.Millisecond)
	}
	listed := func(ascending bool) []string {
		return namesOf(t, func(p registry.Page) ([]access.Policy, string, error) { return b.Policies(b.ctx, ascending, p) })
	}
	same(t, []string{"c", "a", "b"}, listed(true))
	same(t, []string{"b", "a", "c"}, listed(false))
	_, next, err := b.Policies(b.ctx, true, registry.Page{Size: 1})
	b.ok(err)
	if _, _, err = b.Policies(b.ctx, false, registry.Page{Token: next}); !fault.Is(err, fault.CodeInvalidRequest) {
		t.Error("a marker of the other order:", err)
	}
}

func TestEffectivePolicies(t *testing.T) {
	b := newBench(t).withLamp(false)
	_, err := b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "site"})
	b.ok(err)
	_, err = b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "north", Parent: "site"})
	b.ok(err)
	b.ok(b.things.AddThingToThingGroup(b.ctx, "lamp-7", "north"))
	b.attach("own", anything, c1)
	b.attach("both", anything, c1, scope.IoT("thinggroup", "site"))
	names := func(principal, thing string) []string {
		found, err := b.EffectivePolicies(b.ctx, principal, thing)
		b.ok(err)
		all := []string{}
		for _, p := range found {
			same(t, anything, p.Document)
			all = append(all, p.Name)
		}
		return all
	}
	same(t, []string{"both", "own"}, names(c1, "lamp-7"))
	same(t, []string{"both", "own"}, names(c1, ""))
	same(t, []string{"both"}, names("", "lamp-7"))
	same(t, []string{}, names(c2, ""))
	_, err = b.EffectivePolicies(b.ctx, c1, "no")
	b.want(err, fault.CodeNotFound, "Thing no not found")
}
