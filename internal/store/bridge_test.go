package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/bridge"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

func TestIntegrationsAreKept(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	full := bridge.Record{
		Integration: bridge.Integration{
			ID: "a", Name: "sakura 統合", Host: "mqtt.example.com", Port: 8883, Prefix: "sakura/hoge", SubscribeTopic: "sakura/down",
			TLS: true, RootCA: "root", Certificate: "cert", Username: "u", Version: mqtt.V5, QoS: mqtt.QoS1, ClientID: "c",
			KeepAlive: time.Minute, LocalFilter: "modules/+/up", LocalTopic: "modules/{module}/down", QueueMessages: 7, QueueBytes: 8,
			Created: at, Updated: at.Add(time.Second),
		},
		Secrets: []byte("\x00sealed"), Sealed: true,
	}
	plain := bridge.Record{Integration: bridge.Integration{ID: "b", Name: "b", Created: at, Updated: at}, Secrets: []byte("{}")}
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Bridge("111122223333"), context.Background()
		put := func(account string, all ...bridge.Record) {
			t.Helper()
			for _, r := range all {
				if err := db.Bridge(account).Update(ctx, func(tx bridge.Tx) error { return tx.PutIntegration(r) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		put("111122223333", full, plain)
		put("444455556666", bridge.Record{Integration: bridge.Integration{ID: "foreign", Created: at, Updated: at}})
		full.Name = "renamed"
		put("111122223333", full)
		for _, test := range []struct {
			name, after string
			limit       int
			want        []bridge.Record
		}{
			{"all", "", 10, []bridge.Record{full, plain}},
			{"a page", "", 1, []bridge.Record{full}},
			{"the next page", "a", 10, []bridge.Record{plain}},
		} {
			var got []bridge.Record
			var n int
			err := s.View(ctx, func(tx bridge.Tx) (err error) {
				if n, err = tx.CountIntegrations(); err != nil {
					return err
				}
				got, err = tx.Integrations(test.after, test.limit)
				return err
			})
			if err != nil || n != 2 {
				t.Fatalf("%d integrations, %v", n, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
	})
}

func TestUplinksWait(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Bridge("111122223333"), context.Background()
		update := func(fn func(tx bridge.Tx) error) {
			t.Helper()
			if err := s.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		m := &message.Message{
			Topic: "u1", Payload: []byte("\x00hi"), QoS: mqtt.QoS1, Expires: time.UnixMilli(1700000000000).UTC(),
			Properties: &message.Properties{ContentType: []byte("x")},
		}
		empty := &message.Message{Topic: "u2", QoS: mqtt.QoS1}
		update(func(tx bridge.Tx) error {
			for n, one := range map[int64]*message.Message{1: m, 2: empty, 5: empty} {
				if err := tx.Enqueue("a", bridge.Waiting{Number: n, Size: int(n) * 10}, one); err != nil {
					return err
				}
			}
			return tx.Enqueue("b", bridge.Waiting{Number: 1}, empty)
		})
		update(func(tx bridge.Tx) error { return tx.Dequeue("a", 2) })
		check := func(id string, waiting []bridge.Waiting, messages []bridge.Stored) {
			t.Helper()
			err := s.View(ctx, func(tx bridge.Tx) error {
				w, err := tx.Queue(id, 0, 10)
				if err != nil {
					return err
				}
				got, err := tx.Messages(id, 0, 10)
				if diff := cmp.Diff(waiting, w) + cmp.Diff(messages, got); diff != "" {
					t.Errorf("the queue of %s (-want +got):\n%s", id, diff)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		check("a", []bridge.Waiting{{Number: 1, Size: 10}, {Number: 5, Size: 50}}, []bridge.Stored{{Number: 1, Message: m}, {Number: 5, Message: empty}})
		update(func(tx bridge.Tx) error { return tx.DeleteIntegration("a") })
		check("a", []bridge.Waiting{}, []bridge.Stored{})
		check("b", []bridge.Waiting{{Number: 1}}, []bridge.Stored{{Number: 1, Message: empty}})
	})
}
