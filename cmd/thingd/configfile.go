package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// BeforeResolve reads the configuration file, wherever its name comes from: the
// command line or the environment. What the file says gives way to both.
func (*commands) BeforeResolve(app *kong.Kong, ctx *kong.Context) error {
	name := configName(ctx)
	if name == "" {
		return nil
	}
	file, err := readConfigFile(name, serveFlags(app))
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	ctx.AddResolver(file)
	return nil
}

func configName(ctx *kong.Context) string {
	for _, flag := range ctx.Flags() {
		if flag.Name == "config" {
			name, _ := ctx.FlagValue(flag).(string)
			return name
		}
	}
	return ""
}

// serveFlags are the names that a configuration file may use.
func serveFlags(app *kong.Kong) map[string]bool {
	names := map[string]bool{}
	for _, command := range app.Model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, flag := range command.Flags {
			names[flag.Name] = true
		}
	}
	return names
}

// configFile is a configuration file: one JSON object whose members are named
// like the flags of `thingd serve`. A repeatable flag is a list, --limit an
// object.
type configFile map[string]any

var _ kong.Resolver = configFile(nil)

// readConfigFile refuses a member that is no flag: a misspelled setting must not
// be ignored in silence.
func readConfigFile(name string, allowed map[string]bool) (configFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	members, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a JSON object: %w", name, err)
	}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		if !allowed[member] {
			return nil, fmt.Errorf("%s: there is no setting %q; members are named like the flags of 'thingd serve'", name, member)
		}
		members[member] = plain(members[member])
	}
	return members, nil
}

func parseConfig(text []byte) (configFile, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members configFile
	if err := decoder.Decode(&members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("it is null")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// plain makes numbers and booleans texts, as they are on the command line: the
// limits of --limit are texts whatever they stand for.
func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		return value.String()
	case map[string]any:
		for name, member := range value {
			value[name] = plainMember(member)
		}
	}
	return value
}

func plainMember(value any) any {
	switch value.(type) {
	case json.Number, bool:
		return fmt.Sprint(value)
	}
	return value
}

// Validate implements kong.Resolver.
func (configFile) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. The environment goes before the file, and a
// flag that has no variable is no setting, whatever its name.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if len(flag.Envs) == 0 {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return c[flag.Name], nil
}
