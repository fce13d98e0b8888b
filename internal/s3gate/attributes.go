package s3gate

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/backend/meta"
)

// etagAttribute is what the backend stores once the data of a file is complete
// and before the file gets its name.
const etagAttribute = "etag"

// attributes keeps the metadata of buckets and objects in extended attributes,
// durably: those of a named file or folder are on disk when StoreAttribute
// returns; those of a file without a name yet are written with its name, and its
// data before, so that a name never leads to half an object.
type attributes struct{ meta.MetadataStorer }

var _ meta.MetadataStorer = attributes{}

// StoreAttribute implements meta.MetadataStorer.
func (a attributes) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if f != nil && attribute == etagAttribute {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := a.MetadataStorer.StoreAttribute(f, bucket, object, attribute, value); err != nil || f != nil {
		return err
	}
	return syncPath(filepath.Join(bucket, object))
}

// DeleteAttribute implements meta.MetadataStorer.
func (a attributes) DeleteAttribute(bucket, object, attribute string) error {
	if err := a.MetadataStorer.DeleteAttribute(bucket, object, attribute); err != nil {
		return err
	}
	return syncPath(filepath.Join(bucket, object))
}

// sidecar keeps metadata in files of a folder beside the buckets, for file
// systems without extended attributes. The backend gives buckets by their full
// path; here they are named.
type sidecar struct {
	meta.SideCar
	dir     string // of the metadata
	buckets string // of the buckets
}

var _ meta.MetadataStorer = sidecar{}

func (s sidecar) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	bucket, object = s.within(bucket, object)
	return s.SideCar.RetrieveAttribute(f, bucket, object, attribute)
}

// StoreAttribute always reaches the disk: there is no later moment at which all
// files of an object could be found.
func (s sidecar) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	bucket, object = s.within(bucket, object)
	if err := s.SideCar.StoreAttribute(f, bucket, object, attribute, value); err != nil {
		return err
	}
	return syncObject(s.dir, filepath.Join(s.dir, bucket, object, "meta", attribute))
}

func (s sidecar) DeleteAttribute(bucket, object, attribute string) error {
	bucket, object = s.within(bucket, object)
	return s.SideCar.DeleteAttribute(bucket, object, attribute)
}

func (s sidecar) ListAttributes(bucket, object string) ([]string, error) {
	bucket, object = s.within(bucket, object)
	return s.SideCar.ListAttributes(bucket, object)
}

func (s sidecar) DeleteAttributes(bucket, object string) error {
	bucket, object = s.within(bucket, object)
	return s.SideCar.DeleteAttributes(bucket, object)
}

func (s sidecar) RenameObject(bucket, from, to string) error {
	name, from := s.within(bucket, from)
	_, to = s.within(bucket, to)
	return s.SideCar.RenameObject(name, from, to)
}

// within splits the path of a bucket, joined with an object, into the bucket's
// name and the rest.
func (s sidecar) within(bucket, object string) (name, rest string) {
	inside := strings.TrimPrefix(filepath.Join(bucket, object), s.buckets+string(filepath.Separator))
	name, rest, _ = strings.Cut(inside, string(filepath.Separator))
	return name, rest
}

// attributesOf chooses where metadata go.
func attributesOf(dir, buckets string) (meta.MetadataStorer, error) {
	if (meta.XattrMeta{}).Test(buckets) == nil {
		return attributes{meta.XattrMeta{}}, nil
	}
	return openSidecar(filepath.Join(dir, "s3-attributes"), buckets)
}

// openSidecar keeps metadata in a folder.
func openSidecar(folder, buckets string) (meta.MetadataStorer, error) {
	if err := makeDir(folder); err != nil {
		return nil, err
	}
	files, err := meta.NewSideCar(folder)
	if err != nil {
		return nil, err
	}
	return attributes{sidecar{files, folder, buckets}}, nil
}
