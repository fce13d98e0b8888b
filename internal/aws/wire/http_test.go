package wire_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/tunneling"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
)

// echo answers operations of several services in a way that shows which was
// called, and with what.
type echo struct{}

func (echo) DescribeJobExecution(_ context.Context, in *iotjobs.DescribeJobExecutionRequest) (*iotjobs.DescribeJobExecutionResponse, error) {
	return &iotjobs.DescribeJobExecutionResponse{Execution: &iotjobs.JobExecution{JobId: in.JobId, ThingName: in.ThingName}}, nil
}

func (echo) StartNextPendingJobExecution(_ context.Context, in *iotjobs.StartNextPendingJobExecutionRequest) (*iotjobs.StartNextPendingJobExecutionResponse, error) {
	return &iotjobs.StartNextPendingJobExecutionResponse{Execution: &iotjobs.JobExecution{JobId: "started", ThingName: in.ThingName}}, nil
}

type control struct{ ctx context.Context }

func (control) DescribeJobExecution(_ context.Context, in *iot.DescribeJobExecutionRequest) (*iot.DescribeJobExecutionResponse, error) {
	return &iot.DescribeJobExecutionResponse{Execution: &iot.JobExecution{JobId: "control-" + in.JobId}}, nil
}

func (control) DeleteTopicRuleDestination(_ context.Context, in *iot.DeleteTopicRuleDestinationRequest) (*iot.DeleteTopicRuleDestinationResponse, error) {
	return nil, fault.NotFound("%s", in.Arn)
}

func (control) ListTagsForResource(context.Context, *iot.ListTagsForResourceRequest) (*iot.ListTagsForResourceResponse, error) {
	panic("a bug with a secret in it")
}

func (c *control) DescribeEndpoint(ctx context.Context, _ *iot.DescribeEndpointRequest) (*iot.DescribeEndpointResponse, error) {
	c.ctx = ctx
	return &iot.DescribeEndpointResponse{EndpointAddress: "here"}, nil
}

func (control) CreateTopicRuleDestination(context.Context, *iot.CreateTopicRuleDestinationRequest) (*iot.CreateTopicRuleDestinationResponse, error) {
	return &iot.CreateTopicRuleDestinationResponse{TopicRuleDestination: &iot.TopicRuleDestination{Arn: "arn:1"}}, nil
}

func (control) CreateKeysAndCertificate(context.Context, *iot.CreateKeysAndCertificateRequest) (*iot.CreateKeysAndCertificateResponse, error) {
	return &iot.CreateKeysAndCertificateResponse{CertificateId: "c1", KeyPair: &iot.KeyPair{PrivateKey: "secret"}}, nil
}

type topics struct{}

func (topics) Publish(_ context.Context, in *iotdata.PublishRequest) error {
	return fault.InvalidRequest("topic=%q qos=%v payload=%q", in.Topic, in.Qos, in.Payload)
}

type fleets struct{}

func (fleets) CreateDeviceFleet(_ context.Context, in *sagemaker.CreateDeviceFleetRequest) error {
	if in.DeviceFleetName == "taken" {
		return fault.AlreadyExists("taken")
	}
	return nil
}

type tunnels struct{}

func (tunnels) ListTunnels(context.Context, *tunneling.ListTunnelsRequest) (*tunneling.ListTunnelsResponse, error) {
	return &tunneling.ListTunnelsResponse{TunnelSummaries: []tunneling.TunnelSummary{{TunnelId: "t", CreatedAt: time.UnixMilli(1500)}}}, nil
}

type agent struct{}

func (agent) GetDeployments(_ context.Context, in *sagemakeredge.GetDeploymentsRequest) (*sagemakeredge.GetDeploymentsResult, error) {
	return &sagemakeredge.GetDeploymentsResult{Deployments: []sagemakeredge.EdgeDeployment{}}, nil
}

type roles struct{}

func (roles) GetRole(_ context.Context, in *iamapi.GetRoleRequest) (*iamapi.GetRoleResponse, error) {
	return nil, fault.NotFound("The role with name %s cannot be found.", in.RoleName)
}

func (roles) ListRoles(context.Context, *iamapi.ListRolesRequest) (*iamapi.ListRolesResponse, error) {
	return &iamapi.ListRolesResponse{IsTruncated: new(false)}, nil
}

func (roles) TagRole(_ context.Context, in *iamapi.TagRoleRequest) error {
	return fault.InvalidRequest("%v", in.Tags)
}

func everything() map[*wire.Service]any {
	return map[*wire.Service]any{
		iot.Service: &control{}, iotjobs.Service: echo{}, iotdata.Service: topics{}, sagemaker.Service: fleets{},
		sagemakeredge.Service: agent{}, tunneling.Service: tunnels{}, iamapi.Service: roles{}, sts.Service: identity{},
	}
}

const form = "application/x-www-form-urlencoded; charset=utf-8"

func TestCalls(t *testing.T) {
	f := serve(t, everything())
	for _, tc := range []struct {
		name, service, method, path, body string
		header                            []string
		status                            int
		want                              string // the whole body
	}{
		{"ok/the scope tells services with the same path apart, control", "iot", "GET", "/things/t/jobs/j", "", nil, 200, `{"execution":{"jobId":"control-j"}}`},
		{"ok/the scope tells services with the same path apart, data", "iot-jobs-data", "GET", "/things/t/jobs/j", "", nil, 200, `{"execution":{"jobId":"j","thingName":"t"}}`},
		{"ok/$next as a literal", "iot-jobs-data", "PUT", "/things/t/jobs/$next", "", nil, 200, `{"execution":{"jobId":"started","thingName":"t"}}`},
		{"ok/$next as a literal, escaped", "iot-jobs-data", "PUT", "/things/t/jobs/%24next", "{}", nil, 200, `{"execution":{"jobId":"started","thingName":"t"}}`},
		{"ok/$next as a job ID", "iot-jobs-data", "GET", "/things/t/jobs/%24next", "", nil, 200, `{"execution":{"jobId":"$next","thingName":"t"}}`},
		{"ok/greedy label, escaped", "iot", "DELETE", "/destinations/arn%3Aaws%3Aiot%3A%3A%3Aruledestination%2Fhttp%2Fx", "", nil, 404, `{"message":"arn:aws:iot:::ruledestination/http/x"}`},
		{"ok/greedy label, raw", "iot", "DELETE", "/destinations/arn:aws:iot:::ruledestination/http/x", "", nil, 404, `{"message":"arn:aws:iot:::ruledestination/http/x"}`},
		{"ok/topic with raw slashes", "iotdata", "POST", "/topics/a/b//c?qos=1", "x", nil, 400, traced(`topic="a/b//c" qos=0x`)},
		{"ok/topic escaped", "iotdevicegateway", "POST", "/topics/a%2Fb%2F%2Fc", "\x00", nil, 400, traced(`topic="a/b//c" qos=\u003cnil`)},
		{"ok/topic with a leading slash", "iotdata", "POST", "/topics//a", "", nil, 400, traced(`topic="/a"`)},
		{"invalid/qos out of range", "iotdata", "POST", "/topics/a?qos=2", "", nil, 400, traced(`1 validation error detected: Value '2' at 'qos' failed to satisfy constraint: Member must have value less than or equal to 1`)},
		{"invalid/qos no number", "iotdata", "POST", "/topics/a?qos=x", "", nil, 400, traced(`STRING_VALUE can not be converted to an Integer at 'qos'`)},
		{"unknown/path", "iot", "GET", "/nowhere", "", nil, 404, `{"message":"There is no operation at GET /nowhere."}`},
		{"unknown/method", "iot", "PUT", "/things/t/jobs", "", nil, 404, `{"message":"There is no operation at PUT /things/t/jobs."}`},
		{"unknown/method of the data plane is 405", "iotdata", "PUT", "/topics/a", "", nil, 405, traced(`The method PUT is not allowed on /topics/a.`)},
		{"unknown/service", "nosuch", "GET", "/", "", nil, 403, `{"message":"Credential should be scoped to a service that is served here, not to 'nosuch'."}`},
		{"ok/JSON 1.1", "IoTSecuredTunneling", "POST", "/", "{}", []string{"X-Amz-Target", "IoTSecuredTunneling.ListTunnels"}, 200, `{"tunnelSummaries":[{"tunnelId":"t","createdAt":1.5}]}`},
		{"ok/JSON 1.1 without output", "sagemaker", "POST", "/", `{"DeviceFleetName":"f","OutputConfig":{"S3OutputLocation":"s3://b/k"},"Unknown":{"a":[1]},"RoleArn":null}`, []string{"X-Amz-Target", "SageMaker.CreateDeviceFleet"}, 200, ``},
		{"conflict/JSON 1.1 in SageMaker's words", "sagemaker", "POST", "/", `{"DeviceFleetName":"taken","OutputConfig":{"S3OutputLocation":"s3://b/k"}}`, []string{"X-Amz-Target", "SageMaker.CreateDeviceFleet"}, 400, `{"__type":"ResourceInUse","Message":"taken"}`},
		{"invalid/JSON 1.1", "sagemaker", "POST", "/", `{"DeviceFleetName":"-"}`, []string{"X-Amz-Target", "SageMaker.CreateDeviceFleet"}, 400, `{"__type":"ValidationException","message":"2 validation errors detected: Value '-' at 'deviceFleetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; Value null at 'outputConfig' failed to satisfy constraint: Member must not be null"}`},
		{"unknown/JSON 1.1", "sagemaker", "POST", "/", `{}`, []string{"X-Amz-Target", "SageMaker.CreateModel"}, 400, `{"__type":"UnknownOperationException","message":"There is no operation \"SageMaker.CreateModel\"."}`},
		{"unknown/JSON 1.1 by GET", "sagemaker", "GET", "/", ``, []string{"X-Amz-Target", "SageMaker.CreateDeviceFleet"}, 400, `{"__type":"UnknownOperationException","message":"There is no operation at GET /."}`},
		{"ok/REST with a signing name that two services share", "sagemaker", "POST", "/GetDeployments", `{"DeviceName":"d","DeviceFleetName":"f"}`, nil, 200, `{"Deployments":[]}`},
		{"not found/Query in IAM's words", "iam", "POST", "/", "Action=GetRole&Version=2010-05-08&RoleName=r", []string{"Content-Type", form}, 404, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role with name r cannot be found.</Message></Error><RequestId>` + requestID + `</RequestId></ErrorResponse>` + "\n"},
		{"ok/Query with a required list that is empty", "iam", "GET", "/?Action=ListRoles&Version=2010-05-08", "", nil, 200, `<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><Roles></Roles><IsTruncated>false</IsTruncated></ListRolesResult><ResponseMetadata><RequestId>` + requestID + `</RequestId></ResponseMetadata></ListRolesResponse>` + "\n"},
		{"ok/Query lists", "iam", "POST", "/", "Action=TagRole&RoleName=r&Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.1.Key=a&Tags.member.1.Value=", []string{"Content-Type", form}, 400, xmlProblem("InvalidInput", "[{a } {b 2}]")},
		{"invalid/Query lists", "iam", "POST", "/", "Action=TagRole&RoleName=r&Tags.member.x.Key=b", []string{"Content-Type", form}, 400, xmlProblem("MalformedInput", "The list &#39;tags&#39; has elements that are not numbered from 1 to 1000.")},
		{"invalid/Query", "iam", "POST", "/", "Action=GetRole", []string{"Content-Type", form}, 400, xmlProblem("ValidationError", "1 validation error detected: Value null at &#39;roleName&#39; failed to satisfy constraint: Member must not be null")},
		{"not implemented/Query", "iam", "POST", "/", "Action=GetUser", []string{"Content-Type", form}, 501, xmlProblem2("Receiver", "NotImplemented", "thingd does not implement GetUser.")},
		{"unknown/Query", "iam", "POST", "/", "Action=GetNothing&Version=1", []string{"Content-Type", form}, 404, xmlProblem("InvalidAction", "Could not find operation GetNothing for version 1.")},
		{"invalid/not JSON", "iot", "POST", "/things/t", `{"thingTypeName":`, nil, 400, `{"message":"The request body is not valid JSON: it ends too early."}`},
		{"invalid/JSON and more", "iot", "POST", "/things/t", `{} {}`, nil, 400, `{"message":"The request body goes on after its JSON value."}`},
		{"invalid/wrong type", "iot", "POST", "/things/t", `{"thingTypeName":5}`, nil, 400, `{"message":"NUMBER_VALUE can not be converted to a String at 'thingTypeName'"}`},
		{"invalid/wrong type deep down", "iot", "POST", "/things/t", `{"attributePayload":{"merge":"yes"}}`, nil, 400, `{"message":"STRING_VALUE can not be converted to a Boolean at 'attributePayload.merge'"}`},
		{"invalid/too deep", "iot", "POST", "/things/t", strings.Repeat("[", 100), nil, 400, `{"message":"The request body nests deeper than 64 levels."}`},
		{"invalid/too large", "iot", "POST", "/things/t", strings.Repeat(" ", 1<<20+1), nil, 413, `{"message":"The request body is larger than 1048576 bytes."}`},
		{"panic/hidden", "iot", "GET", "/tags?resourceArn=a", "", nil, 500, `{"message":"An internal failure occurred. The server's log has the reason under the request ID."}`},
		{"unsigned", "", "GET", "/things", "", nil, 403, `{"message":"The request is not signed: it has neither an Authorization header of the form AWS4-HMAC-SHA256 nor a signature in its query string. A device presents its certificate instead."}`},
		{"unsigned/unreadable signature", "", "GET", "/things", "", []string{"Authorization", "AWS4-HMAC-SHA256 nonsense"}, 403, traced(`The Authorization header has`)},
		{"not implemented/no signature needed", "", "POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", []string{"Content-Type", form}, 501, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, got := f.send(t, tc.service, tc.method, tc.path, tc.body, tc.header...)
			if resp.StatusCode != tc.status {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, tc.status, got)
			}
			if tc.want == "" && tc.status != 200 {
				return
			}
			if part, isTraced := strings.CutPrefix(tc.want, tracedMark); isTraced {
				if !strings.HasSuffix(got, `"traceId":"`+requestID+`"}`) || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), strings.Split(part, `\u`)[0]) {
					t.Errorf("got %s, want %s", got, part)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if !strings.Contains(f.log.String(), "a bug with a secret in it") {
		t.Error("the panic is not in the log")
	}
}

// traced marks messages of the data plane, of which the test gives the
// beginning: they end with the request ID.
func traced(message string) string { return tracedMark + message }

const tracedMark = "traced:"

func xmlProblem(code, message string) string { return xmlProblem2("Sender", code, message) }

func xmlProblem2(blame, code, message string) string {
	return `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>` + blame + `</Type><Code>` + code + `</Code><Message>` + message + `</Message></Error><RequestId>` + requestID + `</RequestId></ErrorResponse>` + "\n"
}

func TestExceptionNamesOfAuthentication(t *testing.T) {
	f := serve(t, everything())
	for _, tc := range []struct{ name, service, path, auth, want string }{
		{"json/none", "iot", "/things", "", "MissingAuthenticationTokenException"},
		{"json/unreadable", "iot", "/things", "AWS4-HMAC-SHA256 Credential=x", "IncompleteSignatureException"},
		{"json/unknown key", "iot", "/things", authorization("AKIANOBODY", "iot"), "UnrecognizedClientException"},
		{"json/wrong", "iot", "/things", authorization(accessKey, "iot"), "InvalidSignatureException"},
		{"query/unknown key", "sts", "/?Action=GetCallerIdentity", authorization("AKIANOBODY", "sts"), "InvalidClientTokenId"},
		{"query/wrong", "sts", "/?Action=GetCallerIdentity", authorization(accessKey, "sts"), "SignatureDoesNotMatch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := f.send(t, "", "GET", tc.path, "", "Authorization", tc.auth, "X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
			if resp.StatusCode != 403 || resp.Header.Get("x-amzn-ErrorType") != tc.want {
				t.Errorf("%d %s: %s", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), body)
			}
		})
	}
	t.Run("query/expired session", func(t *testing.T) {
		resp, _ := f.send(t, "sts", "GET", "/?Action=GetCallerIdentity", "", "X-Amz-Security-Token", "old")
		if resp.StatusCode != 403 || resp.Header.Get("x-amzn-ErrorType") != "ExpiredToken" {
			t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"))
		}
	})
}

func authorization(key, service string) string {
	return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/eu-west-1/%s/aws4_request, SignedHeaders=host;x-amz-date, Signature=%s",
		key, time.Now().UTC().Format("20060102"), service, strings.Repeat("0", 64))
}

func TestContextOfAnOperation(t *testing.T) {
	impl := &control{}
	f := serve(t, map[*wire.Service]any{iot.Service: impl})
	if resp, body := f.send(t, "iot", "GET", "/endpoint", ""); resp.StatusCode != 200 {
		t.Fatal(body)
	}
	want := wire.Caller{
		Kind: wire.AccessKey, AccountID: "111122223333", AccessKeyID: accessKey,
		ARN: "arn:aws:iam::111122223333:user/tester", UserID: "AIDATESTER",
	}
	if diff := cmp.Diff(want, wire.CallerFrom(impl.ctx)); diff != "" {
		t.Errorf("caller (-want +got):\n%s", diff)
	}
	if got := wire.RequestID(impl.ctx); got != requestID {
		t.Errorf("request ID %q", got)
	}
	if got := wire.SourceIP(impl.ctx); got != "127.0.0.1" {
		t.Errorf("source IP %q", got)
	}
	f.send(t, "iot", "GET", "/things/pump", "")
	if diff := cmp.Diff([]string{"iot:DescribeEndpoint ", "iot:DescribeThing pump"}, f.door.calls); diff != "" {
		t.Errorf("authorized (-want +got):\n%s", diff)
	}
}

func TestObserve(t *testing.T) {
	var served []wire.Served
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	mux := wire.NewMux(wire.Options{
		Authenticator: anybody{}, Authorizer: anybody{},
		Now:     func() time.Time { now = now.Add(time.Second); return now },
		NewID:   func() string { return requestID },
		Observe: func(s wire.Served) { served = append(served, s) },
	})
	mux.Mount(iot.Service, &control{})
	for _, path := range []string{"/endpoint", "/destinations/x", "/nowhere"} {
		r := httptest.NewRequest("GET", path, nil)
		if path == "/destinations/x" {
			r.Method = "DELETE"
		}
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	somebody := wire.Caller{Kind: wire.AccessKey}
	want := []wire.Served{
		{RequestID: requestID, Service: "iot", Operation: "DescribeEndpoint", Caller: somebody, SourceIP: "192.0.2.1", Status: 200, Took: time.Second},
		{RequestID: requestID, Service: "iot", Operation: "DeleteTopicRuleDestination", Caller: somebody, SourceIP: "192.0.2.1", Status: 404, Exception: "ResourceNotFoundException", Took: time.Second},
		{RequestID: requestID, Service: "iot", Caller: somebody, SourceIP: "192.0.2.1", Status: 404, Exception: "UnknownOperationException", Took: time.Second},
	}
	if served[1].Err == nil || served[2].Err == nil {
		t.Error("refusals without their reason")
	}
	if diff := cmp.Diff(want, served, cmpopts.IgnoreFields(wire.Served{}, "Err"), cmpopts.IgnoreUnexported(wire.Served{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What a call is about is in its request or, where the call made it, in the
// answer. Members that hold no text are never asked for.
func TestServedTellsTheNamesInACall(t *testing.T) {
	var served []wire.Served
	mux := wire.NewMux(wire.Options{
		Authenticator: anybody{}, Authorizer: anybody{}, Now: time.Now, Observe: func(s wire.Served) { served = append(served, s) },
	})
	mux.Mount(iot.Service, &control{})
	for _, call := range []struct{ method, path, body string }{
		{"DELETE", "/destinations/x", ""},                            // refused
		{"POST", "/destinations", `{"destinationConfiguration":{}}`}, // made
		{"POST", "/keys-and-certificate", ""},
		{"POST", "/things/pump", "{"},
	} {
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(call.method, call.path, strings.NewReader(call.body)))
	}
	got := make([][]string, len(served))
	for i, s := range served {
		got[i] = []string{s.Operation, s.Member("arn"), s.Member("certificateId"), s.Member("keyPair"), s.Member("nothing")}
	}
	want := [][]string{
		{"DeleteTopicRuleDestination", "x", "", "", ""},
		{"CreateTopicRuleDestination", "arn:1", "", "", ""},
		{"CreateKeysAndCertificate", "", "c1", "", ""},
		{"CreateThing", "", "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDeviceCertificatesOpenTheDataPlanesOnly(t *testing.T) {
	mux := wire.NewMux(wire.Options{Authenticator: newDoor(), Authorizer: newDoor(), Now: time.Now})
	for s, impl := range everything() {
		mux.Mount(s, impl)
	}
	call := func(method, path string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, nil)
		mux.ServeHTTP(w, r.WithContext(wire.WithCaller(r.Context(), wire.Caller{Kind: wire.Certificate, CertificateID: "c"})))
		return w.Code
	}
	for path, want := range map[string]int{
		"POST /topics/a":        400, // reached: the echo answers 400
		"GET /things/t/jobs/j":  200,
		"GET /endpoint":         404,
		"GET /things":           404,
		"POST /GetDeployments":  404,
		"GET /?Action=GetRole":  404,
		"GET /things/t/shadow":  501,
		"PUT /things/t/shadow":  405,
		"GET /things/a%2Fb/job": 404,
	} {
		method, path, _ := strings.Cut(path, " ")
		if got := call(method, path); got != want {
			t.Errorf("%s %s: %d, want %d", method, path, got, want)
		}
	}
}

// custom lets everyone in as kind.
type custom struct {
	anybody
	kind wire.Kind
}

func (c custom) Authenticate(context.Context, *http.Request, *sigv4.Signature) (wire.Caller, error) {
	return wire.Caller{Kind: c.kind}, nil
}

func TestCallersWithoutAccessKeys(t *testing.T) {
	for _, tc := range []struct {
		name string
		kind wire.Kind
		path string
		want int
	}{
		{"ok/custom authorizer, data plane", wire.Custom, "/things/t/jobs/j", 200},
		{"denied/custom authorizer, control plane", wire.Custom, "/endpoint", 403},
		{"denied/nobody, data plane", wire.Anonymous, "/things/t/jobs/j", 403},
		{"denied/nobody, control plane", wire.Anonymous, "/endpoint", 403},
		{"ok/access key", wire.AccessKey, "/endpoint", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mux := wire.NewMux(wire.Options{Authenticator: custom{kind: tc.kind}, Authorizer: anybody{}, Now: time.Now})
			for s, impl := range everything() {
				mux.Mount(s, impl)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", tc.path, nil))
			if w.Code != tc.want {
				t.Errorf("%d, want %d: %s", w.Code, tc.want, w.Body)
			}
		})
	}
}

// acks publishes.
type acks struct{}

func (acks) Publish(context.Context, *iotdata.PublishRequest) error { return nil }

func TestPublishAnswersAsAWSDoesOnTheWire(t *testing.T) {
	for _, tc := range []struct {
		name, length string
		wrap         func(net.Conn) net.Conn
	}{
		{"exactly over wrapped connections", "content-length: 65", wire.ExactConn},
		{"but for one name over others", "Content-Length: 65", func(c net.Conn) net.Conn { return c }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := dialPublish(t, tc.wrap)
			reader := bufio.NewReader(conn)
			for range 2 { // twice: the connection is kept
				fmt.Fprint(conn, "POST /topics/data/x?qos=0 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\nabc")
				head, length := readHead(t, reader)
				want := []string{
					"HTTP/1.1 200 OK", tc.length, "connection: keep-alive", "content-type: application/json",
					"date: Fri, 02 Jan 2026 03:04:05 GMT", "x-amzn-RequestId: " + requestID,
				}
				if diff := cmp.Diff(want, head); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				body := make([]byte, length)
				if _, err := io.ReadFull(reader, body); err != nil {
					t.Fatal(err)
				}
				if got, want := string(body), `{"message":"OK","traceId":"`+requestID+`"}`; got != want {
					t.Errorf("body %s, want %s", got, want)
				}
			}
		})
	}
}

// dialPublish connects as a device to a server that publishes.
func dialPublish(t *testing.T, wrap func(net.Conn) net.Conn) net.Conn {
	t.Helper()
	mux := wire.NewMux(wire.Options{
		Authenticator: newDoor(), Authorizer: newDoor(),
		Now:   func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewID: func() string { return requestID },
	})
	mux.Mount(iotdata.Service, acks{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(wire.WithCaller(r.Context(), wire.Caller{Kind: wire.Certificate})))
	}))
	srv.Listener = wrapping{srv.Listener, wrap}
	srv.Config.ConnContext = wire.ConnContext
	srv.Start()
	t.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

type wrapping struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrapping) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(conn), nil
}

func readHead(t *testing.T, r *bufio.Reader) (lines []string, length int) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return lines, length
		}
		fmt.Sscanf(strings.ToLower(line), "content-length: %d", &length)
		lines = append(lines, line)
	}
}

func TestUserPropertiesThatABotoClientEncodesTwice(t *testing.T) {
	impl := &plane{}
	f := serve(t, map[*wire.Service]any{iotdata.Service: impl})
	twice := base64.StdEncoding.EncodeToString([]byte(`"[{\"site\":\"north\"}]"`))
	if resp, body := f.send(t, "iotdata", "POST", "/topics/a", "", "x-amz-mqtt5-user-properties", twice); resp.StatusCode != 200 {
		t.Fatal(body)
	}
	if got := string(impl.asked.UserProperties); got != `[{"site":"north"}]` {
		t.Errorf("got %s", got)
	}
}

// misfit has a method of the right name and a wrong type.
type misfit struct{}

func (misfit) CreateThing(string) error { return nil }

func TestMountRefusesAMethodOfAnotherType(t *testing.T) {
	defer func() {
		got := fmt.Sprint(recover())
		want := "wire: wire_test.misfit.CreateThing implements IoT CreateThing and must be a " +
			"func(context.Context, *iot.CreateThingRequest) (*iot.CreateThingResponse, error), but is a func(string) error"
		if got != want {
			t.Errorf("panic %s", got)
		}
	}()
	wire.NewMux(wire.Options{}).Mount(iot.Service, misfit{})
}

func TestCoverage(t *testing.T) {
	mux := wire.NewMux(wire.Options{})
	mux.Mount(iotjobs.Service, echo{})
	want := []wire.Covered{
		{Service: "iot-jobs-data", Operation: "DescribeJobExecution", Implemented: true},
		{Service: "iot-jobs-data", Operation: "GetPendingJobExecutions"},
		{Service: "iot-jobs-data", Operation: "StartCommandExecution"},
		{Service: "iot-jobs-data", Operation: "StartNextPendingJobExecution", Implemented: true},
		{Service: "iot-jobs-data", Operation: "UpdateJobExecution"},
	}
	if diff := cmp.Diff(want, mux.Coverage()); diff != "" {
		t.Error(diff)
	}
}
