package store

import "thingd/internal/registry"

const groupColumns = "SELECT name, id, path, description, attributes, version, created FROM thing_groups "

func scanGroup(row scanner) (registry.ThingGroup, error) {
	var g registry.ThingGroup
	var path string
	err := row(&g.Name, &g.ID, &path, &g.Description, jsonColumn{&g.Attributes}, &g.Version, timeColumn{&g.Created})
	g.Ancestors, _ = registry.SplitPath(path)
	return g, err
}

func (r registryTx) ThingGroup(name string) (registry.ThingGroup, bool, error) {
	return atMostOne(list(r.tx, groupColumns+"WHERE account = ? AND name = ?", []any{r.account, name}, scanGroup))
}

func (r registryTx) PutThingGroup(g registry.ThingGroup) error {
	_, err := r.tx.exec("INSERT INTO thing_groups (account, name, id, parent, path, description, attributes, version, created) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, name) DO UPDATE SET "+
		"description = excluded.description, attributes = excluded.attributes, version = excluded.version",
		r.account, g.Name, g.ID, g.Parent(), g.Path(), g.Description, toJSON(g.Attributes), g.Version, toMillis(g.Created))
	return err
}

func (r registryTx) DeleteThingGroup(g registry.ThingGroup, groupARN string) error {
	if _, err := r.tx.exec("DELETE FROM thing_group_members WHERE account = ? AND path = ?", r.account, g.Path()); err != nil {
		return err
	}
	if _, err := r.tx.exec("DELETE FROM policy_attachments WHERE account = ? AND target = ?", r.account, groupARN); err != nil {
		return err
	}
	_, err := r.tx.exec("DELETE FROM thing_groups WHERE account = ? AND name = ?", r.account, g.Name)
	return err
}

func (r registryTx) ThingGroups(prefix, after string, limit int) ([]registry.ThingGroup, error) {
	where, from, below := nameRange("name", prefix, after)
	return list(r.tx, groupColumns+"WHERE account = ? AND "+where+" ORDER BY name LIMIT ?",
		[]any{r.account, from, below, limit}, scanGroup)
}

func (r registryTx) ChildGroups(parent, prefix, after string, limit int) ([]registry.ThingGroup, error) {
	where, from, below := nameRange("i.name", prefix, after)
	return list(r.tx, childGroups+where+" ORDER BY i.name LIMIT ?", []any{r.account, parent, from, below, limit}, scanGroup)
}

// childGroups finds the names in the index alone and then the groups, for the
// reason of thingsOfType. A condition on i.name follows.
const childGroups = "SELECT g.name, g.id, g.path, g.description, g.attributes, g.version, g.created FROM thing_groups AS i " +
	"JOIN thing_groups AS g ON g.account = i.account AND g.name = i.name WHERE i.account = ? AND i.parent = ? AND "

func (r registryTx) DescendantGroups(path, prefix, after string, limit int) ([]registry.ThingGroup, error) {
	_, below := registry.PathRange(path)
	from, before := prefixRange(prefix)
	return list(r.tx, groupColumns+"WHERE account = ? AND path > ? AND path < ? AND name >= ? AND name < ? ORDER BY path LIMIT ?",
		[]any{r.account, max(path, after), below, from, before, limit}, scanGroup)
}

const memberColumns = "SELECT id, thing, path FROM thing_group_members "

func scanMember(row scanner) (registry.Membership, error) {
	var m registry.Membership
	err := row(&m.ID, &m.Thing, &m.Path)
	return m, err
}

func (r registryTx) Memberships(thing string) ([]registry.Membership, error) {
	return list(r.tx, memberColumns+"WHERE account = ? AND thing = ? ORDER BY path", []any{r.account, thing}, scanMember)
}

func (r registryTx) PutMembership(m registry.Membership) error {
	_, err := r.tx.exec("INSERT INTO thing_group_members (account, path, thing, id) VALUES (?, ?, ?, ?)",
		r.account, m.Path, m.Thing, m.ID)
	return err
}

func (r registryTx) DeleteMembership(m registry.Membership) error {
	_, err := r.tx.exec("DELETE FROM thing_group_members WHERE account = ? AND path = ? AND thing = ?",
		r.account, m.Path, m.Thing)
	return err
}

func (r registryTx) Members(path string, deep bool, after registry.MemberKey, limit int) ([]registry.Membership, error) {
	if !deep {
		return list(r.tx, memberColumns+"WHERE account = ? AND path = ? AND thing > ? ORDER BY path, thing LIMIT ?",
			[]any{r.account, path, after.Thing, limit}, scanMember)
	}
	from, below := registry.PathRange(path)
	if after.Path != "" {
		from = after.Path
	}
	return list(r.tx, memberColumns+"WHERE account = ? AND (path, thing) > (?, ?) AND path < ? ORDER BY path, thing LIMIT ?",
		[]any{r.account, from, after.Thing, below, limit}, scanMember)
}

const billingGroupColumns = "SELECT name, id, description, version, created FROM billing_groups "

func scanBillingGroup(row scanner) (registry.BillingGroup, error) {
	var g registry.BillingGroup
	err := row(&g.Name, &g.ID, &g.Description, &g.Version, timeColumn{&g.Created})
	return g, err
}

func (r registryTx) BillingGroup(name string) (registry.BillingGroup, bool, error) {
	return atMostOne(list(r.tx, billingGroupColumns+"WHERE account = ? AND name = ?", []any{r.account, name}, scanBillingGroup))
}

func (r registryTx) PutBillingGroup(g registry.BillingGroup) error {
	_, err := r.tx.exec("INSERT INTO billing_groups (account, name, id, description, version, created) VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET description = excluded.description, version = excluded.version",
		r.account, g.Name, g.ID, g.Description, g.Version, toMillis(g.Created))
	return err
}

func (r registryTx) DeleteBillingGroup(name string) error {
	_, err := r.tx.exec("UPDATE things SET billing_group = '' WHERE account = ? AND name IN "+
		"(SELECT name FROM things WHERE account = ? AND billing_group = ?)", r.account, r.account, name)
	if err != nil {
		return err
	}
	_, err = r.tx.exec("DELETE FROM billing_groups WHERE account = ? AND name = ?", r.account, name)
	return err
}

func (r registryTx) BillingGroups(prefix, after string, limit int) ([]registry.BillingGroup, error) {
	where, from, below := nameRange("name", prefix, after)
	return list(r.tx, billingGroupColumns+"WHERE account = ? AND "+where+" ORDER BY name LIMIT ?",
		[]any{r.account, from, below, limit}, scanBillingGroup)
}

func (r registryTx) ThingsOfBillingGroup(name, after string, limit int) ([]string, error) {
	return list(r.tx, thingsOfBillingGroup, []any{r.account, name, after, limit}, scanString)
}

const thingsOfBillingGroup = "SELECT name FROM things WHERE account = ? AND billing_group = ? AND name > ? ORDER BY name LIMIT ?"

func scanString(row scanner) (string, error) {
	var s string
	err := row(&s)
	return s, err
}
