package settings_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
	"thingd/internal/registry"
	"thingd/internal/settings"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

func newService(t *testing.T) *settings.Service {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := settings.New(t.Context(), settings.Config{
		Store: db.Settings("000000000000"), Now: func() time.Time { return time.UnixMilli(1_700_000_000_123).UTC() },
	})
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLevelFollowsTheOptions(t *testing.T) {
	on, off := false, true
	v2 := func(u settings.LoggingV2Update) func(*settings.Service, context.Context) error {
		return func(s *settings.Service, ctx context.Context) error { return s.SetLoggingV2(ctx, u) }
	}
	target := func(kind settings.TargetType, name string, l settings.Level) func(*settings.Service, context.Context) error {
		return func(s *settings.Service, ctx context.Context) error {
			return s.SetTargetLevel(ctx, settings.TargetLevel{Target: settings.Target{Type: kind, Name: name}, Level: l})
		}
	}
	old := func(s *settings.Service, ctx context.Context) error {
		return s.SetLogging(ctx, settings.Logging{RoleARN: "r", Level: settings.Error})
	}
	facts := settings.Facts{ClientID: "pump7", SourceIP: "192.0.2.7", PrincipalID: "p", EventType: "Connect",
		ThingGroups: func() []string { return []string{"pumps"} }}
	for _, c := range []struct {
		name string
		do   []func(*settings.Service, context.Context) error
		want slog.Level
	}{
		{"everything/nothing set", nil, slog.LevelDebug},
		{"older options", []func(*settings.Service, context.Context) error{old}, slog.LevelError},
		{"newer options go before", []func(*settings.Service, context.Context) error{old, v2(settings.LoggingV2Update{Default: settings.Info})}, slog.LevelInfo},
		{"newer options stay in part", []func(*settings.Service, context.Context) error{
			v2(settings.LoggingV2Update{Default: settings.Warn}), v2(settings.LoggingV2Update{Off: &on})}, slog.LevelWarn},
		{"nothing/all off", []func(*settings.Service, context.Context) error{v2(settings.LoggingV2Update{Default: settings.Debug, Off: &off})}, settings.Nothing},
		{"nothing/disabled", []func(*settings.Service, context.Context) error{v2(settings.LoggingV2Update{Default: settings.Disabled})}, settings.Nothing},
		{"the default target is the default", []func(*settings.Service, context.Context) error{
			v2(settings.LoggingV2Update{Default: settings.Info}), target(settings.TargetDefault, "", settings.Error)}, slog.LevelError},
		{"the event type before the default", []func(*settings.Service, context.Context) error{
			v2(settings.LoggingV2Update{Default: settings.Info, Events: []settings.EventLevel{{Type: "Connect", Level: settings.Error}}})}, slog.LevelError},
		{"the client before the event type", []func(*settings.Service, context.Context) error{
			v2(settings.LoggingV2Update{Default: settings.Info, Events: []settings.EventLevel{{Type: "Connect", Level: settings.Error}}}),
			target(settings.TargetClientID, "pump7", settings.Warn)}, slog.LevelWarn},
		{"the most talkative target", []func(*settings.Service, context.Context) error{
			v2(settings.LoggingV2Update{Default: settings.Error}), target(settings.TargetSourceIP, "192.0.2.7", settings.Disabled),
			target(settings.TargetThingGroup, "pumps", settings.Debug)}, slog.LevelDebug},
		{"other targets do not count", []func(*settings.Service, context.Context) error{
			v2(settings.LoggingV2Update{Default: settings.Error}), target(settings.TargetPrincipal, "q", settings.Debug),
			target(settings.TargetThingGroup, "lamps", settings.Debug)}, slog.LevelError},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			for _, do := range c.do {
				must(t, do(s, t.Context()))
			}
			if got := s.Level(facts); got != c.want {
				t.Errorf("level %d, want %d", got, c.want)
			}
		})
	}
}

func TestTargetLevelsNeedOptions(t *testing.T) {
	s := newService(t)
	_, err := s.LoggingV2(t.Context())
	_, _, listErr := s.TargetLevels(t.Context(), "", registry.Page{})
	setErr := s.SetTargetLevel(t.Context(), settings.TargetLevel{Target: settings.Target{Type: "CLIENT_ID", Name: "a"}, Level: "INFO"})
	for _, err := range []error{err, listErr, setErr} {
		if !fault.Is(err, fault.CodeNotConfigured) {
			t.Errorf("got %v, want NotConfigured", err)
		}
	}
}

func TestTargetLevelsAreListedToTheEnd(t *testing.T) {
	s := newService(t)
	must(t, s.SetLoggingV2(t.Context(), settings.LoggingV2Update{RoleARN: "r", Default: settings.Info}))
	want := []settings.TargetLevel{{Target: settings.Target{Type: "DEFAULT"}, Level: "INFO"}}
	for _, name := range []string{"a", "b", "c"} {
		l := settings.TargetLevel{Target: settings.Target{Type: "CLIENT_ID", Name: name}, Level: "WARN"}
		want = append(want, l)
		must(t, s.SetTargetLevel(t.Context(), l))
	}
	for size := 1; size <= 5; size++ {
		var got []settings.TargetLevel
		p := registry.Page{Size: size}
		for {
			part, next, err := s.TargetLevels(t.Context(), "", p)
			must(t, err)
			got = append(got, part...)
			if p.Token = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

func TestTargetsAreChecked(t *testing.T) {
	s := newService(t)
	must(t, s.SetLoggingV2(t.Context(), settings.LoggingV2Update{RoleARN: "r"}))
	for _, target := range []settings.Target{{"DEFAULT", "x"}, {"CLIENT_ID", ""}, {"SOURCE_IP", "nowhere"}} {
		if err := s.SetTargetLevel(t.Context(), settings.TargetLevel{Target: target, Level: "INFO"}); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%v: got %v, want InvalidRequest", target, err)
		}
	}
}

func TestEncryptionIsTheServersOwn(t *testing.T) {
	s := newService(t)
	for _, err := range []error{
		s.SetEncryption(t.Context(), "CUSTOMER_MANAGED_KMS_KEY", "k", "r"), s.SetEncryption(t.Context(), settings.OwnedKey, "k", ""),
	} {
		if !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("got %v, want InvalidRequest", err)
		}
	}
	must(t, s.SetEncryption(t.Context(), settings.OwnedKey, "", ""))
	got, err := s.Encryption(t.Context())
	must(t, err)
	if diff := cmp.Diff(settings.Encryption{Type: settings.OwnedKey, Modified: time.UnixMilli(1_700_000_000_123).UTC()}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
