package console

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/access"
	"thingd/internal/registry"
)

// thingGroupsPage is the tree of groups or, with a search, a list of them.
type thingGroupsPage struct {
	outcome
	Search string
	Groups []leaf
	Next   string
	First  bool
	Cut    bool // the tree has more groups than are shown
	Form   groupForm
	Names  []string
}

// leaf is a group in the tree.
type leaf struct {
	registry.ThingGroup
	Depth int // 0 to depthShown
}

// groupForm is what a new group takes.
type groupForm struct {
	Name, Parent, Description string
	Attributes                []pair
}

const (
	treeMax    = 1000 // groups of the tree that are shown at once
	depthShown = 6    // steps of indentation
)

func (v *visit) thingGroups() error { return v.listThingGroups(groupForm{}, nil) }

func (v *visit) listThingGroups(form groupForm, problem error) (err error) {
	if err := v.list("iot:ListThingGroups", problem); err != nil {
		return err
	}
	page := thingGroupsPage{outcome: v.outcomeOf(problem), Search: v.query("q"), First: v.query("token") == "", Form: form}
	if page.Search == "" {
		err = v.fillTree(&page)
	} else if mayBegin(page.Search) {
		err = v.fillFoundGroups(&page)
	}
	if err == nil {
		page.Names, err = v.groupNames()
	}
	if err != nil {
		return err
	}
	return v.renderWith(page.Status, "thinggroups", page)
}

// fillTree reads the groups, and puts each one below its parent.
func (v *visit) fillTree(page *thingGroupsPage) error {
	at := whole
	for len(page.Groups) < treeMax {
		groups, next, err := v.Registry.ThingGroups(v.r.Context(), registry.GroupFilter{}, at)
		if err != nil {
			return err
		}
		for _, g := range groups {
			page.Groups = append(page.Groups, leaf{g, min(len(g.Ancestors), depthShown)})
		}
		if at.Token = next; next == "" {
			break
		}
	}
	page.Cut = at.Token != ""
	slices.SortFunc(page.Groups, func(a, b leaf) int {
		return cmp.Or(slices.Compare(append(slices.Clone(a.Ancestors), a.Name), append(slices.Clone(b.Ancestors), b.Name)))
	})
	return nil
}

func (v *visit) fillFoundGroups(page *thingGroupsPage) error {
	groups, next, err := v.Registry.ThingGroups(v.r.Context(), registry.GroupFilter{Prefix: page.Search}, registry.Page{Token: v.query("token")})
	for _, g := range groups {
		page.Groups = append(page.Groups, leaf{g, 0})
	}
	page.Next = next
	return err
}

func (v *visit) readGroup() groupForm {
	return groupForm{v.form("name"), v.form("parent"), v.form("description"), v.pairs()}
}

func (v *visit) createThingGroup() error {
	form := v.readGroup()
	v.note("thinggroup", form.Name)
	if err := v.mayIoT("CreateThingGroup", "thinggroup", form.Name); err != nil {
		return err
	}
	if err := v.makeThingGroup(form); err != nil {
		return v.listThingGroups(form, err)
	}
	return v.to(thingGroupPath(form.Name), "created.named", form.Name)
}

func (v *visit) makeThingGroup(form groupForm) error {
	attributes, err := v.mapOf(form.Attributes)
	if err != nil {
		return err
	}
	if _, err := v.Registry.ThingGroup(v.r.Context(), form.Name); err == nil {
		return v.taken(form.Name)
	}
	_, err = v.Registry.CreateThingGroup(v.r.Context(), registry.NewThingGroup{
		Name: form.Name, Parent: form.Parent, Description: form.Description, Attributes: attributes,
	})
	return err
}

func thingGroupPath(name string) string { return Root + "thinggroups/" + url.PathEscape(name) }

// thingGroupPage is one group in full.
type thingGroupPage struct {
	registry.ThingGroup
	tagged
	Part     groupPart
	Edited   []pair // its attributes
	Children []registry.ThingGroup
	Policies []access.Policy
	Others   []string // names of policies to choose from
}

func (v *visit) thingGroup() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DescribeThingGroup", "thinggroup", name); err != nil {
		return err
	}
	found, err := v.Registry.ThingGroup(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := thingGroupPage{ThingGroup: found, Edited: pairsOf(found.Attributes), Part: groupPart{
		Path: thingGroupPath(name), ARN: v.Registry.ARN("thinggroup", name), Created: found.Created, Version: found.Version,
	}}
	for _, fill := range []func(*thingGroupPage) error{v.fillChildren, v.fillMembers, v.fillGroupPolicies} {
		if err := fill(&page); err != nil {
			return err
		}
	}
	if page.tagged, err = v.tagged(page.Part.ARN); err != nil {
		return err
	}
	return v.render("thinggroup", page)
}

func (v *visit) fillChildren(page *thingGroupPage) (err error) {
	page.Children, _, err = v.Registry.ThingGroups(v.r.Context(), registry.GroupFilter{Parent: page.Name, Direct: true}, whole)
	return err
}

func (v *visit) fillMembers(page *thingGroupPage) error {
	return v.members(&page.Part, func(at registry.Page) ([]string, string, error) {
		return v.Registry.ThingsInThingGroup(v.r.Context(), page.Name, false, at)
	})
}

// fillGroupPolicies lists the policies of the group itself; those of the groups
// above it are on their pages.
func (v *visit) fillGroupPolicies(page *thingGroupPage) (err error) {
	if page.Policies, _, err = v.Access.AttachedPolicies(v.r.Context(), page.Part.ARN, false, false, whole); err != nil {
		return err
	}
	page.Others, err = v.policyNames(page.Policies)
	return err
}

func (v *visit) updateThingGroup() error {
	name, form := v.r.PathValue("name"), v.readGroup()
	if err := v.mayIoT("UpdateThingGroup", "thinggroup", name); err != nil {
		return err
	}
	attributes, err := v.mapOf(form.Attributes)
	if err != nil {
		return err
	}
	change := registry.GroupUpdate{Description: &form.Description, Attributes: &registry.AttributePatch{Values: attributes}}
	if _, err := v.Registry.UpdateThingGroup(v.r.Context(), name, change); err != nil {
		return err
	}
	return v.to(thingGroupPath(name), "saved")
}

// setMember adds a thing to the group or, with remove, takes it out.
func (v *visit) setMember() error {
	if err := v.moveThing(v.form("thing"), v.r.PathValue("name"), v.form("remove") != ""); err != nil {
		return err
	}
	return v.to(thingGroupPath(v.r.PathValue("name")), "saved")
}

// moveThing needs the right to both the thing and the group, as in the API.
func (v *visit) moveThing(thing, group string, remove bool) error {
	action, do := "AddThingToThingGroup", v.Registry.AddThingToThingGroup
	if remove {
		action, do = "RemoveThingFromThingGroup", v.Registry.RemoveThingFromThingGroup
	}
	return v.join(action, "thinggroup", thing, group, do)
}

// setGroupPolicy attaches a policy to the group or takes it off.
func (v *visit) setGroupPolicy() error {
	name := v.r.PathValue("name")
	if err := v.attachPolicy(v.form("policy"), v.Registry.ARN("thinggroup", name), v.form("detach") != ""); err != nil {
		return err
	}
	return v.to(thingGroupPath(name), "saved")
}

func (v *visit) deleteThingGroup() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeleteThingGroup", "thinggroup", name); err != nil {
		return err
	}
	if err := v.Registry.DeleteThingGroup(v.r.Context(), name, nil); err != nil {
		return err
	}
	return v.to(Root+"thinggroups", "deleted")
}

// Trail gives the groups above one, for its place in the tree.
func (l leaf) Trail() string { return strings.Join(l.Ancestors, " / ") }

var thingGroupRoutes = []route{
	{"GET /console/thinggroups", (*visit).thingGroups},
	{"POST /console/thinggroups", (*visit).createThingGroup},
	{"GET /console/thinggroups/{name}", (*visit).thingGroup},
	{"POST /console/thinggroups/{name}", (*visit).updateThingGroup},
	{"POST /console/thinggroups/{name}/things", (*visit).setMember},
	{"POST /console/thinggroups/{name}/policies", (*visit).setGroupPolicy},
	{"POST /console/thinggroups/{name}/delete", (*visit).deleteThingGroup},
}
