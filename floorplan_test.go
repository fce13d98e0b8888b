package thingd

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floors says for each package of the house which packages of the house it may
// import. A package that is not listed may not exist: adding one is a decision.
//
// Imports point down, from doors to nouns to languages. Nobody imports store: a
// noun declares what it needs, store fulfils it, thingd.go joins them.
var floors = map[string][]string{
	// Ground floor: languages. No clock, no disk, no network.
	"fault":             {},
	"arn":               {"fault"},
	"mqtt":              {},
	"topic":             {"fault"},
	"policy":            {"fault", "why"},
	"message":           {"mqtt"},
	"why":               {},
	"kit":               {"arn"},
	"aws":               {},
	"aws/sigv4":         {"fault"},
	"aws/wire":          {"fault", "aws/sigv4"},
	"aws/iot":           {"aws/wire"},
	"aws/iotdata":       {"aws/wire"},
	"aws/iotjobs":       {"aws/wire"},
	"aws/tunneling":     {"aws/wire"},
	"aws/sagemaker":     {"aws/wire"},
	"aws/sagemakeredge": {"aws/wire"},
	"aws/sts":           {"aws/wire"},
	"aws/iamapi":        {"aws/wire"},
	"aws/thingdapi":     {"aws/wire"},

	"provisioning/template":          {"fault"},
	"provisioning/manifest":          {"provisioning/manifest/sevenzip"},
	"provisioning/manifest/sevenzip": {},
	"bridge/module":                  {"fault"},

	// First floor: nouns. Beside languages only the neighbours named here.
	"lease":                 {},
	"registry":              {languages},
	"pki":                   {languages, "lease"},
	"iam":                   {languages},
	"access":                {languages, "registry"},
	"credentials":           {languages, "access", "iam", "registry"},
	"edgefleet":             {languages, "credentials", "iam", "registry"},
	"shadow":                {languages},
	"broker":                {languages},
	"bridge":                {languages},
	"journal":               {languages},
	"audit":                 {},
	"authorizer":            {languages, "registry"},
	"settings":              {languages, "registry"},
	"provisioning":          {languages, "lease", "registry", "pki", "access"},
	"rules":                 {languages, "rules/iotsql", "rules/action"},
	"rules/action":          {languages, "rules/iotsql"},
	"rules/iotsql":          {"fault", "mqtt", "topic", "message", "rules/iotsql/decimal", "rules/iotsql/datetime", "rules/iotsql/protobuf"},
	"rules/iotsql/decimal":  {},
	"rules/iotsql/datetime": {},
	"rules/iotsql/protobuf": {},

	// Second floor: doors and pipes.
	"store":           {languages, nouns},
	"store/storetest": {"store"}, // for tests alone
	"store/pgtest":    {},        // likewise
	"gateway":         {languages, nouns},
	"function":        {"fault"},
	"api":             {languages, nouns},
	"console":         {languages, nouns},
	"s3gate":          {languages, nouns},
}

// languages and nouns stand for all packages of a floor.
const (
	languages = "(languages)"
	nouns     = "(nouns)"
)

var nounPackages = []string{"lease", "registry", "pki", "iam", "access", "credentials", "edgefleet", "shadow", "broker", "bridge", "journal", "audit", "settings", "authorizer", "provisioning", "rules", "rules/iotsql", "rules/action"}

var languagePackages = []string{"fault", "arn", "mqtt", "topic", "policy", "message", "why", "kit", "aws/sigv4", "aws/wire", "aws/iot", "aws/iotdata",
	"aws/iotjobs", "aws/tunneling", "aws/sagemaker", "aws/sagemakeredge", "aws/sts", "aws/iamapi", "aws/thingdapi",
	"provisioning/template", "provisioning/manifest", "provisioning/manifest/sevenzip", "bridge/module"}

// owners says which package alone may import a dependency, by the beginning of
// its path; a second owner says why it is one.
var owners = map[string][]string{
	"modernc.org/sqlite":           {"internal/store"},
	"github.com/jackc/pgx/":        {"internal/store"},
	"github.com/gobwas/ws":         {"internal/gateway"},
	"github.com/prometheus/":       {"internal/gateway"},
	"github.com/alecthomas/kong":   {"cmd/thingd"},
	"google.golang.org/protobuf":   {"internal/rules/iotsql/protobuf"},
	"github.com/versity/":          {"internal/s3gate"},
	"github.com/fxamacker/cbor":    {"internal/provisioning"},
	"github.com/ulikunitz/xz":      {"internal/provisioning/manifest/sevenzip"},
	"github.com/twmb/franz-go":     {"internal/rules/action"},
	"github.com/aws/aws-sdk-go-v2": {"internal/rules/action", "internal/s3gate"}, // versitygw speaks in its shapes
}

// impure may not be imported on the ground floor.
var impure = []string{"net/http", "os", "database/sql", "os/exec"}

// mayBeImpure are languages that describe something of the outside world and
// touch it only through what they are handed.
var mayBeImpure = []string{"aws/sigv4", "aws/wire", "kit"}

func TestFloorPlan(t *testing.T) {
	for dir, imports := range packages(t) {
		room, isRoom := strings.CutPrefix(dir, "internal/")
		if isRoom {
			if _, planned := floors[room]; !planned {
				t.Errorf("%s is not on the floor plan", dir)
			}
		}
		for _, path := range imports {
			if isRoom {
				checkNeighbour(t, room, path)
				checkPure(t, room, path)
			}
			checkOwner(t, dir, path)
		}
	}
}

func checkNeighbour(t *testing.T, room, path string) {
	other, ok := strings.CutPrefix(path, "thingd/internal/")
	if !ok {
		if path == "thingd" || strings.HasPrefix(path, "thingd/cmd") {
			t.Errorf("internal/%s imports %s: only cmd and tests may", room, path)
		}
		return
	}
	for _, allowed := range floors[room] {
		switch {
		case allowed == other,
			allowed == languages && slices.Contains(languagePackages, other),
			allowed == nouns && slices.Contains(nounPackages, other):
			return
		}
	}
	t.Errorf("internal/%s imports internal/%s, which the floor plan does not allow", room, other)
}

func checkPure(t *testing.T, room, path string) {
	if slices.Contains(languagePackages, room) && slices.Contains(impure, path) && !slices.Contains(mayBeImpure, room) {
		t.Errorf("internal/%s is a language and imports %s", room, path)
	}
}

func checkOwner(t *testing.T, dir, path string) {
	for prefix, owner := range owners {
		if strings.HasPrefix(path, prefix) && !slices.Contains(owner, dir) {
			t.Errorf("%s imports %s, which belongs to %s alone", dir, path, strings.Join(owner, " and "))
		}
	}
}

// packages gives the imports of every package but those of tests and tools.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "testdata" || name == "tools" || name == "test" || name != "." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		for _, spec := range file.Imports {
			all[dir] = append(all[dir], strings.Trim(spec.Path.Value, `"`))
		}
		if all[dir] == nil {
			all[dir] = []string{}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
