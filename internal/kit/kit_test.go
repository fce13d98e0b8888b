package kit

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// unpacked gives the files of a kit.
func unpacked(t *testing.T, sample string) (names []string, text map[string]string) {
	t.Helper()
	found, known := FindSample(sample)
	if !known {
		t.Fatalf("there is no sample %s", sample)
	}
	var packed bytes.Buffer
	k := Kit{Thing: "plant:pump-7", Endpoint: "iot.example.com", Port: 8884, Sample: found, Made: time.Unix(1<<30, 0)}
	if err := k.Write(&packed); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	text = map[string]string{}
	for _, f := range archive.File {
		part, err := archive.Open(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		names, text[f.Name] = append(names, f.Name), string(content)
	}
	if diff := cmp.Diff(found.Files("plant:pump-7"), names); diff != "" {
		t.Errorf("the files of kit %s (-promised +packed):\n%s", sample, diff)
	}
	return names, text
}

// arguments are those of the last line of a script, which runs the sample.
func arguments(script, program string) string {
	lines := strings.Split(strings.TrimSpace(script), "\n")
	_, arguments, _ := strings.Cut(lines[len(lines)-1], program+" ")
	return arguments
}

// No PowerShell runs in these tests: what can be held is that the script runs the
// same sample with the same arguments as the one for Linux, which other tests
// run, and that Windows can name the files and read the text.
func TestTheKitForWindowsRunsTheSameSample(t *testing.T) {
	for _, test := range []struct{ sample, unix, windows string }{
		{"python", "python3", "python"},
		{"node", "node", "node"},
	} {
		_, unix := unpacked(t, test.sample)
		names, windows := unpacked(t, test.sample+"-windows")
		script := windows["start.ps1"]
		want := strings.ReplaceAll(arguments(unix["start.sh"], test.unix), "plant:pump-7.", "plant_pump-7.")
		if got := arguments(script, test.windows); got != want || want == "" {
			t.Errorf("%s: the script runs\n%s\nwant\n%s", test.sample, got, want)
		}
		if strings.Contains(strings.Join(names, ""), ":") {
			t.Errorf("%s: Windows cannot have files of these names: %q", test.sample, names)
		}
		if i := strings.IndexFunc(script, func(r rune) bool { return r > '~' }); i >= 0 {
			t.Errorf("%s: Windows PowerShell reads %q as something else", test.sample, script[i:])
		}
	}
}

func TestEveryKitHasWhatItPromises(t *testing.T) {
	for _, sample := range Samples() {
		unpacked(t, sample.Name)
	}
}
