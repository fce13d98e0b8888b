package journal

import (
	"context"
	"log/slog"

	"thingd/internal/why"
)

// logFirst tells the first event of a group.
func (j *Journal) logFirst(e Entry) {
	what := "client refused"
	switch {
	case e.Event.Door == why.Outbound:
		what = "an integration has trouble"
	case e.Event.Step == why.StepConnection:
		what = "client disconnected"
	}
	j.tell(e.Event, what)
}

// tell writes a line, unless nobody wants to read it.
func (j *Journal) tell(e why.Event, what string, more ...slog.Attr) {
	l := level(e.Cause)
	if j.config.Level == nil || l >= j.config.Level(e) {
		j.config.Log.LogAttrs(context.Background(), l, what, append(attrs(e), more...)...)
	}
}

// endRepeats tells how often it came after all.
func (j *Journal) endRepeats(over []*group) {
	for _, g := range over {
		e := g.entry
		if e.Count < 2 {
			continue
		}
		j.tell(e.Event, "it was repeated", slog.Int("times", e.Count), slog.Time("since", e.Since), slog.Time("last", e.Event.Time))
	}
}

// level is Info for what happens to healthy fleets and on every open port, and
// Warn for what somebody should mend.
func level(c why.Cause) slog.Level {
	switch c {
	case why.TakenOver, why.ConnectionLost, why.KeepAliveTimeout, why.ClosedByAPI, why.LifetimeOver, why.ServerStopping,
		why.NotMQTT, why.ConnectTimeout, why.TLSFailed:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// attrs gives what is known about an event.
func attrs(e why.Event) []slog.Attr {
	all := []slog.Attr{slog.String("cause", string(e.Cause)), slog.String("step", string(e.Step))}
	for _, a := range []struct{ name, value string }{
		{"client", e.ClientID}, {"principal", e.Principal}, {"source", e.Source}, {"door", e.Door}, {"server", e.Server},
		{"disconnect", string(e.Disconnect)}, {"action", e.Action}, {"resource", e.Resource}, {"detail", e.Detail},
	} {
		if a.value != "" {
			all = append(all, slog.String(a.name, a.value))
		}
	}
	return all
}
