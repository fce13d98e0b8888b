package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const packages = "../../internal/aws"

func TestCheckedInPackagesAreCurrent(t *testing.T) {
	files, err := generate("models")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(packages, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the models give: run go generate ./internal/aws", name)
		}
	}
	for _, svc := range services {
		checkNoStrays(t, svc.pkg, files)
	}
}

// checkNoStrays finds generated files that the generator no longer writes.
func checkNoStrays(t *testing.T, pkg string, files map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(packages, pkg))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[pkg+"/"+e.Name()] == nil && !strings.HasSuffix(e.Name(), "_test.go") {
			t.Errorf("%s/%s has no model", pkg, e.Name())
		}
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	first, err := generate("models")
	if err != nil {
		t.Fatal(err)
	}
	second, err := generate("models")
	if err != nil {
		t.Fatal(err)
	}
	for name := range first {
		if !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

func TestEnumName(t *testing.T) {
	for _, tc := range []struct{ shape, value, want string }{
		{"JobStatus", "IN_PROGRESS", "JobStatusInProgress"},
		{"CannedAccessControlList", "public-read", "CannedAccessControlListPublicRead"},
		{"FleetMetricUnit", "Bytes/Second", "FleetMetricUnitBytesSecond"},
		{"ModelSortKey", "CreationTime", "ModelSortKeyCreationTime"},
		{"statusType", "Active", "StatusTypeActive"},
	} {
		if got := enumName(tc.shape, tc.value); got != tc.want {
			t.Errorf("enumName(%q, %q) = %q, want %q", tc.shape, tc.value, got, tc.want)
		}
	}
}

func TestLoadModelRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key":     `{"service":"x","operations":{},"shapes":{"A":{"kind":"list","of":"A","flattened":true}}}`,
		"unknown shape":   `{"service":"x","operations":{},"shapes":{"A":{"kind":"list","of":"B"}}}`,
		"unknown input":   `{"service":"x","operations":{"Op":{"method":"GET","uri":"/","input":"In"}},"shapes":{}}`,
		"unknown place":   `{"service":"x","operations":{},"shapes":{"S":{"kind":"string"},"A":{"kind":"structure","fields":{"a":{"type":"S","in":"cookie"}}}}}`,
		"list in a query": `{"service":"x","operations":{},"shapes":{"S":{"kind":"string"},"L":{"kind":"list","of":"S"},"A":{"kind":"structure","fields":{"a":{"type":"L","in":"querystring"}}}}}`,
		"not JSON at all": `<model/>`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := loadModel(path); err == nil {
				t.Error("loaded")
			}
		})
	}
}
