package thingd

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"thingd/internal/audit"
	"thingd/internal/aws/wire"
)

// openAudit starts keeping who changed what.
func (s *Server) openAudit(ctx context.Context) (err error) {
	s.audit, err = audit.New(ctx, audit.Config{Store: s.db.Audit(s.config.Account), Now: s.now, Log: s.log})
	if err == nil {
		go s.audit.Run(context.Background()) // until Close
		s.onClose(func(context.Context) error { s.audit.Close(); return nil })
	}
	return err
}

// readers begin the names of operations that change nothing.
var readers = []string{"List", "Get", "Describe", "Search", "Test", "Validate", "Explain", "Simulate"}

// audited are the services whose operations manage something. What devices send
// and read is no deed.
var audited = []string{"iot", "iam", "sagemaker", "thingd", "iotsecuredtunneling"}

// served is told of every answer of the API.
func (s *Server) served(a wire.Served) {
	reads := func(prefix string) bool { return strings.HasPrefix(a.Operation, prefix) }
	if a.Operation == "" || !slices.Contains(audited, strings.ToLower(a.Service)) || slices.ContainsFunc(readers, reads) {
		return
	}
	s.audit.Record(audit.Entry{
		Who: cmp.Or(a.Caller.ARN, a.Caller.CertificateID, a.Caller.Principal), Key: a.Caller.AccessKeyID, Source: a.SourceIP, Door: audit.API,
		Deed: a.Service + ":" + a.Operation, About: map[string]string{"requestId": a.RequestID}, Problem: a.Exception,
	})
}
