package store

import "thingd/internal/registry"

func (r registryTx) Tags(resource string) ([]registry.Tag, error) {
	return list(r.tx, "SELECT tag_key, tag_value FROM tags WHERE account = ? AND resource = ? ORDER BY tag_key",
		[]any{r.account, resource}, scanTag)
}

func scanTag(row scanner) (registry.Tag, error) {
	var t registry.Tag
	err := row(&t.Key, &t.Value)
	return t, err
}

func (r registryTx) PutTag(resource string, tag registry.Tag) error {
	_, err := r.tx.exec("INSERT INTO tags (account, resource, tag_key, tag_value) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (account, resource, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
		r.account, resource, tag.Key, tag.Value)
	return err
}

func (r registryTx) DeleteTag(resource, key string) error {
	_, err := r.tx.exec("DELETE FROM tags WHERE account = ? AND resource = ? AND tag_key = ?", r.account, resource, key)
	return err
}

func (r registryTx) DeleteTags(resource string) error {
	_, err := r.tx.exec("DELETE FROM tags WHERE account = ? AND resource = ?", r.account, resource)
	return err
}

func (r registryTx) EventConfigurations() (registry.EventConfigurations, bool, error) {
	var c registry.EventConfigurations
	found, err := r.tx.get("SELECT enabled, created, modified FROM event_configurations WHERE account = ?",
		[]any{r.account}, jsonColumn{&c.Enabled}, timeColumn{&c.Created}, timeColumn{&c.Modified})
	return c, found, err
}

func (r registryTx) PutEventConfigurations(c registry.EventConfigurations) error {
	_, err := r.tx.exec("INSERT INTO event_configurations (account, enabled, created, modified) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (account) DO UPDATE SET enabled = excluded.enabled, created = excluded.created, modified = excluded.modified",
		r.account, toJSON(c.Enabled), toMillis(c.Created), toMillis(c.Modified))
	return err
}
