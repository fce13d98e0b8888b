package rules

import (
	"context"
	"slices"

	"thingd/internal/fault"
)

// ARN names a rule.
func (s *Service) ARN(name string) string { return s.scope.IoT("rule", name) }

// denied is AWS's answer for a rule that does not exist; infrastructure tools
// look for these words. For operations other than GetTopicRule it is
// unconfirmed.
func denied(name string) error {
	return fault.New(fault.CodeUnauthorized, "Access to topic rule '%s' was denied", name)
}

// Create adds a rule (CreateTopicRule). tag, which may be nil, is called when
// the rule is kept and before it runs; if it fails the rule goes again.
func (s *Service) Create(ctx context.Context, r Rule, tag func(ruleARN string) error) error {
	if err := s.checked(ctx, &r); err != nil {
		return err
	}
	r.Created = s.timestamp()
	if err := s.store.Update(ctx, func(tx Tx) error { return s.add(tx, r) }); err != nil {
		return err
	}
	if tag != nil {
		if err := tag(s.ARN(r.Name)); err != nil {
			_ = s.store.Update(context.WithoutCancel(ctx), func(tx Tx) error { return tx.DeleteRule(r.Name) })
			return err
		}
	}
	return s.changed(ctx, r.Name)
}

func (s *Service) add(tx Tx, r Rule) error {
	_, found, err := tx.Rule(r.Name)
	if err != nil {
		return err
	}
	if found {
		return fault.AlreadyExists("Rule %s already exists", r.Name).About(r.Name, s.ARN(r.Name))
	}
	n, err := tx.CountRules()
	if err != nil {
		return err
	}
	if n >= rulesMax {
		return fault.InvalidRequest("the account has %d rules; more are not allowed", rulesMax)
	}
	return tx.PutRule(r)
}

// checked compiles a rule, asks whether the caller may hand its roles to it, and
// sees to the destinations of its http actions.
func (s *Service) checked(ctx context.Context, r *Rule) error {
	c, err := s.compile(r)
	if err != nil {
		return err
	}
	if err := s.checkRoles(ctx, c); err != nil {
		return err
	}
	return s.provideDestinations(ctx, c)
}

// checkRoles asks iam:PassRole once per role.
func (s *Service) checkRoles(ctx context.Context, c *compiled) error {
	var roles []string
	for _, a := range c.all() {
		roles = append(roles, a.Roles...)
	}
	slices.Sort(roles)
	for _, role := range slices.Compact(roles) {
		if err := s.passRole(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// Get gives a rule (GetTopicRule).
func (s *Service) Get(ctx context.Context, name string) (Rule, error) {
	var r Rule
	err := s.store.View(ctx, func(tx Tx) (err error) {
		r, err = existing(tx, name)
		return err
	})
	return r, err
}

// Exists says whether there is a rule, for tags.
func (s *Service) Exists(ctx context.Context, name string) (found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		_, found, err = tx.Rule(name)
		return err
	})
	return found, err
}

func existing(tx Tx, name string) (Rule, error) {
	r, found, err := tx.Rule(name)
	if err == nil && !found {
		err = denied(name)
	}
	return r, err
}

// Replace puts another rule in place of one (ReplaceTopicRule); nothing is
// merged, but the time of its creation stays (unconfirmed).
func (s *Service) Replace(ctx context.Context, r Rule) error {
	if _, err := s.Get(ctx, r.Name); err != nil {
		return err
	}
	if err := s.checked(ctx, &r); err != nil {
		return err
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		before, err := existing(tx, r.Name)
		r.Created = before.Created
		if err != nil {
			return err
		}
		return tx.PutRule(r)
	})
	if err != nil {
		return err
	}
	return s.changed(ctx, r.Name)
}

// SetDisabled stops a rule or lets it run (DisableTopicRule, EnableTopicRule).
func (s *Service) SetDisabled(ctx context.Context, name string, disabled bool) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		r, err := existing(tx, name)
		if err != nil {
			return err
		}
		r.Disabled = disabled
		return tx.PutRule(r)
	})
	if err != nil {
		return err
	}
	return s.changed(ctx, name)
}

// Delete removes a rule (DeleteTopicRule).
func (s *Service) Delete(ctx context.Context, name string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := existing(tx, name); err != nil {
			return err
		}
		return tx.DeleteRule(name)
	})
	if err != nil {
		return err
	}
	return s.changed(ctx, name)
}

// List lists rules by name (ListTopicRules).
func (s *Service) List(ctx context.Context, f RuleFilter) ([]Rule, error) {
	var all []Rule
	err := s.store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.Rules(f)
		return err
	})
	return all, err
}

// provideDestinations makes the destinations that http actions need and that a
// literal URL names.
func (s *Service) provideDestinations(ctx context.Context, c *compiled) error {
	for _, a := range c.all() {
		if a.URL == nil {
			continue
		}
		url, literal := a.URL.Literal()
		if a.Confirmation != nil {
			confirm, fixed := a.Confirmation.Literal()
			if !fixed {
				continue // its owner makes the destinations by hand
			}
			if literal && !within(url, confirm) {
				return fault.InvalidRequest("url %q does not begin with confirmationUrl %q", url, confirm)
			}
			url, literal = confirm, true
		}
		if !literal {
			return fault.InvalidRequest("an http action whose url has a substitution template needs a confirmationUrl")
		}
		if err := s.provideDestination(ctx, url); err != nil {
			return err
		}
	}
	return nil
}

// provideDestination makes a destination unless there is one.
func (s *Service) provideDestination(ctx context.Context, url string) error {
	_, err := s.CreateDestination(ctx, Destination{URL: url})
	if fault.Is(err, fault.CodeAlreadyExists) {
		return nil
	}
	return err
}
