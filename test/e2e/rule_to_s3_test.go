package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trustRules lets the rules engine take a role; writeObjects lets the role write.
const (
	trustRules   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	writeObjects = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","iot:Publish"],"Resource":"*"}]}`
)

// TestRuleWritesWhatCurlSendsToABucket is the last chapter of the hands-on: a
// rule that keeps in S3 what a device sends by HTTPS.
func TestRuleWritesWhatCurlSendsToABucket(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	sh := s.shell(t)
	sh.run(t, "s3", "mb", "s3://hands-on")
	role := makeRole(t, sh)
	// What the second rule sends says that the rules have seen a message.
	makeRule(t, sh, "to_s3", `select name from 'data/lamp' where name = 's3'`,
		`{"s3":{"roleArn":"`+role+`","bucketName":"hands-on","key":"test"}}`)
	makeRule(t, sh, "seen", `select * from 'data/lamp'`, `{"republish":{"roleArn":"`+role+`","topic":"seen/lamp","qos":1}}`)

	if got := sh.run(t, "s3", "ls", "s3://hands-on"); got != "" {
		t.Fatalf("the bucket has something before anything was sent: %s", got)
	}
	expectPublished(t, curlPublish(t, s, lamp).succeed(t))
	first := awaitObject(t, sh, time.Time{})

	t.Run("the object is the selected attribute alone", func(t *testing.T) {
		if got := objectText(t, sh, "test"); got != `{"name":"s3"}` {
			t.Errorf("the object is %q", got)
		}
	})

	t.Run("another payload leaves it alone", func(t *testing.T) {
		sub := mosquittoSub(t, s, lamp, "-t", "seen/lamp", "-C", "2")
		for _, payload := range []string{`{"name":"other"}`, `{"no":"name"}`} {
			if got := curl(t, s, lamp, "/topics/data/lamp?qos=1", "-d", payload); got.Status != 200 {
				t.Fatalf("publish: %+v", got)
			}
		}
		sub.succeed(t)
		if got := lastModified(t, sh); !got.Equal(first) {
			t.Errorf("the object was modified at %v, was at %v", got, first)
		}
	})

	t.Run("the next one replaces it", func(t *testing.T) {
		// HTTP's dates are whole seconds.
		time.Sleep(time.Until(first.Add(1100 * time.Millisecond)))
		expectPublished(t, curlPublish(t, s, lamp).succeed(t))
		awaitObject(t, sh, first)
		if got := objectText(t, sh, "test"); got != `{"name":"s3"}` {
			t.Errorf("the object is %q", got)
		}
		if got := keys(t, sh, "hands-on"); len(got) != 1 {
			t.Errorf("the bucket has %v, want one object", got)
		}
	})

	t.Run("timestamp in the key gives a new object each time", func(t *testing.T) {
		sh.run(t, "s3", "mb", "s3://by-time")
		makeRule(t, sh, "by_time", `select name from 'data/lamp' where name = 's3'`,
			`{"s3":{"roleArn":"`+role+`","bucketName":"by-time","key":"${topic(2)}/${timestamp()}"}}`)
		for n := 1; n <= 2; n++ {
			expectPublished(t, curlPublish(t, s, lamp).succeed(t))
			await(t, "another object", func() bool { return len(keys(t, sh, "by-time")) == n })
		}
		for _, key := range keys(t, sh, "by-time") {
			if !strings.HasPrefix(key, "lamp/1") || len(key) != len("lamp/1700000000000") {
				t.Errorf("key %q is not a time in milliseconds", key)
			}
		}
	})
}

func makeRole(t *testing.T, sh shell) string {
	t.Helper()
	role := sh.query(t, "Role.Arn", "iam", "create-role", "--role-name", "rules", "--assume-role-policy-document", trustRules)
	sh.run(t, "iam", "put-role-policy", "--role-name", "rules", "--policy-name", "write", "--policy-document", writeObjects)
	return role
}

func makeRule(t *testing.T, sh shell, name, sql, action string) {
	t.Helper()
	sh.run(t, "iot", "create-topic-rule", "--rule-name", name,
		"--topic-rule-payload", `{"sql":"`+sql+`","awsIotSqlVersion":"2016-03-23","actions":[`+action+`]}`)
}

// awaitObject waits until the object was modified later than before and gives
// when.
func awaitObject(t *testing.T, sh shell, before time.Time) (at time.Time) {
	t.Helper()
	await(t, "the object", func() bool {
		at = lastModified(t, sh)
		return at.After(before)
	})
	return at
}

// lastModified is the zero time where there is no object.
func lastModified(t *testing.T, sh shell) time.Time {
	t.Helper()
	run := start(t, sh.dir, sh.env, sh.aws, "s3api", "head-object", "--bucket", "hands-on", "--key", "test", "--query", "LastModified", "--output", "text")
	if run.wait(t) != 0 {
		return time.Time{}
	}
	// The CLI shows the header as it is.
	at, err := time.Parse(time.RFC1123, strings.TrimSpace(run.stdout.String()))
	must(t, err)
	return at
}

func objectText(t *testing.T, sh shell, key string) string {
	t.Helper()
	sh.run(t, "s3", "cp", "s3://hands-on/"+key, "object", "--no-progress")
	text, err := os.ReadFile(filepath.Join(sh.dir, "object"))
	must(t, err)
	return string(text)
}

func keys(t *testing.T, sh shell, bucket string) []string {
	t.Helper()
	return strings.Fields(sh.run(t, "s3api", "list-objects-v2", "--bucket", bucket, "--query", "(Contents||`[]`)[].Key", "--output", "text"))
}

// await asks again and again until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); {
		if time.Now().After(end) {
			t.Fatalf("%s never came", what)
		}
	}
}
