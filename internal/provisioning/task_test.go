package provisioning_test

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
)

// bucket is somebody's S3 in memory.
type bucket struct {
	mu      sync.Mutex
	files   map[string]string
	input   func() io.Reader // nil: the file "in"
	version string           // of all of them
}

func (b *bucket) Get(_ context.Context, _, name, key, role string) (provisioning.Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, ok := b.files[key]
	if name != "b" || role != "r" || !ok {
		return provisioning.Object{}, errors.New("NoSuchKey")
	}
	if b.input != nil {
		return provisioning.Object{Body: io.NopCloser(b.input()), Length: -1}, nil
	}
	return provisioning.Object{Body: io.NopCloser(strings.NewReader(text)), Length: int64(len(text)), Version: b.version}, nil
}

func (b *bucket) Put(_ context.Context, _, key string, body io.ReadSeeker) error {
	text, err := io.ReadAll(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[key] = string(text)
	return err
}

func (b *bucket) Presign(_ context.Context, name, key string, _ time.Duration) (string, error) {
	return "https://s3/" + name + "/" + key, nil
}

// ended waits for the end of a task: its Close is what a server waits for, too.
func (h *house) ended(id string) provisioning.Task {
	h.t.Helper()
	for {
		task, err := h.Task(context.Background(), id)
		must(h.t, err)
		if task.Status != provisioning.InProgress && task.Status != provisioning.Cancelling {
			return task
		}
		time.Sleep(time.Millisecond) // the task tells nobody when it ends
	}
}

// lines gives a report by line number.
func lines(t *testing.T, report string) map[int]map[string]any {
	t.Helper()
	all := map[int]map[string]any{}
	for _, text := range strings.Split(strings.TrimSpace(report), "\n") {
		var line map[string]any
		must(t, json.Unmarshal([]byte(text), &line))
		all[int(line["lineNumber"].(float64))] = line
	}
	return all
}

func TestTaskRegistersEveryLineAndReportsEach(t *testing.T) {
	b := &bucket{files: map[string]string{}}
	h := newHouse(t, func(c *provisioning.Config) { c.Objects = b })
	h.furnish()
	line := func(name string) string {
		return object(t, map[string]string{"ThingName": name, "SerialNumber": "7", "CSR": csr(t, name)}) + "\n"
	}
	b.files["in"] = line("a1") + "\n" + line("a 2") + "no JSON\n" + strings.Repeat("x", 300<<10) + "\n" + strings.TrimSpace(line("a3"))
	task, err := h.StartTask(t.Context(), bulk, "b", "in", "r")
	must(t, err)
	got := h.ended(task.ID)
	same(t, provisioning.Task{ID: task.ID, TemplateBody: bulk, Bucket: "b", Key: "in", RoleARN: "r", Status: provisioning.Completed,
		Successes: 2, Failures: 3, Percent: 100, Created: start, Modified: start}, got)

	results, failures := lines(t, b.files["thing-registration-tasks/"+task.ID+"/results.ndjson"]), lines(t, b.files["thing-registration-tasks/"+task.ID+"/errors.ndjson"])
	response := results[6]["response"].(map[string]any)
	same(t, "arn:aws:iot:us-east-1:111122223333:thing/a3", response["resourceArns"].(map[string]any)["thing"])
	same(t, 2, len(results))
	same(t, map[string]any{"lineNumber": 5.0, "errorCode": "InvalidRequest", "errorMessage": "the line is longer than 262144 bytes"}, failures[5])
	same(t, 3, len(failures))
	for report, name := range map[provisioning.Report]string{provisioning.Results: "results", provisioning.Errors: "errors"} {
		links, err := h.ReportLinks(t.Context(), task.ID, report)
		must(t, err)
		same(t, []string{"https://s3/b/thing-registration-tasks/" + task.ID + "/" + name + ".ndjson"}, links)
	}
	all, next, err := h.Tasks(t.Context(), provisioning.Completed, registry.Page{})
	must(t, err)
	same(t, []provisioning.Task{got}, all)
	same(t, "", next)
	wants(t, h.StopTask(t.Context(), task.ID), "InvalidRequest", "Thing registration task "+task.ID+" is Completed")
}

func TestTaskFailsWithoutInput(t *testing.T) {
	h := newHouse(t, func(c *provisioning.Config) { c.Objects = &bucket{files: map[string]string{}} })
	task, err := h.StartTask(t.Context(), bulk, "b", "in", "r")
	must(t, err)
	got := h.ended(task.ID)
	same(t, provisioning.Failed, got.Status)
	same(t, "the input cannot be read: NoSuchKey", got.Message)
	_, err = h.StartTask(t.Context(), `{}`, "b", "in", "r")
	wants(t, err, "InvalidRequest", "The template has no Resources")
	_, err = h.ReportLinks(t.Context(), "none", provisioning.Errors)
	wants(t, err, "ResourceNotFound", "Thing registration task none does not exist")
}

func TestTaskIsRefusedWithoutS3(t *testing.T) {
	_, err := newHouse(t).StartTask(t.Context(), bulk, "b", "in", "r")
	wants(t, err, "NotImplemented", "thing registration tasks need S3")
}

// endless gives lines for as long as it is read.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n++
	return copy(p, fmt.Sprintf("no JSON %d\n", e.n)), nil
}

func TestTaskStops(t *testing.T) {
	b := &bucket{files: map[string]string{"in": ""}, input: func() io.Reader { return &endless{} }}
	h := newHouse(t, func(c *provisioning.Config) { c.Objects = b })
	task, err := h.StartTask(t.Context(), bulk, "b", "in", "r")
	must(t, err)
	_, err = h.StartTask(t.Context(), bulk, "b", "in", "r")
	wants(t, err, "InvalidRequest", "Thing registration task "+task.ID+" is in progress; one can run at a time")
	must(t, h.StopTask(t.Context(), task.ID))
	must(t, h.StopTask(t.Context(), task.ID))
	same(t, "", h.ended(task.ID).Message)
	same(t, provisioning.Cancelled, h.ended(task.ID).Status)
}

// restart gives the provisioning of the next server on the same database.
func (h *house) restart() {
	h.t.Helper()
	must(h.t, h.Close(context.Background()))
	h.Service = provisioning.New(h.config)
	must(h.t, h.Resume(context.Background()))
}

// gate lets a reader of the input pass the first lines and holds it there.
type gate struct {
	io.Reader
	first string // still to be read without waiting
	held  chan struct{}
	pass  <-chan struct{}
}

func (g *gate) Read(p []byte) (int, error) {
	if g.first != "" {
		n := copy(p, g.first)
		g.first = g.first[n:]
		return n, nil
	}
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
	<-g.pass
	return g.Reader.Read(p)
}

func TestTaskGoesOnAfterTheServersEnd(t *testing.T) {
	held, pass := make(chan struct{}), make(chan struct{})
	b := &bucket{files: map[string]string{"in": ""}, version: "1"}
	h := newHouse(t, func(c *provisioning.Config) { c.Objects = b })
	h.furnish()
	const n = 60
	var first, rest strings.Builder
	for i := range n {
		part := &first
		if i >= n/2 {
			part = &rest
		}
		fmt.Fprintf(part, "%s\n", object(t, map[string]string{"ThingName": fmt.Sprint("a", i), "SerialNumber": "7", "CSR": csr(t, "x")}))
	}
	first.WriteString("no JSON\n")
	whole := first.String() + rest.String()
	gated := &gate{Reader: strings.NewReader(rest.String()), first: first.String(), held: held, pass: pass}
	b.input = func() io.Reader {
		if gated == nil {
			return strings.NewReader(whole)
		}
		defer func() { gated = nil }()
		return gated
	}
	task, err := h.StartTask(t.Context(), bulk, "b", "in", "r")
	must(t, err)
	<-held                                                   // some of the first lines are done, some under way
	time.AfterFunc(time.Millisecond, func() { close(pass) }) // Close waits for the reader
	h.restart()
	h.restart() // once more, wherever it is

	got := h.ended(task.ID)
	same(t, provisioning.Task{ID: task.ID, TemplateBody: bulk, Bucket: "b", Key: "in", RoleARN: "r", Status: provisioning.Completed,
		Successes: n, Failures: 1, Percent: 100, Created: start, Modified: start}, got)
	same(t, n, len(lines(t, b.files["thing-registration-tasks/"+task.ID+"/results.ndjson"])))
	same(t, n, strings.Count(b.files["thing-registration-tasks/"+task.ID+"/results.ndjson"], "\n"))
	same(t, 1, strings.Count(b.files["thing-registration-tasks/"+task.ID+"/errors.ndjson"], "\n"))
	certs, _, err := h.pki.List(t.Context(), pki.Page{Size: 250})
	must(t, err)
	same(t, n, len(certs))
	h.restart() // what is left of a task goes after its status
	h.forgotten(task.ID)
}

// forgotten checks that nothing of a job lies about.
func (h *house) forgotten(job string) {
	h.t.Helper()
	must(h.t, h.config.Store.View(context.Background(), func(tx provisioning.Tx) error {
		left, err := tx.Outcomes(job, "", -1, 5)
		same(h.t, []provisioning.Outcome{}, left)
		return err
	}))
}

// A line that the server's end tore is done again with the certificate that it
// had made, wherever it was torn.
func TestTornLineEndsAsIfItHadNotBeen(t *testing.T) {
	a := newAuthority(t)
	for name, tear := range map[string]func(*house) (id pki.CertificateID, parameters map[string]string, template string){
		"before the certificate was kept": func(h *house) (pki.CertificateID, map[string]string, string) {
			return "00", map[string]string{"CSR": csr(t, "x")}, bulk
		},
		"behind the certificate": func(h *house) (pki.CertificateID, map[string]string, string) {
			request := csr(t, "x")
			cert, err := h.pki.CreateFromCSR(t.Context(), request, pki.Order{})
			must(t, err)
			return cert.ID, map[string]string{"CSR": request}, bulk
		},
		"behind the attachments": func(h *house) (pki.CertificateID, map[string]string, string) {
			request := csr(t, "x")
			cert, err := h.pki.CreateFromCSR(t.Context(), request, pki.Order{})
			must(t, err)
			_, err = h.registry.CreateThing(t.Context(), registry.NewThing{Name: "a1", Type: "sensor", Attributes: map[string]string{"serial": "7"}})
			must(t, err)
			must(t, h.registry.AttachThingPrincipal(t.Context(), "a1", h.pki.ARN(cert.ID), false))
			must(t, h.pki.SetStatus(t.Context(), cert.ID, pki.Active))
			return cert.ID, map[string]string{"CSR": request}, bulk
		},
		"behind the registration of the maker's certificate": func(h *house) (pki.CertificateID, map[string]string, string) {
			h.registerCA(a)
			leaf := a.leaf(t, pkix.Name{CommonName: "x"})
			cert, err := h.pki.Register(t.Context(), text(leaf), "", pki.Inactive)
			must(t, err)
			return cert.ID, map[string]string{"PEM": text(leaf)}, `{"Parameters":{"PEM":{"Type":"String"},"ThingName":{"Type":"String"}},"Resources":{
 "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"}}},
 "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":{"Ref":"PEM"}}}}}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bucket{files: map[string]string{}}
			h := newHouse(t, func(c *provisioning.Config) { c.Objects = b })
			h.furnish()
			id, parameters, template := tear(h)
			parameters["ThingName"], parameters["SerialNumber"] = "a1", "7"
			b.files["in"] = object(t, parameters)
			task := provisioning.Task{ID: "1", TemplateBody: template, Bucket: "b", Key: "in", RoleARN: "r", Status: provisioning.InProgress, Created: start}
			must(t, h.config.Store.Update(t.Context(), func(tx provisioning.Tx) error {
				if err := tx.PutOutcome("1", provisioning.Outcome{Line: 1, State: provisioning.Begun, Text: string(id)}); err != nil {
					return err
				}
				return tx.PutTask(task)
			}))
			h.restart()
			got := h.ended("1")
			same(t, provisioning.Completed, got.Status)
			same(t, "", b.files["thing-registration-tasks/1/errors.ndjson"])
			certs, _, err := h.pki.List(t.Context(), pki.Page{})
			must(t, err)
			same(t, 1, len(certs))
			same(t, pki.Active, certs[0].Status)
			links, _, err := h.registry.ThingPrincipals(t.Context(), "a1", nil, registry.Page{})
			must(t, err)
			same(t, []registry.Link{{Thing: "a1", Principal: h.pki.ARN(certs[0].ID)}}, links)
			h.restart()
			h.forgotten("1")
		})
	}
}

// forgetful is a store that cannot keep outcomes.
type forgetful struct{ provisioning.Store }

func (f forgetful) Update(ctx context.Context, fn func(provisioning.Tx) error) error {
	return f.Store.Update(ctx, func(tx provisioning.Tx) error { return fn(withoutOutcomes{tx}) })
}

type withoutOutcomes struct{ provisioning.Tx }

func (withoutOutcomes) PutOutcome(string, provisioning.Outcome) error { return errors.New("disk full") }

func TestTaskThatCannotKeepItsOutcomesFails(t *testing.T) {
	b := &bucket{files: map[string]string{"in": "{}"}}
	h := newHouse(t, func(c *provisioning.Config) { c.Objects, c.Store = b, forgetful{c.Store} })
	task, err := h.StartTask(t.Context(), bulk, "b", "in", "r")
	must(t, err)
	got := h.ended(task.ID)
	same(t, provisioning.Failed, got.Status)
	same(t, "the outcome of line 1 cannot be kept: disk full", got.Message)
}

func TestTaskWhoseInputWasChangedMeanwhileFails(t *testing.T) {
	b := &bucket{files: map[string]string{"in": "x"}, version: "2"}
	h := newHouse(t, func(c *provisioning.Config) { c.Objects = b })
	task := provisioning.Task{ID: "1", TemplateBody: bulk, Bucket: "b", Key: "in", RoleARN: "r", Status: provisioning.InProgress, InputVersion: "1", Created: start}
	stopped := provisioning.Task{ID: "2", TemplateBody: bulk, Bucket: "b", Key: "in", RoleARN: "r", Status: provisioning.Cancelling, Created: start}
	must(t, h.config.Store.Update(t.Context(), func(tx provisioning.Tx) error {
		outcome := provisioning.Outcome{Line: 1, State: provisioning.Broken, Text: `{"lineNumber":1}`}
		return errors.Join(tx.PutTask(task), tx.PutTask(stopped), tx.PutOutcome("2", outcome), tx.PutOutcome("3", outcome))
	}))
	h.restart()
	got := h.ended("1")
	same(t, provisioning.Failed, got.Status)
	same(t, "the input has changed since the task began to read it", got.Message)
	got = h.ended("2")
	same(t, provisioning.Cancelled, got.Status)
	same(t, 1, got.Failures)
	same(t, "{\"lineNumber\":1}\n", b.files["thing-registration-tasks/2/errors.ndjson"])
	h.forgotten("3")
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{}\n{\"ThingName\":\"x\"}\n\nno"))
	b := &bucket{files: map[string]string{"in": ""}}
	h := newHouse(f, func(c *provisioning.Config) { c.Objects = b })
	f.Fuzz(func(t *testing.T, input []byte) {
		h.t = t
		b.input = func() io.Reader { return bytes.NewReader(input) }
		task, err := h.StartTask(context.Background(), `{"Resources":{},"Parameters":{"ThingName":{"Type":"String"}}}`, "b", "in", "r")
		must(t, err)
		if got := h.ended(task.ID); got.Status != provisioning.Completed {
			t.Errorf("%s: %s", got.Status, got.Message)
		}
	})
}
