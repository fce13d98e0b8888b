package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shell is somebody at a terminal who has evaluated `thingd env` and types aws
// commands.
type shell struct {
	aws, dir string
	env      []string
}

func (s *server) shell(t *testing.T) shell {
	t.Helper()
	return shell{aws: installed(t, "venv/bin/aws"), dir: t.TempDir(), env: s.awsEnv(t)}
}

// run gives the text that an aws command prints.
func (sh shell) run(t *testing.T, args ...string) string {
	t.Helper()
	return start(t, sh.dir, sh.env, sh.aws, args...).succeed(t)
}

// get decodes the JSON that an aws command prints.
func (sh shell) get(t *testing.T, args ...string) map[string]any {
	t.Helper()
	text := sh.run(t, args...)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("aws %s printed no JSON: %v\n%s", strings.Join(args, " "), err, text)
	}
	return answer
}

// query gives one value out of the answer, chosen by the CLI itself.
func (sh shell) query(t *testing.T, path string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(sh.run(t, append(args, "--query", path, "--output", "text")...))
}

func TestAWSCLIRegistersADeviceAndTakesItApart(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sh := s.shell(t)

	account := sh.query(t, "Account", "sts", "get-caller-identity")
	if len(account) != 12 {
		t.Errorf("account %q, want 12 digits", account)
	}
	endpoint := sh.get(t, "iot", "describe-endpoint", "--endpoint-type", "iot:Data-ATS")
	if diff := cmp.Diff(map[string]any{"endpointAddress": "localhost"}, endpoint); diff != "" {
		t.Errorf("describe-endpoint (-want +got):\n%s", diff)
	}

	arn := cliRegister(t, sh)
	lamp := device{
		Name: "cli-lamp", Dir: sh.dir, CA: filepath.Join(s.Data, "root-ca.pem"),
		Cert: filepath.Join(sh.dir, "cert.pem"), Key: filepath.Join(sh.dir, "private.key"),
	}
	cliLists(t, sh, arn)

	sub := mosquittoSub(t, s, lamp, "-t", "data/cli-lamp", "-q", "1", "-C", "1")
	sh.run(t, "iot-data", "publish", "--topic", "data/cli-lamp", "--qos", "1", "--payload", `{"on":true}`)
	sub.succeed(t)
	sub.expect(t, "\ndata/cli-lamp|1|0|{\"on\":true}\n")

	cliTakeApart(t, sh, arn, lamp, s)
}

// cliRegister creates what a device needs, with the files written by the CLI,
// and gives the certificate's ARN.
func cliRegister(t *testing.T, sh shell) string {
	t.Helper()
	sh.run(t, "iot", "create-thing-type", "--thing-type-name", "lamp")
	sh.run(t, "iot", "create-thing", "--thing-name", "cli-lamp", "--thing-type-name", "lamp", "--attribute-payload", `{"attributes":{"color":"blue"}}`)
	arn := sh.query(t, "certificateArn", "iot", "create-keys-and-certificate", "--set-as-active", "--certificate-pem-outfile", "cert.pem",
		"--public-key-outfile", "public.key", "--private-key-outfile", "private.key")
	sh.run(t, "iot", "create-policy", "--policy-name", "cli-policy", "--policy-document", allowAll)
	sh.run(t, "iot", "attach-policy", "--policy-name", "cli-policy", "--target", arn)
	sh.run(t, "iot", "attach-thing-principal", "--thing-name", "cli-lamp", "--principal", arn)
	return arn
}

func cliLists(t *testing.T, sh shell, arn string) {
	t.Helper()
	tests := []struct {
		name, path, want string
		args             []string
	}{
		{"things", "things[].thingName", "cli-lamp", []string{"list-things", "--thing-type-name", "lamp"}},
		{"things by attribute", "things[].thingName", "cli-lamp", []string{"list-things", "--attribute-name", "color", "--attribute-value", "blue"}},
		{"thing types", "thingTypes[].thingTypeName", "lamp", []string{"list-thing-types"}},
		{"certificates", "certificates[].[certificateArn,status]", arn + "\tACTIVE", []string{"list-certificates"}},
		{"policies of the certificate", "policies[].policyName", "cli-policy", []string{"list-attached-policies", "--target", arn}},
		{"targets of the policy", "targets[]", arn, []string{"list-targets-for-policy", "--policy-name", "cli-policy"}},
		{"principals of the thing", "principals[]", arn, []string{"list-thing-principals", "--thing-name", "cli-lamp"}},
		{"things of the principal", "things[]", "cli-lamp", []string{"list-principal-things", "--principal", arn}},
	}
	for _, test := range tests {
		if got := sh.query(t, test.path, append([]string{"iot"}, test.args...)...); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func cliTakeApart(t *testing.T, sh shell, arn string, lamp device, s *server) {
	t.Helper()
	id := arn[strings.LastIndex(arn, "/")+1:]
	sh.run(t, "iot", "update-certificate", "--certificate-id", id, "--new-status", "INACTIVE")
	mosquittoPub(t, s, lamp, "-t", "data/cli-lamp", "-m", "not any more").fail(t)
	sh.run(t, "iot", "detach-policy", "--policy-name", "cli-policy", "--target", arn)
	sh.run(t, "iot", "detach-thing-principal", "--thing-name", "cli-lamp", "--principal", arn)
	sh.run(t, "iot", "delete-certificate", "--certificate-id", id)
	sh.run(t, "iot", "delete-policy", "--policy-name", "cli-policy")
	sh.run(t, "iot", "delete-thing", "--thing-name", "cli-lamp")
	for _, list := range [][]string{{"list-things", "things"}, {"list-certificates", "certificates"}, {"list-policies", "policies"}} {
		if got := sh.get(t, "iot", list[0]); len(got[list[1]].([]any)) != 0 {
			t.Errorf("%s after everything was deleted: %v", list[0], got)
		}
	}
}
