package main

// notEffective lists operations that are built but whose effect nothing obeys
// yet, and what is missing.
var notEffective = map[string]string{
	"CreateCertificateProvider":   "certificates are signed by thingd's own CA",
	"UpdateCertificateProvider":   "certificates are signed by thingd's own CA",
	"DeleteCertificateProvider":   "certificates are signed by thingd's own CA",
	"DescribeCertificateProvider": "certificates are signed by thingd's own CA",
	"ListCertificateProviders":    "certificates are signed by thingd's own CA",
}
