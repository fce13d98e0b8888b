package console

import (
	"context"
	"net/url"

	"thingd/internal/registry"
)

// billingGroupsPage is a part of the list, with the form of a new group.
type billingGroupsPage struct {
	outcome
	Search string
	Groups []registry.BillingGroup
	Next   string
	First  bool
	Form   groupForm
}

func (v *visit) billingGroups() error { return v.listBillingGroups(groupForm{}, nil) }

func (v *visit) listBillingGroups(form groupForm, problem error) (err error) {
	if err := v.list("iot:ListBillingGroups", problem); err != nil {
		return err
	}
	page := billingGroupsPage{outcome: v.outcomeOf(problem), Search: v.query("q"), First: v.query("token") == "", Form: form}
	if mayBegin(page.Search) {
		page.Groups, page.Next, err = v.Registry.BillingGroups(v.r.Context(), page.Search, registry.Page{Token: v.query("token")})
	}
	if err != nil {
		return err
	}
	return v.renderWith(page.Status, "billinggroups", page)
}

func (v *visit) createBillingGroup() error {
	form := v.readGroup()
	v.note("billinggroup", form.Name)
	if err := v.mayIoT("CreateBillingGroup", "billinggroup", form.Name); err != nil {
		return err
	}
	if err := v.makeBillingGroup(form); err != nil {
		return v.listBillingGroups(form, err)
	}
	return v.to(billingGroupPath(form.Name), "created.named", form.Name)
}

func (v *visit) makeBillingGroup(form groupForm) error {
	if _, err := v.Registry.BillingGroup(v.r.Context(), form.Name); err == nil {
		return v.taken(form.Name)
	}
	_, err := v.Registry.CreateBillingGroup(v.r.Context(), form.Name, form.Description, nil)
	return err
}

func billingGroupPath(name string) string { return Root + "billinggroups/" + url.PathEscape(name) }

// billingGroupPage is one group in full.
type billingGroupPage struct {
	registry.BillingGroup
	tagged
	Part groupPart
}

func (v *visit) billingGroup() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DescribeBillingGroup", "billinggroup", name); err != nil {
		return err
	}
	found, err := v.Registry.BillingGroup(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := billingGroupPage{BillingGroup: found, Part: groupPart{
		Path: billingGroupPath(name), ARN: v.Registry.ARN("billinggroup", name), Created: found.Created, Version: found.Version,
	}}
	err = v.members(&page.Part, func(at registry.Page) ([]string, string, error) {
		return v.Registry.ThingsInBillingGroup(v.r.Context(), name, at)
	})
	if err != nil {
		return err
	}
	if page.tagged, err = v.tagged(page.Part.ARN); err != nil {
		return err
	}
	return v.render("billinggroup", page)
}

func (v *visit) updateBillingGroup() error {
	name, form := v.r.PathValue("name"), v.readGroup()
	if err := v.mayIoT("UpdateBillingGroup", "billinggroup", name); err != nil {
		return err
	}
	if _, err := v.Registry.UpdateBillingGroup(v.r.Context(), name, registry.GroupUpdate{Description: &form.Description}); err != nil {
		return err
	}
	return v.to(billingGroupPath(name), "saved")
}

// setBilled adds a thing to the group or, with remove, takes it out.
func (v *visit) setBilled() error {
	if err := v.billThing(v.form("thing"), v.r.PathValue("name"), v.form("remove") != ""); err != nil {
		return err
	}
	return v.to(billingGroupPath(v.r.PathValue("name")), "saved")
}

func (v *visit) billThing(thing, group string, remove bool) error {
	action, do := "AddThingToBillingGroup", v.Registry.AddThingToBillingGroup
	if remove {
		action, do = "RemoveThingFromBillingGroup", v.Registry.RemoveThingFromBillingGroup
	}
	return v.join(action, "billinggroup", thing, group, do)
}

// join does something to a thing and a group of some kind, with the right to
// both.
func (v *visit) join(action, kind, thing, group string, do func(ctx context.Context, thing, group string) error) error {
	v.note("thing", thing)
	v.note(kind, group)
	if err := v.mayIoT(action, "thing", thing); err != nil {
		return err
	}
	if err := v.mayIoT(action, kind, group); err != nil {
		return err
	}
	return do(v.r.Context(), thing, group)
}

func (v *visit) deleteBillingGroup() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeleteBillingGroup", "billinggroup", name); err != nil {
		return err
	}
	if err := v.Registry.DeleteBillingGroup(v.r.Context(), name, nil); err != nil {
		return err
	}
	return v.to(Root+"billinggroups", "deleted")
}

var billingGroupRoutes = []route{
	{"GET /console/billinggroups", (*visit).billingGroups},
	{"POST /console/billinggroups", (*visit).createBillingGroup},
	{"GET /console/billinggroups/{name}", (*visit).billingGroup},
	{"POST /console/billinggroups/{name}", (*visit).updateBillingGroup},
	{"POST /console/billinggroups/{name}/things", (*visit).setBilled},
	{"POST /console/billinggroups/{name}/delete", (*visit).deleteBillingGroup},
}
