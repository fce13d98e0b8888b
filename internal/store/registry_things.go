package store

import "thingd/internal/registry"

const thingColumns = "SELECT name, id, type, billing_group, attributes, version FROM things "

func scanThing(row scanner) (registry.Thing, error) {
	var t registry.Thing
	err := row(&t.Name, &t.ID, &t.Type, &t.BillingGroup, jsonColumn{&t.Attributes}, &t.Version)
	return t, err
}

func (r registryTx) Thing(name string) (registry.Thing, bool, error) {
	return atMostOne(list(r.tx, thingColumns+"WHERE account = ? AND name = ?", []any{r.account, name}, scanThing))
}

func (r registryTx) PutThing(t registry.Thing) error {
	before, _, err := r.Thing(t.Name)
	if err != nil {
		return err
	}
	if err := r.indexAttributes(t.Name, before.Attributes, t.Attributes); err != nil {
		return err
	}
	_, err = r.tx.exec("INSERT INTO things (account, name, id, type, billing_group, attributes, version) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, name) DO UPDATE SET id = excluded.id, "+
		"type = excluded.type, billing_group = excluded.billing_group, attributes = excluded.attributes, "+
		"version = excluded.version",
		r.account, t.Name, t.ID, t.Type, t.BillingGroup, toJSON(t.Attributes), t.Version)
	return err
}

// indexAttributes changes the rows of thing_attributes that differ.
func (r registryTx) indexAttributes(thing string, before, after map[string]string) error {
	for name, value := range before {
		if kept, ok := after[name]; ok && kept == value {
			continue
		}
		_, err := r.tx.exec("DELETE FROM thing_attributes WHERE account = ? AND name = ? AND value = ? AND thing = ?",
			r.account, name, value, thing)
		if err != nil {
			return err
		}
	}
	for name, value := range after {
		if had, ok := before[name]; ok && had == value {
			continue
		}
		_, err := r.tx.exec("INSERT INTO thing_attributes (account, name, value, thing) VALUES (?, ?, ?, ?)",
			r.account, name, value, thing)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r registryTx) DeleteThing(name string) error {
	before, _, err := r.Thing(name)
	if err != nil {
		return err
	}
	if err := r.indexAttributes(name, before.Attributes, nil); err != nil {
		return err
	}
	_, err = r.tx.exec("DELETE FROM things WHERE account = ? AND name = ?", r.account, name)
	return err
}

func (r registryTx) Things(after string, limit int) ([]registry.Thing, error) {
	return list(r.tx, thingColumns+"WHERE account = ? AND name > ? ORDER BY name LIMIT ?",
		[]any{r.account, after, limit}, scanThing)
}

func (r registryTx) ThingsOfType(thingType, after string, limit int) ([]registry.Thing, error) {
	return list(r.tx, thingsOfType, []any{r.account, thingType, after, limit}, scanThing)
}

// thingsOfType finds the names in the index alone and then the things: asked for
// the things at once, SQLite walks all of them by name.
const thingsOfType = "SELECT t.name, t.id, t.type, t.billing_group, t.attributes, t.version FROM things AS i " +
	"JOIN things AS t ON t.account = i.account AND t.name = i.name " +
	"WHERE i.account = ? AND i.type = ? AND i.name > ? ORDER BY i.name LIMIT ?"

// attributeColumns reads things through the index of one attribute; what follows
// it bounds the value.
const attributeColumns = "SELECT a.value, t.name, t.id, t.type, t.billing_group, t.attributes, t.version " +
	"FROM thing_attributes a JOIN things t ON t.account = a.account AND t.name = a.thing " +
	"WHERE a.account = ? AND a.name = ? "

func (r registryTx) ThingsWithAttribute(q registry.AttributeRange, limit int) ([]registry.AttributeMatch, error) {
	if !q.Prefix {
		return list(r.tx, attributeColumns+"AND a.value = ? AND a.thing > ? ORDER BY a.value, a.thing LIMIT ?",
			[]any{r.account, q.Name, q.Value, q.AfterThing, limit}, scanMatch)
	}
	from, below := prefixRange(q.Value)
	// Where to go on lies within the range, so that the later of the two bounds
	// is enough, and the index is entered right there.
	if q.AfterValue >= from && q.AfterThing != "" {
		from = q.AfterValue
	}
	return list(r.tx, attributeColumns+"AND (a.value, a.thing) > (?, ?) AND a.value < ? ORDER BY a.value, a.thing LIMIT ?",
		[]any{r.account, q.Name, from, q.AfterThing, below, limit}, scanMatch)
}

func scanMatch(row scanner) (registry.AttributeMatch, error) {
	var m registry.AttributeMatch
	t := &m.Thing
	err := row(&m.Value, &t.Name, &t.ID, &t.Type, &t.BillingGroup, jsonColumn{&t.Attributes}, &t.Version)
	return m, err
}

const typeColumns = "SELECT name, id, properties, created, deprecated FROM thing_types "

func scanType(row scanner) (registry.ThingType, error) {
	var t registry.ThingType
	err := row(&t.Name, &t.ID, jsonColumn{&t.Properties}, timeColumn{&t.Created}, timeColumn{&t.Deprecated})
	return t, err
}

func (r registryTx) ThingType(name string) (registry.ThingType, bool, error) {
	return atMostOne(list(r.tx, typeColumns+"WHERE account = ? AND name = ?", []any{r.account, name}, scanType))
}

func (r registryTx) PutThingType(t registry.ThingType) error {
	_, err := r.tx.exec("INSERT INTO thing_types (account, name, id, properties, created, deprecated) "+
		"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, name) DO UPDATE SET id = excluded.id, "+
		"properties = excluded.properties, created = excluded.created, deprecated = excluded.deprecated",
		r.account, t.Name, t.ID, toJSON(t.Properties), toMillis(t.Created), toMillis(t.Deprecated))
	return err
}

func (r registryTx) DeleteThingType(name string) error {
	_, err := r.tx.exec("DELETE FROM thing_types WHERE account = ? AND name = ?", r.account, name)
	return err
}

func (r registryTx) ThingTypes(prefix, after string, limit int) ([]registry.ThingType, error) {
	where, from, below := nameRange("name", prefix, after)
	return list(r.tx, typeColumns+"WHERE account = ? AND "+where+" ORDER BY name LIMIT ?",
		[]any{r.account, from, below, limit}, scanType)
}

func (r registryTx) Link(thing, principal string) (registry.Link, bool, error) {
	l := registry.Link{Thing: thing, Principal: principal}
	found, err := r.tx.get("SELECT exclusive FROM thing_principals WHERE account = ? AND thing = ? AND principal = ?",
		[]any{r.account, thing, principal}, &l.Exclusive)
	return l, found, err
}

func (r registryTx) PutLink(l registry.Link) error {
	_, err := r.tx.exec("INSERT INTO thing_principals (account, thing, principal, exclusive) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (account, thing, principal) DO UPDATE SET exclusive = excluded.exclusive",
		r.account, l.Thing, l.Principal, l.Exclusive)
	return err
}

func (r registryTx) DeleteLink(thing, principal string) error {
	_, err := r.tx.exec("DELETE FROM thing_principals WHERE account = ? AND thing = ? AND principal = ?",
		r.account, thing, principal)
	return err
}

func (r registryTx) LinksOfThing(thing string, exclusive *bool, after string, limit int) ([]registry.Link, error) {
	return r.links("thing = ? AND principal > ?", "principal", exclusive, thing, after, limit)
}

func (r registryTx) LinksOfPrincipal(principal string, exclusive *bool, after string, limit int) ([]registry.Link, error) {
	return r.links("principal = ? AND thing > ?", "thing", exclusive, principal, after, limit)
}

func (r registryTx) links(where, order string, exclusive *bool, of, after string, limit int) ([]registry.Link, error) {
	args := []any{r.account, of, after}
	if exclusive != nil {
		where += " AND exclusive = ?"
		args = append(args, *exclusive)
	}
	return list(r.tx, linkColumns+"WHERE account = ? AND "+where+" ORDER BY "+order+" LIMIT ?", append(args, limit), scanLink)
}

const linkColumns = "SELECT thing, principal, exclusive FROM thing_principals "

func scanLink(row scanner) (registry.Link, error) {
	var l registry.Link
	err := row(&l.Thing, &l.Principal, &l.Exclusive)
	return l, err
}
