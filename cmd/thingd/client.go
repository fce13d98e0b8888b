package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"thingd"
	"thingd/internal/aws/sigv4"
)

// credentials are an access key.
type credentials struct{ id, secret string }

// readCredentials reads the root access key that the server wrote.
func readCredentials(data string) (credentials, error) {
	path := filepath.Join(data, "credentials")
	file, err := os.Open(path)
	if err != nil {
		return credentials{}, fmt.Errorf("cannot read the access key: %w", err)
	}
	defer file.Close()
	var c credentials
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.id = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.secret = strings.TrimSpace(value)
		}
	}
	if c.id == "" || c.secret == "" {
		return c, fmt.Errorf("%s holds no access key; restart the server to write it anew", path)
	}
	return c, lines.Err()
}

// client calls the API of the server of a data folder, as root.
type client struct {
	thingd.Endpoint
	keys credentials
	tls  *tls.Config
	http *http.Client
	root []byte // root-ca.pem
}

func newClient(data string) (*client, error) {
	e, err := thingd.ReadEndpoint(data)
	if err != nil {
		return nil, err
	}
	keys, err := readCredentials(data)
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(filepath.Join(data, "root-ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	config := &tls.Config{RootCAs: pool, ServerName: e.Host}
	return &client{
		Endpoint: e, keys: keys, tls: config, root: root,
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: config}},
	}, nil
}

// request is one API call: a JSON body unless raw is set, headers as they are.
type request struct {
	service, method, path string
	header                map[string]string
	body                  any
	raw                   []byte
}

// errSilent is the error of a server that cannot be reached, or ends while it
// answers.
var errSilent = errors.New("the server does not answer")

// call sends a signed request and decodes the JSON answer into out, which may be
// nil. The error is the server's sentence.
func (c *client) call(ctx context.Context, q request, out any) error {
	body := q.raw
	if q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			return err
		}
	}
	url := fmt.Sprintf("https://%s:%d%s", c.Host, c.Port, q.path)
	r, err := http.NewRequestWithContext(ctx, q.method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	sigv4.Sign(r, body, sigv4.Credentials{AccessKeyID: c.keys.id, SecretAccessKey: c.keys.secret}, q.service, c.Region, time.Now())
	answer, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("%w; is it running? %w", errSilent, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%w to its end: %w", errSilent, err)
	}
	if answer.StatusCode >= 300 {
		return apiError(answer, text)
	}
	if out == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, out)
}

// callError is what the server refused with.
type callError struct{ name, message string }

func (e *callError) Error() string { return e.message + " (" + e.name + ")" }

func apiError(answer *http.Response, text []byte) error {
	var body struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &body) != nil || body.Message == "" {
		body.Message = answer.Status
	}
	return &callError{answer.Header.Get("x-amzn-ErrorType"), body.Message}
}
