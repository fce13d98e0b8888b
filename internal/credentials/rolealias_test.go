package credentials_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"thingd/internal/credentials"
	"thingd/internal/registry"
)

func TestRoleAliasLife(t *testing.T) {
	h, ctx := open(t), t.Context()
	created := h.now.Truncate(time.Millisecond)
	h.ok(h.Create(ctx, credentials.RoleAlias{Name: "a", RoleARN: roleARN}, []registry.Tag{{Key: "k", Value: "v"}}))
	want := credentials.RoleAlias{Name: "a", RoleARN: roleARN, Duration: time.Hour, Created: created, Modified: created}
	got, err := h.Describe(ctx, "a")
	h.ok(err)
	same(t, want, got)

	h.now = h.now.Add(time.Minute)
	h.ok(h.Update(ctx, "a", "", 15*time.Minute))
	h.ok(h.Update(ctx, "a", scope.IAM("role/team/other"), 0))
	got, err = h.Describe(ctx, "a")
	h.ok(err)
	want.RoleARN, want.Duration, want.Modified = scope.IAM("role/team/other"), 15*time.Minute, created.Add(time.Minute)
	same(t, want, got)

	h.ok(h.Delete(ctx, "a"))
	exists, err := h.Exists(ctx, "a")
	h.ok(err)
	same(t, false, exists)
}

func TestRoleAliasRefusals(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.ok(h.Create(ctx, credentials.RoleAlias{Name: "a", RoleARN: roleARN}, nil))
	foreign := "arn:aws:iam::999999999999:role/camera"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"taken":            {h.Create(ctx, credentials.RoleAlias{Name: "a", RoleARN: roleARN}, nil), "ResourceAlreadyExists: Role alias a already exists"},
		"no name":          {h.Create(ctx, credentials.RoleAlias{RoleARN: roleARN}, nil), "InvalidRequest: a role alias has"},
		"long name":        {h.Create(ctx, credentials.RoleAlias{Name: strings.Repeat("a", 129), RoleARN: roleARN}, nil), "InvalidRequest: a role alias has"},
		"slash in name":    {h.Create(ctx, credentials.RoleAlias{Name: "a/b", RoleARN: roleARN}, nil), "InvalidRequest: a role alias has"},
		"too short":        {h.Create(ctx, credentials.RoleAlias{Name: "b", RoleARN: roleARN, Duration: 899 * time.Second}, nil), "InvalidRequest: credentialDurationSeconds is 900 to 43200, not 899"},
		"too long":         {h.Update(ctx, "a", "", 43201*time.Second), "InvalidRequest: credentialDurationSeconds is 900 to 43200, not 43201"},
		"no role":          {h.Create(ctx, credentials.RoleAlias{Name: "b", RoleARN: scope.IAM("user/x")}, nil), `InvalidRequest: "arn:aws:iam::111122223333:user/x" is not the ARN of a role`},
		"foreign role":     {h.Update(ctx, "a", foreign, 0), `InvalidRequest: "` + foreign + `" is not the ARN of a role of account 111122223333`},
		"update missing":   {h.Update(ctx, "no", roleARN, 0), "ResourceNotFound: Role alias no does not exist"},
		"delete missing":   {h.Delete(ctx, "no"), "ResourceNotFound: Role alias no does not exist"},
		"tag is reserved":  {h.Create(ctx, credentials.RoleAlias{Name: "b", RoleARN: roleARN}, []registry.Tag{{Key: "aws:x"}}), "InvalidRequest: tag keys that begin with aws:"},
		"describe missing": {describe(h, "no"), "ResourceNotFound: Role alias no does not exist"},
		"and none of it stays": {describe(h, "b"),
			"ResourceNotFound: Role alias b does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(fmt.Sprint(test.err), test.want) {
				t.Errorf("got %v, want %s", test.err, test.want)
			}
		})
	}
}

func describe(h *house, name string) error {
	_, err := h.Describe(h.t.Context(), name)
	return err
}

func TestRoleAliasesComeInPages(t *testing.T) {
	h, ctx := open(t), t.Context()
	for _, name := range []string{"c", "a", "e", "b", "d"} {
		h.ok(h.Create(ctx, credentials.RoleAlias{Name: name, RoleARN: roleARN}, nil))
	}
	for want, ascending := range map[string]bool{"[a b] [c d] [e]": true, "[e d] [c b] [a]": false} {
		var pages []string
		for page := (registry.Page{Size: 2}); ; {
			names, next, err := h.List(ctx, ascending, page)
			h.ok(err)
			pages = append(pages, fmt.Sprint(names))
			if page.Token = next; next == "" {
				break
			}
		}
		same(t, want, strings.Join(pages, " "))
	}
	_, next, err := h.List(ctx, true, registry.Page{Size: 2})
	h.ok(err)
	if _, _, err := h.List(ctx, false, registry.Page{Token: next}); err == nil {
		t.Error("a token of the other direction is taken")
	}
}
