package console

import (
	"net/url"
	"regexp"

	"thingd/internal/edgefleet"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

// fleetJobsPage is a part of the list of packaging jobs, with the form of a new
// one.
type fleetJobsPage struct {
	outcome
	Search string
	Jobs   []edgefleet.Job
	Next   string
	First  bool
	Form   fleetJobForm
	Roles  []string // ARNs to choose from
}

// fleetJobForm is what a new packaging job takes.
type fleetJobForm struct{ Name, Compilation, Model, Version, Role, Output string }

// modelVersion is the pattern of SageMaker's EdgeVersion.
var modelVersion = regexp.MustCompile(`^[a-zA-Z0-9 _.]{1,30}$`)

func (v *visit) fleetJobs() error { return v.listFleetJobs(fleetJobForm{}, nil) }

func (v *visit) listFleetJobs(form fleetJobForm, problem error) (err error) {
	if err := v.list("sagemaker:ListEdgePackagingJobs", problem); err != nil {
		return err
	}
	page := fleetJobsPage{outcome: v.outcomeOf(problem), Search: v.query("q"), First: v.query("token") == "", Form: form}
	query := edgefleet.Query{Contains: page.Search, Descending: true}
	if page.Jobs, page.Next, err = v.Fleets.Jobs(v.r.Context(), query, registry.Page{Token: v.query("token")}); err != nil {
		return err
	}
	if page.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	return v.renderWith(page.Status, "fleetjobs", page)
}

func (v *visit) createFleetJob() error {
	form := fleetJobForm{v.form("name"), v.form("compilation"), v.form("model"), v.form("version"), v.form("role"), v.form("output")}
	v.note("job", form.Name)
	if err := v.may("sagemaker:CreateEdgePackagingJob", v.Fleets.JobARN(form.Name)); err != nil {
		return err
	}
	if err := v.makeFleetJob(form); err != nil {
		return v.listFleetJobs(form, err)
	}
	return v.to(fleetJobPath(form.Name), "created.named", form.Name)
}

func (v *visit) makeFleetJob(form fleetJobForm) error {
	if form.Compilation == "" {
		form.Compilation = form.Name
	}
	if err := v.checkFleetNames(form.Name, form.Compilation, form.Model); err != nil {
		return err
	}
	if !modelVersion.MatchString(form.Version) {
		return v.wrong("fleetjob.version.hint")
	}
	if !fleetOutput.MatchString(form.Output) {
		return v.wrong("fleet.output.hint")
	}
	if err := v.mayPass(form.Role); err != nil {
		return err
	}
	return v.Fleets.CreateJob(v.r.Context(), edgefleet.Job{
		Name: form.Name, CompilationJob: form.Compilation, Model: form.Model, Version: form.Version, RoleARN: form.Role,
		Output: edgefleet.Output{S3Location: form.Output},
	}, nil)
}

// checkFleetNames holds names to SageMaker's EntityName.
func (v *visit) checkFleetNames(names ...string) error {
	for _, name := range names {
		if !fleetName.MatchString(name) {
			return fault.InvalidRequest("%s: %s", name, ours(v.text("fleet.name.hint")))
		}
	}
	return nil
}

func fleetJobPath(name string) string { return Root + "fleetjobs/" + url.PathEscape(name) }

// fleetJobPage is one packaging job in full.
type fleetJobPage struct {
	edgefleet.Job
	tagged
	ARN string
}

// Running says whether the job can be stopped.
func (p fleetJobPage) Running() bool {
	return p.Status == edgefleet.JobStarting || p.Status == edgefleet.JobInProgress
}

// Over says whether nothing more happens to the job.
func (p fleetJobPage) Over() bool { return !p.Running() && p.Status != edgefleet.JobStopping }

func (v *visit) fleetJob() error {
	name := v.r.PathValue("name")
	page := fleetJobPage{ARN: v.Fleets.JobARN(name)}
	if err := v.may("sagemaker:DescribeEdgePackagingJob", page.ARN); err != nil {
		return err
	}
	var err error
	if page.Job, err = v.Fleets.Job(v.r.Context(), name); err != nil {
		return err
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	return v.render("fleetjob", page)
}

func (v *visit) stopFleetJob() error {
	name := v.r.PathValue("name")
	if err := v.may("sagemaker:StopEdgePackagingJob", v.Fleets.JobARN(name)); err != nil {
		return err
	}
	if err := v.Fleets.StopJob(v.r.Context(), name); err != nil {
		return err
	}
	return v.to(fleetJobPath(name), "saved")
}

var fleetJobRoutes = []route{
	{"GET /console/fleetjobs", (*visit).fleetJobs},
	{"POST /console/fleetjobs", (*visit).createFleetJob},
	{"GET /console/fleetjobs/{name}", (*visit).fleetJob},
	{"POST /console/fleetjobs/{name}/stop", (*visit).stopFleetJob},
}
