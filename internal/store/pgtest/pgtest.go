// Package pgtest gives tests a PostgreSQL server of their own, where the machine has
// one installed.
package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Start runs a server in a temporary folder and gives the URL of its default
// database. Call stop, also after an error. PostgreSQL refuses to run as root, so
// root lends it to the user nobody.
func Start() (address string, stop func(), err error) {
	stop = func() {}
	bin, err := binaries()
	if err != nil {
		return "", stop, err
	}
	dir, err := os.MkdirTemp("", "thingd-pg")
	if err != nil {
		return "", stop, err
	}
	stop = func() { os.RemoveAll(dir) }
	as, err := unprivileged(dir)
	if err != nil {
		return "", stop, err
	}
	data := filepath.Join(dir, "data")
	if err := command(as, filepath.Join(bin, "initdb"), "-D", data, "-U", "thingd", "-A", "trust", "-E", "UTF8", "--no-sync"); err != nil {
		return "", stop, err
	}
	// A socket in the folder and no TCP: a free port may be taken before the
	// server has it.
	flags := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories=%s -c fsync=off", dir)
	ctl := filepath.Join(bin, "pg_ctl")
	if err := command(as, ctl, "-D", data, "-w", "-t", "300", "-o", flags, "-l", filepath.Join(dir, "log"), "start"); err != nil {
		return "", stop, err
	}
	stop = func() {
		_ = command(as, ctl, "-D", data, "-m", "immediate", "stop")
		os.RemoveAll(dir)
	}
	return "postgres://thingd@/postgres?sslmode=disable&host=" + dir, stop, nil
}

func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("pg_ctl")
	if err != nil {
		return "", fmt.Errorf("pg_ctl not found; make setup installs it")
	}
	return filepath.Dir(path), nil
}

// unprivileged gives dir to a user that PostgreSQL agrees to run as.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

func command(as *syscall.SysProcAttr, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = as
	cmd.Dir = "/"
	var out bytes.Buffer
	cmd.Stderr = &out // not stdout: the server would keep it open
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out.String())
	}
	return nil
}
