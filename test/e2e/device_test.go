package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// allowAll is the policy of the tutorials.
const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// device is a registered thing with the files its owner has downloaded.
type device struct {
	Name           string // of the thing, and client ID
	CertificateARN string
	PolicyName     string
	Dir            string // holds the files
	CA, Cert, Key  string // absolute paths of PEM files
}

// controlPlane is the AWS SDK for Go pointed at the server by what `thingd env`
// exports.
func (s *server) controlPlane(t *testing.T) *iot.Client {
	t.Helper()
	env := s.awsEnv(t)
	return iot.New(iot.Options{
		Region:       lookup(env, "AWS_DEFAULT_REGION"),
		BaseEndpoint: aws.String(lookup(env, "AWS_ENDPOINT_URL")),
		Credentials: credentials.NewStaticCredentialsProvider(
			lookup(env, "AWS_ACCESS_KEY_ID"), lookup(env, "AWS_SECRET_ACCESS_KEY"), ""),
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(t, lookup(env, "AWS_CA_BUNDLE"))}}},
	})
}

func roots(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", file)
	}
	return pool
}

// register creates a thing with an active certificate and, unless document is
// empty, a policy of that document attached to it.
func (s *server) register(t *testing.T, name, document string) device {
	t.Helper()
	ctx, api := t.Context(), s.controlPlane(t)

	_, err := api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name})
	must(t, err)
	made, err := api.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{SetAsActive: true})
	must(t, err)
	_, err = api.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: &name, Principal: made.CertificateArn})
	must(t, err)

	d := s.download(t, *made.CertificatePem, *made.KeyPair.PrivateKey)
	d.Name, d.CertificateARN = name, *made.CertificateArn
	if document != "" {
		d.PolicyName = name + "-policy"
		_, err = api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &d.PolicyName, PolicyDocument: &document})
		must(t, err)
		_, err = api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &d.PolicyName, Target: &d.CertificateARN})
		must(t, err)
	}
	return d
}

// download writes the files as the tutorials name them.
func (s *server) download(t *testing.T, certificate, key string) device {
	t.Helper()
	dir := t.TempDir()
	d := device{
		Dir:  dir,
		CA:   filepath.Join(dir, "certs", "root.pem"),
		Cert: filepath.Join(dir, "certs", "device-certificate.pem.crt"),
		Key:  filepath.Join(dir, "certs", "private.pem"),
	}
	ca, err := os.ReadFile(filepath.Join(s.Data, "root-ca.pem"))
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "certs"), 0o700))
	must(t, os.WriteFile(d.CA, ca, 0o600))
	must(t, os.WriteFile(d.Cert, []byte(certificate), 0o600))
	must(t, os.WriteFile(d.Key, []byte(key), 0o600))
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sdkFlags are the flags that most programs in clients/ share.
func (d device) sdkFlags(s *server, topic, message string) []string {
	return []string{"--endpoint", "localhost", "--port", s.Port, "--ca_file", d.CA, "--cert", d.Cert, "--key", d.Key,
		"--client_id", d.Name, "--topic", topic, "--message", message}
}

// lines joins lines as programs print them.
func lines(all ...string) string {
	return strings.Join(all, "\n") + "\n"
}
