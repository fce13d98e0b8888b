package store

import (
	"time"

	"thingd/internal/registry"
)

func (r registryTx) PutEvent(e registry.Event) error {
	_, err := r.tx.exec("INSERT INTO registry_events (account, id, kept, topic, payload) VALUES (?, ?, ?, ?, ?)",
		r.account, e.ID, toMillis(e.Kept), e.Topic, string(e.Payload))
	return err
}

func (r registryTx) Events(before time.Time, limit int) ([]registry.Event, error) {
	return list(r.tx, "SELECT id, kept, topic, payload FROM registry_events WHERE account = ? AND kept < ? "+
		"ORDER BY kept, id LIMIT ?", []any{r.account, toMillis(before), limit}, scanEvent)
}

func scanEvent(row scanner) (registry.Event, error) {
	var e registry.Event
	err := row(&e.ID, timeColumn{&e.Kept}, &e.Topic, &e.Payload)
	return e, err
}

func (r registryTx) DeleteEvent(id string) error {
	_, err := r.tx.exec("DELETE FROM registry_events WHERE account = ? AND id = ?", r.account, id)
	return err
}
