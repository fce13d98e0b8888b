package e2e

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBoto3LivesWithShadows(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()

	if got := start(t, dir, s.awsEnv(t), python(t), script(t, "shadows.py")).succeed(t); got != "done\n" {
		t.Errorf("it printed:\n%s", got)
	}
}

// answer is what curl has seen.
type answer struct {
	Status int
	Kind   string // x-amzn-ErrorType
	Body   string
}

// curl sends a request with the device's certificate.
func curl(t *testing.T, s *server, d device, path string, args ...string) answer {
	t.Helper()
	args = append([]string{"-sS", "--cert", d.Cert, "--key", d.Key, "--cacert", d.CA,
		"-w", "\n%{http_code} %header{x-amzn-errortype}", "https://localhost:" + s.Port + path}, args...)
	printed := start(t, d.Dir, plainEnv(d.Dir), client(t, "curl"), args...).succeed(t)
	end := strings.LastIndex(printed, "\n")
	status, kind, _ := strings.Cut(printed[end+1:], " ")
	code, err := strconv.Atoi(status)
	must(t, err)
	return answer{code, kind, printed[:end]}
}

// said is the member message of an error's body; the other is a trace ID.
func (a answer) said(t *testing.T) string {
	t.Helper()
	var body struct {
		Message string `json:"message"`
		TraceID string `json:"traceId"`
	}
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil || body.TraceID == "" {
		t.Errorf("not the body of an error: %s", a.Body)
	}
	return body.Message
}

// state is the member state of a shadow document, text as it came.
func (a answer) state(t *testing.T) string {
	t.Helper()
	var document struct{ State json.RawMessage }
	if err := json.Unmarshal([]byte(a.Body), &document); err != nil {
		t.Errorf("no shadow document: %v: %s", err, a.Body)
	}
	return string(document.State)
}

func TestCurlReadsAndWritesShadowsWithTheDeviceCertificate(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	const numbers = `{"reported":{"big":123456789012345678901234567890,"price":1.50,"list":[1.0,2e3]}}`
	for _, path := range []string{"/things/lamp/shadow", "/things/lamp/shadow?name=net"} {
		t.Run(path, func(t *testing.T) {
			updated := curl(t, s, lamp, path, "-d", `{"state":`+numbers+`}`)
			if updated.Status != 200 || updated.state(t) != numbers {
				t.Errorf("update: %+v", updated)
			}
			if got := curl(t, s, lamp, path); got.Status != 200 || got.state(t) != numbers {
				t.Errorf("get: %+v", got)
			}
			refused := curl(t, s, lamp, path, "-d", `{"state":{},"version":9}`)
			if refused.Status != 409 || refused.Kind != "ConflictException" || refused.said(t) != "Version conflict" {
				t.Errorf("update of another version: %+v", refused)
			}
			if deleted := curl(t, s, lamp, path, "-X", "DELETE"); deleted.Status != 200 || !strings.HasPrefix(deleted.Body, `{"version":1,"timestamp":`) {
				t.Errorf("delete: %+v", deleted)
			}
			name := lamp.Name
			if strings.Contains(path, "net") {
				name = "net"
			}
			absent := curl(t, s, lamp, path)
			if absent.Status != 404 || absent.Kind != "ResourceNotFoundException" || absent.said(t) != "No shadow exists with name: '"+name+"'" {
				t.Errorf("get after delete: %+v", absent)
			}
		})
	}

	t.Run("and hears of it by MQTT", func(t *testing.T) {
		sub := mosquittoSub(t, s, lamp, "-t", "$aws/things/lamp/shadow/update/+", "-C", "3")
		curl(t, s, lamp, "/things/lamp/shadow", "-d", `{"state":{"desired":{"on":true}}}`)
		sub.succeed(t)
		for _, kind := range []string{"accepted", "delta", "documents"} {
			sub.expect(t, "\n$aws/things/lamp/shadow/update/"+kind+"|")
		}
	})
}

// mayTalk lets a device connect and use its data topics, and look at its own
// classic shadow; not change it, nor see any other.
const mayTalk = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
	{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:*:*:topic/data/*"},
	{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topicfilter/data/*"},
	{"Effect":"Allow","Action":"iot:GetThingShadow","Resource":"arn:aws:iot:us-east-1:*:thing/lamp"}]}`

func TestShadowsAreClosedToWhomThePolicyDoesNotName(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", mayTalk)
	owner := s.register(t, "owner", allowAll)
	before := curl(t, s, owner, "/things/lamp/shadow", "-d", `{"state":{"reported":{"on":true}}}`).state(t)

	t.Run("rest", func(t *testing.T) {
		tests := []struct {
			name, path string
			args       []string
			want       int
		}{
			{"ok/get", "/things/lamp/shadow", nil, 200},
			{"forbidden/get of a named shadow", "/things/lamp/shadow?name=net", nil, 403},
			{"forbidden/get of another thing", "/things/owner/shadow", nil, 403},
			{"forbidden/update", "/things/lamp/shadow", []string{"-d", `{"state":{"reported":{"on":false}}}`}, 403},
			{"forbidden/delete", "/things/lamp/shadow", []string{"-X", "DELETE"}, 403},
			{"forbidden/list", "/api/things/shadow/ListNamedShadowsForThing/lamp", nil, 403},
		}
		for _, test := range tests {
			got := curl(t, s, lamp, test.path, test.args...)
			if got.Status != test.want {
				t.Errorf("%s: %+v", test.name, got)
			}
			if test.want == 403 && (got.Kind != "ForbiddenException" || got.said(t) != "Forbidden") {
				t.Errorf("%s: %+v", test.name, got)
			}
		}
	})

	t.Run("mqtt 3.1.1 is cut off", func(t *testing.T) {
		const topic, payload = "$aws/things/lamp/shadow/update", `{"state":{}}`
		publish := packet(0x32, field(topic)+"\x00\x01"+payload) // QoS 1
		got := connect(t, s, lamp, append(connect311("cut"), publish...))
		if diff := cmp.Diff([]byte{0x20, 2, 0, 0}, got); diff != "" {
			t.Errorf("the server sent (-want: CONNACK +got):\n%s", diff)
		}
	})

	t.Run("mqtt 5 is told not authorized", func(t *testing.T) {
		got := mosquittoPub(t, s, lamp, "-V", "mqttv5", "-q", "1", "-t", "$aws/things/lamp/shadow/update", "-m", `{"state":{}}`)
		got.wait(t)
		if !strings.Contains(got.output(), "Not authorized") {
			t.Errorf("mosquitto_pub printed:\n%s", got.output())
		}
		sub := startMosquittoSub(t, s, lamp, "-V", "mqttv5", "-t", "$aws/things/lamp/shadow/update/accepted", "-E")
		sub.wait(t)
		if !strings.Contains(sub.output(), "135") && !strings.Contains(sub.output(), "Not authorized") {
			t.Errorf("mosquitto_sub printed:\n%s", sub.output())
		}
	})

	if after := curl(t, s, owner, "/things/lamp/shadow").state(t); after != before {
		t.Errorf("the shadow is %s after what was refused, was %s", after, before)
	}
	if why := s.thingd(t, "why", "--principal", filepath.Base(lamp.CertificateARN), "-n", "50").succeed(t); !strings.Contains(why, "iot:UpdateThingShadow") {
		t.Errorf("`thingd why` does not say iot:UpdateThingShadow; it printed:\n%s", why)
	}
}
