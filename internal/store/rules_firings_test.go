package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/message"
	"thingd/internal/rules"
)

func inRules(t *testing.T, s *Rules, fn func(tx rules.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// firingsOf reads the firings of a rule.
func firingsOf(t *testing.T, s *Rules, rule string, after int64, limit int) (found []rules.StoredFiring) {
	t.Helper()
	err := s.View(context.Background(), func(tx rules.Tx) (err error) {
		found, err = tx.Firings(rule, after, limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFiringsAreKept(t *testing.T) {
	arrived := time.UnixMilli(1_700_000_000_123).UTC()
	alone := rules.StoredFiring{FiringKey: rules.FiringKey{Rule: "a", Number: 1}, Arrived: arrived, Bytes: 9, Message: fullMessage("t/1")}
	first := rules.StoredFiring{FiringKey: rules.FiringKey{Rule: "a", Number: 2, Shared: true}, Arrived: arrived, Bytes: 9, Message: fullMessage("t/2")}
	second, empty := first, rules.StoredFiring{FiringKey: rules.FiringKey{Rule: "b", Number: 7}, Arrived: arrived, Message: &message.Message{Topic: "t"}}
	second.Rule = "b"
	all := []rules.StoredFiring{alone, first, second, empty}
	eachEngine(t, func(t *testing.T, db *DB) {
		s, foreign := db.Rules(testAccount), db.Rules("444455556666")
		put := func(tx rules.Tx) error {
			for _, f := range all {
				if err := tx.PutFiring(f); err != nil {
					return err
				}
			}
			return nil
		}
		inRules(t, s, put)
		inRules(t, foreign, put)
		if n := rows(t, db, "rule_messages"); n != 2 {
			t.Error("messages stored on their own:", n)
		}
		for _, test := range []struct {
			name, rule string
			after      int64
			limit      int
			want       []rules.StoredFiring
		}{
			{"all of a rule", "a", 0, 10, []rules.StoredFiring{alone, first}},
			{"a page", "a", 0, 1, []rules.StoredFiring{alone}},
			{"the next page", "a", 1, 1, []rules.StoredFiring{first}},
			{"another rule", "b", 0, 10, []rules.StoredFiring{second, empty}},
			{"no rule", "c", 0, 10, []rules.StoredFiring{}},
		} {
			t.Run(test.name, func(t *testing.T) {
				if diff := cmp.Diff(test.want, firingsOf(t, s, test.rule, test.after, test.limit)); diff != "" {
					t.Error(diff)
				}
			})
		}
		t.Run("counted", func(t *testing.T) { expectCounts(t, s) })
		t.Run("deleted", func(t *testing.T) { deleteFirings(t, db, s, second) })
	})
}

func expectCounts(t *testing.T, s *Rules) {
	var counts []rules.FiringCount
	var oldest []rules.FiringKey
	inRules(t, s, func(tx rules.Tx) (err error) {
		if counts, err = tx.CountFirings(); err != nil {
			return err
		}
		oldest, err = tx.OldestFirings("b", 6, 10)
		return err
	})
	want := []rules.FiringCount{{Rule: "a", Firings: 2, Bytes: 18, Last: 2}, {Rule: "b", Firings: 2, Bytes: 9, Last: 7}}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]rules.FiringKey{{Rule: "b", Number: 2, Shared: true}}, oldest); diff != "" {
		t.Error(diff)
	}
}

// deleteFirings sees a shared message go with the last of its firings.
func deleteFirings(t *testing.T, db *DB, s *Rules, second rules.StoredFiring) {
	inRules(t, s, func(tx rules.Tx) error { return tx.DeleteFiring(rules.FiringKey{Rule: "a", Number: 2, Shared: true}) })
	if diff := cmp.Diff(second, firingsOf(t, s, "b", 0, 1)[0]); diff != "" {
		t.Error(diff)
	}
	inRules(t, s, func(tx rules.Tx) error {
		for _, key := range []rules.FiringKey{second.FiringKey, {Rule: "b", Number: 7}, {Rule: "b", Number: 8}, {Rule: "a", Number: 1}} {
			if err := tx.DeleteFiring(key); err != nil {
				return err
			}
		}
		return nil
	})
	if n, m := rows(t, db, "rule_firings"), rows(t, db, "rule_messages"); n != 4 || m != 1 { // the other account's
		t.Error("left", n, m)
	}
}

func TestADamagedFiringDoesNotHideTheOthers(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Rules(testAccount)
		inRules(t, s, func(tx rules.Tx) error {
			for n := range int64(2) {
				if err := tx.PutFiring(rules.StoredFiring{FiringKey: rules.FiringKey{Rule: "a", Number: n + 1}, Arrived: time.UnixMilli(1), Message: &message.Message{Topic: "t"}}); err != nil {
					return err
				}
			}
			return nil
		})
		err := db.Update(context.Background(), func(tx *Tx) error {
			_, err := tx.exec("UPDATE rule_firings SET head = ? WHERE number = 1", []byte{99})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		found := firingsOf(t, s, "a", 0, 10)
		if len(found) != 2 || found[0].Message != nil || found[1].Message == nil {
			t.Errorf("%+v", found)
		}
	})
}
