package console

import (
	"net/http"
	"net/url"
	"time"

	"thingd/internal/pki"
)

// certificateForm is the page with the three ways to a certificate: made here
// with its keys, issued for a request, or registered as it is.
type certificateForm struct {
	outcome
	Way     string // which of the ways has the problem: csr or register
	CSR     string
	PEM, CA string
	Kind    string // ca: a registered CA signed it
	Active  bool
}

func (v *visit) newCertificateForm() error {
	if err := v.may("iot:ListCertificates", "*"); err != nil {
		return err
	}
	return v.render("certificateform", certificateForm{outcome: v.outcomeOf(nil), Active: true})
}

func (v *visit) readCertificateForm(way string) certificateForm {
	return certificateForm{
		Way: way, CSR: v.form("csr"), PEM: v.form("pem"), CA: v.form("ca"), Kind: v.form("kind"), Active: v.form("active") != "",
	}
}

// status is the one that the new certificate should have.
func (f certificateForm) status() pki.Status {
	if f.Active {
		return pki.Active
	}
	return pki.Inactive
}

// certificateDone goes to the new certificate or, after a problem, back to the
// form.
func (v *visit) certificateDone(form certificateForm, cert pki.Certificate, err error) error {
	if err != nil {
		form.outcome = v.outcomeOf(err)
		return v.renderWith(form.Status, "certificateform", form)
	}
	v.note("certificate", cert.ID)
	return v.to(Root+"certificates/"+string(cert.ID), "certificate.made")
}

// createFromCSR issues a certificate for a request; the key stays where it is.
func (v *visit) createFromCSR() error {
	if err := v.may("iot:CreateCertificateFromCsr", "*"); err != nil {
		return err
	}
	form := v.readCertificateForm("csr")
	cert, err := v.PKI.CreateFromCSR(v.r.Context(), form.CSR+"\n", pki.Order{
		Status: form.status(), Requester: &pki.Requester{PrincipalID: v.actor.UserID},
	})
	return v.certificateDone(form, cert, err)
}

// registerCertificate registers a certificate that somebody else has signed.
func (v *visit) registerCertificate() error {
	form := v.readCertificateForm("register")
	action := "iot:RegisterCertificateWithoutCA"
	if form.Kind == "ca" {
		action = "iot:RegisterCertificate"
	}
	if err := v.may(action, "*"); err != nil {
		return err
	}
	var cert pki.Certificate
	var err error
	text := v.r.PostForm.Get("pem") // byte for byte: importers compare it
	if form.Kind == "ca" {
		cert, err = v.PKI.Register(v.r.Context(), text, form.CA, form.status())
	} else {
		cert, err = v.PKI.RegisterWithoutCA(v.r.Context(), text, form.status())
	}
	return v.certificateDone(form, cert, err)
}

// transferCertificate offers a certificate to another account, or ends an offer.
func (v *visit) transferCertificate() error {
	id := pki.NormalID(v.r.PathValue("id"))
	deeds := map[string]struct {
		action string
		do     func() error
	}{
		"offer": {"TransferCertificate", func() error {
			_, err := v.PKI.Transfer(v.r.Context(), id, v.form("account"), v.form("message"))
			return err
		}},
		"cancel": {"CancelCertificateTransfer", func() error { return v.PKI.Cancel(v.r.Context(), id) }},
		"accept": {"AcceptCertificateTransfer", func() error { return v.PKI.Accept(v.r.Context(), id, v.form("active") != "") }},
		"reject": {"RejectCertificateTransfer", func() error { return v.PKI.Reject(v.r.Context(), id, v.form("message")) }},
	}
	deed, known := deeds[v.form("do")]
	if !known {
		deed = deeds["offer"]
	}
	v.note("deed", deed.action)
	if err := v.mayIoT(deed.action, "cert", string(id)); err != nil {
		return err
	}
	if err := deed.do(); err != nil {
		return err
	}
	if v.form("do") == "reject" { // it is no longer here
		return v.to(Root+"certificates", "saved")
	}
	return v.to(v.certificatePath(), "saved")
}

// soon is how long before its end a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// until is the end of a certificate.
type until struct {
	*view
	At            time.Time
	Expired, Soon bool
}

// Until gives the part of a page that shows the end, with a warning where it is
// near or over.
func (v *view) Until(at time.Time) until {
	now := v.Now()
	return until{v, at, !at.IsZero() && !now.Before(at), now.Before(at) && at.Sub(now) < soon}
}

// pemFile sends a file to keep.
func (v *visit) pemFile(name, text string) error {
	v.w.Header().Set("Content-Type", "application/x-pem-file")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+url.PathEscape(name)+`"`)
	v.w.WriteHeader(http.StatusOK)
	_, err := v.w.Write([]byte(text))
	return err
}

var newCertificateRoutes = []route{
	{"GET /console/newcertificate", (*visit).newCertificateForm},
	{"POST /console/certificates/csr", (*visit).createFromCSR},
	{"POST /console/certificates/register", (*visit).registerCertificate},
	{"POST /console/certificates/{id}/transfer", (*visit).transferCertificate},
}
