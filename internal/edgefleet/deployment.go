package edgefleet

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"thingd/internal/registry"
)

// DeviceStatus is where a deployment stands on one device.
type DeviceStatus string

// A device waits as READYTODEPLOY and is INPROGRESS from the start of its stage
// until its agent reports.
const (
	DeviceReady      DeviceStatus = "READYTODEPLOY"
	DeviceInProgress DeviceStatus = "INPROGRESS"
	DeviceDeployed   DeviceStatus = "DEPLOYED"
	DeviceFailed     DeviceStatus = "FAILED"
	DeviceStopped    DeviceStatus = "STOPPED"
)

// candidate is a device that a stage selects, with what the plan has done to it.
type candidate struct {
	device Device
	found  bool // whether it has a deployment of this plan
	Deployment
}

// elsewhere says whether another stage of the plan has the device.
func (c candidate) elsewhere(g Stage) bool {
	return c.found && Key(c.Stage) != Key(g.Name) && c.Status != DeviceStopped
}

// selected gives the devices that a stage selects as the fleet is now, by name.
// A percentage is one of the whole fleet, taken from the devices that no other
// stage of the plan has.
func selected(tx Tx, p Plan, g Stage) ([]candidate, error) {
	if g.Selection.Type == selectNames {
		return namedDevices(tx, p, g.Selection.Names)
	}
	all, err := fleetDevices(tx, p, g.Selection.Contains)
	if err != nil || g.Selection.Type != selectPercentage {
		return all, err
	}
	quota := (len(all)*g.Selection.Percentage + 99) / 100
	var free []candidate
	for _, c := range all {
		if len(free) < quota && !c.elsewhere(g) {
			free = append(free, c)
		}
	}
	return free, nil
}

// namedDevices leaves out names of no device: it may have gone since.
func namedDevices(tx Tx, p Plan, names []string) ([]candidate, error) {
	var all []candidate
	seen := map[string]bool{}
	for _, name := range names {
		d, found, err := tx.Device(p.Fleet, name)
		if err != nil {
			return nil, err
		}
		if !found || seen[Key(name)] {
			continue
		}
		seen[Key(name)] = true
		c, err := candidateOf(tx, p, d)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func fleetDevices(tx Tx, p Plan, contains string) ([]candidate, error) {
	var all []candidate
	for after := ""; ; {
		rows, err := tx.Devices(DeviceQuery{Fleet: p.Fleet, Contains: contains, AfterFleet: Key(p.Fleet), AfterDevice: after, Limit: batch})
		if err != nil {
			return nil, err
		}
		for _, d := range rows {
			c, err := candidateOf(tx, p, d)
			if err != nil {
				return nil, err
			}
			all = append(all, c)
			after = Key(d.Name)
		}
		if len(rows) < batch {
			return all, nil
		}
	}
}

func candidateOf(tx Tx, p Plan, d Device) (candidate, error) {
	row, found, err := tx.Deployment(p.Name, d.Name)
	return candidate{d, found, row}, err
}

// StageDevice is a device of a stage, with what the stage does to it.
type StageDevice struct {
	Device     Device
	DeployedIn string // the stage that has it: this one, or another of the plan
	Deployment        // Status is READYTODEPLOY before the stage has it
}

// StageDevices lists the devices of a stage by name, AWS operation
// ListStageDevices: those that it was started with or, before that, would be.
func (s *Service) StageDevices(ctx context.Context, plan, stage string, onlyFree bool, p registry.Page) (devices []StageDevice, next string, err error) {
	list := registry.List{"stagedevices", Key(plan), Key(stage)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	limit := limitOf(p)
	err = s.store.View(ctx, func(tx Tx) error {
		devices, err = stageDevices(tx, plan, stage, onlyFree, keys[0], limit+1)
		return err
	})
	if err != nil || len(devices) <= limit {
		return devices, "", err
	}
	return devices[:limit], list.Token(Key(devices[limit-1].Deployment.Device)), nil
}

func stageDevices(tx Tx, plan, stage string, onlyFree bool, after string, limit int) ([]StageDevice, error) {
	p, g, err := findStage(tx, plan, stage)
	if err != nil {
		return nil, err
	}
	if g.Started.IsZero() {
		return waitingDevices(tx, p, g, onlyFree, after, limit)
	}
	rows, err := tx.Deployments(p.Name, g.Name, after, limit)
	if err != nil {
		return nil, err
	}
	all := make([]StageDevice, len(rows))
	for i, row := range rows {
		d, _, err := tx.Device(row.Fleet, row.Device)
		if err != nil {
			return nil, err
		}
		all[i] = StageDevice{Device: d, DeployedIn: row.Stage, Deployment: row}
	}
	return all, nil
}

func waitingDevices(tx Tx, p Plan, g Stage, onlyFree bool, after string, limit int) ([]StageDevice, error) {
	candidates, err := selected(tx, p, g)
	if err != nil {
		return nil, err
	}
	sortByName(candidates)
	var all []StageDevice
	for _, c := range candidates {
		if Key(c.device.Name) <= after || len(all) >= limit || onlyFree && c.elsewhere(g) {
			continue
		}
		d := StageDevice{Device: c.device, Deployment: Deployment{
			Plan: p.Name, Stage: g.Name, Fleet: p.Fleet, Device: c.device.Name, Status: DeviceReady,
		}}
		if c.elsewhere(g) {
			d.DeployedIn, d.Status, d.Message, d.Started = c.Stage, c.Status, c.Message, c.Started
		}
		all = append(all, d)
	}
	return all, nil
}

// Order is a deployment as a device is told it: the artifacts that it should
// have.
type Order struct {
	Plan      string
	OnFailure string
	Models    []OrderedModel
}

// OrderedModel is an artifact under the name that the device calls it by.
type OrderedModel struct {
	Handle   string
	Artifact string // s3://bucket/key
	SHA1     string // in hex
}

// Orders gives what a device should deploy, AWS operation GetDeployments of the
// agent's API.
func (s *Service) Orders(ctx context.Context, fleet, device string) (orders []Order, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if _, err := findDevice(tx, fleet, device); err != nil {
			return err
		}
		rows, err := tx.DeploymentsOf(fleet, device)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Status != DeviceInProgress {
				continue
			}
			order, err := orderOf(tx, row)
			if err != nil {
				return err
			}
			orders = append(orders, order)
		}
		return nil
	})
	return orders, err
}

func orderOf(tx Tx, row Deployment) (Order, error) {
	p, g, err := findStage(tx, row.Plan, row.Stage)
	if err != nil {
		return Order{}, err
	}
	o := Order{Plan: p.Name, OnFailure: g.OnFailure}
	for _, m := range p.Models {
		j, err := findJob(tx, m.Job)
		if err != nil {
			return Order{}, err
		}
		o.Models = append(o.Models, OrderedModel{Handle: m.Handle, Artifact: j.Artifact, SHA1: j.SHA1})
	}
	return o, nil
}

// outcomes are the words by which agents report how a deployment went. The API
// leaves them open (unconfirmed); of the others, all mean that it failed but
// those that say it is under way.
var outcomes = map[string]DeviceStatus{
	"SUCCESS": DeviceDeployed, "SUCCEEDED": DeviceDeployed, "COMPLETED": DeviceDeployed, "DEPLOYED": DeviceDeployed,
	"INPROGRESS": DeviceInProgress, "IN-PROGRESS": DeviceInProgress, "STARTED": DeviceInProgress, "PENDING": DeviceInProgress,
}

// report notes how a deployment went on a device. One that was stopped or is long
// over is not asked for any more, and its report is nobody's.
func (s *Service) report(tx Tx, d Device, r Result) error {
	row, found, err := tx.Deployment(r.Deployment, d.Name)
	if err != nil || !found || Key(row.Fleet) != Key(d.Fleet) || row.Status != DeviceInProgress {
		return err
	}
	status, known := outcomes[strings.ToUpper(r.Status)]
	if !known {
		status = DeviceFailed
	}
	if status == DeviceInProgress {
		return nil
	}
	_, g, err := findStage(tx, row.Plan, row.Stage)
	if err != nil {
		return err
	}
	row.Status, row.Message = status, clip(r.Message)
	g.Pending--
	if status == DeviceDeployed {
		g.Success++
	} else {
		g.Failed++
	}
	if err := tx.PutDeployment(row); err != nil {
		return err
	}
	return settle(tx, g)
}

// withdraw forgets the deployment to a device that goes.
func (s *Service) withdraw(tx Tx, row Deployment) error {
	_, g, err := findStage(tx, row.Plan, row.Stage)
	if err != nil {
		return err
	}
	switch row.Status {
	case DeviceInProgress:
		g.Pending--
	case DeviceDeployed:
		g.Success--
	case DeviceFailed:
		g.Failed--
	}
	if err := tx.DeleteDeployment(row.Plan, row.Device); err != nil {
		return err
	}
	return settle(tx, g)
}

func sortByName(all []candidate) {
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(Key(a.device.Name), Key(b.device.Name)) })
}
