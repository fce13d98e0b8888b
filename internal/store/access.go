package store

import (
	"context"

	"thingd/internal/access"
)

// Access keeps what package access asks for, of one account.
type Access struct {
	db      *DB
	account string
}

var _ access.Store = (*Access)(nil)

// Access gives the IoT policies of an account.
func (db *DB) Access(account string) *Access { return &Access{db, account} }

// View runs fn on a snapshot.
func (a *Access) View(ctx context.Context, fn func(access.Tx) error) error {
	return a.db.View(ctx, func(tx *Tx) error { return fn(accessTx{registryTx{tx, a.account}}) })
}

// Update runs fn in a write transaction.
func (a *Access) Update(ctx context.Context, fn func(access.Tx) error) error {
	return a.db.Update(ctx, func(tx *Tx) error { return fn(accessTx{registryTx{tx, a.account}}) })
}

// accessTx is one transaction of an account. What access reads of the registry is
// the registry's own.
type accessTx struct{ registryTx }

var _ access.Tx = accessTx{}

const policyColumns = "SELECT p.name, p.generation, p.default_version, p.last_version, p.created, p.modified "

func scanPolicy(row scanner) (access.Policy, error) {
	var p access.Policy
	err := row(&p.Name, &p.Generation, &p.Default, &p.Last, timeColumn{&p.Created}, timeColumn{&p.Modified})
	return p, err
}

func (a accessTx) Policy(name string) (access.Policy, bool, error) {
	return atMostOne(list(a.tx, policyColumns+"FROM policies AS p WHERE p.account = ? AND p.name = ?", []any{a.account, name}, scanPolicy))
}

// atMostOne gives the one row of a list by its whole key.
func atMostOne[T any](rows []T, err error) (T, bool, error) {
	var none T
	if err != nil || len(rows) == 0 {
		return none, false, err
	}
	return rows[0], true, nil
}

func (a accessTx) PutPolicy(p access.Policy) error {
	_, err := a.tx.exec("INSERT INTO policies (account, name, generation, default_version, last_version, created, modified) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, name) DO UPDATE SET generation = excluded.generation, "+
		"default_version = excluded.default_version, last_version = excluded.last_version, modified = excluded.modified",
		a.account, p.Name, p.Generation, int64(p.Default), int64(p.Last), toMillis(p.Created), toMillis(p.Modified))
	return err
}

func (a accessTx) DeletePolicy(name string) error {
	if _, err := a.tx.exec("DELETE FROM policy_versions WHERE account = ? AND policy = ?", a.account, name); err != nil {
		return err
	}
	_, err := a.tx.exec("DELETE FROM policies WHERE account = ? AND name = ?", a.account, name)
	return err
}

// The listings of policies find names in an index alone and then the policies, for
// the reason of thingsOfType.
const (
	policiesByTime = policyColumns + "FROM policies AS i JOIN policies AS p ON p.account = i.account AND p.name = i.name " +
		"WHERE i.account = ? AND (i.created, i.name) > (?, ?) ORDER BY i.created, i.name LIMIT ?"
	policiesByTimeDown = policyColumns + "FROM policies AS i JOIN policies AS p ON p.account = i.account AND p.name = i.name " +
		"WHERE i.account = ? AND (i.created, i.name) < (?, ?) ORDER BY i.created DESC, i.name DESC LIMIT ?"
)

// farFuture is later than any time that is kept, in milliseconds.
const farFuture = 1 << 62

func (a accessTx) Policies(after access.PolicyKey, descending bool, limit int) ([]access.Policy, error) {
	at := toMillis(after.Created)
	if !descending {
		return list(a.tx, policiesByTime, []any{a.account, at, after.Name, limit}, scanPolicy)
	}
	if after.Name == "" {
		at = farFuture
	}
	return list(a.tx, policiesByTimeDown, []any{a.account, at, after.Name, limit}, scanPolicy)
}

const versionColumns = "SELECT policy, version, document, created FROM policy_versions "

func scanVersion(row scanner) (access.Version, error) {
	var v access.Version
	err := row(&v.Policy, &v.ID, &v.Document, timeColumn{&v.Created})
	return v, err
}

func (a accessTx) Version(policy string, id access.VersionID) (access.Version, bool, error) {
	return atMostOne(list(a.tx, versionColumns+"WHERE account = ? AND policy = ? AND version = ?",
		[]any{a.account, policy, int64(id)}, scanVersion))
}

func (a accessTx) Versions(policy string) ([]access.Version, error) {
	return list(a.tx, versionColumns+"WHERE account = ? AND policy = ? ORDER BY version DESC", []any{a.account, policy}, scanVersion)
}

func (a accessTx) PutVersion(v access.Version) error {
	_, err := a.tx.exec("INSERT INTO policy_versions (account, policy, version, document, created) VALUES (?, ?, ?, ?, ?)",
		a.account, v.Policy, int64(v.ID), v.Document, toMillis(v.Created))
	return err
}

func (a accessTx) DeleteVersion(policy string, id access.VersionID) error {
	_, err := a.tx.exec("DELETE FROM policy_versions WHERE account = ? AND policy = ? AND version = ?", a.account, policy, int64(id))
	return err
}

func (a accessTx) PutAttachment(target, policy string) error {
	_, err := a.tx.exec("INSERT INTO policy_attachments (account, target, policy) VALUES (?, ?, ?) "+
		"ON CONFLICT (account, target, policy) DO NOTHING", a.account, target, policy)
	return err
}

func (a accessTx) DeleteAttachment(target, policy string) error {
	_, err := a.tx.exec("DELETE FROM policy_attachments WHERE account = ? AND target = ? AND policy = ?", a.account, target, policy)
	return err
}

const attachedPolicies = policyColumns + "FROM policy_attachments AS a JOIN policies AS p ON p.account = a.account AND p.name = a.policy " +
	"WHERE a.account = ? AND a.target = ? ORDER BY a.policy"

func (a accessTx) Attached(target string) ([]access.Policy, error) {
	return list(a.tx, attachedPolicies, []any{a.account, target}, scanPolicy)
}

const (
	targetsOfPolicy     = "SELECT target FROM policy_attachments WHERE account = ? AND policy = ? AND target > ? ORDER BY target LIMIT ?"
	targetsOfPolicyDown = "SELECT target FROM policy_attachments WHERE account = ? AND policy = ? AND target < ? ORDER BY target DESC LIMIT ?"
)

func (a accessTx) Targets(policy, after string, descending bool, limit int) ([]string, error) {
	if !descending {
		return list(a.tx, targetsOfPolicy, []any{a.account, policy, after, limit}, scanString)
	}
	if after == "" {
		after = "\U0010ffff"
	}
	return list(a.tx, targetsOfPolicyDown, []any{a.account, policy, after, limit}, scanString)
}
