package store

import (
	"context"
	"strings"
	"testing"

	"thingd/internal/settings"
)

func TestSettingsKeepWhatIsPut(t *testing.T) {
	level := func(kind settings.TargetType, name string, l settings.Level) settings.TargetLevel {
		return settings.TargetLevel{Target: settings.Target{Type: kind, Name: name}, Level: l}
	}
	a, b, c := level("CLIENT_ID", "a", "INFO"), level("CLIENT_ID", "b", "WARN"), level("SOURCE_IP", "192.0.2.1", "ERROR")
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Settings(testAccount).Update(context.Background(), func(tx settings.Tx) error {
			for _, err := range []error{
				tx.PutDocument("x", map[string]int{"n": 1}), tx.PutDocument("x", map[string]int{"n": 2}),
				tx.PutTargetLevel(level("CLIENT_ID", "a", "DEBUG")), tx.PutTargetLevel(a), tx.PutTargetLevel(c), tx.PutTargetLevel(b),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Settings(testAccount).Update(context.Background(), func(tx settings.Tx) error {
			var doc map[string]int
			found, err := tx.Document("x", &doc)
			same(t, map[string]int{"n": 2})(doc, found, err)
			same(t, a)(tx.TargetLevel(a.Target))
			all, err := tx.TargetLevels("", settings.Target{}, 10)
			same(t, []settings.TargetLevel{a, b, c})(all, true, err)
			rest, err := tx.TargetLevels("", a.Target, 1)
			same(t, []settings.TargetLevel{b})(rest, true, err)
			kind, err := tx.TargetLevels("CLIENT_ID", a.Target, 10)
			same(t, []settings.TargetLevel{b})(kind, true, err)
			n, err := tx.CountTargetLevels()
			same(t, 3)(n, true, err)
			return tx.DeleteTargetLevel(a.Target)
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Settings("another").View(context.Background(), func(tx settings.Tx) error {
			if found, err := tx.Document("x", new(any)); found || err != nil {
				t.Errorf("another account: found %v, %v", found, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestLogLevelListingsAreIndexed(t *testing.T) {
	db := openTest(t, t.TempDir()+"/thingd.db")
	for _, query := range []string{logLevelsOfAll, logLevelsOfType} {
		if plan := queryPlan(t, db, query); strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes %s", query, plan)
		}
	}
}
