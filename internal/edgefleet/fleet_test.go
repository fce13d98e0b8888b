package edgefleet_test

import (
	"testing"
	"time"

	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

func TestFleetLife(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.ok(h.CreateFleet(ctx, edgefleet.Fleet{Name: "Demo-1", Description: "d", RoleARN: roleARN, Output: output}, nil,
		[]registry.Tag{{Key: "k", Value: "v"}}))
	want := edgefleet.Fleet{
		Name: "Demo-1", Description: "d", RoleARN: roleARN, RoleAlias: "SageMakerEdge-Demo-1", Output: output, Created: h.now, Modified: h.now,
	}
	for _, name := range []string{"Demo-1", "demo-1"} {
		got, err := h.Fleet(ctx, name)
		h.ok(err)
		same(t, want, got)
	}
	same(t, "arn:aws:sagemaker:us-east-1:111122223333:device-fleet/demo-1", h.FleetARN("Demo-1"))
	same(t, "arn:aws:iot:us-east-1:111122223333:rolealias/SageMakerEdge-Demo-1", h.RoleAliasARN(want))
	alias, err := h.aliases.Describe(ctx, want.RoleAlias)
	h.ok(err)
	same(t, credentials.RoleAlias{Name: want.RoleAlias, RoleARN: roleARN, Duration: time.Hour, Created: h.now, Modified: h.now}, alias)
	h.refused(h.CreateFleet(ctx, edgefleet.Fleet{Name: "DEMO-1", Output: output}, nil, nil), "ResourceAlreadyExists: Device fleet DEMO-1 already exists")

	h.now = h.now.Add(time.Minute)
	other := edgefleet.Output{S3Location: "s3://other"}
	h.ok(h.UpdateFleet(ctx, edgefleet.Fleet{Name: "demo-1", Output: other}, nil))
	want.Output, want.Modified = other, h.now
	got, err := h.Fleet(ctx, "Demo-1")
	h.ok(err)
	same(t, want, got)

	h.ok(h.Register(ctx, "Demo-1", []edgefleet.Device{{Name: "a"}}, nil))
	h.refused(h.DeleteFleet(ctx, "Demo-1"), "DeleteConflict: Device fleet Demo-1 has devices")
	h.ok(h.Deregister(ctx, "Demo-1", []string{"A", "never-there"}))
	h.ok(h.DeleteFleet(ctx, "demo-1"))
	for _, err := range []error{h.DeleteFleet(ctx, "Demo-1"), h.UpdateFleet(ctx, want, nil)} {
		h.refused(err, "ResourceNotFound: Device fleet Demo-1 does not exist")
	}
	if _, err := h.aliases.Describe(ctx, want.RoleAlias); !fault.Is(err, fault.CodeNotFound) {
		t.Errorf("the alias of a fleet that is gone: %v", err)
	}
	h.fleet("Demo-1")
	tags, err := h.Tags(ctx, h.FleetARN("Demo-1"))
	h.ok(err)
	same(t, []registry.Tag{}, tags)
}

func TestRoleAliasOfAFleet(t *testing.T) {
	const name = "SageMakerEdge-f"
	second := scope.IAM("role/second")
	type step = func(h *house) error
	create := func(role string, alias *bool) step {
		return func(h *house) error {
			return h.CreateFleet(h.t.Context(), edgefleet.Fleet{Name: "f", RoleARN: role, Output: output}, alias, nil)
		}
	}
	update := func(role string, alias *bool) step {
		return func(h *house) error {
			return h.UpdateFleet(h.t.Context(), edgefleet.Fleet{Name: "f", RoleARN: role, Output: output}, alias)
		}
	}
	point := func(role string) step {
		return func(h *house) error { return h.aliases.Update(h.t.Context(), name, role, 0) }
	}
	alias := func(role string) step {
		return func(h *house) error {
			return h.aliases.Create(h.t.Context(), credentials.RoleAlias{Name: name, RoleARN: role}, nil)
		}
	}
	for title, test := range map[string]struct {
		steps   []step
		refused string // of the last step
		fleet   string // the fleet's alias
		role    string // that the alias stands for; "" where there is none
	}{
		"made without being asked for":   {[]step{create(roleARN, nil)}, "", name, roleARN},
		"made where asked for":           {[]step{create(roleARN, new(true))}, "", name, roleARN},
		"not made where refused":         {[]step{create(roleARN, new(false))}, "", "", ""},
		"not made without a role":        {[]step{create("", nil)}, "", "", ""},
		"impossible without a role":      {[]step{create("", new(true))}, "InvalidRequest: EnableIotRoleAlias needs a RoleArn", "", ""},
		"adopted if of the same role":    {[]step{alias(roleARN), create(roleARN, nil)}, "", name, roleARN},
		"never taken from another role":  {[]step{alias(second), create(roleARN, nil)}, "ResourceAlreadyExists: Role alias SageMakerEdge-f already exists", "", second},
		"foreign role":                   {[]step{create("arn:aws:iam::999999999999:role/x", nil)}, "InvalidRequest:", "", ""},
		"follows the role":               {[]step{create(roleARN, nil), update(second, nil)}, "", name, second},
		"made later":                     {[]step{create(roleARN, new(false)), update("", new(true))}, "", name, roleARN},
		"stays away":                     {[]step{create(roleARN, new(false)), update(second, nil)}, "", "", ""},
		"taken away":                     {[]step{create(roleARN, nil), update("", new(false))}, "", "", ""},
		"pointed elsewhere stays there":  {[]step{create(roleARN, nil), point(second), update("", new(false))}, "", "", second},
		"pointed elsewhere is not moved": {[]step{create(roleARN, nil), point(second), update(scope.IAM("role/third"), nil)}, "ResourceAlreadyExists:", name, second},
	} {
		t.Run(title, func(t *testing.T) {
			h := open(t)
			for i, do := range test.steps {
				if err := do(h); i == len(test.steps)-1 && test.refused != "" {
					h.refused(err, test.refused)
				} else {
					h.ok(err)
				}
			}
			f, _ := h.Fleet(t.Context(), "f")
			same(t, test.fleet, f.RoleAlias)
			got, _ := h.aliases.Describe(t.Context(), name)
			same(t, test.role, got.RoleARN)
		})
	}
}

func TestFleetLists(t *testing.T) {
	h, ctx := open(t), t.Context()
	start := h.now
	for _, name := range []string{"cc", "Ab", "dd", "aa", "Bb"} {
		h.fleet(name)
		h.now = h.now.Add(time.Second)
	}
	h.ok(h.UpdateFleet(ctx, edgefleet.Fleet{Name: "cc", Output: output}, nil))
	for want, q := range map[string]edgefleet.Query{
		"cc Ab dd aa Bb": {},
		"Bb aa dd Ab cc": {Sort: edgefleet.ByCreation, Descending: true},
		"aa Ab Bb cc dd": {Sort: edgefleet.ByName},
		"dd cc Bb Ab aa": {Sort: edgefleet.ByName, Descending: true},
		"Ab dd aa Bb cc": {Sort: edgefleet.ByChange},
		"Ab Bb":          {Sort: edgefleet.ByName, Contains: "B"},
		"dd aa":          {CreatedAfter: start.Add(time.Second), CreatedBefore: start.Add(4 * time.Second)},
		"cc":             {ModifiedAfter: start.Add(4 * time.Second)},
		"Ab":             {ModifiedBefore: start.Add(2 * time.Second)},
		"":               {Contains: "%"},
	} {
		got := pages(h, func(f edgefleet.Fleet) string { return f.Name }, func(p registry.Page) ([]edgefleet.Fleet, string, error) {
			return h.Fleets(ctx, q, p)
		})
		same(t, want, got)
	}
	_, next, err := h.Fleets(ctx, edgefleet.Query{}, registry.Page{Size: 2})
	h.ok(err)
	_, _, err = h.Fleets(ctx, edgefleet.Query{Contains: "b"}, registry.Page{Token: next})
	h.refused(err, "InvalidRequest: the token is not one of this list")
}
