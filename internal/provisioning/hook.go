package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"thingd/internal/fault"
	"thingd/internal/pki"
)

// hookTimeout bounds a hook's answer; AWS's.
const hookTimeout = 5 * time.Second

// Functions calls functions; function.Caller does.
type Functions interface {
	// Call sends event to a function and gives the answer, which must come within
	// limit.
	Call(ctx context.Context, functionARN string, event []byte, limit time.Duration) ([]byte, error)
}

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
	if s.functions == nil {
		return answer, fmt.Errorf("no function is configured for %s", hook.TargetARN)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return answer, err
	}
	text, err := s.functions.Call(ctx, hook.TargetARN, payload, hookTimeout)
	if err != nil {
		return answer, err
	}
	return answer, json.Unmarshal(text, &answer)
}
