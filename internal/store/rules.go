package store

import (
	"context"

	"thingd/internal/rules"
)

// Rules keeps what package rules asks for, of one account.
type Rules struct {
	db      *DB
	account string
}

var _ rules.Store = (*Rules)(nil)

// Rules gives the topic rules of an account.
func (db *DB) Rules(account string) *Rules { return &Rules{db, account} }

// View runs fn on a snapshot.
func (r *Rules) View(ctx context.Context, fn func(rules.Tx) error) error {
	return r.db.View(ctx, func(tx *Tx) error { return fn(rulesTx{tx, r.account}) })
}

// Update runs fn in a write transaction.
func (r *Rules) Update(ctx context.Context, fn func(rules.Tx) error) error {
	return r.db.Update(ctx, func(tx *Tx) error { return fn(rulesTx{tx, r.account}) })
}

// rulesTx is one transaction of an account; rules_destinations.go has the rest
// of it.
type rulesTx struct {
	tx      *Tx
	account string
}

var _ rules.Tx = rulesTx{}

const ruleColumns = "name, sql_text, description, sql_version, topic, disabled, actions, error_action, created_at"

func scanRule(row scanner) (rules.Rule, error) {
	var r rules.Rule
	err := row(&r.Name, &r.SQL, &r.Description, &r.Version, &r.Topic, &r.Disabled,
		jsonColumn{&r.Actions}, jsonColumn{&r.ErrorAction}, timeColumn{&r.Created})
	return r, err
}

func (r rulesTx) Rule(name string) (rules.Rule, bool, error) {
	return atMostOne(list(r.tx, "SELECT "+ruleColumns+" FROM topic_rules WHERE account = ? AND name = ?",
		[]any{r.account, name}, scanRule))
}

func (r rulesTx) PutRule(rule rules.Rule) error {
	_, err := r.tx.exec("INSERT INTO topic_rules (account, "+ruleColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET sql_text = excluded.sql_text, description = excluded.description, "+
		"sql_version = excluded.sql_version, topic = excluded.topic, disabled = excluded.disabled, "+
		"actions = excluded.actions, error_action = excluded.error_action, created_at = excluded.created_at",
		r.account, rule.Name, rule.SQL, rule.Description, string(rule.Version), rule.Topic, rule.Disabled,
		toJSON(rule.Actions), toJSON(rule.ErrorAction), toMillis(rule.Created))
	return err
}

func (r rulesTx) DeleteRule(name string) error {
	_, err := r.tx.exec("DELETE FROM topic_rules WHERE account = ? AND name = ?", r.account, name)
	return err
}

func (r rulesTx) Rules(f rules.RuleFilter) ([]rules.Rule, error) {
	names, from, below := nameRange("name", f.Prefix, f.After)
	where, args := "account = ? AND "+names, []any{r.account, from, below}
	if f.Topic != "" {
		where, args = where+" AND topic = ?", append(args, f.Topic)
	}
	if f.Disabled != nil {
		where, args = where+" AND disabled = ?", append(args, *f.Disabled)
	}
	return list(r.tx, "SELECT "+ruleColumns+" FROM topic_rules WHERE "+where+" ORDER BY name LIMIT ?", append(args, f.Limit), scanRule)
}

func (r rulesTx) CountRules() (n int, err error) {
	_, err = r.tx.get("SELECT COUNT(*) FROM topic_rules WHERE account = ?", []any{r.account}, &n)
	return n, err
}
