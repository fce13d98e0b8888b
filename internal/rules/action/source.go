package action

import "context"

type sourceKey struct{}

// ForRule is a context for the work of one rule. Its ARN is what trust policies
// know as aws:SourceArn, so sessions of a role are one rule's and no other's. It
// travels with the context because lookups ask for sessions deep inside a
// statement.
func ForRule(ctx context.Context, ruleARN string) context.Context {
	return context.WithValue(ctx, sourceKey{}, ruleARN)
}

// SourceOf gives the ARN of the rule that a context is for; "" for none.
func SourceOf(ctx context.Context) string {
	arn, _ := ctx.Value(sourceKey{}).(string)
	return arn
}
