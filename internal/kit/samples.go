package kit

import "slices"

// Sample is the program in a kit, for one kind of device.
type Sample struct {
	Name     string   // in flags and forms, such as python
	Label    string   // as people call it
	Platform Platform // of the device
	files    []sampleFile
}

// Platform is what a kit's device runs.
type Platform string

// The platforms. A board has none: its sample is the whole program.
const (
	Unix    Platform = "Linux / macOS"
	Windows Platform = "Windows"
	Board   Platform = ""
)

// sampleFile is one file of a sample.
type sampleFile struct {
	name   string // in the zip
	source string // in files/
	mode   uint32
	filled bool // source is a template of the Kit
}

// Samples lists them, the usual one first.
func Samples() []Sample {
	python := sampleFile{"aws-iot-device-sdk-python-v2/samples/pubsub.py", "python/pubsub.py", 0o755, false}
	node := sampleFile{"aws-iot-device-sdk-js-v2/samples/node/pub_sub/index.js", "node/index.js", 0o755, false}
	return []Sample{
		{"python", "Python", Unix, []sampleFile{{"start.sh", "python/start.sh", 0o755, true}, python}},
		{"node", "Node.js", Unix, []sampleFile{{"start.sh", "node/start.sh", 0o755, true}, node}},
		{"shell", "Shell (mosquitto)", Unix, []sampleFile{{"start.sh", "shell/start.sh", 0o755, true}}},
		{"python-windows", "Python", Windows, []sampleFile{{"start.ps1", "python/start.ps1", 0o644, true}, python}},
		{"node-windows", "Node.js", Windows, []sampleFile{{"start.ps1", "node/start.ps1", 0o644, true}, node}},
		{"arduino", "Arduino (ESP32)", Board, []sampleFile{
			{"connect_device/connect_device.ino", "arduino/connect_device.ino", 0o644, true},
			{"connect_device/secrets.h", "arduino/secrets.h", 0o600, true},
		}},
	}
}

// FindSample gives the sample of a name; no name means the first.
func FindSample(name string) (Sample, bool) {
	all := Samples()
	if name == "" {
		return all[0], true
	}
	i := slices.IndexFunc(all, func(s Sample) bool { return s.Name == name })
	if i < 0 {
		return Sample{}, false
	}
	return all[i], true
}

// Commands are what to type on the device, beside the zip: first what unpacks it,
// last what runs it. There are none for a board, whose sample is compiled and
// uploaded.
func (s Sample) Commands() []string {
	return map[Platform][]string{
		Unix:    {"unzip " + FileName, "chmod +x start.sh", "./start.sh"},
		Windows: {"Expand-Archive " + FileName + " -DestinationPath .", "powershell -ExecutionPolicy Bypass -File start.ps1"},
	}[s.Platform]
}

// Files are the names in the zip of a thing's kit.
func (s Sample) Files(thing string) []string {
	var names []string
	for _, f := range (Kit{Thing: thing, Sample: s}).identity() {
		names = append(names, f.name)
	}
	for _, f := range s.files {
		names = append(names, f.name)
	}
	return names
}
