package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/shadow"
)

// thingsPage is a part of the list.
type thingsPage struct {
	Search string
	Things []registry.Thing
	Next   string
	First  bool
}

func (v *visit) things() error {
	if err := v.may("iot:ListThings", "*"); err != nil {
		return err
	}
	page := thingsPage{Search: v.query("q"), First: v.query("token") == ""}
	var err error
	page.Things, page.Next, err = v.findThings(page.Search, v.query("token"))
	if err != nil {
		return err
	}
	return v.render("things", page)
}

// findThings lists all things, those whose name begins with the search, or with
// name=value those with an attribute.
func (v *visit) findThings(search, token string) ([]registry.Thing, string, error) {
	page := registry.Page{Token: token}
	name, value, byAttribute := strings.Cut(search, "=")
	if byAttribute {
		return v.Registry.Things(v.r.Context(), registry.ThingFilter{AttributeName: name, AttributeValue: value, AttributeValuePrefix: true}, page)
	}
	if token == "" && search != "" {
		page.Token = registry.List{"things", ""}.Token(before(search))
	}
	list, next, err := v.Registry.Things(v.r.Context(), registry.ThingFilter{}, page)
	for i, one := range list {
		if !strings.HasPrefix(one.Name, search) {
			return list[:i], "", err
		}
	}
	return list, next, err
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
	Name, Type, Attributes string
	Types                  []string
	Bare                   bool // without certificate
	Problem                string
}

func (v *visit) newThing() error {
	form := thingForm{}
	return v.renderThingForm(200, form)
}

func (v *visit) renderThingForm(status int, form thingForm) error {
	if v.may("iot:ListThingTypes", "*") == nil {
		types, _, err := v.Registry.ThingTypes(v.r.Context(), "", registry.Page{Size: registry.PageSizeMax})
		if err != nil {
			return err
		}
		for _, t := range types {
			if !t.IsDeprecated() {
				form.Types = append(form.Types, t.Name)
			}
		}
	}
	return v.renderWith(status, "thingform", form)
}

// createThing makes the thing and, unless told otherwise, a certificate for it.
func (v *visit) createThing() error {
	form := thingForm{Name: v.form("name"), Type: v.form("type"), Attributes: v.form("attributes"), Bare: v.form("certificate") == "none"}
	v.note("thing", form.Name)
	if err := v.mayIoT("CreateThing", "thing", form.Name); err != nil {
		return err
	}
	err := v.makeThing(form)
	if err != nil {
		form.Problem = v.sentence(err)
		return v.renderThingForm(statusOf(err), form)
	}
	if form.Bare {
		return v.to(thingPath(form.Name), "created.named", form.Name)
	}
	return v.certificateFor(form.Name)
}

func (v *visit) makeThing(form thingForm) error {
	attributes, err := attributesOf(form.Attributes)
	if err != nil {
		return err
	}
	if _, err := v.Registry.Thing(v.r.Context(), form.Name); err == nil {
		return fault.AlreadyExists("%s", v.text("thing.taken", form.Name))
	}
	_, err = v.Registry.CreateThing(v.r.Context(), registry.NewThing{Name: form.Name, Type: form.Type, Attributes: attributes})
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

// attributesOf reads lines of name=value.
func attributesOf(text string) (map[string]string, error) {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fault.InvalidRequest("%q: write an attribute as name=value", line)
		}
		all[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return all, nil
}

// thingPage is one thing in full.
type thingPage struct {
	registry.Thing
	ARN        string
	Lines      string // the attributes, for the editor
	Groups     []string
	Principals []principal
	Connection broker.Connection
	Known      bool // whether a client of this name was ever seen
	Classic    bool // whether there is a classic shadow
	Shadows    []string
	More       bool // named shadows beyond these
}

// principal is a certificate attached to a thing.
type principal struct {
	ARN, Certificate string
	Status           pki.Status
}

func (v *visit) thing() error {
	name := v.r.PathValue("thing")
	if err := v.mayIoT("DescribeThing", "thing", name); err != nil {
		return err
	}
	found, err := v.Registry.Thing(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := thingPage{Thing: found, ARN: v.Registry.ARN("thing", name)}
	for _, key := range sortedKeys(found.Attributes) {
		page.Lines += key + "=" + found.Attributes[key] + "\n"
	}
	page.Connection, page.Known = v.Broker.Connection(name)
	for _, fill := range []func(*thingPage) error{v.fillGroups, v.fillPrincipals, v.fillShadows} {
		if err := fill(&page); err != nil {
			return err
		}
	}
	return v.render("thing", page)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (v *visit) fillGroups(page *thingPage) (err error) {
	page.Groups, _, err = v.Registry.ThingGroupsForThing(v.r.Context(), page.Name, registry.Page{Size: registry.PageSizeMax})
	return err
}

func (v *visit) fillPrincipals(page *thingPage) error {
	links, _, err := v.Registry.ThingPrincipals(v.r.Context(), page.Name, nil, registry.Page{Size: registry.PageSizeMax})
	if err != nil {
		return err
	}
	for _, link := range links {
		one := principal{ARN: link.Principal}
		if _, id, ok := strings.Cut(link.Principal, ":cert/"); ok {
			cert, err := v.PKI.Describe(v.r.Context(), pki.NormalID(id))
			if err != nil && !fault.Is(err, fault.CodeNotFound) {
				return err
			}
			one.Certificate, one.Status = id, cert.Status
		}
		page.Principals = append(page.Principals, one)
	}
	return nil
}

// fillShadows lists the shadows, if the visitor may see that there are any.
func (v *visit) fillShadows(page *thingPage) error {
	if v.mayIoT("ListNamedShadowsForThing", "thing", page.Name) != nil {
		return nil
	}
	_, err := v.Shadows.Get(v.r.Context(), shadow.ID{Thing: page.Name})
	if err != nil && !fault.Is(err, fault.CodeNotFound) {
		return fmt.Errorf("the classic shadow: %w", err)
	}
	page.Classic = err == nil
	named, err := v.Shadows.ListNamed(v.r.Context(), page.Name, "", 100)
	page.Shadows, page.More = named.Names, named.Next != ""
	return err
}

// setAttributes replaces all attributes of the thing.
func (v *visit) setAttributes() error {
	name := v.r.PathValue("thing")
	if err := v.mayIoT("UpdateThing", "thing", name); err != nil {
		return err
	}
	attributes, err := attributesOf(v.form("attributes"))
	if err != nil {
		return err
	}
	if _, err := v.Registry.UpdateThing(v.r.Context(), name, registry.ThingUpdate{Attributes: &registry.AttributePatch{Values: attributes}}); err != nil {
		return err
	}
	return v.to(thingPath(name), "saved")
}

// setThingPrincipal attaches a certificate to the thing, by its ID or ARN, or
// takes it off.
func (v *visit) setThingPrincipal() error {
	name, who := v.r.PathValue("thing"), v.form("certificate")
	if !strings.HasPrefix(who, "arn:") {
		who = v.PKI.ARN(pki.NormalID(who))
	}
	if err := v.attachThing(name, who, v.form("detach") != ""); err != nil {
		return err
	}
	return v.to(thingPath(name), "saved")
}

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
	{"POST /console/things/{thing}/principals", (*visit).setThingPrincipal},
	{"POST /console/things/{thing}/certificate", (*visit).createThingCertificate},
	{"POST /console/things/{thing}/delete", (*visit).deleteThing},
}
