package console

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/rules"
	"thingd/internal/rules/iotsql"
)

// ruleForm is the form of a rule, new or not, with its tester. Nothing of it is
// kept on the server: each step sends all of it and gets it back changed.
type ruleForm struct {
	Name, SQL, Description string
	Version                string // of the language
	Old                    bool   // the rule is there, and is replaced
	Disabled               bool
	Actions                []actionForm
	Error                  *actionForm // the error action; nil: none
	TryTopic, TryPayload   string
	Result                 *rules.TrialResult
	Output                 string
	TrialNote              told // why the actions were not tried
	Problem                told
	Field                  string // the one that has the problem: name, sql; "" for another

	// To choose from.
	Kinds    []actionKind
	Roles    []string // ARNs
	Buckets  []string
	Networks []string // ARNs of VPC destinations
	// AllRoles and AllBuckets are false where the visitor may not list them: the
	// name is typed instead.
	AllRoles, AllBuckets bool
}

// actionForm is one action in the form. Its inputs are named after its ID.
type actionForm struct {
	*actionKind
	ID     string // "0", "1" … or "error"
	Values map[string]string
	Made   bool // the role was made just now
}

const (
	errorActionID = "error"
	actionsMax    = 10 // of a rule (AWS IoT Core quotas)
)

// Heading is the number of an action, from 1; 0 of the error action.
func (a actionForm) Heading() int {
	n, err := strconv.Atoi(a.ID)
	if err != nil {
		return 0
	}
	return n + 1
}

// Versions of the language, the newest first.
func (ruleForm) Versions() []iotsql.Version {
	return []iotsql.Version{iotsql.V20160323, iotsql.V20151008, iotsql.Beta}
}

// Input is the name of the input of a field.
func (a actionForm) Input(path string) string { return "action." + a.ID + "." + path }

// roleField is the field of the action's role; "" where it takes none.
func (a actionForm) roleField() string {
	for _, f := range a.Fields {
		if f.Type == fieldRole {
			return f.Path
		}
	}
	return ""
}

func (v *visit) newRule() error {
	return v.renderRule(http.StatusOK, ruleForm{Version: string(iotsql.V20160323), SQL: "SELECT * FROM 'sdk/test/#'", TryTopic: "sdk/test/python", TryPayload: "{}"})
}

// editRule fills the form with a rule that is there.
func (v *visit) editRule() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("GetTopicRule", "rule", name); err != nil {
		return err
	}
	rule, err := v.Rules.Get(v.r.Context(), name)
	if err != nil {
		return err
	}
	form := ruleForm{Name: name, SQL: rule.SQL, Description: rule.Description, Version: string(rule.Version), Old: true, Disabled: rule.Disabled, TryPayload: "{}"}
	for i, action := range rule.Actions {
		if err := form.take(strconv.Itoa(i), action); err != nil {
			return err
		}
	}
	if rule.ErrorAction != nil {
		if err := form.take(errorActionID, *rule.ErrorAction); err != nil {
			return err
		}
	}
	if !strings.ContainsAny(rule.Topic, "+#") {
		form.TryTopic = rule.Topic
	}
	return v.renderRule(http.StatusOK, form)
}

// take adds an action of a rule to the form.
func (f *ruleForm) take(id string, action iot.Action) error {
	kind, values, err := valuesOf(action)
	if err != nil {
		return err
	}
	one := actionForm{actionKind: kind, ID: id, Values: values}
	if id == errorActionID {
		f.Error = &one
	} else {
		f.Actions = append(f.Actions, one)
	}
	return nil
}

// renderRule shows the form with all that there is to choose from.
func (v *visit) renderRule(status int, form ruleForm) error {
	form.Kinds = actionKinds
	if v.may("iam:ListRoles", v.Scope.IAM("role/")) == nil {
		list, _, err := v.IAM.Roles(v.r.Context(), iam.Page{})
		if err != nil {
			return err
		}
		form.AllRoles = true
		for _, role := range list {
			form.Roles = append(form.Roles, v.IAM.RoleARN(role))
		}
	}
	if err := v.fillBuckets(&form); err != nil {
		return err
	}
	if v.may("iot:ListTopicRuleDestinations", "*") == nil {
		list, err := v.Rules.Destinations(v.r.Context(), "", 1000)
		if err != nil {
			return err
		}
		for _, one := range list {
			if one.VPC != nil {
				form.Networks = append(form.Networks, v.Rules.DestinationARN(one))
			}
		}
	}
	if form.Version == "" {
		form.Version = string(iotsql.V20160323)
	}
	return v.renderWith(status, "ruleform", form)
}

// fillBuckets lists the buckets where an action wants one.
func (v *visit) fillBuckets(form *ruleForm) error {
	wanted := func(a actionForm) bool { return a.Member == "s3" }
	if !slices.ContainsFunc(form.Actions, wanted) && (form.Error == nil || !wanted(*form.Error)) {
		return nil
	}
	client, err := v.s3()
	if err != nil {
		return err
	}
	list, err := client.buckets("", bucketsMax)
	if fault.Is(err, fault.CodeForbidden) {
		return nil
	}
	form.AllBuckets = true
	for _, one := range list.Buckets {
		form.Buckets = append(form.Buckets, one.Name)
	}
	return err
}

// readRule reads the form.
func (v *visit) readRule() ruleForm {
	form := ruleForm{
		Name: v.form("name"), SQL: strings.ReplaceAll(v.form("sql"), "\r\n", "\n"), Description: v.form("description"),
		Version: v.form("version"), Old: v.form("old") != "", Disabled: v.form("disabled") != "",
		TryTopic: v.form("trytopic"), TryPayload: v.r.PostForm.Get("trypayload"),
	}
	if v.r.PathValue("name") != "" {
		form.Name, form.Old = v.r.PathValue("name"), true
	}
	for _, id := range v.r.PostForm["action"] {
		if kind := kindOf(v.form("action." + id + ".kind")); kind != nil && len(form.Actions) < actionsMax {
			one := actionForm{actionKind: kind, ID: strconv.Itoa(len(form.Actions)), Values: kind.readAction(v.r.PostForm, "action."+id+".")}
			form.Actions = append(form.Actions, one)
		}
	}
	if kind := kindOf(v.form("action.error.kind")); kind != nil {
		form.Error = &actionForm{actionKind: kind, ID: errorActionID, Values: kind.readAction(v.r.PostForm, "action.error.")}
	}
	return form
}

// find gives the action of an ID; nil where there is none.
func (f *ruleForm) find(id string) *actionForm {
	if id == errorActionID {
		return f.Error
	}
	for i := range f.Actions {
		if f.Actions[i].ID == id {
			return &f.Actions[i]
		}
	}
	return nil
}

// actions makes the model's actions of the form.
func (f *ruleForm) actions() (actions []iot.Action, errorAction *iot.Action, err error) {
	for _, one := range f.Actions {
		action, err := one.actionOf(one.Values)
		if err != nil {
			return nil, nil, err
		}
		actions = append(actions, action)
	}
	if f.Error != nil {
		action, err := f.Error.actionOf(f.Error.Values)
		return actions, &action, err
	}
	return actions, nil, nil
}

// mayWrite asks for the right to make the rule of the form, or to replace it.
func (v *visit) mayWrite(form ruleForm) error {
	action := "CreateTopicRule"
	if form.Old {
		action = "ReplaceTopicRule"
	}
	return v.mayIoT(action, "rule", form.Name)
}

// draftRule changes the form by the button that was pressed, and no rule: one
// more action, one less, a new role for one, a look at what there is to choose
// from.
func (v *visit) draftRule() error {
	form := v.readRule()
	if err := v.mayWrite(form); err != nil {
		return err
	}
	deed, id, _ := strings.Cut(v.form("do"), ":")
	v.trial = deed != "role"
	switch deed {
	case "try":
		return v.tryRule(form)
	case "add":
		form.add(v.form("addkind"))
	case "adderror":
		if kind := kindOf(v.form("adderrorkind")); kind != nil {
			form.Error = &actionForm{actionKind: kind, ID: errorActionID}
		}
	case "remove":
		form.remove(id)
	case "role":
		if err := v.roleFor(form.find(id), id); err != nil {
			return err
		}
	}
	return v.renderRule(http.StatusOK, form)
}

func (f *ruleForm) add(member string) {
	if kind := kindOf(member); kind != nil && len(f.Actions) < actionsMax {
		f.Actions = append(f.Actions, actionForm{actionKind: kind, ID: strconv.Itoa(len(f.Actions))})
	}
}

func (f *ruleForm) remove(id string) {
	if id == errorActionID {
		f.Error = nil
		return
	}
	f.Actions = slices.DeleteFunc(f.Actions, func(a actionForm) bool { return a.ID == id })
	for i := range f.Actions {
		f.Actions[i].ID = strconv.Itoa(i)
	}
}

// ruleTrust lets rules assume a role.
const ruleTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`

// roleFor makes a role that rules may take, by its name alone, and chooses it for
// an action. What it may do it gets with the rule.
func (v *visit) roleFor(action *actionForm, id string) error {
	name := v.form("action." + id + ".newrole")
	if action == nil || name == "" {
		return v.wrong("rule.role.name")
	}
	arn := v.Scope.IAM("role/" + name)
	v.note("role", arn)
	if err := v.may("iam:CreateRole", arn); err != nil {
		return err
	}
	role, err := v.IAM.CreateRole(v.r.Context(), iam.Role{Name: name, Trust: ruleTrust})
	if err != nil {
		return err
	}
	action.Values[action.roleField()], action.Made = v.IAM.RoleARN(role), true
	return nil
}

// writeRule makes the rule of the form or replaces it.
func (v *visit) writeRule() error {
	form := v.readRule()
	v.note("rule", form.Name)
	if err := v.mayWrite(form); err != nil {
		return err
	}
	if err := v.keepRule(form); err != nil {
		form.Problem, form.Field, v.refused = v.tell(err), form.fieldOf(err), err
		return v.renderRule(statusOf(err), form)
	}
	if form.Old {
		return v.to(rulePath(form.Name), "saved")
	}
	return v.to(rulePath(form.Name), "created.named", form.Name)
}

// fieldOf finds the field that has the mistake; "" for an action's.
func (f ruleForm) fieldOf(problem error) string {
	version, err := iotsql.ParseVersion(f.Version)
	if err == nil {
		_, err = iotsql.Parse(f.SQL, version)
	}
	switch {
	case fault.Is(problem, fault.CodeAlreadyExists):
		return "name"
	case err != nil:
		return "sql"
	}
	return ""
}

func (v *visit) keepRule(form ruleForm) error {
	actions, errorAction, err := form.actions()
	if err != nil {
		return err
	}
	rule := rules.Rule{
		Name: form.Name, SQL: form.SQL, Description: form.Description, Version: iotsql.Version(form.Version), Disabled: form.Disabled,
		Actions: actions, ErrorAction: errorAction,
	}
	if form.Old {
		err = v.Rules.Replace(v.r.Context(), rule)
	} else {
		err = v.Rules.Create(v.r.Context(), rule, nil)
	}
	if err != nil {
		return err
	}
	return v.grantRoles(form)
}

// grantRoles gives the roles of a rule's actions what these need, as AWS's
// console does, once the rule is there. Who may not write policies is expected
// to have roles that can do it already.
func (v *visit) grantRoles(form ruleForm) error {
	all := slices.Clone(form.Actions)
	if form.Error != nil {
		all = append(all, *form.Error)
	}
	for _, action := range all {
		if err := v.grantRole(form.Name, action); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) grantRole(rule string, action actionForm) error {
	arn := action.Values[action.roleField()]
	needs, known := grants[action.Member]
	if arn == "" || !known || v.may("iam:PutRolePolicy", arn) != nil {
		return nil
	}
	role, found, err := v.IAM.RoleByARN(v.r.Context(), arn)
	if err != nil || !found {
		return err
	}
	v.note("role", arn)
	document := documentOf([]statement{needs.statement(v.Scope.Region, v.Scope.Account, action.Values)})
	return v.IAM.PutInline(v.r.Context(), iam.ByRole, role.Name, "aws-iot-rule-"+rule+"-action-"+action.ID, document)
}

// tryRule shows what the rule would do with a message, and does nothing. Actions
// that are not complete do not keep the statement from being tried.
func (v *visit) tryRule(form ruleForm) error {
	if err := v.may("thingd:TestTopicRule", "*"); err != nil {
		return err
	}
	trial := rules.Trial{
		SQL: form.SQL, Version: iotsql.Version(form.Version),
		Message: iotsql.Message{Topic: form.TryTopic, Payload: payloadOf(form.TryPayload, v.form("trybinary") != "")},
	}
	actions, errorAction, err := form.actions()
	if err == nil {
		trial.Actions, trial.ErrorAction = actions, errorAction
	} else {
		form.TrialNote = v.tell(err)
	}
	result, err := v.Rules.Test(v.r.Context(), trial)
	if err != nil && len(trial.Actions) > 0 {
		form.TrialNote = v.tell(err)
		trial.Actions, trial.ErrorAction = nil, nil
		result, err = v.Rules.Test(v.r.Context(), trial)
	}
	if err != nil {
		form.Problem = v.tell(err)
		return v.renderRule(statusOf(err), form)
	}
	form.Result = &result
	form.Output, _, _ = readable(result.Output)
	return v.renderRule(http.StatusOK, form)
}

// payloadOf gives the bytes that a text stands for: themselves or, for binary
// messages, pairs of hexadecimal digits.
func payloadOf(text string, binary bool) []byte {
	if !binary {
		return []byte(text)
	}
	digits, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return []byte(text)
	}
	return digits
}

// sqlVerdict is what the editor hears of a statement.
type sqlVerdict struct {
	OK      bool   `json:"ok"`
	Filter  string `json:"filter,omitzero"` // after FROM
	Line    int    `json:"line,omitzero"`   // from 1
	Column  int    `json:"column,omitzero"` // from 1, in characters
	Problem string `json:"problem,omitzero"`
}

// checkSQL says whether a statement can be read, and where not.
func (v *visit) checkSQL() error {
	v.trial = true
	if err := v.may("thingd:TestTopicRule", "*"); err != nil {
		return err
	}
	verdict := sqlVerdict{OK: true}
	version, err := iotsql.ParseVersion(v.form("version"))
	if err != nil {
		return err
	}
	query, err := iotsql.Parse(v.r.PostForm.Get("sql"), version)
	if wrong, ok := errors.AsType[*iotsql.SyntaxError](err); ok {
		verdict = sqlVerdict{Line: wrong.Line, Column: wrong.Column, Problem: wrong.Problem}
	} else if err != nil {
		verdict = sqlVerdict{Problem: v.sentence(err)}
	} else {
		verdict.Filter = query.Topic()
	}
	v.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(v.w).Encode(verdict)
}
