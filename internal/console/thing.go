package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/journal"
	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/shadow"
)

// thingPage is one thing, and what one of the tabs shows of it.
type thingPage struct {
	registry.Thing
	ARN        string
	Tab        string
	Connection broker.Connection
	Known      bool // whether a client of this name was ever seen

	Edited   []pair   // tab attributes: the attributes
	Types    []string // types to choose from
	Billings []string // billing groups to choose from

	Principals []principal // tab certificates

	Groups []string // tab groups
	Others []string // groups to choose from

	Classic bool // tab shadows: whether there is a classic shadow
	Shadows []string
	More    bool // named shadows beyond these

	Refusals []journal.Entry // tab activity
	Topics   []string
}

// thingTabs are the tabs of a thing in their order, with what each one reads.
var thingTabs = []struct {
	name string
	fill func(*visit, *thingPage) error
}{
	{"attributes", (*visit).fillAttributes},
	{"certificates", (*visit).fillPrincipals},
	{"groups", (*visit).fillGroups},
	{"shadows", (*visit).fillShadows},
	{"activity", (*visit).fillActivity},
}

// principal is a certificate attached to a thing.
type principal struct {
	ARN, Certificate string
	Status           pki.Status
	NotAfter         time.Time
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
	page.Connection, page.Known = v.Broker.Connection(name)
	tab := thingTabs[0]
	for _, one := range thingTabs {
		if one.name == v.query("tab") {
			tab = one
		}
	}
	page.Tab = tab.name
	if err := tab.fill(v, &page); err != nil {
		return err
	}
	return v.render("thing", page)
}

// tabPath is a tab of a thing's page.
func tabPath(thing, tab string) string { return thingPath(thing) + "?tab=" + tab }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (v *visit) fillAttributes(page *thingPage) (err error) {
	page.Edited = pairsOf(page.Attributes)
	if page.Types, err = v.typeNames(); err != nil {
		return err
	}
	page.Billings, err = v.billingNames()
	return err
}

func (v *visit) fillGroups(page *thingPage) (err error) {
	if page.Groups, _, err = v.Registry.ThingGroupsForThing(v.r.Context(), page.Name, whole); err != nil {
		return err
	}
	all, err := v.groupNames()
	page.Others = without(all, page.Groups)
	return err
}

// fillActivity reads the last refusals of the client that has the thing's name.
func (v *visit) fillActivity(page *thingPage) (err error) {
	page.Topics = []string{"$aws/things/" + page.Name + "/#", "$aws/events/presence/+/" + page.Name}
	if v.may("thingd:ListEvents", "*") == nil {
		page.Refusals, _, err = v.Journal.Recent(v.r.Context(), journal.Query{ClientID: page.Name, Limit: 5})
	}
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
			one.Certificate, one.Status, one.NotAfter = id, cert.Status, cert.NotAfter
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

// setAttributes replaces all attributes of the thing, and its type.
func (v *visit) setAttributes() error {
	name, kind := v.r.PathValue("thing"), v.form("type")
	if err := v.mayIoT("UpdateThing", "thing", name); err != nil {
		return err
	}
	attributes, err := v.mapOf(v.pairs())
	if err != nil {
		return err
	}
	change := registry.ThingUpdate{Type: kind, RemoveType: kind == "", Attributes: &registry.AttributePatch{Values: attributes}}
	if _, err := v.Registry.UpdateThing(v.r.Context(), name, change); err != nil {
		return err
	}
	return v.to(tabPath(name, "attributes"), "saved")
}

// setThingGroup adds the thing to a group or, with remove, takes it out.
func (v *visit) setThingGroup() error {
	name := v.r.PathValue("thing")
	if err := v.moveThing(name, v.form("group"), v.form("remove") != ""); err != nil {
		return err
	}
	return v.to(tabPath(name, "groups"), "saved")
}

// setThingBilling puts the thing into a billing group, or with "" into none.
func (v *visit) setThingBilling() error {
	name, group := v.r.PathValue("thing"), v.form("billing")
	remove := group == ""
	if remove {
		if err := v.mayIoT("RemoveThingFromBillingGroup", "thing", name); err != nil {
			return err
		}
		found, err := v.Registry.Thing(v.r.Context(), name)
		if err != nil {
			return err
		}
		group = found.BillingGroup
	}
	if group != "" || !remove {
		if err := v.billThing(name, group, remove); err != nil {
			return err
		}
	}
	return v.to(tabPath(name, "groups"), "saved")
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
	return v.to(tabPath(name, "certificates"), "saved")
}
