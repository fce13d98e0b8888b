// Package kit makes connection kits: a zip with everything one device needs to
// connect, laid out like the kit of AWS's wizard "Connect one device", so that
// its instructions hold: unzip, chmod +x start.sh, ./start.sh. A kit works
// without the Internet but for the SDK or library that its sample names, where
// that is not installed.
package kit

import (
	"archive/zip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"
	"time"

	"thingd/internal/arn"
)

// Kit is what goes into one zip.
type Kit struct {
	Thing       string
	Endpoint    string // host name
	Port        int    // of MQTT; 8883 is left out of the script
	Certificate string // PEM
	PublicKey   string // PEM
	PrivateKey  string // PEM
	Policy      string // JSON
	RootCA      string // PEM
	Sample      Sample // the zero value is the first of Samples
	Made        time.Time
}

// FileName is what the wizard calls the zip.
const FileName = "connect_device_package.zip"

//go:embed files
var files embed.FS

// file is one entry of the zip.
type file struct {
	name string
	text string
	mode os.FileMode
}

// Write writes the zip to w.
func (k Kit) Write(w io.Writer) error {
	entries, err := k.entries()
	if err != nil {
		return err
	}
	archive := zip.NewWriter(w)
	for _, f := range entries {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: k.Made}
		header.SetMode(f.mode)
		part, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(part, f.text); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (k Kit) entries() ([]file, error) {
	if k.Sample.Name == "" {
		k.Sample = Samples()[0]
	}
	entries := k.identity()
	for _, f := range k.Sample.files {
		text, err := k.sampleText(f)
		if err != nil {
			return nil, err
		}
		entries = append(entries, file{f.name, text, os.FileMode(f.mode)})
	}
	return entries, nil
}

// identity is what every kit has: who the device is, what it may do and whom it
// may trust.
func (k Kit) identity() []file {
	return []file{
		{k.FileThing() + ".cert.pem", k.Certificate, 0o644},
		{k.FileThing() + ".public.key", k.PublicKey, 0o644},
		{k.FileThing() + ".private.key", k.PrivateKey, 0o600},
		{PolicyName(k.FileThing()), k.Policy, 0o644},
		{"root-CA.crt", k.RootCA, 0o644},
	}
}

// FileThing is the thing's name as files are named: those of Windows have no
// colons.
func (k Kit) FileThing() string {
	if k.Sample.Platform == Windows {
		return strings.ReplaceAll(k.Thing, ":", "_")
	}
	return k.Thing
}

// sampleText reads a file of a sample, with what is known of the kit filled in.
func (k Kit) sampleText(f sampleFile) (string, error) {
	source, err := files.ReadFile("files/" + f.source)
	if err != nil || !f.filled {
		return string(source), err
	}
	filling, err := template.New(f.source).Parse(string(source))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = filling.Execute(&text, k)
	return text.String(), err
}

// PolicyName is the name of the policy made for a thing.
func PolicyName(thing string) string { return thing + "-Policy" }

// topics and clients are those of the samples of AWS's device SDKs, and of ours.
var (
	topics  = []string{"sdk/test/java", "sdk/test/python", "sdk/test/js", "sdk/test/shell", "sdk/test/arduino"}
	clients = []string{"sdk-java", "basicPubSub", "sdk-nodejs-*", "sdk-shell-*", "sdk-arduino-*"}
)

// Policy is the policy document of a kit: what the samples do, and no more. It
// is the same for all of them, so that a device may change its kit.
func Policy(scope arn.Scope) string {
	statement := func(kind string, names []string, actions ...string) map[string]any {
		resources := make([]string, len(names))
		for i, name := range names {
			resources[i] = scope.IoT(kind, name)
		}
		return map[string]any{"Effect": "Allow", "Action": actions, "Resource": resources}
	}
	text, err := json.MarshalIndent(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{
			statement("topic", topics, "iot:Publish", "iot:Receive", "iot:PublishRetain"),
			statement("topicfilter", topics, "iot:Subscribe"),
			statement("client", clients, "iot:Connect"),
		},
	}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("a document of strings does not encode: %v", err))
	}
	return string(text)
}
