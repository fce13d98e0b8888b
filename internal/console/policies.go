package console

import (
	"encoding/json"
	"net/url"
	"strings"

	"thingd/internal/access"
	"thingd/internal/pki"
	"thingd/internal/registry"
)

// policiesPage is a part of the list.
type policiesPage struct {
	Policies []access.Policy
	Next     string
	First    bool
}

func (v *visit) policies() error {
	if err := v.may("iot:ListPolicies", "*"); err != nil {
		return err
	}
	token := v.query("token")
	list, next, err := v.Access.Policies(v.r.Context(), false, registry.Page{Token: token})
	if err != nil {
		return err
	}
	return v.render("policies", policiesPage{list, next, token == ""})
}

// statement is one row of the visual form.
type statement struct{ Effect, Action, Resource string }

// policyForm is the form of a policy or of a version of one.
type policyForm struct {
	Name       string
	Version    bool // of a policy that is there
	JSON       bool // the document as text, not as rows
	Document   string
	Statements []statement
	Problem    string
}

func (v *visit) newPolicy() error {
	return v.render("policyform", policyForm{Statements: []statement{{"Allow", "", ""}}})
}

// newVersion begins with the document that decides now.
func (v *visit) newVersion() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("GetPolicy", "policy", name); err != nil {
		return err
	}
	_, version, err := v.Access.Policy(v.r.Context(), name)
	if err != nil {
		return err
	}
	return v.render("policyform", policyForm{
		Name: name, Version: true, JSON: true, Document: pretty([]byte(version.Document)), Statements: []statement{{"Allow", "", ""}},
	})
}

// readPolicy reads either half of the form; the document is made of the rows
// where the form was not in JSON.
func (v *visit) readPolicy() policyForm {
	form := policyForm{Name: v.form("name"), JSON: v.form("as") == "json", Document: v.r.PostForm.Get("document")}
	actions, resources := v.r.PostForm["action"], v.r.PostForm["resource"]
	for i, effect := range v.r.PostForm["effect"] {
		if i < len(actions) && i < len(resources) {
			form.Statements = append(form.Statements, statement{effect, strings.TrimSpace(actions[i]), strings.TrimSpace(resources[i])})
		}
	}
	if !form.JSON {
		form.Document = documentOf(form.Statements)
	}
	return form
}

// documentOf writes the rows as a policy document. Several actions or resources
// stand in one row with commas between them.
func documentOf(rows []statement) string {
	type entry struct{ Effect, Action, Resource any }
	entries := make([]entry, 0, len(rows))
	for _, row := range rows {
		entries = append(entries, entry{row.Effect, oneOrMany(row.Action), oneOrMany(row.Resource)})
	}
	text, err := json.MarshalIndent(struct {
		Version   string
		Statement []entry
	}{"2012-10-17", entries}, "", "  ")
	if err != nil {
		panic("a document of strings does not encode: " + err.Error())
	}
	return string(text)
}

func oneOrMany(text string) any {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return parts
}

func (v *visit) createPolicy() error {
	form := v.readPolicy()
	v.note("policy", form.Name)
	if err := v.mayIoT("CreatePolicy", "policy", form.Name); err != nil {
		return err
	}
	if _, err := v.Access.CreatePolicy(v.r.Context(), form.Name, form.Document, nil); err != nil {
		form.Problem = v.sentence(err)
		return v.renderWith(statusOf(err), "policyform", form)
	}
	return v.to(policyPath(form.Name), "created.named", form.Name)
}

func policyPath(name string) string { return Root + "policies/" + url.PathEscape(name) }

// createVersion adds a version, which decides from then on.
func (v *visit) createVersion() error {
	form := v.readPolicy()
	form.Name, form.Version = v.r.PathValue("name"), true
	if err := v.mayIoT("CreatePolicyVersion", "policy", form.Name); err != nil {
		return err
	}
	if _, err := v.Access.CreatePolicyVersion(v.r.Context(), form.Name, form.Document, true); err != nil {
		form.Problem = v.sentence(err)
		return v.renderWith(statusOf(err), "policyform", form)
	}
	return v.to(policyPath(form.Name), "saved")
}

// policyPage is one policy in full.
type policyPage struct {
	access.Policy
	ARN      string
	Versions []versionView
	Targets  []target
}

type versionView struct {
	access.Version
	Default bool
	Text    string
}

// target is what a policy is attached to.
type target struct{ ARN, Certificate string }

func (v *visit) policy() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("GetPolicy", "policy", name); err != nil {
		return err
	}
	p, versions, err := v.Access.PolicyVersions(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := policyPage{Policy: p, ARN: v.Access.ARN(name)}
	for _, one := range versions {
		page.Versions = append(page.Versions, versionView{one, one.ID == p.Default, pretty([]byte(one.Document))})
	}
	targets, _, err := v.Access.TargetsForPolicy(v.r.Context(), name, false, registry.Page{Size: registry.PageSizeMax})
	if err != nil {
		return err
	}
	for _, one := range targets {
		_, id, _ := strings.Cut(one, ":cert/")
		page.Targets = append(page.Targets, target{one, id})
	}
	return v.render("policy", page)
}

// setPolicyTarget attaches the policy to a certificate, by its ID or ARN, or
// takes it off.
func (v *visit) setPolicyTarget() error {
	to := v.form("target")
	if !strings.HasPrefix(to, "arn:") {
		to = v.PKI.ARN(pki.NormalID(to))
	}
	if err := v.attachPolicy(v.r.PathValue("name"), to, v.form("detach") != ""); err != nil {
		return err
	}
	return v.to(policyPath(v.r.PathValue("name")), "saved")
}

// setVersion makes a version the default one, or deletes it.
func (v *visit) setVersion() error {
	name, id := v.r.PathValue("name"), v.form("version")
	action, do := "SetDefaultPolicyVersion", v.Access.SetDefaultPolicyVersion
	if v.form("delete") != "" {
		action, do = "DeletePolicyVersion", v.Access.DeletePolicyVersion
	}
	v.note("version", id)
	if err := v.mayIoT(action, "policy", name); err != nil {
		return err
	}
	if err := do(v.r.Context(), name, id); err != nil {
		return err
	}
	return v.to(policyPath(name), "saved")
}

func (v *visit) deletePolicy() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeletePolicy", "policy", name); err != nil {
		return err
	}
	if err := v.Access.DeletePolicy(v.r.Context(), name); err != nil {
		return err
	}
	return v.to(Root+"policies", "deleted")
}

var policyRoutes = []route{
	{"GET /console/policies", (*visit).policies},
	{"POST /console/policies", (*visit).createPolicy},
	{"GET /console/newpolicy", (*visit).newPolicy},
	{"GET /console/policies/{name}", (*visit).policy},
	{"GET /console/policies/{name}/newversion", (*visit).newVersion},
	{"POST /console/policies/{name}/versions", (*visit).createVersion},
	{"POST /console/policies/{name}/version", (*visit).setVersion},
	{"POST /console/policies/{name}/targets", (*visit).setPolicyTarget},
	{"POST /console/policies/{name}/delete", (*visit).deletePolicy},
}
