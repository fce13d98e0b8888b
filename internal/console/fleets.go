package console

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"
	"time"

	"thingd/internal/edgefleet"
	"thingd/internal/iam"
	"thingd/internal/registry"
)

// fleetsPage is a part of the list of device fleets, with the form of a new one.
type fleetsPage struct {
	outcome
	Search string
	Fleets []edgefleet.Fleet
	Next   string
	First  bool
	Form   fleetForm
	Roles  []string // ARNs to choose from
}

// fleetForm is what a new fleet takes.
type fleetForm struct {
	Name, Description, Role, Output string
	NewRole                         string // name of a role to make for it
}

// fleetName and fleetOutput are the patterns of SageMaker's EntityName and
// S3Uri (CreateDeviceFleet).
var (
	fleetName   = regexp.MustCompile(`^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$`)
	fleetOutput = regexp.MustCompile(`^(https|s3)://([^/]+)/?(.*)$`)
)

func (v *visit) mayFleet(action, fleet string) error {
	return v.may("sagemaker:"+action, v.Fleets.FleetARN(fleet))
}

func (v *visit) fleets() error { return v.listFleets(fleetForm{}, nil) }

func (v *visit) listFleets(form fleetForm, problem error) (err error) {
	if err := v.may("sagemaker:ListDeviceFleets", "*"); err != nil {
		return cmp.Or(problem, err)
	}
	page := fleetsPage{outcome: v.outcomeOf(problem), Search: v.query("q"), First: v.query("token") == "", Form: form}
	query := edgefleet.Query{Contains: page.Search, Sort: edgefleet.ByName}
	if page.Fleets, page.Next, err = v.Fleets.Fleets(v.r.Context(), query, registry.Page{Token: v.query("token")}); err != nil {
		return err
	}
	if page.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	return v.renderWith(page.Status, "fleets", page)
}

func (v *visit) createFleet() error {
	form := fleetForm{v.form("name"), v.form("description"), v.form("role"), v.form("output"), v.form("newrole")}
	v.note("fleet", form.Name)
	if err := v.mayFleet("CreateDeviceFleet", form.Name); err != nil {
		return err
	}
	if err := v.makeFleet(&form); err != nil {
		return v.listFleets(form, err)
	}
	return v.to(fleetPath(form.Name), "created.named", form.Name)
}

func (v *visit) makeFleet(form *fleetForm) error {
	if !fleetName.MatchString(form.Name) {
		return v.wrong("fleet.name.hint")
	}
	if !fleetOutput.MatchString(form.Output) {
		return v.wrong("fleet.output.hint")
	}
	if _, err := v.Fleets.Fleet(v.r.Context(), form.Name); err == nil {
		return v.taken(form.Name)
	}
	if form.NewRole != "" {
		if err := v.makeFleetRole(form); err != nil {
			return err
		}
	}
	if err := v.mayPass(form.Role); err != nil {
		return err
	}
	return v.Fleets.CreateFleet(v.r.Context(), edgefleet.Fleet{
		Name: form.Name, Description: form.Description, RoleARN: form.Role, Output: edgefleet.Output{S3Location: form.Output},
	}, nil, nil)
}

// makeFleetRole makes a role that devices of the fleet can take on, with what
// AWS's tutorial gives them: the output bucket and the calls of the agent.
func (v *visit) makeFleetRole(form *fleetForm) error {
	arn := v.Scope.IAM("role/" + form.NewRole)
	for _, action := range []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:PassRole"} {
		if err := v.may(action, arn); err != nil {
			return err
		}
	}
	if err := v.checkIAMName(form.NewRole); err != nil {
		return err
	}
	v.note("role", arn)
	role, err := v.IAM.CreateRole(v.r.Context(), iam.Role{Name: form.NewRole, Trust: trustOf(trusted[1:])})
	if err != nil {
		return err
	}
	form.Role, form.NewRole = v.IAM.RoleARN(role), ""
	bucket := fleetOutput.FindStringSubmatch(form.Output)[2]
	return v.IAM.PutInline(v.r.Context(), iam.ByRole, role.Name, "fleet", documentOf([]statement{
		{"Allow", "s3:PutObject, s3:GetObject, s3:ListBucket, s3:GetBucketLocation", "arn:aws:s3:::" + bucket + ", arn:aws:s3:::" + bucket + "/*"},
		{"Allow", "sagemaker:GetDeviceRegistration, sagemaker:SendHeartbeat, sagemaker:GetDeployments", "*"},
	}))
}

func fleetPath(name string) string { return Root + "fleets/" + url.PathEscape(name) }

// fleetPage is one fleet in full.
type fleetPage struct {
	edgefleet.Fleet
	tagged
	ARN     string
	Report  edgefleet.Report
	Devices []edgeDevice
	Next    string
	First   bool
	Things  []string         // to choose from
	Roles   []string         // ARNs to choose from
	Edited  edgefleet.Device // in the form; without a name, a new one
}

// edgeDevice is a device with whether it was heard of lately.
type edgeDevice struct {
	edgefleet.Device
	Alive bool
}

// heartbeatLife is how old a heartbeat may be for its device to count as
// connected, as in the fleet's report.
const heartbeatLife = time.Hour

func (v *visit) fleet() error {
	name := v.r.PathValue("name")
	if err := v.mayFleet("DescribeDeviceFleet", name); err != nil {
		return err
	}
	found, err := v.Fleets.Fleet(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := fleetPage{Fleet: found, ARN: v.Fleets.FleetARN(name), First: v.query("token") == ""}
	for _, fill := range []func(*fleetPage) error{v.fillReport, v.fillDevices} {
		if err := fill(&page); err != nil {
			return err
		}
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	if page.Things, err = v.thingNames(); err != nil {
		return err
	}
	if page.Roles, err = v.roleARNs(); err != nil {
		return err
	}
	if page.Edited, err = v.editedDevice(name); err != nil {
		return err
	}
	return v.render("fleet", page)
}

func (v *visit) fillReport(page *fleetPage) (err error) {
	if v.mayFleet("GetDeviceFleetReport", page.Name) != nil {
		return nil
	}
	page.Report, err = v.Fleets.Report(v.r.Context(), page.Name)
	return err
}

func (v *visit) fillDevices(page *fleetPage) error {
	if v.mayFleet("ListDevices", page.Name) != nil {
		return nil
	}
	devices, next, err := v.Fleets.Devices(v.r.Context(), edgefleet.DeviceQuery{Fleet: page.Name}, registry.Page{Token: v.query("token")})
	page.Next = next
	for _, d := range devices {
		alive := !d.Heartbeat.IsZero() && v.Now().Sub(d.Heartbeat) < heartbeatLife
		page.Devices = append(page.Devices, edgeDevice{d, alive})
	}
	return err
}

// editedDevice is the device that the address asks to edit, as it is now.
func (v *visit) editedDevice(fleet string) (edgefleet.Device, error) {
	name := v.query("device")
	if name == "" || v.mayFleet("DescribeDevice", fleet) != nil {
		return edgefleet.Device{}, nil
	}
	d, _, err := v.Fleets.Device(v.r.Context(), fleet, name, registry.Page{})
	return d, err
}

// updateFleet changes a fleet. What the form leaves empty stays.
func (v *visit) updateFleet() error {
	name := v.r.PathValue("name")
	if err := v.mayFleet("UpdateDeviceFleet", name); err != nil {
		return err
	}
	fleet, err := v.Fleets.Fleet(v.r.Context(), name)
	if err != nil {
		return err
	}
	if !fleetOutput.MatchString(v.form("output")) {
		return v.wrong("fleet.output.hint")
	}
	role := v.form("role")
	if role != "" && role != fleet.RoleARN {
		if err := v.mayPass(role); err != nil {
			return err
		}
	}
	change := edgefleet.Fleet{Name: name, Description: v.form("description"), RoleARN: role, Output: fleet.Output}
	change.Output.S3Location = v.form("output")
	alias := v.form("alias") != ""
	if err := v.Fleets.UpdateFleet(v.r.Context(), change, &alias); err != nil {
		return err
	}
	return v.to(fleetPath(name), "saved")
}

// updateDevice changes a device. What the form leaves empty stays.
func (v *visit) updateDevice() error {
	name, device := v.r.PathValue("name"), v.form("device")
	v.note("device", device)
	if err := v.mayFleet("UpdateDevices", name); err != nil {
		return err
	}
	change := edgefleet.Device{Name: device, Thing: v.form("thing"), Description: v.form("description")}
	if err := v.Fleets.UpdateDevices(v.r.Context(), name, []edgefleet.Device{change}); err != nil {
		return err
	}
	return v.to(fleetPath(name), "saved")
}

// registerDevice adds a device to the fleet.
func (v *visit) registerDevice() error {
	name, device := v.r.PathValue("name"), v.form("device")
	v.note("device", device)
	if err := v.mayFleet("RegisterDevices", name); err != nil {
		return err
	}
	if !fleetName.MatchString(device) {
		return v.wrong("fleet.name.hint")
	}
	err := v.Fleets.Register(v.r.Context(), name, []edgefleet.Device{{Name: device, Thing: v.form("thing"), Description: v.form("description")}}, nil)
	if err != nil {
		return err
	}
	return v.to(fleetPath(name), "saved")
}

func (v *visit) deregisterDevice() error {
	name, device := v.r.PathValue("name"), v.form("device")
	v.note("device", device)
	if err := v.mayFleet("DeregisterDevices", name); err != nil {
		return err
	}
	if err := v.Fleets.Deregister(v.r.Context(), name, []string{device}); err != nil {
		return err
	}
	return v.to(fleetPath(name), "saved")
}

func (v *visit) deleteFleet() error {
	name := v.r.PathValue("name")
	if err := v.mayFleet("DeleteDeviceFleet", name); err != nil {
		return err
	}
	if err := v.Fleets.DeleteFleet(v.r.Context(), name); err != nil {
		return err
	}
	return v.to(Root+"fleets", "deleted")
}

// RoleName is the name of the fleet's role, for its page; "" without one.
func (p fleetPage) RoleName() string { return p.RoleARN[strings.LastIndexByte(p.RoleARN, '/')+1:] }

var fleetRoutes = []route{
	{"GET /console/fleets", (*visit).fleets},
	{"POST /console/fleets", (*visit).createFleet},
	{"GET /console/fleets/{name}", (*visit).fleet},
	{"POST /console/fleets/{name}", (*visit).updateFleet},
	{"POST /console/fleets/{name}/devices", (*visit).registerDevice},
	{"POST /console/fleets/{name}/device", (*visit).updateDevice},
	{"POST /console/fleets/{name}/deregister", (*visit).deregisterDevice},
	{"POST /console/fleets/{name}/delete", (*visit).deleteFleet},
}
