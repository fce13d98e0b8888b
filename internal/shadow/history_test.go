package shadow_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/wire"
	"thingd/internal/message"
	"thingd/internal/shadow"
)

func TestTheHistoryHasWhoChangedWhat(t *testing.T) {
	h := open(t, nil)
	at := h.clock.read()
	device := message.Origin{Kind: message.FromDevice, ClientID: "pump7", Principal: "abcd"}
	update := `{"state":{"reported":{"speed":40}},"clientToken":"t1"}`
	if err := h.deliver(message.Message{Topic: "$aws/things/pump7/shadow/update", Payload: []byte(update), Origin: device}); err != nil {
		t.Fatal(err)
	}
	if err := h.deliver(message.Message{Topic: "$aws/things/pump7/shadow/update", Payload: []byte(`{}`), Origin: device}); err != nil {
		t.Fatal(err)
	}
	want := []shadow.Change{{Version: 1, At: at, ClientToken: "t1", ClientID: "pump7", Principal: "abcd", Request: []byte(update)}}
	if diff := cmp.Diff(want, h.changes(t, pump7)); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	h.clock.pass(time.Second)
	ctx := wire.WithCaller(context.Background(), wire.Caller{ARN: "arn:aws:iam::1:user/ann"})
	if _, err := h.Get(ctx, pump7); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Delete(ctx, pump7); err != nil {
		t.Fatal(err)
	}
	want = []shadow.Change{
		{Version: 2, At: at.Add(time.Second), Deleted: true, Principal: "arn:aws:iam::1:user/ann"},
	}
	if diff := cmp.Diff(want, h.changes(t, pump7)); diff != "" {
		t.Errorf("the history after the deletion (-want +got):\n%s", diff)
	}
}

// changes is the history, by what it says of documents no more than the current
// version.
func (h *house) changes(t *testing.T, id shadow.ID) []shadow.Change {
	t.Helper()
	got, err := h.History(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if want := fmt.Sprintf(`"version":%d`, got[i].Version); !got[i].Deleted && !strings.Contains(string(got[i].Documents), want) {
			t.Errorf("the documents of version %d are %s", got[i].Version, got[i].Documents)
		}
		got[i].Documents = nil
	}
	return got
}

// What is acknowledged is in the history after a restart.
func TestTheHistoryOutlivesTheServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thingd.db")
	db := openDatabase(t, path)
	change := func(c *shadow.Config) { c.Store = db.Shadows("111122223333") }
	h := open(t, change)
	for range 3 {
		if _, err := h.Update(context.Background(), pump7, []byte(`{"state":{"reported":{"n":1}}}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	again := open(t, change)
	if got := again.changes(t, pump7); len(got) != 3 || got[0].Version != 3 {
		t.Errorf("the history is %+v", got)
	}
	if got := again.changes(t, shadow.ID{Thing: "pump7", Name: "other"}); len(got) != 0 {
		t.Errorf("another shadow's history is %+v", got)
	}
}

// Changes are on disk a moment after their acknowledgement, without anybody asking.
func TestTheHistoryIsWrittenBehind(t *testing.T) {
	store := database(t).Shadows("111122223333")
	h := open(t, func(c *shadow.Config) { c.Store = store })
	if _, err := h.Update(context.Background(), pump7, []byte(`{"state":{"reported":{"n":1}}}`)); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		got, err := store.Changes(context.Background(), pump7)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 1 {
			return
		}
		if time.Since(start) > time.Minute {
			t.Fatal("nothing is written")
		}
	}
}

func TestTheHistoryIsBounded(t *testing.T) {
	h := open(t, nil)
	ctx := context.Background()
	write := func(id shadow.ID, n int) {
		t.Helper()
		for i := range n {
			if _, err := h.Update(ctx, id, fmt.Appendf(nil, `{"state":{"reported":{"n":%d}}}`, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(pump7, 60)
	got := h.changes(t, pump7)
	if len(got) != 50 || got[0].Version != 60 || got[49].Version != 11 {
		t.Errorf("%d changes", len(got))
	}
}
