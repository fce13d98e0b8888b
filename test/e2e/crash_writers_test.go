package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

// dataPlane is the AWS SDK for Go's client of the data plane.
func (s *server) dataPlane(t *testing.T) *iotdataplane.Client {
	t.Helper()
	env := s.awsEnv(t)
	return iotdataplane.New(iotdataplane.Options{
		Region:       lookup(env, "AWS_DEFAULT_REGION"),
		BaseEndpoint: aws.String(lookup(env, "AWS_ENDPOINT_URL")),
		Credentials: credentials.NewStaticCredentialsProvider(
			lookup(env, "AWS_ACCESS_KEY_ID"), lookup(env, "AWS_SECRET_ACCESS_KEY"), ""),
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(t, lookup(env, "AWS_CA_BUNDLE"))}}},
	})
}

// counter is a shadow as the writers make it: both numbers always equal.
type counter struct {
	Version int
	State   struct {
		Reported struct{ Number, Again int }
	}
}

func readCounter(t *testing.T, api *iotdataplane.Client, thing string) counter {
	t.Helper()
	got, err := api.GetThingShadow(t.Context(), &iotdataplane.GetThingShadowInput{ThingName: &thing})
	must(t, err)
	var c counter
	if err := json.Unmarshal(got.Payload, &c); err != nil {
		t.Fatalf("the shadow of %s after a crash: %v: %s", thing, err, got.Payload)
	}
	return c
}

// expect holds a counter against what was acknowledged last: it is that or
// newer, and whole.
func (c counter) expect(t *testing.T, thing string, version, number int) {
	t.Helper()
	if c.Version < version || c.State.Reported.Number < number || c.State.Reported.Number != c.State.Reported.Again {
		t.Errorf("after a crash the shadow of %s is %+v; version %d with number %d was acknowledged", thing, c, version, number)
	}
}

// writeShadows starts crash_writer.py: a shadow and a retained message by MQTT.
func writeShadows(t *testing.T, s *server, d device) writer {
	t.Helper()
	const topic = "crash/retained"
	args := append([]string{script(t, "crash_writer.py"), "--thing", d.Name, "--topic", topic}, fileFlags(s, d)...)
	run := start(t, d.Dir, plainEnv(d.Dir), python(t), args...)
	run.expect(t, "retained 1\n")
	api := s.dataPlane(t)
	return writer{
		name: "shadows and retained messages by MQTT",
		check: func(t *testing.T) {
			t.Helper()
			if run.ended() {
				t.Fatalf("the writer ended:\n%s", run.stderr)
			}
			shadow, retained := lastLine(t, run, "shadow "), lastLine(t, run, "retained ")
			readCounter(t, api, d.Name).expect(t, d.Name, shadow[0], shadow[1])
			got, err := api.GetRetainedMessage(t.Context(), &iotdataplane.GetRetainedMessageInput{Topic: aws.String(topic)})
			must(t, err)
			if n, err := strconv.Atoi(string(got.Payload)); err != nil || n < retained[0] {
				t.Errorf("after a crash the retained message is %q; %d was acknowledged", got.Payload, retained[0])
			}
		},
		count: func() int { return strings.Count(run.stdout.String(), "\n") },
	}
}

// lastLine gives the numbers of the last whole line with this prefix.
func lastLine(t *testing.T, run *program, prefix string) (numbers []int) {
	t.Helper()
	text := run.stdout.String()
	text = "\n" + text[:strings.LastIndex(text, "\n")+1]
	line, _, _ := strings.Cut(text[strings.LastIndex(text, "\n"+prefix)+1+len(prefix):], "\n")
	for _, word := range strings.Fields(line) {
		n, err := strconv.Atoi(word)
		must(t, err)
		numbers = append(numbers, n)
	}
	return numbers
}

// background runs work until the end of the test, again at once when it fails:
// the server may just be dead.
func background(t *testing.T, work func(ctx context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if work(ctx) != nil {
				time.Sleep(5 * time.Millisecond) // spares the machine while the server is away
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// writeShadowsByREST counts in a shadow by signed HTTPS requests.
func writeShadowsByREST(t *testing.T, s *server) writer {
	t.Helper()
	const thing = "by-rest"
	api := s.dataPlane(t)
	var mu sync.Mutex
	var last counter // acknowledged
	sent := 0
	background(t, func(ctx context.Context) error {
		sent++
		payload := fmt.Appendf(nil, `{"state":{"reported":{"number":%d,"again":%d}}}`, sent, sent)
		got, err := api.UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{ThingName: aws.String(thing), Payload: payload}, once)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		return json.Unmarshal(got.Payload, &last)
	})
	return writer{
		name: "shadows by HTTPS",
		check: func(t *testing.T) {
			t.Helper()
			mu.Lock()
			acked := last
			mu.Unlock()
			if acked.Version > 0 {
				readCounter(t, api, thing).expect(t, thing, acked.Version, acked.State.Reported.Number)
			}
		},
		count: func() int {
			mu.Lock()
			defer mu.Unlock()
			return last.Version
		},
	}
}

// once keeps the SDK from trying again by itself.
func once(o *iotdataplane.Options) { o.Retryer = aws.NopRetryer{} }

// registrar creates things, and deletes every third.
type registrar struct {
	api     *iot.Client
	mu      sync.Mutex
	n       int
	present map[string]bool // what was acknowledged since the last check: created, or deleted
	total   int
}

func writeThings(t *testing.T, s *server) writer {
	t.Helper()
	r := &registrar{api: s.controlPlane(t), present: map[string]bool{}}
	background(t, r.work)
	return writer{
		name:  "things",
		check: r.check,
		count: func() int {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.total
		},
	}
}

func (r *registrar) work(ctx context.Context) error {
	r.n++
	name := fmt.Sprintf("thing-%d", r.n)
	attributes := &iottypes.AttributePayload{Attributes: map[string]string{"name": name}}
	tryOnce := func(o *iot.Options) { o.Retryer = aws.NopRetryer{} }
	if _, err := r.api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name, AttributePayload: attributes}, tryOnce); err != nil {
		return err
	}
	if r.n%3 != 0 {
		r.note(name, true)
		return nil
	}
	if _, err := r.api.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &name}, tryOnce); err != nil {
		return err
	}
	r.note(name, false)
	return nil
}

func (r *registrar) note(name string, present bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present[name] = present
	r.total++
}

// check looks at the last things before the crash; the ones long before were
// looked at after the crashes before.
func (r *registrar) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	before := r.present
	r.present = map[string]bool{}
	r.mu.Unlock()
	for name, present := range before {
		got, err := r.api.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: &name})
		var absent *iottypes.ResourceNotFoundException
		switch {
		case present && (err != nil || got.Attributes["name"] != name):
			t.Errorf("after a crash thing %s, which was created, is %+v, %v", name, got, err)
		case !present && !errors.As(err, &absent):
			t.Errorf("after a crash thing %s, which was deleted, is %+v, %v", name, got, err)
		}
	}
}
