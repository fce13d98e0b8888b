package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// thingsPage is a part of the list.
type thingsPage struct {
	Search, Type, Group string
	Things              []registry.Thing
	Next                string
	First               bool
	Types, Groups       []string // to filter by
}

// Filtered says whether the list is not all things.
func (p thingsPage) Filtered() bool { return p.Search+p.Type+p.Group != "" }

func (v *visit) things() error {
	if err := v.may("iot:ListThings", "*"); err != nil {
		return err
	}
	page := thingsPage{Search: v.query("q"), Type: v.query("type"), Group: v.query("group"), First: v.query("token") == ""}
	err := v.findThings(&page)
	if err == nil {
		page.Types, err = v.typeNames()
	}
	if err == nil {
		page.Groups, err = v.groupNames()
	}
	if err != nil {
		return err
	}
	return v.render("things", page)
}

// findThings lists all things, those whose name begins with the search, or with
// name=value those with an attribute; and of these those of a type and a group.
func (v *visit) findThings(page *thingsPage) (err error) {
	at := registry.Page{Token: v.query("token")}
	name, value, byAttribute := strings.Cut(page.Search, "=")
	switch {
	case page.Group != "":
		return v.findInGroup(page, at)
	case byAttribute:
		filter := registry.ThingFilter{AttributeName: name, AttributeValue: value, AttributeValuePrefix: true}
		page.Things, page.Next, err = v.Registry.Things(v.r.Context(), filter, at)
		page.keep(func(t registry.Thing) bool { return page.Type == "" || t.Type == page.Type })
		return err
	}
	if at.Token == "" && page.Search != "" {
		at.Token = registry.List{"things", page.Type}.Token(before(page.Search))
	}
	page.Things, page.Next, err = v.Registry.Things(v.r.Context(), registry.ThingFilter{Type: page.Type}, at)
	for i, one := range page.Things {
		if !strings.HasPrefix(one.Name, page.Search) {
			page.Things, page.Next = page.Things[:i], ""
			break
		}
	}
	return err
}

// findInGroup lists a group and what is below it; what else was asked for is
// looked for in each part of that list.
func (v *visit) findInGroup(page *thingsPage, at registry.Page) error {
	if err := v.mayIoT("ListThingsInThingGroup", "thinggroup", page.Group); err != nil {
		return err
	}
	members, next, err := v.Registry.ThingsInThingGroup(v.r.Context(), page.Group, true, at)
	page.Next = next
	for _, name := range members {
		thing, err := v.Registry.Thing(v.r.Context(), name)
		if err != nil && !fault.Is(err, fault.CodeNotFound) {
			return err
		}
		if err == nil {
			page.Things = append(page.Things, thing)
		}
	}
	page.keep(page.matches)
	return err
}

// matches says whether a thing is of the type and what the search wants.
func (p *thingsPage) matches(t registry.Thing) bool {
	name, value, byAttribute := strings.Cut(p.Search, "=")
	if byAttribute {
		has, ok := t.Attributes[name]
		return ok && strings.HasPrefix(has, value) && (p.Type == "" || t.Type == p.Type)
	}
	return strings.HasPrefix(t.Name, p.Search) && (p.Type == "" || t.Type == p.Type)
}

func (p *thingsPage) keep(matches func(registry.Thing) bool) {
	p.Things = slices.DeleteFunc(p.Things, func(t registry.Thing) bool { return !matches(t) })
}

// before gives a key that in the order of bytes lies before every name that
// begins with prefix, and after all others that do. Names are ASCII below 0x7f.
func before(prefix string) string {
	last := len(prefix) - 1
	if prefix[last] <= ' ' || prefix[last] > 0x7f {
		return prefix
	}
	return prefix[:last] + string(rune(prefix[last]-1)) + "\x7f"
}

// thingForm is the form of a new thing.
type thingForm struct {
	Name, Type, Group, Billing string
	Attributes                 []pair
	Types, Groups, Billings    []string // to choose from
	Bare                       bool     // without certificate
	Problem                    told
}

// More says whether the settings that few need were used.
func (f thingForm) More() bool { return f.Type+f.Group+f.Billing != "" || len(f.Attributes) > 0 }

func (v *visit) newThing() error {
	return v.renderThingForm(http.StatusOK, thingForm{Type: v.query("type")})
}

func (v *visit) renderThingForm(status int, form thingForm) (err error) {
	if form.Types, err = v.typeNames(); err != nil {
		return err
	}
	if form.Groups, err = v.groupNames(); err != nil {
		return err
	}
	if form.Billings, err = v.billingNames(); err != nil {
		return err
	}
	return v.renderWith(status, "thingform", form)
}

// createThing makes the thing and, unless told otherwise, a certificate for it.
func (v *visit) createThing() error {
	form := thingForm{
		Name: v.form("name"), Type: v.form("type"), Group: v.form("group"), Billing: v.form("billing"),
		Attributes: v.pairs(), Bare: v.form("certificate") == "none",
	}
	v.note("thing", form.Name)
	if err := v.mayIoT("CreateThing", "thing", form.Name); err != nil {
		return err
	}
	err := v.makeThing(form)
	if err != nil {
		v.refused, form.Problem = err, v.tell(err)
		return v.renderThingForm(statusOf(err), form)
	}
	if form.Bare {
		return v.to(thingPath(form.Name), "created.named", form.Name)
	}
	return v.certificateFor(form.Name)
}

func (v *visit) makeThing(form thingForm) error {
	attributes, err := v.mapOf(form.Attributes)
	if err != nil {
		return err
	}
	if _, err := v.Registry.Thing(v.r.Context(), form.Name); err == nil {
		return v.taken(form.Name)
	}
	if form.Group != "" { // before the thing is made: what fails should leave nothing behind
		if err := v.mayJoin(form); err != nil {
			return err
		}
	}
	_, err = v.Registry.CreateThing(v.r.Context(), registry.NewThing{
		Name: form.Name, Type: form.Type, BillingGroup: form.Billing, Attributes: attributes,
	})
	if err != nil || form.Group == "" {
		return err
	}
	return v.Registry.AddThingToThingGroup(v.r.Context(), form.Name, form.Group)
}

func (v *visit) mayJoin(form thingForm) error {
	for kind, name := range map[string]string{"thing": form.Name, "thinggroup": form.Group} {
		if err := v.mayIoT("AddThingToThingGroup", kind, name); err != nil {
			return err
		}
	}
	_, err := v.Registry.ThingGroup(v.r.Context(), form.Group)
	return err
}

// certificateFor makes a certificate for a thing and shows its keys.
func (v *visit) certificateFor(thing string) error {
	if err := v.mayIoT("AttachThingPrincipal", "thing", thing); err != nil {
		return err
	}
	cert, keys, err := v.newCertificate()
	if err != nil {
		return err
	}
	if err := v.Registry.AttachThingPrincipal(v.r.Context(), thing, v.PKI.ARN(cert.ID), false); err != nil {
		return err
	}
	state, err := v.certificateState(cert)
	if err != nil {
		return err
	}
	return v.render("made", made{Thing: thing, Keys: keys, State: state})
}

// createThingCertificate gives a thing that is there one more certificate.
func (v *visit) createThingCertificate() error {
	if _, err := v.Registry.Thing(v.r.Context(), v.r.PathValue("thing")); err != nil {
		return err
	}
	return v.certificateFor(v.r.PathValue("thing"))
}

func thingPath(name string) string { return Root + "things/" + url.PathEscape(name) }

func (v *visit) deleteThing() error {
	name := v.r.PathValue("thing")
	if err := v.mayIoT("DeleteThing", "thing", name); err != nil {
		return err
	}
	if err := v.Registry.DeleteThing(v.r.Context(), name, nil); err != nil {
		return err
	}
	return v.to(Root+"things", "deleted")
}

var thingRoutes = []route{
	{"GET /console/things", (*visit).things},
	{"POST /console/things", (*visit).createThing},
	{"GET /console/newthing", (*visit).newThing},
	{"GET /console/things/{thing}", (*visit).thing},
	{"POST /console/things/{thing}/attributes", (*visit).setAttributes},
	{"POST /console/things/{thing}/groups", (*visit).setThingGroup},
	{"POST /console/things/{thing}/billing", (*visit).setThingBilling},
	{"POST /console/things/{thing}/principals", (*visit).setThingPrincipal},
	{"POST /console/things/{thing}/certificate", (*visit).createThingCertificate},
	{"POST /console/things/{thing}/delete", (*visit).deleteThing},
}
