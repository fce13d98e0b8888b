package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// J2.1 by clicks alone: the endpoint, a policy, a thing with its certificate and
// its files; and with these files a device that connects.
func TestConsoleMakesAThingThatConnects(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)

	c.visit(t, "Settings")
	c.sees(t, "main code", "localhost")

	c.visit(t, "Policies")
	c.sees(t, "main", "There are no policies yet.")
	c.click(t, "Create policy")
	c.fill(t, "#name", "everything")
	c.fill(t, `[name=action]`, "iot:*")
	c.fill(t, `[name=resource]`, "*")
	c.click(t, "JSON")
	c.sees(t, "#document, textarea", "")
	c.holds(t, `document.querySelector("#document")?.value.includes('"Action": "iot:*"')`)
	c.click(t, "Form")
	c.holds(t, `document.querySelector("[name=action]")?.value === "iot:*"`)
	c.click(t, "Create")
	c.sees(t, "pre", `"Action": "iot:*"`)

	c.visit(t, "Thing types")
	c.sees(t, "main", "There are no thing types yet.")
	c.shoot(t, "thingtypes-empty")
	c.click(t, "Create thing type")
	c.fill(t, "#name", "lamp")
	c.fill(t, "#searchable", "color")
	c.shoot(t, "thingtypes-form")
	c.click(t, "Create")
	c.sees(t, "h1", "lamp")
	c.shoot(t, "thingtype")

	c.visit(t, "Things")
	c.click(t, "Create thing")
	c.fill(t, "#name", "dummy")
	c.click(t, "More settings")
	c.fill(t, "#type", "lamp")
	c.fill(t, `[name=key]`, "color")
	c.fill(t, `[name=value]`, "red")
	c.shoot(t, "thingform-more")
	c.click(t, "Create")
	c.sees(t, "h1", "dummy")
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
	c.click(t, "Activate")
	c.sees(t, "#certificate-state button", "Deactivate")
	c.click(t, "Attach policy")
	c.sees(t, "#certificate-state .chips", "everything")

	publish := func(topic, payload string) {
		t.Helper()
		start(t, c.downloads, plainEnv(c.downloads), client(t, "mosquitto_pub"), "-h", "localhost", "-p", s.Port, "--cafile", "root-ca.pem",
			"--cert", id[1]+"-certificate.pem.crt", "--key", id[1]+"-private.pem.key", "-i", "dummy", "-t", topic, "-q", "1", "-m", payload).succeed(t)
	}
	publish("$aws/things/dummy/shadow/update", `{"state":{"reported":{"wait_time":5}},"clientToken":"first"}`)

	c.visit(t, "Things")
	c.shoot(t, "things")
	c.click(t, "dummy")
	c.shoot(t, "thing-attributes")
	for _, tab := range []string{"Certificates", "Groups", "Activity", "Device Shadows"} {
		c.run(t, chromedp.Click(`//nav[@class="tabs"]//a[normalize-space()="`+tab+`"]`), chromedp.WaitVisible(`//nav[@class="tabs"]//a[@aria-current and normalize-space()="`+tab+`"]`))
		c.shoot(t, "thing-"+strings.ToLower(tab))
	}
	c.click(t, "Classic Shadow")
	c.sees(t, "#shadow-document", `"wait_time": 5`)
	c.fill(t, "#document", `{"state":{"desired":{"wait_time":10}}`)
	c.click(t, "Save")
	c.sees(t, ".problem", "Line 1, column 37:")
	c.shoot(t, "shadow-mistake")
	c.fill(t, "#document", `{"state":{"desired":{"wait_time":10},"reported":{"wait_time":5}}}`)
	c.click(t, "Save")
	c.sees(t, "#shadow-document", `"delta"`)
	c.click(t, "History")
	c.sees(t, "main", "What has changed")
	c.sees(t, "ins", `"desired"`)
	publish("$aws/things/dummy/shadow/update", `{"state":{"reported":{"wait_time":10}},"clientToken":"second"}`)
	c.sees(t, "#live th", "3")
	c.run(t, chromedp.Click(`//main//th/a[normalize-space()="3"]`))
	c.sees(t, "main", "second")
	c.shoot(t, "shadow-history")

	c.visit(t, "Policies")
	c.click(t, "Policy simulator")
	c.fill(t, "#thing", "dummy")
	c.run(t, chromedp.SetValue(chromedp.CSS("#action"), "iot:Publish"))
	c.fill(t, "#name", "data/dummy")
	c.shoot(t, "simulator-form")
	c.click(t, "Run")
	c.sees(t, "#decision", "allowed")
	c.shoot(t, "simulator")

	c.visit(t, "Policies")
	c.click(t, "everything")
	c.click(t, "New version")
	c.fill(t, "#document", `{"Version":"2012-10-17","Statement":[{"Sid":"own","Effect":"Allow","Action":["iot:Connect","iot:Publish"],"Resource":"*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}}, {"Effect":"Perhaps"}]}`)
	c.click(t, "Save and put in force")
	c.sees(t, ".problem", "Line 1,")
	c.shoot(t, "policy-mistake")
	c.fill(t, "#document", `{"Version":"2012-10-17","Statement":[{"Sid":"own","Effect":"Allow","Action":["iot:Connect","iot:Publish"],"Resource":"*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}}]}`)
	c.click(t, "Form")
	c.sees(t, "[data-kept]", "IsAttached")
	c.click(t, "Add statement")
	c.shoot(t, "policy-rows")
	c.run(t, chromedp.Click(`(//button[@data-remove-row])[2]`))
	c.click(t, "Save and put in force")
	c.sees(t, "main", "in force")
	c.shoot(t, "policy-versions")
	c.click(t, "Compare")
	c.sees(t, "ins", "IsAttached")
	c.shoot(t, "policy-compare")

	c.visit(t, "Thing groups")
	c.click(t, "Create thing group")
	c.fill(t, "#name", "home")
	c.click(t, "Create")
	c.sees(t, "h1", "home")
	c.fill(t, "#name", "kitchen")
	c.click(t, "Create child group")
	c.sees(t, ".crumbs", "home")
	c.fill(t, "#thing", "dummy")
	c.click(t, "Add")
	c.sees(t, ".chips", "dummy")
	c.fill(t, "#tags [name=key]", "floor")
	c.fill(t, "#tags [name=value]", "1")
	c.click(t, "Save tags")
	c.holds(t, `document.querySelector("#tags [name=key]")?.value === "floor"`)
	c.shoot(t, "thinggroup")
	c.visit(t, "Thing groups")
	c.shoot(t, "thinggroups")
}

// A CA by the commands that the wizard shows, run as they are.
func TestConsoleRegistersACA(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)
	dir := t.TempDir()
	c.visit(t, "Certificate authorities")
	c.sees(t, "main", "No CA is registered.")
	c.click(t, "Register CA")
	c.sees(t, "main pre", "verification.csr")
	c.shoot(t, "authorityform")
	commands := c.answer(t, `[...document.querySelectorAll("main pre code")].map((one) => one.textContent).join("\n")`)
	client(t, "openssl")
	start(t, dir, plainEnv(dir), client(t, "sh"), "-e", "-c", commands).succeed(t)
	for field, file := range map[string]string{"#pem-file": "rootCA.pem", "#proof-file": "verification.pem"} {
		c.run(t, chromedp.SetUploadFiles(chromedp.CSS(field), []string{filepath.Join(dir, file)}))
	}
	c.holds(t, `document.querySelector("#pem").value.includes("BEGIN") && document.querySelector("#proof").value.includes("BEGIN")`)
	c.run(t, chromedp.Click(`//main//form/section[last()]//button[normalize-space()="Register CA"]`))
	c.sees(t, "h1", "My device CA")
	c.sees(t, "h1", "ACTIVE")
	c.shoot(t, "authority")

	request := "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout device.key -out device.csr -subj /CN=mine\n" +
		"openssl req -in device.csr -outform DER -out device.der\n" +
		"openssl x509 -req -in device.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -days 5 -out device.pem"
	start(t, dir, plainEnv(dir), client(t, "sh"), "-e", "-c", request).succeed(t)
	c.visit(t, "Certificates")
	c.shoot(t, "certificates-empty")
	c.click(t, "Other ways…")
	c.shoot(t, "certificateform")
	c.run(t, chromedp.SetUploadFiles(chromedp.CSS("#csr-file"), []string{filepath.Join(dir, "device.der")}))
	c.holds(t, `document.querySelector("#csr").value.includes("BEGIN CERTIFICATE REQUEST")`)
	c.run(t, chromedp.Click(chromedp.CSS(`form[action$="/csr"] button:not([type=button])`)))
	c.sees(t, "dd", "CN=mine")
	c.visit(t, "Certificates")
	c.click(t, "Other ways…")
	c.click(t, "a CA that is registered here")
	c.run(t, chromedp.SetUploadFiles(chromedp.CSS("#pem-file"), []string{filepath.Join(dir, "device.pem")}))
	c.holds(t, `document.querySelector("#pem").value.includes("BEGIN CERTIFICATE")`)
	c.run(t, chromedp.Click(chromedp.CSS(`form[action$="/register"] button`)))
	c.sees(t, "dd", "CN=My device CA")
	c.sees(t, "main .status", "expires soon")
	c.shoot(t, "certificate-registered")
}

// The console's steps of the edge tutorial: a fleet with its role and its
// devices, the alias made with it, its policy, and the device's credentials.
func TestConsoleMakesAnEdgeFleet(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := startChrome(t, s)
	client(t, "curl")
	s.shell(t).run(t, "s3", "mb", "s3://results")

	c.visit(t, "Thing types")
	c.click(t, "Create thing type")
	c.fill(t, "#name", "getting-started-demo")
	c.click(t, "Create")
	c.click(t, "Create thing")
	c.fill(t, "#name", "sample-device")
	c.click(t, "No certificate now")
	c.click(t, "Create")
	c.sees(t, "dd", "getting-started-demo")

	c.visit(t, "Device fleets")
	c.sees(t, "main", "There are no device fleets yet.")
	c.click(t, "Create device fleet")
	c.fill(t, "#name", "demo-device-fleet")
	c.fill(t, "#output", "s3://results/device_output")
	c.fill(t, "#newrole", "edge-role")
	c.shoot(t, "fleetform")
	c.click(t, "Create")
	c.sees(t, "dd", "SageMakerEdge-demo-device-fleet")
	c.fill(t, "#device", "sagemaker-edge-demo-device")
	c.fill(t, "#thing", "sample-device")
	c.click(t, "Register device")
	c.sees(t, "tbody th", "sagemaker-edge-demo-device")
	c.shoot(t, "fleet")
	c.visit(t, "Device fleets")
	c.shoot(t, "fleets")

	c.visit(t, "Certificates")
	c.click(t, "Create certificate")
	c.sees(t, "h1", "Certificate created")
	id := regexp.MustCompile(`([0-9a-f]{64})-certificate\.pem\.crt`).FindStringSubmatch(c.text(t, "main"))[1]
	for _, file := range []string{"-certificate.pem.crt", "-private.pem.key"} {
		c.run(t, chromedp.Click(chromedp.CSS(`[data-save$="`+file+`"]`)))
		c.downloaded(t, id+file)
	}
	c.click(t, "Activate")
	c.sees(t, "#certificate-state button", "Deactivate")

	c.visit(t, "Role aliases")
	c.shoot(t, "rolealiases")
	c.click(t, "SageMakerEdge-demo-device-fleet")
	c.sees(t, "main pre", "/credentials")
	c.shoot(t, "rolealias")
	command := c.answer(t, `[...document.querySelectorAll("main pre code")].at(-1).textContent`)
	c.click(t, "Create policy")
	c.fill(t, "#name", "aliaspolicy")
	c.click(t, "Create")
	c.sees(t, "pre", "iot:AssumeRoleWithCertificate")
	c.fill(t, "#target", id)
	c.run(t, chromedp.Click(chromedp.CSS(`form:has(#target) button`)))
	c.sees(t, ".chips", id[:12])
	c.shoot(t, "policy-attached")

	s.file(t, c.downloads, "root-ca.pem")
	command = strings.NewReplacer("device.pem.crt", id+"-certificate.pem.crt", "private.pem.key", id+"-private.pem.key").Replace(command)
	got := start(t, c.downloads, plainEnv(c.downloads), client(t, "sh"), "-c", command+" --silent").succeed(t)
	if !strings.Contains(got, `"sessionToken"`) {
		t.Errorf("%s gives\n%s", command, got)
	}

	c.visit(t, "Roles")
	c.shoot(t, "roles")
	c.click(t, "edge-role")
	c.sees(t, "summary", "fleet")
	c.shoot(t, "role")
	c.visit(t, "Users and access keys")
	c.click(t, "Create user")
	c.fill(t, "#name", "ann")
	c.click(t, "Create")
	c.sees(t, "h1", "ann")
	c.run(t, chromedp.SetValue(chromedp.CSS("#arn"), "arn:aws:iam::aws:policy/ReadOnlyAccess"))
	c.click(t, "Attach policy")
	c.sees(t, ".chips", "ReadOnlyAccess")
	c.click(t, "Create access key")
	c.sees(t, "h1", "Access key created")
	c.shoot(t, "accesskey")
	c.click(t, "Download")
	c.downloaded(t, "credentials")
	c.click(t, "Next")
	c.sees(t, "main li", "AKIA")
	c.shoot(t, "user")
}

// file puts the server's root certificate beside what was downloaded.
func (s *server) file(t *testing.T, dir, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Data, name))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
}
