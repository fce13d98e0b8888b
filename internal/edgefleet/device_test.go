package edgefleet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"thingd/internal/edgefleet"
	"thingd/internal/registry"
)

func TestDeviceLife(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.fleet("F")
	camera := edgefleet.Device{Name: "Camera", Thing: "sample-device"}
	h.ok(h.Register(ctx, "f", []edgefleet.Device{camera}, []registry.Tag{{Key: "k", Value: "v"}}))
	h.ok(h.Register(ctx, "f", []edgefleet.Device{camera}, nil)) // scripts run again
	want := edgefleet.Device{Fleet: "F", Name: "Camera", Thing: "sample-device", Registered: h.now}
	read := func() edgefleet.Device {
		t.Helper()
		d, next, err := h.Device(ctx, "F", "camera", registry.Page{})
		h.ok(err)
		same(t, "", next)
		return d
	}
	same(t, want, read())
	same(t, "arn:aws:sagemaker:us-east-1:111122223333:device-fleet/f/device/camera", h.DeviceARN("F", "Camera"))

	h.ok(h.UpdateDevices(ctx, "F", []edgefleet.Device{{Name: "camera", Description: "new"}}))
	want.Description = "new"
	same(t, want, read())

	h.now = h.now.Add(time.Minute)
	sampled := h.now.Add(-time.Second)
	h.beat("F", "camera", nil, edgefleet.Model{Name: "b", Version: "1"}, edgefleet.Model{Name: "a", Version: "2", Sampled: sampled, Inferred: sampled})
	want.Heartbeat, want.AgentVersion = h.now, "1.2"
	want.Models = []edgefleet.Model{{Name: "a", Version: "2", Sampled: sampled, Inferred: sampled}, {Name: "b", Version: "1"}}
	same(t, want, read())

	h.beat("F", "camera", nil) // the models are gone
	want.Models = nil
	same(t, want, read())

	h.ok(h.Deregister(ctx, "F", []string{"camera"}))
	_, _, err := h.Device(ctx, "F", "camera", registry.Page{})
	h.refused(err, "ResourceNotFound: Device camera is not registered in device fleet F")
}

func TestRegisterIsAllOrNothing(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.fleet("f", "a")
	err := h.Register(ctx, "f", []edgefleet.Device{{Name: "b"}, {Name: "A", Thing: "other"}}, nil)
	h.refused(err, "ResourceAlreadyExists: Device A is already registered in device fleet f")
	err = h.UpdateDevices(ctx, "f", []edgefleet.Device{{Name: "a", Thing: "x"}, {Name: "b"}})
	h.refused(err, "ResourceNotFound: Device b is not registered in device fleet f")
	devices, _, err := h.Devices(ctx, edgefleet.DeviceQuery{}, registry.Page{})
	h.ok(err)
	same(t, []edgefleet.Device{{Fleet: "f", Name: "a", Registered: h.now}}, devices)

	for _, err := range []error{
		h.Register(ctx, "no", nil, nil), h.UpdateDevices(ctx, "no", nil), h.Deregister(ctx, "no", nil),
		h.Beat(ctx, edgefleet.Heartbeat{Fleet: "no", Device: "a"}),
	} {
		h.refused(err, "ResourceNotFound: ")
	}
	many := make([]edgefleet.Model, 101)
	h.refused(h.Beat(ctx, edgefleet.Heartbeat{Fleet: "f", Device: "a", Models: many}), "InvalidRequest: a device has at most 100 models, not 101")
}

func TestDeviceLists(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.fleet("g", "z", "Y")
	h.fleet("F", "c", "a", "B")
	h.now = h.now.Add(time.Minute)
	before := h.now.Add(-time.Second)
	m := edgefleet.Model{Name: "model", Version: "1"}
	h.beat("F", "c", nil, m, edgefleet.Model{Name: "other", Version: "1"})
	h.beat("g", "y", nil, m)
	h.beat("F", "a", nil)
	for want, q := range map[string]edgefleet.DeviceQuery{
		"F/a F/B F/c[model other] g/Y[model] g/z": {},
		"F/a F/B F/c[model other]":                {Fleet: "f"},
		"F/c[model other] g/Y[model]":             {Model: "model"},
		"F/a F/c[model other] g/Y[model]":         {HeartbeatAfter: before},
		"g/Y[model]":                              {HeartbeatAfter: before, Fleet: "g", Model: "model"},
		"":                                        {Model: "Model"},
	} {
		got := pages(h, describe, func(p registry.Page) ([]edgefleet.Device, string, error) { return h.Devices(ctx, q, p) })
		same(t, want, got)
	}
	_, _, err := h.Devices(ctx, edgefleet.DeviceQuery{Fleet: "no"}, registry.Page{})
	h.refused(err, "ResourceNotFound: Device fleet no does not exist")
}

func describe(d edgefleet.Device) string {
	var models []string
	for _, m := range d.Models {
		models = append(models, m.Name)
	}
	if len(models) == 0 {
		return d.Fleet + "/" + d.Name
	}
	return fmt.Sprintf("%s/%s[%s]", d.Fleet, d.Name, strings.Join(models, " "))
}

func TestModelsOfADeviceComeInPages(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.fleet("f", "a")
	var models []edgefleet.Model
	for i := range 5 {
		models = append(models, edgefleet.Model{Name: fmt.Sprint("m", i), Version: "1"})
	}
	h.beat("f", "a", nil, models...)
	got := pages(h, func(m edgefleet.Model) string { return m.Name }, func(p registry.Page) ([]edgefleet.Model, string, error) {
		d, next, err := h.Device(ctx, "f", "a", p)
		return d.Models, next, err
	})
	same(t, "m0 m1 m2 m3 m4", got)
}

func TestReport(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.fleet("f", "silent", "old", "idle", "busy")
	model := func(name string, at time.Time) edgefleet.Model {
		return edgefleet.Model{Name: name, Version: "1", Inferred: at, Sampled: at}
	}
	h.beat("f", "old", nil, model("m", h.now))
	h.now = h.now.Add(2 * time.Hour)
	h.beat("f", "idle", nil, model("m", time.Time{}))
	h.ok(h.Beat(ctx, edgefleet.Heartbeat{Fleet: "f", Device: "busy", AgentVersion: "1.3", Models: []edgefleet.Model{model("m", h.now), model("n", h.now)}}))
	got, err := h.Report(ctx, "F")
	h.ok(err)
	fleet, err := h.Fleet(ctx, "f")
	h.ok(err)
	same(t, edgefleet.Report{
		Fleet: fleet, Generated: h.now, Registered: 4, Connected: 2,
		Agents: []edgefleet.AgentCount{{Version: "1.2", Count: 2}, {Version: "1.3", Count: 1}},
		Models: []edgefleet.ModelCount{
			{Name: "m", Version: "1", Offline: 1, Connected: 2, Active: 1, Sampling: 1},
			{Name: "n", Version: "1", Connected: 1, Active: 1, Sampling: 1},
		},
	}, got)
	_, err = h.Report(ctx, "no")
	h.refused(err, "ResourceNotFound: ")
}

func TestTags(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.fleet("F", "D")
	h.ok(h.CreateJob(ctx, job("J"), nil))
	h.ok(h.CreatePlan(ctx, edgefleet.Plan{Name: "P", Fleet: "F", Models: []edgefleet.PlannedModel{{Handle: "m", Job: "J"}}}, nil, nil))
	for _, resource := range []string{h.FleetARN("F"), h.DeviceARN("F", "D"), h.JobARN("J"), h.PlanARN("P")} {
		all, err := h.AddTags(ctx, strings.ReplaceAll(resource, "/f", "/F"), []registry.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}})
		h.ok(err)
		same(t, []registry.Tag{{Key: "a", Value: "2"}, {Key: "b", Value: "1"}}, all)
		h.ok(h.DeleteTags(ctx, resource, []string{"a", "never"}))
		all, err = h.Tags(ctx, resource)
		h.ok(err)
		same(t, []registry.Tag{{Key: "b", Value: "1"}}, all)
	}
	for resource, want := range map[string]string{
		h.FleetARN("no"):                 "ResourceNotFound: ",
		h.DeviceARN("F", "no"):           "ResourceNotFound: ",
		h.JobARN("no"):                   "ResourceNotFound: ",
		h.PlanARN("no"):                  "ResourceNotFound: ",
		scope.Of("sagemaker", "model/x"): "InvalidRequest: ",
		scope.IoT("thing", "x"):          "ResourceNotFound: ",
		"arn:aws:sagemaker:us-east-1:999999999999:device-fleet/f": "ResourceNotFound: ",
		"no arn": "InvalidRequest: ",
	} {
		_, err := h.Tags(ctx, resource)
		h.refused(err, want)
		_, err = h.AddTags(ctx, resource, nil)
		h.refused(err, want)
		h.refused(h.DeleteTags(ctx, resource, nil), want)
	}
}
