package s3gate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// syncPath writes a file or folder, with its attributes, to the disk.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}

// syncName writes the folders from a name up to top, so that the name is found
// after a power cut. Folders that are gone by now have nothing to keep.
func syncName(top, path string) error {
	for {
		path = filepath.Dir(path)
		if err := syncPath(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(path) <= len(top) {
			return nil
		}
	}
}

// syncObject writes what an upload has changed: the file with its attributes and
// the way to it. If another upload has replaced the file meanwhile, that one is
// written.
func syncObject(bucket, path string) error {
	if err := syncPath(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncName(bucket, path)
}
