package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"thingd/internal/aws/thingdapi"
)

// ruleCommand is for those who write topic rules.
type ruleCommand struct {
	Test    ruleTestCommand    `cmd:"" help:"Say what a rule would do with a message, without doing it."`
	Firings ruleFiringsCommand `cmd:"" help:"Show what happened last in a rule."`
}

// ruleTestCommand tries a statement, or a rule that exists.
type ruleTestCommand struct {
	dataFlag
	Message    string `arg:"" optional:"" help:"Message. Without it, standard input is the message."`
	Rule       string `help:"Name of a rule that exists." xor:"rule" required:""`
	SQL        string `name:"sql" help:"A statement." xor:"rule" required:""`
	SQLVersion string `name:"sql-version" default:"2016-03-23" help:"Version of the language, for --sql."`
	Actions    string `help:"File with a JSON array of actions as in CreateTopicRule, for --sql." type:"existingfile"`
	Topic      string `help:"Topic of the message. Without it, FROM is not asked."`
	ClientID   string `name:"client-id" help:"Client ID of the sender."`
}

// Run implements the command.
func (c *ruleTestCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	order, err := c.order()
	if err != nil {
		return err
	}
	var found thingdapi.TestTopicRuleResponse
	if err := api.call(ctx, request{service: "thingd", method: http.MethodPost, path: "/thingd/rules/test", body: order}, &found); err != nil {
		return err
	}
	return printTrial(os.Stdout, &found)
}

func (c *ruleTestCommand) order() (*thingdapi.TestTopicRuleRequest, error) {
	order := &thingdapi.TestTopicRuleRequest{
		RuleName: c.Rule, Sql: c.SQL, Topic: c.Topic, ClientId: c.ClientID, Payload: []byte(c.Message),
	}
	if c.SQL != "" {
		order.AwsIotSqlVersion = c.SQLVersion
	}
	if c.Actions != "" {
		text, err := os.ReadFile(c.Actions)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &order.Actions); err != nil {
			return nil, fmt.Errorf("%s is not a JSON array of actions: %w", c.Actions, err)
		}
	}
	if c.Message != "" {
		return order, nil
	}
	text, err := io.ReadAll(os.Stdin)
	order.Payload = text
	return order, err
}

// printTrial tells people what the rule would do.
func printTrial(w io.Writer, r *thingdapi.TestTopicRuleResponse) error {
	if r.Matched == nil || !*r.Matched {
		_, err := fmt.Fprintln(w, "No match:", r.Reason)
		return err
	}
	fmt.Fprintf(w, "Match. Output:\n%s\n", r.Output)
	for _, a := range r.Actions {
		printTested(w, "", a)
	}
	if r.ErrorAction != nil {
		printTested(w, "If that fails: ", *r.ErrorAction)
	}
	return nil
}

func printTested(w io.Writer, when string, a thingdapi.TestedAction) {
	fmt.Fprintf(w, "\n%s%s\n", when, a.Action)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range a.Parameters {
		fmt.Fprintf(table, "  %s\t%s\n", p.Name, p.Value)
	}
	_ = table.Flush() // an error of w shows with the next line
	if a.Error != "" {
		fmt.Fprintf(w, "  would fail: %s\n", a.Error)
	}
}

// ruleFiringsCommand shows the last firings.
type ruleFiringsCommand struct {
	dataFlag
	Rule string `arg:"" help:"Name of the rule."`
}

// Run implements the command.
func (c *ruleFiringsCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	var found thingdapi.ListRuleFiringsResponse
	path := "/thingd/rules/" + url.PathEscape(c.Rule) + "/firings"
	err = api.call(ctx, request{service: "thingd", method: http.MethodGet, path: path}, &found)
	// AWS calls a rule that isn't there forbidden; nothing is forbidden to root.
	if refused, ok := errors.AsType[*callError](err); ok && refused.name == "UnauthorizedException" {
		return fmt.Errorf("there is no topic rule %s", c.Rule)
	}
	if err != nil {
		return err
	}
	if len(found.Firings) == 0 {
		fmt.Println("No message has reached the rule since the server was started.")
		return nil
	}
	printFirings(os.Stdout, found.Firings)
	return nil
}

func printFirings(w io.Writer, all []thingdapi.Firing) {
	for _, f := range all {
		at := ""
		if f.Time != nil {
			at = time.UnixMilli(*f.Time).Format("2006-01-02 15:04:05.000")
		}
		fmt.Fprintf(w, "%s  %s  %s", at, f.Topic, f.Outcome)
		if f.Reason != "" {
			fmt.Fprintf(w, ": %s", f.Reason)
		}
		fmt.Fprintf(w, "\n  in   %s\n", f.Payload)
		if f.Output != "" {
			fmt.Fprintf(w, "  out  %s\n", f.Output)
		}
		for _, a := range f.Actions {
			printFired(w, "", a)
		}
		if f.ErrorAction != nil {
			printFired(w, "error action: ", *f.ErrorAction)
		}
	}
}

func printFired(w io.Writer, what string, a thingdapi.FiredAction) {
	outcome := "ok"
	if a.Error != "" {
		outcome = a.Error
	}
	fmt.Fprintf(w, "  %s%s %s: %s\n", what, a.Action, a.Resource, outcome)
}
