package thingd

import (
	"fmt"
	"os"
	"strings"

	"thingd/internal/iam"
)

// openSealer reads the key that seals secrets at rest, where there is one.
func (s *Server) openSealer() error {
	path := s.config.SealKeyFile
	if path == "" {
		return nil
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--seal-key-file: cannot read the key: %w", err)
	}
	sealer, err := iam.NewSealer(key)
	if err != nil {
		return fmt.Errorf("--seal-key-file %s: %w", path, err)
	}
	s.sealer = sealer
	s.warnOfPlainKeys()
	return nil
}

// warnOfPlainKeys: a key that was made before there was a seal key stays as it
// is, and whoever reads the folder can read it.
func (s *Server) warnOfPlainKeys() {
	for _, name := range []string{"root-ca.key", "device-ca.key"} {
		text, err := os.ReadFile(s.data.file(name))
		if err == nil && !strings.Contains(string(text), "SEALED") {
			s.log.Warn("a private key was made before there was a seal key and stays in the clear", "file", s.data.file(name))
		}
	}
}
