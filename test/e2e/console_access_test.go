package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Every page that a link leads to is usable by everybody: axe-core finds no
// serious fault in it, light or dark, on a phone nothing has to be scrolled
// sideways, and its words have their arguments.
func TestConsoleIsAccessible(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	furnish(t, s)
	c := startChrome(t, s)
	axe, err := os.ReadFile(installed(t, "node/node_modules/axe-core/axe.min.js"))
	must(t, err)

	seen := 0
	for _, path := range c.pages(t) {
		seen++
		c.run(t, chromedp.Navigate("http://"+s.HTTP+path), chromedp.WaitVisible(chromedp.CSS("#nav, main")))
		for _, scheme := range []string{"light", "dark"} {
			c.prefer(t, scheme)
			for _, fault := range c.faults(t, string(axe)) {
				t.Errorf("%s, %s: %s", path, scheme, fault)
			}
		}
		if text := c.text(t, "body"); strings.Contains(text, "%!") {
			t.Errorf("%s says something with the wrong arguments:\n%s", path, text)
		}
		c.run(t, chromedp.EmulateViewport(390, 844))
		if wide := c.tooWide(t); wide != "" {
			t.Errorf("%s is wider than a phone: %s", path, wide)
		}
		c.run(t, chromedp.EmulateViewport(1280, 900))
		c.shoot(t, "page"+strings.ReplaceAll(strings.TrimSuffix(path, "/"), "/", "-"))
	}
	t.Logf("%d pages", seen)
	if seen < 15 {
		t.Errorf("%d pages are linked, want at least 15", seen)
	}
}

// furnish gives the pages something to show.
func furnish(t *testing.T, s *server) {
	t.Helper()
	ctx, api := t.Context(), s.controlPlane(t)
	for name, document := range map[string]string{"lamp": allowAll, "stranger": ""} {
		d := s.register(t, name, document)
		mosquittoPub(t, s, d, "-i", name, "-t", "data/"+name, "-q", "1", "-m", "{}").wait(t)
	}
	_, err := s.dataPlane(t).UpdateThingShadow(ctx, &iotdataplane.UpdateThingShadowInput{
		ThingName: aws.String("lamp"), Payload: []byte(`{"state":{"desired":{"on":true},"reported":{"on":false}}}`),
	})
	must(t, err)
	_, err = api.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("bulb")})
	must(t, err)
	_, err = api.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: aws.String("kitchen")})
	must(t, err)
	_, err = api.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingGroupName: aws.String("kitchen"), ThingName: aws.String("lamp")})
	must(t, err)
	_, err = api.CreateBillingGroup(ctx, &iot.CreateBillingGroupInput{BillingGroupName: aws.String("home")})
	must(t, err)
	_, err = api.CreateTopicRule(ctx, &iot.CreateTopicRuleInput{RuleName: aws.String("copy"), TopicRulePayload: &types.TopicRulePayload{
		Sql: aws.String("SELECT * FROM 'data/#'"),
		Actions: []types.Action{{Republish: &types.RepublishAction{
			RoleArn: aws.String("arn:aws:iam::000000000000:role/copier"), Topic: aws.String("copies"),
		}}},
	}})
	must(t, err)
	sh := s.shell(t)
	sh.run(t, "s3", "mb", "s3://photos")
	furnishFleet(t, sh)
	s.thingd(t, "integration", "create", "--name", "mirror", "--host", "127.0.0.1", "--port", "1", "--no-tls", "--prefix", "a").succeed(t)
}

// furnishFleet makes a device fleet with a plan to deploy a model.
func furnishFleet(t *testing.T, sh shell) {
	t.Helper()
	const role = "arn:aws:iam::000000000000:role/cameras"
	edge := func(args ...string) { sh.run(t, append([]string{"sagemaker"}, args...)...) }
	edge("create-device-fleet", "--device-fleet-name", "cameras", "--role-arn", role, "--output-config", "S3OutputLocation=s3://photos/out")
	edge("register-devices", "--device-fleet-name", "cameras", "--devices", "DeviceName=cam,IotThingName=lamp")
	edge("create-edge-packaging-job", "--edge-packaging-job-name", "pack", "--compilation-job-name", "none", "--model-name", "eye",
		"--model-version", "1.0", "--role-arn", role, "--output-config", "S3OutputLocation=s3://photos/models")
	edge("create-edge-deployment-plan", "--edge-deployment-plan-name", "rollout", "--device-fleet-name", "cameras",
		"--model-configs", "ModelHandle=eye,EdgePackagingJobName=pack",
		"--stages", "StageName=first,DeviceSelectionConfig={DeviceSubsetType=PERCENTAGE,Percentage=100}")
}

// pages lists the paths of the console's pages, found link by link.
func (c *chrome) pages(t *testing.T) []string {
	t.Helper()
	const pagesMax = 100
	found := []string{"/console/"}
	for i := 0; i < len(found) && len(found) < pagesMax; i++ {
		c.run(t, chromedp.Navigate("http://"+c.server.HTTP+found[i]), chromedp.WaitReady(chromedp.CSS("main")))
		for _, path := range c.links(t) {
			if !slices.ContainsFunc(found, func(have string) bool { return samePage(have, path) }) {
				found = append(found, path)
			}
		}
	}
	return found
}

// samePage tells whether two links differ only in what follows the path, as the
// pages of a list do.
func samePage(a, b string) bool {
	pathA, _, _ := strings.Cut(a, "?")
	pathB, _, _ := strings.Cut(b, "?")
	return pathA == pathB
}

// links gives the console's own links on a page that lead to pages.
func (c *chrome) links(t *testing.T) []string {
	t.Helper()
	var paths []string
	text := c.answer(t, `JSON.stringify([...document.querySelectorAll("a[href^='/console/']:not([download])")].map((a) => a.getAttribute("href").split("#")[0]))`)
	must(t, json.Unmarshal([]byte(text), &paths))
	return slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, ".pem") })
}

// answer evaluates an expression that gives text.
func (c *chrome) answer(t *testing.T, expression string) string {
	t.Helper()
	text, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](expression))
	must(t, err)
	return text
}

// prefer chooses light or dark, and no motion: half-way between two colors there
// is no contrast to measure.
func (c *chrome) prefer(t *testing.T, scheme string) {
	t.Helper()
	_, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	must(t, err)
}

// faults are what axe-core calls serious or critical on the page that is open.
func (c *chrome) faults(t *testing.T, axe string) []string {
	t.Helper()
	_, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](axe+"\n;true"))
	must(t, err)
	_, err = chromedp.Run(c.ctx, chromedp.Evaluate[bool](`window.axeResult = undefined; axe.run(document, {resultTypes: ["violations"]}).then((r) => {
		window.axeResult = JSON.stringify(r.violations.filter((v) => ["serious", "critical"].includes(v.impact))
			.map((v) => v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")));
	}); true`))
	must(t, err)
	c.holds(t, `window.axeResult !== undefined`)
	var found []string
	must(t, json.Unmarshal([]byte(c.answer(t, `window.axeResult`)), &found))
	return found
}

// tooWide names what makes the page wider than the window, if anything does.
func (c *chrome) tooWide(t *testing.T) string {
	t.Helper()
	return c.answer(t, `(() => {
		const width = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= width) return "";
		const wide = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > width + 1);
		return document.documentElement.scrollWidth + " pixels; " + (wide.at(-1)?.outerHTML.slice(0, 160) ?? "");
	})()`)
}

// What a page shows changes while somebody works on it with the keyboard: the
// focus stays where it is.
func TestConsoleKeepsTheFocusWhileAPageChanges(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)
	c.holds(t, `(() => {
		const link = document.querySelector("#live a[href='/console/why']");
		link.focus();
		window.swaps = 0;
		document.addEventListener("htmx:after:swap", () => { window.swaps++; });
		return document.activeElement === link;
	})()`)
	c.holds(t, `window.swaps >= 2`)
	c.holds(t, `document.activeElement.matches("#live a[href='/console/why']")`)
}
