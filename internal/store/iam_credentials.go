package store

import (
	"time"

	"thingd/internal/iam"
)

const iamKeyColumns = "id, user_name, secret, active, created_at"

func iamKeyFields(k *iam.StoredKey) []any {
	return []any{&k.ID, &k.User, &k.Secret, &k.Active, timeColumn{&k.Created}}
}

func (i iamTx) AccessKey(id string) (k iam.StoredKey, found bool, err error) {
	found, err = i.tx.get("SELECT "+iamKeyColumns+" FROM iam_access_keys WHERE account = ? AND id = ?", []any{i.account, id}, iamKeyFields(&k)...)
	return k, found, err
}

func (i iamTx) PutAccessKey(k iam.StoredKey) error {
	_, err := i.tx.exec("INSERT INTO iam_access_keys (account, "+iamKeyColumns+") VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET secret = excluded.secret, active = excluded.active",
		i.account, k.ID, k.User, k.Secret, k.Active, toMillis(k.Created))
	return err
}

func (i iamTx) DeleteAccessKey(id string) error {
	_, err := i.tx.exec("DELETE FROM iam_access_keys WHERE account = ? AND id = ?", i.account, id)
	return err
}

func (i iamTx) AccessKeys(user string) ([]iam.StoredKey, error) {
	return list(i.tx, "SELECT "+iamKeyColumns+" FROM iam_access_keys WHERE account = ? AND user_name = ? ORDER BY created_at, id",
		[]any{i.account, user}, func(row scanner) (k iam.StoredKey, err error) { return k, row(iamKeyFields(&k)...) })
}

const iamSessionColumns = "id, secret, token_hash, kind, owner, owner_id, name, policies, policy_arns, context, certificate, created_at, expires_at"

func iamSessionFields(s *iam.StoredSession) []any {
	return []any{&s.AccessKeyID, &s.Secret, &s.TokenHash, &s.Kind, &s.Owner, &s.OwnerID, &s.Session.Name,
		jsonColumn{&s.Session.Policies}, jsonColumn{&s.Session.PolicyARNs}, jsonColumn{&s.Session.Context},
		&s.Session.Certificate, timeColumn{&s.Created}, timeColumn{&s.Session.Expires}}
}

func (i iamTx) Session(id string) (s iam.StoredSession, found bool, err error) {
	found, err = i.tx.get("SELECT "+iamSessionColumns+" FROM iam_sessions WHERE account = ? AND id = ?", []any{i.account, id}, iamSessionFields(&s)...)
	return s, found, err
}

func (i iamTx) PutSession(s iam.StoredSession) error {
	_, err := i.tx.exec("INSERT INTO iam_sessions (account, "+iamSessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		i.account, s.AccessKeyID, s.Secret, s.TokenHash, string(s.Kind), s.Owner, s.OwnerID, s.Session.Name,
		toJSON(s.Session.Policies), toJSON(s.Session.PolicyARNs), toJSON(s.Session.Context),
		s.Session.Certificate, toMillis(s.Created), toMillis(s.Session.Expires))
	return err
}

func (i iamTx) DeleteSessionsOf(certificate string) (int, error) {
	n, err := i.tx.exec("DELETE FROM iam_sessions WHERE account = ? AND certificate = ? AND certificate <> ''", i.account, certificate)
	return int(n), err
}

func (i iamTx) DeleteSessionsBefore(end time.Time, limit int) (int, error) {
	n, err := i.tx.exec("DELETE FROM iam_sessions WHERE account = ? AND id IN "+
		"(SELECT id FROM iam_sessions WHERE account = ? AND expires_at < ? ORDER BY expires_at LIMIT ?)",
		i.account, i.account, toMillis(end), limit)
	return int(n), err
}
