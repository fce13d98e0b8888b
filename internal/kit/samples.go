package kit

import "slices"

// Sample is the program in a kit, for one kind of device.
type Sample struct {
	Name  string // in flags and forms: python, node, shell, arduino
	Label string // as people call it
	files []sampleFile
}

// sampleFile is one file of a sample.
type sampleFile struct {
	name   string // in the zip
	source string // in files/
	mode   uint32
	filled bool // source is a template of the Kit
}

// Samples lists them, the usual one first.
func Samples() []Sample {
	return []Sample{
		{"python", "Python", []sampleFile{
			{"start.sh", "python/start.sh", 0o755, true},
			{"aws-iot-device-sdk-python-v2/samples/pubsub.py", "python/pubsub.py", 0o755, false},
		}},
		{"node", "Node.js", []sampleFile{
			{"start.sh", "node/start.sh", 0o755, true},
			{"aws-iot-device-sdk-js-v2/samples/node/pub_sub/index.js", "node/index.js", 0o755, false},
		}},
		{"shell", "Shell (mosquitto)", []sampleFile{
			{"start.sh", "shell/start.sh", 0o755, true},
		}},
		{"arduino", "Arduino (ESP32)", []sampleFile{
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

// Runs reports whether the kit is started by its start.sh; the other kind is
// compiled and uploaded.
func (s Sample) Runs() bool { return s.files[0].name == "start.sh" }

// Files are the names in the zip of a thing's kit.
func (s Sample) Files(thing string) []string {
	var names []string
	for _, f := range (Kit{Thing: thing}).identity() {
		names = append(names, f.name)
	}
	for _, f := range s.files {
		names = append(names, f.name)
	}
	return names
}
