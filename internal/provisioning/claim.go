package provisioning

import (
	"context"
	"encoding/json"
	"time"

	"thingd/internal/access"
	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/policy"
)

// claimLife is how long a claim of CreateProvisioningClaim is good for; AWS's.
const claimLife = 5 * time.Minute

// Claim is a short-lived claim certificate with its key, which is told once.
type Claim struct {
	ID      pki.CertificateID
	PEM     string
	Keys    pki.KeyPair
	Expires time.Time
}

// CreateClaim makes a certificate with which a device can have itself
// provisioned by one template within five minutes (CreateProvisioningClaim). It
// is in no list, and its rights are ClaimRights alone.
func (s *Service) CreateClaim(ctx context.Context, templateName string) (Claim, error) {
	if found, err := s.Exists(ctx, templateName); err != nil {
		return Claim{}, err
	} else if !found {
		return Claim{}, fault.NotFound("Provisioning template %s does not exist", templateName)
	}
	expires := s.timestamp().Truncate(time.Second).Add(claimLife) // certificates know no fractions
	cert, keys, err := s.pki.CreateKeys(ctx, pki.Order{Status: pki.Active, NotAfter: expires, Claim: true})
	if err != nil {
		return Claim{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error { return tx.PutClaim(cert.ID, templateName, expires) })
	return Claim{cert.ID, cert.PEM, keys, expires}, err
}

// ClaimRights decides what the holder of a claim may do on a connection: make
// certificates, and provision by the claim's template. A certificate that is no
// claim may do nothing.
func (s *Service) ClaimRights(ctx context.Context, id pki.CertificateID) (access.Decider, error) {
	var name string
	var found bool
	err := s.store.View(ctx, func(tx Tx) (err error) {
		name, found, err = tx.Claim(id)
		return err
	})
	if err != nil || !found {
		return policy.NewSet(), err
	}
	document, err := policy.Parse(s.claimPolicy(name), policy.IoT)
	if err != nil {
		return nil, err
	}
	return policy.NewSet(document.Compile("provisioning claim for "+name, "", "1")), nil
}

// claimPolicy is the policy that AWS recommends for claims.
func (s *Service) claimPolicy(templateName string) string {
	type statement struct {
		Effect   string
		Action   []string
		Resource []string
	}
	topics := []string{createTopic + "*", fromCSRTopic + "*", templateTopic + templateName + "/provision/*"}
	named := func(kind string) (all []string) {
		for _, t := range topics {
			all = append(all, s.scope.IoT(kind, t))
		}
		return all
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []statement{
		{"Allow", []string{"iot:Connect"}, []string{s.scope.IoT("client", "*")}},
		{"Allow", []string{"iot:Publish", "iot:Receive"}, named("topic")},
		{"Allow", []string{"iot:Subscribe"}, named("topicfilter")},
	}})
	if err != nil {
		panic("provisioning: a policy does not marshal: " + err.Error())
	}
	return string(text)
}
