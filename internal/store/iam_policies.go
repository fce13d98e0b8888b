package store

import "thingd/internal/iam"

const iamPolicyColumns = "arn, name, path, id, document, description, created_at, tags"

func iamPolicyFields(p *iam.Policy) []any {
	return []any{&p.ARN, &p.Name, &p.Path, &p.ID, &p.Document, &p.Description, timeColumn{&p.Created}, jsonColumn{&p.Tags}, &p.Attachments}
}

// iamPolicyQuery also counts the users and roles that have the policy.
const iamPolicyQuery = "SELECT " + iamPolicyColumns + ", (SELECT COUNT(*) FROM iam_attachments a " +
	"WHERE a.account = p.account AND a.policy_arn = p.arn) FROM iam_policies p WHERE account = ?"

func (i iamTx) Policy(arn string) (p iam.Policy, found bool, err error) {
	found, err = i.tx.get(iamPolicyQuery+" AND arn = ?", []any{i.account, arn}, iamPolicyFields(&p)...)
	return p, found, err
}

func (i iamTx) PutPolicy(p iam.Policy) error {
	_, err := i.tx.exec("INSERT INTO iam_policies (account, "+iamPolicyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, arn) DO UPDATE SET document = excluded.document, description = excluded.description, tags = excluded.tags",
		i.account, p.ARN, p.Name, p.Path, p.ID, p.Document, p.Description, toMillis(p.Created), toJSON(p.Tags))
	return err
}

func (i iamTx) DeletePolicy(arn string) error {
	_, err := i.tx.exec("DELETE FROM iam_policies WHERE account = ? AND arn = ?", i.account, arn)
	return err
}

func (i iamTx) Policies(pathPrefix, after string, limit int) ([]iam.Policy, error) {
	from, below := prefixRange(pathPrefix)
	return list(i.tx, iamPolicyQuery+" AND name > ? AND path >= ? AND path < ? ORDER BY name LIMIT ?",
		[]any{i.account, after, from, below, limit},
		func(row scanner) (p iam.Policy, err error) { return p, row(iamPolicyFields(&p)...) })
}

func (i iamTx) PolicyNamed(name string) (arn string, found bool, err error) {
	found, err = i.tx.get("SELECT arn FROM iam_policies WHERE account = ? AND name = ?", []any{i.account, name}, &arn)
	return arn, found, err
}

func (i iamTx) Inline(kind iam.Kind, owner, name string) (document string, found bool, err error) {
	found, err = i.tx.get("SELECT document FROM iam_inline_policies WHERE account = ? AND kind = ? AND owner = ? AND name = ?",
		[]any{i.account, string(kind), owner, name}, &document)
	return document, found, err
}

func (i iamTx) PutInline(kind iam.Kind, owner, name, document string) error {
	_, err := i.tx.exec("INSERT INTO iam_inline_policies (account, kind, owner, name, document) VALUES (?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, kind, owner, name) DO UPDATE SET document = excluded.document",
		i.account, string(kind), owner, name, document)
	return err
}

func (i iamTx) DeleteInline(kind iam.Kind, owner, name string) error {
	_, err := i.tx.exec("DELETE FROM iam_inline_policies WHERE account = ? AND kind = ? AND owner = ? AND name = ?",
		i.account, string(kind), owner, name)
	return err
}

func (i iamTx) InlineNames(kind iam.Kind, owner, after string, limit int) ([]string, error) {
	return list(i.tx, "SELECT name FROM iam_inline_policies WHERE account = ? AND kind = ? AND owner = ? AND name > ? "+
		"ORDER BY name LIMIT ?", []any{i.account, string(kind), owner, after, limit}, scanName)
}

func (i iamTx) Attach(kind iam.Kind, owner, policyARN string) error {
	_, err := i.tx.exec("INSERT INTO iam_attachments (account, kind, owner, policy_arn) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		i.account, string(kind), owner, policyARN)
	return err
}

func (i iamTx) Detach(kind iam.Kind, owner, policyARN string) (bool, error) {
	n, err := i.tx.exec("DELETE FROM iam_attachments WHERE account = ? AND kind = ? AND owner = ? AND policy_arn = ?",
		i.account, string(kind), owner, policyARN)
	return n > 0, err
}

func (i iamTx) Attached(kind iam.Kind, owner, after string, limit int) ([]string, error) {
	return list(i.tx, "SELECT policy_arn FROM iam_attachments WHERE account = ? AND kind = ? AND owner = ? AND policy_arn > ? "+
		"ORDER BY policy_arn LIMIT ?", []any{i.account, string(kind), owner, after, limit}, scanName)
}

func scanName(row scanner) (name string, err error) { return name, row(&name) }
