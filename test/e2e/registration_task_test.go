package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// bulkTemplate gives each line a thing in a group, a certificate and a policy.
const bulkTemplate = `{"Parameters":{"ThingName":{"Type":"String"},"CSR":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"},"ThingGroups":["bulk"]}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateSigningRequest":{"Ref":"CSR"}}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":` + allowAll + `}}}}`

// readObjects lets a role read the files of tasks.
const readObjects = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`

// writeLines makes the input of a task: n lines, and a broken one in the middle.
func writeLines(t *testing.T, n int) (file string) {
	t.Helper()
	request, _ := writeRequest(t)
	text, err := os.ReadFile(request)
	must(t, err)
	file = filepath.Join(t.TempDir(), "things.json")
	out, err := os.Create(file)
	must(t, err)
	defer out.Close()
	w := bufio.NewWriter(out)
	for i := range n {
		if i == n/2 {
			fmt.Fprintln(w, "broken")
		}
		must(t, json.NewEncoder(w).Encode(map[string]string{"ThingName": fmt.Sprint("bulk-", i), "CSR": string(text)}))
	}
	must(t, w.Flush())
	return file
}

// startTask puts the input into a bucket of the server in front of sh, and starts
// a task on it.
func startTask(t *testing.T, s *server, store shell, file string) (taskID string) {
	t.Helper()
	store.run(t, "s3", "mb", "s3://fleet")
	store.run(t, "s3", "cp", file, "s3://fleet/in/things.json")
	sh := s.shell(t)
	sh.run(t, "iam", "create-role", "--role-name", "bulk", "--assume-role-policy-document", trustRules)
	sh.run(t, "iam", "put-role-policy", "--role-name", "bulk", "--policy-name", "read", "--policy-document", readObjects)
	ctx, api := t.Context(), s.controlPlane(t)
	_, err := api.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: aws.String("bulk")})
	must(t, err)
	started, err := api.StartThingRegistrationTask(ctx, &iot.StartThingRegistrationTaskInput{TemplateBody: aws.String(bulkTemplate),
		InputFileBucket: aws.String("fleet"), InputFileKey: aws.String("in/things.json"), RoleArn: aws.String("arn:aws:iam::000000000000:role/bulk")})
	must(t, err)
	return *started.TaskId
}

func describeTask(t *testing.T, api *iot.Client, id string) *iot.DescribeThingRegistrationTaskOutput {
	t.Helper()
	task, err := api.DescribeThingRegistrationTask(t.Context(), &iot.DescribeThingRegistrationTaskInput{TaskId: &id})
	must(t, err)
	return task
}

// reportedLines reads a report from its links: how often each line is in it.
func reportedLines(t *testing.T, api *iot.Client, id string, kind types.ReportType, web *http.Client) map[int]int {
	t.Helper()
	reports, err := api.ListThingRegistrationTaskReports(t.Context(), &iot.ListThingRegistrationTaskReportsInput{TaskId: &id, ReportType: kind})
	must(t, err)
	seen := map[int]int{}
	for _, link := range reports.ResourceLinks {
		answer, err := web.Get(link)
		must(t, err)
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("the report's link answers %s", answer.Status)
		}
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
			var line struct{ LineNumber int }
			must(t, json.Unmarshal(lines.Bytes(), &line))
			seen[line.LineNumber]++
		}
		must(t, lines.Err())
	}
	return seen
}

// web is a client that trusts the server.
func (s *server) web(t *testing.T) *http.Client {
	t.Helper()
	trust := &tls.Config{RootCAs: roots(t, filepath.Join(s.Data, "root-ca.pem"))}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
}

// TestRegistrationTaskGoesOnAfterCrashes kills the server again and again while a
// task runs: in the end each line was done once, and nothing is left over.
func TestRegistrationTaskGoesOnAfterCrashes(t *testing.T) {
	t.Parallel()
	const n = 1500
	s := startServer(t)
	api := s.controlPlane(t)
	id := startTask(t, s, s.shell(t), writeLines(t, n))
	crashes := 0
	for ; crashes < 5; crashes++ {
		time.Sleep(rand.N(400 * time.Millisecond)) // somewhere in the middle of it
		if describeTask(t, api, id).Status != types.StatusInProgress {
			break
		}
		s.kill()
		s.start(t)
	}
	t.Logf("%d crashes", crashes)
	task := describeTask(t, api, id)
	for task.Status == types.StatusInProgress {
		time.Sleep(20 * time.Millisecond)
		task = describeTask(t, api, id)
	}
	if task.Status != types.StatusCompleted || task.SuccessCount != n || task.FailureCount != 1 || task.PercentageProgress != 100 {
		t.Fatalf("the task ended %s %q: %d registered, %d failed, %d %%", task.Status, aws.ToString(task.Message), task.SuccessCount, task.FailureCount, task.PercentageProgress)
	}
	results := reportedLines(t, api, id, types.ReportTypeResults, s.web(t))
	for line, times := range results {
		if times != 1 {
			t.Errorf("line %d is in the report %d times", line, times)
		}
	}
	if failures := reportedLines(t, api, id, types.ReportTypeErrors, s.web(t)); len(results) != n || len(failures) != 1 || failures[n/2+1] != 1 {
		t.Errorf("the reports have %d lines and %v", len(results), failures)
	}
	expectWhole(t, api, n)
}

// expectWhole counts what the task has made: for each line an active certificate
// with its thing in the group, and no certificate beside those.
func expectWhole(t *testing.T, api *iot.Client, n int) {
	t.Helper()
	active := 0
	certificates := iot.NewListCertificatesPaginator(api, &iot.ListCertificatesInput{PageSize: aws.Int32(250)})
	for certificates.HasMorePages() {
		page, err := certificates.NextPage(t.Context())
		must(t, err)
		for _, c := range page.Certificates {
			if c.Status != types.CertificateStatusActive {
				t.Errorf("certificate %s is %s", *c.CertificateId, c.Status)
			}
			active++
		}
	}
	grouped := 0
	things := iot.NewListThingsInThingGroupPaginator(api, &iot.ListThingsInThingGroupInput{ThingGroupName: aws.String("bulk"), MaxResults: aws.Int32(250)})
	for things.HasMorePages() {
		page, err := things.NextPage(t.Context())
		must(t, err)
		grouped += len(page.Things)
	}
	if active != n || grouped != n {
		t.Errorf("there are %d certificates and %d things in the group, want %d of each", active, grouped, n)
	}
}

// TestRegistrationTaskReadsAnotherServersS3 has the files of a task in a foreign
// S3, which another thingd plays.
func TestRegistrationTaskReadsAnotherServersS3(t *testing.T) {
	t.Parallel()
	far := startServer(t)
	env := far.awsEnv(t)
	place := url.URL{Scheme: "http", Host: far.HTTP, RawQuery: "region=us-east-1",
		User: url.UserPassword(lookup(env, "AWS_ACCESS_KEY_ID"), lookup(env, "AWS_SECRET_ACCESS_KEY"))}
	s := startServer(t, "--endpoint", "s3="+place.String())
	api := s.controlPlane(t)
	id := startTask(t, s, far.shell(t), writeLines(t, 20))
	task := describeTask(t, api, id)
	for task.Status == types.StatusInProgress {
		time.Sleep(20 * time.Millisecond)
		task = describeTask(t, api, id)
	}
	if task.Status != types.StatusCompleted || task.SuccessCount != 20 {
		t.Fatalf("the task ended %s %q", task.Status, aws.ToString(task.Message))
	}
	if results := reportedLines(t, api, id, types.ReportTypeResults, http.DefaultClient); len(results) != 20 {
		t.Errorf("the report has %d lines", len(results))
	}
	if listed := far.shell(t).run(t, "s3", "ls", "--recursive", "s3://fleet"); !strings.Contains(listed, "thing-registration-tasks/"+id+"/errors.ndjson") {
		t.Errorf("the far bucket has:\n%s", listed)
	}
}
