package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/audit"
)

// places are the rooms of the console by the kind of resource that has its page
// there: /console/PLACE/NAME.
var places = map[string]string{
	"thing": "things", "thingtype": "thingtypes", "thinggroup": "thinggroups", "billinggroup": "billinggroups",
	"certificate": "certificates", "ca": "cas", "policy": "policies", "rule": "rules", "rolealias": "rolealiases",
	"role": "roles", "user": "users", "fleet": "fleets", "bucket": "buckets", "integration": "integrations",
	"import": "imports", "task": "tasks",
}

// kindsOfARNs are the kinds whose ARNs say something else.
var kindsOfARNs = map[string]string{"cert": "certificate", "cacert": "ca"}

// resourcePath is the page of a resource that the audit log names, by its kind
// and name or by its ARN; "" where it has none.
func (c *Console) resourcePath(kind, name string) string {
	if named, err := arn.Parse(name); err == nil {
		if named.Account != c.Scope.Account || named.Service != "iot" && named.Service != "iam" {
			return ""
		}
		kind, name = named.Kind()
		kind = cmp.Or(kindsOfARNs[kind], kind)
		if named.Service == "iam" {
			name = name[strings.LastIndexByte(name, '/')+1:] // after the path of a user or a role
		}
	}
	switch {
	case name == "":
		return ""
	case kind == "client":
		return Root + "client?" + url.Values{"id": {name}}.Encode()
	case kind == "destination":
		return Root + "destinations"
	case places[kind] == "":
		return ""
	}
	return Root + places[kind] + "/" + url.PathEscape(name)
}

// aboutPath names the resources in the address of a deed: POST
// /console/rules/{name}/delete is about a rule.
func (v *visit) aboutPath() map[string]string {
	about := map[string]string{}
	_, pattern, _ := strings.Cut(v.r.Pattern, Root)
	segments := strings.Split(pattern, "/")
	if len(segments) < 2 {
		return about
	}
	label, isLabel := strings.CutPrefix(segments[1], "{")
	if value := v.r.PathValue(strings.TrimSuffix(label, "}")); isLabel && value != "" {
		about[kindAt(segments[0])] = value
	}
	return about
}

// kindAt is the kind of what has its page in a place.
func kindAt(place string) string {
	for kind, at := range places {
		if at == place {
			return kind
		}
	}
	return place
}

// auditChange keeps what somebody changed, or was refused. Trials change nothing.
func (v *visit) auditChange(err error) {
	if v.trial {
		return
	}
	e := audit.Entry{Who: v.actor.ARN, Key: v.actor.AccessKeyID, Door: audit.Console, Deed: v.r.Pattern, About: v.aboutPath()}
	e.Source, _ = remoteAddr(v.r)
	for i := 0; i+1 < len(v.audit); i += 2 {
		e.About[fmt.Sprint(v.audit[i])] = fmt.Sprint(v.audit[i+1])
	}
	if err = cmp.Or(err, v.refused); err != nil {
		e.Problem = serviceSays(err)
	}
	v.Audit.Record(e)
}

// auditPage is a part of the audit log.
type auditPage struct {
	Who, About string // what is searched for
	Entries    []auditRow
	Next       string
	First      bool
}

// auditRow is an entry with what it is about, in the order of the kinds.
type auditRow struct {
	audit.Entry
	Resources []aboutRow
	Request   string // ID of the call; "" where there was none
}

// Author is the end of an ARN, which says who it is: root, user/ann.
func (r auditRow) Author() string { return r.Who[strings.LastIndexByte(r.Who, ':')+1:] }

// aboutRow is one thing that an entry is about. Path is its page's; "" without one.
type aboutRow struct{ Kind, Name, Path string }

// Here is the page with other conditions.
func (p auditPage) Here(who, about string) string {
	query := url.Values{}
	for name, value := range map[string]string{"who": who, "about": about} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return Root + "audit?" + query.Encode()
}

func (v *visit) auditLog() error {
	if err := v.may("cloudtrail:LookupEvents", "*"); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.query("token"), 10, 64) // what is no number is the first page
	page := auditPage{Who: v.query("who"), About: v.query("about"), First: before == 0}
	entries, next, err := v.Audit.Recent(v.r.Context(), audit.Query{Who: page.Who, About: page.About, Before: before})
	if err != nil {
		return err
	}
	for _, e := range entries {
		page.Entries = append(page.Entries, v.auditRow(e))
	}
	if next != 0 {
		page.Next = strconv.FormatInt(next, 10)
	}
	return v.render("audit", page)
}

func (v *visit) auditRow(e audit.Entry) auditRow {
	row := auditRow{Entry: e, Request: e.About["requestId"]}
	for _, kind := range slices.Sorted(maps.Keys(e.About)) {
		name := e.About[kind]
		if kind == "requestId" {
			continue
		}
		row.Resources = append(row.Resources, aboutRow{kind, name, v.resourcePath(kind, name)})
	}
	return row
}

var auditRoutes = []route{{"GET /console/audit", (*visit).auditLog}}
