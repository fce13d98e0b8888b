package store

import "thingd/internal/pki"

const pkiCAColumns = "id, active, auto_registration, pem, subject, mode, created_at, modified_at, version, generation, " +
	"not_before, not_after, template_body, role_arn, template_name"

func scanPKICA(row scanner) (pki.CA, error) {
	var c pki.CA
	err := row(pkiCAFields(&c)...)
	return c, err
}

func pkiCAFields(c *pki.CA) []any {
	return []any{&c.ID, &c.Active, &c.AutoRegistration, &c.PEM, &c.Subject, &c.Mode, timeColumn{&c.Created}, timeColumn{&c.Modified},
		&c.Version, &c.Generation, timeColumn{&c.NotBefore}, timeColumn{&c.NotAfter},
		&c.Registration.TemplateBody, &c.Registration.RoleARN, &c.Registration.TemplateName}
}

func (p pkiTx) CA(id pki.CertificateID) (c pki.CA, found bool, err error) {
	found, err = p.tx.get("SELECT "+pkiCAColumns+" FROM ca_certificates WHERE account = ? AND id = ?",
		[]any{p.account, string(id)}, pkiCAFields(&c)...)
	return c, found, err
}

func (p pkiTx) DefaultCAElsewhere(id pki.CertificateID) (bool, error) {
	var account string
	return p.tx.get("SELECT account FROM ca_certificates WHERE id = ? AND account <> ? AND mode = ? LIMIT 1",
		[]any{string(id), p.account, string(pki.ModeDefault)}, &account)
}

func (p pkiTx) PutCA(c pki.CA) error {
	_, err := p.tx.exec("INSERT INTO ca_certificates (account, "+pkiCAColumns+") "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, id) DO UPDATE SET "+
		"active = excluded.active, auto_registration = excluded.auto_registration, pem = excluded.pem, "+
		"subject = excluded.subject, mode = excluded.mode, created_at = excluded.created_at, "+
		"modified_at = excluded.modified_at, version = excluded.version, generation = excluded.generation, "+
		"not_before = excluded.not_before, not_after = excluded.not_after, template_body = excluded.template_body, "+
		"role_arn = excluded.role_arn, template_name = excluded.template_name",
		p.account, string(c.ID), c.Active, c.AutoRegistration, c.PEM, c.Subject, string(c.Mode), toMillis(c.Created),
		toMillis(c.Modified), c.Version, c.Generation, toMillis(c.NotBefore), toMillis(c.NotAfter),
		c.Registration.TemplateBody, c.Registration.RoleARN, c.Registration.TemplateName)
	return err
}

func (p pkiTx) DeleteCA(id pki.CertificateID) error {
	_, err := p.tx.exec("DELETE FROM ca_certificates WHERE account = ? AND id = ?", p.account, string(id))
	return err
}

func (p pkiTx) CAs(l pki.Listing) ([]pki.CA, error) {
	where, args := "account = ?", []any{p.account}
	if l.Template != "" {
		where, args = where+" AND template_name = ? AND template_name <> ''", append(args, l.Template)
	}
	return list(p.tx, "SELECT "+pkiCAColumns+" FROM ca_certificates WHERE "+where+byAge(l), append(args, ageArgs(l)...), scanPKICA)
}

func (p pkiTx) CAsNamed(subject string) ([]pki.CA, error) {
	return list(p.tx, "SELECT "+pkiCAColumns+" FROM ca_certificates WHERE account = ? AND subject = ? ORDER BY id",
		[]any{p.account, subject}, scanPKICA)
}

func (p pkiTx) RegistrationCode() (code string, found bool, err error) {
	found, err = p.tx.get("SELECT code FROM registration_codes WHERE account = ?", []any{p.account}, &code)
	return code, found, err
}

func (p pkiTx) PutRegistrationCode(code string) error {
	_, err := p.tx.exec("INSERT INTO registration_codes (account, code) VALUES (?, ?) "+
		"ON CONFLICT (account) DO UPDATE SET code = excluded.code", p.account, code)
	return err
}

func (p pkiTx) DeleteRegistrationCode() error {
	_, err := p.tx.exec("DELETE FROM registration_codes WHERE account = ?", p.account)
	return err
}

const pkiProviderColumns = "name, lambda_arn, operations, created_at, modified_at"

func pkiProviderFields(v *pki.Provider) []any {
	return []any{&v.Name, &v.LambdaARN, jsonColumn{&v.Operations}, timeColumn{&v.Created}, timeColumn{&v.Modified}}
}

func (p pkiTx) Provider(name string) (v pki.Provider, found bool, err error) {
	found, err = p.tx.get("SELECT "+pkiProviderColumns+" FROM certificate_providers WHERE account = ? AND name = ?",
		[]any{p.account, name}, pkiProviderFields(&v)...)
	return v, found, err
}

func (p pkiTx) PutProvider(v pki.Provider) error {
	_, err := p.tx.exec("INSERT INTO certificate_providers (account, "+pkiProviderColumns+") VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET lambda_arn = excluded.lambda_arn, operations = excluded.operations, "+
		"created_at = excluded.created_at, modified_at = excluded.modified_at",
		p.account, v.Name, v.LambdaARN, toJSON(v.Operations), toMillis(v.Created), toMillis(v.Modified))
	return err
}

func (p pkiTx) DeleteProvider(name string) error {
	_, err := p.tx.exec("DELETE FROM certificate_providers WHERE account = ? AND name = ?", p.account, name)
	return err
}

func (p pkiTx) Providers() ([]pki.Provider, error) {
	return list(p.tx, "SELECT "+pkiProviderColumns+" FROM certificate_providers WHERE account = ? ORDER BY name",
		[]any{p.account}, func(row scanner) (v pki.Provider, err error) { return v, row(pkiProviderFields(&v)...) })
}
