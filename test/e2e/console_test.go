package e2e

import (
	"archive/zip"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// clickPatience is how long a page may take to answer a click.
const clickPatience = 90 * time.Second

// chrome is a tab of a real browser, with a folder for what it downloads.
type chrome struct {
	ctx       context.Context
	downloads string
	server    *server
	loading   atomic.Bool // whether a page is on its way
}

var signInLink = regexp.MustCompile(`http://\S+/console/signin\?once=\S+`)

// startChrome opens a browser and signs in by the link that the server printed.
// Whatever its console complains about, such as a script that the page's policy
// forbids, fails the test.
func startChrome(t *testing.T, s *server) *chrome {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		path = client(t, "chromium")
	}
	options := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en-US"),
	}, flags("disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage")...)
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); cancelAllocator() })
	c := &chrome{ctx: ctx, downloads: t.TempDir(), server: s}
	must(t, chromedp.Listen(ctx, func(event any) { c.watch(t, event) }))
	_, err := chromedp.Call(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: c.downloads,
	})
	must(t, err)
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	must(t, err)
	link := signInLink.FindString(s.run.stdout.String())
	if link == "" {
		t.Fatalf("no sign-in link in\n%s", s.run.stdout.String())
	}
	c.run(t, chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("#nav")))
	return c
}

func flags(names ...string) []chromedp.ExecAllocatorOption {
	all := make([]chromedp.ExecAllocatorOption, len(names))
	for i, name := range names {
		all[i] = chromedp.Flag(name, true)
	}
	return all
}

// watch fails the test for what goes wrong in a page, and answers its dialogs.
func (c *chrome) watch(t *testing.T, event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text, _ := json.Marshal(e.ExceptionDetails)
		t.Errorf("a script failed: %s", text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text, _ := json.Marshal(e.Args)
			t.Errorf("a script complains: %s", text)
		}
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity {
			t.Errorf("the browser complains: %s", e.Entry.Text)
		}
	case *page.EventFrameStartedLoading:
		c.loading.Store(true)
	case *page.EventFrameStoppedLoading:
		c.loading.Store(false)
	case *page.EventJavascriptDialogOpening:
		go func() { // not here: this is where the browser's answers are read
			_, _ = chromedp.Call(c.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
}

// run does the actions one after the other, within patience, and waits until the
// page that they led to is there: a click is no answer yet.
func (c *chrome) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, clickPatience)
	defer cancel()
	for _, action := range actions {
		if err := perform(ctx, action); err != nil {
			t.Fatalf("the browser: %v; the page says:\n%s", err, c.text(t, "main"))
		}
	}
	c.settle(ctx)
}

// perform does an action, and does it again where the page was exchanged between
// finding the element and reaching for it: then nothing was done yet.
func perform(ctx context.Context, action chromedp.Action[chromedp.Void]) error {
	for {
		err := chromedp.Do(ctx, action)
		if err == nil || !regexp.MustCompile(`node with given id|not.*attached|No node found`).MatchString(err.Error()) {
			return err
		}
	}
}

// settle waits until nothing is being loaded, twice in a row: a form is sent a
// moment after its button was pressed.
func (c *chrome) settle(ctx context.Context) {
	still := chromedp.Evaluate[bool](`document.readyState === "complete" && !document.querySelector(".htmx-request")`)
	for calm := 0; calm < 2 && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		calm++
		if found, err := chromedp.Run(ctx, still); err != nil || !found || c.loading.Load() {
			calm = 0
		}
	}
}

// click presses the visible link or button of this text.
func (c *chrome) click(t *testing.T, text string) {
	t.Helper()
	c.run(t, chromedp.Click(`//main//*[self::a or self::button or self::label or self::summary][normalize-space()="`+text+`"]`, chromedp.NodeVisible))
}

// visit presses a link of the navigation.
func (c *chrome) visit(t *testing.T, text string) {
	t.Helper()
	c.run(t, chromedp.Click(`//nav//a[normalize-space()="`+text+`"]`), chromedp.WaitVisible(`//nav//a[@aria-current and normalize-space()="`+text+`"]`))
}

// fill types a value into a field.
func (c *chrome) fill(t *testing.T, field, value string) {
	t.Helper()
	c.run(t, chromedp.Clear(chromedp.CSS(field)), chromedp.SendKeys(chromedp.CSS(field), value))
}

// sees waits until the page shows the text, scrolling to where it may be: what is
// out of sight is not always laid out. The page may change meanwhile.
func (c *chrome) sees(t *testing.T, selector, text string) {
	t.Helper()
	quoted, _ := json.Marshal([]string{selector, text})
	c.holds(t, `(([selector, text]) => [...document.querySelectorAll(selector)].some((one) => {
		if (one.innerText.includes(text)) return true;
		one.scrollIntoView();
		return false;
	}))(`+string(quoted)+`)`)
}

// listens waits until messages would be shown.
func (c *chrome) listens(t *testing.T) {
	t.Helper()
	c.holds(t, `!!document.querySelector("[data-stream][data-open]")`)
}

// holds waits until an expression is true on the page, whatever page that is.
func (c *chrome) holds(t *testing.T, expression string) {
	t.Helper()
	look := chromedp.Evaluate[bool](expression)
	for start := time.Now(); time.Since(start) < clickPatience; time.Sleep(20 * time.Millisecond) {
		if found, err := chromedp.Run(c.ctx, look); err == nil && found {
			return
		}
	}
	t.Fatalf("%s does not become true; the page says:\n%s", expression, c.text(t, "main"))
}

// text gives what a part of the page says now.
func (c *chrome) text(t *testing.T, selector string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("`+selector+`")?.innerText ?? ""`))
	return text
}

// downloaded waits for a file.
func (c *chrome) downloaded(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(c.downloads, name)
	for start := time.Now(); time.Since(start) < clickPatience; time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return path
		}
	}
	entries, _ := os.ReadDir(c.downloads)
	t.Fatalf("%s is not downloaded; there is %v", name, entries)
	return ""
}

// shoot keeps a picture of the page where E2E_SCREENSHOTS names a folder.
func (c *chrome) shoot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("E2E_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{{"wide-light", "light", 1280, 900}, {"wide-dark", "dark", 1280, 900}, {"narrow-light", "light", 390, 844}, {"narrow-dark", "dark", 390, 844}} {
		_, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}},
		})
		must(t, err)
		c.run(t, chromedp.EmulateViewport(look.width, look.height), chromedp.Sleep(200*time.Millisecond))
		picture, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name+"-"+look.name+".png"), picture, 0o644))
	}
	c.run(t, chromedp.EmulateViewport(1280, 900))
}

// The wizard "Connect one device" of the console, from the first click to the
// device's messages on its last page.
func TestConsoleConnectsOneDevice(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)
	c.shoot(t, "home")
	c.visit(t, "Connect one device")
	c.shoot(t, "connect1")
	c.click(t, "localhost")
	c.sees(t, "main code", "ping localhost")
	c.click(t, "Next")
	c.fill(t, "#name", "raspi2")
	c.shoot(t, "connect2")
	c.click(t, "Next")
	c.sees(t, "legend", "Platform and SDK")
	c.shoot(t, "connect3")
	c.click(t, "Next")
	c.sees(t, "li", "raspi2-Policy")
	c.shoot(t, "connect4")
	c.click(t, "Download connection kit")
	kit := c.downloaded(t, "connect_device_package.zip")
	c.click(t, "Next")
	c.listens(t)

	archive, err := zip.OpenReader(kit)
	must(t, err)
	defer archive.Close()
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	slices.Sort(names)
	want := []string{
		"aws-iot-device-sdk-python-v2/samples/pubsub.py", "raspi2-Policy", "raspi2.cert.pem", "raspi2.private.key", "raspi2.public.key",
		"root-CA.crt", "start.sh",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files of the kit (-want +got):\n%s", diff)
	}

	dir := t.TempDir()
	start(t, dir, plainEnv(dir), client(t, "unzip"), kit).succeed(t)
	if script, _ := os.ReadFile(filepath.Join(dir, "start.sh")); !strings.Contains(string(script), "--endpoint localhost --port "+s.Port+" ") {
		t.Errorf("the kit does not connect where the wizard was told:\n%s", script)
	}
	start(t, dir, plainEnv(dir), client(t, "mosquitto_pub"), "-h", "localhost", "-p", s.Port, "--cafile", "root-CA.crt",
		"--cert", "raspi2.cert.pem", "--key", "raspi2.private.key", "-i", "basicPubSub", "-t", "sdk/test/python", "-q", "1", "-m", `"Hello World!  [1]"`).succeed(t)
	c.sees(t, ".messages li", "Hello World!  [1]")
	c.shoot(t, "connect5")
}

// The console's part of the tutorial: a policy, a thing with its certificate, the
// test client, the shadow and its editor.
func TestConsoleTutorial(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)

	c.visit(t, "Settings")
	c.sees(t, "main code", "localhost")
	c.sees(t, "main code", "curl -o root-CA.crt http://"+s.HTTP+"/root-ca.pem")
	c.shoot(t, "settings")

	c.visit(t, "Policies")
	c.click(t, "Create policy")
	c.fill(t, "#name", "everything")
	c.fill(t, `[name=action]`, "iot:*")
	c.fill(t, `[name=resource]`, "*")
	c.shoot(t, "policyform")
	c.click(t, "Create")
	c.sees(t, "pre", `"Action": "iot:*"`)
	c.shoot(t, "policy")

	c.visit(t, "Things")
	c.click(t, "Create thing")
	c.fill(t, "#name", "dummy")
	c.shoot(t, "thingform")
	c.click(t, "Create")
	c.sees(t, "h1", "dummy")
	c.shoot(t, "made")
	id := regexp.MustCompile(`([0-9a-f]{64})-certificate\.pem\.crt`).FindStringSubmatch(c.text(t, "main"))
	if id == nil {
		t.Fatalf("no certificate in\n%s", c.text(t, "main"))
	}
	for _, file := range []string{"-certificate.pem.crt", "-private.pem.key", "-public.pem.key"} {
		c.run(t, chromedp.Click(chromedp.CSS(`[data-save$="`+file+`"]`)))
		c.downloaded(t, id[1]+file)
	}
	c.run(t, chromedp.Click(chromedp.CSS(`a[href="/console/root-ca.pem"]`)))
	c.downloaded(t, "root-ca.pem")

	publish := func(succeeds bool) {
		t.Helper()
		run := start(t, c.downloads, plainEnv(c.downloads), client(t, "mosquitto_pub"), "-h", "localhost", "-p", s.Port, "--cafile", "root-ca.pem",
			"--cert", id[1]+"-certificate.pem.crt", "--key", id[1]+"-private.pem.key", "-i", "dummy", "-t", "data/dummy", "-q", "1", "-m", `{"DEVICE_NAME":"dummy"}`)
		if succeeds {
			run.succeed(t)
			return
		}
		<-run.over
		if run.cmd.ProcessState.Success() {
			t.Error("the device published although it may not yet")
		}
	}
	publish(false) // neither active nor allowed
	c.click(t, "Activate")
	c.sees(t, "#certificate-state button", "Deactivate")
	c.click(t, "Attach policy")
	c.sees(t, "#certificate-state .chips", "everything")

	c.visit(t, "MQTT test client")
	c.fill(t, "#filter", "data/dummy")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-subscribe] button`)))
	c.listens(t)
	publish(true)
	c.sees(t, ".messages li", `"DEVICE_NAME": "dummy"`)
	c.fill(t, "#topic", "data/dummy")
	c.fill(t, "#payload", "<b>bold</b>")
	c.run(t, chromedp.Click(chromedp.CSS(`[data-publish] button`)))
	c.sees(t, ".messages li", "<b>bold</b>")
	c.shoot(t, "mqtt")

	c.visit(t, "Things")
	c.click(t, "dummy")
	c.shoot(t, "thing")
	c.click(t, "Device Shadows")
	c.click(t, "Classic Shadow")
	c.fill(t, "#document", `{"state":{"desired":{"wait_time":10},"reported":{"wait_time":5}},"metadata":{},"version":99}`)
	c.click(t, "Save")
	c.sees(t, "#shadow-document", `"delta"`)
	c.shoot(t, "shadow")
	c.fill(t, "#document", `{"state":{"reported":{"wait_time":10}}}`)
	c.click(t, "Save")
	c.sees(t, "#shadow-document", `"version": 2`)
	if text := c.text(t, "#shadow-document"); strings.Contains(text, "delta") {
		t.Errorf("the delta is still there:\n%s", text)
	}

	c.visit(t, "Rules")
	c.click(t, "Create rule")
	c.fill(t, "#name", "copy")
	c.fill(t, "#sql", "SELECT * FROM 'data/dummy'")
	c.fill(t, "#trytopic", "data/dummy")
	c.click(t, "Try it")
	c.sees(t, "main .status", "It matches")
	c.shoot(t, "ruleform")
	c.choose(t, "#addkind", "Republish to AWS IoT topic")
	c.click(t, "Add rule action")
	c.fill(t, named("action.0.topic"), "copies")
	c.fill(t, named("action.0.newrole"), "copier")
	c.click(t, "Create new role")
	c.holds(t, `document.querySelector('[name="action.0.roleArn"]').value.endsWith(":role/copier")`)
	c.run(t, chromedp.Click(chromedp.CSS(`button[value="create"]`)))
	c.sees(t, "h1", "Rule copy")
	publish(true)
	c.sees(t, ".refusal", "RepublishAction")
	c.shoot(t, "rule")

	c.visit(t, "Why refused")
	c.sees(t, ".refusal", "INACTIVE")
	c.shoot(t, "why")
	c.visit(t, "Certificates")
	c.shoot(t, "certificates")
}
