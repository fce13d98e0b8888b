package edgefleet

import (
	"context"
	"slices"

	"thingd/internal/fault"
)

// StageStatus is where a stage stands.
type StageStatus string

// A stage waits as READYTODEPLOY. Started, it is INPROGRESS until every device has
// reported, and then DEPLOYED, or FAILED where some device failed. Stopped before
// that, it is STOPPED. A stage that failed or was stopped may be started again.
const (
	StageReady      StageStatus = "READYTODEPLOY"
	StageInProgress StageStatus = "INPROGRESS"
	StageDeployed   StageStatus = "DEPLOYED"
	StageFailed     StageStatus = "FAILED"
	StageStopped    StageStatus = "STOPPED"
)

// The kinds of selections.
const (
	selectPercentage = "PERCENTAGE"
	selectNames      = "SELECTION"
	selectContains   = "NAMECONTAINS"
)

const defaultOnFailure = "DO_NOTHING" // (unconfirmed)

// CreateStages adds stages to a plan, AWS operation CreateEdgeDeploymentStage.
func (s *Service) CreateStages(ctx context.Context, plan string, stages []Stage) error {
	return s.store.Update(ctx, func(tx Tx) error {
		p, err := findPlan(tx, plan)
		if err != nil {
			return err
		}
		if err := addStages(tx, p, stages); err != nil {
			return err
		}
		return s.touch(tx, p)
	})
}

func (s *Service) touch(tx Tx, p Plan) error {
	p.Modified = s.time()
	return tx.PutPlan(p)
}

func addStages(tx Tx, p Plan, stages []Stage) error {
	have, err := tx.Stages(p.Name)
	if err != nil {
		return err
	}
	for _, g := range stages {
		if err := g.Selection.check(); err != nil {
			return err
		}
		if len(have) >= stagesMax {
			return fault.LimitExceeded("a plan has at most %d stages", stagesMax)
		}
		if slices.ContainsFunc(have, func(o Stage) bool { return Key(o.Name) == Key(g.Name) }) {
			return fault.AlreadyExists("Stage %s of edge deployment plan %s already exists", g.Name, p.Name)
		}
		g.Plan, g.Number, g.Status = p.Name, 1, StageReady
		if len(have) > 0 {
			g.Number = have[len(have)-1].Number + 1
		}
		if g.OnFailure == "" {
			g.OnFailure = defaultOnFailure
		}
		if err := tx.PutStage(g); err != nil {
			return err
		}
		have = append(have, g)
	}
	return nil
}

func (c Selection) check() error {
	switch {
	case c.Type == selectPercentage && (c.Percentage < 1 || c.Percentage > 100):
		return fault.InvalidRequest("a selection of type PERCENTAGE needs a Percentage of 1 to 100")
	case c.Type == selectNames && len(c.Names) == 0:
		return fault.InvalidRequest("a selection of type SELECTION needs DeviceNames")
	case c.Type == selectContains && c.Contains == "":
		return fault.InvalidRequest("a selection of type NAMECONTAINS needs DeviceNameContains")
	}
	return nil
}

// findStage gives a stage with its plan.
func findStage(tx Tx, plan, stage string) (Plan, Stage, error) {
	p, err := findPlan(tx, plan)
	if err != nil {
		return Plan{}, Stage{}, err
	}
	stages, err := tx.Stages(plan)
	if err != nil {
		return Plan{}, Stage{}, err
	}
	i := slices.IndexFunc(stages, func(g Stage) bool { return Key(g.Name) == Key(stage) })
	if i < 0 {
		return Plan{}, Stage{}, fault.NotFound("Edge deployment plan %s has no stage %s", plan, stage)
	}
	return p, stages[i], nil
}

// DeleteStage deletes a stage that is not in progress, AWS operation
// DeleteEdgeDeploymentStage.
func (s *Service) DeleteStage(ctx context.Context, plan, stage string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		p, g, err := findStage(tx, plan, stage)
		if err != nil {
			return err
		}
		if g.Status == StageInProgress {
			return fault.DeleteConflict("Stage %s of edge deployment plan %s is in progress; stop it first", g.Name, p.Name)
		}
		if err := tx.DeleteStage(p.Name, g.Name); err != nil {
			return err
		}
		return s.touch(tx, p)
	})
}

// StartStage hands the plan's models to the devices of a stage, AWS operation
// StartEdgeDeploymentStage. The devices are chosen now; those that have it from
// an earlier start keep it.
func (s *Service) StartStage(ctx context.Context, plan, stage string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		p, g, err := findStage(tx, plan, stage)
		if err != nil || g.Status == StageInProgress {
			return err
		}
		if g.Status == StageDeployed {
			return fault.InvalidRequest("Stage %s is deployed already", g.Name)
		}
		if err := checkPackaged(tx, p); err != nil {
			return err
		}
		devices, err := selected(tx, p, g)
		if err != nil {
			return err
		}
		if err := s.hand(tx, p, &g, devices); err != nil {
			return err
		}
		return s.touch(tx, p)
	})
}

func checkPackaged(tx Tx, p Plan) error {
	for _, m := range p.Models {
		j, err := findJob(tx, m.Job)
		if err != nil {
			return err
		}
		if j.Status != JobCompleted {
			return fault.InvalidRequest("Edge packaging job %s is %s, not COMPLETED", j.Name, j.Status)
		}
	}
	return nil
}

// hand makes the deployments of a stage that starts.
func (s *Service) hand(tx Tx, p Plan, g *Stage, devices []candidate) error {
	g.Status, g.Message, g.Started = StageInProgress, "", s.time()
	g.Success, g.Pending, g.Failed = 0, 0, 0
	for _, c := range devices {
		switch {
		case c.elsewhere(*g):
			continue
		case c.found && c.Status == DeviceDeployed:
			g.Success++
			continue
		}
		g.Pending++
		err := tx.PutDeployment(Deployment{
			Plan: p.Name, Stage: g.Name, Fleet: p.Fleet, Device: c.device.Name, Status: DeviceInProgress, Started: g.Started,
		})
		if err != nil {
			return err
		}
	}
	if g.Pending+g.Success == 0 {
		return fault.InvalidRequest("Stage %s selects no device of device fleet %s", g.Name, p.Fleet)
	}
	return settle(tx, *g)
}

// StopStage takes the models back from the devices that do not have them yet, AWS
// operation StopEdgeDeploymentStage. A stage that is not in progress stays as it
// is.
func (s *Service) StopStage(ctx context.Context, plan, stage string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		p, g, err := findStage(tx, plan, stage)
		if err != nil || g.Status != StageInProgress {
			return err
		}
		err = eachDeployment(tx, p.Name, g.Name, func(d Deployment) error {
			if d.Status != DeviceInProgress {
				return nil
			}
			d.Status = DeviceStopped
			return tx.PutDeployment(d)
		})
		if err != nil {
			return err
		}
		g.Status, g.Pending = StageStopped, 0
		if err := tx.PutStage(g); err != nil {
			return err
		}
		return s.touch(tx, p)
	})
}

// batch is how many rows are read at a time where all are wanted.
const batch = 1000

func eachDeployment(tx Tx, plan, stage string, do func(Deployment) error) error {
	for after := ""; ; {
		rows, err := tx.Deployments(plan, stage, after, batch)
		if err != nil {
			return err
		}
		for _, d := range rows {
			if err := do(d); err != nil {
				return err
			}
			after = Key(d.Device)
		}
		if len(rows) < batch {
			return nil
		}
	}
}

// settle ends a stage all of whose devices have reported, and keeps it.
func settle(tx Tx, g Stage) error {
	if g.Status == StageInProgress && g.Pending == 0 {
		g.Status = StageDeployed
		if g.Failed > 0 {
			g.Status, g.Message = StageFailed, "the deployment failed on some devices"
		}
	}
	return tx.PutStage(g)
}
