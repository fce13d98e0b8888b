package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Sealer encrypts what lies on disk. The name of the secret is bound into the
// result, so that one sealed file cannot stand in for another.
type Sealer interface {
	Seal(name string, plain []byte) ([]byte, error)
	Open(name string, sealed []byte) ([]byte, error)
}

// sealedType is the PEM type of a private key that a Sealer wrote.
const sealedType = "THINGD SEALED PRIVATE KEY"

// folder is where the authority's files are.
type folder struct {
	dir    string
	sealer Sealer // nil: keys are files in the clear, readable by the owner alone
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// write replaces a file so that a power cut leaves the old or the new one.
func (f folder) write(name string, content []byte, mode fs.FileMode) error {
	if err := f.replace(name, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", f.path(name), err)
	}
	return nil
}

func (f folder) replace(name string, content []byte, mode fs.FileMode) error {
	temp, err := os.CreateTemp(f.dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails once it is renamed, as it should
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), f.path(name)); err != nil {
		return err
	}
	return syncFolder(f.dir)
}

// syncFolder makes a rename survive a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f folder) writeKey(name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	if f.sealer != nil {
		sealed, err := f.sealer.Seal(name, der)
		if err != nil {
			return fmt.Errorf("seal %s: %w", name, err)
		}
		block = &pem.Block{Type: sealedType, Bytes: sealed}
	}
	return f.write(name, pem.EncodeToMemory(block), 0o600)
}

// readKey reads a key that writeKey or an operator's tools wrote.
func (f folder) readKey(name string) (crypto.Signer, error) {
	text, err := os.ReadFile(f.path(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam -genkey writes this first
		block, text = nextBlock(text)
	}
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM key", f.path(name))
	}
	der := block.Bytes
	if block.Type == sealedType {
		if f.sealer == nil {
			return nil, fmt.Errorf("%s is sealed; start with the seal key it was sealed with", f.path(name))
		}
		if der, err = f.sealer.Open(name, der); err != nil {
			return nil, fmt.Errorf("unseal %s: %w", f.path(name), err)
		}
	}
	key, err := parseKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path(name), err)
	}
	return key, nil
}

func nextBlock(text []byte) (*pem.Block, []byte) {
	_, rest := pem.Decode(text)
	block, _ := pem.Decode(rest)
	return block, rest
}

// parseKey reads PKCS #8 (ours), PKCS #1 and SEC 1 (what tools write).
func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("not a private key")
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	default:
		return nil, fmt.Errorf("%T is neither an RSA nor an ECDSA key", key)
	}
}

func (f folder) writeCertificate(name string, der []byte) error {
	return f.write(name, encodeCertificate(der), 0o644)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (f folder) readCertificate(name string) (*x509.Certificate, error) {
	text, err := os.ReadFile(f.path(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s holds no PEM certificate", f.path(name))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path(name), err)
	}
	return cert, nil
}
