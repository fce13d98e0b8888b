package provisioning

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"thingd/internal/fault"
	"thingd/internal/pki"
)

const (
	hookTimeout   = 5 * time.Second // AWS's
	hookAnswerMax = 64 << 10        // bytes
)

// hookEvent is what a pre-provisioning hook is told.
type hookEvent struct {
	ClaimCertificateID string            `json:"claimCertificateId"`
	CertificateID      pki.CertificateID `json:"certificateId"`
	CertificatePEM     string            `json:"certificatePem"`
	TemplateARN        string            `json:"templateArn"`
	ClientID           string            `json:"clientId"`
	Parameters         map[string]string `json:"parameters"`
}

// askHook asks the function whether the device may be provisioned, and gives the
// parameters with the function's own over them. Anything but a plain yes in time
// is a no.
func (s *Service) askHook(ctx context.Context, hook Hook, event hookEvent) (map[string]string, error) {
	if hook == (Hook{}) {
		return event.Parameters, nil
	}
	answer, err := s.callHook(ctx, hook, event)
	if err != nil {
		s.log.Warn("a pre-provisioning hook failed; the device is refused", "function", hook.TargetARN, "template", event.TemplateARN,
			"client", event.ClientID, "error", err)
		return nil, fault.New(fault.CodeAccessDenied, "Pre-provisioning hook failed").Because(err)
	}
	if !answer.Allow {
		return nil, fault.New(fault.CodeAccessDenied, "Provisioning was not allowed by the pre-provisioning hook")
	}
	merged := maps.Clone(event.Parameters)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, answer.Overrides)
	return merged, nil
}

// hookAnswer is what a hook says.
type hookAnswer struct {
	Allow     bool              `json:"allowProvisioning"`
	Overrides map[string]string `json:"parameterOverrides"`
}

func (s *Service) callHook(ctx context.Context, hook Hook, event hookEvent) (answer hookAnswer, err error) {
	if s.invoke == nil {
		return answer, fmt.Errorf("no function is configured for %s", hook.TargetARN)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	text, err := s.invoke(ctx, hook.TargetARN, payload)
	if err != nil {
		return answer, err
	}
	if len(text) > hookAnswerMax {
		return answer, fmt.Errorf("the hook's answer is longer than %d bytes", hookAnswerMax)
	}
	return answer, json.Unmarshal(text, &answer)
}

// Webhooks are addresses that are called in place of functions: the function's
// ARN to a URL, which gets the event as the body of a POST and answers with
// status 200 and the function's result.
type Webhooks map[string]string

// Invoke calls the address of a function; it fits Config.Invoke.
func (w Webhooks) Invoke(ctx context.Context, functionARN string, payload []byte) ([]byte, error) {
	url, ok := w[functionARN]
	if !ok {
		return nil, fmt.Errorf("no address is configured for the function %s", functionARN)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, hookAnswerMax+1))
}
