package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// fleetTemplate is what AWS's guide has for devices with a claim certificate.
const fleetTemplate = `{"Parameters":{"SerialNumber":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Mappings":{"Places":{"here":{"Url":"https://example.net"}}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Join":["-",["dev",{"Ref":"SerialNumber"}]]}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"Active"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":{"Version":"2012-10-17","Statement":[
   {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"}]}}}},
 "DeviceConfiguration":{"Url":{"Fn::FindInMap":["Places","here","Url"]}}}`

// claimPolicy is what AWS's guide has for claim certificates.
const claimPolicy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
 {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":[
  "arn:aws:iot:us-east-1:000000000000:topic/$aws/certificates/create/*","arn:aws:iot:us-east-1:000000000000:topic/$aws/certificates/create-from-csr/*",
  "arn:aws:iot:us-east-1:000000000000:topic/$aws/provisioning-templates/fleet/provision/*"]},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":[
  "arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/certificates/create/*","arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/certificates/create-from-csr/*",
  "arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/provisioning-templates/fleet/provision/*"]}]}`

// createTemplate makes the enabled template "fleet".
func (s *server) createTemplate(t *testing.T, body string, kind types.TemplateType) {
	t.Helper()
	name, role := "fleet", "arn:aws:iam::000000000000:role/provisioning"
	_, err := s.controlPlane(t).CreateProvisioningTemplate(t.Context(), &iot.CreateProvisioningTemplateInput{
		TemplateName: &name, TemplateBody: &body, ProvisioningRoleArn: &role, Enabled: aws.Bool(true), Type: kind})
	must(t, err)
}

// fleetProvisioning runs the device's program with a claim.
func (s *server) fleetProvisioning(t *testing.T, claim device, serial string, more ...string) string {
	t.Helper()
	args := append([]string{script(t, "fleet_provisioning.py"), "--endpoint", "localhost", "--port", s.Port, "--ca_file", claim.CA,
		"--cert", claim.Cert, "--key", claim.Key, "--template", "fleet", "--serial", serial}, more...)
	return start(t, claim.Dir, plainEnv(claim.Dir), python(t), args...).succeed(t)
}

func provisionedAs(serial string) string {
	return lines("certificate 64",
		"refused 400 InvalidParameters Parameters without a value: SerialNumber",
		"thing dev-"+serial+` {"Url": "https://example.net"}`,
		"connected as dev-"+serial)
}

func TestFleetProvisioningWithTheDeviceSDK(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.createTemplate(t, fleetTemplate, types.TemplateTypeFleetProvisioning)
	claim := s.register(t, "claim", claimPolicy)

	for _, version := range []string{"3", "5"} {
		t.Run("keys from the server, MQTT "+version, func(t *testing.T) {
			serial := "A" + version
			if got, want := s.fleetProvisioning(t, claim, serial, "--mqtt", version), provisionedAs(serial); got != want {
				t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
			}
		})
		t.Run("a key of its own, MQTT "+version, func(t *testing.T) {
			serial := "B" + version
			request, key := writeRequest(t)
			if got, want := s.fleetProvisioning(t, claim, serial, "--mqtt", version, "--csr", request, "--csr_key", key), provisionedAs(serial); got != want {
				t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
	t.Run("a claim of a trusted user", func(t *testing.T) {
		name := "fleet"
		made, err := s.controlPlane(t).CreateProvisioningClaim(t.Context(), &iot.CreateProvisioningClaimInput{TemplateName: &name})
		must(t, err)
		short := s.download(t, *made.CertificatePem, *made.KeyPair.PrivateKey)
		if got, want := s.fleetProvisioning(t, short, "C1"), provisionedAs("C1"); got != want {
			t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
		}
	})
}

// writeRequest makes a key and a signing request for it, as files.
func writeRequest(t *testing.T) (request, key string) {
	t.Helper()
	dir := t.TempDir()
	request, key = filepath.Join(dir, "device.csr"), filepath.Join(dir, "device.key")
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "device"}}, k)
	must(t, err)
	must(t, os.WriteFile(request, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o600))
	der, err = x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return request, key
}

func TestSecureElementsComeInByTheRegistrationHelper(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	boards := filepath.Join(t.TempDir(), "boards")
	s.thingd(t, "simulate", "element", boards, "--count", "3").succeed(t)
	manifest := filepath.Join(boards, "manifest.json")

	helper := func() string {
		return start(t, boards, s.awsEnv(t), python(t), script(t, "register_board.py"), manifest).succeed(t)
	}
	first := "AWS CLI configured for IoT endpoint: localhost\nCreated policy Kit_Policy\nNumber of certificates: 3\n" +
		strings.Repeat("MANIFEST_IMPORT SUCCESS cert thing\n", 3) + "Manifest was loaded successfully\n"
	if got := helper(); got != first {
		t.Errorf("it printed:\n%s\nwant:\n%s", got, first)
	}
	again := "AWS CLI configured for IoT endpoint: localhost\nNumber of certificates: 3\n" +
		strings.Repeat("Exception occurred ResourceAlreadyExistsException\n", 3) + "Manifest was loaded successfully\n"
	if got := helper(); got != again {
		t.Errorf("the second time it printed:\n%s\nwant:\n%s", got, again)
	}
	s.expectHello(t, boards)

	// The same by the command, which finds all there.
	got := s.thingd(t, "provision", "manifest", "--signer", filepath.Join(boards, "manifest-signer.crt"), "--policy", "Kit_Policy", manifest).succeed(t)
	if got != "0 registered, 3 already there, 0 failed\n" {
		t.Errorf("provision manifest printed:\n%s", got)
	}
}

// expectHello lets the boards of a folder publish and listens to one.
func (s *server) expectHello(t *testing.T, boards string) {
	t.Helper()
	keys, err := filepath.Glob(filepath.Join(boards, "*.key"))
	must(t, err)
	serial := strings.TrimSuffix(filepath.Base(keys[0]), ".key")
	listener := s.thingd(t, "sub", serial+"/#", "-n", "2")
	board := s.thingd(t, "simulate", "element", boards, "--connect", "--interval", "200ms")
	board.expect(t, serial+" connected")
	heard := listener.succeed(t)
	for _, qos := range []string{"QOS0", "QOS1"} {
		if !strings.Contains(heard, fmt.Sprintf("%s/ Hello from AWS IoT Kit (%s) : ", serial, qos)) {
			t.Errorf("nothing with %s was heard:\n%s", qos, heard)
		}
	}
	s.thingd(t, "pub", serial+"/blink", "x").succeed(t)
	board.expect(t, serial+" switches its light")

	// The policy's variable is the thing's name to the letter.
	element := device{Dir: boards, CA: filepath.Join(s.Data, "root-ca.pem"), Cert: filepath.Join(boards, serial+".crt"), Key: keys[0]}
	mosquittoPub(t, s, element, "-i", strings.ToLower(serial), "-q", "1", "-t", strings.ToLower(serial)+"/", "-m", "x").fail(t)
}

func TestManifestCommandRegistersAndReports(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	ctx, api := t.Context(), s.controlPlane(t)
	name, document := "boards", allowAll
	_, err := api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
	must(t, err)
	boards := filepath.Join(t.TempDir(), "boards")
	s.thingd(t, "simulate", "element", boards, "--count", "5").succeed(t)
	manifest, signer := filepath.Join(boards, "manifest.json"), filepath.Join(boards, "manifest-signer.crt")

	text, err := os.ReadFile(manifest)
	must(t, err)
	must(t, os.WriteFile(manifest, []byte(strings.Replace(string(text), `"uniqueId":"0123`, `"uniqueId":"9999`, 1)), 0o600))
	outcome := filepath.Join(boards, "report.ndjson")
	run := func() *program {
		return s.thingd(t, "provision", "manifest", "--signer", signer, "--policy", "boards", "--report", outcome, manifest)
	}
	first := run()
	if out := first.fail(t); !strings.Contains(out, "4 registered, 0 already there, 1 failed\n") || !strings.Contains(out, "the header says uniqueId") {
		t.Errorf("it printed:\n%s", out)
	}
	report, err := os.ReadFile(outcome)
	must(t, err)
	if n := strings.Count(string(report), `"result":"registered"`); n != 4 || strings.Count(string(report), "\n") != 5 {
		t.Errorf("the report is:\n%s", report)
	}
	if out := run().fail(t); !strings.Contains(out, "0 registered, 4 already there, 1 failed\n") {
		t.Errorf("the second time it printed:\n%s", out)
	}
}

// TestManifestCommandSitsOutACrash: the server goes on with an import where it was,
// and so does the command that watches it. The same manifest again changes nothing.
func TestManifestCommandSitsOutACrash(t *testing.T) {
	t.Parallel()
	const n = 5000
	s := startServer(t)
	boards := filepath.Join(t.TempDir(), "boards")
	s.thingd(t, "simulate", "element", boards, "--count", strconv.Itoa(n)).succeed(t)
	manifest, signer := filepath.Join(boards, "manifest.json"), filepath.Join(boards, "manifest-signer.crt")
	run := func() *program { return s.thingd(t, "provision", "manifest", "--signer", signer, manifest) }
	watch := run()
	says := func(part string) bool { return watch.stderr.await(containing(part), patience, watch.over) }
	if !says(" a second\n") && watch.ended() {
		watch.succeed(t)
		t.Skip("the import was over before the server could be killed")
	}
	s.kill()
	if !says("the server does not answer; it goes on when it is back\n") {
		t.Fatalf("it does not wait for the server:\n%s", watch.output())
	}
	s.start(t)
	// What was made and not noted before the crash is there already after it.
	var made, unchanged, failed int
	_, err := fmt.Sscanf(ending(watch.succeed(t)), "%d registered, %d already there, %d failed", &made, &unchanged, &failed)
	if err != nil || made+unchanged != n || failed != 0 {
		t.Errorf("%d were registered, %d there, %d failed, error %v", made, unchanged, failed, err)
	}
	if out, want := ending(run().succeed(t)), fmt.Sprint("0 registered, ", n, " already there, 0 failed"); out != want {
		t.Errorf("the second time it printed %q, want %q", out, want)
	}
}

func ending(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func TestRegistrationTaskReadsAndReportsInS3(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	request, _ := writeRequest(t)
	got := start(t, t.TempDir(), s.awsEnv(t), python(t), script(t, "registration_task.py"), request).succeed(t)
	if want := lines("Completed 30 2 100", "RESULTS 30", "ERRORS [31, 32]", "30 things", `{"lot": "7"}`, `{"lot": "7", "site": "osaka"}`,
		"['certificate', 'thing'] {'lot': '7'}",
		"An error occurred (ResourceRegistrationFailureException) when calling the RegisterThing operation: Parameter CSR has no value"); got != want {
		t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
	}
}

// firstConnectTemplate provisions whoever the CA vouches for.
const firstConnectTemplate = `{"Parameters":{"AWS::IoT::Certificate::CommonName":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"AWS::IoT::Certificate::CommonName"}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":` + allowAll + `}}}}`

func TestDeviceOfARegisteredCAIsWelcomeAtItsSecondTry(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	ctx, api := t.Context(), s.controlPlane(t)
	s.createTemplate(t, firstConnectTemplate, types.TemplateTypeJitp)
	ca := newCA(t)
	code, err := api.GetRegistrationCode(ctx, &iot.GetRegistrationCodeInput{})
	must(t, err)
	proof, _ := ca.issue(t, *code.RegistrationCode)
	_, err = api.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{
		CaCertificate: aws.String(ca.pem), VerificationCertificate: &proof, SetAsActive: true, AllowAutoRegistration: true,
		RegistrationConfig: &types.RegistrationConfig{TemplateName: aws.String("fleet")}})
	must(t, err)
	certificate, key := ca.issue(t, "lamp-7")
	lamp := s.download(t, certificate, key)

	publish := func() *program { return mosquittoPub(t, s, lamp, "-i", "lamp-7", "-q", "1", "-t", "t", "-m", "x") }
	publish().fail(t)
	publish().succeed(t)
	thing, err := api.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: aws.String("lamp-7")})
	must(t, err)
	if *thing.ThingName != "lamp-7" {
		t.Errorf("the thing is %s", *thing.ThingName)
	}
}

// TestDeviceOfARegisteredCAWaitsForItsActivation is just-in-time registration:
// whoever listens hears of the newcomer, prepares it and lets it in.
func TestDeviceOfARegisteredCAWaitsForItsActivation(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	ctx, api := t.Context(), s.controlPlane(t)
	ca := newCA(t)
	made, err := api.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{
		CaCertificate: aws.String(ca.pem), CertificateMode: types.CertificateModeSniOnly, SetAsActive: true})
	must(t, err)
	certificate, key := ca.issue(t, "lamp-7")
	lamp := s.download(t, certificate, key)
	publish := func() *program { return mosquittoPub(t, s, lamp, "-i", "lamp-7", "-q", "1", "-t", "t", "-m", "x") }
	registered := func() []types.Certificate {
		t.Helper()
		all, err := api.ListCertificatesByCA(ctx, &iot.ListCertificatesByCAInput{CaCertificateId: made.CertificateId})
		must(t, err)
		return all.Certificates
	}
	publish().fail(t) // the CA does not let newcomers register themselves yet
	if all := registered(); len(all) != 0 {
		t.Errorf("without auto-registration there is %v", all)
	}

	_, err = api.UpdateCACertificate(ctx, &iot.UpdateCACertificateInput{CertificateId: made.CertificateId, NewAutoRegistrationStatus: types.AutoRegistrationStatusEnable})
	must(t, err)
	listener := mosquittoSub(t, s, s.register(t, "watcher", allowAll), "-t", "$aws/events/certificates/registered/"+*made.CertificateId, "-C", "2")
	for range 2 {
		publish().fail(t)
	}
	all := registered()
	if len(all) != 1 || all[0].Status != types.CertificateStatusPendingActivation {
		t.Fatalf("after two tries there is %v", all)
	}
	heard := listener.succeed(t)
	for _, part := range []string{`"certificateId":"` + *all[0].CertificateId + `"`, `"caCertificateId":"` + *made.CertificateId + `"`,
		`"certificateStatus":"PENDING_ACTIVATION"`, `"awsAccountId":"000000000000"`} {
		if strings.Count(heard, part) != 2 {
			t.Errorf("the events do not say %s twice:\n%s", part, heard)
		}
	}
	for _, part := range []string{`"certificateRegistrationTimestamp":null`, `"certificateRegistrationTimestamp":"1`} { // the first try, the second
		if strings.Count(heard, part) != 1 {
			t.Errorf("the events do not say %s once:\n%s", part, heard)
		}
	}

	policy, document := "lamps", allowAll
	_, err = api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &policy, PolicyDocument: &document})
	must(t, err)
	_, err = api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &policy, Target: all[0].CertificateArn})
	must(t, err)
	_, err = api.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: all[0].CertificateId, NewStatus: types.CertificateStatusActive})
	must(t, err)
	publish().succeed(t)
}

// fleetCA is somebody's own certificate authority.
type fleetCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newCA(t *testing.T) *fleetCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := &fleetCA{key: key, cert: &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Fleet CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}}
	der, err := x509.CreateCertificate(rand.Reader, ca.cert, ca.cert, key.Public(), key)
	must(t, err)
	ca.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return ca
}

// issue makes a certificate and its key, in PEM.
func (ca *fleetCA) issue(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, k.Public(), ca.key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestProvisioningTemplatesAreKeptInVersions(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	ctx, api := t.Context(), s.controlPlane(t)
	s.createTemplate(t, fleetTemplate, "")
	name, body := aws.String("fleet"), aws.String(`{"Resources":{}}`)

	second, err := api.CreateProvisioningTemplateVersion(ctx, &iot.CreateProvisioningTemplateVersionInput{TemplateName: name, TemplateBody: body, SetAsDefault: true})
	must(t, err)
	_, err = api.UpdateProvisioningTemplate(ctx, &iot.UpdateProvisioningTemplateInput{TemplateName: name, Enabled: aws.Bool(false), Description: aws.String("lamps"),
		PreProvisioningHook: &types.ProvisioningHook{TargetArn: aws.String("arn:aws:lambda:us-east-1:000000000000:function:f")}})
	must(t, err)
	got, err := api.DescribeProvisioningTemplate(ctx, &iot.DescribeProvisioningTemplateInput{TemplateName: name})
	must(t, err)
	if *got.TemplateBody != *body || *got.DefaultVersionId != 2 || *got.Enabled || *got.Description != "lamps" ||
		got.Type != types.TemplateTypeFleetProvisioning || *got.PreProvisioningHook.PayloadVersion != "2020-04-01" ||
		*got.TemplateArn != "arn:aws:iot:us-east-1:000000000000:provisioningtemplate/fleet" {
		t.Errorf("the template is %+v", got)
	}
	versions, err := api.ListProvisioningTemplateVersions(ctx, &iot.ListProvisioningTemplateVersionsInput{TemplateName: name})
	must(t, err)
	if v := versions.Versions; len(v) != 2 || *v[0].VersionId != 1 || v[0].IsDefaultVersion || !v[1].IsDefaultVersion || *second.VersionId != 2 {
		t.Errorf("its versions are %+v", v)
	}
	first, err := api.DescribeProvisioningTemplateVersion(ctx, &iot.DescribeProvisioningTemplateVersionInput{TemplateName: name, VersionId: aws.Int32(1)})
	must(t, err)
	if *first.TemplateBody != fleetTemplate {
		t.Errorf("the first body is %s", *first.TemplateBody)
	}
	_, err = api.DeleteProvisioningTemplateVersion(ctx, &iot.DeleteProvisioningTemplateVersionInput{TemplateName: name, VersionId: aws.Int32(1)})
	must(t, err)
	_, err = api.TagResource(ctx, &iot.TagResourceInput{ResourceArn: got.TemplateArn, Tags: []types.Tag{{Key: aws.String("site"), Value: aws.String("hq")}}})
	must(t, err)
	templates, err := api.ListProvisioningTemplates(ctx, &iot.ListProvisioningTemplatesInput{})
	must(t, err)
	if len(templates.Templates) != 1 || *templates.Templates[0].TemplateName != "fleet" {
		t.Errorf("the templates are %+v", templates.Templates)
	}
	_, err = api.DeleteProvisioningTemplate(ctx, &iot.DeleteProvisioningTemplateInput{TemplateName: name})
	must(t, err)
	_, err = api.DescribeProvisioningTemplate(ctx, &iot.DescribeProvisioningTemplateInput{TemplateName: name})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("after its end it is told as %v", err)
	}
}
