package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/audit"
)

func TestAuditKeepsTheNewest(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Audit(testAccount)
		var all []audit.Entry
		for n := range int64(5) {
			all = append(all, audit.Entry{
				Number: n + 1, At: time.UnixMilli(1_700_000_000_000 + n).UTC(), Who: []string{"a", "b"}[n%2], Key: "k", Source: "::1", Door: audit.Console,
				Deed: "POST /console/things", Problem: "no", About: map[string]string{"thing": []string{"Pump_1", "pumpA1", "50%"}[n%3], "requestId": "r1"},
			})
		}
		if err := s.Append(t.Context(), all, 4); err != nil {
			t.Fatal(err)
		}
		if err := db.Audit("999999999999").Append(t.Context(), all[:1], 4); err != nil {
			t.Fatal(err)
		}
		tests := map[string]struct {
			q    audit.Query
			want []audit.Entry
		}{
			"the newest first": {audit.Query{Limit: 9}, []audit.Entry{all[4], all[3], all[2], all[1]}},
			"of one":           {audit.Query{Who: "b", Limit: 9}, []audit.Entry{all[3], all[1]}},
			"about":            {audit.Query{About: "pump_", Limit: 9}, []audit.Entry{all[3]}},
			"about and of one": {audit.Query{Who: "a", About: "PUMP", Limit: 9}, []audit.Entry{all[4]}},
			"no wildcard":      {audit.Query{About: "%", Limit: 9}, []audit.Entry{all[2]}},
			"no member's name": {audit.Query{About: "requestid", Limit: 9}, []audit.Entry{}},
			"a page":           {audit.Query{Before: 5, Limit: 2}, []audit.Entry{all[3], all[2]}},
		}
		for name, tt := range tests {
			got, err := s.Recent(t.Context(), tt.q)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
	})
}
