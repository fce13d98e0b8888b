package console

import (
	"net/url"
	"slices"
	"strings"

	"thingd/internal/fault"
	"thingd/internal/rules"
	"thingd/internal/rules/iotsql"
)

// rulesPage is a part of the list.
type rulesPage struct {
	Search string
	Rules  []ruleRow
	Next   string // the name after which the next page begins
	First  bool
}

// ruleRow is a rule in the list, with the kinds of its actions.
type ruleRow struct {
	rules.Rule
	Kinds []string
}

const rulesSize = 50 // of a page

func (v *visit) rules() error {
	if err := v.may("iot:ListTopicRules", "*"); err != nil {
		return err
	}
	after := v.query("token")
	page := rulesPage{Search: v.query("q"), First: after == ""}
	var list []rules.Rule
	if mayBegin(page.Search) {
		var err error
		if list, err = v.Rules.List(v.r.Context(), rules.RuleFilter{Prefix: page.Search, After: after, Limit: rulesSize + 1}); err != nil {
			return err
		}
	}
	if len(list) > rulesSize {
		list, page.Next = list[:rulesSize], list[rulesSize-1].Name
	}
	for _, one := range list {
		row := ruleRow{Rule: one}
		for _, action := range one.Actions {
			kind, _, err := valuesOf(action)
			if err != nil {
				return err
			}
			row.Kinds = append(row.Kinds, kind.Member)
		}
		page.Rules = append(page.Rules, row)
	}
	return v.render("rules", page)
}

// sqlReference shows the functions of the language, from the table that runs
// them.
func (v *visit) sqlReference() error {
	if err := v.may("iot:ListTopicRules", "*"); err != nil {
		return err
	}
	page := sqlPage{Search: v.query("q")}
	for _, f := range iotsql.Functions() {
		if contains(page.Search, f.Signature(), f.Doc) {
			page.Functions = append(page.Functions, f)
		}
	}
	return v.render("sqlreference", page)
}

// sqlPage is the reference, or what of it has the words that are searched for.
type sqlPage struct {
	Search    string
	Functions []iotsql.Function
}

// contains says whether one of some texts has another one in it, in any case.
func contains(wanted string, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(wanted)) })
}

// rulePage is one rule in full.
type rulePage struct {
	rules.Rule
	ARN     string
	Shown   []shownAction
	Counts  rules.Counts
	Firings []rules.Firing
	Only    string // "failures": no others are shown
}

// shownAction is an action with what was said of it.
type shownAction struct {
	Member string
	Error  bool // it is the error action
	Values []shownValue
}

type shownValue struct{ Path, Value string }

func (v *visit) rule() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("GetTopicRule", "rule", name); err != nil {
		return err
	}
	found, err := v.Rules.Get(v.r.Context(), name)
	if err != nil {
		return err
	}
	page := rulePage{Rule: found, ARN: v.Rules.ARN(name), Counts: v.Rules.Stats().Rules[name], Only: v.query("only")}
	if page.Shown, err = shownActions(found); err != nil {
		return err
	}
	if v.may("thingd:ListRuleFirings", "*") == nil {
		if page.Firings, err = v.Rules.Firings(name); err != nil {
			return err
		}
	}
	if page.Only == "failures" {
		page.Firings = slices.DeleteFunc(page.Firings, func(f rules.Firing) bool { return !failed(f) })
	}
	return v.render("rule", page)
}

// failed says whether something of a firing went wrong.
func failed(f rules.Firing) bool {
	return f.Outcome == rules.StatementFailed || f.Outcome == rules.Dropped || slices.ContainsFunc(f.Actions, func(a rules.ActionResult) bool { return a.Error != "" })
}

// shownActions lists the actions of a rule, the error action last.
func shownActions(r rules.Rule) ([]shownAction, error) {
	actions := slices.Clone(r.Actions)
	if r.ErrorAction != nil {
		actions = append(actions, *r.ErrorAction)
	}
	all := make([]shownAction, 0, len(actions))
	for i, action := range actions {
		kind, values, err := valuesOf(action)
		if err != nil {
			return nil, err
		}
		one := shownAction{Member: kind.Member, Error: i >= len(r.Actions)}
		for _, f := range kind.Fields {
			if values[f.Path] != "" {
				one.Values = append(one.Values, shownValue{f.Path, values[f.Path]})
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func rulePath(name string) string { return Root + "rules/" + url.PathEscape(name) }

// setRule lets a rule run or stops it.
func (v *visit) setRule() error {
	name, action := v.r.PathValue("name"), "EnableTopicRule"
	if v.form("to") == "off" {
		action = "DisableTopicRule"
	}
	if err := v.mayIoT(action, "rule", name); err != nil {
		return err
	}
	if err := v.Rules.SetDisabled(v.r.Context(), name, v.form("to") == "off"); err != nil {
		return err
	}
	return v.to(rulePath(name), "saved")
}

func (v *visit) deleteRule() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("DeleteTopicRule", "rule", name); err != nil {
		return err
	}
	err := v.Rules.Delete(v.r.Context(), name)
	if err != nil && !fault.Is(err, fault.CodeNotFound) {
		return err
	}
	return v.to(Root+"rules", "deleted")
}

var ruleRoutes = []route{
	{"GET /console/rules", (*visit).rules},
	{"POST /console/rules", (*visit).writeRule},
	{"POST /console/ruledraft", (*visit).draftRule},
	{"POST /console/sqlcheck", (*visit).checkSQL},
	{"GET /console/newrule", (*visit).newRule},
	{"GET /console/sql", (*visit).sqlReference},
	{"GET /console/rules/{name}", (*visit).rule},
	{"POST /console/rules/{name}", (*visit).setRule},
	{"GET /console/rules/{name}/edit", (*visit).editRule},
	{"POST /console/rules/{name}/edit", (*visit).writeRule},
	{"POST /console/rules/{name}/delete", (*visit).deleteRule},
}
