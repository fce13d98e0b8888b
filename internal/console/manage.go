package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/registry"
)

// whole is the largest page that the registry gives: lists of one resource's
// parts, which are short, are shown without paging.
var whole = registry.Page{Size: registry.PageSizeMax}

// pair is a row of an editor of names and values.
type pair struct{ Name, Value string }

// pairsOf gives the rows of a map in the order of their names.
func pairsOf(m map[string]string) []pair {
	rows := make([]pair, 0, len(m))
	for _, name := range sortedKeys(m) {
		rows = append(rows, pair{name, m[name]})
	}
	return rows
}

// pairs reads the rows of a form. Rows that are empty are left out.
func (v *visit) pairs() []pair {
	var rows []pair
	values := v.r.PostForm["value"]
	for i, name := range v.r.PostForm["key"] {
		row := pair{Name: strings.TrimSpace(name)}
		if i < len(values) {
			row.Value = strings.TrimSpace(values[i])
		}
		if row != (pair{}) {
			rows = append(rows, row)
		}
	}
	return rows
}

// mapOf makes a map of rows; a name may come once.
func (v *visit) mapOf(rows []pair) (map[string]string, error) {
	all := map[string]string{}
	for _, row := range rows {
		if _, twice := all[row.Name]; twice || row.Name == "" {
			return nil, v.wrong("pairs.wrong", row.Name)
		}
		all[row.Name] = row.Value
	}
	return all, nil
}

// outcome is what a form that is shown again has to say.
type outcome struct {
	Status  int
	Problem told
}

// outcomeOf gives the status of a page, and what is told where a form failed.
func (v *visit) outcomeOf(problem error) outcome {
	if problem == nil {
		return outcome{Status: http.StatusOK}
	}
	v.refused = problem
	return outcome{statusOf(problem), v.tell(problem)}
}

// list asks whether the visitor may see a list. Who may not see it, and came by
// a form on it that failed, is told why the form failed.
func (v *visit) list(action string, problem error) error {
	if err := v.may(action, "*"); err != nil {
		return cmp.Or(problem, err)
	}
	return nil
}

// mayBegin says whether a name of the registry may begin so: nothing is found by
// other characters, and to ask for them is no mistake.
func mayBegin(search string) bool { return search == "" || thingName.MatchString(search) }

// names gives names to choose from, where the visitor may list them: a form
// offers them, and takes others too.
func names[T any](v *visit, action string, list func() ([]T, string, error), name func(T) string) ([]string, error) {
	if v.may(action, "*") != nil {
		return nil, nil
	}
	all, _, err := list()
	found := make([]string, len(all))
	for i, one := range all {
		found[i] = name(one)
	}
	return found, err
}

func (v *visit) typeNames() ([]string, error) {
	all, err := names(v, "iot:ListThingTypes", func() ([]registry.ThingType, string, error) {
		return v.Registry.ThingTypes(v.r.Context(), "", whole)
	}, func(t registry.ThingType) string {
		if t.IsDeprecated() {
			return ""
		}
		return t.Name
	})
	return slices.DeleteFunc(all, func(name string) bool { return name == "" }), err
}

func (v *visit) groupNames() ([]string, error) {
	return names(v, "iot:ListThingGroups", func() ([]registry.ThingGroup, string, error) {
		return v.Registry.ThingGroups(v.r.Context(), registry.GroupFilter{}, whole)
	}, func(g registry.ThingGroup) string { return g.Name })
}

func (v *visit) billingNames() ([]string, error) {
	return names(v, "iot:ListBillingGroups", func() ([]registry.BillingGroup, string, error) {
		return v.Registry.BillingGroups(v.r.Context(), "", whole)
	}, func(g registry.BillingGroup) string { return g.Name })
}

// thingNames are the first things by name.
func (v *visit) thingNames() ([]string, error) {
	return names(v, "iot:ListThings", func() ([]registry.Thing, string, error) {
		return v.Registry.Things(v.r.Context(), registry.ThingFilter{}, whole)
	}, func(t registry.Thing) string { return t.Name })
}

// without gives the names that are not among others.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(others, name) })
}

// choice is a field with names to choose from that takes any other name too.
type choice struct {
	*view
	Field, Label, Value string
	Names               []string
}

// Choose gives the part of a form that takes a name.
func (v *view) Choose(field, label, value string, names []string) choice {
	return choice{v, field, label, value, names}
}

// rowEditor is an editor of names and values.
type rowEditor struct {
	*view
	Rows        []pair
	Name, Value string // words over the columns
	From        string // ID of the list of values to choose from; "" without one
}

// Rows gives the part of a form that edits names and values, with one empty row.
func (v *view) Rows(pairs []pair, name, value string) rowEditor {
	return v.RowsFrom(pairs, name, value, "")
}

// RowsFrom is Rows with values to choose from.
func (v *view) RowsFrom(pairs []pair, name, value, list string) rowEditor {
	return rowEditor{v, append(slices.Clone(pairs), pair{}), name, value, list}
}

// copied is a text with a button that copies it.
type copied struct {
	*view
	Text string
}

// Copied gives it.
func (v *view) Copied(text string) copied { return copied{v, text} }

// deleting is the button that deletes what a page is about, after a question.
type deleting struct {
	*view
	Action, Question string
}

// Deleting gives the button; path is that of the list, with a slash at its end.
func (v *view) Deleting(path, name string) deleting {
	return v.DeletingAsk(path, name, v.T("delete.sure"))
}

// DeletingAsk is Deleting with a question that says what goes too.
func (v *view) DeletingAsk(path, name, question string) deleting {
	return deleting{v, path + url.PathEscape(name) + "/delete", question}
}

// filter is the search field of a list.
type filter struct {
	*view
	Search, Placeholder string
}

// Filter gives it, for the page's own address.
func (v *view) Filter(search, placeholder string) filter { return filter{v, search, placeholder} }

// Path is where the search is asked.
func (f filter) Path() string { return f.r.URL.Path }
