package shadow_test

import (
	"context"
	"fmt"
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
	h.clock.pass(time.Second)
	ctx := wire.WithCaller(context.Background(), wire.Caller{ARN: "arn:aws:iam::1:user/ann"})
	if _, err := h.Get(ctx, pump7); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Delete(ctx, pump7); err != nil {
		t.Fatal(err)
	}
	want := []shadow.Change{
		{Version: 2, At: at.Add(time.Second), Deleted: true, Principal: "arn:aws:iam::1:user/ann"},
		{Version: 1, At: at, ClientToken: "t1", ClientID: "pump7", Principal: "abcd", Request: []byte(update)},
	}
	got := h.History(pump7)
	if len(got) == 2 && !strings.Contains(string(got[1].Documents), `"current":{"state":{"reported":{"speed":40}}`) {
		t.Errorf("the documents are %s", got[1].Documents)
	}
	for i := range got {
		got[i].Documents = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
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
	got := h.History(pump7)
	if len(got) != 50 || got[0].Version != 60 || got[49].Version != 11 {
		t.Errorf("%d changes", len(got))
	}
}
