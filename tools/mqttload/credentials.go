package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

type credentialsReport struct {
	head
	usage
	Issued     int64      `json:"issued"`
	Failures   int64      `json:"failures"`
	PerS       float64    `json:"issued_per_s"`
	PerCPU     float64    `json:"issued_per_server_cpu_s"`
	Answer     *quantiles `json:"answer"` // from the request to the answer
	FirstError string     `json:"first_error,omitempty"`
}

// runCredentials has n devices ask the credentials provider, over and over, each
// on a connection of its own that stays open.
func runCredentials(cfg *config) (any, error) {
	if !cfg.tls {
		return nil, fmt.Errorf("credentials needs -ca, -cert and -key")
	}
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		report  credentialsReport
		answer  hist
	)
	begin := time.Now().Add(cfg.warmup)
	end := begin.Add(cfg.duration)
	for i := range cfg.n {
		workers.Go(func() {
			web := &http.Client{Timeout: cfg.timeout, Transport: &http.Transport{
				TLSClientConfig: cfg.identities[i%len(cfg.identities)].tls, ForceAttemptHTTP2: false}}
			defer web.CloseIdleConnections()
			for asked := time.Now(); asked.Before(end); asked = time.Now() {
				err := askCredentials(web, "https://"+cfg.addr+"/role-aliases/"+cfg.alias+"/credentials")
				took := time.Since(asked)
				mu.Lock()
				switch {
				case err != nil:
					report.Failures++
					report.FirstError = err.Error()
				case asked.After(begin):
					report.Issued++
					answer.add(int64(took))
				}
				mu.Unlock()
			}
		})
	}
	time.Sleep(time.Until(begin))
	m := startMeter(cfg.pids)
	time.Sleep(time.Until(end))
	use := m.stop()
	workers.Wait()
	report.head, report.usage = cfg.head(), use
	report.PerS = float64(report.Issued) / use.Seconds
	report.PerCPU = per(float64(report.Issued), use.ServerCPU)
	report.Answer = answer.quantiles()
	if report.Failures > 0 {
		return &report, fmt.Errorf("%d requests failed: %s", report.Failures, report.FirstError)
	}
	return &report, nil
}

func askCredentials(web *http.Client, url string) error {
	answer, err := web.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var told struct {
		Message     string
		Credentials struct{ SessionToken string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		return err
	}
	if told.Credentials.SessionToken == "" {
		return fmt.Errorf("%s: %s", answer.Status, told.Message)
	}
	return nil
}
