package access

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

// Limits of attachments.
const (
	policiesPerPrincipal = 10 // certificate or Cognito identity
	policiesPerGroup     = 2
)

// target is what a policy can be attached to.
type target struct {
	text  string // as given: an ARN or a Cognito identity ID
	group string // the name of the thing group, or ""
	cert  bool   // a certificate; neither: a Cognito identity
}

// parseTarget reads a target, or is InvalidRequest.
func (s *Service) parseTarget(text string) (target, error) {
	if isCognitoID(text) {
		return target{text: text}, nil
	}
	parsed, err := arn.Parse(text)
	if err != nil || parsed.Service != "iot" {
		return target{}, badTarget(text)
	}
	switch kind, name := parsed.Kind(); {
	case name == "":
		return target{}, badTarget(text)
	case kind == "cert":
		return target{text: text, cert: true}, nil
	case kind == "thinggroup":
		return target{text: text, group: name}, nil
	default:
		return target{}, badTarget(text)
	}
}

func badTarget(text string) error {
	return fault.InvalidRequest("%q is no target for a policy; it should be the ARN of a certificate or thing group, or a Cognito identity ID", text)
}

// isCognitoID says whether text has the form region:uuid.
func isCognitoID(text string) bool {
	region, id, _ := strings.Cut(text, ":")
	return region != "" && len(id) == len("00000000-0000-0000-0000-000000000000") &&
		strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && strings.Trim(id, "0123456789abcdefABCDEF-") == ""
}

// groupOf gives the name of the thing group that a target is.
func (s *Service) groupOf(text string) (string, bool) {
	return strings.CutPrefix(text, s.prefix+"thinggroup/")
}

// limit gives the number of policies that the target can have.
func (t target) limit() int {
	if t.group != "" {
		return policiesPerGroup
	}
	return policiesPerPrincipal
}

// checkCertificate refuses a certificate that is not there. It asks another
// package and so comes before the transaction.
func (s *Service) checkCertificate(ctx context.Context, t target) error {
	if !t.cert || s.PrincipalExists == nil {
		return nil
	}
	exists, err := s.PrincipalExists(ctx, t.text)
	if err == nil && !exists {
		err = fault.NotFound("Certificate %s not found", t.text)
	}
	return err
}

// checkGroup refuses a thing group that is not there, in this account.
func (s *Service) checkGroup(tx Tx, t target) error {
	if t.group == "" {
		return nil
	}
	_, found, err := tx.ThingGroup(t.group)
	if err == nil && (!found || t.text != s.scope.IoT("thinggroup", t.group)) {
		err = fault.NotFound("No thing group with ARN %s exists", t.text)
	}
	return err
}

// AttachPolicy attaches a policy to a target, AWS operation AttachPolicy.
// Repeating is a success. One policy too many is LimitExceeded.
func (s *Service) AttachPolicy(ctx context.Context, policyName, targetText string) error {
	t, err := s.parseTarget(targetText)
	if err != nil {
		return err
	}
	if err := s.checkCertificate(ctx, t); err != nil {
		return err
	}
	return s.update(ctx, func(tx Tx) ([]Change, error) {
		if _, err := findPolicy(tx, policyName); err != nil {
			return nil, err
		}
		if err := s.checkGroup(tx, t); err != nil {
			return nil, err
		}
		have, err := tx.Attached(t.text)
		if err != nil || slices.ContainsFunc(have, func(p Policy) bool { return p.Name == policyName }) {
			return nil, err
		}
		if len(have) >= t.limit() {
			return nil, fault.LimitExceeded("The maximum number of policies (%d) is already attached to %s", t.limit(), t.text)
		}
		return []Change{{AttachmentChanged, t.text}}, tx.PutAttachment(t.text, policyName)
	})
}

// DetachPolicy detaches a policy from a target, AWS operation DetachPolicy. A
// policy that is not attached, or not there, is a success (unconfirmed; the
// operation's model has no ResourceNotFound).
func (s *Service) DetachPolicy(ctx context.Context, policyName, targetText string) error {
	t, err := s.parseTarget(targetText)
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx Tx) ([]Change, error) {
		return []Change{{AttachmentChanged, t.text}}, tx.DeleteAttachment(t.text, policyName)
	})
}

// DetachPrincipalPolicy is DetachPolicy under its old name, AWS operation
// DetachPrincipalPolicy, whose model has a ResourceNotFound for the policy.
func (s *Service) DetachPrincipalPolicy(ctx context.Context, policyName, principal string) error {
	if found, err := s.Exists(ctx, policyName); err != nil {
		return err
	} else if !found {
		return fault.NotFound("Policy not found")
	}
	return s.DetachPolicy(ctx, policyName, principal)
}

// DetachAll detaches all policies from a target that is about to go, as
// DeleteCertificate with forceDelete asks.
func (s *Service) DetachAll(ctx context.Context, targetText string) error {
	return s.update(ctx, func(tx Tx) ([]Change, error) {
		have, err := tx.Attached(targetText)
		if err != nil {
			return nil, err
		}
		for _, p := range have {
			if err := tx.DeleteAttachment(targetText, p.Name); err != nil {
				return nil, err
			}
		}
		return []Change{{AttachmentChanged, targetText}}, nil
	})
}

// HasPolicies says whether a policy is attached to the target.
func (s *Service) HasPolicies(ctx context.Context, targetText string) (has bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		have, err := tx.Attached(targetText)
		has = len(have) > 0
		return err
	})
	return has, err
}

// AttachedPolicies lists the policies of a target by name, AWS operation
// ListAttachedPolicies: with recursive those of the groups above a thing group,
// too. A thing group that is not there is NotFound.
func (s *Service) AttachedPolicies(ctx context.Context, targetText string, recursive, descending bool, p registry.Page) (policies []Policy, next string, err error) {
	t, err := s.parseTarget(targetText)
	if err != nil {
		return nil, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if err := s.checkGroup(tx, t); err != nil {
			return err
		}
		policies, err = s.attached(tx, t, recursive)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	list := registry.List{"attached policies", targetText, strconv.FormatBool(recursive), strconv.FormatBool(descending)}
	return page(list, policies, descending, p)
}

// attached collects the policies of a target, each once, by name. There are few:
// ten, or two for each of seven levels.
func (s *Service) attached(tx Tx, t target, recursive bool) ([]Policy, error) {
	policies, err := tx.Attached(t.text)
	if err != nil || t.group == "" || !recursive {
		return policies, err
	}
	group, _, err := tx.ThingGroup(t.group)
	if err != nil {
		return nil, err
	}
	for _, name := range group.Ancestors {
		more, err := tx.Attached(s.scope.IoT("thinggroup", name))
		if err != nil {
			return nil, err
		}
		policies = append(policies, more...)
	}
	return distinct(policies), nil
}

// distinct sorts policies by name and drops repetitions.
func distinct(policies []Policy) []Policy {
	slices.SortFunc(policies, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(policies, func(a, b Policy) bool { return a.Name == b.Name })
}

// page cuts one page out of a short list in order of names. Its token is the name
// of the last policy, which need not be there any more.
func page(list registry.List, policies []Policy, descending bool, p registry.Page) ([]Policy, string, error) {
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	if descending {
		slices.Reverse(policies)
	}
	if last := keys[0]; last != "" {
		policies = slices.DeleteFunc(policies, func(p Policy) bool {
			return p.Name == last || p.Name < last != descending
		})
	}
	if len(policies) <= limit(p) {
		return policies, "", nil
	}
	return policies[:limit(p)], list.Token(policies[limit(p)-1].Name), nil
}

// TargetsForPolicy lists what a policy is attached to, AWS operation
// ListTargetsForPolicy.
func (s *Service) TargetsForPolicy(ctx context.Context, policyName string, descending bool, p registry.Page) (targets []string, next string, err error) {
	list := registry.List{"targets", policyName, strconv.FormatBool(descending)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if _, err := findPolicy(tx, policyName); err != nil {
			return err
		}
		targets, err = tx.Targets(policyName, keys[0], descending, limit(p)+1)
		return err
	})
	if err != nil || len(targets) <= limit(p) {
		return targets, "", err
	}
	targets = targets[:limit(p)]
	return targets, list.Token(targets[limit(p)-1]), nil
}
