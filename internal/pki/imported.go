package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Imported are the server certificates that an operator puts into a folder, which
// stand in for those of AWS Certificate Manager: ID.pem, the certificate and its
// chain, and ID.key belong to the ARN that ends in certificate/ID.
type Imported struct {
	Dir string
	Now func() time.Time // nil: time.Now

	mu     sync.Mutex
	loaded map[string]loaded // by ID
}

// loaded is a pair as it was read, and the time of the file that it came from.
type loaded struct {
	cert     *tls.Certificate
	modified time.Time
}

var importedID = regexp.MustCompile(`^[A-Za-z0-9-]{1,100}$`)

// Certificate reads the pair behind an ARN, again when its file is another one.
func (i *Imported) Certificate(arn string) (*tls.Certificate, error) {
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	if !importedID.MatchString(id) {
		return nil, invalidCertificate("%q does not end in the ID of a certificate", arn)
	}
	path := filepath.Join(i.Dir, id+".pem")
	info, err := os.Stat(path)
	if err != nil {
		return nil, invalidCertificate("there is no certificate behind %s; put it into the account's folder server-certificates as %s.pem, its key beside it as %s.key", arn, id, id).Because(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if have, ok := i.loaded[id]; ok && have.modified.Equal(info.ModTime()) {
		return have.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(path, filepath.Join(i.Dir, id+".key"))
	if err != nil {
		return nil, invalidCertificate("the certificate behind %s cannot be used: %s", arn, withoutPath(err)).Because(err)
	}
	if i.loaded == nil || len(i.loaded) >= namedMax {
		i.loaded = map[string]loaded{}
	}
	i.loaded[id] = loaded{&cert, info.ModTime()}
	return &cert, nil
}

// withoutPath words an error for callers of the API.
func withoutPath(err error) string {
	if os.IsNotExist(err) {
		return "its key is missing"
	}
	return err.Error()
}

// Check says what keeps the certificate behind an ARN from serving a name, as
// fault CertificateValidation.
func (i *Imported) Check(arn, name string) error {
	cert, err := i.Certificate(arn)
	if err != nil {
		return err
	}
	switch now := i.now(); {
	case now.After(cert.Leaf.NotAfter):
		return invalidCertificate("the certificate behind %s has expired on %s", arn, cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(cert.Leaf.NotBefore):
		return invalidCertificate("the certificate behind %s is not valid before %s", arn, cert.Leaf.NotBefore.UTC().Format(time.RFC3339))
	case !forServers(cert.Leaf):
		return invalidCertificate("the certificate behind %s is not for servers: its extended key usage lacks serverAuth", arn)
	case name != "" && cert.Leaf.VerifyHostname(name) != nil:
		return invalidCertificate("the certificate behind %s is not for the name %s", arn, name)
	}
	return nil
}

func (i *Imported) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}

func forServers(cert *x509.Certificate) bool {
	for _, usage := range cert.ExtKeyUsage {
		if usage == x509.ExtKeyUsageServerAuth || usage == x509.ExtKeyUsageAny {
			return true
		}
	}
	return len(cert.ExtKeyUsage) == 0
}
