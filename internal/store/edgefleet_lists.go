package store

import (
	"strconv"
	"strings"
	"time"

	"thingd/internal/edgefleet"
)

// edgeList is how one kind of row is listed: sorted by a column and, where that
// is the same, by id.
type edgeList[T any] struct {
	table   string
	columns string
	sorts   map[edgefleet.Sort]string // to the column
	scan    func(scanner) (T, error)
}

var edgeTimes = map[string]bool{"created": true, "modified": true}

var fleetList = edgeList[edgefleet.Fleet]{"edge_fleets", fleetColumns, map[edgefleet.Sort]string{
	edgefleet.ByName: "id", edgefleet.ByCreation: "created", edgefleet.ByChange: "modified",
}, scanFleet}

var edgeJobList = edgeList[edgefleet.Job]{"edge_packaging_jobs", edgeJobColumns, map[edgefleet.Sort]string{
	edgefleet.ByName: "id", edgefleet.ByCreation: "created", edgefleet.ByChange: "modified",
	edgefleet.ByModel: "model_id", edgefleet.ByStatus: "status",
}, scanEdgeJob}

var planList = edgeList[edgefleet.Plan]{"edge_plans", planColumns, map[edgefleet.Sort]string{
	edgefleet.ByName: "id", edgefleet.ByCreation: "created", edgefleet.ByChange: "modified", edgefleet.ByFleet: "fleet",
}, scanPlan}

func (e edgeTx) Fleets(q edgefleet.Query) ([]edgefleet.Fleet, error) { return fleetList.read(e, q) }
func (e edgeTx) Jobs(q edgefleet.Query) ([]edgefleet.Job, error)     { return edgeJobList.read(e, q) }
func (e edgeTx) Plans(q edgefleet.Query) ([]edgefleet.Plan, error)   { return planList.read(e, q) }

func (l edgeList[T]) read(e edgeTx, q edgefleet.Query) ([]T, error) {
	query, args := l.query(q)
	return list(e.tx, query, append([]any{e.account}, args...), l.scan)
}

// query gives the text for a query and its arguments after the account. Only
// columns and operators vary, so there are few texts.
func (l edgeList[T]) query(q edgefleet.Query) (string, []any) {
	column, ok := l.sorts[q.Sort]
	if !ok {
		column = "created"
	}
	var b strings.Builder
	b.WriteString("SELECT " + l.columns + " FROM " + l.table + " WHERE account = ?")
	var args []any
	and := func(condition string, values ...any) {
		b.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	edgeFilters(q, and)
	beyond, direction := ">", ""
	if q.Descending {
		beyond, direction = "<", " DESC"
	}
	order := column + direction + ", id" + direction
	switch {
	case column == "id" && q.After != nil:
		and("id "+beyond+" ?", q.After.Key)
	case q.After != nil:
		and("("+column+", id) "+beyond+" (?, ?)", edgeValue(column, q.After.Value), q.After.Key)
	}
	if column == "id" {
		order = "id" + direction
	}
	b.WriteString(" ORDER BY " + order + " LIMIT ?")
	return b.String(), append(args, q.Limit)
}

// edgeValue is the value of a column as a place in a list has it.
func edgeValue(column, text string) any {
	if !edgeTimes[column] {
		return text
	}
	ms, _ := strconv.ParseInt(text, 10, 64) // whoever made the place vouches for it
	return ms
}

// edgeFilters adds the conditions of a query, always in the same order: the text
// is the key of a prepared statement.
func edgeFilters(q edgefleet.Query, and func(condition string, values ...any)) {
	for _, part := range []struct{ column, text string }{{"id", q.Contains}, {"fleet", q.FleetContains}, {"model_id", q.ModelContains}} {
		if part.text != "" {
			and(part.column+" LIKE ? ESCAPE '!'", containing(edgefleet.Key(part.text)))
		}
	}
	if q.Status != "" {
		and("status = ?", string(q.Status))
	}
	for _, bound := range []struct {
		condition string
		time      time.Time
	}{
		{"created > ?", q.CreatedAfter}, {"created < ?", q.CreatedBefore}, {"modified > ?", q.ModifiedAfter}, {"modified < ?", q.ModifiedBefore},
	} {
		if !bound.time.IsZero() {
			and(bound.condition, toMillis(bound.time))
		}
	}
}
