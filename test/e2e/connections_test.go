package e2e

import "testing"

// The three newer operations on connections, and DeleteConnection, by boto3: whole
// answers, pages and errors.
func TestBoto3LooksAtConnections(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:*","Resource":"*"},
		{"Effect":"Deny","Action":"iot:Receive","Resource":"arn:aws:iot:*:*:topic/secret"}]}`)
	got := start(t, t.TempDir(), s.awsEnv(t), python(t), script(t, "connections.py"), s.Port, lamp.CA, lamp.Cert, lamp.Key).succeed(t)
	if got != "done\n" {
		t.Errorf("it printed:\n%s", got)
	}
}
