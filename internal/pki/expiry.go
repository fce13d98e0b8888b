package pki

import (
	"context"
	"time"
)

// Expiring is a certificate that is in use and near its end, or past it.
type Expiring struct {
	ID       CertificateID
	CA       bool // a registered CA, not a device's certificate
	NotAfter time.Time
	Days     int // which warning it is: one of warningDays
}

// warningDays are how many days before its end the owner of a certificate is
// warned, once each. AWS's audit checks for expiring certificates begin at 30.
var warningDays = []int{30, 7, 1}

// warningsAtOnce bounds one step of WarnOfExpiry, in certificates.
const warningsAtOnce = 500

// WarnOfExpiry tells of the ACTIVE certificates and CAs that are near their end,
// each once per warning. It tells before it notes that it has told: after a crash
// a warning comes twice rather than never. A second caller waits for the first.
func (s *Service) WarnOfExpiry(ctx context.Context, tell func(Expiring)) error {
	s.warning.Lock()
	defer s.warning.Unlock()
	for _, ca := range []bool{false, true} {
		for i, days := range warningDays {
			warned := 0
			if i > 0 {
				warned = warningDays[i-1]
			}
			if err := s.warnFrom(ctx, ca, warned, days, tell); err != nil {
				return err
			}
		}
	}
	return nil
}

// warnFrom warns those that were warned before at one distance, and are within
// another by now.
func (s *Service) warnFrom(ctx context.Context, ca bool, warned, within int, tell func(Expiring)) error {
	for {
		now := s.now()
		var found []Expiring
		err := s.store.View(ctx, func(tx Tx) (err error) {
			found, err = tx.Expiring(ca, warned, now.Add(inDays(within)), warningsAtOnce)
			return err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		for i := range found {
			found[i].Days = warningAt(found[i].NotAfter.Sub(now))
			tell(found[i])
		}
		if err := s.noteWarned(ctx, found); err != nil || len(found) < warningsAtOnce {
			return err
		}
	}
}

func (s *Service) noteWarned(ctx context.Context, told []Expiring) error {
	return s.store.Update(ctx, func(tx Tx) error {
		for _, e := range told {
			if err := tx.SetWarned(e.CA, e.ID, e.Days); err != nil {
				return err
			}
		}
		return nil
	})
}

// warningAt is the nearest warning that holds so long before the end.
func warningAt(left time.Duration) int {
	nearest := warningDays[0]
	for _, days := range warningDays {
		if left < inDays(days) {
			nearest = days
		}
	}
	return nearest
}

func inDays(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
