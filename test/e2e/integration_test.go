package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/chromedp/chromedp"
)

// An integration carries the messages of modules to another server and back: the
// journey of sakura.io's integration services, with a second thingd as the far
// side.

// integrate makes an integration of near toward far, with the files of a device
// of far's, and gives its ID.
func integrate(t *testing.T, near, far *server, d device, args ...string) string {
	t.Helper()
	args = append([]string{
		"integration", "create", "--name", "sakura", "--host", "localhost", "--port", far.Port, "--prefix", "sakura/hoge/",
		"--subscribe", "sakura/down", "--root-ca", d.CA, "--cert", d.Cert, "--key", d.Key,
	}, args...)
	return strings.TrimSpace(near.thingd(t, args...).succeed(t))
}

// describes waits until `thingd integration describe` says part.
func (s *server) describes(t *testing.T, id, part string) {
	t.Helper()
	said := ""
	for start := time.Now(); time.Since(start) < patience; time.Sleep(50 * time.Millisecond) {
		said = s.thingd(t, "integration", "describe", id).succeed(t)
		if strings.Contains(strings.Join(strings.Fields(said), " "), part) {
			return
		}
	}
	t.Fatalf("the integration never says %q; it says:\n%s", part, said)
}

// policy attaches or detaches the policy of a device.
func (s *server) policy(t *testing.T, d device, attached bool) {
	t.Helper()
	api := s.controlPlane(t)
	if attached {
		_, err := api.AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: &d.PolicyName, Target: &d.CertificateARN})
		must(t, err)
		return
	}
	_, err := api.DetachPolicy(t.Context(), &iot.DetachPolicyInput{PolicyName: &d.PolicyName, Target: &d.CertificateARN})
	must(t, err)
}

func TestIntegrationJourney(t *testing.T) {
	t.Parallel()
	near, far := startServer(t), startServer(t)
	panel := far.register(t, "panel", allowAll)
	for version, refusal := range map[string]string{"3.1.1": "it hung up without an answer to CONNECT", "5": "Not authorized"} {
		t.Run(version, func(t *testing.T) {
			id := integrate(t, near, far, panel, "--protocol", version)
			near.describes(t, id, "Status connected")

			watcher := mosquittoSub(t, far, panel, "-t", "sakura/hoge/+")
			module := near.thingd(t, "simulate", "module", "--id", "u01234567890", "--channels", "0:I:1,1:d:20.5", "--interval", "1s")
			module.expect(t, "u01234567890 connected")
			watcher.expect(t, `sakura/hoge/u01234567890|0|0|{"module":"u01234567890","type":"channels","datetime":"`)
			watcher.expect(t, `"payload":{"channels":[{"channel":0,"type":"I","value":1,"datetime":"`)

			down := `{"module":"u01234567890","type":"channels","payload":{"channels":[{"channel":0,"type":"I","value":7}]}}`
			mosquittoPub(t, far, panel, "-t", "sakura/down", "-m", down).succeed(t)
			module.expect(t, "u01234567890 received "+down)

			far.policy(t, panel, false)
			near.thingd(t, "integration", "update", id, "--name", "renamed").succeed(t)
			near.describes(t, id, "Status error Error the far side refused an integration's connection: "+refusal)
			far.policy(t, panel, true)
			near.thingd(t, "integration", "update", id, "--name", "renamed again").succeed(t)
			near.describes(t, id, "Status connected")

			for topic, says := range map[string]string{
				"sakura/hoge/#": "the subscribe topic must not contain the wildcards + and #",
				"sakura/hoge/":  "the subscribe topic must not be the publish destination or lie below it",
			} {
				refused := near.thingd(t, "integration", "update", id, "--subscribe", topic).fail(t)
				if !strings.Contains(refused, says) {
					t.Errorf("%s is refused with %s", topic, refused)
				}
			}
			near.describes(t, id, "Status connected")
			near.thingd(t, "integration", "delete", id).succeed(t)
		})
	}
	said := near.thingd(t, "why").succeed(t)
	if !strings.Contains(said, "hung up without an answer to CONNECT") {
		t.Errorf("`thingd why` does not tell:\n%s", said)
	}
}

// startMosquitto runs a broker that lets everybody in, without TLS.
func startMosquitto(t *testing.T) (port string) {
	t.Helper()
	dir := t.TempDir()
	port = freePort(t)
	file := filepath.Join(dir, "mosquitto.conf")
	must(t, os.WriteFile(file, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600))
	p := start(t, dir, append(plainEnv(dir), "PATH="+os.Getenv("PATH")+":/usr/sbin:/usr/local/sbin"), client(t, "mosquitto"), "-c", file)
	if !p.stderr.await(containing("running"), patience, p.over) {
		t.Fatalf("mosquitto does not run:\n%s", p.output())
	}
	return port
}

func TestIntegrationTowardMosquitto(t *testing.T) {
	t.Parallel()
	near := startServer(t)
	port := startMosquitto(t)
	for _, test := range [][2]string{{"3.1.1", "0"}, {"5", "0"}, {"3.1.1", "1"}, {"5", "1"}} {
		t.Run(test[0]+" QoS "+test[1], func(t *testing.T) {
			id := strings.TrimSpace(near.thingd(t, "integration", "create", "--name", "mosquitto", "--host", "127.0.0.1", "--port", port, "--no-tls",
				"--prefix", "factory", "--subscribe", "to/modules", "--protocol", test[0], "--qos", test[1]).succeed(t))
			near.describes(t, id, "Status connected")
			dir := t.TempDir()
			watcher := start(t, dir, plainEnv(dir), client(t, "stdbuf"), "-oL", client(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", port,
				"-d", "-q", "1", "-t", "factory/+", "-F", "%t|%q|%p")
			watcher.expect(t, "Subscribed (mid:")
			module := near.thingd(t, "simulate", "module", "--id", "u1", "--qos", test[1])
			watcher.expect(t, "factory/u1|"+test[1]+`|{"module":"u1"`)
			start(t, dir, plainEnv(dir), client(t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", port, "-q", test[1], "-t", "to/modules", "-m", `{"module":"u1","x":1}`).succeed(t)
			module.expect(t, `u1 received {"module":"u1","x":1}`)
			near.describes(t, id, "Waiting 0 (0 bytes)")
			near.thingd(t, "integration", "delete", id).succeed(t)
		})
	}
}

// numbers publishes the numbers from one to another at QoS 1 as a module, and
// returns when all are acknowledged.
func numbers(t *testing.T, s *server, d device, from, to int) {
	t.Helper()
	script := fmt.Sprintf(`seq %d %d | "$@" -l`, from, to)
	args := append([]string{"-c", script, "-", client(t, "mosquitto_pub")}, mosquittoFlags(s, d)...)
	args = append(args, "-i", "u1", "-q", "1", "-t", "modules/u1/up")
	start(t, d.Dir, plainEnv(d.Dir), client(t, "bash"), args...).succeed(t)
}

// Nothing that a module was acknowledged is lost, whichever side is killed.
func TestIntegrationLosesNothing(t *testing.T) {
	t.Parallel()
	near, far := startServer(t, "--profile", "mqtt"), startServer(t, "--profile", "mqtt")
	panel, u1 := far.register(t, "panel", allowAll), near.register(t, "u1", allowAll)
	// A persistent session of the far side sees what it got.
	session := []string{"-i", "watcher", "-c", "-q", "1", "-t", "sakura/hoge/+"}
	startMosquittoSub(t, far, panel, append(session, "-E")...).succeed(t)
	id := integrate(t, near, far, panel, "--qos", "1")
	near.describes(t, id, "Status connected")

	numbers(t, near, u1, 1, 50)
	far.kill()
	numbers(t, near, u1, 51, 200)
	near.describes(t, id, "Status error")
	near.kill()
	near.start(t)
	numbers(t, near, u1, 201, 300)
	far.start(t)
	near.thingd(t, "integration", "update", id).succeed(t)
	numbers(t, near, u1, 301, 400)
	near.kill() // while it may just be sending
	near.start(t)
	near.describes(t, id, "Status connected")
	near.describes(t, id, "Waiting 0 (0 bytes)")

	watcher := startMosquittoSub(t, far, panel, session...)
	for n := 1; n <= 400; n++ {
		watcher.expect(t, fmt.Sprintf("\nsakura/hoge/u1|1|0|%d\n", n))
	}
}

// Control panels such as sakura.io's may speak MQTT 3.1 and send no server name.
func TestIntegrationServicesOfOthersGetIn(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	panel := s.register(t, "panel", allowAll)
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		t.Run(version, func(t *testing.T) {
			sub := mosquittoSub(t, s, panel, "-V", version, "-i", "watcher", "-t", "sakura/hoge/+", "-C", "1")
			mosquittoPub(t, s, panel, "-V", version, "-i", "sakura", "-t", "sakura/hoge/u1", "-m", "{}").succeed(t)
			sub.succeed(t)
			sub.expect(t, "\nsakura/hoge/u1|0|0|{}\n")
		})
	}
	t.Run("no server name", func(t *testing.T) {
		// CONNECT of MQTT 3.1 with client ID p; CONNACK is 20 02 00 00.
		script := `{ printf '\020\017\000\006MQIsdp\003\002\000\074\000\001p'; sleep 60; } | openssl s_client -quiet -noservername -no_ign_eof \
			-connect 127.0.0.1:"$1" -cert "$2" -key "$3" -CAfile "$4" 2>/dev/null | head -c 4 | od -An -tx1`
		p := start(t, panel.Dir, plainEnv(panel.Dir), client(t, "bash"), "-c", script, "-", s.Port, panel.Cert, panel.Key, panel.CA)
		p.expect(t, "20 02 00 00")
	})
}

// The journey by clicks in the console, from the far side's preparation to the
// downlink that reaches the module.
func TestConsoleIntegrationJourney(t *testing.T) {
	t.Parallel()
	near, far := startServer(t), startServer(t)
	panel := far.register(t, "panel", allowAll)
	c := startChrome(t, near)
	paste := func(field, path string) {
		t.Helper()
		text, err := os.ReadFile(path)
		must(t, err)
		c.run(t, chromedp.SetValue(chromedp.CSS(field), string(text)))
	}

	c.visit(t, "Integrations")
	c.sees(t, ".empty", "no integrations")
	c.shoot(t, "integrations-empty")
	c.click(t, "Create integration")
	c.fill(t, "#name", "sakura")
	c.fill(t, "#host", "localhost")
	c.fill(t, "#port", far.Port)
	c.fill(t, "#prefix", "sakura/hoge/")
	c.fill(t, "#subscribe", "sakura/hoge/#")
	paste("#rootca", panel.CA)
	paste("#certificate", panel.Cert)
	paste("#privatekey", panel.Key)
	c.shoot(t, "integrationform")
	c.click(t, "Create")
	c.sees(t, ".problem", "must not contain the wildcards")
	c.fill(t, "#subscribe", "sakura/hoge/")
	c.click(t, "Create")
	c.sees(t, ".problem", "messages would come back")
	c.shoot(t, "integrationform-overlap")
	c.fill(t, "#subscribe", "sakura/down")
	c.click(t, "Create")
	c.sees(t, "#live .status", "connected")
	c.listens(t)

	watcher := mosquittoSub(t, far, panel, "-t", "sakura/hoge/+")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-publish] button`)))
	watcher.expect(t, `sakura/hoge/u01234567890|0|0|{"module":"u01234567890","type":"channels"`)
	c.sees(t, ".messages li", "modules/u01234567890/up")
	mosquittoPub(t, far, panel, "-t", "sakura/down", "-m", `{"module":"u01234567890","type":"channels","payload":{"channels":[]}}`).succeed(t)
	c.sees(t, ".messages li", "modules/u01234567890/down")
	c.sees(t, "#received", "1")
	c.shoot(t, "integration")

	rename := func(name string) {
		t.Helper()
		c.fill(t, "#name", name)
		c.click(t, "Save")
		c.sees(t, "h1", name)
	}
	far.policy(t, panel, false)
	rename("without policy")
	c.sees(t, "#live .status", "error")
	c.sees(t, "#reason", "hung up without an answer")
	c.shoot(t, "integration-error")
	far.policy(t, panel, true)
	rename("with policy")
	c.sees(t, "#live .status", "connected")

	c.visit(t, "Integrations")
	c.sees(t, "#live td .status", "connected")
	c.shoot(t, "integrations")
	c.click(t, "with policy")
	c.click(t, "Delete")
	c.sees(t, ".empty", "no integrations")
}
