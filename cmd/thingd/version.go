package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the release build; development builds say so.
var version = "development"

// versionCommand prints what this binary is.
type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run() error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	fmt.Printf("thingd %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
