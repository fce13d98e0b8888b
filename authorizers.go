package thingd

import (
	"context"
	"crypto/tls"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/authorizer"
	"thingd/internal/function"
	"thingd/internal/pki"
	"thingd/internal/registry"
)

// openAuthorizers makes what asks custom authorizers, and knows the domain
// configurations.
func (s *Server) openAuthorizers(ctx context.Context) (err error) {
	s.imported = &pki.Imported{Dir: s.data.file("server-certificates"), Now: s.now}
	s.authorizers, err = authorizer.New(ctx, authorizer.Config{
		Store: s.db.Authorizers(s.config.Account), Scope: s.scope, Functions: &function.Caller{URLs: s.config.Functions},
		Host: s.config.Host[0], Elsewhere: s.namedElsewhere, Certificates: s.imported, Now: s.now, NewID: registry.NewUUID,
	})
	return err
}

// serverCertificate chooses what the server shows to a client: for the name of a
// domain configuration the certificate that it names, else one of the server's
// own authority for that name; for other names the usual one.
func (s *Server) serverCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, h := range s.houses() {
		d, ok := h.authorizers.Named(hello.ServerName)
		if !ok {
			continue
		}
		for _, arn := range d.ServerCertificates {
			cert, err := h.imported.Certificate(arn)
			if err == nil && hello.SupportsCertificate(cert) == nil {
				return cert, nil
			}
		}
		return s.authority.CertificateNamed(hello, d.DomainName)
	}
	return s.authority.Certificate(hello)
}

// domainExists says whether an ARN, which ends in an ID of its own, names a
// domain configuration.
func (s *Server) domainExists(ctx context.Context, name arn.ARN) (bool, error) {
	_, id := name.Kind()
	domain, suffix, _ := strings.Cut(id, "/")
	d, err := s.authorizers.Domain(ctx, domain)
	found, err := existing(err)
	return found && d.ID == suffix, err
}
