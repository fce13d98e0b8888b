package thingd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/audit"
)

// What is called through the API stands in the audit log with the resources that
// it was about, also those that it made, and without its secrets.
func TestTheAuditLogNamesTheResourcesOfCalls(t *testing.T) {
	c := newCaller(t)
	made := c.must(t, `CreateKeysAndCertificate {"setAsActive":true}`)
	id, arn := made.members["CertificateId"].(string), made.members["CertificateArn"].(string)
	c.must(t, `CreateThing {"thingName":"pump7"}`)
	c.must(t, `CreatePolicy {"policyName":"p","policyDocument":"`+strings.ReplaceAll(everything, `"`, `\"`)+`"}`)
	c.must(t, `AttachPolicy {"policyName":"p","target":"`+arn+`"}`)
	c.must(t, `AttachThingPrincipal {"thingName":"pump7","principal":"`+arn+`"}`)
	c.must(t, `iam/CreateUser {"UserName":"ann"}`)
	key := c.must(t, `iam/CreateAccessKey {"UserName":"ann"}`).members["AccessKey"].(map[string]any)
	if _, err := c.call(`DeleteThing {"thingName":"pump7"}`); err == nil {
		t.Error("a thing with a certificate is deleted")
	}
	c.must(t, `TagResource {"resourceArn":"`+arnPrefix+`policy/p","tags":[{"Key":"k","Value":"v"}]}`)
	c.must(t, `UpdateCertificate {"certificateId":"`+id+`","newStatus":"INACTIVE"}`)

	entries, _, err := c.h.audit.Recent(t.Context(), audit.Query{})
	must(t, err)
	type deed struct {
		What    string
		About   map[string]string
		Refused bool
	}
	var got []deed
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		if e.About["requestId"] == "" || strings.Contains(strings.Join(values(e.About), " "), key["SecretAccessKey"].(string)) {
			t.Errorf("%s is about %v", e.Deed, e.About)
		}
		delete(e.About, "requestId")
		got = append(got, deed{e.Deed, e.About, e.Problem != ""})
	}
	want := []deed{
		{What: "iot:CreateKeysAndCertificate", About: map[string]string{"certificate": id}},
		{What: "iot:CreateThing", About: map[string]string{"thing": "pump7"}},
		{What: "iot:CreatePolicy", About: map[string]string{"policy": "p", "version": "1"}},
		{What: "iot:AttachPolicy", About: map[string]string{"policy": "p", "target": arn}},
		{What: "iot:AttachThingPrincipal", About: map[string]string{"thing": "pump7", "principal": arn}},
		{What: "iam:CreateUser", About: map[string]string{"user": "ann"}},
		{What: "iam:CreateAccessKey", About: map[string]string{"user": "ann", "accesskey": key["AccessKeyId"].(string)}},
		{What: "iot:DeleteThing", About: map[string]string{"thing": "pump7"}, Refused: true},
		{What: "iot:TagResource", About: map[string]string{"resource": arnPrefix + "policy/p"}},
		{What: "iot:UpdateCertificate", About: map[string]string{"certificate": id}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	found, _, err := c.h.audit.Recent(t.Context(), audit.Query{About: "PUMP7"})
	if must(t, err); len(found) != 3 {
		t.Errorf("%d deeds were about the thing", len(found))
	}
}

func values(m map[string]string) (all []string) {
	for _, value := range m {
		all = append(all, value)
	}
	return all
}
