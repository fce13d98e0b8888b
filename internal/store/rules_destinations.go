package store

import "thingd/internal/rules"

const destinationColumns = "id, status, reason, url, vpc, token_hash, token_ends, created_at, updated_at"

func scanDestination(row scanner) (rules.Destination, error) {
	var d rules.Destination
	err := row(&d.ID, &d.Status, &d.Reason, &d.URL, jsonColumn{&d.VPC}, &d.TokenHash,
		timeColumn{&d.TokenEnds}, timeColumn{&d.Created}, timeColumn{&d.Updated})
	return d, err
}

func (r rulesTx) destination(where string, arg string) (rules.Destination, bool, error) {
	return atMostOne(list(r.tx, "SELECT "+destinationColumns+" FROM topic_rule_destinations WHERE account = ? AND "+where,
		[]any{r.account, arg}, scanDestination))
}

func (r rulesTx) Destination(id string) (rules.Destination, bool, error) {
	return r.destination("id = ?", id)
}

func (r rulesTx) DestinationOfURL(url string) (rules.Destination, bool, error) {
	return r.destination("url = ? AND url <> ''", url)
}

func (r rulesTx) DestinationOfToken(hash string) (rules.Destination, bool, error) {
	return r.destination("token_hash = ? AND token_hash <> ''", hash)
}

func (r rulesTx) PutDestination(d rules.Destination) error {
	_, err := r.tx.exec("INSERT INTO topic_rule_destinations (account, "+destinationColumns+") "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, id) DO UPDATE SET status = excluded.status, "+
		"reason = excluded.reason, url = excluded.url, vpc = excluded.vpc, token_hash = excluded.token_hash, "+
		"token_ends = excluded.token_ends, created_at = excluded.created_at, updated_at = excluded.updated_at",
		r.account, d.ID, string(d.Status), d.Reason, d.URL, toJSON(d.VPC), d.TokenHash,
		toMillis(d.TokenEnds), toMillis(d.Created), toMillis(d.Updated))
	return err
}

func (r rulesTx) DeleteDestination(id string) error {
	_, err := r.tx.exec("DELETE FROM topic_rule_destinations WHERE account = ? AND id = ?", r.account, id)
	return err
}

func (r rulesTx) Destinations(after string, limit int) ([]rules.Destination, error) {
	return list(r.tx, "SELECT "+destinationColumns+" FROM topic_rule_destinations WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
		[]any{r.account, after, limit}, scanDestination)
}
