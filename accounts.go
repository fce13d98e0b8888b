package thingd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"thingd/internal/api"
	"thingd/internal/arn"
	"thingd/internal/broker"
	"thingd/internal/console"
	"thingd/internal/fault"
	"thingd/internal/gateway"
	"thingd/internal/iam"
	"thingd/internal/pki"
	"thingd/internal/store"
)

// A server has one account from the start, and may have others, as a region of
// AWS has. Each is a Server of its own, over the same database, authority and
// doors: things, certificates, policies, sessions, rules and objects of one are
// out of reach of the others. A folder accounts/ID in the data folder is to the
// other subcommands what the data folder is for the first account.
//
// Who a client means is found by what it shows: an access key belongs to one
// account; a server name that an account has a domain configuration for is that
// account's; a certificate is looked for in all of them. Whoever shows nothing
// means the first account; its console is the door to those of the others.

// accountsMax bounds the further accounts: each has goroutines and a broker of
// its own, and unknown certificates are looked for in all.
const accountsMax = 50

// neighbors are the further accounts of a server.
type neighbors struct {
	making sync.Mutex // held while an account is made; never by readers

	mu      sync.RWMutex
	open    map[string]*Server
	work    context.Context // of their goroutines; nil before Run and after it
	running sync.WaitGroup
}

// all lists them by account.
func (n *neighbors) all() []*Server {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(n.open) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Values(n.open), func(a, b *Server) int { return strings.Compare(a.config.Account, b.config.Account) })
}

func (n *neighbors) get(account string) *Server {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.open[account]
}

// add takes in an account; its work begins with that of the server.
func (n *neighbors) add(s *Server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open == nil {
		n.open = map[string]*Server{}
	}
	n.open[s.config.Account] = s
	if n.work != nil {
		s.begin(n.work, &n.running)
	}
}

// begin starts the work of all.
func (n *neighbors) begin(work context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.work = work
	for _, s := range n.open {
		s.begin(work, &n.running)
	}
}

// end waits for the work of all to end; its context has.
func (n *neighbors) end() {
	n.mu.Lock()
	n.work = nil
	n.mu.Unlock()
	n.running.Wait()
}

// remove takes an account out: nobody finds it any more.
func (n *neighbors) remove(account string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, account)
}

// begin starts what runs for an account as long as the server does, or until
// quit.
func (s *Server) begin(work context.Context, running *sync.WaitGroup) {
	work, s.quit = context.WithCancel(work)
	for _, job := range s.jobs() {
		s.labor.Add(1)
		running.Go(func() { defer s.labor.Done(); job(work) })
	}
}

// openAccounts opens the further accounts that the database knows, and deletes
// what is left of those that have ended.
func (s *Server) openAccounts(ctx context.Context) error {
	known, err := s.db.Accounts(ctx)
	s.onClose(s.closeAccounts)
	for _, account := range known {
		switch {
		case err != nil || account.ID == s.config.Account:
		case account.Ended.IsZero():
			err = s.openAccount(ctx, account.ID)
		default:
			err = s.clearAccount(ctx, account.ID)
		}
	}
	return err
}

func (s *Server) closeAccounts(ctx context.Context) error {
	var errs []error
	for _, n := range s.neighbors.all() {
		errs = append(errs, n.Close(ctx))
	}
	return errors.Join(errs...)
}

// openAccount builds a further account.
func (s *Server) openAccount(ctx context.Context, id string) error {
	n := &Server{
		config: s.config, limits: s.limits, log: s.log.With("account", id), now: s.now, first: s,
		scope:  arn.Scope{Partition: s.scope.Partition, Region: s.scope.Region, Account: id},
		sealer: s.sealer, db: s.db, authority: s.authority,
	}
	n.config.Account, n.config.Data = id, filepath.Join(s.config.Data, "accounts", id)
	if err := n.build(ctx, slices.Concat([]step{n.openFolder}, n.rooms(), []step{n.openConsole})); err != nil {
		return errors.Join(fmt.Errorf("account %s: %w", id, err), n.Close(ctx))
	}
	n.door, n.api = n.web(), n.front()
	s.neighbors.add(n)
	return nil
}

// otherConsoles gives those of the further accounts to the first one.
func (s *Server) otherConsoles() func() []*console.Console {
	if s.first != nil {
		return nil
	}
	return func() []*console.Console {
		all := s.neighbors.all()
		consoles := make([]*console.Console, len(all))
		for i, n := range all {
			consoles[i] = n.console
		}
		return consoles
	}
}

// listening tells all consoles the ports of the TLS doors.
func (s *Server) listening(ports []int) {
	for _, h := range s.houses() {
		h.console.Listening(ports)
	}
}

// openFolder makes what the other subcommands look for in a data folder.
func (s *Server) openFolder(context.Context) (err error) {
	if s.data, err = openDataDir(s.config.Data); err != nil {
		return err
	}
	s.onClose(func(context.Context) error { return s.data.close() })
	return s.data.write("root-ca.pem", s.authority.RootPEM(), 0o644)
}

// writeEndpoints tells the other subcommands where the server listens.
func (s *Server) writeEndpoints(e Endpoint) error {
	errs := []error{s.data.writeEndpoint(e)}
	for _, n := range s.neighbors.all() {
		errs = append(errs, n.tellEndpoint(e))
	}
	return errors.Join(errs...)
}

func (s *Server) tellEndpoint(e Endpoint) error {
	e.Account = s.config.Account
	return s.data.writeEndpoint(e)
}

// house gives the first account of the server.
func (s *Server) house() *Server {
	if s.first != nil {
		return s.first
	}
	return s
}

// houses lists all accounts, the first one before the others.
func (s *Server) houses() []*Server {
	return append([]*Server{s.house()}, s.house().neighbors.all()...)
}

// hasAccount says whether an account lives here.
func (s *Server) hasAccount(account string) bool {
	return account == s.house().config.Account || s.house().neighbors.get(account) != nil
}

// neighborStats is what is measured of the further accounts.
func (s *Server) neighborStats() []gateway.AccountStats {
	var all []gateway.AccountStats
	for _, n := range s.neighbors.all() {
		all = append(all, gateway.AccountStats{Account: n.config.Account, Broker: n.broker.Stats(), Rules: n.rules.Stats(), Bridge: n.bridge.All()})
	}
	return all
}

// identitiesOf gives the users and roles of another account; nil if it does not
// live here.
func (s *Server) identitiesOf(account string) *iam.Service {
	for _, h := range s.houses() {
		if h != s && h.config.Account == account {
			return h.iam
		}
	}
	return nil
}

// transferred lets the other account of a transfer forget what it remembers.
func (s *Server) transferred(account string, id pki.CertificateID) {
	for _, h := range s.houses() {
		if h.config.Account == account {
			h.pki.Forget(id)
		}
	}
}

// namedElsewhere says whether another account has a domain configuration for a
// server name.
func (s *Server) namedElsewhere(server string) bool {
	return slices.ContainsFunc(s.houses(), func(h *Server) bool { return h != s && h.authorizers != nil && h.named(server) })
}

func (s *Server) named(server string) bool {
	_, ok := s.authorizers.Named(server)
	return ok
}

// meant finds the account that a client means.
func (s *Server) meant(ctx context.Context, c gateway.Clue) *Server {
	others := s.neighbors.all()
	if len(others) == 0 {
		return s
	}
	if c.AccessKeyID != "" {
		return s.ofKey(ctx, c.AccessKeyID)
	}
	if token, ok := strings.CutPrefix(c.Path, "/confirmdestination/"); ok {
		return s.whoever(func(h *Server) (bool, error) { return h.rules.Awaits(ctx, token) })
	}
	for _, h := range others {
		if h.named(c.ServerName) {
			return h
		}
	}
	if c.Certificate == nil || s.named(c.ServerName) {
		return s
	}
	return s.ofCertificate(ctx, c)
}

// ofKey finds the account of an access key; unknown keys are refused by the first
// account as by any other.
func (s *Server) ofKey(ctx context.Context, id string) *Server {
	account, found, err := s.db.AccountOfKey(ctx, id)
	if n := s.neighbors.get(account); err == nil && found && n != nil {
		return n
	}
	return s
}

// ofCertificate finds the account that knows a certificate: one where it is
// ACTIVE before one where it is not, and where nobody knows it, one whose CA
// vouches for it.
func (s *Server) ofCertificate(ctx context.Context, c gateway.Clue) *Server {
	var known *Server
	for _, h := range s.houses() {
		cert, found, err := h.pki.Lookup(ctx, c.Certificate)
		if err != nil || !found {
			continue
		}
		if cert.Status == pki.Active {
			return h
		}
		if known == nil || cert.Status != pki.PendingTransfer {
			known = h
		}
	}
	if known != nil {
		return known
	}
	return s.whoever(func(h *Server) (bool, error) { return h.pki.Vouches(ctx, c.Certificate) })
}

// whoever gives the first account that says yes, else the first of all.
func (s *Server) whoever(says func(*Server) (bool, error)) *Server {
	for _, h := range s.houses() {
		if yes, err := says(h); err == nil && yes {
			return h
		}
	}
	return s
}

// meantBy finds the account that a request means.
func (s *Server) meantBy(r *http.Request) *Server { return s.meant(r.Context(), gateway.ClueOf(r)) }

// brokerOf gives the broker of the account that a client means.
func (s *Server) brokerOf(ctx context.Context, c gateway.Clue) *broker.Broker {
	return s.meant(ctx, c).broker
}

// byAccount hands a request to the account that it means.
func (s *Server) byAccount(door func(*Server) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := s.enter(s.meantBy(r))
		defer h.visits.leave()
		door(h).ServeHTTP(w, r)
	})
}

// objectsByAccount is the embedded S3 of the account that a request means.
type objectsByAccount struct{ s *Server }

var _ gateway.Objects = objectsByAccount{}

// Owns implements gateway.Objects.
func (o objectsByAccount) Owns(r *http.Request) bool { return o.s.meantBy(r).objects.Owns(r) }

// ServeHTTP implements http.Handler.
func (o objectsByAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := o.s.enter(o.s.meantBy(r))
	defer h.visits.leave()
	h.objects.ServeHTTP(w, r)
}

// tlsVersions are those of the domain configuration of a server name, whoever
// has it.
func (s *Server) tlsVersions(server string) (least, greatest uint16) {
	for _, h := range s.houses() {
		if h == s || h.named(server) {
			if least, greatest = h.authorizers.TLSVersions(server); least != 0 || greatest != 0 {
				break
			}
		}
	}
	return least, greatest
}

// accounts are the deeds on accounts that the API has; those of further accounts
// have none.
type accounts struct{ s *Server }

var _ api.Accounts = accounts{}

var accountID = regexp.MustCompile(`^\d{12}$`)

// Create makes an account and gives its root access key. One that is there is
// given as it is: whoever may make accounts may see their keys.
func (a accounts) Create(ctx context.Context, id string) (iam.AccessKey, error) {
	s := a.s
	switch {
	case s.first != nil:
		return iam.AccessKey{}, fault.New(fault.CodeAccessDenied, "accounts are made by the server's first account, %s", s.first.config.Account)
	case !accountID.MatchString(id):
		return iam.AccessKey{}, fault.InvalidRequest("an account ID has 12 digits")
	case id == s.config.Account:
		return iam.AccessKey{}, fault.AlreadyExists("account %s is the server's first account", id)
	}
	s.neighbors.making.Lock()
	defer s.neighbors.making.Unlock()
	if n := s.neighbors.get(id); n != nil {
		return n.iam.RootKey(ctx)
	}
	if len(s.neighbors.all()) >= accountsMax {
		return iam.AccessKey{}, fault.LimitExceeded("the server has %d further accounts; no more are possible", accountsMax)
	}
	return a.make(ctx, id)
}

func (a accounts) make(ctx context.Context, id string) (iam.AccessKey, error) {
	s := a.s
	if err := s.clearEnded(ctx, id); err != nil {
		return iam.AccessKey{}, err
	}
	if err := s.db.AddAccount(ctx, store.Account{ID: id, Created: s.now()}); err != nil {
		return iam.AccessKey{}, err
	}
	if err := s.openAccount(ctx, id); err != nil {
		return iam.AccessKey{}, err
	}
	n := s.neighbors.get(id)
	n.console.Listening(s.console.Ports())
	if e, err := ReadEndpoint(s.config.Data); err == nil {
		if err := n.tellEndpoint(e); err != nil {
			return iam.AccessKey{}, err
		}
	}
	s.log.Info("made an account", "account", id, "folder", n.config.Data)
	return n.iam.RootKey(ctx)
}

// List lists the accounts of the server, the first one first.
func (a accounts) List(context.Context) ([]string, error) {
	if a.s.first != nil {
		return []string{a.s.config.Account}, nil
	}
	var ids []string
	for _, h := range a.s.houses() {
		ids = append(ids, h.config.Account)
	}
	return ids, nil
}
