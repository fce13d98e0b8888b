package thingd

import (
	"log/slog"
	"testing"

	"thingd/internal/registry"
	"thingd/internal/settings"
	"thingd/internal/why"
)

func TestLoggingOptionsAreObeyed(t *testing.T) {
	h := start(t)
	ctx := t.Context()
	event := why.Event{ClientID: "lamp-7", Source: "192.0.2.7:4711", Principal: "p", Step: why.StepConnect, Cause: why.NoCertificate}
	level := func(name string, want slog.Level) {
		t.Helper()
		if got := h.logLevel(event); got != want {
			t.Errorf("%s: level %d, want %d", name, got, want)
		}
	}
	set := func(kind settings.TargetType, name string, l settings.Level) {
		t.Helper()
		must(t, h.settings.SetTargetLevel(ctx, settings.TargetLevel{Target: settings.Target{Type: kind, Name: name}, Level: l}))
	}
	level("nothing is set", slog.LevelDebug)
	must(t, h.settings.SetLoggingV2(ctx, settings.LoggingV2Update{Default: settings.Disabled}))
	level("the default", settings.Nothing)
	must(t, h.settings.SetLoggingV2(ctx, settings.LoggingV2Update{Events: []settings.EventLevel{{Type: "Connect", Level: settings.Error}}}))
	level("the event's type", slog.LevelError)
	set(settings.TargetSourceIP, "192.0.2.7", settings.Warn)
	level("the address", slog.LevelWarn)

	_, err := h.registry.CreateThing(ctx, registry.NewThing{Name: "lamp-7"})
	must(t, err)
	_, err = h.registry.CreateThingGroup(ctx, registry.NewThingGroup{Name: "lamps"})
	must(t, err)
	must(t, h.registry.AddThingToThingGroup(ctx, "lamp-7", "lamps"))
	set(settings.TargetThingGroup, "lamps", settings.Info)
	level("the group of the thing", slog.LevelInfo)
	event.ClientID = "lamp-8"
	level("another thing", slog.LevelWarn)
}
