package console

import (
	"encoding/json"
	"slices"
	"strings"
)

// statement is what a statement of a policy says in most cases. Several actions
// or resources stand in one field with commas between them.
type statement struct{ Effect, Action, Resource string }

// row is a statement in the visual form. A row of a document that was JSON before
// carries the statement as it was written, so that what has no field here (Sid,
// Condition) is not lost on the way to the form and back; a statement that the
// fields cannot show at all (NotAction, NotResource) stays what it is.
type row struct {
	statement
	Raw   string // the statement as it was; "" for a new row
	Fixed bool   // the fields cannot show it
}

// newDocument is what the statements of a new policy are put into.
const newDocument = `{"Version":"2012-10-17","Statement":[]}`

// rowsOf takes a document apart: its statements, and the frame that they are put
// back into. It fails where the document has no statements in the places where
// they should be.
func rowsOf(document string) (frame string, rows []row, err error) {
	members, err := membersOf([]byte(document))
	if err != nil {
		return "", nil, err
	}
	at := slices.IndexFunc(members, func(m member) bool { return m.name == "Statement" })
	if at < 0 {
		return "", nil, errNotThis
	}
	items, listErr := itemsOf(members[at].value)
	shell := json.RawMessage("[]")
	if listErr != nil {
		items, shell = []member{members[at]}, json.RawMessage("{}")
	}
	for _, item := range items {
		rows = append(rows, rowOf(item.value))
	}
	members[at].value = shell
	return string(objectOf(members)), rows, nil
}

// rowOf shows one statement in the fields.
func rowOf(raw json.RawMessage) row {
	shown := row{Raw: string(raw), Fixed: true}
	members, err := membersOf(raw)
	if err != nil {
		return shown
	}
	fields := shown.fields()
	for _, m := range members {
		field, ours := fields[m.name]
		if !ours {
			if m.name != "Sid" && m.name != "Condition" {
				return row{Raw: string(raw), Fixed: true}
			}
			continue
		}
		text, ok := listText(m.value)
		if !ok || *field != "" {
			return row{Raw: string(raw), Fixed: true}
		}
		*field = text
	}
	shown.Fixed = shown.Effect != "Allow" && shown.Effect != "Deny"
	return shown
}

// fields are the members of a statement that have a field.
func (s *statement) fields() map[string]*string {
	return map[string]*string{"Effect": &s.Effect, "Action": &s.Action, "Resource": &s.Resource}
}

// listText writes a string or a list of strings into one field; ok is false for
// what would not come out of it again.
func listText(raw json.RawMessage) (text string, ok bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one, !strings.Contains(one, ",") && strings.TrimSpace(one) == one
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil || len(many) < 2 {
		return "", false
	}
	for _, each := range many {
		if strings.Contains(each, ",") || strings.TrimSpace(each) != each {
			return "", false
		}
	}
	return strings.Join(many, ", "), true
}

// Kept says what of the statement has no field, for people: its Sid and the
// conditions, or all of it.
func (r row) Kept() string {
	if r.Fixed {
		return pretty([]byte(r.Raw))
	}
	members, err := membersOf([]byte(r.Raw))
	if err != nil {
		return ""
	}
	others := slices.DeleteFunc(members, func(m member) bool { return r.fields()[m.name] != nil })
	if len(others) == 0 {
		return ""
	}
	return pretty(objectOf(others))
}

// json writes the row as a statement. What was not edited stays as it was.
func (r row) json() json.RawMessage {
	was := rowOf(json.RawMessage(r.Raw))
	if r.Raw != "" && (was.Fixed || was == r) && json.Valid([]byte(r.Raw)) {
		return json.RawMessage(r.Raw)
	}
	members, err := membersOf([]byte(r.Raw))
	if err != nil {
		members = nil
	}
	for _, name := range []string{"Effect", "Action", "Resource"} {
		now, before := *r.fields()[name], *was.fields()[name]
		at := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		switch {
		case at < 0:
			members = append(members, member{name: name, value: oneOrMany(now)})
		case now != before:
			members[at].value = oneOrMany(now)
		}
	}
	return objectOf(members)
}

// oneOrMany writes what stands in a field.
func oneOrMany(text string) json.RawMessage {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	var value any = parts
	if len(parts) == 1 {
		value = parts[0]
	}
	raw, _ := json.Marshal(value) // strings always encode
	return raw
}

// documentIn puts rows into a frame.
func documentIn(frame string, rows []row) string {
	members, err := membersOf([]byte(frame))
	at := slices.IndexFunc(members, func(m member) bool { return m.name == "Statement" })
	if err != nil || at < 0 {
		members, _ = membersOf([]byte(newDocument))
		at = len(members) - 1
	}
	list := make([]string, len(rows))
	for i, one := range rows {
		list[i] = string(one.json())
	}
	if string(members[at].value) == "{}" && len(rows) == 1 {
		members[at].value = json.RawMessage(list[0])
	} else {
		members[at].value = json.RawMessage("[" + strings.Join(list, ",") + "]")
	}
	return pretty(objectOf(members))
}

// documentOf writes statements as a new policy document.
func documentOf(statements []statement) string {
	rows := make([]row, len(statements))
	for i, one := range statements {
		rows[i].statement = one
	}
	return documentIn(newDocument, rows)
}
