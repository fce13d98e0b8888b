package settings

import (
	"context"
	"log/slog"
	"net/netip"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// Logging is the older generation of the options. It counts where the newer one
// was never set.
type Logging struct {
	RoleARN string
	Level   Level `json:",omitzero"`
}

// LoggingV2 is the newer generation.
type LoggingV2 struct {
	RoleARN string       `json:",omitzero"`
	Default Level        `json:",omitzero"`
	Off     bool         `json:",omitzero"` // disableAllLogs
	Events  []EventLevel `json:",omitzero"`
}

// EventLevel is the level of one type of events.
type EventLevel struct {
	Type        string
	Level       Level  `json:",omitzero"`
	Destination string `json:",omitzero"` // a CloudWatch log group's name; kept
}

// targetsMax bounds the levels of targets (the number is ours: they are in
// memory, and AWS publishes none).
const targetsMax = 1000

// SetLogging sets the older options, AWS operation SetLoggingOptions.
func (s *Service) SetLogging(ctx context.Context, l Logging) error {
	return s.update(ctx, func(tx Tx) error { return tx.PutDocument(documentLogging, l) })
}

// Logging gives the older options, AWS operation GetLoggingOptions; empty ones
// where none were set.
func (s *Service) Logging(ctx context.Context) (l Logging, err error) {
	err = s.view(ctx, func(tx Tx) error {
		_, err := tx.Document(documentLogging, &l)
		return err
	})
	return l, err
}

// SetLoggingV2 changes the newer options, AWS operation SetV2LoggingOptions.
// What update leaves nil stays as it is.
func (s *Service) SetLoggingV2(ctx context.Context, update LoggingV2Update) error {
	return s.update(ctx, func(tx Tx) error {
		var have LoggingV2
		if _, err := tx.Document(documentLoggingV2, &have); err != nil {
			return err
		}
		return tx.PutDocument(documentLoggingV2, update.apply(have))
	})
}

// LoggingV2Update says what to change.
type LoggingV2Update struct {
	RoleARN string       // "" leaves it
	Default Level        // "" leaves it
	Off     *bool        // nil leaves it
	Events  []EventLevel // nil leaves them
}

func (u LoggingV2Update) apply(l LoggingV2) LoggingV2 {
	if u.RoleARN != "" {
		l.RoleARN = u.RoleARN
	}
	if u.Default != "" {
		l.Default = u.Default
	}
	if u.Off != nil {
		l.Off = *u.Off
	}
	if u.Events != nil {
		l.Events = u.Events
	}
	return l
}

// LoggingV2 gives the newer options, AWS operation GetV2LoggingOptions, or
// NotConfigured.
func (s *Service) LoggingV2(ctx context.Context) (l LoggingV2, err error) {
	err = s.view(ctx, func(tx Tx) error {
		l, err = configured(tx)
		return err
	})
	return l, err
}

// configured gives the newer options, which the levels of targets need.
func configured(tx Tx) (LoggingV2, error) {
	var l LoggingV2
	found, err := tx.Document(documentLoggingV2, &l)
	if err == nil && !found {
		err = fault.New(fault.CodeNotConfigured, "Logging has not been configured; set it with SetV2LoggingOptions first")
	}
	return l, err
}

// SetTargetLevel sets the level of a target, AWS operation SetV2LoggingLevel.
// The level of the default target is the default of the options.
func (s *Service) SetTargetLevel(ctx context.Context, t TargetLevel) error {
	if err := t.Target.check(); err != nil {
		return err
	}
	return s.update(ctx, func(tx Tx) error {
		options, err := configured(tx)
		if err != nil {
			return err
		}
		if t.Target.Type == TargetDefault {
			options.Default = t.Level
			return tx.PutDocument(documentLoggingV2, options)
		}
		if err := roomFor(tx, t.Target); err != nil {
			return err
		}
		return tx.PutTargetLevel(t)
	})
}

func roomFor(tx Tx, t Target) error {
	if _, found, err := tx.TargetLevel(t); err != nil || found {
		return err
	}
	n, err := tx.CountTargetLevels()
	if err == nil && n >= targetsMax {
		err = fault.LimitExceeded("%d targets have a level of their own; no more are possible", targetsMax)
	}
	return err
}

func (t Target) check() error {
	switch t.Type {
	case TargetDefault:
		if t.Name != "" {
			return fault.InvalidRequest("the target type DEFAULT has no target name")
		}
		return nil
	case TargetSourceIP:
		if _, err := netip.ParseAddr(t.Name); err != nil {
			return fault.InvalidRequest("%q is not an IP address", t.Name)
		}
	}
	if t.Name == "" {
		return fault.InvalidRequest("the target type %s needs a target name", t.Type)
	}
	return nil
}

// DeleteTargetLevel lets a target be logged like everybody, AWS operation
// DeleteV2LoggingLevel. One that has no level is fine: the model has no error
// for it.
func (s *Service) DeleteTargetLevel(ctx context.Context, t Target) error {
	if t.Type == TargetDefault {
		return fault.InvalidRequest("the default level cannot be deleted; change it with SetV2LoggingOptions")
	}
	return s.update(ctx, func(tx Tx) error { return tx.DeleteTargetLevel(t) })
}

// TargetLevels lists the levels of targets, of one type or with kind "" of all,
// AWS operation ListV2LoggingLevels. The default comes first.
func (s *Service) TargetLevels(ctx context.Context, kind TargetType, p registry.Page) (all []TargetLevel, next string, err error) {
	list := registry.List{"loglevels", string(kind)}
	keys, err := list.Keys(p.Token, 2)
	if err != nil {
		return nil, "", err
	}
	after, limit := Target{TargetType(keys[0]), keys[1]}, p.Limit()
	err = s.view(ctx, func(tx Tx) error {
		options, err := configured(tx)
		if err != nil {
			return err
		}
		all, err = tx.TargetLevels(kind, after, limit+1)
		if p.Token == "" && options.Default != "" && (kind == "" || kind == TargetDefault) {
			all = append([]TargetLevel{{Target{Type: TargetDefault}, options.Default}}, all...)
		}
		return err
	})
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	last := all[limit-1].Target
	if last.Type == TargetDefault { // it has no row: the rows begin after it
		last = Target{}
	}
	return all[:limit], list.Token(string(last.Type), last.Name), nil
}

// Reload obeys what the store has now. The Service does it after its own
// changes; call it for those of other nodes.
func (s *Service) Reload(ctx context.Context) error {
	var fresh rules
	err := s.view(ctx, func(tx Tx) (err error) {
		fresh, err = read(tx)
		return err
	})
	if err == nil {
		s.rules.Store(&fresh)
	}
	return err
}

func read(tx Tx) (rules, error) {
	var old Logging
	var l LoggingV2
	if _, err := tx.Document(documentLogging, &old); err != nil {
		return rules{}, err
	}
	isNew, err := tx.Document(documentLoggingV2, &l)
	if err != nil {
		return rules{}, err
	}
	if !isNew {
		l.Default = old.Level
	}
	levels, err := tx.TargetLevels("", Target{}, targetsMax)
	return compile(l, levels), err
}

func compile(l LoggingV2, levels []TargetLevel) rules {
	r := rules{least: l.Default.Slog(), off: l.Off, targets: map[Target]slog.Level{}, events: map[string]slog.Level{}}
	for _, e := range l.Events {
		if e.Level != "" {
			r.events[e.Type] = e.Level.Slog()
		}
	}
	for _, t := range levels {
		r.targets[t.Target] = t.Level.Slog()
		r.groups = r.groups || t.Target.Type == TargetThingGroup
	}
	return r
}
