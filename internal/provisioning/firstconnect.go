package provisioning

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
)

// firstConnectTimeout bounds the wait of a connecting device.
const firstConnectTimeout = 10 * time.Second

// FirstConnect provisions a device whose certificate waits for activation under
// a CA with a template (JITP). The device's connection is refused all the same;
// when FirstConnect returns nil, its next one is welcome. A failure is logged and
// leaves the certificate waiting: the next connect tries again (unconfirmed).
func (s *Service) FirstConnect(ctx context.Context, leaf *x509.Certificate, ca pki.CA) error {
	ctx, cancel := context.WithTimeout(ctx, firstConnectTimeout)
	defer cancel()
	id := pki.IDOf(leaf.Raw)
	err := s.firstConnect(ctx, id, leaf, ca)
	if err != nil {
		s.log.Warn("just-in-time provisioning failed", "certificate", id, "ca", ca.ID, "template", ca.Registration.TemplateName, "error", err)
	}
	return err
}

func (s *Service) firstConnect(ctx context.Context, id pki.CertificateID, leaf *x509.Certificate, ca pki.CA) error {
	defer s.certs.lock(string(id))()
	cert, err := s.pki.Describe(ctx, id)
	if err != nil || cert.Status != pki.PendingActivation { // a twin connection was quicker
		return err
	}
	t, err := s.templateOf(ctx, ca.Registration)
	if err != nil {
		return err
	}
	values := subjectValues(leaf, id)
	if missing := t.Missing(values); len(missing) > 0 {
		return fault.New(fault.CodeRegistrationFailure, "the certificate's subject has no value for %s", strings.Join(missing, ", "))
	}
	plan, err := t.Evaluate(s.input(values))
	if err != nil {
		return err
	}
	if err := onlyFor(plan, id); err != nil {
		return err
	}
	_, err = s.carryOut(ctx, plan, attempt{})
	return err
}

// templateOf reads the template of a CA, by name or by body.
func (s *Service) templateOf(ctx context.Context, r pki.Registration) (*template.Template, error) {
	body := r.TemplateBody
	if r.TemplateName != "" {
		record, version, err := s.Template(ctx, r.TemplateName)
		if err != nil {
			return nil, err
		}
		if record.Kind != template.JITP || !record.Enabled {
			return nil, fmt.Errorf("provisioning template %s is not an enabled template of type JITP", r.TemplateName)
		}
		body = version.Body
	}
	return template.Parse(body, template.JITP)
}

// onlyFor refuses a plan for another certificate than the device's own: the
// values may come from the device, and others' certificates are not its to touch.
func onlyFor(plan template.Plan, id pki.CertificateID) error {
	if c := plan.Certificate; c != nil && pki.NormalID(c.ID) != id {
		return fault.New(fault.CodeRegistrationFailure, "the template's CertificateId must be {\"Ref\": %q}", template.CertificateID)
	}
	return nil
}

// subjectAttributes are the parameters that come from a leaf's subject. Several
// values of one attribute: the first counts.
var subjectAttributes = []struct {
	oid       asn1.ObjectIdentifier
	parameter string
}{
	{asn1.ObjectIdentifier{2, 5, 4, 6}, "AWS::IoT::Certificate::Country"},
	{asn1.ObjectIdentifier{2, 5, 4, 10}, "AWS::IoT::Certificate::Organization"},
	{asn1.ObjectIdentifier{2, 5, 4, 11}, "AWS::IoT::Certificate::OrganizationalUnit"},
	{asn1.ObjectIdentifier{2, 5, 4, 46}, "AWS::IoT::Certificate::DistinguishedNameQualifier"},
	{asn1.ObjectIdentifier{2, 5, 4, 8}, "AWS::IoT::Certificate::StateName"},
	{asn1.ObjectIdentifier{2, 5, 4, 3}, "AWS::IoT::Certificate::CommonName"},
	{asn1.ObjectIdentifier{2, 5, 4, 5}, "AWS::IoT::Certificate::SerialNumber"},
}

func subjectValues(leaf *x509.Certificate, id pki.CertificateID) map[string]string {
	values := map[string]string{template.CertificateID: string(id)}
	for _, attribute := range subjectAttributes {
		for _, name := range leaf.Subject.Names {
			text, isText := name.Value.(string)
			if isText && name.Type.Equal(attribute.oid) {
				values[attribute.parameter] = text
				break
			}
		}
	}
	return values
}
