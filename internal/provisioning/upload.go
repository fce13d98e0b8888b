package provisioning

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"thingd/internal/fault"
	"thingd/internal/lease"
)

// A manifest is kept in the database, in parts, until its import has ended: so
// any server can go on with it.

// ManifestPart is one part of a manifest.
type ManifestPart struct {
	Number int // from 1
	Size   int // bytes
}

const (
	// PartMax bounds one part, in bytes: it is a row, and is in memory whole.
	PartMax  = 4 << 20
	partsMax = 10_000
	// partSize is the length of the parts that are made here of longer uploads.
	partSize = 1 << 20
	// partsBatch is how many parts are deleted at a time.
	partsBatch = 16
)

// PutManifestPart takes one part of the manifest of an import that awaits it, over
// the one of the same number: a part that was sent twice counts once.
func (s *Service) PutManifestPart(ctx context.Context, id string, number int, data []byte) error {
	return s.putPart(ctx, id, number, data, func(_ Tx, job ImportJob) error {
		if job.Status != AwaitingUpload {
			return fault.InvalidRequest("The import %s is %s; it takes no more parts", id, job.Status)
		}
		return nil
	})
}

// putPart writes a part where may says so. The import's row has the sum of all
// parts, so that one costs the same however many there are.
func (s *Service) putPart(ctx context.Context, id string, number int, data []byte, may func(Tx, ImportJob) error) error {
	switch {
	case number < 1 || number > partsMax:
		return fault.InvalidRequest("parts have the numbers 1 to %d", partsMax)
	case len(data) == 0 || len(data) > PartMax:
		return fault.InvalidRequest("a part has 1 to %d bytes, not %d", PartMax, len(data))
	}
	return s.store.Update(ctx, func(tx Tx) error {
		job, err := findImport(tx, id)
		if err != nil {
			return err
		}
		if err := may(tx, job); err != nil {
			return err
		}
		before, err := tx.ManifestPartSize(id, number)
		if err != nil {
			return err
		}
		job.Uploaded += int64(len(data) - before)
		if job.Uploaded > manifestMax {
			return fault.InvalidRequest("the manifest is longer than %d bytes", int64(manifestMax))
		}
		if err := tx.PutImportJob(job); err != nil {
			return err
		}
		return tx.PutManifestPart(id, number, data)
	})
}

// uploaded gives the length of a manifest whose parts have all come.
func uploaded(tx Tx, id string) (size int64, err error) {
	parts, err := tx.ManifestParts(id)
	for i, part := range parts {
		if part.Number != i+1 {
			return 0, fault.InvalidRequest("Part %d of the manifest is missing", i+1)
		}
		size += int64(part.Size)
	}
	return size, err
}

// takeManifest puts what comes into parts. held is nil for an import that awaits
// its upload, else the lease of the one that fetches it.
func (s *Service) takeManifest(ctx context.Context, id string, body io.Reader, held *lease.Held) (size int64, err error) {
	part := make([]byte, partSize)
	for number := 1; ; number++ {
		n, err := io.ReadFull(body, part)
		if n > 0 {
			if err := s.keepPart(ctx, id, number, part[:n], held); err != nil {
				return 0, err
			}
			size += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return size, nil
		case err != nil:
			return 0, fmt.Errorf("the manifest cannot be read: %w", err)
		}
	}
}

func (s *Service) keepPart(ctx context.Context, id string, number int, data []byte, held *lease.Held) error {
	if held == nil {
		return s.PutManifestPart(ctx, id, number, data)
	}
	return s.putPart(ctx, id, number, data, func(tx Tx, _ ImportJob) error { return held.Check(tx) })
}

// fetch gets a manifest that lies in S3. Nothing was registered before it is here
// whole, so a server that ends meanwhile gets it again.
func (r *importRun) fetch(ctx context.Context) error {
	from := r.job.Source
	if from == (Source{}) || r.job.Size > 0 {
		return nil
	}
	if r.objects == nil {
		return errors.New("this server is not connected to S3")
	}
	object, err := r.objects.Get(ctx, r.scope.IoT("manifestimport", r.job.ID), from.Bucket, from.Key, from.RoleARN)
	if err != nil {
		return fmt.Errorf("the manifest cannot be read: %w", err)
	}
	defer object.Body.Close()
	if err := r.forgetManifest(ctx, r.job.ID); err != nil {
		return err
	}
	if r.job.Size, err = r.takeManifest(ctx, r.job.ID, object.Body, r.held); err != nil {
		return err
	}
	return r.note(ctx)
}

// manifestText reads the parts of a manifest as one. It is for one goroutine.
type manifestText struct {
	ctx    context.Context
	store  Store
	id     string
	starts []int64 // where each part begins
	size   int64

	number int // of the part that is in memory; 0: none
	part   []byte
}

func (s *Service) openManifest(ctx context.Context, id string) (*manifestText, error) {
	m := &manifestText{ctx: ctx, store: s.store, id: id}
	err := s.store.View(ctx, func(tx Tx) error {
		parts, err := tx.ManifestParts(id)
		for _, part := range parts {
			m.starts = append(m.starts, m.size)
			m.size += int64(part.Size)
		}
		return err
	})
	return m, err
}

// ReadAt implements io.ReaderAt.
func (m *manifestText) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at < 0 || at >= m.size {
			return n, io.EOF
		}
		number, _ := slices.BinarySearch(m.starts, at+1) // the parts that begin at or before at
		if err := m.load(number); err != nil {
			return n, err
		}
		taken := copy(p[n:], m.part[at-m.starts[number-1]:])
		n, at = n+taken, at+int64(taken)
	}
	return n, nil
}

func (m *manifestText) load(number int) error {
	if m.number == number {
		return nil
	}
	m.number = 0
	err := m.store.View(m.ctx, func(tx Tx) error {
		data, found, err := tx.ManifestPart(m.id, number)
		if err == nil && !found {
			err = fmt.Errorf("part %d of the manifest is gone", number)
		}
		m.part = data
		return err
	})
	if err == nil {
		m.number = number
	}
	return err
}

// forgetManifest deletes the manifest of an import, a few parts at a time, so that
// others can write in between.
func (s *Service) forgetManifest(ctx context.Context, id string) error {
	for {
		deleted := 0
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			if deleted, err = tx.DeleteManifestParts(id, partsBatch); err != nil || deleted == partsBatch {
				return err
			}
			job, found, err := tx.ImportJob(id)
			if err != nil || !found || job.Uploaded == 0 {
				return err
			}
			job.Uploaded = 0
			return tx.PutImportJob(job)
		})
		if err != nil || deleted < partsBatch {
			return err
		}
	}
}

// sweepManifests deletes the manifests of imports that have ended or are gone.
func (s *Service) sweepManifests(ctx context.Context) error {
	for id := ""; ; {
		isStray := false
		err := s.store.View(ctx, func(tx Tx) (err error) {
			if id, err = tx.NextManifest(id); err != nil || id == "" {
				return err
			}
			job, found, err := tx.ImportJob(id)
			isStray = !found || job.Ended()
			return err
		})
		if err != nil || id == "" {
			return err
		}
		if isStray {
			if err := s.forgetManifest(ctx, id); err != nil {
				return err
			}
		}
	}
}
