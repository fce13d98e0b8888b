package mqtt

import (
	"bytes"
	"testing"
	"time"
)

// hotPackets are what a busy broker reads and writes, by version.
func hotPackets() map[string]struct {
	version Version
	packet  *Publish
} {
	plain := &Publish{QoS: QoS1, PacketID: 7, Topic: []byte("fleet/car-7/telemetry"), Payload: bytes.Repeat([]byte("x"), 128)}
	rich := plain.Clone()
	rich.TopicAlias = 3
	rich.SubscriptionIDs = []uint32{5}
	rich.Properties = MessageProperties{
		MessageExpiry: Some(time.Minute), ContentType: []byte("application/json"),
		UserProperties: []UserPropertyBytes{{[]byte("site"), []byte("north")}, {[]byte("rev"), []byte("3")}},
	}
	return map[string]struct {
		version Version
		packet  *Publish
	}{"3.1.1": {V4, plain}, "5.0": {V5, plain}, "5.0 with properties": {V5, rich}}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for name, hot := range hotPackets() {
		frame, fanout := hot.packet.Append(nil, hot.version), hot.packet.Fanout(hot.version)
		ack := (&Puback{PacketID: 7}).Append(nil, hot.version)
		sessions := map[string]int{"fleet/car-7/telemetry": 1}
		var p Publish
		var a Puback
		n := testing.AllocsPerRun(100, func() {
			total, _, _ := Frame(frame, 1<<20)
			if err := p.Decode(hot.version, frame[:total]); err != nil || sessions[string(p.Topic)] != 1 {
				t.Fatal(err, p.Topic)
			}
			if err := a.Decode(hot.version, ack); err != nil {
				t.Fatal(err)
			}
			dst = p.Append(dst[:0], hot.version)
			dst = fanout.Append(dst, 9, false, true)
			dst = (&Puback{PacketID: p.PacketID}).Append(dst, hot.version)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecodePublish(b *testing.B) {
	for name, hot := range hotPackets() {
		b.Run(name, func(b *testing.B) {
			frame := hot.packet.Append(nil, hot.version)
			var p Publish
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				total, _, err := Frame(frame, 1<<20)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Decode(hot.version, frame[:total]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendPublish(b *testing.B) {
	for name, hot := range hotPackets() {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			b.SetBytes(int64(hot.packet.Size(hot.version)))
			for b.Loop() {
				dst = hot.packet.Append(dst[:0], hot.version)
			}
		})
	}
}

func BenchmarkFanoutAppend(b *testing.B) {
	for name, hot := range hotPackets() {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 4096)
			fanout := hot.packet.Fanout(hot.version)
			b.ReportAllocs()
			b.SetBytes(int64(fanout.Size()))
			for b.Loop() {
				dst = fanout.Append(dst[:0], 7, false, false)
			}
		})
	}
}

func BenchmarkDecodePuback(b *testing.B) {
	frame := (&Puback{PacketID: 7}).Append(nil, V4)
	var p Puback
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Decode(V4, frame); err != nil {
			b.Fatal(err)
		}
	}
}
