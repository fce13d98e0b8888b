package console

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"thingd/internal/edgefleet"
	"thingd/internal/registry"
)

// fleetPlansPage is a part of the list of deployment plans, with the form of a new
// one.
type fleetPlansPage struct {
	outcome
	Search string
	Plans  []edgefleet.Summary
	Next   string
	First  bool
	Form   fleetPlanForm
	Fleets []string // to choose from
	Jobs   []string // to choose from
}

// fleetPlanForm is what a new plan takes.
type fleetPlanForm struct {
	Name, Fleet string
	Models      []pair // handle and packaging job
}

func (v *visit) fleetPlans() error { return v.listFleetPlans(fleetPlanForm{}, nil) }

func (v *visit) listFleetPlans(form fleetPlanForm, problem error) (err error) {
	if err := v.list("sagemaker:ListEdgeDeploymentPlans", problem); err != nil {
		return err
	}
	page := fleetPlansPage{outcome: v.outcomeOf(problem), Search: v.query("q"), First: v.query("token") == "", Form: form}
	query := edgefleet.Query{Contains: page.Search, Descending: true}
	if page.Plans, page.Next, err = v.Fleets.Plans(v.r.Context(), query, registry.Page{Token: v.query("token")}); err != nil {
		return err
	}
	page.Fleets, err = names(v, "sagemaker:ListDeviceFleets", func() ([]edgefleet.Fleet, string, error) {
		return v.Fleets.Fleets(v.r.Context(), edgefleet.Query{Sort: edgefleet.ByName}, registry.Page{})
	}, func(f edgefleet.Fleet) string { return f.Name })
	if err != nil {
		return err
	}
	page.Jobs, err = names(v, "sagemaker:ListEdgePackagingJobs", func() ([]edgefleet.Job, string, error) {
		return v.Fleets.Jobs(v.r.Context(), edgefleet.Query{Sort: edgefleet.ByName}, registry.Page{})
	}, func(j edgefleet.Job) string { return j.Name })
	if err != nil {
		return err
	}
	return v.renderWith(page.Status, "fleetplans", page)
}

func (v *visit) createFleetPlan() error {
	form := fleetPlanForm{v.form("name"), v.form("fleet"), v.pairs()}
	v.note("plan", form.Name)
	if err := v.may("sagemaker:CreateEdgeDeploymentPlan", v.Fleets.PlanARN(form.Name)); err != nil {
		return err
	}
	if err := v.makeFleetPlan(form); err != nil {
		return v.listFleetPlans(form, err)
	}
	return v.to(fleetPlanPath(form.Name), "created.named", form.Name)
}

func (v *visit) makeFleetPlan(form fleetPlanForm) error {
	plan := edgefleet.Plan{Name: form.Name, Fleet: form.Fleet}
	for _, model := range form.Models {
		if err := v.checkFleetNames(model.Name, model.Value); err != nil {
			return err
		}
		plan.Models = append(plan.Models, edgefleet.PlannedModel{Handle: model.Name, Job: model.Value})
	}
	if err := v.checkFleetNames(form.Name, form.Fleet); err != nil {
		return err
	}
	return v.Fleets.CreatePlan(v.r.Context(), plan, nil, nil)
}

func fleetPlanPath(name string) string { return Root + "fleetplans/" + url.PathEscape(name) }

// fleetPlanPage is one plan in full.
type fleetPlanPage struct {
	outcome
	edgefleet.Plan
	tagged
	ARN    string
	Stages []fleetStage
	Form   stageForm
}

// fleetStage is a stage with what can be done to it, and the first of its devices.
type fleetStage struct {
	edgefleet.Stage
	Devices []edgefleet.StageDevice
	More    bool // devices beyond these
}

// stageForm is what a new stage takes.
type stageForm struct{ Name, Type, Percentage, Devices, Contains, OnFailure string }

const stageDevices = 50 // shown

// CanStart says whether the stage waits, failed or was stopped.
func (g fleetStage) CanStart() bool {
	return g.Status != edgefleet.StageInProgress && g.Status != edgefleet.StageDeployed
}

// Running says whether it is under way.
func (g fleetStage) Running() bool { return g.Status == edgefleet.StageInProgress }

func (v *visit) fleetPlan() error {
	return v.showFleetPlan(stageForm{Type: "PERCENTAGE", Percentage: "100"}, nil)
}

func (v *visit) showFleetPlan(form stageForm, problem error) error {
	name := v.r.PathValue("name")
	page := fleetPlanPage{outcome: v.outcomeOf(problem), ARN: v.Fleets.PlanARN(name), Form: form}
	if err := v.may("sagemaker:DescribeEdgeDeploymentPlan", page.ARN); err != nil {
		return err
	}
	plan, stages, err := v.Fleets.Plan(v.r.Context(), name)
	if err != nil {
		return err
	}
	page.Plan = plan
	for _, stage := range stages {
		shown, err := v.fleetStage(stage)
		if err != nil {
			return err
		}
		page.Stages = append(page.Stages, shown)
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	return v.renderWith(page.outcome.Status, "fleetplan", page)
}

func (v *visit) fleetStage(stage edgefleet.Stage) (fleetStage, error) {
	shown := fleetStage{Stage: stage}
	if v.may("sagemaker:ListStageDevices", v.Fleets.PlanARN(stage.Plan)) != nil {
		return shown, nil
	}
	devices, next, err := v.Fleets.StageDevices(v.r.Context(), stage.Plan, stage.Name, false, registry.Page{Size: stageDevices})
	shown.Devices, shown.More = devices, next != ""
	return shown, err
}

func (v *visit) createFleetStage() error {
	name := v.r.PathValue("name")
	form := stageForm{v.form("stage"), v.form("type"), v.form("percentage"), v.form("devices"), v.form("contains"), v.form("onfailure")}
	v.note("stage", form.Name)
	if err := v.may("sagemaker:CreateEdgeDeploymentStage", v.Fleets.PlanARN(name)); err != nil {
		return err
	}
	err := v.checkFleetNames(form.Name)
	if err == nil {
		err = v.Fleets.CreateStages(v.r.Context(), name, []edgefleet.Stage{form.stage()})
	}
	if err != nil {
		return v.showFleetPlan(form, err)
	}
	return v.to(fleetPlanPath(name), "created.named", form.Name)
}

// stage reads the form. Only what belongs to the kind of selection counts.
func (f stageForm) stage() edgefleet.Stage {
	g := edgefleet.Stage{Name: f.Name, OnFailure: f.OnFailure, Selection: edgefleet.Selection{Type: f.Type}}
	switch f.Type {
	case "SELECTION":
		g.Selection.Names = strings.FieldsFunc(f.Devices, func(r rune) bool { return strings.ContainsRune(", \r\n\t", r) })
	case "NAMECONTAINS":
		g.Selection.Contains = f.Contains
	default:
		g.Selection.Type = "PERCENTAGE"
		g.Selection.Percentage, _ = strconv.Atoi(f.Percentage) // what is no number is refused as 0 is
	}
	return g
}

// stageDeeds are what can be done to a stage.
var stageDeeds = map[string]struct {
	action string
	do     func(v *visit, plan, stage string) error
}{
	"start":  {"sagemaker:StartEdgeDeploymentStage", func(v *visit, p, g string) error { return v.Fleets.StartStage(v.r.Context(), p, g) }},
	"stop":   {"sagemaker:StopEdgeDeploymentStage", func(v *visit, p, g string) error { return v.Fleets.StopStage(v.r.Context(), p, g) }},
	"delete": {"sagemaker:DeleteEdgeDeploymentStage", func(v *visit, p, g string) error { return v.Fleets.DeleteStage(v.r.Context(), p, g) }},
}

func (v *visit) setFleetStage() error {
	name, stage := v.r.PathValue("name"), v.form("stage")
	deed, known := stageDeeds[v.form("do")]
	v.note("stage", stage)
	v.note("do", v.form("do"))
	if err := v.may(cmp.Or(deed.action, "sagemaker:StartEdgeDeploymentStage"), v.Fleets.PlanARN(name)); err != nil {
		return err
	}
	if !known {
		return v.wrong("error.nowhere")
	}
	if err := deed.do(v, name, stage); err != nil {
		return err
	}
	return v.to(fleetPlanPath(name), "saved")
}

func (v *visit) deleteFleetPlan() error {
	name := v.r.PathValue("name")
	if err := v.may("sagemaker:DeleteEdgeDeploymentPlan", v.Fleets.PlanARN(name)); err != nil {
		return err
	}
	if err := v.Fleets.DeletePlan(v.r.Context(), name); err != nil {
		return err
	}
	return v.to(Root+"fleetplans", "deleted")
}

var fleetPlanRoutes = []route{
	{"GET /console/fleetplans", (*visit).fleetPlans},
	{"POST /console/fleetplans", (*visit).createFleetPlan},
	{"GET /console/fleetplans/{name}", (*visit).fleetPlan},
	{"POST /console/fleetplans/{name}/stages", (*visit).createFleetStage},
	{"POST /console/fleetplans/{name}/stage", (*visit).setFleetStage},
	{"POST /console/fleetplans/{name}/delete", (*visit).deleteFleetPlan},
}
