package edgefleet_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"thingd/internal/edgefleet"
	"thingd/internal/iam"
	"thingd/internal/registry"
)

func job(name string) edgefleet.Job {
	return edgefleet.Job{Name: name, CompilationJob: "c", Model: "model", Version: "1.0", RoleARN: roleARN, Output: output}
}

// role makes the role that jobs run with.
func (h *house) role() {
	h.t.Helper()
	_, err := h.iam.CreateRole(h.t.Context(), iam.Role{Name: "edge", Trust: trust})
	h.ok(err)
}

// work runs jobs until the test calls the function that it gives.
func (h *house) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	return func() { cancel(); <-done }
}

// over waits until a job is over.
func (h *house) over(name string) edgefleet.Job {
	h.t.Helper()
	for {
		j, err := h.Job(h.t.Context(), name)
		h.ok(err)
		switch j.Status {
		case edgefleet.JobCompleted, edgefleet.JobFailed, edgefleet.JobStopped:
			return j
		}
		time.Sleep(time.Millisecond)
	}
}

func TestJobCompletesWhereTheArtifactIs(t *testing.T) {
	h := open(t)
	h.role()
	h.shelf.objects["models/out/model-1.0.tar.gz"] = "abc"
	defer h.work()()
	h.ok(h.CreateJob(t.Context(), job("J"), nil))
	want := job("J")
	want.Status, want.Created, want.Modified = edgefleet.JobCompleted, h.now, h.now
	want.Artifact, want.SHA1 = "s3://models/out/model-1.0.tar.gz", "a9993e364706816aba3e25717850c26c9cd0d89d"
	same(t, want, h.over("j"))
	h.ok(h.StopJob(t.Context(), "j")) // too late
	same(t, want, h.over("j"))
}

func TestJobFailsAndSaysWhy(t *testing.T) {
	for title, test := range map[string]struct {
		artifacts edgefleet.Artifacts
		role      bool
		want      string
	}{
		"no S3": {nil, true,
			"thingd does not compile models, and no S3 is in reach to look for the finished s3://models/out/model-1.0.tar.gz"},
		"no role": {&shelf{}, false,
			"role arn:aws:iam::111122223333:role/edge does not exist or does not trust sagemaker.amazonaws.com: InvalidRequest: Unable to assume the role, or the role to assume does not exist: there is no role arn:aws:iam::111122223333:role/edge"},
		"no artifact": {&shelf{}, true,
			"thingd does not compile models, and the finished s3://models/out/model-1.0.tar.gz could not be read: ResourceNotFound: there is no object out/model-1.0.tar.gz in bucket models"},
	} {
		t.Run(title, func(t *testing.T) {
			h := open(t)
			h.wire(test.artifacts)
			if test.role {
				h.role()
			}
			defer h.work()()
			h.ok(h.CreateJob(t.Context(), job("j"), nil))
			got := h.over("j")
			same(t, edgefleet.JobFailed, got.Status)
			same(t, test.want, got.Message)
		})
	}
}

func TestStopJob(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.role()
	h.ok(h.CreateJob(ctx, job("waiting"), nil))
	h.ok(h.StopJob(ctx, "waiting"))
	same(t, edgefleet.JobStopped, h.over("waiting").Status)

	h.shelf.objects["models/out/model-1.0.tar.gz"] = "abc"
	h.shelf.reached, h.shelf.goOn = make(chan struct{}), make(chan struct{})
	defer h.work()()
	h.ok(h.CreateJob(ctx, job("running"), nil))
	<-h.shelf.reached
	h.ok(h.StopJob(ctx, "running"))
	j, err := h.Job(ctx, "running")
	h.ok(err)
	same(t, edgefleet.JobStopping, j.Status)
	h.shelf.goOn <- struct{}{}
	j = h.over("running")
	same(t, []any{edgefleet.JobStopped, ""}, []any{j.Status, j.Artifact})
	h.refused(h.StopJob(ctx, "no"), "ResourceNotFound: Edge packaging job no does not exist")
}

// A job that a stop of the server interrupted is done after its start.
func TestInterruptedJobIsDoneAgain(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.role()
	h.shelf.objects["models/out/model-1.0.tar.gz"] = "abc"
	h.shelf.reached, h.shelf.goOn = make(chan struct{}), make(chan struct{})
	stop := h.work()
	h.ok(h.CreateJob(ctx, job("j"), nil))
	<-h.shelf.reached
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for over := false; !over; { // the artifact comes when the server is stopping already
		select {
		case h.shelf.goOn <- struct{}{}:
		case <-h.shelf.reached:
		case <-stopped:
			over = true
		}
	}
	h.shelf.reached = nil
	defer h.work()()
	same(t, edgefleet.JobCompleted, h.over("j").Status)
}

func TestJobRefusals(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.ok(h.CreateJob(ctx, job("j"), nil))
	h.refused(h.CreateJob(ctx, job("J"), nil), "ResourceAlreadyExists: Edge packaging job J already exists")
	foreign := job("k")
	foreign.RoleARN = "arn:aws:iam::999999999999:role/x"
	h.refused(h.CreateJob(ctx, foreign, nil), "InvalidRequest: ")
	nowhere := job("k")
	nowhere.Output.S3Location = "https://bucket/x"
	h.refused(h.CreateJob(ctx, nowhere, nil), `InvalidRequest: S3OutputLocation "https://bucket/x" is not of the form s3://bucket/prefix`)
}

func TestJobLists(t *testing.T) {
	h, ctx := open(t), t.Context()
	for _, name := range []string{"c", "a", "B"} {
		j := job(name)
		j.Model = map[string]string{"c": "X-model", "a": "y-model", "B": "x-model"}[name]
		h.ok(h.CreateJob(ctx, j, nil))
		h.now = h.now.Add(time.Second)
	}
	h.ok(h.StopJob(ctx, "a"))
	for want, q := range map[string]edgefleet.Query{
		"c a B":  {},
		"B c a":  {Sort: edgefleet.ByModel},
		"a c B":  {Sort: edgefleet.ByModel, Descending: true},
		"B c":    {Sort: edgefleet.ByName, ModelContains: "X-"},
		"B c a ": {Sort: edgefleet.ByStatus},
		"a":      {Status: edgefleet.JobStopped},
		"c B a":  {Sort: edgefleet.ByChange},
	} {
		got := pages(h, func(j edgefleet.Job) string { return j.Name }, func(p registry.Page) ([]edgefleet.Job, string, error) {
			return h.Jobs(ctx, q, p)
		})
		same(t, strings.TrimSpace(want), got)
	}
}
