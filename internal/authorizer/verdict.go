package authorizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"thingd/internal/fault"
	"thingd/internal/policy"
)

// Verdict is what an authorizer says of a client.
type Verdict struct {
	Authorizer    string
	Authenticated bool
	PrincipalID   string
	Documents     []string // policy documents, as JSON
	Policies      *policy.Set

	Disconnect time.Duration // after this the connection ends; 0 where the function did not say
	Refresh    time.Duration // after this the function is asked again; 0 where it did not say

	CachingForHTTP bool // the verdict serves all requests of a connection

	tokenKey string // of the authorizer
}

// Covers says whether the verdict over one offer stands for another: the same
// authorizer, token and signature. Without a token nothing tells two clients
// apart.
func (v *Verdict) Covers(old, other Offer) bool {
	token := old.value(v.tokenKey)
	return token != "" && token == other.value(v.tokenKey) && old.ServerName == other.ServerName &&
		old.value(NameKey) == other.value(NameKey) && old.value(SignatureKey) == other.value(SignatureKey)
}

// The bounds on an answer.
const (
	principalMax = 128 // characters
	documentsMax = 10
	documentMax  = 2048 // characters
	intervalMin  = 300  // seconds
	intervalMax  = 86400
)

// answer is what a function returns.
type answer struct {
	IsAuthenticated *bool             `json:"isAuthenticated"`
	PrincipalID     string            `json:"principalId"`
	Documents       []json.RawMessage `json:"policyDocuments"`
	Disconnect      *float64          `json:"disconnectAfterInSeconds"`
	Refresh         *float64          `json:"refreshAfterInSeconds"`
}

// readVerdict checks an answer. Of a client that is not let in the rest does not
// matter.
func readVerdict(text []byte) (Verdict, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return Verdict{}, fmt.Errorf("not the JSON object that is expected: %w", err)
	}
	if a.IsAuthenticated == nil {
		return Verdict{}, errors.New("isAuthenticated is missing")
	}
	if !*a.IsAuthenticated {
		return Verdict{Policies: policy.NewSet()}, nil
	}
	if err := checkPrincipal(a.PrincipalID); err != nil {
		return Verdict{}, err
	}
	v := Verdict{Authenticated: true, PrincipalID: a.PrincipalID}
	var err error
	if v.Disconnect, err = interval("disconnectAfterInSeconds", a.Disconnect); err != nil {
		return Verdict{}, err
	}
	if v.Refresh, err = interval("refreshAfterInSeconds", a.Refresh); err != nil {
		return Verdict{}, err
	}
	v.Documents, v.Policies, err = readPolicies(a.Documents)
	return v, err
}

func checkPrincipal(id string) error {
	if id == "" || len(id) > principalMax {
		return fmt.Errorf("principalId has 1 to %d characters, not %d", principalMax, len(id))
	}
	for _, r := range id {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return errors.New("principalId has other characters than letters and digits")
		}
	}
	return nil
}

// interval reads a number of seconds. AWS says that both are needed; who leaves
// one out gets the longest.
func interval(name string, n *float64) (time.Duration, error) {
	if n == nil {
		return intervalMax * time.Second, nil
	}
	if !(*n >= intervalMin && *n <= intervalMax) {
		return 0, fmt.Errorf("%s is %d to %d, not %g", name, intervalMin, intervalMax, *n)
	}
	return time.Duration(*n) * time.Second, nil
}

func readPolicies(documents []json.RawMessage) ([]string, *policy.Set, error) {
	if len(documents) > documentsMax {
		return nil, nil, fmt.Errorf("at most %d policyDocuments are allowed, not %d", documentsMax, len(documents))
	}
	texts, all := make([]string, 0, len(documents)), make([]*policy.Policy, 0, len(documents))
	for i, raw := range documents {
		text, err := documentText(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("policy document %d: %w", i+1, err)
		}
		doc, err := policy.Parse(text, policy.IoT)
		if err != nil {
			return nil, nil, fmt.Errorf("policy document %d: %s", i+1, words(err))
		}
		texts = append(texts, text)
		all = append(all, doc.Compile(fmt.Sprintf("policy document %d of the authorizer", i+1), "", ""))
	}
	return texts, policy.NewSet(all...), nil
}

// documentText gives a document that came as an object or as a string of JSON.
func documentText(raw json.RawMessage) (string, error) {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", err
		}
	} else {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return "", err
		}
		text = compact.String()
	}
	if n := utf8.RuneCountInString(text); n > documentMax {
		return "", fmt.Errorf("it has at most %d characters, not %d", documentMax, n)
	}
	return text, nil
}

// words gives the text of a fault without its code.
func words(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return err.Error()
}
