package store

import (
	"context"

	"thingd/internal/settings"
)

// Settings keeps what package settings asks for, of one account.
type Settings struct {
	db      *DB
	account string
}

var _ settings.Store = (*Settings)(nil)

// Settings gives the settings of an account.
func (db *DB) Settings(account string) *Settings { return &Settings{db, account} }

// View runs fn on a snapshot.
func (s *Settings) View(ctx context.Context, fn func(settings.Tx) error) error {
	return s.db.View(ctx, func(tx *Tx) error { return fn(settingsTx{tx, s.account}) })
}

// Update runs fn in a write transaction.
func (s *Settings) Update(ctx context.Context, fn func(settings.Tx) error) error {
	return s.db.Update(ctx, func(tx *Tx) error { return fn(settingsTx{tx, s.account}) })
}

// settingsTx is one transaction of an account.
type settingsTx struct {
	tx      *Tx
	account string
}

var _ settings.Tx = settingsTx{}

func (s settingsTx) Document(name string, dest any) (bool, error) {
	return s.tx.get("SELECT document FROM account_settings WHERE account = ? AND name = ?", []any{s.account, name}, jsonColumn{dest})
}

func (s settingsTx) PutDocument(name string, document any) error {
	_, err := s.tx.exec("INSERT INTO account_settings (account, name, document) VALUES (?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET document = excluded.document", s.account, name, toJSON(document))
	return err
}

func (s settingsTx) TargetLevel(t settings.Target) (l settings.TargetLevel, found bool, err error) {
	l.Target = t
	found, err = s.tx.get("SELECT level FROM log_levels WHERE account = ? AND target_type = ? AND target_name = ?",
		[]any{s.account, string(t.Type), t.Name}, &l.Level)
	return l, found, err
}

func (s settingsTx) PutTargetLevel(l settings.TargetLevel) error {
	_, err := s.tx.exec("INSERT INTO log_levels (account, target_type, target_name, level) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (account, target_type, target_name) DO UPDATE SET level = excluded.level",
		s.account, string(l.Target.Type), l.Target.Name, string(l.Level))
	return err
}

func (s settingsTx) DeleteTargetLevel(t settings.Target) error {
	_, err := s.tx.exec("DELETE FROM log_levels WHERE account = ? AND target_type = ? AND target_name = ?",
		s.account, string(t.Type), t.Name)
	return err
}

const (
	logLevelsOfAll  = "SELECT target_type, target_name, level FROM log_levels WHERE account = ? AND (target_type, target_name) > (?, ?) ORDER BY target_type, target_name LIMIT ?"
	logLevelsOfType = "SELECT target_type, target_name, level FROM log_levels WHERE account = ? AND target_type = ? AND target_name > ? ORDER BY target_name LIMIT ?"
)

func (s settingsTx) TargetLevels(kind settings.TargetType, after settings.Target, limit int) ([]settings.TargetLevel, error) {
	if kind == "" {
		return list(s.tx, logLevelsOfAll, []any{s.account, string(after.Type), after.Name, limit}, scanTargetLevel)
	}
	return list(s.tx, logLevelsOfType, []any{s.account, string(kind), after.Name, limit}, scanTargetLevel)
}

func scanTargetLevel(row scanner) (l settings.TargetLevel, err error) {
	return l, row(&l.Target.Type, &l.Target.Name, &l.Level)
}

func (s settingsTx) CountTargetLevels() (n int, err error) {
	_, err = s.tx.get("SELECT count(*) FROM log_levels WHERE account = ?", []any{s.account}, &n)
	return n, err
}
