package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestEdgeFleetComesByCredentialsAndUploads is the whole way of a SageMaker Edge
// device: fleet, certificate, role alias, credentials, S3, models; and every way
// to be refused on it.
func TestEdgeFleetComesByCredentialsAndUploads(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client(t, "curl")
	dir := t.TempDir()

	got := start(t, dir, s.awsEnv(t), python(t), script(t, "edge_fleet.py"), filepath.Join(s.Data, "root-ca.pem")).succeed(t)
	certificate, _, _ := strings.Cut(got, "\n")
	if want := certificate + "\ndone\n"; got != want || len(certificate) != 64 {
		t.Errorf("it printed:\n%s", got)
	}

	t.Run("and thingd why tells the operator each reason", func(t *testing.T) {
		got := strings.Join(strings.Fields(s.thingd(t, "why", "--principal", certificate, "-n", "50").succeed(t)), " ")
		for _, part := range []string{
			"a thing that its certificate is not attached to", `the request says that the device is thing "sample-device"`,
			"no policy is attached, so nothing allows iot:AssumeRoleWithCertificate on arn:aws:iot:",
			"the role alias does not exist", ":rolealias/no-alias",
			"the trust policy of role edge-demo-role does not let credentials.iot.amazonaws.com do sts:AssumeRole",
			"registered but INACTIVE",
		} {
			if !strings.Contains(got, part) {
				t.Errorf("`thingd why` does not say %q; it printed:\n%s", part, got)
			}
		}
	})
}
