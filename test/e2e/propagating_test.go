package e2e

import "testing"

// What boto3 says of a thing type reaches, as MQTT 5 user properties, whoever listens
// to its things, and the rules.
func TestPropagatingAttributesEnrichMessages(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp, reader := s.register(t, "lamp", allowAll), s.register(t, "reader", allowAll)
	got := start(t, t.TempDir(), s.awsEnv(t), python(t), script(t, "propagating.py"),
		s.Port, lamp.CA, lamp.Cert, lamp.Key, reader.Cert, reader.Key).succeed(t)
	if got != "done\n" {
		t.Errorf("it printed:\n%s", got)
	}
}
