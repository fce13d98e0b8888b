package thingd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/thingdapi"
	"thingd/internal/iam"
)

// signedCall calls one of thingd's own operations with a signature, or S3's.
func (h *house) signedCall(t *testing.T, keys sigv4.Credentials, service, method, path string, body []byte, out any) (status int, exception string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+h.HTTP+path, bytes.NewReader(body))
	must(t, err)
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload)
	}
	sigv4.Sign(r, body, keys, service, h.Region, time.Now())
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if out != nil && answer.StatusCode == http.StatusOK {
		must(t, json.Unmarshal(text, out))
	}
	var said struct{ Message string }
	_ = json.Unmarshal(text, &said)
	if exception = answer.Header.Get("x-amzn-ErrorType"); exception != "" {
		exception += ": " + said.Message
	}
	return answer.StatusCode, exception
}

// own calls an operation as root, which must succeed.
func (h *house) own(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, isRaw := in.([]byte)
	if !isRaw && in != nil {
		var err error
		body, err = json.Marshal(in)
		must(t, err)
	}
	if status, exception := h.signedCall(t, h.keys, "thingd", method, path, body, out); status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, exception)
	}
}

const manifestImports = "/thingd/manifest-imports"

// begin starts an import.
func (h *house) beginImport(t *testing.T, in thingdapi.StartManifestImportRequest) thingdapi.ManifestImport {
	t.Helper()
	var out thingdapi.DescribeManifestImportResponse
	h.own(t, http.MethodPost, manifestImports, in, &out)
	return *out.ManifestImport
}

// endOfImport waits for the end of an import.
func (h *house) endOfImport(t *testing.T, id string) thingdapi.ManifestImport {
	t.Helper()
	for {
		var out thingdapi.DescribeManifestImportResponse
		h.own(t, http.MethodGet, manifestImports+"/"+id, nil, &out)
		if s := out.ManifestImport.Status; s != "InProgress" && s != "Cancelling" {
			return *out.ManifestImport
		}
		time.Sleep(5 * time.Millisecond) // nobody tells of an import's end
	}
}

func bundleOfArchives(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("internal/provisioning/manifest/testdata/infineon.7z")
	must(t, err)
	return text
}

func TestManifestsAreImportedByTheAPI(t *testing.T) {
	h := start(t)
	bundle := bundleOfArchives(t)
	_, err := h.access.CreatePolicy(t.Context(), "chips", everything, nil)
	must(t, err)
	begun := h.beginImport(t, thingdapi.StartManifestImportRequest{Format: "infineon", FileName: "lot.7z", PolicyName: "chips", CertificateType: "E0E2", NameCase: "lower"})
	if begun.Status != "AwaitingUpload" || *begun.PercentageProgress != 0 {
		t.Errorf("it begins as %+v", begun)
	}
	at := manifestImports + "/" + begun.ImportId
	half := len(bundle) / 2
	h.own(t, http.MethodPut, at+"/parts/2", bundle[half:], nil)
	h.own(t, http.MethodPut, at+"/parts/1", []byte("what was cut off"), nil)
	h.own(t, http.MethodPut, at+"/parts/1", bundle[:half], nil)
	h.own(t, http.MethodPost, at+"/upload", nil, nil)
	got := h.endOfImport(t, begun.ImportId)
	if *got.CreatedAt == 0 || *got.UpdatedAt < *got.CreatedAt {
		t.Errorf("made at %d, changed at %d", *got.CreatedAt, *got.UpdatedAt)
	}
	want := thingdapi.ManifestImport{
		ImportId: begun.ImportId, Format: "infineon", FileName: "lot.7z", PolicyName: "chips", NameCase: "lower", CertificateType: "E0E2",
		Status: "Completed", PercentageProgress: new(100), RegisteredCount: new(3), UnchangedCount: new(0), FailureCount: new(0),
		SizeBytes: new(int64(len(bundle))), ReadBytes: got.ReadBytes, CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the import (-want +got):\n%s", diff)
	}

	var entries []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		var page thingdapi.ListManifestImportEntriesResponse
		h.own(t, http.MethodGet, at+"/entries?maxResults=2&nextToken="+token, nil, &page)
		for _, e := range page.Entries {
			entries = append(entries, fmt.Sprint(*e.Number, " ", e.Id, " ", e.Result, " ", e.ThingName))
		}
		token = page.NextToken
	}
	if diff := cmp.Diff([]string{"1 chip-E0E2-1 registered chip-e0e2-1", "2 chip-E0E2-2 registered chip-e0e2-2", "3 chip-E0E2-3 registered chip-e0e2-3"}, entries); diff != "" {
		t.Errorf("the entries (-want +got):\n%s", diff)
	}
	var failed thingdapi.ListManifestImportEntriesResponse
	h.own(t, http.MethodGet, at+"/entries?result=failed", nil, &failed)
	if len(failed.Entries) != 0 {
		t.Errorf("failed: %v", failed.Entries)
	}

	other := h.beginImport(t, thingdapi.StartManifestImportRequest{Format: "generated"})
	var ids []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		var page thingdapi.ListManifestImportsResponse
		h.own(t, http.MethodGet, manifestImports+"?maxResults=1&nextToken="+token, nil, &page)
		for _, job := range page.ManifestImports {
			ids = append(ids, job.ImportId)
		}
		token = page.NextToken
	}
	if diff := cmp.Diff([]string{other.ImportId, begun.ImportId}, ids); diff != "" {
		t.Errorf("the imports (-want +got):\n%s", diff)
	}
	h.own(t, http.MethodPut, manifestImports+"/"+other.ImportId+"/cancel", nil, nil)
	if got := h.endOfImport(t, other.ImportId); got.Status != "Cancelled" {
		t.Errorf("it was stopped, and is %s", got.Status)
	}
	h.own(t, http.MethodDelete, manifestImports+"/"+other.ImportId, nil, nil)
	if status, exception := h.signedCall(t, h.keys, "thingd", http.MethodGet, manifestImports+"/"+other.ImportId, nil, nil); status != http.StatusNotFound {
		t.Errorf("it was deleted: %d %s", status, exception)
	}
}

func TestManifestsAreImportedFromS3(t *testing.T) {
	h := start(t)
	for _, put := range []struct {
		path string
		body []byte
	}{{"/lots", nil}, {"/lots/new/lot.7z", bundleOfArchives(t)}} {
		if status, _ := h.signedCall(t, h.keys, "s3", http.MethodPut, put.path, put.body, nil); status != http.StatusOK {
			t.Fatalf("PUT %s: %d", put.path, status)
		}
	}
	role := func(name, action string) string {
		made, err := h.iam.CreateRole(t.Context(), iam.Role{Name: name, Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`})
		must(t, err)
		must(t, h.iam.PutInline(t.Context(), iam.ByRole, name, "own", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"`+action+`","Resource":"*"}}`))
		return h.iam.RoleARN(made)
	}
	reader, writer := role("reader", "s3:GetObject"), role("writer", "s3:PutObject")
	order := thingdapi.StartManifestImportRequest{Format: "infineon", InputFileBucket: "lots", InputFileKey: "new/lot.7z", RoleArn: reader}
	got := h.endOfImport(t, h.beginImport(t, order).ImportId)
	if got.Status != "Completed" || *got.RegisteredCount != 3 || got.InputFileKey != order.InputFileKey {
		t.Errorf("it ended as %+v", got)
	}
	order.RoleArn = writer
	got = h.endOfImport(t, h.beginImport(t, order).ImportId)
	if got.Status != "Failed" || !strings.HasPrefix(got.Message, "the manifest cannot be read: S3 answers 403") {
		t.Errorf("with a role that may not read it ended as %s: %s", got.Status, got.Message)
	}

	// Whoever may start imports may not hand over any role for it.
	_, err := h.iam.CreateUser(t.Context(), iam.User{Name: "importer"})
	must(t, err)
	must(t, h.iam.PutInline(t.Context(), iam.ByUser, "importer", "own", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"thingd:StartManifestImport","Resource":"*"},{"Effect":"Allow","Action":"iam:PassRole","Resource":"`+reader+`"}]}`))
	key, err := h.iam.CreateAccessKey(t.Context(), "importer")
	must(t, err)
	keys := sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	ask := func(role string) (int, string) {
		order.RoleArn = role
		body, err := json.Marshal(order)
		must(t, err)
		var out thingdapi.DescribeManifestImportResponse
		status, exception := h.signedCall(t, keys, "thingd", http.MethodPost, manifestImports, body, &out)
		if out.ManifestImport != nil {
			h.endOfImport(t, out.ManifestImport.ImportId)
		}
		return status, exception
	}
	if status, exception := ask(writer); status != http.StatusForbidden || !strings.Contains(exception, "iam:PassRole") {
		t.Errorf("another role: %d %s", status, exception)
	}
	if status, exception := ask(reader); status != http.StatusOK {
		t.Errorf("the role that may be handed over: %d %s", status, exception)
	}
	if status, _ := h.signedCall(t, keys, "thingd", http.MethodGet, manifestImports, nil, nil); status != http.StatusForbidden {
		t.Errorf("who may start imports alone lists them: %d", status)
	}
}
