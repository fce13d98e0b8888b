package thingd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"thingd/internal/registry"
)

// dataDir is the folder that holds everything the server keeps:
//
//	root-ca.pem      what clients must trust, readable by all
//	credentials      the root access key, in AWS's shared-credentials format
//	endpoint.json    where the server listens, for the other subcommands
//	thingd.db        the database, unless PostgreSQL is used
//	*.key, *.pem     keys and certificates
//	node             the ID of the server that runs here, among those on one database
//	lock             held while a server runs
//
//	server-certificates/ID.pem, ID.key
//	                 certificates for the ARNs of domain configurations, put there
//	                 by the operator; they stand in for AWS Certificate Manager
//	accounts/ID/     the same for each further account, as far as it has it
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir makes the folder if need be and keeps other servers out.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder %s: %w", path, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write to the data folder %s: %w", path, err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another thingd runs on the data folder %s; stop it, or give this one a folder of its own with --data", path)
		}
		return nil, fmt.Errorf("cannot lock the data folder %s: %w", path, err)
	}
	return &dataDir{path, lock}, nil
}

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

func (d *dataDir) close() error { return d.lock.Close() }

// Endpoint is what endpoint.json tells the other subcommands.
type Endpoint struct {
	Host    string   `json:"host"`  // as DescribeEndpoint gives it
	Port    int      `json:"port"`  // of the first TLS door
	Doors   []string `json:"doors"` // addresses of all TLS doors
	HTTP    string   `json:"http"`  // address of the plain door
	Region  string   `json:"region"`
	Account string   `json:"account"`
}

// ReadEndpoint reads where the server of a data folder listens.
func ReadEndpoint(data string) (Endpoint, error) {
	text, err := os.ReadFile(filepath.Join(data, "endpoint.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Endpoint{}, fmt.Errorf("%s is not the data folder of a thingd that was ever started; give its folder with --data, or start it with 'thingd serve --data %s'", data, data)
	}
	if err != nil {
		return Endpoint{}, err
	}
	var e Endpoint
	if err := json.Unmarshal(text, &e); err != nil {
		return Endpoint{}, fmt.Errorf("%s is damaged; restart the server to make it anew: %w", filepath.Join(data, "endpoint.json"), err)
	}
	return e, nil
}

// write puts a file in place whole: a reader sees the old or the new one.
func (d *dataDir) write(name string, text []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(d.path, name+".new*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), d.file(name))
}

// node gives the ID of the server that has this folder, and makes it at the first
// start.
func (d *dataDir) node() (string, error) {
	id, err := os.ReadFile(d.file("node"))
	if !errors.Is(err, os.ErrNotExist) {
		return string(id), err
	}
	made := registry.NewUUID()
	return made, d.write("node", []byte(made), 0o600)
}

// writeCredentials gives the owner of the folder the root access key.
func (d *dataDir) writeCredentials(id, secret, region string) error {
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n", id, secret, region)
	return d.write("credentials", []byte(text), 0o600)
}

func (d *dataDir) writeEndpoint(e Endpoint) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return d.write("endpoint.json", append(text, '\n'), 0o644)
}
