package edgefleet

import (
	"cmp"
	"context"
	"slices"
	"time"

	"thingd/internal/fault"
)

// modelsMax is how many models a device may report.
const modelsMax = 100

// Heartbeat is what the agent on a device tells now and then.
type Heartbeat struct {
	Fleet, Device string
	AgentVersion  string
	Models        []Model
	Result        *Result // of a deployment; nil for none
}

// Result is how a deployment went on a device.
type Result struct {
	Deployment string // the plan's name, as GetDeployments told it
	Status     string
	Message    string
}

// Beat takes a heartbeat, AWS operation SendHeartbeat of the agent's API. What
// it reports of models replaces what was known.
func (s *Service) Beat(ctx context.Context, h Heartbeat) error {
	models, err := sorted(h.Models)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		d, err := findDevice(tx, h.Fleet, h.Device)
		if err != nil {
			return err
		}
		d.Heartbeat, d.AgentVersion = s.time(), h.AgentVersion
		if err := tx.PutDevice(d); err != nil {
			return err
		}
		if !slices.Equal(d.Models, models) {
			if err := tx.PutModels(d.Fleet, d.Name, models); err != nil {
				return err
			}
		}
		if h.Result == nil {
			return nil
		}
		return s.report(tx, d, *h.Result)
	})
}

// sorted gives the models as a database keeps them. Of a model that is told twice
// the last counts.
func sorted(models []Model) ([]Model, error) {
	if len(models) > modelsMax {
		return nil, fault.InvalidRequest("a device has at most %d models, not %d", modelsMax, len(models))
	}
	type id struct{ name, version string }
	last := map[id]Model{}
	for _, m := range models {
		m.Sampled, m.Inferred = millis(m.Sampled), millis(m.Inferred)
		last[id{m.Name, m.Version}] = m
	}
	all := make([]Model, 0, len(last))
	for _, m := range last {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Model) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return all, nil
}

// millis cuts what a database does not keep of a stranger's time.
func millis(t time.Time) time.Time {
	if t.IsZero() || t.UnixMilli() <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// Registration gives a device of which its agent has only the names, AWS
// operation GetDeviceRegistration of the agent's API.
func (s *Service) Registration(ctx context.Context, fleet, device string) (d Device, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		d, err = findDevice(tx, fleet, device)
		return err
	})
	return d, err
}

// recent is how old a heartbeat may be for its device to count as connected
// (unconfirmed).
const recent = time.Hour

// Report sums a fleet up.
type Report struct {
	Fleet                 Fleet
	Generated             time.Time
	Registered, Connected int64
	Agents                []AgentCount
	Models                []ModelCount
}

// Report makes a report, AWS operation GetDeviceFleetReport.
func (s *Service) Report(ctx context.Context, fleet string) (r Report, err error) {
	r.Generated = s.time()
	since := r.Generated.Add(-recent)
	err = s.store.View(ctx, func(tx Tx) error {
		if r.Fleet, err = findFleet(tx, fleet); err != nil {
			return err
		}
		if r.Registered, r.Connected, err = tx.CountDevices(fleet, since); err != nil {
			return err
		}
		if r.Agents, err = tx.CountAgents(fleet); err != nil {
			return err
		}
		r.Models, err = tx.CountModels(fleet, since)
		return err
	})
	return r, err
}
