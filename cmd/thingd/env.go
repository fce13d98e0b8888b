package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"thingd"
)

// dataFlag is the flag that all clients of a server on this machine share.
type dataFlag struct {
	Data string `default:"./thingd-data" placeholder:"DIR" help:"Data folder of the server."`
}

// envCommand prints shell exports, for eval.
type envCommand struct {
	dataFlag
}

// Run implements the command.
func (c *envCommand) Run() error {
	e, err := thingd.ReadEndpoint(c.Data)
	if err != nil {
		return err
	}
	keys, err := readCredentials(c.Data)
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(c.Data)
	if err != nil {
		return err
	}
	for _, pair := range [][2]string{
		{"AWS_ACCESS_KEY_ID", keys.id},
		{"AWS_SECRET_ACCESS_KEY", keys.secret},
		{"AWS_DEFAULT_REGION", e.Region},
		{"AWS_ENDPOINT_URL", fmt.Sprintf("https://%s:%d", e.Host, e.Port)},
		{"AWS_CA_BUNDLE", filepath.Join(folder, "root-ca.pem")},
	} {
		fmt.Printf("export %s=%s\n", pair[0], shellQuote(pair[1]))
	}
	// A session token of an earlier login would spoil every signature.
	fmt.Println("unset AWS_SESSION_TOKEN AWS_PROFILE")
	return nil
}

// shellWord is text as a person would type it: quoted only where it must be.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return shellQuote(text)
}

// shellQuote makes one word of text for a POSIX shell.
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
