package console

import (
	"cmp"
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

// policyForm is the form of a policy or of a version of one.
type policyForm struct {
	outcome
	Name       string
	Version    bool // of a policy that is there
	JSON       bool // the document as text, not as rows
	Document   string
	Frame      string // what the rows are put into
	Statements []row
	At         position // of the problem, in the text
}

// newPolicy begins with one statement, which a link may suggest.
func (v *visit) newPolicy() error {
	return v.render("policyform", policyForm{
		outcome: v.outcomeOf(nil), Name: v.query("name"), Frame: newDocument,
		Statements: []row{{statement: statement{"Allow", v.query("action"), v.query("resource")}}},
	})
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
	form := policyForm{outcome: v.outcomeOf(nil), Name: name, Version: true, JSON: true, Document: pretty([]byte(version.Document))}
	return v.render("policyform", form)
}

// readPolicy reads the form; the document is made of the rows where it was not
// in JSON.
func (v *visit) readPolicy() policyForm {
	form := policyForm{
		Name: v.form("name"), JSON: v.form("as") == "json", Frame: v.form("frame"),
		Document: plainLines(v.r.PostForm.Get("document")),
	}
	if form.JSON {
		return form
	}
	actions, resources, raws := v.r.PostForm["action"], v.r.PostForm["resource"], v.r.PostForm["raw"]
	for i, effect := range v.r.PostForm["effect"] {
		if i >= len(actions) || i >= len(resources) {
			break
		}
		one := row{statement: statement{effect, strings.TrimSpace(actions[i]), strings.TrimSpace(resources[i])}}
		if i < len(raws) {
			one.Raw = raws[i]
		}
		form.Statements = append(form.Statements, one)
	}
	form.Document = documentIn(form.Frame, form.Statements)
	return form
}

// turn shows the form in its other half: rows as JSON, JSON as rows. Nothing is
// kept on the server, and nothing is lost on the way.
func (v *visit) turn(form policyForm) error {
	v.trial = true
	form.outcome = v.outcomeOf(nil)
	if form.JSON = !form.JSON; form.JSON {
		return v.renderWith(form.Status, "policyform", form)
	}
	frame, rows, err := rowsOf(form.Document)
	if err != nil {
		form.JSON = true
		return v.refuse(form, v.wrong("policy.norows"))
	}
	form.Frame, form.Statements = frame, rows
	return v.renderWith(form.Status, "policyform", form)
}

// refuse shows the form again with the problem, in JSON with the place of it.
func (v *visit) refuse(form policyForm, problem error) error {
	form.outcome = v.outcomeOf(problem)
	form.At = mistakeIn(form.Document, problem)
	if !form.JSON {
		form.Frame, form.Statements, _ = rowsOf(form.Document)
	}
	return v.renderWith(form.Status, "policyform", form)
}

func (v *visit) createPolicy() error {
	form := v.readPolicy()
	if v.form("do") == "turn" {
		return v.turn(form)
	}
	if err := v.mayIoT("CreatePolicy", "policy", form.Name); err != nil {
		return err
	}
	v.note("policy", form.Name)
	if _, err := v.Access.CreatePolicy(v.r.Context(), form.Name, form.Document, nil); err != nil {
		return v.refuse(form, err)
	}
	return v.to(policyPath(form.Name), "created.named", form.Name)
}

func policyPath(name string) string { return Root + "policies/" + url.PathEscape(name) }

// createVersion adds a version, which decides from then on.
func (v *visit) createVersion() error {
	form := v.readPolicy()
	form.Name, form.Version = v.r.PathValue("name"), true
	if v.form("do") == "turn" {
		return v.turn(form)
	}
	if err := v.mayIoT("CreatePolicyVersion", "policy", form.Name); err != nil {
		return err
	}
	if _, err := v.Access.CreatePolicyVersion(v.r.Context(), form.Name, form.Document, true); err != nil {
		return v.refuse(form, err)
	}
	return v.to(policyPath(form.Name), "saved")
}

// policyPage is one policy in full.
type policyPage struct {
	access.Policy
	tagged
	ARN      string
	Versions []versionView
	Targets  []target
	Groups   []string // thing groups to attach it to
}

// Count is the number of versions.
func (p policyPage) Count() int { return len(p.Versions) }

type versionView struct {
	access.Version
	Default bool
	Text    string
}

// target is what a policy is attached to.
type target struct{ ARN, Certificate, Group string }

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
		_, group, _ := strings.Cut(one, ":thinggroup/")
		page.Targets = append(page.Targets, target{one, id, group})
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	if page.Groups, err = v.groupNames(); err != nil {
		return err
	}
	return v.render("policy", page)
}

// setPolicyTarget attaches the policy to a thing group by its name or to a
// certificate by its ID or ARN, or takes it off.
func (v *visit) setPolicyTarget() error {
	to := v.form("target")
	if group := v.form("group"); group != "" {
		to = v.Registry.ARN("thinggroup", group)
	}
	if !strings.HasPrefix(to, "arn:") {
		to = v.PKI.ARN(pki.NormalID(to))
	}
	if err := v.attachPolicy(v.r.PathValue("name"), to, v.form("detach") != ""); err != nil {
		return err
	}
	return v.to(policyPath(v.r.PathValue("name")), "saved")
}

// comparison is two versions of a policy beside each other.
type comparison struct {
	access.Policy
	Versions    []access.Version
	A, B        string // their IDs
	Differences []difference
}

// comparePolicy shows what has changed between two versions: those asked for, or
// the default one and the newest other.
func (v *visit) comparePolicy() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("GetPolicyVersion", "policy", name); err != nil {
		return err
	}
	p, versions, err := v.Access.PolicyVersions(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := comparison{Policy: p, Versions: versions, A: v.query("a"), B: v.query("b")}
	documents := map[string]string{}
	for _, one := range versions { // the newest first
		documents[one.ID.String()] = pretty([]byte(one.Document))
		if page.A == "" && one.ID != p.Default {
			page.A = one.ID.String()
		}
	}
	page.A, page.B = cmp.Or(page.A, p.Default.String()), cmp.Or(page.B, p.Default.String())
	page.Differences = differences(documents[page.A], documents[page.B])
	return v.render("policydiff", page)
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
	{"GET /console/policies/{name}/compare", (*visit).comparePolicy},
	{"POST /console/policies/{name}/versions", (*visit).createVersion},
	{"POST /console/policies/{name}/version", (*visit).setVersion},
	{"POST /console/policies/{name}/targets", (*visit).setPolicyTarget},
	{"POST /console/policies/{name}/delete", (*visit).deletePolicy},
}
