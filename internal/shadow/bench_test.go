package shadow_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"thingd/internal/message"
	"thingd/internal/shadow"
	"thingd/internal/store"
)

// BenchmarkUpdate sends durable updates of 100 things, one connection each with
// eight requests under way, as devices do that do not wait for each answer.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []struct {
		name  string
		extra int // attributes beside the three that change
	}{{"small", 0}, {"40 attributes", 40}} {
		b.Run(size.name, func(b *testing.B) { benchmarkUpdate(b, size.extra) })
	}
}

func benchmarkUpdate(b *testing.B, extra int) {
	const things, underWay = 100, 8
	db := openDatabase(b, filepath.Join(b.TempDir(), "thingd.db"))
	service := shadow.New(shadow.Config{Store: db.Shadows("111122223333"), Publisher: &discard{}, Log: quiet()})
	for thing := range things {
		id := shadow.ID{Thing: fmt.Sprint("pump", thing)}
		if _, err := service.Update(context.Background(), id, attributes(extra)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var senders sync.WaitGroup
	for thing := range things {
		senders.Go(func() { flood(b, service, thing, underWay, &left) })
	}
	senders.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	b.StopTimer()
	if err := service.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// flood is one device.
func flood(b *testing.B, service *shadow.Service, thing, underWay int, left *atomic.Int64) {
	topic := fmt.Sprintf("$aws/things/pump%d/shadow/update", thing)
	origin := message.Origin{Kind: message.FromDevice, ClientID: fmt.Sprint("pump", thing)}
	room := make(chan struct{}, underWay)
	for n := left.Add(-1); n >= 0; n = left.Add(-1) {
		room <- struct{}{}
		payload := fmt.Appendf(nil, `{"state":{"reported":{"speed":%d,"pressure":1.25,"fw":"1.2"}},"clientToken":"t-%d"}`, n, n)
		service.Handler()(message.Message{Topic: topic, Payload: payload, QoS: message.QoS1, Origin: origin}, func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-room
		})
	}
	for range underWay {
		room <- struct{}{}
	}
}

// attributes is an update with n attributes on either side, all different.
func attributes(n int) []byte {
	out := []byte(`{"state":{"desired":{"speed":40`)
	for i := range n {
		out = fmt.Appendf(out, `,"attribute-%d":{"value":%d,"unit":"kPa"}`, i, i)
	}
	out = append(out, `},"reported":{"speed":35`...)
	for i := range n {
		out = fmt.Appendf(out, `,"attribute-%d":{"value":%d,"unit":"kPa"}`, i, i)
	}
	return append(out, `}}}`...)
}

// discard is a message.Publisher without subscribers.
type discard struct{}

func (discard) Publish(_ message.Message, done message.Done) { done(nil) }

// BenchmarkAtRest tells what a shadow of a few attributes takes on disk, each
// written several times.
func BenchmarkAtRest(b *testing.B) {
	path := filepath.Join(b.TempDir(), "thingd.db")
	const shadows = 10000
	for b.Loop() {
		fill(b, path, shadows)
	}
	info, err := os.Stat(path) // the database is closed: all of it is in this file
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/shadows, "bytes/shadow")
}

func fill(b *testing.B, path string, shadows int) {
	db, err := store.Open(context.Background(), path, quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	service := shadow.New(shadow.Config{Store: db.Shadows("111122223333"), Publisher: &discard{}, Log: quiet()})
	payload := []byte(`{"state":{"desired":{"wait_time":10,"mode":"auto"},"reported":{"wait_time":5,"mode":"auto","fw":"1.2.0"}}}`)
	const senders = 100
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for i := sender; i < shadows; i += senders {
				id := shadow.ID{Thing: fmt.Sprintf("pump-%05d", i)}
				if _, err := service.Update(context.Background(), id, payload); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}
