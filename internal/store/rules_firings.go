package store

import "thingd/internal/rules"

// PutFiring keeps a firing until DeleteFiring. A shared message is stored with
// the first firing that comes for it.
func (r rulesTx) PutFiring(f rules.StoredFiring) error {
	head, payload := appendMessage(nil, f.Message), notNull(f.Message.Payload)
	if f.Shared {
		_, err := r.tx.exec("INSERT INTO rule_messages (account, number, head, payload) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			r.account, f.Number, head, payload)
		if err != nil {
			return err
		}
		head, payload = []byte{}, []byte{}
	}
	_, err := r.tx.exec("INSERT INTO rule_firings (account, rule, number, bytes, shared, arrived, head, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		r.account, f.Rule, f.Number, f.Bytes, f.Shared, toMillis(f.Arrived), head, payload)
	return err
}

// DeleteFiring looks after the message only where the firing shares it.
func (r rulesTx) DeleteFiring(key rules.FiringKey) error {
	_, err := r.tx.exec("DELETE FROM rule_firings WHERE account = ? AND rule = ? AND number = ?", r.account, key.Rule, key.Number)
	if err != nil || !key.Shared {
		return err
	}
	_, err = r.tx.exec("DELETE FROM rule_messages WHERE account = ? AND number = ? AND NOT EXISTS "+
		"(SELECT 1 FROM rule_firings WHERE account = ? AND number = ? AND shared)",
		r.account, key.Number, r.account, key.Number)
	return err
}

// OldestFirings lists the oldest firings of a rule, up to a number.
func (r rulesTx) OldestFirings(rule string, upTo int64, limit int) ([]rules.FiringKey, error) {
	return list(r.tx, "SELECT rule, number, shared FROM rule_firings WHERE account = ? AND rule = ? AND number <= ? ORDER BY number LIMIT ?",
		[]any{r.account, rule, upTo, limit}, func(row scanner) (k rules.FiringKey, err error) {
			return k, row(&k.Rule, &k.Number, &k.Shared)
		})
}

// Firings reads the firings of a rule with numbers above after. One whose row is
// damaged has no Message.
func (r rulesTx) Firings(rule string, after int64, limit int) ([]rules.StoredFiring, error) {
	return list(r.tx, "SELECT f.rule, f.number, f.bytes, f.shared, f.arrived, f.head, f.payload, m.head, m.payload "+
		"FROM rule_firings f LEFT JOIN rule_messages m ON f.shared AND m.account = f.account AND m.number = f.number "+
		"WHERE f.account = ? AND f.rule = ? AND f.number > ? ORDER BY f.number LIMIT ?",
		[]any{r.account, rule, after, limit}, scanFiring)
}

func scanFiring(row scanner) (rules.StoredFiring, error) {
	var f rules.StoredFiring
	var head, payload, sharedHead, sharedPayload []byte
	err := row(&f.Rule, &f.Number, &f.Bytes, &f.Shared, timeColumn{&f.Arrived}, &head, &payload, &sharedHead, &sharedPayload)
	if err != nil {
		return f, err
	}
	if f.Shared {
		head, payload = sharedHead, sharedPayload
	}
	f.Message, _ = readMessage(&reader{bytes: head}, payload) // nil for a damaged row, which must not hold up the others
	return f, nil
}

// CountFirings adds up what waits for each rule.
func (r rulesTx) CountFirings() ([]rules.FiringCount, error) {
	return list(r.tx, "SELECT rule, COUNT(*), CAST(SUM(bytes) AS BIGINT), MAX(number) FROM rule_firings WHERE account = ? GROUP BY rule ORDER BY rule",
		[]any{r.account}, func(row scanner) (c rules.FiringCount, err error) {
			return c, row(&c.Rule, &c.Firings, &c.Bytes, &c.Last)
		})
}
