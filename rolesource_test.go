package thingd

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"thingd/internal/aws/sigv4"
	"thingd/internal/mqtt"
)

// trusting is a trust policy for the rules engine and the registration tasks,
// under a condition if it is not "".
func trusting(condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"` + condition + `}]}`
}

const mightyPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// mighty makes a role that may do everything.
func (c *caller) mighty(t *testing.T, role, trust string) {
	t.Helper()
	c.must(t, `iam/CreateRole {"roleName":"`+role+`","assumeRolePolicyDocument":`+quote(trust)+`}`)
	c.must(t, `iam/PutRolePolicy {"roleName":"`+role+`","policyName":"all","policyDocument":`+quote(mightyPolicy)+`}`)
}

// object does a request to the embedded S3.
func (c *caller) object(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+c.h.HTTP+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("X-Amz-Content-Sha256", sigv4.HashOf([]byte(body)))
	sigv4.Sign(r, []byte(body), c.h.keys, "s3", "us-east-1", c.h.now())
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(read)
}

// TestRolesTrustSomeRulesOnly: a trust policy that names a rule or an account
// lets the rules act that it means, and no others: with sessions, as for S3, and
// where thingd itself acts for the role, as for republishing. A session that one
// rule has is of no use to another.
func TestRolesTrustSomeRulesOnly(t *testing.T) {
	c := newCaller(t)
	c.mighty(t, "open", trusting(""))
	if status, text := c.object(t, "PUT", "/bucket", ""); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	d := c.h.device(t, everything)
	sub := c.h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "sub", CleanStart: true})
	sub.subscribe(t, "out/#", mqtt.QoS0)
	for i, r := range []struct {
		condition string
		works     map[string]bool // by rule
	}{
		{`{"ArnEquals":{"aws:SourceArn":"arn:aws:iot:us-east-1:123456789012:rule/good"},"StringEquals":{"aws:SourceAccount":"123456789012"}}`, map[string]bool{"good": true, "other": false}},
		{`{"ArnLike":{"aws:SourceArn":"arn:aws:iot:us-east-1:123456789012:rule/*"}}`, map[string]bool{"good": true, "other": true}},
		{`{"StringEquals":{"aws:SourceAccount":"999999999999"}}`, map[string]bool{"good": false, "other": false}},
	} {
		role := fmt.Sprint("role", i)
		c.mighty(t, role, trusting(r.condition))
		arn := "arn:aws:iam::123456789012:role/" + role
		for _, rule := range []string{"good", "other"} { // the good one first: it leaves a session behind
			for kind, action := range map[string]string{
				"republish": `{"republish":{"roleArn":"` + arn + `","topic":"out/done"}}`,
				"s3":        `{"s3":{"roleArn":"` + arn + `","bucketName":"bucket","key":"` + role + rule + `"}}`,
			} {
				c.must(t, `CreateTopicRule {"ruleName":"`+rule+`","topicRulePayload":{"sql":"SELECT * FROM 'in'","actions":[`+action+`],
					"errorAction":{"republish":{"roleArn":"arn:aws:iam::123456789012:role/open","topic":"out/failed"}}}}`)
				sub.send(t, &mqtt.Publish{Topic: []byte("in"), Payload: []byte(`{}`)})
				want := "out/failed"
				if r.works[rule] {
					want = "out/done"
				}
				if kind == "s3" && r.works[rule] {
					waitFor(t, "an object of rule "+rule, func() bool { status, _ := c.object(t, "GET", "/bucket/"+role+rule, ""); return status == 200 })
				} else if got, _, _ := strings.Cut(sub.message(t), " "); got != want {
					t.Errorf("%s by rule %s, trusted where %s: a message on %s came, want %s", kind, rule, r.condition, got, want)
				}
				c.must(t, `DeleteTopicRule {"ruleName":"`+rule+`"}`)
			}
		}
	}
}

// TestRolesTrustRegistrationTasks: the same for the role that reads the file of a
// registration task.
func TestRolesTrustRegistrationTasks(t *testing.T) {
	c := newCaller(t)
	c.object(t, "PUT", "/bucket", "")
	c.object(t, "PUT", "/bucket/things", `{"N":"lamp"}`+"\n")
	for condition, want := range map[string]string{
		`{"ArnLike":{"aws:SourceArn":"arn:aws:iot:us-east-1:123456789012:*"},"StringEquals":{"aws:SourceAccount":"123456789012"}}`: "Completed",
		`{"ArnLike":{"aws:SourceArn":"arn:aws:iot:us-east-1:123456789012:rule/*"}}`:                                                "Failed",
		`{"StringEquals":{"aws:SourceAccount":"999999999999"}}`:                                                                    "Failed",
	} {
		role := "role" + fmt.Sprint(len(condition))
		c.mighty(t, role, trusting(condition))
		body := `{"Parameters":{"N":{"Type":"String"}},"Resources":{"t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"N"}}}}}`
		out := c.must(t, `StartThingRegistrationTask {"templateBody":`+quote(body)+`,"inputFileBucket":"bucket","inputFileKey":"things","roleArn":"arn:aws:iam::123456789012:role/`+role+`"}`)
		var status any
		waitFor(t, "the end of the task", func() bool {
			status = c.must(t, `DescribeThingRegistrationTask {"taskId":"`+out.members["TaskId"].(string)+`"}`).members["Status"]
			return status != "InProgress"
		})
		if status != want {
			t.Errorf("trusted where %s, the task is %v, want %s", condition, status, want)
		}
	}
}
