package console

import (
	"encoding/json"
	"net/http"
	"slices"

	"thingd/internal/iam"
)

// rolesPage is a part of the list, with the form of a new role.
type rolesPage struct {
	outcome
	Roles []iam.Role
	Next  string
	First bool
	Name  string
}

func (v *visit) roles() error { return v.listRoles("", nil) }

func (v *visit) listRoles(name string, problem error) error {
	if err := v.may("iam:ListRoles", v.Scope.IAM("role/")); err != nil {
		if problem != nil {
			return problem
		}
		return err
	}
	page := rolesPage{outcome: v.outcomeOf(problem), First: v.query("token") == "", Name: name}
	var err error
	if page.Roles, page.Next, err = v.IAM.Roles(v.r.Context(), iam.Page{Marker: v.query("token")}); err != nil {
		return err
	}
	return v.renderWith(page.Status, "roles", page)
}

// trusted are the services that can take a role on: rules, devices that come
// with a role alias, and device fleets.
var trusted = []string{"iot.amazonaws.com", "credentials.iot.amazonaws.com", "sagemaker.amazonaws.com"}

// Trusted lists them for the form.
func (rolesPage) Trusted() []string { return trusted }

// trustOf lets services assume a role.
func trustOf(services []string) string {
	services = slices.DeleteFunc(slices.Clone(services), func(name string) bool { return !slices.Contains(trusted, name) })
	if len(services) == 0 {
		services = trusted
	}
	type entry struct {
		Effect    string
		Principal map[string][]string
		Action    string
	}
	text, err := json.MarshalIndent(struct {
		Version   string
		Statement []entry
	}{"2012-10-17", []entry{{"Allow", map[string][]string{"Service": services}, "sts:AssumeRole"}}}, "", "  ")
	if err != nil {
		panic("a document of strings does not encode: " + err.Error())
	}
	return string(text)
}

// createRole needs a name only: who may take the role on is known, and what it
// may do is said on its page.
func (v *visit) createRole() error {
	name := v.form("name")
	v.note("role", name)
	if err := v.may("iam:CreateRole", v.Scope.IAM("role/"+name)); err != nil {
		return err
	}
	err := v.checkIAMName(name)
	if err == nil {
		_, err = v.IAM.CreateRole(v.r.Context(), iam.Role{Name: name, Trust: trustOf(v.r.PostForm["service"]), Description: v.form("description")})
	}
	if err != nil {
		return v.listRoles(name, err)
	}
	return v.to(Root+"roles/"+name, "created.named", name)
}

// rolePage is one role in full.
type rolePage struct {
	iam.Role
	granted
	Trusting string // the trust policy in the editor
	Mistaken told   // what is wrong with it
	TrustAt  position
}

func (v *visit) role() error {
	who, err := v.identityInPath(iam.ByRole, "Get", "")
	if err != nil {
		return err
	}
	g, err := v.granted(who)
	if err != nil {
		return err
	}
	return v.showRole(http.StatusOK, g, func(*rolePage) {})
}

func (v *visit) showRole(status int, g granted, change func(*rolePage)) error {
	role, err := v.IAM.Role(v.r.Context(), g.Owner.Name)
	if err != nil {
		return err
	}
	page := rolePage{Role: role, granted: g, Trusting: pretty([]byte(role.Trust))}
	change(&page)
	return v.renderWith(status, "role", page)
}

// setTrust says who may take the role on.
func (v *visit) setTrust() error {
	who, err := v.identityInPath(iam.ByRole, "UpdateAssume", "Policy")
	if err != nil {
		return err
	}
	text := plainLines(v.r.PostForm.Get("document"))
	err = v.IAM.ChangeRole(v.r.Context(), who.Name, func(r *iam.Role) { r.Trust = text })
	if err == nil {
		return v.to(who.Path, "saved")
	}
	g, failed := v.granted(who)
	if failed != nil {
		return failed
	}
	v.refused = err
	return v.showRole(statusOf(err), g, func(page *rolePage) {
		page.Trusting, page.Mistaken, page.TrustAt = text, v.tell(err), mistakeIn(text, err)
	})
}

func (v *visit) setRoleInline() error {
	return v.setInline(iam.ByRole, func(g granted) error { return v.showRole(http.StatusBadRequest, g, func(*rolePage) {}) })
}

func (v *visit) setRoleManaged() error { return v.setManaged(iam.ByRole) }

func (v *visit) deleteRole() error {
	who, err := v.identityInPath(iam.ByRole, "Delete", "")
	if err != nil {
		return err
	}
	if err := v.IAM.DeleteRole(v.r.Context(), who.Name); err != nil {
		return err
	}
	return v.to(Root+"roles", "deleted")
}

var roleRoutes = []route{
	{"GET /console/roles", (*visit).roles},
	{"POST /console/roles", (*visit).createRole},
	{"GET /console/roles/{name}", (*visit).role},
	{"POST /console/roles/{name}/trust", (*visit).setTrust},
	{"POST /console/roles/{name}/inline", (*visit).setRoleInline},
	{"POST /console/roles/{name}/managed", (*visit).setRoleManaged},
	{"POST /console/roles/{name}/delete", (*visit).deleteRole},
}
