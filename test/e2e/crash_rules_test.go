package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

// ruleFunction is the Lambda function that a webhook of the test stands in for.
const ruleFunction = "arn:aws:lambda:us-east-1:000000000000:function:effects"

// TestRulesFireForWhatWasAcknowledgedBeforeACrash kills the server at random
// instants while clients publish at QoS 1 (by MQTT, Basic Ingest and HTTPS) what
// rules put into a bucket, send to a function, and republish for another rule. In
// the end every acknowledged message has had every effect.
// A few crashes by default; E2E_TORTURE, a duration, makes it go on for that long.
func TestRulesFireForWhatWasAcknowledgedBeforeACrash(t *testing.T) {
	t.Parallel()
	long, err := time.ParseDuration(os.Getenv("E2E_TORTURE"))
	if err != nil && os.Getenv("E2E_TORTURE") != "" {
		t.Fatal(err)
	}
	seen := watchEffects(t)
	s := startServer(t, "--profile", "mqtt", "--function", ruleFunction+"="+seen.URL)
	lamp := s.register(t, "lamp", allowAll)
	sh := s.shell(t)
	makeCrashRules(t, sh)
	rest := publishByREST(t, s)

	var expected []string
	crashes, round := 0, 0
	for began := time.Now(); crashes == 0 || time.Since(began) < long; round++ {
		crashes += crashUnderRules(t, s, lamp, round)
		expected = append(expected, effects(fmt.Sprint("mqtt-", round), numbersTo(crashCount), "bucket", "direct", "again")...)
		expected = append(expected, effects(fmt.Sprint("basic-", round), numbersTo(crashCount), "basic")...)
	}
	expected = append(expected, effects("rest", rest(), "bucket", "direct", "again")...)
	awaitEffects(t, sh, seen, expected)
	t.Logf("%d crashes; %d effects of what was acknowledged; the function was called %d times too often", crashes, len(expected), seen.repeats())
}

// crashCount is how many messages a publisher sends in one round.
const crashCount = 400

func makeCrashRules(t *testing.T, sh shell) {
	t.Helper()
	role := makeRole(t, sh)
	sh.run(t, "s3", "mb", "s3://effects")
	call := `{"lambda":{"functionArn":"` + ruleFunction + `"}}`
	makeRule(t, sh, "to_bucket", `select n from 'work/#'`,
		`{"s3":{"roleArn":"`+role+`","bucketName":"effects","key":"bucket/${by}/${n}"}}`)
	makeRule(t, sh, "to_function", `select n, by, 'direct' as via from 'work/#'`, call)
	makeRule(t, sh, "relay", `select n, by from 'work/#'`, `{"republish":{"roleArn":"`+role+`","topic":"again/${n}","qos":1}}`)
	makeRule(t, sh, "relayed", `select n, by, 'again' as via from 'again/+'`, call)
	makeRule(t, sh, "basic", `select n, by, 'basic' as via`, call)
}

// crashUnderRules lets two clients publish and kills the server until both are
// done, crashesPerLoad times at most. It says how often that was.
func crashUnderRules(t *testing.T, s *server, d device, round int) (crashes int) {
	t.Helper()
	publishers := []*program{
		publishNumbers(t, s, d, fmt.Sprint("mqtt-", round), "work/mqtt"),
		publishNumbers(t, s, d, fmt.Sprint("basic-", round), "$aws/rules/basic/x"),
	}
	for _, p := range publishers {
		p.expect(t, "acked ")
	}
	for ; crashes < crashesPerLoad && !(publishers[0].ended() && publishers[1].ended()); crashes++ {
		time.Sleep(rand.N(20*time.Millisecond) * time.Duration(1+rand.N(20)))
		s.kill()
		s.start(t)
	}
	for _, p := range publishers {
		p.succeed(t)
	}
	return crashes
}

// publishNumbers starts crash_publisher.py.
func publishNumbers(t *testing.T, s *server, d device, by, topic string) *program {
	t.Helper()
	args := append([]string{script(t, "crash_publisher.py"), "--thing", d.Name, "--topic", topic, "--by", by, "--count", fmt.Sprint(crashCount)},
		fileFlags(s, d)...)
	return start(t, d.Dir, plainEnv(d.Dir), python(t), args...)
}

// publishByREST publishes by signed HTTPS requests until the function that it
// gives is called, which gives the numbers that were acknowledged.
func publishByREST(t *testing.T, s *server) (stop func() []int) {
	t.Helper()
	api := s.dataPlane(t)
	var mu sync.Mutex
	var acknowledged []int
	sent, stopped := 0, false
	background(t, func(ctx context.Context) error {
		sent++
		_, err := api.Publish(ctx, &iotdataplane.PublishInput{
			Topic: aws.String("work/rest"), Qos: 1, Payload: fmt.Appendf(nil, `{"n":%d,"by":"rest"}`, sent),
		}, once)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && !stopped {
			acknowledged = append(acknowledged, sent)
		}
		time.Sleep(2 * time.Millisecond) // leaves the machine to the others
		return err
	})
	return func() []int {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		return acknowledged
	}
}

func numbersTo(n int) (all []int) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

// effects names what the messages of one sender must come to.
func effects(by string, numbers []int, via ...string) (all []string) {
	for _, v := range via {
		for _, n := range numbers {
			all = append(all, fmt.Sprintf("%s/%s/%d", v, by, n))
		}
	}
	return all
}

// effectWatch is the function that rules call. It is slow now and then, and fails
// the first time for every tenth number.
type effectWatch struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int
	tried map[string]bool
}

func watchEffects(t *testing.T) *effectWatch {
	w := &effectWatch{calls: map[string]int{}, tried: map[string]bool{}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

// ServeHTTP implements http.Handler.
func (w *effectWatch) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	var event struct {
		N       int
		By, Via string
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		return // the server was killed while it sent
	}
	time.Sleep(rand.N(20 * time.Millisecond))
	effect := fmt.Sprintf("%s/%s/%d", event.Via, event.By, event.N)
	w.mu.Lock()
	defer w.mu.Unlock()
	if event.N%10 == 0 && !w.tried[effect] {
		w.tried[effect] = true
		answer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.calls[effect]++
}

func (w *effectWatch) had(effect string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[effect] > 0
}

func (w *effectWatch) repeats() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, calls := range w.calls {
		n += calls - 1
	}
	return n
}

// awaitEffects waits until the function and the bucket have seen everything.
func awaitEffects(t *testing.T, sh shell, seen *effectWatch, expected []string) {
	t.Helper()
	var missing []string
	for end := time.Now().Add(patience); ; {
		objects := map[string]bool{}
		for _, key := range keys(t, sh, "effects") {
			objects[key] = true
		}
		missing = missing[:0]
		for _, effect := range expected {
			if !seen.had(effect) && !objects[effect] {
				missing = append(missing, effect)
			}
		}
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d effects of acknowledged messages never came: %s", len(missing), len(expected), strings.Join(missing[:min(len(missing), 20)], " "))
		}
	}
}
