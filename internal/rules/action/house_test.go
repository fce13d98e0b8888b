package action_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

const role = "arn:aws:iam::123456789012:role/rules"

// scope has the account that the stand-in for AWS knows.
var scope = arn.Scope{Region: "eu-west-1", Account: "123456789012"}

// at is the time of every test.
var at = time.UnixMilli(1700000000123).UTC()

// cloud is where the stand-in for AWS is; why says why there is none.
var cloud struct{ url, why string }

func TestMain(m *testing.M) {
	stop := startCloud()
	code := m.Run()
	stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// startCloud runs moto, which plays AWS's services in memory. `make setup` puts
// it into .setup/venv; another one can be named in THINGD_MOTO_SERVER.
func startCloud() (stop func()) {
	stop = func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() }
	program := os.Getenv("THINGD_MOTO_SERVER")
	if program == "" {
		program, _ = filepath.Abs("../../../.setup/venv/bin/moto_server")
	}
	if _, err := os.Stat(program); err != nil {
		cloud.why = "moto is not installed: " + err.Error()
		return stop
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		cloud.why = err.Error()
		return stop
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	server := exec.Command(program, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	if err := server.Start(); err != nil {
		cloud.why = err.Error()
		return stop
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := ready(url + "/moto-api/"); err != nil {
		cloud.why = "moto does not start: " + err.Error()
	}
	cloud.url = url
	closeIdle := stop
	return func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		closeIdle()
	}
}

// ready waits for a server to answer.
func ready(url string) error {
	deadline := time.Now().Add(time.Minute)
	for {
		answer, err := http.Get(url)
		if err == nil {
			return answer.Body.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// keys gives a session of any role.
func keys(_ context.Context, roleARN string) (action.Credentials, error) {
	return action.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "secret", SessionToken: roleARN}, nil
}

func newTargets(t *testing.T, c action.Config) *action.Targets {
	t.Helper()
	c.Scope, c.Now, c.AnyURL = scope, func() time.Time { return at }, true
	if c.Credentials == nil {
		c.Credentials = keys
	}
	targets := action.New(c)
	t.Cleanup(targets.Close)
	return targets
}

// inCloud gives Targets whose services are the stand-in's, all of them empty.
func inCloud(t *testing.T) *action.Targets {
	t.Helper()
	if cloud.url == "" {
		t.Skip("no stand-in for AWS: " + cloud.why)
	}
	answer, err := http.Post(cloud.url+"/moto-api/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return newTargets(t, action.Config{Endpoints: map[string]action.Endpoint{action.Anywhere: {URL: cloud.url}}})
}

// prepare compiles an action and renders it for a payload that was published to
// lab/7.
func prepare(t *testing.T, targets *action.Targets, spec iot.Action, payload string) (*action.Delivery, error) {
	t.Helper()
	query, err := iotsql.Parse("SELECT * FROM 'lab/+'", iotsql.V20160323)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := targets.Compile(spec, query)
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Prepare(event(t, query, payload))
}

func event(t *testing.T, query *iotsql.Query, payload string) *action.Event {
	t.Helper()
	m := iotsql.Message{Topic: "lab/7", Payload: []byte(payload), ClientID: "dev-7"}
	env := &iotsql.Env{Now: func() time.Time { return at }, AccountID: scope.Account}
	result, err := query.Evaluate(env, m)
	if err != nil {
		t.Fatal(err)
	}
	return &action.Event{Rule: "r", Message: m, Env: env, Payload: result.Payload, JSON: result.JSON, Value: result.Value}
}

// run does an action and gives its failure.
func run(t *testing.T, targets *action.Targets, spec iot.Action, payload string) error {
	t.Helper()
	delivery, err := prepare(t, targets, spec, payload)
	if err != nil {
		return err
	}
	return delivery.Send(context.Background())
}

// recorder is an HTTP server that remembers what it got.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	status []int  // of the answers to come; 200 after these
	body   string // of every answer
}

type received struct {
	Method, Path, Body string
	Header             http.Header
}

func listen(t *testing.T) *recorder {
	rec := &recorder{}
	rec.Server = httptest.NewServer(rec)
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.got = append(rec.got, received{r.Method, r.URL.RequestURI(), string(body), r.Header})
	if len(rec.status) > 0 {
		w.WriteHeader(rec.status[0])
		rec.status = rec.status[1:]
	}
	_, _ = io.WriteString(w, rec.body)
}

func (rec *recorder) all() []received {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]received(nil), rec.got...)
}
