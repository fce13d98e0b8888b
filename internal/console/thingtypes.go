package console

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// thingTypesPage is a part of the list, with the form of a new type.
type thingTypesPage struct {
	outcome
	Search string
	Types  []registry.ThingType
	Next   string
	First  bool
	Form   thingTypeForm
}

// thingTypeForm is what CreateThingType takes, as it is typed.
type thingTypeForm struct {
	Name, Description string
	Searchable        string // names with commas or blanks between them
	Propagating       []propagating
}

// propagating is a row of the form: an MQTT 5 user property, and where its value
// comes from: the name of an attribute of the thing, or of the connection.
type propagating struct{ Key, From string }

func (v *visit) thingTypes() error { return v.listThingTypes(thingTypeForm{}, nil) }

func (v *visit) listThingTypes(form thingTypeForm, problem error) error {
	if err := v.list("iot:ListThingTypes", problem); err != nil {
		return err
	}
	page := thingTypesPage{outcome: v.outcomeOf(problem), Search: v.query("q"), First: v.query("token") == "", Form: form}
	var err error
	if mayBegin(page.Search) {
		page.Types, page.Next, err = v.Registry.ThingTypes(v.r.Context(), page.Search, registry.Page{Token: v.query("token")})
	}
	if err != nil {
		return err
	}
	return v.renderWith(page.Status, "thingtypes", page)
}

func (v *visit) readThingType() thingTypeForm {
	form := thingTypeForm{Name: v.form("name"), Description: v.form("description"), Searchable: v.form("searchable")}
	for _, row := range v.pairs() {
		form.Propagating = append(form.Propagating, propagating{row.Name, row.Value})
	}
	return form
}

// properties makes what the registry takes of the form.
func (f thingTypeForm) properties() registry.TypeProperties {
	return registry.TypeProperties{Description: f.Description, Searchable: wordsOf(f.Searchable), Propagating: f.propagates()}
}

func (f thingTypeForm) propagates() []registry.PropagatingAttribute {
	var all []registry.PropagatingAttribute
	for _, row := range f.Propagating {
		one := registry.PropagatingAttribute{UserPropertyKey: row.Key}
		if row.From == registry.ConnectionClientID || row.From == registry.ConnectionThingName {
			one.ConnectionAttribute = row.From
		} else {
			one.ThingAttribute = row.From
		}
		all = append(all, one)
	}
	return all
}

// wordsOf takes a list apart that is written with commas, blanks or lines.
func wordsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

func (v *visit) createThingType() error {
	form := v.readThingType()
	v.note("thingtype", form.Name)
	if err := v.mayIoT("CreateThingType", "thingtype", form.Name); err != nil {
		return err
	}
	if err := v.makeThingType(form); err != nil {
		return v.listThingTypes(form, err)
	}
	return v.to(thingTypePath(form.Name), "created.named", form.Name)
}

// makeThingType refuses a name that is taken: the registry lets a program ask
// for the same twice, but a person who does has mistaken something.
func (v *visit) makeThingType(form thingTypeForm) error {
	if _, err := v.Registry.ThingType(v.r.Context(), form.Name); err == nil {
		return v.taken(form.Name)
	}
	_, err := v.Registry.CreateThingType(v.r.Context(), form.Name, form.properties(), nil)
	return err
}

func (v *visit) taken(name string) error { return v.fault(fault.CodeAlreadyExists, "taken", name) }

func thingTypePath(name string) string { return Root + "thingtypes/" + url.PathEscape(name) }

// deprecationWait is how long a type must have been deprecated before it may be
// deleted (DeleteThingType).
const deprecationWait = 5 * time.Minute

// thingTypePage is one type in full.
type thingTypePage struct {
	registry.ThingType
	tagged
	ARN       string
	Edited    []pair // the propagating attributes
	Things    []registry.Thing
	More      bool // things beyond these
	Deletable time.Time
	MayDelete bool
}

func (v *visit) thingType() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DescribeThingType", "thingtype", name); err != nil {
		return err
	}
	found, err := v.Registry.ThingType(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := thingTypePage{ThingType: found, ARN: v.Registry.ARN("thingtype", name)}
	for _, one := range found.Properties.Propagating {
		page.Edited = append(page.Edited, pair{one.UserPropertyKey, one.ThingAttribute + one.ConnectionAttribute})
	}
	if found.IsDeprecated() {
		page.Deletable = found.Deprecated.Add(deprecationWait)
		page.MayDelete = !v.Now().Before(page.Deletable)
	}
	if page.tagged, err = v.tagged(page.ARN); err != nil {
		return err
	}
	if v.may("iot:ListThings", "*") == nil {
		var next string
		page.Things, next, err = v.Registry.Things(v.r.Context(), registry.ThingFilter{Type: name}, registry.Page{})
		page.More = next != ""
	}
	if err != nil {
		return err
	}
	return v.render("thingtype", page)
}

// updateThingType changes the description and what propagates.
func (v *visit) updateThingType() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("UpdateThingType", "thingtype", name); err != nil {
		return err
	}
	form := v.readThingType()
	change := registry.TypeUpdate{Description: &form.Description, Propagating: new(form.propagates())}
	if err := v.Registry.UpdateThingType(v.r.Context(), name, change); err != nil {
		return err
	}
	return v.to(thingTypePath(name), "saved")
}

// deprecateThingType takes a type out of use, or back into it.
func (v *visit) deprecateThingType() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeprecateThingType", "thingtype", name); err != nil {
		return err
	}
	v.note("to", v.form("to"))
	if err := v.Registry.DeprecateThingType(v.r.Context(), name, v.form("to") == "use"); err != nil {
		return err
	}
	return v.to(thingTypePath(name), "saved")
}

func (v *visit) deleteThingType() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeleteThingType", "thingtype", name); err != nil {
		return err
	}
	if err := v.Registry.DeleteThingType(v.r.Context(), name); err != nil {
		return err
	}
	return v.to(Root+"thingtypes", "deleted")
}

// PropagateFrom lists what the connection can give, for the form.
func (thingTypesPage) PropagateFrom() []string { return connectionAttributes() }

// PropagateFrom lists the same with the searchable attributes of the type.
func (p thingTypePage) PropagateFrom() []string {
	return slices.Concat(connectionAttributes(), p.Properties.Searchable)
}

func connectionAttributes() []string {
	return []string{registry.ConnectionClientID, registry.ConnectionThingName}
}

// Rows are the propagating attributes of the form.
func (f thingTypeForm) Rows() []pair {
	var rows []pair
	for _, one := range f.Propagating {
		rows = append(rows, pair{one.Key, one.From})
	}
	return rows
}

var thingTypeRoutes = []route{
	{"GET /console/thingtypes", (*visit).thingTypes},
	{"POST /console/thingtypes", (*visit).createThingType},
	{"GET /console/thingtypes/{name}", (*visit).thingType},
	{"POST /console/thingtypes/{name}", (*visit).updateThingType},
	{"POST /console/thingtypes/{name}/deprecate", (*visit).deprecateThingType},
	{"POST /console/thingtypes/{name}/delete", (*visit).deleteThingType},
}
