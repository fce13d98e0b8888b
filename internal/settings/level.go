package settings

import "log/slog"

// Level is how much is logged, in AWS's words.
type Level string

// The levels.
const (
	Debug    Level = "DEBUG"
	Info     Level = "INFO"
	Warn     Level = "WARN"
	Error    Level = "ERROR"
	Disabled Level = "DISABLED"
)

// Nothing is above every level of slog: nothing is logged.
const Nothing = slog.Level(1 << 20)

// Slog gives the least level that is logged. The empty level logs everything:
// nobody has said what not to.
func (l Level) Slog() slog.Level {
	switch l {
	case Info:
		return slog.LevelInfo
	case Warn:
		return slog.LevelWarn
	case Error:
		return slog.LevelError
	case Disabled:
		return Nothing
	}
	return slog.LevelDebug
}

// TargetType is a kind of clients that have a level of their own.
type TargetType string

// The kinds of targets.
const (
	TargetDefault    TargetType = "DEFAULT"
	TargetThingGroup TargetType = "THING_GROUP"
	TargetClientID   TargetType = "CLIENT_ID"
	TargetSourceIP   TargetType = "SOURCE_IP"
	TargetPrincipal  TargetType = "PRINCIPAL_ID"
)

// Target is whom a level is for.
type Target struct {
	Type TargetType
	Name string // of the group, the client ID, the address, the principal ID; "" for the default
}

// TargetLevel is the level of a target.
type TargetLevel struct {
	Target Target
	Level  Level
}

// Facts are what is known of an event that may be logged. What is not known is
// "".
type Facts struct {
	ClientID    string
	SourceIP    string // without port
	PrincipalID string
	EventType   string // as LogEventConfiguration names it, such as "Connect"

	// ThingGroups gives the groups of the thing behind the event. It is asked
	// only where a group has a level; nil: there are none.
	ThingGroups func() []string
}

// rules are the options and levels, ready for questions. They never change.
type rules struct {
	least   slog.Level // without a better rule
	off     bool       // nothing is logged at all
	events  map[string]slog.Level
	targets map[Target]slog.Level
	groups  bool // whether a group is among the targets
}

// Level gives the least level at which an event is logged. Of several targets
// that fit, the most talkative counts, and any of them counts more than the event
// type and the default (the order among targets is unconfirmed: who turns a
// target up wants to see it).
func (s *Service) Level(f Facts) slog.Level {
	r := s.rules.Load()
	if r.off {
		return Nothing
	}
	least, found := Nothing, false
	for _, target := range r.relevant(f) {
		if level, ok := r.targets[target]; ok {
			least, found = min(least, level), true
		}
	}
	if found {
		return least
	}
	if level, ok := r.events[f.EventType]; ok {
		return level
	}
	return r.least
}

// relevant gives the targets that an event may be under.
func (r *rules) relevant(f Facts) []Target {
	if len(r.targets) == 0 {
		return nil
	}
	all := []Target{{TargetClientID, f.ClientID}, {TargetSourceIP, f.SourceIP}, {TargetPrincipal, f.PrincipalID}}
	if r.groups && f.ThingGroups != nil {
		for _, group := range f.ThingGroups() {
			all = append(all, Target{TargetThingGroup, group})
		}
	}
	return all
}
