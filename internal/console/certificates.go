package console

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"

	"thingd/internal/access"
	"thingd/internal/pki"
	"thingd/internal/registry"
)

// certificatesPage is a part of the list.
type certificatesPage struct {
	Certificates []pki.Certificate
	Next         string // token of the next page
	First        bool
	Incoming     []pki.Certificate // that other accounts offer
	Outgoing     []pki.Certificate // that wait for another account
}

func (v *visit) certificates() error {
	if err := v.may("iot:ListCertificates", "*"); err != nil {
		return err
	}
	token := v.query("token")
	list, next, err := v.PKI.List(v.r.Context(), pki.Page{Marker: token})
	if err != nil {
		return err
	}
	page := certificatesPage{Certificates: list, Next: next, First: token == ""}
	if page.Incoming, _, err = v.PKI.ListIncoming(v.r.Context(), pki.Page{}); err != nil {
		return err
	}
	if page.Outgoing, _, err = v.PKI.ListOutgoing(v.r.Context(), pki.Page{}); err != nil {
		return err
	}
	return v.render("certificates", page)
}

// made is a new certificate with its keys, shown once.
type made struct {
	Thing string // "" where the certificate was made for itself
	Keys  pki.KeyPair
	State certificateState
}

// createCertificate makes keys and certificate with one click.
func (v *visit) createCertificate() error {
	cert, keys, err := v.newCertificate()
	if err != nil {
		return err
	}
	state, err := v.certificateState(cert)
	if err != nil {
		return err
	}
	return v.render("made", made{Keys: keys, State: state})
}

// newCertificate makes keys and an INACTIVE certificate.
func (v *visit) newCertificate() (pki.Certificate, pki.KeyPair, error) {
	if err := v.may("iot:CreateKeysAndCertificate", "*"); err != nil {
		return pki.Certificate{}, pki.KeyPair{}, err
	}
	cert, keys, err := v.PKI.CreateKeys(v.r.Context(), pki.Order{})
	if err == nil {
		v.note("certificate", cert.ID)
	}
	return cert, keys, err
}

// certificateState is a certificate with what hangs on it, and what may be hung.
type certificateState struct {
	pki.Certificate
	ARN      string
	Attached []access.Policy
	Others   []string // names of policies to choose from
	Things   []registry.Link
}

func (v *visit) certificateState(cert pki.Certificate) (s certificateState, err error) {
	s = certificateState{Certificate: cert, ARN: v.PKI.ARN(cert.ID)}
	ctx, all := v.r.Context(), registry.Page{Size: registry.PageSizeMax}
	if s.Attached, _, err = v.Access.AttachedPolicies(ctx, s.ARN, false, false, all); err != nil {
		return s, err
	}
	if s.Things, _, err = v.Registry.PrincipalThings(ctx, s.ARN, nil, all); err != nil {
		return s, err
	}
	s.Others, err = v.policyNames(s.Attached)
	return s, err
}

// policyNames lists the newest policies but those given, for a choice. Who may
// not list policies types a name.
func (v *visit) policyNames(but []access.Policy) ([]string, error) {
	if v.may("iot:ListPolicies", "*") != nil {
		return nil, nil
	}
	list, _, err := v.Access.Policies(v.r.Context(), false, registry.Page{Size: registry.PageSizeMax})
	attached := map[string]bool{}
	for _, p := range but {
		attached[p.Name] = true
	}
	var names []string
	for _, p := range list {
		if !attached[p.Name] {
			names = append(names, p.Name)
		}
	}
	return names, err
}

// certificateInPath reads the certificate that the address names.
func (v *visit) certificateInPath() (pki.Certificate, error) {
	id := pki.NormalID(v.r.PathValue("id"))
	if err := v.mayIoT("DescribeCertificate", "cert", string(id)); err != nil {
		return pki.Certificate{}, err
	}
	return v.PKI.Describe(v.r.Context(), id)
}

// certificatePage is one certificate in full.
type certificatePage struct {
	certificateState
	Subject, Issuer, Serial, Algorithm string
	Accounts                           []string // to transfer it to, where the visitor may list them
}

// Pending says whether the certificate is on its way to another account.
func (p certificatePage) Pending() bool { return p.Certificate.Status == pki.PendingTransfer }

// Made is the same without keys, for the parts that both pages have.
func (p certificatePage) Made() made { return made{State: p.certificateState} }

func (v *visit) certificate() error {
	cert, err := v.certificateInPath()
	if err != nil {
		return err
	}
	state, err := v.certificateState(cert)
	if err != nil {
		return err
	}
	page := certificatePage{certificateState: state}
	if leaf, err := leafOf(cert.PEM); err == nil {
		page.Subject, page.Issuer = leaf.Subject.String(), leaf.Issuer.String()
		page.Serial, page.Algorithm = leaf.SerialNumber.Text(16), leaf.PublicKeyAlgorithm.String()
	}
	if page.Accounts, err = v.otherAccounts(); err != nil {
		return err
	}
	return v.render("certificate", page)
}

// leafOf reads the first certificate of a PEM text.
func leafOf(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("a stored certificate is not PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// certificateFile is the certificate itself; its key is nowhere.
func (v *visit) certificateFile() error {
	cert, err := v.certificateInPath()
	if err != nil {
		return err
	}
	return v.pemFile(string(cert.ID)+"-certificate.pem.crt", cert.PEM)
}

// certificatePath is the page of the certificate that the address names.
func (v *visit) certificatePath() string {
	return Root + "certificates/" + url.PathEscape(v.r.PathValue("id"))
}

// setCertificateStatus activates, deactivates or revokes.
func (v *visit) setCertificateStatus() error {
	id, to := pki.NormalID(v.r.PathValue("id")), pki.Status(v.form("to"))
	if err := v.mayIoT("UpdateCertificate", "cert", string(id)); err != nil {
		return err
	}
	v.note("status", to)
	if err := v.PKI.SetStatus(v.r.Context(), id, to); err != nil {
		return err
	}
	return v.to(v.certificatePath(), "certificate.became", to)
}

// setCertificatePolicy attaches a policy or, with detach, takes it off.
func (v *visit) setCertificatePolicy() error {
	target := v.PKI.ARN(pki.NormalID(v.r.PathValue("id")))
	if err := v.attachPolicy(v.form("policy"), target, v.form("detach") != ""); err != nil {
		return err
	}
	return v.to(v.certificatePath(), "saved")
}

func (v *visit) attachPolicy(name, target string, detach bool) error {
	action, do := "iot:AttachPolicy", v.Access.AttachPolicy
	if detach {
		action, do = "iot:DetachPolicy", v.Access.DetachPolicy
	}
	v.note("policy", name)
	v.note("target", target)
	if err := v.may(action, target); err != nil {
		return err
	}
	return do(v.r.Context(), name, target)
}

// setCertificateThing attaches the certificate to a thing or takes it off.
func (v *visit) setCertificateThing() error {
	target := v.PKI.ARN(pki.NormalID(v.r.PathValue("id")))
	if err := v.attachThing(v.form("thing"), target, v.form("detach") != ""); err != nil {
		return err
	}
	return v.to(v.certificatePath(), "saved")
}

func (v *visit) attachThing(thing, principal string, detach bool) error {
	action := "AttachThingPrincipal"
	if detach {
		action = "DetachThingPrincipal"
	}
	v.note("thing", thing)
	v.note("principal", principal)
	if err := v.mayIoT(action, "thing", thing); err != nil {
		return err
	}
	if detach {
		return v.Registry.DetachThingPrincipal(v.r.Context(), thing, principal)
	}
	return v.Registry.AttachThingPrincipal(v.r.Context(), thing, principal, false)
}

// deleteCertificate removes a certificate that hangs on nothing.
func (v *visit) deleteCertificate() error {
	id := pki.NormalID(v.r.PathValue("id"))
	if err := v.mayIoT("DeleteCertificate", "cert", string(id)); err != nil {
		return err
	}
	if err := v.PKI.Delete(v.r.Context(), id, false); err != nil {
		return err
	}
	return v.to(Root+"certificates", "deleted")
}

var certificateRoutes = []route{
	{"GET /console/certificates", (*visit).certificates},
	{"POST /console/certificates", (*visit).createCertificate},
	{"GET /console/certificates/{id}", (*visit).certificate},
	{"GET /console/certificates/{id}/file", (*visit).certificateFile},
	{"POST /console/certificates/{id}/status", (*visit).setCertificateStatus},
	{"POST /console/certificates/{id}/policies", (*visit).setCertificatePolicy},
	{"POST /console/certificates/{id}/things", (*visit).setCertificateThing},
	{"POST /console/certificates/{id}/delete", (*visit).deleteCertificate},
}
