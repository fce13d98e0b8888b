package rules

import (
	"encoding/json"
	"regexp"
	"time"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// Rule is the record of a topic rule. The actions have the shape of AWS's model,
// which is how they are kept, too.
type Rule struct {
	Name        string // 1 to 128 of a-z A-Z 0-9 _
	SQL         string
	Description string
	Version     iotsql.Version // awsIotSqlVersion
	Disabled    bool
	Actions     []iot.Action // 0 to 10
	ErrorAction *iot.Action  // nil: none
	Created     time.Time

	// Topic is the filter after FROM; "" for a rule of Basic Ingest alone.
	Topic string
}

// Limits of rules (AWS IoT Core quotas).
const (
	actionsMax  = 10
	rulesMax    = 1000      // per account
	documentMax = 128 << 10 // bytes of SQL, actions, error action, version and description as JSON
)

var ruleName = regexp.MustCompile(`^[a-zA-Z0-9_]{1,128}$`)

// compiled is a rule that can run.
type compiled struct {
	rule        Rule
	query       *iotsql.Query
	actions     []*action.Action
	errorAction *action.Action // nil: none
	outside     bool           // it asks others, which takes time
}

// compile checks a rule and makes it ready to run. It fills in Topic and the
// default version. Errors are faults: SqlParse, InvalidRequest.
func (s *Service) compile(r *Rule) (*compiled, error) {
	if !ruleName.MatchString(r.Name) {
		return nil, fault.InvalidRequest("ruleName %q is not 1 to 128 letters, digits and underscores", r.Name)
	}
	version, err := iotsql.ParseVersion(string(r.Version))
	if err != nil {
		return nil, err
	}
	query, err := iotsql.Parse(r.SQL, version)
	if err != nil {
		return nil, err
	}
	if len(r.Actions) > actionsMax {
		return nil, fault.InvalidRequest("a rule has %d actions; at most %d are allowed", len(r.Actions), actionsMax)
	}
	document, err := checkSize(r)
	if err != nil {
		return nil, err
	}
	r.Version, r.Topic = version, query.Topic()
	c := &compiled{rule: *r, query: query, outside: outsiders.Match(document)}
	return c, s.compileActions(c)
}

func (s *Service) compileActions(c *compiled) error {
	for _, spec := range c.rule.Actions {
		one, err := s.targets.Compile(spec, c.query)
		if err != nil {
			return err
		}
		c.actions = append(c.actions, one)
	}
	if c.rule.ErrorAction == nil {
		return nil
	}
	if h := c.rule.ErrorAction.Http; h != nil && (h.BatchConfig != nil || h.EnableBatching != nil && *h.EnableBatching) {
		return fault.InvalidRequest("an error action cannot send in batches")
	}
	one, err := s.targets.Compile(*c.rule.ErrorAction, c.query)
	c.errorAction = one
	return err
}

// checkSize gives the rule as JSON, whose size is bounded.
func checkSize(r *Rule) ([]byte, error) {
	text, err := json.Marshal([]any{r.SQL, r.Description, r.Version, r.Actions, r.ErrorAction})
	if err == nil && len(text) > documentMax {
		err = fault.InvalidRequest("the rule has %d bytes of JSON; at most %d are allowed", len(text), documentMax)
	}
	return text, err
}

// all gives the actions and the error action.
func (c *compiled) all() []*action.Action {
	if c.errorAction == nil {
		return c.actions
	}
	return append(c.actions[:len(c.actions):len(c.actions)], c.errorAction)
}

// batching says whether an action sends several messages at once, which gives
// the error action's message another shape.
func (c *compiled) batching() bool {
	for _, a := range c.actions {
		if a.Batching {
			return true
		}
	}
	return false
}

// outsiders finds calls of the functions that reach outside, decode(…, 'proto', …)
// among them, in a rule as JSON. A word in a string is taken for one, too, which
// costs the order of messages and nothing else.
var outsiders = regexp.MustCompile(
	`(?i)\b(get_thing_shadow|get_registry_data|get_dynamodb|get_secret|aws_lambda|machinelearning_predict)\s*\(|['"]proto\\?['"]`)
