package store

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// node is what a server has of provisioning. Several share a database, an S3 and
// a clock.
type node struct {
	*provisioning.Service
	cell     *cell
	db       *DB
	leases   *lease.Service
	registry *registry.Service
	pki      *pki.Service
	access   *access.Service
}

// cell is the nodes' common world.
type cell struct {
	t     *testing.T
	ahead atomic.Int64
	files *files
	ca    *pki.Authority
}

func (c *cell) now() time.Time {
	return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.ahead.Load()))
}

var cellScope = arn.Scope{Region: "us-east-1", Account: "111122223333"}

// node opens another server on the database at address.
func (c *cell) node(name, address string, change ...func(*node)) *node {
	c.t.Helper()
	db, err := Open(context.Background(), address, quiet())
	if err != nil {
		c.t.Fatal(err)
	}
	account := cellScope.Account
	n := &node{cell: c, db: db}
	n.registry = n.newRegistry(db.Registry(account))
	n.access = access.New(access.Config{Store: db.Access(account), Scope: cellScope, Now: c.now, Log: quiet()})
	n.pki = n.newPKI(db.PKI(account))
	for _, f := range change {
		f(n)
	}
	n.leases = lease.New(lease.Config{Store: db.Leases(account), Holder: name, Now: c.now, Every: time.Hour, Log: quiet()})
	n.Service = provisioning.New(provisioning.Config{Store: db.Provisioning(account), Scope: cellScope, Registry: n.registry, PKI: n.pki,
		Access: n.access, Objects: c.files, Leases: n.leases, Now: c.now, Log: quiet()})
	c.t.Cleanup(func() {
		_ = n.Close(context.Background())
		_ = db.Close()
	})
	return n
}

func (n *node) newPKI(s pki.Store) *pki.Service {
	return pki.New(pki.Config{Store: s, Scope: cellScope, Issuer: n.cell.ca, Now: n.cell.now})
}

func (n *node) newRegistry(s registry.Store) *registry.Service {
	return registry.New(registry.Config{Store: s, Scope: cellScope, Now: n.cell.now})
}

// files are an S3 in memory. The first reader of the input is held after the
// first half of it.
type files struct {
	mu      sync.Mutex
	input   string
	half    int
	first   bool // somebody has come
	reached chan struct{}
	pass    chan struct{}
	reports map[string]string
}

func (f *files) Get(context.Context, string, string, string, string) (provisioning.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body := io.Reader(strings.NewReader(f.input))
	if !f.first {
		f.first = true
		body = io.MultiReader(strings.NewReader(f.input[:f.half]), (*held)(f), strings.NewReader(f.input[f.half:]))
	}
	return provisioning.Object{Body: io.NopCloser(body), Length: int64(len(f.input)), Version: "1"}, nil
}

func (f *files) Put(_ context.Context, _, key string, body io.ReadSeeker) error {
	text, err := io.ReadAll(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports[key] = string(text)
	return err
}

func (f *files) Presign(context.Context, string, string, time.Duration) (string, error) {
	return "", nil
}

// held is a reader that is empty, once it may be.
type held files

func (h *held) Read([]byte) (int, error) {
	close(h.reached)
	<-h.pass
	return 0, io.EOF
}

const bulkTemplate = `{"Parameters":{"ThingName":{"Type":"String"},"CSR":{"Type":"String"}},"Resources":{
 "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"}}},
 "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateSigningRequest":{"Ref":"CSR"}}}}}`

const ownPolicy = `{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}}}`

const bulkLines = 40

// TestAnotherServerGoesOn: of two servers on one database one goes through a task,
// the other takes it over when the first is gone, and each device is registered
// once.
func TestAnotherServerGoesOn(t *testing.T) {
	ca, err := pki.OpenAuthority(t.TempDir(), pki.Options{Log: quiet(), Local: func() []string { return []string{"localhost"} }})
	if err != nil {
		t.Fatal(err)
	}
	eachEngineAddress(t, func(t *testing.T, address string) {
		takeOver(t, ca, address, func(first *node, _ provisioning.Task) {
			if err := first.db.Close(); err != nil { // nothing of it reaches the database any more
				t.Error(err)
			}
		})
	})
}

// TestAServerThatWakesUpWritesNothing: one that slept while another took its task
// over does nothing with the lines that it meets then.
func TestAServerThatWakesUpWritesNothing(t *testing.T) {
	ca, err := pki.OpenAuthority(t.TempDir(), pki.Options{Log: quiet(), Local: func() []string { return []string{"localhost"} }})
	if err != nil {
		t.Fatal(err)
	}
	eachEngineAddress(t, func(t *testing.T, address string) { takeOver(t, ca, address, fallAsleep) })
}

// fallAsleep waits until a server is through with the lines that it has got. A lease
// ends for its holder some seconds before it does for others, so that nobody is in
// the middle of a line when it changes hands.
func fallAsleep(first *node, task provisioning.Task) {
	for done := 0; done < bulkLines/2; time.Sleep(time.Millisecond) {
		err := first.db.Provisioning(cellScope.Account).View(context.Background(), func(tx provisioning.Tx) error {
			counts, err := tx.CountOutcomes(task.ID)
			done = counts[provisioning.Made]
			return err
		})
		if err != nil {
			panic(err)
		}
	}
}

func takeOver(t *testing.T, ca *pki.Authority, address string, end func(first *node, task provisioning.Task)) {
	c := &cell{t: t, ca: ca, files: &files{reached: make(chan struct{}), pass: make(chan struct{}), reports: map[string]string{}}}
	for i := range bulkLines {
		if i == bulkLines/2 {
			c.files.half = len(c.files.input)
		}
		c.files.input += fmt.Sprintf("%s\n", marshal(t, map[string]string{"ThingName": fmt.Sprint("a", i), "CSR": request(t)}))
	}
	first, second := c.node("first", address), c.node("second", address)
	task, err := first.StartTask(t.Context(), bulkTemplate, "b", "in", "r")
	if err != nil {
		t.Fatal(err)
	}
	<-c.files.reached
	if err := second.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := second.leases.Take(t.Context(), "registration-task/"+task.ID); !errors.Is(err, lease.ErrTaken) {
		t.Fatalf("the second server finds the first one's lease: %v", err)
	}
	end(first, task)
	c.ahead.Add(int64(lease.Life))
	c.through(second, task)
	close(c.files.pass) // now the first server sees the other half
	c.letGo(first, task)
	got, err := second.Task(t.Context(), task.ID)
	if err != nil || got.Status != provisioning.Completed || got.Successes != bulkLines || got.Failures != 0 {
		t.Errorf("the task ended as %+v, error %v", got, err)
	}
	if n := strings.Count(c.files.reports["thing-registration-tasks/"+task.ID+"/results.ndjson"], "\n"); n != bulkLines {
		t.Errorf("the report has %d lines", n)
	}
	c.registered(second, bulkLines)
}

// through lets a server take a task over and waits until it has ended.
func (c *cell) through(n *node, task provisioning.Task) provisioning.Task {
	c.t.Helper()
	for !task.Ended() { // nobody tells of a task's end, nor of a lease that could not be taken yet
		if err := n.Resume(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
		var err error
		if task, err = n.Task(c.t.Context(), task.ID); err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	return task
}

// letGo waits until a server that lost a task has noticed: it has no lease to give
// back, but holds its name until then.
func (c *cell) letGo(n *node, task provisioning.Task) {
	c.t.Helper()
	for {
		again, err := n.leases.Take(c.t.Context(), "registration-task/"+task.ID)
		if err == nil {
			again.Release(c.t.Context())
		}
		if !errors.Is(err, lease.ErrTaken) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// registered expects a certificate and a thing for each device.
func (c *cell) registered(n *node, devices int) {
	c.t.Helper()
	certificates, _, err := n.pki.List(c.t.Context(), pki.Page{Size: 250})
	if err != nil || len(certificates) != devices {
		c.t.Errorf("%d certificates for %d devices, error %v", len(certificates), devices, err)
	}
	things, _, err := n.registry.Things(c.t.Context(), registry.ThingFilter{}, registry.Page{Size: 250})
	if err != nil || len(things) != devices {
		c.t.Errorf("%d things for %d devices, error %v", len(things), devices, err)
	}
}

// frozen lets a server fall asleep in the middle of a line, at one of its writes of
// one kind, until it may go on.
type frozen struct {
	before  atomic.Int64 // writes before that one
	reached chan struct{}
	pass    chan struct{}
}

// here says whether this was where it slept.
func (f *frozen) here() (slept bool) {
	if f.before.Add(-1) != -1 {
		return false
	}
	close(f.reached)
	<-f.pass
	return true
}

type (
	frozenPKI struct {
		pki.Store
		*frozen
	}
	frozenThings struct {
		registry.Store
		*frozen
	}
)

func (f frozenPKI) Update(ctx context.Context, fn func(pki.Tx) error) error {
	f.here()
	return f.Store.Update(ctx, fn)
}

// Update finds no connection any more after so long a sleep.
func (f frozenThings) Update(ctx context.Context, fn func(registry.Tx) error) error {
	if f.here() {
		return errors.New("the connection is lost")
	}
	return f.Store.Update(ctx, fn)
}

// TestAServerThatWakesUpInALineChangesNothing: one that slept in the middle of a
// line, while another server took the task over and went through that line, makes
// no second certificate of it, and takes nothing from the other.
func TestAServerThatWakesUpInALineChangesNothing(t *testing.T) {
	ca, err := pki.OpenAuthority(t.TempDir(), pki.Options{Log: quiet(), Local: func() []string { return []string{"localhost"} }})
	if err != nil {
		t.Fatal(err)
	}
	for name, where := range map[string]func(n *node, f *frozen){
		"before the certificate": func(n *node, f *frozen) { n.pki = n.newPKI(frozenPKI{n.db.PKI(cellScope.Account), f}) },
		"before the attachment": func(n *node, f *frozen) {
			f.before.Store(1) // makes the thing
			n.registry = n.newRegistry(frozenThings{n.db.Registry(cellScope.Account), f})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachEngineAddress(t, func(t *testing.T, address string) {
				c := &cell{t: t, ca: ca, files: &files{first: true, reports: map[string]string{}}}
				c.files.input = string(marshal(t, map[string]string{"ThingName": "a", "CSR": request(t)}))
				sleep := &frozen{reached: make(chan struct{}), pass: make(chan struct{})}
				first, second := c.node("first", address, func(n *node) { where(n, sleep) }), c.node("second", address)
				task, err := first.StartTask(t.Context(), strings.Replace(bulkTemplate, `"Resources":{`, `"Resources":{"p":`+ownPolicy+`,`, 1), "b", "in", "r")
				if err != nil {
					t.Fatal(err)
				}
				<-sleep.reached
				c.ahead.Add(int64(lease.Life))
				got := c.through(second, task)
				close(sleep.pass)
				c.letGo(first, task)
				if got.Status != provisioning.Completed || got.Successes != 1 {
					t.Errorf("the task ended as %+v", got)
				}
				c.registered(second, 1)
				links, _, err := second.registry.ThingPrincipals(t.Context(), "a", nil, registry.Page{})
				if err != nil || len(links) != 1 {
					t.Fatalf("the thing has %v, error %v", links, err)
				}
				if has, err := second.access.HasPolicies(t.Context(), links[0].Principal); err != nil || !has {
					t.Errorf("the certificate has no policy any more, error %v", err)
				}
			})
		})
	}
}

// TestAnotherServerImports: a manifest that one server was sent is imported by
// another.
func TestAnotherServerImports(t *testing.T) {
	eachEngineAddress(t, func(t *testing.T, address string) {
		c := &cell{t: t, files: &files{}}
		first, second := c.node("first", address), c.node("second", address)
		job, err := first.OpenImport(t.Context(), provisioning.ImportOrder{Format: manifest.Infineon})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		for i := range bulkLines {
			text.WriteString(certificateText(t, fmt.Sprint("chip", i)))
		}
		half := text.Len() / 2
		for number, part := range [][]byte{text.Bytes()[:half], text.Bytes()[half:]} {
			if err := first.PutManifestPart(t.Context(), job.ID, number+1, part); err != nil {
				t.Fatal(err)
			}
		}
		_ = first.Close(context.Background()) // it begins nothing any more
		if _, err := first.StartUploaded(t.Context(), job.ID); err != nil {
			t.Fatal(err)
		}
		if err := second.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		for !job.Ended() {
			if job, err = second.ImportJob(t.Context(), job.ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) // nobody tells of an import's end
		}
		if job.Status != provisioning.Completed || job.New != bulkLines {
			t.Errorf("the import ended as %+v", job)
		}
	})
}

// eachEngineAddress is eachEngine for tests that open the database themselves.
func eachEngineAddress(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "thingd.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresSchema(t)) })
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// request makes a certificate signing request.
func request(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func certificateText(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestLeasesKeepWhatIsPut(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		row := lease.Row{Name: "a", Holder: "h", Fence: 1 << 40, Expires: time.UnixMilli(1_700_000_000_123).UTC()}
		other := lease.Row{Name: "a", Holder: "other", Fence: 2, Expires: row.Expires}
		one, two := db.Leases("1"), db.Leases("2")
		if err := one.Update(t.Context(), func(tx lease.Tx) error { return firstError(tx.PutLease(other), tx.PutLease(row)) }); err != nil {
			t.Fatal(err)
		}
		err := one.Update(t.Context(), func(tx lease.Tx) error {
			same(t, row)(tx.Lease("a"))
			absent(t)(tx.Lease("b"))
			return nil
		})
		err = errors.Join(err, two.Update(t.Context(), func(tx lease.Tx) error {
			absent(t)(tx.Lease("a"))
			return tx.DeleteLease("a")
		}), one.Update(t.Context(), func(tx lease.Tx) error {
			same(t, row)(tx.Lease("a"))
			return tx.DeleteLease("a")
		}), one.View(t.Context(), func(tx lease.Tx) error {
			absent(t)(tx.Lease("a"))
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	})
}
