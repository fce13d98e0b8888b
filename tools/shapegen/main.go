// Shapegen writes the packages of internal/aws from the service models in
// models/: Go types for the shapes, constants for the enumerations, and the
// tables of operations, errors and constraints by which package wire routes,
// decodes, validates and answers.
//
//	go generate ./internal/aws
//
// The same models give the same bytes: a test compares them with what is
// checked in.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	models := flag.String("models", "models", "folder with the service models")
	out := flag.String("out", ".", "folder that gets a package for each")
	flag.Parse()
	if err := run(*models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "shapegen:", err)
		os.Exit(1)
	}
}

// run writes every file of every service below out.
func run(models, out string) error {
	files, err := generate(models)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate gives the text of every file by its path below the output folder.
func generate(models string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, svc := range services {
		m, err := loadModel(filepath.Join(models, svc.model+".json"))
		if err != nil {
			return nil, err
		}
		g := &generator{service: svc, model: m}
		if err := g.write(files); err != nil {
			return nil, fmt.Errorf("%s: %w", svc.model, err)
		}
	}
	return files, nil
}
