package pki

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// checkEvery is how often Run looks for new names and old certificates.
const checkEvery = time.Hour

// Options say how an Authority is opened. The zero value serves the names of
// this machine.
type Options struct {
	Hosts  []string         // names and addresses beside Local's, the most important first
	Local  func() []string  // default: LocalHosts
	Now    func() time.Time // default: time.Now
	Sealer Sealer           // default: keys are kept in the clear
	Log    *slog.Logger     // default: slog.Default
}

// Authority is the installation's own certificate authority and the server
// certificates that it issues. Its methods may be called from any goroutine.
type Authority struct {
	folder folder
	hosts  []string
	local  func() []string
	now    func() time.Time
	log    *slog.Logger

	root    signer
	devices signer

	ecdsa, rsa atomic.Pointer[tls.Certificate] // what the server shows

	named named // those for further names

	mu sync.Mutex // one renewal at a time
}

// OpenAuthority reads the authority's files in dir and makes what is missing.
// A root that is damaged or lacks its key is an error and never replaced: every
// client would have to be told of the new one.
func OpenAuthority(dir string, options Options) (*Authority, error) {
	a := newAuthority(dir, options)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	spare := a.prepareRSA()
	defer spare.wait()
	var err error
	if a.root, err = a.openCA("root-ca", "thingd root CA", newRSAKey); err != nil {
		return nil, fmt.Errorf("the root certificate: %w", err)
	}
	if a.devices, err = a.openCA("device-ca", "thingd device CA", newECDSAKey); err != nil {
		return nil, fmt.Errorf("the issuer of device certificates: %w", err)
	}
	return a, a.renew(spare.key)
}

func newAuthority(dir string, o Options) *Authority {
	a := &Authority{folder: folder{dir, o.Sealer}, hosts: o.Hosts, local: o.Local, now: o.Now, log: o.Log}
	if a.local == nil {
		a.local = LocalHosts
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	return a
}

// Hosts lists the names and addresses by which clients may reach the server, as
// its certificates say: those of Options first, then this machine's own.
func (a *Authority) Hosts() []string {
	var all []string
	for _, host := range append(slices.Clone(a.hosts), a.local()...) {
		if !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	return all
}

// Renew makes the server certificates that are missing, near their end, or
// lack a name that the server has by now. New handshakes see them at once.
func (a *Authority) Renew() error { return a.renew(newRSAKey) }

func (a *Authority) renew(rsaKey makeKey) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	want := namesOf(append(append([]string{}, a.hosts...), a.local()...))
	return errors.Join(
		a.renewServer("server-ecdsa", &a.ecdsa, want, newECDSAKey),
		a.renewServer("server-rsa", &a.rsa, want, rsaKey),
	)
}

// Run renews the server certificates in time, until ctx ends.
func (a *Authority) Run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.Renew(); err != nil {
			a.log.Error("the server certificate could not be renewed", "error", err)
		}
	}
}

// RootPEM is what clients need to trust the server: the content of root-ca.pem.
func (a *Authority) RootPEM() []byte { return encodeCertificate(a.root.cert.Raw) }
