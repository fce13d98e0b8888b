package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// importsPage lists bulk registrations of both kinds, and has their forms.
type importsPage struct {
	Tasks    []provisioning.Task
	Imports  []provisioning.ImportJob
	Formats  []manifest.Format
	Kinds    []string // of certificates, in an Infineon bundle
	Policies []string
	Buckets  []string
	Roles    []string
}

// mayBulk asks for a right to registration tasks. Imports of manifests are under
// the same rights: they do the same.
func (v *visit) mayBulk(action string) error {
	return v.may("iot:"+action+"ThingRegistrationTask", "*")
}

const importsShown = 20 // of each kind, the newest

func (v *visit) imports() error {
	if err := v.may("iot:ListThingRegistrationTasks", "*"); err != nil {
		return err
	}
	page := importsPage{
		Formats: []manifest.Format{manifest.Microchip, manifest.Espressif, manifest.Infineon, manifest.Generated}, Kinds: manifest.CertificateTypes[:],
	}
	var err error
	if page.Tasks, _, err = v.Provisioning.Tasks(v.r.Context(), "", registry.Page{Size: importsShown}); err != nil {
		return err
	}
	if page.Imports, _, err = v.Provisioning.ImportJobs(v.r.Context(), registry.Page{Size: importsShown}); err != nil {
		return err
	}
	if page.Policies, err = v.policyNames(nil); err != nil {
		return err
	}
	form := ruleForm{Actions: []actionForm{{actionKind: kindOf("s3")}}}
	if err := v.fillBuckets(&form); err != nil {
		return err
	}
	page.Buckets = form.Buckets
	if v.may("iam:ListRoles", v.Scope.IAM("role/")) == nil {
		roles, _, err := v.IAM.Roles(v.r.Context(), iam.Page{})
		if err != nil {
			return err
		}
		for _, role := range roles {
			page.Roles = append(page.Roles, v.IAM.RoleARN(role))
		}
	}
	return v.render("imports", page)
}

func taskPath(id string) string   { return Root + "tasks/" + url.PathEscape(id) }
func importPath(id string) string { return Root + "imports/" + url.PathEscape(id) }

// startTask starts a registration task. The page's script has put the file of
// parameters into the bucket before.
func (v *visit) startTask() error {
	bucket, key, role := v.form("bucket"), v.form("key"), v.form("role")
	v.note("bucket", bucket)
	v.note("key", key)
	if err := v.mayBulk("Start"); err != nil {
		return err
	}
	if name := v.form("newrole"); name != "" {
		var err error
		if role, err = v.readerRole(name, bucket); err != nil {
			return err
		}
	}
	v.note("role", role)
	if err := v.may("iam:PassRole", role); err != nil {
		return err
	}
	task, err := v.Provisioning.StartTask(v.r.Context(), v.r.PostForm.Get("template"), bucket, key, role)
	if err != nil {
		return err
	}
	return v.to(taskPath(task.ID), "import.started")
}

// readerRole makes a role that a task may take to read its input, and no more.
func (v *visit) readerRole(name, bucket string) (string, error) {
	arn := v.Scope.IAM("role/" + name)
	for _, action := range []string{"iam:CreateRole", "iam:PutRolePolicy"} {
		if err := v.may(action, arn); err != nil {
			return "", err
		}
	}
	role, err := v.IAM.CreateRole(v.r.Context(), iam.Role{Name: name, Trust: ruleTrust})
	if err != nil {
		return "", err
	}
	document := documentOf([]statement{{"Allow", "s3:GetObject", "arn:aws:s3:::" + bucket + "/*"}})
	return v.IAM.RoleARN(role), v.IAM.PutInline(v.r.Context(), iam.ByRole, role.Name, "registration-task", document)
}

// taskPage is one registration task.
type taskPage struct {
	provisioning.Task
	Reports string // address of the folder of its reports
}

// Running says whether the page has to look again.
func (p taskPage) Running() bool {
	return p.Status == provisioning.InProgress || p.Status == provisioning.Cancelling
}

func (v *visit) task() error {
	if err := v.mayBulk("Describe"); err != nil {
		return err
	}
	task, err := v.Provisioning.Task(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.render("task", taskPage{task, bucketPath(task.Bucket, "thing-registration-tasks/"+task.ID+"/")})
}

func (v *visit) stopTask() error {
	if err := v.mayBulk("Stop"); err != nil {
		return err
	}
	if err := v.Provisioning.StopTask(v.r.Context(), v.r.PathValue("id")); err != nil {
		return err
	}
	return v.to(taskPath(v.r.PathValue("id")), "saved")
}

const (
	manifestPattern = "POST /console/imports"
	orderMax        = 1 << 20 // bytes of all fields before the file
)

// startImport takes the form in parts, the manifest last, and reads it as it
// comes. The page's script sends it, with the token in a header.
func (v *visit) startImport() error {
	if err := v.mayBulk("Start"); err != nil {
		return err
	}
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Time{}) // a large file takes its time
	parts, err := v.r.MultipartReader()
	if err != nil {
		return v.wrong("import.nofile")
	}
	fields := map[string]string{}
	for room := int64(orderMax); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) || err != nil {
			return v.wrong("import.nofile")
		}
		if part.FormName() == "file" {
			return v.importFile(fields, part.FileName(), part)
		}
		text, err := io.ReadAll(io.LimitReader(part, room+1))
		if room -= int64(len(text)); err != nil || room < 0 {
			return fault.New(fault.CodeEntityTooLarge, "the form is too large")
		}
		fields[part.FormName()] = string(text)
	}
}

func (v *visit) importFile(fields map[string]string, name string, file io.Reader) error {
	v.note("file", name)
	order := provisioning.ImportOrder{
		Name: name, Format: manifest.Format(fields["format"]), Signers: fields["signers"], Policy: fields["policy"],
		ThingType: fields["type"], Group: fields["group"], NameCase: provisioning.NameCase(fields["case"]),
	}
	if order.Format == manifest.Infineon { // the form sends its choice with every format
		order.Certificates = fields["certificates"]
	}
	job, err := v.Provisioning.StartImport(v.r.Context(), order, file)
	if err != nil {
		return err
	}
	v.note("import", job.ID)
	v.w.Header().Set("Location", importPath(job.ID))
	v.w.WriteHeader(http.StatusCreated)
	return nil
}

// importPage is one import, and what became of its entries.
type importPage struct {
	provisioning.ImportJob
	Only    string // "failed": no others are shown
	Entries []provisioning.Imported
	Next    string
	First   bool
}

func (v *visit) manifestImport() error {
	if err := v.mayBulk("Describe"); err != nil {
		return err
	}
	job, err := v.Provisioning.ImportJob(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	page := importPage{ImportJob: job, First: v.query("token") == ""}
	if v.query("only") == "failed" {
		page.Only = "failed"
	}
	page.Entries, page.Next, err = v.Provisioning.ImportReport(v.r.Context(), job.ID, stateOf(page.Only), registry.Page{Token: v.query("token"), Size: 50})
	if err != nil {
		return err
	}
	return v.render("import", page)
}

func stateOf(only string) provisioning.OutcomeState {
	if only == "failed" {
		return provisioning.Broken
	}
	return ""
}

// importReport is the report as a file, one entry in JSON a line.
func (v *visit) importReport() error {
	if err := v.mayBulk("Describe"); err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if _, err := v.Provisioning.ImportJob(v.r.Context(), id); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/x-ndjson")
	v.w.Header().Set("Content-Disposition", `attachment; filename="import-report.ndjson"`)
	if err := v.Provisioning.WriteImportReport(v.r.Context(), id, stateOf(v.query("only")), v.w); err != nil {
		v.Log.Error("console: a report broke off", "import", id, "error", err)
		panic(http.ErrAbortHandler) // the header is out
	}
	return nil
}

// endImport stops an import or, once it has ended, forgets it.
func (v *visit) endImport() error {
	id := v.r.PathValue("id")
	if err := v.mayBulk("Stop"); err != nil {
		return err
	}
	if v.form("to") == "deleted" {
		if err := v.Provisioning.DeleteImport(v.r.Context(), id); err != nil {
			return err
		}
		return v.to(Root+"imports", "deleted")
	}
	if err := v.Provisioning.StopImport(v.r.Context(), id); err != nil {
		return err
	}
	return v.to(importPath(id), "saved")
}

var importRoutes = []route{
	{"GET /console/imports", (*visit).imports},
	{manifestPattern, (*visit).startImport},
	{"GET /console/imports/{id}", (*visit).manifestImport},
	{"GET /console/imports/{id}/report", (*visit).importReport},
	{"POST /console/imports/{id}/end", (*visit).endImport},
	{"POST /console/tasks", (*visit).startTask},
	{"GET /console/tasks/{id}", (*visit).task},
	{"POST /console/tasks/{id}/stop", (*visit).stopTask},
}
