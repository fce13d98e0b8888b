package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/rules"
)

func putRules(t *testing.T, s *Rules, all ...rules.Rule) {
	t.Helper()
	err := s.Update(context.Background(), func(tx rules.Tx) error {
		for _, r := range all {
			if err := tx.PutRule(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRulesAreKept(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	hot := rules.Rule{
		Name: "hot", SQL: "SELECT * FROM 'a/+'", Description: "hot rooms", Version: "2016-03-23", Topic: "a/+", Created: at,
		Actions:     []iot.Action{{S3: &iot.S3Action{BucketName: "b", Key: "k", RoleArn: "r"}}},
		ErrorAction: &iot.Action{Republish: &iot.RepublishAction{Topic: "t", RoleArn: "r", Qos: new(1)}},
	}
	off := rules.Rule{Name: "off", SQL: "SELECT 1 FROM 'b'", Version: "2015-10-08", Topic: "b", Disabled: true, Created: at, Actions: []iot.Action{}}
	other := rules.Rule{Name: "z", SQL: "SELECT 2 FROM 'b'", Version: "2015-10-08", Topic: "b", Created: at, Actions: []iot.Action{}}
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Rules("111122223333")
		putRules(t, s, hot, off, other)
		putRules(t, db.Rules("444455556666"), rules.Rule{Name: "foreign", Topic: "b"})
		for _, test := range []struct {
			name   string
			filter rules.RuleFilter
			want   []rules.Rule
		}{
			{"all", rules.RuleFilter{Limit: 10}, []rules.Rule{hot, off, other}},
			{"a page", rules.RuleFilter{Limit: 1}, []rules.Rule{hot}},
			{"the next page", rules.RuleFilter{After: "hot", Limit: 10}, []rules.Rule{off, other}},
			{"by topic", rules.RuleFilter{Topic: "b", Limit: 10}, []rules.Rule{off, other}},
			{"by state", rules.RuleFilter{Disabled: new(true), Limit: 10}, []rules.Rule{off}},
			{"by both", rules.RuleFilter{Topic: "b", Disabled: new(false), Limit: 10}, []rules.Rule{other}},
			{"none", rules.RuleFilter{Topic: "c", Limit: 10}, []rules.Rule{}},
		} {
			t.Run(test.name, func(t *testing.T) {
				var got []rules.Rule
				err := s.View(context.Background(), func(tx rules.Tx) (err error) {
					got, err = tx.Rules(test.filter)
					return err
				})
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Error(err, diff)
				}
			})
		}
		t.Run("gone", func(t *testing.T) {
			n, found := 0, true
			err := s.Update(context.Background(), func(tx rules.Tx) (err error) {
				if err = tx.DeleteRule("hot"); err != nil {
					return err
				}
				if _, found, err = tx.Rule("hot"); err != nil {
					return err
				}
				n, err = tx.CountRules()
				return err
			})
			if err != nil || found || n != 2 {
				t.Error(err, found, n)
			}
		})
	})
}

func TestRuleDestinationsAreKept(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	hook := rules.Destination{
		ID: "http/1", Status: rules.InProgress, Reason: "Awaiting", URL: "https://a.example/x", TokenHash: "ab",
		TokenEnds: at.Add(time.Hour), Created: at, Updated: at,
	}
	network := rules.Destination{ID: "vpc/2", Status: rules.Enabled, Created: at, Updated: at,
		VPC: &rules.VPC{ID: "vpc-1", SubnetIDs: []string{"s"}, RoleARN: "r"}}
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Rules("111122223333")
		ctx := context.Background()
		var all []rules.Destination
		var byURL, byToken, byNothing rules.Destination
		var nothing bool
		err := s.Update(ctx, func(tx rules.Tx) error {
			if err := tx.PutDestination(hook); err != nil {
				return err
			}
			return tx.PutDestination(network)
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.View(ctx, func(tx rules.Tx) (err error) {
			if all, err = tx.Destinations("", 10); err != nil {
				return err
			}
			if byURL, _, err = tx.DestinationOfURL("https://a.example/x"); err != nil {
				return err
			}
			if byToken, _, err = tx.DestinationOfToken("ab"); err != nil {
				return err
			}
			byNothing, nothing, err = tx.DestinationOfToken("")
			return err
		})
		if err != nil || nothing {
			t.Fatal(err, byNothing)
		}
		if diff := cmp.Diff([]rules.Destination{hook, network}, all); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]rules.Destination{hook, hook}, []rules.Destination{byURL, byToken}); diff != "" {
			t.Error(diff)
		}
		err = s.Update(ctx, func(tx rules.Tx) (err error) {
			if err = tx.DeleteDestination("http/1"); err != nil {
				return err
			}
			all, err = tx.Destinations("", 10)
			return err
		})
		if diff := cmp.Diff([]rules.Destination{network}, all); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}
