package thingd

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"thingd/internal/audit"
	"thingd/internal/aws/wire"
)

// openAudit starts keeping who changed what.
func (s *Server) openAudit(ctx context.Context) (err error) {
	s.audit, err = audit.New(ctx, audit.Config{Store: s.db.Audit(s.config.Account), Now: s.now, Log: s.log})
	if err == nil {
		go s.audit.Run(context.Background()) // until Close
		s.onClose(func(context.Context) error { s.audit.Close(); return nil })
	}
	return err
}

// readers begin the names of operations that change nothing.
var readers = []string{"List", "Get", "Describe", "Search", "Test", "Validate", "Explain", "Simulate"}

// audited are the services whose operations manage something. What devices send
// and read is no deed.
var audited = []string{"iot", "iam", "sagemaker", "thingd", "iotsecuredtunneling"}

// named are the members of requests and answers by which resources are known,
// and what the audit log calls each: the console's own words, by which it links to
// the resource's page. Nothing else of a call gets into the log, so no secret does.
var named = []struct{ member, kind string }{
	{"thingName", "thing"}, {"thingTypeName", "thingtype"}, {"thingGroupName", "thinggroup"}, {"billingGroupName", "billinggroup"},
	{"thingArn", "thing"}, {"thingGroupArn", "thinggroup"}, {"billingGroupArn", "billinggroup"}, // where the name is not given
	{"certificateId", "certificate"}, {"policyName", "policy"}, {"policyVersionId", "version"}, {"target", "target"}, {"principal", "principal"},
	{"ruleName", "rule"}, {"arn", "destination"}, {"roleAlias", "rolealias"}, {"resourceArn", "resource"},
	{"templateName", "template"}, {"versionId", "version"}, {"taskId", "task"}, {"authorizerName", "authorizer"},
	{"domainConfigurationName", "domain"}, {"targetName", "target"}, {"jobId", "job"}, {"jobTemplateId", "jobtemplate"},
	{"indexName", "index"}, {"integrationId", "integration"}, {"accountId", "account"}, {"tunnelId", "tunnel"},
	{"UserName", "user"}, {"RoleName", "role"}, {"PolicyName", "iampolicy"}, {"PolicyArn", "iampolicy"}, {"AccessKeyId", "accesskey"},
	{"DeviceFleetName", "fleet"}, {"EdgeDeploymentPlanName", "deploymentplan"}, {"EdgePackagingJobName", "packagingjob"}, {"StageName", "stage"},
	{"ResourceArn", "resource"},
}

// aboutCall names what a call was about.
func aboutCall(a wire.Served) map[string]string {
	about := map[string]string{"requestId": a.RequestID}
	for _, one := range named {
		if value := a.Member(one.member); value != "" && about[one.kind] == "" {
			about[one.kind] = value
		}
	}
	if id := about["certificate"]; id != "" && strings.Contains(a.Operation, "CACertificate") {
		delete(about, "certificate")
		about["ca"] = id
	}
	return about
}

// served is told of every answer of the API.
func (s *Server) served(a wire.Served) {
	reads := func(prefix string) bool { return strings.HasPrefix(a.Operation, prefix) }
	if a.Operation == "" || !slices.Contains(audited, strings.ToLower(a.Service)) || slices.ContainsFunc(readers, reads) {
		return
	}
	s.audit.Record(audit.Entry{
		Who: cmp.Or(a.Caller.ARN, a.Caller.CertificateID, a.Caller.Principal), Key: a.Caller.AccessKeyID, Source: a.SourceIP, Door: audit.API,
		Deed: a.Service + ":" + a.Operation, About: aboutCall(a), Problem: a.Exception,
	})
}
