package edgefleet

import (
	"context"
	"slices"
	"strconv"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// Limits of deployment plans (unconfirmed).
const (
	stagesMax        = 10
	plannedModelsMax = 10
)

// CreatePlan makes a deployment plan with its first stages, AWS operation
// CreateEdgeDeploymentPlan. Fleet and packaging jobs must be there. Nothing is
// deployed before a stage is started.
func (s *Service) CreatePlan(ctx context.Context, p Plan, stages []Stage, tags []registry.Tag) error {
	if err := p.check(); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		p := p
		f, err := findFleet(tx, p.Fleet)
		if err != nil {
			return err
		}
		p.Fleet, p.Created = f.Name, s.time()
		p.Modified = p.Created
		if _, taken, err := tx.Plan(p.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("Edge deployment plan %s already exists", p.Name).About(p.Name, s.PlanARN(p.Name))
		}
		for _, m := range p.Models {
			if _, err := findJob(tx, m.Job); err != nil {
				return err
			}
		}
		if err := tx.PutPlan(p); err != nil {
			return err
		}
		if err := addStages(tx, p, stages); err != nil {
			return err
		}
		return registry.PutTags(tx, s.PlanARN(p.Name), tags)
	})
}

func (p Plan) check() error {
	if n := len(p.Models); n < 1 || n > plannedModelsMax {
		return fault.InvalidRequest("a plan has 1 to %d ModelConfigs, not %d", plannedModelsMax, n)
	}
	for i, m := range p.Models {
		if slices.ContainsFunc(p.Models[:i], func(o PlannedModel) bool { return o.Handle == m.Handle }) {
			return fault.InvalidRequest("two ModelConfigs have the ModelHandle %s", m.Handle)
		}
	}
	return nil
}

func findPlan(tx Tx, name string) (Plan, error) {
	p, found, err := tx.Plan(name)
	if err == nil && !found {
		err = fault.NotFound("Edge deployment plan %s does not exist", name)
	}
	return p, err
}

// Plan gives a plan and all its stages, AWS operation DescribeEdgeDeploymentPlan.
func (s *Service) Plan(ctx context.Context, name string) (p Plan, stages []Stage, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if p, err = findPlan(tx, name); err != nil {
			return err
		}
		stages, err = tx.Stages(name)
		return err
	})
	return p, stages, err
}

// StagePage gives a page of a plan's stages and the token of the next.
func StagePage(plan string, stages []Stage, p registry.Page) ([]Stage, string, error) {
	list := registry.List{"stages", Key(plan)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	after, _ := strconv.Atoi(keys[0]) // "" begins; the token's digest vouches for the rest
	from := slices.IndexFunc(stages, func(g Stage) bool { return g.Number > after })
	if from < 0 {
		return []Stage{}, "", nil
	}
	end := min(from+limitOf(p), len(stages))
	if end == len(stages) {
		return stages[from:], "", nil
	}
	return stages[from:end], list.Token(strconv.Itoa(stages[end-1].Number)), nil
}

// Summary is a plan with the sums of its stages.
type Summary struct {
	Plan
	Success, Pending, Failed int
}

// Sum adds up the devices of stages.
func Sum(stages []Stage) (success, pending, failed int) {
	for _, g := range stages {
		success, pending, failed = success+g.Success, pending+g.Pending, failed+g.Failed
	}
	return success, pending, failed
}

// Plans lists plans, AWS operation ListEdgeDeploymentPlans.
func (s *Service) Plans(ctx context.Context, q Query, p registry.Page) ([]Summary, string, error) {
	return listing[Summary]{"plans", summaries, func(p Summary, by Sort) Place {
		place := placeOf(by, p.Name, p.Created, p.Modified)
		if by == ByFleet {
			place.Value = Key(p.Fleet)
		}
		return place
	}}.page(ctx, s, q, p)
}

func summaries(tx Tx, q Query) ([]Summary, error) {
	plans, err := tx.Plans(q)
	if err != nil {
		return nil, err
	}
	all := make([]Summary, len(plans))
	for i, p := range plans {
		stages, err := tx.Stages(p.Name)
		if err != nil {
			return nil, err
		}
		all[i].Plan = p
		all[i].Success, all[i].Pending, all[i].Failed = Sum(stages)
	}
	return all, nil
}

// DeletePlan deletes a plan, AWS operation DeleteEdgeDeploymentPlan. While a stage
// is under way it is DeleteConflict. What runs on devices stays there.
func (s *Service) DeletePlan(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := findPlan(tx, name); err != nil {
			return err
		}
		stages, err := tx.Stages(name)
		if err != nil {
			return err
		}
		for _, g := range stages {
			if g.Status == StageInProgress {
				return fault.DeleteConflict("Stage %s of edge deployment plan %s is in progress; stop it first", g.Name, name)
			}
		}
		if err := tx.DeletePlan(name); err != nil {
			return err
		}
		return tx.DeleteTags(s.PlanARN(name))
	})
}
