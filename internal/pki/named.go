package pki

import (
	"crypto"
	"crypto/tls"
	"strings"
	"sync"
)

// namedMax bounds the certificates that are kept for further names. Names come
// from domain configurations, which are few; more make place for one another.
const namedMax = 1000

// named are the server certificates for further names, those of domain
// configurations: they have the keys of the usual ones, so that making one costs
// a signature.
type named struct {
	mu  sync.Mutex
	all map[string]*tls.Certificate // by key and name
}

// CertificateNamed gives the server certificate for a name that the usual one
// may lack, of the sort that the client can verify; it is made when it is first
// asked for. Whoever calls knows that the name is meant to be served.
func (a *Authority) CertificateNamed(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	usual, err := a.Certificate(hello)
	want := names{dns: []string{strings.ToLower(name)}}
	if err != nil || !isHostName(name) || want.covers(usual.Leaf.DNSNames, usual.Leaf.IPAddresses) {
		return usual, err
	}
	a.named.mu.Lock()
	defer a.named.mu.Unlock()
	slot := string(IDOf(usual.Leaf.RawSubjectPublicKeyInfo)) + want.dns[0]
	if made := a.named.all[slot]; made != nil && a.good(made.Leaf, want) {
		return made, nil
	}
	made, err := a.issueNamed(want, usual.PrivateKey.(crypto.Signer))
	if err == nil {
		a.named.keep(slot, made)
	}
	return made, err
}

func (a *Authority) issueNamed(want names, key crypto.Signer) (*tls.Certificate, error) {
	cert, err := sign(a.serverTemplate(want), a.root, key.Public())
	if err != nil {
		return nil, err
	}
	return serverPair(cert, key), nil
}

func (n *named) keep(slot string, cert *tls.Certificate) {
	if n.all == nil {
		n.all = map[string]*tls.Certificate{}
	}
	if len(n.all) >= namedMax {
		for some := range n.all {
			delete(n.all, some)
			break
		}
	}
	n.all[slot] = cert
}
