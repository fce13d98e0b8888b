package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"thingd/internal/aws/sigv4"
)

// server is a thingd on a folder of its own.
type server struct {
	dir  string
	work *exec.Cmd
}

func startServer(binary string) (*server, error) {
	dir, err := os.MkdirTemp("", "controlplane")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	s.work = exec.Command(binary, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "error")
	out, err := s.work.StderrPipe()
	if err == nil {
		err = s.work.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go func() {
				for lines.Scan() {
					fmt.Fprintln(os.Stderr, lines.Text())
				}
			}()
			return s, nil
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	s.stop()
	return nil, errors.New("the server does not start")
}

func (s *server) stop() {
	_ = s.work.Process.Signal(syscall.SIGTERM)
	_ = s.work.Wait()
	_ = os.RemoveAll(s.dir)
}

// api is a client of the server with its root key.
func (s *server) api(clients int) (*api, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "endpoint.json"))
	if err != nil {
		return nil, err
	}
	var at struct {
		Port   int    `json:"port"`
		Region string `json:"region"`
	}
	if err := json.Unmarshal(text, &at); err != nil {
		return nil, err
	}
	root, err := os.ReadFile(filepath.Join(s.dir, "root-ca.pem"))
	if err != nil {
		return nil, err
	}
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(root)
	keys, err := os.ReadFile(filepath.Join(s.dir, "credentials"))
	if err != nil {
		return nil, err
	}
	return &api{
		base: fmt.Sprintf("https://localhost:%d", at.Port), region: at.Region, keys: readKeys(string(keys)),
		client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: trust}, MaxIdleConnsPerHost: clients,
		}, Timeout: time.Minute},
	}, nil
}

func readKeys(text string) (c sigv4.Credentials) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch name {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = value
		}
	}
	return c
}

// proc reads fields of /proc/PID/stat, counted from the state, which is 0.
func (s *server) proc(fields ...int) (sum int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.work.Process.Pid))
	if err != nil {
		return 0
	}
	all := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	for _, i := range fields {
		n, _ := strconv.ParseInt(all[i], 10, 64)
		sum += n
	}
	return sum
}

// cpu is the time that the server has worked; ticks are 10 ms on Linux.
func (s *server) cpu() time.Duration { return time.Duration(s.proc(11, 12)) * 10 * time.Millisecond }

// rss is the server's resident memory, in bytes.
func (s *server) rss() int64 { return s.proc(21) * int64(os.Getpagesize()) }

// disk is the size of the data folder, in bytes.
func (s *server) disk() (sum int64) {
	_ = filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
