package rules

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"thingd/internal/arn"
	"thingd/internal/fault"
)

// Destination is where actions may go: a URL whose owner has confirmed that it
// wants messages, or a private network (AWS operation
// CreateTopicRuleDestination).
type Destination struct {
	ID      string // "http/UUID" or "vpc/UUID"
	Status  Status
	Reason  string // statusReason
	Created time.Time
	Updated time.Time

	URL string // confirmation URL of an HTTP destination
	VPC *VPC   // of a VPC destination

	TokenHash string    // SHA-256 in hex of the token that confirms; "" when none is out
	TokenEnds time.Time // until when the token is good
}

// VPC is kept for its owner. The network of a server of one's own is the
// server's business, so nothing depends on it.
type VPC struct {
	ID             string
	SubnetIDs      []string
	SecurityGroups []string
	RoleARN        string
}

// Status is where a destination stands.
type Status string

// The statuses, in AWS's words.
const (
	InProgress Status = "IN_PROGRESS" // waiting for its confirmation
	Enabled    Status = "ENABLED"
	Disabled   Status = "DISABLED" // confirmed, and switched off
	Failed     Status = "ERROR"    // not confirmed in time, or out of reach
)

const (
	destinationsMax = 1000               // HTTP destinations of an account
	tokenLife       = 3 * 24 * time.Hour // AWS names no time (unconfirmed)
)

// DestinationARN names a destination.
func (s *Service) DestinationARN(d Destination) string {
	return s.scope.IoT("ruledestination", d.ID)
}

// CreateDestination adds an HTTP destination and asks its owner to confirm, or
// a VPC destination, which is enabled at once.
func (s *Service) CreateDestination(ctx context.Context, d Destination) (Destination, error) {
	now := s.timestamp()
	d.Created, d.Updated, d.Status = now, now, Enabled
	token := ""
	switch {
	case (d.URL == "") == (d.VPC == nil):
		return d, fault.InvalidRequest("destinationConfiguration needs either httpUrlConfiguration or vpcConfiguration")
	case d.VPC != nil:
		d.ID = "vpc/" + uuid.NewString()
	default:
		if err := s.targets.CheckURL(d.URL); err != nil {
			return d, err
		}
		d.ID = "http/" + uuid.NewString()
		token = d.ask(now)
	}
	err := s.store.Update(ctx, func(tx Tx) error { return s.addDestination(tx, d) })
	if err != nil {
		return d, err
	}
	s.destinationsChanged(ctx)
	s.sendConfirmation(d, token)
	return d, nil
}

func (s *Service) addDestination(tx Tx, d Destination) error {
	if d.URL != "" {
		other, found, err := tx.DestinationOfURL(d.URL)
		if err != nil {
			return err
		}
		if found {
			return fault.AlreadyExists("A destination for %s already exists", d.URL).About(other.ID, s.DestinationARN(other))
		}
	}
	all, err := tx.Destinations("", destinationsMax)
	if err != nil {
		return err
	}
	if len(all) >= destinationsMax {
		return fault.InvalidRequest("the account has %d destinations; more are not allowed", destinationsMax)
	}
	return tx.PutDestination(d)
}

// destinationID takes the ARN of one of our destinations apart.
func (s *Service) destinationID(text string) (string, error) {
	name, err := arn.Parse(text)
	if err != nil {
		return "", err
	}
	kind, id := name.Kind()
	if kind != "ruledestination" || !name.In(s.scope, "iot") {
		return "", fault.InvalidRequest("%s is not the ARN of a topic rule destination of this account", text)
	}
	return id, nil
}

// Destination gives a destination (GetTopicRuleDestination). One that does not
// exist is InvalidRequest, because the operation knows no other error
// (unconfirmed).
func (s *Service) Destination(ctx context.Context, name string) (Destination, error) {
	id, err := s.destinationID(name)
	if err != nil {
		return Destination{}, err
	}
	var d Destination
	err = s.store.View(ctx, func(tx Tx) (err error) {
		d, err = s.existingDestination(tx, id)
		return err
	})
	return d.at(s.now()), err
}

// existingDestination refuses as AWS does where there is none: the tools that keep
// infrastructure know the sentence.
func (s *Service) existingDestination(tx Tx, id string) (Destination, error) {
	d, found, err := tx.Destination(id)
	if err == nil && !found {
		err = fault.New(fault.CodeUnauthorized, "Access to TopicRuleDestination '%s' was denied", s.DestinationARN(Destination{ID: id}))
	}
	return d, err
}

// at gives the destination as it is at a time: a token that was not used in its
// time is an error.
func (d Destination) at(now time.Time) Destination {
	if d.Status == InProgress && now.After(d.TokenEnds) {
		d.Status, d.Reason = Failed, "The confirmation was not received in time"
	}
	return d
}

// Destinations lists destinations by ID, after the one given
// (ListTopicRuleDestinations).
func (s *Service) Destinations(ctx context.Context, after string, limit int) ([]Destination, error) {
	var all []Destination
	err := s.store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.Destinations(after, limit)
		return err
	})
	for i := range all {
		all[i] = all[i].at(s.now())
	}
	return all, err
}

// UpdateDestination enables, disables or asks for a new confirmation
// (UpdateTopicRuleDestination).
func (s *Service) UpdateDestination(ctx context.Context, name string, to Status) error {
	id, err := s.destinationID(name)
	if err != nil {
		return err
	}
	var d Destination
	token := ""
	err = s.store.Update(ctx, func(tx Tx) error {
		if d, err = s.existingDestination(tx, id); err != nil {
			return err
		}
		d = d.at(s.now())
		if token, err = d.become(to, s.timestamp()); err != nil {
			return err
		}
		return tx.PutDestination(d)
	})
	if err != nil {
		return err
	}
	s.destinationsChanged(ctx)
	s.sendConfirmation(d, token)
	return nil
}

// become changes the status where AWS allows it; the token is not "" where a
// new confirmation is to be asked for.
func (d *Destination) become(to Status, now time.Time) (token string, err error) {
	confirmed := d.Status == Enabled || d.Status == Disabled
	switch {
	case confirmed && (to == Enabled || to == Disabled):
		d.Status, d.Updated, d.Reason = to, now, ""
		return "", nil
	case !confirmed && to == InProgress && d.URL != "":
		d.Updated = now
		return d.ask(now), nil
	}
	return "", fault.InvalidRequest("a destination that is %s cannot become %s", d.Status, to)
}

// DeleteDestination removes a destination (DeleteTopicRuleDestination).
func (s *Service) DeleteDestination(ctx context.Context, name string) error {
	id, err := s.destinationID(name)
	if err != nil {
		return err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if _, err := s.existingDestination(tx, id); err != nil {
			return err
		}
		return tx.DeleteDestination(id)
	})
	if err == nil {
		s.destinationsChanged(ctx)
	}
	return err
}

// open is what actions may reach: the enabled destinations. It is replaced as a
// whole.
type open struct {
	urls []string
	ids  map[string]bool
}

// destinationsChanged reads what actions may reach. The request that changed it
// has been answered in the store; a failure is logged and the next change reads
// again.
func (s *Service) destinationsChanged(ctx context.Context) {
	s.refreshing.Lock() // so that an older reading never replaces a newer one
	defer s.refreshing.Unlock()
	if err := s.readDestinations(context.WithoutCancel(ctx)); err != nil {
		s.log.Error("topic rule destinations could not be read", "error", err)
	}
}

func (s *Service) readDestinations(ctx context.Context) error {
	now := &open{ids: map[string]bool{}}
	const page = 1000
	for after := ""; ; {
		some, err := s.Destinations(ctx, after, page)
		if err != nil {
			return err
		}
		for _, d := range some {
			if d.Status == Enabled {
				now.ids[s.DestinationARN(d)] = true
				now.urls = append(now.urls, d.URL)
			}
			after = d.ID
		}
		if len(some) < page {
			s.open.Store(now)
			return nil
		}
	}
}

// reachable says whether a URL begins with that of an enabled destination. The
// host must be the same, so that https://a.example does not confirm
// https://a.example.evil.example.
func (s *Service) reachable(text string) bool {
	for _, confirmed := range s.open.Load().urls {
		if confirmed != "" && within(text, confirmed) {
			return true
		}
	}
	return false
}

// within says whether a URL lies under another.
func within(text, under string) bool {
	a, err := url.Parse(text)
	if err != nil {
		return false
	}
	b, err := url.Parse(under)
	if err != nil || a.Scheme != b.Scheme || !strings.EqualFold(a.Host, b.Host) || a.User != nil {
		return false
	}
	return strings.HasPrefix(a.EscapedPath()+"?"+a.RawQuery, strings.TrimSuffix(b.EscapedPath()+"?"+b.RawQuery, "?"))
}

func (s *Service) reachableNetwork(name string) bool { return s.open.Load().ids[name] }
