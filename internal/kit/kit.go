// Package kit makes connection kits: a zip with everything one device needs to
// connect, laid out like the kit of AWS's wizard "Connect one device", so that
// its instructions hold: unzip, chmod +x start.sh, ./start.sh. The kit works
// without the Internet but for the Python package awsiotsdk, where that is not
// installed.
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
	Made        time.Time
}

// FileName is what the wizard calls the zip.
const FileName = "connect_device_package.zip"

//go:embed files
var files embed.FS

var startScript = template.Must(template.ParseFS(files, "files/start.sh"))

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
	var script strings.Builder
	if err := startScript.Execute(&script, k); err != nil {
		return nil, err
	}
	sample, err := files.ReadFile("files/pubsub.py")
	if err != nil {
		return nil, err
	}
	return []file{
		{k.Thing + ".cert.pem", k.Certificate, 0o644},
		{k.Thing + ".public.key", k.PublicKey, 0o644},
		{k.Thing + ".private.key", k.PrivateKey, 0o600},
		{k.Thing + "-Policy", k.Policy, 0o644},
		{"root-CA.crt", k.RootCA, 0o644},
		{"start.sh", script.String(), 0o755},
		{"aws-iot-device-sdk-python-v2/samples/pubsub.py", string(sample), 0o755},
	}, nil
}

// PolicyName is the name of the policy made for a thing.
func PolicyName(thing string) string { return thing + "-Policy" }

// topics and clients are those of the samples of AWS's device SDKs.
var (
	topics  = []string{"sdk/test/java", "sdk/test/python", "sdk/test/js"}
	clients = []string{"sdk-java", "basicPubSub", "sdk-nodejs-*"}
)

// Policy is the policy document of a kit: what the samples do, and no more.
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
