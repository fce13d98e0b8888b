package console

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"thingd/internal/pki"
	"thingd/internal/shadow"
)

// historyPage is the last changes of a shadow, and one of them in full. To look
// at it keeps the shadow's changes for a while, see shadow.Service.History.
type historyPage struct {
	Thing, Name string
	Changes     []changed
	Shown       *changed
	With        int64 // the version that it is compared with; 0 is the one before it
	Sent        string
	Differences []difference
}

// changed is a change with who made it, for people.
type changed struct {
	shadow.Change
	Certificate string // ID; "" where the change was not made with one
}

// states are the parts of update/documents that are compared.
type states struct {
	Previous, Current *struct {
		State json.RawMessage `json:"state"`
	}
}

func statesOf(c shadow.Change) (before, after string) {
	var s states
	if json.Unmarshal(c.Documents, &s) != nil {
		return "", "" // a deletion has none
	}
	if s.Previous != nil {
		before = pretty(s.Previous.State)
	}
	if s.Current != nil {
		after = pretty(s.Current.State)
	}
	return before, after
}

func (v *visit) shadowHistory() error {
	id, err := v.shadowInPath("GetThingShadow")
	if err != nil {
		return err
	}
	page := historyPage{Thing: id.Thing, Name: id.Name}
	changes, err := v.Shadows.History(v.r.Context(), id)
	if err != nil {
		return err
	}
	for _, c := range changes {
		one := changed{Change: c}
		if certificateID.MatchString(c.Principal) {
			one.Certificate = string(pki.NormalID(c.Principal))
		}
		page.Changes = append(page.Changes, one)
	}
	page.With, _ = strconv.ParseInt(v.query("with"), 10, 64)
	version, err := strconv.ParseInt(v.query("version"), 10, 64)
	if err != nil && len(page.Changes) > 0 {
		version = page.Changes[0].Version
	}
	page.show(version)
	return v.render("shadowhistory", page)
}

// show puts one of the changes beside the state before it, or beside another
// version.
func (p *historyPage) show(version int64) {
	at := slices.IndexFunc(p.Changes, func(c changed) bool { return c.Version == version })
	if at < 0 {
		return
	}
	p.Shown = &p.Changes[at]
	p.Sent = pretty(p.Shown.Request)
	before, after := statesOf(p.Shown.Change)
	if p.Shown.Deleted && at+1 < len(p.Changes) {
		_, before = statesOf(p.Changes[at+1].Change)
	}
	if with := slices.IndexFunc(p.Changes, func(c changed) bool { return c.Version == p.With }); with >= 0 {
		_, before = statesOf(p.Changes[with].Change)
	} else {
		p.With = 0
	}
	p.Differences = differences(before, after)
}

// changer is a change with the page's words, for the part that says who made it.
type changer struct {
	*view
	changed
}

// Changer gives it.
func (v *view) Changer(c changed) changer { return changer{v, c} }

// One is the change that is shown.
func (p historyPage) One() changed { return *p.Shown }

// Author is the end of an ARN, which says who it is: root, user/ann.
func (c changed) Author() string { return c.Principal[strings.LastIndexByte(c.Principal, ':')+1:] }

// Path is the address of the page that shows the newest change.
func (p historyPage) Path() string { return p.At(0) }

// At is the address of the page that shows a version; 0 is the newest.
func (p historyPage) At(version int64) string {
	query := url.Values{}
	if p.Name != "" {
		query.Set("name", p.Name)
	}
	if version != 0 {
		query.Set("version", strconv.FormatInt(version, 10))
	}
	return thingPath(p.Thing) + "/shadow/history?" + query.Encode()
}
