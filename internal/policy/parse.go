package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"thingd/internal/fault"
	"thingd/internal/why"
)

// Parse reads a policy document and checks all of it. The error is a
// fault.CodeMalformedPolicy that says what is wrong and where (CreatePolicy:
// MalformedPolicyException).
func Parse(document string, dialect Dialect) (*Document, error) {
	if err := checkSize(document, dialect); err != nil {
		return nil, err
	}
	root, err := readTree(document)
	if err != nil {
		return nil, malformed(err)
	}
	doc, err := parseDocument(root, dialect)
	if err != nil {
		return nil, malformed(err)
	}
	return doc, nil
}

func malformed(err error) error {
	return fault.New(fault.CodeMalformedPolicy, "Policy document is malformed: %s", err)
}

// checkSize counts characters without white space, as AWS IoT does. The text of
// the message is AWS's for IoT (unconfirmed).
func checkSize(document string, d Dialect) error {
	if len(document) > rawSizeMax {
		return fault.New(fault.CodeMalformedPolicy, "Policy cannot be created - size exceeds hard limit (%d bytes with white space)", rawSizeMax)
	}
	size := utf8.RuneCountInString(document)
	for _, space := range []string{" ", "\t", "\r", "\n"} {
		size -= strings.Count(document, space)
	}
	if size > d.sizeMax() {
		return fault.New(fault.CodeMalformedPolicy, "Policy cannot be created - size exceeds hard limit (%d)", d.sizeMax())
	}
	return nil
}

// parser turns nodes into a document.
type parser struct {
	dialect   Dialect
	variables bool // the Version has them
}

func parseDocument(root node, dialect Dialect) (*Document, error) {
	f, err := fieldsOf(root, why.Say("the document"), "Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	doc := &Document{}
	if doc.Version, err = parseVersion(f); err != nil {
		return nil, err
	}
	if doc.ID, err = f.optionalText("Id"); err != nil {
		return nil, err
	}
	p := parser{dialect: dialect, variables: doc.Version == Version2012}
	return doc, p.statements(doc, f)
}

func parseVersion(f fields) (string, error) {
	if _, ok := f["Version"]; !ok {
		return Version2008, nil
	}
	version, err := f.optionalText("Version")
	if err == nil && version != Version2008 && version != Version2012 {
		err = why.Say("the Version must be %s or %s, not %q", Version2012, Version2008, brief(version))
	}
	return version, err
}

func (p parser) statements(doc *Document, f fields) error {
	n, ok := f["Statement"]
	list := n.list()
	switch {
	case !ok:
		return why.Say("the member Statement is missing")
	case len(list) == 0:
		return why.Say("Statement has no statement")
	case len(list) > statementsMax:
		return why.Say("Statement has more than %d statements", statementsMax)
	}
	for i, item := range list {
		statement, r, err := p.statement(item)
		if err != nil {
			return why.Say("%s: %w", placeOf(i+1, item), err)
		}
		r.number = i + 1
		doc.Statements, doc.rules = append(doc.Statements, statement), append(doc.rules, r)
	}
	return p.checkSids(doc.Statements)
}

// placeOf names a statement in a message, with its Sid if it has one.
func placeOf(number int, n node) why.Phrase {
	for _, m := range n.members {
		if m.name == "Sid" && m.value.kind == textNode {
			return why.Say("statement %d (Sid %q)", number, brief(m.value.text))
		}
	}
	return why.Say("statement %d", number)
}

// checkSids holds IAM's documents to IAM's rule; that IoT has it is not known.
func (p parser) checkSids(statements []Statement) error {
	if p.dialect == IoT {
		return nil
	}
	seen := map[string]bool{}
	for _, s := range statements {
		switch {
		case s.Sid == "":
			continue
		case !isWord(s.Sid, ""):
			return why.Say("the Sid %q may have letters and digits only", brief(s.Sid))
		case seen[s.Sid]:
			return why.Say("the Sid %q appears twice", brief(s.Sid))
		}
		seen[s.Sid] = true
	}
	return nil
}

// statement reads one statement, as written and as a rule.
func (p parser) statement(n node) (Statement, *rule, error) {
	f, err := fieldsOf(n, why.Say("the statement"), "Sid", "Effect", "Principal", "NotPrincipal",
		"Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return Statement{}, nil, err
	}
	s, r := Statement{}, &rule{variables: p.variables}
	steps := []func(fields, *Statement, *rule) error{
		p.sid, p.effect, p.principals, p.actions, p.resources, p.conditions,
	}
	for _, step := range steps {
		if err := step(f, &s, r); err != nil {
			return Statement{}, nil, err
		}
	}
	return s, r, nil
}

func (p parser) sid(f fields, s *Statement, r *rule) (err error) {
	s.Sid, err = f.optionalText("Sid")
	r.sid = s.Sid
	return err
}

func (p parser) effect(f fields, s *Statement, r *rule) error {
	text, err := f.optionalText("Effect")
	if err != nil {
		return err
	}
	r.effect = Effect(text)
	s.Effect = r.effect
	switch {
	case f.lacks("Effect"):
		return why.Say("the member Effect is missing")
	case r.effect != Allow && r.effect != Deny:
		return why.Say("Effect must be Allow or Deny, not %q", brief(text))
	}
	return nil
}

func (p parser) actions(f fields, s *Statement, r *rule) error {
	name, list, err := f.oneOf("Action", "NotAction")
	if err != nil {
		return err
	}
	for i, text := range list {
		a, err := compileAction(text, p.dialect)
		if err != nil {
			return elementError(name, i, text, err)
		}
		r.actions = append(r.actions, a)
	}
	if r.notActions = name == "NotAction"; r.notActions {
		s.NotActions = list
		return nil
	}
	s.Actions = list
	return nil
}

func (p parser) resources(f fields, s *Statement, r *rule) error {
	if p.dialect == Trust {
		return f.refuse(why.Say("a trust policy has none: it is about its own role"), "Resource", "NotResource")
	}
	name, list, err := f.oneOf("Resource", "NotResource")
	if err != nil {
		return err
	}
	for i, text := range list {
		a, err := compileResource(text, p.dialect, syntax{wildcards: true, variables: p.variables})
		if err != nil {
			return elementError(name, i, text, err)
		}
		r.resources = append(r.resources, a)
	}
	if r.notResources = name == "NotResource"; r.notResources {
		s.NotResources = list
		return nil
	}
	s.Resources = list
	return nil
}

// elementError says which member of a list is wrong.
func elementError(name string, i int, text string, err error) error {
	return why.Say("%s %d, %q: %w", name, i+1, brief(text), err)
}

func (p parser) principals(f fields, s *Statement, r *rule) error {
	if p.dialect != Trust {
		return f.refuse(why.Say("the policy is for whom it is attached to"), "Principal", "NotPrincipal")
	}
	name, err := f.eitherName("Principal", "NotPrincipal")
	if err != nil {
		return err
	}
	if r.principals, err = parsePrincipals(name, f[name]); err != nil {
		return err
	}
	if r.notPrincipals = name == "NotPrincipal"; r.notPrincipals {
		s.NotPrincipals = r.principals
		return nil
	}
	s.Principals = r.principals
	return nil
}

// principalTypes are the members that a Principal element may have.
var principalTypes = []string{"AWS", "Service", "Federated", "CanonicalUser"}

func parsePrincipals(at string, n node) ([]PrincipalPattern, error) {
	if n.kind == textNode && n.text == "*" {
		return []PrincipalPattern{{Type: "*", ID: "*"}}, nil
	}
	f, err := fieldsOf(n, why.Words(at), principalTypes...)
	if err != nil {
		return nil, err
	}
	var found []PrincipalPattern
	for _, kind := range principalTypes {
		if f.lacks(kind) {
			continue
		}
		ids, err := textsOf(at+"."+kind, f[kind])
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			found = append(found, PrincipalPattern{Type: kind, ID: id})
		}
	}
	if len(found) == 0 {
		return nil, why.Say("%s names nobody", at)
	}
	return found, nil
}

func (p parser) conditions(f fields, s *Statement, r *rule) error {
	n, ok := f["Condition"]
	if !ok {
		return nil
	}
	if n.kind != objectNode {
		return why.Say("Condition must be an object, not %s", n.kind.says())
	}
	for _, op := range n.members {
		if op.value.kind != objectNode {
			return why.Say("Condition %s must be an object of keys and values, not %s", brief(op.name), op.value.kind.says())
		}
		for _, m := range op.value.members {
			if err := p.condition(op.name, m, s, r); err != nil {
				return why.Say("Condition %s %s: %w", brief(op.name), brief(m.name), err)
			}
		}
	}
	return nil
}

func (p parser) condition(op string, m member, s *Statement, r *rule) error {
	written := Condition{Operator: op, Key: m.name}
	for _, n := range m.value.list() {
		if n.kind != textNode && n.kind != numberNode && n.kind != boolNode {
			return why.Say("a value must be a string, number or boolean, not %s", n.kind.says())
		}
		written.Values = append(written.Values, n.text)
	}
	c, err := compileCondition(written, p.variables)
	if err != nil {
		return err
	}
	s.Conditions, r.conditions = append(s.Conditions, written), append(r.conditions, c)
	return nil
}

// fields are the members of an object by name.
type fields map[string]node

// fieldsOf takes an object apart that may have the known members only.
func fieldsOf(n node, at why.Phrase, known ...string) (fields, error) {
	if n.kind != objectNode {
		return nil, why.Say("%s must be an object, not %s", at, n.kind.says())
	}
	f := fields{}
	for _, m := range n.members {
		if !slices.Contains(known, m.name) {
			return nil, why.Say("%s has the unknown member %q%s", at, brief(m.name), didYouMean(m.name, known))
		}
		f[m.name] = m.value
	}
	return f, nil
}

// didYouMean suggests the known name that differs from name in its case or in an
// s at its end, such as Actions.
func didYouMean(name string, known []string) why.Phrase {
	for _, k := range known {
		if strings.EqualFold(name, k) || strings.EqualFold(name, k+"s") {
			return why.Say(" (did you mean %s?)", k)
		}
	}
	return why.Phrase{}
}

func (f fields) lacks(name string) bool {
	_, ok := f[name]
	return !ok
}

// optionalText gives the string of a member, or "" if it is absent.
func (f fields) optionalText(name string) (string, error) {
	n, ok := f[name]
	if ok && n.kind != textNode {
		return "", why.Say("%s must be a string, not %s", name, n.kind.says())
	}
	return n.text, nil
}

// refuse answers for members that the dialect doesn't have.
func (f fields) refuse(reason why.Phrase, names ...string) error {
	for _, name := range names {
		if !f.lacks(name) {
			return why.Say("the member %s is not allowed: %s", name, reason)
		}
	}
	return nil
}

// eitherName gives the one of two names that is there.
func (f fields) eitherName(name, not string) (string, error) {
	switch {
	case f.lacks(name) && f.lacks(not):
		return "", why.Say("the member %s is missing", name)
	case f.lacks(name):
		return not, nil
	case !f.lacks(not):
		return "", why.Say("it has both %s and %s", name, not)
	}
	return name, nil
}

// oneOf gives the one of two members that is there, and its strings.
func (f fields) oneOf(name, not string) (string, []string, error) {
	found, err := f.eitherName(name, not)
	if err != nil {
		return "", nil, err
	}
	list, err := textsOf(found, f[found])
	return found, list, err
}

// textsOf gives the strings of a string or array of strings, at least one.
func textsOf(at string, n node) ([]string, error) {
	var texts []string
	for i, item := range n.list() {
		if item.kind != textNode || item.text == "" {
			return nil, why.Say("%s%s must be a string with text, not %s", at, position(n, i), describe(item))
		}
		texts = append(texts, item.text)
	}
	if len(texts) == 0 {
		return nil, why.Say("%s is an empty list", at)
	}
	return texts, nil
}

// position names a member of a list, and nothing for a single value.
func position(n node, i int) string {
	if n.kind != arrayNode {
		return ""
	}
	return " " + strconv.Itoa(i+1)
}

func describe(n node) why.Phrase {
	if n.kind == textNode {
		return why.Say("an empty one")
	}
	return n.kind.says()
}
