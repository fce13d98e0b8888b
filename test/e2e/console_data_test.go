package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// named is the selector of a form's field by its name.
func named(name string) string { return `[name="` + name + `"]` }

// choose picks an option of a select by what it says.
func (c *chrome) choose(t *testing.T, selector, text string) {
	t.Helper()
	c.holds(t, `(() => {
		const box = document.querySelector('`+selector+`');
		const option = [...box?.options ?? []].find((one) => one.text === "`+text+`");
		if (!option) return false;
		box.value = option.value;
		box.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	})()`)
}

// retype types a value into a field that was typed into before.
func (c *chrome) retype(t *testing.T, selector, value string) {
	t.Helper()
	c.holds(t, `(() => { document.querySelector('`+selector+`').value = ""; return true; })()`)
	c.run(t, chromedp.SendKeys(chromedp.CSS(selector), value))
}

// The tutorial's last chapter, clicked through: a rule with an S3 action whose
// bucket and role are made on the way, and the object that curl's message becomes.
func TestConsoleRuleToS3(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	c := startChrome(t, s)

	c.visit(t, "Rules")
	c.shoot(t, "rules-empty")
	c.click(t, "Create rule")
	c.fill(t, "#name", "to_s3")
	c.fill(t, "#sql", `select nam( from 'data/lamp' where name = 's3'`)
	c.sees(t, "[data-sql-problem]", "Line 1, column")
	c.holds(t, `!!document.querySelector("[data-sql-editor] .mistake")`)
	c.shoot(t, "rule-mistake")
	c.retype(t, "#sql", `select name from 'data/lamp' where name = 's3'`)
	c.holds(t, `document.querySelector("[data-sql-problem]").hidden`)

	// The tester takes a message that is really published.
	c.holds(t, `document.querySelector("[data-last-note]").textContent.includes("Listening")`)
	await(t, "the message on the page", func() bool {
		expectPublished(t, curlPublish(t, s, lamp).succeed(t))
		found, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](`!document.querySelector("[data-last-message]").disabled`))
		return err == nil && found
	})
	c.click(t, "Use the last message")
	c.click(t, "Try it")
	c.sees(t, "#result .status", "It matches")
	c.sees(t, "#output", `"name": "s3"`)

	c.click(t, "Add rule action") // S3 is chosen
	c.holds(t, `!!document.querySelector('[name="action.0.bucketName"]')`)
	c.makeBucketElsewhere(t, "hands-on")
	c.run(t, chromedp.Click(chromedp.CSS(`#actions button[value="refresh"]`)))
	c.choose(t, named("action.0.bucketName"), "hands-on")
	c.fill(t, named("action.0.key"), "test")
	c.fill(t, named("action.0.newrole"), "s3writer")
	c.click(t, "Create new role")
	c.holds(t, `document.querySelector('[name="action.0.roleArn"]').value.endsWith(":role/s3writer")`)
	c.holds(t, `document.querySelector('[name="action.0.bucketName"]').value === "hands-on"`)
	c.shoot(t, "ruleform-s3")
	c.run(t, chromedp.Click(chromedp.CSS(`button[value="create"]`)))
	c.sees(t, "h1", "Rule to_s3")

	expectPublished(t, curlPublish(t, s, lamp).succeed(t))
	c.sees(t, ".refusal", "S3Action")
	c.shoot(t, "rule-s3")

	c.visit(t, "S3 buckets")
	c.shoot(t, "buckets")
	c.click(t, "hands-on")
	c.sees(t, "tbody", "test")
	c.shoot(t, "bucket")
	c.click(t, "test")
	c.sees(t, "#content", `"name": "s3"`)
	c.shoot(t, "object")
	first := c.modified(t)

	t.Run("another payload leaves the object alone", func(t *testing.T) {
		if got := curl(t, s, lamp, "/topics/data/lamp?qos=1", "-d", `{"name":"other"}`); got.Status != 200 {
			t.Fatalf("publish: %+v", got)
		}
		c.visit(t, "Rules")
		c.click(t, "to_s3")
		c.sees(t, ".refusal", "not matched")
		c.run(t, chromedp.Navigate("http://"+s.HTTP+"/console/buckets/hands-on/object?key=test"))
		if now := c.modified(t); now != first {
			t.Errorf("the object was modified at %s, was at %s", now, first)
		}
	})

	t.Run("the next one replaces it", func(t *testing.T) {
		at, err := time.Parse(time.RFC3339, first)
		must(t, err)
		time.Sleep(time.Until(at.Add(1100 * time.Millisecond))) // dates of S3 are whole seconds
		expectPublished(t, curlPublish(t, s, lamp).succeed(t))
		await(t, "the newer object", func() bool {
			c.run(t, chromedp.Navigate("http://"+s.HTTP+"/console/buckets/hands-on/object?key=test"))
			return c.modified(t) != first
		})
	})

	t.Run("files go up and down", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "notes.txt")
		must(t, os.WriteFile(file, []byte("watered"), 0o600))
		c.run(t, chromedp.Navigate("http://"+s.HTTP+"/console/buckets/hands-on?prefix=diary%2F"),
			chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{file}), chromedp.Click(chromedp.CSS("[data-upload] button")))
		c.sees(t, "tbody", "notes.txt")
		c.click(t, "notes.txt")
		c.sees(t, "#content", "watered")
		c.click(t, "Download")
		text, err := os.ReadFile(c.downloaded(t, "notes.txt"))
		must(t, err)
		if string(text) != "watered" {
			t.Errorf("downloaded %q", text)
		}
		c.click(t, "Delete")
		c.sees(t, "main", "Nothing is here yet.")
	})

	t.Run("the rule is edited and deleted", func(t *testing.T) {
		c.visit(t, "Rules")
		c.click(t, "to_s3")
		c.click(t, "Edit")
		c.fill(t, named("action.0.key"), "by-time/${timestamp()}")
		c.click(t, "Save")
		c.sees(t, "dd", "by-time/${timestamp()}")
		expectPublished(t, curlPublish(t, s, lamp).succeed(t))
		await(t, "the folder", func() bool {
			c.run(t, chromedp.Navigate("http://"+s.HTTP+"/console/buckets/hands-on"))
			return strings.Contains(c.text(t, "tbody"), "by-time/")
		})
		c.visit(t, "Rules")
		c.click(t, "to_s3")
		c.click(t, "Delete")
		c.sees(t, "main", "There are no rules yet.")
	})
}

// makeBucketElsewhere presses "Create S3 bucket", which opens another tab, and
// makes the bucket there.
func (c *chrome) makeBucketElsewhere(t *testing.T, name string) {
	t.Helper()
	link, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](`(() => {
		const link = [...document.querySelectorAll("#actions a")].find((one) => one.textContent === "Create S3 bucket");
		return link.target === "_blank" ? link.href : "";
	})()`))
	must(t, err)
	if !strings.HasSuffix(link, "/console/newbucket") {
		t.Fatalf("the link leads to %q", link)
	}
	other, cancel := chromedp.NewContext(c.ctx)
	defer cancel()
	tab := &chrome{ctx: other, downloads: c.downloads, server: c.server}
	must(t, chromedp.Listen(other, func(event any) { tab.watch(t, event) }))
	tab.run(t, chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("#name")))
	tab.fill(t, "#name", name)
	tab.run(t, chromedp.Click(chromedp.CSS("main form button")))
	tab.sees(t, "main", "Nothing is here yet.")
}

// modified is when the object on the page was last modified.
func (c *chrome) modified(t *testing.T) string {
	t.Helper()
	c.holds(t, `!!document.querySelector("#modified time")`)
	at, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](`document.querySelector("#modified time").dateTime`))
	must(t, err)
	return at
}

// The overview draws what the server does, as it does it.
func TestConsoleOverview(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	c := startChrome(t, s)
	publish := func() { expectPublished(t, curlPublish(t, s, lamp).succeed(t)) }
	publish()
	c.holds(t, `document.querySelectorAll("[data-chart] canvas").length === 5`)
	await(t, "two samples", func() bool {
		publish()
		found, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](`Number(document.querySelector("[data-charts]").dataset.samples) >= 3`))
		return err == nil && found
	})
	c.holds(t, `(() => { // something other than the frame is drawn
		const canvas = document.querySelectorAll("[data-chart] canvas")[1];
		return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0);
	})()`)
	c.shoot(t, "overview")
}

// J2.3: see the device in the test client, steer it by its shadow; and where it is
// refused, mend that by the button beside the refusal.
func TestConsoleMendsARefusal(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	pump := s.register(t, "pump", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iot:Connect","iot:Subscribe","iot:Receive"],"Resource":"*"}}`)
	c := startChrome(t, s)

	publish := func() bool {
		got := curl(t, s, pump, "/topics/data/pump?qos=1", "-d", `{"wait_time":5}`)
		return got.Status == 200
	}
	if publish() {
		t.Fatal("the device may publish already")
	}
	c.visit(t, "Why refused")
	c.sees(t, ".refusal", "iot:Publish")
	c.shoot(t, "why-mend")
	c.click(t, "Allow just this")
	c.sees(t, ".flash", "Done.")
	await(t, "the message", publish)
	if got := curl(t, s, pump, "/topics/other?qos=1", "-d", `{}`); got.Status == 200 {
		t.Error("more is allowed than was asked for")
	}

	c.run(t, chromedp.Navigate("http://"+s.HTTP+"/console/mqtt"))
	c.fill(t, "#filter", "data/pump")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-subscribe] button`)))
	c.listens(t)
	publish()
	c.sees(t, ".messages li", `"wait_time": 5`)

	sub := mosquittoSub(t, s, pump, "-t", "orders/#", "-W", "60")
	c.visit(t, "Clients")
	c.sees(t, "tbody", "MQTT")
	c.shoot(t, "clients")
	c.run(t, chromedp.Click(chromedp.CSS(`tbody a`)))
	c.sees(t, "tbody", "orders/#")
	c.shoot(t, "client")
	c.click(t, "Disconnect")
	c.sees(t, ".flash", "disconnected")
	sub.signal(syscall.SIGTERM)
	<-sub.over
}

// Five thousand messages a second reach the page, each shown or counted, and the
// page goes on answering.
func TestConsoleKeepsUpWithAFlood(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--limit", "publish-rate=0", "--limit", "byte-rate=0")
	sensor := s.register(t, "sensor", allowAll)
	c := startChrome(t, s)
	c.visit(t, "MQTT test client")
	c.fill(t, "#filter", "flood/#")
	c.choose(t, "#subqos", "0")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-subscribe] button`)))
	c.listens(t)
	c.holds(t, `(() => { // how long the page's one thread is busy at a time
		window.meter = { longest: 0, frames: 0, rates: [] };
		let last = performance.now();
		const frame = () => {
			const now = performance.now();
			meter.longest = Math.max(meter.longest, now - last);
			meter.frames++;
			last = now;
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
		setInterval(() => meter.rates.push(Number(document.querySelector("[data-rate]").textContent.replaceAll(",", ""))), 1000);
		return true;
	})()`)

	const perSecond, seconds = 5000, 6
	paced := fmt.Sprintf(`
import sys, time
start = time.monotonic()
for tick in range(%d):
    sys.stdout.write("".join('{"n":%%d,"temperature":21.5}\n' %% (tick * %d + i) for i in range(%d)))
    sys.stdout.flush()
    time.sleep(max(0, start + (tick + 1) / 20 - time.monotonic()))
`, seconds*20, perSecond/20, perSecond/20)
	args := append([]string{"-c", `python3 -c "$0" | "$@"`, paced, client(t, "mosquitto_pub")}, mosquittoFlags(s, sensor)...)
	began := time.Now()
	run := start(t, sensor.Dir, plainEnv(sensor.Dir), client(t, "bash"), append(args, "-t", "flood/sensor", "-q", "0", "-l")...)
	for !run.ended() { // somebody presses buttons meanwhile
		c.click(t, "Pause")
		c.click(t, "Resume")
		time.Sleep(500 * time.Millisecond)
	}
	run.succeed(t)
	took := time.Since(began)
	c.holds(t, fmt.Sprintf(`(() => {
		const count = (name) => Number(document.querySelector("[data-" + name + "]").textContent);
		return count("received") + count("dropped") === %d;
	})()`, perSecond*seconds))
	t.Logf("%d messages in %v; the page: received %s, dropped %s, %s", perSecond*seconds, took.Round(time.Millisecond),
		c.text(t, "[data-received]"), c.text(t, "[data-dropped]"), c.answer(t, `JSON.stringify(meter)`))
	if rows := c.answer(t, `String(document.querySelectorAll(".messages li").length)`); rows != "200" {
		t.Errorf("the page holds %s rows, want 200", rows)
	}
	// Any of them may be among the dropped ones; what is searched for comes alone.
	last := append(mosquittoFlags(s, sensor), "-t", "flood/sensor", "-q", "1", "-m", `{"n":"last"}`)
	start(t, sensor.Dir, plainEnv(sensor.Dir), client(t, "mosquitto_pub"), last...).succeed(t)
	c.fill(t, "[data-find]", `"n": "last"`)
	c.holds(t, `document.querySelectorAll(".messages li").length === 1`)
	c.shoot(t, "flood")
}

// What is published with properties is shown with them, and the commands to
// publish it again are right.
func TestConsolePublishesWithProperties(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	c := startChrome(t, s)
	c.visit(t, "MQTT test client")
	c.fill(t, "#filter", "props/#")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-subscribe] button`)))
	c.listens(t)
	c.fill(t, "#topic", "props/it's")
	c.run(t, chromedp.Click(chromedp.CSS("[data-publish] summary")))
	c.fill(t, "#contenttype", "application/json")
	c.fill(t, "#responsetopic", "props/answer")
	c.retype(t, "#userproperties", "color=blue")
	c.shoot(t, "mqtt-properties")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-publish] .main`)))
	c.sees(t, ".messages .properties", "Content Type: application/json · Response Topic: props/answer · color=blue")
	c.holds(t, `(() => { // the clipboard of a page without a user
		navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); };
		return true;
	})()`)
	for _, as := range []string{"mosquitto", "curl"} {
		c.run(t, chromedp.Click(chromedp.CSS(`.messages [data-as="`+as+`"]`)))
		command := c.answer(t, `window.copied`)
		command = strings.NewReplacer("root-ca.pem", lamp.CA, "certificate.pem.crt", lamp.Cert, "private.pem.key", lamp.Key).Replace(command)
		if as == "mosquitto" {
			command += " -i lamp"
		}
		start(t, lamp.Dir, plainEnv(lamp.Dir), client(t, "bash"), "-c", command).succeed(t)
		want := map[string]int{"mosquitto": 2, "curl": 3}[as]
		c.holds(t, fmt.Sprintf(`document.querySelectorAll(".messages li").length === %d`, want))
	}
	payloads := c.answer(t, `JSON.stringify([...new Set([...document.querySelectorAll(".messages li")].map((row) => row.querySelector(".topic").textContent + row.querySelector("pre").textContent))])`)
	if want := `["props/it's{\n  \"message\": \"Hello from thingd\"\n}"]`; payloads != want {
		t.Errorf("the messages are %s, want %s", payloads, want)
	}
}

// A registration task from a template and a file of parameters, and the pages of
// Settings.
func TestConsoleBulkImportAndSettings(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)
	c.makeBucket(t, "parts")
	c.visit(t, "Bulk import")
	c.shoot(t, "imports")
	file := filepath.Join(t.TempDir(), "devices.jsonl")
	must(t, os.WriteFile(file, []byte(`{"Name":"pump1"}`+"\n"+`{"Name":"pump 2"}`+"\n"), 0o600))
	c.retype(t, "#template", `{"Parameters":{"Name":{"Type":"String"}},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"Name"}}}}}`)
	c.choose(t, "#bucket", "parts")
	c.fill(t, "#newrole", "reader")
	c.run(t, chromedp.SetUploadFiles(chromedp.CSS("#parameters"), []string{file}), chromedp.Click(chromedp.CSS("[data-task] .main")))
	c.sees(t, "h1", "Registration task")
	c.sees(t, ".status", "Completed")
	c.shoot(t, "task")
	c.click(t, "Reports in the bucket")
	c.sees(t, "tbody", "errors.ndjson")
	c.visit(t, "Things")
	c.sees(t, "tbody", "pump1")

	for path, words := range map[string]string{
		"settings": "Root CA certificate", "settings/keys": "in use here", "settings/logging": "Default log level", "settings/events": "THING_GROUP",
		"settings/domains": "iot:Data-ATS", "audit": "POST /console/tasks", "destinations": "HTTP endpoint",
	} {
		c.run(t, chromedp.Navigate("http://"+s.HTTP+"/console/"+path))
		c.sees(t, "main", words)
		c.shoot(t, strings.ReplaceAll(path, "/", "-"))
	}
}

// A maker's bundle of archives, of which the form asks what kind of certificates
// is wanted; of other manifests it does not.
func TestConsoleImportsAManifest(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)
	bundle, err := filepath.Abs("../../internal/provisioning/manifest/testdata/infineon.7z")
	must(t, err)
	c.visit(t, "Bulk import")
	c.holds(t, `document.querySelector("#certificates").offsetParent === null`)
	c.choose(t, "#format", "infineon")
	c.sees(t, "#bundle", "Type of certificates")
	c.choose(t, "#certificates", "E0E2")
	c.choose(t, "#case", "abc")
	c.shoot(t, "imports-infineon")
	c.run(t, chromedp.SetUploadFiles(chromedp.CSS("#manifest"), []string{bundle}), chromedp.Click(chromedp.CSS("[data-send] .main")))
	c.sees(t, "h1", "infineon.7z")
	c.sees(t, ".status", "registered")
	c.sees(t, ".facts", "E0E2")
	c.sees(t, "tbody", "chip-e0e2-3")
	c.visit(t, "Bulk import")
	c.choose(t, "#format", "infineon")
	c.choose(t, "#certificates", "E0E1") // which counts for nothing with the next format
	c.choose(t, "#format", "generated")
	c.holds(t, `document.querySelector("#certificates").offsetParent === null`)
	list := filepath.Join(t.TempDir(), "list.txt")
	certificate, _ := newCA(t).issue(t, "pump-9")
	must(t, os.WriteFile(list, []byte(base64.StdEncoding.EncodeToString([]byte(certificate))+"\n"), 0o600))
	c.run(t, chromedp.SetUploadFiles(chromedp.CSS("#manifest"), []string{list}), chromedp.Click(chromedp.CSS("[data-send] .main")))
	c.sees(t, "h1", "list.txt")
	c.sees(t, "tbody", "pump-9")
}

// makeBucket makes a bucket in this tab.
func (c *chrome) makeBucket(t *testing.T, name string) {
	t.Helper()
	c.run(t, chromedp.Navigate("http://"+c.server.HTTP+"/console/newbucket"), chromedp.WaitVisible(chromedp.CSS("#name")))
	c.fill(t, "#name", name)
	c.run(t, chromedp.Click(chromedp.CSS("main form button")))
	c.sees(t, "main", "Nothing is here yet.")
}
