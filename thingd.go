package thingd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/audit"
	"thingd/internal/authorizer"
	"thingd/internal/bridge"
	"thingd/internal/broker"
	"thingd/internal/console"
	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/function"
	"thingd/internal/gateway"
	"thingd/internal/iam"
	"thingd/internal/journal"
	"thingd/internal/lease"
	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
	"thingd/internal/rules"
	"thingd/internal/s3gate"
	"thingd/internal/settings"
	"thingd/internal/shadow"
	"thingd/internal/store"
)

// Server is a whole thingd. A newcomer starts here: New lists everything that
// runs, in the order in which it stands on one another.
type Server struct {
	config Config
	limits broker.Limits
	scope  arn.Scope
	log    *slog.Logger
	now    func() time.Time

	data   *dataDir
	sealer pki.Sealer // nil: secrets lie in the clear, readable by the server alone
	db     *store.DB
	leases *lease.Service
	held   *lease.Held // of the account; nil where nobody else can have it
	ousted chan error  // holds why the server has to stop

	authority   *pki.Authority
	settings    *settings.Service
	journal     *journal.Journal
	audit       *audit.Log
	registry    *registry.Service
	access      *access.Service
	pki         *pki.Service
	authorizers *authorizer.Service
	imported    *pki.Imported // server certificates
	iam         *iam.Service
	gate        *iam.Gate
	aliases     *credentials.Service
	fleets      *edgefleet.Service
	objects     *s3gate.Gate
	broker      *broker.Broker
	bridge      *bridge.Service
	shadows     *shadow.Service
	rules       *rules.Service

	provisioning *provisioning.Service

	console *console.Console
	gateway *gateway.Gateway

	neighbors neighbors    // further accounts
	first     *Server      // of a further account: the server that it belongs to
	door      http.Handler // of a further account, on the TLS doors
	api       http.Handler // and on the plain one
	visits    visits       // requests under way on them
	labor     sync.WaitGroup
	quit      context.CancelFunc // ends labor; nil before it begins

	closers []func(context.Context) error // in the order to call them
}

// New opens the data folder and wires the server; nothing listens yet. The
// error is one sentence for the operator, and nothing was changed by a failure
// that could be seen beforehand.
func New(ctx context.Context, config Config) (*Server, error) {
	return newServer(ctx, config, time.Now)
}

// newServer is New with a clock for tests.
func newServer(ctx context.Context, config Config, now func() time.Time) (*Server, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	limits, err := config.limits()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, limits: limits, log: config.logger(), now: now, ousted: make(chan error, 1),
		scope: arn.Scope{Partition: "aws", Region: config.Region, Account: config.Account},
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// open builds the house from the ground up.
func (s *Server) open(ctx context.Context) error {
	return s.build(ctx, slices.Concat(
		[]step{s.openData}, s.rooms(), []step{s.openAccounts, s.openConsole, s.openDoors}))
}

// step builds a part of the house on those before it.
type step func(context.Context) error

// rooms are the steps that each account has of its own.
func (s *Server) rooms() []step {
	return []step{
		s.openLeases, s.openSettings, s.openJournal, s.openAudit, s.openIdentities, s.openAuthorizers, s.openCredentials, s.openObjects, s.openFleets, s.openBroker, s.openBridge, s.openShadows, s.openRules, s.openProvisioning,
	}
}

func (s *Server) build(ctx context.Context, steps []step) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openData takes the data folder, the keys in it and the database.
func (s *Server) openData(ctx context.Context) (err error) {
	if s.data, err = openDataDir(s.config.Data); err != nil {
		return err
	}
	s.onClose(func(context.Context) error { return s.data.close() })

	if err := s.openSealer(); err != nil {
		return err
	}
	// Making keys and making tables take about as long; do both at once.
	var keys sync.WaitGroup
	var keyErr error
	keys.Go(func() {
		s.authority, keyErr = pki.OpenAuthority(s.config.Data, pki.Options{Hosts: s.config.Host, Now: s.now, Sealer: s.sealer, Log: s.log})
	})
	s.db, err = store.Open(ctx, s.storeAddress(), s.log)
	keys.Wait()
	if err == nil {
		s.onClose(func(context.Context) error { return s.db.Close() })
	}
	return errors.Join(err, keyErr)
}

// openLeases makes what several servers on one database share work by, and holds
// the account.
func (s *Server) openLeases(ctx context.Context) error {
	node, err := s.house().data.node()
	if err != nil {
		return err
	}
	s.leases = lease.New(lease.Config{Store: s.db.Leases(s.config.Account), Holder: node, Now: s.now, Log: s.log})
	return s.hold(ctx)
}

func (s *Server) storeAddress() string {
	if s.config.Store != "" {
		return s.config.Store
	}
	path := filepath.Join(s.config.Data, "thingd.db")
	if whole, err := filepath.Abs(path); err == nil { // connections are opened later, too, wherever the process is then
		return whole
	}
	return path
}

// openJournal starts keeping refusals; everybody who refuses writes to it.
func (s *Server) openJournal(ctx context.Context) (err error) {
	s.journal, err = journal.New(ctx, s.db.Journal(s.config.Account), journal.Config{
		Now: s.now, Log: s.log, Level: s.logLevel,
	})
	if err == nil {
		go s.journal.Run(context.Background()) // until Close
		s.onClose(func(context.Context) error { s.journal.Close(); return nil })
	}
	return err
}

// openIdentities makes what says who is who and who may do what.
func (s *Server) openIdentities(ctx context.Context) (err error) {
	account := s.config.Account
	s.registry = registry.New(registry.Config{
		Store: s.db.Registry(account), Scope: s.scope, Now: s.now, Publisher: publisher{s},
	})
	s.access = access.New(access.Config{Store: s.db.Access(account), Scope: s.scope, Now: s.now, Log: s.log})
	s.pki = pki.New(pki.Config{
		Store: s.db.PKI(account), Scope: s.scope, Issuer: s.authority, Now: s.now,
		Attachments: attachments{s}, OnStatus: s.certificateChanged,
		HasAccount: s.hasAccount, OnTransfer: s.transferred, Functions: &function.Caller{URLs: s.config.Functions},
	})
	s.onClose(s.registry.Close)
	s.registry.OnChange = s.registryChanged
	s.registry.PrincipalExists = s.certificateExists
	s.registry.TagExists = s.taggable()
	s.access.PrincipalExists = s.certificateExists
	s.access.Certificate = s.certificateOf
	return s.openIAM(ctx)
}

// openBroker brings back the sessions.
func (s *Server) openBroker(ctx context.Context) (err error) {
	s.broker, err = broker.New(ctx, broker.Config{
		Limits: s.limits, Store: s.db.Broker(s.config.Account), Guard: s.guard(), Journal: s.journal,
		Now: s.now, NewID: registry.NewUUID, Log: s.log,
	})
	return err
}

// openBridge brings back the outbound integrations. It is closed after the broker:
// until the last device is gone, its messages are kept for the far sides.
func (s *Server) openBridge(ctx context.Context) error {
	s.bridge = bridge.New(bridge.Config{
		Store: s.db.Bridge(s.config.Account), Broker: s.broker, Sealer: s.sealer, Journal: s.journal, Topics: s.limits.Topics,
		PayloadMax: s.limits.PayloadBytes, NewID: registry.NewUUID, Now: s.now, Log: s.log,
	})
	s.onClose(s.bridge.Close)
	return s.bridge.Start(ctx)
}

// openShadows hangs the shadow service on its topics.
func (s *Server) openShadows(context.Context) error {
	s.shadows = shadow.New(shadow.Config{
		Store: s.db.Shadows(s.config.Account), Publisher: s.broker, Now: s.now, Log: s.log,
	})
	s.onClose(s.shadows.Close)
	s.broker.Handle("$aws/things/+/shadow/#", s.shadows.Handler())
	s.onClose(func(ctx context.Context) error { // after the broker
		if s.gateway == nil {
			return nil
		}
		return s.gateway.Linger(ctx)
	})
	s.onClose(s.broker.Close)
	return nil
}

// openDoors makes the gateway; Run opens it.
func (s *Server) openDoors(context.Context) error {
	config := s.authority.ServerConfig()
	config.GetCertificate = s.serverCertificate
	s.gateway = gateway.New(gateway.Config{
		TLS: config, Broker: s.broker, BrokerOf: s.brokerOf, HTTP: s.doors(), Local: s.local(),
		Journal: s.journal, Now: s.now, Log: s.log, Versions: s.tlsVersions,
		HandshakeTimeout: s.config.HandshakeTimeout, Handshaking: s.config.Handshaking,
	})
	s.onClose(s.gateway.Close)
	s.onClose(func(context.Context) error { // before the door, which waits for its streams
		for _, h := range s.houses() {
			h.console.Close()
		}
		return nil
	})
	return nil
}

// Run opens the doors, calls ready when all of them listen, serves until ctx
// ends, and drains.
func (s *Server) Run(ctx context.Context, ready func(Endpoint)) error {
	endpoint, err := s.listen()
	if err != nil {
		return errors.Join(err, s.stop())
	}
	if err := s.writeEndpoints(endpoint); err != nil {
		return errors.Join(fmt.Errorf("cannot write to the data folder: %w", err), s.stop())
	}
	work, cancel := context.WithCancel(context.Background())
	var jobs sync.WaitGroup
	for _, job := range []func(context.Context){tuneCollector, s.authority.Run} {
		jobs.Go(func() { job(work) })
	}
	s.begin(work, &jobs)
	s.neighbors.begin(work)
	s.gateway.Start()
	s.log.Info("listening", "host", endpoint.Host, "tls", endpoint.Doors, "http", endpoint.HTTP, "profile", s.config.Profile)
	ready(endpoint)
	select {
	case <-ctx.Done():
	case err = <-s.ousted:
	}
	s.log.Info("stopping")
	cancel()
	jobs.Wait()
	s.neighbors.end()
	return errors.Join(err, s.stop())
}

// jobs run for an account as long as the server does.
func (s *Server) jobs() []func(context.Context) {
	return []func(context.Context){s.broker.Run, s.console.Run, s.bridge.Run, s.registry.Run, s.fleets.Run, s.provisioning.Run, s.housekeeping, s.holdOn}
}

// SignInPath is the console's one-time sign-in link without scheme and host. It
// is for the person who started the server, and for no file.
func (s *Server) SignInPath() string { return s.console.SignInPath() }

// stop closes with the time that the settings give.
func (s *Server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	return s.Close(ctx)
}

// Close ends everything, from the doors down to the database. It is called once.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i](ctx))
	}
	s.closers = nil
	return errors.Join(errs...)
}

// onClose adds something to close before everything that is open already.
func (s *Server) onClose(fn func(context.Context) error) { s.closers = append(s.closers, fn) }

// listen opens every door.
func (s *Server) listen() (Endpoint, error) {
	optional := ""
	if len(s.config.Listen) == 0 {
		s.config.Listen, optional = defaultDoors, ":443"
	}
	var doors []net.Addr
	for _, addr := range s.config.Listen {
		bound, err := s.gateway.ListenTLS(addr)
		if err != nil && addr == optional {
			s.log.Info("the door on port 443 stays closed", "reason", err)
			continue
		}
		if err != nil {
			return Endpoint{}, err
		}
		doors = append(doors, bound)
	}
	s.listening(portsOf(doors))
	plain, err := s.gateway.ListenPlain(s.config.HTTP)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{
		Host: s.config.Host[0], Port: doors[0].(*net.TCPAddr).Port, Doors: texts(doors), HTTP: plain.String(),
		Region: s.config.Region, Account: s.config.Account,
	}, nil
}

func portsOf(addrs []net.Addr) []int {
	all := make([]int, len(addrs))
	for i, addr := range addrs {
		all[i] = addr.(*net.TCPAddr).Port
	}
	return all
}

func texts(addrs []net.Addr) []string {
	all := make([]string, len(addrs))
	for i, addr := range addrs {
		all[i] = addr.String()
	}
	return all
}

// housekeeping does what is due now and then.
func (s *Server) housekeeping(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		for _, purge := range []func(context.Context) error{s.shadows.Purge, s.pki.PurgeClaims, s.provisioning.Purge, s.iam.Purge, s.warnOfExpiry} {
			if err := purge(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("housekeeping failed", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// logger writes to standard error.
func (c *Config) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the command line allows only valid ones
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// credentialsHost is the credential provider's address. Clients put a path
// behind it and nothing else, so a door that is not 443 must be in it.
func (s *Server) credentialsHost() string {
	doors := s.config.Listen
	if len(doors) == 0 {
		return s.config.Host[0] // the default doors include 443
	}
	port := ""
	for _, addr := range doors {
		_, p, _ := net.SplitHostPort(addr)
		if p == "443" {
			return s.config.Host[0]
		}
		if port == "" {
			port = p
		}
	}
	if _, err := strconv.Atoi(port); err != nil || port == "0" {
		return s.config.Host[0]
	}
	return net.JoinHostPort(s.config.Host[0], port)
}

// publisher lets nouns publish that are made before the broker.
type publisher struct{ s *Server }

// Publish implements message.Publisher.
func (p publisher) Publish(m message.Message, done message.Done) { p.s.broker.Publish(m, done) }
