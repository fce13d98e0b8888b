package console

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tick moves the house's clock on by one interval and takes a sample.
func (h *house) tick(now *time.Time) {
	*now = now.Add(sampleEvery)
	h.sample()
}

func TestSamplesAreRatesOfTheLastHour(t *testing.T) {
	h := open(t)
	now := time.Unix(1_900_000_000, 0)
	h.Now = func() time.Time { return now }
	h.sample()
	stats := h.Broker.Stats()
	stats.PublishIn.Add(100)
	stats.PublishOut.Add(5)
	stats.PublishDenied.Add(1)
	stats.Connections.Add(3)
	h.tick(&now)
	h.tick(&now)
	got, number := h.samples.since(0)
	want := []sample{
		{At: 1_900_000_005, Connections: 3, In: 20, Out: 1, Refused: 0.2},
		{At: 1_900_000_010, Connections: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" || number != 2 {
		t.Errorf("sample %d, all (-want +got):\n%s", number, diff)
	}
	for range samplesKept {
		h.tick(&now)
	}
	if all, _ := h.samples.since(0); len(all) != samplesKept || all[len(all)-1].At != now.Unix() {
		t.Errorf("%d samples are kept", len(all))
	}
	if fresh, _ := h.samples.since(number + int64(samplesKept) - 1); len(fresh) != 1 {
		t.Errorf("%d samples are new", len(fresh))
	}
}

func TestTheOverviewStreamsSamples(t *testing.T) {
	h := open(t)
	h.sample()
	h.sample()
	b := h.root(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := b.Do(b.request(t, http.MethodGet, "/console/overview/stream", nil).WithContext(ctx))
	must(t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	seen := 0
	for seen < 2 && lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var list map[string][]any
			must(t, json.Unmarshal([]byte(data), &list))
			if seen += len(list["connections"]); seen == 1 {
				h.sample()
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d samples came", seen)
	}
}

var assetLink = regexp.MustCompile(`(?:src|href)="(/console/assets/[^"]+)"`)

// A first visit loads the page, what the page asks for, and the last hour.
func TestAFirstVisitLoadsLittle(t *testing.T) {
	const coldMax = 200 << 10 // bytes
	h := open(t)
	b := h.root(t)
	now := time.Unix(1_900_000_000, 0)
	h.Now = func() time.Time { return now }
	h.sample()
	for range samplesKept { // an hour with a lot to tell
		h.Broker.Stats().PublishIn.Add(123_456)
		h.Broker.Stats().PublishOut.Add(654_321)
		h.tick(&now)
	}
	page := b.get(t, "/console/", http.StatusOK)
	hour, _ := h.samples.since(0)
	text, err := json.Marshal(columns(hour))
	must(t, err)
	total := len(page) + len(text)
	for _, link := range assetLink.FindAllStringSubmatch(page, -1) {
		total += len(b.get(t, link[1], http.StatusOK))
	}
	t.Logf("%d bytes in all, of them %d for the last hour", total, len(text))
	if total > coldMax {
		t.Errorf("a first visit loads %d bytes, want at most %d", total, coldMax)
	}
	if rules := b.get(t, "/console/rules", http.StatusOK); strings.Contains(rules, "uplot") {
		t.Error("other pages load the charts")
	}
}
