package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"thingd/internal/aws/sigv4"
)

// api calls operations of the control plane.
type api struct {
	base, region string
	keys         sigv4.Credentials
	client       *http.Client
}

// do sends one signed request and reads its answer into out, if out is wanted.
func (a *api) do(ctx context.Context, method, path string, header map[string]string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	sigv4.Sign(r, body, a.keys, "iot", a.region, time.Now())
	answer, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %s", method, path, answer.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// device makes a thing with a certificate and a policy. With a request the
// certificate is for its key, with "" the server makes a key, too.
func (a *api) device(ctx context.Context, name, csr string) error {
	if err := a.do(ctx, "POST", "/things/"+name, nil, map[string]any{}, nil); err != nil {
		return err
	}
	var cert struct {
		ARN string `json:"certificateArn"`
	}
	path, body := "/certificates", map[string]any{"certificateSigningRequest": csr}
	if csr == "" {
		path, body = "/keys-and-certificate", nil
	}
	if err := a.do(ctx, "POST", path+"?setAsActive=true", nil, body, &cert); err != nil {
		return err
	}
	if err := a.do(ctx, "PUT", "/things/"+name+"/principals", map[string]string{"X-Amzn-Principal": cert.ARN}, nil, nil); err != nil {
		return err
	}
	return a.do(ctx, "PUT", "/target-policies/fleet", nil, map[string]any{"target": cert.ARN}, nil)
}

// page reads 250 things and gives the token of the next page.
func (a *api) page(ctx context.Context, token string) (string, error) {
	_, next, err := a.things(ctx, token)
	return next, err
}

func (a *api) things(ctx context.Context, token string) (n int, next string, err error) {
	query := url.Values{"maxResults": {"250"}}
	if token != "" {
		query.Set("nextToken", token)
	}
	var out struct {
		Things    []json.RawMessage `json:"things"`
		NextToken string            `json:"nextToken"`
	}
	err = a.do(ctx, "GET", "/things?"+query.Encode(), nil, nil, &out)
	return len(out.Things), out.NextToken, err
}

// count counts all things.
func (a *api) count(ctx context.Context) (sum int, err error) {
	for token := ""; ; {
		n, next, err := a.things(ctx, token)
		sum += n
		if err != nil || next == "" {
			return sum, err
		}
		token = next
	}
}

// requests makes keys with their certificate signing requests, one a client: the
// server's work is the same for one that it has seen.
func requests(n int) ([]string, error) {
	all := make([]string, n)
	for i := range all {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			return nil, err
		}
		all[i] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	}
	return all, nil
}
