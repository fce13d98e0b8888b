package gateway

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// stream is packets of the given remaining lengths, one after another.
func stream(sizes []int) (all []byte, each [][]byte) {
	for i, size := range sizes {
		one := []byte{0x30}
		for rest := size; ; rest >>= 7 {
			if rest < 0x80 {
				one = append(one, byte(rest))
				break
			}
			one = append(one, byte(rest)|0x80)
		}
		one = append(one, bytes.Repeat([]byte{byte(i)}, size)...)
		all, each = append(all, one...), append(each, one)
	}
	return all, each
}

func TestEachPacketGetsAFrameOfItsOwn(t *testing.T) {
	all, each := stream([]int{0, 2, 127, 128, 20000, 0})
	f, conn := serverFrames(nil)
	if n, err := f.Write(all); n != len(all) || err != nil {
		t.Fatalf("Write gave %d, %v", n, err)
	}
	if diff := cmp.Diff(each, payloads(t, conn)); diff != "" {
		t.Errorf("payloads of the frames (-want +got):\n%s", diff)
	}
}

// payloads takes apart what was written to a connection.
func payloads(t *testing.T, conn *script) (all [][]byte) {
	t.Helper()
	for conn.out.Len() > 0 {
		head, err := ws.ReadHeader(&conn.out)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(conn.out.Next(int(head.Length))))
	}
	return all
}

// TestPacketsEndWhereTheyEndHoweverTheyCome cuts a stream at random: no piece
// ever reaches over the end of a packet, and all bytes are there.
func TestPacketsEndWhereTheyEndHoweverTheyCome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, each := stream(rapid.SliceOfN(rapid.IntRange(0, 300), 1, 8).Draw(t, "sizes"))
		ends := map[int]bool{}
		for at, i := 0, 0; i < len(each); i++ {
			at += len(each[i])
			ends[at] = true
		}
		var k packets
		for at := 0; at < len(all); {
			cut := rapid.IntRange(1, len(all)-at).Draw(t, "written")
			for end := at + cut; at < end; {
				n := k.next(all[at:end])
				if n < 1 || (!ends[at+n] && at+n != end) {
					t.Fatalf("a piece of %d bytes at %d ends at no end", n, at)
				}
				for inside := at + 1; inside < at+n; inside++ {
					if ends[inside] {
						t.Fatalf("a piece of %d bytes at %d reaches over the end at %d", n, at, inside)
					}
				}
				at += n
			}
		}
	})
}
