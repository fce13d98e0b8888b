package provisioning

import (
	"context"
	"errors"
	"iter"
	"sync"

	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// Import says what the devices of a manifest get beside certificate and thing.
type Import struct {
	Policy    string              // to attach to each certificate; "" for none
	ThingType string              // of the things that are made; "" for none
	Group     string              // to put each thing in; "" for none
	Name      func(string) string // gives the thing's name for the maker's ID; nil: the same
	Workers   int                 // devices at a time; 0: importWorkers
}

// Entry is the outcome for one device of a manifest.
type Entry struct {
	manifest.Element
	CertificateARN string
	Thing          string
	New            bool  // something was made; else all was there already
	Err            error // what is wrong with this one; nil: it is registered
}

// Summary counts the entries of an import.
type Summary struct{ New, Unchanged, Failed int }

// Add counts an entry.
func (s *Summary) Add(e Entry) {
	switch {
	case e.Err != nil:
		s.Failed++
	case e.New:
		s.New++
	default:
		s.Unchanged++
	}
}

// Registrar gives what imports into this server.
func (s *Service) Registrar() Registrar { return Registrar{s} }

// Run registers every element of a manifest and reports each, in no order. An
// element that fails is reported and the rest goes on; doing it again changes
// nothing. The error is ctx's, or that the manifest could not be read to its end
// (manifest.ErrRest), which is reported as an entry, too.
//
//	summary, err := provisioning.Import{Policy: "Kit_Policy"}.Run(ctx, service.Registrar(),
//		manifest.Read(manifest.Microchip, file, options), func(e provisioning.Entry) { ... })
func (i Import) Run(ctx context.Context, to Registrar, elements iter.Seq2[manifest.Element, error], report func(Entry)) (Summary, error) {
	if i.Workers <= 0 {
		i.Workers = importWorkers
	}
	var summary Summary
	var mu sync.Mutex
	tell := func(e Entry) {
		if e.Err != nil && ctx.Err() != nil {
			return // it was being stopped, which says nothing of the device
		}
		mu.Lock()
		defer mu.Unlock()
		summary.Add(e)
		report(e)
	}
	queue := make(chan manifest.Element)
	var under sync.WaitGroup
	for range i.Workers {
		under.Go(func() {
			for element := range queue {
				tell(i.one(ctx, to, element))
			}
		})
	}
	err := feed(ctx, elements, queue, tell)
	close(queue)
	under.Wait()
	return summary, err
}

const importWorkers = 16 // devices at a time, so that their commits share an fsync

// feed queues the elements and tells of those that are broken.
func feed(ctx context.Context, elements iter.Seq2[manifest.Element, error], queue chan<- manifest.Element, tell func(Entry)) (end error) {
	for element, err := range elements {
		if err != nil {
			tell(Entry{Element: element, Err: err})
			if errors.Is(err, manifest.ErrRest) {
				end = err
			}
			continue
		}
		select {
		case queue <- element:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return end
}

// one registers a device. Its certificate comes last to be attached to the
// thing, and each step can be done again.
func (i Import) one(ctx context.Context, to Registrar, element manifest.Element) (e Entry) {
	e = Entry{Element: element, Thing: element.ID}
	if i.Name != nil {
		e.Thing = i.Name(element.ID)
	}
	var madeCertificate, madeThing bool
	steps := []func() error{
		func() (err error) {
			e.CertificateARN, madeCertificate, err = to.Certificate(ctx, element.PEM)
			return err
		},
		func() (err error) {
			if i.Policy == "" {
				return nil
			}
			return to.Policy(ctx, i.Policy, e.CertificateARN)
		},
		func() (err error) {
			madeThing, err = to.Thing(ctx, e.Thing, i.ThingType)
			return err
		},
		func() error { return to.Attach(ctx, e.Thing, e.CertificateARN) },
		func() error {
			if i.Group == "" {
				return nil
			}
			return to.Group(ctx, e.Thing, i.Group)
		},
	}
	for _, step := range steps {
		if e.Err = step(); e.Err != nil {
			break
		}
	}
	e.New = madeCertificate || madeThing
	return e
}

// Registrar does the single steps of an import. Each can be done again, and those
// that make something say whether it was not there.
type Registrar struct{ s *Service }

// Certificate registers a certificate without its CA, ACTIVE. One that is
// registered keeps its status: whoever revoked it meant it.
func (r Registrar) Certificate(ctx context.Context, pem string) (string, bool, error) {
	cert, err := r.s.pki.RegisterWithoutCA(ctx, pem, pki.Active)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == fault.CodeAlreadyExists {
		return f.ResourceARN, false, nil
	}
	return r.s.pki.ARN(cert.ID), err == nil, err
}

// Policy attaches a policy to a certificate.
func (r Registrar) Policy(ctx context.Context, policyName, certificateARN string) error {
	return r.s.access.AttachPolicy(ctx, policyName, certificateARN)
}

// Thing makes a thing. One that is there stays as it is.
func (r Registrar) Thing(ctx context.Context, name, thingType string) (bool, error) {
	if _, err := r.s.registry.Thing(ctx, name); err == nil || !fault.Is(err, fault.CodeNotFound) {
		return false, err
	}
	_, err := r.s.registry.CreateThing(ctx, registry.NewThing{Name: name, Type: thingType})
	if fault.Is(err, fault.CodeAlreadyExists) {
		return false, nil
	}
	return err == nil, err
}

// Attach attaches a certificate to a thing.
func (r Registrar) Attach(ctx context.Context, thing, certificateARN string) error {
	return r.s.registry.AttachThingPrincipal(ctx, thing, certificateARN, false)
}

// Group puts a thing into a group.
func (r Registrar) Group(ctx context.Context, thing, group string) error {
	return r.s.registry.AddThingToThingGroup(ctx, thing, group)
}
