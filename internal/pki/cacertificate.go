package pki

import "time"

// CA is the record of a registered certificate authority: one whose devices may
// register themselves, or be registered with proof that it signed them.
type CA struct {
	ID               CertificateID
	Active           bool
	AutoRegistration bool
	PEM              string // byte for byte as it was registered
	Subject          string // subjectKey of its name, under which issuers are found
	Mode             Mode
	Created          time.Time
	Modified         time.Time
	Version          int
	Generation       string
	NotBefore        time.Time
	NotAfter         time.Time
	Registration     Registration
}

// Registration is what happens to a device of a CA that registers itself: the
// template that provisions it (JITP). Zero: it waits for somebody to act on the
// event (JITR).
type Registration struct {
	TemplateBody string
	RoleARN      string
	TemplateName string
}
