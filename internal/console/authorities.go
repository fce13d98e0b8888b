package console

import (
	"cmp"
	"net/url"

	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/pki"
)

// authoritiesPage is a part of the list of registered CAs.
type authoritiesPage struct {
	CAs   []authority
	Next  string
	First bool
}

// authority is a registered CA with the name that it gives itself.
type authority struct {
	pki.CA
	Name string
}

func (v *visit) authorities() error {
	if err := v.may("iot:ListCACertificates", "*"); err != nil {
		return err
	}
	token := v.query("token")
	list, next, err := v.PKI.ListCAs(v.r.Context(), "", pki.Page{Marker: token})
	if err != nil {
		return err
	}
	page := authoritiesPage{Next: next, First: token == ""}
	for _, ca := range list {
		page.CAs = append(page.CAs, authority{ca, subjectOf(ca.PEM)})
	}
	return v.render("authorities", page)
}

// subjectOf gives the common name in a certificate or, without one, all of its
// name; "" where it cannot be read.
func subjectOf(text string) string {
	cert, err := leafOf(text)
	if err != nil {
		return ""
	}
	return cmp.Or(cert.Subject.CommonName, cert.Subject.String())
}

// authorityForm is the wizard that registers a CA.
type authorityForm struct {
	outcome
	Code              string // to be proved with
	PEM, Proof        string
	Bare              bool // mode SNI_ONLY: without proof
	Active, Automatic bool
	Registration      pki.Registration
	Roles             []string // ARNs to choose from
}

func (v *visit) newAuthority() error {
	return v.renderAuthority(authorityForm{Active: true, Automatic: true}, nil)
}

func (v *visit) renderAuthority(form authorityForm, problem error) (err error) {
	if err := v.may("iot:GetRegistrationCode", "*"); err != nil {
		return err
	}
	form.outcome = v.outcomeOf(problem)
	if form.Code, err = v.PKI.RegistrationCode(v.r.Context()); err != nil {
		return err
	}
	if form.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	return v.renderWith(form.Status, "authorityform", form)
}

// roleARNs are the roles to choose from.
func (v *visit) roleARNs() ([]string, error) {
	if v.may("iam:ListRoles", v.Scope.IAM("role/")) != nil {
		return nil, nil
	}
	list, _, err := v.IAM.Roles(v.r.Context(), iam.Page{Size: 1000})
	arns := make([]string, len(list))
	for i, role := range list {
		arns[i] = v.IAM.RoleARN(role)
	}
	return arns, err
}

// registration reads the template by which devices of a CA provision themselves,
// after asking whether the visitor may hand over its role.
func (v *visit) registration() (pki.Registration, error) {
	r := pki.Registration{TemplateName: v.form("template"), TemplateBody: v.form("body"), RoleARN: v.form("role")}
	if r.TemplateBody == "" {
		r.RoleARN = "" // a template that is kept here has a role of its own
	}
	if r.RoleARN == "" {
		return r, nil
	}
	return r, v.may("iam:PassRole", r.RoleARN)
}

func (v *visit) registerAuthority() error {
	if err := v.may("iot:RegisterCACertificate", "*"); err != nil {
		return err
	}
	form := authorityForm{
		PEM: v.r.PostForm.Get("pem"), Proof: v.r.PostForm.Get("proof"), Bare: v.form("mode") == string(pki.ModeSNIOnly),
		Active: v.form("active") != "", Automatic: v.form("automatic") != "",
	}
	id, err := v.registerCA(&form)
	if err != nil {
		return v.renderAuthority(form, err)
	}
	return v.to(authorityPath(id), "saved")
}

func (v *visit) registerCA(form *authorityForm) (pki.CertificateID, error) {
	var err error
	if form.Registration, err = v.registration(); err != nil {
		return "", err
	}
	order := pki.CAOrder{
		PEM: form.PEM, Verification: form.Proof, Mode: pki.ModeDefault,
		Active: form.Active, AutoRegistration: form.Automatic, Registration: form.Registration,
	}
	if form.Bare {
		order.Mode, order.Verification = pki.ModeSNIOnly, ""
	}
	ca, err := v.PKI.RegisterCA(v.r.Context(), order)
	v.note("ca", ca.ID)
	return ca.ID, err
}

func authorityPath(id pki.CertificateID) string {
	return Root + "cas/" + url.PathEscape(string(id))
}

// authorityPage is one registered CA in full.
type authorityPage struct {
	authority
	tagged
	ARN          string
	Body         string // of the template, indented
	Certificates []pki.Certificate
	Next         string
	First        bool
	Roles        []string
}

// caInPath asks for a right to the CA that the address names, and reads it.
func (v *visit) caInPath(action string) (pki.CA, error) {
	id := pki.NormalID(v.r.PathValue("ca"))
	if err := v.mayIoT(action, "cacert", string(id)); err != nil {
		return pki.CA{}, err
	}
	return v.PKI.DescribeCA(v.r.Context(), id)
}

func (v *visit) authority() error {
	ca, err := v.caInPath("DescribeCACertificate")
	if err != nil {
		return err
	}
	page := authorityPage{
		authority: authority{ca, subjectOf(ca.PEM)}, ARN: v.PKI.CAARN(ca.ID), Body: pretty([]byte(ca.Registration.TemplateBody)),
		First: v.query("token") == "",
	}
	if v.may("iot:ListCertificatesByCA", "*") == nil {
		if page.Certificates, page.Next, err = v.PKI.ListByCA(v.r.Context(), ca.ID, pki.Page{Marker: v.query("token")}); err != nil {
			return err
		}
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	if page.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	return v.render("authority", page)
}

func (v *visit) authorityFile() error {
	ca, err := v.caInPath("DescribeCACertificate")
	if err != nil {
		return err
	}
	return v.pemFile(string(ca.ID)+"-ca.pem", ca.PEM)
}

// setAuthority activates or deactivates a CA.
func (v *visit) setAuthority() error {
	ca, err := v.caInPath("UpdateCACertificate")
	if err != nil {
		return err
	}
	v.note("status", v.form("to"))
	if err := v.PKI.UpdateCA(v.r.Context(), ca.ID, pki.CAChange{Active: new(v.form("to") == "ACTIVE")}); err != nil {
		return err
	}
	return v.to(authorityPath(ca.ID), "saved")
}

// setRegistration says what happens to unknown devices of a CA.
func (v *visit) setRegistration() error {
	ca, err := v.caInPath("UpdateCACertificate")
	if err != nil {
		return err
	}
	r, err := v.registration()
	if err != nil {
		return err
	}
	change := pki.CAChange{AutoRegistration: new(v.form("automatic") != ""), Registration: &r}
	if r == (pki.Registration{}) {
		change.Registration, change.RemoveRegistration = nil, true
	}
	if err := v.PKI.UpdateCA(v.r.Context(), ca.ID, change); err != nil {
		return err
	}
	return v.to(authorityPath(ca.ID), "saved")
}

func (v *visit) deleteAuthority() error {
	ca, err := v.caInPath("DeleteCACertificate")
	if err != nil {
		return err
	}
	if err := v.PKI.DeleteCA(v.r.Context(), ca.ID); err != nil {
		return err
	}
	if err := v.Registry.ForgetTags(v.r.Context(), v.PKI.CAARN(ca.ID)); err != nil && !fault.Is(err, fault.CodeNotFound) {
		return err
	}
	return v.to(Root+"cas", "deleted")
}

var authorityRoutes = []route{
	{"GET /console/cas", (*visit).authorities},
	{"POST /console/cas", (*visit).registerAuthority},
	{"GET /console/newca", (*visit).newAuthority},
	{"GET /console/cas/{ca}", (*visit).authority},
	{"GET /console/cas/{ca}/file", (*visit).authorityFile},
	{"POST /console/cas/{ca}/status", (*visit).setAuthority},
	{"POST /console/cas/{ca}/registration", (*visit).setRegistration},
	{"POST /console/cas/{ca}/delete", (*visit).deleteAuthority},
}

// MakeCA is the command that makes a CA to try with. These are whole lines, so
// that they can be copied to a terminal.
func (authorityForm) MakeCA() string {
	return `openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -keyout rootCA.key -out rootCA.pem -subj "/CN=My device CA"`
}

// MakeRequest is the command that asks for the certificate with the code.
func (f authorityForm) MakeRequest() string {
	return `openssl req -new -newkey rsa:2048 -nodes -sha256 -keyout verification.key -out verification.csr -subj "/CN=` + f.Code + `"`
}

// MakeProof is the command by which the CA signs that request.
func (authorityForm) MakeProof() string {
	return `openssl x509 -req -sha256 -days 30 -in verification.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -out verification.pem`
}

// provisioningPart is the part of a form about the template of a CA.
type provisioningPart struct {
	*view
	pki.Registration
	Body  string // indented
	Roles []string
}

// Provisioning gives it.
func (v *view) Provisioning(r pki.Registration, roles []string) provisioningPart {
	return provisioningPart{v, r, pretty([]byte(r.TemplateBody)), roles}
}

// pemField is a field for a PEM text, which can come from a file too.
type pemField struct {
	*view
	Field, Label, Kind, Text string
	Required                 bool
}

// PEMField gives it; kind is the word in the PEM's first line.
func (v *view) PEMField(field, label, kind, text string, required bool) pemField {
	return pemField{v, field, label, kind, text, required}
}
