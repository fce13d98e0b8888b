package console

import (
	"fmt"
	"strconv"

	"thingd/internal/audit"
)

// auditChange keeps what somebody changed, or was refused. Trials change nothing.
func (v *visit) auditChange(err error) {
	if v.trial {
		return
	}
	e := audit.Entry{Who: v.actor.ARN, Key: v.actor.AccessKeyID, Door: audit.Console, Deed: v.r.Pattern, About: map[string]string{}}
	e.Source, _ = remoteAddr(v.r)
	for _, name := range []string{"thing", "id", "name", "bucket"} {
		if value := v.r.PathValue(name); value != "" {
			e.About[name] = value
		}
	}
	for i := 0; i+1 < len(v.audit); i += 2 {
		e.About[fmt.Sprint(v.audit[i])] = fmt.Sprint(v.audit[i+1])
	}
	if err != nil {
		e.Problem = v.sentence(err)
	}
	v.Audit.Record(e)
}

// auditPage is a part of the audit log.
type auditPage struct {
	Who     string
	Entries []audit.Entry
	Next    string
	First   bool
}

func (v *visit) auditLog() error {
	if err := v.may("cloudtrail:LookupEvents", "*"); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.query("token"), 10, 64) // what is no number is the first page
	page := auditPage{Who: v.query("who"), First: before == 0}
	entries, next, err := v.Audit.Recent(v.r.Context(), audit.Query{Who: page.Who, Before: before})
	if err != nil {
		return err
	}
	if page.Entries = entries; next != 0 {
		page.Next = strconv.FormatInt(next, 10)
	}
	return v.render("audit", page)
}

var auditRoutes = []route{{"GET /console/audit", (*visit).auditLog}}
