package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/edgefleet"
	"thingd/internal/iam"
	"thingd/internal/registry"
)

func TestAFleetAndItsDevicesAreEdited(t *testing.T) {
	h := open(t)
	b := h.root(t)
	for _, name := range []string{"one", "two"} {
		_, err := h.IAM.CreateRole(t.Context(), iam.Role{Name: name, Trust: trustOf(trusted)})
		must(t, err)
	}
	must(t, h.Fleets.CreateFleet(t.Context(), edgefleet.Fleet{
		Name: "demo", RoleARN: h.Scope.IAM("role/one"), Output: edgefleet.Output{S3Location: "s3://a", KMSKeyID: "k"},
	}, nil, nil))
	must(t, h.Fleets.Register(t.Context(), "demo", []edgefleet.Device{{Name: "cam", Thing: "old"}}, nil))
	has(t, b.get(t, "/console/fleets/demo", http.StatusOK), `value="s3://a"`, `name="alias" value="yes" checked`, "/console/fleets/demo?device=cam#device-form")

	change := func(role, output, alias string) url.Values {
		return url.Values{"description": {"the first"}, "role": {role}, "output": {output}, "alias": {alias}}
	}
	b.post(t, "/console/fleets/demo", change("", "nowhere", "yes"), http.StatusBadRequest)
	b.post(t, "/console/fleets/demo", change(h.Scope.IAM("role/two"), "s3://b", "yes"), http.StatusOK)
	want := edgefleet.Fleet{
		Name: "demo", Description: "the first", RoleARN: h.Scope.IAM("role/two"), RoleAlias: "SageMakerEdge-demo",
		Output: edgefleet.Output{S3Location: "s3://b", KMSKeyID: "k"},
	}
	h.fleetIs(t, want)
	alias, err := h.Aliases.Describe(t.Context(), "SageMakerEdge-demo")
	must(t, err)
	if alias.RoleARN != want.RoleARN {
		t.Errorf("the role alias leads to %s", alias.RoleARN)
	}
	b.post(t, "/console/fleets/demo", change("", "s3://b", ""), http.StatusOK)
	want.RoleAlias = ""
	h.fleetIs(t, want)

	has(t, b.get(t, "/console/fleets/demo?device=cam", http.StatusOK), "Edit device cam", `value="old"`)
	b.get(t, "/console/fleets/demo?device=nobody", http.StatusNotFound)
	b.post(t, "/console/fleets/demo/device", url.Values{"device": {"cam"}, "thing": {"new"}, "description": {"door"}}, http.StatusOK)
	d, _, err := h.Fleets.Device(t.Context(), "demo", "cam", registry.Page{})
	must(t, err)
	if d.Thing != "new" || d.Description != "door" {
		t.Errorf("the device is %+v", d)
	}
}

func (h *house) fleetIs(t *testing.T, want edgefleet.Fleet) {
	t.Helper()
	got, err := h.Fleets.Fleet(t.Context(), "demo")
	must(t, err)
	want.Created, want.Modified = got.Created, got.Modified
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the fleet (-want +got):\n%s", diff)
	}
}

func TestAModelIsPackagedAndDeployed(t *testing.T) {
	h := open(t)
	b := h.root(t)
	role, err := h.IAM.CreateRole(t.Context(), iam.Role{Name: "packer", Trust: trustOf(trusted)})
	must(t, err)
	must(t, h.Fleets.CreateFleet(t.Context(), edgefleet.Fleet{Name: "demo", Output: edgefleet.Output{S3Location: "s3://a"}}, nil, nil))
	must(t, h.Fleets.Register(t.Context(), "demo", []edgefleet.Device{{Name: "cam-1"}, {Name: "cam-2"}}, nil))

	has(t, b.get(t, "/console/fleetjobs", http.StatusOK), "There are no packaging jobs yet.")
	job := url.Values{"name": {"pack"}, "model": {"eye"}, "version": {"1/0"}, "role": {h.IAM.RoleARN(role)}, "output": {"s3://models/out"}}
	has(t, b.post(t, "/console/fleetjobs", job, http.StatusBadRequest), `value="pack"`, "1 to 30 letters")
	job.Set("version", "1.0")
	has(t, b.post(t, "/console/fleetjobs", job, http.StatusOK), "STARTING", "/console/fleetjobs/pack/stop")
	b.post(t, "/console/fleetjobs", job, http.StatusConflict)
	waiting := url.Values{"name": {"stopped"}, "model": {"eye"}, "version": {"1.0"}, "role": {h.IAM.RoleARN(role)}, "output": {"s3://models/out"}}
	b.post(t, "/console/fleetjobs", waiting, http.StatusOK)
	has(t, b.post(t, "/console/fleetjobs/stopped/stop", url.Values{}, http.StatusOK), "STOPPED")
	h.packagesAll(t, b)
	has(t, b.get(t, "/console/fleetjobs/pack", http.StatusOK), "s3://models/out/eye-1.0.tar.gz", "SHA-1")
	has(t, b.get(t, "/console/fleetjobs?q=pac", http.StatusOK), "/console/fleetjobs/pack")

	plan := withRows(url.Values{"name": {"roll"}, "fleet": {"demo"}}, "eye", "nothing")
	has(t, b.post(t, "/console/fleetplans", plan, http.StatusNotFound), `value="roll"`, "nothing does not exist")
	plan.Set("value", "pack")
	has(t, b.post(t, "/console/fleetplans", plan, http.StatusOK), "The plan has no stages yet.")
	stages := "/console/fleetplans/roll/stages"
	has(t, b.post(t, stages, url.Values{"stage": {"all"}, "type": {"PERCENTAGE"}, "percentage": {"0"}}, http.StatusBadRequest), `value="all"`)
	b.post(t, stages, url.Values{"stage": {"first"}, "type": {"SELECTION"}, "devices": {"cam-1,\r\ngone"}}, http.StatusOK)
	b.post(t, stages, url.Values{"stage": {"named"}, "type": {"NAMECONTAINS"}, "contains": {"cam"}}, http.StatusOK)
	has(t, b.post(t, stages, url.Values{"stage": {"all"}, "type": {"PERCENTAGE"}, "percentage": {"100"}}, http.StatusOK), "100 % of the fleet", "READYTODEPLOY")

	deed := func(do, stage string, status int) string {
		return b.post(t, "/console/fleetplans/roll/stage", url.Values{"do": {do}, "stage": {stage}}, status)
	}
	has(t, deed("start", "first", http.StatusOK), "INPROGRESS")
	deed("delete", "first", http.StatusConflict)
	deed("burn", "first", http.StatusBadRequest)
	must(t, h.Fleets.Beat(t.Context(), edgefleet.Heartbeat{Fleet: "demo", Device: "cam-1", Result: &edgefleet.Result{Deployment: "roll", Status: "FAIL", Message: "<b>no room"}}))
	has(t, b.get(t, "/console/fleetplans/roll", http.StatusOK), "FAILED", "&lt;b&gt;no room")
	deed("start", "all", http.StatusOK)
	has(t, deed("stop", "all", http.StatusOK), "STOPPED")
	deed("delete", "named", http.StatusOK)
	has(t, b.get(t, "/console/fleetplans", http.StatusOK), "/console/fleetplans/roll")
	b.post(t, "/console/fleetplans/roll/delete", url.Values{}, http.StatusOK)
	b.get(t, "/console/fleetplans/roll", http.StatusNotFound)
}

// packagesAll lets the packaging jobs run until the one named pack is done.
func (h *house) packagesAll(t *testing.T, b *browser) {
	t.Helper()
	ctx, stop := h.running(t)
	defer stop()
	for ctx.Err() == nil {
		if strings.Contains(b.get(t, "/console/fleetjobs/pack", http.StatusOK), "COMPLETED") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the job does not end")
}
