package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/provisioning"
	"thingd/internal/registry"
)

// bucket is somebody's S3 in memory.
type bucket struct {
	mu    sync.Mutex
	files map[string]string
	input func() io.Reader // nil: the file "in"
}

func (b *bucket) Get(_ context.Context, name, key, role string) (io.ReadCloser, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, ok := b.files[key]
	if name != "b" || role != "r" || !ok {
		return nil, 0, errors.New("NoSuchKey")
	}
	if b.input != nil {
		return io.NopCloser(b.input()), -1, nil
	}
	return io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
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
	same(t, provisioning.Cancelled, h.ended(task.ID).Status)
}

func TestTaskDoesNotOutliveTheServer(t *testing.T) {
	b := &bucket{files: map[string]string{"in": ""}, input: func() io.Reader { return &endless{} }}
	h := newHouse(t, func(c *provisioning.Config) { c.Objects = b })
	task, err := h.StartTask(t.Context(), bulk, "b", "in", "r")
	must(t, err)
	must(t, h.Close(t.Context()))
	got := h.ended(task.ID)
	same(t, provisioning.Failed, got.Status)
	same(t, "the server was stopped while the task ran", got.Message)

	// A server that was killed had no time to say so.
	must(t, h.config.Store.Update(t.Context(), func(tx provisioning.Tx) error {
		got.Status, got.Message = provisioning.InProgress, ""
		return tx.PutTask(got)
	}))
	again := provisioning.New(h.config)
	must(t, again.RecoverTasks(t.Context()))
	got, err = again.Task(t.Context(), task.ID)
	must(t, err)
	same(t, provisioning.Failed, got.Status)
	must(t, again.Close(t.Context()))
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
