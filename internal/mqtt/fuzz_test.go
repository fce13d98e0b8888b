package mqtt

import "testing"

// FuzzFrame: however the bytes come, the answer fits them and stays the same
// when more come.
func FuzzFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, buf []byte, limit int) {
		total, ok, err := Frame(buf, limit)
		if ok && (err != nil || total < 2 || total > MaxFrame || limit > 0 && total > limit) {
			t.Fatalf("%d, %t, %v", total, ok, err)
		}
		for n := range min(len(buf), 6) {
			early, sure, failed := Frame(buf[:n], limit)
			if sure && (early != total || !ok) || failed != nil && err == nil {
				t.Fatalf("after %d bytes %d, %t, %v; in the end %d, %t, %v", n, early, sure, failed, total, ok, err)
			}
		}
	})
}

// FuzzDecode: no packet panics, and one that is accepted says the same after it
// is written and read again.
func FuzzDecode(f *testing.F) {
	for _, tt := range packetTests {
		f.Add(byte(tt.version), wire(f, tt.wire))
	}
	f.Fuzz(func(t *testing.T, version byte, frame []byte) {
		v := Version(version)
		packet, err := Decode(v, frame)
		if err != nil {
			return
		}
		if total, ok, err := Frame(frame, 0); total != len(frame) || !ok || err != nil {
			t.Fatalf("Decode took what Frame does not: %d, %t, %v", total, ok, err)
		}
		if c, ok := packet.(*Connect); ok {
			v = c.Version
		}
		again, err := Decode(v, packet.Append(nil, v))
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(packet, again); d != "" {
			t.Fatal(d)
		}
	})
}
