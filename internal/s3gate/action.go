package s3gate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// permission is one thing that a policy must allow.
type permission struct{ action, resource string }

// subresources are the query parameters that make another operation of a
// request. At most one may stand in a query: which of two versitygw would obey
// is not for a client to choose.
var subresources = []string{
	"accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location",
	"logging", "metrics", "notification", "object-lock", "ownershipControls",
	"policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment",
	"restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads",
	"versioning", "versions", "website",
}

// operation is a row of the tables below.
type operation struct {
	method string
	sub    string // the subresource, "" for none
}

// unsupported marks operations whose effect thingd does not have. Storing what
// they ask for would promise what is not kept.
const unsupported = ""

// bucketActions give the action for each operation on a bucket (Service
// Authorization Reference, "Actions defined by Amazon S3").
var bucketActions = map[operation]string{
	{"GET", ""}:                  "s3:ListBucket",
	{"HEAD", ""}:                 "s3:ListBucket",
	{"PUT", ""}:                  "s3:CreateBucket",
	{"DELETE", ""}:               "s3:DeleteBucket",
	{"POST", "delete"}:           "s3:DeleteObject", // on every key of the body
	{"GET", "uploads"}:           "s3:ListBucketMultipartUploads",
	{"GET", "versions"}:          "s3:ListBucketVersions",
	{"GET", "location"}:          "s3:GetBucketLocation",
	{"GET", "acl"}:               "s3:GetBucketAcl",
	{"PUT", "acl"}:               unsupported,
	{"GET", "cors"}:              "s3:GetBucketCORS",
	{"PUT", "cors"}:              "s3:PutBucketCORS",
	{"DELETE", "cors"}:           "s3:PutBucketCORS",
	{"GET", "tagging"}:           "s3:GetBucketTagging",
	{"PUT", "tagging"}:           "s3:PutBucketTagging",
	{"DELETE", "tagging"}:        "s3:PutBucketTagging",
	{"GET", "policy"}:            "s3:GetBucketPolicy",
	{"PUT", "policy"}:            unsupported,
	{"DELETE", "policy"}:         "s3:DeleteBucketPolicy",
	{"GET", "policyStatus"}:      "s3:GetBucketPolicyStatus",
	{"GET", "versioning"}:        "s3:GetBucketVersioning",
	{"PUT", "versioning"}:        unsupported,
	{"GET", "ownershipControls"}: "s3:GetBucketOwnershipControls",
	{"GET", "object-lock"}:       "s3:GetBucketObjectLockConfiguration",
	{"GET", "lifecycle"}:         "s3:GetLifecycleConfiguration",
	{"GET", "encryption"}:        "s3:GetEncryptionConfiguration",
	{"GET", "logging"}:           "s3:GetBucketLogging",
	{"GET", "notification"}:      "s3:GetBucketNotification",
	{"GET", "publicAccessBlock"}: "s3:GetBucketPublicAccessBlock",
	{"GET", "replication"}:       "s3:GetReplicationConfiguration",
	{"GET", "requestPayment"}:    "s3:GetBucketRequestPayment",
	{"GET", "website"}:           "s3:GetBucketWebsite",
	{"GET", "accelerate"}:        "s3:GetAccelerateConfiguration",
}

// objectActions give the action for each operation on an object.
var objectActions = map[operation]string{
	{"GET", ""}:            "s3:GetObject",
	{"HEAD", ""}:           "s3:GetObject",
	{"PUT", ""}:            "s3:PutObject",
	{"DELETE", ""}:         "s3:DeleteObject",
	{"POST", "uploads"}:    "s3:PutObject",
	{"PUT", "uploadId"}:    "s3:PutObject",
	{"POST", "uploadId"}:   "s3:PutObject",
	{"DELETE", "uploadId"}: "s3:AbortMultipartUpload",
	{"GET", "uploadId"}:    "s3:ListMultipartUploadParts",
	{"GET", "attributes"}:  "s3:GetObjectAttributes",
	{"GET", "tagging"}:     "s3:GetObjectTagging",
	{"PUT", "tagging"}:     "s3:PutObjectTagging",
	{"DELETE", "tagging"}:  "s3:DeleteObjectTagging",
	{"GET", "acl"}:         "s3:GetObjectAcl",
	{"GET", "retention"}:   "s3:GetObjectRetention",
	{"GET", "legal-hold"}:  "s3:GetObjectLegalHold",
}

// actionOf looks an operation up. Operations that are in no table are unknown to
// S3 or not offered.
func actionOf(a address, op operation) (string, error) {
	if a.bucket == "" {
		if op != (operation{"GET", ""}) {
			return "", errNoBucketName
		}
		return "s3:ListAllMyBuckets", nil
	}
	table := bucketActions
	if a.key != "" {
		table = objectActions
	}
	action, known := table[op]
	if !known || action == unsupported {
		return "", notImplemented("thingd does not offer %s %s. Permissions come from IAM policies alone.", op.method, op.sub)
	}
	return action, nil
}

// subresource finds the one subresource of a query.
func subresource(query url.Values) (string, error) {
	found := ""
	for name := range query {
		if !slices.Contains(subresources, name) {
			continue
		}
		if found != "" {
			return "", invalidArgument("Conflicting query parameters: %s and %s.", found, name)
		}
		found = name
	}
	return found, nil
}

// decide works out which permissions a call needs and whether its body is
// object data.
func (c *call) decide() error {
	sub, err := subresource(c.query)
	if err != nil {
		return err
	}
	op := operation{c.method, sub}
	action, err := actionOf(c.address, op)
	if err != nil {
		return err
	}
	c.deletes = op == operation{"POST", "delete"}
	if !c.deletes {
		c.needs = append(c.needs, permission{action, c.resource()})
	}
	if c.header.Get("X-Amz-Tagging") != "" && c.method != http.MethodGet && c.key != "" {
		c.needs = append(c.needs, permission{"s3:PutObjectTagging", c.arn()})
	}
	if c.method != http.MethodPut || c.key == "" || sub != "" && sub != "uploadId" {
		return c.refuseCopySource()
	}
	if c.header.Get(copySource) != "" {
		return c.needSource()
	}
	c.stream = true
	return nil
}

func (c *call) resource() string {
	if c.bucket == "" {
		return "*" // s3:ListAllMyBuckets knows no resource
	}
	return c.arn()
}

const copySource = "X-Amz-Copy-Source"

func (c *call) refuseCopySource() error {
	if c.header.Get(copySource) != "" {
		return invalidArgument("You can only specify a copy source header for copy requests.")
	}
	return nil
}

// needSource asks for the right to read what is copied, and puts the source into
// the one form in which it was judged.
func (c *call) needSource() error {
	source, err := parseCopySource(c.header.Get(copySource))
	if err != nil {
		return err
	}
	c.header.Set(copySource, escapePath(strings.TrimPrefix(source.path(), "/")))
	c.needs = append(c.needs, permission{"s3:GetObject", source.arn()})
	if strings.EqualFold(c.header.Get("X-Amz-Tagging-Directive"), "COPY") {
		c.needs = append(c.needs, permission{"s3:GetObjectTagging", source.arn()})
	}
	return nil
}

// parseCopySource reads BUCKET/KEY, with or without a slash in front and escapes
// inside (CopyObject, x-amz-copy-source).
func parseCopySource(value string) (address, error) {
	plain, version, _ := strings.Cut(value, "?versionId=")
	if !oneVersion(version) {
		return address{}, notImplemented("thingd keeps one version of an object.")
	}
	// Some clients escape as in a form. A plus sign of a key comes escaped from
	// all of them.
	text, err := url.QueryUnescape(strings.TrimPrefix(plain, "/"))
	if err != nil {
		return address{}, invalidArgument("The copy source cannot be read.")
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	source := address{bucket, key}
	if bucket == "" || key == "" {
		return address{}, invalidArgument("The copy source must name a bucket and a key.")
	}
	return source, source.check()
}
