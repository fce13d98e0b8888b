package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/rules"
	"thingd/internal/rules/iotsql"
)

// rulesPage is a part of the list.
type rulesPage struct {
	Rules []rules.Rule
	Next  string // the name after which the next page begins
	First bool
}

const rulesSize = 50 // of a page

func (v *visit) rules() error {
	if err := v.may("iot:ListTopicRules", "*"); err != nil {
		return err
	}
	after := v.query("token")
	list, err := v.Rules.List(v.r.Context(), rules.RuleFilter{After: after, Limit: rulesSize + 1})
	if err != nil {
		return err
	}
	page := rulesPage{Rules: list, First: after == ""}
	if len(list) > rulesSize {
		page.Rules, page.Next = list[:rulesSize], list[rulesSize-1].Name
	}
	return v.render("rules", page)
}

// sqlReference shows the functions of the language, from the table that runs
// them.
func (v *visit) sqlReference() error {
	if err := v.may("iot:ListTopicRules", "*"); err != nil {
		return err
	}
	return v.render("sqlreference", iotsql.Functions())
}

// ruleForm is the form of a new rule and its tester.
type ruleForm struct {
	Name, SQL, Description string
	Kind                   string // s3 or republish
	Bucket, Key, Topic     string
	Role, NewRole          string // ARN of a role, or the name of one to make
	Roles                  []string
	TryTopic, TryPayload   string
	Result                 *rules.TrialResult
	Output                 string
	Problem                string
}

func (v *visit) newRule() error {
	return v.renderRule(http.StatusOK, ruleForm{SQL: "SELECT * FROM 'sdk/test/#'", Kind: "s3", TryTopic: "sdk/test/python", TryPayload: "{}"})
}

func (v *visit) renderRule(status int, form ruleForm) error {
	if v.may("iam:ListRoles", v.Scope.IAM("role/")) == nil {
		list, _, err := v.IAM.Roles(v.r.Context(), iam.Page{})
		if err != nil {
			return err
		}
		for _, role := range list {
			form.Roles = append(form.Roles, v.IAM.RoleARN(role))
		}
	}
	return v.renderWith(status, "ruleform", form)
}

func (v *visit) readRule() ruleForm {
	return ruleForm{
		Name: v.form("name"), SQL: v.form("sql"), Description: v.form("description"), Kind: v.form("kind"),
		Bucket: v.form("bucket"), Key: v.form("key"), Topic: v.form("topic"), Role: v.form("role"), NewRole: v.form("newrole"),
		TryTopic: v.form("trytopic"), TryPayload: v.r.PostForm.Get("trypayload"),
	}
}

// action is what the form says the rule does.
func (f ruleForm) action() iot.Action {
	if f.Kind == "republish" {
		return iot.Action{Republish: &iot.RepublishAction{RoleArn: f.Role, Topic: f.Topic}}
	}
	return iot.Action{S3: &iot.S3Action{RoleArn: f.Role, BucketName: f.Bucket, Key: f.Key}}
}

// createRule tries the rule or makes it, by the button that was pressed.
func (v *visit) createRule() error {
	form := v.readRule()
	if v.form("do") == "try" {
		return v.tryRule(form)
	}
	v.note("rule", form.Name)
	if err := v.mayIoT("CreateTopicRule", "rule", form.Name); err != nil {
		return err
	}
	err := v.makeRule(&form)
	if err != nil {
		form.Problem = v.sentence(err)
		return v.renderRule(statusOf(err), form)
	}
	return v.to(rulePath(form.Name), "created.named", form.Name)
}

func (v *visit) makeRule(form *ruleForm) error {
	if form.NewRole != "" {
		if err := v.makeRole(form); err != nil {
			return err
		}
	}
	if err := v.may("iam:PassRole", form.Role); err != nil {
		return err
	}
	return v.Rules.Create(v.r.Context(), rules.Rule{
		Name: form.Name, SQL: form.SQL, Description: form.Description, Version: iotsql.V20160323, Actions: []iot.Action{form.action()},
	}, nil)
}

// ruleTrust lets rules assume a role.
const ruleTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`

// makeRole makes a role that may do what the action needs, and no more.
func (v *visit) makeRole(form *ruleForm) error {
	arn := v.Scope.IAM("role/" + form.NewRole)
	for _, action := range []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:PassRole"} {
		if err := v.may(action, arn); err != nil {
			return err
		}
	}
	v.note("role", arn)
	role, err := v.IAM.CreateRole(v.r.Context(), iam.Role{Name: form.NewRole, Trust: ruleTrust})
	if err != nil {
		return err
	}
	form.Role, form.NewRole = v.IAM.RoleARN(role), ""
	return v.IAM.PutInline(v.r.Context(), iam.ByRole, role.Name, "rule", v.rolePolicy(*form))
}

func (v *visit) rolePolicy(form ruleForm) string {
	action, resource := "s3:PutObject", "arn:aws:s3:::"+form.Bucket+"/*"
	if form.Kind == "republish" {
		action, resource = "iot:Publish", v.Scope.IoT("topic", form.Topic)
		if strings.Contains(form.Topic, "${") {
			resource = v.Scope.IoT("topic", "*") // known only as the rule runs
		}
	}
	return documentOf([]statement{{"Allow", action, resource}})
}

// tryRule shows what the rule would do with a message, and does nothing.
func (v *visit) tryRule(form ruleForm) error {
	if err := v.may("thingd:TestTopicRule", "*"); err != nil {
		return err
	}
	result, err := v.Rules.Test(v.r.Context(), rules.Trial{
		SQL: form.SQL, Version: iotsql.V20160323,
		Message: iotsql.Message{Topic: form.TryTopic, Payload: []byte(form.TryPayload)},
	})
	if err != nil {
		form.Problem = v.sentence(err)
		return v.renderRule(statusOf(err), form)
	}
	form.Result = &result
	form.Output, _, _ = readable(result.Output)
	return v.renderRule(http.StatusOK, form)
}

// rulePage is one rule in full.
type rulePage struct {
	rules.Rule
	ARN     string
	Actions string // indented JSON
	Counts  rules.Counts
	Firings []rules.Firing
}

func (v *visit) rule() error {
	name := v.r.PathValue("name")
	if err := v.mayIoT("GetTopicRule", "rule", name); err != nil {
		return err
	}
	found, err := v.Rules.Get(v.r.Context(), name)
	if err != nil {
		return err
	}
	text, err := json.Marshal(found.Actions)
	if err != nil {
		return err
	}
	page := rulePage{Rule: found, ARN: v.Rules.ARN(name), Actions: pretty(text), Counts: v.Rules.Stats().Rules[name]}
	if v.may("thingd:ListRuleFirings", "*") == nil {
		if page.Firings, err = v.Rules.Firings(name); err != nil {
			return err
		}
	}
	return v.render("rule", page)
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
	{"POST /console/rules", (*visit).createRule},
	{"GET /console/newrule", (*visit).newRule},
	{"GET /console/sql", (*visit).sqlReference},
	{"GET /console/rules/{name}", (*visit).rule},
	{"POST /console/rules/{name}", (*visit).setRule},
	{"POST /console/rules/{name}/delete", (*visit).deleteRule},
}
