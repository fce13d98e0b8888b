package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"thingd/internal/credentials"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

// roleAliasesPage is a part of the list, with the form of a new alias.
type roleAliasesPage struct {
	outcome
	Aliases []credentials.RoleAlias
	Next    string
	First   bool
	Form    roleAliasForm
	Roles   []string // ARNs to choose from
}

// roleAliasForm is what a new alias takes.
type roleAliasForm struct {
	Name, Role string
	Seconds    string // of the sessions
}

func (v *visit) roleAliases() error { return v.listRoleAliases(roleAliasForm{Seconds: "3600"}, nil) }

func (v *visit) listRoleAliases(form roleAliasForm, problem error) error {
	if err := v.list("iot:ListRoleAliases", problem); err != nil {
		return err
	}
	page := roleAliasesPage{outcome: v.outcomeOf(problem), First: v.query("token") == "", Form: form}
	names, next, err := v.Aliases.List(v.r.Context(), true, registry.Page{Token: v.query("token")})
	if err != nil {
		return err
	}
	page.Next = next
	for _, name := range names {
		alias, err := v.Aliases.Describe(v.r.Context(), name)
		if err != nil && !fault.Is(err, fault.CodeNotFound) {
			return err
		}
		page.Aliases = append(page.Aliases, alias)
	}
	if page.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	return v.renderWith(page.Status, "rolealiases", page)
}

func (v *visit) readRoleAlias() (roleAliasForm, time.Duration, error) {
	form := roleAliasForm{v.form("name"), v.form("role"), v.form("seconds")}
	seconds, err := strconv.Atoi(form.Seconds)
	if err != nil {
		err = v.wrong("rolealias.seconds.wrong")
	}
	return form, time.Duration(seconds) * time.Second, err
}

func (v *visit) createRoleAlias() error {
	form, duration, err := v.readRoleAlias()
	v.note("rolealias", form.Name)
	if denied := v.mayIoT("CreateRoleAlias", "rolealias", form.Name); denied != nil {
		return denied
	}
	if err == nil {
		err = v.mayPass(form.Role)
	}
	if err == nil {
		err = v.Aliases.Create(v.r.Context(), credentials.RoleAlias{Name: form.Name, RoleARN: form.Role, Duration: duration}, nil)
	}
	if err != nil {
		return v.listRoleAliases(form, err)
	}
	return v.to(roleAliasPath(form.Name), "created.named", form.Name)
}

// mayPass asks whether the visitor may hand a role to a service.
func (v *visit) mayPass(role string) error { return v.may("iam:PassRole", role) }

func roleAliasPath(name string) string { return Root + "rolealiases/" + url.PathEscape(name) }

// roleAliasPage is one alias in full.
type roleAliasPage struct {
	credentials.RoleAlias
	tagged
	ARN      string
	Roles    []string
	RolePage string // where the role is shown; "" where it is not there
	Policy   string // lets a device use the alias
	Command  string // fetches credentials
}

// Seconds are how long sessions last.
func (p roleAliasPage) Seconds() int { return int(p.Duration.Seconds()) }

func (v *visit) roleAlias() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DescribeRoleAlias", "rolealias", name); err != nil {
		return err
	}
	alias, err := v.Aliases.Describe(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := roleAliasPage{RoleAlias: alias, ARN: v.Aliases.ARN(name), Command: v.credentialsCommand(name)}
	page.Policy = documentOf([]statement{{"Allow", "iot:AssumeRoleWithCertificate", page.ARN}})
	role, found, err := v.IAM.RoleByARN(v.r.Context(), alias.RoleARN)
	if err != nil {
		return err
	}
	if found {
		page.RolePage = Root + "roles/" + url.PathEscape(role.Name)
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	if page.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	return v.render("rolealias", page)
}

// credentialsCommand is how a device comes by credentials, for the files that
// the console hands out.
func (v *visit) credentialsCommand(alias string) string {
	host, ports := v.Host, *v.ports.Load()
	if !slices.Contains(ports, 443) {
		host = fmt.Sprintf("%s:%d", host, ports[0])
	}
	return "curl --cert device.pem.crt --key private.pem.key --cacert root-ca.pem https://" + host + "/role-aliases/" + alias + "/credentials"
}

// updateRoleAlias points an alias at another role.
func (v *visit) updateRoleAlias() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("UpdateRoleAlias", "rolealias", name); err != nil {
		return err
	}
	form, duration, err := v.readRoleAlias()
	if err != nil {
		return err
	}
	if err := v.mayPass(form.Role); err != nil {
		return err
	}
	if err := v.Aliases.Update(v.r.Context(), name, form.Role, duration); err != nil {
		return err
	}
	return v.to(roleAliasPath(name), "saved")
}

func (v *visit) deleteRoleAlias() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeleteRoleAlias", "rolealias", name); err != nil {
		return err
	}
	if err := v.Aliases.Delete(v.r.Context(), name); err != nil {
		return err
	}
	return v.to(Root+"rolealiases", "deleted")
}

var roleAliasRoutes = []route{
	{"GET /console/rolealiases", (*visit).roleAliases},
	{"POST /console/rolealiases", (*visit).createRoleAlias},
	{"GET /console/rolealiases/{name}", (*visit).roleAlias},
	{"POST /console/rolealiases/{name}", (*visit).updateRoleAlias},
	{"POST /console/rolealiases/{name}/delete", (*visit).deleteRoleAlias},
}
